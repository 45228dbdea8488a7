//! The writing end of the log: group commit and rotation.

use std::io::ErrorKind as IoKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::replay::{Record, Replayed};
use super::{KIND_HEAD, file_path};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::frame::{FrameReader, FrameWriter};

/// The name of a file that is being made; replay does not see it.
const UNFINISHED: &str = "unfinished";

/// Appends records to the newest file of the log. There is one per open database.
#[derive(Debug)]
pub struct WalWriter {
    env: Arc<dyn Env>,
    dir: PathBuf,
    file: FrameWriter,
}

impl WalWriter {
    /// Starts a new file whose first record will have `first_sequence` (1 in a new log). File and name are
    /// durable when it returns. A file of this name that holds no record, left by a crash, is replaced.
    ///
    /// # Errors
    /// `Internal` for sequence 0 and for a file of this name with records; `Io`.
    pub fn create(env: &Arc<dyn Env>, dir: &Path, first_sequence: u64) -> Result<Self> {
        check_replaceable(env.as_ref(), &file_path(dir, first_sequence))?;
        let file = create_file(env.as_ref(), dir, first_sequence, &[])?;
        Ok(Self {
            env: env.clone(),
            dir: dir.to_path_buf(),
            file,
        })
    }

    /// Goes on after a replay: in a new file that begins with a copy of the records in doubt, so that what
    /// was read is durable when it returns.
    ///
    /// # Errors
    /// As [`WalWriter::create`].
    pub fn resume(env: &Arc<dyn Env>, dir: &Path, replayed: &Replayed) -> Result<Self> {
        let Some(first) = replayed.in_doubt.first() else {
            return Self::create(env, dir, replayed.last_sequence + 1);
        };
        let file = create_file(env.as_ref(), dir, first.sequence, &replayed.in_doubt)?;
        assert_eq!(
            file.next_sequence(),
            replayed.last_sequence + 1,
            "ST-1: what is in doubt is the end of what was read"
        );
        Ok(Self {
            env: env.clone(),
            dir: dir.to_path_buf(),
            file,
        })
    }

    /// As [`WalWriter::create`], in the place of whatever has the file's name: for a log of which there is a copy.
    ///
    /// # Errors
    /// `Internal` for sequence 0; `Io`.
    pub fn restart(env: &Arc<dyn Env>, dir: &Path, first_sequence: u64) -> Result<Self> {
        let file = create_file(env.as_ref(), dir, first_sequence, &[])?;
        Ok(Self {
            env: env.clone(),
            dir: dir.to_path_buf(),
            file,
        })
    }

    /// Adds a record to the group that the next `sync` writes. `kind` is the caller's, not
    /// [`KIND_HEAD`].
    ///
    /// # Errors
    /// `InvalidInput` for a payload above [`PAYLOAD_BYTES_MAX`](crate::frame::PAYLOAD_BYTES_MAX);
    /// `Internal` when `sequence` is not the next one; `Closed` after a failure.
    pub fn append(&mut self, kind: u8, sequence: u64, payload: &[u8]) -> Result<()> {
        if kind == KIND_HEAD {
            return Err(Error::internal("a log record of the kind of a file's head"));
        }
        self.file.append(kind, sequence, payload)?;
        assert_eq!(
            self.next_sequence(),
            sequence + 1,
            "the sequences of the log have no gap"
        );
        Ok(())
    }

    /// Writes all appended records with one call and makes them durable with one `fdatasync`: the
    /// commit point (ST-1).
    ///
    /// # Errors
    /// `Io`: the records may or may not be found by a replay, and from then on everything is `Closed`.
    pub fn sync(&mut self) -> Result<()> {
        self.file.sync()
    }

    /// Syncs what is appended, then goes on in a new file starting with `first_sequence`.
    ///
    /// # Errors
    /// `Internal` when `first_sequence` is not the next one; `Io`, and from then on `Closed`, since a
    /// half-made newer file would contradict records appended to this one.
    pub fn rotate(&mut self, first_sequence: u64) -> Result<()> {
        self.file.sync()?;
        if first_sequence != self.next_sequence() {
            let next = self.next_sequence();
            return Err(Error::internal(format!(
                "log rotated to sequence {first_sequence}, {next} is next"
            )));
        }
        if self.is_empty() {
            return Ok(());
        }
        match create_file(self.env.as_ref(), &self.dir, first_sequence, &[]) {
            Ok(file) => self.file = file,
            Err(error) => {
                self.file.fail();
                return Err(error);
            }
        }
        assert!(
            self.is_empty(),
            "ST-2: there is a file for what comes before older ones are cut"
        );
        Ok(())
    }

    /// The sequence the next `append` must have.
    pub fn next_sequence(&self) -> u64 {
        self.file.next_sequence()
    }

    /// Bytes of the newest file.
    pub fn file_bytes(&self) -> u64 {
        self.file.file_bytes()
    }

    /// The newest file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Whether the newest file has no record yet.
    fn is_empty(&self) -> bool {
        self.path() == file_path(&self.dir, self.next_sequence())
    }
}

/// Creates the file with a copy of `records`; file and name are durable. It gets its name when it is complete,
/// so that the log is never without a file, and one that it replaces is there until then.
fn create_file(
    env: &dyn Env,
    dir: &Path,
    first_sequence: u64,
    records: &[Record],
) -> Result<FrameWriter> {
    let Some(head_sequence) = first_sequence.checked_sub(1) else {
        return Err(Error::internal("log sequences start at 1"));
    };
    let unfinished = dir.join(UNFINISHED);
    match env.remove_file(&unfinished) {
        Err(error) if error.kind() != IoKind::NotFound => {
            return Err(Error::io(
                format!("cannot remove {}", unfinished.display()),
                error,
            ));
        }
        _ => {}
    }
    let mut file = FrameWriter::create(env, &unfinished, KIND_HEAD, head_sequence, &[])?;
    for record in records {
        file.append(record.kind, record.sequence, &record.payload)?;
    }
    file.sync()?;
    file.rename(env, &file_path(dir, first_sequence))?;
    env.sync_dir(dir)
        .map_err(|e| Error::io(format!("cannot sync {}", dir.display()), e))?;
    let next = first_sequence + records.len() as u64;
    assert_eq!(
        file.next_sequence(),
        next,
        "the sequences of the log have no gap"
    );
    Ok(file)
}

/// Puts `records` in the place of those of the file whose first record has `first_sequence`, whole or not at all: for
/// files that replay needs no more. Returns when the old bytes have no name any more.
///
/// # Errors
/// `Internal` when the records have gaps, `Io`.
pub fn rewrite_file(
    env: &dyn Env,
    dir: &Path,
    first_sequence: u64,
    records: &[Record],
) -> Result<()> {
    create_file(env, dir, first_sequence, records).map(drop)
}

/// Checks that there is no file with records at `path`.
fn check_replaceable(env: &dyn Env, path: &Path) -> Result<()> {
    if !env.exists(path) {
        return Ok(());
    }
    let mut reader = FrameReader::open(env, path)?;
    if reader.next_frame()?.is_some() && reader.next_frame()?.is_some() {
        return Err(Error::internal(format!(
            "{} exists and has records",
            path.display()
        )));
    }
    Ok(())
}
