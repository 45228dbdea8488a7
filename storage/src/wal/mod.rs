//! The write-ahead log: batches and mutations between their acknowledgement and their segment.
//!
//! A file `<20-digit first sequence>.wal` is a sequence of frames (`frame`): a head, whose
//! sequence is the one before the file's first, then one frame per record.
//!
//! ```text
//! append, append, sync == ACKNOWLEDGED ==> memtable ==> segment, manifest edit {replay_from}
//!        |                                                                 |
//!        wal/00000000000000000001.wal (1..40) -> ...41.wal -> ...          +-> remove_below
//! ```
//!
//! Invariants
//! * ST-1: a record is acknowledged only after [`WalWriter::sync`] returned.
//! * Files whose records are all in segments stay as long as somebody holds them, see `store/holds.rs`: replay begins
//!   behind them.
//! * Sequences start at 1 and have no gap from the replay point on, within and across files.
//! * ST-4: a file is never appended to after a reopen and never truncated; a torn tail stays, and the
//!   next file starts with a copy of the last good group, or with the sequence after it.
//! * From its creation on the log has a file.
//! * ST-6: what was synced and cannot be read is `Corrupt`; recovery then modifies nothing.

mod replay;
mod tail;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::env::Env;
use crate::error::{Error, Result};
use crate::frame::FrameReader;

pub use replay::{Record, Replayed, replay, salvage};
pub use tail::Tail;
pub use writer::{WalWriter, rewrite_file};

/// The kind of a file's head frame; records may have any other.
pub const KIND_HEAD: u8 = 0;

/// The files of the log in order of their first sequence. Other names in the folder are left alone.
///
/// # Errors
/// `Io`; a missing folder is one.
pub fn list_files(env: &dyn Env, dir: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let names = env
        .list(dir)
        .map_err(|e| Error::io(format!("cannot list {}", dir.display()), e))?;
    // Sorted by name is sorted by number: all have 20 digits.
    let files = names
        .iter()
        .filter_map(|name| Some((dir.join(name), first_sequence(name)?)));
    let files: Vec<(PathBuf, u64)> = files.collect();
    debug_assert!(
        files.is_sorted_by(|(_, a), (_, b)| a < b),
        "names come sorted, each once"
    );
    Ok(files)
}

/// Whether the log is more than its first file without a record.
///
/// # Errors
/// `Io`, `Corrupt`.
pub fn has_records(env: &dyn Env, dir: &Path) -> Result<bool> {
    for (path, first) in list_files(env, dir)? {
        let mut reader = FrameReader::open(env, &path)?;
        if first != 1 || (reader.next_frame()?.is_some() && reader.next_frame()?.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Unlinks the files that hold only records below `replay_from`, oldest first, and makes that
/// durable. The file that `replay_from` falls into stays, and so does the newest. Returns how many.
///
/// Call it after the manifest that says `replay_from` is committed (ST-2).
///
/// # Errors
/// `Io`; some files may be gone then, which a replay from `replay_from` does not mind.
pub fn remove_below(env: &dyn Env, dir: &Path, replay_from: u64) -> Result<usize> {
    let files = list_files(env, dir)?;
    let mut removed = 0;
    for ((path, _), (_, next_first)) in files.iter().zip(files.iter().skip(1)) {
        if *next_first > replay_from {
            break;
        }
        env.remove_file(path)
            .map_err(|e| Error::io(format!("cannot remove {}", path.display()), e))?;
        removed += 1;
    }
    assert!(
        removed == 0 || removed < files.len(),
        "ST-2: the newest file of the log stays"
    );
    if removed > 0 {
        env.sync_dir(dir)
            .map_err(|e| Error::io(format!("cannot sync {}", dir.display()), e))?;
    }
    Ok(removed)
}

fn file_path(dir: &Path, first_sequence: u64) -> PathBuf {
    dir.join(format!("{first_sequence:020}.wal"))
}

fn first_sequence(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    if digits.len() != 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}
