//! Goal: no task outlives its scope, and no failure goes unheard.
//!
//! Method: tasks write to what they borrow; it is read when the scope has ended.

use brolga::scope::{Options, Policy};
use brolga::{Chan, Deadline, Error, Runtime, scope, task};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

#[test]
fn tasks_borrow_what_outlives_the_scope() {
    let rt = Runtime::new().unwrap();
    let mut parts = [1, 2, 3, 4];
    let count = AtomicU32::new(0);

    rt.run("main", || {
        scope(|s| {
            for part in &mut parts {
                let count = &count;
                s.spawn(move || {
                    *part *= 10;
                    count.fetch_add(1, Relaxed);
                })
                .unwrap();
            }
        })
    })
    .unwrap()
    .unwrap();
    assert_eq!((parts, count.into_inner()), ([10, 20, 30, 40], 4));
}

#[test]
fn the_first_failure_cancels_the_others_and_is_told() {
    let rt = Runtime::new().unwrap();
    let chan = Chan::<()>::bounded(0).unwrap();
    let scoped = rt
        .run("main", || {
            Options::new().run(|s| {
                let waits = s.spawn(|| chan.recv()).unwrap();
                s.spawn_with(&task::Builder::new().name("bad"), || panic!("no")).unwrap();
                waits.join()
            })
        })
        .unwrap()
        .unwrap();

    // The opener is told as well, so its join may or may not have had the result.
    assert!(matches!(scoped.value, Ok(Err(Error::Canceled)) | Err(Error::Canceled)));
    assert_eq!(scoped.outcome.unwrap_err().to_string(), "the task failed: bad: no");
    assert_eq!((scoped.report.tasks, scoped.report.failed), (2, 1));
}

#[test]
fn a_panic_of_the_opener_awaits_the_tasks() {
    let rt = Runtime::new().unwrap();
    let (started, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    let panicked = std::panic::catch_unwind(|| {
        rt.run("main", || {
            scope(|s| {
                s.spawn(|| {
                    started.store(true, Relaxed);
                    while !task::canceled() {
                        task::yield_now();
                    }
                    ended.store(true, Relaxed);
                })
                .unwrap();
                while !started.load(Relaxed) {
                    task::yield_now();
                }
                panic!("the opener");
            })
        })
    });

    let payload = panicked.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"the opener"));
    assert!(ended.load(Relaxed));
}

#[test]
fn the_first_success_may_be_enough() {
    let rt = Runtime::new().unwrap();
    let never = Chan::<i64>::bounded(0).unwrap();
    let scoped = rt
        .run("main", || {
            Options::new().policy(Policy::Any).run(|s| {
                s.spawn(|| never.recv()).unwrap();
                s.spawn(|| 5).unwrap().id()
            })
        })
        .unwrap()
        .unwrap();

    assert_eq!(scoped.outcome, Ok(()));
    assert_eq!(scoped.report.winner, Some(scoped.value));
    assert_eq!(scoped.report.canceled, 1);
}

#[test]
fn a_deadline_cancels_and_light_tasks_borrow_too() {
    let rt = Runtime::new().unwrap();
    let never = Chan::<i64>::bounded(0).unwrap();
    let mut seen = Ok(0);
    let scoped = rt
        .run("main", || {
            Options::new().deadline(Deadline::NOW).run(|s| {
                // SAFETY: It uses no thread-local variable.
                unsafe { s.spawn_fiber(|| seen = never.recv()) }.map(drop)
            })
        })
        .unwrap()
        .unwrap();

    assert_eq!(scoped.outcome, Err(Error::Timeout));
    assert_eq!(seen, Err(Error::Timeout));
}

#[test]
fn scopes_are_for_tasks_and_nest() {
    let rt = Runtime::new().unwrap();

    assert_eq!(scope(|_| ()), Err(Error::State));
    let sum = rt.run("main", || {
        scope(|outer| {
            let inner =
                outer.spawn(|| scope(|s| s.spawn(|| 1).unwrap().join().unwrap() + 1).unwrap());
            inner.unwrap().join().unwrap() + 1
        })
    });
    assert_eq!(sum.unwrap().unwrap(), 3);
}
