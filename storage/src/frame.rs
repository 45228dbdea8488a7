//! Frames: the checked records that the write-ahead log and the manifest are files of.
//!
//! A frame is a header of 36 bytes and its payload; numbers are little-endian:
//!
//! ```text
//! offset size
//!      0    4  magic "THFR"
//!      4    1  version of this layout, 1
//!      5    1  kind, given meaning by the file's owner
//!      6    2  place in its group: how many frames were appended since the last sync before it
//!      8    4  payload length in bytes
//!     12    8  sequence number: the previous frame's plus one
//!     20    4  checksum of the previous frame's header, 0 in a file's first frame (the chain)
//!     24    4  CRC32C of the payload
//!     28    4  epoch: a random number, the same in all frames of one file
//!     32    4  CRC32C of the 32 bytes above
//!     36    .  payload
//! ```
//!
//! The first frame, the *head*, is synced before anything is appended. The frames of one *group* are
//! written with one call and synced with one `fdatasync`; a power cut may leave any part of the last
//! group, in any order of its pages.
//!
//! Invariants
//! * ST-4: a file is never rewritten or truncated.
//! * ST-6: where a file stops being readable, a later intact frame of a later group proves that what
//!   is missing had been synced, hence damage (`Corrupt`). Without such a frame it is a torn tail: the
//!   file ends there. A frame of the same group proves nothing: it was never acknowledged. But a power cut
//!   leaves whole sectors unwritten, so a bad frame that is there in full, none of its sectors zero or
//!   behind the file's end, is damage also in the last group.
//! * The epoch keeps bytes inside payloads (a traced program may well store a log of ours) from
//!   passing as frames of this file.
//! * A length is checked against [`FRAME_BYTES_MAX`] and the file's end before memory is asked for.

mod reader;
mod writer;

#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use reader::{FrameReader, Position};
pub use writer::FrameWriter;

/// The largest frame, header and payload, in bytes.
pub const FRAME_BYTES_MAX: usize = 256 << 20;

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 36;

/// The largest payload of a frame, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = FRAME_BYTES_MAX - HEADER_BYTES;

// A frame's length has four bytes in its header.
const _: () = assert!(FRAME_BYTES_MAX <= u32::MAX as usize);

const MAGIC: [u8; 4] = *b"THFR";
const VERSION: u8 = 1;

/// The unit in which a device writes: of a write that a power cut interrupts, each sector of the file is there
/// or is zero, or the file ends before it.
const SECTOR_BYTES: u64 = 512;
/// One frame read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the payload is, in the file owner's terms.
    pub kind: u8,
    /// The frame's sequence number.
    pub sequence: u64,
    /// Whether it was the first to be written after a sync.
    pub starts_group: bool,
    /// The content.
    pub payload: Bytes,
}

/// The header's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    version: u8,
    kind: u8,
    /// Place in the group; `u16::MAX` means that or more.
    group_place: u16,
    payload_bytes: u32,
    sequence: u64,
    previous_checksum: u32,
    payload_checksum: u32,
    epoch: u32,
}

impl Header {
    /// Appends the header to `out` and gives its checksum, the next frame's link of the chain.
    fn encode(&self, out: &mut Vec<u8>) -> u32 {
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[self.version, self.kind]);
        out.extend_from_slice(&self.group_place.to_le_bytes());
        out.extend_from_slice(&self.payload_bytes.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.previous_checksum.to_le_bytes());
        out.extend_from_slice(&self.payload_checksum.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        let checksum = crc32c::crc32c(out.split_at(start).1);
        out.extend_from_slice(&checksum.to_le_bytes());
        debug_assert_eq!(
            out.len() - start,
            HEADER_BYTES,
            "a header has the bytes that its reader asks for"
        );
        checksum
    }

    /// The header in `bytes` and its checksum; `None` when they are not an intact header.
    fn decode(bytes: &[u8]) -> Option<(Self, u32)> {
        let (covered, checksum) = bytes.get(..HEADER_BYTES)?.split_last_chunk::<4>()?;
        let checksum = u32::from_le_bytes(*checksum);
        let mut rest = covered;
        if take(&mut rest)? != MAGIC || crc32c::crc32c(covered) != checksum {
            return None;
        }
        let [version, kind] = take(&mut rest)?;
        let header = Self {
            version,
            kind,
            group_place: u16::from_le_bytes(take(&mut rest)?),
            payload_bytes: u32::from_le_bytes(take(&mut rest)?),
            sequence: u64::from_le_bytes(take(&mut rest)?),
            previous_checksum: u32::from_le_bytes(take(&mut rest)?),
            payload_checksum: u32::from_le_bytes(take(&mut rest)?),
            epoch: u32::from_le_bytes(take(&mut rest)?),
        };
        debug_assert!(
            rest.is_empty(),
            "each byte that the checksum covers is of a field"
        );
        Some((header, checksum))
    }

    /// The sequence of the first frame of this frame's group, when the header tells.
    fn group_start(&self) -> Option<u64> {
        if self.group_place == u16::MAX {
            None
        } else {
            self.sequence.checked_sub(self.group_place.into())
        }
    }

    /// Bytes of the whole frame.
    fn frame_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.payload_bytes)
    }
}

/// Cuts the first `N` bytes off `rest`.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}
