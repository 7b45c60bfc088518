//! The host's heap: `[size][count]` before each object, every live object in
//! one set behind one mutex, counts that are plain words.
//!
//! As in the host a pointer that is not in the set must not be freed: the
//! process aborts, for the caller has freed twice or freed what is not its own.

use crate::abi::Word;
use std::alloc::{alloc, Layout};
use std::collections::HashSet;
use std::sync::{Mutex, OnceLock};

const HEADER: usize = 16;

fn live() -> &'static Mutex<HashSet<Word>> {
    static LIVE: OnceLock<Mutex<HashSet<Word>>> = OnceLock::new();
    LIVE.get_or_init(Mutex::default)
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("an object has a size")
}

/// What the platform is given to allocate with: `size` bytes and a count of 1.
/// The bytes are filled, so that whoever forgets to write one is seen.
pub extern "C" fn object_alloc(size: Word) -> Word {
    let size = usize::try_from(size).expect("no negative sizes") + HEADER;
    let pointer = unsafe {
        let base = alloc(layout(size));
        base.write_bytes(0xa5, size);
        base.cast::<Word>().write(size as Word);
        base.add(8).cast::<Word>().write(1);
        base.add(HEADER) as Word
    };
    live().lock().unwrap().insert(pointer);
    pointer
}

/// What is freed stays where it is, with a count below zero, so that whoever
/// looks at it later is seen.
pub fn object_free(pointer: Word) {
    if !live().lock().unwrap().remove(&pointer) {
        eprintln!("rust-host: {pointer:#x} is freed, but is no object");
        std::process::abort();
    }
    unsafe {
        let base = (pointer as *mut u8).sub(HEADER);
        let size = base.cast::<Word>().read() as usize;
        base.write_bytes(0xfa, size);
    }
}

pub fn is_live(pointer: Word) -> bool {
    live().lock().unwrap().contains(&pointer)
}

pub fn word(pointer: Word, index: usize) -> Word {
    unsafe { (pointer as *const Word).add(index).read() }
}

pub fn set_word(pointer: Word, index: usize, value: Word) {
    unsafe { (pointer as *mut Word).add(index).write(value) }
}

/// The count, as compiled code reads it: plain, in the word before the object.
pub fn count(pointer: Word) -> Word {
    unsafe { (pointer as *const Word).sub(1).read() }
}

pub fn set_count(pointer: Word, count: Word) {
    unsafe { (pointer as *mut Word).sub(1).write(count) }
}

/// Takes one from the count, and says whether it was the last.
pub fn dec(pointer: Word) -> bool {
    if count(pointer) <= 0 {
        eprintln!("rust-host: {pointer:#x} is dropped, but has a count of {}", count(pointer));
        std::process::abort();
    }
    set_count(pointer, count(pointer) - 1);
    count(pointer) == 0
}
