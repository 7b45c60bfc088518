//! Goal: tasks run on in compiled code while it is replaced, and the old code goes, as soon
//! as nothing can reach it: not a stack, and not a closure, wherever that is.
//!
//! Method: modules are published as texts. Tasks watch numbers that are those of versions:
//! they must never go back.

mod common;

use brolga_cranelift::host::Host;
use brolga_cranelift::values::objects;
use common::{expect_objects, host, host_that_tells, one_at_a_time, publish, reclaim};
use std::sync::mpsc::Receiver;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn wait_until(what: &str, is: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// What is released next, in either order.
fn next_two(released: &Receiver<String>) -> [String; 2] {
    let mut two = [(); 2].map(|()| released.recv_timeout(PATIENCE).unwrap_or_default());
    two.sort();
    two
}

fn sleeps(host: &Host) -> bool {
    host.runtime().tasks().iter().any(|task| task.parked_in == Some("sleep"))
}

/// The loop adopts in the middle, in a call of the host, not at its own safepoint; and
/// what has called it first is not kept either.
#[test]
fn a_loop_leaves_its_old_code_though_it_adopted_elsewhere() {
    let _guard = one_at_a_time();
    let (host, released) = host_that_tells();
    let run =
        |add: i64| format!("(defn run [n] (do (sleep 20) (if (flag/stop) n (run (+ n {add})))))");

    publish(&host, &[("flag", "(defn stop [] false)"), ("loop", &run(1))]).unwrap();
    let task = host.evaluate("(loop/run 0)").unwrap();
    wait_until("the loop sleeps", || sleeps(&host));
    publish(&host, &[("loop", &run(2))]).unwrap();
    assert_eq!(next_two(&released), ["loop", "repl-1"], "{:?}", host.runtime().holders());
    publish(&host, &[("flag", "(defn stop [] true)")]).unwrap();
    assert!(task.join().unwrap().word() > 0);
}

/// A closure waits in a channel while its module is replaced: the code stays for it, and
/// goes when it has been called.
#[test]
fn a_closure_in_a_message_keeps_its_code() {
    let _guard = one_at_a_time();
    let before = objects();
    {
        let (host, released) = host_that_tells();
        let make = |n: i64| format!("(defn it [s] (fn [] (concat s (show {n}))))");
        let hold = "(defn start [] (let [c (chan 1)] (do (send c (make/it \"old\")) (on c))))
                    (defn on [c] (if (flag/stop) (recv [f c] (f) \"\") (do (sleep 1) (on c))))";

        publish(&host, &[("flag", "(defn stop [] false)"), ("make", &make(1)), ("hold", hold)])
            .unwrap();
        let task = host.evaluate("(hold/start)").unwrap();
        wait_until("the closure is sent", || sleeps(&host));
        publish(&host, &[("make", &make(2))]).unwrap();
        assert_eq!(released.recv_timeout(PATIENCE).as_deref(), Ok("repl-1"));
        let pinned = |unit: &str| {
            let holders = host.runtime().holders();
            holders.iter().any(|holder| holder.unit == unit && holder.reason == "closure")
        };
        wait_until("the closure is named", || pinned("make"));
        assert!(released.try_recv().is_err());
        publish(&host, &[("flag", "(defn stop [] true)")]).unwrap();
        assert_eq!(task.join().unwrap().to_string(), "old1");
        assert_eq!(next_two(&released), ["flag", "make"]);
    }
    expect_objects(before, "all of it");
}

/// Four tasks never leave their loops; each sees numbers that never go down, by calls of
/// another module and by calls of itself in tail position.
#[test]
fn a_storm_of_reloads_leaves_nothing_behind() {
    const RELOADS: i64 = 300;
    let _guard = one_at_a_time();
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
    let tasks: Vec<_> = (0..4).map(|_| host.evaluate("(watch/run 0)").unwrap()).collect();
    for n in 1..=RELOADS {
        publish(&host, &[("number", &number(n)), ("watch", &watch(n))]).unwrap();
    }
    for task in tasks {
        assert_eq!(task.join().unwrap().word(), RELOADS);
    }
    // Two modules, and what enters them.
    reclaim(&host, 3);
    let stats = host.runtime().got().stats();
    assert_eq!((stats.units_live, stats.units_reclaimed), (2, 2 * RELOADS as u64 + 4));
}

/// Closures of every version are on their way between tasks: made from one version's
/// code, called in another's, with strings in them, and in vectors.
#[test]
fn a_storm_with_closures_in_flight_loses_nothing() {
    const RELOADS: i64 = 100;
    let _guard = one_at_a_time();
    let before = objects();
    {
        let host = host();
        let number = |n: i64| format!("(defn now [] {n})");
        let work = |n: i64| {
            format!(
                r#"(defn make [name] (fn [s] (+ {n} (length (concat name s)))))
                   (defn produce [:(Chan (Vec (Fn [String] Int))) c name]
                     (let [f (make name)]
                       (do (send c [f (fn [s] (f s))])
                           (if (= (number/now) {RELOADS})
                             (do (send c [(make name)]) (close c))
                             (produce c name)))))
                   (defn check [fs last]
                     (fold (fn [last f] (let [n (f "xyz")] (if (< n last) (- -{n} n) n))) last fs))
                   (defn consume [:(Chan (Vec (Fn [String] Int))) c last]
                     (recv [fs c] (let [n (check fs last)] (if (< n 0) n (consume c n))) last))
                   (defn run [name]
                     (let [c (chan 8)
                           t (spawn (fn [] (produce c name)))
                           n (consume c 0)]
                       (do (await t) (- n (+ 3 (length name))))))"#
            )
        };

        publish(&host, &[("number", &number(0)), ("work", &work(0))]).unwrap();
        let run = |name: &str| host.evaluate(&format!("(work/run \"{name}\")")).unwrap();
        let tasks = ["a", "bcd"].map(run);
        for n in 1..=RELOADS {
            publish(&host, &[("number", &number(n)), ("work", &work(n))]).unwrap();
        }
        for task in tasks {
            assert_eq!(task.join().unwrap().word(), RELOADS);
        }
        reclaim(&host, 3);
    }
    expect_objects(before, "all of it");
}

/// As long as one does not look at the number of versions, nothing tells that there were
/// that many.
#[test]
fn memory_is_flat() {
    let _guard = one_at_a_time();
    let before = objects();
    let host = host();
    let module = |n: i64| {
        format!("(defn f [s] (concat s (show {n}))) (defn g [] (let [t \"t\"] (fn [] (f t))))")
    };
    let used = |rounds: std::ops::Range<i64>| {
        for n in rounds {
            publish(&host, &[("m", &module(n))]).unwrap();
            assert_eq!(common::value(&host, "((m/g))"), format!("t{n}"));
        }
        reclaim(&host, 2);
        host.memory().stats().used_bytes
    };
    let first = used(100_000..100_010);

    assert_eq!(used(100_010..100_210), first);
    expect_objects(before, "all of it");
}
