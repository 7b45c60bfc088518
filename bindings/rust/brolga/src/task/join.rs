//! What a task and its handle share, and how one waits for the other.

use crate::error::{Error, Result, array_text};
use crate::{Deadline, Runtime};
use brolga_sys as ffi;
use std::any::Any;
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a task and its handle share. The task takes `work` and sets `result`; whoever
/// has joined it takes that.
pub(super) struct Packet<'a, T> {
    work: UnsafeCell<Option<Box<dyn FnOnce() -> T + Send + 'a>>>,
    result: UnsafeCell<Option<T>>,
}

// SAFETY: Each cell is used by one side at a time: the task's end comes before its
// join.
unsafe impl<T: Send> Send for Packet<'_, T> {}
// SAFETY: The same.
unsafe impl<T: Send> Sync for Packet<'_, T> {}

impl<'a, T> Packet<'a, T> {
    pub(super) fn new(f: impl FnOnce() -> T + Send + 'a) -> Arc<Self> {
        Arc::new(Self { work: UnsafeCell::new(Some(Box::new(f))), result: UnsafeCell::new(None) })
    }

    /// What a task is to call: the task's reference is the argument.
    pub(super) fn to_run(this: &Arc<Self>) -> (Run, *mut c_void) {
        (run::<T>, Arc::into_raw(Arc::clone(this)).cast_mut().cast())
    }

    /// The task's reference is gone, because nothing has been called.
    ///
    /// # Safety
    ///
    /// There is one, and nobody will take it.
    pub(super) unsafe fn not_run(this: &Arc<Self>) {
        // SAFETY: As said.
        unsafe { Arc::decrement_strong_count(Arc::as_ptr(this)) };
    }
}

type Run = unsafe extern "C" fn(*mut c_void) -> ffi::brolga_word;

/// What a panic says, for the library: with a NUL at its end.
type Message = [u8; 240];

/// Nothing is left to be dropped in this frame when it panics: the library leaves it
/// without unwinding.
unsafe extern "C" fn run<T>(arg: *mut c_void) -> ffi::brolga_word {
    let mut message: Message = [0; 240];

    // SAFETY: `arg` is the task's reference.
    if unsafe { call::<T>(arg, &mut message) } {
        return 0;
    }
    // SAFETY: The caller is a task, and the text ends with a NUL.
    unsafe { ffi::brolga_panic(c"%s".as_ptr(), message.as_ptr()) }
}

/// Whether the task has not panicked.
///
/// # Safety
///
/// `arg` is one reference to a packet, which is gone then.
#[inline(never)]
unsafe fn call<T>(arg: *mut c_void, message: &mut Message) -> bool {
    // SAFETY: As said.
    let packet = unsafe { Arc::from_raw(arg.cast_const().cast::<Packet<'_, T>>()) };
    // SAFETY: This is the task's side, and nobody has begun it before.
    let work = unsafe { (*packet.work.get()).take() };
    let Some(work) = work else { return true };

    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => {
            // SAFETY: The same.
            unsafe { *packet.result.get() = Some(result) };
            true
        }
        Err(payload) => {
            write_message(message, &*payload);
            // What was thrown may panic once more when it goes.
            crate::guard(|| drop(payload));
            false
        }
    }
}

fn write_message(message: &mut Message, payload: &(dyn Any + Send)) {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or(payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic");
    let mut bytes = text.len().min(message.len() - 1);

    while !text.is_char_boundary(bytes) {
        bytes -= 1;
    }
    for (to, &from) in message.iter_mut().zip(&text.as_bytes()[..bytes]) {
        *to = if from == 0 { b' ' } else { from };
    }
}

// --- who waits -----------------------------------------------------------------

/// How a task failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// Its number.
    pub task: u64,
    /// Its name, or nothing.
    pub name: String,
    /// What the panic said, or which trap it was.
    pub message: String,
    /// What made it fail.
    pub kind: FailureKind,
    /// The instruction that trapped, or 0.
    pub address: usize,
    /// The function that it is in, if that is known.
    pub function: String,
}

/// What made a task fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// It has panicked.
    Panic,
    /// A trap in compiled code.
    Trap,
    /// Its stack was too small, in compiled code.
    StackOverflow,
    /// It could not be started: there was no memory for its stack.
    NoStack,
}

impl Failure {
    pub(crate) fn from_raw(raw: &ffi::brolga_failure) -> Self {
        Self {
            task: raw.task,
            name: array_text(&raw.name),
            message: array_text(&raw.message),
            kind: match raw.kind {
                ffi::BROLGA_FAILURE_TRAP => FailureKind::Trap,
                ffi::BROLGA_FAILURE_STACK_OVERFLOW => FailureKind::StackOverflow,
                ffi::BROLGA_FAILURE_NO_STACK => FailureKind::NoStack,
                _ => FailureKind::Panic,
            },
            address: raw.address,
            function: array_text(&raw.function),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            write!(f, "task {}: {}", self.task, self.message)
        } else {
            write!(f, "{}: {}", self.name, self.message)
        }
    }
}

/// A handle of the library's. It ends with a join or a detach.
#[derive(Debug)]
struct Handle(*mut ffi::brolga_task);

// SAFETY: Handles may be used by any thread.
unsafe impl Send for Handle {}
// SAFETY: What takes a shared one may be called by several at once.
unsafe impl Sync for Handle {}

/// Where a result comes from.
enum Source<'a, T> {
    Packet(Arc<Packet<'a, T>>),
    /// The task's word, which is compiled code's result.
    Word,
}

/// What both kinds of handles are made of.
pub(crate) struct Joining<'a, T> {
    task: Handle,
    result: Source<'a, T>,
    /// The handle is valid for as long as the runtime.
    rt: Runtime,
}

impl<'a, T> Joining<'a, T> {
    pub(super) fn of_packet(
        task: *mut ffi::brolga_task,
        packet: Arc<Packet<'a, T>>,
        rt: &Runtime,
    ) -> Self {
        Self { task: Handle(task), result: Source::Packet(packet), rt: rt.clone() }
    }

    /// Ends the handle, or gives it back.
    fn join_by(self, deadline: Deadline) -> Result<T, JoinError<Self>> {
        let mut word = 0;
        let mut failure = ffi::brolga_failure::default();
        // SAFETY: The handle is valid, and the only one.
        let code = unsafe { ffi::brolga_join(self.task.0, deadline.0, &mut word, &mut failure) };

        match code {
            ffi::BROLGA_OK => Ok(self.take(word)),
            ffi::BROLGA_EFAILED => {
                let failure = Box::new(Failure::from_raw(&failure));
                self.forget_failed(failure.kind);
                Err(JoinError::Failed(failure))
            }
            code => Err(JoinError::Waiting(self, Error::plain(code))),
        }
    }

    /// The result of a task that has been joined, which ends the handle.
    fn take(self, word: ffi::brolga_word) -> T {
        match self.into_result() {
            // SAFETY: The task has ended, and was the other side.
            Source::Packet(packet) => unsafe { (*packet.result.get()).take() }
                .expect("a task that has not failed has a result"),
            // SAFETY: T is i64: see of_code().
            Source::Word => unsafe { std::mem::transmute_copy::<i64, T>(&word) },
        }
    }

    fn forget_failed(self, kind: FailureKind) {
        if let (Source::Packet(packet), FailureKind::NoStack) = (self.into_result(), kind) {
            // SAFETY: It has not begun, so its reference is still there, and its work.
            unsafe { Packet::not_run(&packet) };
        }
    }

    /// Forgets the library's handle, which is gone.
    fn into_result(self) -> Source<'a, T> {
        let this = ManuallyDrop::new(self);
        // SAFETY: Each is read once, and `this` is never dropped.
        let (result, rt) = unsafe { (std::ptr::read(&this.result), std::ptr::read(&this.rt)) };
        drop(rt);
        result
    }

    fn id(&self) -> u64 {
        // SAFETY: The handle is valid.
        unsafe { ffi::brolga_task_id(self.task.0) }
    }

    fn cancel(&self) {
        // SAFETY: The handle is valid.
        unsafe { ffi::brolga_cancel(self.task.0) }
    }
}

impl<T> Drop for Joining<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The handle is valid: a join lets it be dropped only then.
        unsafe { ffi::brolga_detach(self.task.0) }
    }
}

/// The right to wait for a task and take its result. Without it, the task runs on.
pub struct JoinHandle<T>(Joining<'static, T>);

impl JoinHandle<i64> {
    /// Of a task whose function is compiled code.
    pub(super) fn of_code(task: *mut ffi::brolga_task, rt: &Runtime) -> Self {
        Self(Joining { task: Handle(task), result: Source::Word, rt: rt.clone() })
    }
}

impl<T> JoinHandle<T> {
    pub(super) fn of(joining: Joining<'static, T>) -> Self {
        Self(joining)
    }

    /// Wait for the task's end, and take its result.
    ///
    /// [`Error::Failed`] if it has failed. If the caller is told that it is canceled,
    /// the task is left to itself.
    ///
    /// ```
    /// let rt = brolga::Runtime::new()?;
    /// let task = rt.spawn(|| -> u32 { panic!("no luck") })?;
    /// match task.join() {
    ///     Err(brolga::Error::Failed(failure)) => assert_eq!(failure.message, "no luck"),
    ///     other => unreachable!("{other:?}"),
    /// }
    /// # Ok::<(), brolga::Error>(())
    /// ```
    pub fn join(self) -> Result<T> {
        self.0.join_by(Deadline::NEVER).map_err(JoinError::into_error)
    }

    /// The same until a deadline; the handle comes back if the task goes on.
    ///
    /// ```
    /// use brolga::{Chan, Deadline, Error, Runtime, task::JoinError};
    ///
    /// let rt = Runtime::new()?;
    /// let chan = Chan::<i32>::bounded(1)?;
    /// let reader = rt.spawn({
    ///     let chan = chan.clone();
    ///     move || chan.recv()
    /// })?;
    /// let Err(JoinError::Waiting(reader, Error::Timeout)) = reader.join_by(Deadline::NOW) else {
    ///     panic!("there was nothing to read");
    /// };
    /// chan.try_send(1)?;
    /// assert_eq!(reader.join()?, Ok(1));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn join_by(self, deadline: impl Into<Deadline>) -> Result<T, JoinError<Self>> {
        self.0.join_by(deadline.into()).map_err(|error| error.map(Self))
    }

    /// The task's number, as reports show it.
    pub fn id(&self) -> u64 {
        self.0.id()
    }

    /// Ask the task to end: calls of its that wait return [`Error::Canceled`] from its
    /// next safepoint on.
    ///
    /// ```
    /// use brolga::{Error, Runtime, task};
    ///
    /// let rt = Runtime::new()?;
    /// let sleeper = rt.spawn(|| task::sleep(std::time::Duration::from_secs(3600)))?;
    /// sleeper.cancel();
    /// assert_eq!(sleeper.join()?, Err(Error::Canceled));
    /// # Ok::<(), brolga::Error>(())
    /// ```
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// The same for a task of a [`Scope`](crate::Scope), which awaits it in any case.
pub struct ScopedJoinHandle<'scope, T>(pub(crate) Joining<'scope, T>);

impl<T> ScopedJoinHandle<'_, T> {
    /// As [`JoinHandle::join`].
    pub fn join(self) -> Result<T> {
        self.0.join_by(Deadline::NEVER).map_err(JoinError::into_error)
    }

    /// As [`JoinHandle::join_by`].
    pub fn join_by(self, deadline: impl Into<Deadline>) -> Result<T, JoinError<Self>> {
        self.0.join_by(deadline.into()).map_err(|error| error.map(Self))
    }

    /// The task's number, as reports show it.
    pub fn id(&self) -> u64 {
        self.0.id()
    }

    /// As [`JoinHandle::cancel`].
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// Why there is no result (yet).
#[derive(Debug)]
pub enum JoinError<H> {
    /// The task has failed.
    Failed(Box<Failure>),
    /// It goes on: the deadline has passed, or the caller was canceled.
    Waiting(H, Error),
}

impl<H> JoinError<H> {
    fn map<I>(self, f: impl FnOnce(H) -> I) -> JoinError<I> {
        match self {
            Self::Failed(failure) => JoinError::Failed(failure),
            Self::Waiting(handle, error) => JoinError::Waiting(f(handle), error),
        }
    }

    fn into_error(self) -> Error {
        match self {
            Self::Failed(failure) => Error::Failed(failure),
            Self::Waiting(_, error) => error,
        }
    }
}
