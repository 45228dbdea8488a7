//! What is read of many traces at a time: figures, tool calls and documents, conversations.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{Array, Int64Array, StringViewArray};
use serde_json::Value;
use tracehouse_eval::{Item, ToolCall, Turn};
use tracehouse_query::messages::{self, Side};
use tracehouse_storage::columns::{floats, ints, text, text_at};
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::schema::Table;
use tracehouse_storage::{RowRef, Snapshot};

use crate::database::Database;
use crate::dataset::{Kind, Subject, said_by};
use crate::error::Result;
use crate::sessions::Session;

/// Figures of a trace or span.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub duration_ns: Option<u64>,
    pub total_tokens: Option<u64>,
    pub cost_usd: Option<f64>,
    /// Whether it is a span without a parent: what is expected of the trace is expected of it.
    pub is_root: bool,
}

/// What the spans of a trace did.
#[derive(Debug, Clone, Default)]
pub(super) struct SpanFacts {
    pub tool_calls: Vec<ToolCall>,
    pub documents: Vec<String>,
}

/// What a person reads of inputs.
pub(super) fn input_text(json: &str) -> String {
    messages::readable(json, Side::Input).into_owned()
}

/// What a person reads of outputs.
pub(super) fn output_text(json: &str) -> String {
    messages::readable(json, Side::Output).into_owned()
}

/// The figures of subjects, in their order.
pub(super) fn facts_of(
    snapshot: &Snapshot,
    kind: Kind,
    subjects: &[Subject],
) -> Result<Vec<Facts>> {
    let rows: Vec<RowRef> = subjects.iter().map(|subject| subject.row).collect();
    let table = match kind {
        Kind::Trace => Table::Traces,
        Kind::Span => Table::Spans,
    };
    let mut facts = facts_of_rows(snapshot, table, &rows)?;
    if kind == Kind::Span {
        let batch = snapshot.read_rows(table, &rows, &["parent_span_id"])?;
        let parents = text(&batch, "parent_span_id")?;
        for (row, facts) in facts.iter_mut().enumerate() {
            facts.is_root = text_at(parents, row).is_none();
        }
    }
    Ok(facts)
}

pub(super) fn facts_of_rows(
    snapshot: &Snapshot,
    table: Table,
    rows: &[RowRef],
) -> Result<Vec<Facts>> {
    let batch = snapshot.read_rows(table, rows, &["duration_ns", "total_tokens", "cost_usd"])?;
    let (durations, tokens) = (ints(&batch, "duration_ns")?, ints(&batch, "total_tokens")?);
    let costs = floats(&batch, "cost_usd")?;
    let count = |array: &Int64Array, row: usize| {
        array
            .is_valid(row)
            .then(|| u64::try_from(array.value(row)).ok())
            .flatten()
    };
    let facts = (0..batch.num_rows()).map(|row| Facts {
        duration_ns: count(durations, row),
        total_tokens: count(tokens, row),
        cost_usd: costs.is_valid(row).then(|| costs.value(row)),
        is_root: false,
    });
    Ok(facts.collect())
}

/// Tool calls and documents of the traces of subjects, by trace.
pub(super) fn spans_of(
    snapshot: &Snapshot,
    subjects: &[Subject],
) -> Result<HashMap<String, SpanFacts>> {
    let ids = subjects.iter().map(|subject| subject.trace_id.as_str());
    spans_of_traces(snapshot, ids)
}

fn spans_of_traces<'i>(
    snapshot: &Snapshot,
    trace_ids: impl Iterator<Item = &'i str>,
) -> Result<HashMap<String, SpanFacts>> {
    let mut rows = Vec::new();
    // Several spans, or records, may be of one trace.
    for id in trace_ids.collect::<BTreeSet<_>>() {
        rows.extend(snapshot.refs_of(Table::Spans, TraceKey::of(id))?);
    }
    let light = ["trace_id", "span_type", "tool_name", "name", "start_time"];
    let batch = snapshot.read_rows(Table::Spans, &rows, &light)?;
    let (traces, types) = (text(&batch, "trace_id")?, text(&batch, "span_type")?);
    let (tools, names) = (text(&batch, "tool_name")?, text(&batch, "name")?);
    let starts = tracehouse_storage::columns::times(&batch, "start_time")?;
    let mut wanted: Vec<usize> = (0..batch.num_rows())
        .filter(|row| matches!(text_at(types, *row), Some("TOOL" | "RETRIEVER")))
        .collect();
    wanted.sort_by_key(|row| starts.value(*row));
    let chosen: Vec<RowRef> = wanted
        .iter()
        .filter_map(|row| rows.get(*row).copied())
        .collect();
    let heavy = snapshot.read_rows(Table::Spans, &chosen, &["inputs", "outputs"])?;
    let (inputs, outputs) = (text(&heavy, "inputs")?, text(&heavy, "outputs")?);
    let mut found: HashMap<String, SpanFacts> = HashMap::new();
    for (at, row) in wanted.into_iter().enumerate() {
        let of_trace = found.entry(traces.value(row).to_string()).or_default();
        if text_at(types, row) == Some("TOOL") {
            let name = text_at(tools, row)
                .or(text_at(names, row))
                .unwrap_or_default();
            of_trace.tool_calls.push(ToolCall {
                name: name.to_string(),
                arguments: arguments(inputs, at),
            });
        } else if let Some(outputs) = text_at(outputs, at) {
            of_trace.documents.extend(documents(outputs));
        }
    }
    Ok(found)
}

/// What a tool was given, as JSON; a text that is none is a text.
fn arguments(inputs: &StringViewArray, row: usize) -> Value {
    match text_at(inputs, row) {
        Some(json) => serde_json::from_str(json).unwrap_or_else(|_| Value::from(json)),
        None => Value::Null,
    }
}

/// The texts of the documents that a retriever gave.
fn documents(outputs: &str) -> Vec<String> {
    let read = messages::read(outputs, Side::Retrieved).into_iter();
    let said = read.filter_map(|message| Some(message.content?.as_text().to_string()));
    said.filter(|text| !text.trim().is_empty()).collect()
}

/// Figures and, if wanted, spans of those of these traces that are there.
pub(super) fn traces_by_id(
    snapshot: &Snapshot,
    trace_ids: &[String],
    with_spans: bool,
) -> Result<HashMap<String, (Facts, Option<SpanFacts>)>> {
    let keys: Vec<TraceKey> = trace_ids.iter().map(|id| TraceKey::of(id)).collect();
    let places = snapshot.find_traces(&keys)?;
    let there: Vec<(&String, RowRef)> = trace_ids
        .iter()
        .zip(places)
        .filter_map(|(id, place)| Some((id, place?)))
        .collect();
    let rows: Vec<RowRef> = there.iter().map(|(_, row)| *row).collect();
    let facts = facts_of_rows(snapshot, Table::Traces, &rows)?;
    let spans = match with_spans {
        true => spans_of_traces(snapshot, there.iter().map(|(id, _)| id.as_str()))?,
        false => HashMap::new(),
    };
    let traces = there.into_iter().zip(facts).map(|((id, _), facts)| {
        let of_trace = with_spans.then(|| spans.get(id).cloned().unwrap_or_default());
        (id.clone(), (facts, of_trace))
    });
    Ok(traces.collect())
}

/// A session as one item, and its first trace: a turn of the user and one of the assistant for each trace.
pub(super) fn conversation(db: &Database, session: &Session) -> Result<(Option<String>, Item)> {
    let traces = db.session_traces(&session.session_id, Some(&session.experiment_ids))?;
    let snapshot = db.reading()?;
    let keys: Vec<TraceKey> = traces
        .iter()
        .map(|trace| TraceKey::of(&trace.trace_id))
        .collect();
    let places = snapshot.find_traces(&keys)?;
    let subjects: Vec<Subject> = traces
        .iter()
        .zip(places)
        .filter_map(|(trace, row)| {
            Some(Subject {
                row: row?,
                trace_id: trace.trace_id.clone(),
                span_id: None,
            })
        })
        .collect();
    let mut item = Item {
        total_tokens: session
            .total_tokens
            .and_then(|tokens| u64::try_from(tokens).ok()),
        cost_usd: session.cost_usd,
        ..Item::default()
    };
    for said in said_by(&snapshot, &subjects, Kind::Trace, true)? {
        for (role, text) in [("user", said.input_text), ("assistant", said.output_text)] {
            if let Some(text) = text {
                item.messages.push(Turn {
                    role: role.to_string(),
                    text,
                });
            }
        }
    }
    let spans = spans_of(&snapshot, &subjects)?;
    for subject in &subjects {
        if let Some(of_trace) = spans.get(&subject.trace_id) {
            item.tool_calls.extend(of_trace.tool_calls.iter().cloned());
            item.documents.extend(of_trace.documents.iter().cloned());
        }
    }
    let said_by = |role: &str| {
        let mut all = item.messages.iter().filter(|message| message.role == role);
        match role {
            "user" => all.next().map(|message| message.text.clone()),
            _ => all.next_back().map(|message| message.text.clone()),
        }
    };
    (item.input_text, item.output_text) = (said_by("user"), said_by("assistant"));
    let ends = traces.iter().filter_map(|trace| trace.end_time_ns).max();
    let starts = traces.iter().map(|trace| trace.request_time_ns).min();
    item.duration_ns = ends
        .zip(starts)
        .and_then(|(end, start)| u64::try_from(end - start).ok());
    item.inputs = item.input_text.clone().map(Value::from);
    item.outputs = item.output_text.clone().map(Value::from);
    let first = traces.first().map(|trace| trace.trace_id.clone());
    Ok((first, item))
}
