//! rayon: closures that run in place unless another thread steals them.

use crate::{fib_size, keep, per_operation, subject, Subject, BATCH};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::time::Instant;

pub fn subjects() -> Vec<Subject> {
    vec![
        subject("spawn_join.rayon", "1,2", 300_000, "rayon scope.spawn", spawn_join),
        subject("forkjoin_fib27.rayon", "1,2", 317_810, "rayon join", fork_join),
        subject("pmap_cheap.rayon", "1,2", 20_000_000, "rayon par_iter", map_cheap),
        subject("pmap_heavy.rayon", "1,2", 2_000, "rayon par_iter", map_heavy),
    ]
}

fn pool(workers: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(workers).build().unwrap()
}

fn spawn_join(workers: usize, count: u64) -> String {
    pool(workers).install(|| {
        let begin = Instant::now();
        for _ in 0..count / BATCH {
            rayon::scope(|scope| {
                for i in 0..BATCH {
                    scope.spawn(move |_| {
                        keep(i);
                    });
                }
            });
        }
        per_operation(begin, count)
    })
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (one, two) = rayon::join(|| fib(n - 1), || fib(n - 2));
    one + two
}

fn fork_join(workers: usize, count: u64) -> String {
    let (n, forks) = fib_size(count);
    pool(workers).install(|| {
        let begin = Instant::now();
        assert!(fib(n) > forks / 2);
        per_operation(begin, forks)
    })
}

const CHEAP: u64 = 1_000_000;

fn map_cheap(workers: usize, count: u64) -> String {
    let words: Vec<u64> = (0..CHEAP.min(count)).collect();
    pool(workers).install(|| {
        let begin = Instant::now();
        for _ in 0..count / words.len() as u64 {
            let out: Vec<u64> = words.par_iter().map(|x| 3 * x + 1).collect();
            keep(out[0]);
        }
        per_operation(begin, count)
    })
}

fn heavy(element: u64) -> u64 {
    (0..13_000).fold(element, |x, _| (x ^ (x >> 31)).wrapping_mul(6364136223846793005))
}

fn map_heavy(workers: usize, count: u64) -> String {
    let words: Vec<u64> = (0..count).collect();
    pool(workers).install(|| {
        let begin = Instant::now();
        let out: Vec<u64> = words.par_iter().map(|x| heavy(*x)).collect();
        keep(out[0]);
        per_operation(begin, count)
    })
}
