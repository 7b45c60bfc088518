//! What a runtime tells, and shows, of its tasks.

use crate::error::{array_text, static_text, text_or_none};
use brolga_sys as ffi;
use std::ffi::{c_int, c_void};
use std::time::Duration;

/// Who is told of events.
pub(crate) type Events = Box<dyn Fn(&Event) + Send + Sync>;

/// What the reclaimer tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Every task is in this version, or a newer one.
    Adopted {
        /// The version.
        version: u64,
        /// Since the commit.
        after: Duration,
    },
    /// A unit of code has been released.
    Released {
        /// Its name.
        unit: String,
        /// Since it was retired.
        after: Duration,
    },
    /// A task was canceled, and has not ended.
    Stuck {
        /// Its number.
        task: u64,
        /// Its name.
        name: String,
        /// What it waits in, if it waits.
        parked_in: Option<&'static str>,
    },
    /// No task can run again.
    Deadlock {
        /// Who waits for what.
        text: String,
    },
}

pub(crate) unsafe extern "C" fn tell(arg: *mut c_void, event: *const ffi::brolga_event) {
    // SAFETY: `arg` is what build() has given; the event is valid during the call.
    let (tell, event) = unsafe { (&*arg.cast::<Events>(), &*event) };
    let after = Duration::from_nanos(event.after_ns);
    // SAFETY: Texts of the library, valid during the call; parked_in is static.
    let event = unsafe {
        match event.kind {
            ffi::BROLGA_EVENT_ADOPTED => Event::Adopted { version: event.version, after },
            ffi::BROLGA_EVENT_RELEASED => {
                Event::Released { unit: text_or_none(event.unit).unwrap_or_default(), after }
            }
            ffi::BROLGA_EVENT_STUCK => Event::Stuck {
                task: event.task,
                name: text_or_none(event.task_name).unwrap_or_default(),
                parked_in: static_or_none(event.parked_in),
            },
            ffi::BROLGA_EVENT_DEADLOCK => {
                Event::Deadlock { text: text_or_none(event.text).unwrap_or_default() }
            }
            _ => return,
        }
    };
    crate::callback(|| tell(&event));
}

/// What a task is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its number.
    pub id: u64,
    /// Its name, or nothing.
    pub name: String,
    /// "new", "ready", "running", "parked" or "blocked".
    pub state: &'static str,
    /// What it waits in: "recv", "sleep"...
    pub parked_in: Option<&'static str>,
    /// The version in which it resolves its calls; 0: none yet.
    pub version: u64,
    /// The number of the scope that it is in; 0: the root.
    pub scope: u64,
    /// Whether it has been canceled.
    pub canceled: bool,
}

pub(crate) unsafe extern "C" fn visit_task(arg: *mut c_void, task: *const ffi::brolga_task_info) {
    // SAFETY: `arg` is the list of tasks(); the record is valid during the call.
    let (all, task) = unsafe { (&mut *arg.cast::<Vec<TaskInfo>>(), &*task) };
    // SAFETY: Words of the library's.
    let (state, parked_in) = unsafe {
        (static_text(ffi::brolga_task_state_name(task.state)), static_or_none(task.parked_in))
    };

    all.push(TaskInfo {
        id: task.id,
        name: array_text(&task.name),
        state,
        parked_in,
        version: task.version,
        scope: task.scope,
        canceled: task.canceled != ffi::BROLGA_OK as c_int,
    });
}

/// Why something old is still alive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// "view", "running", "frame", "blocked" or "pin".
    pub reason: &'static str,
    /// The unit that is held.
    pub unit: String,
    /// The last version that used it.
    pub version: u64,
    /// The task that holds it; 0 for pins.
    pub task: u64,
    /// That task's name.
    pub task_name: String,
    /// The function on its stack, if it is known.
    pub function: String,
    /// What the task waits in.
    pub parked_in: Option<&'static str>,
    /// How many pins there are.
    pub pins: u64,
}

pub(crate) unsafe extern "C" fn visit_holder(arg: *mut c_void, holder: *const ffi::brolga_holder) {
    // SAFETY: `arg` is the list of holders(); the record is valid during the call.
    let (all, holder) = unsafe { (&mut *arg.cast::<Vec<Holder>>(), &*holder) };
    // SAFETY: Texts that are valid during the call, and words of the library's.
    let (reason, unit, parked_in) = unsafe {
        (
            static_text(ffi::brolga_hold_name(holder.reason)),
            text_or_none(holder.unit).unwrap_or_default(),
            static_or_none(holder.parked_in),
        )
    };

    all.push(Holder {
        reason,
        unit,
        version: holder.version,
        task: holder.task,
        task_name: array_text(&holder.task_name),
        function: array_text(&holder.function),
        parked_in,
        pins: holder.pins,
    });
}

/// # Safety
///
/// `text` is null or static.
unsafe fn static_or_none(text: *const std::ffi::c_char) -> Option<&'static str> {
    // SAFETY: As said.
    (!text.is_null()).then(|| unsafe { static_text(text) })
}
