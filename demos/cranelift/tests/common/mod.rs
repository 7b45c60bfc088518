//! What the tests share.
#![allow(dead_code)] // Not every test uses all of it.

use brolga::{Event, Runtime};
use brolga_cranelift::host::{Files, Host, Options, Problem};
use brolga_cranelift::values::objects;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// Objects are counted in the whole process.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn host() -> Host {
    with(Runtime::builder().workers(2).build().unwrap())
}

fn with(rt: Runtime) -> Host {
    Host::with(rt, Options { counted: true, print: Box::new(|_| ()), ..Options::default() })
        .unwrap()
}

/// A host, and the names of units that are released.
pub fn host_that_tells() -> (Host, mpsc::Receiver<String>) {
    let (told, tells) = mpsc::channel();
    let rt = Runtime::builder().workers(2).on_event(move |event| {
        if let Event::Released { unit, .. } = event {
            drop(told.send(unit.clone()));
        }
    });
    (with(rt.build().unwrap()), tells)
}

/// The version that was published; 0: nothing has changed.
pub fn publish(host: &Host, files: &[(&str, &str)]) -> Result<u64, Problem> {
    let files: Files =
        files.iter().map(|(name, text)| (String::from(*name), String::from(*text))).collect();
    host.publish(files).map(|committed| committed.map_or(0, |committed| committed.version))
}

/// The value of an expression, as a person reads it, or why there is none.
pub fn value(host: &Host, text: &str) -> String {
    match host.evaluate(text).and_then(|running| Ok(running.join()?)) {
        Ok(answer) => answer.to_string(),
        Err(problem) => problem.to_string(),
    }
}

/// Wait until there are so many objects: tasks that nobody awaits take a moment to end.
pub fn expect_objects(count: i64, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while objects() != count {
        assert!(Instant::now() < deadline, "{} objects are left of {what}", objects() - count);
        std::thread::yield_now();
    }
}

/// Reclaim what nothing keeps: so many blocks of code are to be left. (The last version
/// keeps what was published with it, hence one more.)
pub fn reclaim(host: &Host, blocks: u32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    // Refused as long as too many versions are alive.
    while let Err(error) = host.runtime().got().begin().unwrap().commit() {
        assert!(Instant::now() < deadline, "{error}");
        std::thread::yield_now();
    }
    while host.memory().stats().blocks > blocks {
        assert!(Instant::now() < deadline, "code is left: {:?}", host.runtime().holders());
        host.runtime().reclaim_step();
    }
    assert_eq!(host.memory().stats().blocks, blocks);
}
