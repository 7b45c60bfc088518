//! Tasks and channels that keep running while the code that they run is replaced.
//!
//! Brolga is a runtime for languages and programs that call their code through a
//! table. It publishes new code for any number of modules at once, lets each task
//! move to it at a point where that is safe, and frees old code when it is proven
//! that nothing can reach it any more. Tasks belong to scopes that await them, and
//! talk over typed channels. This crate is its Rust side; the C library, which
//! `brolga-sys` builds or finds, does the work.
//!
//! | | |
//! |---|---|
//! | [`Runtime`] | workers, and who does what in them |
//! | [`task`], [`JoinHandle`] | tasks, their results and failures, sleeping, safepoints |
//! | [`scope()`] | tasks that borrow, and end before their starter goes on |
//! | [`Chan`], [`channel`] | channels of Rust values |
//! | [`Types`], [`Value`], [`ValueChan`] | values of a host language, and their channels |
//! | [`code`]: [`Got`], [`Transaction`], [`Slot`] | publishing compiled code |
//! | [`code::Memory`] | where a compiler puts it |
//! | [`Closures`], [`par`] | closures of compiled code, and calls of one for many elements |
//! | [`Watcher`] | C files that are compiled and swapped as they are saved |
//!
//! ```
//! use brolga::{Runtime, channel};
//!
//! let rt = Runtime::new()?;
//! let (questions, asked) = channel(8)?;
//! let (answers, answered) = channel(8)?;
//! let server = rt.spawn(move || {
//!     for question in asked.iter() {
//!         answers.send(format!("{question}? 42."))?;
//!     }
//!     Ok::<(), brolga::Error>(())
//! })?;
//! rt.run("client", || {
//!     questions.send("six times seven".to_owned())?;
//!     assert_eq!(answered.recv()?, "six times seven? 42.");
//!     drop(questions);
//!     server.join()?
//! })??;
//! # Ok::<(), brolga::Error>(())
//! ```
//!
//! # What is `unsafe`
//!
//! What compiled code does, nobody can check: publishing it, and starting it, is
//! `unsafe`. So are light tasks ([`Runtime::spawn_fiber`]), because Rust takes it for
//! granted that a function stays on its thread, and [`task::blocking`]. All else is
//! safe: handles keep the runtime, types and channels that they need; panics in tasks,
//! and in what the library calls back, never unwind through its frames.
//!
//! # Minimum supported Rust version
//!
//! Rust 1.85, which is the one of Debian 13. A new minor version may raise it.
#![warn(missing_docs)]

/// The programs in the page that the crate is shown with.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod chan;
pub mod closures;
pub mod code;
mod error;
mod look;
pub mod par;
mod runtime;
pub mod scope;
pub mod task;
mod time;
pub mod types;
mod value_chan;
pub mod watch;

pub use brolga_sys as ffi;
pub use chan::{Chan, Receiver, Sender, channel};
pub use closures::Closures;
pub use code::{Got, Slot, Transaction, Unit};
pub use error::{Error, Result, SendError};
pub use look::{Event, Holder, TaskInfo};
pub use runtime::{Builder, Deadlocks, Runtime};
pub use scope::{Scope, scope};
pub use task::JoinHandle;
pub use time::Deadline;
pub use types::{Type, Types, Value};
pub use value_chan::ValueChan;
pub use watch::Watcher;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CALLED_BACK: Cell<bool> = const { Cell::new(false) };
}

/// Call something through frames of the library, which nothing may unwind. A panic has
/// been reported by the hook, and is all there is to it.
pub(crate) fn guard<R>(f: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => Some(result),
        Err(payload) => {
            // It might panic once more when it goes, and what that throws, too: enough.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(again);
            }
            None
        }
    }
}

/// The same for what a runtime itself calls, and must survive: never in a light task.
pub(crate) fn callback<R>(f: impl FnOnce() -> R) -> Option<R> {
    let outer = CALLED_BACK.replace(true);
    let result = guard(f);

    CALLED_BACK.set(outer);
    result
}

pub(crate) fn is_called_back() -> bool {
    CALLED_BACK.get()
}
