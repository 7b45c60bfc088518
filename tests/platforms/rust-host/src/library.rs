//! A platform's library: found, checked and taken apart as the host does it.

use crate::abi::{Entry, HostCallbacks, PlatformFn, PlatformManifest, Word, ABI_VERSION};
use crate::heap::object_alloc;
use crate::sig::{parse_signature, Type};
use std::collections::{HashMap, HashSet};
use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::mem::MaybeUninit;

extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
}
const RTLD_LAZY: c_int = 1;

/// A function of the manifest; the host copies all but the code.
pub struct Function {
    pub name: String,
    pub jit_name: String,
    pub code: *const u8,
    pub params: Vec<Type>,
    pub param_names: Vec<String>,
    pub result: Type,
}

pub struct Library {
    pub name: String,
    pub functions: HashMap<String, Function>,
}

impl Library {
    pub fn load(path: &str) -> Library {
        let entry = find_entry(path);
        let first = ask(entry);
        let again = ask(entry);
        assert_eq!(first.functions, again.functions, "each module of a program loads it again");
        assert_eq!(first.function_count, again.function_count);
        assert_eq!(first.abi_version, ABI_VERSION);
        let functions: Vec<_> = (0..first.function_count)
            .map(|i| read_function(unsafe { &*first.functions.add(i) }))
            .collect();
        // The JIT resolves a name once, and declares it with one arity.
        let mut resolved = HashMap::new();
        for f in &functions {
            let meant = (f.code, f.params.len());
            let first = *resolved.entry(f.jit_name.as_str()).or_insert(meant);
            assert_eq!(first, meant, "{}: {} is other code", f.name, f.jit_name);
        }
        let total = functions.len();
        let functions: HashMap<_, _> = functions.into_iter().map(|f| (f.name.clone(), f)).collect();
        assert_eq!(functions.len(), total, "a name is declared once");
        assert!(!text(first.version, first.version_len).is_empty());
        Library { name: text(first.name, first.name_len), functions }
    }
}

fn find_entry(path: &str) -> Entry {
    let path = CString::new(path).unwrap();
    let name = c"cranelisp_platform_manifest";
    unsafe {
        let library = dlopen(path.as_ptr(), RTLD_LAZY);
        assert!(!library.is_null(), "{:?}", CStr::from_ptr(dlerror()));
        let symbol = dlsym(library, name.as_ptr());
        assert!(!symbol.is_null(), "no symbol {name:?}");
        std::mem::transmute::<*mut c_void, Entry>(symbol)
    }
}

/// The callbacks lie on the stack for the length of the call only.
fn ask(entry: Entry) -> PlatformManifest {
    let mut callbacks = MaybeUninit::new(HostCallbacks { alloc: object_alloc });
    unsafe {
        let manifest = entry(callbacks.as_ptr());
        std::ptr::write_bytes(std::hint::black_box(callbacks.as_mut_ptr()), 0xee, 1);
        manifest
    }
}

/// The host makes a slice of it even where it is empty, so it is never null.
fn text(bytes: *const u8, len: usize) -> String {
    assert!(!bytes.is_null(), "a null text");
    let bytes = unsafe { std::slice::from_raw_parts(bytes, len) };
    std::str::from_utf8(bytes).expect("UTF-8").to_string()
}

fn read_function(f: &PlatformFn) -> Function {
    let name = text(f.name, f.name_len);
    let (params, result) = parse_signature(&text(f.type_sig, f.type_sig_len))
        .unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(!f.code.is_null(), "{name} has no code");
    assert_eq!(f.param_count as usize, params.len(), "{name}: what it takes");
    // A function that is used as a value is wrapped after the number of names.
    assert_eq!(f.param_name_count, params.len(), "{name}: names of what it takes");
    let named = (0..f.param_name_count)
        .map(|i| unsafe { text(*f.param_names.add(i), *f.param_name_lens.add(i)) })
        .collect::<Vec<_>>();
    let distinct = named.iter().collect::<HashSet<_>>().len();
    assert_eq!(distinct, params.len(), "{name}: each has its own name");
    assert!(!text(f.docstring, f.docstring_len).is_empty(), "{name} has no docstring");
    check_name(&name);
    let jit_name = text(f.jit_name, f.jit_name_len);
    Function { name, jit_name, code: f.code, params, param_names: named, result }
}

/// Bare names are one name space for a whole session: those of the prelude, of
/// fields and of trait methods are taken.
fn check_name(name: &str) {
    const TAKEN: &str = "head tail rest val ioval shead stail sname sval sitems show fmap map \
        filter take drop reduce seq list-to-seq pure bind concat reverse empty? iterate repeat \
        range-from inc print read-line list vec str do cond case const def to-list \
        send recv close await spawn pmap";
    assert!(name.len() > 1 && !TAKEN.split_whitespace().any(|t| t == name), "{name} is taken");
}

impl Function {
    /// The call as compiled code does it: words in, word out, no context. What
    /// comes back is what the IO holds.
    pub fn call(&self, args: &[Word]) -> Word {
        assert_eq!(args.len(), self.params.len(), "{}: arguments", self.name);
        let io = unsafe { crate::closure::call_code(self.code, args) };
        crate::heap::word(io, 1)
    }
}
