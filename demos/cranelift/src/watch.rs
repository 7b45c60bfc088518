//! Watching a folder: something is read again when it has been saved.

use notify::{Event, RecommendedWatcher, RecursiveMode, Result, Watcher};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// Editors do several things for one save. What was read too early is wrong, and changes
/// nothing; it is read again.
const QUIET: Duration = Duration::from_millis(3);

/// Call something, on a thread of its own, when files have changed and for a moment nothing
/// more has happened; until the watcher is dropped.
pub fn watch(folder: &Path, changed: impl Fn() + Send + 'static) -> Result<RecommendedWatcher> {
    let (told, tells) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: Result<Event>| {
        // Reading a file is an event, too. After an error, better look.
        if event.is_ok_and(|event| event.kind.is_access()) {
            return;
        }
        let _ = told.send(());
    })?;

    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    std::thread::spawn(move || {
        while tells.recv().is_ok() {
            while tells.recv_timeout(QUIET).is_ok() {}
            changed();
        }
    });
    Ok(watcher)
}
