//! C files that are compiled, loaded and swapped while they run.

use crate::code::{Report, reported};
use crate::error::{Error, Result, c_string, check, static_text, text_or_none};
use crate::{Runtime, Slot};
use brolga_sys as ffi;
use std::ffi::{CString, OsStr, c_void};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Mutex;
use std::thread::ThreadId;
use std::time::Duration;

/// A session: files, their modules, and a thread that watches them.
///
/// The modules refer to the library's symbols. Where the library is linked statically,
/// the program must show them: `cargo::rustc-link-arg-bins=-rdynamic` in its build
/// script.
///
/// ```no_run
/// use brolga::{Runtime, Watcher};
///
/// let rt = Runtime::new()?;
/// let watcher = Watcher::builder()
///     .path("modules")
///     .on_event(|event| eprintln!("{event}"))
///     .create(&rt)?;
/// // SAFETY: The files are ours.
/// unsafe { watcher.load()? };
/// watcher.start()?;
/// // SAFETY: counter.c exports `int count(void *)`.
/// let counter = unsafe { rt.spawn_loop(watcher.find(Some("counter"), "count")?, std::ptr::null_mut())? };
/// counter.join()?;
/// # Ok::<(), brolga::Error>(())
/// ```
pub struct Watcher {
    raw: NonNull<ffi::brolga_reload>,
    /// What `on_event` points to; it goes after the session.
    told: Option<Box<Told>>,
    rt: Runtime,
}

// SAFETY: A session may be used by any thread.
unsafe impl Send for Watcher {}
// SAFETY: The same; load() and start() say so themselves if they are called twice.
unsafe impl Sync for Watcher {}

type Tell = Box<dyn Fn(&Event) + Send + Sync>;

struct Told {
    tell: Tell,
    /// The thread that is telling.
    telling: Mutex<Option<ThreadId>>,
}

/// Options of a [`Watcher`]. What is not set is as in the C library.
pub struct Builder {
    opts: ffi::brolga_reload_opts,
    paths: Vec<PathBuf>,
    cc: Option<String>,
    cflags: Option<String>,
    include_dir: Option<PathBuf>,
    tell: Option<Tell>,
}

/// Whether old builds of files are unloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// As each file says.
    #[default]
    AsDeclared,
    /// None is.
    KeepAll,
    /// All are, once it is proven that nothing runs in them.
    ReclaimAll,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl Builder {
    /// A file, or a directory whose `*.c` are all taken.
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// The compiler; `$CC`, or `cc`, if it is not said. It may have arguments.
    pub fn cc(mut self, command: impl Into<String>) -> Self {
        self.cc = Some(command.into());
        self
    }

    /// Added after the library's own; split at white space.
    pub fn cflags(mut self, flags: impl Into<String>) -> Self {
        self.cflags = Some(flags.into());
        self
    }

    /// The directory that holds `brolga/module.h`, if the compiler does not know.
    pub fn include_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.include_dir = Some(path.into());
        self
    }

    /// Whether old builds are unloaded.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.opts.policy = match policy {
            Policy::AsDeclared => ffi::BROLGA_RELOAD_AS_DECLARED,
            Policy::KeepAll => ffi::BROLGA_RELOAD_KEEP_ALL,
            Policy::ReclaimAll => ffi::BROLGA_RELOAD_RECLAIM_ALL,
        };
        self
    }

    /// How long there must be no save before a build.
    pub fn quiet(mut self, time: Duration) -> Self {
        self.opts.quiet_ms = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        self
    }

    /// Let functions change their signatures, or go, though others call them.
    pub fn allow_stale(mut self, on: bool) -> Self {
        self.opts.allow_stale = on;
        self
    }

    /// Called by the thread that runs [`Watcher::load`], later by the session's own.
    pub fn on_event(mut self, f: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.tell = Some(Box::new(f));
        self
    }

    /// Create the session. Nothing is built or watched yet.
    pub fn create(mut self, rt: &Runtime) -> Result<Watcher> {
        let paths = self.paths.iter().map(|path| c_path(path)).collect::<Result<Vec<_>>>()?;
        let raw_paths: Vec<_> = paths.iter().map(|path| path.as_ptr()).collect();
        let cc = self.cc.as_deref().map(c_string).transpose()?;
        let cflags = self.cflags.as_deref().map(c_string).transpose()?;
        let include_dir = self.include_dir.as_deref().map(c_path).transpose()?;
        let or_null =
            |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
        let told = self.tell.map(|tell| Box::new(Told { tell, telling: Mutex::new(None) }));
        let mut raw = std::ptr::null_mut();

        self.opts.paths = raw_paths.as_ptr();
        self.opts.paths_count = raw_paths.len();
        self.opts.cc = or_null(&cc);
        self.opts.cflags = or_null(&cflags);
        self.opts.include_dir = or_null(&include_dir);
        if let Some(told) = &told {
            self.opts.arg = (&raw const **told).cast_mut().cast();
            self.opts.on_event = Some(tell);
        }
        // SAFETY: All of the options is copied; `told` stays until after the session.
        check(unsafe { ffi::brolga_reload_create(rt.as_raw(), &self.opts, &mut raw) })?;
        Ok(Watcher { raw: NonNull::new(raw).ok_or(Error::NoMemory)?, told, rt: rt.clone() })
    }
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::Invalid)
}

impl Watcher {
    /// A session with options.
    pub fn builder() -> Builder {
        Builder {
            opts: ffi::brolga_reload_opts::default(),
            paths: Vec::new(),
            cc: None,
            cflags: None,
            include_dir: None,
            tell: None,
        }
    }

    /// Build, load and commit every file, once.
    ///
    /// [`Error::Build`] and [`Error::Refused`] have the first error; all are told as
    /// events, and the files that are in order run all the same. [`Error::State`]: the
    /// caller is a task, or the session has been started.
    ///
    /// # Safety
    ///
    /// The files may be compiled and loaded, now and whenever they are saved: that runs
    /// what they say.
    pub unsafe fn load(&self) -> Result<()> {
        if crate::task::is_task() {
            return Err(Error::State);
        }
        let mut report = ffi::brolga_report::default();
        // SAFETY: As said.
        let code = unsafe { ffi::brolga_reload_load(self.raw.as_ptr(), &mut report) };

        reported(code, &report).map(drop)
    }

    /// Start the session's thread: from here on, saves become running code.
    pub fn start(&self) -> Result<()> {
        // SAFETY: Any thread may.
        check(unsafe { ffi::brolga_reload_start(self.raw.as_ptr()) })
    }

    /// Stop it; [`Error::State`] in an event.
    pub fn stop(&self) -> Result<()> {
        if self.is_telling() {
            return Err(Error::State);
        }
        // SAFETY: Not from an event.
        unsafe { ffi::brolga_reload_stop(self.raw.as_ptr()) };
        Ok(())
    }

    /// Look at every file now, without waiting for an event.
    pub fn look(&self) {
        // SAFETY: Any thread may.
        unsafe { ffi::brolga_reload_look(self.raw.as_ptr()) }
    }

    /// Go back to an older version; 0: the one before the last reload.
    pub fn rollback(&self, version: u64) -> Result<Report> {
        if self.is_telling() {
            return Err(Error::State);
        }
        let mut report = ffi::brolga_report::default();
        // SAFETY: Not from an event.
        let code = unsafe { ffi::brolga_reload_rollback(self.raw.as_ptr(), version, &mut report) };

        reported(code, &report)
    }

    /// The slot of an exported function; of whichever module, for `None`.
    pub fn find(&self, module: Option<&str>, symbol: &str) -> Result<Slot> {
        let module = module.map(c_string).transpose()?;
        let symbol = c_string(symbol)?;
        let mut slot = 0;

        // SAFETY: Any thread may.
        check(unsafe {
            ffi::brolga_reload_find(
                self.raw.as_ptr(),
                module.as_ref().map_or(std::ptr::null(), |module| module.as_ptr()),
                symbol.as_ptr(),
                &mut slot,
            )
        })?;
        Ok(Slot::from_number(slot))
    }

    /// Every file of the session, in the order of their names.
    pub fn modules(&self) -> Vec<Module> {
        let mut all: Vec<Module> = Vec::new();
        // SAFETY: The visitor is called before the call returns, and calls nothing.
        unsafe {
            ffi::brolga_reload_each(self.raw.as_ptr(), Some(visit), (&raw mut all).cast::<c_void>())
        };
        all
    }

    fn is_telling(&self) -> bool {
        self.told.as_ref().is_some_and(|told| {
            let telling = told.telling.lock().unwrap_or_else(|error| error.into_inner());
            *telling == Some(std::thread::current().id())
        })
    }
}

/// A session that may be ended by another thread than the one that drops it.
struct Ending {
    raw: NonNull<ffi::brolga_reload>,
    _told: Option<Box<Told>>,
    _rt: Runtime,
}

// SAFETY: Any thread may end it that is not telling an event.
unsafe impl Send for Ending {}

impl Drop for Ending {
    fn drop(&mut self) {
        // SAFETY: Not from an event; what it calls, and the runtime, go after that.
        unsafe { ffi::brolga_reload_destroy(self.raw.as_ptr()) }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let telling = self.is_telling();
        let ending = Ending { raw: self.raw, _told: self.told.take(), _rt: self.rt.clone() };

        if telling {
            // It cannot wait for itself.
            std::thread::spawn(move || drop(ending));
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("modules", &self.modules()).finish_non_exhaustive()
    }
}

// --- what it tells -------------------------------------------------------------------

/// Something has happened to the files. `Display` has the text for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What: "reloaded", "build-failed", "refused", "locked"...
    pub kind: &'static str,
    /// The module, where it applies.
    pub module: Option<String>,
    /// The file, where it applies.
    pub file: Option<PathBuf>,
    /// The line, if it is certain.
    pub line: Option<u32>,
    /// What, and what to do.
    pub text: String,
    /// What the compiler printed.
    pub output: String,
    /// The version that is current now.
    pub version: u64,
    /// The modules of the round.
    pub modules: Vec<Module>,
    /// From the first save that was noticed until the code was current.
    pub since_saved: Duration,
    /// Of a commit that was refused.
    pub report: Option<Report>,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One file, and its module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Module {
    /// None before the file's first good build.
    pub name: Option<String>,
    /// The file.
    pub file: PathBuf,
    /// Whether its last good code runs on, because the newest does not.
    pub locked: bool,
    /// The version that brought its code; 0: none.
    pub version: u64,
}

impl Module {
    /// # Safety
    ///
    /// The record's texts are valid.
    unsafe fn from_raw(raw: &ffi::brolga_reload_module) -> Self {
        // SAFETY: As said.
        let (name, file) = unsafe { (text_or_none(raw.name), path_or_none(raw.file)) };
        Self { name, file: file.unwrap_or_default(), locked: raw.locked, version: raw.version }
    }
}

/// # Safety
///
/// `text` is null, or ends with a NUL.
unsafe fn path_or_none(text: *const std::ffi::c_char) -> Option<PathBuf> {
    // SAFETY: As said.
    (!text.is_null()).then(|| unsafe {
        PathBuf::from(OsStr::from_bytes(std::ffi::CStr::from_ptr(text).to_bytes()))
    })
}

unsafe extern "C" fn visit(arg: *mut c_void, module: *const ffi::brolga_reload_module) {
    // SAFETY: `arg` is the list of modules(); the record is valid during the call.
    unsafe { (*arg.cast::<Vec<Module>>()).push(Module::from_raw(&*module)) }
}

unsafe extern "C" fn tell(arg: *mut c_void, event: *const ffi::brolga_reload_event) {
    // SAFETY: `arg` is what create() has given; the event is valid during the call.
    let (told, event) = unsafe { (&*arg.cast::<Told>(), &*event) };
    // SAFETY: Texts and records that are valid during the call.
    let event = unsafe {
        let modules = if event.modules_count == 0 {
            &[][..]
        } else {
            std::slice::from_raw_parts(event.modules, event.modules_count)
        };
        let output = if event.output.is_null() {
            &[][..]
        } else {
            std::slice::from_raw_parts(event.output.cast::<u8>(), event.output_bytes)
        };
        Event {
            kind: static_text(ffi::brolga_reload_event_name(event.kind)),
            module: text_or_none(event.module),
            file: path_or_none(event.file),
            line: (event.line != 0).then_some(event.line),
            text: text_or_none(event.text).unwrap_or_default(),
            output: String::from_utf8_lossy(output).into_owned(),
            version: event.version,
            modules: modules.iter().map(|module| Module::from_raw(module)).collect(),
            since_saved: Duration::from_nanos(event.saved_ns),
            report: event.report.as_ref().map(Report::from_raw),
        }
    };
    let set = |id| *told.telling.lock().unwrap_or_else(|error| error.into_inner()) = id;

    set(Some(std::thread::current().id()));
    crate::guard(|| (told.tell)(&event));
    set(None);
}
