//! Channels of a host language's values.

use crate::Deadline;
use crate::error::{Error, Result, SendError, check};
use crate::types::{Type, Value, copy_check};
use brolga_sys as ffi;
use std::ffi::c_int;
use std::fmt;
use std::ptr::NonNull;

/// A channel of values of one type: compiled code may be at either end.
///
/// ```
/// use brolga::{Runtime, Types, ValueChan};
///
/// let rt = Runtime::new()?;
/// let types = Types::new(Default::default())?;
/// let chan = ValueChan::bounded(&types.parse("String")?, 1)?;
/// rt.run("main", || {
///     let greeting = types.string("hello")?;
///     chan.send(&greeting)?; // A copy.
///     drop(greeting);
///     assert_eq!(chan.recv()?.as_str(), Some("hello"));
///     Ok::<(), brolga::Error>(())
/// })??;
/// # Ok::<(), brolga::Error>(())
/// ```
pub struct ValueChan {
    raw: NonNull<ffi::brolga_chan>,
    type_: Type,
}

// SAFETY: A channel may be used by any thread.
unsafe impl Send for ValueChan {}
// SAFETY: The same.
unsafe impl Sync for ValueChan {}

impl ValueChan {
    /// A channel in which so many values wait.
    pub fn bounded(type_: &Type, capacity: usize) -> Result<Self> {
        let opts = ffi::brolga_chan_opts { capacity, ..Default::default() };
        let mut raw = std::ptr::null_mut();

        // SAFETY: The type lives as long as its registry, which this keeps.
        check(unsafe { ffi::brolga_chan_create(type_.as_raw(), &opts, &mut raw) })?;
        Ok(Self { raw: NonNull::new(raw).ok_or(Error::NoMemory)?, type_: type_.clone() })
    }

    /// The library's handle. It lives as long as this.
    pub fn as_raw(&self) -> *mut ffi::brolga_chan {
        self.raw.as_ptr()
    }

    /// Send a copy. [`Error::Unsendable`] says which part cannot cross.
    pub fn send(&self, value: &Value) -> Result<()> {
        if *value.type_() != self.type_ {
            return Err(Error::Invalid);
        }
        // SAFETY: The value is of the channel's type, and the caller's.
        let code =
            unsafe { ffi::brolga_send_word(self.as_raw(), value.word(), ffi::BROLGA_FOREVER) };
        self.explain(code, value.word())
    }

    /// Send the value itself: nothing else reaches it.
    pub fn give(&self, value: Value) -> Result<(), SendError<Value>> {
        if *value.type_() != self.type_ {
            return Err(SendError { value, error: Error::Invalid });
        }
        let mut word = value.into_word();
        // SAFETY: The value is of the channel's type, and goes.
        let code =
            unsafe { ffi::brolga_give(self.as_raw(), (&raw mut word).cast(), ffi::BROLGA_FOREVER) };
        self.explain(code, word).map_err(|error| SendError {
            // SAFETY: What was not sent is still the caller's.
            value: unsafe { Value::from_word(&self.type_, word) },
            error,
        })
    }

    fn explain(&self, code: c_int, word: ffi::brolga_word) -> Result<()> {
        let mut error = ffi::brolga_copy_error::default();

        if code == ffi::BROLGA_EUNSENDABLE || code == ffi::BROLGA_EINVAL {
            // SAFETY: The value is still there, and the caller's.
            unsafe {
                ffi::brolga_send_why(
                    self.as_raw(),
                    std::ptr::null(),
                    (&raw const word).cast(),
                    &mut error,
                )
            };
        }
        copy_check(code, &error)
    }

    /// Receive the oldest value; wait for one if there is none.
    pub fn recv(&self) -> Result<Value> {
        self.recv_by(Deadline::NEVER)
    }

    /// The same until a deadline.
    pub fn recv_by(&self, deadline: impl Into<Deadline>) -> Result<Value> {
        let mut word = 0;
        let deadline = deadline.into();

        // SAFETY: The elements are words; what is received is the caller's alone.
        unsafe {
            check(ffi::brolga_recv_word(self.as_raw(), &mut word, deadline.0))?;
            Ok(Value::from_word(&self.type_, word))
        }
    }

    /// Close it, as [`Chan::close`](crate::Chan::close).
    pub fn close(&self) -> Result<()> {
        // SAFETY: Without a text.
        check(unsafe { ffi::brolga_chan_close(self.as_raw(), ffi::BROLGA_OK, std::ptr::null()) })
    }
}

impl Clone for ValueChan {
    fn clone(&self) -> Self {
        // SAFETY: There is a reference: this one.
        unsafe { ffi::brolga_chan_retain(self.as_raw()) };
        Self { raw: self.raw, type_: self.type_.clone() }
    }
}

impl Drop for ValueChan {
    fn drop(&mut self) {
        // SAFETY: It gives up its own reference, before the type's.
        unsafe { ffi::brolga_chan_release(self.as_raw()) }
    }
}

impl fmt::Debug for ValueChan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueChan").field("type", &self.type_).finish_non_exhaustive()
    }
}
