//! Reading the log back after an open.
//!
//! 1. Start with the last file whose first sequence is not above `replay_from`; older ones are
//!    finished business and may be partly removed.
//! 2. Read each file's frames to its end or torn tail ([`FrameReader`] tells damage).
//! 3. Each file must start no later than with the sequence after the last record before it, so a torn tail in
//!    the middle is accepted exactly when nothing that a later file builds on is missing. A file that starts
//!    earlier has the records from there on, whatever the one before says: they are copies of its records in
//!    doubt.
//! 4. The log must reach `replay_from` - 1: what the manifest sealed had been synced here before. And there
//!    must be a file for what comes then: the log is rotated before it is sealed.
//!
//! **In doubt** is the last group of the newest file: it was read, but perhaps from memory of the system that
//! no sync has made durable, or never will when a sync had failed. So it is written again before the log grows.

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
    /// Records of the newest file's last group, which may not be durable.
    pub in_doubt: Vec<Record>,
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
    let start = files
        .iter()
        .rposition(|(_, first)| *first <= replay_from)
        .unwrap_or(0);
    let mut replayed = Replayed {
        last_sequence: 0,
        torn_bytes: 0,
        in_doubt: Vec::new(),
        files: Vec::new(),
    };
    let nexts = files
        .iter()
        .skip(1)
        .map(|(_, next_first)| *next_first)
        .chain([u64::MAX]);
    for (at, ((path, first), next_first)) in files.iter().zip(nexts).enumerate() {
        if at < start {
            replayed
                .files
                .push((path.clone(), *first, next_first.saturating_sub(1)));
            continue;
        }
        let gap_at = if at == start {
            replay_from
        } else {
            replayed.last_sequence + 1
        };
        if *first > gap_at {
            return Err(gap(dir, path, gap_at, at == start));
        }
        replay_file(
            env,
            (path, *first),
            (replay_from, next_first),
            apply,
            &mut replayed,
        )?;
    }
    check_end(dir, replay_from, &replayed)?;
    debug_assert_eq!(
        replayed.files.len(),
        files.len(),
        "each file was read, or is older than what is wanted"
    );
    let doubted = replayed
        .in_doubt
        .last()
        .map_or(replayed.last_sequence, |record| record.sequence);
    assert_eq!(
        doubted, replayed.last_sequence,
        "ST-1: what is in doubt is the end of what was read"
    );
    Ok(replayed)
}

/// Records from a sequence on are missing before a file.
fn gap(dir: &Path, path: &Path, sequence: u64, is_first: bool) -> Error {
    let (dir, path) = (dir.display(), path.display());
    let or = match is_first {
        true => ", unless it is the manifest that lacks its end",
        false => "",
    };
    Error::corrupt(format!(
        "{dir}: the records from sequence {sequence} on are missing, the next file is {path}{or}"
    ))
}

/// Checks that the log does not end too early.
fn check_end(dir: &Path, replay_from: u64, replayed: &Replayed) -> Result<()> {
    let (dir, last) = (dir.display(), replayed.last_sequence);
    match replayed.files.last() {
        None => Err(Error::corrupt(format!("{dir}: there is no log file"))),
        Some(_) if last < replay_from - 1 => Err(Error::corrupt(format!(
            "{dir}: ends with sequence {last}, {} was sealed",
            replay_from - 1
        ))),
        Some((_, first, _)) if last < replay_from && *first < replay_from => Err(Error::corrupt(
            format!("{dir}: the file for the records from sequence {replay_from} on is missing"),
        )),
        Some(_) => Ok(()),
    }
}

/// Replays the records of one file that lie in a range of sequences, the second one exclusive.
fn replay_file(
    env: &dyn Env,
    (path, first): (&Path, u64),
    (from, until): (u64, u64),
    apply: &mut dyn FnMut(Record) -> Result<()>,
    replayed: &mut Replayed,
) -> Result<()> {
    let mut reader = FrameReader::open(env, path)?;
    let mut last = first.saturating_sub(1);
    replayed.in_doubt.clear();
    match reader.next_frame()? {
        // Not even the head: a crash while the file was created.
        None => {}
        Some(head) if head.kind == KIND_HEAD && head.sequence == last => {}
        Some(_) => {
            return Err(Error::corrupt(format!(
                "{}: the head does not fit the name",
                path.display()
            )));
        }
    }
    while let Some(frame) = reader.next_frame()? {
        if frame.sequence >= until {
            continue;
        }
        assert_eq!(
            frame.sequence,
            last + 1,
            "the frames of a file follow each other"
        );
        last = frame.sequence;
        if frame.starts_group {
            replayed.in_doubt.clear();
        }
        if frame.sequence >= from {
            let before = replayed.last_sequence;
            assert!(
                frame.sequence > before,
                "ST-3: record {} comes once, not after {before}",
                frame.sequence
            );
            let record = Record {
                sequence: frame.sequence,
                kind: frame.kind,
                payload: frame.payload,
            };
            replayed.in_doubt.push(record.clone());
            apply(record)?;
        }
    }
    replayed.files.push((path.to_path_buf(), first, last));
    assert!(
        last >= replayed.last_sequence,
        "ST-3: the log goes on where it was"
    );
    replayed.last_sequence = last;
    replayed.torn_bytes += reader.torn_bytes();
    Ok(())
}

/// Gives every record from `replay_from` on that can be read to `apply`, in order, and tells in `damage`
/// what cannot be read, is missing, or is refused by `apply`. For repair, which seals it all: nothing is left
/// in doubt.
///
/// # Errors
/// `Io` when the folder cannot be listed.
pub fn salvage(
    env: &dyn Env,
    dir: &Path,
    replay_from: u64,
    damage: &mut Vec<String>,
    apply: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<Replayed> {
    let mut last = replay_from.saturating_sub(1);
    for (path, first) in list_files(env, dir)? {
        if first > last + 1 {
            damage.push(format!(
                "{}: records {} to {} are missing",
                dir.display(),
                last + 1,
                first - 1
            ));
            last = first - 1;
        }
        let known = damage.len();
        match FrameReader::open(env, &path) {
            Ok(mut reader) => last = salvage_file(&mut reader, last, damage, apply),
            Err(error) => damage.push(error.to_string()),
        }
        assert!(
            last >= first.saturating_sub(1),
            "sequences of a file that is there are taken"
        );
        if damage.len() > known {
            // Its name is taken, and its first record perhaps was there.
            last = last.max(first);
        }
    }
    Ok(Replayed {
        last_sequence: last,
        torn_bytes: 0,
        in_doubt: Vec::new(),
        files: Vec::new(),
    })
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
                    damage.push(format!(
                        "records {} to {} of the log are lost",
                        last + 1,
                        sequence - 1
                    ));
                }
                last = sequence;
                if let Err(error) = apply(Record {
                    sequence,
                    kind: frame.kind,
                    payload: frame.payload,
                }) {
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
