//! Reading frames back, and telling a torn tail from damage (ST-6).
//!
//! 1. At the end of the last good frame, read a header and its payload and check both checksums.
//! 2. Intact and the next of the chain: that is a frame. Intact but not the next: `Corrupt`.
//! 3. Not intact: unless a sector of it is missing, `Corrupt`. Else search the rest of the file, byte by
//!    byte, for an intact frame of a later group. One is found: `Corrupt`. None: the file ends here, and the
//!    rest is a torn tail.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{FRAME_BYTES_MAX, Frame, HEADER_BYTES, Header, MAGIC, SECTOR_BYTES, VERSION};
use crate::env::{Env, EnvReader};
use crate::error::{Error, Result};

/// Bytes read at once while searching behind a bad frame.
const SEARCH_BYTES: u64 = 1 << 20;

/// Reads the frames of one file, front to back.
#[derive(Debug)]
pub struct FrameReader {
    path: PathBuf,
    file: Arc<dyn EnvReader>,
    offset: u64,
    next: Option<Next>,
    torn_bytes: u64,
    ended: bool,
}

/// How far a file was read.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    offset: u64,
    next: Option<Next>,
}

impl Position {
    /// Bytes of the file that were read.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

/// What the next frame must have; unknown before the head.
#[derive(Debug, Clone, Copy)]
struct Next {
    sequence: u64,
    previous_checksum: u32,
    epoch: u32,
}

/// An intact frame at some offset, in order or not.
struct Intact {
    header: Header,
    checksum: u32,
    payload: Bytes,
}

impl FrameReader {
    /// Opens a file of frames.
    ///
    /// # Errors
    /// `Io`.
    pub fn open(env: &dyn Env, path: &Path) -> Result<Self> {
        let file = env
            .open(path)
            .map_err(|e| Error::io(format!("cannot open {}", path.display()), e))?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
            offset: 0,
            next: None,
            torn_bytes: 0,
            ended: false,
        })
    }

    /// Goes on reading a file that may have grown since.
    ///
    /// # Errors
    /// `Io`.
    pub fn resume(env: &dyn Env, path: &Path, position: Position) -> Result<Self> {
        let Position { offset, next } = position;
        assert!(
            offset == 0 || next.is_some(),
            "what follows the last frame that was read is known"
        );
        Ok(Self {
            offset,
            next,
            ..Self::open(env, path)?
        })
    }

    /// Behind the last frame that was read.
    pub fn position(&self) -> Position {
        Position {
            offset: self.offset,
            next: self.next,
        }
    }

    /// The next frame; `None` at the end, which may be before a torn tail.
    ///
    /// # Errors
    /// `Corrupt` when something that was synced is damaged or missing, `Io`.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        let rest = self.file.len().saturating_sub(self.offset);
        if self.ended || rest == 0 {
            return Ok(None);
        }
        let Some(intact) = self.intact_at(self.offset)? else {
            self.check_torn()?;
            debug_assert_eq!(self.torn_bytes, 0, "ST-6: a file ends once");
            self.torn_bytes = rest;
            self.ended = true;
            return Ok(None);
        };
        self.check_order(&intact)?;
        let Intact {
            header,
            checksum,
            payload,
        } = intact;
        let sequence = header
            .sequence
            .checked_add(1)
            .ok_or_else(|| self.corrupt("the last sequence number"))?;
        self.next = Some(Next {
            sequence,
            previous_checksum: checksum,
            epoch: header.epoch,
        });
        self.offset += header.frame_bytes();
        debug_assert!(
            self.offset <= self.file.len(),
            "ST-6: a frame that was read was there in full"
        );
        let (kind, starts_group) = (header.kind, header.group_place == 0);
        Ok(Some(Frame {
            kind,
            sequence: header.sequence,
            starts_group,
            payload,
        }))
    }

    /// Bytes of the torn tail, known once `next_frame` gave `None`.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    fn corrupt(&self, what: impl std::fmt::Display) -> Error {
        Error::corrupt(format!(
            "{}: {what} at byte {}",
            self.path.display(),
            self.offset
        ))
    }

    fn read(&self, offset: u64, bytes: u64) -> Result<Bytes> {
        let len = usize::try_from(bytes).map_err(|_| self.corrupt("a length beyond memory"))?;
        let read = self.file.read_at(offset, len);
        read.map_err(|e| Error::io(format!("cannot read {}", self.path.display()), e))
    }

    /// The intact frame at `offset`: header and payload are there and have their checksums.
    fn intact_at(&self, offset: u64) -> Result<Option<Intact>> {
        let rest = self.file.len().saturating_sub(offset);
        if rest < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let Some((header, checksum)) = Header::decode(&self.read(offset, HEADER_BYTES as u64)?)
        else {
            return Ok(None);
        };
        if header.frame_bytes() > rest.min(FRAME_BYTES_MAX as u64) {
            return Ok(None);
        }
        let payload = self.read(offset + HEADER_BYTES as u64, header.payload_bytes.into())?;
        if crc32c::crc32c(&payload) != header.payload_checksum {
            return Ok(None);
        }
        Ok(Some(Intact {
            header,
            checksum,
            payload,
        }))
    }

    /// Checks that an intact frame is the one that belongs at this place.
    fn check_order(&self, intact: &Intact) -> Result<()> {
        let header = &intact.header;
        if header.version != VERSION {
            let version = header.version;
            return Err(self.corrupt(format!(
                "a frame of version {version}, this program knows {VERSION},"
            )));
        }
        let Some(next) = self.next else {
            if header.previous_checksum != 0 {
                return Err(self.corrupt("a frame that is not the first of a file"));
            }
            return Ok(());
        };
        if header.sequence != next.sequence {
            let (found, wanted) = (header.sequence, next.sequence);
            return Err(self.corrupt(format!("sequence {found} instead of {wanted}")));
        }
        if (header.previous_checksum, header.epoch) != (next.previous_checksum, next.epoch) {
            return Err(self.corrupt("a frame that does not follow the one before"));
        }
        Ok(())
    }

    /// Whether a sector of the bad frame at the current offset was not written: it is zero, or the file ends
    /// before the frame does. A sector that is zero as it should be counts, too.
    fn misses_sector(&self) -> Result<bool> {
        let (start, header_end) = (self.offset, self.offset + HEADER_BYTES as u64);
        if header_end > self.file.len() {
            return Ok(true);
        }
        let header = Header::decode(&self.read(start, HEADER_BYTES as u64)?);
        // The sector of an intact header is there, whatever its other bytes.
        let (mut from, end) = match header {
            Some((header, _)) => (
                header_end.next_multiple_of(SECTOR_BYTES),
                start + header.frame_bytes(),
            ),
            None => (start, header_end),
        };
        if end > self.file.len() {
            return Ok(true);
        }
        while from < end {
            let to = end.min((from + 1).next_multiple_of(SECTOR_BYTES));
            if self.read(from, to - from)?.iter().all(|byte| *byte == 0) {
                return Ok(true);
            }
            from = to;
        }
        Ok(false)
    }

    /// Checks that what is bad at the current offset is a torn tail.
    fn check_torn(&self) -> Result<()> {
        if !self.misses_sector()? {
            return Err(self.corrupt("a damaged frame"));
        }
        let mut start = self.offset + 1;
        while start + (HEADER_BYTES as u64) <= self.file.len() {
            let chunk = self.read(start, SEARCH_BYTES.min(self.file.len() - start))?;
            for (i, window) in chunk.windows(HEADER_BYTES).enumerate() {
                let found = start + i as u64;
                if window.starts_with(&MAGIC) && self.proves_damage(found, window)? {
                    return Err(self.corrupt(format!(
                        "a damaged frame (intact ones from byte {found} on)"
                    )));
                }
            }
            // The last bytes of this chunk may begin a header that ends in the next.
            start += (chunk.len() - (HEADER_BYTES - 1)) as u64;
        }
        Ok(())
    }

    /// After an error: goes on with the next intact frame of this file, which then counts as the one that
    /// follows. Returns whether there is one. For repair: what is skipped is lost.
    ///
    /// # Errors
    /// `Io`.
    pub fn skip_damage(&mut self) -> Result<bool> {
        let mut start = self.offset;
        while start + (HEADER_BYTES as u64) <= self.file.len() {
            let chunk = self.read(start, SEARCH_BYTES.min(self.file.len() - start))?;
            for (i, window) in chunk.windows(HEADER_BYTES).enumerate() {
                let found = start + i as u64;
                let Some((header, _)) = Header::decode(window) else {
                    continue;
                };
                let follows = self.next.is_none_or(|next| {
                    header.epoch == next.epoch && header.sequence >= next.sequence
                });
                if !follows || header.version != VERSION || self.intact_at(found)?.is_none() {
                    continue;
                }
                self.next = Some(Next {
                    sequence: header.sequence,
                    previous_checksum: header.previous_checksum,
                    epoch: header.epoch,
                });
                debug_assert!(found >= self.offset, "a repair never goes back");
                self.offset = found;
                self.ended = false;
                return Ok(true);
            }
            start += (chunk.len() - (HEADER_BYTES - 1)) as u64;
        }
        Ok(false)
    }

    /// Whether `bytes`, found at `offset`, begin a frame of ours that was written after the bad one
    /// had been synced.
    fn proves_damage(&self, offset: u64, bytes: &[u8]) -> Result<bool> {
        let Some((header, _)) = Header::decode(bytes) else {
            return Ok(false);
        };
        let plausible = match self.next {
            // Without a head nothing may follow: the head is synced before the first append.
            None => true,
            Some(next) => {
                let frames_between_max = (offset - self.offset) / HEADER_BYTES as u64;
                header.epoch == next.epoch
                    && header.sequence.saturating_sub(next.sequence) <= frames_between_max
                    && header
                        .group_start()
                        .is_some_and(|start| start > next.sequence)
            }
        };
        // The payload last, it may be long.
        Ok(plausible && self.intact_at(offset)?.is_some())
    }
}
