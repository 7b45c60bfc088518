//! A small Lisp host over Brolga and Cranelift: see README.md.

pub mod body;
pub mod check;
pub mod compile;
pub mod enter;
pub mod expr;
pub mod host;
pub mod memory;
pub mod natives;
pub mod ops;
pub mod read;
pub mod types;
pub mod values;
pub mod watch;
