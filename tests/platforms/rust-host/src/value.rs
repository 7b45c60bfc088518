//! Values of the language: made, looked at and dropped by their types, as the
//! code does that the host compiles.
//!
//! `Data` is a value as the tests think of it; `build` makes the words that
//! compiled code would, `read` takes them apart and checks each on the way, and
//! `release` is the drop glue at the end of a `let`.

use crate::abi::Word;
use crate::heap::{count, dec, is_live, object_alloc, object_free, set_word, word};
use crate::sig::Type;

#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    Int(i64),
    Bool(bool),
    Float(f64),
    String(String),
    Vec(Vec<Data>),
    /// Which constructor, and its fields.
    Made(usize, Vec<Data>),
}

/// Below it a word of a type with nullary constructors is one of those.
const FIRST_POINTER: Word = 1024;
/// Counts from here on are those of objects that are never freed.
pub const IMMORTAL: Word = 1 << 40;

/// The fields of each constructor, in the order of their tags; `None` for
/// types that the host has no declaration of.
pub fn constructors(of: &Type) -> Option<Vec<Vec<Type>>> {
    let Type::Adt(name, args) = of else { return None };
    match (name.as_str(), args.as_slice()) {
        ("Option", [a]) => Some(vec![vec![], vec![a.clone()]]),
        ("List", [a]) => Some(vec![vec![], vec![a.clone(), of.clone()]]),
        ("Point", []) => Some(vec![vec![Type::Int, Type::Int]]),
        ("Shape", []) => {
            let point = Type::adt("Point", &[]);
            Some(vec![vec![], vec![point.clone(), Type::Float], vec![Type::String, point]])
        }
        _ => None,
    }
}

/// Some value of a type: another one for each seed, not too deep.
pub fn sample(of: &Type, seed: i64) -> Data {
    match of {
        Type::Int => Data::Int(seed * 1000 - 7),
        Type::Bool => Data::Bool(seed % 2 == 0),
        Type::Float => Data::Float(seed as f64 * 0.5),
        Type::String => Data::String(format!("text {seed} \u{e9}")),
        Type::Fn(..) => unreachable!("functions are made in closure.rs"),
        Type::Adt(name, args) => match (name.as_str(), constructors(of)) {
            ("Vec", _) => Data::Vec((0..seed % 4).map(|i| sample(&args[0], seed + i)).collect()),
            ("List", _) => list((0..seed % 4).map(|i| sample(&args[0], seed + i))),
            (_, Some(ways)) => {
                let tag = seed as usize % ways.len();
                let fields = ways[tag].iter().map(|field| sample(field, seed + 1));
                Data::Made(tag, fields.collect())
            }
            (_, None) => unreachable!("{of} has no values that one can write"),
        },
    }
}

pub fn none() -> Data {
    Data::Made(0, vec![])
}

pub fn some(data: Data) -> Data {
    Data::Made(1, vec![data])
}

pub fn list<I: DoubleEndedIterator<Item = Data>>(items: I) -> Data {
    items.rev().fold(Data::Made(0, vec![]), |tail, head| Data::Made(1, vec![head, tail]))
}

fn object(words: &[Word]) -> Word {
    let made = object_alloc(8 * words.len() as Word);
    for (i, value) in words.iter().enumerate() {
        set_word(made, i, *value);
    }
    made
}

/// A value with a count of one, which the caller has.
pub fn build(of: &Type, data: &Data) -> Word {
    match (of, data) {
        (Type::Int, Data::Int(n)) => *n,
        (Type::Bool, Data::Bool(b)) => Word::from(*b),
        (Type::Float, Data::Float(f)) => f.to_bits() as Word,
        (Type::String, Data::String(s)) => build_string(s),
        (Type::Adt(_, args), Data::Vec(items)) => {
            let words: Vec<_> = items.iter().map(|item| build(&args[0], item)).collect();
            let data = if words.is_empty() { 0 } else { object(&words) };
            object(&[words.len() as Word, words.len() as Word, data])
        }
        (Type::Adt(..), Data::Made(tag, fields)) => {
            let types = &constructors(of).expect("a declared type")[*tag];
            let words = types.iter().zip(fields).map(|(of, data)| build(of, data));
            let words: Vec<_> = std::iter::once(*tag as Word).chain(words).collect();
            if fields.is_empty() {
                *tag as Word
            } else {
                object(&words)
            }
        }
        _ => panic!("{data:?} is no {of}"),
    }
}

fn build_string(text: &str) -> Word {
    let made = object_alloc(8 + text.len() as Word);
    set_word(made, 0, text.len() as Word);
    unsafe { (made as *mut u8).add(8).copy_from(text.as_ptr(), text.len()) };
    made
}

fn check_object(of: &Type, value: Word) {
    assert_ne!(value, 0, "a null {of}");
    assert_eq!(value % 8, 0, "{value:#x} is no {of}");
    let counted = count(value);
    assert!(counted > 0, "a {of} with a count of {counted}");
    assert!(
        is_live(value) || counted >= IMMORTAL,
        "a {of} at {value:#x} that is neither the host's nor immortal"
    );
}

/// What the words say; panics where they are no value of the type.
pub fn read(of: &Type, value: Word) -> Data {
    match of {
        Type::Int => Data::Int(value),
        Type::Bool => {
            assert!(value == 0 || value == 1, "{value} is no Bool");
            Data::Bool(value == 1)
        }
        Type::Float => Data::Float(f64::from_bits(value as u64)),
        Type::String => Data::String(read_string(value)),
        Type::Fn(..) => panic!("no platform function gives a {of}"),
        Type::Adt(name, args) if name == "Vec" => {
            check_object(of, value);
            let (len, cap) = (word(value, 0), word(value, 1));
            assert!(0 <= len && len <= cap, "a vec of {len} in {cap}");
            if cap > 0 {
                check_object(of, word(value, 2));
            }
            Data::Vec((0..len as usize).map(|i| read(&args[0], word(word(value, 2), i))).collect())
        }
        Type::Adt(..) => read_made(of, value),
    }
}

fn read_string(value: Word) -> String {
    check_object(&Type::String, value);
    let bytes =
        unsafe { std::slice::from_raw_parts((value as *const u8).add(8), word(value, 0) as usize) };
    std::str::from_utf8(bytes).expect("strings are UTF-8").to_string()
}

fn read_made(of: &Type, value: Word) -> Data {
    let Some(ways) = constructors(of) else {
        // A handle: all that one sees is its header and [0][word].
        check_object(of, value);
        assert_eq!(word(value, 0), 0, "the tag of a {of}");
        return Data::Int(value);
    };
    if (0..FIRST_POINTER).contains(&value) {
        assert!(ways[value as usize].is_empty(), "constructor {value} of {of} without fields");
        return Data::Made(value as usize, vec![]);
    }
    check_object(of, value);
    let tag = word(value, 0) as usize;
    let fields = ways[tag].iter().enumerate();
    Data::Made(tag, fields.map(|(i, field)| read(field, word(value, i + 1))).collect())
}

/// The end of a `let` that has the value: one from its count, and at the last
/// the same for what it holds.
pub fn release(of: &Type, value: Word) {
    match of {
        Type::Int | Type::Bool | Type::Float => {}
        Type::String | Type::Fn(..) => drop_if_last(value, |_| {}),
        Type::Adt(name, args) if name == "Vec" => drop_if_last(value, |value| {
            for i in 0..word(value, 0) as usize {
                release(&args[0], word(word(value, 2), i));
            }
            if word(value, 1) > 0 {
                object_free(word(value, 2));
            }
        }),
        Type::Adt(..) => release_made(of, value),
    }
}

fn release_made(of: &Type, value: Word) {
    let ways = constructors(of).unwrap_or_default();
    let has_nullary = ways.is_empty() || ways.iter().any(Vec::is_empty);
    if has_nullary && (0..FIRST_POINTER).contains(&value) {
        return;
    }
    drop_if_last(value, |value| {
        if let Some(fields) = ways.get(word(value, 0) as usize) {
            for (i, field) in fields.iter().enumerate() {
                release(field, word(value, i + 1));
            }
        }
    });
}

fn drop_if_last(value: Word, parts: impl FnOnce(Word)) {
    if dec(value) {
        parts(value);
        object_free(value);
    }
}
