//! Publishing compiled code: units, slots, versions, transactions.
//!
//! A *slot* is identified by module, symbol and signature, and compiled code calls
//! through it. A [`Transaction`] stages units of code and what they define and import,
//! checks that all fits, and publishes it as one version; tasks take it up at their
//! safepoints. Old code is released when it is proven that nothing can reach it.
//!
//! ```no_run
//! use brolga::{Runtime, code::{Code, Policy}};
//!
//! /// Machine code that some compiler has made, and its memory.
//! struct Compiled { text: Box<[u8]> }
//!
//! // SAFETY: Boxes do not move what is in them. (This one cannot be executed.)
//! unsafe impl Code for Compiled {
//!     fn text(&self) -> (*const u8, usize) {
//!         (self.text.as_ptr(), self.text.len())
//!     }
//! }
//!
//! # let compiled = Compiled { text: Box::new([0xc3]) };
//! let rt = Runtime::new()?;
//! let entry = compiled.text().0;
//! let mut txn = rt.got().begin()?;
//! // SAFETY: The code is what it says it is, and pins what else keeps an address of it.
//! let unit = unsafe { txn.unit("scorer", Policy::Reclaim, compiled)? };
//! // SAFETY: The function there has this signature.
//! let slot = unsafe { txn.define(unit, "scorer", "score", "(Fn [Int] Int)", entry)? };
//! let report = txn.commit()?;
//! println!("version {}: score is {slot:?}", report.version);
//! # Ok::<(), brolga::Error>(())
//! ```

mod memory;
mod report;
mod txn;

pub use memory::{Block, Function, Memory, MemoryBuilder, MemoryStats, Sealed, Visible};
pub(crate) use report::reported;
pub use report::{Conflict, Refusal, Report};
pub use txn::{Committed, Pin, Transaction, Unit};

use crate::Runtime;
use crate::error::{Error, Result, c_string, check, text_or_none};
use brolga_sys as ffi;
use std::ffi::{CString, c_void};
use std::sync::atomic::AtomicPtr;

/// A blob of machine code with its memory. Dropping it frees that: the reclaimer does
/// so, or the transaction that is refused or aborted.
///
/// # Safety
///
/// The text stays where it is, executable, until the value is dropped.
pub unsafe trait Code: Send + Sync + 'static {
    /// Where the code is: what a stack may hold. At least one byte.
    fn text(&self) -> (*const u8, usize);

    /// The name of the function at an address in it, for reports. It must not call
    /// anything of this crate.
    fn describe(&self, address: *const u8) -> Option<String> {
        let _ = address;
        None
    }
}

/// What becomes of a unit that no version uses any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// It stays for good: its data and literals may be pointed to.
    #[default]
    Keep,
    /// It is dropped once it is proven that nothing runs in it.
    Reclaim,
}

/// The number of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(ffi::brolga_slot);

impl Slot {
    /// The number, as compiled code has it.
    pub fn number(self) -> u32 {
        self.0
    }

    pub(crate) fn from_number(number: ffi::brolga_slot) -> Self {
        Self(number)
    }

    /// The slot's function in the calling task's version: good until its next
    /// safepoint.
    ///
    /// # Safety
    ///
    /// The caller is a task, the slot is defined in its version, and `F` is the type
    /// of a function pointer that fits the slot's code.
    pub unsafe fn function<F: Copy>(self) -> F {
        const { assert!(size_of::<F>() == size_of::<*const c_void>()) };
        // SAFETY: As said: the view's table has an address at that number.
        unsafe {
            let code = *(*ffi::brolga_view_self()).slots.add(self.0 as usize);
            std::mem::transmute_copy(&code)
        }
    }
}

// --- the table -------------------------------------------------------------------

/// The table of functions of a runtime.
#[derive(Debug, Clone)]
pub struct Got {
    rt: Runtime,
}

impl Got {
    pub(crate) fn of(rt: Runtime) -> Self {
        Self { rt }
    }

    /// The library's handle. It lives as long as the runtime.
    pub fn as_raw(&self) -> *mut ffi::brolga_got {
        // SAFETY: Any thread may.
        unsafe { ffi::brolga_runtime_got(self.rt.as_raw()) }
    }

    /// The number of the current version; the first, empty one is 1.
    pub fn version(&self) -> u64 {
        // SAFETY: Any thread may.
        unsafe { ffi::brolga_got_version(self.as_raw()) }
    }

    /// A module, to look up what it defines.
    pub fn module(&self, name: &str) -> Result<Module> {
        Ok(Module { got: self.clone(), name: c_string(name)? })
    }

    /// How much is alive now.
    pub fn stats(&self) -> Stats {
        let mut raw = ffi::brolga_got_stats::default();
        // SAFETY: Any thread may.
        unsafe { ffi::brolga_got_stats(self.as_raw(), &mut raw) };
        Stats {
            version: raw.version,
            versions_live: raw.versions_live,
            slots: raw.slots,
            units_live: raw.units_live,
            units_retired: raw.units_retired,
            units_kept: raw.units_kept,
            retired_bytes: raw.retired_bytes,
            oldest_version: raw.oldest_version,
            commits: raw.commits,
            units_reclaimed: raw.units_reclaimed,
        }
    }

    /// Begin a transaction. Several may be prepared at a time.
    pub fn begin(&self) -> Result<Transaction> {
        Transaction::begin(self)
    }

    /// Restore an older version, as a new one; how far back one can go is
    /// [`Builder::history`](crate::Builder::history).
    pub fn rollback(&self, version: u64) -> Result<Report> {
        let mut report = ffi::brolga_report::default();
        // SAFETY: Any thread may.
        let code = unsafe { ffi::brolga_got_rollback(self.as_raw(), version, &mut report) };

        reported(code, &report)
    }

    /// Pin the unit whose text holds an address; none if there is no such unit.
    ///
    /// # Safety
    ///
    /// The unit cannot go away during the call: the caller runs its code, or has
    /// another pin.
    pub unsafe fn pin_address(&self, address: *const c_void) -> Option<Pin> {
        // SAFETY: As said.
        let raw = unsafe { ffi::brolga_got_pin_address(self.as_raw(), address) };
        (!raw.is_null()).then(|| Pin::of(raw, self))
    }
}

/// How much is alive in a table of functions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The current version.
    pub version: u64,
    /// How many live, the current one included.
    pub versions_live: u32,
    /// Slots in use.
    pub slots: u32,
    /// Units that the current version uses.
    pub units_live: u32,
    /// Units that wait to be reclaimed.
    pub units_retired: u32,
    /// Units that are out of use, but kept.
    pub units_kept: u32,
    /// Text bytes of the retired ones.
    pub retired_bytes: usize,
    /// The oldest version that can be restored.
    pub oldest_version: u64,
    /// Commits, ever.
    pub commits: u64,
    /// Units reclaimed, ever.
    pub units_reclaimed: u64,
}

/// A module, by its name.
#[derive(Debug, Clone)]
pub struct Module {
    got: Got,
    name: CString,
}

impl Module {
    /// The slot of a symbol that the current version defines; any signature, if there
    /// is one only, for `None`.
    pub fn slot(&self, symbol: &str, signature: Option<&str>) -> Result<Slot> {
        let symbol = c_string(symbol)?;
        let signature = signature.map(c_string).transpose()?;
        let mut slot = 0;

        // SAFETY: Any thread may.
        check(unsafe {
            ffi::brolga_got_find(
                self.got.as_raw(),
                self.name.as_ptr(),
                symbol.as_ptr(),
                signature.as_ref().map_or(std::ptr::null(), |text| text.as_ptr()),
                &mut slot,
            )
        })?;
        Ok(Slot(slot))
    }

    /// Give the module a table of cells: for compilers that embed an address. It lives
    /// as long as the runtime, and mirrors the current version.
    pub fn cells(&self, count: u32) -> Result<Cells> {
        // SAFETY: The table is the library's own.
        unsafe { self.attach(std::ptr::null_mut(), count) }
    }

    /// The same with a table that the host has already, whose address is in code that it
    /// has compiled. What is in it stays until a slot that is
    /// [bound](Cells::bind) to a cell has code, or an unbound one takes the lowest cell
    /// that no slot has: a host that writes cells itself binds all of its slots.
    ///
    /// ```
    /// use brolga::Runtime;
    /// use std::sync::atomic::AtomicPtr;
    ///
    /// let rt = Runtime::new()?;
    /// let table = Box::leak((0..64).map(|_| AtomicPtr::default()).collect::<Box<[_]>>());
    /// let cells = rt.got().module("scorer")?.cells_in(table)?;
    /// assert_eq!(cells.base(), table.as_ptr().cast());
    /// # Ok::<(), brolga::Error>(())
    /// ```
    pub fn cells_in(&self, table: &'static [AtomicPtr<c_void>]) -> Result<Cells> {
        let count = u32::try_from(table.len()).map_err(|_| Error::Invalid)?;
        let base = table.as_ptr().cast_mut().cast::<*const c_void>();
        // SAFETY: The table stays, and the library writes it as others may: by atomic
        // stores.
        unsafe { self.attach(base, count) }
    }

    /// # Safety
    ///
    /// `base` is null, or a table of so many atomic words that stays.
    unsafe fn attach(&self, base: *mut *const c_void, count: u32) -> Result<Cells> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: As said.
        check(unsafe {
            ffi::brolga_cells_attach(self.got.as_raw(), self.name.as_ptr(), base, count, &mut raw)
        })?;
        Ok(Cells { raw, _got: self.got.clone() })
    }
}

/// A module's table at a fixed address.
#[derive(Debug, Clone)]
pub struct Cells {
    raw: *mut ffi::brolga_cells,
    _got: Got,
}

// SAFETY: Cells may be used by any thread.
unsafe impl Send for Cells {}
// SAFETY: The same.
unsafe impl Sync for Cells {}

impl Cells {
    /// The table's address, as compiled code embeds it.
    pub fn base(&self) -> *const *const c_void {
        // SAFETY: It lives as long as the GOT.
        unsafe { ffi::brolga_cells_base(self.raw) }
    }

    /// Bind a slot that is staged, or defined, to a cell of the host's choice; the lowest
    /// free one is taken at the commit without this. Twice the same does nothing.
    ///
    /// [`Error::Invalid`]: there is no such cell, or it is no slot of this module.
    /// [`Error::Exists`]: the cell has another slot, or the slot another cell.
    pub fn bind(&self, slot: Slot, index: u32) -> Result<()> {
        // SAFETY: Any thread may.
        check(unsafe { ffi::brolga_cells_bind(self.raw, slot.0, index) })
    }

    /// The cell of a slot.
    pub fn index(&self, slot: Slot) -> Result<u32> {
        let mut index = 0;
        // SAFETY: Any thread may.
        check(unsafe { ffi::brolga_cells_index(self.raw, slot.0, &mut index) })?;
        Ok(index)
    }
}

// --- callers of old code -----------------------------------------------------------

impl Got {
    /// Every import of a slot that has changed or gone, of units that still live, and
    /// the tasks that run one: who (none: tasks), how many tasks, and what they call.
    pub fn stale(&self) -> Vec<Stale> {
        let mut all = Vec::new();
        // SAFETY: The visitor is called before the call returns, and calls nothing.
        unsafe {
            ffi::brolga_got_stale(self.as_raw(), Some(visit_stale), (&raw mut all).cast::<c_void>())
        };
        all
    }
}

/// A caller of code that is not in force any more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stale {
    /// The unit; none: tasks.
    pub importer: Option<String>,
    /// How many tasks call the slot again and again.
    pub tasks: u32,
    /// What they call: module, symbol, signature.
    pub callee: [String; 3],
    /// The version that has it no more.
    pub since_version: u64,
}

unsafe extern "C" fn visit_stale(arg: *mut c_void, stale: *const ffi::brolga_stale) {
    // SAFETY: `arg` is the list of stale(); the record is valid during the call.
    let (all, stale) = unsafe { (&mut *arg.cast::<Vec<Stale>>(), &*stale) };
    // SAFETY: Texts that are valid during the call.
    let [importer, module, symbol, signature] =
        [stale.importer, stale.module, stale.symbol, stale.signature]
            .map(|text| unsafe { text_or_none(text) });

    all.push(Stale {
        importer,
        tasks: stale.tasks,
        callee: [module, symbol, signature].map(Option::unwrap_or_default),
        since_version: stale.since_version,
    });
}
