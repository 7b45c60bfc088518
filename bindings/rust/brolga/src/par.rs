//! One function for many elements, on all workers.

use crate::error::{Error, Result, check};
use crate::task::Failure;
use crate::types::{Type, Value, copy_check};
use crate::{Runtime, ffi};

/// What is done to each element: compiled code.
#[derive(Debug)]
pub struct Each<'a> {
    /// Borrows its arguments, the second of which is the element, and returns a reference
    /// of its own.
    pub function: unsafe extern "C" fn(ffi::brolga_word, ffi::brolga_word) -> ffi::brolga_word,
    /// What it gets first. Each task that takes part has a copy.
    pub env: &'a Value,
}

/// The values that a function returns for each element of a `(Vec ...)` or `(List ...)`,
/// in order, as a collection of the type `to`.
///
/// ```
/// use brolga::{Runtime, Types, par};
///
/// unsafe extern "C" fn times(factor: i64, element: i64) -> i64 {
///     factor * element
/// }
///
/// let rt = Runtime::new()?;
/// let types = Types::new(Default::default())?;
/// let list = types.parse("(List Int)")?;
/// // SAFETY: The word is the empty list.
/// let none = unsafe { brolga::Value::from_word(&list, 0) };
/// let each = par::Each { function: times, env: &types.int(3)? };
/// // SAFETY: The function does what it says, on integers.
/// let out = unsafe { par::pmap(&rt, &none, &each, &list)? };
/// assert_eq!(out.word(), 0);
/// # Ok::<(), brolga::Error>(())
/// ```
///
/// [`Error::Failed`]: it has failed on an element, the first of those that did.
///
/// # Safety
///
/// The function may be called with such an element and with the environment, by any
/// light task, and what it returns is an element of the other type.
pub unsafe fn pmap(rt: &Runtime, from: &Value, each: &Each, to: &Type) -> Result<Value> {
    let each = ffi::brolga_par_fn {
        fn_: Some(each.function),
        env: each.env.word(),
        env_type: each.env.type_().as_raw(),
        ..Default::default()
    };
    let mut failure = ffi::brolga_par_failure::default();
    let mut word = 0;
    // SAFETY: As said; the types are the values' own.
    let code = unsafe {
        ffi::brolga_pmap(
            rt.as_raw(),
            from.type_().as_raw(),
            from.word(),
            &each,
            to.as_raw(),
            &mut word,
            std::ptr::null(),
            &mut failure,
        )
    };

    match code {
        // SAFETY: The collection is the caller's.
        ffi::BROLGA_OK => Ok(unsafe { Value::from_word(to, word) }),
        ffi::BROLGA_EFAILED => Err(Error::Failed(Box::new(Failure::from_raw(&failure.failure)))),
        _ => Err(copy_check(code, &failure.copy).and_then(|()| check(code)).unwrap_err()),
    }
}
