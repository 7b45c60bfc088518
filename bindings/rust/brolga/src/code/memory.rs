//! Code memory: blocks that a compiler writes, then runs, then gives up.

use super::{Got, Policy, Transaction, Unit};
use crate::Runtime;
use crate::error::{Error, Result, c_string, check};
use brolga_sys as ffi;
use std::any::Any;
use std::ffi::{CString, c_void};
use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

struct Raw(NonNull<ffi::brolga_code>);

// SAFETY: A code memory may be used by any thread.
unsafe impl Send for Raw {}
// SAFETY: The same.
unsafe impl Sync for Raw {}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: The runtime keeps this until its table has gone, and blocks do. If
        // anything is left, the range stays.
        unsafe { ffi::brolga_code_destroy(self.0.as_ptr()) };
    }
}

/// One range of addresses for all code of a host. Clones are the same one.
///
/// ```
/// use brolga::Runtime;
/// use brolga::code::{Function, Policy};
///
/// let rt = Runtime::new()?;
/// let memory = rt.got().memory().create()?;
/// // What a compiler would make of: return 42.
/// # #[cfg(target_arch = "x86_64")]
/// let answer = [0xb8, 42, 0, 0, 0, 0xc3]; // mov $42, %eax; ret
/// # #[cfg(target_arch = "aarch64")]
/// # let answer = [0x40, 0x05, 0x80, 0xd2, 0xc0, 0x03, 0x5f, 0xd6];
/// let mut block = memory.alloc(answer.len())?;
/// block.bytes_mut()[..answer.len()].copy_from_slice(&answer);
/// let block = block.seal()?;
/// let entry = block.run();
///
/// let mut txn = rt.got().begin()?;
/// let functions = [Function::new("answer", 0..answer.len()).at("app.lisp", 1)];
/// // SAFETY: The code is what it says it is, and nothing else has addresses in it.
/// let unit = unsafe { txn.code_unit("app", Policy::Reclaim, block, &functions, 0..0, ())? };
/// // SAFETY: The function there has this signature.
/// let slot = unsafe { txn.define(unit, "app", "answer", "(Fn [] Int)", entry)? };
/// txn.commit()?;
/// // SAFETY: It takes no argument, so it does not matter that it gets one.
/// let task = unsafe { rt.spawn_slot(slot, std::ptr::null_mut())? };
/// assert_eq!(task.join()?, 42);
/// # Ok::<(), brolga::Error>(())
/// ```
#[derive(Clone)]
pub struct Memory {
    raw: Arc<Raw>,
    /// Blocks are given back to it.
    _rt: Runtime,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stats().fmt(f)
    }
}

/// Options of a [`Memory`].
#[derive(Debug)]
pub struct MemoryBuilder {
    got: Got,
    opts: ffi::brolga_code_opts,
}

impl Got {
    /// Reserve memory for code: the options, and then
    /// [`create`](MemoryBuilder::create).
    pub fn memory(&self) -> MemoryBuilder {
        MemoryBuilder { got: self.clone(), opts: ffi::brolga_code_opts::default() }
    }
}

impl MemoryBuilder {
    /// Addresses for all code that there is at one time; 128 MiB if it is not said.
    pub fn reserve_bytes(mut self, bytes: usize) -> Self {
        self.opts.reserve_bytes = bytes;
        self
    }

    /// Be so close to this address that 32-bit offsets reach it.
    pub fn near(mut self, address: *const c_void) -> Self {
        self.opts.near = address;
        self
    }

    /// Use the addresses of freed blocks not again before so many bytes have been freed
    /// after them.
    pub fn quarantine_bytes(mut self, bytes: usize) -> Self {
        self.opts.quarantine_bytes = bytes;
        self
    }

    /// Tell debuggers of units.
    pub fn debugger(mut self, on: bool) -> Self {
        self.opts.debugger = on;
        self
    }

    /// Tell perf of units, by `/tmp/perf-PID.map`.
    pub fn perf_map(mut self, on: bool) -> Self {
        self.opts.perf_map = on;
        self
    }

    /// Tell perf of units and their code, by `jit-PID.dump`.
    pub fn jitdump(mut self, on: bool) -> Self {
        self.opts.jitdump = on;
        self
    }

    /// Reserve it.
    pub fn create(self) -> Result<Memory> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: It goes after the runtime.
        check(unsafe { ffi::brolga_code_create(self.got.as_raw(), &self.opts, &mut raw) })?;
        let raw = Arc::new(Raw(NonNull::new(raw).ok_or(Error::NoMemory)?));
        let rt = self.got.rt;

        rt.keep(raw.clone());
        Ok(Memory { raw, _rt: rt })
    }
}

impl Memory {
    /// Take a block of at least so many bytes, zeroed.
    pub fn alloc(&self, bytes: usize) -> Result<Block> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: Any thread may.
        check(unsafe { ffi::brolga_code_alloc(self.raw.0.as_ptr(), bytes, &mut raw) })?;
        Ok(Block { raw: NonNull::new(raw).ok_or(Error::NoMemory)?, _memory: self.clone() })
    }

    /// How full it is.
    pub fn stats(&self) -> MemoryStats {
        let mut raw = ffi::brolga_code_stats::default();
        // SAFETY: Any thread may.
        unsafe { ffi::brolga_code_stats(self.raw.0.as_ptr(), &mut raw) };
        MemoryStats {
            reserved_bytes: raw.reserved_bytes,
            used_bytes: raw.used_bytes,
            waiting_bytes: raw.waiting_bytes,
            blocks: raw.blocks,
            allocated: raw.allocated,
            two_places: raw.two_places,
            visible: match raw.sync {
                ffi::BROLGA_CODE_SYNC_CORES => Visible::Cores,
                ffi::BROLGA_CODE_SYNC_SLOWLY => Visible::Slowly,
                _ => Visible::Safepoints,
            },
        }
    }
}

/// How other processors come to see new code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visible {
    /// Sealing makes all of them see it.
    Cores,
    /// The same, in milliseconds.
    Slowly,
    /// Tasks see it from their next safepoint on: it must not be reached but by views.
    Safepoints,
}

/// How full a code memory is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Addresses.
    pub reserved_bytes: usize,
    /// Of these, blocks that were not freed.
    pub used_bytes: usize,
    /// Freed ones that are not used again yet.
    pub waiting_bytes: usize,
    /// How many were not freed.
    pub blocks: u32,
    /// Blocks, ever.
    pub allocated: u64,
    /// Blocks are written in another place than they run in.
    pub two_places: bool,
    /// How other processors come to see new code.
    pub visible: Visible,
}

/// A block that is being written. Dropped, it is freed.
#[derive(Debug)]
pub struct Block {
    raw: NonNull<ffi::brolga_code_block>,
    _memory: Memory,
}

// SAFETY: A block is used by one thread at a time, and that may change.
unsafe impl Send for Block {}

impl Block {
    /// Where it will run: its addresses mean this place.
    pub fn run(&self) -> *const u8 {
        // SAFETY: It has not been freed.
        unsafe { self.raw.as_ref().run.cast() }
    }

    /// What it is to be.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: It is not sealed, and so many bytes of it can be written.
        unsafe {
            let block = self.raw.as_ref();
            std::slice::from_raw_parts_mut(block.write.cast(), block.bytes)
        }
    }

    /// End the writing, and let it run.
    pub fn seal(self) -> Result<Sealed> {
        // SAFETY: It is not sealed, and nobody has a reference to its bytes.
        check(unsafe { ffi::brolga_code_seal(self.raw.as_ptr()) })?;
        Ok(Sealed(self))
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: No unit was made from it, so nobody runs it.
        unsafe { ffi::brolga_code_free(self.raw.as_ptr()) }
    }
}

/// A block that can run: [`Transaction::code_unit`] makes a unit of it. Dropped, it is
/// freed.
#[derive(Debug)]
pub struct Sealed(Block);

impl Sealed {
    /// Where it runs.
    pub fn run(&self) -> *const u8 {
        self.0.run()
    }
}

/// A function in a block, for reports, debuggers and profilers.
#[derive(Debug, Clone)]
pub struct Function {
    name: String,
    bytes: Range<usize>,
    place: Option<(String, u32)>,
}

impl Function {
    /// A function that is there, from the beginning of the block.
    pub fn new(name: impl Into<String>, bytes: Range<usize>) -> Self {
        Self { name: name.into(), bytes, place: None }
    }

    /// Where it comes from.
    pub fn at(mut self, file: impl Into<String>, line: u32) -> Self {
        self.place = Some((file.into(), line));
        self
    }
}

impl Transaction {
    /// Stage a unit whose text is a block. `frames` is where in it a section `.eh_frame`
    /// lies, with its end, for unwinders; empty: there is none. `kept` is dropped before
    /// the block is freed: what its code points to.
    ///
    /// # Safety
    ///
    /// The code can be executed, and the frames are what it says. With
    /// [`Policy::Reclaim`], nothing but stacks holds an address in it after its functions
    /// have returned, unless it is pinned.
    pub unsafe fn code_unit<K: Send + Sync + 'static>(
        &mut self,
        name: &str,
        policy: Policy,
        block: Sealed,
        functions: &[Function],
        frames: Range<usize>,
        kept: K,
    ) -> Result<Unit> {
        let name = c_string(name)?;
        let texts = functions.iter().map(|function| {
            let file = function.place.as_ref().map(|(file, _)| c_string(file)).transpose()?;
            Ok((c_string(&function.name)?, file))
        });
        let texts = texts.collect::<Result<Vec<_>>>()?;
        let functions: Vec<_> = functions.iter().zip(&texts).map(raw_function).collect();
        let kept: Box<Box<dyn Any + Send + Sync>> = Box::new(Box::new(kept));
        let arg = Box::into_raw(kept);
        let opts = ffi::brolga_code_unit_opts {
            name: name.as_ptr(),
            policy: match policy {
                Policy::Keep => ffi::BROLGA_KEEP,
                Policy::Reclaim => ffi::BROLGA_RECLAIM,
            },
            release: Some(release),
            arg: arg.cast(),
            functions: functions.as_ptr(),
            function_count: functions.len(),
            frames_offset: frames.start,
            frames_bytes: frames.len(),
            ..Default::default()
        };
        let mut raw = std::ptr::null_mut();
        // SAFETY: As said; on success the block is the unit's, and `release` takes the box.
        let code =
            unsafe { ffi::brolga_code_unit(self.as_raw(), block.0.raw.as_ptr(), &opts, &mut raw) };

        if code != ffi::BROLGA_OK {
            // SAFETY: On failure it is still ours.
            drop(unsafe { Box::from_raw(arg) });
            return Err(check(code).unwrap_err());
        }
        let mut block = std::mem::ManuallyDrop::new(block);
        // SAFETY: It is dropped once; the block itself is not, and never used.
        unsafe { std::ptr::drop_in_place(&mut block.0._memory) };
        Ok(self.add_unit(raw))
    }
}

fn raw_function(
    (function, (name, file)): (&Function, &(CString, Option<CString>)),
) -> ffi::brolga_code_function {
    ffi::brolga_code_function {
        name: name.as_ptr(),
        offset: function.bytes.start,
        bytes: function.bytes.len(),
        file: file.as_ref().map_or(std::ptr::null(), |file| file.as_ptr()),
        line: function.place.as_ref().map_or(0, |(_, line)| *line as i32),
    }
}

unsafe extern "C" fn release(arg: *mut c_void) {
    // SAFETY: `arg` is the box of code_unit(), and this is called once.
    let kept = unsafe { Box::from_raw(arg.cast::<Box<dyn Any + Send + Sync>>()) };
    crate::callback(|| drop(kept));
}
