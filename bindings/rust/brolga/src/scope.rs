//! Scopes: tasks that are started together, and end before their starter goes on.

use crate::error::{Error, Result, check};
use crate::task::{Builder, Failure, ScopedJoinHandle};
use crate::{Deadline, Runtime};
use brolga_sys as ffi;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What the end of a task means for the others in its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// The first failure cancels the others.
    #[default]
    All,
    /// The first success cancels the others.
    Any,
    /// Nothing.
    Collect,
}

/// How a scope is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    policy: Policy,
    deadline: Option<Deadline>,
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the end of a task means for the others.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// When the scope is canceled, if it has not ended.
    pub fn deadline(mut self, deadline: impl Into<Deadline>) -> Self {
        self.deadline = Some(deadline.into());
        self
    }

    /// Open a scope, call `f` with it, and wait until all of its tasks have ended.
    ///
    /// [`Error::State`]: the caller is no task; see [`Runtime::run`].
    pub fn run<'env, F, R>(self, f: F) -> Result<Scoped<R>>
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
    {
        let opts = ffi::brolga_scope_opts {
            policy: match self.policy {
                Policy::All => ffi::BROLGA_SCOPE_ALL,
                Policy::Any => ffi::BROLGA_SCOPE_ANY,
                Policy::Collect => ffi::BROLGA_SCOPE_COLLECT,
            },
            // 0 stands for none.
            deadline_ns: self.deadline.map_or(0, |deadline| deadline.0.max(1)),
            failures_max: 0,
        };
        let mut raw = std::ptr::null_mut();
        let rt = Runtime::current().ok_or(Error::State)?;

        // SAFETY: It is joined below, whatever happens, by the same task.
        check(unsafe { ffi::brolga_scope_open(&opts, &mut raw) })?;
        let scope = Scope { raw, rt, scope: PhantomData, env: PhantomData };
        let value = catch_unwind(AssertUnwindSafe(|| f(&scope)));
        if value.is_err() {
            // SAFETY: It has not been joined.
            unsafe { ffi::brolga_scope_cancel(raw) };
        }
        let (outcome, report) = join(raw);
        match value {
            Ok(value) => Ok(Scoped { value, outcome, report }),
            Err(payload) => resume_unwind(payload),
        }
    }
}

/// Waits for all tasks of a scope. What they borrow is good until then only, so there
/// is no way back without it.
fn join(raw: *mut ffi::brolga_scope) -> (Result<()>, Report) {
    let mut report = ffi::brolga_scope_report::default();
    // SAFETY: The caller has opened it.
    let code = unsafe { ffi::brolga_scope_join(raw, &mut report) };

    if code == ffi::BROLGA_ESTATE {
        eprintln!("brolga: a scope was opened by other means, and not joined");
        std::process::abort();
    }
    let first = (report.failed > 0).then(|| Failure::from_raw(&report.first));
    let outcome = match (code, &first) {
        (ffi::BROLGA_EFAILED, Some(first)) => Err(Error::Failed(Box::new(first.clone()))),
        (code, _) => check(code),
    };
    let report = Report {
        scope: report.scope,
        tasks: report.tasks,
        ended: report.ended,
        failed: report.failed,
        canceled: report.canceled,
        winner: (report.winner != 0).then_some(report.winner),
        first,
    };
    (outcome, report)
}

/// What became of a scope.
#[derive(Debug)]
#[non_exhaustive]
pub struct Scoped<R> {
    /// What the function has returned.
    pub value: R,
    /// Whether all went well: [`Error::Failed`] with the first failure,
    /// [`Error::Canceled`], [`Error::Timeout`], [`Error::Deadlock`].
    pub outcome: Result<()>,
    /// How many tasks ended how.
    pub report: Report,
}

impl<R> Scoped<R> {
    /// The value, if all went well.
    pub fn into_result(self) -> Result<R> {
        self.outcome.map(|()| self.value)
    }
}

/// How many tasks of a scope ended how.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The scope's number.
    pub scope: u64,
    /// Spawned into it: the sum of the next three.
    pub tasks: u64,
    /// Normally.
    pub ended: u64,
    /// By a failure.
    pub failed: u64,
    /// Normally, after they had been told that they are canceled.
    pub canceled: u64,
    /// With [`Policy::Any`]: the first task to end normally.
    pub winner: Option<u64>,
    /// The first failure.
    pub first: Option<Failure>,
}

/// A scope that is open: what its tasks are spawned into. They may borrow what lives
/// longer than the call of [`scope`].
#[derive(Debug)]
pub struct Scope<'scope, 'env: 'scope> {
    raw: *mut ffi::brolga_scope,
    rt: Runtime,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

// SAFETY: A scope that has not been joined may be used by any thread; `run` joins it
// only when no reference is left.
unsafe impl Sync for Scope<'_, '_> {}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// Start a task on a thread of its own.
    pub fn spawn<F, T>(&'scope self, f: F) -> Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_with(&Builder::new(), f)
    }

    /// The same, with a name or a stack of another size.
    pub fn spawn_with<F, T>(
        &'scope self,
        builder: &Builder,
        f: F,
    ) -> Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        // SAFETY: The scope is joined before 'scope ends.
        unsafe { builder.start(&self.rt, self.raw, true, f) }.map(ScopedJoinHandle)
    }

    /// Start a light task.
    ///
    /// # Safety
    ///
    /// As [`Builder::spawn_fiber`].
    pub unsafe fn spawn_fiber<F, T>(&'scope self, f: F) -> Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        // SAFETY: The scope is joined before 'scope ends; else as said.
        unsafe { Builder::new().start(&self.rt, self.raw, false, f) }.map(ScopedJoinHandle)
    }

    /// Cancel all tasks of the scope, and its opener until it has been joined.
    pub fn cancel(&self) {
        // SAFETY: It is joined only when no reference is left.
        unsafe { ffi::brolga_scope_cancel(self.raw) }
    }

    /// Its number, as reports show it.
    pub fn id(&self) -> u64 {
        // SAFETY: The same.
        unsafe { ffi::brolga_scope_id(self.raw) }
    }
}

/// Open a scope, call `f` with it, and wait until all of its tasks have ended. If one
/// fails, the others are canceled, and the result is its failure; [`Options`] has
/// other ways.
///
/// ```
/// let rt = brolga::Runtime::new()?;
/// let words = ["to", "be", "or", "not"];
/// let letters = rt.run("main", || {
///     brolga::scope(|s| {
///         let halves = [&words[..2], &words[2..]];
///         let tasks = halves.map(|half| s.spawn(move || half.concat().len()));
///         tasks.into_iter().map(|task| task?.join()).sum::<Result<usize, _>>()
///     })
/// })???;
/// assert_eq!(letters, 9);
/// # Ok::<(), brolga::Error>(())
/// ```
pub fn scope<'env, F, R>(f: F) -> Result<R>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
{
    Options::new().run(f)?.into_result()
}
