//! `get_trace`: a trace as a tree of spans, without what they were given and gave.
//!
//! Only small columns of spans are read. A span whose parent is not there stands at the top, and so does the first of
//! spans that are each other's parents.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use tracehouse::{Assessment, Database, SqlQuery, SqlValue, TraceRow};

use super::Call;
use super::find::{left_out, pairs, summary};
use crate::error::ApiError;
use crate::mcp::answer::{Draft, fit, go_on, untrusted};
use crate::mcp::json::{self as json_text, Fields, preview, put};
use crate::mcp::scope::no_trace;

/// Tags and metadata shown.
const PAIRS_MAX: usize = 20;
/// Assessments shown.
const ASSESSMENTS_MAX: usize = 20;

const OUTLINE: &str = "SELECT span_id, parent_span_id, name, span_type, status, status_message, start_time, duration_ns, model, \
    tool_name, input_tokens, output_tokens, cost_usd FROM spans WHERE trace_id = $trace_id ORDER BY start_time, span_id";

/// A span of an outline.
#[derive(Debug, Clone, Default, Deserialize)]
struct Line {
    span_id: String,
    parent_span_id: Option<String>,
    name: String,
    span_type: String,
    status: String,
    status_message: Option<String>,
    /// Unix nanoseconds.
    start_time: i64,
    duration_ns: Option<i64>,
    model: Option<String>,
    tool_name: Option<String>,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    cost_usd: Option<f64>,
}

pub(super) fn run(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    let arguments = &call.arguments;
    let row = find(db, call)?;
    let lines = outline(db, &row.trace_id)?;
    let mut tree = in_tree_order(&lines);
    if arguments.is("errors_only") {
        tree.retain(|(line, _)| line.status == "ERROR");
    }
    let offset = arguments.count("offset");
    let assessments = db.assessments(&[&row.trace_id])?;
    let all = tree.len().saturating_sub(offset);
    let shown = tree.get(offset..).unwrap_or_default();
    let fitted = fit(call.budget, |bytes| {
        let items = shown.iter();
        let items = items.map(|(line, depth)| line_in(line, *depth, row.request_time_ns, bytes));
        // What goes on repeats nothing.
        let fields = match offset {
            0 => head(&row, &assessments, bytes),
            _ => Fields::from_iter([("trace_id".to_string(), row.trace_id.as_str().into())]),
        };
        Draft {
            fields: untrusted(fields),
            list: Some(("spans", items.collect())),
            rest: Box::new(move |kept| go_on("spans", offset, kept, kept < all)),
        }
    })?;
    Ok(fitted.fields)
}

/// The row of the trace that a call names, when its caller sees it.
///
/// # Errors
/// 404 when there is none, or it is of an experiment that the caller does not see.
pub(super) fn find(db: &Database, call: &Call) -> Result<TraceRow, ApiError> {
    let trace_id = call.arguments.text("trace_id");
    let row = db
        .get_trace_info(trace_id)
        .map_err(|error| match error.kind() {
            tracehouse::ErrorKind::NotFound => no_trace(trace_id),
            _ => error.into(),
        })?;
    call.scope.check_trace(trace_id, &row.experiment_id)?;
    Ok(row)
}

fn outline(db: &Database, trace_id: &str) -> Result<Vec<Line>, ApiError> {
    let query = SqlQuery {
        statement: OUTLINE.into(),
        parameters: vec![("trace_id".into(), SqlValue::Text(trace_id.into()))],
        tables: Vec::new(),
    };
    let lines: tracehouse::Result<Vec<Line>> = db.sql_rows(query)?.collect();
    Ok(lines?)
}

/// The spans with their depths, each behind its parent, those of one parent in order of start.
fn in_tree_order(lines: &[Line]) -> Vec<(&Line, usize)> {
    let places: HashMap<&str, usize> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| (line.span_id.as_str(), at))
        .collect();
    let parent_of = |line: &Line| places.get(line.parent_span_id.as_deref()?).copied();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut tops = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        match parent_of(line) {
            Some(parent) => children.entry(parent).or_default().push(at),
            None => tops.push(at),
        }
    }
    let mut tree = Vec::with_capacity(lines.len());
    let mut is_placed = vec![false; lines.len()];
    // Behind the tops all others: those that no top leads to are in circles.
    for top in tops.into_iter().chain(0..lines.len()) {
        let mut waiting = vec![(top, 0)];
        while let Some((at, depth)) = waiting.pop() {
            let (Some(line), Some(placed)) = (lines.get(at), is_placed.get_mut(at)) else {
                continue;
            };
            if std::mem::replace(placed, true) {
                continue;
            }
            tree.push((line, depth));
            let below = children.get(&at).into_iter().flatten().rev();
            waiting.extend(below.map(|child| (*child, depth + 1)));
        }
    }
    tree
}

fn line_in(line: &Line, depth: usize, trace_start_ns: i64, bytes: usize) -> Value {
    let mut fields = Fields::new();
    let shown = |text: &Option<String>| text.as_deref().map(|text| preview(text, bytes));
    fields.insert("span_id".into(), line.span_id.as_str().into());
    fields.insert("depth".into(), depth.into());
    put(&mut fields, "parent_span_id", line.parent_span_id.clone());
    fields.insert("name".into(), preview(&line.name, bytes));
    fields.insert("type".into(), preview(&line.span_type, bytes));
    fields.insert("status".into(), preview(&line.status, bytes));
    put(&mut fields, "status_message", shown(&line.status_message));
    let start_ns = line.start_time.saturating_sub(trace_start_ns);
    fields.insert("start_ms".into(), json_text::milliseconds(start_ns));
    let duration = line.duration_ns.map(json_text::milliseconds);
    put(&mut fields, "duration_ms", duration);
    put(&mut fields, "model", shown(&line.model));
    put(&mut fields, "tool", shown(&line.tool_name));
    put(&mut fields, "input_tokens", line.input_tokens);
    put(&mut fields, "output_tokens", line.output_tokens);
    put(&mut fields, "cost_usd", line.cost_usd);
    Value::Object(fields)
}

/// What the trace is.
fn head(row: &TraceRow, assessments: &[Assessment], bytes: usize) -> Fields {
    let mut fields = summary(row, bytes);
    pairs(&mut fields, "tags", row.tags.iter(), PAIRS_MAX, bytes);
    pairs(
        &mut fields,
        "metadata",
        row.metadata.iter(),
        PAIRS_MAX,
        bytes,
    );
    let shown = assessments.iter().rev().take(ASSESSMENTS_MAX);
    let shown: Vec<Value> = shown.map(|one| assessment_in(one, bytes)).collect();
    left_out(&mut fields, "assessments", assessments.len() - shown.len());
    fields.insert("assessments".into(), shown.into());
    fields
}

/// An assessment; the newest come first.
fn assessment_in(one: &Assessment, bytes: usize) -> Value {
    let mut fields = Fields::new();
    let shown = |text: &Option<String>| text.as_deref().map(|text| preview(text, bytes));
    fields.insert("name".into(), preview(&one.name, bytes));
    fields.insert("type".into(), one.kind.as_str().into());
    let value = serde_json::from_str(&one.value).unwrap_or_else(|_| one.value.as_str().into());
    fields.insert("value".into(), json_text::cell(value, bytes));
    fields.insert("source_type".into(), preview(&one.source_type, bytes));
    put(&mut fields, "source_id", shown(&one.source_id));
    put(&mut fields, "span_id", shown(&one.span_id));
    put(&mut fields, "rationale", shown(&one.rationale));
    put(&mut fields, "error_message", shown(&one.error_message));
    fields.insert("valid".into(), one.valid.into());
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, parent: Option<&str>) -> Line {
        Line {
            span_id: id.into(),
            parent_span_id: parent.map(Into::into),
            ..Line::default()
        }
    }

    #[test]
    fn every_span_stands_once_and_behind_its_parent() {
        let lines = [
            line("late child", Some("root")),
            line("root", None),
            line("a", Some("root")),
            line("b", Some("a")),
            line("lost", Some("nobody")),
            line("x", Some("y")),
            line("y", Some("x")),
            line("self", Some("self")),
        ];
        let tree = in_tree_order(&lines);
        let tree: Vec<(&str, usize)> = tree.iter().map(|(l, d)| (l.span_id.as_str(), *d)).collect();
        let expected = [
            ("root", 0),
            ("late child", 1),
            ("a", 1),
            ("b", 2),
            ("lost", 0),
            ("x", 0),
            ("y", 1),
            ("self", 0),
        ];
        assert_eq!(tree, expected);
    }

    #[test]
    fn a_chain_of_many_spans_needs_no_stack() {
        let lines: Vec<Line> = (0..100_000_u32)
            .map(|at| {
                line(
                    &at.to_string(),
                    at.checked_sub(1).map(|p| p.to_string()).as_deref(),
                )
            })
            .collect();
        assert_eq!(in_tree_order(&lines).last().unwrap().1, 99_999);
    }
}
