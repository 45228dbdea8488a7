//! Reading a log that another process appends to: each read goes on where the one before ended.
//!
//! A torn tail is a record that is being written; it is read when it is whole. Files that are gone, or that
//! do not follow, mean that the log was cut meanwhile: the reader starts over from a newer manifest. Within the process
//! that writes, a reader stops before what is not synced yet, and where it has enough.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::replay::Record;
use super::{KIND_HEAD, list_files};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::frame::{FrameReader, Position};

/// How far a log was read.
#[derive(Debug)]
pub struct Tail {
    /// The last sequence that was given to the caller.
    last: u64,
    /// The newest file that was looked at.
    at: Option<(PathBuf, Position)>,
}

impl Tail {
    /// Of a log whose first wanted record is `replay_from`.
    pub fn new(replay_from: u64) -> Self {
        Self {
            last: replay_from.saturating_sub(1),
            at: None,
        }
    }

    /// The last sequence read.
    pub fn last_sequence(&self) -> u64 {
        self.last
    }

    /// The file that reading goes on in, and the bytes of it that were read.
    pub fn place(&self) -> Option<(&Path, u64)> {
        let (path, position) = self.at.as_ref()?;
        Some((path, position.offset()))
    }

    /// Gives the records that are new to `apply`, in order.
    ///
    /// # Errors
    /// `Corrupt` when files are gone or damaged, `Io`, what `apply` returns: this tail is of no use then.
    pub fn read(
        &mut self,
        env: &dyn Env,
        dir: &Path,
        apply: &mut dyn FnMut(Record) -> Result<()>,
    ) -> Result<()> {
        self.read_until(env, dir, u64::MAX, &mut |record| {
            apply(record).map(ControlFlow::Continue)
        })
    }

    /// The file with which reading begins.
    ///
    /// # Errors
    /// `Corrupt` when the one that was being read is gone.
    fn start_of(&self, files: &[(PathBuf, u64)], dir: &Path) -> Result<usize> {
        let Some((known, _)) = &self.at else {
            let holds_next = |(_, first): &(PathBuf, u64)| *first <= self.last + 1;
            return Ok(files.iter().rposition(holds_next).unwrap_or(0));
        };
        let start = files.iter().position(|(other, _)| other == known);
        start.ok_or_else(|| {
            Error::corrupt(format!(
                "{}: the log was cut after record {}",
                dir.display(),
                self.last
            ))
        })
    }

    /// As [`Tail::read`], up to the record `last_max` and until `apply` has enough. Nothing behind `last_max` is looked at.
    ///
    /// # Errors
    /// As [`Tail::read`].
    pub fn read_until(
        &mut self,
        env: &dyn Env,
        dir: &Path,
        last_max: u64,
        apply: &mut dyn FnMut(Record) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let files = list_files(env, dir)?;
        let start = self.start_of(&files, dir)?;
        let known = self.at.is_some();
        let mut reached = if known { self.last } else { 0 };
        for (path, first) in files.iter().skip(start) {
            if self.last >= last_max {
                return Ok(());
            }
            let resumed = self.at.take().filter(|(at, _)| at == path);
            // A file may begin with copies of the last records before it.
            if resumed.is_none() && *first > self.last + 1 {
                return Err(not_after(path, self.last));
            }
            let mut reader = match resumed {
                Some((_, position)) => FrameReader::resume(env, path, position)?,
                None => FrameReader::open(env, path)?,
            };
            reached = reached.max(first.saturating_sub(1));
            while self.last < last_max
                && let Some(frame) = reader.next_frame()?
            {
                reached = reached.max(frame.sequence);
                if frame.sequence > self.last + 1 {
                    return Err(not_after(path, self.last));
                }
                if frame.kind != KIND_HEAD && frame.sequence > self.last {
                    self.last = frame.sequence;
                    let applied = apply(Record {
                        sequence: frame.sequence,
                        kind: frame.kind,
                        payload: frame.payload,
                    })?;
                    if applied.is_break() {
                        self.at = Some((path.clone(), reader.position()));
                        return Ok(());
                    }
                }
            }
            self.at = Some((path.clone(), reader.position()));
        }
        if reached < self.last {
            let (dir, last) = (dir.display(), self.last);
            return Err(Error::corrupt(format!(
                "{dir}: ends with sequence {reached}, {last} was sealed"
            )));
        }
        debug_assert!(
            self.at.is_some() || files.is_empty(),
            "reading goes on in the newest file"
        );
        Ok(())
    }
}
fn not_after(path: &Path, last: u64) -> Error {
    Error::corrupt(format!("{}: does not follow record {last}", path.display()))
}
