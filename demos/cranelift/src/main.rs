//! `brolga-cranelift FOLDER [EXPRESSION]`: run the folder's files, watch them, and
//! answer expressions; with one on the command line, its value, and no more.

use brolga::{Event, Runtime};
use brolga_cranelift::host::{Host, Problem};
use brolga_cranelift::values::sends;
use brolga_cranelift::watch::watch;
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

const USAGE: &str = "\
usage: brolga-cranelift FOLDER [EXPRESSION]
Runs the functions in FOLDER/*.lisp, and again when one of the files is saved.
With an expression, prints its value and ends; without one, asks for them:
  (module/function 1 2)   run it, and wait for its value
  &(module/function)      run it in the background
  :tasks                  what each task is doing
  :versions               how many versions and units of code there are
  :why                    who holds old code
  :sends                  which sends move values, and which copy them
  :quit";

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let result = match args.as_slice() {
        [help] if help == "--help" || help == "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        [folder] => repl(Path::new(folder)),
        [folder, expression] => once(Path::new(folder), expression),
        _ => Err(Problem::Other(USAGE.into())),
    };

    result.map_or_else(
        |problem| {
            eprintln!("{problem}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn once(folder: &Path, expression: &str) -> Result<(), Problem> {
    let host = Host::new(Runtime::new()?)?;

    host.load(folder)?;
    println!("{}", host.evaluate(expression)?.join()?);
    Ok(())
}

fn repl(folder: &Path) -> Result<(), Problem> {
    let rt = Runtime::builder().on_event(tell).build()?;
    let host = Arc::new(Host::new(rt)?);

    reload(&host, folder);
    let (watched, path) = (Arc::clone(&host), folder.to_path_buf());
    let watcher = watch(folder, move || reload(&watched, &path));
    let _watcher = watcher.map_err(|error| Problem::Other(error.to_string()))?;
    println!("an expression; & before it: in the background; :tasks :versions :why :sends :quit");
    prompt();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.trim() {
            "" => {}
            ":quit" => break,
            ":tasks" => tasks(&host),
            ":versions" => versions(&host),
            ":why" => why(&host),
            ":sends" => print!("{}", sends()),
            text => match text.strip_prefix('&') {
                Some(text) => background(&host, text),
                None => evaluate(&host, text),
            },
        }
        prompt();
    }
    Ok(())
}

fn prompt() {
    print!("> ");
    let _ = std::io::stdout().flush();
}

fn evaluate(host: &Host, text: &str) {
    match host.evaluate(text).and_then(|running| Ok(running.join()?)) {
        Ok(answer) => println!("{answer}"),
        Err(problem) => println!("{problem}"),
    }
}

/// What comes of it is told when it does.
fn background(host: &Host, text: &str) {
    match host.evaluate(text) {
        Ok(running) => {
            let id = running.id();
            println!("; task {id}");
            std::thread::spawn(move || match running.join() {
                Ok(answer) => println!("; task {id}: {answer}"),
                Err(error) => println!("; task {id}: {error}"),
            });
        }
        Err(problem) => println!("{problem}"),
    }
}

fn tasks(host: &Host) {
    for task in host.runtime().tasks() {
        let waits = task.parked_in.map_or(String::new(), |call| format!(" in {call}"));
        println!("{} {}: {}{waits}, version {}", task.id, task.name, task.state, task.version);
    }
}

fn versions(host: &Host) {
    let stats = host.runtime().got().stats();
    let memory = host.memory().stats();

    println!("version {}; {} alive, {} slots", stats.version, stats.versions_live, stats.slots);
    println!(
        "units: {} in use, {} old, {} released; code: {} KiB in {} blocks",
        stats.units_live,
        stats.units_retired,
        stats.units_reclaimed,
        memory.used_bytes >> 10,
        memory.blocks
    );
}

fn why(host: &Host) {
    let holders = host.runtime().holders();

    if holders.is_empty() {
        println!("nothing holds old code");
    }
    for holder in holders {
        print!("{}, last used in version {}: {}", holder.unit, holder.version, holder.reason);
        match holder.task {
            0 => println!(" ({} of them)", holder.pins),
            task => println!(" of task {task} {}: {}", holder.task_name, holder.function),
        }
    }
}

/// Expressions come and go without a word.
fn tell(event: &Event) {
    match event {
        Event::Adopted { .. } => {}
        Event::Released { unit, .. } if unit.starts_with("repl-") => {}
        Event::Released { unit, after } => println!("; old {unit} released after {after:.1?}"),
        other => println!("; {other:?}"),
    }
}

fn reload(host: &Host, folder: &Path) {
    match host.load(folder) {
        Ok(Some(committed)) => println!("; version {}", committed.version),
        Ok(None) => {}
        Err(problem) => println!("; {problem}"),
    }
}
