//! A stand-in for Cranelisp: loads a platform as the host does, and calls every
//! function of its manifest with values made and dropped as compiled code makes
//! and drops them.
//!
//!     rust-host build/release/platforms/tasks.so
//!
//! The last line is 'N passed, N failed'.

mod abi;
mod calls;
mod closure;
mod heap;
mod laws;
mod library;
mod session;
mod sig;
mod value;

use calls::Call;
use laws::law_of;
use library::{Function, Library};
use session::Session;
use sig::Type;
use std::panic::{catch_unwind, AssertUnwindSafe};
use value::{build, none, read, release, sample, some, Data};

fn pmap_of_each_element(s: &Session, suffix: &str, of: &Type) {
    let vec = Type::adt("Vec", std::slice::from_ref(of));
    let sent = Data::Vec((0..20).map(|i| sample(of, i)).collect());
    let items = build(&vec, &sent);
    let same = closure::make(1, &[], |_, args| args[0]);
    let out = s.call("pmap", suffix, &[same, items]);
    release(&vec, items);
    assert_eq!(read(&vec, out), sent);
    release(&vec, out);
}

fn task_gives_its_result(s: &Session, suffix: &str, of: &Type) {
    let (made, type_of) = (sample(of, 5), of.clone());
    let body = closure::make(0, &[], move |_, _| closure::io(build(&type_of, &made)));
    let task = s.call("spawn", suffix, &[body]);
    let out = s.call("await", suffix, &[task]);
    assert_eq!(read(of, out), sample(of, 5));
    release(of, out);
}

/// What was sent may be gone before it is received.
fn channel_brings_a_copy(s: &Session, suffix: &str, of: &Type) {
    let ch = s.call("chan", suffix, &[4]);
    let option = Type::adt("Option", std::slice::from_ref(of));
    for seed in 0..4 {
        let sent = build(of, &sample(of, seed));
        s.call("send", suffix, &[ch, sent]);
        release(of, sent);
    }
    s.call("close", suffix, &[ch]);
    for seed in 0..4 {
        let out = s.call("recv", suffix, &[ch]);
        assert_eq!(read(&option, out), some(sample(of, seed)));
        release(&option, out);
    }
    assert_eq!(read(&option, s.call("recv", suffix, &[ch])), none());
}

type Check = fn(&Session, &str, &Type);

const CHECKS: [(&str, Check); 3] = [
    ("pmap", pmap_of_each_element),
    ("spawn and await", task_gives_its_result),
    ("chan, send, recv, close", channel_brings_a_copy),
];

/// Any function, by its signature; what must come out says its family.
fn call_one(s: &Session, function: &Function) {
    let suffixes: Vec<_> = s.elements.iter().map(|(suffix, _)| suffix.as_str()).collect();
    match law_of(&function.name, &suffixes) {
        Some(law) => Call::run(s, function, law),
        None => panic!("nothing is known of {}", function.name),
    }
}

#[derive(Default)]
struct Tally {
    passed: u32,
    failed: u32,
}

impl Tally {
    fn count(&mut self, what: &str, check: impl FnOnce()) {
        match catch_unwind(AssertUnwindSafe(check)) {
            Ok(()) => self.passed += 1,
            Err(_) => {
                self.failed += 1;
                println!("FAILED  {what}");
            }
        }
    }
}

fn main() {
    let path = std::env::args().nth(1).expect("the path of a platform");
    std::env::set_var("CRANELISP_TASKS_TYPES", concat!(env!("CARGO_MANIFEST_DIR"), "/host.types"));
    let session = Session::new(Library::load(&path));
    let mut functions: Vec<_> = session.library.functions.values().collect();
    println!("{}: {} functions", session.library.name, functions.len());
    let mut tally = Tally::default();
    tally.count("types of the program", || {
        assert!(session.elements.iter().any(|(suffix, _)| suffix == "list-shape"));
    });
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    for function in functions {
        tally.count(&function.name, || call_one(&session, function));
    }
    for (suffix, of) in &session.elements {
        for (name, check) in CHECKS {
            tally.count(&format!("{name} of {of}"), || check(&session, suffix, of));
        }
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    std::process::exit(i32::from(tally.failed > 0));
}
