//! Goal: code is published whole or not at all, called in its version, and dropped
//! when nothing can reach it.
//!
//! Method: units are pages with one real function, which returns a number. Each counts
//! when it is dropped; from then on the page cannot be executed.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use brolga::code::{Code, Policy, Refusal, Transaction};
use brolga::{Chan, Error, Event, Runtime, Slot, Unit, ffi};
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

const PAGE: usize = 4096;

unsafe extern "C" {
    fn mmap(
        at: *mut c_void,
        n: usize,
        prot: c_int,
        flags: c_int,
        fd: c_int,
        off: i64,
    ) -> *mut c_void;
    fn mprotect(at: *mut c_void, bytes: usize, prot: c_int) -> c_int;
}

/// One function, `brolga_word f(void *)`, that returns a number.
struct Constant {
    page: usize,
    dropped: Arc<AtomicUsize>,
}

impl Constant {
    fn new(number: i64, dropped: &Arc<AtomicUsize>) -> Self {
        let mut code = if cfg!(target_arch = "x86_64") {
            vec![0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xc3] // movabs $number, %rax; ret
        } else {
            let words = [0x5800_0040_u32, 0xd65f_03c0, 0, 0]; // ldr x0, number; ret
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        let at = if cfg!(target_arch = "x86_64") { 2 } else { 8 };

        code[at..at + 8].copy_from_slice(&number.to_le_bytes());
        // SAFETY: The page is new, written, and then only executed. A few bytes that
        // no instruction cache has seen.
        let page = unsafe {
            let page = mmap(null_mut(), PAGE, 3, 0x22, -1, 0);
            assert_ne!(page as isize, -1);
            page.cast::<u8>().copy_from_nonoverlapping(code.as_ptr(), code.len());
            assert_eq!(mprotect(page, PAGE, 5), 0);
            page
        };
        Self { page: page as usize, dropped: dropped.clone() }
    }
}

// SAFETY: The page stays until it is dropped.
unsafe impl Code for Constant {
    fn text(&self) -> (*const u8, usize) {
        (self.page as *const u8, PAGE)
    }
}

impl Drop for Constant {
    fn drop(&mut self) {
        // SAFETY: Nobody executes it: that is what these tests are about.
        unsafe { mprotect(self.page as *mut c_void, PAGE, 0) };
        self.dropped.fetch_add(1, SeqCst);
    }
}

/// Stages a unit that defines `answer` of a module.
fn stage(
    txn: &mut Transaction,
    module: &str,
    number: i64,
    dropped: &Arc<AtomicUsize>,
) -> (Unit, Slot) {
    let code = Constant::new(number, dropped);
    let entry = code.text().0;

    // SAFETY: It is a function of no arguments, and nothing keeps its address.
    unsafe {
        let unit = txn.unit(&format!("{module}-{number}"), Policy::Reclaim, code).unwrap();
        (unit, txn.define(unit, module, "answer", "(Fn [] Int)", entry).unwrap())
    }
}

fn publish(rt: &Runtime, number: i64, dropped: &Arc<AtomicUsize>) -> Slot {
    let mut txn = rt.got().begin().unwrap();
    let (_, slot) = stage(&mut txn, "deep", number, dropped);

    txn.commit().unwrap();
    slot
}

fn call(rt: &Runtime, slot: Slot) -> i64 {
    // SAFETY: Such a function it is.
    unsafe { rt.spawn_slot(slot, null_mut()) }.unwrap().join().unwrap()
}

#[test]
fn a_commit_replaces_code_and_the_old_is_dropped() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (told, tells) = mpsc::channel();
    let rt = Runtime::builder()
        .workers(1)
        .on_event(move |event| {
            if let Event::Released { unit, .. } = event {
                told.send(unit.clone()).unwrap();
            }
        })
        .build()
        .unwrap();
    let slot = publish(&rt, 41, &dropped);

    assert_eq!(call(&rt, slot), 41);
    assert_eq!(publish(&rt, 42, &dropped), slot);
    assert_eq!(call(&rt, slot), 42);
    assert_eq!(tells.recv_timeout(Duration::from_secs(20)).as_deref(), Ok("deep-41"));
    assert_eq!(dropped.load(SeqCst), 1);
    assert_eq!(rt.got().module("deep").unwrap().slot("answer", None), Ok(slot));
    assert_eq!(rt.got().module("deep").unwrap().slot("other", None), Err(Error::NotFound));
    rt.shutdown().unwrap();
    assert_eq!(dropped.load(SeqCst), 2);
}

#[test]
fn a_task_calls_one_version_between_safepoints() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let rt = Runtime::new().unwrap();
    let slot = publish(&rt, 1, &dropped);

    rt.run("main", || {
        let answer = || {
            // SAFETY: The caller is a task, and such a function it is.
            let f = unsafe { slot.function::<unsafe extern "C" fn(*mut c_void) -> i64>() };
            // SAFETY: The same.
            unsafe { f(null_mut()) }
        };

        assert_eq!(answer(), 1);
        publish(&rt, 2, &dropped);
        assert_eq!(answer(), 1);
        brolga::task::safepoint();
        assert_eq!(answer(), 2);
    })
    .unwrap();
}

#[test]
fn a_refusal_says_what_does_not_fit_and_leaves_no_trace() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let rt = Runtime::new().unwrap();
    let mut txn = rt.got().begin().unwrap();
    let (unit, _) = stage(&mut txn, "deep", 1, &dropped);

    txn.import(unit, "shallow", "question", "(Fn [] String)", Some("deep.cl:3")).unwrap();
    let Err(Error::Refused(report)) = txn.check() else { panic!("nobody defines it") };
    assert_eq!((report.refusal, dropped.load(SeqCst)), (Some(Refusal::Import), 0));
    let error = txn.commit().unwrap_err();
    let Error::Refused(report) = &error else { panic!("{error}") };
    let conflict = &report.conflicts[0];
    assert_eq!((conflict.place.as_str(), conflict.symbol.as_str()), ("deep.cl:3", "question"));
    assert!(error.to_string().starts_with("refused; nothing has changed: "), "{error}");
    assert_eq!((rt.got().version(), dropped.load(SeqCst)), (1, 1));
}

#[test]
fn a_transaction_that_is_dropped_drops_its_code() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let rt = Runtime::new().unwrap();
    let (mut one, mut other) = (rt.got().begin().unwrap(), rt.got().begin().unwrap());
    let (unit, _) = stage(&mut one, "deep", 1, &dropped);

    assert_eq!(other.pin(unit), Err(Error::Invalid));
    assert_eq!(other.import(unit, "a", "b", "c", None), Err(Error::Invalid));
    drop(one);
    assert_eq!(dropped.load(SeqCst), 1);
    assert_eq!(rt.got().version(), 1);
}

#[test]
fn a_pin_keeps_code_that_is_out_of_use() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let rt = Runtime::builder().workers(1).build().unwrap();
    let mut txn = rt.got().begin().unwrap();
    let (unit, slot) = stage(&mut txn, "deep", 1, &dropped);

    txn.pin(unit).unwrap();
    let mut pins = txn.commit().unwrap().pins;
    let pin = pins.pop().unwrap();
    let other = pin.clone();
    publish(&rt, 2, &dropped);
    assert_eq!(call(&rt, slot), 2);
    drop(pin);
    let holder = loop {
        rt.reclaim_step();
        if let Some(holder) = rt.holders().into_iter().find(|holder| holder.reason == "pin") {
            break holder;
        }
    };
    assert_eq!((holder.unit.as_str(), holder.pins), ("deep-1", 1));
    assert_eq!(dropped.load(SeqCst), 0);
    drop(other);
    while dropped.load(SeqCst) == 0 {
        rt.reclaim_step();
    }
    rt.shutdown().unwrap();
}

#[test]
fn a_commit_can_be_taken_back() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let rt = Runtime::builder().history(2).build().unwrap();
    let slot = publish(&rt, 1, &dropped);
    let first = rt.got().version();

    publish(&rt, 2, &dropped);
    assert_eq!(call(&rt, slot), 2);
    assert_eq!(rt.got().rollback(first).unwrap().version, first + 2);
    assert_eq!(call(&rt, slot), 1);
    let Err(Error::Refused(report)) = rt.got().rollback(999) else { panic!("there is none") };
    assert_eq!(report.refusal.map(|refusal| refusal.to_string()).as_deref(), Some("history"));
    assert_eq!(rt.got().stats().units_live, 1);
}

#[test]
fn a_loop_adopts_new_code_while_it_runs() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let rt = Runtime::new().unwrap();
    let slot = publish(&rt, ffi::BROLGA_OK.into(), &dropped);
    // SAFETY: `int f(void *)` it is as well: the number is small.
    let task = unsafe { rt.spawn_loop(slot, null_mut()) }.unwrap();

    publish(&rt, ffi::BROLGA_DONE.into(), &dropped);
    // It has ended, which the first code never does.
    assert_eq!(task.join().unwrap(), ffi::BROLGA_OK.into());
}

#[test]
fn cells_mirror_the_version() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let rt = Runtime::new().unwrap();
    let cells = rt.got().module("deep").unwrap().cells(8).unwrap();
    let slot = publish(&rt, 7, &dropped);
    let index = cells.index(slot).unwrap() as usize;
    // SAFETY: The table has that cell, whose function takes nothing; it is in force.
    let answer = unsafe {
        let f = *cells.base().add(index);
        std::mem::transmute::<*const c_void, unsafe extern "C" fn() -> i64>(f)()
    };

    assert_eq!(answer, 7);
}

/// What a cell has, called.
fn call_cell(cell: &AtomicPtr<c_void>) -> i64 {
    let code = cell.load(SeqCst);
    // SAFETY: A function that takes nothing, in force.
    unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> i64>(code)() }
}

#[test]
fn cells_are_where_the_host_has_its_table() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let mine = (&raw const dropped).cast_mut().cast::<c_void>();
    let table: &'static [AtomicPtr<c_void>] =
        Box::leak((0..8).map(|_| AtomicPtr::new(mine)).collect());
    let rt = Runtime::new().unwrap();
    let cells = rt.got().module("deep").unwrap().cells_in(table).unwrap();
    let mut txn = rt.got().begin().unwrap();
    let (_, slot) = stage(&mut txn, "deep", 7, &dropped);

    assert_eq!(cells.bind(slot, 8), Err(Error::Invalid));
    cells.bind(slot, 5).unwrap();
    cells.bind(slot, 5).unwrap();
    assert_eq!(cells.bind(slot, 4), Err(Error::Exists));
    assert_eq!(table[5].load(SeqCst), mine); // It is not published yet.
    txn.commit().unwrap();
    assert_eq!((cells.index(slot), call_cell(&table[5])), (Ok(5), 7));
    assert_eq!(publish(&rt, 8, &dropped), slot);
    assert_eq!(call_cell(&table[5]), 8);
    // What the host has in its other cells is its own.
    assert!((0..8).filter(|&at| at != 5).all(|at| table[at].load(SeqCst) == mine));
    let other = rt.got().module("deep").unwrap().cells_in(table);
    assert_eq!(other.unwrap_err(), Error::Exists);
}

#[test]
fn a_cell_of_an_abandoned_transaction_is_free_again() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let table: &'static [AtomicPtr<c_void>] =
        Box::leak((0..2).map(|_| AtomicPtr::default()).collect());
    let rt = Runtime::new().unwrap();
    let cells = rt.got().module("deep").unwrap().cells_in(table).unwrap();
    let mut txn = rt.got().begin().unwrap();
    let (_, slot) = stage(&mut txn, "deep", 1, &dropped);

    cells.bind(slot, 1).unwrap();
    drop(txn);
    assert_eq!(cells.bind(slot, 0), Err(Error::Invalid)); // It is no slot any more.
    let mut txn = rt.got().begin().unwrap();
    let (_, slot) = stage(&mut txn, "deep", 2, &dropped);
    cells.bind(slot, 1).unwrap();
    txn.commit().unwrap();
    assert_eq!((table[0].load(SeqCst), call_cell(&table[1])), (null_mut(), 2));
}

#[test]
fn compiled_code_can_be_at_the_other_end_of_a_channel() {
    let rt = Runtime::new().unwrap();
    let chan = Chan::<i64>::bounded(1).unwrap();

    rt.run("main", || {
        let mut word = 0;
        // SAFETY: It is what compiled code would call: words, by the library's handle.
        unsafe {
            assert_eq!(ffi::brolga_send_word(chan.as_raw(), 5, ffi::BROLGA_NOW), ffi::BROLGA_OK);
            assert_eq!(chan.recv(), Ok(5));
            chan.send(6).unwrap();
            let code = ffi::brolga_recv_word(chan.as_raw(), &mut word, ffi::BROLGA_NOW);
            assert_eq!((code, word), (ffi::BROLGA_OK, 6));
        }
    })
    .unwrap();
}

#[test]
fn a_trap_in_compiled_code_fails_its_task_alone() {
    struct Traps(Constant);
    // SAFETY: The page stays until it is dropped.
    unsafe impl Code for Traps {
        fn text(&self) -> (*const u8, usize) {
            self.0.text()
        }
        fn describe(&self, _address: *const u8) -> Option<String> {
            Some("stumble".into())
        }
    }
    let code = Constant::new(0, &Arc::default());
    let illegal: &[u8] = if cfg!(target_arch = "x86_64") { &[0x0f, 0x0b] } else { &[0; 4] };
    let page = code.page as *mut u8;
    // SAFETY: The page is ours, and written before it is executed again.
    unsafe {
        mprotect(page.cast(), PAGE, 3);
        page.copy_from_nonoverlapping(illegal.as_ptr(), illegal.len());
        mprotect(page.cast(), PAGE, 5);
    }
    let rt = Runtime::new().unwrap();
    let mut txn = rt.got().begin().unwrap();
    // SAFETY: A function that never returns is one of any signature.
    let slot = unsafe {
        let unit = txn.unit("traps", Policy::Reclaim, Traps(code)).unwrap();
        txn.define(unit, "traps", "stumble", "(Fn [] Int)", page).unwrap()
    };
    txn.commit().unwrap();
    // SAFETY: As said.
    let error = unsafe { rt.spawn_slot(slot, null_mut()) }.unwrap().join().unwrap_err();
    let Error::Failed(failure) = error else { panic!("{error}") };
    assert_eq!(failure.kind, brolga::task::FailureKind::Trap);
    assert_eq!((failure.address, failure.function.as_str()), (page as usize, "stumble"));
    rt.shutdown().unwrap();
}
