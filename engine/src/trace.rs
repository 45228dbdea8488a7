//! One trace with everything below it.

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use tracehouse_storage::columns::{assessment_at, span_at, trace_at};
use tracehouse_storage::model::{Assessment, Span, TraceKey, TraceRow, normalize_trace_id};
use tracehouse_storage::schema::Table;
use tracehouse_storage::{RowRef, Snapshot};

use crate::error::{Error, Result};

/// A trace: its row, its spans in order of start, its assessments in order of creation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The row of the `traces` table.
    pub info: TraceRow,
    /// All spans, by (start, span id).
    pub spans: Vec<Span>,
    /// All assessments, overridden ones included.
    pub assessments: Vec<Assessment>,
}

impl Trace {
    /// The span whose inputs and outputs are the trace's.
    pub fn root(&self) -> Option<&Span> {
        let root = self.info.root_span_id.as_deref()?;
        self.spans.iter().find(|span| span.span_id == root)
    }
}

/// Reads a trace.
pub(crate) fn get_trace(snapshot: &Snapshot, trace_id: &str) -> Result<Trace> {
    let id = normalize_trace_id(trace_id);
    let key = TraceKey::of(&id);
    let row = snapshot
        .find_trace(key)?
        .ok_or_else(|| Error::not_found(format!("trace {trace_id} not found")))?;
    let info = trace_at(
        &snapshot.read_rows(Table::Traces, &[row], &Table::Traces.columns())?,
        0,
    )?;
    let span_count = u64::try_from(info.span_count).unwrap_or_default();
    let rows = snapshot.spans_of(key, row.source, span_count)?;
    let mut spans = read(snapshot, Table::Spans, &rows, span_at)?;
    spans.sort_by(|a, b| (a.start_time_ns, &a.span_id).cmp(&(b.start_time_ns, &b.span_id)));
    Ok(Trace {
        info,
        spans,
        assessments: assessments_of(snapshot, &id)?,
    })
}

/// The assessments of a trace, oldest first.
pub(crate) fn assessments_of(snapshot: &Snapshot, trace_id: &str) -> Result<Vec<Assessment>> {
    let key = TraceKey::of(&normalize_trace_id(trace_id));
    let rows = snapshot.refs_of(Table::Assessments, key)?;
    let mut assessments = read(snapshot, Table::Assessments, &rows, assessment_at)?;
    assessments.sort_by(|a, b| {
        (a.created_at_ns, &a.assessment_id).cmp(&(b.created_at_ns, &b.assessment_id))
    });
    Ok(assessments)
}

/// These rows, each made a `T`.
fn read<T>(
    snapshot: &Snapshot,
    table: Table,
    rows: &[RowRef],
    row_at: impl Fn(&RecordBatch, usize) -> tracehouse_storage::Result<T>,
) -> Result<Vec<T>> {
    let mut read = Vec::with_capacity(rows.len());
    snapshot.each_row(table, rows, &table.columns(), |batch, row| {
        read.push(row_at(batch, row)?);
        Ok(())
    })?;
    Ok(read)
}

/// The columns of `table` as SQL shows them, of one trace's rows.
pub(crate) fn public_rows(
    snapshot: &Snapshot,
    table: Table,
    trace_id: &str,
) -> Result<RecordBatch> {
    let key = TraceKey::of(&normalize_trace_id(trace_id));
    let schema = table.public_schema();
    let columns: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let refs = match table {
        Table::Traces => snapshot.find_trace(key)?.into_iter().collect(),
        _ => snapshot.refs_of(table, key)?,
    };
    Ok(snapshot.read_rows(table, &refs, &columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Database, NewAssessment, SpanBuilder};

    #[test]
    fn a_trace_is_written_and_read_by_serde() {
        let db = Database::in_memory().unwrap();
        let span = SpanBuilder::new("t", "s", "chat")
            .times_ns(1, Some(5))
            .attribute("gen_ai.request.model", "gpt-4o")
            .attribute("gen_ai.usage.input_tokens", 12)
            .attribute("gen_ai.usage.cost", 0.5)
            .attribute("input.value", "asked")
            .event(2, "e", [("k", 1.5)])
            .link("other", "o")
            .build()
            .unwrap();
        db.append(&[span]).unwrap();
        db.set_tag("t", "env", "prod").unwrap();
        db.assess(
            "t",
            NewAssessment::feedback("ok", "true").source("HUMAN", "ana"),
        )
        .unwrap();
        let trace = db.get_trace("t").unwrap();
        let text = serde_json::to_string(&trace).unwrap();
        assert_eq!(serde_json::from_str::<Trace>(&text).unwrap(), trace);
        assert!(
            text.contains(r#""request_time_ns":1"#) && text.contains(r#""model":"gpt-4o""#),
            "{text}"
        );
        // Fields that another version lacks are absent.
        let row: TraceRow = serde_json::from_str(r#"{"trace_id":"t","state":"OK"}"#).unwrap();
        assert_eq!((row.trace_id.as_str(), row.session_id), ("t", None));
    }
}
