//! What the headers have as inline functions, and as macros with a cast.

use crate::{brolga_safepoint_slow, brolga_view};
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

/// A deadline that never comes.
pub const BROLGA_FOREVER: u64 = u64::MAX;
/// A deadline that has always passed.
pub const BROLGA_NOW: u64 = 0;

/// The view of the task that runs on this thread; null outside tasks.
///
/// It is read anew every time, by instructions that the compiler may not merge: a
/// task may wake up on another thread.
#[inline(always)]
pub fn brolga_view_self() -> *mut brolga_view {
    let view: *mut brolga_view;

    // SAFETY: Loads a variable of this thread's, which the library defines for all
    // threads; the same instructions stand in <brolga/arch.h>.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!(
            "mov {0}, qword ptr [rip + brolga_view_tls@GOTTPOFF]",
            "mov {0}, qword ptr fs:[{0}]",
            out(reg) view,
            options(nostack, preserves_flags),
        );
    }
    // SAFETY: The same.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!(
            "mrs {1}, tpidr_el0",
            "adrp {0}, :gottprel:brolga_view_tls",
            "ldr {0}, [{0}, :gottprel_lo12:brolga_view_tls]",
            "ldr {0}, [{1}, {0}]",
            out(reg) view,
            out(reg) _,
            options(nostack, preserves_flags),
        );
    }
    view
}

/// Whether the task must enter `brolga_safepoint_slow()`.
///
/// # Safety
///
/// `view` is the calling task's.
#[inline]
pub unsafe fn brolga_view_stale(view: *const brolga_view) -> bool {
    // SAFETY: Both words live as long as the task does, and are written atomically.
    unsafe {
        let seen = AtomicU64::from_ptr(ptr::addr_of!((*view).seen).cast_mut());
        let round = AtomicU64::from_ptr((*view).round.cast_mut());

        seen.load(Ordering::Relaxed) != round.load(Ordering::Relaxed)
    }
}

/// A safepoint: adopt a new version if there is one; let others run if this task's
/// time is up.
///
/// # Safety
///
/// The caller is a task.
#[inline]
pub unsafe fn brolga_safepoint() {
    // SAFETY: As said.
    unsafe {
        if brolga_view_stale(brolga_view_self()) {
            brolga_safepoint_slow();
        }
    }
}
