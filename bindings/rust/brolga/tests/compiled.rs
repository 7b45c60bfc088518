//! Goal: code in a block becomes a unit, which unwinders know for as long as it is there;
//! a function is called for each element, and one that fails leaves nothing behind.
//!
//! Method: a function made by hand, with a description of its frame; the C library is asked
//! what it knows of the address. Objects of collections are counted.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use brolga::code::{Function, Memory, Policy, Sealed};
use brolga::types::Model;
use brolga::{Error, Runtime, Types, Value, ffi, par};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

// --- a block with frames -----------------------------------------------------------

/// Where in the block the frames are.
const FRAMES_AT: usize = 64;

/// `brolga_word f(void *)`, which returns 42.
#[cfg(target_arch = "x86_64")]
const ANSWER: [u8; 6] = [0xb8, 42, 0, 0, 0, 0xc3];
#[cfg(target_arch = "aarch64")]
const ANSWER: [u8; 8] = [0x40, 0x05, 0x80, 0xd2, 0xc0, 0x03, 0x5f, 0xd6];

/// What is common, then the function's, whose place and length are put in, then the end.
/// The return address is where it was at the call.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const FRAMES: [u8; 48] = [
    20, 0, 0, 0, 0, 0, 0, 0, 1, b'z', b'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1, 0, 0,
    16, 0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0,
];
#[cfg(target_arch = "aarch64")]
#[rustfmt::skip]
const FRAMES: [u8; 44] = [
    16, 0, 0, 0, 0, 0, 0, 0, 1, b'z', b'R', 0, 4, 0x78, 30, 1, 0x1b, 0x0c, 31, 0,
    16, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0,
];

fn block_with_frames(memory: &Memory) -> Sealed {
    let mut block = memory.alloc(FRAMES_AT + FRAMES.len()).unwrap();
    let begin = FRAMES[0] as usize + 4 + 8;
    let bytes = block.bytes_mut();

    bytes[..ANSWER.len()].copy_from_slice(&ANSWER);
    bytes[FRAMES_AT..][..FRAMES.len()].copy_from_slice(&FRAMES);
    // From there to the function, and its bytes.
    let back = -((FRAMES_AT + begin) as i32);
    bytes[FRAMES_AT + begin..][..4].copy_from_slice(&back.to_le_bytes());
    bytes[FRAMES_AT + begin + 4..][..4].copy_from_slice(&(ANSWER.len() as u32).to_le_bytes());
    block.seal().unwrap()
}

unsafe extern "C" {
    fn _Unwind_Find_FDE(pc: *const c_void, bases: *mut [*mut c_void; 3]) -> *const c_void;
}

/// Whether unwinders know a function there.
fn is_known(code: *const u8) -> bool {
    let mut bases = [null_mut(); 3];
    // SAFETY: The address is only looked up.
    unsafe { !_Unwind_Find_FDE(code.wrapping_add(1).cast(), &mut bases).is_null() }
}

/// Counts when it is dropped.
struct Kept(Arc<AtomicUsize>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn unwinders_know_a_unit_until_it_is_gone() {
    let rt = Runtime::new().unwrap();
    let memory = rt.got().memory().create().unwrap();
    let dropped = Arc::new(AtomicUsize::new(0));
    let block = block_with_frames(&memory);
    let code = block.run();
    let functions = [Function::new("answer", 0..ANSWER.len()).at("app.lisp", 1)];
    let frames = FRAMES_AT..FRAMES_AT + FRAMES.len();
    let mut txn = rt.got().begin().unwrap();

    assert!(!is_known(code));
    // SAFETY: The code and the frames are as they should be, and a slot leads there.
    let slot = unsafe {
        let kept = Kept(dropped.clone());
        let unit = txn.code_unit("app", Policy::Reclaim, block, &functions, frames, kept).unwrap();
        txn.define(unit, "app", "answer", "(Fn [] Int)", code).unwrap()
    };
    assert!(is_known(code));
    txn.commit().unwrap();
    // SAFETY: It takes no argument.
    let task = unsafe { rt.spawn_slot(slot, null_mut()).unwrap() };
    assert_eq!(task.join().unwrap(), 42);
    assert_eq!(dropped.load(SeqCst), 0);

    let mut txn = rt.got().begin().unwrap();
    txn.replace("app").unwrap();
    txn.commit().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while memory.stats().blocks > 0 {
        assert!(Instant::now() < deadline, "{:?}", rt.holders());
        rt.reclaim_step();
    }
    assert!(!is_known(code));
    assert_eq!(dropped.load(SeqCst), 1);
}

#[test]
fn what_does_not_become_a_unit_is_freed() {
    let rt = Runtime::new().unwrap();
    let memory = rt.got().memory().create().unwrap();
    let dropped = Arc::new(AtomicUsize::new(0));
    let outside = [Function::new("answer", 0..1 << 20)];

    for functions in [&outside[..], &[]] {
        let block = block_with_frames(&memory);
        let code = block.run();
        let frames = FRAMES_AT..FRAMES_AT + FRAMES.len();
        let mut txn = rt.got().begin().unwrap();
        // SAFETY: Nobody runs it.
        let unit = unsafe {
            let kept = Kept(dropped.clone());
            txn.code_unit("app", Policy::Reclaim, block, functions, frames, kept)
        };
        assert_eq!(unit.is_ok(), functions.is_empty());
        drop(txn); // Without a commit.
        assert!(!is_known(code));
    }
    assert_eq!(memory.stats().blocks, 0);
    assert_eq!(dropped.load(SeqCst), 2);
}

// --- a function for each element ---------------------------------------------------

static OBJECTS: AtomicI64 = AtomicI64::new(0);
/// Objects are counted in the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

unsafe extern "C" {
    fn malloc(bytes: usize) -> *mut c_void;
    fn free(block: *mut c_void);
}

unsafe extern "C" fn counted_alloc(bytes: usize, _: *mut c_void) -> *mut c_void {
    OBJECTS.fetch_add(1, SeqCst);
    // SAFETY: It is free() that takes it back.
    unsafe { malloc(bytes) }
}

unsafe extern "C" fn counted_free(block: *mut c_void, _: usize, _: *mut c_void) {
    OBJECTS.fetch_sub(1, SeqCst);
    // SAFETY: It comes from malloc().
    unsafe { free(block) }
}

fn counted_types() -> Types {
    let allocator = Box::leak(Box::new(ffi::brolga_allocator {
        alloc: Some(counted_alloc),
        free: Some(counted_free),
        arg: null_mut(),
    }));
    let mut model = Model::Cranelisp.preset();
    model.allocator = allocator;
    // SAFETY: A preset, and an allocator that stays.
    unsafe { Types::with_model(&model).unwrap() }
}

/// `[length][capacity][data]`, of words that it takes over.
fn vector(types: &Types, text: &str, words: &[i64]) -> Value {
    let length = words.len() as i64;
    // SAFETY: The objects have room for it, and are nobody else's.
    unsafe {
        let object = |words: &[i64]| {
            let word = ffi::brolga_object_make(types.as_raw(), 8 * words.len() as i64);
            (word as *mut i64).copy_from_nonoverlapping(words.as_ptr(), words.len());
            word
        };
        let data = object(words);
        Value::from_word(&types.parse(text).unwrap(), object(&[length, length, data]))
    }
}

fn elements(vector: &Value) -> &[i64] {
    // SAFETY: It is one, as vector() makes it.
    unsafe {
        let fields = vector.word() as *const i64;
        std::slice::from_raw_parts(fields.add(2).read() as *const i64, fields.read() as usize)
    }
}

unsafe extern "C" fn times(factor: i64, element: i64) -> i64 {
    factor * element
}

/// A new string, of one byte more, or a failure.
unsafe extern "C" fn longer(types: i64, element: i64) -> i64 {
    // SAFETY: The element is a string, and the new object has room. Nothing in the frame
    // has to be dropped.
    unsafe {
        let bytes = (element as *const i64).read();
        if bytes == 700 {
            ffi::brolga_panic(c"no string of 700".as_ptr());
        }
        let word = ffi::brolga_object_make(types as *mut _, 8 + ((bytes + 8) & !7));
        (word as *mut i64).write(bytes + 1);
        (word as *mut u8).add(8).write_bytes(b'x', bytes as usize + 1);
        word
    }
}

#[test]
fn each_element_has_its_result_in_order() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let rt = Runtime::new().unwrap();
    let types = counted_types();
    let words: Vec<i64> = (0..10_000).collect();
    let from = vector(&types, "(Vec Int)", &words);
    let each = par::Each { function: times, env: &types.int(3).unwrap() };
    // SAFETY: The function is for such words.
    let out = unsafe { par::pmap(&rt, &from, &each, from.type_()).unwrap() };

    assert_eq!(elements(&from), words);
    assert_eq!(elements(&out), words.iter().map(|word| 3 * word).collect::<Vec<_>>());
    drop((from, out));
    assert_eq!(OBJECTS.load(SeqCst), 0);
}

#[test]
fn an_element_that_fails_leaves_the_others_whole() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let rt = Runtime::new().unwrap();
    let types = counted_types();
    let strings = |count: usize| {
        let words = (0..count).map(|n| types.string(&"s".repeat(n)).unwrap().into_word());
        vector(&types, "(Vec String)", &words.collect::<Vec<_>>())
    };
    let env = types.int(types.as_raw() as i64).unwrap();
    let each = par::Each { function: longer, env: &env };
    let (good, bad) = (strings(700), strings(1000));
    // SAFETY: The function is for strings, and returns one that nobody else has.
    let map = |from: &Value| unsafe { par::pmap(&rt, from, &each, from.type_()) };

    let out = map(&good).unwrap();
    // SAFETY: They are strings of the vector's.
    let bytes = elements(&out).iter().map(|word| unsafe { (*word as *const i64).read() });
    assert!(bytes.eq(1..=700));
    drop((out, good));

    let before = OBJECTS.load(SeqCst);
    let Err(Error::Failed(failure)) = map(&bad) else { panic!("it has not failed") };
    assert_eq!(failure.message, "no string of 700");
    assert_eq!(OBJECTS.load(SeqCst), before, "results are left");
    // SAFETY: The same.
    assert_eq!(unsafe { (elements(&bad)[700] as *const i64).read() }, 700);
    drop(bad);
    assert_eq!(OBJECTS.load(SeqCst), 0);
}
