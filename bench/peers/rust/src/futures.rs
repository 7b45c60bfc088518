//! Tokio, on threads of its own or on the caller's, with its own channels and
//! two others that work with any executor.

use crate::{fib_size, keep, per_operation, resident_bytes, subject, Subject, BATCH};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{yield_now, JoinHandle};

#[derive(Clone, Copy)]
enum Flavor {
    Multi,
    Current,
}

/// Both flavors of a subject; on one worker the two differ, on more there is
/// but one.
macro_rules! both {
    ($list:ident, $key:literal, $count:literal, $name:literal, $sample:expr) => {
        $list.push(subject($key, "1,2", $count, $name, move |workers, count| {
            run(Flavor::Multi, workers, $sample(count))
        }));
        $list.push(subject(
            concat!($key, "_current"),
            "1",
            $count,
            concat!($name, ", current_thread"),
            move |workers, count| run(Flavor::Current, workers, $sample(count)),
        ));
    };
}

pub fn subjects() -> Vec<Subject> {
    let mut list = Vec::new();
    both!(list, "spawn_join.tokio", 200_000, "Tokio spawn", spawn_join);
    both!(list, "forkjoin_fib27.tokio", 50_000, "Tokio spawn", fork_join);
    both!(list, "roundtrip.mpsc", 100_000, "Tokio mpsc(1)", round_trip);
    both!(list, "roundtrip.oneshot", 100_000, "Tokio oneshot", ask);
    both!(list, "spsc_1024.mpsc", 500_000, "Tokio mpsc", spsc_mpsc);
    both!(list, "spsc_1024.async", 1_000_000, "async-channel", |count| queue_async(count, 1));
    both!(list, "spsc_1024.flume", 1_000_000, "flume", |count| queue_flume(count, 1));
    both!(list, "mpmc44_1024.async", 1_000_000, "async-channel", |count| queue_async(count, 4));
    both!(list, "mpmc44_1024.flume", 1_000_000, "flume", |count| queue_flume(count, 4));
    both!(list, "switch2.tokio", 500_000, "Tokio yield_now", |count| switch(count, 2));
    both!(list, "yield1000.tokio", 500_000, "Tokio yield_now", |count| switch(count, 1000));
    both!(list, "parked.tokio", 1_000_000, "Tokio task", parked);
    list
}

fn runtime(flavor: Flavor, workers: usize) -> Runtime {
    match flavor {
        Flavor::Multi => Builder::new_multi_thread().worker_threads(workers).build(),
        Flavor::Current => Builder::new_current_thread().build(),
    }
    .unwrap()
}

/// Runs a sample as a task: what block_on() itself runs is none, and would be
/// one thread more.
fn run<F>(flavor: Flavor, workers: usize, sample: F) -> String
where
    F: Future<Output = String> + Send + 'static,
{
    runtime(flavor, workers).block_on(async { tokio::spawn(sample).await.unwrap() })
}

async fn join_all(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.await.unwrap();
    }
}

async fn spawn_join(count: u64) -> String {
    let begin = Instant::now();
    let mut tasks = Vec::with_capacity(BATCH as usize);
    for _ in 0..count / BATCH {
        for i in 0..BATCH {
            tasks.push(tokio::spawn(async move {
                keep(i);
            }));
        }
        for task in tasks.drain(..) {
            task.await.unwrap();
        }
    }
    per_operation(begin, count)
}

fn fib(n: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let other = tokio::spawn(fib(n - 1));
        let mine = fib(n - 2).await;
        mine + other.await.unwrap()
    })
}

async fn fork_join(count: u64) -> String {
    let (n, forks) = fib_size(count);
    let begin = Instant::now();
    assert!(fib(n).await > forks / 2);
    per_operation(begin, forks)
}

async fn round_trip(count: u64) -> String {
    let (there, mut asked) = mpsc::channel(1);
    let (back, mut answered) = mpsc::channel(1);
    let begin = Instant::now();
    tokio::spawn(async move {
        while let Some(word) = asked.recv().await {
            back.send(word).await.unwrap();
        }
    });
    for i in 0..count {
        there.send(i).await.unwrap();
        assert_eq!(answered.recv().await, Some(i));
    }
    per_operation(begin, count)
}

async fn ask(count: u64) -> String {
    let (there, mut asked) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(1);
    let begin = Instant::now();
    tokio::spawn(async move {
        while let Some((word, back)) = asked.recv().await {
            back.send(word).unwrap();
        }
    });
    for i in 0..count {
        let (back, answer) = oneshot::channel();
        there.send((i, back)).await.unwrap();
        assert_eq!(answer.await, Ok(i));
    }
    per_operation(begin, count)
}

async fn spsc_mpsc(count: u64) -> String {
    let (tx, mut rx) = mpsc::channel(1024);
    let begin = Instant::now();
    let sender = tokio::spawn(async move {
        for i in 0..count {
            tx.send(i).await.unwrap();
        }
    });
    let receiver = tokio::spawn(async move {
        for _ in 0..count {
            keep(rx.recv().await.unwrap());
        }
    });
    join_all(vec![sender, receiver]).await;
    per_operation(begin, count)
}

/// The channels that can be cloned at both ends differ by names only.
macro_rules! queue {
    ($name:ident, $open:path, $send:ident, $recv:ident) => {
        async fn $name(count: u64, parties: u64) -> String {
            let (tx, rx) = $open(1024);
            let begin = Instant::now();
            let mut tasks = Vec::new();
            for _ in 0..parties {
                let (tx, rx) = (tx.clone(), rx.clone());
                tasks.push(tokio::spawn(async move {
                    for i in 0..count / parties {
                        tx.$send(i).await.unwrap();
                    }
                }));
                tasks.push(tokio::spawn(async move {
                    for _ in 0..count / parties {
                        keep(rx.$recv().await.unwrap());
                    }
                }));
            }
            join_all(tasks).await;
            per_operation(begin, count)
        }
    };
}

queue!(queue_async, async_channel::bounded, send, recv);
queue!(queue_flume, flume::bounded, send_async, recv_async);

async fn switch(count: u64, parties: u64) -> String {
    let begin = Instant::now();
    let tasks = (0..parties).map(|_| {
        tokio::spawn(async move {
            for _ in 0..count / parties {
                yield_now().await;
            }
        })
    });
    join_all(tasks.collect()).await;
    per_operation(begin, count)
}

async fn parked(count: u64) -> String {
    let waiting = Arc::new(AtomicU64::new(0));
    let (before, begin) = (resident_bytes(), Instant::now());
    let mut gates = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let (open, gate) = oneshot::channel::<()>();
        let waiting = waiting.clone();
        gates.push(open);
        tokio::spawn(async move {
            waiting.fetch_add(1, Ordering::Relaxed);
            let _ = gate.await;
        });
    }
    while waiting.load(Ordering::Relaxed) < count {
        yield_now().await;
    }
    let created = per_operation(begin, count);
    let grown = resident_bytes() - before;
    format!("{:.1} {}", grown / count as f64, created)
}
