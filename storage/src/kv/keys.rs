//! Keys and sealed values of the metadata store.
//!
//! Every key is 33 bytes: family, segment, entry; numbers big-endian, so that byte order is number
//! order. Every value starts with a checksum over its key and its body (KV-3), so a value that was
//! damaged, or that comes from another key, is noticed when it is read.

use super::index::IndexKind;
use crate::error::{Error, Result};
use crate::manifest::SegmentId;

/// A key: family 1 byte, segment 16 bytes, entry 16 bytes.
pub(super) type Key = [u8; 33];

const CHECKSUM_BYTES: usize = 4;

/// What a key is about. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Family {
    /// One key: which database this store belongs to.
    Identity = 0,
    /// One key per segment: whether its index is complete.
    Segment = 1,
    SpanRun = 2,
    TraceRow = 3,
    Session = 4,
    User = 5,
    Tag = 6,
    State = 7,
    Service = 8,
}

impl Family {
    /// The families that hold blocks; each has at least one block per complete segment.
    pub(super) const BLOCKS: [Self; 7] = [
        Self::SpanRun,
        Self::TraceRow,
        Self::Session,
        Self::User,
        Self::Tag,
        Self::State,
        Self::Service,
    ];

    pub(super) fn of(kind: IndexKind) -> Self {
        match kind {
            IndexKind::Session => Self::Session,
            IndexKind::User => Self::User,
            IndexKind::Tag => Self::Tag,
            IndexKind::State => Self::State,
            IndexKind::Service => Self::Service,
        }
    }

    /// How many numbers an entry carries beside its key.
    pub(super) fn numbers(self) -> usize {
        match self {
            Self::SpanRun => 3,
            Self::TraceRow => 1,
            _ => 0,
        }
    }
}

/// The key of `entry` of `segment` in `family`.
pub(super) fn key(family: Family, segment: SegmentId, entry: u128) -> Key {
    let mut key = [0; 33];
    let (family_byte, rest) = key.split_at_mut(1);
    let (segment_bytes, entry_bytes) = rest.split_at_mut(16);
    family_byte.copy_from_slice(&[family as u8]);
    segment_bytes.copy_from_slice(&segment.0.to_be_bytes());
    entry_bytes.copy_from_slice(&entry.to_be_bytes());
    debug_assert!(
        parse(family, &key) == Some((segment, entry)),
        "a key says what it was made of"
    );
    key
}

/// The segment and entry of a key of `family`; `None` when it is not one.
pub(super) fn parse(family: Family, key: &[u8]) -> Option<(SegmentId, u128)> {
    let (first, rest) = key.split_first()?;
    let (segment, rest) = rest.split_first_chunk::<16>()?;
    let (entry, rest) = rest.split_first_chunk::<16>()?;
    let whole = *first == family as u8 && rest.is_empty();
    whole.then(|| {
        (
            SegmentId(u128::from_be_bytes(*segment)),
            u128::from_be_bytes(*entry),
        )
    })
}

/// The value to store `body` under `key`.
pub(super) fn seal(key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(CHECKSUM_BYTES + body.len());
    value.extend_from_slice(&checksum(key, body).to_le_bytes());
    value.extend_from_slice(body);
    debug_assert!(
        unseal(key, &value).is_ok_and(|read| read == body),
        "KV-3: what is sealed can be opened"
    );
    value
}

/// The body of a stored value.
///
/// # Errors
/// `Corrupt` when the checksum does not fit.
pub(super) fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8]> {
    match value.split_first_chunk::<CHECKSUM_BYTES>() {
        Some((stored, body)) if u32::from_le_bytes(*stored) == checksum(key, body) => Ok(body),
        _ => Err(Error::corrupt(
            "a value of the metadata store has a wrong checksum",
        )),
    }
}

fn checksum(key: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_family_segment_entry_and_parse_back() {
        let a = key(Family::SpanRun, SegmentId(1), u128::MAX);
        let b = key(Family::SpanRun, SegmentId(2), 0);
        let c = key(Family::TraceRow, SegmentId(0), 0);
        assert!(a < b && b < c);
        assert_eq!(parse(Family::SpanRun, &a), Some((SegmentId(1), u128::MAX)));
        assert_eq!(parse(Family::TraceRow, &a), None);
        assert_eq!(parse(Family::SpanRun, &a[..32]), None);
    }

    #[test]
    fn a_sealed_value_opens_only_under_its_key() {
        let value = seal(b"key", b"body");
        assert_eq!(unseal(b"key", &value).unwrap(), b"body");
        assert!(unseal(b"kez", &value).is_err());
        assert!(unseal(b"key", &value[..3]).is_err());
        for i in 0..value.len() {
            let mut damaged = value.clone();
            damaged[i] ^= 1;
            assert!(unseal(b"key", &damaged).is_err(), "byte {i}");
        }
    }
}
