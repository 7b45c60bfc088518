//! rayon: closures that run in place unless another thread steals them.

use crate::{fib_size, keep, per_operation, subject, Subject, BATCH};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::time::Instant;

pub fn subjects() -> Vec<Subject> {
    vec![
        subject("spawn_join.rayon", "1,2", 300_000, "rayon scope.spawn", spawn_join),
        subject("forkjoin_fib27.rayon", "1,2", 317_810, "rayon join", fork_join),
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
