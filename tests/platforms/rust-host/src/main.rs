//! A stand-in for Cranelisp: loads a platform as the host does, and runs the
//! functions of its element types with values made and dropped as compiled
//! code makes and drops them.
//!
//!     rust-host build/release/platforms/tasks.so
//!
//! The last line is 'N passed, N failed'.

mod abi;
mod closure;
mod heap;
mod library;
mod sig;
mod value;

use abi::Word;
use library::Library;
use sig::Type;
use std::panic::{catch_unwind, AssertUnwindSafe};
use value::{build, none, read, release, sample, some, Data};

struct Session {
    library: Library,
}

impl Session {
    fn call(&self, family: &str, suffix: &str, args: &[Word]) -> Word {
        let name = format!("{family}-{suffix}");
        match self.library.functions.get(&name) {
            Some(function) => function.call(args),
            None => panic!("there is no {name}"),
        }
    }

    /// Suffix and type of each element, by what the channels carry.
    fn elements(&self) -> Vec<(String, Type)> {
        let mut all: Vec<_> = self
            .library
            .functions
            .values()
            .filter_map(|f| {
                let suffix = f.name.strip_prefix("chan-")?;
                let of = f.result.args_of("Chan")?;
                let known = self.library.functions.contains_key(&format!("send-{suffix}"));
                known.then(|| (suffix.to_string(), of[0].clone()))
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

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

fn main() {
    let path = std::env::args().nth(1).expect("the path of a platform");
    let session = Session { library: Library::load(&path) };
    println!("{}: {} functions", session.library.name, session.library.functions.len());
    let (mut passed, mut failed) = (0, 0);
    for (suffix, of) in session.elements() {
        for (name, check) in CHECKS {
            match catch_unwind(AssertUnwindSafe(|| check(&session, &suffix, &of))) {
                Ok(()) => passed += 1,
                Err(_) => {
                    failed += 1;
                    println!("FAILED  {name} of {of}");
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0 || passed == 0));
}
