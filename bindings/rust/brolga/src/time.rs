//! Deadlines: absolute times of the monotonic clock.

use brolga_sys as ffi;
use std::time::Duration;

/// Until when a call waits. A [`Duration`] stands for that long from now.
///
/// ```
/// use brolga::Deadline;
/// use std::time::Duration;
///
/// let soon = Deadline::from(Duration::from_millis(5));
/// assert!(Deadline::NOW < soon && soon < Deadline::NEVER);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(pub(crate) u64);

impl Deadline {
    /// It has always passed: the call does not wait.
    pub const NOW: Self = Self(ffi::BROLGA_NOW);
    /// It never comes.
    pub const NEVER: Self = Self(ffi::BROLGA_FOREVER);

    /// The time that lies so far from now.
    pub fn after(delay: Duration) -> Self {
        let ns = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: Reads the clock.
        Self(unsafe { ffi::brolga_after_ns(ns) })
    }

    /// How long it is until then; zero if it has passed.
    pub fn left(self) -> Duration {
        // SAFETY: Reads the clock.
        Duration::from_nanos(self.0.saturating_sub(unsafe { ffi::brolga_now_ns() }))
    }
}

impl From<Duration> for Deadline {
    fn from(delay: Duration) -> Self {
        Self::after(delay)
    }
}
