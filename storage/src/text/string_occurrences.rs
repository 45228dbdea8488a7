//! Where the strings of an index occur: in which rows and fields each is, which strings each row has, and how long
//! rows are. That is the file `places` of an index. Strings are the documents of the field of words; texts repeat (a
//! call's messages hold those of the call before), and each is indexed once.
//!
//! ```text
//! header:   rows, strings, bytes of the rows of strings: 3 x u32
//! starts:   of each string and of the end, (strings + 1) x u32; of each row and of the end, (rows + 1) x u32
//! codes:    of each string its rows, of each row its strings: number * 4 + field, ascending, as often as
//!           it is there; the first as a varint, then the differences
//! lengths:  of each row its words in each field, rounded: 3 x u8
//! ```
//!
//! Numbers are little-endian. Invariants:
//! 1. The bytes may be anything, a checksum is compared by `check` alone. Where they cannot be codes, a row
//!    comes out that does not exist: whoever asks looks for such.

use roaring::RoaringBitmap;
use tantivy::directory::OwnedBytes;
use tantivy::fieldnorm::FieldNormReader;

use super::cut::items;
use super::evaluate::Occurrence;
use super::index::FIELD_NAMES;
use crate::{Error, Result};

/// Fields of words.
pub(super) const FIELDS: usize = FIELD_NAMES.len();
/// Bits of a code that name the field.
const FIELD_BITS: u32 = 2;
/// Rows and strings have smaller numbers.
pub(super) const NUMBERS_END: u32 = 1 << (u32::BITS - FIELD_BITS);
const HEADER_BYTES: usize = 12;
/// The code that comes out of damage.
const DAMAGED: (u32, u32) = (NUMBERS_END - 1, FIELDS as u32);
/// From this part of all rows on, counts of all rows are kept rather than a list sorted.
const MANY: u32 = 16;

/// A string, or a row, and a field.
pub(super) fn code(number: u32, field: u32) -> u32 {
    debug_assert!(
        number < NUMBERS_END && field < FIELDS as u32,
        "number {number}, field {field}"
    );
    (number << FIELD_BITS) | field
}

/// Collects the occurrences of strings while an index is written.
#[derive(Debug, Default)]
pub(super) struct StringOccurrencesWriter {
    /// Strings of the rows, as codes; of each row ascending once it has ended.
    strings: Vec<u32>,
    row_ends: Vec<usize>,
    lengths: Vec<[u8; FIELDS]>,
}

impl StringOccurrencesWriter {
    /// Occurrences so far.
    pub(super) fn len(&self) -> usize {
        self.strings.len()
    }

    /// Adds a string to the row.
    pub(super) fn add(&mut self, string: u32, field: u32) {
        self.strings.push(code(string, field));
    }

    /// Ends the row, which has this many words in its fields.
    pub(super) fn end_row(&mut self, words: [u32; FIELDS]) {
        self.end_row_rounded(words.map(FieldNormReader::fieldnorm_to_id));
    }

    /// Ends the row, the numbers of whose words are rounded already.
    pub(super) fn end_row_rounded(&mut self, lengths: [u8; FIELDS]) {
        let start = self.row_ends.last().map_or(0, |end| *end);
        self.strings.split_at_mut(start).1.sort_unstable();
        self.row_ends.push(self.strings.len());
        self.lengths.push(lengths);
    }

    /// The file.
    ///
    /// # Errors
    /// `Internal` when it would be too large.
    pub(super) fn finish(self, strings: u32) -> Result<Vec<u8>> {
        let rows = u32::try_from(self.row_ends.len()).map_err(|_| too_large())?;
        let (ends, rows_of_strings) = self.by_string(strings as usize)?;
        let of_strings = Coded::new(&ends, &rows_of_strings)?;
        drop(rows_of_strings);
        let of_rows = Coded::new(&self.row_ends, &self.strings)?;
        assert_eq!(
            of_strings.starts.len(),
            strings as usize + 1,
            "each string has its rows, and the end is told"
        );
        assert_eq!(
            of_rows.starts.len(),
            rows as usize + 1,
            "each row has its strings, and the end is told"
        );
        assert_eq!(
            self.lengths.len(),
            rows as usize,
            "each row has its lengths"
        );
        let size = |bytes: &Vec<u8>| u32::try_from(bytes.len()).map_err(|_| too_large());
        let mut file = Vec::new();
        for number in [rows, strings, size(&of_strings.bytes)?] {
            file.extend_from_slice(&number.to_le_bytes());
        }
        for start in of_strings.starts.iter().chain(&of_rows.starts) {
            file.extend_from_slice(&start.to_le_bytes());
        }
        file.extend_from_slice(&of_strings.bytes);
        file.extend_from_slice(&of_rows.bytes);
        self.lengths
            .iter()
            .for_each(|lengths| file.extend_from_slice(lengths));
        Ok(file)
    }

    /// The rows of each string, as codes, and where they end.
    fn by_string(&self, strings: usize) -> Result<(Vec<usize>, Vec<u32>)> {
        let mut ends = vec![0; strings];
        for code in &self.strings {
            *ends
                .get_mut((code >> FIELD_BITS) as usize)
                .ok_or_else(too_large)? += 1;
        }
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        let mut rows = vec![0; total];
        let mut start = 0;
        for (row, &end) in (0..).zip(&self.row_ends) {
            for string in items(&self.strings, start..end) {
                // The starts become the ends while the rows are filled in.
                let next = ends
                    .get_mut((string >> FIELD_BITS) as usize)
                    .ok_or_else(too_large)?;
                *rows.get_mut(*next).ok_or_else(too_large)? =
                    code(row, string & ((1 << FIELD_BITS) - 1));
                *next += 1;
            }
            start = end;
        }
        debug_assert!(
            ends.last().is_none_or(|end| *end == total),
            "each row of a string is filled in"
        );
        Ok((ends, rows))
    }
}

fn too_large() -> Error {
    Error::internal("text index: more strings than one segment can have")
}

/// Lists of codes, written.
struct Coded {
    starts: Vec<u32>,
    bytes: Vec<u8>,
}

impl Coded {
    fn new(ends: &[usize], codes: &[u32]) -> Result<Coded> {
        let mut coded = Coded {
            starts: vec![0],
            bytes: Vec::new(),
        };
        let mut start = 0;
        for &end in ends {
            debug_assert!(
                items(codes, start..end).is_sorted(),
                "codes ascend: differences are kept"
            );
            let mut before = 0;
            for &code in items(codes, start..end) {
                push_varint(&mut coded.bytes, code - before);
                before = code;
            }
            coded
                .starts
                .push(u32::try_from(coded.bytes.len()).map_err(|_| too_large())?);
            start = end;
        }
        Ok(coded)
    }
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// The occurrences of an open index.
#[derive(Debug)]
pub(super) struct StringOccurrences {
    file: OwnedBytes,
    rows: u32,
    strings: u32,
    /// Where the parts of the file begin.
    row_starts: usize,
    string_codes: usize,
    row_codes: usize,
    lengths: usize,
}

impl StringOccurrences {
    /// Reads the header; `None` when the file cannot be that of so many rows.
    pub(super) fn open(file: OwnedBytes, expected_rows: u32) -> Option<StringOccurrences> {
        let number = |at: usize| {
            file.get(at..at + 4)?
                .first_chunk()
                .copied()
                .map(u32::from_le_bytes)
        };
        let (rows, strings, bytes) = (number(0)?, number(4)?, number(8)? as usize);
        let row_starts = HEADER_BYTES + (strings as usize + 1) * 4;
        let string_codes = row_starts + (rows as usize + 1) * 4;
        let row_codes = string_codes + bytes;
        let lengths = file.len().checked_sub(rows as usize * FIELDS)?;
        let fits = rows == expected_rows && lengths >= row_codes && strings < NUMBERS_END;
        fits.then_some(StringOccurrences {
            file,
            rows,
            strings,
            row_starts,
            string_codes,
            row_codes,
            lengths,
        })
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// Number of strings.
    pub(super) fn strings(&self) -> u32 {
        self.strings
    }

    /// The lengths of a row's fields, as they are rounded.
    pub(super) fn lengths(&self, row: u32) -> [u8; FIELDS] {
        debug_assert!(row < self.rows, "row {row} of {} is asked for", self.rows);
        let start = self.lengths + row as usize * FIELDS;
        self.file
            .get(start..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .unwrap_or_default()
    }

    /// The rows and fields that a string is in, ascending.
    pub(super) fn of_string(&self, string: u32) -> Codes<'_> {
        let bytes =
            (string < self.strings).then(|| self.codes(HEADER_BYTES, self.string_codes, string));
        Codes {
            bytes: bytes.flatten(),
            last: 0,
        }
    }

    /// The strings of a row and their fields, ascending; none of a row that does not exist.
    pub(super) fn of_row(&self, row: u32) -> Codes<'_> {
        let bytes = if row < self.rows {
            self.codes(self.row_starts, self.row_codes, row)
        } else {
            Some(&[][..])
        };
        Codes { bytes, last: 0 }
    }

    fn codes(&self, starts: usize, base: usize, number: u32) -> Option<&[u8]> {
        let bounds: [u8; 8] = self
            .file
            .get(starts + number as usize * 4..)?
            .first_chunk()
            .copied()?;
        let [a, b, c, d, e, f, g, h] = bounds;
        let (start, end) = (
            u32::from_le_bytes([a, b, c, d]),
            u32::from_le_bytes([e, f, g, h]),
        );
        self.file.get(base + start as usize..base + end as usize)
    }

    /// The strings that the rows have in the covered fields; `None` when that cannot be read.
    pub(super) fn strings_of(
        &self,
        rows: &RoaringBitmap,
        covered: [bool; FIELDS],
    ) -> Option<RoaringBitmap> {
        let codes = rows.iter().flat_map(|row| self.of_row(row));
        let strings = codes
            .filter(|&(_, field)| is_covered(covered, field))
            .map(|(string, _)| string);
        Some(strings.collect())
            .filter(|found: &RoaringBitmap| found.max().is_none_or(|max| max < self.strings))
    }

    /// Adds the rows that have one of the strings in the covered fields, no others than `within`.
    pub(super) fn add_rows(
        &self,
        strings: &RoaringBitmap,
        covered: [bool; FIELDS],
        within: Option<&RoaringBitmap>,
        rows: &mut RoaringBitmap,
    ) {
        let each = |visit: &mut dyn FnMut(u32)| {
            for string in strings {
                let codes = self
                    .of_string(string)
                    .filter(|&(_, field)| is_covered(covered, field));
                codes.for_each(|(row, _)| visit(row));
            }
        };
        let mut found: Vec<u32> = Vec::new();
        if strings.len() > u64::from(self.rows / MANY) {
            let mut has = vec![false; self.rows as usize];
            each(&mut |row| match has.get_mut(row as usize) {
                Some(has) => *has = true,
                None => found.push(row),
            });
            found.extend((0..).zip(has).filter(|&(_, has)| has).map(|(row, _)| row));
        } else {
            each(&mut |row| found.push(row));
        }
        found.sort_unstable();
        found.dedup();
        if let Some(within) = within {
            found.retain(|&row| within.contains(row) || row >= self.rows);
        }
        rows.extend(found);
    }

    /// What occurs in strings as what occurs in rows, by ascending row, no others than `within`.
    pub(super) fn occurrences(
        &self,
        in_strings: &[Occurrence],
        covered: [bool; FIELDS],
        within: Option<&RoaringBitmap>,
    ) -> Vec<Occurrence> {
        let each = |visit: &mut dyn FnMut(u32, u32)| {
            for found in in_strings {
                for (row, _) in self
                    .of_string(found.row)
                    .filter(|&(_, field)| is_covered(covered, field))
                {
                    visit(row, found.count);
                }
            }
        };
        let is_wanted = |row| row >= self.rows || within.is_none_or(|within| within.contains(row));
        let mut found = Vec::new();
        if in_strings.len() > (self.rows / MANY) as usize {
            let mut counts = vec![0_u32; self.rows as usize];
            let mut beyond = None;
            each(&mut |row, count| match counts.get_mut(row as usize) {
                Some(sum) => *sum = sum.saturating_add(count),
                None => beyond = Some(Occurrence { row, count }),
            });
            let rows = (0..)
                .zip(counts)
                .filter(|&(row, count)| count > 0 && is_wanted(row));
            found.extend(
                rows.map(|(row, count)| Occurrence { row, count })
                    .chain(beyond),
            );
            return found;
        }
        each(&mut |row, count| {
            if is_wanted(row) {
                found.push(Occurrence { row, count });
            }
        });
        found.sort_unstable_by_key(|occurrence| occurrence.row);
        found.dedup_by(|next, kept| {
            let same = next.row == kept.row;
            kept.count = kept.count.saturating_add(if same { next.count } else { 0 });
            same
        });
        found
    }
}

/// What is damaged must be seen.
fn is_covered(covered: [bool; FIELDS], field: u32) -> bool {
    covered.get(field as usize).copied().unwrap_or(true)
}

/// Numbers and fields, decoded one by one.
#[derive(Debug)]
pub(super) struct Codes<'a> {
    /// None: they are damaged.
    bytes: Option<&'a [u8]>,
    last: u32,
}

impl Iterator for Codes<'_> {
    type Item = (u32, u32);

    fn next(&mut self) -> Option<(u32, u32)> {
        let Some(bytes) = &mut self.bytes else {
            self.bytes = Some(&[]);
            return Some(DAMAGED);
        };
        let mut difference = 0_u32;
        for shift in (0..u32::BITS).step_by(7) {
            let Some((&byte, rest)) = bytes.split_first() else {
                return (shift > 0).then_some(DAMAGED);
            };
            *bytes = rest;
            difference |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        self.last = self.last.wrapping_add(difference);
        Some((self.last >> FIELD_BITS, self.last & ((1 << FIELD_BITS) - 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occurrences_of(rows: &[&[(u32, u32)]], strings: u32) -> StringOccurrences {
        let mut writer = StringOccurrencesWriter::default();
        for (row, codes) in (0..).zip(rows) {
            codes
                .iter()
                .for_each(|&(string, field)| writer.add(string, field));
            writer.end_row([row, 0, 7]);
        }
        let file = writer.finish(strings).unwrap();
        StringOccurrences::open(OwnedBytes::new(file), rows.len() as u32).unwrap()
    }

    #[test]
    fn rows_and_strings_find_each_other() {
        let occurrences = occurrences_of(
            &[&[(1, 0), (0, 2), (1, 0)], &[], &[(300, 1), (1, 2), (0, 0)]],
            301,
        );
        assert_eq!(
            occurrences.of_string(0).collect::<Vec<_>>(),
            [(0, 2), (2, 0)]
        );
        assert_eq!(
            occurrences.of_string(1).collect::<Vec<_>>(),
            [(0, 0), (0, 0), (2, 2)]
        );
        assert_eq!(occurrences.of_string(2).count(), 0);
        assert_eq!(
            occurrences.of_string(301).collect::<Vec<_>>(),
            [DAMAGED],
            "it does not exist"
        );
        assert_eq!(
            occurrences.of_row(0).collect::<Vec<_>>(),
            [(0, 2), (1, 0), (1, 0)]
        );
        assert_eq!(
            occurrences.of_row(2).collect::<Vec<_>>(),
            [(0, 0), (1, 2), (300, 1)]
        );
        assert_eq!(
            occurrences.of_row(1).count() + occurrences.of_row(3).count(),
            0
        );
        assert_eq!(occurrences.lengths(2), [2, 0, 7]);
        assert_eq!((occurrences.rows(), occurrences.strings()), (3, 301));
    }

    #[test]
    fn occurrences_are_summed_over_the_covered_fields() {
        let rows: Vec<Vec<(u32, u32)>> = (0..100)
            .map(|row| vec![(row % 7, 0), (row % 3, 1)])
            .collect();
        let rows: Vec<&[(u32, u32)]> = rows.iter().map(Vec::as_slice).collect();
        let occurrences = occurrences_of(&rows, 7);
        let pick = |strings: &[u32], covered, within: Option<&RoaringBitmap>| {
            let found: Vec<_> = strings
                .iter()
                .map(|&row| Occurrence {
                    row,
                    count: row + 1,
                })
                .collect();
            let found = occurrences.occurrences(&found, covered, within);
            let mut bitmap = RoaringBitmap::new();
            occurrences.add_rows(
                &strings.iter().copied().collect(),
                covered,
                within,
                &mut bitmap,
            );
            assert!(
                bitmap
                    .iter()
                    .eq(found.iter().map(|occurrence| occurrence.row))
            );
            found
                .iter()
                .map(|occurrence| (occurrence.row, occurrence.count))
                .collect::<Vec<_>>()
        };
        let expected = |strings: &[u32], covered: [bool; 3]| -> Vec<(u32, u32)> {
            let count = |row: u32| {
                let of = |string| {
                    if strings.contains(&string) {
                        string + 1
                    } else {
                        0
                    }
                };
                u32::from(covered[0]) * of(row % 7) + u32::from(covered[1]) * of(row % 3)
            };
            (0..100)
                .map(|row| (row, count(row)))
                .filter(|&(_, count)| count > 0)
                .collect()
        };
        for covered in [[true, false, false], [false, true, true], [true; 3]] {
            assert_eq!(pick(&[2, 5], covered, None), expected(&[2, 5], covered));
            let all = [0, 1, 2, 3, 4, 5, 6];
            assert_eq!(pick(&all, covered, None), expected(&all, covered));
            let within = (3..5).collect();
            let mut few = expected(&all, covered);
            few.retain(|&(row, _)| (3..5).contains(&row));
            assert_eq!(pick(&all, covered, Some(&within)), few);
        }
        let strings = occurrences.strings_of(&(0..2).collect(), [true, false, true]);
        assert!(strings.unwrap().iter().eq([0, 1]));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        let whole = {
            let mut writer = StringOccurrencesWriter::default();
            for row in 0..50_u32 {
                writer.add(row % 9, 1);
                writer.end_row([1, 2, 3]);
            }
            writer.finish(9).unwrap()
        };
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            let Some(occurrences) = StringOccurrences::open(OwnedBytes::new(bytes), 50) else {
                continue;
            };
            let codes = (0..10).flat_map(|string| occurrences.of_string(string));
            let others = (0..51).flat_map(|row| occurrences.of_row(row));
            assert!(codes.chain(others).count() < 4 * whole.len());
        }
        // Starts that no codes have: a row comes out that does not exist.
        let mut bytes = whole.clone();
        bytes[HEADER_BYTES..HEADER_BYTES + 40].fill(0xee);
        let occurrences = StringOccurrences::open(OwnedBytes::new(bytes), 50).unwrap();
        let mut rows = RoaringBitmap::new();
        occurrences.add_rows(&(0..9).collect(), [true, false, false], None, &mut rows);
        assert!(rows.max() >= Some(50));
        assert!(StringOccurrences::open(OwnedBytes::new(whole[..40].to_vec()), 50).is_none());
        assert!(StringOccurrences::open(OwnedBytes::new(whole), 49).is_none());
    }
}
