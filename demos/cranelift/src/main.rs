//! `brolga-cranelift FOLDER [EXPRESSION]`: run the folder's files, watch them, and
//! answer expressions; with one on the command line, its value, and no more.

use brolga::{Event, Runtime};
use brolga_cranelift::host::{Host, Problem};
use notify::{RecursiveMode, Watcher};
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let result = match args.as_slice() {
        [folder] => repl(Path::new(folder)),
        [folder, expression] => once(Path::new(folder), expression),
        _ => Err(Problem::Other("usage: brolga-cranelift FOLDER [EXPRESSION]".into())),
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
    let _watcher = watch(&host, folder).map_err(|error| Problem::Other(error.to_string()))?;
    println!("an expression, & before it: in the background; :tasks :versions :why :quit");
    prompt();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.trim() {
            "" => {}
            ":quit" => break,
            ":tasks" => tasks(&host),
            ":versions" => println!("{:#?}", host.runtime().got().stats()),
            ":why" => why(&host),
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

fn why(host: &Host) {
    for holder in host.runtime().holders() {
        println!(
            "{} of version {}: {} of task {} {} ({})",
            holder.unit,
            holder.version,
            holder.reason,
            holder.task,
            holder.task_name,
            holder.function
        );
    }
}

fn tell(event: &Event) {
    match event {
        Event::Adopted { version, after } => println!("; all in version {version} after {after:?}"),
        Event::Released { unit, after } => println!("; {unit} released after {after:?}"),
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

/// A thread that reloads when something has happened, and 20 ms nothing more.
fn watch(host: &Arc<Host>, folder: &Path) -> notify::Result<impl Watcher> {
    let (told, tells) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading a file is an event, too. After an error, better look.
        if event.is_ok_and(|event| event.kind.is_access()) {
            return;
        }
        let _ = told.send(());
    })?;
    let (host, path) = (Arc::clone(host), folder.to_path_buf());

    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    std::thread::spawn(move || {
        while tells.recv().is_ok() {
            while tells.recv_timeout(Duration::from_millis(20)).is_ok() {}
            reload(&host, &path);
        }
    });
    Ok(watcher)
}
