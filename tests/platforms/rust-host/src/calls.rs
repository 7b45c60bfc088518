//! Calls of any function, by its signature: arguments are made for its types,
//! and all is dropped afterwards as at the end of the program's `let`s.

use crate::abi::Word;
use crate::closure::{self, io, FIRST_CAPTURE};
use crate::heap::word;
use crate::library::Function;
use crate::session::{returned, Session};
use crate::sig::Type;
use crate::value::{build, read, release, sample, Data};

/// What was done, for those who know what had to come out.
pub struct Call<'a> {
    pub session: &'a Session,
    pub function: &'a Function,
    /// Words as given, and the values where they are values.
    pub words: Vec<Word>,
    pub args: Vec<Option<Data>>,
    pub word: Word,
    pub result: Data,
}

/// Values that are sent, joined and so on are made from these numbers.
const SENT: i64 = 3;
/// What waits in channels that a function is given.
pub const WAITING: i64 = 11;
const ITEMS: i64 = 20;

impl<'a> Call<'a> {
    /// Calls it, has `check` look at it, and drops everything.
    pub fn run(session: &'a Session, function: &'a Function, check: impl FnOnce(&Call)) {
        let (words, args): (Vec<_>, Vec<_>) = function
            .params
            .iter()
            .zip(&function.param_names)
            .map(|(of, name)| argument(session, of, name))
            .unzip();
        let word = function.call(&words);
        let result = read(&function.result, word);
        let call = Call { session, function, words, args, word, result };
        check(&call);
        let captured = call.captured();
        release(&function.result, word);
        for (of, word) in function.params.iter().zip(&call.words) {
            release(of, *word);
        }
        for (of, word) in captured {
            assert_eq!(read(of, word), returned(of, &[]), "what a function has captured");
        }
    }

    /// What the functions that were given have captured.
    fn captured(&self) -> Vec<(&'a Type, Word)> {
        let capture = |(of, closure): (&'a Type, &Word)| match of {
            Type::Fn(params, result) if params.is_empty() => {
                Some((&result.args_of("IO")?[0], word(*closure, FIRST_CAPTURE)))
            }
            _ => None,
        };
        let params = self.function.params.iter();
        params.zip(&self.words).filter_map(capture).collect()
    }

    pub fn arg(&self, index: usize) -> &Data {
        self.args[index].as_ref().expect("a value")
    }

    /// What is in a parameter's type that has this name: of (Chan Int), Int.
    pub fn element(&self, index: usize, name: &str) -> &Type {
        &self.function.params[index].args_of(name).expect("a parameter of that type")[0]
    }
}

fn argument(s: &Session, of: &Type, name: &str) -> (Word, Option<Data>) {
    let waiting = |of: &Type| sample(of, WAITING);
    match of {
        Type::Fn(params, result) => (function(params, result), None),
        Type::Adt(head, args) => match (head.as_str(), args.as_slice()) {
            ("Chan", [a]) => (s.channel(a, &[waiting(a)]), None),
            ("Task", [a]) => (s.task(a), None),
            ("Vec", [Type::Adt(inner, a)]) if inner == "Chan" => {
                let chans = [s.channel(&a[0], &[]), s.channel(&a[0], &[waiting(&a[0])])];
                (build(&Type::adt("Vec", &[Type::Int]), &words_as_data(&chans)), None)
            }
            ("Vec", [a]) if name.ends_with("-items") => {
                value(of, Data::Vec((0..ITEMS).map(|i| sample(a, i)).collect()))
            }
            _ => value(of, sample(of, SENT)),
        },
        Type::Int if name.ends_with("-ms") => value(of, Data::Int(60_000)),
        Type::Int if name == "sleep-time" => value(of, Data::Int(1)),
        Type::Int if name == "chan-capacity" => value(of, Data::Int(4)),
        _ => value(of, sample(of, SENT)),
    }
}

fn value(of: &Type, data: Data) -> (Word, Option<Data>) {
    (build(of, &data), Some(data))
}

fn words_as_data(words: &[Word]) -> Data {
    Data::Vec(words.iter().map(|word| Data::Int(*word)).collect())
}

/// A function of the program. One that takes nothing returns what it has
/// captured; one that joins two values of a type, the first that is not the
/// identity, which is associative. Both are borrowed, as many results of
/// compiled code are. What others return is made by them.
fn function(params: &[Type], result: &Type) -> Word {
    match (params, result.args_of("IO")) {
        ([], Some([of])) => {
            let kept = build(of, &returned(of, &[]));
            closure::make(0, &[kept], |captures, _| io(captures[0]))
        }
        ([a, b], _) if a == b && a == result => {
            let (of, identity) = (a.clone(), sample(a, SENT));
            closure::make(2, &[], move |_, args| args[usize::from(read(&of, args[0]) == identity)])
        }
        _ => maker(params.to_vec(), result.clone()),
    }
}

fn maker(params: Vec<Type>, result: Type) -> Word {
    closure::make(params.len(), &[], move |_, args| {
        let args: Vec<_> = params.iter().zip(args).map(|(of, word)| read(of, *word)).collect();
        match result.args_of("IO") {
            Some([of]) => io(build(of, &returned(of, &args))),
            _ => build(&result, &returned(&result, &args)),
        }
    })
}
