//! The host: files and their functions, one module each; what has changed becomes one
//! transaction, with a unit of code for each file.

use crate::compile::{Compiler, Defn, Native, signature_text};
use crate::memory::{Arena, Owned};
use crate::read::{Complaint, read};
use brolga::code::{Committed, Policy, Refusal};
use brolga::task::{self, JoinHandle};
use brolga::{Error, Runtime, Slot, Unit, ffi};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fmt, fs};

/// Of the code of one file. Only what is written takes memory.
const ARENA_BYTES: usize = 1 << 20;
/// Most arguments of what the host itself calls.
pub const ARGS_MAX: usize = 4;

/// Why new code does not run. What ran before runs on.
#[derive(Debug)]
pub enum Problem {
    File(PathBuf, std::io::Error),
    Text(String, Complaint),
    Brolga(Error),
    Other(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Text(module, complaint) => write!(f, "{module}.lisp:{complaint}"),
            Self::Brolga(error) => error.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Problem {}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Brolga(error)
    }
}

pub struct Host {
    rt: Runtime,
    compiler: Compiler,
    enter: Enter,
    /// The last text of each module that runs. Its lock makes reloads take turns.
    texts: Mutex<BTreeMap<String, String>>,
    expressions: Mutex<u64>,
}

impl Host {
    pub fn new(rt: Runtime) -> Result<Self, Problem> {
        let natives = vec![
            Native { name: "print", params: 1, address: print as *const () as usize },
            Native { name: "sleep", params: 1, address: sleep as *const () as usize },
        ];
        let safepoint = ffi::brolga_safepoint_slow as *const () as usize;
        let compiler = Compiler::new(natives, safepoint).map_err(Problem::Other)?;
        let enter = Enter::new(&compiler)?;

        Ok(Self { rt, compiler, enter, texts: Mutex::default(), expressions: Mutex::default() })
    }

    pub fn runtime(&self) -> &Runtime {
        &self.rt
    }

    /// Read every `*.lisp` of a folder, and publish what is not as it was. None: nothing
    /// has changed.
    pub fn load(&self, folder: &Path) -> Result<Option<Committed>, Problem> {
        let file_problem = |error| Problem::File(folder.into(), error);
        let mut files = BTreeMap::new();

        for entry in fs::read_dir(folder).map_err(file_problem)? {
            let path = entry.map_err(file_problem)?.path();
            let name = path.file_stem().and_then(|name| name.to_str());
            if let (Some(name), Some("lisp")) = (name, path.extension().and_then(|e| e.to_str())) {
                let text = fs::read_to_string(&path);
                let text = text.map_err(|error| Problem::File(path.clone(), error))?;
                files.insert(name.to_owned(), text);
            }
        }
        self.publish(files)
    }

    /// Publish these modules, if they are not as they were. If others that run do not fit
    /// any more, they are compiled again with them, and it is tried once more.
    pub fn publish(&self, files: BTreeMap<String, String>) -> Result<Option<Committed>, Problem> {
        let mut texts = self.texts.lock().expect("nobody panics here");
        let is_new = |(name, text): &(String, String)| texts.get(name) != Some(text);
        let changed: BTreeMap<_, _> = files.into_iter().filter(is_new).collect();

        if changed.is_empty() {
            return Ok(None);
        }
        let mut all = texts.clone();
        all.extend(changed.clone());
        let committed = match self.commit(&changed) {
            Err(Problem::Brolga(Error::Refused(report)))
                if report.refusal == Some(Refusal::Importers) && all.len() > changed.len() =>
            {
                self.commit(&all)?
            }
            result => result?,
        };
        *texts = all;
        Ok(Some(committed))
    }

    fn commit(&self, files: &BTreeMap<String, String>) -> Result<Committed, Problem> {
        let mut txn = self.rt.got().begin()?;

        for (module, text) in files {
            let complain = |complaint| Problem::Text(module.clone(), complaint);
            let defns = read(text).and_then(Defn::all).map_err(complain)?;
            txn.replace(module)?;
            self.stage(&mut txn, module, &defns)?;
        }
        Ok(txn.commit()?)
    }

    /// One arena, one unit. Slots are asked for before there is code: an import has the
    /// number that the definition will have.
    fn stage(
        &self,
        txn: &mut brolga::Transaction,
        module: &str,
        defns: &[Defn],
    ) -> Result<(), Problem> {
        let arena = Arena::new(ARENA_BYTES).map_err(|error| Problem::Other(error.to_string()))?;
        // SAFETY: It is sealed below, before it can be committed; values are integers, so
        // nothing but stacks holds an address in it.
        let unit = unsafe { txn.unit(module, Policy::Reclaim, Owned(Arc::clone(&arena)))? };

        for defn in defns {
            let code = self
                .compiler
                .function(defn, &mut |name, args, line| import(txn, unit, module, name, args, line))
                .map_err(|complaint| Problem::Text(module.into(), complaint))?;
            let full = || Problem::Other(format!("{module}: too much code for one file"));
            let at = arena.add(&defn.name, &code).ok_or_else(full)?;
            let signature = signature_text(defn.params.len());
            // SAFETY: It was compiled with that many parameters.
            unsafe { txn.define(unit, module, &defn.name, &signature, at)? };
        }
        arena.seal().map_err(|error| Problem::Other(error.to_string()))
    }

    /// The slot of a function that runs.
    pub fn find(&self, module: &str, name: &str, args: usize) -> Result<Slot, Problem> {
        Ok(self.rt.got().module(module)?.slot(name, Some(&signature_text(args)))?)
    }

    /// Start a light task that calls a function.
    pub fn spawn(&self, slot: Slot, args: &[i64]) -> Result<JoinHandle<i64>, Problem> {
        let mut given = [0; ARGS_MAX];
        let count = args.len();

        if count > ARGS_MAX {
            return Err(Problem::Other(format!("at most {ARGS_MAX} arguments")));
        }
        given[..count].copy_from_slice(args);
        let enter = self.enter;
        let name = format!("lisp {}", slot.number());
        // SAFETY: It uses no thread-local variable; the slot's signature has so many
        // parameters: see find(). Nothing in the frame has to be dropped if it traps.
        let task = unsafe {
            task::Builder::new()
                .name(name)
                .spawn_fiber(&self.rt, move || enter.call(slot, &given[..count]))
        };
        Ok(task?)
    }

    /// Start a light task for the value of an expression, in a module of its own.
    pub fn evaluate(&self, text: &str) -> Result<JoinHandle<i64>, Problem> {
        let mut expressions = self.expressions.lock().expect("nobody panics here");
        *expressions += 1;
        let module = format!("repl-{expressions}");
        let complain = |complaint| Problem::Text(module.clone(), complaint);
        let body = read(text).map_err(complain)?;
        let defn = Defn { name: "it".into(), line: 1, params: Vec::new(), body };
        let mut txn = self.rt.got().begin()?;

        self.stage(&mut txn, &module, &[defn])?;
        txn.commit()?;
        let task = self.find(&module, "it", 0).and_then(|slot| self.spawn(slot, &[]))?;
        Ok(task)
    }

    /// Forget the module of the last expression, when its task has ended.
    pub fn forget_expression(&self) -> Result<(), Problem> {
        let expressions = self.expressions.lock().expect("nobody panics here");
        let mut txn = self.rt.got().begin()?;

        txn.replace(&format!("repl-{expressions}"))?;
        txn.commit()?;
        Ok(())
    }
}

/// `name` is of the same module, `module/name` of another.
fn import(
    txn: &mut brolga::Transaction,
    unit: Unit,
    module: &str,
    name: &str,
    args: usize,
    line: u32,
) -> Result<u32, Complaint> {
    let (of, symbol) = name.split_once('/').unwrap_or((module, name));
    let place = format!("{module}.lisp:{line}");

    txn.import(unit, of, symbol, &signature_text(args), Some(&place))
        .map(Slot::number)
        .map_err(|error| Complaint::new(line, error.to_string()))
}

// --- from the host into compiled code ----------------------------------------------------

/// Functions that put the view into the pinned register, one for each number of
/// arguments. They stay for good.
#[derive(Clone, Copy)]
struct Enter([usize; ARGS_MAX + 1]);

type View = *mut ffi::brolga_view;

impl Enter {
    fn new(compiler: &Compiler) -> Result<Self, Problem> {
        let arena = Arena::new(64 << 10).map_err(|error| Problem::Other(error.to_string()))?;
        let mut all = [0; ARGS_MAX + 1];

        for (params, at) in all.iter_mut().enumerate() {
            let code = compiler.enter(params).map_err(Problem::Other)?;
            *at = arena.add("enter", &code).expect("an arena is large enough") as usize;
        }
        arena.seal().map_err(|error| Problem::Other(error.to_string()))?;
        std::mem::forget(arena);
        Ok(Self(all))
    }

    /// # Safety
    ///
    /// The caller is a task, and the slot a function of so many parameters.
    unsafe fn call(self, slot: Slot, args: &[i64]) -> i64 {
        let enter = self.0[args.len()];
        let slot = u64::from(slot.number());
        // SAFETY: As said; each function of `enter` was compiled with that many.
        unsafe {
            use std::mem::transmute as as_fn;
            let view = ffi::brolga_view_self();
            match *args {
                [] => as_fn::<usize, extern "C" fn(View, u64) -> i64>(enter)(view, slot),
                [a] => as_fn::<usize, extern "C" fn(View, u64, i64) -> i64>(enter)(view, slot, a),
                [a, b] => {
                    type F = extern "C" fn(View, u64, i64, i64) -> i64;
                    as_fn::<usize, F>(enter)(view, slot, a, b)
                }
                [a, b, c] => {
                    type F = extern "C" fn(View, u64, i64, i64, i64) -> i64;
                    as_fn::<usize, F>(enter)(view, slot, a, b, c)
                }
                [a, b, c, d] => {
                    type F = extern "C" fn(View, u64, i64, i64, i64, i64) -> i64;
                    as_fn::<usize, F>(enter)(view, slot, a, b, c, d)
                }
                _ => unreachable!("at most ARGS_MAX"),
            }
        }
    }
}

// --- from compiled code into the host ------------------------------------------------------

extern "C" fn print(value: i64) -> i64 {
    println!("{value}");
    value
}

/// Milliseconds. A safepoint; nonzero if the task has been canceled.
extern "C" fn sleep(ms: i64) -> i64 {
    let time = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    i64::from(task::sleep(time).is_err())
}
