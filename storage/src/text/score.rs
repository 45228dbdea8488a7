//! Ranking: BM25 over the span as one document, with statistics of all sources together.
//!
//! ```text
//! score(row) = sum over the terms of the query outside NOT:
//!     ln(1 + (docs - df + 0.5) / (df + 0.5)) * tf * (K1 + 1) / (tf + K1 * (1 - B + B * length / average))
//! ```
//!
//! tf = occurrences in the fields the term asks; a phrase, prefix or fuzzy word counts as one term with
//! its own tf and df. length = words of the whole span, each field rounded as the index rounds.
//!
//! Invariants:
//! 1. Statistics count visible rows only, so scores do not depend on compaction, nor on how rows are
//!    spread over sources. Sums run in one fixed order: equal rows have bit-equal scores everywhere.
//! 2. [`top_k`] returns every row tied with the last one, so that the caller can settle ties by time.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use super::evaluate::{TermSource, evaluate};
use super::query::{TextQuery, TextTerm};
use crate::Result;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// What ranking must know of all sources together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextStats {
    /// Visible rows.
    pub docs: u64,
    /// Sum of their lengths, words.
    pub total_length: u64,
    /// Visible rows with each term of the query.
    pub doc_freq: BTreeMap<TextTerm, u64>,
}

impl TextStats {
    /// Adds the statistics of another source.
    pub fn merge(&mut self, other: &TextStats) {
        self.docs += other.docs;
        self.total_length += other.total_length;
        for (term, count) in &other.doc_freq {
            *self.doc_freq.entry(term.clone()).or_default() += count;
        }
    }
}

/// A row and its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Row number inside the source.
    pub row: u32,
    /// BM25; comparable between all sources scored with the same statistics.
    pub score: f64,
}

/// The statistics of one source for a query, without the masked rows.
pub(super) fn stats(
    source: &dyn TermSource,
    query: &TextQuery,
    masked: Option<&RoaringBitmap>,
) -> Result<TextStats> {
    let mut stats = TextStats {
        docs: u64::from(source.row_count()),
        total_length: source.total_length(),
        doc_freq: BTreeMap::new(),
    };
    for row in masked.into_iter().flatten().take_while(|&row| row < source.row_count()) {
        stats.docs -= 1;
        stats.total_length -= u64::from(source.length(row));
    }
    for term in query.positive_terms() {
        let rows = source.matching(term, None)?;
        let hidden = masked.map_or(0, |masked| rows.intersection_len(masked));
        stats.doc_freq.insert(term.clone(), rows.len() - hidden);
    }
    Ok(stats)
}

/// The best `k` rows, best first, equal scores by descending row; more than `k` when the last is tied.
pub(super) fn top_k(
    source: &dyn TermSource,
    query: &TextQuery,
    stats: &TextStats,
    k: usize,
    allowed: Option<&RoaringBitmap>,
    masked: Option<&RoaringBitmap>,
) -> Result<Vec<Scored>> {
    let mut matching = evaluate(source, query, allowed)?;
    if let Some(masked) = masked {
        matching -= masked;
    }
    if k == 0 || matching.is_empty() {
        return Ok(Vec::new());
    }
    let mut scored = score_rows(source, query, stats, &matching)?;
    keep_best(&mut scored, k);
    Ok(scored)
}

/// Scores of the given rows, by ascending row.
fn score_rows(
    source: &dyn TermSource,
    query: &TextQuery,
    stats: &TextStats,
    rows: &RoaringBitmap,
) -> Result<Vec<Scored>> {
    let mut scored: Vec<Scored> = rows.iter().map(|row| Scored { row, score: 0.0 }).collect();
    let average = stats.total_length as f64 / stats.docs.max(1) as f64;
    let norms: Vec<f64> = scored.iter().map(|row| norm(source.length(row.row), average)).collect();
    for term in query.positive_terms() {
        let weight = idf(stats.docs, stats.doc_freq.get(term).copied().unwrap_or_default()) * (K1 + 1.0);
        let occurrences = source.occurrences(term, Some(rows))?;
        let mut occurrences = occurrences.iter().peekable();
        for (slot, norm) in scored.iter_mut().zip(&norms) {
            if let Some(found) = occurrences.next_if(|found| found.row == slot.row) {
                let count = f64::from(found.count);
                slot.score += weight * count / (count + norm);
            }
        }
        debug_assert!(occurrences.next().is_none(), "occurrences lie within the rows asked, in order");
    }
    Ok(scored)
}

fn idf(docs: u64, doc_freq: u64) -> f64 {
    let doc_freq = doc_freq as f64;
    let without = (docs as f64 - doc_freq).max(0.0);
    (1.0 + (without + 0.5) / (doc_freq + 0.5)).ln()
}

fn norm(length: u32, average: f64) -> f64 {
    let relative = if average > 0.0 { f64::from(length) / average } else { 1.0 };
    K1 * (1.0 - B + B * relative)
}

fn keep_best(scored: &mut Vec<Scored>, k: usize) {
    let by_score = |a: &Scored, b: &Scored| b.score.total_cmp(&a.score).then(b.row.cmp(&a.row));
    if scored.len() > k {
        let (_, &mut last, _) = scored.select_nth_unstable_by(k - 1, by_score);
        scored.retain(|row| row.score >= last.score);
    }
    scored.sort_unstable_by(by_score);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_kept_with_all_ties() {
        let row = |row, score| Scored { row, score };
        let mut scored = vec![row(0, 1.0), row(1, 3.0), row(2, 2.0), row(3, 2.0), row(4, 0.5)];
        keep_best(&mut scored, 2);
        assert_eq!(scored, [row(1, 3.0), row(3, 2.0), row(2, 2.0)]);
    }
}
