//! Rust's side of the topics "tasks", Tokio with several channels, rayon, and
//! crossbeam between threads, and "values". It answers requests as bench/peer.h describes.

mod futures;
mod pool;
mod threads;
mod values;

use std::io::{self, BufRead};
use std::time::Instant;

/// Tasks that are started before they are waited for.
pub const BATCH: u64 = 1000;

/// Takes one sample of so many operations on so many workers; what it returns
/// goes into the answer as it is.
type Sample = Box<dyn Fn(usize, u64) -> String>;

pub struct Subject {
    key: &'static str,
    workers: &'static str,
    count: u64,
    name: &'static str,
    sample: Sample,
}

pub fn subject(
    key: &'static str,
    workers: &'static str,
    count: u64,
    name: &'static str,
    sample: impl Fn(usize, u64) -> String + 'static,
) -> Subject {
    Subject { key, workers, count, name, sample: Box::new(sample) }
}

pub fn per_operation(begin: Instant, count: u64) -> String {
    format!("{:.3}", begin.elapsed().as_nanos() as f64 / count as f64)
}

/// The largest n for which fib(n) forks at most so many times, and how often
/// it does.
pub fn fib_size(forks: u64) -> (u64, u64) {
    let (mut n, mut these, mut next) = (1, 0, 1);
    while next <= forks {
        (n, these, next) = (n + 1, next, these + next + 1);
    }
    (n, these)
}

/// Makes the compiler believe that a value is needed.
pub fn keep(value: u64) {
    unsafe { std::ptr::read_volatile(&value) };
}

/// What the process holds of the machine's memory.
pub fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64
}

fn answer(subjects: &[Subject], request: &str) -> Option<String> {
    let mut field = request.split(' ');
    let key = field.next()?;
    let workers = field.next()?.parse().ok()?;
    let count = field.next()?.parse().ok()?;
    let subject = subjects.iter().find(|s| s.key == key)?;
    Some((subject.sample)(workers, count))
}

fn main() {
    let mut subjects = futures::subjects();
    subjects.extend(pool::subjects());
    subjects.extend(threads::subjects());
    subjects.extend(values::subjects());
    for s in &subjects {
        println!("{}\t{}\t{}\t{}", s.key, s.workers, s.count, s.name);
    }
    println!();
    for request in io::stdin().lock().lines() {
        match answer(&subjects, &request.unwrap()) {
            Some(figures) => println!("{figures}"),
            None => println!("- not a request, or no such subject"),
        }
    }
}
