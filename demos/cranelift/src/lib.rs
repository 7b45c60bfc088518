//! A small Lisp host over Brolga and Cranelift: see README.md.

pub mod compile;
pub mod host;
pub mod memory;
pub mod read;
