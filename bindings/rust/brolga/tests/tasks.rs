//! Goal: tasks give their results, fail alone, and lose nothing.
//!
//! Method: small programs; what must be dropped is counted by an `Arc`.

use brolga::task::{self, FailureKind, JoinError};
use brolga::{Chan, Deadline, Error, Runtime};
use std::sync::Arc;

fn failure(error: Error) -> brolga::task::Failure {
    match error {
        Error::Failed(failure) => *failure,
        other => panic!("{other}"),
    }
}

#[test]
fn a_join_gives_the_result_whatever_its_type() {
    let rt = Runtime::new().unwrap();

    assert_eq!(rt.spawn(|| vec![1, 2]).unwrap().join().unwrap(), [1, 2]);
    rt.spawn(|| ()).unwrap().join().unwrap();
    // SAFETY: It uses no thread-local variable.
    let fiber = unsafe { rt.spawn_fiber(|| String::from("light")) }.unwrap();
    assert_eq!(fiber.join().unwrap(), "light");
    rt.shutdown().unwrap();
}

#[test]
fn a_panic_fails_its_task_alone_and_unwinds_it() {
    let rt = Runtime::new().unwrap();
    let owned = Arc::new(());
    let held = owned.clone();
    let task = task::Builder::new().name("reader").spawn(&rt, move || {
        let _held = held;
        if owned_by_two(&_held) {
            panic!("line {} is bad", 7);
        }
    });
    let failure = failure(task.unwrap().join().unwrap_err());

    assert_eq!((failure.name.as_str(), failure.message.as_str()), ("reader", "line 7 is bad"));
    assert_eq!(failure.kind, FailureKind::Panic);
    assert_eq!(Arc::strong_count(&owned), 1);
    assert_eq!(rt.tasks_failed(), 1);
    rt.shutdown().unwrap();
}

fn owned_by_two(owned: &Arc<()>) -> bool {
    Arc::strong_count(owned) == 2
}

#[test]
fn a_panic_of_a_light_task_fails_it_alone() {
    let rt = Runtime::builder().workers(1).build().unwrap();
    // SAFETY: They use no thread-local variable; panics do, but on one side.
    let tasks: Vec<_> = (0..50)
        .map(|n| unsafe { rt.spawn_fiber(move || if n % 2 == 0 { panic!("{n}") } else { n }) })
        .collect();

    for (n, task) in tasks.into_iter().enumerate() {
        match task.unwrap().join() {
            Ok(result) => assert_eq!((result, n % 2), (n, 1)),
            Err(error) => assert_eq!(failure(error).message, n.to_string()),
        }
    }
    rt.shutdown().unwrap();
}

struct PanicsAgain;

impl Drop for PanicsAgain {
    fn drop(&mut self) {
        panic!("again");
    }
}

#[test]
fn what_is_thrown_may_be_anything() {
    let rt = Runtime::new().unwrap();
    let task = rt.spawn(|| std::panic::panic_any(PanicsAgain)).unwrap();

    assert_eq!(failure(task.join().unwrap_err()).message, "a panic");
    let long = "ä".repeat(500);
    let task = rt.spawn(move || std::panic::panic_any(long)).unwrap();
    let message = failure(task.join().unwrap_err()).message;
    assert!(message.len() > 200 && message.chars().all(|c| c == 'ä'), "{message}");
    rt.shutdown().unwrap();
}

#[test]
fn a_result_that_nobody_takes_is_dropped() {
    let rt = Runtime::new().unwrap();
    let owned = Arc::new(());
    let done = Chan::<()>::bounded(1).unwrap();
    let (result, end) = (owned.clone(), done.clone());

    drop(
        rt.spawn(move || {
            end.send(()).unwrap();
            result
        })
        .unwrap(),
    );
    rt.run("main", || done.recv().unwrap()).unwrap();
    while rt.tasks_live() > 0 {
        std::thread::yield_now();
    }
    assert_eq!(Arc::strong_count(&owned), 1);
    rt.shutdown().unwrap();
}

#[test]
fn a_task_that_cannot_be_started_drops_what_it_owns() {
    let rt = Runtime::new().unwrap();
    let owned = Arc::new(());
    let held = owned.clone();
    let task = task::Builder::new().stack_bytes(usize::MAX / 2).spawn(&rt, move || drop(held));

    assert!(task.is_err());
    assert_eq!(Arc::strong_count(&owned), 1);
    assert_eq!(task::Builder::new().name("a\0b").spawn(&rt, || ()).unwrap_err(), Error::Invalid);
}

#[test]
fn a_join_with_a_deadline_gives_the_handle_back() {
    let rt = Runtime::new().unwrap();
    let go = Chan::<u8>::bounded(1).unwrap();
    let going = go.clone();
    let task = rt.spawn(move || going.recv().unwrap()).unwrap();
    let Err(JoinError::Waiting(task, Error::Timeout)) = task.join_by(Deadline::NOW) else {
        panic!("nothing was sent");
    };

    go.try_send(9).unwrap();
    assert_eq!(task.join().unwrap(), 9);
    rt.shutdown().unwrap();
}

#[test]
fn a_canceled_task_is_told_at_its_next_wait() {
    let rt = Runtime::new().unwrap();
    let chan = Chan::<u8>::bounded(1).unwrap();
    let receiver = chan.clone();
    let task = rt.spawn(move || (receiver.recv(), task::canceled())).unwrap();

    task.cancel();
    assert_eq!(task.join().unwrap(), (Err(Error::Canceled), true));
    rt.shutdown().unwrap();
}

#[test]
fn ten_thousand_light_tasks_talk() {
    let rt = Runtime::builder().workers(2).build().unwrap();
    let chan = Chan::<u64>::bounded(16).unwrap();
    let senders: Vec<_> = (0..10_000)
        .map(|n| {
            let chan = chan.clone();
            // SAFETY: They use no thread-local variable.
            unsafe {
                task::Builder::new().stack_bytes(32 << 10).spawn_fiber(&rt, move || chan.send(n))
            }
        })
        .collect();
    let sum: u64 = rt.run("main", || (0..10_000).map(|_| chan.recv().unwrap()).sum()).unwrap();

    assert_eq!(sum, 9_999 * 10_000 / 2);
    for sender in senders {
        sender.unwrap().join().unwrap().unwrap();
    }
    rt.shutdown().unwrap();
}

#[test]
fn a_task_knows_its_runtime_and_itself() {
    let rt = Runtime::new().unwrap();

    assert!(Runtime::current().is_none() && !task::is_task() && task::id() == 0);
    let task = rt.spawn(|| (Runtime::current().unwrap().tasks_live(), task::id())).unwrap();
    let id = task.id();
    assert_eq!(task.join().unwrap(), (1, id));
    rt.shutdown().unwrap();
}

#[test]
fn a_thread_is_a_task_for_the_time_of_a_call() {
    let rt = Runtime::new().unwrap();
    let nested = rt.run("outer", || rt.run("inner", || ())).unwrap();

    assert_eq!(nested, Err(Error::State));
    assert_eq!(task::sleep(Deadline::NOW), Err(Error::State));
    assert_eq!(rt.run("sleeper", || task::sleep(Deadline::NOW)).unwrap(), Ok(()));
    let panicked = std::panic::catch_unwind(|| rt.run("bad", || panic!("through")));
    assert!(panicked.is_err() && !task::is_task());
    rt.shutdown().unwrap();
}

#[test]
fn a_runtime_in_use_is_not_shut_down() {
    let rt = Runtime::new().unwrap();
    let go = Chan::<()>::bounded(1).unwrap();
    let going = go.clone();
    let task = rt.spawn(move || going.recv()).unwrap();
    let (rt, error) = rt.shutdown().unwrap_err();

    assert_eq!(error, Error::Busy);
    go.try_send(()).unwrap();
    task.join().unwrap().unwrap();
    rt.shutdown().unwrap();
}

#[test]
fn a_runtime_that_goes_in_a_task_does_no_harm() {
    let rt = Runtime::new().unwrap();
    let go = Chan::<()>::bounded(1).unwrap();
    let (inner, going) = (rt.clone(), go.clone());
    let (told, tells) = std::sync::mpsc::channel();

    drop(
        rt.spawn(move || {
            going.recv().unwrap();
            drop(inner);
            told.send(()).unwrap();
        })
        .unwrap(),
    );
    drop(rt);
    go.try_send(()).unwrap();
    tells.recv().unwrap();
}

#[test]
fn foreign_code_may_block_and_panic() {
    let rt = Runtime::builder().workers(1).build().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    // SAFETY: They use no thread-local variable on both sides, and call nothing of
    // the library's inside.
    let waits = unsafe { rt.spawn_fiber(move || task::blocking(|| receiver.recv().unwrap())) };
    // SAFETY: The same. It runs although there is one worker, and that one waits.
    let sends = unsafe { rt.spawn_fiber(move || sender.send(3).unwrap()) };

    assert_eq!(waits.unwrap().join().unwrap(), 3);
    sends.unwrap().join().unwrap();
    // SAFETY: The same.
    let panics = unsafe { rt.spawn_fiber::<_, ()>(|| task::blocking(|| panic!("inside"))) };
    assert_eq!(failure(panics.unwrap().join().unwrap_err()).message, "inside");
    rt.shutdown().unwrap();
}
