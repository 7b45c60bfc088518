//! The host: files and their functions, one module each; what has changed becomes one
//! transaction, with a unit of code for each file.

use crate::check::{Definition, Modules, check};
use crate::compile::{Code, Compiler, Target};
use crate::enter::Enter;
use crate::expr::{Function, Name};
use crate::memory::{Loaded, load};
use crate::read::{Complaint, Place, read};
use crate::types::Ty;
use crate::values::{Known, Values, Word, show};
use brolga::closures::Closure;
use brolga::code::{Cells, Committed, Memory, Policy, Refusal, Transaction};
use brolga::{Error, JoinHandle, Runtime, Slot, Type, Unit, Value, ffi, task};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, fs};

/// How long a commit waits until tasks have left the oldest versions, if there are many.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of the stack of a task. Memory is used as it is touched.
const STACK_BYTES: usize = 64 << 20;

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

/// Texts of modules, by their names.
pub type Files = BTreeMap<String, String>;

pub struct Host {
    rt: Runtime,
    memory: Memory,
    values: Arc<Values>,
    compiler: Compiler,
    calls: Calls,
    cells: Mutex<BTreeMap<String, Cells>>,
    /// Its lock makes reloads take turns.
    state: Mutex<State>,
}

/// What runs.
#[derive(Default)]
struct State {
    texts: Files,
    types: BTreeMap<Name, Ty>,
    expressions: u64,
}

/// How functions of a module call each other. All ways but the first are for comparison:
/// they do not know of new versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    Views,
    /// Where a cell is known, so from the second time on that a module is published.
    Cells,
    Direct,
}

pub struct Options {
    /// What programs print goes there.
    pub print: Box<dyn Fn(&str) + Send + Sync>,
    /// See [`crate::values::objects`].
    pub counted: bool,
    pub calls: Calls,
    /// Whether functions begin with a safepoint.
    pub safepoints: bool,
}

impl Default for Options {
    fn default() -> Self {
        let print = Box::new(|text: &str| println!("{text}"));
        Self { print, counted: false, calls: Calls::Views, safepoints: true }
    }
}

impl Host {
    pub fn new(rt: Runtime) -> Result<Self, Problem> {
        Self::with(rt, Options::default())
    }

    pub fn with(rt: Runtime, options: Options) -> Result<Self, Problem> {
        let memory = rt.got().memory().create()?;
        let values = Values::new(&rt, options.print, options.counted)?;
        let safepoint = ffi::brolga_safepoint_slow as *const () as usize;
        let safepoint = options.safepoints.then_some(safepoint);
        let compiler = Compiler::new(Arc::clone(&values), safepoint);
        let compiler = compiler.map_err(Problem::Other)?;
        let enter = Enter::new(&compiler, &rt, &memory).map_err(Problem::Other)?;

        let _ = values.enter.set(enter);
        Ok(Self {
            rt,
            memory,
            values,
            compiler,
            calls: options.calls,
            cells: Mutex::default(),
            state: Mutex::default(),
        })
    }

    pub fn runtime(&self) -> &Runtime {
        &self.rt
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Read every `*.lisp` of a folder, and publish what is not as it was. None: nothing
    /// has changed. (Functions of a file that has gone stay.)
    pub fn load(&self, folder: &Path) -> Result<Option<Committed>, Problem> {
        let file_problem = |error| Problem::File(folder.into(), error);
        let mut files = Files::new();

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
    pub fn publish(&self, files: Files) -> Result<Option<Committed>, Problem> {
        let mut state = self.state();
        let is_new = |(name, text): &(String, String)| state.texts.get(name) != Some(text);
        let changed: Files = files.into_iter().filter(is_new).collect();

        if changed.is_empty() {
            return Ok(None);
        }
        let mut all = state.texts.clone();
        all.extend(changed.clone());
        let committed = match self.commit(&mut state, &changed) {
            Err(Problem::Brolga(Error::Refused(report)))
                if report.refusal == Some(Refusal::Importers) && all.len() > changed.len() =>
            {
                self.commit(&mut state, &all)?
            }
            result => result?,
        };
        state.texts = all;
        Ok(Some(committed))
    }

    fn commit(&self, state: &mut State, files: &Files) -> Result<Committed, Problem> {
        let mut modules = Modules::new();
        for (module, text) in files {
            let complain = |complaint| Problem::Text(module.clone(), complaint);
            modules.insert(module.clone(), read(text).and_then(Definition::all).map_err(complain)?);
        }
        let known = |name: &Name| match files.contains_key(&name.module) {
            true => None, // The new one counts, and there is none of that name.
            false => state.types.get(name).cloned(),
        };
        let checked = check(&modules, &known);
        let checked = checked.map_err(|(module, complaint)| Problem::Text(module, complaint))?;
        let mut staging = Staging::begin(self)?;

        for (module, functions) in &checked {
            staging.txn.replace(module)?;
            staging.module(module, functions)?;
        }
        let committed = staging.commit()?;
        state.types.retain(|name, _| !files.contains_key(&name.module));
        for (module, functions) in checked {
            let name = |symbol| Name { module: module.clone(), symbol };
            state.types.extend(functions.into_iter().map(|f| (name(f.symbol), f.ty)));
        }
        Ok(committed)
    }

    /// Start a task for the value of an expression. Its code is a closure's, which goes
    /// with the task's last use of it: a loop that it calls does not keep it.
    pub fn evaluate(&self, text: &str) -> Result<Running, Problem> {
        let mut state = self.state();
        state.expressions += 1;
        let module = format!("repl-{}", state.expressions);
        let complain = |complaint| Problem::Text(module.clone(), complaint);
        let body = read(text).map_err(complain)?;
        let it = Definition::expression(body);
        let checked = check(&Modules::from([(module.clone(), vec![it])]), &|name| {
            state.types.get(name).cloned()
        });
        let checked = checked.map_err(|(_, complaint)| complain(complaint))?;
        let it = &checked[&module][0];
        let Ty::Fn(_, result) = &it.ty else { unreachable!("it is a function") };
        let [closure, result] = [&it.ty, result].map(|ty| self.values.known(ty));
        let (closure_type, result) = (closure?, result?);
        let mut staging = Staging::begin(self)?;
        let code = staging.expression(&module, it)?;
        // SAFETY: The table knows it, and the unit is staged.
        let closure = unsafe { self.values.closure(code as Word, 0)? };

        if let Err(problem) = staging.commit() {
            // SAFETY: The unit has gone, with its pins.
            unsafe { self.values.free(closure) };
            return Err(problem);
        }
        drop(state);
        // SAFETY: Nobody else has it.
        let closure = unsafe { Value::from_word(&closure_type.type_, closure) };
        let enter = self.values.enter.get().expect("it was set").closure0;
        let type_ = result.type_.clone();
        let name: String = text.chars().take(31).filter(|c| *c != '\0').collect();
        // SAFETY: It uses no thread-local variable, and takes what it is given over. The
        // result is nobody else's.
        let task = unsafe {
            task::Builder::new()
                .name(name)
                .stack_bytes(STACK_BYTES)
                .spawn_fiber(&self.rt, move || Value::from_word(&type_, enter(closure.into_word())))
        };
        Ok(Running { task: task?, known: result })
    }
}

// --- an expression's value ---------------------------------------------------------------

/// A task for an expression.
pub struct Running {
    task: JoinHandle<Value>,
    known: Arc<Known>,
}

impl Running {
    pub fn id(&self) -> u64 {
        self.task.id()
    }

    /// Wait for the value.
    pub fn join(self) -> Result<Answer, Error> {
        Ok(Answer { value: self.task.join()?, known: self.known })
    }
}

pub struct Answer {
    value: Value,
    known: Arc<Known>,
}

impl Answer {
    pub fn word(&self) -> Word {
        self.value.word()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: The value is of this type.
        f.write_str(&unsafe { show(&self.known.ty, self.value.word()) })
    }
}

// --- what is staged ------------------------------------------------------------------------

/// A transaction of the host's code.
struct Staging<'a> {
    host: &'a Host,
    txn: Transaction,
}

type Imports = BTreeMap<(Name, Ty), Place>;

impl<'a> Staging<'a> {
    fn begin(host: &'a Host) -> Result<Self, Problem> {
        Ok(Self { host, txn: host.rt.got().begin()? })
    }

    /// Compile and stage a module.
    fn module(&mut self, module: &str, functions: &[Function]) -> Result<(), Problem> {
        let complain = |complaint| Problem::Text(module.into(), complaint);
        let compiler = &self.host.compiler;
        let mut imports = Imports::new();
        let (calls, got) = (self.host.calls, self.host.rt.got());
        let mut cells = self.host.cells.lock().unwrap_or_else(PoisonError::into_inner);
        if calls == Calls::Cells && !cells.contains_key(module) {
            cells.insert(module.into(), got.module(module)?.cells(64)?);
        }
        let cells = cells.get(module).cloned();
        let mut resolve = |name: &Name, ty: &Ty, at| {
            let slot = slot(&mut self.txn, &mut imports, name, ty, at)?;
            let number = functions.iter().position(|function| function.symbol == name.symbol);
            let cell = cells.as_ref().and_then(|cells| {
                Some(cells.base() as usize + 8 * cells.index(slot).ok()? as usize)
            });
            Ok(match (number, cell) {
                (Some(number), _) if name.module == module && calls == Calls::Direct => {
                    Target::Direct(number)
                }
                (Some(_), Some(cell)) if name.module == module => Target::Cell(cell),
                _ => Target::Slot(slot.number()),
            })
        };
        let code = compiler.module(module, functions, &mut resolve).map_err(complain)?;
        let (unit, loaded) = self.unit(module, code, |loaded| {
            (0..functions.len()).map(|number| loaded.address(number)).collect::<Vec<_>>()
        })?;

        for (function, at) in functions.iter().zip(loaded) {
            let signature = function.ty.to_string();
            // SAFETY: It was compiled with this type.
            unsafe { self.txn.define(unit, module, &function.symbol, &signature, at)? };
        }
        self.imports(unit, module, &imports)
    }

    /// Compile and stage an expression: where the code is that closures of it have.
    fn expression(&mut self, module: &str, it: &Function) -> Result<*const u8, Problem> {
        let complain = |complaint| Problem::Text(module.into(), complaint);
        let compiler = &self.host.compiler;
        let mut imports = Imports::new();
        let mut resolve = |name: &Name, ty: &Ty, at| {
            let slot = slot(&mut self.txn, &mut imports, name, ty, at)?;
            Ok(Target::Slot(slot.number()))
        };
        let code = compiler.expression(module, it, &mut resolve).map_err(complain)?;
        let (unit, at) = self.unit(module, code, |loaded| loaded.address(0))?;

        self.imports(unit, module, &imports)?;
        Ok(at)
    }

    /// One block, one unit, with the closures' functions entered.
    fn unit<T>(
        &mut self,
        module: &str,
        code: Code,
        look: impl FnOnce(&Loaded) -> T,
    ) -> Result<(Unit, T), Problem> {
        let host = self.host;
        let file = format!("{module}.lisp");
        let loaded = load(&host.memory, host.compiler.isa(), &file, &code.functions);
        let loaded = loaded.map_err(Problem::Other)?;
        let types = |known: &[Arc<Known>]| known.iter().map(|known| known.type_.clone()).collect();
        let captures: Vec<Vec<Type>> =
            code.closures.iter().map(|(_, known)| types(known)).collect();
        let closures = code.closures.iter().zip(&captures).map(|((number, _), captures)| Closure {
            code: loaded.address(*number),
            name: &code.functions[*number].name,
            captures,
        });
        let closures: Vec<_> = closures.collect();
        let seen = look(&loaded);
        let unit = loaded.stage(&mut self.txn, module, Policy::Reclaim, code.kept)?;

        host.values.closures.add(&self.txn, unit, &closures)?;
        Ok((unit, seen))
    }

    /// What the unit's code calls; where that is, refusals say.
    fn imports(&mut self, unit: Unit, module: &str, imports: &Imports) -> Result<(), Problem> {
        for ((name, ty), at) in imports {
            let place = format!("{module}.lisp:{}", at.line);
            let signature = ty.to_string();
            self.txn.import(unit, &name.module, &name.symbol, &signature, Some(&place))?;
        }
        Ok(())
    }

    /// Publish it; while there are too many versions, wait until tasks have left some.
    fn commit(mut self) -> Result<Committed, Problem> {
        let deadline = Instant::now() + PATIENCE;

        while let Err(Error::Refused(report)) = self.txn.check()
            && report.refusal == Some(Refusal::Limit)
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_micros(100));
        }
        Ok(self.txn.commit()?)
    }
}

/// The slot of a function that code calls. The code has its number before there is a
/// unit that could import it.
fn slot(
    txn: &mut Transaction,
    imports: &mut Imports,
    name: &Name,
    ty: &Ty,
    at: Place,
) -> Result<Slot, Complaint> {
    imports.entry((name.clone(), ty.clone())).or_insert(at);
    txn.slot(&name.module, &name.symbol, &ty.to_string())
        .map_err(|error| Complaint::new(at, error.to_string()))
}
