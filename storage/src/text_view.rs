//! The text of one source as a query sees it: answered by the index of a segment, or by brute force
//! over rows that have none. Both give the same rows and the same scores (QU-1).

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::error::Result;
use crate::text::{FreshText, Scored, TextQuery, TextReader, TextStats};

/// The searchable text of one source.
#[derive(Debug, Clone)]
pub enum TextView {
    /// Through the segment's index.
    Indexed(Arc<TextReader>),
    /// By scanning.
    Scanned(Arc<FreshText>),
}

impl TextView {
    /// Whether an index answers.
    pub fn is_indexed(&self) -> bool {
        matches!(self, Self::Indexed(_))
    }

    /// Physical spans rows that match, masked ones included.
    ///
    /// # Errors
    /// `InvalidInput` when the query expands to too many terms, `Io` or `Corrupt` from the index.
    pub fn rows(&self, query: &TextQuery) -> Result<RoaringBitmap> {
        match self {
            Self::Indexed(reader) => reader.rows(query),
            Self::Scanned(fresh) => fresh.rows(query),
        }
    }

    /// Statistics of the rows that are not masked, to be merged over all sources before ranking.
    ///
    /// # Errors
    /// As [`TextView::rows`].
    pub fn stats(&self, query: &TextQuery, masked: Option<&RoaringBitmap>) -> Result<TextStats> {
        match self {
            Self::Indexed(reader) => reader.stats(query, masked),
            Self::Scanned(fresh) => fresh.stats(query, masked),
        }
    }

    /// The best `k` rows that are not masked and, when given, among `allowed`.
    ///
    /// # Errors
    /// As [`TextView::rows`].
    pub fn top_k(
        &self,
        query: &TextQuery,
        stats: &TextStats,
        k: usize,
        at_least: f64,
        allowed: Option<&RoaringBitmap>,
        masked: Option<&RoaringBitmap>,
    ) -> Result<Vec<Scored>> {
        match self {
            Self::Indexed(reader) => reader.top_k(query, stats, k, at_least, allowed, masked),
            Self::Scanned(fresh) => fresh.top_k(query, stats, k, at_least, allowed, masked),
        }
    }
}
