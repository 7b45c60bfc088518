//! From the host into compiled code: functions that call a closure, and put the view of
//! the calling task into the pinned register. They stay for good.

use crate::compile::Compiler;
use crate::memory::load;
use crate::natives;
use crate::values::Word;
use brolga::Runtime;
use brolga::code::{Memory, Policy};
use std::mem::transmute;

type Closure0 = unsafe extern "C" fn(Word) -> Word;
type Each = unsafe extern "C" fn(Word, Word) -> Word;
type Closure2 = unsafe extern "C" fn(Word, Word, Word) -> Word;

/// All of them are for tasks, and closures that take and return such words.
#[derive(Clone, Copy)]
pub struct Enter {
    /// Takes the closure over.
    pub closure0: Closure0,
    /// Takes the closure and both arguments over.
    pub closure2: Closure2,
    /// Borrows both, for elements that are plain words, and for those that are counted.
    each: [Each; 2],
}

impl Enter {
    pub fn new(compiler: &Compiler, rt: &Runtime, memory: &Memory) -> Result<Self, String> {
        let view = natives::view as *const () as usize;
        let all: [(usize, &[usize]); 4] = [(0, &[]), (2, &[]), (1, &[0]), (1, &[0, 1])];
        let all = all.map(|(params, shares)| compiler.enter(params, shares, view));
        let all = all.into_iter().collect::<Result<Vec<_>, _>>()?;
        let loaded = load(memory, compiler.isa(), "the host", &all)?;
        let [closure0, closure2, word, counted] = [0, 1, 2, 3].map(|n| loaded.address(n));
        let text = |error: brolga::Error| error.to_string();
        let mut txn = rt.got().begin().map_err(text)?;

        loaded.stage(&mut txn, "enter", Policy::Keep, ()).map_err(text)?;
        txn.commit().map_err(text)?;
        // SAFETY: They were compiled with so many arguments.
        Ok(unsafe {
            Self {
                closure0: transmute::<*const u8, Closure0>(closure0),
                closure2: transmute::<*const u8, Closure2>(closure2),
                each: [word, counted].map(|at| transmute::<*const u8, Each>(at)),
            }
        })
    }

    pub fn each(&self, counted: bool) -> Each {
        self.each[usize::from(counted)]
    }
}
