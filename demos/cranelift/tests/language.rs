//! Goal: programs compute what they say, on one task and on many, and leave no object
//! behind; mistakes are found before anything runs.
//!
//! Method: expressions and what comes of them, with all objects counted.

mod common;

use brolga::{Error, Runtime};
use brolga_cranelift::host::{Host, Options};
use brolga_cranelift::values::{objects, sends};
use common::{expect_objects, host, one_at_a_time, publish, reclaim, value};
use std::backtrace::Backtrace;
use std::sync::mpsc;

/// Expressions, their values, and no object at the end.
fn check(files: &[(&str, &str)], expressions: &[(&str, &str)]) {
    let _guard = one_at_a_time();
    let before = objects();
    let host = host();

    publish(&host, files).unwrap();
    for (text, wanted) in expressions {
        assert_eq!(value(&host, text), *wanted, "{text}");
        expect_objects(before, text);
    }
    reclaim(&host, files.len() as u32 + 1);
}

#[test]
fn programs_compute() {
    let odd = "(defn even? [n] (if (= n 0) true (odd? (- n 1))))
               (defn odd? [n] (if (= n 0) false (even? (- n 1))))";
    check(
        &[
            ("fib", include_str!("../examples/fib.lisp")),
            ("sum", "(defn to [n acc] (if (= n 0) acc (to (- n 1) (+ acc n))))"),
            ("odd", odd),
        ],
        &[
            ("(fib/fib 20)", "6765"),
            ("(let [a 2 b (* a 5)] (- b (/ 7 a)))", "7"),
            ("(if (>= 1 2) (% 9 4) (do 1 (% 9 5)))", "4"),
            ("(sum/to 1000000 0)", "500000500000"),
            ("(odd/even? 1000001)", "false"),
            ("(and (< 1 2) (or false (not (= 1 2))))", "true"),
            ("(+ (shl 1 10) (bit-xor (shr -8 1) (bit-or 1 (bit-and 6 2))))", "1023"),
            ("(fold + 0 (range 101))", "5050"),
        ],
    );
}

/// Moved, shared, borrowed, dropped in one branch only, captured: each once at least.
#[test]
fn counts_are_exact() {
    let words = r#"
        (defn join [words]
          (fold (fn [all word] (if (= all "") word (concat (concat all " ") word))) "" words))
        (defn twice [:String s] (concat s s))
        (defn either [yes :String a :String b] (if yes a b))
        (defn unused [:String a :Int n] n)
        (defn grow [v n] (if (= n 0) v (grow (push v (show n)) (- n 1))))
        (defn adder [by] (fn [n] (+ n by)))
        (defn tag [name] (fn [s] (concat name s)))
        (defn compose [:(Fn [String] String) f :(Fn [String] String) g] (fn [x] (g (f x))))"#;
    check(
        &[("words", words)],
        &[
            (r#"(words/join ["ein" "zwei" "drei"])"#, "ein zwei drei"),
            (r#"(let [s "ab"] (concat (words/twice s) (words/twice s)))"#, "abababab"),
            (r#"(let [s "ab" t "cd"] (words/either (= s t) s (words/either true t s)))"#, "cd"),
            (r#"(let [s "ab" t "cd"] (if (= 1 1) s t))"#, "ab"),
            (r#"(let [s "ab"] (do s s 5))"#, "5"),
            (r#"(words/unused "a" 3)"#, "3"),
            (r#"(let [s "a"] (fn [t] (concat s t)) 1)"#, "1"),
            ("(count (words/grow (the (Vec String) []) 1000))", "1000"),
            // The old vector stays as it was.
            (r#"(let [v ["a"] w (push v "b")] (show [v w (push w "c")]))"#, "[[a] [a b] [a b c]]"),
            (r#"(let [v ["a" "b"] x (nth v 1)] (words/join (push v x)))"#, "a b b"),
            (r#"(nth (nth [["a"] ["b" "c"]] 1) 0)"#, "b"),
            ("((words/adder 3) 4)", "7"),
            (
                r#"(let [f (words/compose (words/tag "a") (words/tag "b"))] (concat (f "1") (f "2")))"#,
                "ba1ba2",
            ),
            (r#"(words/join (pmap (words/tag "x") ["1" "2" "3"]))"#, "x1 x2 x3"),
            (r#"(let [s "a" all [s s s]] (words/join (pmap (fn [t] t) all)))"#, "a a a"),
            (r#"(show [(concat "" "") ""])"#, "[ ]"),
            (r#"(= "a" "a")"#, "true"),
        ],
    );
}

/// The programs of platforms/tasks, and others.
#[test]
fn tasks_and_channels() {
    let tasks = r#"
        (defn sum-to [n acc] (if (= n 0) acc (sum-to (- n 1) (+ acc n))))
        (defn produce [c n] (if (= n 0) (close c) (do (send c n) (produce c (- n 1)))))
        (defn drain [c acc] (recv [n c] (drain c (+ acc n)) acc))
        (defn pipe [from to]
          (recv [s from] (do (send to (concat s "!")) (pipe from to)) (close to)))
        (defn all [c :(Vec String) so-far] (recv [s c] (all c (push so-far s)) so-far))"#;
    check(
        &[("tasks", tasks)],
        &[
            ("(fold + 0 (pmap (fn [n] (* n n)) [1 2 3 4 5 6 7 8]))", "204"),
            (
                "(let [a (spawn (fn [] (tasks/sum-to 1000000 0)))
                       b (spawn (fn [] (tasks/sum-to 2000000 0)))]
                   (+ (await a) (await b)))",
                "2500001500000",
            ),
            (
                "(let [c (chan 16) t (spawn (fn [] (tasks/produce c 1000)))
                       total (tasks/drain c 0)]
                   (do (await t) total))",
                "500500",
            ),
            // Through three tasks; what is sent is used again, so that a copy goes.
            (
                r#"(let [a (chan 0) b (chan 1) c (chan -1) s "x"
                         t (spawn (fn [] (tasks/pipe a b))) u (spawn (fn [] (tasks/pipe b c)))]
                     (do (send a s) (send a (concat s s)) (send a s) (close a)
                         (await t) (await u) (tasks/all c [])))"#,
                "[x!! xx!! x!!]",
            ),
            // What nobody receives goes with the channel.
            (r#"(let [c (chan 5)] (do (send c ["a" "b"]) (send c []) 1))"#, "1"),
            (r#"(let [c (chan 5)] (do (close c) (send c "a")))"#, "false"),
            // A task that nobody awaits.
            (r#"(do (await (spawn (fn [] (spawn (fn [] "a"))))) 2)"#, "2"),
            // A channel in a message, a closure in a message.
            (
                r#"(let [calls (chan 1)
                         server (spawn (fn [] (recv [answer calls] (send answer (fn [s] (concat s "?"))) false)))
                         answer (chan 0)]
                     (do (send calls answer) (recv [f answer] (f "what") "closed")))"#,
                "what?",
            ),
            ("(fold + 0 (pmap (fn [n] (await (spawn (fn [] (* n n))))) (range 100)))", "328350"),
        ],
    );
}

/// What nothing else refers to goes as it is; of what something does, there is a copy.
#[test]
fn unique_values_move() {
    let _guard = one_at_a_time();
    let host = host();
    let unique = r#"(defn start [] (let [c (chan 4) t (spawn (fn [] (fill c 10)))] (drain c 0)))
        (defn drain [c sum] (recv [v c] (drain c (+ sum (count v))) sum))
        (defn fill [c n] (if (= n 0) (close c)
          (do (send c [(show n) (show n)]) (fill c (- n 1)))))"#;
    let copied = r#"(defn start [] (let [c (chan 4) t (spawn (fn [] (fill c 10 "s")))] (drain c 0)))
        (defn drain [c sum] (recv [v c] (drain c (+ sum (count v))) sum))
        (defn fill [c n s] (if (= n 0) (close c)
          (do (send c [s s]) (fill c (- n 1) s))))"#;

    publish(&host, &[("unique", unique), ("copied", copied)]).unwrap();
    assert_eq!(value(&host, "(+ (unique/start) (copied/start))"), "40");
    let all = sends();
    let of = |file: &str| all.split_once(file).unwrap().1.split("no move").next().unwrap();
    // A vector, its data and two strings; of the other, the string is copied.
    assert!(of("unique.lisp:4").contains("kept 40 objects"), "{all}");
    assert!(of("unique.lisp:4").contains("copied 0 shared parts"), "{all}");
    assert!(of("copied.lisp:4").contains("kept 20 objects"), "{all}");
}

/// From the host through compiled code to the host: there are descriptions of all frames.
#[test]
fn unwinders_find_their_way() {
    let _guard = one_at_a_time();
    let (told, tells) = mpsc::channel();
    let print = Box::new(move |_: &str| drop(told.send(Backtrace::force_capture().to_string())));
    let rt = Runtime::new().unwrap();
    let host = Host::with(rt, Options { print, ..Options::default() }).unwrap();

    publish(&host, &[("f", "(defn f [n] (if (= n 0) (do (print n) 0) (+ 1 (f (- n 1)))))")])
        .unwrap();
    assert_eq!(value(&host, "(+ (f/f 3) ((fn [n] (+ 0 (f/f n))) 1))"), "4");
    for trace in tells.iter().take(2) {
        assert!(trace.contains("brolga::task::join::run"), "{trace}");
    }
}

#[test]
fn a_failing_task_fails_alone() {
    let _guard = one_at_a_time();
    let host = host();
    let failure = |text: &str| match host.evaluate(text).unwrap().join() {
        Err(Error::Failed(failure)) => failure,
        Err(error) => panic!("{text}: {error}"),
        Ok(answer) => panic!("{text}: {answer}"),
    };

    publish(&host, &[("div", "(defn by [n] (+ 0 (/ 1 n)))")]).unwrap();
    assert_eq!(failure("(+ 0 (div/by 0))").function, "by (div.lisp:1)");
    assert_eq!(failure("(nth [1 2] 2)").message, "there is no element 2 in a vector of 2");
    assert!(failure("(await (spawn (fn [] (/ 1 0))))").message.contains("fn in it"));
    assert!(failure("(pmap (fn [n] (/ 1 n)) [1 2 0])").message.contains("SIG"));
    assert_eq!(
        failure("(let [t (spawn (fn [] 1))] (+ (await t) (await t)))").message,
        "the task has been awaited before"
    );
    assert_eq!(value(&host, "(div/by 1)"), "1");
}

#[test]
fn mistakes_change_nothing() {
    let _guard = one_at_a_time();
    let host = host();
    let problem = |files: &[(&str, &str)]| publish(&host, files).unwrap_err().to_string();
    let wrong = |body: &str| problem(&[("a", &format!("(defn one []\n  {body})"))]);

    publish(&host, &[("a", "(defn one [] 1)"), ("b", "\n(defn two [] (+ (a/one) 1))")]).unwrap();
    let version = host.runtime().got().version();
    for (body, wanted) in [
        ("(let [x] x)", "a.lisp:2:3: expected (let [name value ...] body)"),
        ("x", "a.lisp:2:3: x is not defined"),
        ("(+ 1 2", "a.lisp:1:1: it is never closed"),
        ("(+ 1 true)", "a.lisp:2:8: Int is expected here, and this is Bool"),
        ("(if 1 2 3)", "a.lisp:2:7: Bool is expected here, and this is Int"),
        ("(nth [1] \"a\")", "a.lisp:2:12: Int is expected here, and this is String"),
        ("(length 1 2)", "a.lisp:2:3: length takes 1 arguments, not 2"),
        ("(= [1] [1])", "a.lisp:2:6: = is for Int, Bool and String, and this is (Vec Int)"),
        ("(send (chan 1) 1 2)", "a.lisp:2:3: send takes 2 arguments, not 3"),
        (
            "(do (chan 1) 1)",
            "a.lisp:2:7: its type is not known: say it, as in [:Int x], or (the (Chan Int) (chan 1))",
        ),
        ("(fn [f] (f f))", "a.lisp:2:14: "),
        ("(b/none 1)", "a.lisp:2:4: b/none is not defined"),
        ("(recv [v 1] v 0)", "a.lisp:2:12: "),
        ("\"a", "a.lisp:2:3: it has no end"),
        ("99999999999999999999", "a.lisp:2:3: 99999999999999999999 is no number of 64 bits"),
    ] {
        let text = wrong(body);
        assert!(text.starts_with(wanted), "{text}\n{wanted}");
    }
    // The caller is in another file, which is compiled again, and does not fit.
    assert_eq!(
        problem(&[("a", "(defn one [n] (+ n 0))")]),
        "b.lisp:2:17: a/one takes 1 arguments, not 0"
    );
    assert!(value(&host, "(a/one 1)").contains("takes 0 arguments"));
    assert_eq!((value(&host, "(b/two)"), version), ("2".into(), host_version(&host, 1)));
    // Both at once fit.
    publish(&host, &[("a", "(defn one [n] (+ n 0))"), ("b", "(defn two [] (a/one 9))")]).unwrap();
    assert_eq!(value(&host, "(b/two)"), "9");
    // And so does the caller as it was, if the new type is one that it can do with.
    publish(&host, &[("c", "(defn all [] (count (d/some)))"), ("d", "(defn some [] [1])")])
        .unwrap();
    publish(&host, &[("d", "(defn some [] [\"a\" \"b\"])")]).unwrap();
    assert_eq!(value(&host, "(c/all)"), "2");
}

/// The version, less so many expressions.
fn host_version(host: &brolga_cranelift::host::Host, expressions: u64) -> u64 {
    host.runtime().got().version() - expressions
}

/// The type of a function changes while a task is about to call it. The task gets the old
/// one, which stays for as long as it is needed; all others get the new one.
#[test]
fn who_knows_the_old_type_has_the_old_function() {
    let _guard = one_at_a_time();
    let host = host();
    let wait = "(defn wait [] (if (flag/stop) 0 (do (sleep 1) (wait))))";

    publish(&host, &[("a", "(defn one [] 1)"), ("flag", "(defn stop [] false)"), ("w", wait)])
        .unwrap();
    let running = host.evaluate("(+ (w/wait) (a/one))").unwrap();
    while host.runtime().tasks().iter().all(|task| task.parked_in != Some("sleep")) {
        std::thread::yield_now();
    }
    publish(&host, &[("a", "(defn one [] \"1\")")]).unwrap();
    assert_eq!(value(&host, "(concat (a/one) \"\")"), "1");
    publish(&host, &[("flag", "(defn stop [] true)")]).unwrap();
    assert_eq!(running.join().unwrap().word(), 1);
    reclaim(&host, 4);
}
