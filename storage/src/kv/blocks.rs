//! Blocks: many sorted entries in one value, because the store below costs microseconds per key
//! whatever the value.
//!
//! An entry is a 128-bit key with up to three numbers: a trace key with rows, or a posting whose key
//! is the value's hash followed by the row. The blocks of one family of one segment cover the whole
//! key space without gaps:
//!
//! ```text
//! block key 0            block key 71           block key 940
//! [ 5 9 40 .. 70 | 71 )  [ 71 72 .. 938 | 940 ) [ 940 .. | end )      | is the fence
//! body: fence (1 + 16 bytes) | count | first key | numbers | (difference | numbers)*    as varints
//! ```
//!
//! Invariants:
//! * **KV-1** a lookup never misses silently: each block names the key of the next one (its fence),
//!   the first has key 0, so an absent block is an error and not an absent entry. Not theory: with
//!   one damaged 4 KiB stretch in its file, sled opens and reads without an error, short of some keys.
//! * **KV-3** the checksum of a block covers its key (see `keys`).

use super::backend::Kv;
use super::keys::{self, Family, Key};
use crate::error::{Error, Result};
use crate::manifest::SegmentId;

/// Entries per block: the cost per entry is flat from here on.
const BLOCK_ENTRIES_MAX: usize = 512;

/// A block is closed once it has this many bytes. sled puts up to 17 values in a page and moves
/// pages above 128 KiB out of its log into files of their own, which this stays below.
const BLOCK_BYTES_TARGET: usize = 1024;

/// First bytes of a varint from here on give a length: 240 is 1 byte, 255 is 16 bytes.
const LENGTHS_FROM: u8 = 240;

/// One entry. Numbers beyond what the family has are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) key: u128,
    pub(super) numbers: [u64; 3],
}

/// Writes the blocks of one family; returns their bytes. `entries` ascend strictly by key.
///
/// # Errors
/// `Internal` when they do not ascend; whatever the store below reports.
pub(super) fn write(
    kv: &dyn Kv,
    family: Family,
    segment: SegmentId,
    entries: &[Entry],
) -> Result<u64> {
    let mut rest = entries;
    let mut block_key = 0;
    let mut bytes_written = 0;
    loop {
        let (body, after) = encode(family, rest)?;
        assert!(
            after.len() < rest.len() || rest.is_empty(),
            "each block takes some of the entries"
        );
        debug_assert!(
            rest.get(..rest.len() - after.len())
                .is_some_and(|entries| reads_back(family, &body, entries)),
            "KV-1: a block reads back as it was written"
        );
        let key = keys::key(family, segment, block_key);
        let value = keys::seal(&key, &body);
        kv.put(&key, &value)?;
        bytes_written += (key.len() + value.len()) as u64;
        match after.first() {
            Some(next) => block_key = next.key,
            None => return Ok(bytes_written),
        }
        rest = after;
    }
}

/// The entry with exactly this key.
///
/// # Errors
/// `Corrupt` when a block is damaged or absent; whatever the store below reports.
pub(super) fn find(
    kv: &dyn Kv,
    family: Family,
    segment: SegmentId,
    key: u128,
) -> Result<Option<Entry>> {
    let body = load(kv, family, segment, key)?;
    let mut block = Block::open(family, &body)?;
    block.check_covers(key)?;
    while let Some(entry) = block.next()? {
        if entry.key >= key {
            return Ok((entry.key == key).then_some(entry));
        }
    }
    Ok(None)
}

/// Calls `visit` with every entry from `first` to `last`, both included, in order.
///
/// # Errors
/// As [`find`].
pub(super) fn visit_range(
    kv: &dyn Kv,
    family: Family,
    segment: SegmentId,
    first: u128,
    last: u128,
    visit: &mut dyn FnMut(Entry),
) -> Result<()> {
    debug_assert!(first <= last, "an empty range is a mistake of the caller");
    let mut at = first;
    loop {
        let body = load(kv, family, segment, at)?;
        let mut block = Block::open(family, &body)?;
        block.check_covers(at)?;
        while let Some(entry) = block.next()? {
            if entry.key > last {
                return Ok(());
            }
            if entry.key >= first {
                visit(entry);
            }
        }
        match block.fence {
            Some(fence) if fence <= last => {
                assert!(fence > at, "KV-1: each block leads to a later one");
                at = fence;
            }
            _ => return Ok(()),
        }
    }
}

/// The body of the block that should cover `entry_key`.
fn load(kv: &dyn Kv, family: Family, segment: SegmentId, entry_key: u128) -> Result<Vec<u8>> {
    let wanted: Key = keys::key(family, segment, entry_key);
    let Some((key, value)) = kv.get_le(&wanted)? else {
        return Err(absent(family, segment));
    };
    match keys::parse(family, &key) {
        Some((found, _)) if found == segment => Ok(keys::unseal(&key, &value)?.to_vec()),
        _ => Err(absent(family, segment)),
    }
}

fn absent(family: Family, segment: SegmentId) -> Error {
    Error::corrupt(format!(
        "a {family:?} block of {segment:?} is absent from the metadata store"
    ))
}

fn damaged() -> Error {
    Error::corrupt("a block of the metadata store does not decode")
}

/// One block of the first entries, and the entries after it.
fn encode(family: Family, entries: &[Entry]) -> Result<(Vec<u8>, &[Entry])> {
    let mut coded = Vec::with_capacity(BLOCK_BYTES_TARGET + 64);
    let mut previous = None;
    let mut count = 0;
    for entry in entries.iter().take(BLOCK_ENTRIES_MAX) {
        if coded.len() >= BLOCK_BYTES_TARGET {
            break;
        }
        push_varint(&mut coded, difference(previous, entry.key)?);
        for number in entry.numbers.iter().take(family.numbers()) {
            push_varint(&mut coded, u128::from(*number));
        }
        previous = Some(entry.key);
        count += 1;
    }
    let after = entries.split_at(count).1;
    if let Some(next) = after.first() {
        difference(previous, next.key)?;
    }
    let mut body = Vec::with_capacity(coded.len() + 20);
    body.push(u8::from(!after.is_empty()));
    body.extend_from_slice(&after.first().map_or(0, |next| next.key).to_be_bytes());
    push_varint(&mut body, count as u128);
    body.extend_from_slice(&coded);
    Ok((body, after))
}

/// Whether a block has these entries.
fn reads_back(family: Family, body: &[u8], entries: &[Entry]) -> bool {
    let Ok(mut block) = Block::open(family, body) else {
        return false;
    };
    let is_next = |entry: &Entry| block.next().is_ok_and(|found| found == Some(*entry));
    entries.iter().all(is_next) && block.next().is_ok_and(|end| end.is_none())
}

/// What is stored of `key` after `previous`.
fn difference(previous: Option<u128>, key: u128) -> Result<u128> {
    match previous {
        None => Ok(key),
        Some(previous) if previous < key => Ok(key - previous),
        Some(_) => Err(Error::internal("entries of a block do not ascend")),
    }
}

/// A block being read.
struct Block<'a> {
    /// Key of the next block; this one covers what is below it.
    fence: Option<u128>,
    numbers: usize,
    remaining: u128,
    previous: Option<u128>,
    bytes: &'a [u8],
}

impl<'a> Block<'a> {
    fn open(family: Family, body: &'a [u8]) -> Result<Self> {
        let (has_fence, rest) = body.split_first().ok_or_else(damaged)?;
        let (fence, mut bytes) = rest.split_first_chunk::<16>().ok_or_else(damaged)?;
        let fence = (*has_fence == 1).then(|| u128::from_be_bytes(*fence));
        let remaining = take_varint(&mut bytes)?;
        Ok(Self {
            fence,
            numbers: family.numbers(),
            remaining,
            previous: None,
            bytes,
        })
    }

    /// Holds KV-1: a key at or above the fence belongs to a later block, which is absent.
    fn check_covers(&self, key: u128) -> Result<()> {
        match self.fence {
            Some(fence) if fence <= key => {
                Err(Error::corrupt("a block of the metadata store is absent"))
            }
            _ => Ok(()),
        }
    }

    fn next(&mut self) -> Result<Option<Entry>> {
        if self.remaining == 0 {
            return if self.bytes.is_empty() {
                Ok(None)
            } else {
                Err(damaged())
            };
        }
        self.remaining -= 1;
        let step = take_varint(&mut self.bytes)?;
        if self.previous.is_some() && step == 0 {
            return Err(damaged());
        }
        let key = self
            .previous
            .unwrap_or(0)
            .checked_add(step)
            .ok_or_else(damaged)?;
        let mut numbers = [0; 3];
        for number in numbers.iter_mut().take(self.numbers) {
            *number = u64::try_from(take_varint(&mut self.bytes)?).map_err(|_| damaged())?;
        }
        self.previous = Some(key);
        Ok(Some(Entry { key, numbers }))
    }
}

/// Appends `value`: below 240 the byte itself, else 239 plus the count of bytes, then those bytes, high
/// first. Read without a loop over bits: differences of random trace ids have 15 bytes.
fn push_varint(out: &mut Vec<u8>, value: u128) {
    match u8::try_from(value) {
        Ok(byte) if byte < LENGTHS_FROM => out.push(byte),
        _ => {
            let zeros = value.leading_zeros() as usize / 8;
            let bytes = value.to_be_bytes();
            let (_, used) = bytes.split_at(zeros);
            debug_assert!(!used.is_empty(), "what has no byte is below 240");
            out.push(LENGTHS_FROM - 1 + used.len() as u8);
            out.extend_from_slice(used);
        }
    }
}

fn take_varint(bytes: &mut &[u8]) -> Result<u128> {
    let (first, rest) = bytes.split_first().ok_or_else(damaged)?;
    if *first < LENGTHS_FROM {
        *bytes = rest;
        return Ok(u128::from(*first));
    }
    let length = usize::from(*first - LENGTHS_FROM) + 1;
    let (used, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
    let mut padded = [0; 16];
    padded.split_at_mut(16 - length).1.copy_from_slice(used);
    *bytes = rest;
    Ok(u128::from_be_bytes(padded))
}

#[cfg(test)]
mod tests {
    use super::super::mem_kv::MemKv;
    use super::*;

    const SEGMENT: SegmentId = SegmentId(7);

    fn entries(count: u32) -> Vec<Entry> {
        (0..count)
            .map(|i| Entry {
                key: u128::from(i) * 3 + 1,
                numbers: [u64::from(i), 0, 0],
            })
            .collect()
    }

    fn read_all(kv: &MemKv, family: Family) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        visit_range(kv, family, SEGMENT, 0, u128::MAX, &mut |entry| {
            found.push(entry)
        })?;
        Ok(found)
    }

    #[test]
    fn varints_round_trip_and_refuse_a_cut() {
        for value in [
            0,
            1,
            239,
            240,
            255,
            256,
            70_000,
            u128::from(u64::MAX),
            u128::MAX - 1,
            u128::MAX,
        ] {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, value);
            assert!(bytes.len() <= 17 && (bytes.len() == 1) == (value < 240));
            let mut rest = bytes.as_slice();
            assert_eq!(take_varint(&mut rest).unwrap(), value);
            assert!(rest.is_empty());
            assert!(take_varint(&mut &bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn entries_come_back_across_blocks() {
        for count in [0, 1, 511, 512, 513, 2000] {
            let kv = MemKv::default();
            let entries = entries(count);
            write(&kv, Family::TraceRow, SEGMENT, &entries).unwrap();
            assert_eq!(
                read_all(&kv, Family::TraceRow).unwrap(),
                entries,
                "{count} entries"
            );
            for entry in &entries {
                let found = find(&kv, Family::TraceRow, SEGMENT, entry.key).unwrap();
                assert_eq!(found, Some(*entry));
                assert_eq!(
                    find(&kv, Family::TraceRow, SEGMENT, entry.key + 1).unwrap(),
                    None
                );
            }
            assert_eq!(find(&kv, Family::TraceRow, SEGMENT, 0).unwrap(), None);
            assert_eq!(
                find(&kv, Family::TraceRow, SEGMENT, u128::MAX).unwrap(),
                None
            );
        }
    }

    #[test]
    fn a_block_with_a_key_twice_is_damaged() {
        let body = [&[0; 17][..], &[2, 5, 1, 0, 1]].concat();
        let mut block = Block::open(Family::TraceRow, &body).unwrap();
        assert_eq!(
            block.next().unwrap(),
            Some(Entry {
                key: 5,
                numbers: [1, 0, 0]
            })
        );
        assert!(block.next().is_err());
    }

    #[test]
    fn the_largest_numbers_fit() {
        let kv = MemKv::default();
        let all = [
            Entry {
                key: 0,
                numbers: [u64::MAX; 3],
            },
            Entry {
                key: u128::MAX,
                numbers: [u64::MAX, 0, 1],
            },
        ];
        write(&kv, Family::SpanRun, SEGMENT, &all).unwrap();
        assert_eq!(read_all(&kv, Family::SpanRun).unwrap(), all);
    }

    #[test]
    fn entries_that_do_not_ascend_are_refused() {
        let kv = MemKv::default();
        let twice = [Entry {
            key: 5,
            numbers: [0; 3],
        }; 2];
        assert!(write(&kv, Family::Tag, SEGMENT, &twice).is_err());
    }

    /// KV-1.
    #[test]
    fn an_absent_block_is_an_error_and_never_an_absent_entry() {
        let count = 3000;
        let full = MemKv::default();
        write(&full, Family::TraceRow, SEGMENT, &entries(count)).unwrap();
        let first = keys::key(Family::TraceRow, SEGMENT, 0);
        let last = keys::key(Family::TraceRow, SEGMENT, u128::MAX);
        let block_keys = full.keys(&first, &last, usize::MAX).unwrap();
        assert!(block_keys.len() >= 5);
        for absent in &block_keys {
            let kv = MemKv::default();
            write(&kv, Family::TraceRow, SEGMENT, &entries(count)).unwrap();
            kv.remove(absent).unwrap();
            assert!(read_all(&kv, Family::TraceRow).is_err());
            for entry in entries(count) {
                let found = find(&kv, Family::TraceRow, SEGMENT, entry.key);
                assert!(found.is_err() || found.unwrap() == Some(entry));
            }
        }
    }
}
