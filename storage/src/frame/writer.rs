//! Writing frames: buffered appends, one write and one sync per group.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Header, PAYLOAD_BYTES_MAX, VERSION};
use crate::env::{Env, EnvWriter};
use crate::error::{Error, ErrorKind, Result};

/// A buffer larger than this is given back after its group is written.
const PENDING_BYTES_KEPT: usize = 4 << 20;

/// Appends frames to one new file.
///
/// A failed write or sync makes the writer fail for good (ST-6): the file's state is unknown then, and
/// a later sync that succeeds would prove nothing.
pub struct FrameWriter {
    path: PathBuf,
    file: Box<dyn EnvWriter>,
    epoch: u32,
    next_sequence: u64,
    previous_checksum: u32,
    group_place: u16,
    pending: Vec<u8>,
    failed: bool,
}

impl FrameWriter {
    /// Creates the file and writes and syncs its head frame. Its name is not durable before the
    /// caller syncs the folder.
    ///
    /// # Errors
    /// `InvalidInput` for a payload that is too large, `Io`.
    pub fn create(
        env: &dyn Env,
        path: &Path,
        kind: u8,
        sequence: u64,
        payload: &[u8],
    ) -> Result<Self> {
        check_payload(path, payload)?;
        let file = env
            .create(path)
            .map_err(|e| Error::io(format!("cannot create {}", path.display()), e))?;
        assert_eq!(
            file.len(),
            0,
            "ST-4: {} is a new file, none is written twice",
            path.display()
        );
        let mut writer = Self {
            path: path.to_path_buf(),
            file,
            epoch: crc32c::crc32c(&env.new_ulid().to_le_bytes()),
            next_sequence: sequence,
            previous_checksum: 0,
            group_place: 0,
            pending: Vec::new(),
            failed: false,
        };
        writer.append(kind, sequence, payload)?;
        writer.sync()?;
        assert!(
            writer.pending.is_empty() && writer.group_place == 0,
            "ST-6: the head is a group of its own"
        );
        Ok(writer)
    }

    /// Adds a frame to the group that the next `sync` writes.
    ///
    /// # Errors
    /// `InvalidInput` for a payload above [`PAYLOAD_BYTES_MAX`]; `Internal` when `sequence` is not the
    /// next one; `Closed` after a failure.
    pub fn append(&mut self, kind: u8, sequence: u64, payload: &[u8]) -> Result<()> {
        self.check_open()?;
        check_payload(&self.path, payload)?;
        if sequence != self.next_sequence {
            let (path, next) = (self.path.display(), self.next_sequence);
            return Err(Error::internal(format!(
                "{path}: sequence {sequence} appended, {next} is next"
            )));
        }
        let is_first = self.group_place == 0;
        assert_eq!(
            is_first,
            self.pending.is_empty(),
            "ST-6: places are counted from the last sync on"
        );
        let start = self.pending.len();
        let header = Header {
            version: VERSION,
            kind,
            group_place: self.group_place,
            payload_bytes: u32::try_from(payload.len())
                .map_err(|_| Error::internal("payload length"))?,
            sequence,
            previous_checksum: self.previous_checksum,
            payload_checksum: crc32c::crc32c(payload),
            epoch: self.epoch,
        };
        self.previous_checksum = header.encode(&mut self.pending);
        self.pending.extend_from_slice(payload);
        debug_assert_eq!(
            (self.pending.len() - start) as u64,
            header.frame_bytes(),
            "the next frame begins where the reader looks for it"
        );
        self.group_place = self.group_place.saturating_add(1);
        self.next_sequence += 1;
        Ok(())
    }

    /// Writes the pending group and makes it durable; nothing when none is pending.
    ///
    /// # Errors
    /// `Io`, and from then on `Closed`: whether the group is durable is unknown.
    pub fn sync(&mut self) -> Result<()> {
        self.check_open()?;
        if self.pending.is_empty() {
            return Ok(());
        }
        // Set before the attempt, so that a panic below leaves the writer failed, too.
        self.failed = true;
        let what = |verb: &str, path: &Path| format!("cannot {verb} {}", path.display());
        let end = self.file.len() + self.pending.len() as u64;
        self.file
            .write_all(&self.pending)
            .map_err(|e| Error::io(what("write", &self.path), e))?;
        assert_eq!(
            self.file.len(),
            end,
            "ST-4: a group is written behind what is there, once"
        );
        self.file
            .sync_data()
            .map_err(|e| Error::io(what("sync", &self.path), e))?;
        self.failed = false;
        self.group_place = 0;
        self.pending.clear();
        self.pending.shrink_to(PENDING_BYTES_KEPT);
        Ok(())
    }

    /// Gives the file its name, which replaces another file. Not durable before the caller syncs the folder.
    ///
    /// # Errors
    /// `Io`.
    pub fn rename(&mut self, env: &dyn Env, to: &Path) -> Result<()> {
        assert!(
            self.pending.is_empty(),
            "ST-2: a file gets its name when all of it is synced"
        );
        env.rename(&self.path, to)
            .map_err(|e| Error::io(format!("cannot rename {}", self.path.display()), e))?;
        self.path = to.to_path_buf();
        Ok(())
    }

    /// Makes every later append and sync fail: the owner could not finish a step around this file.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// Checks that nothing failed before.
    ///
    /// # Errors
    /// `Closed` after a failure.
    pub fn check_open(&self) -> Result<()> {
        if self.failed {
            let message = "an earlier write failed, the database must be opened again";
            return Err(Error::new(
                ErrorKind::Closed,
                format!("{}: {message}", self.path.display()),
            ));
        }
        Ok(())
    }

    /// The sequence the next `append` must have.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Bytes in the file, without the pending group.
    pub fn file_bytes(&self) -> u64 {
        self.file.len()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl std::fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameWriter")
            .field("path", &self.path)
            .field("next_sequence", &self.next_sequence)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

fn check_payload(path: &Path, payload: &[u8]) -> Result<()> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        let (path, bytes) = (path.display(), payload.len());
        let message =
            format!("{path}: a record of {bytes} bytes is above the limit of {PAYLOAD_BYTES_MAX}");
        return Err(Error::invalid_input(message));
    }
    Ok(())
}
