//! Goal: tasks run on in compiled code while it is replaced, and the old code goes.
//!
//! Method: modules are published as texts. A task watches a function whose result is
//! the number of its version: it must never go back.

use brolga::{Event, Runtime};
use brolga_cranelift::host::{Host, Problem};
use brolga_cranelift::memory::Arena;
use std::collections::BTreeMap;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

/// Arenas are counted in the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn host() -> Host {
    Host::new(Runtime::builder().workers(2).build().unwrap()).unwrap()
}

fn publish(host: &Host, files: &[(&str, &str)]) -> Result<u64, Problem> {
    let files: BTreeMap<_, _> =
        files.iter().map(|(name, text)| (String::from(*name), String::from(*text))).collect();
    host.publish(files).map(|committed| committed.map_or(0, |committed| committed.version))
}

fn value(host: &Host, text: &str) -> i64 {
    host.evaluate(text).unwrap().join().unwrap()
}

#[test]
fn programs_compute() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let host = host();

    host.load(concat!(env!("CARGO_MANIFEST_DIR"), "/examples").as_ref()).unwrap().unwrap();
    assert_eq!(value(&host, "(fib/fib 20)"), 6765);
    assert_eq!(value(&host, "(let [a 2 b (* a 5)] (- b (/ 7 a)))"), 7);
    assert_eq!(value(&host, "(if (>= 1 2) (% 9 4) (do 1 (% 9 5)))"), 4);
    publish(&host, &[("sum", "(defn to [n acc] (if (= n 0) acc (to (- n 1) (+ acc n))))")])
        .unwrap();
    assert_eq!(value(&host, "(sum/to 1000000 0)"), 500_000_500_000);
    publish(
        &host,
        &[(
            "odd",
            "(defn even? [n] (if (= n 0) 1 (odd? (- n 1))))
                             (defn odd? [n] (if (= n 0) 0 (even? (- n 1))))",
        )],
    )
    .unwrap();
    assert_eq!(value(&host, "(odd/even? 1000001)"), 0);
}

#[test]
fn mistakes_change_nothing() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let host = host();
    let problem = |files: &[(&str, &str)]| publish(&host, files).unwrap_err().to_string();

    publish(&host, &[("a", "(defn one [] 1)"), ("b", "(defn two [] (+ (a/one) 1))")]).unwrap();
    let version = host.runtime().got().version();
    assert_eq!(
        problem(&[("a", "\n(defn one [] (let [x] x))")]),
        "a.lisp:2: expected (let [name value ...] body)"
    );
    assert_eq!(problem(&[("a", "(defn one [] x)")]), "a.lisp:1: x is not defined");
    assert_eq!(problem(&[("a", "(defn one [] (+ 1 2)")]), "a.lisp:1: it is never closed");
    let refused = problem(&[("c", "\n\n(defn three [] (a/none 1))")]);
    assert!(refused.contains("c.lisp:3") && refused.contains("none"), "{refused}");
    let refused = problem(&[("a", "(defn one [n] n)")]);
    assert!(refused.contains("b.lisp:1"), "{refused}");
    assert_eq!((host.runtime().got().version(), value(&host, "(b/two)")), (version, 2));
    // Both at once fit.
    publish(&host, &[("a", "(defn one [n] n)"), ("b", "(defn two [] (a/one 9))")]).unwrap();
    assert_eq!(value(&host, "(b/two)"), 9);
}

#[test]
fn a_division_by_zero_fails_its_task_alone() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let host = host();

    publish(&host, &[("div", "(defn by [n] (/ 1 n))")]).unwrap();
    let slot = host.find("div", "by", 1).unwrap();
    let brolga::Error::Failed(failure) = host.spawn(slot, &[0]).unwrap().join().unwrap_err() else {
        panic!("it was no failure");
    };
    assert_eq!(failure.function, "by");
    assert_eq!(host.spawn(slot, &[1]).unwrap().join().unwrap(), 1);
}

/// The loop adopts in the middle, in a call of the host, not at its own safepoint.
#[test]
fn a_loop_leaves_its_old_code_though_it_adopted_elsewhere() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let (told, tells) = mpsc::channel();
    let rt = Runtime::builder().on_event(move |event| {
        if let Event::Released { unit, .. } = event {
            drop(told.send(unit.clone()));
        }
    });
    let host = Host::new(rt.build().unwrap()).unwrap();
    let run =
        |add: i64| format!("(defn run [n] (do (sleep 20) (if (flag/stop) n (run (+ n {add})))))");

    publish(&host, &[("flag", "(defn stop [] 0)"), ("loop", &run(1))]).unwrap();
    let task = host.spawn(host.find("loop", "run", 1).unwrap(), &[0]).unwrap();
    while host.runtime().tasks().iter().all(|task| task.parked_in != Some("sleep")) {
        std::thread::yield_now();
    }
    publish(&host, &[("loop", &run(2))]).unwrap();
    let released = tells.recv_timeout(Duration::from_secs(20));
    assert_eq!(released.as_deref(), Ok("loop"), "{:?}", host.runtime().holders());
    publish(&host, &[("flag", "(defn stop [] 1)")]).unwrap();
    assert!(task.join().unwrap() > 0);
}

/// Four tasks never leave their loops; each sees numbers that never go down, by calls
/// of another module and by calls of itself in tail position.
#[test]
fn a_storm_of_reloads_leaves_nothing_behind() {
    const RELOADS: i64 = 500;
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let before = Arena::live();
    {
        let host = host();
        let number = |n: i64| format!("(defn now [] {n})");
        let watch = |n: i64| {
            format!(
                "(defn run [last]
                   (let [n (number/now)]
                     (if (< n last) (- -{n} n)
                       (if (= n {RELOADS}) n (run n)))))"
            )
        };
        publish(&host, &[("number", &number(0)), ("watch", &watch(0))]).unwrap();
        let slot = host.find("watch", "run", 1).unwrap();
        let tasks: Vec<_> = (0..4).map(|_| host.spawn(slot, &[0]).unwrap()).collect();

        for n in 1..=RELOADS {
            // Commits beyond the cap on versions are refused until tasks have adopted.
            loop {
                match publish(&host, &[("number", &number(n)), ("watch", &watch(n))]) {
                    Ok(_) => break,
                    Err(Problem::Brolga(brolga::Error::Refused(report)))
                        if report.refusal == Some(brolga::code::Refusal::Limit) =>
                    {
                        std::thread::yield_now()
                    }
                    Err(problem) => panic!("{problem}"),
                }
            }
        }
        for task in tasks {
            assert_eq!(task.join().unwrap(), RELOADS);
        }
        while host.runtime().got().stats().units_retired > 0 {
            host.runtime().reclaim_step();
        }
        let stats = host.runtime().got().stats();
        assert_eq!((stats.units_live, stats.units_reclaimed), (2, 2 * RELOADS as u64));
        // Two units, and what enters them.
        assert_eq!(Arena::live() - before, 3);
    }
    assert_eq!(Arena::live() - before, 1);
}
