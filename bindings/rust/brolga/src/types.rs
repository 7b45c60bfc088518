//! Values of a host language: their types, and channels of them.
//!
//! A host describes its values by types, written as `(List (Option String))`, in a
//! registry; the library then copies and drops values without the host. Rust's own
//! values need none of this: see [`Chan`](crate::Chan).

use crate::chan::release_boxed;
use crate::error::{Error, Result, array_text, c_string, check, static_text};
use brolga_sys as ffi;
use std::any::Any;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How values look in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Model {
    /// Cranelisp of February 2026: values point to their first field, counts are
    /// plain.
    #[default]
    Cranelisp,
    /// Later Cranelisp: values point to the header, counts are atomic.
    CranelispLater,
}

impl Model {
    /// The library's record of it.
    pub fn preset(self) -> ffi::brolga_model {
        // SAFETY: They only return a record.
        unsafe {
            match self {
                Self::Cranelisp => ffi::brolga_model_cranelisp(),
                Self::CranelispLater => ffi::brolga_model_cranelisp_later(),
            }
        }
    }
}

/// A registry of types, all of one model. Clones are the same one.
///
/// ```
/// use brolga::Types;
///
/// let types = Types::new(Default::default())?;
/// types.define("(deftype (Tree a) Tip (Fork [:(Tree a) left :a item :(Tree a) right]))")?;
/// let tree = types.parse("(Tree  Int)")?;
/// assert_eq!(tree.name(), "(Tree Int)");
///
/// let error = types.parse("(Tree Leaf)").unwrap_err();
/// assert!(error.to_string().starts_with("not a valid type: "));
/// # Ok::<(), brolga::Error>(())
/// ```
#[derive(Clone)]
pub struct Types(Arc<Registry>);

struct Registry {
    raw: NonNull<ffi::brolga_types>,
    /// What the model's callbacks need; it goes after the registry.
    _needs: Option<Arc<dyn Any + Send + Sync>>,
    /// Defining and parsing are for one thread at a time.
    lock: Mutex<()>,
    fields_at: isize,
}

// SAFETY: What changes a registry is under its lock; all else any thread may do.
unsafe impl Send for Registry {}
// SAFETY: The same.
unsafe impl Sync for Registry {}

impl Drop for Registry {
    fn drop(&mut self) {
        // SAFETY: Types, values and channels of it have references to it.
        unsafe { ffi::brolga_types_destroy(self.raw.as_ptr()) }
    }
}

impl Types {
    /// A registry for values of a known model, with Brolga's allocator.
    pub fn new(model: Model) -> Result<Self> {
        // SAFETY: A preset is a valid model.
        unsafe { Self::with_model(&model.preset()) }
    }

    /// A registry for values of any model.
    ///
    /// # Safety
    ///
    /// The model's callbacks do what `brolga/copy.h` says, may be called by any
    /// thread, and outlive the registry, its types and their values.
    pub unsafe fn with_model(model: &ffi::brolga_model) -> Result<Self> {
        // SAFETY: As said.
        unsafe { Self::create(model, None) }
    }

    /// # Safety
    ///
    /// As [`with_model`](Self::with_model); `needs` is kept for as long.
    pub(crate) unsafe fn create(
        model: &ffi::brolga_model,
        needs: Option<Arc<dyn Any + Send + Sync>>,
    ) -> Result<Self> {
        let mut raw = std::ptr::null_mut();

        // SAFETY: As said.
        check(unsafe { ffi::brolga_types_create(model, &mut raw) })?;
        Ok(Self(Arc::new(Registry {
            raw: NonNull::new(raw).ok_or(Error::NoMemory)?,
            _needs: needs,
            lock: Mutex::new(()),
            fields_at: model.fields_at as isize,
        })))
    }

    /// The library's handle. It lives as long as this; what changes the registry is for
    /// one thread at a time.
    pub fn as_raw(&self) -> *mut ffi::brolga_types {
        self.0.raw.as_ptr()
    }

    /// Define sum types; all of a text, or none.
    pub fn define(&self, text: &str) -> Result<()> {
        let text = c_string(text)?;
        let mut error = ffi::brolga_type_error::default();
        let _guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: One at a time, under the lock.
        let code = unsafe { ffi::brolga_types_define(self.as_raw(), text.as_ptr(), &mut error) };

        type_check(code, &error)
    }

    /// The type that a text names.
    pub fn parse(&self, text: &str) -> Result<Type> {
        let text = c_string(text)?;
        let mut error = ffi::brolga_type_error::default();
        let mut raw = std::ptr::null();
        let _guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: One at a time, under the lock.
        let code =
            unsafe { ffi::brolga_type_parse(self.as_raw(), text.as_ptr(), &mut raw, &mut error) };

        type_check(code, &error)?;
        Ok(Type { raw, types: self.clone() })
    }

    /// Let words of a name, such as `Socket`, stand for what is counted elsewhere: a copy
    /// retains, a drop releases it.
    ///
    /// # Safety
    ///
    /// The functions may be called with any such word of a value, by any thread, and do
    /// not wait.
    pub unsafe fn handle(
        &self,
        name: &str,
        retain: unsafe extern "C" fn(ffi::brolga_word, *mut c_void),
        release: unsafe extern "C" fn(ffi::brolga_word, *mut c_void),
    ) -> Result<Type> {
        let name = c_string(name)?;
        let mut raw = std::ptr::null();
        let _guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);

        // SAFETY: One at a time, under the lock.
        check(unsafe {
            ffi::brolga_type_handle(
                self.as_raw(),
                name.as_ptr(),
                Some(retain),
                Some(release),
                std::ptr::null_mut(),
                &mut raw,
            )
        })?;
        Ok(Type { raw, types: self.clone() })
    }

    /// A new `Int`.
    pub fn int(&self, value: i64) -> Result<Value> {
        // SAFETY: Any word is one.
        Ok(unsafe { Value::from_word(&self.parse("Int")?, value) })
    }

    /// A new `String`.
    pub fn string(&self, text: &str) -> Result<Value> {
        let type_ = self.parse("String")?;
        let payload = i64::try_from(8 + text.len().next_multiple_of(8)).expect("a text's length");
        // SAFETY: The object has room for the length and the bytes, which nobody else
        // sees yet.
        unsafe {
            let word = ffi::brolga_object_make(self.as_raw(), payload);
            if word == 0 {
                return Err(Error::NoMemory);
            }
            let fields = (word as *mut u8).offset(self.0.fields_at);
            fields.cast::<i64>().write(text.len() as i64);
            fields.add(8).copy_from_nonoverlapping(text.as_ptr(), text.len());
            Ok(Value::from_word(&type_, word))
        }
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Types").finish_non_exhaustive()
    }
}

/// A type of a registry.
#[derive(Clone)]
pub struct Type {
    raw: *const ffi::brolga_type,
    types: Types,
}

// SAFETY: Types do not change.
unsafe impl Send for Type {}
// SAFETY: The same.
unsafe impl Sync for Type {}

impl Type {
    /// The library's handle. It lives as long as the registry.
    pub fn as_raw(&self) -> *const ffi::brolga_type {
        self.raw
    }

    /// The type as text; parsing it gives the type back.
    pub fn name(&self) -> &str {
        // SAFETY: The text lives as long as the registry, which this keeps.
        unsafe { static_text(ffi::brolga_type_name(self.raw)) }
    }

    /// A number for its layout: equal in every process if that is.
    pub fn fingerprint(&self) -> u64 {
        // SAFETY: Any thread may.
        unsafe { ffi::brolga_type_fingerprint(self.raw) }
    }

    /// Its registry.
    pub fn types(&self) -> &Types {
        &self.types
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Type {}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One reference to a value of the host's, which nobody else reaches.
pub struct Value {
    word: ffi::brolga_word,
    type_: Type,
    /// Copying marks the value for a while: one thread at a time.
    not_sync: PhantomData<Cell<()>>,
}

impl Value {
    /// Take over one reference to a value.
    ///
    /// # Safety
    ///
    /// The word is a value of this type, and nothing else reaches any part of it that
    /// is not frozen.
    pub unsafe fn from_word(type_: &Type, word: ffi::brolga_word) -> Self {
        Self { word, type_: type_.clone(), not_sync: PhantomData }
    }

    /// The word, whose reference is the caller's from now on.
    pub fn into_word(self) -> ffi::brolga_word {
        let mut this = std::mem::ManuallyDrop::new(self);
        // SAFETY: It is dropped once; the value itself is not.
        unsafe { std::ptr::drop_in_place(&mut this.type_) };
        this.word
    }

    /// The word; the reference stays here.
    pub fn word(&self) -> ffi::brolga_word {
        self.word
    }

    /// Its type.
    pub fn type_(&self) -> &Type {
        &self.type_
    }

    /// A deep copy.
    pub fn try_clone(&self) -> Result<Self> {
        let mut word = 0;
        let mut error = ffi::brolga_copy_error::default();
        // SAFETY: The value is of this type, and the caller's.
        let code =
            unsafe { ffi::brolga_copy_word(self.type_.raw, self.word, &mut word, &mut error) };

        copy_check(code, &error)?;
        // SAFETY: A copy is nobody else's.
        Ok(unsafe { Self::from_word(&self.type_, word) })
    }

    /// The text, if it is a `String`.
    pub fn as_str(&self) -> Option<&str> {
        if self.type_.name() != "String" {
            return None;
        }
        // SAFETY: So the registry's model says of strings.
        let bytes = unsafe {
            let fields = (self.word as *const u8).offset(self.type_.types.0.fields_at);
            let length = usize::try_from(fields.cast::<i64>().read()).ok()?;
            std::slice::from_raw_parts(fields.add(8), length)
        };
        std::str::from_utf8(bytes).ok()
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: It gives up its own reference.
        unsafe { ffi::brolga_drop_word(self.type_.raw, self.word) }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("type", &self.type_).finish_non_exhaustive()
    }
}

// --- errors ------------------------------------------------------------------------

/// Where a type's text is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeError {
    /// From 1.
    pub line: u32,
    /// From 1, in bytes.
    pub column: u32,
    /// What is wrong.
    pub text: String,
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.text)
    }
}

fn type_check(code: c_int, error: &ffi::brolga_type_error) -> Result<()> {
    if code != ffi::BROLGA_ETYPE {
        return check(code);
    }
    Err(Error::Type(Box::new(TypeError {
        line: error.line,
        column: error.column,
        text: array_text(&error.text),
    })))
}

/// Which part of a value was in the way of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyError {
    /// The way to it: "field 2 of Cons -> capture 1 of closure render".
    pub path: String,
    /// What is wrong there.
    pub text: String,
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.text)
        } else {
            write!(f, "{}: {}", self.path, self.text)
        }
    }
}

pub(crate) fn copy_check(code: c_int, error: &ffi::brolga_copy_error) -> Result<()> {
    if code != ffi::BROLGA_EUNSENDABLE {
        return check(code);
    }
    Err(Error::Unsendable(Box::new(CopyError {
        path: array_text(&error.path),
        text: array_text(&error.text),
    })))
}

// --- Rust's own --------------------------------------------------------------------

/// The type of elements that are Rust's: so many bytes with an alignment, or boxes. It
/// lives as long as the process.
pub(crate) fn rust_type(layout: Option<(usize, usize)>) -> Result<*const ffi::brolga_type> {
    static TYPES: OnceLock<Types> = OnceLock::new();
    let types = match TYPES.get() {
        Some(types) => types,
        None => {
            let types = Types::new(Model::default())?;
            TYPES.get_or_init(|| types)
        }
    };
    let _guard = types.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
    let mut raw = std::ptr::null();

    // SAFETY: One at a time, under the lock. Equal ones are registered once.
    check(unsafe {
        match layout {
            Some((bytes, align)) => {
                let name = c_string(&format!("Rust{bytes}x{align}"))?;
                ffi::brolga_type_struct(types.as_raw(), name.as_ptr(), bytes, align, &mut raw)
            }
            None => ffi::brolga_type_handle(
                types.as_raw(),
                c"RustBox".as_ptr(),
                None,
                Some(release_boxed),
                std::ptr::null_mut(),
                &mut raw,
            ),
        }
    })?;
    Ok(raw)
}
