//! The C interface of Brolga as it is; the crate `brolga` is what to program
//! with.
//!
//! `ffi.rs` is made from the headers by `bindings/rust/bindgen.sh` and kept as it
//! is, so that nobody who builds the crate needs libclang. That it still says what
//! the headers say is tested: `tests/headers.rs` has a C compiler compare every
//! size, offset, number and signature.
//!
//! The headers are the reference. `include/brolga/module.h` is not here: it is for
//! C files that are reloaded.
#![no_std]
#![allow(non_camel_case_types, missing_docs)]

#[rustfmt::skip]
mod ffi;
mod view;

pub use ffi::*;
pub use view::*;
