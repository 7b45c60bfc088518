//! Memory for machine code: written first, executed then, never both; one arena a unit.
//! This is the one file that knows where code lies.

use brolga::code::Code;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// How many arenas there are: for tests that look for leaks.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Pages of their own.
#[derive(Debug)]
pub struct Arena {
    base: usize,
    bytes: usize,
    /// Functions, in the order of their addresses: where they begin, and their names.
    functions: Mutex<Vec<(usize, String)>>,
    used: AtomicUsize,
}

impl Arena {
    /// Reserve so many bytes; memory is used as it is written.
    pub fn new(bytes: usize) -> io::Result<Arc<Self>> {
        // SAFETY: New pages.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        LIVE.fetch_add(1, Ordering::Relaxed); // Only a number.
        Ok(Arc::new(Self {
            base: base as usize,
            bytes,
            functions: Mutex::default(),
            used: AtomicUsize::new(0),
        }))
    }

    pub fn live() -> usize {
        LIVE.load(Ordering::Relaxed)
    }

    /// Put a function there; nothing once it is full. Before seal().
    pub fn add(&self, name: &str, code: &[u8]) -> Option<*const u8> {
        let mut functions = self.functions.lock().expect("nobody panics here");
        let at = self.used.load(Ordering::Relaxed); // Under the lock.

        if self.bytes - at < code.len() {
            return None;
        }
        let to = (self.base + at) as *mut u8;
        // SAFETY: There is room, and nobody else writes or executes it yet.
        unsafe { to.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
        functions.push((to as usize, name.into()));
        self.used.store((at + code.len()).next_multiple_of(16).min(self.bytes), Ordering::Relaxed);
        Some(to)
    }

    /// From here on it is executed, and not written any more.
    pub fn seal(&self) -> io::Result<()> {
        let base = self.base as *mut libc::c_void;
        // SAFETY: The pages are this arena's.
        match unsafe { libc::mprotect(base, self.bytes, libc::PROT_READ | libc::PROT_EXEC) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: The pages are this arena's, and nothing runs in them: Brolga says so.
        unsafe { libc::munmap(self.base as *mut libc::c_void, self.bytes) };
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The arena as Brolga owns it.
pub struct Owned(pub Arc<Arena>);

// SAFETY: The pages stay until the arena is dropped, executable once it is sealed, which
// is before the commit.
unsafe impl Code for Owned {
    fn text(&self) -> (*const u8, usize) {
        (self.0.base as *const u8, self.0.bytes)
    }

    fn describe(&self, address: *const u8) -> Option<String> {
        let functions = self.0.functions.lock().ok()?;
        let after = functions.partition_point(|(from, _)| *from <= address as usize);

        functions.get(after.checked_sub(1)?).map(|(_, name)| name.clone())
    }
}
