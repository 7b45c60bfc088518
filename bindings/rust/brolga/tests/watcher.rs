//! Goal: a save becomes running code, and a mistake changes nothing.
//!
//! Method: a module in a folder of its own; a task calls it again and again. Events
//! are awaited, never time. Takes a C compiler.

use brolga::{Error, Runtime, Watcher, watch};
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn answer(&self, body: &str) {
        let text = format!(
            "#include <brolga/module.h>\nBROLGA_MODULE(answer, .policy = BROLGA_RECLAIM);\n\
             BROLGA_EXPORT(brolga_word, answer, (void *arg))\n{{\n    (void)arg;\n    {body}\n}}\n"
        );
        // In one step: no half of it is ever seen.
        fs::write(self.0.join("new"), text).unwrap();
        fs::rename(self.0.join("new"), self.0.join("answer.c")).unwrap();
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn session(rt: &Runtime, files: &Files) -> (Watcher, mpsc::Receiver<watch::Event>) {
    let (told, tells) = mpsc::channel();
    let watcher = Watcher::builder()
        .path(&files.0)
        .include_dir(env!("BROLGA_INCLUDE"))
        .on_event(move |event| drop(told.send(event.clone())))
        .create(rt)
        .unwrap();
    (watcher, tells)
}

fn wait(tells: &mpsc::Receiver<watch::Event>, kind: &str) -> watch::Event {
    loop {
        let event = tells.recv_timeout(Duration::from_secs(60)).expect(kind);
        if event.kind == kind {
            return event;
        }
    }
}

fn call(rt: &Runtime, watcher: &Watcher) -> i64 {
    let slot = watcher.find(Some("answer"), "answer").unwrap();
    // SAFETY: Such a function it is.
    unsafe { rt.spawn_slot(slot, std::ptr::null_mut()) }.unwrap().join().unwrap()
}

#[test]
fn a_save_becomes_running_code_and_a_mistake_does_not() {
    let files = Files::new("saves");
    let rt = Runtime::builder().workers(1).history(4).build().unwrap();
    files.answer("return 41;");
    let (watcher, tells) = session(&rt, &files);

    // SAFETY: The files are ours.
    unsafe { watcher.load() }.unwrap();
    watcher.start().unwrap();
    assert_eq!(watcher.start(), Err(Error::State));
    assert_eq!(call(&rt, &watcher), 41);

    files.answer("return 42;");
    // The first one was of the load.
    while wait(&tells, "reloaded").since_saved == Duration::ZERO {}
    assert_eq!(call(&rt, &watcher), 42);

    files.answer("return forty_two;");
    let event = wait(&tells, "build-failed");
    assert!(event.output.contains("forty_two"), "{event}");
    wait(&tells, "locked");
    assert!(watcher.modules()[0].locked);
    assert_eq!(call(&rt, &watcher), 42);

    watcher.rollback(0).unwrap();
    assert_eq!(call(&rt, &watcher), 41);
}

#[test]
fn a_load_that_fails_has_the_first_error() {
    let files = Files::new("broken");
    let rt = Runtime::builder().workers(1).build().unwrap();
    files.answer("return forty_two;");
    let (watcher, _tells) = session(&rt, &files);
    // SAFETY: The files are ours.
    let error = unsafe { watcher.load() }.unwrap_err();

    let Error::Build(report) = &error else { panic!("{error}") };
    assert!(report.text.contains("answer.c"), "{error}");
    assert_eq!(watcher.find(None, "answer"), Err(Error::NotFound));
    let missing = Watcher::builder().path("no/such/folder").create(&rt);
    assert_eq!(missing.unwrap_err(), Error::NotFound);
}

#[test]
fn a_session_may_be_dropped_by_its_own_event() {
    let files = Files::new("dropped");
    let rt = Runtime::builder().workers(1).build().unwrap();
    files.answer("return 1;");
    let kept = std::sync::Arc::new(std::sync::Mutex::new(None::<Watcher>));
    let (told, tells) = mpsc::channel();
    let inner = kept.clone();
    let watcher = Watcher::builder()
        .path(&files.0)
        .include_dir(env!("BROLGA_INCLUDE"))
        .on_event(move |event| {
            let session = inner.lock().unwrap().take();
            if let Some(session) = session {
                assert_eq!(session.stop(), Err(Error::State));
                drop(session);
                told.send(event.kind).unwrap();
            }
        })
        .create(&rt)
        .unwrap();
    // SAFETY: The files are ours.
    unsafe { watcher.load() }.unwrap();
    watcher.start().unwrap();
    *kept.lock().unwrap() = Some(watcher);
    files.answer("return 2;");
    assert_eq!(tells.recv_timeout(Duration::from_secs(60)), Ok("building"));
}
