//! Tasks: how they are started and awaited, and what they may do.
//!
//! # Two kinds of tasks
//!
//! [`Builder::spawn`] gives a task a thread of its own. That costs what a thread
//! costs, and any Rust code may run in it.
//!
//! [`Builder::spawn_fiber`] makes a light task, of which a process can have millions.
//! It is `unsafe` for one reason: when a light task waits, it may wake up on another
//! thread, and Rust takes it for granted that a function stays on its own.
//!
//! # Failures
//!
//! A panic in a task unwinds the task's stack, as in a thread, and then the task has
//! failed: whoever joins it gets [`Error::Failed`] with the
//! panic's message. No panic ever unwinds through frames of C.
//!
//! Compiled code that a task calls can fail as well: by a trap, or because it calls
//! `brolga_panic()`. Then no frame of the task is unwound. What its frames own is not
//! dropped, but stays for good; what they lend to the tasks of their scopes stays
//! until those have ended.

mod join;

pub(crate) use join::Joining;
pub use join::{Failure, FailureKind, JoinError, JoinHandle, ScopedJoinHandle};

use crate::error::{Error, Result, c_string, check};
use crate::{Deadline, Runtime};
use brolga_sys as ffi;
use join::Packet;
use std::ffi::{CString, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What std gives its threads, too.
const STACK_BYTES: usize = 2 << 20;

/// How a task is started.
///
/// ```
/// use brolga::{Runtime, task};
///
/// let rt = Runtime::new()?;
/// let task = task::Builder::new().name("counter").spawn(&rt, || (1..=10).sum::<u32>())?;
/// assert_eq!(task.join()?, 55);
/// # Ok::<(), brolga::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Builder {
    name: Option<String>,
    stack_bytes: Option<usize>,
    adopt_at_top: bool,
}

impl Builder {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What reports call it; at most 31 bytes of it are kept.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Of its stack; 2 MiB if it is not said. Memory is used as it is touched.
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.stack_bytes = Some(bytes);
        self
    }

    /// Stay in one version of the code between two top safepoints.
    pub fn adopt_at_top(mut self, on: bool) -> Self {
        self.adopt_at_top = on;
        self
    }

    /// Start a task on a thread of its own, in the runtime's root scope.
    pub fn spawn<F, T>(&self, rt: &Runtime, f: F) -> Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: The root scope lives as long as the runtime. On a thread of its own,
        // and 'static, the task may be anything.
        unsafe { self.start(rt, ffi::brolga_scope_root(rt.as_raw()), true, f) }.map(JoinHandle::of)
    }

    /// Start a light task, which shares threads with others.
    ///
    /// # Safety
    ///
    /// Between its start and its end the task uses no thread-local variable on both
    /// sides of a call that waits or is a safepoint: neither a reference to one, nor
    /// one anew in the same function, since compilers keep their addresses. Nor does
    /// it keep across such a call what must not leave its thread and is known to
    /// others there: a clone of an `Rc` that a thread-local variable has as well,
    /// a guard of a lock that has to be unlocked by the thread that locked it. And no
    /// destructor waits while a panic unwinds the task: threads count their panics.
    pub unsafe fn spawn_fiber<F, T>(&self, rt: &Runtime, f: F) -> Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: As said.
        unsafe { self.start(rt, ffi::brolga_scope_root(rt.as_raw()), false, f) }.map(JoinHandle::of)
    }

    /// # Safety
    ///
    /// What `f` and its result borrow stays until the task has ended; for light tasks
    /// as [`Builder::spawn_fiber`]. `scope` has not been joined.
    pub(crate) unsafe fn start<'a, F, T>(
        &self,
        rt: &Runtime,
        scope: *mut ffi::brolga_scope,
        thread: bool,
        f: F,
    ) -> Result<Joining<'a, T>>
    where
        F: FnOnce() -> T + Send + 'a,
        T: Send + 'a,
    {
        let name = self.name.as_deref().map(c_string).transpose()?;
        let packet = Packet::new(f);
        let mut task = std::ptr::null_mut();
        let opts = self.opts(name.as_ref(), thread, scope);
        // SAFETY: `run` takes the reference that it is given, once.
        let code = unsafe {
            let (run, arg) = Packet::to_run(&packet);
            ffi::brolga_spawn(rt.as_raw(), Some(run), arg, &opts, &mut task)
        };
        if code != ffi::BROLGA_OK {
            // SAFETY: Nobody else will take it.
            unsafe { Packet::not_run(&packet) };
        }
        check(code)?;
        Ok(Joining::of_packet(task, packet, rt))
    }

    fn opts(
        &self,
        name: Option<&CString>,
        thread: bool,
        scope: *mut ffi::brolga_scope,
    ) -> ffi::brolga_spawn_opts {
        ffi::brolga_spawn_opts {
            name: name.map_or(std::ptr::null(), |name| name.as_ptr()),
            stack_bytes: self.stack_bytes.unwrap_or(STACK_BYTES),
            thread,
            adopt_at_top: self.adopt_at_top,
            scope,
            // No heap of its own: Rust frees what it has when a task unwinds.
            ..Default::default()
        }
    }
}

type Spawn = unsafe extern "C" fn(
    *mut ffi::brolga,
    ffi::brolga_slot,
    *mut c_void,
    *const ffi::brolga_spawn_opts,
    *mut *mut ffi::brolga_task,
) -> c_int;

/// Start a task whose function is compiled code.
///
/// # Safety
///
/// As [`Runtime::spawn_slot`].
pub(crate) unsafe fn spawn_code(
    rt: &Runtime,
    spawn: Spawn,
    slot: crate::Slot,
    arg: *mut c_void,
) -> Result<JoinHandle<i64>> {
    let mut task = std::ptr::null_mut();
    let opts = ffi::brolga_spawn_opts {
        // SAFETY: Any thread may.
        scope: unsafe { ffi::brolga_scope_root(rt.as_raw()) },
        ..Default::default()
    };

    // SAFETY: As said.
    check(unsafe { spawn(rt.as_raw(), slot.number(), arg, &opts, &mut task) })?;
    Ok(JoinHandle::of_code(task, rt))
}

// --- inside a task -------------------------------------------------------------

/// Whether the caller is a task.
pub fn is_task() -> bool {
    // SAFETY: Asks who the calling thread is.
    !unsafe { ffi::brolga_self() }.is_null()
}

/// The number of the calling task; 0 outside of tasks.
pub fn id() -> u64 {
    // SAFETY: A task's own handle is valid, and NULL is allowed.
    unsafe { ffi::brolga_task_id(ffi::brolga_self()) }
}

/// Whether the calling task has been canceled, or its deadline has passed.
pub fn canceled() -> bool {
    // SAFETY: Outside of tasks it is false.
    unsafe { ffi::brolga_canceled() }
}

/// Adopt new code if there is some, and let others run if the time is up. Nothing
/// outside of tasks.
#[inline]
pub fn safepoint() {
    if is_task() {
        // SAFETY: The caller is a task.
        unsafe { ffi::brolga_safepoint() }
    }
}

/// Let other tasks run. Nothing outside of tasks.
pub fn yield_now() {
    if is_task() {
        // SAFETY: The caller is a task.
        unsafe { ffi::brolga_yield() }
    }
}

/// Sleep until a deadline, or for a time. A safepoint.
pub fn sleep(until: impl Into<Deadline>) -> Result<()> {
    if !is_task() {
        return Err(Error::State);
    }
    // SAFETY: The caller is a task.
    check(unsafe { ffi::brolga_sleep_until(until.into().0) })
}

/// The deadline by which the calling task is canceled.
pub fn deadline() -> Deadline {
    // SAFETY: Outside of tasks there is none.
    Deadline(unsafe { ffi::brolga_deadline_ns() })
}

/// Call something that may block the thread: another one takes over the other tasks
/// meanwhile. A safepoint before and after. Outside of tasks it is just called.
///
/// # Safety
///
/// `f` calls no function of this crate or of the library, nor compiled code that
/// calls through the view.
pub unsafe fn blocking<R>(f: impl FnOnce() -> R) -> R {
    if !is_task() {
        return f();
    }
    // SAFETY: The caller is a task, and they do not nest.
    unsafe { ffi::brolga_block_begin() };
    let result = catch_unwind(AssertUnwindSafe(f));
    // SAFETY: It was begun above.
    unsafe { ffi::brolga_block_end() };
    result.unwrap_or_else(|payload| resume_unwind(payload))
}
