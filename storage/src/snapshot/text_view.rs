//! The text of one source as a query sees it: answered by the index of a segment, or by brute force
//! over rows that have none, or whose index turns out to be damaged (ST-5). Both give the same rows and the same
//! scores (QU-1).

use std::sync::Arc;

use roaring::RoaringBitmap;

use super::Snapshot;
use crate::error::{ErrorKind, Result};
use crate::text::{FreshText, Scored, TextQuery, TextReader, TextStats};

/// The searchable text of one source.
#[derive(Debug, Clone)]
pub enum TextView {
    /// Through the segment's index.
    Indexed(IndexedText),
    /// By scanning.
    Scanned(Arc<FreshText>),
}

/// The text of a source that has an index.
#[derive(Debug, Clone)]
pub struct IndexedText {
    index: Arc<TextReader>,
    /// Where the rows are.
    snapshot: Snapshot,
    source: usize,
}

impl TextView {
    /// A view of the text of one source of a snapshot, through its index.
    pub(crate) fn indexed(index: Arc<TextReader>, snapshot: Snapshot, source: usize) -> Self {
        Self::Indexed(IndexedText {
            index,
            snapshot,
            source,
        })
    }

    /// Whether an index answers.
    pub fn is_indexed(&self) -> bool {
        matches!(self, Self::Indexed(text) if !text.index.is_damaged())
    }

    /// Physical spans rows that match, masked ones included.
    ///
    /// # Errors
    /// `InvalidInput` when the query expands to too many terms, `Io` or `Corrupt` from the rows.
    pub fn rows(&self, query: &TextQuery) -> Result<RoaringBitmap> {
        self.ask(|index| index.rows(query), |fresh| fresh.rows(query))
    }

    /// Statistics of the rows that are not masked, to be merged over all sources before ranking.
    ///
    /// # Errors
    /// As [`TextView::rows`].
    pub fn stats(&self, query: &TextQuery, masked: Option<&RoaringBitmap>) -> Result<TextStats> {
        self.ask(
            |index| index.stats(query, masked),
            |fresh| fresh.stats(query, masked),
        )
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
        self.ask(
            |index| index.top_k(query, stats, k, at_least, allowed, masked),
            |fresh| fresh.top_k(query, stats, k, at_least, allowed, masked),
        )
    }

    /// Asks the index, and the rows when there is none or it cannot be read.
    fn ask<T>(
        &self,
        of_index: impl FnOnce(&TextReader) -> Result<T>,
        of_rows: impl FnOnce(&FreshText) -> Result<T>,
    ) -> Result<T> {
        let text = match self {
            Self::Indexed(text) => text,
            Self::Scanned(fresh) => return of_rows(fresh),
        };
        match of_index(&text.index) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                text.index.mark_damaged();
                of_rows(text.snapshot.scanned_text(text.source)?.as_ref())
            }
            answer => answer,
        }
    }
}
