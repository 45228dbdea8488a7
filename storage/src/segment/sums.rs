//! Checksums of a segment file's blocks, so that nothing is decoded that is not what was written.
//!
//! ```text
//! [ data: pages and bloom filters | end: sums of the data's blocks, page index, footer ]
//! ```
//!
//! A block has [`BLOCK_BYTES`], the last one what is left; its sum is the CRC-32C of its bytes, little-endian.
//! Length and hash of the end are in the manifest. Parquet readers do not look at the sums, which lie between
//! the parts that the footer points to.
//!
//! Invariant ST-6: the end is compared with its hash before it is parsed, each block with its sum before any of
//! its bytes are decoded. The decoder takes some damaged pages for memory that it does not own, so a check
//! after it would come too late.

use std::ops::Range;

use bytes::Bytes;

/// Bytes of a block: a page of the system's cache, so that whole blocks cost no more reading.
pub(super) const BLOCK_BYTES: u64 = 4096;

const SUM_BYTES: usize = 4;

/// Sums of data as it is written.
#[derive(Debug, Default)]
pub(super) struct SumsWriter {
    /// Sums of whole blocks, as they lie in the file.
    sums: Vec<u8>,
    /// The block that is not full yet: its sum so far, and its bytes.
    open: (u32, usize),
}

impl SumsWriter {
    /// Goes on with these bytes.
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (sum, len) = self.open;
            debug_assert!(len < BLOCK_BYTES as usize, "a full block is closed at once");
            let (part, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES as usize - len));
            self.open = (crc32c::crc32c_append(sum, part), len + part.len());
            if self.open.1 == BLOCK_BYTES as usize {
                self.close_block();
            }
            bytes = rest;
        }
    }

    /// The sums of all that was written, as they lie in the file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.open.1 > 0 {
            self.close_block();
        }
        assert_eq!(self.sums.len() % SUM_BYTES, 0, "each block has a sum");
        self.sums
    }

    fn close_block(&mut self) {
        let (sum, _) = std::mem::take(&mut self.open);
        self.sums.extend(sum.to_le_bytes());
    }
}

/// Sums of a file's data.
#[derive(Debug)]
pub(super) struct Sums {
    data_len: u64,
    sums: Box<[u8]>,
}

impl Sums {
    /// The sums of `data_len` bytes of data, from the end of the file that follows them; `None` when the end is
    /// too short for that.
    pub(super) fn of_end(data_len: u64, end: &[u8]) -> Option<Self> {
        let blocks = usize::try_from(data_len.div_ceil(BLOCK_BYTES)).ok()?;
        let sums = end.get(..blocks.checked_mul(SUM_BYTES)?)?;
        Some(Self {
            data_len,
            sums: sums.into(),
        })
    }

    /// Bytes of the data.
    pub(super) fn data_len(&self) -> u64 {
        self.data_len
    }

    /// The whole blocks that the bytes of `range` lie in; `None` when some lie outside the data.
    pub(super) fn blocks_around(&self, range: Range<u64>) -> Option<Range<u64>> {
        let is_inside = range.start <= range.end && range.end <= self.data_len;
        is_inside.then(|| {
            let end = range.end.div_ceil(BLOCK_BYTES) * BLOCK_BYTES;
            let blocks = range.start / BLOCK_BYTES * BLOCK_BYTES..end.min(self.data_len);
            assert!(
                blocks.start <= range.start && range.end <= blocks.end,
                "ST-6: each byte is compared"
            );
            blocks
        })
    }

    /// Where the first of the blocks from `offset` on begins that is not what was written.
    pub(super) fn first_damaged(&self, offset: u64, blocks: &Bytes) -> Option<u64> {
        debug_assert_eq!(
            offset % BLOCK_BYTES,
            0,
            "blocks begin at multiples of their size"
        );
        let starts = (offset..).step_by(BLOCK_BYTES as usize);
        let mut blocks = starts.zip(blocks.chunks(BLOCK_BYTES as usize));
        blocks
            .find(|(start, block)| self.sum(*start) != Some(crc32c::crc32c(block)))
            .map(|(start, _)| start)
    }

    /// Memory held, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.sums.len()
    }

    fn sum(&self, start: u64) -> Option<u32> {
        let at = usize::try_from(start / BLOCK_BYTES)
            .ok()?
            .checked_mul(SUM_BYTES)?;
        let bytes = self.sums.get(at..)?.first_chunk::<SUM_BYTES>()?;
        Some(u32::from_le_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(len: usize) -> Bytes {
        (0..len).map(|at| (at * 7 / 5) as u8).collect()
    }

    fn sums(data: &[u8], piece: usize) -> Sums {
        let mut writer = SumsWriter::default();
        data.chunks(piece).for_each(|piece| writer.write(piece));
        let end = [writer.finish(), b"footer".to_vec()].concat();
        Sums::of_end(data.len() as u64, &end).unwrap()
    }

    #[test]
    fn each_flipped_bit_is_found_in_its_block() {
        for len in [1, 4095, 4096, 4097, 12_288, 12_300] {
            let data = data(len);
            let sums = sums(&data, 1000);
            assert_eq!(sums.memory_bytes(), len.div_ceil(4096) * SUM_BYTES);
            assert_eq!(sums.first_damaged(0, &data), None);
            for at in [0, len / 2, len - 1] {
                let mut damaged = data.to_vec();
                damaged[at] ^= 1 << (at % 8);
                assert_eq!(
                    sums.first_damaged(0, &damaged.into()),
                    Some((at / 4096 * 4096) as u64)
                );
            }
        }
    }

    #[test]
    fn sums_do_not_depend_on_the_pieces_written() {
        let data = data(20_000);
        let whole = sums(&data, 20_000);
        for piece in [1, 4096, 5000] {
            assert_eq!(sums(&data, piece).sums, whole.sums);
        }
        assert_eq!(whole.first_damaged(8192, &data.slice(8192..)), None);
        assert_eq!(
            whole.first_damaged(4096, &data.slice(8192..)),
            Some(4096),
            "blocks in another's place"
        );
    }

    #[test]
    fn ranges_grow_to_whole_blocks_of_the_data() {
        let sums = sums(&data(10_000), 10_000);
        assert_eq!(sums.blocks_around(0..1), Some(0..4096));
        assert_eq!(sums.blocks_around(4096..4096), Some(4096..4096));
        assert_eq!(sums.blocks_around(4000..8193), Some(0..10_000));
        assert_eq!(sums.blocks_around(9_999..10_000), Some(8192..10_000));
        assert_eq!(sums.blocks_around(9_999..10_001), None);
        assert_eq!(sums.blocks_around(u64::MAX - 1..u64::MAX), None);
    }

    #[test]
    fn an_end_too_short_for_the_sums_has_none() {
        assert!(Sums::of_end(4097, &[0; 8]).is_some());
        assert!(Sums::of_end(4097, &[0; 7]).is_none());
        assert!(Sums::of_end(u64::MAX, &[0; 7]).is_none());
    }
}
