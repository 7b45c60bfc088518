//! Layouts of the platform interface, version 1, as the host declares them.

use std::mem::{offset_of, size_of};

/// Every value is one word.
pub type Word = i64;

/// The version that the host speaks; it accepts no other.
pub const ABI_VERSION: u32 = 1;

#[repr(C)]
pub struct PlatformFn {
    pub name: *const u8,
    pub name_len: usize,
    pub jit_name: *const u8,
    pub jit_name_len: usize,
    pub code: *const u8,
    pub param_count: u32,
    pub type_sig: *const u8,
    pub type_sig_len: usize,
    pub docstring: *const u8,
    pub docstring_len: usize,
    pub param_names: *const *const u8,
    pub param_name_lens: *const usize,
    pub param_name_count: usize,
}

#[repr(C)]
pub struct HostCallbacks {
    pub alloc: extern "C" fn(Word) -> Word,
}

#[repr(C)]
pub struct PlatformManifest {
    pub abi_version: u32,
    pub name: *const u8,
    pub name_len: usize,
    pub version: *const u8,
    pub version_len: usize,
    pub functions: *const PlatformFn,
    pub function_count: usize,
}

/// The one symbol that the host looks up; its result comes back by value.
pub type Entry = unsafe extern "C" fn(*const HostCallbacks) -> PlatformManifest;

const _: () = {
    assert!(size_of::<PlatformFn>() == 104);
    assert!(offset_of!(PlatformFn, code) == 32);
    assert!(offset_of!(PlatformFn, param_count) == 40);
    assert!(offset_of!(PlatformFn, type_sig) == 48);
    assert!(offset_of!(PlatformFn, param_names) == 80);
    assert!(offset_of!(PlatformFn, param_name_count) == 96);
    assert!(size_of::<HostCallbacks>() == 8);
    assert!(size_of::<PlatformManifest>() == 56);
    assert!(offset_of!(PlatformManifest, functions) == 40);
};
