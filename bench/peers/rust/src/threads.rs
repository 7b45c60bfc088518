//! crossbeam's channels between threads of the system, for which there must be
//! two processors.

use crate::{keep, per_operation, subject, Subject};
use crossbeam_channel::bounded;
use std::thread;
use std::time::Instant;

pub fn subjects() -> Vec<Subject> {
    vec![
        subject("roundtrip.crossbeam0", "2", 2_000, "crossbeam bounded(0), threads", |_, count| {
            round_trip(count, 0)
        }),
        subject("roundtrip.crossbeam1", "2", 5_000, "crossbeam bounded(1), threads", |_, count| {
            round_trip(count, 1)
        }),
        subject("spsc_1024.crossbeam", "2", 500_000, "crossbeam, threads", |_, count| {
            queue(count, 1)
        }),
        subject("mpmc44_1024.crossbeam", "2", 500_000, "crossbeam, threads", |_, count| {
            queue(count, 4)
        }),
    ]
}

fn round_trip(count: u64, capacity: usize) -> String {
    let (there, asked) = bounded(capacity);
    let (back, answered) = bounded(capacity);
    let begin = Instant::now();
    thread::scope(|scope| {
        scope.spawn(move || {
            for word in asked {
                back.send(word).unwrap();
            }
        });
        for i in 0..count {
            there.send(i).unwrap();
            assert_eq!(answered.recv(), Ok(i));
        }
        drop(there);
    });
    per_operation(begin, count)
}

fn queue(count: u64, parties: u64) -> String {
    let (tx, rx) = bounded(1024);
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..parties {
            let (tx, rx) = (tx.clone(), rx.clone());
            scope.spawn(move || {
                for i in 0..count / parties {
                    tx.send(i).unwrap();
                }
            });
            scope.spawn(move || {
                for _ in 0..count / parties {
                    keep(rx.recv().unwrap());
                }
            });
        }
    });
    per_operation(begin, count)
}
