// Made by bindings/rust/bindgen.sh from the headers; do not edit.
pub const BROLGA_VERSION_MAJOR: u32 = 0;
pub const BROLGA_VERSION_MINOR: u32 = 1;
pub const BROLGA_VERSION_PATCH: u32 = 0;
pub const BROLGA_ABI: u32 = 1;
pub const BROLGA_CONFLICTS_MAX: u32 = 8;
pub const BROLGA_SMALL_TAGS_MAX: u32 = 65536;
pub const BROLGA_CAPTURES_MAX: u32 = 65536;
pub const BROLGA_NO_WORKERS: u32 = 4294967295;
pub const BROLGA_DONE: u32 = 1;
pub const BROLGA_SELECT_MAX: u32 = 64;
pub const BROLGA_EACH_BYTES_MAX: u32 = 4096;
pub const BROLGA_SUBSCRIPTION_CAPACITY: u32 = 16;
pub type brolga_word = i64;
pub const BROLGA_OK: brolga_error = 0;
pub const BROLGA_ENOMEM: brolga_error = -1;
pub const BROLGA_EINVAL: brolga_error = -2;
pub const BROLGA_EAGAIN: brolga_error = -3;
pub const BROLGA_ETIMEOUT: brolga_error = -4;
pub const BROLGA_ECLOSED: brolga_error = -5;
pub const BROLGA_ECANCELED: brolga_error = -6;
pub const BROLGA_EFAILED: brolga_error = -7;
pub const BROLGA_ENOENT: brolga_error = -8;
pub const BROLGA_EEXIST: brolga_error = -9;
pub const BROLGA_EBUSY: brolga_error = -10;
pub const BROLGA_ELIMIT: brolga_error = -11;
pub const BROLGA_EREFUSED: brolga_error = -12;
pub const BROLGA_ETYPE: brolga_error = -13;
pub const BROLGA_EUNSENDABLE: brolga_error = -14;
pub const BROLGA_EIO: brolga_error = -15;
pub const BROLGA_ENOTSUP: brolga_error = -16;
pub const BROLGA_EBUILD: brolga_error = -17;
pub const BROLGA_ESTATE: brolga_error = -18;
pub const BROLGA_EDEADLOCK: brolga_error = -19;
pub type brolga_error = ::core::ffi::c_int;
pub type brolga_shared_int = i32;
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct brolga_stress {
    pub reload: u32,
    pub abort: u32,
    pub scan: bool,
    pub quarantine: u32,
    pub seed: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_stress"][::core::mem::size_of::<brolga_stress>() - 24usize];
    ["Alignment of brolga_stress"][::core::mem::align_of::<brolga_stress>() - 8usize];
    ["Offset of field: brolga_stress::reload"]
        [::core::mem::offset_of!(brolga_stress, reload) - 0usize];
    ["Offset of field: brolga_stress::abort"]
        [::core::mem::offset_of!(brolga_stress, abort) - 4usize];
    ["Offset of field: brolga_stress::scan"][::core::mem::offset_of!(brolga_stress, scan) - 8usize];
    ["Offset of field: brolga_stress::quarantine"]
        [::core::mem::offset_of!(brolga_stress, quarantine) - 12usize];
    ["Offset of field: brolga_stress::seed"]
        [::core::mem::offset_of!(brolga_stress, seed) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_epoch {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_epoch_member {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_epoch_node {
    pub next: *mut brolga_epoch_node,
    pub round: u64,
    pub reclaim: ::core::option::Option<unsafe extern "C" fn(node: *mut brolga_epoch_node)>,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_epoch_node"][::core::mem::size_of::<brolga_epoch_node>() - 24usize];
    ["Alignment of brolga_epoch_node"][::core::mem::align_of::<brolga_epoch_node>() - 8usize];
    ["Offset of field: brolga_epoch_node::next"]
        [::core::mem::offset_of!(brolga_epoch_node, next) - 0usize];
    ["Offset of field: brolga_epoch_node::round"]
        [::core::mem::offset_of!(brolga_epoch_node, round) - 8usize];
    ["Offset of field: brolga_epoch_node::reclaim"]
        [::core::mem::offset_of!(brolga_epoch_node, reclaim) - 16usize];
};
impl Default for brolga_epoch_node {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_got {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_unit {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_txn {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_cells {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_pin {
    _unused: [u8; 0],
}
pub type brolga_slot = u32;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_view {
    pub slots: *const *const ::core::ffi::c_void,
    pub seen: u64,
    pub round: *const u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_view"][::core::mem::size_of::<brolga_view>() - 24usize];
    ["Alignment of brolga_view"][::core::mem::align_of::<brolga_view>() - 8usize];
    ["Offset of field: brolga_view::slots"][::core::mem::offset_of!(brolga_view, slots) - 0usize];
    ["Offset of field: brolga_view::seen"][::core::mem::offset_of!(brolga_view, seen) - 8usize];
    ["Offset of field: brolga_view::round"][::core::mem::offset_of!(brolga_view, round) - 16usize];
};
impl Default for brolga_view {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const BROLGA_KEEP: brolga_policy = 0;
pub const BROLGA_RECLAIM: brolga_policy = 1;
pub type brolga_policy = ::core::ffi::c_uint;
pub const BROLGA_COMPAT_FRESH: brolga_compat = 0;
pub const BROLGA_COMPAT_PATCH: brolga_compat = 1;
pub const BROLGA_COMPAT_REFUSE: brolga_compat = 2;
pub type brolga_compat = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_got_opts {
    pub slots_max: u32,
    pub versions_max: u32,
    pub retired_bytes_max: usize,
    pub history: u32,
    pub stress_abort: u32,
    pub stress_seed: u64,
    pub compatible: ::core::option::Option<
        unsafe extern "C" fn(
            arg: *mut ::core::ffi::c_void,
            module: *const ::core::ffi::c_char,
            symbol: *const ::core::ffi::c_char,
            old_sig: *const ::core::ffi::c_char,
            new_sig: *const ::core::ffi::c_char,
        ) -> brolga_compat,
    >,
    pub arg: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_got_opts"][::core::mem::size_of::<brolga_got_opts>() - 48usize];
    ["Alignment of brolga_got_opts"][::core::mem::align_of::<brolga_got_opts>() - 8usize];
    ["Offset of field: brolga_got_opts::slots_max"]
        [::core::mem::offset_of!(brolga_got_opts, slots_max) - 0usize];
    ["Offset of field: brolga_got_opts::versions_max"]
        [::core::mem::offset_of!(brolga_got_opts, versions_max) - 4usize];
    ["Offset of field: brolga_got_opts::retired_bytes_max"]
        [::core::mem::offset_of!(brolga_got_opts, retired_bytes_max) - 8usize];
    ["Offset of field: brolga_got_opts::history"]
        [::core::mem::offset_of!(brolga_got_opts, history) - 16usize];
    ["Offset of field: brolga_got_opts::stress_abort"]
        [::core::mem::offset_of!(brolga_got_opts, stress_abort) - 20usize];
    ["Offset of field: brolga_got_opts::stress_seed"]
        [::core::mem::offset_of!(brolga_got_opts, stress_seed) - 24usize];
    ["Offset of field: brolga_got_opts::compatible"]
        [::core::mem::offset_of!(brolga_got_opts, compatible) - 32usize];
    ["Offset of field: brolga_got_opts::arg"]
        [::core::mem::offset_of!(brolga_got_opts, arg) - 40usize];
};
impl Default for brolga_got_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const BROLGA_REFUSED_NOT: brolga_refusal = 0;
pub const BROLGA_REFUSED_DUPLICATE: brolga_refusal = 1;
pub const BROLGA_REFUSED_IMPORT: brolga_refusal = 2;
pub const BROLGA_REFUSED_SIGNATURE: brolga_refusal = 3;
pub const BROLGA_REFUSED_IMPORTERS: brolga_refusal = 4;
pub const BROLGA_REFUSED_COMPAT: brolga_refusal = 5;
pub const BROLGA_REFUSED_LIMIT: brolga_refusal = 6;
pub const BROLGA_REFUSED_MEMORY: brolga_refusal = 7;
pub const BROLGA_REFUSED_BARRIER: brolga_refusal = 8;
pub const BROLGA_REFUSED_HISTORY: brolga_refusal = 9;
pub const BROLGA_REFUSED_LOAD: brolga_refusal = 10;
pub const BROLGA_REFUSED_HEADER: brolga_refusal = 11;
pub const BROLGA_REFUSED_VETO: brolga_refusal = 12;
pub const BROLGA_REFUSED_HOOK: brolga_refusal = 13;
pub const BROLGA_REFUSED_STATE: brolga_refusal = 14;
pub const BROLGA_REFUSED_MESSAGES: brolga_refusal = 15;
pub const BROLGA_REFUSED_STRESS: brolga_refusal = 16;
pub type brolga_refusal = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_conflict {
    pub importer: [::core::ffi::c_char; 48usize],
    pub where_: [::core::ffi::c_char; 64usize],
    pub module: [::core::ffi::c_char; 48usize],
    pub symbol: [::core::ffi::c_char; 64usize],
    pub signature: [::core::ffi::c_char; 96usize],
    pub defined: [::core::ffi::c_char; 96usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_conflict"][::core::mem::size_of::<brolga_conflict>() - 416usize];
    ["Alignment of brolga_conflict"][::core::mem::align_of::<brolga_conflict>() - 1usize];
    ["Offset of field: brolga_conflict::importer"]
        [::core::mem::offset_of!(brolga_conflict, importer) - 0usize];
    ["Offset of field: brolga_conflict::where_"]
        [::core::mem::offset_of!(brolga_conflict, where_) - 48usize];
    ["Offset of field: brolga_conflict::module"]
        [::core::mem::offset_of!(brolga_conflict, module) - 112usize];
    ["Offset of field: brolga_conflict::symbol"]
        [::core::mem::offset_of!(brolga_conflict, symbol) - 160usize];
    ["Offset of field: brolga_conflict::signature"]
        [::core::mem::offset_of!(brolga_conflict, signature) - 224usize];
    ["Offset of field: brolga_conflict::defined"]
        [::core::mem::offset_of!(brolga_conflict, defined) - 320usize];
};
impl Default for brolga_conflict {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_report {
    pub refusal: brolga_refusal,
    pub version: u64,
    pub commit_ns: u64,
    pub text: [::core::ffi::c_char; 1024usize],
    pub waited_ns: u64,
    pub stood_ns: u64,
    pub task: u64,
    pub task_name: [::core::ffi::c_char; 32usize],
    pub function: [::core::ffi::c_char; 64usize],
    pub hook: [::core::ffi::c_char; 48usize],
    pub after: [::core::ffi::c_char; 256usize],
    pub conflicts: u32,
    pub conflict: [brolga_conflict; 8usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_report"][::core::mem::size_of::<brolga_report>() - 4808usize];
    ["Alignment of brolga_report"][::core::mem::align_of::<brolga_report>() - 8usize];
    ["Offset of field: brolga_report::refusal"]
        [::core::mem::offset_of!(brolga_report, refusal) - 0usize];
    ["Offset of field: brolga_report::version"]
        [::core::mem::offset_of!(brolga_report, version) - 8usize];
    ["Offset of field: brolga_report::commit_ns"]
        [::core::mem::offset_of!(brolga_report, commit_ns) - 16usize];
    ["Offset of field: brolga_report::text"]
        [::core::mem::offset_of!(brolga_report, text) - 24usize];
    ["Offset of field: brolga_report::waited_ns"]
        [::core::mem::offset_of!(brolga_report, waited_ns) - 1048usize];
    ["Offset of field: brolga_report::stood_ns"]
        [::core::mem::offset_of!(brolga_report, stood_ns) - 1056usize];
    ["Offset of field: brolga_report::task"]
        [::core::mem::offset_of!(brolga_report, task) - 1064usize];
    ["Offset of field: brolga_report::task_name"]
        [::core::mem::offset_of!(brolga_report, task_name) - 1072usize];
    ["Offset of field: brolga_report::function"]
        [::core::mem::offset_of!(brolga_report, function) - 1104usize];
    ["Offset of field: brolga_report::hook"]
        [::core::mem::offset_of!(brolga_report, hook) - 1168usize];
    ["Offset of field: brolga_report::after"]
        [::core::mem::offset_of!(brolga_report, after) - 1216usize];
    ["Offset of field: brolga_report::conflicts"]
        [::core::mem::offset_of!(brolga_report, conflicts) - 1472usize];
    ["Offset of field: brolga_report::conflict"]
        [::core::mem::offset_of!(brolga_report, conflict) - 1476usize];
};
impl Default for brolga_report {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct brolga_got_stats {
    pub version: u64,
    pub versions_live: u32,
    pub slots: u32,
    pub units_live: u32,
    pub units_retired: u32,
    pub units_kept: u32,
    pub retired_bytes: usize,
    pub oldest_version: u64,
    pub commits: u64,
    pub units_reclaimed: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_got_stats"][::core::mem::size_of::<brolga_got_stats>() - 64usize];
    ["Alignment of brolga_got_stats"][::core::mem::align_of::<brolga_got_stats>() - 8usize];
    ["Offset of field: brolga_got_stats::version"]
        [::core::mem::offset_of!(brolga_got_stats, version) - 0usize];
    ["Offset of field: brolga_got_stats::versions_live"]
        [::core::mem::offset_of!(brolga_got_stats, versions_live) - 8usize];
    ["Offset of field: brolga_got_stats::slots"]
        [::core::mem::offset_of!(brolga_got_stats, slots) - 12usize];
    ["Offset of field: brolga_got_stats::units_live"]
        [::core::mem::offset_of!(brolga_got_stats, units_live) - 16usize];
    ["Offset of field: brolga_got_stats::units_retired"]
        [::core::mem::offset_of!(brolga_got_stats, units_retired) - 20usize];
    ["Offset of field: brolga_got_stats::units_kept"]
        [::core::mem::offset_of!(brolga_got_stats, units_kept) - 24usize];
    ["Offset of field: brolga_got_stats::retired_bytes"]
        [::core::mem::offset_of!(brolga_got_stats, retired_bytes) - 32usize];
    ["Offset of field: brolga_got_stats::oldest_version"]
        [::core::mem::offset_of!(brolga_got_stats, oldest_version) - 40usize];
    ["Offset of field: brolga_got_stats::commits"]
        [::core::mem::offset_of!(brolga_got_stats, commits) - 48usize];
    ["Offset of field: brolga_got_stats::units_reclaimed"]
        [::core::mem::offset_of!(brolga_got_stats, units_reclaimed) - 56usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_stale {
    pub importer: *const ::core::ffi::c_char,
    pub tasks: u32,
    pub module: *const ::core::ffi::c_char,
    pub symbol: *const ::core::ffi::c_char,
    pub signature: *const ::core::ffi::c_char,
    pub since_version: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_stale"][::core::mem::size_of::<brolga_stale>() - 48usize];
    ["Alignment of brolga_stale"][::core::mem::align_of::<brolga_stale>() - 8usize];
    ["Offset of field: brolga_stale::importer"]
        [::core::mem::offset_of!(brolga_stale, importer) - 0usize];
    ["Offset of field: brolga_stale::tasks"][::core::mem::offset_of!(brolga_stale, tasks) - 8usize];
    ["Offset of field: brolga_stale::module"]
        [::core::mem::offset_of!(brolga_stale, module) - 16usize];
    ["Offset of field: brolga_stale::symbol"]
        [::core::mem::offset_of!(brolga_stale, symbol) - 24usize];
    ["Offset of field: brolga_stale::signature"]
        [::core::mem::offset_of!(brolga_stale, signature) - 32usize];
    ["Offset of field: brolga_stale::since_version"]
        [::core::mem::offset_of!(brolga_stale, since_version) - 40usize];
};
impl Default for brolga_stale {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_unit_opts {
    pub name: *const ::core::ffi::c_char,
    pub text: *const ::core::ffi::c_void,
    pub text_bytes: usize,
    pub policy: brolga_policy,
    pub release: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
    pub describe: ::core::option::Option<
        unsafe extern "C" fn(
            arg: *mut ::core::ffi::c_void,
            address: *const ::core::ffi::c_void,
            text: *mut ::core::ffi::c_char,
            bytes: usize,
        ),
    >,
    pub arg: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_unit_opts"][::core::mem::size_of::<brolga_unit_opts>() - 56usize];
    ["Alignment of brolga_unit_opts"][::core::mem::align_of::<brolga_unit_opts>() - 8usize];
    ["Offset of field: brolga_unit_opts::name"]
        [::core::mem::offset_of!(brolga_unit_opts, name) - 0usize];
    ["Offset of field: brolga_unit_opts::text"]
        [::core::mem::offset_of!(brolga_unit_opts, text) - 8usize];
    ["Offset of field: brolga_unit_opts::text_bytes"]
        [::core::mem::offset_of!(brolga_unit_opts, text_bytes) - 16usize];
    ["Offset of field: brolga_unit_opts::policy"]
        [::core::mem::offset_of!(brolga_unit_opts, policy) - 24usize];
    ["Offset of field: brolga_unit_opts::release"]
        [::core::mem::offset_of!(brolga_unit_opts, release) - 32usize];
    ["Offset of field: brolga_unit_opts::describe"]
        [::core::mem::offset_of!(brolga_unit_opts, describe) - 40usize];
    ["Offset of field: brolga_unit_opts::arg"]
        [::core::mem::offset_of!(brolga_unit_opts, arg) - 48usize];
};
impl Default for brolga_unit_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_hooks {
    pub name: *const ::core::ffi::c_char,
    pub before: ::core::option::Option<
        unsafe extern "C" fn(
            arg: *mut ::core::ffi::c_void,
            why: *mut ::core::ffi::c_char,
            bytes: usize,
        ) -> ::core::ffi::c_int,
    >,
    pub migrate: ::core::option::Option<
        unsafe extern "C" fn(
            arg: *mut ::core::ffi::c_void,
            why: *mut ::core::ffi::c_char,
            bytes: usize,
        ) -> ::core::ffi::c_int,
    >,
    pub after: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
    pub called_off: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
    pub release: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
    pub timeout_ns: u64,
    pub arg: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_hooks"][::core::mem::size_of::<brolga_hooks>() - 64usize];
    ["Alignment of brolga_hooks"][::core::mem::align_of::<brolga_hooks>() - 8usize];
    ["Offset of field: brolga_hooks::name"][::core::mem::offset_of!(brolga_hooks, name) - 0usize];
    ["Offset of field: brolga_hooks::before"]
        [::core::mem::offset_of!(brolga_hooks, before) - 8usize];
    ["Offset of field: brolga_hooks::migrate"]
        [::core::mem::offset_of!(brolga_hooks, migrate) - 16usize];
    ["Offset of field: brolga_hooks::after"]
        [::core::mem::offset_of!(brolga_hooks, after) - 24usize];
    ["Offset of field: brolga_hooks::called_off"]
        [::core::mem::offset_of!(brolga_hooks, called_off) - 32usize];
    ["Offset of field: brolga_hooks::release"]
        [::core::mem::offset_of!(brolga_hooks, release) - 40usize];
    ["Offset of field: brolga_hooks::timeout_ns"]
        [::core::mem::offset_of!(brolga_hooks, timeout_ns) - 48usize];
    ["Offset of field: brolga_hooks::arg"][::core::mem::offset_of!(brolga_hooks, arg) - 56usize];
};
impl Default for brolga_hooks {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_types {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_type {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_closure_info {
    pub name: *const ::core::ffi::c_char,
    pub captures: usize,
    pub types: *const *const brolga_type,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_closure_info"][::core::mem::size_of::<brolga_closure_info>() - 24usize];
    ["Alignment of brolga_closure_info"][::core::mem::align_of::<brolga_closure_info>() - 8usize];
    ["Offset of field: brolga_closure_info::name"]
        [::core::mem::offset_of!(brolga_closure_info, name) - 0usize];
    ["Offset of field: brolga_closure_info::captures"]
        [::core::mem::offset_of!(brolga_closure_info, captures) - 8usize];
    ["Offset of field: brolga_closure_info::types"]
        [::core::mem::offset_of!(brolga_closure_info, types) - 16usize];
};
impl Default for brolga_closure_info {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_allocator {
    pub alloc: ::core::option::Option<
        unsafe extern "C" fn(
            bytes: usize,
            arg: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub free: ::core::option::Option<
        unsafe extern "C" fn(
            block: *mut ::core::ffi::c_void,
            bytes: usize,
            arg: *mut ::core::ffi::c_void,
        ),
    >,
    pub arg: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_allocator"][::core::mem::size_of::<brolga_allocator>() - 24usize];
    ["Alignment of brolga_allocator"][::core::mem::align_of::<brolga_allocator>() - 8usize];
    ["Offset of field: brolga_allocator::alloc"]
        [::core::mem::offset_of!(brolga_allocator, alloc) - 0usize];
    ["Offset of field: brolga_allocator::free"]
        [::core::mem::offset_of!(brolga_allocator, free) - 8usize];
    ["Offset of field: brolga_allocator::arg"]
        [::core::mem::offset_of!(brolga_allocator, arg) - 16usize];
};
impl Default for brolga_allocator {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_model {
    pub name: *const ::core::ffi::c_char,
    pub size_at: i32,
    pub count_at: i32,
    pub fields_at: i32,
    pub has_size: bool,
    pub closure_code: i32,
    pub closure_captures: i32,
    pub small_tags: i32,
    pub atomic_counts: bool,
    pub exact_counts: bool,
    pub frozen_is_zero: bool,
    pub io_is_value: bool,
    pub flatten_scalars: bool,
    pub alloc: ::core::option::Option<
        unsafe extern "C" fn(payload_bytes: i64, arg: *mut ::core::ffi::c_void) -> brolga_word,
    >,
    pub free: ::core::option::Option<
        unsafe extern "C" fn(value: brolga_word, arg: *mut ::core::ffi::c_void),
    >,
    pub allocator: *const brolga_allocator,
    pub buffer_alloc: ::core::option::Option<
        unsafe extern "C" fn(bytes: i64, arg: *mut ::core::ffi::c_void) -> *mut ::core::ffi::c_void,
    >,
    pub buffer_free: ::core::option::Option<
        unsafe extern "C" fn(buffer: *mut ::core::ffi::c_void, arg: *mut ::core::ffi::c_void),
    >,
    pub closure_info: ::core::option::Option<
        unsafe extern "C" fn(
            code: usize,
            out: *mut brolga_closure_info,
            arg: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub closure_pin:
        ::core::option::Option<unsafe extern "C" fn(code: usize, arg: *mut ::core::ffi::c_void)>,
    pub closure_unpin:
        ::core::option::Option<unsafe extern "C" fn(code: usize, arg: *mut ::core::ffi::c_void)>,
    pub arg: *mut ::core::ffi::c_void,
    pub closure_arg: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_model"][::core::mem::size_of::<brolga_model>() - 128usize];
    ["Alignment of brolga_model"][::core::mem::align_of::<brolga_model>() - 8usize];
    ["Offset of field: brolga_model::name"][::core::mem::offset_of!(brolga_model, name) - 0usize];
    ["Offset of field: brolga_model::size_at"]
        [::core::mem::offset_of!(brolga_model, size_at) - 8usize];
    ["Offset of field: brolga_model::count_at"]
        [::core::mem::offset_of!(brolga_model, count_at) - 12usize];
    ["Offset of field: brolga_model::fields_at"]
        [::core::mem::offset_of!(brolga_model, fields_at) - 16usize];
    ["Offset of field: brolga_model::has_size"]
        [::core::mem::offset_of!(brolga_model, has_size) - 20usize];
    ["Offset of field: brolga_model::closure_code"]
        [::core::mem::offset_of!(brolga_model, closure_code) - 24usize];
    ["Offset of field: brolga_model::closure_captures"]
        [::core::mem::offset_of!(brolga_model, closure_captures) - 28usize];
    ["Offset of field: brolga_model::small_tags"]
        [::core::mem::offset_of!(brolga_model, small_tags) - 32usize];
    ["Offset of field: brolga_model::atomic_counts"]
        [::core::mem::offset_of!(brolga_model, atomic_counts) - 36usize];
    ["Offset of field: brolga_model::exact_counts"]
        [::core::mem::offset_of!(brolga_model, exact_counts) - 37usize];
    ["Offset of field: brolga_model::frozen_is_zero"]
        [::core::mem::offset_of!(brolga_model, frozen_is_zero) - 38usize];
    ["Offset of field: brolga_model::io_is_value"]
        [::core::mem::offset_of!(brolga_model, io_is_value) - 39usize];
    ["Offset of field: brolga_model::flatten_scalars"]
        [::core::mem::offset_of!(brolga_model, flatten_scalars) - 40usize];
    ["Offset of field: brolga_model::alloc"]
        [::core::mem::offset_of!(brolga_model, alloc) - 48usize];
    ["Offset of field: brolga_model::free"][::core::mem::offset_of!(brolga_model, free) - 56usize];
    ["Offset of field: brolga_model::allocator"]
        [::core::mem::offset_of!(brolga_model, allocator) - 64usize];
    ["Offset of field: brolga_model::buffer_alloc"]
        [::core::mem::offset_of!(brolga_model, buffer_alloc) - 72usize];
    ["Offset of field: brolga_model::buffer_free"]
        [::core::mem::offset_of!(brolga_model, buffer_free) - 80usize];
    ["Offset of field: brolga_model::closure_info"]
        [::core::mem::offset_of!(brolga_model, closure_info) - 88usize];
    ["Offset of field: brolga_model::closure_pin"]
        [::core::mem::offset_of!(brolga_model, closure_pin) - 96usize];
    ["Offset of field: brolga_model::closure_unpin"]
        [::core::mem::offset_of!(brolga_model, closure_unpin) - 104usize];
    ["Offset of field: brolga_model::arg"][::core::mem::offset_of!(brolga_model, arg) - 112usize];
    ["Offset of field: brolga_model::closure_arg"]
        [::core::mem::offset_of!(brolga_model, closure_arg) - 120usize];
};
impl Default for brolga_model {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_type_error {
    pub code: ::core::ffi::c_int,
    pub offset: usize,
    pub line: ::core::ffi::c_uint,
    pub column: ::core::ffi::c_uint,
    pub text: [::core::ffi::c_char; 160usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_type_error"][::core::mem::size_of::<brolga_type_error>() - 184usize];
    ["Alignment of brolga_type_error"][::core::mem::align_of::<brolga_type_error>() - 8usize];
    ["Offset of field: brolga_type_error::code"]
        [::core::mem::offset_of!(brolga_type_error, code) - 0usize];
    ["Offset of field: brolga_type_error::offset"]
        [::core::mem::offset_of!(brolga_type_error, offset) - 8usize];
    ["Offset of field: brolga_type_error::line"]
        [::core::mem::offset_of!(brolga_type_error, line) - 16usize];
    ["Offset of field: brolga_type_error::column"]
        [::core::mem::offset_of!(brolga_type_error, column) - 20usize];
    ["Offset of field: brolga_type_error::text"]
        [::core::mem::offset_of!(brolga_type_error, text) - 24usize];
};
impl Default for brolga_type_error {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_copy_error {
    pub code: ::core::ffi::c_int,
    pub path: [::core::ffi::c_char; 192usize],
    pub text: [::core::ffi::c_char; 160usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_copy_error"][::core::mem::size_of::<brolga_copy_error>() - 356usize];
    ["Alignment of brolga_copy_error"][::core::mem::align_of::<brolga_copy_error>() - 4usize];
    ["Offset of field: brolga_copy_error::code"]
        [::core::mem::offset_of!(brolga_copy_error, code) - 0usize];
    ["Offset of field: brolga_copy_error::path"]
        [::core::mem::offset_of!(brolga_copy_error, path) - 4usize];
    ["Offset of field: brolga_copy_error::text"]
        [::core::mem::offset_of!(brolga_copy_error, text) - 196usize];
};
impl Default for brolga_copy_error {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_copy_opts {
    pub pause: ::core::option::Option<
        unsafe extern "C" fn(arg: *mut ::core::ffi::c_void) -> ::core::ffi::c_int,
    >,
    pub arg: *mut ::core::ffi::c_void,
    pub pause_bytes: usize,
    pub is_tree: bool,
    pub reads_only: bool,
    pub leases: *mut brolga_leases,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_copy_opts"][::core::mem::size_of::<brolga_copy_opts>() - 40usize];
    ["Alignment of brolga_copy_opts"][::core::mem::align_of::<brolga_copy_opts>() - 8usize];
    ["Offset of field: brolga_copy_opts::pause"]
        [::core::mem::offset_of!(brolga_copy_opts, pause) - 0usize];
    ["Offset of field: brolga_copy_opts::arg"]
        [::core::mem::offset_of!(brolga_copy_opts, arg) - 8usize];
    ["Offset of field: brolga_copy_opts::pause_bytes"]
        [::core::mem::offset_of!(brolga_copy_opts, pause_bytes) - 16usize];
    ["Offset of field: brolga_copy_opts::is_tree"]
        [::core::mem::offset_of!(brolga_copy_opts, is_tree) - 24usize];
    ["Offset of field: brolga_copy_opts::reads_only"]
        [::core::mem::offset_of!(brolga_copy_opts, reads_only) - 25usize];
    ["Offset of field: brolga_copy_opts::leases"]
        [::core::mem::offset_of!(brolga_copy_opts, leases) - 32usize];
};
impl Default for brolga_copy_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct brolga_check_stats {
    pub kept: u64,
    pub kept_bytes: u64,
    pub replaced: u64,
    pub copied_bytes: u64,
    pub copied: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_check_stats"][::core::mem::size_of::<brolga_check_stats>() - 40usize];
    ["Alignment of brolga_check_stats"][::core::mem::align_of::<brolga_check_stats>() - 8usize];
    ["Offset of field: brolga_check_stats::kept"]
        [::core::mem::offset_of!(brolga_check_stats, kept) - 0usize];
    ["Offset of field: brolga_check_stats::kept_bytes"]
        [::core::mem::offset_of!(brolga_check_stats, kept_bytes) - 8usize];
    ["Offset of field: brolga_check_stats::replaced"]
        [::core::mem::offset_of!(brolga_check_stats, replaced) - 16usize];
    ["Offset of field: brolga_check_stats::copied_bytes"]
        [::core::mem::offset_of!(brolga_check_stats, copied_bytes) - 24usize];
    ["Offset of field: brolga_check_stats::copied"]
        [::core::mem::offset_of!(brolga_check_stats, copied) - 32usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_copier {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_dropper {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_generated {
    pub copy: ::core::option::Option<
        unsafe extern "C" fn(
            copier: *mut brolga_copier,
            from: brolga_word,
            to: *mut brolga_word,
            arg: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub drop: ::core::option::Option<
        unsafe extern "C" fn(
            dropper: *mut brolga_dropper,
            dead: brolga_word,
            arg: *mut ::core::ffi::c_void,
        ),
    >,
    pub arg: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_generated"][::core::mem::size_of::<brolga_generated>() - 24usize];
    ["Alignment of brolga_generated"][::core::mem::align_of::<brolga_generated>() - 8usize];
    ["Offset of field: brolga_generated::copy"]
        [::core::mem::offset_of!(brolga_generated, copy) - 0usize];
    ["Offset of field: brolga_generated::drop"]
        [::core::mem::offset_of!(brolga_generated, drop) - 8usize];
    ["Offset of field: brolga_generated::arg"]
        [::core::mem::offset_of!(brolga_generated, arg) - 16usize];
};
impl Default for brolga_generated {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_closures {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_closure {
    pub code: *const ::core::ffi::c_void,
    pub name: *const ::core::ffi::c_char,
    pub captures: usize,
    pub types: *const *const brolga_type,
    pub texts: *const *const ::core::ffi::c_char,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_closure"][::core::mem::size_of::<brolga_closure>() - 40usize];
    ["Alignment of brolga_closure"][::core::mem::align_of::<brolga_closure>() - 8usize];
    ["Offset of field: brolga_closure::code"]
        [::core::mem::offset_of!(brolga_closure, code) - 0usize];
    ["Offset of field: brolga_closure::name"]
        [::core::mem::offset_of!(brolga_closure, name) - 8usize];
    ["Offset of field: brolga_closure::captures"]
        [::core::mem::offset_of!(brolga_closure, captures) - 16usize];
    ["Offset of field: brolga_closure::types"]
        [::core::mem::offset_of!(brolga_closure, types) - 24usize];
    ["Offset of field: brolga_closure::texts"]
        [::core::mem::offset_of!(brolga_closure, texts) - 32usize];
};
impl Default for brolga_closure {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct brolga_closures_stats {
    pub functions: usize,
    pub units: usize,
    pub slots: usize,
    pub entered: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_closures_stats"][::core::mem::size_of::<brolga_closures_stats>() - 32usize];
    ["Alignment of brolga_closures_stats"]
        [::core::mem::align_of::<brolga_closures_stats>() - 8usize];
    ["Offset of field: brolga_closures_stats::functions"]
        [::core::mem::offset_of!(brolga_closures_stats, functions) - 0usize];
    ["Offset of field: brolga_closures_stats::units"]
        [::core::mem::offset_of!(brolga_closures_stats, units) - 8usize];
    ["Offset of field: brolga_closures_stats::slots"]
        [::core::mem::offset_of!(brolga_closures_stats, slots) - 16usize];
    ["Offset of field: brolga_closures_stats::entered"]
        [::core::mem::offset_of!(brolga_closures_stats, entered) - 24usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_code {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_code_opts {
    pub reserve_bytes: usize,
    pub near: *const ::core::ffi::c_void,
    pub quarantine_bytes: usize,
    pub one_place: bool,
    pub debugger: bool,
    pub perf_map: bool,
    pub jitdump: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_code_opts"][::core::mem::size_of::<brolga_code_opts>() - 32usize];
    ["Alignment of brolga_code_opts"][::core::mem::align_of::<brolga_code_opts>() - 8usize];
    ["Offset of field: brolga_code_opts::reserve_bytes"]
        [::core::mem::offset_of!(brolga_code_opts, reserve_bytes) - 0usize];
    ["Offset of field: brolga_code_opts::near"]
        [::core::mem::offset_of!(brolga_code_opts, near) - 8usize];
    ["Offset of field: brolga_code_opts::quarantine_bytes"]
        [::core::mem::offset_of!(brolga_code_opts, quarantine_bytes) - 16usize];
    ["Offset of field: brolga_code_opts::one_place"]
        [::core::mem::offset_of!(brolga_code_opts, one_place) - 24usize];
    ["Offset of field: brolga_code_opts::debugger"]
        [::core::mem::offset_of!(brolga_code_opts, debugger) - 25usize];
    ["Offset of field: brolga_code_opts::perf_map"]
        [::core::mem::offset_of!(brolga_code_opts, perf_map) - 26usize];
    ["Offset of field: brolga_code_opts::jitdump"]
        [::core::mem::offset_of!(brolga_code_opts, jitdump) - 27usize];
};
impl Default for brolga_code_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const BROLGA_CODE_SYNC_CORES: brolga_code_sync = 0;
pub const BROLGA_CODE_SYNC_SLOWLY: brolga_code_sync = 1;
pub const BROLGA_CODE_SYNC_SAFEPOINTS: brolga_code_sync = 2;
pub type brolga_code_sync = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_code_block {
    pub write: *mut ::core::ffi::c_void,
    pub run: *const ::core::ffi::c_void,
    pub bytes: usize,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_code_block"][::core::mem::size_of::<brolga_code_block>() - 24usize];
    ["Alignment of brolga_code_block"][::core::mem::align_of::<brolga_code_block>() - 8usize];
    ["Offset of field: brolga_code_block::write"]
        [::core::mem::offset_of!(brolga_code_block, write) - 0usize];
    ["Offset of field: brolga_code_block::run"]
        [::core::mem::offset_of!(brolga_code_block, run) - 8usize];
    ["Offset of field: brolga_code_block::bytes"]
        [::core::mem::offset_of!(brolga_code_block, bytes) - 16usize];
};
impl Default for brolga_code_block {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_code_function {
    pub name: *const ::core::ffi::c_char,
    pub offset: usize,
    pub bytes: usize,
    pub file: *const ::core::ffi::c_char,
    pub line: ::core::ffi::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_code_function"][::core::mem::size_of::<brolga_code_function>() - 40usize];
    ["Alignment of brolga_code_function"][::core::mem::align_of::<brolga_code_function>() - 8usize];
    ["Offset of field: brolga_code_function::name"]
        [::core::mem::offset_of!(brolga_code_function, name) - 0usize];
    ["Offset of field: brolga_code_function::offset"]
        [::core::mem::offset_of!(brolga_code_function, offset) - 8usize];
    ["Offset of field: brolga_code_function::bytes"]
        [::core::mem::offset_of!(brolga_code_function, bytes) - 16usize];
    ["Offset of field: brolga_code_function::file"]
        [::core::mem::offset_of!(brolga_code_function, file) - 24usize];
    ["Offset of field: brolga_code_function::line"]
        [::core::mem::offset_of!(brolga_code_function, line) - 32usize];
};
impl Default for brolga_code_function {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_code_unit_opts {
    pub name: *const ::core::ffi::c_char,
    pub policy: brolga_policy,
    pub release: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
    pub arg: *mut ::core::ffi::c_void,
    pub functions: *const brolga_code_function,
    pub function_count: usize,
    pub frames_offset: usize,
    pub frames_bytes: usize,
    pub object: *const ::core::ffi::c_void,
    pub object_bytes: usize,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_code_unit_opts"][::core::mem::size_of::<brolga_code_unit_opts>() - 80usize];
    ["Alignment of brolga_code_unit_opts"]
        [::core::mem::align_of::<brolga_code_unit_opts>() - 8usize];
    ["Offset of field: brolga_code_unit_opts::name"]
        [::core::mem::offset_of!(brolga_code_unit_opts, name) - 0usize];
    ["Offset of field: brolga_code_unit_opts::policy"]
        [::core::mem::offset_of!(brolga_code_unit_opts, policy) - 8usize];
    ["Offset of field: brolga_code_unit_opts::release"]
        [::core::mem::offset_of!(brolga_code_unit_opts, release) - 16usize];
    ["Offset of field: brolga_code_unit_opts::arg"]
        [::core::mem::offset_of!(brolga_code_unit_opts, arg) - 24usize];
    ["Offset of field: brolga_code_unit_opts::functions"]
        [::core::mem::offset_of!(brolga_code_unit_opts, functions) - 32usize];
    ["Offset of field: brolga_code_unit_opts::function_count"]
        [::core::mem::offset_of!(brolga_code_unit_opts, function_count) - 40usize];
    ["Offset of field: brolga_code_unit_opts::frames_offset"]
        [::core::mem::offset_of!(brolga_code_unit_opts, frames_offset) - 48usize];
    ["Offset of field: brolga_code_unit_opts::frames_bytes"]
        [::core::mem::offset_of!(brolga_code_unit_opts, frames_bytes) - 56usize];
    ["Offset of field: brolga_code_unit_opts::object"]
        [::core::mem::offset_of!(brolga_code_unit_opts, object) - 64usize];
    ["Offset of field: brolga_code_unit_opts::object_bytes"]
        [::core::mem::offset_of!(brolga_code_unit_opts, object_bytes) - 72usize];
};
impl Default for brolga_code_unit_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_code_stats {
    pub reserved_bytes: usize,
    pub used_bytes: usize,
    pub waiting_bytes: usize,
    pub blocks: u32,
    pub allocated: u64,
    pub two_places: bool,
    pub sync: brolga_code_sync,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_code_stats"][::core::mem::size_of::<brolga_code_stats>() - 48usize];
    ["Alignment of brolga_code_stats"][::core::mem::align_of::<brolga_code_stats>() - 8usize];
    ["Offset of field: brolga_code_stats::reserved_bytes"]
        [::core::mem::offset_of!(brolga_code_stats, reserved_bytes) - 0usize];
    ["Offset of field: brolga_code_stats::used_bytes"]
        [::core::mem::offset_of!(brolga_code_stats, used_bytes) - 8usize];
    ["Offset of field: brolga_code_stats::waiting_bytes"]
        [::core::mem::offset_of!(brolga_code_stats, waiting_bytes) - 16usize];
    ["Offset of field: brolga_code_stats::blocks"]
        [::core::mem::offset_of!(brolga_code_stats, blocks) - 24usize];
    ["Offset of field: brolga_code_stats::allocated"]
        [::core::mem::offset_of!(brolga_code_stats, allocated) - 32usize];
    ["Offset of field: brolga_code_stats::two_places"]
        [::core::mem::offset_of!(brolga_code_stats, two_places) - 40usize];
    ["Offset of field: brolga_code_stats::sync"]
        [::core::mem::offset_of!(brolga_code_stats, sync) - 44usize];
};
impl Default for brolga_code_stats {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_region {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_region_info {
    pub id: u64,
    pub made_ns: u64,
    pub leases: u64,
    pub bytes: usize,
    pub objects: usize,
    pub kept: usize,
    pub others: usize,
    pub type_: [::core::ffi::c_char; 48usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_region_info"][::core::mem::size_of::<brolga_region_info>() - 104usize];
    ["Alignment of brolga_region_info"][::core::mem::align_of::<brolga_region_info>() - 8usize];
    ["Offset of field: brolga_region_info::id"]
        [::core::mem::offset_of!(brolga_region_info, id) - 0usize];
    ["Offset of field: brolga_region_info::made_ns"]
        [::core::mem::offset_of!(brolga_region_info, made_ns) - 8usize];
    ["Offset of field: brolga_region_info::leases"]
        [::core::mem::offset_of!(brolga_region_info, leases) - 16usize];
    ["Offset of field: brolga_region_info::bytes"]
        [::core::mem::offset_of!(brolga_region_info, bytes) - 24usize];
    ["Offset of field: brolga_region_info::objects"]
        [::core::mem::offset_of!(brolga_region_info, objects) - 32usize];
    ["Offset of field: brolga_region_info::kept"]
        [::core::mem::offset_of!(brolga_region_info, kept) - 40usize];
    ["Offset of field: brolga_region_info::others"]
        [::core::mem::offset_of!(brolga_region_info, others) - 48usize];
    ["Offset of field: brolga_region_info::type_"]
        [::core::mem::offset_of!(brolga_region_info, type_) - 56usize];
};
impl Default for brolga_region_info {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_leases {
    pub count: u32,
    pub slots: u32,
    pub only: *mut brolga_region,
    pub slot: *mut *mut brolga_region,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_leases"][::core::mem::size_of::<brolga_leases>() - 24usize];
    ["Alignment of brolga_leases"][::core::mem::align_of::<brolga_leases>() - 8usize];
    ["Offset of field: brolga_leases::count"]
        [::core::mem::offset_of!(brolga_leases, count) - 0usize];
    ["Offset of field: brolga_leases::slots"]
        [::core::mem::offset_of!(brolga_leases, slots) - 4usize];
    ["Offset of field: brolga_leases::only"][::core::mem::offset_of!(brolga_leases, only) - 8usize];
    ["Offset of field: brolga_leases::slot"]
        [::core::mem::offset_of!(brolga_leases, slot) - 16usize];
};
impl Default for brolga_leases {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_task {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_scope {
    _unused: [u8; 0],
}
pub const BROLGA_DEADLOCKS_AUTO: brolga_deadlocks = 0;
pub const BROLGA_DEADLOCKS_FAIL: brolga_deadlocks = 1;
pub const BROLGA_DEADLOCKS_REPORT: brolga_deadlocks = 2;
pub const BROLGA_DEADLOCKS_OFF: brolga_deadlocks = 3;
pub const BROLGA_DEADLOCKS_AUTO_REPORT: brolga_deadlocks = 4;
pub type brolga_deadlocks = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_opts {
    pub workers: u32,
    pub stack_bytes: usize,
    pub tasks_max: u32,
    pub no_traps: bool,
    pub blocking_threads: u32,
    pub cleanup_ns: u64,
    pub cancel_grace_ns: u64,
    pub stall_ns: u64,
    pub deadlocks: brolga_deadlocks,
    pub got: brolga_got_opts,
    pub stress: brolga_stress,
    pub on_event: ::core::option::Option<
        unsafe extern "C" fn(arg: *mut ::core::ffi::c_void, event: *const brolga_event),
    >,
    pub on_ready: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
    pub arg: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_opts"][::core::mem::size_of::<brolga_opts>() - 160usize];
    ["Alignment of brolga_opts"][::core::mem::align_of::<brolga_opts>() - 8usize];
    ["Offset of field: brolga_opts::workers"]
        [::core::mem::offset_of!(brolga_opts, workers) - 0usize];
    ["Offset of field: brolga_opts::stack_bytes"]
        [::core::mem::offset_of!(brolga_opts, stack_bytes) - 8usize];
    ["Offset of field: brolga_opts::tasks_max"]
        [::core::mem::offset_of!(brolga_opts, tasks_max) - 16usize];
    ["Offset of field: brolga_opts::no_traps"]
        [::core::mem::offset_of!(brolga_opts, no_traps) - 20usize];
    ["Offset of field: brolga_opts::blocking_threads"]
        [::core::mem::offset_of!(brolga_opts, blocking_threads) - 24usize];
    ["Offset of field: brolga_opts::cleanup_ns"]
        [::core::mem::offset_of!(brolga_opts, cleanup_ns) - 32usize];
    ["Offset of field: brolga_opts::cancel_grace_ns"]
        [::core::mem::offset_of!(brolga_opts, cancel_grace_ns) - 40usize];
    ["Offset of field: brolga_opts::stall_ns"]
        [::core::mem::offset_of!(brolga_opts, stall_ns) - 48usize];
    ["Offset of field: brolga_opts::deadlocks"]
        [::core::mem::offset_of!(brolga_opts, deadlocks) - 56usize];
    ["Offset of field: brolga_opts::got"][::core::mem::offset_of!(brolga_opts, got) - 64usize];
    ["Offset of field: brolga_opts::stress"]
        [::core::mem::offset_of!(brolga_opts, stress) - 112usize];
    ["Offset of field: brolga_opts::on_event"]
        [::core::mem::offset_of!(brolga_opts, on_event) - 136usize];
    ["Offset of field: brolga_opts::on_ready"]
        [::core::mem::offset_of!(brolga_opts, on_ready) - 144usize];
    ["Offset of field: brolga_opts::arg"][::core::mem::offset_of!(brolga_opts, arg) - 152usize];
};
impl Default for brolga_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const BROLGA_EVENT_ADOPTED: brolga_event_kind = 0;
pub const BROLGA_EVENT_RELEASED: brolga_event_kind = 1;
pub const BROLGA_EVENT_STUCK: brolga_event_kind = 2;
pub const BROLGA_EVENT_DEADLOCK: brolga_event_kind = 3;
pub const BROLGA_EVENT_STALLED: brolga_event_kind = 4;
pub type brolga_event_kind = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_event {
    pub kind: brolga_event_kind,
    pub version: u64,
    pub unit: *const ::core::ffi::c_char,
    pub after_ns: u64,
    pub task: u64,
    pub task_name: *const ::core::ffi::c_char,
    pub scope: u64,
    pub parked_in: *const ::core::ffi::c_char,
    pub text: *const ::core::ffi::c_char,
    pub json: *const ::core::ffi::c_char,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_event"][::core::mem::size_of::<brolga_event>() - 80usize];
    ["Alignment of brolga_event"][::core::mem::align_of::<brolga_event>() - 8usize];
    ["Offset of field: brolga_event::kind"][::core::mem::offset_of!(brolga_event, kind) - 0usize];
    ["Offset of field: brolga_event::version"]
        [::core::mem::offset_of!(brolga_event, version) - 8usize];
    ["Offset of field: brolga_event::unit"][::core::mem::offset_of!(brolga_event, unit) - 16usize];
    ["Offset of field: brolga_event::after_ns"]
        [::core::mem::offset_of!(brolga_event, after_ns) - 24usize];
    ["Offset of field: brolga_event::task"][::core::mem::offset_of!(brolga_event, task) - 32usize];
    ["Offset of field: brolga_event::task_name"]
        [::core::mem::offset_of!(brolga_event, task_name) - 40usize];
    ["Offset of field: brolga_event::scope"]
        [::core::mem::offset_of!(brolga_event, scope) - 48usize];
    ["Offset of field: brolga_event::parked_in"]
        [::core::mem::offset_of!(brolga_event, parked_in) - 56usize];
    ["Offset of field: brolga_event::text"][::core::mem::offset_of!(brolga_event, text) - 64usize];
    ["Offset of field: brolga_event::json"][::core::mem::offset_of!(brolga_event, json) - 72usize];
};
impl Default for brolga_event {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type brolga_task_fn =
    ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void) -> brolga_word>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_spawn_opts {
    pub name: *const ::core::ffi::c_char,
    pub stack_bytes: usize,
    pub thread: bool,
    pub adopt_at_top: bool,
    pub heap: bool,
    pub scope: *mut brolga_scope,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_spawn_opts"][::core::mem::size_of::<brolga_spawn_opts>() - 32usize];
    ["Alignment of brolga_spawn_opts"][::core::mem::align_of::<brolga_spawn_opts>() - 8usize];
    ["Offset of field: brolga_spawn_opts::name"]
        [::core::mem::offset_of!(brolga_spawn_opts, name) - 0usize];
    ["Offset of field: brolga_spawn_opts::stack_bytes"]
        [::core::mem::offset_of!(brolga_spawn_opts, stack_bytes) - 8usize];
    ["Offset of field: brolga_spawn_opts::thread"]
        [::core::mem::offset_of!(brolga_spawn_opts, thread) - 16usize];
    ["Offset of field: brolga_spawn_opts::adopt_at_top"]
        [::core::mem::offset_of!(brolga_spawn_opts, adopt_at_top) - 17usize];
    ["Offset of field: brolga_spawn_opts::heap"]
        [::core::mem::offset_of!(brolga_spawn_opts, heap) - 18usize];
    ["Offset of field: brolga_spawn_opts::scope"]
        [::core::mem::offset_of!(brolga_spawn_opts, scope) - 24usize];
};
impl Default for brolga_spawn_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const BROLGA_FAILURE_PANIC: brolga_failure_kind = 0;
pub const BROLGA_FAILURE_TRAP: brolga_failure_kind = 1;
pub const BROLGA_FAILURE_STACK_OVERFLOW: brolga_failure_kind = 2;
pub const BROLGA_FAILURE_NO_STACK: brolga_failure_kind = 3;
pub type brolga_failure_kind = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_failure {
    pub task: u64,
    pub name: [::core::ffi::c_char; 32usize],
    pub message: [::core::ffi::c_char; 256usize],
    pub kind: brolga_failure_kind,
    pub address: usize,
    pub function: [::core::ffi::c_char; 64usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_failure"][::core::mem::size_of::<brolga_failure>() - 376usize];
    ["Alignment of brolga_failure"][::core::mem::align_of::<brolga_failure>() - 8usize];
    ["Offset of field: brolga_failure::task"]
        [::core::mem::offset_of!(brolga_failure, task) - 0usize];
    ["Offset of field: brolga_failure::name"]
        [::core::mem::offset_of!(brolga_failure, name) - 8usize];
    ["Offset of field: brolga_failure::message"]
        [::core::mem::offset_of!(brolga_failure, message) - 40usize];
    ["Offset of field: brolga_failure::kind"]
        [::core::mem::offset_of!(brolga_failure, kind) - 296usize];
    ["Offset of field: brolga_failure::address"]
        [::core::mem::offset_of!(brolga_failure, address) - 304usize];
    ["Offset of field: brolga_failure::function"]
        [::core::mem::offset_of!(brolga_failure, function) - 312usize];
};
impl Default for brolga_failure {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const BROLGA_HOLD_VIEW: brolga_hold = 0;
pub const BROLGA_HOLD_RUNNING: brolga_hold = 1;
pub const BROLGA_HOLD_FRAME: brolga_hold = 2;
pub const BROLGA_HOLD_BLOCKED: brolga_hold = 3;
pub const BROLGA_HOLD_PIN: brolga_hold = 4;
pub const BROLGA_HOLD_CLOSURE: brolga_hold = 5;
pub const BROLGA_HOLD_CALLBACK: brolga_hold = 6;
pub const BROLGA_HOLD_CALLER: brolga_hold = 7;
pub type brolga_hold = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_holder {
    pub reason: brolga_hold,
    pub version: u64,
    pub unit: *const ::core::ffi::c_char,
    pub since_ns: u64,
    pub bytes: usize,
    pub task: u64,
    pub task_name: [::core::ffi::c_char; 32usize],
    pub task_since_ns: u64,
    pub address: usize,
    pub function: [::core::ffi::c_char; 64usize],
    pub parked_in: *const ::core::ffi::c_char,
    pub pins: u64,
    pub caller: [::core::ffi::c_char; 48usize],
    pub what: [::core::ffi::c_char; 64usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_holder"][::core::mem::size_of::<brolga_holder>() - 288usize];
    ["Alignment of brolga_holder"][::core::mem::align_of::<brolga_holder>() - 8usize];
    ["Offset of field: brolga_holder::reason"]
        [::core::mem::offset_of!(brolga_holder, reason) - 0usize];
    ["Offset of field: brolga_holder::version"]
        [::core::mem::offset_of!(brolga_holder, version) - 8usize];
    ["Offset of field: brolga_holder::unit"]
        [::core::mem::offset_of!(brolga_holder, unit) - 16usize];
    ["Offset of field: brolga_holder::since_ns"]
        [::core::mem::offset_of!(brolga_holder, since_ns) - 24usize];
    ["Offset of field: brolga_holder::bytes"]
        [::core::mem::offset_of!(brolga_holder, bytes) - 32usize];
    ["Offset of field: brolga_holder::task"]
        [::core::mem::offset_of!(brolga_holder, task) - 40usize];
    ["Offset of field: brolga_holder::task_name"]
        [::core::mem::offset_of!(brolga_holder, task_name) - 48usize];
    ["Offset of field: brolga_holder::task_since_ns"]
        [::core::mem::offset_of!(brolga_holder, task_since_ns) - 80usize];
    ["Offset of field: brolga_holder::address"]
        [::core::mem::offset_of!(brolga_holder, address) - 88usize];
    ["Offset of field: brolga_holder::function"]
        [::core::mem::offset_of!(brolga_holder, function) - 96usize];
    ["Offset of field: brolga_holder::parked_in"]
        [::core::mem::offset_of!(brolga_holder, parked_in) - 160usize];
    ["Offset of field: brolga_holder::pins"]
        [::core::mem::offset_of!(brolga_holder, pins) - 168usize];
    ["Offset of field: brolga_holder::caller"]
        [::core::mem::offset_of!(brolga_holder, caller) - 176usize];
    ["Offset of field: brolga_holder::what"]
        [::core::mem::offset_of!(brolga_holder, what) - 224usize];
};
impl Default for brolga_holder {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type brolga_blocking_fn =
    ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void) -> brolga_word>;
pub type brolga_io = u64;
pub const BROLGA_OPEN_READ: brolga_open = 1;
pub const BROLGA_OPEN_WRITE: brolga_open = 2;
pub const BROLGA_OPEN_CREATE: brolga_open = 4;
pub const BROLGA_OPEN_EXCLUSIVE: brolga_open = 8;
pub const BROLGA_OPEN_TRUNCATE: brolga_open = 16;
pub type brolga_open = ::core::ffi::c_uint;
pub const BROLGA_STDIO_INHERIT: brolga_stdio = 0;
pub const BROLGA_STDIO_NULL: brolga_stdio = 1;
pub const BROLGA_STDIO_PIPE: brolga_stdio = 2;
pub type brolga_stdio = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_process_opts {
    pub argv: *const *const ::core::ffi::c_char,
    pub env: *const *const ::core::ffi::c_char,
    pub cwd: *const ::core::ffi::c_char,
    pub stdio: [brolga_stdio; 3usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_process_opts"][::core::mem::size_of::<brolga_process_opts>() - 40usize];
    ["Alignment of brolga_process_opts"][::core::mem::align_of::<brolga_process_opts>() - 8usize];
    ["Offset of field: brolga_process_opts::argv"]
        [::core::mem::offset_of!(brolga_process_opts, argv) - 0usize];
    ["Offset of field: brolga_process_opts::env"]
        [::core::mem::offset_of!(brolga_process_opts, env) - 8usize];
    ["Offset of field: brolga_process_opts::cwd"]
        [::core::mem::offset_of!(brolga_process_opts, cwd) - 16usize];
    ["Offset of field: brolga_process_opts::stdio"]
        [::core::mem::offset_of!(brolga_process_opts, stdio) - 24usize];
};
impl Default for brolga_process_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct brolga_exit {
    pub code: i64,
    pub signal: ::core::ffi::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_exit"][::core::mem::size_of::<brolga_exit>() - 16usize];
    ["Alignment of brolga_exit"][::core::mem::align_of::<brolga_exit>() - 8usize];
    ["Offset of field: brolga_exit::code"][::core::mem::offset_of!(brolga_exit, code) - 0usize];
    ["Offset of field: brolga_exit::signal"][::core::mem::offset_of!(brolga_exit, signal) - 8usize];
};
pub const BROLGA_MODE_DEFAULT: brolga_mode = 0;
pub const BROLGA_MOVE: brolga_mode = 1;
pub const BROLGA_CHECK: brolga_mode = 2;
pub const BROLGA_COPY: brolga_mode = 3;
pub type brolga_mode = ::core::ffi::c_uint;
pub type brolga_shared_count = u64;
pub type brolga_shared_text = *const ::core::ffi::c_char;
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct brolga_site_stats {
    pub moved: u64,
    pub checked: u64,
    pub copied: u64,
    pub kept: u64,
    pub kept_bytes: u64,
    pub replaced: u64,
    pub copied_bytes: u64,
    pub in_vain: u64,
    pub refused: u64,
    pub returned: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_site_stats"][::core::mem::size_of::<brolga_site_stats>() - 80usize];
    ["Alignment of brolga_site_stats"][::core::mem::align_of::<brolga_site_stats>() - 8usize];
    ["Offset of field: brolga_site_stats::moved"]
        [::core::mem::offset_of!(brolga_site_stats, moved) - 0usize];
    ["Offset of field: brolga_site_stats::checked"]
        [::core::mem::offset_of!(brolga_site_stats, checked) - 8usize];
    ["Offset of field: brolga_site_stats::copied"]
        [::core::mem::offset_of!(brolga_site_stats, copied) - 16usize];
    ["Offset of field: brolga_site_stats::kept"]
        [::core::mem::offset_of!(brolga_site_stats, kept) - 24usize];
    ["Offset of field: brolga_site_stats::kept_bytes"]
        [::core::mem::offset_of!(brolga_site_stats, kept_bytes) - 32usize];
    ["Offset of field: brolga_site_stats::replaced"]
        [::core::mem::offset_of!(brolga_site_stats, replaced) - 40usize];
    ["Offset of field: brolga_site_stats::copied_bytes"]
        [::core::mem::offset_of!(brolga_site_stats, copied_bytes) - 48usize];
    ["Offset of field: brolga_site_stats::in_vain"]
        [::core::mem::offset_of!(brolga_site_stats, in_vain) - 56usize];
    ["Offset of field: brolga_site_stats::refused"]
        [::core::mem::offset_of!(brolga_site_stats, refused) - 64usize];
    ["Offset of field: brolga_site_stats::returned"]
        [::core::mem::offset_of!(brolga_site_stats, returned) - 72usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_site {
    pub name: *const ::core::ffi::c_char,
    pub file: *const ::core::ffi::c_char,
    pub line: u32,
    pub mode: brolga_shared_int,
    pub reason: brolga_shared_text,
    pub used: brolga_shared_int,
    pub vain: brolga_shared_int,
    pub next: *mut brolga_site,
    pub type_: [::core::ffi::c_char; 64usize],
    pub counts: [brolga_shared_count; 10usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_site"][::core::mem::size_of::<brolga_site>() - 192usize];
    ["Alignment of brolga_site"][::core::mem::align_of::<brolga_site>() - 8usize];
    ["Offset of field: brolga_site::name"][::core::mem::offset_of!(brolga_site, name) - 0usize];
    ["Offset of field: brolga_site::file"][::core::mem::offset_of!(brolga_site, file) - 8usize];
    ["Offset of field: brolga_site::line"][::core::mem::offset_of!(brolga_site, line) - 16usize];
    ["Offset of field: brolga_site::mode"][::core::mem::offset_of!(brolga_site, mode) - 20usize];
    ["Offset of field: brolga_site::reason"]
        [::core::mem::offset_of!(brolga_site, reason) - 24usize];
    ["Offset of field: brolga_site::used"][::core::mem::offset_of!(brolga_site, used) - 32usize];
    ["Offset of field: brolga_site::vain"][::core::mem::offset_of!(brolga_site, vain) - 36usize];
    ["Offset of field: brolga_site::next"][::core::mem::offset_of!(brolga_site, next) - 40usize];
    ["Offset of field: brolga_site::type_"][::core::mem::offset_of!(brolga_site, type_) - 48usize];
    ["Offset of field: brolga_site::counts"]
        [::core::mem::offset_of!(brolga_site, counts) - 112usize];
};
impl Default for brolga_site {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_fork {
    pub fn_: brolga_task_fn,
    pub arg: *mut ::core::ffi::c_void,
    pub outer: *mut brolga_fork,
    pub home: *mut brolga_scope,
    pub task: *mut brolga_task,
    pub state: brolga_shared_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_fork"][::core::mem::size_of::<brolga_fork>() - 48usize];
    ["Alignment of brolga_fork"][::core::mem::align_of::<brolga_fork>() - 8usize];
    ["Offset of field: brolga_fork::fn_"][::core::mem::offset_of!(brolga_fork, fn_) - 0usize];
    ["Offset of field: brolga_fork::arg"][::core::mem::offset_of!(brolga_fork, arg) - 8usize];
    ["Offset of field: brolga_fork::outer"][::core::mem::offset_of!(brolga_fork, outer) - 16usize];
    ["Offset of field: brolga_fork::home"][::core::mem::offset_of!(brolga_fork, home) - 24usize];
    ["Offset of field: brolga_fork::task"][::core::mem::offset_of!(brolga_fork, task) - 32usize];
    ["Offset of field: brolga_fork::state"][::core::mem::offset_of!(brolga_fork, state) - 40usize];
};
impl Default for brolga_fork {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const BROLGA_KIND_FIBER: brolga_task_kind = 0;
pub const BROLGA_KIND_THREAD: brolga_task_kind = 1;
pub const BROLGA_KIND_ATTACHED: brolga_task_kind = 2;
pub type brolga_task_kind = ::core::ffi::c_uint;
pub const BROLGA_TASK_NEW: brolga_task_state = 0;
pub const BROLGA_TASK_READY: brolga_task_state = 1;
pub const BROLGA_TASK_RUNNING: brolga_task_state = 2;
pub const BROLGA_TASK_PARKED: brolga_task_state = 3;
pub const BROLGA_TASK_BLOCKED: brolga_task_state = 4;
pub type brolga_task_state = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_task_info {
    pub id: u64,
    pub name: [::core::ffi::c_char; 32usize],
    pub kind: brolga_task_kind,
    pub state: brolga_task_state,
    pub parked_in: *const ::core::ffi::c_char,
    pub since_ns: u64,
    pub version: u64,
    pub scope: u64,
    pub canceled: ::core::ffi::c_int,
    pub stack_bytes: usize,
    pub stack_used: usize,
    pub made_bytes: u64,
    pub freed_bytes: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_task_info"][::core::mem::size_of::<brolga_task_info>() - 120usize];
    ["Alignment of brolga_task_info"][::core::mem::align_of::<brolga_task_info>() - 8usize];
    ["Offset of field: brolga_task_info::id"]
        [::core::mem::offset_of!(brolga_task_info, id) - 0usize];
    ["Offset of field: brolga_task_info::name"]
        [::core::mem::offset_of!(brolga_task_info, name) - 8usize];
    ["Offset of field: brolga_task_info::kind"]
        [::core::mem::offset_of!(brolga_task_info, kind) - 40usize];
    ["Offset of field: brolga_task_info::state"]
        [::core::mem::offset_of!(brolga_task_info, state) - 44usize];
    ["Offset of field: brolga_task_info::parked_in"]
        [::core::mem::offset_of!(brolga_task_info, parked_in) - 48usize];
    ["Offset of field: brolga_task_info::since_ns"]
        [::core::mem::offset_of!(brolga_task_info, since_ns) - 56usize];
    ["Offset of field: brolga_task_info::version"]
        [::core::mem::offset_of!(brolga_task_info, version) - 64usize];
    ["Offset of field: brolga_task_info::scope"]
        [::core::mem::offset_of!(brolga_task_info, scope) - 72usize];
    ["Offset of field: brolga_task_info::canceled"]
        [::core::mem::offset_of!(brolga_task_info, canceled) - 80usize];
    ["Offset of field: brolga_task_info::stack_bytes"]
        [::core::mem::offset_of!(brolga_task_info, stack_bytes) - 88usize];
    ["Offset of field: brolga_task_info::stack_used"]
        [::core::mem::offset_of!(brolga_task_info, stack_used) - 96usize];
    ["Offset of field: brolga_task_info::made_bytes"]
        [::core::mem::offset_of!(brolga_task_info, made_bytes) - 104usize];
    ["Offset of field: brolga_task_info::freed_bytes"]
        [::core::mem::offset_of!(brolga_task_info, freed_bytes) - 112usize];
};
impl Default for brolga_task_info {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct brolga_worker_stats {
    pub runs: u64,
    pub steals: u64,
    pub parks: u64,
    pub ready: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_worker_stats"][::core::mem::size_of::<brolga_worker_stats>() - 32usize];
    ["Alignment of brolga_worker_stats"][::core::mem::align_of::<brolga_worker_stats>() - 8usize];
    ["Offset of field: brolga_worker_stats::runs"]
        [::core::mem::offset_of!(brolga_worker_stats, runs) - 0usize];
    ["Offset of field: brolga_worker_stats::steals"]
        [::core::mem::offset_of!(brolga_worker_stats, steals) - 8usize];
    ["Offset of field: brolga_worker_stats::parks"]
        [::core::mem::offset_of!(brolga_worker_stats, parks) - 16usize];
    ["Offset of field: brolga_worker_stats::ready"]
        [::core::mem::offset_of!(brolga_worker_stats, ready) - 24usize];
};
pub const BROLGA_SCOPE_ALL: brolga_scope_policy = 0;
pub const BROLGA_SCOPE_ANY: brolga_scope_policy = 1;
pub const BROLGA_SCOPE_COLLECT: brolga_scope_policy = 2;
pub type brolga_scope_policy = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_scope_opts {
    pub policy: brolga_scope_policy,
    pub deadline_ns: u64,
    pub failures_max: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_scope_opts"][::core::mem::size_of::<brolga_scope_opts>() - 24usize];
    ["Alignment of brolga_scope_opts"][::core::mem::align_of::<brolga_scope_opts>() - 8usize];
    ["Offset of field: brolga_scope_opts::policy"]
        [::core::mem::offset_of!(brolga_scope_opts, policy) - 0usize];
    ["Offset of field: brolga_scope_opts::deadline_ns"]
        [::core::mem::offset_of!(brolga_scope_opts, deadline_ns) - 8usize];
    ["Offset of field: brolga_scope_opts::failures_max"]
        [::core::mem::offset_of!(brolga_scope_opts, failures_max) - 16usize];
};
impl Default for brolga_scope_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_scope_report {
    pub scope: u64,
    pub tasks: u64,
    pub ended: u64,
    pub failed: u64,
    pub canceled: u64,
    pub winner: u64,
    pub value: brolga_word,
    pub first: brolga_failure,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_scope_report"][::core::mem::size_of::<brolga_scope_report>() - 432usize];
    ["Alignment of brolga_scope_report"][::core::mem::align_of::<brolga_scope_report>() - 8usize];
    ["Offset of field: brolga_scope_report::scope"]
        [::core::mem::offset_of!(brolga_scope_report, scope) - 0usize];
    ["Offset of field: brolga_scope_report::tasks"]
        [::core::mem::offset_of!(brolga_scope_report, tasks) - 8usize];
    ["Offset of field: brolga_scope_report::ended"]
        [::core::mem::offset_of!(brolga_scope_report, ended) - 16usize];
    ["Offset of field: brolga_scope_report::failed"]
        [::core::mem::offset_of!(brolga_scope_report, failed) - 24usize];
    ["Offset of field: brolga_scope_report::canceled"]
        [::core::mem::offset_of!(brolga_scope_report, canceled) - 32usize];
    ["Offset of field: brolga_scope_report::winner"]
        [::core::mem::offset_of!(brolga_scope_report, winner) - 40usize];
    ["Offset of field: brolga_scope_report::value"]
        [::core::mem::offset_of!(brolga_scope_report, value) - 48usize];
    ["Offset of field: brolga_scope_report::first"]
        [::core::mem::offset_of!(brolga_scope_report, first) - 56usize];
};
impl Default for brolga_scope_report {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_chan {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_chan_opts {
    pub name: *const ::core::ffi::c_char,
    pub capacity: usize,
    pub unbounded: bool,
    pub bytes_max: usize,
    pub one_shot: bool,
    pub gives: brolga_mode,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_chan_opts"][::core::mem::size_of::<brolga_chan_opts>() - 40usize];
    ["Alignment of brolga_chan_opts"][::core::mem::align_of::<brolga_chan_opts>() - 8usize];
    ["Offset of field: brolga_chan_opts::name"]
        [::core::mem::offset_of!(brolga_chan_opts, name) - 0usize];
    ["Offset of field: brolga_chan_opts::capacity"]
        [::core::mem::offset_of!(brolga_chan_opts, capacity) - 8usize];
    ["Offset of field: brolga_chan_opts::unbounded"]
        [::core::mem::offset_of!(brolga_chan_opts, unbounded) - 16usize];
    ["Offset of field: brolga_chan_opts::bytes_max"]
        [::core::mem::offset_of!(brolga_chan_opts, bytes_max) - 24usize];
    ["Offset of field: brolga_chan_opts::one_shot"]
        [::core::mem::offset_of!(brolga_chan_opts, one_shot) - 32usize];
    ["Offset of field: brolga_chan_opts::gives"]
        [::core::mem::offset_of!(brolga_chan_opts, gives) - 36usize];
};
impl Default for brolga_chan_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const BROLGA_SEND: brolga_op = 0;
pub const BROLGA_GIVE: brolga_op = 1;
pub const BROLGA_RECV: brolga_op = 2;
pub type brolga_op = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct brolga_chan_stats {
    pub depth: usize,
    pub capacity: usize,
    pub sent: u64,
    pub received: u64,
    pub dropped: u64,
    pub senders_waiting: usize,
    pub receivers_waiting: usize,
    pub sends_waited: u64,
    pub receives_waited: u64,
    pub closed: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_chan_stats"][::core::mem::size_of::<brolga_chan_stats>() - 80usize];
    ["Alignment of brolga_chan_stats"][::core::mem::align_of::<brolga_chan_stats>() - 8usize];
    ["Offset of field: brolga_chan_stats::depth"]
        [::core::mem::offset_of!(brolga_chan_stats, depth) - 0usize];
    ["Offset of field: brolga_chan_stats::capacity"]
        [::core::mem::offset_of!(brolga_chan_stats, capacity) - 8usize];
    ["Offset of field: brolga_chan_stats::sent"]
        [::core::mem::offset_of!(brolga_chan_stats, sent) - 16usize];
    ["Offset of field: brolga_chan_stats::received"]
        [::core::mem::offset_of!(brolga_chan_stats, received) - 24usize];
    ["Offset of field: brolga_chan_stats::dropped"]
        [::core::mem::offset_of!(brolga_chan_stats, dropped) - 32usize];
    ["Offset of field: brolga_chan_stats::senders_waiting"]
        [::core::mem::offset_of!(brolga_chan_stats, senders_waiting) - 40usize];
    ["Offset of field: brolga_chan_stats::receivers_waiting"]
        [::core::mem::offset_of!(brolga_chan_stats, receivers_waiting) - 48usize];
    ["Offset of field: brolga_chan_stats::sends_waited"]
        [::core::mem::offset_of!(brolga_chan_stats, sends_waited) - 56usize];
    ["Offset of field: brolga_chan_stats::receives_waited"]
        [::core::mem::offset_of!(brolga_chan_stats, receives_waited) - 64usize];
    ["Offset of field: brolga_chan_stats::closed"]
        [::core::mem::offset_of!(brolga_chan_stats, closed) - 72usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_waiter {
    pub wake: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
    pub arg: *mut ::core::ffi::c_void,
    pub chan: *mut brolga_chan,
    pub next: *mut brolga_waiter,
    pub prev: *mut brolga_waiter,
    pub elem: *mut ::core::ffi::c_void,
    pub copy: brolga_word,
    pub claim: *mut brolga_shared_int,
    pub own_claim: brolga_shared_int,
    pub result: brolga_shared_int,
    pub arm: i32,
    pub op: i32,
    pub queued: bool,
    pub copied: bool,
    pub may_pause: bool,
    pub how: i32,
    pub site: *mut brolga_site,
    pub original: *mut ::core::ffi::c_void,
    pub kept: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_waiter"][::core::mem::size_of::<brolga_waiter>() - 112usize];
    ["Alignment of brolga_waiter"][::core::mem::align_of::<brolga_waiter>() - 8usize];
    ["Offset of field: brolga_waiter::wake"][::core::mem::offset_of!(brolga_waiter, wake) - 0usize];
    ["Offset of field: brolga_waiter::arg"][::core::mem::offset_of!(brolga_waiter, arg) - 8usize];
    ["Offset of field: brolga_waiter::chan"]
        [::core::mem::offset_of!(brolga_waiter, chan) - 16usize];
    ["Offset of field: brolga_waiter::next"]
        [::core::mem::offset_of!(brolga_waiter, next) - 24usize];
    ["Offset of field: brolga_waiter::prev"]
        [::core::mem::offset_of!(brolga_waiter, prev) - 32usize];
    ["Offset of field: brolga_waiter::elem"]
        [::core::mem::offset_of!(brolga_waiter, elem) - 40usize];
    ["Offset of field: brolga_waiter::copy"]
        [::core::mem::offset_of!(brolga_waiter, copy) - 48usize];
    ["Offset of field: brolga_waiter::claim"]
        [::core::mem::offset_of!(brolga_waiter, claim) - 56usize];
    ["Offset of field: brolga_waiter::own_claim"]
        [::core::mem::offset_of!(brolga_waiter, own_claim) - 64usize];
    ["Offset of field: brolga_waiter::result"]
        [::core::mem::offset_of!(brolga_waiter, result) - 68usize];
    ["Offset of field: brolga_waiter::arm"][::core::mem::offset_of!(brolga_waiter, arm) - 72usize];
    ["Offset of field: brolga_waiter::op"][::core::mem::offset_of!(brolga_waiter, op) - 76usize];
    ["Offset of field: brolga_waiter::queued"]
        [::core::mem::offset_of!(brolga_waiter, queued) - 80usize];
    ["Offset of field: brolga_waiter::copied"]
        [::core::mem::offset_of!(brolga_waiter, copied) - 81usize];
    ["Offset of field: brolga_waiter::may_pause"]
        [::core::mem::offset_of!(brolga_waiter, may_pause) - 82usize];
    ["Offset of field: brolga_waiter::how"][::core::mem::offset_of!(brolga_waiter, how) - 84usize];
    ["Offset of field: brolga_waiter::site"]
        [::core::mem::offset_of!(brolga_waiter, site) - 88usize];
    ["Offset of field: brolga_waiter::original"]
        [::core::mem::offset_of!(brolga_waiter, original) - 96usize];
    ["Offset of field: brolga_waiter::kept"]
        [::core::mem::offset_of!(brolga_waiter, kept) - 104usize];
};
impl Default for brolga_waiter {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_arm {
    pub chan: *mut brolga_chan,
    pub op: brolga_op,
    pub elem: *mut ::core::ffi::c_void,
    pub site: *mut brolga_site,
    pub waiter: brolga_waiter,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_arm"][::core::mem::size_of::<brolga_arm>() - 144usize];
    ["Alignment of brolga_arm"][::core::mem::align_of::<brolga_arm>() - 8usize];
    ["Offset of field: brolga_arm::chan"][::core::mem::offset_of!(brolga_arm, chan) - 0usize];
    ["Offset of field: brolga_arm::op"][::core::mem::offset_of!(brolga_arm, op) - 8usize];
    ["Offset of field: brolga_arm::elem"][::core::mem::offset_of!(brolga_arm, elem) - 16usize];
    ["Offset of field: brolga_arm::site"][::core::mem::offset_of!(brolga_arm, site) - 24usize];
    ["Offset of field: brolga_arm::waiter"][::core::mem::offset_of!(brolga_arm, waiter) - 32usize];
};
impl Default for brolga_arm {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_broadcast {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_subscription_opts {
    pub name: *const ::core::ffi::c_char,
    pub capacity: usize,
    pub drop_oldest: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_subscription_opts"]
        [::core::mem::size_of::<brolga_subscription_opts>() - 24usize];
    ["Alignment of brolga_subscription_opts"]
        [::core::mem::align_of::<brolga_subscription_opts>() - 8usize];
    ["Offset of field: brolga_subscription_opts::name"]
        [::core::mem::offset_of!(brolga_subscription_opts, name) - 0usize];
    ["Offset of field: brolga_subscription_opts::capacity"]
        [::core::mem::offset_of!(brolga_subscription_opts, capacity) - 8usize];
    ["Offset of field: brolga_subscription_opts::drop_oldest"]
        [::core::mem::offset_of!(brolga_subscription_opts, drop_oldest) - 16usize];
};
impl Default for brolga_subscription_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct brolga_broadcast_stats {
    pub subscribers: usize,
    pub sent: u64,
    pub closed: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_broadcast_stats"][::core::mem::size_of::<brolga_broadcast_stats>() - 24usize];
    ["Alignment of brolga_broadcast_stats"]
        [::core::mem::align_of::<brolga_broadcast_stats>() - 8usize];
    ["Offset of field: brolga_broadcast_stats::subscribers"]
        [::core::mem::offset_of!(brolga_broadcast_stats, subscribers) - 0usize];
    ["Offset of field: brolga_broadcast_stats::sent"]
        [::core::mem::offset_of!(brolga_broadcast_stats, sent) - 8usize];
    ["Offset of field: brolga_broadcast_stats::closed"]
        [::core::mem::offset_of!(brolga_broadcast_stats, closed) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_root {
    pub type_: *const brolga_type,
    pub word: brolga_word,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_root"][::core::mem::size_of::<brolga_root>() - 16usize];
    ["Alignment of brolga_root"][::core::mem::align_of::<brolga_root>() - 8usize];
    ["Offset of field: brolga_root::type_"][::core::mem::offset_of!(brolga_root, type_) - 0usize];
    ["Offset of field: brolga_root::word"][::core::mem::offset_of!(brolga_root, word) - 8usize];
};
impl Default for brolga_root {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_retype {
    pub from: *const brolga_type,
    pub to: *const brolga_type,
    pub convert: ::core::option::Option<
        unsafe extern "C" fn(
            arg: *mut ::core::ffi::c_void,
            from: *const ::core::ffi::c_void,
            to: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub arg: *mut ::core::ffi::c_void,
    pub timeout_ns: u64,
    pub release: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_retype"][::core::mem::size_of::<brolga_retype>() - 48usize];
    ["Alignment of brolga_retype"][::core::mem::align_of::<brolga_retype>() - 8usize];
    ["Offset of field: brolga_retype::from"][::core::mem::offset_of!(brolga_retype, from) - 0usize];
    ["Offset of field: brolga_retype::to"][::core::mem::offset_of!(brolga_retype, to) - 8usize];
    ["Offset of field: brolga_retype::convert"]
        [::core::mem::offset_of!(brolga_retype, convert) - 16usize];
    ["Offset of field: brolga_retype::arg"][::core::mem::offset_of!(brolga_retype, arg) - 24usize];
    ["Offset of field: brolga_retype::timeout_ns"]
        [::core::mem::offset_of!(brolga_retype, timeout_ns) - 32usize];
    ["Offset of field: brolga_retype::release"]
        [::core::mem::offset_of!(brolga_retype, release) - 40usize];
};
impl Default for brolga_retype {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct brolga_par_opts {
    pub deadline_ns: u64,
    pub unique: bool,
    pub chunk: usize,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_par_opts"][::core::mem::size_of::<brolga_par_opts>() - 24usize];
    ["Alignment of brolga_par_opts"][::core::mem::align_of::<brolga_par_opts>() - 8usize];
    ["Offset of field: brolga_par_opts::deadline_ns"]
        [::core::mem::offset_of!(brolga_par_opts, deadline_ns) - 0usize];
    ["Offset of field: brolga_par_opts::unique"]
        [::core::mem::offset_of!(brolga_par_opts, unique) - 8usize];
    ["Offset of field: brolga_par_opts::chunk"]
        [::core::mem::offset_of!(brolga_par_opts, chunk) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_par_failure {
    pub index: usize,
    pub failure: brolga_failure,
    pub copy: brolga_copy_error,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_par_failure"][::core::mem::size_of::<brolga_par_failure>() - 744usize];
    ["Alignment of brolga_par_failure"][::core::mem::align_of::<brolga_par_failure>() - 8usize];
    ["Offset of field: brolga_par_failure::index"]
        [::core::mem::offset_of!(brolga_par_failure, index) - 0usize];
    ["Offset of field: brolga_par_failure::failure"]
        [::core::mem::offset_of!(brolga_par_failure, failure) - 8usize];
    ["Offset of field: brolga_par_failure::copy"]
        [::core::mem::offset_of!(brolga_par_failure, copy) - 384usize];
};
impl Default for brolga_par_failure {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_par_fn {
    pub fn_: ::core::option::Option<
        unsafe extern "C" fn(env: brolga_word, element: brolga_word) -> brolga_word,
    >,
    pub slot: brolga_slot,
    pub env: brolga_word,
    pub env_type: *const brolga_type,
    pub many: ::core::option::Option<
        unsafe extern "C" fn(
            env: brolga_word,
            in_: *const brolga_word,
            out: *mut brolga_word,
            count: usize,
        ),
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_par_fn"][::core::mem::size_of::<brolga_par_fn>() - 40usize];
    ["Alignment of brolga_par_fn"][::core::mem::align_of::<brolga_par_fn>() - 8usize];
    ["Offset of field: brolga_par_fn::fn_"][::core::mem::offset_of!(brolga_par_fn, fn_) - 0usize];
    ["Offset of field: brolga_par_fn::slot"][::core::mem::offset_of!(brolga_par_fn, slot) - 8usize];
    ["Offset of field: brolga_par_fn::env"][::core::mem::offset_of!(brolga_par_fn, env) - 16usize];
    ["Offset of field: brolga_par_fn::env_type"]
        [::core::mem::offset_of!(brolga_par_fn, env_type) - 24usize];
    ["Offset of field: brolga_par_fn::many"]
        [::core::mem::offset_of!(brolga_par_fn, many) - 32usize];
};
impl Default for brolga_par_fn {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_par_fn2 {
    pub fn_: ::core::option::Option<
        unsafe extern "C" fn(
            env: brolga_word,
            left: brolga_word,
            right: brolga_word,
        ) -> brolga_word,
    >,
    pub slot: brolga_slot,
    pub env: brolga_word,
    pub env_type: *const brolga_type,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_par_fn2"][::core::mem::size_of::<brolga_par_fn2>() - 32usize];
    ["Alignment of brolga_par_fn2"][::core::mem::align_of::<brolga_par_fn2>() - 8usize];
    ["Offset of field: brolga_par_fn2::fn_"][::core::mem::offset_of!(brolga_par_fn2, fn_) - 0usize];
    ["Offset of field: brolga_par_fn2::slot"]
        [::core::mem::offset_of!(brolga_par_fn2, slot) - 8usize];
    ["Offset of field: brolga_par_fn2::env"]
        [::core::mem::offset_of!(brolga_par_fn2, env) - 16usize];
    ["Offset of field: brolga_par_fn2::env_type"]
        [::core::mem::offset_of!(brolga_par_fn2, env_type) - 24usize];
};
impl Default for brolga_par_fn2 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_reload {
    _unused: [u8; 0],
}
pub const BROLGA_RELOAD_BUILDING: brolga_reload_event_kind = 0;
pub const BROLGA_RELOAD_BUILD_FAILED: brolga_reload_event_kind = 1;
pub const BROLGA_RELOAD_BUILD_WARNED: brolga_reload_event_kind = 2;
pub const BROLGA_RELOAD_REFUSED: brolga_reload_event_kind = 3;
pub const BROLGA_RELOAD_RELOADED: brolga_reload_event_kind = 4;
pub const BROLGA_RELOAD_LOCKED: brolga_reload_event_kind = 5;
pub const BROLGA_RELOAD_UNLOCKED: brolga_reload_event_kind = 6;
pub const BROLGA_RELOAD_FILE_ADDED: brolga_reload_event_kind = 7;
pub const BROLGA_RELOAD_FILE_REMOVED: brolga_reload_event_kind = 8;
pub const BROLGA_RELOAD_UNLOAD_REFUSED: brolga_reload_event_kind = 9;
pub const BROLGA_RELOAD_WATCH_PROBLEM: brolga_reload_event_kind = 10;
pub const BROLGA_RELOAD_ROLLED_BACK: brolga_reload_event_kind = 11;
pub const BROLGA_RELOAD_STALE: brolga_reload_event_kind = 12;
pub const BROLGA_RELOAD_STALE_ENDED: brolga_reload_event_kind = 13;
pub const BROLGA_RELOAD_NOT_OPTIMISED: brolga_reload_event_kind = 14;
pub type brolga_reload_event_kind = ::core::ffi::c_uint;
pub const BROLGA_RELOAD_NEW: brolga_reload_why = 0;
pub const BROLGA_RELOAD_CHANGED: brolga_reload_why = 1;
pub const BROLGA_RELOAD_REBUILT: brolga_reload_why = 2;
pub const BROLGA_RELOAD_RESTORED: brolga_reload_why = 3;
pub const BROLGA_RELOAD_OPTIMISED: brolga_reload_why = 4;
pub const BROLGA_RELOAD_AGAIN: brolga_reload_why = 5;
pub type brolga_reload_why = ::core::ffi::c_uint;
pub const BROLGA_RELOAD_STATE_NEW: brolga_reload_state_what = 0;
pub const BROLGA_RELOAD_STATE_KEPT: brolga_reload_state_what = 1;
pub const BROLGA_RELOAD_STATE_MIGRATED: brolga_reload_state_what = 2;
pub const BROLGA_RELOAD_MESSAGES_CHANGED: brolga_reload_state_what = 3;
pub type brolga_reload_state_what = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_reload_state {
    pub module: *const ::core::ffi::c_char,
    pub name: *const ::core::ffi::c_char,
    pub what: brolga_reload_state_what,
    pub steps: ::core::ffi::c_uint,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_reload_state"][::core::mem::size_of::<brolga_reload_state>() - 24usize];
    ["Alignment of brolga_reload_state"][::core::mem::align_of::<brolga_reload_state>() - 8usize];
    ["Offset of field: brolga_reload_state::module"]
        [::core::mem::offset_of!(brolga_reload_state, module) - 0usize];
    ["Offset of field: brolga_reload_state::name"]
        [::core::mem::offset_of!(brolga_reload_state, name) - 8usize];
    ["Offset of field: brolga_reload_state::what"]
        [::core::mem::offset_of!(brolga_reload_state, what) - 16usize];
    ["Offset of field: brolga_reload_state::steps"]
        [::core::mem::offset_of!(brolga_reload_state, steps) - 20usize];
};
impl Default for brolga_reload_state {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_reload_module {
    pub name: *const ::core::ffi::c_char,
    pub file: *const ::core::ffi::c_char,
    pub why: brolga_reload_why,
    pub locked: bool,
    pub policy: brolga_policy,
    pub version: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_reload_module"][::core::mem::size_of::<brolga_reload_module>() - 40usize];
    ["Alignment of brolga_reload_module"][::core::mem::align_of::<brolga_reload_module>() - 8usize];
    ["Offset of field: brolga_reload_module::name"]
        [::core::mem::offset_of!(brolga_reload_module, name) - 0usize];
    ["Offset of field: brolga_reload_module::file"]
        [::core::mem::offset_of!(brolga_reload_module, file) - 8usize];
    ["Offset of field: brolga_reload_module::why"]
        [::core::mem::offset_of!(brolga_reload_module, why) - 16usize];
    ["Offset of field: brolga_reload_module::locked"]
        [::core::mem::offset_of!(brolga_reload_module, locked) - 20usize];
    ["Offset of field: brolga_reload_module::policy"]
        [::core::mem::offset_of!(brolga_reload_module, policy) - 24usize];
    ["Offset of field: brolga_reload_module::version"]
        [::core::mem::offset_of!(brolga_reload_module, version) - 32usize];
};
impl Default for brolga_reload_module {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_reload_event {
    pub kind: brolga_reload_event_kind,
    pub module: *const ::core::ffi::c_char,
    pub file: *const ::core::ffi::c_char,
    pub line: u32,
    pub text: *const ::core::ffi::c_char,
    pub output: *const ::core::ffi::c_char,
    pub output_bytes: usize,
    pub version: u64,
    pub modules: *const brolga_reload_module,
    pub modules_count: usize,
    pub states: *const brolga_reload_state,
    pub states_count: usize,
    pub build_ns: u64,
    pub restored: u64,
    pub commit_ns: u64,
    pub saved_ns: u64,
    pub refusal: brolga_refusal,
    pub report: *const brolga_report,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_reload_event"][::core::mem::size_of::<brolga_reload_event>() - 144usize];
    ["Alignment of brolga_reload_event"][::core::mem::align_of::<brolga_reload_event>() - 8usize];
    ["Offset of field: brolga_reload_event::kind"]
        [::core::mem::offset_of!(brolga_reload_event, kind) - 0usize];
    ["Offset of field: brolga_reload_event::module"]
        [::core::mem::offset_of!(brolga_reload_event, module) - 8usize];
    ["Offset of field: brolga_reload_event::file"]
        [::core::mem::offset_of!(brolga_reload_event, file) - 16usize];
    ["Offset of field: brolga_reload_event::line"]
        [::core::mem::offset_of!(brolga_reload_event, line) - 24usize];
    ["Offset of field: brolga_reload_event::text"]
        [::core::mem::offset_of!(brolga_reload_event, text) - 32usize];
    ["Offset of field: brolga_reload_event::output"]
        [::core::mem::offset_of!(brolga_reload_event, output) - 40usize];
    ["Offset of field: brolga_reload_event::output_bytes"]
        [::core::mem::offset_of!(brolga_reload_event, output_bytes) - 48usize];
    ["Offset of field: brolga_reload_event::version"]
        [::core::mem::offset_of!(brolga_reload_event, version) - 56usize];
    ["Offset of field: brolga_reload_event::modules"]
        [::core::mem::offset_of!(brolga_reload_event, modules) - 64usize];
    ["Offset of field: brolga_reload_event::modules_count"]
        [::core::mem::offset_of!(brolga_reload_event, modules_count) - 72usize];
    ["Offset of field: brolga_reload_event::states"]
        [::core::mem::offset_of!(brolga_reload_event, states) - 80usize];
    ["Offset of field: brolga_reload_event::states_count"]
        [::core::mem::offset_of!(brolga_reload_event, states_count) - 88usize];
    ["Offset of field: brolga_reload_event::build_ns"]
        [::core::mem::offset_of!(brolga_reload_event, build_ns) - 96usize];
    ["Offset of field: brolga_reload_event::restored"]
        [::core::mem::offset_of!(brolga_reload_event, restored) - 104usize];
    ["Offset of field: brolga_reload_event::commit_ns"]
        [::core::mem::offset_of!(brolga_reload_event, commit_ns) - 112usize];
    ["Offset of field: brolga_reload_event::saved_ns"]
        [::core::mem::offset_of!(brolga_reload_event, saved_ns) - 120usize];
    ["Offset of field: brolga_reload_event::refusal"]
        [::core::mem::offset_of!(brolga_reload_event, refusal) - 128usize];
    ["Offset of field: brolga_reload_event::report"]
        [::core::mem::offset_of!(brolga_reload_event, report) - 136usize];
};
impl Default for brolga_reload_event {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const BROLGA_RELOAD_AS_DECLARED: brolga_reload_policy = 0;
pub const BROLGA_RELOAD_KEEP_ALL: brolga_reload_policy = 1;
pub const BROLGA_RELOAD_RECLAIM_ALL: brolga_reload_policy = 2;
pub type brolga_reload_policy = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct brolga_reload_opts {
    pub paths: *const *const ::core::ffi::c_char,
    pub paths_count: usize,
    pub cc: *const ::core::ffi::c_char,
    pub cflags: *const ::core::ffi::c_char,
    pub include_dir: *const ::core::ffi::c_char,
    pub quiet_ms: u32,
    pub quiet_max_ms: u32,
    pub sweep_ms: u32,
    pub jobs: u32,
    pub bystander: bool,
    pub policy: brolga_reload_policy,
    pub tiered: bool,
    pub fast: *const ::core::ffi::c_char,
    pub allow_stale: bool,
    pub rollback_percent: u32,
    pub rollback_window_ms: u32,
    pub state_deadline_ms: u32,
    pub no_watch: bool,
    pub keep_files: bool,
    pub on_event: ::core::option::Option<
        unsafe extern "C" fn(arg: *mut ::core::ffi::c_void, event: *const brolga_reload_event),
    >,
    pub arg: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of brolga_reload_opts"][::core::mem::size_of::<brolga_reload_opts>() - 120usize];
    ["Alignment of brolga_reload_opts"][::core::mem::align_of::<brolga_reload_opts>() - 8usize];
    ["Offset of field: brolga_reload_opts::paths"]
        [::core::mem::offset_of!(brolga_reload_opts, paths) - 0usize];
    ["Offset of field: brolga_reload_opts::paths_count"]
        [::core::mem::offset_of!(brolga_reload_opts, paths_count) - 8usize];
    ["Offset of field: brolga_reload_opts::cc"]
        [::core::mem::offset_of!(brolga_reload_opts, cc) - 16usize];
    ["Offset of field: brolga_reload_opts::cflags"]
        [::core::mem::offset_of!(brolga_reload_opts, cflags) - 24usize];
    ["Offset of field: brolga_reload_opts::include_dir"]
        [::core::mem::offset_of!(brolga_reload_opts, include_dir) - 32usize];
    ["Offset of field: brolga_reload_opts::quiet_ms"]
        [::core::mem::offset_of!(brolga_reload_opts, quiet_ms) - 40usize];
    ["Offset of field: brolga_reload_opts::quiet_max_ms"]
        [::core::mem::offset_of!(brolga_reload_opts, quiet_max_ms) - 44usize];
    ["Offset of field: brolga_reload_opts::sweep_ms"]
        [::core::mem::offset_of!(brolga_reload_opts, sweep_ms) - 48usize];
    ["Offset of field: brolga_reload_opts::jobs"]
        [::core::mem::offset_of!(brolga_reload_opts, jobs) - 52usize];
    ["Offset of field: brolga_reload_opts::bystander"]
        [::core::mem::offset_of!(brolga_reload_opts, bystander) - 56usize];
    ["Offset of field: brolga_reload_opts::policy"]
        [::core::mem::offset_of!(brolga_reload_opts, policy) - 60usize];
    ["Offset of field: brolga_reload_opts::tiered"]
        [::core::mem::offset_of!(brolga_reload_opts, tiered) - 64usize];
    ["Offset of field: brolga_reload_opts::fast"]
        [::core::mem::offset_of!(brolga_reload_opts, fast) - 72usize];
    ["Offset of field: brolga_reload_opts::allow_stale"]
        [::core::mem::offset_of!(brolga_reload_opts, allow_stale) - 80usize];
    ["Offset of field: brolga_reload_opts::rollback_percent"]
        [::core::mem::offset_of!(brolga_reload_opts, rollback_percent) - 84usize];
    ["Offset of field: brolga_reload_opts::rollback_window_ms"]
        [::core::mem::offset_of!(brolga_reload_opts, rollback_window_ms) - 88usize];
    ["Offset of field: brolga_reload_opts::state_deadline_ms"]
        [::core::mem::offset_of!(brolga_reload_opts, state_deadline_ms) - 92usize];
    ["Offset of field: brolga_reload_opts::no_watch"]
        [::core::mem::offset_of!(brolga_reload_opts, no_watch) - 96usize];
    ["Offset of field: brolga_reload_opts::keep_files"]
        [::core::mem::offset_of!(brolga_reload_opts, keep_files) - 97usize];
    ["Offset of field: brolga_reload_opts::on_event"]
        [::core::mem::offset_of!(brolga_reload_opts, on_event) - 104usize];
    ["Offset of field: brolga_reload_opts::arg"]
        [::core::mem::offset_of!(brolga_reload_opts, arg) - 112usize];
};
impl Default for brolga_reload_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn brolga_abi() -> u32;
    pub fn brolga_strerror(code: ::core::ffi::c_int) -> *const ::core::ffi::c_char;
    pub fn brolga_error_name(code: ::core::ffi::c_int) -> *const ::core::ffi::c_char;
    pub fn brolga_now_ns() -> u64;
    pub fn brolga_after_ns(delay_ns: u64) -> u64;
    pub fn brolga_stress_parse(
        text: *const ::core::ffi::c_char,
        out: *mut brolga_stress,
    ) -> ::core::ffi::c_int;
    pub fn brolga_epoch_create(out: *mut *mut brolga_epoch) -> ::core::ffi::c_int;
    pub fn brolga_epoch_destroy(epoch: *mut brolga_epoch) -> ::core::ffi::c_int;
    pub fn brolga_epoch_join(
        epoch: *mut brolga_epoch,
        out: *mut *mut brolga_epoch_member,
    ) -> ::core::ffi::c_int;
    pub fn brolga_epoch_leave(member: *mut brolga_epoch_member);
    pub fn brolga_epoch_quiesce(member: *mut brolga_epoch_member);
    pub fn brolga_epoch_offline(member: *mut brolga_epoch_member);
    pub fn brolga_epoch_online(member: *mut brolga_epoch_member);
    pub fn brolga_epoch_retire(
        epoch: *mut brolga_epoch,
        node: *mut brolga_epoch_node,
        reclaim: ::core::option::Option<unsafe extern "C" fn(arg1: *mut brolga_epoch_node)>,
    );
    pub fn brolga_epoch_poll(epoch: *mut brolga_epoch, limit: usize) -> usize;
    pub fn brolga_epoch_synchronize(
        epoch: *mut brolga_epoch,
        deadline_ns: u64,
    ) -> ::core::ffi::c_int;
    pub fn brolga_refusal_name(refusal: brolga_refusal) -> *const ::core::ffi::c_char;
    pub fn brolga_report_json(
        report: *const brolga_report,
        text: *mut ::core::ffi::c_char,
        bytes: usize,
    ) -> usize;
    pub fn brolga_got_create(
        epoch: *mut brolga_epoch,
        opts: *const brolga_got_opts,
        out: *mut *mut brolga_got,
    ) -> ::core::ffi::c_int;
    pub fn brolga_got_destroy(got: *mut brolga_got);
    pub fn brolga_got_version(got: *mut brolga_got) -> u64;
    pub fn brolga_got_find(
        got: *mut brolga_got,
        module: *const ::core::ffi::c_char,
        symbol: *const ::core::ffi::c_char,
        signature: *const ::core::ffi::c_char,
        out: *mut brolga_slot,
    ) -> ::core::ffi::c_int;
    pub fn brolga_got_stats(got: *mut brolga_got, out: *mut brolga_got_stats);
    pub fn brolga_got_stale(
        got: *mut brolga_got,
        visit: ::core::option::Option<
            unsafe extern "C" fn(arg: *mut ::core::ffi::c_void, arg1: *const brolga_stale),
        >,
        arg: *mut ::core::ffi::c_void,
    ) -> usize;
    pub fn brolga_txn_begin(got: *mut brolga_got, out: *mut *mut brolga_txn) -> ::core::ffi::c_int;
    pub fn brolga_txn_unit(
        txn: *mut brolga_txn,
        opts: *const brolga_unit_opts,
        out: *mut *mut brolga_unit,
    ) -> ::core::ffi::c_int;
    pub fn brolga_unit_on_withdraw(
        unit: *mut brolga_unit,
        fn_: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
        arg: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_txn_replace(
        txn: *mut brolga_txn,
        module: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int;
    pub fn brolga_txn_slot(
        txn: *mut brolga_txn,
        module: *const ::core::ffi::c_char,
        symbol: *const ::core::ffi::c_char,
        signature: *const ::core::ffi::c_char,
        out: *mut brolga_slot,
    ) -> ::core::ffi::c_int;
    pub fn brolga_txn_define(
        txn: *mut brolga_txn,
        unit: *mut brolga_unit,
        module: *const ::core::ffi::c_char,
        symbol: *const ::core::ffi::c_char,
        signature: *const ::core::ffi::c_char,
        code: *const ::core::ffi::c_void,
        out: *mut brolga_slot,
    ) -> ::core::ffi::c_int;
    pub fn brolga_txn_import(
        txn: *mut brolga_txn,
        unit: *mut brolga_unit,
        module: *const ::core::ffi::c_char,
        symbol: *const ::core::ffi::c_char,
        signature: *const ::core::ffi::c_char,
        where_: *const ::core::ffi::c_char,
        out: *mut brolga_slot,
    ) -> ::core::ffi::c_int;
    pub fn brolga_txn_allow_stale(txn: *mut brolga_txn);
    pub fn brolga_txn_restore(txn: *mut brolga_txn, version: u64) -> ::core::ffi::c_int;
    pub fn brolga_got_rollback(
        got: *mut brolga_got,
        version: u64,
        report: *mut brolga_report,
    ) -> ::core::ffi::c_int;
    pub fn brolga_txn_hook(txn: *mut brolga_txn, hooks: *const brolga_hooks) -> ::core::ffi::c_int;
    pub fn brolga_txn_check(txn: *mut brolga_txn, report: *mut brolga_report)
        -> ::core::ffi::c_int;
    pub fn brolga_txn_commit(
        txn: *mut brolga_txn,
        report: *mut brolga_report,
    ) -> ::core::ffi::c_int;
    pub fn brolga_txn_commit_barrier(
        txn: *mut brolga_txn,
        deadline_ns: u64,
        report: *mut brolga_report,
    ) -> ::core::ffi::c_int;
    pub fn brolga_txn_abort(txn: *mut brolga_txn);
    pub fn brolga_unit_pin(unit: *mut brolga_unit);
    pub fn brolga_unit_unpin(unit: *mut brolga_unit);
    pub fn brolga_got_pin_address(
        got: *mut brolga_got,
        address: *const ::core::ffi::c_void,
    ) -> *mut brolga_unit;
    pub fn brolga_pin_create(
        unit: *mut brolga_unit,
        reason: *const ::core::ffi::c_char,
        out: *mut *mut brolga_pin,
    ) -> ::core::ffi::c_int;
    pub fn brolga_pin_code(
        got: *mut brolga_got,
        code: *const ::core::ffi::c_void,
        reason: *const ::core::ffi::c_char,
        out: *mut *mut brolga_pin,
    ) -> ::core::ffi::c_int;
    pub fn brolga_pin_destroy(pin: *mut brolga_pin);
    pub fn brolga_cells_attach(
        got: *mut brolga_got,
        module: *const ::core::ffi::c_char,
        base: *mut *const ::core::ffi::c_void,
        count: u32,
        out: *mut *mut brolga_cells,
    ) -> ::core::ffi::c_int;
    pub fn brolga_cells_base(cells: *const brolga_cells) -> *const *const ::core::ffi::c_void;
    pub fn brolga_cells_bind(
        cells: *mut brolga_cells,
        slot: brolga_slot,
        index: u32,
    ) -> ::core::ffi::c_int;
    pub fn brolga_cells_index(
        cells: *mut brolga_cells,
        slot: brolga_slot,
        out: *mut u32,
    ) -> ::core::ffi::c_int;
    pub fn brolga_model_cranelisp() -> brolga_model;
    pub fn brolga_model_cranelisp_later() -> brolga_model;
    pub fn brolga_allocator_name() -> *const ::core::ffi::c_char;
    pub fn brolga_types_create(
        model: *const brolga_model,
        out: *mut *mut brolga_types,
    ) -> ::core::ffi::c_int;
    pub fn brolga_types_destroy(types: *mut brolga_types);
    pub fn brolga_types_define(
        types: *mut brolga_types,
        text: *const ::core::ffi::c_char,
        error: *mut brolga_type_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_type_parse(
        types: *mut brolga_types,
        text: *const ::core::ffi::c_char,
        out: *mut *const brolga_type,
        error: *mut brolga_type_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_type_struct(
        types: *mut brolga_types,
        name: *const ::core::ffi::c_char,
        bytes: usize,
        align: usize,
        out: *mut *const brolga_type,
    ) -> ::core::ffi::c_int;
    pub fn brolga_type_handle(
        types: *mut brolga_types,
        name: *const ::core::ffi::c_char,
        retain: ::core::option::Option<
            unsafe extern "C" fn(word: brolga_word, arg: *mut ::core::ffi::c_void),
        >,
        release: ::core::option::Option<
            unsafe extern "C" fn(word: brolga_word, arg: *mut ::core::ffi::c_void),
        >,
        arg: *mut ::core::ffi::c_void,
        out: *mut *const brolga_type,
    ) -> ::core::ffi::c_int;
    pub fn brolga_type_name(type_: *const brolga_type) -> *const ::core::ffi::c_char;
    pub fn brolga_type_bytes(type_: *const brolga_type) -> usize;
    pub fn brolga_type_align(type_: *const brolga_type) -> usize;
    pub fn brolga_type_is_word(type_: *const brolga_type) -> bool;
    pub fn brolga_type_is_plain(type_: *const brolga_type) -> bool;
    pub fn brolga_type_fingerprint(type_: *const brolga_type) -> u64;
    pub fn brolga_object_make(types: *const brolga_types, payload_bytes: i64) -> brolga_word;
    pub fn brolga_object_free(types: *const brolga_types, value: brolga_word);
    pub fn brolga_copy(
        type_: *const brolga_type,
        from: *const ::core::ffi::c_void,
        to: *mut ::core::ffi::c_void,
        error: *mut brolga_copy_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_copy_with(
        type_: *const brolga_type,
        from: *const ::core::ffi::c_void,
        to: *mut ::core::ffi::c_void,
        opts: *const brolga_copy_opts,
        error: *mut brolga_copy_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_copy_word(
        type_: *const brolga_type,
        word: brolga_word,
        out: *mut brolga_word,
        error: *mut brolga_copy_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_drop(type_: *const brolga_type, at: *const ::core::ffi::c_void);
    pub fn brolga_drop_with(
        type_: *const brolga_type,
        at: *const ::core::ffi::c_void,
        pause: ::core::option::Option<
            unsafe extern "C" fn(arg: *mut ::core::ffi::c_void) -> ::core::ffi::c_int,
        >,
        arg: *mut ::core::ffi::c_void,
    );
    pub fn brolga_drop_word(type_: *const brolga_type, word: brolga_word);
    pub fn brolga_check(
        type_: *const brolga_type,
        at: *mut ::core::ffi::c_void,
        stats: *mut brolga_check_stats,
        error: *mut brolga_copy_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_check_with(
        type_: *const brolga_type,
        at: *mut ::core::ffi::c_void,
        opts: *const brolga_copy_opts,
        stats: *mut brolga_check_stats,
        error: *mut brolga_copy_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_check_word(
        type_: *const brolga_type,
        word: brolga_word,
        out: *mut brolga_word,
        stats: *mut brolga_check_stats,
        error: *mut brolga_copy_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_type_generated(
        types: *mut brolga_types,
        type_: *const brolga_type,
        functions: *const brolga_generated,
    ) -> ::core::ffi::c_int;
    pub fn brolga_copier_make(copier: *mut brolga_copier, payload_bytes: i64) -> brolga_word;
    pub fn brolga_copier_later(
        copier: *mut brolga_copier,
        type_: *const brolga_type,
        slot: *mut brolga_word,
    ) -> ::core::ffi::c_int;
    pub fn brolga_copier_is_due(copier: *const brolga_copier) -> bool;
    pub fn brolga_dropper_is_last(dropper: *mut brolga_dropper, object: brolga_word) -> bool;
    pub fn brolga_dropper_word(
        dropper: *mut brolga_dropper,
        type_: *const brolga_type,
        word: brolga_word,
    );
    pub fn brolga_dropper_free(dropper: *mut brolga_dropper, object: brolga_word);
    pub fn brolga_closures_create(out: *mut *mut brolga_closures) -> ::core::ffi::c_int;
    pub fn brolga_closures_destroy(closures: *mut brolga_closures);
    pub fn brolga_closures_model(closures: *mut brolga_closures, model: *mut brolga_model);
    pub fn brolga_closures_add(
        closures: *mut brolga_closures,
        unit: *mut brolga_unit,
        types: *mut brolga_types,
        closure: *const brolga_closure,
        count: usize,
        error: *mut brolga_type_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_closures_find(
        closures: *mut brolga_closures,
        code: *const ::core::ffi::c_void,
        out: *mut brolga_closure_info,
    ) -> ::core::ffi::c_int;
    pub fn brolga_closures_pin(
        closures: *mut brolga_closures,
        code: *const ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_closures_unpin(
        closures: *mut brolga_closures,
        code: *const ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_closures_stats(closures: *mut brolga_closures, out: *mut brolga_closures_stats);
    pub fn brolga_code_create(
        got: *mut brolga_got,
        opts: *const brolga_code_opts,
        out: *mut *mut brolga_code,
    ) -> ::core::ffi::c_int;
    pub fn brolga_code_destroy(code: *mut brolga_code) -> ::core::ffi::c_int;
    pub fn brolga_code_alloc(
        code: *mut brolga_code,
        bytes: usize,
        out: *mut *mut brolga_code_block,
    ) -> ::core::ffi::c_int;
    pub fn brolga_code_seal(block: *mut brolga_code_block) -> ::core::ffi::c_int;
    pub fn brolga_code_free(block: *mut brolga_code_block);
    pub fn brolga_code_unit(
        txn: *mut brolga_txn,
        block: *mut brolga_code_block,
        opts: *const brolga_code_unit_opts,
        out: *mut *mut brolga_unit,
    ) -> ::core::ffi::c_int;
    pub fn brolga_code_stats(code: *mut brolga_code, out: *mut brolga_code_stats);
    pub fn brolga_freeze(
        type_: *const brolga_type,
        word: brolga_word,
        out: *mut brolga_word,
        region: *mut *mut brolga_region,
        opts: *const brolga_copy_opts,
        error: *mut brolga_copy_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_type_can_freeze(type_: *const brolga_type) -> bool;
    pub fn brolga_region_retain(region: *mut brolga_region) -> *mut brolga_region;
    pub fn brolga_region_release(region: *mut brolga_region);
    pub fn brolga_region_of(type_: *const brolga_type, word: brolga_word) -> *mut brolga_region;
    pub fn brolga_region_look(region: *const brolga_region, out: *mut brolga_region_info);
    pub fn brolga_regions_list(out: *mut brolga_region_info, room: usize) -> usize;
    pub fn brolga_leases_add(
        leases: *mut brolga_leases,
        region: *mut brolga_region,
    ) -> ::core::ffi::c_int;
    pub fn brolga_leases_has(leases: *const brolga_leases, region: *const brolga_region) -> bool;
    pub fn brolga_leases_next(leases: *const brolga_leases, at: *mut usize) -> *mut brolga_region;
    pub fn brolga_leases_move(
        to: *mut brolga_leases,
        from: *mut brolga_leases,
    ) -> ::core::ffi::c_int;
    pub fn brolga_leases_end(leases: *mut brolga_leases);
    pub fn brolga_leases_collect(
        leases: *mut brolga_leases,
        type_: *const brolga_type,
        word: brolga_word,
    ) -> ::core::ffi::c_int;
    pub fn brolga_heap_keep(type_: *const brolga_type, word: brolga_word) -> ::core::ffi::c_int;
    pub fn brolga_heap_adopt(
        type_: *const brolga_type,
        at: *mut ::core::ffi::c_void,
        opts: *const brolga_copy_opts,
        error: *mut brolga_copy_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_heap_hold(
        object: *const ::core::ffi::c_void,
        release: ::core::option::Option<
            unsafe extern "C" fn(word: brolga_word, arg: *mut ::core::ffi::c_void),
        >,
        arg: *mut ::core::ffi::c_void,
        word: brolga_word,
    ) -> ::core::ffi::c_int;
    pub fn brolga_heap_has(object: *const ::core::ffi::c_void) -> bool;
    pub fn brolga_heaps_bytes() -> usize;
    pub fn brolga_create(opts: *const brolga_opts, out: *mut *mut brolga) -> ::core::ffi::c_int;
    pub fn brolga_destroy(rt: *mut brolga) -> ::core::ffi::c_int;
    pub fn brolga_runtime_got(rt: *mut brolga) -> *mut brolga_got;
    pub fn brolga_runtime() -> *mut brolga;
    pub fn brolga_workers(rt: *mut brolga) -> u32;
    pub fn brolga_tasks_live(rt: *mut brolga) -> u32;
    pub fn brolga_spawn(
        rt: *mut brolga,
        fn_: brolga_task_fn,
        arg: *mut ::core::ffi::c_void,
        opts: *const brolga_spawn_opts,
        out: *mut *mut brolga_task,
    ) -> ::core::ffi::c_int;
    pub fn brolga_spawn_slot(
        rt: *mut brolga,
        slot: brolga_slot,
        arg: *mut ::core::ffi::c_void,
        opts: *const brolga_spawn_opts,
        out: *mut *mut brolga_task,
    ) -> ::core::ffi::c_int;
    pub fn brolga_spawn_loop(
        rt: *mut brolga,
        slot: brolga_slot,
        arg: *mut ::core::ffi::c_void,
        opts: *const brolga_spawn_opts,
        out: *mut *mut brolga_task,
    ) -> ::core::ffi::c_int;
    pub fn brolga_join(
        task: *mut brolga_task,
        deadline_ns: u64,
        result: *mut brolga_word,
        failure: *mut brolga_failure,
    ) -> ::core::ffi::c_int;
    pub fn brolga_detach(task: *mut brolga_task);
    pub fn brolga_task_id(task: *const brolga_task) -> u64;
    pub fn brolga_cancel(task: *mut brolga_task);
    pub fn brolga_self() -> *mut brolga_task;
    pub fn brolga_canceled() -> bool;
    pub fn brolga_safepoint_slow();
    pub fn brolga_yield();
    pub fn brolga_sleep_until(when_ns: u64) -> ::core::ffi::c_int;
    pub fn brolga_panic(format: *const ::core::ffi::c_char, ...) -> !;
    pub fn brolga_block_begin();
    pub fn brolga_block_end();
    pub fn brolga_attach_thread(
        rt: *mut brolga,
        name: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int;
    pub fn brolga_detach_thread();
    pub fn brolga_drive(rt: *mut brolga, deadline_ns: u64) -> u64;
    pub fn brolga_holders(
        rt: *mut brolga,
        visit: ::core::option::Option<
            unsafe extern "C" fn(arg: *mut ::core::ffi::c_void, holder: *const brolga_holder),
        >,
        arg: *mut ::core::ffi::c_void,
    ) -> usize;
    pub fn brolga_stalls_text(
        rt: *mut brolga,
        text: *mut ::core::ffi::c_char,
        bytes: usize,
    ) -> usize;
    pub fn brolga_stalls_json(
        rt: *mut brolga,
        text: *mut ::core::ffi::c_char,
        bytes: usize,
    ) -> usize;
    pub fn brolga_hold_name(reason: brolga_hold) -> *const ::core::ffi::c_char;
    pub fn brolga_reclaim_step(rt: *mut brolga) -> bool;
    pub fn brolga_blocking(
        fn_: brolga_blocking_fn,
        arg: *mut ::core::ffi::c_void,
        deadline_ns: u64,
        result: *mut brolga_word,
    ) -> ::core::ffi::c_int;
    pub fn brolga_io_close(io: brolga_io) -> ::core::ffi::c_int;
    pub fn brolga_io_error() -> *const ::core::ffi::c_char;
    pub fn brolga_file_open(
        path: *const ::core::ffi::c_char,
        flags: ::core::ffi::c_int,
        mode: ::core::ffi::c_int,
        deadline_ns: u64,
        out: *mut brolga_io,
    ) -> ::core::ffi::c_int;
    pub fn brolga_file_read(
        file: brolga_io,
        buffer: *mut ::core::ffi::c_void,
        bytes: usize,
        offset: u64,
        deadline_ns: u64,
        count: *mut usize,
    ) -> ::core::ffi::c_int;
    pub fn brolga_file_write(
        file: brolga_io,
        buffer: *const ::core::ffi::c_void,
        bytes: usize,
        offset: u64,
        deadline_ns: u64,
        written: *mut usize,
    ) -> ::core::ffi::c_int;
    pub fn brolga_file_size(
        file: brolga_io,
        deadline_ns: u64,
        size: *mut u64,
    ) -> ::core::ffi::c_int;
    pub fn brolga_file_load(
        path: *const ::core::ffi::c_char,
        bytes_max: usize,
        deadline_ns: u64,
        data: *mut *mut ::core::ffi::c_char,
        count: *mut usize,
    ) -> ::core::ffi::c_int;
    pub fn brolga_file_unload(data: *mut ::core::ffi::c_char);
    pub fn brolga_io_read(
        stream: brolga_io,
        buffer: *mut ::core::ffi::c_void,
        bytes: usize,
        deadline_ns: u64,
        count: *mut usize,
    ) -> ::core::ffi::c_int;
    pub fn brolga_io_write(
        stream: brolga_io,
        buffer: *const ::core::ffi::c_void,
        bytes: usize,
        deadline_ns: u64,
        written: *mut usize,
    ) -> ::core::ffi::c_int;
    pub fn brolga_io_shutdown(stream: brolga_io, deadline_ns: u64) -> ::core::ffi::c_int;
    pub fn brolga_io_accept(
        listener: brolga_io,
        deadline_ns: u64,
        stream: *mut brolga_io,
    ) -> ::core::ffi::c_int;
    pub fn brolga_tcp_listen(
        address: *const ::core::ffi::c_char,
        port: u16,
        listener: *mut brolga_io,
    ) -> ::core::ffi::c_int;
    pub fn brolga_tcp_port(io: brolga_io, port: *mut u16) -> ::core::ffi::c_int;
    pub fn brolga_tcp_connect(
        address: *const ::core::ffi::c_char,
        port: u16,
        deadline_ns: u64,
        stream: *mut brolga_io,
    ) -> ::core::ffi::c_int;
    pub fn brolga_pipe_listen(
        path: *const ::core::ffi::c_char,
        listener: *mut brolga_io,
    ) -> ::core::ffi::c_int;
    pub fn brolga_pipe_connect(
        path: *const ::core::ffi::c_char,
        stream: *mut brolga_io,
    ) -> ::core::ffi::c_int;
    pub fn brolga_pipe_pair(pair: *mut brolga_io) -> ::core::ffi::c_int;
    pub fn brolga_process_spawn(
        opts: *const brolga_process_opts,
        process: *mut brolga_io,
        pipes: *mut brolga_io,
    ) -> ::core::ffi::c_int;
    pub fn brolga_process_wait(
        process: brolga_io,
        deadline_ns: u64,
        out: *mut brolga_exit,
    ) -> ::core::ffi::c_int;
    pub fn brolga_process_kill(
        process: brolga_io,
        signal: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    pub fn brolga_site_mode(site: *const brolga_site) -> brolga_mode;
    pub fn brolga_site_demote(
        site: *mut brolga_site,
        mode: brolga_mode,
        reason: *const ::core::ffi::c_char,
    ) -> brolga_mode;
    pub fn brolga_site_stats(site: *const brolga_site, out: *mut brolga_site_stats);
    pub fn brolga_site_explain(
        site: *const brolga_site,
        text: *mut ::core::ffi::c_char,
        bytes: usize,
    );
    pub fn brolga_site_json(site: *const brolga_site, text: *mut ::core::ffi::c_char, bytes: usize);
    pub fn brolga_sites_each(
        visit: ::core::option::Option<
            unsafe extern "C" fn(arg: *mut ::core::ffi::c_void, site: *const brolga_site),
        >,
        arg: *mut ::core::ffi::c_void,
    ) -> usize;
    pub fn brolga_sites_forget(from: *const ::core::ffi::c_void, bytes: usize);
    pub fn brolga_fork(fork: *mut brolga_fork, fn_: brolga_task_fn, arg: *mut ::core::ffi::c_void);
    pub fn brolga_fork_join(fork: *mut brolga_fork) -> brolga_word;
    pub fn brolga_tasks_each(
        rt: *mut brolga,
        visit: ::core::option::Option<
            unsafe extern "C" fn(arg: *mut ::core::ffi::c_void, task: *const brolga_task_info),
        >,
        arg: *mut ::core::ffi::c_void,
    ) -> usize;
    pub fn brolga_tasks_failed(rt: *mut brolga) -> u64;
    pub fn brolga_task_state_name(state: brolga_task_state) -> *const ::core::ffi::c_char;
    pub fn brolga_worker_stats(
        rt: *mut brolga,
        worker: u32,
        out: *mut brolga_worker_stats,
    ) -> ::core::ffi::c_int;
    pub fn brolga_deadlock_text(
        rt: *mut brolga,
        text: *mut ::core::ffi::c_char,
        bytes: usize,
    ) -> usize;
    pub fn brolga_outside_enter(rt: *mut brolga);
    pub fn brolga_outside_leave(rt: *mut brolga);
    pub fn brolga_bystander_enter(rt: *mut brolga);
    pub fn brolga_bystander_leave(rt: *mut brolga);
    pub fn brolga_scope_open(
        opts: *const brolga_scope_opts,
        out: *mut *mut brolga_scope,
    ) -> ::core::ffi::c_int;
    pub fn brolga_scope_join(
        scope: *mut brolga_scope,
        report: *mut brolga_scope_report,
    ) -> ::core::ffi::c_int;
    pub fn brolga_scope_each_failure(
        report: *const brolga_scope_report,
        visit: ::core::option::Option<
            unsafe extern "C" fn(arg: *mut ::core::ffi::c_void, failure: *const brolga_failure),
        >,
        arg: *mut ::core::ffi::c_void,
    ) -> usize;
    pub fn brolga_scope_cancel(scope: *mut brolga_scope);
    pub fn brolga_scope_root(rt: *mut brolga) -> *mut brolga_scope;
    pub fn brolga_scope_id(scope: *const brolga_scope) -> u64;
    pub fn brolga_deadline_ns() -> u64;
    pub fn brolga_cancel_reason() -> ::core::ffi::c_int;
    pub fn brolga_defer(
        fn_: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
        arg: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_undefer(
        fn_: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
        arg: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_chan_create(
        type_: *const brolga_type,
        opts: *const brolga_chan_opts,
        out: *mut *mut brolga_chan,
    ) -> ::core::ffi::c_int;
    pub fn brolga_chan_retain(chan: *mut brolga_chan) -> *mut brolga_chan;
    pub fn brolga_chan_release(chan: *mut brolga_chan);
    pub fn brolga_chan_type(chan: *const brolga_chan) -> *const brolga_type;
    pub fn brolga_chan_name(chan: *const brolga_chan) -> *const ::core::ffi::c_char;
    pub fn brolga_send(
        chan: *mut brolga_chan,
        elem: *const ::core::ffi::c_void,
        deadline_ns: u64,
    ) -> ::core::ffi::c_int;
    pub fn brolga_give(
        chan: *mut brolga_chan,
        elem: *mut ::core::ffi::c_void,
        deadline_ns: u64,
    ) -> ::core::ffi::c_int;
    pub fn brolga_recv(
        chan: *mut brolga_chan,
        elem: *mut ::core::ffi::c_void,
        deadline_ns: u64,
    ) -> ::core::ffi::c_int;
    pub fn brolga_try_send(
        chan: *mut brolga_chan,
        elem: *const ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_try_give(
        chan: *mut brolga_chan,
        elem: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_try_recv(
        chan: *mut brolga_chan,
        elem: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_send_word(
        chan: *mut brolga_chan,
        word: brolga_word,
        deadline_ns: u64,
    ) -> ::core::ffi::c_int;
    pub fn brolga_recv_word(
        chan: *mut brolga_chan,
        word: *mut brolga_word,
        deadline_ns: u64,
    ) -> ::core::ffi::c_int;
    pub fn brolga_send_site(
        chan: *mut brolga_chan,
        site: *mut brolga_site,
        elem: *mut ::core::ffi::c_void,
        deadline_ns: u64,
    ) -> ::core::ffi::c_int;
    pub fn brolga_try_send_site(
        chan: *mut brolga_chan,
        site: *mut brolga_site,
        elem: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_send_why(
        chan: *const brolga_chan,
        site: *const brolga_site,
        elem: *const ::core::ffi::c_void,
        error: *mut brolga_copy_error,
    ) -> ::core::ffi::c_int;
    pub fn brolga_chan_close(
        chan: *mut brolga_chan,
        reason_code: ::core::ffi::c_int,
        reason_text: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int;
    pub fn brolga_chan_reason(
        chan: *mut brolga_chan,
        code: *mut ::core::ffi::c_int,
        text: *mut ::core::ffi::c_char,
        bytes: usize,
    ) -> ::core::ffi::c_int;
    pub fn brolga_chan_join(chan: *mut brolga_chan, end: brolga_op) -> ::core::ffi::c_int;
    pub fn brolga_chan_leave(
        chan: *mut brolga_chan,
        end: brolga_op,
        reason_code: ::core::ffi::c_int,
        reason_text: *const ::core::ffi::c_char,
    );
    pub fn brolga_chan_stats(chan: *mut brolga_chan, out: *mut brolga_chan_stats);
    pub fn brolga_chan_offer(
        chan: *mut brolga_chan,
        waiter: *mut brolga_waiter,
        op: brolga_op,
        elem: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_chan_offer_site(
        chan: *mut brolga_chan,
        waiter: *mut brolga_waiter,
        site: *mut brolga_site,
        elem: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_waiter_result(waiter: *const brolga_waiter) -> ::core::ffi::c_int;
    pub fn brolga_chan_withdraw(waiter: *mut brolga_waiter) -> ::core::ffi::c_int;
    pub fn brolga_select(
        arms: *mut brolga_arm,
        count: usize,
        deadline_ns: u64,
        chosen: *mut usize,
    ) -> ::core::ffi::c_int;
    pub fn brolga_select_offer(
        arms: *mut brolga_arm,
        count: usize,
        wake: ::core::option::Option<unsafe extern "C" fn(arg: *mut ::core::ffi::c_void)>,
        arg: *mut ::core::ffi::c_void,
        chosen: *mut usize,
    ) -> ::core::ffi::c_int;
    pub fn brolga_select_withdraw(
        arms: *mut brolga_arm,
        count: usize,
        chosen: *mut usize,
    ) -> ::core::ffi::c_int;
    pub fn brolga_spawn_each(
        rt: *mut brolga,
        chan: *mut brolga_chan,
        slot: brolga_slot,
        state: *mut ::core::ffi::c_void,
        opts: *const brolga_spawn_opts,
        out: *mut *mut brolga_task,
    ) -> ::core::ffi::c_int;
    pub fn brolga_broadcast_create(
        type_: *const brolga_type,
        out: *mut *mut brolga_broadcast,
    ) -> ::core::ffi::c_int;
    pub fn brolga_broadcast_retain(broadcast: *mut brolga_broadcast) -> *mut brolga_broadcast;
    pub fn brolga_broadcast_release(broadcast: *mut brolga_broadcast);
    pub fn brolga_broadcast_subscribe(
        broadcast: *mut brolga_broadcast,
        opts: *const brolga_subscription_opts,
        out: *mut *mut brolga_chan,
    ) -> ::core::ffi::c_int;
    pub fn brolga_broadcast_send(
        broadcast: *mut brolga_broadcast,
        elem: *const ::core::ffi::c_void,
        deadline_ns: u64,
    ) -> ::core::ffi::c_int;
    pub fn brolga_broadcast_try_send(
        broadcast: *mut brolga_broadcast,
        elem: *const ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn brolga_broadcast_close(
        broadcast: *mut brolga_broadcast,
        reason_code: ::core::ffi::c_int,
        reason_text: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int;
    pub fn brolga_broadcast_stats(
        broadcast: *mut brolga_broadcast,
        out: *mut brolga_broadcast_stats,
    );
    pub fn brolga_chan_missed(subscription: *mut brolga_chan) -> u64;
    pub fn brolga_lease_keep(region: *mut brolga_region) -> ::core::ffi::c_int;
    pub fn brolga_lease_compact(roots: *const brolga_root, count: usize) -> ::core::ffi::c_int;
    pub fn brolga_lease_count() -> usize;
    pub fn brolga_txn_retype(
        txn: *mut brolga_txn,
        retype: *const brolga_retype,
    ) -> ::core::ffi::c_int;
    pub fn brolga_pfor(
        rt: *mut brolga,
        count: usize,
        body: ::core::option::Option<
            unsafe extern "C" fn(
                arg: *mut ::core::ffi::c_void,
                begin: usize,
                end: usize,
            ) -> ::core::ffi::c_int,
        >,
        arg: *mut ::core::ffi::c_void,
        opts: *const brolga_par_opts,
        failure: *mut brolga_par_failure,
    ) -> ::core::ffi::c_int;
    pub fn brolga_pmap(
        rt: *mut brolga,
        from: *const brolga_type,
        in_: brolga_word,
        fn_: *const brolga_par_fn,
        to: *const brolga_type,
        out: *mut brolga_word,
        opts: *const brolga_par_opts,
        failure: *mut brolga_par_failure,
    ) -> ::core::ffi::c_int;
    pub fn brolga_pfilter(
        rt: *mut brolga,
        type_: *const brolga_type,
        in_: brolga_word,
        keep: *const brolga_par_fn,
        out: *mut brolga_word,
        opts: *const brolga_par_opts,
        failure: *mut brolga_par_failure,
    ) -> ::core::ffi::c_int;
    pub fn brolga_preduce(
        rt: *mut brolga,
        type_: *const brolga_type,
        in_: brolga_word,
        fn_: *const brolga_par_fn2,
        identity: brolga_word,
        out: *mut brolga_word,
        opts: *const brolga_par_opts,
        failure: *mut brolga_par_failure,
    ) -> ::core::ffi::c_int;
    pub fn brolga_reload_create(
        rt: *mut brolga,
        opts: *const brolga_reload_opts,
        out: *mut *mut brolga_reload,
    ) -> ::core::ffi::c_int;
    pub fn brolga_reload_load(
        session: *mut brolga_reload,
        report: *mut brolga_report,
    ) -> ::core::ffi::c_int;
    pub fn brolga_reload_start(session: *mut brolga_reload) -> ::core::ffi::c_int;
    pub fn brolga_reload_stop(session: *mut brolga_reload);
    pub fn brolga_reload_destroy(session: *mut brolga_reload);
    pub fn brolga_reload_look(session: *mut brolga_reload);
    pub fn brolga_reload_rollback(
        session: *mut brolga_reload,
        version: u64,
        report: *mut brolga_report,
    ) -> ::core::ffi::c_int;
    pub fn brolga_reload_find(
        session: *mut brolga_reload,
        module: *const ::core::ffi::c_char,
        symbol: *const ::core::ffi::c_char,
        out: *mut brolga_slot,
    ) -> ::core::ffi::c_int;
    pub fn brolga_reload_each(
        session: *mut brolga_reload,
        visit: ::core::option::Option<
            unsafe extern "C" fn(
                arg: *mut ::core::ffi::c_void,
                module: *const brolga_reload_module,
            ),
        >,
        arg: *mut ::core::ffi::c_void,
    ) -> usize;
    pub fn brolga_reload_event_name(kind: brolga_reload_event_kind) -> *const ::core::ffi::c_char;
    pub fn brolga_reload_state_name(what: brolga_reload_state_what) -> *const ::core::ffi::c_char;
    pub fn brolga_reload_why_name(why: brolga_reload_why) -> *const ::core::ffi::c_char;
}
