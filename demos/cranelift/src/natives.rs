//! What compiled code calls in the host.
//!
//! Arguments are borrowed unless it is said otherwise; results are the caller's. A
//! function that fails ends the task, and leaves its frames as they are: nothing in them
//! has to be dropped.

use crate::values::{
    Known, TaskCell, Values, Word, as_text, borrowed, count, elements, fail, fields, show,
};
use brolga::types::Value;
use brolga::{Runtime, ffi, par, task};
use std::ptr::{null, null_mut};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};

const FOREVER: u64 = ffi::BROLGA_FOREVER;

fn text_of(code: i32) -> String {
    // SAFETY: The library's texts are static.
    unsafe { std::ffi::CStr::from_ptr(ffi::brolga_strerror(code)) }.to_string_lossy().into_owned()
}

// --- strings and vectors -----------------------------------------------------------------

/// # Safety
///
/// So many bytes are there.
pub unsafe extern "C" fn text(values: &Values, at: *const u8, bytes: usize) -> Word {
    // SAFETY: As said.
    values.text(unsafe { std::slice::from_raw_parts(at, bytes) })
}

/// # Safety
///
/// Both are strings.
pub unsafe extern "C" fn concat(values: &Values, left: Word, right: Word) -> Word {
    // SAFETY: As said.
    let (left, right) = unsafe { (as_text(left), as_text(right)) };
    let both = values.object(8 + (left.len() + right.len()).next_multiple_of(8));
    // SAFETY: The object has room for both, and is nobody else's.
    unsafe {
        let bytes = fields(both).add(1).cast::<u8>();
        fields(both).write((left.len() + right.len()) as Word);
        bytes.copy_from_nonoverlapping(left.as_ptr(), left.len());
        bytes.add(left.len()).copy_from_nonoverlapping(right.as_ptr(), right.len());
    }
    both
}

/// # Safety
///
/// Both are strings.
pub unsafe extern "C" fn text_equal(left: Word, right: Word) -> Word {
    // SAFETY: As said.
    Word::from(unsafe { as_text(left) == as_text(right) })
}

/// # Safety
///
/// The word is a value of that type.
pub unsafe extern "C" fn show_value(values: &Values, known: &Known, word: Word) -> Word {
    // SAFETY: As said.
    values.text(unsafe { show(&known.ty, word) }.as_bytes())
}

/// # Safety
///
/// The word is a value of that type.
pub unsafe extern "C" fn print(values: &Values, known: &Known, word: Word) -> Word {
    // SAFETY: As said.
    values.print(&unsafe { show(&known.ty, word) });
    1
}

/// Takes the elements over.
///
/// # Safety
///
/// So many words are there.
pub unsafe extern "C" fn vector(values: &Values, at: *const Word, length: usize) -> Word {
    // SAFETY: As said.
    values.vector(unsafe { std::slice::from_raw_parts(at, length) })
}

pub extern "C" fn range(values: &Values, end: Word) -> Word {
    let words: Vec<Word> = (0..end).collect();
    values.vector(&words)
}

pub extern "C" fn not_there(index: Word, length: Word) -> Word {
    fail(format!("there is no element {index} in a vector of {length}"))
}

/// Takes the vector and the element over. What nothing else refers to is changed in
/// place.
///
/// # Safety
///
/// The word is a vector of such elements.
pub unsafe extern "C" fn push(values: &Values, vec: Word, element: Word, counted: Word) -> Word {
    // SAFETY: As said; what is written to is referred to by this vector alone.
    unsafe {
        let old = elements(vec);
        let (length, capacity) = (old.len(), fields(vec).add(1).read() as usize);
        let is_ours = count(vec).read() == 1;

        if is_ours && length < capacity {
            fields(fields(vec).add(2).read()).add(length).write(element);
            fields(vec).write(length as Word + 1);
            return vec;
        }
        let capacity = (2 * length).max(4);
        let data = values.object(8 * capacity);
        fields(data).copy_from_nonoverlapping(old.as_ptr(), length);
        fields(data).add(length).write(element);
        if is_ours {
            if fields(vec).add(2).read() != 0 {
                values.free(fields(vec).add(2).read());
            }
            fields(vec)
                .copy_from_nonoverlapping([length as Word + 1, capacity as Word, data].as_ptr(), 3);
            return vec;
        }
        for &element in old.iter().filter(|_| counted != 0) {
            *count(element) += 1;
        }
        *count(vec) -= 1;
        values.object_of(&[length as Word + 1, capacity as Word, data])
    }
}

// --- closures ----------------------------------------------------------------------------

/// A closure; the caller writes the captures.
///
/// # Safety
///
/// The caller runs code of the same unit.
pub unsafe extern "C" fn closure(values: &Values, code: Word, captures: usize) -> Word {
    // SAFETY: As said.
    match unsafe { values.closure(code, captures) } {
        Ok(object) => object,
        Err(error) => fail(error.to_string()),
    }
}

/// Takes `first` over.
///
/// # Safety
///
/// The closure takes such words.
pub unsafe extern "C" fn fold(
    values: &Values,
    closure: Word,
    first: Word,
    vec: Word,
    counted: Word,
) -> Word {
    let Some(enter) = values.enter.get() else { fail("the host is not ready".into()) };
    // SAFETY: As said. The vector is borrowed, so that nobody changes it.
    unsafe {
        elements(vec).iter().fold(first, |so_far, &element| {
            task::safepoint();
            *count(closure) += 1;
            if counted != 0 {
                *count(element) += 1;
            }
            (enter.closure2)(closure, so_far, element)
        })
    }
}

/// # Safety
///
/// The closure and the vector are of these types, as is the result.
pub unsafe extern "C" fn pmap(
    values: &Values,
    closure: Word,
    vec: Word,
    of: &Known,
    from: &Known,
    to: &Known,
) -> Word {
    let result = {
        let (Some(enter), Some(rt)) = (values.enter.get(), Runtime::current()) else {
            fail("there is no runtime here".into())
        };
        let counted = matches!(&from.ty, crate::types::Ty::Vec(of) if of.is_counted());
        // SAFETY: As said; both stay for as long as this waits.
        unsafe {
            let each = par::Each { function: enter.each(counted), env: &borrowed(of, closure) };
            par::pmap(&rt, &borrowed(from, vec), &each, &to.type_)
                .map_err(|error| error.to_string())
        }
    };
    match result {
        Ok(value) => value.into_word(),
        Err(text) => fail(text),
    }
}

// --- tasks -------------------------------------------------------------------------------

/// Takes the closure over; what else refers to parts of it has copies of them.
///
/// # Safety
///
/// The closure is of that type, and returns such a result.
pub unsafe extern "C" fn spawn(values: &Values, closure: Word, of: &Known, result: &Known) -> Word {
    // SAFETY: As said.
    match unsafe { start(values, closure, of, result) } {
        Ok(cell) => values.object_of(&[0, Arc::into_raw(cell) as Word]),
        Err(text) => fail(text),
    }
}

unsafe fn start(
    values: &Values,
    closure: Word,
    of: &Known,
    result: &Known,
) -> Result<Arc<TaskCell>, String> {
    let (Some(enter), Some(rt)) = (values.enter.get().copied(), Runtime::current()) else {
        return Err("there is no runtime here".into());
    };
    let mut ours = 0;
    let mut why = ffi::brolga_copy_error::default();
    // SAFETY: As said.
    let code = unsafe {
        ffi::brolga_check_word(of.type_.as_raw(), closure, &mut ours, null_mut(), &mut why)
    };
    if code != ffi::BROLGA_OK {
        return Err(format!("the function cannot go to another task: {}", why_text(&why)));
    }
    // SAFETY: Nothing else refers to any part of it now.
    let closure = unsafe { Value::from_word(&of.type_, ours) };
    let type_ = result.type_.clone();
    // SAFETY: It uses no thread-local variable. What a closure returns nobody else has:
    // the task has ended by the time it is taken.
    let task = unsafe {
        task::Builder::new().name("spawn").spawn_fiber(&rt, move || {
            let word = (enter.closure0)(closure.into_word());
            Value::from_word(&type_, word)
        })
    };
    task.map(|task| Arc::new(TaskCell::new(Some(task)))).map_err(|error| error.to_string())
}

fn why_text(why: &ffi::brolga_copy_error) -> String {
    let text = |chars: &[std::ffi::c_char]| -> String {
        chars.iter().take_while(|&&c| c != 0).map(|&c| c as u8 as char).collect()
    };
    format!("{}: {}", text(&why.path), text(&why.text))
}

/// # Safety
///
/// The word is a task.
pub unsafe extern "C" fn await_task(task: Word) -> Word {
    // SAFETY: The caller's reference keeps the cell.
    let cell = unsafe { &*(fields(task).add(1).read() as *const TaskCell) };
    let handle = cell.lock().unwrap_or_else(PoisonError::into_inner).take();
    let result = match handle {
        Some(handle) => handle.join().map_err(|error| error.to_string()),
        None => Err("the task has been awaited before".into()),
    };
    match result {
        Ok(value) => value.into_word(),
        Err(text) => fail(text),
    }
}

/// Milliseconds. A safepoint; 1 if the task has been canceled.
pub extern "C" fn sleep(ms: Word) -> Word {
    let time = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    Word::from(task::sleep(time).is_err())
}

/// Nanoseconds since the first call.
pub extern "C" fn clock() -> Word {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as Word
}

// --- channels ----------------------------------------------------------------------------

/// So many values can wait in it; without end for a negative number.
pub extern "C" fn chan(values: &Values, capacity: Word, of: &Known) -> Word {
    let opts = ffi::brolga_chan_opts {
        capacity: usize::try_from(capacity).unwrap_or(0),
        unbounded: capacity < 0,
        ..Default::default()
    };
    let mut raw = null_mut();
    // SAFETY: The type stays for as long as the host does.
    match unsafe { ffi::brolga_chan_create(of.type_.as_raw(), &opts, &mut raw) } {
        ffi::BROLGA_OK => values.object_of(&[0, raw as Word]),
        code => fail(text_of(code)),
    }
}

/// # Safety
///
/// The word is a channel.
unsafe fn handle(chan: Word) -> *mut ffi::brolga_chan {
    // SAFETY: As said.
    unsafe { fields(chan).add(1).read() as *mut ffi::brolga_chan }
}

/// Takes the value over. 1 if it was sent, 0 if the channel is closed, or the task
/// canceled.
///
/// # Safety
///
/// The word is a channel of such values, and the site is one.
pub unsafe extern "C" fn send(chan: Word, value: Word, site: *mut ffi::brolga_site) -> Word {
    let mut value = value;
    // SAFETY: As said; the caller's reference keeps the channel.
    unsafe {
        let chan = handle(chan);
        match ffi::brolga_send_site(chan, site, (&raw mut value).cast(), FOREVER) {
            ffi::BROLGA_OK => 1,
            ffi::BROLGA_ECLOSED | ffi::BROLGA_ECANCELED => {
                ffi::brolga_drop_word(ffi::brolga_chan_type(chan), value);
                0
            }
            code @ (ffi::BROLGA_EUNSENDABLE | ffi::BROLGA_EINVAL) => {
                let mut why = ffi::brolga_copy_error::default();
                ffi::brolga_send_why(chan, site, (&raw const value).cast(), &mut why);
                fail(format!("{}: {}", text_of(code), why_text(&why)))
            }
            code => fail(text_of(code)),
        }
    }
}

/// 1 if something was received, which is at `out`; 0 if the channel is closed and empty, or
/// the task canceled.
///
/// # Safety
///
/// The word is a channel, and there is room for a word.
pub unsafe extern "C" fn recv(chan: Word, out: *mut Word) -> Word {
    // SAFETY: As said; the caller's reference keeps the channel.
    match unsafe { ffi::brolga_recv_word(handle(chan), out, FOREVER) } {
        ffi::BROLGA_OK => 1,
        ffi::BROLGA_ECLOSED | ffi::BROLGA_ECANCELED => 0,
        code => fail(text_of(code)),
    }
}

/// 1 if it was open.
///
/// # Safety
///
/// The word is a channel.
pub unsafe extern "C" fn close(chan: Word) -> Word {
    // SAFETY: As said.
    let code = unsafe { ffi::brolga_chan_close(handle(chan), ffi::BROLGA_OK, null()) };
    Word::from(code == ffi::BROLGA_OK)
}

// --- entry -------------------------------------------------------------------------------

pub extern "C" fn view() -> *mut ffi::brolga_view {
    ffi::brolga_view_self()
}
