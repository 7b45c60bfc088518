//! `cargo bench`, or `cargo bench -- calls`, `-- reload`, `-- growth [RELOADS]`: what calls
//! cost by how they are made, how long a save takes to run, what reloads leave behind.

use brolga::Runtime;
use brolga_cranelift::host::{Calls, Files, Host, Options};
use brolga_cranelift::watch::watch;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use std::{env, fs};

fn main() {
    let args: Vec<_> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let what = args.first().map(String::as_str);

    if what.is_none_or(|what| what == "calls") {
        calls();
    }
    if what.is_none_or(|what| what == "reload") {
        reload();
    }
    if what.is_none_or(|what| what == "growth") {
        growth(args.get(1).map_or(10_000, |count| count.parse().expect("a number of reloads")));
    }
}

fn files(files: &[(&str, String)]) -> Files {
    files.iter().map(|(name, text)| (String::from(*name), text.clone())).collect()
}

fn value(host: &Host, text: &str) -> i64 {
    host.evaluate(text).unwrap().join().unwrap().word()
}

/// The value that so many of 100 do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn sorted(mut all: Vec<f64>) -> Vec<f64> {
    all.sort_by(f64::total_cmp);
    all
}

// --- calls -------------------------------------------------------------------------------

const PROGRAMS: &str = "
(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(defn tak [x y z]
  (if (< y x) (tak (tak (- x 1) y z) (tak (- y 1) z x) (tak (- z 1) x y)) z))
(defn place [all cols left right]
  (if (= cols all) 1
    (each all cols left right
      (bit-and all (bit-xor -1 (bit-or cols (bit-or left right)))) 0)))
(defn each [all cols left right free found]
  (if (= free 0) found
    (let [bit (bit-and free (- 0 free))]
      (each all cols left right (bit-xor free bit)
        (+ found (place all (bit-or cols bit) (shl (bit-or left bit) 1)
                        (shr (bit-or right bit) 1)))))))
(defn queens [n] (place (- (shl 1 n) 1) 0 0 0))
(defn time [:(Fn [] Int) f] (let [start (clock) value (f)] (- (clock) start)))
(defn again [:(Fn [] Int) f value] (if (= (f) value) (time f) -1))";

/// A program, and what it computes.
const RUNS: [(&str, &str, i64); 3] = [
    ("fib", "(p/fib 31)", 1_346_269),
    ("tak", "(p/tak 24 16 8)", 9),
    ("nqueens", "(p/queens 12)", 14_200),
];

/// Milliseconds: the same programs by the same compiler, which lets functions call each
/// other in four ways. They take turns.
fn calls() {
    const ROUNDS: usize = 80;
    let ways = [
        ("direct, no polls", Calls::Direct, false),
        ("direct", Calls::Direct, true),
        ("slot", Calls::Cells, true),
        ("snapshot", Calls::Views, true),
    ];
    let hosts = ways.map(|(_, calls, safepoints)| {
        let rt = Runtime::builder().workers(1).build().unwrap();
        let host = Host::with(rt, Options { calls, safepoints, ..Options::default() }).unwrap();
        host.publish(files(&[("p", PROGRAMS.into())])).unwrap();
        // Cells are known from the second time on.
        host.publish(files(&[("p", format!("{PROGRAMS}\n"))])).unwrap();
        host
    });

    println!("calls: ms, the median of {ROUNDS} rounds; relative to slot in the same round:");
    println!("the quartiles of that");
    for (name, call, wanted) in RUNS {
        let mut times = ways.map(|_| Vec::new());
        for round in 0..ROUNDS {
            // Each is the first one at times.
            for turn in 0..ways.len() {
                let way = (round + turn) % ways.len();
                let ns = value(&hosts[way], &format!("(p/again (fn [] {call}) {wanted})"));
                assert!(ns > 0, "{call} is wrong");
                times[way].push(ns as f64 / 1e6);
            }
        }
        for ((way, _, _), of_way) in ways.iter().zip(&times) {
            let ratios = of_way.iter().zip(&times[2]).map(|(way, slot)| way / slot);
            let ratios = sorted(ratios.collect());
            let [low, median, high] = [25, 50, 75].map(|percent| percentile(&ratios, percent));
            let ms = percentile(&sorted(of_way.clone()), 50);
            println!("  {name:8} {way:17} {ms:7.2}   {low:5.3} {median:5.3} {high:5.3}");
        }
    }
}

// --- from a save to new code ---------------------------------------------------------------

/// A module of 50 lines, ten functions, whose `version` is this number.
fn module(version: usize) -> String {
    let mut text = format!("(defn version [] {version})\n");
    let functions = (0..8).map(|n| {
        format!(
            "(defn step-{n} [v limit]
  (let [total (fold (fn [sum x] (+ sum x)) 0 v)
        name (concat \"step \" (show {n}))]
    (if (< total limit)
      (push v (+ total (length name)))
      [total {n} (- limit total)])))\n"
        )
    });
    text.extend(functions);
    text.push_str("(defn run [limit]\n  (fold + 0 (step-7 (step-3 (range 5) limit) limit)))\n");
    assert!((50..=52).contains(&text.lines().count()), "{} lines", text.lines().count());
    text
}

/// From rename() over a file until a task that never stops has called its new code.
fn reload() {
    const SAVES: usize = 300;
    let folder = folder("reload");
    let (told, tells) = mpsc::channel();
    let print = Box::new(move |text: &str| {
        let _ = told.send((text.to_owned(), Instant::now()));
    });
    let rt = Runtime::builder().workers(1).build().unwrap();
    let host = Arc::new(Host::with(rt, Options { print, ..Options::default() }).unwrap());
    let look = "(defn at [last]
                  (if (< last 0) last
                    (let [n (m/version)] (do (if (= n last) false (print n)) (at n)))))";

    save(&folder, "look", look);
    save(&folder, "m", &module(0));
    host.load(&folder).unwrap();
    let (watched, path) = (Arc::clone(&host), folder.clone());
    let watcher = watch(&folder, move || _ = watched.load(&path).unwrap()).unwrap();
    let task = host.evaluate("(look/at 0)").unwrap();
    let mut saved = Vec::new();
    for n in 1..=SAVES {
        let start = save(&folder, "m", &module(n));
        let (text, at) = tells.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(text, n.to_string());
        saved.push((at - start).as_secs_f64() * 1e3);
    }
    drop(watcher);
    let mut compiled = Vec::new();
    for n in SAVES + 1..=2 * SAVES {
        let start = processor_ms();
        host.publish(files(&[("m", module(n))])).unwrap();
        compiled.push(processor_ms() - start);
        tells.recv_timeout(Duration::from_secs(20)).unwrap();
    }
    println!("reload: ms, of a module of 50 lines, {SAVES} times");
    for (name, times) in [("from save to new code", saved), ("compiling, on a processor", compiled)]
    {
        let times = sorted(times);
        let [p50, p99] = [50, 99].map(|percent| percentile(&times, percent));
        println!("  {name:25} p50 {p50:6.2}  p99 {p99:6.2}");
    }
    host.publish(files(&[("m", "(defn version [] -1)".into())])).unwrap();
    assert_eq!(task.join().unwrap().word(), -1);
    fs::remove_dir_all(folder).unwrap();
}

/// What the calling thread has used.
fn processor_ms() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().expect("a number").parse::<f64>().unwrap() / 1e6
}

fn folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("brolga-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// As editors do it: a new file takes the old one's place. When that happens.
fn save(folder: &Path, name: &str, text: &str) -> Instant {
    let other = folder.join("saving");
    fs::write(&other, text).unwrap();
    let start = Instant::now();
    fs::rename(other, folder.join(format!("{name}.lisp"))).unwrap();
    start
}

// --- what stays behind ---------------------------------------------------------------------

/// Two modules, four tasks in their loops, and closures on their way between two of them.
fn growth(reloads: usize) {
    let rt = Runtime::builder().workers(2).build().unwrap();
    let host = Host::new(rt).unwrap();
    let work = |n: usize| {
        format!(
            r#"(defn make [name] (fn [s] (length (concat (concat name s) (show {n})))))
               (defn produce [:(Chan (Fn [String] Int)) c]
                 (if (number/stop) (close c) (do (send c (make "a")) (produce c))))
               (defn consume [:(Chan (Fn [String] Int)) c sum]
                 (recv [f c] (consume c (+ sum (f "b"))) sum))
               (defn stream []
                 (let [c (chan 8) t (spawn (fn [] (produce c))) n (consume c 0)]
                   (do (await t) n)))
               (defn spin [n] (if (number/stop) n (spin (+ 1 n))))"#
        )
    };
    let both = |n: usize, stop: bool| {
        files(&[("number", format!("(defn stop [] {stop}) ; {n}")), ("work", work(n))])
    };
    let settled = || {
        // Refused as long as too many versions are alive.
        while host.runtime().got().begin().unwrap().commit().is_err() {
            std::thread::yield_now();
        }
        // Two modules and what enters them; the function `stream`, which waits; and what its
        // frame has words of: the expression.
        let deadline = Instant::now() + Duration::from_secs(20);
        while host.memory().stats().blocks > 5 {
            assert!(Instant::now() < deadline, "code is left: {:?}", host.runtime().holders());
            std::thread::sleep(Duration::from_millis(1));
        }
        (resident_kib(), host.memory().stats())
    };

    host.publish(both(0, false)).unwrap();
    let start = ["(work/stream)", "(work/spin 0)", "(work/spin 0)"];
    let tasks = start.map(|text| host.evaluate(text).unwrap());
    let begin = Instant::now();
    let mut first = None;
    for n in 1..=reloads {
        host.publish(both(n, false)).unwrap();
        if n == reloads.min(500) {
            first = Some(settled());
        }
    }
    let time = begin.elapsed();
    let (before, blocks) = first.expect("there were reloads");
    let (after, stats) = settled();
    println!("growth: after {reloads} reloads of two modules, in {time:.1?}");
    println!("  resident: {before} KiB after the first, {after} KiB now: {:+}", after - before);
    println!("  code: {} KiB then, {} KiB now", blocks.used_bytes >> 10, stats.used_bytes >> 10);
    host.publish(both(reloads + 1, true)).unwrap();
    for task in tasks {
        assert!(task.join().unwrap().word() > 0);
    }
}

fn resident_kib() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux says so");
    line.split_whitespace().nth(1).expect("a number").parse().unwrap()
}
