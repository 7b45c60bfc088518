//! What must come out of each family of functions.

use crate::abi::Word;
use crate::calls::{Call, WAITING};
use crate::session::returned;
use crate::sig::Type;
use crate::value::{none, read, release, sample, some, Data};

pub type Law = fn(&Call);

const LAWS: [(&str, Law); 26] = [
    ("pmap", pmap),
    ("pfilter", pfilter),
    ("preduce", preduce),
    ("spawn", spawn),
    ("await", result_of_task),
    ("await-for", |c| assert_eq!(c.result, some(returned(c.element(0, "Task"), &[])))),
    ("cancel", cancel),
    ("task-done", |c| assert!(matches!(c.result, Data::Bool(_)))),
    ("scope", |c| assert_eq!(c.result, given(c, &[]))),
    ("scope-for", |c| assert_eq!(c.result, given(c, &[]))),
    ("chan", |c| assert_eq!(counts_of(c, c.word), [0, 4, 0, 0, 0, 0, 0, 0])),
    ("chan-unbounded", |c| assert_eq!(counts_of(c, c.word), [0, -1, 0, 0, 0, 0, 0, 0])),
    ("send", send),
    ("try-send", send),
    ("recv", recv),
    ("recv-for", recv),
    ("try-recv", recv),
    ("close", close),
    ("select", select),
    ("select-for", select),
    ("select-with", select_with),
    ("chan-stats", |c| assert_eq!(ints(&c.result), [1, -1, 1, 0, 0, 0, 0, 0])),
    ("sleep-ms", |c| assert_eq!(c.result, Data::Int(1))),
    ("task-canceled", |c| assert_eq!(c.result, Data::Bool(false))),
    ("task-stats", |c| assert!(ints(&c.result)[1] > ints(&c.result)[2], "{:?}", c.result)),
    ("tasks-report", |c| assert!(matches!(&c.result, Data::String(s) if s.contains("started")))),
];

/// What is known of a function of this name.
pub fn law_of(name: &str, suffixes: &[&str]) -> Option<Law> {
    let family = family_of(name, suffixes)?;
    LAWS.iter().find(|(own, _)| *own == family).map(|(_, law)| *law)
}

/// A name is that of the family, as a rule with the suffix of an element type
/// behind it; maps may have two.
fn family_of<'a>(name: &'a str, suffixes: &[&str]) -> Option<&'a str> {
    let known = |family: &str| LAWS.iter().any(|(own, _)| *own == family);
    let without = |suffix: &&str| name.strip_suffix(suffix)?.strip_suffix('-');
    let maps_to = |family: &str| {
        let from = family.strip_prefix("pmap-")?.strip_suffix("-to")?;
        suffixes.contains(&from).then_some("pmap")
    };
    let families: Vec<_> = suffixes.iter().filter_map(without).collect();
    std::iter::once(name)
        .chain(families.iter().copied())
        .chain(families.iter().filter_map(|family| maps_to(family)))
        .find(|family| known(family))
}

fn items(data: &Data) -> &[Data] {
    match data {
        Data::Vec(items) => items,
        other => panic!("{other:?} is no vec"),
    }
}

fn ints(data: &Data) -> Vec<i64> {
    let int = |data: &Data| match data {
        Data::Int(n) => *n,
        other => panic!("{other:?} is no Int"),
    };
    items(data).iter().map(int).collect()
}

/// What the function that was given returns for these.
fn given(c: &Call, args: &[Data]) -> Data {
    let result = c.function.params.iter().find_map(|of| match of {
        Type::Fn(_, result) => Some(result),
        _ => None,
    });
    let result = result.expect("a function that takes one");
    returned(result.args_of("IO").map_or(&**result, |of| &of[0]), args)
}

/// The next value of the channel that was given.
fn next(c: &Call) -> Data {
    let of = c.element(0, "Chan");
    let option = Type::adt("Option", std::slice::from_ref(of));
    let word = c.session.call_of("try-recv", of, &[c.words[0]]);
    let data = read(&option, word);
    release(&option, word);
    data
}

fn waiting(of: &Type) -> Data {
    sample(of, WAITING)
}

fn counts_of(c: &Call, chan: Word) -> Vec<i64> {
    let vec = Type::adt("Vec", &[Type::Int]);
    let of = &c.function.result.args_of("Chan").expect("a channel")[0];
    let word = c.session.call_of("chan-stats", of, &[chan]);
    let data = read(&vec, word);
    release(&vec, word);
    ints(&data)
}

// --- in parallel -------------------------------------------------------------

fn pmap(c: &Call) {
    let mapped = items(c.arg(1)).iter().map(|item| given(c, std::slice::from_ref(item)));
    assert_eq!(c.result, Data::Vec(mapped.collect()));
}

fn pfilter(c: &Call) {
    let keep = |item: &&Data| given(c, std::slice::from_ref(*item)) == Data::Bool(true);
    let kept: Vec<_> = items(c.arg(1)).iter().filter(keep).cloned().collect();
    assert_eq!(c.result, Data::Vec(kept));
}

/// The function joins two by the first that is not the identity.
fn preduce(c: &Call) {
    let identity = c.arg(1);
    let first = items(c.arg(2)).iter().find(|item| *item != identity);
    assert_eq!(&c.result, first.unwrap_or(identity));
}

// --- tasks -------------------------------------------------------------------

/// The result is there as often as one likes, also when one of them is gone.
fn awaited(c: &Call, of: &Type, task: Word) {
    for _ in 0..2 {
        let word = c.session.call_of("await", of, &[task]);
        assert_eq!(read(of, word), returned(of, &[]));
        release(of, word);
    }
}

fn spawn(c: &Call) {
    awaited(c, &c.function.result.args_of("Task").expect("a task")[0], c.word);
}

fn result_of_task(c: &Call) {
    assert_eq!(c.result, returned(c.element(0, "Task"), &[]));
    awaited(c, c.element(0, "Task"), c.words[0]);
}

/// A task that does not wait ends as if nobody had asked it to.
fn cancel(c: &Call) {
    assert!(matches!(c.result, Data::Int(0 | 1)));
    awaited(c, c.element(0, "Task"), c.words[0]);
}

// --- channels ----------------------------------------------------------------

/// What was sent is received behind what was there.
fn send(c: &Call) {
    assert_eq!(c.result, Data::Int(1));
    assert_eq!(next(c), some(waiting(c.element(0, "Chan"))));
    assert_eq!(next(c), some(c.arg(1).clone()));
    assert_eq!(next(c), none());
}

fn recv(c: &Call) {
    assert_eq!(c.result, some(waiting(c.element(0, "Chan"))));
    assert_eq!(next(c), none());
}

/// What is in a closed channel is received, and nothing can be sent.
fn close(c: &Call) {
    let of = c.element(0, "Chan");
    let word = crate::value::build(of, &waiting(of));
    assert_eq!(c.result, Data::Int(1));
    assert_eq!(c.session.call_of("send", of, &[c.words[0], word]), 0);
    assert_eq!(c.session.call_of("close", of, &[c.words[0]]), 0);
    release(of, word);
    assert_eq!(next(c), some(waiting(of)));
}

/// The second of two channels has a value.
fn select(c: &Call) {
    assert_eq!(c.result, some(waiting(&c.element(0, "Vec").args_of("Chan").unwrap()[0])));
}

fn select_with(c: &Call) {
    let of = &c.element(0, "Vec").args_of("Chan").unwrap()[0];
    assert_eq!(c.result, given(c, &[Data::Int(1), waiting(of)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_family_and_a_suffix() {
        let suffixes = ["int", "vec-int", "string"];
        for (name, family) in [
            ("chan-int", "chan"),
            ("chan-unbounded-vec-int", "chan-unbounded"),
            ("select-with-vec-int", "select-with"),
            ("pmap-int-to-string", "pmap"),
            ("sleep-ms", "sleep-ms"),
        ] {
            assert_eq!(family_of(name, &suffixes), Some(family), "{name}");
        }
        for name in ["chan-point", "fetch-int", "pmap-int-for-string"] {
            assert_eq!(family_of(name, &suffixes), None, "{name}");
        }
    }
}
