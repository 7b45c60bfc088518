//! Closures of compiled code: what their captures are, and which unit they keep.

use crate::code::{Transaction, Unit};
use crate::error::{Error, Result, c_string, check};
use crate::types::{Type, Types};
use crate::{Runtime, ffi};
use std::ffi::{CString, c_void};
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

struct Raw(NonNull<ffi::brolga_closures>);

// SAFETY: A table may be used by any thread.
unsafe impl Send for Raw {}
// SAFETY: The same.
unsafe impl Sync for Raw {}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: The runtime, which has the units, and the registry keep this.
        unsafe { ffi::brolga_closures_destroy(self.0.as_ptr()) }
    }
}

/// A table of the functions that closures are made from, and a registry of types that
/// asks it: values of it may be, or contain, closures. Clones are the same ones.
///
/// Each closure pins the unit of its code: copies and drops of the library's do so by
/// themselves, and compiled code calls [`pin`](Self::pin) when it has made one.
///
/// ```
/// use brolga::closures::{Closure, Closures};
/// use brolga::code::{Function, Policy};
/// use brolga::{Runtime, types::Model};
///
/// let rt = Runtime::new()?;
/// // SAFETY: A preset is a valid model.
/// let closures = unsafe { Closures::with_model(&rt, Model::Cranelisp.preset())? };
/// let mut block = rt.got().memory().create()?.alloc(4)?;
/// block.bytes_mut()[0] = 0xc3; // What a compiler would put there.
/// let block = block.seal()?;
/// let code = block.run();
/// let mut txn = rt.got().begin()?;
/// let functions = [Function::new("show", 0..1)];
/// // SAFETY: Nobody runs it here.
/// let unit = unsafe { txn.code_unit("app", Policy::Reclaim, block, &functions, 0..0, ())? };
/// let captures = [closures.types().parse("(Vec String)")?];
/// closures.add(&txn, unit, &[Closure { code, name: "show", captures: &captures }])?;
/// assert_eq!(closures.functions(), 1);
/// // SAFETY: The unit is staged, so that it stays.
/// unsafe {
///     closures.pin(code.cast())?;
///     closures.unpin(code.cast())?;
/// }
/// drop(txn); // The unit goes, and what was entered for it.
/// assert_eq!(closures.functions(), 0);
/// # Ok::<(), brolga::Error>(())
/// ```
#[derive(Clone)]
pub struct Closures {
    raw: Arc<Raw>,
    types: Types,
}

/// A function that closures are made from.
#[derive(Debug, Clone)]
pub struct Closure<'a> {
    /// Where it begins: what its closures hold.
    pub code: *const u8,
    /// For messages.
    pub name: &'a str,
    /// Of each capture.
    pub captures: &'a [Type],
}

impl Closures {
    /// A table for the units of a runtime, and a registry for values of a model. With
    /// other callbacks for closures, the model's are not called.
    ///
    /// # Safety
    ///
    /// As [`Types::with_model`].
    pub unsafe fn with_model(rt: &Runtime, mut model: ffi::brolga_model) -> Result<Self> {
        let mut raw = std::ptr::null_mut();

        // SAFETY: It goes after the runtime and the registry.
        check(unsafe { ffi::brolga_closures_create(&mut raw) })?;
        let raw = Arc::new(Raw(NonNull::new(raw).ok_or(Error::NoMemory)?));
        // SAFETY: The model is ours; as said.
        let types = unsafe {
            ffi::brolga_closures_model(raw.0.as_ptr(), &mut model);
            Types::create(&model, Some(raw.clone()))?
        };
        // Types of captures must outlive units.
        rt.keep(types.clone());
        Ok(Self { raw, types })
    }

    /// The registry.
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// The library's handle. It lives as long as this, the registry and the runtime.
    pub fn as_raw(&self) -> *mut ffi::brolga_closures {
        self.raw.0.as_ptr()
    }

    /// Enter functions of a unit that a transaction has staged: all of them, or none.
    /// They are there until the unit is freed.
    ///
    /// [`Error::Invalid`]: a function is not in the unit, or a type of another registry.
    pub fn add(&self, txn: &Transaction, unit: Unit, closures: &[Closure]) -> Result<()> {
        let unit = txn.unit_as_raw(unit)?;
        let of_here = |type_: &Type| type_.types().as_raw() == self.types.as_raw();
        let names = closures.iter().map(|closure| c_string(closure.name));
        let names = names.collect::<Result<Vec<CString>>>()?;
        let types: Vec<Vec<_>> = closures
            .iter()
            .map(|closure| closure.captures.iter().map(Type::as_raw).collect())
            .collect();

        if !closures.iter().flat_map(|closure| closure.captures).all(of_here) {
            return Err(Error::Invalid);
        }
        let raw: Vec<_> = closures
            .iter()
            .zip(names.iter().zip(&types))
            .map(|(closure, (name, types))| ffi::brolga_closure {
                code: closure.code.cast(),
                name: name.as_ptr(),
                captures: types.len(),
                types: types.as_ptr(),
                texts: std::ptr::null(),
            })
            .collect();
        // SAFETY: The unit is staged; all is copied, and the types stay.
        check(unsafe {
            ffi::brolga_closures_add(
                self.as_raw(),
                unit,
                std::ptr::null_mut(),
                raw.as_ptr(),
                raw.len(),
                std::ptr::null_mut(),
            )
        })
    }

    /// A closure of this code has been made: pins its unit.
    ///
    /// # Safety
    ///
    /// The caller runs the unit's code, or has a closure of it.
    pub unsafe fn pin(&self, code: *const c_void) -> Result<()> {
        // SAFETY: As said.
        check(unsafe { ffi::brolga_closures_pin(self.as_raw(), code) })
    }

    /// A closure of this code is no more.
    ///
    /// # Safety
    ///
    /// It was pinned for that closure.
    pub unsafe fn unpin(&self, code: *const c_void) -> Result<()> {
        // SAFETY: As said.
        check(unsafe { ffi::brolga_closures_unpin(self.as_raw(), code) })
    }

    /// How many functions there are in it.
    pub fn functions(&self) -> usize {
        let mut stats = ffi::brolga_closures_stats::default();
        // SAFETY: Any thread may.
        unsafe { ffi::brolga_closures_stats(self.as_raw(), &mut stats) };
        stats.functions
    }
}

impl fmt::Debug for Closures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closures").field("functions", &self.functions()).finish_non_exhaustive()
    }
}
