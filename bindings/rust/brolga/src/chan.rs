//! Channels of Rust values.

use crate::Deadline;
use crate::error::{Error, Result, SendError, c_string, check, text_or_none};
use crate::types::rust_type;
use brolga_sys as ffi;
use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::mem::{MaybeUninit, align_of, needs_drop, size_of};
use std::ptr::NonNull;

/// A channel. Clones are the same one.
///
/// Any `T: Send + 'static` may be sent: it moves from task to task. What is 8 bytes
/// large and owns nothing, such as `i64` and `f64`, goes as a word, and compiled code
/// may be at the other end; other values that own nothing go byte by byte, and all
/// others in a box.
///
/// Sending and receiving are for tasks: [`Error::State`] elsewhere, but for the calls
/// that do not wait. See [`Runtime::run`](crate::Runtime::run).
///
/// ```
/// let rt = brolga::Runtime::new()?;
/// let chan = brolga::Chan::bounded(2)?;
/// let writer = rt.spawn({
///     let chan = chan.clone();
///     move || {
///         for word in ["one", "two", "three"] {
///             chan.send(word.to_owned())?;
///         }
///         chan.close()
///     }
/// })?;
/// let text = rt.run("reader", || chan.iter().collect::<Vec<_>>().join(" "))?;
/// assert_eq!(text, "one two three");
/// writer.join()??;
/// # Ok::<(), brolga::Error>(())
/// ```
pub struct Chan<T> {
    raw: NonNull<ffi::brolga_chan>,
    element: PhantomData<fn(T) -> T>,
}

// SAFETY: A channel may be used by any thread, and moves values between them.
unsafe impl<T: Send> Send for Chan<T> {}
// SAFETY: The same.
unsafe impl<T: Send> Sync for Chan<T> {}

impl<T> Clone for Chan<T> {
    fn clone(&self) -> Self {
        // SAFETY: There is a reference: this one.
        unsafe { ffi::brolga_chan_retain(self.as_raw()) };
        Self { raw: self.raw, element: PhantomData }
    }
}

impl<T> Drop for Chan<T> {
    fn drop(&mut self) {
        // SAFETY: It gives up its own reference; who waits has another one.
        unsafe { ffi::brolga_chan_release(self.as_raw()) }
    }
}

impl<T> Chan<T> {
    /// The library's handle, for calls of [`brolga_sys`] and for compiled code. It
    /// lives as long as this.
    pub fn as_raw(&self) -> *mut ffi::brolga_chan {
        self.raw.as_ptr()
    }
}

/// How elements of a type cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Word,
    Bytes,
    Boxed,
}

const fn way<T>() -> Way {
    if needs_drop::<T>() || size_of::<T>() == 0 || size_of::<T>() > 256 || align_of::<T>() > 64 {
        Way::Boxed
    } else if size_of::<T>() == size_of::<ffi::brolga_word>() {
        Way::Word
    } else {
        Way::Bytes
    }
}

/// What a word stands for that goes in a box. The channel drops those that nobody has
/// received, and knows them by their head only.
#[repr(C)]
struct Boxed<T> {
    head: Head,
    value: T,
}

#[repr(C)]
pub(crate) struct Head {
    /// Takes the box.
    drop: unsafe fn(*mut Head),
}

/// # Safety
///
/// `head` is a box that nobody else has.
unsafe fn drop_boxed<T>(head: *mut Head) {
    // SAFETY: As said.
    drop(unsafe { Box::from_raw(head.cast::<Boxed<T>>()) });
}

/// What the library calls for a box that nobody has received.
pub(crate) unsafe extern "C" fn release_boxed(word: ffi::brolga_word, _arg: *mut c_void) {
    let head = word as *mut Head;
    // SAFETY: The word was sent by this file, and nobody else has it.
    crate::guard(|| unsafe { ((*head).drop)(head) });
}

/// A value on its way: what an element of the channel holds.
union Element<T> {
    word: ffi::brolga_word,
    plain: std::mem::ManuallyDrop<MaybeUninit<T>>,
}

impl<T> Element<T> {
    fn empty() -> Self {
        Self { plain: std::mem::ManuallyDrop::new(MaybeUninit::uninit()) }
    }

    fn new(value: T) -> Self {
        match const { way::<T>() } {
            Way::Boxed => {
                let boxed = Boxed { head: Head { drop: drop_boxed::<T> }, value };
                Self { word: Box::into_raw(Box::new(boxed)) as ffi::brolga_word }
            }
            Way::Word | Way::Bytes => {
                Self { plain: std::mem::ManuallyDrop::new(MaybeUninit::new(value)) }
            }
        }
    }

    /// # Safety
    ///
    /// It holds a value, which nobody else has.
    unsafe fn into_value(self) -> T {
        // SAFETY: As said; `new` has the same cases.
        unsafe {
            match const { way::<T>() } {
                Way::Boxed => Box::from_raw(self.word as *mut Boxed<T>).value,
                Way::Word | Way::Bytes => {
                    std::mem::ManuallyDrop::into_inner(self.plain).assume_init()
                }
            }
        }
    }

    fn at(&mut self) -> *mut c_void {
        (&raw mut *self).cast()
    }
}

impl<T: Send + 'static> Chan<T> {
    fn create(opts: &ffi::brolga_chan_opts) -> Result<Self> {
        let type_ = match const { way::<T>() } {
            Way::Word => std::ptr::null(),
            Way::Bytes => rust_type(Some((size_of::<T>(), align_of::<T>())))?,
            Way::Boxed => rust_type(None)?,
        };
        let mut raw = std::ptr::null_mut();

        // SAFETY: The type lives as long as the process.
        check(unsafe { ffi::brolga_chan_create(type_, opts, &mut raw) })?;
        Ok(Self { raw: NonNull::new(raw).ok_or(Error::NoMemory)?, element: PhantomData })
    }

    /// A channel in which so many values wait; with 0 a send ends when a receiver has
    /// taken the value.
    pub fn bounded(capacity: usize) -> Result<Self> {
        Self::create(&ffi::brolga_chan_opts { capacity, ..Default::default() })
    }

    /// A channel in which any number of values wait.
    pub fn unbounded() -> Result<Self> {
        Self::create(&ffi::brolga_chan_opts { unbounded: true, ..Default::default() })
    }

    /// A channel that takes one value and closes itself: for an answer.
    pub fn one_shot() -> Result<Self> {
        Self::create(&ffi::brolga_chan_opts { one_shot: true, ..Default::default() })
    }

    /// A bounded channel with a name, which reports show.
    pub fn named(name: &str, capacity: usize) -> Result<Self> {
        let name = c_string(name)?;
        let opts = ffi::brolga_chan_opts { name: name.as_ptr(), capacity, ..Default::default() };

        Self::create(&opts)
    }

    /// Send a value; wait until it is in the channel or, at a rendezvous, taken.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_by(value, Deadline::NEVER)
    }

    /// The same until a deadline.
    pub fn send_by(&self, value: T, deadline: impl Into<Deadline>) -> Result<(), SendError<T>> {
        let deadline = deadline.into();
        // SAFETY: The element is of the channel's type.
        Self::given(value, |elem| unsafe { ffi::brolga_give(self.as_raw(), elem, deadline.0) })
    }

    /// Send a value if that is possible at once. Not only for tasks.
    pub fn try_send(&self, value: T) -> Result<(), SendError<T>> {
        // SAFETY: The element is of the channel's type.
        Self::given(value, |elem| unsafe { ffi::brolga_try_give(self.as_raw(), elem) })
    }

    fn given(
        value: T,
        give: impl FnOnce(*mut c_void) -> std::ffi::c_int,
    ) -> Result<(), SendError<T>> {
        let mut element = Element::new(value);
        let code = give(element.at());

        // SAFETY: What was not sent is still the caller's.
        check(code).map_err(|error| SendError { value: unsafe { element.into_value() }, error })
    }

    /// Receive the oldest value; wait for one if there is none.
    pub fn recv(&self) -> Result<T> {
        self.recv_by(Deadline::NEVER)
    }

    /// The same until a deadline.
    pub fn recv_by(&self, deadline: impl Into<Deadline>) -> Result<T> {
        let mut element = Element::empty();
        let deadline = deadline.into();

        // SAFETY: The element has the size of the channel's, and then a value.
        unsafe {
            check(ffi::brolga_recv(self.as_raw(), element.at(), deadline.0))?;
            Ok(element.into_value())
        }
    }

    /// Receive a value if there is one. Not only for tasks.
    pub fn try_recv(&self) -> Result<T> {
        let mut element = Element::empty();

        // SAFETY: As in recv_by().
        unsafe {
            check(ffi::brolga_try_recv(self.as_raw(), element.at()))?;
            Ok(element.into_value())
        }
    }

    /// Receive until the channel is closed and drained, or the task canceled.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.recv().ok())
    }

    /// Close it: sends fail from now on; receivers get what is in it, and then
    /// [`Error::Closed`].
    pub fn close(&self) -> Result<()> {
        // SAFETY: Without a text.
        check(unsafe { ffi::brolga_chan_close(self.as_raw(), ffi::BROLGA_OK, std::ptr::null()) })
    }

    /// The same with a reason.
    pub fn close_because(&self, code: i32, text: &str) -> Result<()> {
        let text = c_string(text)?;
        // SAFETY: The text is copied.
        check(unsafe { ffi::brolga_chan_close(self.as_raw(), code, text.as_ptr()) })
    }

    /// Why it was closed, if it is.
    pub fn reason(&self) -> Option<(i32, String)> {
        let mut code = 0;
        let mut text: [c_char; 160] = [0; 160];
        // SAFETY: At most so many bytes are written.
        let err = unsafe {
            ffi::brolga_chan_reason(self.as_raw(), &mut code, text.as_mut_ptr(), text.len())
        };

        (err == ffi::BROLGA_OK).then(|| (code, crate::error::array_text(&text)))
    }

    /// Become one of its counted senders: when the last one has gone, it is closed.
    pub fn sender(&self) -> Result<Sender<T>> {
        End::join(self, ffi::BROLGA_SEND).map(Sender)
    }

    /// Become one of its counted receivers: when the last one has gone, it is closed,
    /// and what is in it is dropped.
    pub fn receiver(&self) -> Result<Receiver<T>> {
        End::join(self, ffi::BROLGA_RECV).map(Receiver)
    }

    /// How many values are in it.
    pub fn len(&self) -> usize {
        let mut stats = ffi::brolga_chan_stats::default();
        // SAFETY: Any thread that has a reference may.
        unsafe { ffi::brolga_chan_stats(self.as_raw(), &mut stats) };
        stats.depth
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name it was created with, or nothing.
    pub fn name(&self) -> String {
        // SAFETY: It lives as long as the channel.
        unsafe { text_or_none(ffi::brolga_chan_name(self.as_raw())) }.unwrap_or_default()
    }
}

impl<T> fmt::Debug for Chan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: It lives as long as the channel.
        let name = unsafe { CStr::from_ptr(ffi::brolga_chan_name(self.as_raw())) };
        f.debug_struct("Chan").field("name", &name).finish_non_exhaustive()
    }
}

// --- ends ------------------------------------------------------------------------

/// Both ends of a bounded channel. It is closed when the last of one kind has gone.
///
/// ```
/// let rt = brolga::Runtime::new()?;
/// let (sender, receiver) = brolga::channel(4)?;
/// let writer = rt.spawn(move || (1..=3).try_for_each(|n| sender.send(n)))?;
/// assert_eq!(rt.run("reader", || receiver.iter().sum::<i64>())?, 6);
/// writer.join()??;
/// # Ok::<(), brolga::Error>(())
/// ```
pub fn channel<T: Send + 'static>(capacity: usize) -> Result<(Sender<T>, Receiver<T>)> {
    let chan = Chan::bounded(capacity)?;
    Ok((chan.sender()?, chan.receiver()?))
}

/// One counted end.
struct End<T: Send + 'static> {
    chan: Chan<T>,
    end: ffi::brolga_op,
    /// Not if it is a clone that came when the channel was closed: nobody counts then.
    counted: bool,
}

impl<T: Send + 'static> End<T> {
    fn join(chan: &Chan<T>, end: ffi::brolga_op) -> Result<Self> {
        // SAFETY: It ends with brolga_chan_leave(), once.
        check(unsafe { ffi::brolga_chan_join(chan.as_raw(), end) })?;
        Ok(Self { chan: chan.clone(), end, counted: true })
    }
}

impl<T: Send + 'static> Clone for End<T> {
    fn clone(&self) -> Self {
        Self::join(&self.chan, self.end).unwrap_or_else(|_| Self {
            chan: self.chan.clone(),
            end: self.end,
            counted: false,
        })
    }
}

impl<T: Send + 'static> Drop for End<T> {
    fn drop(&mut self) {
        if !self.counted {
            return;
        }
        // SAFETY: It has joined this end.
        unsafe {
            ffi::brolga_chan_leave(self.chan.as_raw(), self.end, ffi::BROLGA_OK, std::ptr::null())
        }
    }
}

/// A counted sender of a [`Chan`], which it can be used as. Clones count, too.
pub struct Sender<T: Send + 'static>(End<T>);

/// A counted receiver of a [`Chan`], which it can be used as. Clones count, too.
pub struct Receiver<T: Send + 'static>(End<T>);

impl<T: Send + 'static> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> std::ops::Deref for Sender<T> {
    type Target = Chan<T>;
    fn deref(&self) -> &Chan<T> {
        &self.0.chan
    }
}

impl<T: Send + 'static> std::ops::Deref for Receiver<T> {
    type Target = Chan<T>;
    fn deref(&self) -> &Chan<T> {
        &self.0.chan
    }
}

impl<T: Send + 'static> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.0.chan).finish()
    }
}

impl<T: Send + 'static> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.0.chan).finish()
    }
}
