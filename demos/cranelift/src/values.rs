//! Values: what they look like in memory, and what the host knows of their types.
//!
//! A value is a word. Strings, vectors, closures, channels and tasks are objects: the word
//! points to the first field, the size is at -16, the count of references at -8.
//!
//! ```text
//! String              [bytes][UTF-8]
//! (Vec a)             [length][capacity][data]; data: an object of elements, or 0
//! (Fn ...)            [code][capture]...
//! (Chan a), (Task a)  [0][handle]
//! ```
//!
//! Counts are exact: whoever has a word has one reference of it, or has borrowed it from
//! who has. So Brolga may move what nothing else refers to, and copies the rest.

use crate::types::Ty;
use brolga::types::Model;
use brolga::{Closures, Error, Runtime, Type, Value, ffi};
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::mem::ManuallyDrop;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub type Word = i64;

/// From a value's word: its count.
pub const COUNT_AT: i32 = -8;

/// A type of the language, and the same in Brolga's registry.
#[derive(Debug)]
pub struct Known {
    pub ty: Ty,
    pub type_: Type,
}

type Print = dyn Fn(&str) + Send + Sync;

/// What the host's functions need that compiled code calls. It does not move, and each
/// unit keeps it.
pub struct Values {
    pub closures: Closures,
    /// Compiled code to call closures by.
    pub enter: OnceLock<crate::enter::Enter>,
    known: Mutex<HashMap<Ty, Arc<Known>>>,
    print: Box<Print>,
}

impl Values {
    /// With `counted`, [`objects`] tells how many there are.
    pub fn new(rt: &Runtime, print: Box<Print>, counted: bool) -> Result<Arc<Self>, Error> {
        let mut model = Model::Cranelisp.preset();
        model.exact_counts = true;
        if counted {
            model.allocator = &COUNTED.0;
        }
        // SAFETY: The rest is a preset's, and counts are exact: the compiler sees to it.
        let closures = unsafe { Closures::with_model(rt, model)? };
        let types = closures.types();

        // SAFETY: Words of these types are made by chan() and spawn() of natives.rs.
        unsafe {
            types.handle("ChanHandle", retain_chan, release_chan)?;
            types.handle("TaskHandle", retain_task, release_task)?;
        }
        types.define("(deftype (Chan a) (ChanRef [:ChanHandle handle]))")?;
        types.define("(deftype (Task a) (TaskRef [:TaskHandle handle]))")?;
        Ok(Arc::new(Self { closures, enter: OnceLock::new(), known: Mutex::default(), print }))
    }

    /// What is known of a type; it stays where it is.
    pub fn known(&self, ty: &Ty) -> Result<Arc<Known>, Error> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);

        if let Some(known) = all.get(ty) {
            return Ok(Arc::clone(known));
        }
        let type_ = self.closures.types().parse(&ty.to_string())?;
        let known = Arc::new(Known { ty: ty.clone(), type_ });
        all.insert(ty.clone(), Arc::clone(&known));
        Ok(known)
    }

    pub fn print(&self, text: &str) {
        (self.print)(text);
    }

    /// A new object.
    pub fn object(&self, bytes: usize) -> Word {
        // SAFETY: The registry lives as long as this.
        let word = unsafe {
            ffi::brolga_object_make(self.closures.types().as_raw(), bytes.cast_signed() as i64)
        };
        if word == 0 { fail("out of memory".into()) } else { word }
    }

    /// A new object of these words.
    pub fn object_of(&self, words: &[Word]) -> Word {
        let object = self.object(words.len() * 8);
        // SAFETY: It has room for them, and is nobody else's.
        unsafe { fields(object).copy_from_nonoverlapping(words.as_ptr(), words.len()) };
        object
    }

    /// A new string.
    pub fn text(&self, text: &[u8]) -> Word {
        let object = self.object(8 + text.len().next_multiple_of(8));
        // SAFETY: The same.
        unsafe {
            fields(object).write(text.len() as Word);
            fields(object).add(1).cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
        }
        object
    }

    /// A new closure of this code, without captures: the caller writes them.
    ///
    /// # Safety
    ///
    /// The code is a closure's that the table knows, and its unit stays during the call.
    pub unsafe fn closure(&self, code: Word, captures: usize) -> Result<Word, Error> {
        let object = self.object(8 + 8 * captures);
        // SAFETY: There is room; as said.
        unsafe {
            fields(object).write(code);
            if let Err(error) = self.closures.pin(code as *const c_void) {
                self.free(object);
                return Err(error);
            }
        }
        Ok(object)
    }

    /// Free an object alone, and nothing that it refers to.
    ///
    /// # Safety
    ///
    /// Nobody has it any more.
    pub unsafe fn free(&self, object: Word) {
        // SAFETY: As said; the registry lives as long as this.
        unsafe { ffi::brolga_object_free(self.closures.types().as_raw(), object) }
    }

    /// A new vector that has these words as its elements.
    pub fn vector(&self, words: &[Word]) -> Word {
        let length = words.len() as Word;
        let data = if words.is_empty() { 0 } else { self.object_of(words) };
        self.object_of(&[length, length, data])
    }
}

/// The fields of an object.
pub fn fields(word: Word) -> *mut Word {
    word as *mut Word
}

/// # Safety
///
/// The word is an object of the calling task's.
pub unsafe fn count(word: Word) -> *mut Word {
    // SAFETY: As said.
    unsafe { fields(word).offset(COUNT_AT as isize / 8) }
}

/// # Safety
///
/// The word is a string that stays.
pub unsafe fn as_text<'a>(word: Word) -> &'a [u8] {
    // SAFETY: As said.
    unsafe {
        let bytes = fields(word).read() as usize;
        std::slice::from_raw_parts(fields(word).add(1).cast(), bytes)
    }
}

/// # Safety
///
/// The word is a vector that stays.
pub unsafe fn elements<'a>(word: Word) -> &'a [Word] {
    // SAFETY: As said.
    unsafe {
        match fields(word).read() as usize {
            0 => &[],
            length => std::slice::from_raw_parts(fields(fields(word).add(2).read()), length),
        }
    }
}

/// The value as a person reads it.
///
/// # Safety
///
/// The word is a value of this type, and stays.
pub unsafe fn show(ty: &Ty, word: Word) -> String {
    match ty {
        Ty::Int => word.to_string(),
        Ty::Bool => (word != 0).to_string(),
        // SAFETY: As said.
        Ty::String => String::from_utf8_lossy(unsafe { as_text(word) }).into_owned(),
        Ty::Vec(of) => {
            // SAFETY: As said.
            let all: Vec<_> = unsafe { elements(word).iter().map(|&e| show(of, e)).collect() };
            format!("[{}]", all.join(" "))
        }
        ty => ty.to_string(),
    }
}

/// End the calling task as failed.
pub fn fail(text: String) -> ! {
    let mut copy = [0_u8; 240];
    let length = text.len().min(copy.len() - 1);

    copy[..length].copy_from_slice(&text.as_bytes()[..length]);
    drop(text); // Frames are left as they are.
    // SAFETY: The text ends with a NUL, and nothing in the frame has to be dropped.
    unsafe { ffi::brolga_panic(c"%s".as_ptr(), copy.as_ptr()) }
}

// --- counted objects -------------------------------------------------------------------

static OBJECTS: AtomicI64 = AtomicI64::new(0);

struct Counted(ffi::brolga_allocator);

// SAFETY: It does not change, and its functions may be called by any thread.
unsafe impl Sync for Counted {}

static COUNTED: Counted = Counted(ffi::brolga_allocator {
    alloc: Some(counted_alloc),
    free: Some(counted_free),
    arg: null_mut(),
});

unsafe extern "C" {
    fn malloc(bytes: usize) -> *mut c_void;
    fn free(block: *mut c_void);
}

/// How many objects there are in registries that count them: for tests that look for
/// leaks.
pub fn objects() -> i64 {
    OBJECTS.load(Ordering::Relaxed)
}

unsafe extern "C" fn counted_alloc(bytes: usize, _: *mut c_void) -> *mut c_void {
    OBJECTS.fetch_add(1, Ordering::Relaxed); // Only a number.
    // SAFETY: It is free() that takes it back.
    unsafe { malloc(bytes) }
}

unsafe extern "C" fn counted_free(block: *mut c_void, _: usize, _: *mut c_void) {
    OBJECTS.fetch_sub(1, Ordering::Relaxed);
    // SAFETY: It comes from malloc().
    unsafe { free(block) }
}

// --- handles -----------------------------------------------------------------------------

/// A task that was spawned; whoever awaits it first takes the handle.
pub type TaskCell = Mutex<Option<brolga::JoinHandle<Value>>>;

unsafe extern "C" fn retain_chan(word: Word, _: *mut c_void) {
    // SAFETY: The word is a channel that somebody has.
    unsafe { ffi::brolga_chan_retain(word as *mut ffi::brolga_chan) };
}

unsafe extern "C" fn release_chan(word: Word, _: *mut c_void) {
    // SAFETY: The word is a reference to a channel.
    unsafe { ffi::brolga_chan_release(word as *mut ffi::brolga_chan) };
}

unsafe extern "C" fn retain_task(word: Word, _: *mut c_void) {
    // SAFETY: The word is a cell that somebody has.
    unsafe { Arc::increment_strong_count(word as *const TaskCell) };
}

unsafe extern "C" fn release_task(word: Word, _: *mut c_void) {
    // SAFETY: The word is a reference to a cell.
    unsafe { Arc::decrement_strong_count(word as *const TaskCell) };
}

/// A value of a word that stays somebody else's.
///
/// # Safety
///
/// The word is a value of this type, which stays for as long.
pub unsafe fn borrowed(known: &Known, word: Word) -> ManuallyDrop<Value> {
    // SAFETY: It is not dropped.
    ManuallyDrop::new(unsafe { Value::from_word(&known.type_, word) })
}

// --- sites -------------------------------------------------------------------------------

/// The records of the places in a unit that send: they stay where they are.
pub struct Sites {
    file: CString,
    #[allow(clippy::vec_box)] // Code has their addresses.
    all: Vec<Box<ffi::brolga_site>>,
}

// SAFETY: What is changed in a record is changed atomically, by the library.
unsafe impl Send for Sites {}
// SAFETY: The same.
unsafe impl Sync for Sites {}

impl Sites {
    pub fn new(file: &str) -> Self {
        Self { file: CString::new(file).unwrap_or_default(), all: Vec::new() }
    }

    /// A record for a place: values are moved if nothing else refers to them.
    pub fn add(&mut self, line: u32) -> *mut ffi::brolga_site {
        let mut site = Box::new(ffi::brolga_site {
            name: c"send".as_ptr(),
            file: self.file.as_ptr(),
            line,
            mode: ffi::BROLGA_CHECK.cast_signed(),
            ..Default::default()
        });
        let at = &raw mut *site;
        self.all.push(site);
        at
    }
}

/// What places that send have done so far: how often values were moved, and what had to be
/// copied. Of all units that are there.
pub fn sends() -> String {
    unsafe extern "C" fn explain(arg: *mut c_void, site: *const ffi::brolga_site) {
        let mut text = [0_u8; 512];
        // SAFETY: `arg` is the text below; the site stays during the call.
        let all = unsafe {
            ffi::brolga_site_explain(site, text.as_mut_ptr().cast(), text.len());
            &mut *arg.cast::<String>()
        };
        let length = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        all.push_str(&String::from_utf8_lossy(&text[..length]));
    }
    let mut all = String::new();
    // SAFETY: The visitor is called before the call returns.
    unsafe { ffi::brolga_sites_each(Some(explain), (&raw mut all).cast()) };
    all
}

impl Drop for Sites {
    fn drop(&mut self) {
        for site in &self.all {
            // SAFETY: No task can run the code that uses it.
            unsafe {
                let at: *const ffi::brolga_site = &raw const **site;
                ffi::brolga_sites_forget(at.cast(), size_of::<ffi::brolga_site>());
            }
        }
    }
}
