//! The runtime: workers, a table of functions, and one reclaimer.

use crate::code::{Got, Slot};
use crate::error::{Error, Result, c_string, check};
use crate::look::{Event, Events, Holder, TaskInfo, tell, visit_holder, visit_task};
use crate::task::{self, JoinHandle};
use brolga_sys as ffi;
use std::any::Any;
use std::ffi::c_void;
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// A runtime. Clones are the same one; it ends with the last of them.
///
/// The last clone waits for nobody: if tasks that were detached still run then, or
/// if it goes in a task or a call of the runtime's, the runtime stays for as long as the
/// process.
/// [`shutdown`](Self::shutdown) tells.
///
/// ```
/// let rt = brolga::Runtime::new()?;
/// let task = rt.spawn(|| 6 * 7)?;
/// assert_eq!(task.join()?, 42);
/// rt.shutdown().map_err(|(_, error)| error)?;
/// # Ok::<(), brolga::Error>(())
/// ```
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

pub(crate) struct Inner {
    raw: NonNull<ffi::brolga>,
    /// What `on_event` points to; it goes after the runtime, or never.
    events: ManuallyDrop<Option<Box<Events>>>,
    /// What units of code need; it goes after the runtime, or never, the last first.
    kept: Mutex<Vec<ManuallyDrop<Box<dyn Any + Send + Sync>>>>,
}

// SAFETY: A runtime may be used by any thread.
unsafe impl Send for Inner {}
// SAFETY: The same.
unsafe impl Sync for Inner {}
// A panic leaves nothing of the library's half done.
impl UnwindSafe for Inner {}
impl RefUnwindSafe for Inner {}

/// All runtimes of the process, by address: a task knows that of its own.
static RUNTIMES: Mutex<Vec<(usize, Weak<Inner>)>> = Mutex::new(Vec::new());

impl Inner {
    /// Ends the runtime if nobody uses it any more.
    fn destroy(&mut self) -> Result<()> {
        // SAFETY: Asks who the calling thread is.
        if crate::is_called_back() || !unsafe { ffi::brolga_self() }.is_null() {
            return Err(Error::State);
        }
        // SAFETY: The caller has the last reference, so nobody holds a handle; tasks
        // are looked for by the library.
        check(unsafe { ffi::brolga_destroy(self.raw.as_ptr()) })?;
        // SAFETY: No thread of the runtime is left to call it.
        unsafe { ManuallyDrop::drop(&mut self.events) };
        let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        while let Some(kept) = kept.pop() {
            drop(ManuallyDrop::into_inner(kept));
        }
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut all = RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(address, _)| *address != self.raw.as_ptr() as usize);
        drop(all);
        let _ = self.destroy();
    }
}

impl Runtime {
    /// A runtime with a worker for each processor.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// A runtime with options.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The runtime of the calling task; none outside of tasks.
    pub fn current() -> Option<Self> {
        // SAFETY: Asks who the calling thread is.
        let raw = unsafe { ffi::brolga_runtime() };
        let all = RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, inner) = all.iter().find(|(address, _)| *address == raw as usize)?;

        inner.upgrade().map(Self)
    }

    /// The library's handle, for calls of [`brolga_sys`]. It lives as long as this.
    pub fn as_raw(&self) -> *mut ffi::brolga {
        self.0.raw.as_ptr()
    }

    /// Keep something until the runtime has ended, and its units are gone.
    pub(crate) fn keep(&self, kept: impl Any + Send + Sync) {
        let mut all = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(ManuallyDrop::new(Box::new(kept)));
    }

    /// End the runtime, and say so if that is not possible: [`Error::Busy`] while
    /// tasks or other clones of it live, [`Error::State`] in a task.
    pub fn shutdown(self) -> Result<(), (Self, Error)> {
        // SAFETY: Asks who the calling thread is, and how many tasks there are.
        let (inside, live) =
            unsafe { (!ffi::brolga_self().is_null(), ffi::brolga_tasks_live(self.as_raw())) };

        if inside {
            return Err((self, Error::State));
        }
        if live > 0 {
            return Err((self, Error::Busy));
        }
        match Arc::try_unwrap(self.0) {
            Ok(inner) => {
                drop(inner);
                Ok(())
            }
            Err(inner) => Err((Self(inner), Error::Busy)),
        }
    }

    /// Start a task on a thread of its own: [`task::Builder::spawn`] with its
    /// defaults.
    pub fn spawn<F, T>(&self, f: F) -> Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        task::Builder::new().spawn(self, f)
    }

    /// Start a light task, which shares threads with others.
    ///
    /// ```
    /// let rt = brolga::Runtime::new()?;
    /// // SAFETY: It uses no thread-local variable.
    /// let tasks: Vec<_> = (0..1000).map(|n| unsafe { rt.spawn_fiber(move || n * 2) }).collect();
    /// let sum: i32 = tasks.into_iter().map(|task| task?.join()).sum::<Result<_, _>>()?;
    /// assert_eq!(sum, 999_000);
    /// # Ok::<(), brolga::Error>(())
    /// ```
    ///
    /// # Safety
    ///
    /// As [`task::Builder::spawn_fiber`].
    pub unsafe fn spawn_fiber<F, T>(&self, f: F) -> Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: As said.
        unsafe { task::Builder::new().spawn_fiber(self, f) }
    }

    /// Call a function with the calling thread as a task, so that it may send,
    /// receive and open scopes.
    ///
    /// ```
    /// let rt = brolga::Runtime::new()?;
    /// let chan = brolga::Chan::bounded(1)?;
    /// let received = rt.run("main", || {
    ///     chan.send(5)?;
    ///     chan.recv()
    /// })??;
    /// assert_eq!(received, 5);
    /// # Ok::<(), brolga::Error>(())
    /// ```
    ///
    /// [`Error::State`]: the thread is a task already.
    pub fn run<R>(&self, name: &str, f: impl FnOnce() -> R) -> Result<R> {
        let name = c_string(name)?;

        // SAFETY: What is attached here is detached below, on the same thread.
        check(unsafe { ffi::brolga_attach_thread(self.as_raw(), name.as_ptr()) })?;
        let result = catch_unwind(AssertUnwindSafe(f));
        // SAFETY: As said.
        unsafe { ffi::brolga_detach_thread() };
        result.map_err(|payload| resume_unwind(payload))
    }

    /// The table of functions.
    pub fn got(&self) -> Got {
        Got::of(self.clone())
    }

    /// How many tasks can run at once.
    pub fn workers(&self) -> u32 {
        // SAFETY: Any thread may.
        unsafe { ffi::brolga_workers(self.as_raw()) }
    }

    /// How many tasks have been spawned or attached and have not ended.
    pub fn tasks_live(&self) -> u32 {
        // SAFETY: Any thread may.
        unsafe { ffi::brolga_tasks_live(self.as_raw()) }
    }

    /// How many tasks have failed, ever.
    pub fn tasks_failed(&self) -> u64 {
        // SAFETY: Any thread may.
        unsafe { ffi::brolga_tasks_failed(self.as_raw()) }
    }

    /// What each task is doing.
    ///
    /// ```
    /// let rt = brolga::Runtime::new()?;
    /// let tasks = rt.run("main", || rt.tasks())?;
    /// assert_eq!((tasks.len(), tasks[0].name.as_str()), (1, "main"));
    /// # Ok::<(), brolga::Error>(())
    /// ```
    ///
    /// Empty in a call of the runtime's, such as [`Builder::on_event`]: it would wait for
    /// itself.
    pub fn tasks(&self) -> Vec<TaskInfo> {
        let mut all = Vec::new();

        if crate::is_called_back() {
            return all;
        }

        // SAFETY: The visitor is called before the call returns, and calls nothing of
        // Brolga's.
        unsafe {
            ffi::brolga_tasks_each(self.as_raw(), Some(visit_task), (&raw mut all).cast::<c_void>())
        };
        all
    }

    /// Who keeps old code, and why: as of the reclaimer's last look. Empty in a call of
    /// the runtime's.
    pub fn holders(&self) -> Vec<Holder> {
        let mut all = Vec::new();

        if crate::is_called_back() {
            return all;
        }

        // SAFETY: As in tasks().
        unsafe {
            ffi::brolga_holders(self.as_raw(), Some(visit_holder), (&raw mut all).cast::<c_void>())
        };
        all
    }

    /// What the last report of a deadlock said; empty if there was none.
    pub fn deadlock_text(&self) -> String {
        let mut text = vec![0; 64 << 10];
        // SAFETY: At most so many bytes are written.
        let bytes = unsafe {
            ffi::brolga_deadlock_text(self.as_raw(), text.as_mut_ptr().cast(), text.len())
        };
        text.truncate(bytes.min(text.len() - 1));
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Start a task that calls a slot, `brolga_word f(void *arg)`, in the version
    /// that is current when it starts.
    ///
    /// # Safety
    ///
    /// The slot's code, in every version, is a function of that type which may be
    /// called with `arg`, on any thread.
    pub unsafe fn spawn_slot(&self, slot: Slot, arg: *mut c_void) -> Result<JoinHandle<i64>> {
        let start = ffi::brolga_spawn_slot;
        // SAFETY: As said.
        unsafe { task::spawn_code(self, start, slot, arg) }
    }

    /// Start a task that calls a slot, `int f(void *arg)`, again and again, each time
    /// in the newest version, until it returns something other than
    /// [`BROLGA_OK`](ffi::BROLGA_OK).
    ///
    /// # Safety
    ///
    /// As [`spawn_slot`](Self::spawn_slot).
    pub unsafe fn spawn_loop(&self, slot: Slot, arg: *mut c_void) -> Result<JoinHandle<i64>> {
        // SAFETY: As said.
        unsafe { task::spawn_code(self, ffi::brolga_spawn_loop, slot, arg) }
    }

    /// One bounded step of the reclaimer, which has a thread of its own; for tests.
    /// Tells whether something still waits to be reclaimed.
    pub fn reclaim_step(&self) -> bool {
        // SAFETY: Any thread may, one at a time, which the library sees to.
        unsafe { ffi::brolga_reclaim_step(self.as_raw()) }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("tasks_live", &self.tasks_live()).finish_non_exhaustive()
    }
}

// --- options -------------------------------------------------------------------

/// What is done when no task can ever run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deadlocks {
    /// As `Fail`, but only while all threads of the process are known to wait.
    #[default]
    Auto,
    /// The innermost scopes fail. The host says that only tasks act on tasks.
    Fail,
    /// It is only reported.
    Report,
    /// Nobody looks.
    Off,
}

/// Options of a [`Runtime`]. What is not set is as in the C library.
#[derive(Default)]
pub struct Builder {
    opts: ffi::brolga_opts,
    events: Option<Box<Events>>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("opts", &self.opts).finish_non_exhaustive()
    }
}

impl Builder {
    /// How many threads run tasks; 0: one for each processor.
    pub fn workers(mut self, workers: u32) -> Self {
        self.opts.workers = workers.min(1 << 16);
        self
    }

    /// Of a task that [`Runtime::spawn_slot`] starts, and its like. Memory is used as
    /// it is touched.
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.opts.stack_bytes = bytes;
        self
    }

    /// Whether a task that traps in compiled code fails alone: then SIGSEGV, SIGBUS,
    /// SIGFPE and SIGILL are handled. It is on.
    pub fn traps(mut self, on: bool) -> Self {
        self.opts.no_traps = !on;
        self
    }

    /// What is done when no task can ever run again.
    pub fn deadlocks(mut self, what: Deadlocks) -> Self {
        self.opts.deadlocks = match what {
            Deadlocks::Auto => ffi::BROLGA_DEADLOCKS_AUTO,
            Deadlocks::Fail => ffi::BROLGA_DEADLOCKS_FAIL,
            Deadlocks::Report => ffi::BROLGA_DEADLOCKS_REPORT,
            Deadlocks::Off => ffi::BROLGA_DEADLOCKS_OFF,
        };
        self
    }

    /// Most slots at a time.
    pub fn slots_max(mut self, slots: u32) -> Self {
        self.opts.got.slots_max = slots;
        self
    }

    /// How many versions may live; commits beyond it are refused.
    pub fn versions_max(mut self, versions: u32) -> Self {
        self.opts.got.versions_max = versions;
        self
    }

    /// How many versions before the current one can be restored.
    pub fn history(mut self, versions: u32) -> Self {
        self.opts.got.history = versions;
        self
    }

    /// How long after it was canceled a task that still runs is named.
    pub fn cancel_grace(mut self, time: Duration) -> Self {
        self.opts.cancel_grace_ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self
    }

    /// Called by the reclaimer's thread: code was adopted or released, a task does
    /// not end, no task can run. It must not wait for tasks.
    pub fn on_event(mut self, f: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.events = Some(Box::new(Box::new(f)));
        self
    }

    /// Start the runtime.
    pub fn build(mut self) -> Result<Runtime> {
        let mut raw = std::ptr::null_mut();

        if let Some(events) = &mut self.events {
            self.opts.arg = (&raw mut **events).cast();
            self.opts.on_event = Some(tell);
        }
        // SAFETY: The options are copied; `events` stays until after the runtime.
        check(unsafe { ffi::brolga_create(&self.opts, &mut raw) })?;
        let raw = NonNull::new(raw).ok_or(Error::NoMemory)?;
        let inner =
            Arc::new(Inner { raw, events: ManuallyDrop::new(self.events), kept: Mutex::default() });
        RUNTIMES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((raw.as_ptr() as usize, Arc::downgrade(&inner)));
        Ok(Runtime(inner))
    }
}
