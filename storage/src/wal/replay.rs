//! Reading the log back after an open.
//!
//! 1. Start with the last file whose first sequence is not above `replay_from`; older ones are
//!    finished business and may be partly removed.
//! 2. Read each file's frames to its end or torn tail ([`FrameReader`] tells damage).
//! 3. Each file must start with the sequence after the last record before it, so a torn tail in the
//!    middle is accepted exactly when nothing that a later file builds on is missing.
//! 4. The log must reach `replay_from` - 1: what the manifest sealed had been synced here before.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{KIND_HEAD, list_files};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::frame::FrameReader;

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The record's sequence number.
    pub sequence: u64,
    /// What the payload is, in the store's terms.
    pub kind: u8,
    /// The content.
    pub payload: Bytes,
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The last good record's sequence, 0 in an empty log; the next file starts after it.
    pub last_sequence: u64,
    /// Bytes of torn tails, none of them ever acknowledged.
    pub torn_bytes: u64,
    /// All files with their first and last sequence; an empty file's last is its first minus one. Of
    /// files before the replay point, which are not read, the last is taken from the next file's name.
    pub files: Vec<(PathBuf, u64, u64)>,
}

/// Gives every record from `replay_from` on to `apply`, in order.
///
/// # Errors
/// `Corrupt` when something that had been synced is damaged or missing; `Io`; what `apply` returns.
/// Nothing is modified in any case, but records before the damage have been applied.
pub fn replay(
    env: &dyn Env,
    dir: &Path,
    replay_from: u64,
    apply: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<Replayed> {
    // Sequences start at 1; 0 means the same: everything.
    let replay_from = replay_from.max(1);
    let files = list_files(env, dir)?;
    let start = files.iter().rposition(|(_, first)| *first <= replay_from).unwrap_or(0);
    let mut replayed = Replayed { last_sequence: 0, torn_bytes: 0, files: Vec::with_capacity(files.len()) };
    for ((path, first), (_, next_first)) in files.iter().zip(files.iter().skip(1)).take(start) {
        replayed.files.push((path.clone(), *first, next_first.saturating_sub(1)));
    }
    for (i, (path, first)) in files.iter().enumerate().skip(start) {
        let gap_at = if i == start { replay_from } else { replayed.last_sequence + 1 };
        let fits = if i == start { *first <= gap_at } else { *first == gap_at };
        if !fits {
            let (dir, path) = (dir.display(), path.display());
            return Err(Error::corrupt(format!(
                "{dir}: the records from sequence {gap_at} on are missing, the next file is {path}"
            )));
        }
        let (last, torn_bytes) = replay_file(env, path, *first, replay_from, apply)?;
        replayed.files.push((path.clone(), *first, last));
        replayed.last_sequence = last;
        replayed.torn_bytes += torn_bytes;
    }
    if replayed.last_sequence < replay_from - 1 {
        let (dir, last) = (dir.display(), replayed.last_sequence);
        return Err(Error::corrupt(format!(
            "{dir}: ends with sequence {last}, {} was sealed",
            replay_from - 1
        )));
    }
    Ok(replayed)
}

/// Replays one file; the last sequence and the bytes of the torn tail.
fn replay_file(
    env: &dyn Env,
    path: &Path,
    first: u64,
    replay_from: u64,
    apply: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<(u64, u64)> {
    let mut reader = FrameReader::open(env, path)?;
    let mut last = first.saturating_sub(1);
    match reader.next_frame()? {
        // Not even the head: a crash while the file was created.
        None => return Ok((last, reader.torn_bytes())),
        Some(head) if head.kind == KIND_HEAD && head.sequence == last => {}
        Some(_) => return Err(Error::corrupt(format!("{}: the head does not fit the name", path.display()))),
    }
    while let Some(frame) = reader.next_frame()? {
        last = frame.sequence;
        if frame.sequence >= replay_from {
            apply(Record { sequence: frame.sequence, kind: frame.kind, payload: frame.payload })?;
        }
    }
    Ok((last, reader.torn_bytes()))
}

/// Gives every record from `replay_from` on that can be read to `apply`, in order, and tells in `damage`
/// what cannot be read, is missing, or is refused by `apply`. The last sequence seen; for repair.
///
/// # Errors
/// `Io` when the folder cannot be listed.
pub fn salvage(
    env: &dyn Env,
    dir: &Path,
    replay_from: u64,
    damage: &mut Vec<String>,
    apply: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<u64> {
    let mut last = replay_from.saturating_sub(1);
    for (path, first) in list_files(env, dir)? {
        if first > last + 1 {
            damage.push(format!("{}: records {} to {} are missing", dir.display(), last + 1, first - 1));
            last = first - 1;
        }
        match FrameReader::open(env, &path) {
            Ok(mut reader) => last = salvage_file(&mut reader, last, damage, apply),
            Err(error) => damage.push(error.to_string()),
        }
    }
    Ok(last)
}

fn salvage_file(
    reader: &mut FrameReader,
    mut last: u64,
    damage: &mut Vec<String>,
    apply: &mut dyn FnMut(Record) -> Result<()>,
) -> u64 {
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) if frame.kind == KIND_HEAD || frame.sequence <= last => {}
            Ok(Some(frame)) => {
                let sequence = frame.sequence;
                if sequence > last + 1 {
                    damage.push(format!("records {} to {} of the log are lost", last + 1, sequence - 1));
                }
                last = sequence;
                if let Err(error) = apply(Record { sequence, kind: frame.kind, payload: frame.payload }) {
                    damage.push(format!("record {sequence} of the log: {error}"));
                }
            }
            Ok(None) => return last,
            Err(error) => {
                damage.push(error.to_string());
                match reader.skip_damage() {
                    Ok(true) => {}
                    Ok(false) => return last,
                    Err(error) => {
                        damage.push(error.to_string());
                        return last;
                    }
                }
            }
        }
    }
}
