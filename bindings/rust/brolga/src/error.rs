//! Errors: one variant for each result code of the library, with what is known
//! besides.

use crate::code::Report;
use crate::task::Failure;
use crate::types::{CopyError, TypeError};
use brolga_sys as ffi;
use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt;

/// What most calls return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done. [`Display`](fmt::Display) says it in the
/// library's words.
///
/// ```
/// let error = brolga::Error::Timeout;
/// assert_eq!(error.to_string(), "the deadline has passed");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Out of memory.
    NoMemory,
    /// An argument is not valid: a text with a NUL in it, say.
    Invalid,
    /// It could only be done later, and the call does not wait.
    WouldWait,
    /// The deadline has passed.
    Timeout,
    /// The channel is closed; [`Chan::reason`](crate::Chan::reason) says why.
    Closed,
    /// The task, or the scope that it is in, has been canceled.
    Canceled,
    /// The task that was waited for has failed.
    Failed(Box<Failure>),
    /// There is nothing of that name.
    NotFound,
    /// It is defined already.
    Exists,
    /// It is in use.
    Busy,
    /// A limit is reached.
    Limit,
    /// A transaction was refused, and nothing has changed.
    Refused(Box<Report>),
    /// A text is no valid type.
    Type(Box<TypeError>),
    /// A value, or a part of it, cannot cross to another task.
    Unsendable(Box<CopyError>),
    /// Input or output failed.
    Io,
    /// It cannot be done here.
    NotSupported,
    /// A file does not build; the report has the first error.
    Build(Box<Report>),
    /// It is not allowed in this state: outside of tasks, say.
    State,
    /// No task could run again: see [`Runtime::deadlock_text`](crate::Runtime::deadlock_text).
    Deadlock,
    /// A code that this crate does not know.
    Unknown(i32),
}

impl Error {
    /// The number of the library's that belongs to it.
    pub fn code(&self) -> i32 {
        match self {
            Self::NoMemory => ffi::BROLGA_ENOMEM,
            Self::Invalid => ffi::BROLGA_EINVAL,
            Self::WouldWait => ffi::BROLGA_EAGAIN,
            Self::Timeout => ffi::BROLGA_ETIMEOUT,
            Self::Closed => ffi::BROLGA_ECLOSED,
            Self::Canceled => ffi::BROLGA_ECANCELED,
            Self::Failed(_) => ffi::BROLGA_EFAILED,
            Self::NotFound => ffi::BROLGA_ENOENT,
            Self::Exists => ffi::BROLGA_EEXIST,
            Self::Busy => ffi::BROLGA_EBUSY,
            Self::Limit => ffi::BROLGA_ELIMIT,
            Self::Refused(_) => ffi::BROLGA_EREFUSED,
            Self::Type(_) => ffi::BROLGA_ETYPE,
            Self::Unsendable(_) => ffi::BROLGA_EUNSENDABLE,
            Self::Io => ffi::BROLGA_EIO,
            Self::NotSupported => ffi::BROLGA_ENOTSUP,
            Self::Build(_) => ffi::BROLGA_EBUILD,
            Self::State => ffi::BROLGA_ESTATE,
            Self::Deadlock => ffi::BROLGA_EDEADLOCK,
            Self::Unknown(code) => *code,
        }
    }

    /// The error of a code of which nothing else is known. Codes that come with
    /// details are made where these are.
    pub(crate) fn plain(code: c_int) -> Self {
        match code {
            ffi::BROLGA_ENOMEM => Self::NoMemory,
            ffi::BROLGA_EINVAL => Self::Invalid,
            ffi::BROLGA_EAGAIN => Self::WouldWait,
            ffi::BROLGA_ETIMEOUT => Self::Timeout,
            ffi::BROLGA_ECLOSED => Self::Closed,
            ffi::BROLGA_ECANCELED => Self::Canceled,
            ffi::BROLGA_ENOENT => Self::NotFound,
            ffi::BROLGA_EEXIST => Self::Exists,
            ffi::BROLGA_EBUSY => Self::Busy,
            ffi::BROLGA_ELIMIT => Self::Limit,
            ffi::BROLGA_EIO => Self::Io,
            ffi::BROLGA_ENOTSUP => Self::NotSupported,
            ffi::BROLGA_ESTATE => Self::State,
            ffi::BROLGA_EDEADLOCK => Self::Deadlock,
            _ => Self::Unknown(code),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Failed(failure) => failure.to_string(),
            Self::Refused(report) | Self::Build(report) => report.text.clone(),
            Self::Type(error) => error.to_string(),
            Self::Unsendable(error) => error.to_string(),
            Self::Unknown(code) => code.to_string(),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: Static text of the library.
        let text = unsafe { static_text(ffi::brolga_strerror(self.code())) };
        let detail = self.detail();

        if detail.is_empty() { f.write_str(text) } else { write!(f, "{text}: {detail}") }
    }
}

impl std::error::Error for Error {}

/// The value that could not be sent, and why.
#[derive(Clone, PartialEq, Eq)]
pub struct SendError<T> {
    /// What would have been sent.
    pub value: T,
    /// Why it was not.
    pub error: Error,
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> std::error::Error for SendError<T> {}

impl<T> From<SendError<T>> for Error {
    fn from(error: SendError<T>) -> Self {
        error.error
    }
}

// --- between the library's conventions and Rust's ------------------------------

/// A result code that comes without details.
pub(crate) fn check(code: c_int) -> Result<()> {
    if code == ffi::BROLGA_OK { Ok(()) } else { Err(Error::plain(code)) }
}

pub(crate) fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::Invalid)
}

/// The text in an array of characters, up to its NUL.
pub(crate) fn array_text(array: &[c_char]) -> String {
    let bytes: Vec<u8> = array.iter().take_while(|&&c| c != 0).map(|&c| c as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text that may be missing.
///
/// # Safety
///
/// `text` is null, or ends with a NUL.
pub(crate) unsafe fn text_or_none(text: *const c_char) -> Option<String> {
    // SAFETY: As said.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// A word of the library's own.
///
/// # Safety
///
/// `text` is static.
pub(crate) unsafe fn static_text(text: *const c_char) -> &'static str {
    // SAFETY: As said; the library's texts are ASCII.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}
