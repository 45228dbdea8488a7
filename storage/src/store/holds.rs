//! Holds: files of the log that stay after their rows are sealed, because somebody reads the log and is not done.
//!
//! ```text
//! HOLDS {name, next_sequence, ..}      wal/ 1..40 | 41..90 | 91..     replay point 91, hold at 55:
//!                                           unlinked  held     needed by replay
//! ```
//!
//! 1. [`Store::hold_log`] notes durably from where on a name wants the log; what is written from then on is kept for it.
//! 2. `held.rs` reads; [`Store::advance_hold`] notes how far the reader is done, durably, and cuts the log after that.
//! 3. A hold has a limit, of bytes that nobody else needs. Above it the oldest records are given up and counted, or writes
//!    are refused, as the hold says.
//!
//! **Invariants**
//! * ST-2: a file of the log is unlinked only when replay does not need it and no hold wants a record of it, or has given
//!   it up; `HOLDS` says so, synced, before. ST-4: files are only unlinked whole.
//! * HO-1: every record between the beginning of a hold and its position was read and advanced over, or is counted as given
//!   up. So a hold is never silently incomplete.
//! * HO-2: whoever opens the database for writing keeps to its holds, whether it reads them or not.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::operation::{KIND_MUTATION, Operation};
use super::{Store, lock, write_small_file};
use crate::env::Env;
use crate::error::{Error, ErrorKind, Result};
use crate::model::check_id;
use crate::wal::{self, Tail};

/// The file that says who holds what.
pub(crate) const HOLDS: &str = "HOLDS";
const WAL_DIR: &str = "wal";
/// Holds at a time: each is looked at whenever the log is cut.
const HOLDS_MAX: usize = 64;

/// What happens when more of the log is held than a hold may keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The oldest records are given up for this hold and counted. They are in the database all the same.
    #[default]
    GiveUpOldest,
    /// Writes are refused with `Unavailable` until the reader has caught up.
    RefuseWrites,
}

/// How much a hold may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldLimits {
    /// Bytes of log files that stay for this hold, and would be gone without any.
    pub bytes_max: u64,
    /// What happens above that.
    pub when_full: WhenFull,
}

/// A hold as `HOLDS` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hold {
    /// The first record that its reader is not done with.
    next_sequence: u64,
    bytes_max: u64,
    when_full: WhenFull,
    /// Records that its reader did not get.
    given_up_records: u64,
    /// Spans of those, as far as they could be read.
    given_up_spans: u64,
}

/// How a hold stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldStatus {
    /// Whose it is.
    pub name: String,
    /// The first record that its reader is not done with.
    pub next_sequence: u64,
    /// Acknowledged records that its reader is not done with: each is a write, of spans or of something else.
    pub waiting_records: u64,
    /// Bytes of log files that nobody but holds needs any more.
    pub held_bytes: u64,
    /// The most that this may become.
    pub bytes_max: u64,
    /// Records that were given up, by the limit or because they could not be read.
    pub given_up_records: u64,
    /// Spans of those records, as far as they could be read.
    pub given_up_spans: u64,
    /// Whether writes are refused until the reader has caught up.
    pub refuses_writes: bool,
}

/// All holds, and how often files that they keep were written again.
#[derive(Debug, Default)]
pub(super) struct Holds {
    by_name: BTreeMap<String, Hold>,
    /// Names of holds above their limit that refuse writes.
    full: Vec<String>,
    /// Grows when held files are written again: what was remembered of their bytes is void then.
    pub(super) generation: u64,
}

/// Checks that `HOLDS` can be read; the positions of the holds.
///
/// # Errors
/// `Corrupt`, `Io`.
pub(crate) fn read_holds(env: &dyn Env) -> Result<Vec<u64>> {
    let holds = Holds::read(env)?;
    Ok(holds.by_name.values().map(|h| h.next_sequence).collect())
}

impl Holds {
    /// The holds of a database; none without the file.
    ///
    /// # Errors
    /// `Corrupt`: without them files that somebody waits for would be unlinked. `Io`.
    pub(super) fn read(env: &dyn Env) -> Result<Self> {
        let path = Path::new(HOLDS);
        if !env.exists(path) {
            return Ok(Self::default());
        }
        let text = env.read(path).map_err(|e| Error::io(HOLDS, e))?;
        let by_name = serde_json::from_slice(&text)
            .map_err(|e| Error::corrupt(format!("{HOLDS} does not say who holds the log: {e}")))?;
        Ok(Self {
            by_name,
            ..Self::default()
        })
    }

    /// A log that lost its end goes on with numbers that a hold had passed: the hold waits for the new ones.
    pub(super) fn not_behind(mut self, next_sequence: u64) -> Self {
        for hold in self.by_name.values_mut() {
            hold.next_sequence = hold.next_sequence.min(next_sequence);
        }
        assert!(
            self.by_name
                .values()
                .all(|hold| hold.next_sequence <= next_sequence),
            "HO-1: no hold is ahead of the log"
        );
        self
    }

    /// The position of a hold.
    ///
    /// # Errors
    /// `NotFound`.
    pub(super) fn next_of(&self, name: &str) -> Result<u64> {
        self.find(name).map(|hold| hold.next_sequence)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    fn find(&self, name: &str) -> Result<&Hold> {
        self.by_name.get(name).ok_or_else(|| not_held(name))
    }

    /// Changes the holds durably, or not at all.
    fn change(
        &mut self,
        env: &dyn Env,
        change: impl FnOnce(&mut BTreeMap<String, Hold>),
    ) -> Result<()> {
        let mut changed = self.by_name.clone();
        change(&mut changed);
        if changed != self.by_name {
            let text = serde_json::to_vec_pretty(&changed)
                .map_err(|e| Error::internal(format!("{HOLDS}: {e}")))?;
            write_small_file(env, HOLDS, &text)?;
            self.by_name = changed;
        }
        Ok(())
    }

    /// Moves a hold to `next`, which its reader did not reach: what is between is counted.
    pub(super) fn give_up(&mut self, env: &dyn Env, name: &str, next: u64) -> Result<()> {
        let from = self.next_of(name)?;
        if next <= from {
            return Ok(());
        }
        let spans = count_spans(env, from, next);
        self.change(env, |holds| {
            if let Some(hold) = holds.get_mut(name) {
                hold.next_sequence = next;
                hold.given_up_records += next - from;
                hold.given_up_spans += spans;
            }
        })
    }
}

fn not_held(name: &str) -> Error {
    let message = format!("nobody holds the log under the name {name:?}");
    Error::new(ErrorKind::NotFound, message)
}

/// Spans of the records from `from` to before `until` that can be read.
fn count_spans(env: &dyn Env, from: u64, until: u64) -> u64 {
    let mut spans = 0;
    // What cannot be read is counted as records.
    let _ = Tail::new(from).read_until(
        env,
        Path::new(WAL_DIR),
        until.saturating_sub(1),
        &mut |record| {
            if record.kind != KIND_MUTATION
                && let Operation::Spans(batch) = Operation::decode(record.kind, &record.payload)?
            {
                spans += batch.num_rows() as u64;
            }
            Ok(ControlFlow::Continue(()))
        },
    );
    spans
}

/// A file of the log that replay does not need: its bytes, and the first sequence of the next.
struct Spare {
    bytes: u64,
    next_first: u64,
}

impl Store {
    /// Keeps the log for `name` from what is written next on. A hold that is there stays where it is and gets new limits.
    ///
    /// # Errors
    /// `InvalidInput` for a name that cannot be, for a database in memory and when there are too many; `Closed`, `Io`.
    pub fn hold_log(&self, name: &str, limits: HoldLimits) -> Result<HoldStatus> {
        self.check_open()?;
        check_id("name of a hold", name)?;
        if !self.options.durable {
            return Err(Error::invalid_input(
                "a database in memory has no log that could be held",
            ));
        }
        let mut holds = lock(&self.holds);
        if !holds.by_name.contains_key(name) && holds.by_name.len() >= HOLDS_MAX {
            let there = HOLDS_MAX;
            return Err(Error::invalid_input(format!(
                "{there} names hold the log: release one of them first"
            )));
        }
        // Under the lock of the holds nobody cuts the log.
        let next_sequence = self.acknowledged() + 1;
        holds.change(self.env.as_ref(), |holds| {
            let hold = holds.entry(name.to_string()).or_insert(Hold {
                next_sequence,
                bytes_max: limits.bytes_max,
                when_full: limits.when_full,
                given_up_records: 0,
                given_up_spans: 0,
            });
            hold.bytes_max = limits.bytes_max;
            hold.when_full = limits.when_full;
        })?;
        self.cut_held(&mut holds)?;
        self.status_of(&holds, name)
    }

    /// Ends a hold; files that it kept go. Whether there was one.
    ///
    /// # Errors
    /// `Closed`, `InvalidInput` when the store only reads, `Io`.
    pub fn release_hold(&self, name: &str) -> Result<bool> {
        self.check_open()?;
        let mut holds = lock(&self.holds);
        let was_there = holds.by_name.contains_key(name);
        holds.change(self.env.as_ref(), |holds| {
            holds.remove(name);
        })?;
        self.cut_held(&mut holds)?;
        Ok(was_there)
    }

    /// Notes durably that the reader of a hold is done with everything before `next_sequence`; files go that nobody needs
    /// any more. A position that was passed already changes nothing.
    ///
    /// # Errors
    /// `NotFound` when the hold was released; `InvalidInput` for records that are not written yet; `Closed`, `Io`.
    pub fn advance_hold(&self, name: &str, next_sequence: u64) -> Result<()> {
        self.check_open()?;
        let acknowledged = self.acknowledged();
        if next_sequence > acknowledged + 1 {
            return Err(Error::invalid_input(format!(
                "the log ends with record {acknowledged}: nobody can be done with what is before {next_sequence}"
            )));
        }
        let mut holds = lock(&self.holds);
        if holds.next_of(name)? >= next_sequence {
            return Ok(());
        }
        holds.change(self.env.as_ref(), |holds| {
            if let Some(hold) = holds.get_mut(name) {
                hold.next_sequence = next_sequence;
            }
        })?;
        self.cut_held(&mut holds)
    }

    /// How all holds stand, by name.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from reading them.
    pub fn holds(&self) -> Result<Vec<HoldStatus>> {
        let read;
        let held = lock(&self.holds);
        let holds = match self.options.read_only {
            true => {
                read = Holds::read(self.env.as_ref())?;
                &read
            }
            false => &*held,
        };
        let names = holds.by_name.keys();
        names.map(|name| self.status_of(holds, name)).collect()
    }

    /// How one stands.
    ///
    /// # Errors
    /// `NotFound`, `Io`.
    pub fn hold(&self, name: &str) -> Result<HoldStatus> {
        let all = self.holds()?;
        let found = all.into_iter().find(|hold| hold.name == name);
        found.ok_or_else(|| not_held(name))
    }

    fn status_of(&self, holds: &Holds, name: &str) -> Result<HoldStatus> {
        let hold = holds.find(name)?;
        let spare = self.spare_files()?;
        Ok(HoldStatus {
            name: name.to_string(),
            next_sequence: hold.next_sequence,
            waiting_records: (self.acknowledged() + 1).saturating_sub(hold.next_sequence),
            held_bytes: held_bytes(&spare, hold.next_sequence),
            bytes_max: hold.bytes_max,
            given_up_records: hold.given_up_records,
            given_up_spans: hold.given_up_spans,
            refuses_writes: holds.full.iter().any(|full| full == name),
        })
    }

    /// The last record that is acknowledged: synced, and applied. There may be more in the files.
    pub(super) fn acknowledged(&self) -> u64 {
        lock(&self.state).active.last_sequence
    }

    /// Removes log files whose records are all in segments, and which no hold wants.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn cut_wal(&self) -> Result<()> {
        if !self.options.durable {
            return Ok(());
        }
        self.cut_held(&mut lock(&self.holds))
    }

    fn cut_held(&self, holds: &mut Holds) -> Result<()> {
        let replay_from = lock(&self.state).manifest.replay_from;
        self.keep_limits(holds)?;
        let wanted = holds.by_name.values().map(|hold| hold.next_sequence).min();
        let from = wanted.map_or(replay_from, |wanted| wanted.min(replay_from));
        assert!(from <= replay_from, "ST-2: what replay needs stays");
        wal::remove_below(self.env.as_ref(), Path::new(WAL_DIR), from).map(drop)
    }

    /// Gives up what is above the limit of a hold, or notes that writes are refused.
    fn keep_limits(&self, holds: &mut Holds) -> Result<()> {
        holds.full.clear();
        let spare = match holds.is_empty() {
            true => Vec::new(),
            false => self.spare_files()?,
        };
        for (name, hold) in holds.by_name.clone() {
            let mut next = hold.next_sequence;
            while held_bytes(&spare, next) > hold.bytes_max {
                let oldest = spare.iter().find(|file| file.next_first > next);
                next = oldest.map_or(next, |file| file.next_first);
            }
            assert!(
                next >= hold.next_sequence,
                "HO-1: a hold moves forward only"
            );
            match hold.when_full {
                WhenFull::GiveUpOldest => holds.give_up(self.env.as_ref(), &name, next)?,
                WhenFull::RefuseWrites if next > hold.next_sequence => holds.full.push(name),
                WhenFull::RefuseWrites => {}
            }
        }
        let is_full = !holds.full.is_empty();
        self.held_full.store(is_full, Ordering::Release);
        Ok(())
    }

    /// Files of the log that replay does not need any more, oldest first.
    fn spare_files(&self) -> Result<Vec<Spare>> {
        let replay_from = lock(&self.state).manifest.replay_from;
        let files = wal::list_files(self.env.as_ref(), Path::new(WAL_DIR))?;
        let mut spare = Vec::new();
        for ((path, _), (_, next_first)) in files.iter().zip(files.iter().skip(1)) {
            if *next_first > replay_from {
                break;
            }
            spare.push(Spare {
                bytes: file_bytes(self.env.as_ref(), path)?,
                next_first: *next_first,
            });
        }
        Ok(spare)
    }

    /// Refuses a write while a hold that says so is above its limit.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) fn check_held(&self) -> Result<()> {
        if !self.held_full.load(Ordering::Acquire) {
            return Ok(());
        }
        match lock(&self.holds).full.first() {
            None => Ok(()),
            Some(name) => Err(Error::new(
                ErrorKind::Unavailable,
                format!("the log is held for {name}, which has to catch up before there is more"),
            )),
        }
    }
}

fn held_bytes(spare: &[Spare], next_sequence: u64) -> u64 {
    let held = spare.iter().filter(|file| file.next_first > next_sequence);
    held.map(|file| file.bytes).sum()
}

/// The length of a file of the log; 0 of one that is gone meanwhile.
fn file_bytes(env: &dyn Env, path: &Path) -> Result<u64> {
    match env.open(path) {
        Ok(file) => Ok(file.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Error::io(path.display(), error)),
    }
}
