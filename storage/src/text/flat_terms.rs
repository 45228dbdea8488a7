//! The tokens of one field's dictionary as one flat text in memory, for finding those that hold a piece:
//! a dictionary is sorted and knows beginnings alone.
//!
//! Built when first asked for and kept while all that are kept stay within [`KEPT_BYTES_MAX`]; beyond
//! that it is built for each question.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use tantivy::InvertedIndexReader;

use super::cut::items;
use super::index::TantivyResult;
use super::row_terms::FIRST_TOKEN_BYTE;

/// Bytes of all flat dictionaries kept in memory.
const KEPT_BYTES_MAX: usize = 128 << 20;

static KEPT_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Ends each token; a byte that UTF-8 does not have.
const END: u8 = 0xFF;

/// The tokens of a dictionary, one after the other.
#[derive(Debug)]
pub(super) struct FlatTerms(Vec<u8>);

/// Holds a field's flat dictionary once it is made.
#[derive(Debug, Default)]
pub(super) struct FlatSlot(OnceLock<Arc<FlatTerms>>);

impl FlatSlot {
    /// The flat dictionary of a field.
    pub(super) fn get(&self, index: &InvertedIndexReader) -> TantivyResult<Arc<FlatTerms>> {
        if let Some(flat) = self.0.get() {
            return Ok(flat.clone());
        }
        let flat = Arc::new(FlatTerms::build(index)?);
        let size = flat.size();
        if KEPT_BYTES.fetch_add(size, Ordering::Relaxed) + size > KEPT_BYTES_MAX
            || self.0.set(flat.clone()).is_err()
        {
            KEPT_BYTES.fetch_sub(size, Ordering::Relaxed);
        }
        Ok(flat)
    }
}

impl Drop for FlatSlot {
    fn drop(&mut self) {
        if let Some(flat) = self.0.get() {
            let kept = KEPT_BYTES.fetch_sub(flat.size(), Ordering::Relaxed);
            debug_assert!(kept >= flat.size(), "what is given back was counted");
        }
    }
}

impl FlatTerms {
    fn build(index: &InvertedIndexReader) -> TantivyResult<FlatTerms> {
        let mut bytes = Vec::new();
        let mut stream = index.terms().range().ge([FIRST_TOKEN_BYTE]).into_stream()?;
        while stream.advance() {
            bytes.extend_from_slice(stream.key());
            bytes.push(END);
        }
        debug_assert!(
            bytes.last().is_none_or(|last| *last == END),
            "each token is ended"
        );
        bytes.shrink_to_fit();
        Ok(FlatTerms(bytes))
    }

    fn size(&self) -> usize {
        self.0.len()
    }

    /// The tokens that hold `piece`, or end with it, in order; `None` when there are more than `max`.
    pub(super) fn holding(&self, piece: &[u8], at_end: bool, max: usize) -> Option<Vec<&[u8]>> {
        let finder = Finder::new(piece);
        let (mut found, mut from) = (Vec::new(), 0);
        while let Some(at) = finder.find(items(&self.0, from..)) {
            let (before, rest) = self.0.split_at(from + at);
            let start = memrchr(END, before).map_or(0, |end| end + 1);
            // The last token is ended, too.
            let end = before.len() + memchr(END, rest).unwrap_or(rest.len());
            if at_end && before.len() + piece.len() != end {
                from = before.len() + 1;
                continue;
            }
            from = end;
            if found.len() == max {
                return None;
            }
            let token = items(&self.0, start..end);
            debug_assert!(
                !token.contains(&END) && finder.find(token).is_some(),
                "a token holds the piece"
            );
            found.push(token);
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_found_within_tokens_alone() {
        let terms = ["aab", "baa", "caab", "é"].map(|term| [term.as_bytes(), &[END]].concat());
        let flat = FlatTerms(terms.concat());
        let holding = |piece: &str, at_end| {
            let found = flat.holding(piece.as_bytes(), at_end, 3)?;
            Some(
                found
                    .into_iter()
                    .map(|term| std::str::from_utf8(term).unwrap())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(holding("aa", false), Some(vec!["aab", "baa", "caab"]));
        assert_eq!(holding("aa", true), Some(vec!["baa"]));
        assert_eq!(holding("bb", false), Some(vec![]));
        assert_eq!(holding("ab", true), Some(vec!["aab", "caab"]));
        assert_eq!(holding("é", false), Some(vec!["é"]));
        assert_eq!(flat.holding(b"a", false, 2), None);
    }
}
