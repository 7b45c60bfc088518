//! Clones of owned values; the rows of the topic "values". Time is per element;
//! clones are dropped outside the time that is taken.

use crate::{per_operation, subject, Subject};
use std::time::Instant;

pub fn subjects() -> Vec<Subject> {
    vec![
        subject("copy_list_1e6", "0", 1_000_000, "Rust clone", list),
        subject("copy_tree_1e6", "0", 1_000_000, "Rust clone", tree),
        subject("copy_vec_1e6", "0", 1_000_000, "Rust clone", vector),
    ]
}

struct Cons {
    head: i64,
    tail: List,
}

type List = Option<Box<Cons>>;

/// A derived clone would recurse once for each element.
fn clone_list(mut from: &List) -> List {
    let mut first = None;
    let mut to = &mut first;
    while let Some(cons) = from {
        to = &mut to.insert(Box::new(Cons { head: cons.head, tail: None })).tail;
        from = &cons.tail;
    }
    first
}

fn drop_list(mut list: List) {
    while let Some(mut cons) = list {
        list = cons.tail.take();
    }
}

fn list(_workers: usize, count: u64) -> String {
    let mut from = None;
    for head in 0..count as i64 {
        from = Some(Box::new(Cons { head, tail: from }));
    }
    drop_list(clone_list(&from));
    let begin = Instant::now();
    let copy = clone_list(&from);
    let figure = per_operation(begin, count);
    drop_list(copy);
    drop_list(from);
    figure
}

#[derive(Clone)]
struct Fork {
    left: Tree,
    #[allow(dead_code)]
    item: i64,
    right: Tree,
}

type Tree = Option<Box<Fork>>;

fn make_tree(count: u64) -> Tree {
    if count == 0 {
        return None;
    }
    let right = (count - 1) / 2;
    let left = make_tree(count - 1 - right);
    Some(Box::new(Fork { left, item: count as i64, right: make_tree(right) }))
}

/// Warm: the second of two.
fn clone_again<T: Clone>(from: &T, count: u64) -> String {
    drop(from.clone());
    let begin = Instant::now();
    let copy = from.clone();
    let figure = per_operation(begin, count);
    drop(copy);
    figure
}

fn tree(_workers: usize, count: u64) -> String {
    let from = make_tree(count);
    // Keeps the fields from being found unused.
    assert!(from.iter().all(|fork| fork.left.is_some() || fork.right.is_none()));
    clone_again(&from, count)
}

fn vector(_workers: usize, count: u64) -> String {
    clone_again(&(0..count as i64).collect::<Vec<_>>(), count)
}
