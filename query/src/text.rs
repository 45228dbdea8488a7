//! Ranked text search over a snapshot: statistics of all sources merged, the best rows of each, one
//! order, and snippets for the survivors only (QU-4).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Float64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use tracehouse_storage::columns::{text, text_at, times};
use tracehouse_storage::interrupt::CancelToken;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::schema::Table;
use tracehouse_storage::text::{
    SpanText, TEXT_COLUMNS, TextColumns, TextQuery, TextStats, snippet,
};
use tracehouse_storage::{Error, Result, RowRef, Snapshot};

use crate::filter;
use crate::predicate::Predicate;
use crate::search::{Search, limited, matching_rows};

/// Longest snippet, in characters.
const SNIPPET_CHARS_MAX: usize = 160;

/// One found span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextHit {
    /// Its trace.
    pub trace_id: String,
    /// The span.
    pub span_id: String,
    /// `inputs`, `outputs` or `other`: where the snippet is from.
    pub field: String,
    /// BM25 score over the whole database.
    pub score: f64,
    /// The best window of the text.
    pub snippet: String,
    /// Byte ranges of `snippet` that matched.
    pub highlights: Vec<std::ops::Range<usize>>,
    /// Start of the span, Unix nanoseconds.
    pub start_time_ns: i64,
}

/// What a text search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextHits {
    /// The spans, best first.
    pub hits: Vec<TextHit>,
    /// Visible spans that text indexes answered for.
    pub indexed_spans: u64,
    /// Visible spans that had to be read, being in memory or not indexed yet.
    pub scanned_spans: u64,
}

impl std::ops::Deref for TextHits {
    type Target = [TextHit];

    fn deref(&self) -> &[TextHit] {
        &self.hits
    }
}

impl IntoIterator for TextHits {
    type Item = TextHit;
    type IntoIter = std::vec::IntoIter<TextHit>;

    fn into_iter(self) -> Self::IntoIter {
        self.hits.into_iter()
    }
}

/// A text search.
#[derive(Debug, Clone, Default)]
pub struct TextSearch {
    /// The text query.
    pub query: String,
    /// Only spans of traces that match this filter and are of its experiments.
    pub filter: Option<Search>,
    /// Most hits.
    pub limit: usize,
    /// One hit a trace: its best span.
    pub by_trace: bool,
    /// Longest time it may take; `None` = the database's.
    pub timeout: Option<Duration>,
    /// Gives it up when cancelled.
    pub cancel: Option<CancelToken>,
}

struct Candidate {
    at: RowRef,
    score: f64,
    start_time_ns: i64,
    trace_id: String,
}

/// The best spans for a text query, best first, ties newest first.
///
/// # Errors
/// `InvalidInput` for a wrong query or filter; whatever reading the snapshot gives.
pub fn search_text(snapshot: &Snapshot, search: &TextSearch) -> Result<TextHits> {
    let snapshot = limited(snapshot, search.timeout, search.cancel.as_ref());
    snapshot
        .interrupt()
        .guarding(|| find_text(&snapshot, search))
}

fn find_text(snapshot: &Snapshot, search: &TextSearch) -> Result<TextHits> {
    let query = TextQuery::parse(&search.query)?;
    let allowed = match &search.filter {
        None => None,
        Some(search) => {
            let predicate = filter::parse(&search.filter)?.with_datasets(&search.datasets);
            let experiments = search.experiments.as_deref();
            match predicate {
                Predicate::Const(true) if experiments.is_none() => None,
                predicate => Some(spans_of(snapshot, &predicate, experiments)?),
            }
        }
    };
    let (mut stats, mut indexed_spans, mut scanned_spans) = (TextStats::default(), 0, 0);
    for index in 0..snapshot.source_count() {
        snapshot.interrupt().check()?;
        let (text, source) = (snapshot.text(index)?, snapshot.source(index)?);
        let covered = if text.is_indexed() {
            &mut indexed_spans
        } else {
            &mut scanned_spans
        };
        *covered += source.visible_rows(Table::Spans);
        stats.merge(&text.stats(&query, source.mask(Table::Spans))?);
    }
    let ranking = Ranking {
        snapshot,
        query: &query,
        stats,
        allowed,
    };
    let best = if search.by_trace {
        ranking.traces(search.limit)?
    } else {
        ranking.spans(search.limit)?.0
    };
    Ok(TextHits {
        hits: hits(snapshot, &query, best)?,
        indexed_spans,
        scanned_spans,
    })
}

/// A query over a snapshot, with the statistics of all of it.
struct Ranking<'a> {
    snapshot: &'a Snapshot,
    query: &'a TextQuery,
    stats: TextStats,
    /// By source.
    allowed: Option<Vec<RoaringBitmap>>,
}

impl Ranking<'_> {
    /// The best spans, and whether there are no others.
    fn spans(&self, limit: usize) -> Result<(Vec<Candidate>, bool)> {
        let mut found: Vec<(RowRef, f64)> = Vec::new();
        let mut at_least = f64::MIN;
        for index in 0..self.snapshot.source_count() {
            self.snapshot.interrupt().check()?;
            let masked = self.snapshot.source(index)?.mask(Table::Spans);
            let allowed = self.allowed.as_ref().and_then(|allowed| allowed.get(index));
            let text = self.snapshot.text(index)?;
            for scored in text.top_k(self.query, &self.stats, limit, at_least, allowed, masked)? {
                found.push((
                    RowRef {
                        source: index,
                        row: scored.row,
                    },
                    scored.score,
                ));
            }
            if limit > 0 && found.len() > limit {
                let (_, last, _) =
                    found.select_nth_unstable_by(limit - 1, |a, b| b.1.total_cmp(&a.1));
                at_least = last.1;
                found.retain(|(_, score)| *score >= at_least);
            }
        }
        let is_all = found.len() < limit;
        Ok((rank(self.snapshot, found, limit)?, is_all))
    }

    /// The best span of each of the best traces.
    fn traces(&self, limit: usize) -> Result<Vec<Candidate>> {
        let mut count = limit;
        loop {
            let (mut best, is_all) = self.spans(count)?;
            let mut seen = HashSet::new();
            best.retain(|span| seen.insert(span.trace_id.clone()));
            if is_all || best.len() >= limit {
                best.truncate(limit);
                return Ok(best);
            }
            // Several spans of a trace were among the best: look further down.
            count = count.saturating_mul(4);
        }
    }
}

/// The spans of matching traces, by source.
fn spans_of(
    snapshot: &Snapshot,
    predicate: &Predicate,
    experiments: Option<&[String]>,
) -> Result<Vec<RoaringBitmap>> {
    let mut spans = vec![RoaringBitmap::new(); snapshot.source_count()];
    for (source, rows) in matching_rows(snapshot, predicate, experiments)? {
        let refs: Vec<RowRef> = rows.iter().map(|row| RowRef { source, row }).collect();
        let batch = snapshot.read_rows(Table::Traces, &refs, &["trace_id"])?;
        for id in text(&batch, "trace_id")?.iter().flatten() {
            for (source, rows) in snapshot.rows_of(Table::Spans, TraceKey::of(id))? {
                if let Some(all) = spans.get_mut(source) {
                    *all |= rows;
                }
            }
        }
    }
    Ok(spans)
}

/// The best of all sources: by score, then newest first, then by id. Ids and not rows decide at last, as
/// the same spans may be anywhere (QU-1).
fn rank(snapshot: &Snapshot, found: Vec<(RowRef, f64)>, limit: usize) -> Result<Vec<Candidate>> {
    let refs: Vec<RowRef> = found.iter().map(|(at, _)| *at).collect();
    let batch = snapshot.read_rows(Table::Spans, &refs, &["start_time", "trace_id", "span_id"])?;
    let starts = times(&batch, "start_time")?;
    let (traces, spans) = (text(&batch, "trace_id")?, text(&batch, "span_id")?);
    let id = |row: usize| (text_at(traces, row), text_at(spans, row));
    let mut best: Vec<(usize, Candidate)> = found
        .into_iter()
        .zip(starts.values())
        .zip(traces.iter())
        .map(|(((at, score), start), trace)| Candidate {
            at,
            score,
            start_time_ns: *start,
            trace_id: trace.unwrap_or_default().to_string(),
        })
        .enumerate()
        .collect();
    best.sort_unstable_by(|(row_a, a), (row_b, b)| {
        let by_score = b.score.total_cmp(&a.score);
        by_score
            .then(b.start_time_ns.cmp(&a.start_time_ns))
            .then_with(|| id(*row_a).cmp(&id(*row_b)))
    });
    best.truncate(limit);
    Ok(best.into_iter().map(|(_, candidate)| candidate).collect())
}

fn hits(snapshot: &Snapshot, query: &TextQuery, best: Vec<Candidate>) -> Result<Vec<TextHit>> {
    let refs: Vec<RowRef> = best.iter().map(|candidate| candidate.at).collect();
    let mut columns = vec!["span_id"];
    columns.extend(TEXT_COLUMNS);
    let batch = snapshot.read_rows(Table::Spans, &refs, &columns)?;
    let texts = TextColumns::new(&batch)?;
    let spans = text(&batch, "span_id")?;
    let mut span_text = SpanText::default();
    let mut hits = Vec::with_capacity(best.len());
    for (row, candidate) in best.into_iter().enumerate() {
        texts.leaves(row, &mut span_text)?;
        let shown = snippet(&span_text, query, SNIPPET_CHARS_MAX);
        let (field, snippet, highlights) = match shown {
            Some(shown) => (shown.field.name().to_string(), shown.text, shown.highlights),
            None => ("other".to_string(), String::new(), Vec::new()),
        };
        hits.push(TextHit {
            trace_id: candidate.trace_id,
            span_id: text_at(spans, row).unwrap_or_default().to_string(),
            field,
            score: candidate.score,
            snippet,
            highlights,
            start_time_ns: candidate.start_time_ns,
        });
    }
    Ok(hits)
}

/// Columns of hits as a table, such as `search_text` of SQL: `trace_id, span_id, field, score, snippet`.
pub fn hits_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("trace_id", DataType::Utf8View, false),
        Field::new("span_id", DataType::Utf8View, false),
        Field::new("field", DataType::Utf8View, false),
        Field::new("score", DataType::Float64, false),
        Field::new("snippet", DataType::Utf8View, false),
    ]))
}

/// Hits as the rows of the SQL function `search_text`.
///
/// # Errors
/// `Internal` when the batch cannot be built.
pub fn hits_batch(hits: &[TextHit]) -> Result<RecordBatch> {
    let column = |get: fn(&TextHit) -> &str| {
        Arc::new(StringViewArray::from_iter_values(hits.iter().map(get)))
    };
    let columns: Vec<arrow::array::ArrayRef> = vec![
        column(|hit| &hit.trace_id),
        column(|hit| &hit.span_id),
        column(|hit| &hit.field),
        Arc::new(Float64Array::from_iter_values(
            hits.iter().map(|hit| hit.score),
        )),
        column(|hit| &hit.snippet),
    ];
    RecordBatch::try_new(hits_schema(), columns).map_err(Error::from)
}
