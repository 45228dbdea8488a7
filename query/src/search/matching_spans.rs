//! The spans that a filter holds for, read as [`SpanFilter`] has it: newest first, wherever they are.

use std::collections::HashSet;

use roaring::RoaringBitmap;
use tracehouse_storage::columns::times;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;
use tracehouse_storage::{Result, RowRef, Snapshot};

use super::explain::Recorder;
use super::spans::SpanLeaf;
use super::{Search, matching_rows};
use crate::filter::SpanFilter;
use crate::predicate::column::{row_numbers, text};
use crate::predicate::{Condition, Field, Predicate, SpanPredicate, Test, TextTest};

/// A span that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSpan {
    /// Where its row is.
    pub row: RowRef,
    /// Its trace.
    pub trace_id: String,
    /// The span.
    pub span_id: String,
    /// When it started, Unix nanoseconds.
    pub start_time_ns: i64,
}

/// All spans that the filter holds for, in the search's experiments, newest first; its order, limit, offset and token
/// do not matter.
///
/// # Errors
/// `InvalidInput` for a filter that is refused; what reading gives otherwise.
pub fn matching_spans(snapshot: &Snapshot, search: &Search) -> Result<Vec<FoundSpan>> {
    let snapshot = search.limited(snapshot);
    snapshot.interrupt().guarding(|| find(&snapshot, search))
}

fn find(snapshot: &Snapshot, search: &Search) -> Result<Vec<FoundSpan>> {
    let mut filter = SpanFilter::parse(&search.filter)?.with_datasets(&search.datasets);
    if let Some(experiments) = &search.experiments {
        let test = Test::Text(TextTest::one_of(experiments.clone(), false));
        let scope = SpanPredicate::Is(Condition {
            field: Field::Text("experiment_id"),
            test,
        });
        filter = SpanFilter::And(vec![SpanFilter::Span(scope), filter]);
    }
    let filter = Prepared::of(snapshot, &filter)?;
    let mut found = Vec::new();
    for source in 0..snapshot.source_count() {
        let rows = filter.among(snapshot, source, visible(snapshot, source)?)?;
        read(snapshot, source, rows, &mut found)?;
    }
    // Ids decide at last, not rows (QU-1).
    found.sort_unstable_by(|a, b| {
        let newest = b.start_time_ns.cmp(&a.start_time_ns);
        newest.then_with(|| (&a.trace_id, &a.span_id).cmp(&(&b.trace_id, &b.span_id)))
    });
    Ok(found)
}

/// A filter whose conditions on traces have been answered.
enum Prepared {
    Span(Box<SpanLeaf>),
    Traces(HashSet<TraceKey>),
    And(Vec<Prepared>),
    Or(Vec<Prepared>),
    Not(Box<Prepared>),
}

impl Prepared {
    fn of(snapshot: &Snapshot, filter: &SpanFilter) -> Result<Self> {
        let all = |operands: &[SpanFilter]| {
            operands
                .iter()
                .map(|operand| Self::of(snapshot, operand))
                .collect::<Result<Vec<_>>>()
        };
        Ok(match filter {
            SpanFilter::Span(condition) => Prepared::Span(Box::new(SpanLeaf::new(
                snapshot,
                condition,
                &Recorder::default(),
            ))),
            SpanFilter::Trace(predicate) => Prepared::Traces(traces_of(snapshot, predicate)?),
            SpanFilter::And(operands) => {
                let mut operands = all(operands)?;
                operands.sort_by_key(|operand| match operand {
                    Prepared::Span(leaf) if leaf.is_heavy() => 2,
                    Prepared::Span(_) => 0,
                    _ => 1,
                });
                Prepared::And(operands)
            }
            SpanFilter::Or(operands) => Prepared::Or(all(operands)?),
            SpanFilter::Not(operand) => Prepared::Not(Box::new(Self::of(snapshot, operand)?)),
        })
    }

    /// Those of the rows of a source for which it holds.
    fn among(
        &self,
        snapshot: &Snapshot,
        source: usize,
        rows: RoaringBitmap,
    ) -> Result<RoaringBitmap> {
        if rows.is_empty() {
            return Ok(rows);
        }
        match self {
            Prepared::Span(leaf) => leaf.satisfying(source, rows),
            Prepared::Traces(traces) => {
                let mut found = RoaringBitmap::new();
                let request = ScanRequest {
                    rows: Some(rows),
                    ..ScanRequest::columns(["_row", "trace_id"])
                };
                for batch in snapshot.scan(source, Table::Spans, &request)? {
                    let batch = batch?;
                    let rows = row_numbers(&batch)?
                        .iter()
                        .zip(text(&batch, "trace_id")?.iter());
                    let is_wanted =
                        |id: Option<&str>| id.is_some_and(|id| traces.contains(&TraceKey::of(id)));
                    found.extend(rows.filter(|(_, id)| is_wanted(*id)).map(|(row, _)| *row));
                }
                Ok(found)
            }
            Prepared::And(operands) => operands
                .iter()
                .try_fold(rows, |rows, operand| operand.among(snapshot, source, rows)),
            Prepared::Or(operands) => {
                let mut found = RoaringBitmap::new();
                for operand in operands {
                    found |= operand.among(snapshot, source, &rows - &found)?;
                }
                Ok(found)
            }
            Prepared::Not(operand) => Ok(&rows - operand.among(snapshot, source, rows.clone())?),
        }
    }
}

fn traces_of(snapshot: &Snapshot, predicate: &Predicate) -> Result<HashSet<TraceKey>> {
    let mut traces = HashSet::new();
    for (source, rows) in matching_rows(snapshot, predicate, None)? {
        let request = ScanRequest {
            rows: Some(rows),
            ..ScanRequest::columns(["trace_id"])
        };
        for batch in snapshot.scan(source, Table::Traces, &request)? {
            traces.extend(
                text(&batch?, "trace_id")?
                    .iter()
                    .flatten()
                    .map(TraceKey::of),
            );
        }
    }
    Ok(traces)
}

fn visible(snapshot: &Snapshot, source: usize) -> Result<RoaringBitmap> {
    let source = snapshot.source(source)?;
    let mut rows = RoaringBitmap::new();
    rows.insert_range(0..source.rows(Table::Spans));
    Ok(match source.mask(Table::Spans) {
        Some(mask) => rows - mask,
        None => rows,
    })
}

fn read(
    snapshot: &Snapshot,
    source: usize,
    rows: RoaringBitmap,
    found: &mut Vec<FoundSpan>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = ["_row", "trace_id", "span_id", "start_time"];
    let request = ScanRequest {
        rows: Some(rows),
        ..ScanRequest::columns(columns)
    };
    for batch in snapshot.scan(source, Table::Spans, &request)? {
        let batch = batch?;
        let (traces, spans) = (text(&batch, "trace_id")?, text(&batch, "span_id")?);
        let starts = times(&batch, "start_time")?;
        for (at, row) in row_numbers(&batch)?.iter().enumerate() {
            found.push(FoundSpan {
                row: RowRef { source, row: *row },
                trace_id: traces.value(at).to_string(),
                span_id: spans.value(at).to_string(),
                start_time_ns: starts.value(at),
            });
        }
    }
    Ok(())
}
