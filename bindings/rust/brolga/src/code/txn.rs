//! Transactions: what is staged, and how it is published.

use super::report::reported;
use super::{Code, Got, Policy, Report, Slot};
use crate::Deadline;
use crate::error::{Error, Result, c_string, check};
use brolga_sys as ffi;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

/// A unit that a transaction has staged; it means nothing to any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    serial: u64,
    index: usize,
}

/// What is staged to be published. Dropped, it leaves no trace.
#[derive(Debug)]
pub struct Transaction {
    raw: *mut ffi::brolga_txn,
    serial: u64,
    units: Vec<*mut ffi::brolga_unit>,
    pins: Vec<Unit>,
    got: Got,
}

// SAFETY: A transaction is used by one thread at a time, and that may change.
unsafe impl Send for Transaction {}

impl Transaction {
    pub(super) fn begin(got: &Got) -> Result<Self> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let mut raw = std::ptr::null_mut();

        // SAFETY: It ends with a commit or an abort.
        check(unsafe { ffi::brolga_txn_begin(got.as_raw(), &mut raw) })?;
        Ok(Self {
            raw,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed), // Only to be another one.
            units: Vec::new(),
            pins: Vec::new(),
            got: got.clone(),
        })
    }

    /// Stage a unit. The transaction owns the code from here on.
    ///
    /// # Safety
    ///
    /// The code can be executed. With [`Policy::Reclaim`], nothing but stacks holds an
    /// address in it after its functions have returned, unless it is pinned.
    pub unsafe fn unit<C: Code>(&mut self, name: &str, policy: Policy, code: C) -> Result<Unit> {
        let name = c_string(name)?;
        let (text, text_bytes) = code.text();
        let code: Box<Box<dyn Code>> = Box::new(Box::new(code));
        let arg = Box::into_raw(code);
        let opts = ffi::brolga_unit_opts {
            name: name.as_ptr(),
            text: text.cast(),
            text_bytes,
            policy: match policy {
                Policy::Keep => ffi::BROLGA_KEEP,
                Policy::Reclaim => ffi::BROLGA_RECLAIM,
            },
            release: Some(release),
            describe: Some(describe),
            arg: arg.cast(),
        };
        let mut raw = std::ptr::null_mut();
        // SAFETY: As said; `release` takes the box.
        let code = unsafe { ffi::brolga_txn_unit(self.raw, &opts, &mut raw) };

        if code != ffi::BROLGA_OK {
            // SAFETY: On failure it is still ours.
            drop(unsafe { Box::from_raw(arg) });
        }
        check(code)?;
        Ok(self.add_unit(raw))
    }

    /// A unit that the library has staged.
    pub(super) fn add_unit(&mut self, raw: *mut ffi::brolga_unit) -> Unit {
        self.units.push(raw);
        Unit { serial: self.serial, index: self.units.len() - 1 }
    }

    pub(super) fn as_raw(&self) -> *mut ffi::brolga_txn {
        self.raw
    }

    pub(super) fn staged(&self, unit: Unit) -> Result<*mut ffi::brolga_unit> {
        if unit.serial != self.serial {
            return Err(Error::Invalid);
        }
        self.units.get(unit.index).copied().ok_or(Error::Invalid)
    }

    /// State that the transaction defines the whole of a module: what it does not
    /// define again is removed.
    pub fn replace(&mut self, module: &str) -> Result<()> {
        let module = c_string(module)?;
        // SAFETY: The text is copied.
        check(unsafe { ffi::brolga_txn_replace(self.raw, module.as_ptr()) })
    }

    /// Stage a definition: where the code of a symbol begins, in the unit's text.
    ///
    /// # Safety
    ///
    /// The code there is what the signature says to those who call it.
    pub unsafe fn define(
        &mut self,
        unit: Unit,
        module: &str,
        symbol: &str,
        signature: &str,
        code: *const u8,
    ) -> Result<Slot> {
        let unit = self.staged(unit)?;
        let [module, symbol, signature] = strings([module, symbol, signature])?;
        let mut slot = 0;

        // SAFETY: The unit is the transaction's; texts are copied.
        check(unsafe {
            ffi::brolga_txn_define(
                self.raw,
                unit,
                module.as_ptr(),
                symbol.as_ptr(),
                signature.as_ptr(),
                code.cast(),
                &mut slot,
            )
        })?;
        Ok(Slot(slot))
    }

    /// The slot that a symbol has, or will have with this transaction: for compilers,
    /// whose code has its number before there is a unit that could define or import it.
    /// It is the symbol's until the transaction ends, and beyond if it is defined or
    /// imported by then.
    pub fn slot(&mut self, module: &str, symbol: &str, signature: &str) -> Result<Slot> {
        let [module, symbol, signature] = strings([module, symbol, signature])?;
        let mut slot = 0;

        // SAFETY: Texts are copied.
        check(unsafe {
            ffi::brolga_txn_slot(
                self.raw,
                module.as_ptr(),
                symbol.as_ptr(),
                signature.as_ptr(),
                &mut slot,
            )
        })?;
        Ok(Slot(slot))
    }

    /// Stage an import: the unit's code calls a symbol through the slot that this
    /// returns. `place` is for refusals: "wordcount.cl:7".
    pub fn import(
        &mut self,
        unit: Unit,
        module: &str,
        symbol: &str,
        signature: &str,
        place: Option<&str>,
    ) -> Result<Slot> {
        let unit = self.staged(unit)?;
        let [module, symbol, signature] = strings([module, symbol, signature])?;
        let place = place.map(c_string).transpose()?;
        let mut slot = 0;

        // SAFETY: The unit is the transaction's; texts are copied.
        check(unsafe {
            ffi::brolga_txn_import(
                self.raw,
                unit,
                module.as_ptr(),
                symbol.as_ptr(),
                signature.as_ptr(),
                place.as_ref().map_or(std::ptr::null(), |place| place.as_ptr()),
                &mut slot,
            )
        })?;
        Ok(Slot(slot))
    }

    /// Have the unit pinned when it is committed; [`Committed::pins`] has the pins.
    pub fn pin(&mut self, unit: Unit) -> Result<()> {
        self.staged(unit)?;
        self.pins.push(unit);
        Ok(())
    }

    /// The library's handle of a staged unit, for calls of [`brolga_sys`] that enter
    /// something of it: `brolga_closures_add()`.
    pub fn unit_as_raw(&self, unit: Unit) -> Result<*mut ffi::brolga_unit> {
        self.staged(unit)
    }

    /// Accept callers that keep an old implementation.
    pub fn allow_stale(&mut self) {
        // SAFETY: The transaction is this thread's.
        unsafe { ffi::brolga_txn_allow_stale(self.raw) }
    }

    /// Check without committing.
    pub fn check(&mut self) -> Result<()> {
        let mut report = ffi::brolga_report::default();
        // SAFETY: The transaction is this thread's.
        let code = unsafe { ffi::brolga_txn_check(self.raw, &mut report) };

        reported(code, &report).map(drop)
    }

    /// Check, then publish all of it as the next version. It waits for nobody.
    ///
    /// [`Error::Refused`]: nothing has changed, and the staged units are gone.
    pub fn commit(self) -> Result<Committed> {
        // SAFETY: The commit ends the transaction.
        self.end(|raw, report| unsafe { ffi::brolga_txn_commit(raw, report) })
    }

    /// The same while every task stands at a safepoint, so that also those who call
    /// through cells never see one half of it.
    ///
    /// [`Error::Refused`] also if somebody did not come in time; the report says who.
    pub fn commit_barrier(self, deadline: impl Into<Deadline>) -> Result<Committed> {
        let deadline = deadline.into();
        // SAFETY: The commit ends the transaction.
        self.end(|raw, report| unsafe { ffi::brolga_txn_commit_barrier(raw, deadline.0, report) })
    }

    fn end(
        self,
        commit: impl FnOnce(*mut ffi::brolga_txn, *mut ffi::brolga_report) -> c_int,
    ) -> Result<Committed> {
        let mut this = std::mem::ManuallyDrop::new(self);
        let got = this.got.clone();
        let units = std::mem::take(&mut this.units);
        let pins = std::mem::take(&mut this.pins);
        let raw = this.raw;
        // SAFETY: It is dropped once; the vectors are empty, and `this` is never used.
        unsafe { std::ptr::drop_in_place(&mut this.got) };

        for pin in &pins {
            // SAFETY: It is staged, so it cannot go away.
            unsafe { ffi::brolga_unit_pin(units[pin.index]) };
        }
        let mut report = ffi::brolga_report::default();
        let code = commit(raw, &mut report);
        // After a refusal the units are gone, pins and all.
        let report = reported(code, &report)?;
        let pins = pins.iter().map(|pin| Pin { raw: units[pin.index], got: got.clone() });
        Ok(Committed { version: report.version, pins: pins.collect(), report })
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // SAFETY: It has not been committed.
        unsafe { ffi::brolga_txn_abort(self.raw) }
    }
}

fn strings(texts: [&str; 3]) -> Result<[CString; 3]> {
    let [a, b, c] = texts.map(c_string);
    Ok([a?, b?, c?])
}

unsafe extern "C" fn release(arg: *mut c_void) {
    // SAFETY: `arg` is the box of unit(), and this is called once.
    crate::callback(|| drop(unsafe { Box::from_raw(arg.cast::<Box<dyn Code>>()) }));
}

unsafe extern "C" fn describe(
    arg: *mut c_void,
    address: *const c_void,
    text: *mut c_char,
    bytes: usize,
) {
    // SAFETY: `arg` is the box of unit(), which has not been released.
    let code = unsafe { &*arg.cast::<Box<dyn Code>>() };
    let name = crate::callback(|| code.describe(address.cast())).flatten().unwrap_or_default();
    let mut length = name.len().min(bytes.saturating_sub(1));

    while !name.is_char_boundary(length) {
        length -= 1;
    }
    if bytes > 0 {
        // SAFETY: There is room for `bytes` bytes.
        unsafe {
            text.cast::<u8>().copy_from_nonoverlapping(name.as_ptr(), length);
            text.add(length).write(0);
        }
    }
}

/// What a commit has published.
#[derive(Debug)]
#[non_exhaustive]
pub struct Committed {
    /// The version.
    pub version: u64,
    /// One for each [`Transaction::pin`], in their order.
    pub pins: Vec<Pin>,
    /// What else is known.
    pub report: Report,
}

/// Keeps a unit of code: for closures, callbacks and timers that hold an address in it.
#[derive(Debug)]
pub struct Pin {
    raw: *mut ffi::brolga_unit,
    got: Got,
}

// SAFETY: Pins may be taken and dropped by any thread.
unsafe impl Send for Pin {}
// SAFETY: The same.
unsafe impl Sync for Pin {}

impl Pin {
    /// A pin that the library has taken.
    pub(super) fn of(raw: *mut ffi::brolga_unit, got: &Got) -> Self {
        Self { raw, got: got.clone() }
    }
}

impl Clone for Pin {
    fn clone(&self) -> Self {
        // SAFETY: There is a pin: this one.
        unsafe { ffi::brolga_unit_pin(self.raw) };
        Self { raw: self.raw, got: self.got.clone() }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // SAFETY: It drops its own pin; `got` keeps the runtime until after that.
        unsafe { ffi::brolga_unit_unpin(self.raw) }
    }
}
