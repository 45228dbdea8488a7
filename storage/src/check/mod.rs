//! `check`: compares everything on disk with what must hold, and names each thing that does not.
//!
//! It writes no truth file and never stops at the first finding. Quick: `FORMAT`, manifest, log, ends and
//! lengths of all segment and catalogue files, ends of text indexes. Deep: besides, every byte against its
//! hash, every trace row against the fold of its spans, metadata store and text against the segments.
//!
//! | id | what is checked | here |
//! |---|---|---|
//! | I1 | `FORMAT` can be read | `files` |
//! | I2 | the manifest's chain of edits is whole, `CURRENT` names it | `files` |
//! | I3 | each live segment file exists, with length and, deep, hash | `files` |
//! | I4 | no live segment has rows of sequences that are still to be replayed | `files` |
//! | I5 | rows of each file are as many as the manifest says; deep: times within its range | `files` |
//! | I6 | the log has no gap from the replay point on, every record decodes | `files` |
//! | I7 | each trace, span of a trace and assessment is visible once (deep) | `rows` |
//! | I8 | the metadata store has the traces and rows of each segment, no others (deep) | `derived` |
//! | I10 | each trace row is the fold of its spans and edits, each span has a trace row (deep) | `rows` |
//! | I11 | text indexes open; deep: checksums, and lengths of the very rows | `derived` |
//! | I12 | an erase that was begun is done | `files` |
//! | I13 | nothing is there that nothing names | `files` |
//! | I14 | dataset files exist; deep: hash. Their content is for the owner of the catalogue to check | `files` |
//! | I16 | posting lists of the metadata store equal a rebuild (deep) | `derived` |
//! | I17 | truth files are regular files, never links | `files` |
//! | I18 | features of `FORMAT` are known | `files` |
//! | I19 | `HOLDS` can be read; deep: what is held of the log | `files` |
//!
//! I9 and I15 of a store whose index follows the log do not apply: the index is of whole segments, and
//! counts are computed when asked for.

mod derived;
mod files;
mod rows;

use std::sync::Arc;

use serde::Serialize;

use crate::env::Env;
use crate::error::{Error, Result};
use crate::fold::{HintOfTop, plain_hint};
use crate::kv::MetaStore;
use crate::manifest::SegmentId;
use crate::schema::Table;
use crate::snapshot::Snapshot;
use crate::store::Store;

pub(crate) use rows::check_rows;

/// How often a check starts over because a writer changed the manifest meanwhile.
const TRIES: usize = 4;

/// What a finding means for the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something that was stored is damaged or missing.
    Damage,
    /// An index is damaged; it is rebuilt from what is stored, nothing is lost.
    Derived,
    /// The system refused to look (descriptors, memory, room or rights are wanting): nothing is known of it.
    Unchecked,
    /// Worth knowing, and no damage.
    Note,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Format,
    Manifest,
    Log,
    Holds,
    Segment(SegmentId, Table),
    Catalog(String),
    MetaStore,
    Text(SegmentId),
    Rows,
    Other,
}

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The invariant, such as `I3`.
    pub invariant: &'static str,
    /// What it means.
    pub severity: Severity,
    /// The file, folder or trace it is about.
    pub at: String,
    /// What is wrong.
    pub message: String,
    #[serde(skip)]
    pub(crate) part: Part,
}

impl Finding {
    /// A finding about something whose content the storage does not know.
    pub fn new(invariant: &'static str, severity: Severity, at: String, message: String) -> Self {
        Self {
            invariant,
            severity,
            at,
            message,
            part: Part::Other,
        }
    }
}

/// What a check found and looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Whether every byte and row was looked at.
    pub deep: bool,
    /// Version of the manifest that was checked; `None` when it cannot be read.
    pub manifest_version: Option<u64>,
    /// Live segments.
    pub segments: usize,
    /// Bytes compared with their hash.
    pub bytes_hashed: u64,
    /// Records of the log.
    pub log_records: u64,
    /// Trace rows compared with the fold of their spans.
    pub traces_folded: u64,
    /// All that is not as it must be, damage first.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether all was looked at and there is no damage, neither of data nor of indexes.
    pub fn is_clean(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.severity == Severity::Note)
    }

    /// Whether there is damage, of data or of indexes.
    pub fn is_damaged(&self) -> bool {
        let is_damage =
            |finding: &Finding| matches!(finding.severity, Severity::Damage | Severity::Derived);
        self.findings.iter().any(is_damage)
    }

    /// The first thing that could not be looked at.
    pub fn unchecked(&self) -> Option<&Finding> {
        self.findings
            .iter()
            .find(|finding| finding.severity == Severity::Unchecked)
    }

    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
        self.findings.sort_by_key(|finding| finding.severity as u8);
    }

    fn find(
        &mut self,
        invariant: &'static str,
        severity: Severity,
        part: Part,
        at: &str,
        message: String,
    ) {
        assert!(
            invariant.starts_with('I'),
            "{invariant} is in the table at the head of this file"
        );
        self.findings.push(Finding {
            invariant,
            severity,
            at: at.to_string(),
            message,
            part,
        });
    }

    fn damage(&mut self, invariant: &'static str, part: Part, at: &str, message: impl ToString) {
        self.find(invariant, Severity::Damage, part, at, message.to_string());
    }

    /// An error met in looking at something: damage, unless the system refused to look.
    fn failed(
        &mut self,
        invariant: &'static str,
        severity: Severity,
        part: Part,
        at: &str,
        error: &Error,
    ) {
        match error.is_refusal() {
            true => self.find(
                invariant,
                Severity::Unchecked,
                Part::Other,
                at,
                error.to_string(),
            ),
            false => self.find(invariant, severity, part, at, error.to_string()),
        }
    }

    fn note(&mut self, invariant: &'static str, at: &str, message: impl ToString) {
        self.find(
            invariant,
            Severity::Note,
            Part::Other,
            at,
            message.to_string(),
        );
    }
}

/// What the caller of a check has open of the database.
#[derive(Debug, Clone)]
pub struct Opened<'a> {
    /// The metadata store; without one it is not compared.
    pub meta_store: Option<&'a MetaStore>,
    /// The rows as readers see them; without one they are read from the files.
    pub snapshot: Option<Snapshot>,
    /// There is no log, as the environment keeps nothing anyway.
    pub has_no_log: bool,
    /// What a top span says of its trace, as whoever writes the database has it.
    pub hint_of_top: HintOfTop,
}

impl Default for Opened<'_> {
    fn default() -> Self {
        Self {
            meta_store: None,
            snapshot: None,
            has_no_log: false,
            hint_of_top: plain_hint,
        }
    }
}

/// Checks the database in `env`. Beside a writer, a check that finds damage starts over when the manifest
/// changed meanwhile: what it missed may just have been removed.
pub fn check(env: &Arc<dyn Env>, deep: bool, opened: &Opened<'_>) -> CheckReport {
    let mut report = CheckReport::default();
    for _ in 0..TRIES {
        report = check_once(env, deep, opened);
        let after = files::manifest_version(env.as_ref());
        if report.is_clean() || after == report.manifest_version {
            break;
        }
    }
    report
        .findings
        .sort_by_key(|finding| finding.severity as u8);
    report
}

fn check_once(env: &Arc<dyn Env>, deep: bool, opened: &Opened<'_>) -> CheckReport {
    let mut report = CheckReport {
        deep,
        ..CheckReport::default()
    };
    files::check_format(env.as_ref(), &mut report);
    let manifest = files::check_manifest(env.as_ref(), &mut report);
    if let Some(manifest) = &manifest {
        files::check_segments(env, manifest, &mut report);
        if !opened.has_no_log {
            files::check_log(env.as_ref(), manifest, &mut report);
            files::check_holds(env.as_ref(), manifest, &mut report);
        }
        files::check_catalog(env.as_ref(), manifest, &mut report);
        derived::check(env, manifest, opened.meta_store, &mut report);
    }
    files::check_names(env.as_ref(), manifest.as_ref(), &mut report);
    let is_whole = !report
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Damage);
    if deep && is_whole {
        rows::check(env, opened, &mut report);
    }
    report
}

impl Store {
    /// Checks everything on disk, and the metadata store in use; see [`crate::check`].
    ///
    /// # Errors
    /// Whatever taking a snapshot gives.
    pub fn check(&self, deep: bool) -> Result<CheckReport> {
        let opened = Opened {
            meta_store: (!self.options().read_only).then_some(self.meta_store()),
            snapshot: Some(self.snapshot()?),
            has_no_log: !self.options().durable,
            hint_of_top: self.options().hint_of_top,
        };
        Ok(check(self.env(), deep, &opened))
    }
}
