//! Goal: `src/ffi.rs` says what the headers say.
//!
//! Method: ffi.rs is read, and turned into a C file of assertions: each struct's
//! size and alignment, each field's place and type, each constant, each function's
//! signature. The compiler that reads the headers decides. ffi.rs itself has the
//! same sizes and places as assertions of Rust's, so nothing is compared with
//! itself. And each function that the headers export must be there.
//!
//! If this fails, run `bindings/rust/bindgen.sh`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

const FFI: &str = include_str!("../src/ffi.rs");
const INCLUDE: &str = env!("BROLGA_INCLUDE");

/// ffi.rs with single blanks, and names as the compiler of C knows them.
fn ffi() -> String {
    let text = FFI.replace("::core::ffi::", "").replace("::core::option::", "");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands between two marks, for each place where the first one does.
fn between<'a>(text: &'a str, from: &'a str, to: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(from).skip(1).filter_map(move |rest| rest.split_once(to).map(|(inner, _)| inner))
}

/// Splits at commas that are in no bracket.
fn split_list(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());

    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '<' => depth += 1,
            '>' if text[..at].ends_with('-') => {}
            ')' | ']' | '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

struct Names {
    structs: BTreeSet<String>,
    enums: BTreeSet<String>,
}

impl Names {
    fn of(text: &str) -> Self {
        let structs = between(text, "pub struct ", " {").map(Into::into).collect();
        let enums = between(text, "pub type ", ";")
            .filter_map(|line| line.split_once(" = "))
            .filter(|(_, to)| matches!(*to, "c_int" | "c_uint"))
            .map(|(name, _)| name.into())
            .collect();
        Self { structs, enums }
    }

    /// A type of Rust's as one of C's. `__typeof__` makes any type a word that
    /// others can be made from.
    fn c_type(&self, rust: &str) -> String {
        let rust = rust.trim();

        if let Some(to) = rust.strip_prefix("*mut ") {
            return format!("{} *", self.c_type(to));
        }
        if let Some(to) = rust.strip_prefix("*const ") {
            return format!("const {} *", self.word(to));
        }
        if let Some(inner) = rust.strip_prefix('[') {
            let (of, count) = inner.trim_end_matches(']').rsplit_once(';').expect("an array");
            let count = count.trim().trim_end_matches("usize");
            return format!("__typeof__({}[{count}])", self.word(of));
        }
        if let Some(inner) = rust.strip_prefix("Option< ").or(rust.strip_prefix("Option<")) {
            let inner = inner.trim_end_matches('>').trim_end_matches([',', ' ']);
            let function = inner.strip_prefix("unsafe extern \"C\" fn").expect("a function");
            return format!("__typeof__({})", self.c_function(function));
        }
        match rust {
            "i64" | "i32" | "i16" | "i8" | "u64" | "u32" | "u16" | "u8" => {
                let sign = if rust.starts_with('u') { "u" } else { "" };
                format!("{sign}int{}_t", &rust[1..])
            }
            "usize" => "size_t".into(),
            "bool" => "_Bool".into(),
            "c_char" => "char".into(),
            "c_int" => "int".into(),
            "c_uint" => "unsigned".into(),
            "c_void" | "!" => "void".into(),
            "f64" => "double".into(),
            name if self.structs.contains(name) => format!("struct {name}"),
            name if self.enums.contains(name) => format!("enum {name}"),
            name => name.into(),
        }
    }

    /// The same, where `const` may stand in front.
    fn word(&self, rust: &str) -> String {
        let c = self.c_type(rust);
        if c.ends_with('*') { format!("__typeof__({c})") } else { c }
    }

    /// "(a: A, b: B) -> R" as a pointer to a function.
    fn c_function(&self, rust: &str) -> String {
        let end = closing(rust);
        let result = rust[end + 1..]
            .trim()
            .strip_prefix("-> ")
            .map_or("void".into(), |result| self.c_type(result.trim_end_matches([',', ' '])));
        let mut arguments: Vec<_> = split_list(&rust[1..end])
            .into_iter()
            .map(|argument| match argument.split_once(": ") {
                Some((_, argument)) => self.c_type(argument),
                None => argument.into(), // "..."
            })
            .collect();
        if arguments.is_empty() {
            arguments.push("void".into());
        }
        format!("{result} (*)({})", arguments.join(", "))
    }
}

/// Where the bracket is closed with which a text begins.
fn closing(text: &str) -> usize {
    let mut depth = 0;

    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    panic!("no end: {text}");
}

/// Where the name is a word of Rust's, bindgen adds a stroke.
fn c_name(field: &str) -> &str {
    field.trim_end_matches('_')
}

/// The C file; and how many assertions it has.
fn assertions(text: &str) -> (String, usize) {
    let names = Names::of(text);
    let mut c = String::from(
        "#include <brolga/brolga.h>\n#include <brolga/reload.h>\n\
         #define SAME(what, is, ...) \\\n    \
         _Static_assert(_Generic(&(is), __VA_ARGS__: 1, default: 0), what \": another type\")\n\
         #define EQUAL(what, is, number) _Static_assert((is) == (number), what)\n",
    );
    let mut count = 0;
    let mut say = |line: String| {
        writeln!(c, "{line}").expect("a string");
        count += 1;
    };

    for line in between(text, "pub const ", ";") {
        let (name, rest) = line.split_once(": ").expect("a constant");
        let (_, value) = rest.split_once(" = ").expect("a value");
        say(format!("EQUAL(\"{name}\", {name}, {value});"));
    }
    for (mark, operator) in [("[\"Size of ", "sizeof"), ("[\"Alignment of ", "_Alignof")] {
        for line in between(text, mark, "usize]") {
            let (name, rest) = line.split_once('"').expect("a name");
            let number = rest.rsplit_once(' ').expect("a number").1;
            let c_type = names.c_type(name);
            say(format!("EQUAL(\"{operator} {name}\", {operator}({c_type}), {number});"));
        }
    }
    for line in between(text, "[\"Offset of field: ", "usize]") {
        let (path, rest) = line.split_once('"').expect("a path");
        let (name, field) = path.split_once("::").expect("a field");
        let number = rest.rsplit_once(' ').expect("a number").1;
        say(format!("EQUAL(\"{path}\", offsetof(struct {name}, {}), {number});", c_name(field)));
    }
    for body in between(text, "pub struct ", " }") {
        let (name, fields) = body.split_once(" {").expect("a struct");
        for field in split_list(fields).iter().filter_map(|field| field.strip_prefix("pub ")) {
            let (field, rust) = field.split_once(": ").expect("a field");
            let c_type = names.c_type(rust);
            say(format!(
                "SAME(\"{name}.{field}\", ((struct {name} *)0)->{}, {c_type} *);",
                c_name(field)
            ));
        }
    }
    for line in between(text, "pub type ", ";") {
        let (name, rust) = line.split_once(" = ").expect("a type");
        // Those that threads share are _Atomic in C only.
        if !names.enums.contains(name) && !name.starts_with("brolga_shared_") {
            say(format!("SAME(\"{name}\", *({name} *)0, {} *);", names.c_type(rust)));
        }
    }
    for line in between(text, "pub fn ", ";") {
        let open = line.find('(').expect("a function");
        let (name, rest) = line.split_at(open);
        say(format!("SAME(\"{name}\", {name}, {});", names.c_function(rest)));
    }
    (c, count)
}

/// What the compiler says about a C file; empty if it is content.
fn complaints(name: &str, c: &str) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());

    fs::write(&file, c).expect("a file can be written");
    let output = Command::new(compiler)
        .args(["-std=c11", "-fsyntax-only", "-Wall", "-Werror", "-I", INCLUDE])
        .arg(&file)
        .output()
        .expect("a C compiler runs (CC)");
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines()
        .filter(|line| line.contains("error"))
        .take(20)
        .fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn types_constants_and_signatures_are_those_of_the_headers() {
    let (c, count) = assertions(&ffi());

    assert!(count > 1000, "only {count} assertions were found");
    assert_eq!(complaints("same.c", &c), "", "run bindings/rust/bindgen.sh");
}

#[test]
fn a_difference_is_noticed() {
    let text = ffi();

    assert_eq!(complaints("plain.c", &assertions(&text).0), "");
    for (from, to) in [
        ("brolga_now_ns() -> u64", "brolga_now_ns() -> i64"),
        ("pub fn brolga_detach(task: *mut ", "pub fn brolga_detach(task: *const "),
        ("BROLGA_ECLOSED: brolga_error = -5", "BROLGA_ECLOSED: brolga_error = -6"),
        ("pub no_traps: bool", "pub no_traps: u8"),
        ("(brolga_opts, stack_bytes) - 8usize", "(brolga_opts, stack_bytes) - 16usize"),
        (
            "unsafe extern \"C\" fn(arg: *mut c_void) -> brolga_word",
            "unsafe extern \"C\" fn(arg: *mut c_void) -> u64",
        ),
    ] {
        assert!(text.contains(from), "the example is out of date: {from}");
        let (c, _) = assertions(&text.replace(from, to));
        assert_ne!(complaints("other.c", &c), "", "not noticed: {to}");
    }
}

#[test]
fn every_function_of_the_headers_is_there() {
    let text = ffi();
    let folder = Path::new(INCLUDE).join("brolga");
    let mut missing = Vec::new();

    for entry in fs::read_dir(&folder).expect("the headers") {
        let path = entry.expect("a header").path();
        if path.file_name().is_some_and(|name| name == "module.h" || name == "arch.h") {
            continue; // Macros for C files; what has no instructions.
        }
        let header = fs::read_to_string(&path).expect("a header");
        for declaration in between(&header, "\nBROLGA_API", ";") {
            let name = declaration
                .split('(')
                .flat_map(|part| part.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next())
                .find(|name| name.starts_with("brolga_"))
                .unwrap_or_else(|| panic!("no name: {declaration}"));
            if !text.contains(&format!("pub fn {name}(")) {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "run bindings/rust/bindgen.sh: {missing:?}");
}
