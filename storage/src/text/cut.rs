//! Parts of texts and lists at positions that were found in them, and numbers of what an index holds.
//!
//! A position comes from a search in the same text, or from a list that this module made: one outside of it would be
//! a mistake in here, never one of the input. Debug builds, and so all tests, stop there.

use std::fmt::Debug;
use std::slice::SliceIndex;

/// A part of a text, on borders of characters.
#[inline]
pub(super) fn cut<I: SliceIndex<str, Output = str> + Clone + Debug>(text: &str, part: I) -> &str {
    debug_assert!(
        text.get(part.clone()).is_some(),
        "{part:?} lies inside of a text of {} bytes",
        text.len()
    );
    text.get(part).unwrap_or_default()
}

/// A part of a list.
#[inline]
pub(super) fn items<T, I: SliceIndex<[T], Output = [T]> + Clone + Debug>(
    list: &[T],
    part: I,
) -> &[T] {
    debug_assert!(
        list.get(part.clone()).is_some(),
        "{part:?} lies inside of a list of {}",
        list.len()
    );
    list.get(part).unwrap_or_default()
}

/// How many rows, strings, words or positions there are of something: an index counts them with 32 bits, and the texts
/// of a segment, which records of 256 MiB bring, have fewer.
pub(super) fn count_of(many: usize) -> u32 {
    assert!(
        u32::try_from(many).is_ok(),
        "an index counts with 32 bits, not {many}"
    );
    many as u32
}
