//! What commits report.

use crate::error::{Error, Result, array_text, static_text};
use brolga_sys as ffi;
use std::ffi::c_int;
use std::fmt;
use std::time::Duration;

/// Why a transaction was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A symbol is defined twice in it.
    Duplicate,
    /// An import names a symbol that is missing.
    Import,
    /// An import has another signature.
    Signature,
    /// A slot would change or go that live units import.
    Importers,
    /// The host said so.
    Compat,
    /// Too many slots, live versions or bytes.
    Limit,
    /// Out of memory.
    Memory,
    /// A task did not come to a safepoint in time.
    Barrier,
    /// The version to restore is not kept.
    History,
    /// A built file cannot be loaded.
    Load,
    /// Another user of a changed header is not in order.
    Header,
    /// Something that this crate does not know.
    Other,
}

/// What a commit did, or why it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Why it was refused, if it was.
    pub refusal: Option<Refusal>,
    /// Published, or still current.
    pub version: u64,
    /// Time spent in the commit.
    pub commit: Duration,
    /// For a person; nothing on success.
    pub text: String,
    /// Of a barrier: how long all stood.
    pub stood: Duration,
    /// For [`Refusal::Barrier`]: the task that did not come, by number and name.
    pub task: Option<(u64, String)>,
    /// What does not fit: the first eight.
    pub conflicts: Vec<Conflict>,
}

/// What does not fit with what. Empty where it does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The unit that imports; nothing for a task that runs the slot.
    pub importer: String,
    /// The import's place.
    pub place: String,
    /// What is imported, or defined twice.
    pub module: String,
    /// The symbol.
    pub symbol: String,
    /// Its signature, as imported.
    pub signature: String,
    /// The signature that it has instead.
    pub defined: String,
}

impl Report {
    pub(crate) fn from_raw(raw: &ffi::brolga_report) -> Self {
        let refusal = match raw.refusal {
            ffi::BROLGA_REFUSED_NOT => None,
            ffi::BROLGA_REFUSED_DUPLICATE => Some(Refusal::Duplicate),
            ffi::BROLGA_REFUSED_IMPORT => Some(Refusal::Import),
            ffi::BROLGA_REFUSED_SIGNATURE => Some(Refusal::Signature),
            ffi::BROLGA_REFUSED_IMPORTERS => Some(Refusal::Importers),
            ffi::BROLGA_REFUSED_COMPAT => Some(Refusal::Compat),
            ffi::BROLGA_REFUSED_LIMIT => Some(Refusal::Limit),
            ffi::BROLGA_REFUSED_MEMORY => Some(Refusal::Memory),
            ffi::BROLGA_REFUSED_BARRIER => Some(Refusal::Barrier),
            ffi::BROLGA_REFUSED_HISTORY => Some(Refusal::History),
            ffi::BROLGA_REFUSED_LOAD => Some(Refusal::Load),
            ffi::BROLGA_REFUSED_HEADER => Some(Refusal::Header),
            _ => Some(Refusal::Other),
        };
        let count = (raw.conflicts as usize).min(raw.conflict.len());
        let task = (raw.task != 0 || raw.task_name[0] != 0)
            .then(|| (raw.task, array_text(&raw.task_name)));

        Self {
            refusal,
            version: raw.version,
            commit: Duration::from_nanos(raw.commit_ns),
            text: array_text(&raw.text),
            stood: Duration::from_nanos(raw.stood_ns),
            task,
            conflicts: raw.conflict[..count].iter().map(Conflict::from_raw).collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.refusal.is_none() {
            write!(f, "version {}", self.version)
        } else {
            f.write_str(&self.text)
        }
    }
}

impl Conflict {
    fn from_raw(raw: &ffi::brolga_conflict) -> Self {
        Self {
            importer: array_text(&raw.importer),
            place: array_text(&raw.where_),
            module: array_text(&raw.module),
            symbol: array_text(&raw.symbol),
            signature: array_text(&raw.signature),
            defined: array_text(&raw.defined),
        }
    }
}

/// What a commit, a check or a rollback has returned.
pub(crate) fn reported(code: c_int, report: &ffi::brolga_report) -> Result<Report> {
    let report = Report::from_raw(report);

    match code {
        ffi::BROLGA_OK => Ok(report),
        ffi::BROLGA_EREFUSED => Err(Error::Refused(Box::new(report))),
        ffi::BROLGA_ETIMEOUT if report.refusal.is_some() => Err(Error::Refused(Box::new(report))),
        ffi::BROLGA_EBUILD => Err(Error::Build(Box::new(report))),
        code => Err(Error::plain(code)),
    }
}

/// A word for a refusal, as the library's reports have it.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = match self {
            Self::Duplicate => ffi::BROLGA_REFUSED_DUPLICATE,
            Self::Import => ffi::BROLGA_REFUSED_IMPORT,
            Self::Signature => ffi::BROLGA_REFUSED_SIGNATURE,
            Self::Importers => ffi::BROLGA_REFUSED_IMPORTERS,
            Self::Compat => ffi::BROLGA_REFUSED_COMPAT,
            Self::Limit => ffi::BROLGA_REFUSED_LIMIT,
            Self::Memory => ffi::BROLGA_REFUSED_MEMORY,
            Self::Barrier => ffi::BROLGA_REFUSED_BARRIER,
            Self::History => ffi::BROLGA_REFUSED_HISTORY,
            Self::Load => ffi::BROLGA_REFUSED_LOAD,
            Self::Header => ffi::BROLGA_REFUSED_HEADER,
            Self::Other => return f.write_str("other"),
        };
        // SAFETY: A word of the library's.
        f.write_str(unsafe { static_text(ffi::brolga_refusal_name(raw)) })
    }
}
