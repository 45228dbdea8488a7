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

use super::evaluate::{Occurrence, TermSource, evaluate};
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

impl TextStats {
    fn average_length(&self) -> f64 {
        self.total_length as f64 / self.docs.max(1) as f64
    }

    fn weight(&self, term: &TextTerm) -> f64 {
        // A term that no source counted is in no row.
        idf(
            self.docs,
            self.doc_freq.get(term).copied().unwrap_or_default(),
        ) * (K1 + 1.0)
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
    for row in masked
        .into_iter()
        .flatten()
        .take_while(|&row| row < source.row_count())
    {
        stats.docs -= 1;
        stats.total_length -= u64::from(source.length(row));
    }
    let is_visible = |found: &&Occurrence| masked.is_none_or(|masked| !masked.contains(found.row));
    for term in query.positive_terms() {
        let found = source.all_occurrences(term)?;
        let rows = found.iter().filter(is_visible).count() as u64;
        debug_assert!(rows <= stats.docs, "a term is in visible rows, once each");
        stats.doc_freq.insert(term.clone(), rows);
    }
    Ok(stats)
}

/// The best `k` rows, best first, equal scores by descending row; more than `k` when the last is tied.
/// Rows that score less than `at_least` are not wanted.
pub(super) fn top_k(
    source: &dyn TermSource,
    query: &TextQuery,
    stats: &TextStats,
    k: usize,
    at_least: f64,
    allowed: Option<&RoaringBitmap>,
    masked: Option<&RoaringBitmap>,
) -> Result<Vec<Scored>> {
    if k == 0 {
        return Ok(Vec::new());
    }
    if let TextQuery::Term(term) = query {
        let is_wanted = |row| {
            allowed.is_none_or(|allowed| allowed.contains(row))
                && masked.is_none_or(|masked| !masked.contains(row))
        };
        return best_of_term(source, term, stats, k, at_least, &is_wanted);
    }
    let mut matching = evaluate(source, query, allowed)?;
    if let Some(masked) = masked {
        matching -= masked;
    }
    if matching.is_empty() {
        return Ok(Vec::new());
    }
    let mut scored = score_rows(source, query, stats, &matching)?;
    scored.retain(|row| row.score >= at_least);
    keep_best(&mut scored, k);
    Ok(scored)
}

/// [`top_k`] of one term. Rows in which it is too rare to be among the best, were they as short as can
/// be, are passed without a look at their lengths.
fn best_of_term(
    source: &dyn TermSource,
    term: &TextTerm,
    stats: &TextStats,
    k: usize,
    mut at_least: f64,
    is_wanted: &dyn Fn(u32) -> bool,
) -> Result<Vec<Scored>> {
    let average = stats.average_length();
    let weight = stats.weight(term);
    let count_min = |score: f64| {
        if score < weight {
            score * norm(0, average) / (weight - score)
        } else {
            f64::MAX
        }
    };
    // A hair less, for rounding: what is passed by mistake is caught by its score.
    let mut too_rare = count_min(at_least) * 0.999;
    let mut scored: Vec<Scored> = Vec::new();
    let mut scored_max = k.saturating_mul(4).max(256);
    for found in source.all_occurrences(term)?.iter() {
        let count = f64::from(found.count);
        if count < too_rare {
            continue;
        }
        let score = weight * count / (count + norm(source.length(found.row), average));
        debug_assert!(score.is_finite(), "a score can be compared: {score}");
        if score >= at_least && is_wanted(found.row) {
            scored.push(Scored {
                row: found.row,
                score,
            });
        }
        if scored.len() > scored_max {
            keep_best(&mut scored, k);
            // Many may be tied with the last.
            scored_max = scored_max.max(scored.len() * 2);
            at_least = scored.last().map_or(at_least, |last| last.score);
            too_rare = count_min(at_least) * 0.999;
        }
    }
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
    let average = stats.average_length();
    let norms: Vec<f64> = scored
        .iter()
        .map(|row| norm(source.length(row.row), average))
        .collect();
    for term in query.positive_terms() {
        let weight = stats.weight(term);
        let occurrences = source.occurrences(term, Some(rows))?;
        let mut occurrences = occurrences.iter().peekable();
        for (slot, norm) in scored.iter_mut().zip(&norms) {
            if let Some(found) = occurrences.next_if(|found| found.row == slot.row) {
                let count = f64::from(found.count);
                slot.score += weight * count / (count + norm);
            }
        }
        debug_assert!(
            occurrences.next().is_none(),
            "occurrences lie within the rows asked, in order"
        );
    }
    debug_assert!(
        scored.iter().all(|row| row.score.is_finite()),
        "scores can be compared"
    );
    Ok(scored)
}

fn idf(docs: u64, doc_freq: u64) -> f64 {
    let doc_freq = doc_freq as f64;
    let without = (docs as f64 - doc_freq).max(0.0);
    (1.0 + (without + 0.5) / (doc_freq + 0.5)).ln()
}

fn norm(length: u32, average: f64) -> f64 {
    let relative = if average > 0.0 {
        f64::from(length) / average
    } else {
        1.0
    };
    K1 * (1.0 - B + B * relative)
}

fn keep_best(scored: &mut Vec<Scored>, k: usize) {
    let by_score = |a: &Scored, b: &Scored| b.score.total_cmp(&a.score).then(b.row.cmp(&a.row));
    if scored.len() > k {
        let (_, &mut last, _) = scored.select_nth_unstable_by(k - 1, by_score);
        scored.retain(|row| row.score >= last.score);
        assert!(scored.len() >= k, "what is tied with the last is kept");
    }
    scored.sort_unstable_by(by_score);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_kept_with_all_ties() {
        let row = |row, score| Scored { row, score };
        let mut scored = vec![
            row(0, 1.0),
            row(1, 3.0),
            row(2, 2.0),
            row(3, 2.0),
            row(4, 0.5),
        ];
        keep_best(&mut scored, 2);
        assert_eq!(scored, [row(1, 3.0), row(3, 2.0), row(2, 2.0)]);
    }
}
