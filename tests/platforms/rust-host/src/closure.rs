//! Closures as the compiler makes them: `[code][capture]...`, code that gets
//! the closure itself first and words after it.
//!
//! The bodies are Rust closures. They stand in a table, and the first capture
//! is the number there: a small number, as programs capture many.

use crate::abi::Word;
use crate::heap::{object_alloc, set_word, word};
use std::mem::transmute;
use std::sync::{Arc, Mutex};

type Body = Arc<dyn Fn(&[Word], &[Word]) -> Word + Send + Sync>;

static BODIES: Mutex<Vec<(Body, usize)>> = Mutex::new(Vec::new());

/// Where captures begin, behind the code and that number.
pub const FIRST_CAPTURE: usize = 2;

/// A closure object with a count of one. `body` gets the captures and the
/// arguments; the captures are not counted again, as the compiler counts none
/// that it got as parameters.
pub fn make<F>(arity: usize, captures: &[Word], body: F) -> Word
where
    F: Fn(&[Word], &[Word]) -> Word + Send + Sync + 'static,
{
    let code = match arity {
        0 => run0 as *const () as Word,
        1 => run1 as *const () as Word,
        2 => run2 as *const () as Word,
        _ => unreachable!("no platform function takes such a function"),
    };
    let mut bodies = BODIES.lock().unwrap();
    bodies.push((Arc::new(body), captures.len()));
    let made = object_alloc(8 * (FIRST_CAPTURE + captures.len()) as Word);
    set_word(made, 0, code);
    set_word(made, 1, bodies.len() as Word - 1);
    for (i, capture) in captures.iter().enumerate() {
        set_word(made, i + FIRST_CAPTURE, *capture);
    }
    made
}

fn run(closure: Word, args: &[Word]) -> Word {
    let (body, captured) = BODIES.lock().unwrap()[word(closure, 1) as usize].clone();
    let captures: Vec<_> = (0..captured).map(|i| word(closure, i + FIRST_CAPTURE)).collect();
    body(&captures, args)
}

extern "C" fn run0(closure: Word) -> Word {
    run(closure, &[])
}

extern "C" fn run1(closure: Word, a: Word) -> Word {
    run(closure, &[a])
}

extern "C" fn run2(closure: Word, a: Word, b: Word) -> Word {
    run(closure, &[a, b])
}

/// What a closure's body returns where its type is an IO.
pub fn io(value: Word) -> Word {
    let made = object_alloc(16);
    set_word(made, 0, 0);
    set_word(made, 1, value);
    made
}

/// # Safety
/// `code` takes that many words and returns one.
pub unsafe fn call_code(code: *const u8, args: &[Word]) -> Word {
    type W = Word;
    unsafe {
        match *args {
            [] => transmute::<*const u8, extern "C" fn() -> W>(code)(),
            [a] => transmute::<*const u8, extern "C" fn(W) -> W>(code)(a),
            [a, b] => transmute::<*const u8, extern "C" fn(W, W) -> W>(code)(a, b),
            [a, b, c] => transmute::<*const u8, extern "C" fn(W, W, W) -> W>(code)(a, b, c),
            [a, b, c, d] => {
                transmute::<*const u8, extern "C" fn(W, W, W, W) -> W>(code)(a, b, c, d)
            }
            _ => unreachable!("more arguments than any function has"),
        }
    }
}
