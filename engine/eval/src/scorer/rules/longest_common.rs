//! The length of the longest common subsequence of two lists of numbers, 64 rows of the usual table at a time.
//!
//! The table's column is kept as bits: bit `i` is 0 where row `i` has one more than the row above. One more element of the
//! other list moves the column on by an addition, whose carries run through the rows as the new matches do:
//! `column = (column + (column & matches)) | (column & !matches)`, where `matches` has the rows equal to that element. Rows
//! beyond 64 are done in a second pass over the other list, with the carry of each of its elements kept from the pass before.
//!
//! Invariants
//! 1. Time is the product of the lengths by 64, memory the sum of the lengths and of the numbers used.
//! 2. The result is that of the plain table (a test compares them).

/// Rows done in one pass.
const BLOCK: usize = u64::BITS as usize;

/// The length of the longest common subsequence of lists whose numbers are all under `bound`.
pub(super) fn longest_common(left: &[u32], right: &[u32], bound: usize) -> usize {
    let mut carries = vec![false; right.len()];
    let mut matches = vec![0u64; bound];
    let mut length = 0;
    for block in left.chunks(BLOCK) {
        for (row, &number) in block.iter().enumerate() {
            if let Some(rows) = matches.get_mut(number as usize) {
                *rows |= 1 << row;
            }
        }
        let mut column = u64::MAX;
        for (&number, carry) in right.iter().zip(&mut carries) {
            let rows = matches.get(number as usize).copied().unwrap_or(0);
            let (sum, over) = column.overflowing_add(column & rows);
            let (sum, over_by_carry) = sum.overflowing_add(u64::from(*carry));
            *carry = over | over_by_carry;
            column = sum | (column & !rows);
        }
        length += column.count_zeros() as usize;
        for &number in block {
            if let Some(rows) = matches.get_mut(number as usize) {
                *rows = 0;
            }
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_table(left: &[u32], right: &[u32]) -> usize {
        let mut table = vec![vec![0; right.len() + 1]; left.len() + 1];
        for (row, a) in left.iter().enumerate() {
            for (column, b) in right.iter().enumerate() {
                table[row + 1][column + 1] = match a == b {
                    true => table[row][column] + 1,
                    false => table[row][column + 1].max(table[row + 1][column]),
                };
            }
        }
        table[left.len()][right.len()]
    }

    proptest! {
        #[test]
        fn as_the_plain_table(
            (bound, left, right) in (1u32..40).prop_flat_map(|bound| {
                let list = || prop::collection::vec(0..bound, 0..200);
                (Just(bound), list(), list())
            })
        ) {
            let length = longest_common(&left, &right, bound as usize);
            prop_assert_eq!(length, by_table(&left, &right));
        }
    }

    #[test]
    fn long_equal_lists() {
        let list: Vec<u32> = (0..1000).map(|n| n % 7).collect();
        assert_eq!(longest_common(&list, &list, 7), 1000);
    }
}
