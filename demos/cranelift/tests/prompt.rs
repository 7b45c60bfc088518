//! Goal: at the prompt, expressions are answered while tasks run in the background, and a
//! file that is saved changes what they do; the prompt tells what there is.
//!
//! Method: the program itself, with lines for its input, and its output as it comes.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use std::{env, fs};

struct Prompt {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
    folder: PathBuf,
}

impl Prompt {
    fn start(test: &str, files: &[(&str, &str)]) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(format!("{name}.lisp")), text).unwrap();
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_brolga-cranelift"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (line, output) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).try_for_each(|text| line.send(text))
        });
        Self { input: child.stdin.take().unwrap(), child, output, folder }
    }

    fn type_in(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    fn save(&self, name: &str, text: &str) {
        let other = self.folder.join("saving");
        fs::write(&other, text).unwrap();
        fs::rename(other, self.folder.join(format!("{name}.lisp"))).unwrap();
    }

    /// Ask again until a line of the answer has this in it.
    fn until(&mut self, question: &str, text: &str) {
        for _ in 0..200 {
            self.type_in(question);
            let end = Instant::now() + Duration::from_millis(100);
            while let Ok(line) =
                self.output.recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                if line.contains(text) {
                    return;
                }
            }
        }
        panic!("{question} does not say {text}");
    }

    /// The next line that has this in it.
    fn expect(&self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.output.recv_timeout(left) else {
                panic!("no {text} in {seen:#?}");
            };
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const WAIT: &str = "(defn wait [] (if (flag/stop) 0 (do (sleep 5) (wait))))
(defn both [] (+ 1 (wait)))";

#[test]
fn tasks_run_on_while_files_change() {
    let counter = include_str!("../examples/counter.lisp").replace("500", "5");
    let mut prompt = Prompt::start(
        "counter",
        &[("counter", &counter), ("flag", "(defn stop [] false)"), ("wait", WAIT)],
    );

    prompt.type_in("&(counter/start)");
    prompt.expect("count 3");
    prompt.type_in("(concat \"forty-\" \"two\")");
    prompt.expect("forty-two");
    prompt.type_in(":tasks");
    prompt.expect("(counter/start): ");

    // What is wrong changes nothing, and is told; the count goes on.
    prompt.save("counter", "(defn step [n] (+ n))");
    assert!(prompt.expect("counter.lisp").contains("counter.lisp:1:16: + takes 2 arguments"));
    prompt.expect("count 2");
    prompt.save("counter", &counter.replace("\"count \"", "\"number \""));
    prompt.expect("; version");
    prompt.expect("number ");
    prompt.type_in(":versions");
    prompt.expect("units: 3 in use");

    // A function that waits for another one to return keeps its code.
    prompt.type_in("&(wait/both)");
    prompt.until(":tasks", "(wait/both): parked in sleep");
    prompt.save("wait", &WAIT.replace("+ 1", "+ 2"));
    prompt.until(":why", "(wait/both): both (wait.lisp:2)");
    prompt.save("flag", "(defn stop [] true)");
    while !prompt.expect("; task").ends_with(": 1") {}
    prompt.until(":why", "nothing holds old code");

    prompt.save("counter", &counter.replace("(sleep 5)", "true"));
    prompt.expect(": closed");
    prompt.type_in("(undefined 1)");
    prompt.expect("repl-4.lisp:1:2: undefined is not defined");
    prompt.type_in(":quit");
    assert!(prompt.child.wait().unwrap().success());
}

#[test]
fn the_command_answers_and_explains_itself() {
    let run = |args: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_brolga-cranelift")).args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

    for (call, wanted) in [
        ("(tasks/squares)", "204"),
        ("(tasks/sums)", "2500001500000"),
        ("(tasks/stream)", "500500"),
    ] {
        assert_eq!(run(&[examples, call]), (true, format!("{wanted}\n"), String::new()));
    }
    let (ok, _, wrong) = run(&[examples, "(tasks/squares 1)"]);
    assert!(!ok && wrong.contains("tasks/squares takes 0 arguments, not 1"), "{wrong}");
    assert!(run(&["--help"]).1.starts_with("usage: brolga-cranelift FOLDER"));
    assert!(!run(&[]).0);
    let (ok, _, wrong) = run(&["/nowhere", "1"]);
    assert!(!ok && wrong.contains("/nowhere"), "{wrong}");
}
