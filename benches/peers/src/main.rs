//! Tracehouse behind a JSON-lines protocol: one request a line on standard input, one answer a line
//! on standard output, so that a harness can measure it beside other databases through its public API.
//!
//! Operations: `load`, `append`, `get_trace`, `search`, `sql`, `text`, `dataset`, `set_tag`, `feedback`,
//! `delete`, `close`. An answer has `ok`; a failed one has `error`, and `unsupported` when the operation is not
//! known.

use std::fs::File;
use std::io::{BufRead, Write};
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};
use tracehouse::{Database, ImportOptions, NewAssessment, Search};

type Answer = Result<Value, Box<dyn std::error::Error>>;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Request {
    Load { otlp: String, assessments: String },
    Append { line: String },
    GetTrace { trace_id: String },
    Search { filter: String, order_by: Vec<String>, limit: usize, offset: usize },
    Sql { sql: String },
    Text { query: String, limit: usize },
    Dataset { filter: String, limit: usize },
    SetTag { trace_ids: Vec<String>, key: String, value: String },
    Feedback { rows: Vec<Vec<Value>> },
    Delete { trace_ids: Vec<String> },
    Close,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: tracehouse-peer DB")?;
    let db = Database::open(path)?;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let request = serde_json::from_str::<Request>(&line?);
        let closing = matches!(request, Ok(Request::Close));
        let answer = match request {
            Ok(request) => answer(&db, request),
            Err(error) => Ok(json!({"ok": false, "error": error.to_string(), "unsupported": true})),
        };
        let answer = answer.unwrap_or_else(|error| json!({"ok": false, "error": error.to_string()}));
        writeln!(out, "{answer}")?;
        out.flush()?;
        if closing {
            break;
        }
    }
    Ok(())
}

fn answer(db: &Database, request: Request) -> Answer {
    match request {
        Request::Load { otlp, assessments } => load(db, &otlp, &assessments),
        Request::Append { line } => {
            db.import_otlp(line.as_bytes(), &ImportOptions::default().strict(true))?;
            Ok(json!({"ok": true}))
        }
        Request::GetTrace { trace_id } => get_trace(db, &trace_id),
        Request::Search { filter, order_by, limit, offset } => {
            let mut search = Search::new(filter).order_by(order_by).limit(limit);
            search.offset = offset;
            let page = db.search_traces(&search)?;
            let traces: Vec<Value> = page.traces.iter().map(trace_info).collect();
            Ok(json!({"ok": true, "traces": traces}))
        }
        Request::Sql { sql } => {
            let mut rows = Vec::new();
            for batch in db.sql(&sql)? {
                rows.extend(json_rows(&batch)?);
            }
            Ok(json!({"ok": true, "rows": rows}))
        }
        Request::Text { query, limit } => {
            let hits = db.search_text(&query, limit)?;
            let hits: Vec<Value> = hits
                .iter()
                .map(|hit| json!({"trace_id": hit.trace_id, "score": hit.score, "snippet": hit.snippet}))
                .collect();
            Ok(json!({"ok": true, "hits": hits}))
        }
        Request::Dataset { filter, limit } => dataset(db, &filter, limit),
        Request::SetTag { trace_ids, key, value } => {
            db.set_tag_on(&trace_ids, &key, &value)?;
            Ok(json!({"ok": true}))
        }
        Request::Feedback { rows } => feedback(db, &rows),
        Request::Delete { trace_ids } => {
            db.delete_traces(&trace_ids)?;
            Ok(json!({"ok": true}))
        }
        Request::Close => {
            db.close()?;
            Ok(json!({"ok": true}))
        }
    }
}

/// Loads both files; durable, sealed and text-indexed when it answers.
fn load(db: &Database, otlp: &str, assessments: &str) -> Answer {
    let options = ImportOptions::default();
    let started = Instant::now();
    let traces = db.import(File::open(otlp)?, &options, &mut |_| {})?;
    let import_s = started.elapsed().as_secs_f64();
    let assessed = db.import_assessments(File::open(assessments)?, &options)?;
    let assess_s = started.elapsed().as_secs_f64() - import_s;
    db.seal()?;
    db.index_text()?;
    let seal_s = started.elapsed().as_secs_f64() - import_s - assess_s;
    let rejected = traces.rejected_count + assessed.rejected_count;
    let stages = json!({"import_s": import_s, "assess_s": assess_s, "seal_s": seal_s});
    Ok(json!({"ok": true, "stages": stages, "rejected": rejected}))
}

/// Builds a dataset of the newest traces that match, reads it back and deletes it, so that the next
/// request builds it again. Rows of trace id, inputs, outputs, expectations.
fn dataset(db: &Database, filter: &str, limit: usize) -> Answer {
    const NAME: &str = "peer";
    let dataset = db.create_dataset(NAME)?;
    let built = dataset.add_traces(&Search::new(filter).limit(limit)).and_then(|_| dataset.records(None));
    db.delete_dataset(NAME)?;
    let columns = ["source_trace_id", "inputs", "outputs", "expectations"];
    let records = built?;
    let columns: Result<Vec<usize>, _> =
        columns.iter().map(|name| records.schema_ref().index_of(name)).collect();
    Ok(json!({"ok": true, "rows": json_rows(&records.project(&columns?)?)?}))
}

fn trace_info(trace: &tracehouse::model::TraceRow) -> Value {
    json!({
        "trace_id": trace.trace_id, "name": trace.name, "state": trace.state,
        "request_time_ns": trace.request_time_ns, "duration_ns": trace.duration_ns,
        "session_id": trace.session_id, "user_id": trace.user_id, "span_count": trace.span_count,
        "input_tokens": trace.usage.input_tokens, "output_tokens": trace.usage.output_tokens,
        "cost_usd": trace.usage.cost_usd, "tags": trace.tags,
        "request_preview": trace.request_preview, "response_preview": trace.response_preview,
    })
}

fn get_trace(db: &Database, trace_id: &str) -> Answer {
    let trace = db.get_trace(trace_id)?;
    let mut info = trace_info(&trace.info);
    let spans = trace.spans.iter().map(|span| {
        json!({
            "span_id": span.span_id, "parent_span_id": span.parent_span_id, "name": span.name,
            "span_type": span.span_type, "status": span.status, "start_time_ns": span.start_time_ns,
            "end_time_ns": span.end_time_ns, "inputs": span.inputs, "outputs": span.outputs,
            "attributes": span.attributes,
        })
    });
    if let Some(info) = info.as_object_mut() {
        info.insert("spans".into(), spans.collect());
    }
    Ok(json!({"ok": true, "trace": info}))
}

/// Rows as arrays, in column order.
fn json_rows(batch: &arrow::array::RecordBatch) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let mut writer = arrow::json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow::json::writer::JsonArray>(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    let schema = batch.schema();
    let mut rows = Vec::with_capacity(batch.num_rows());
    for row in serde_json::from_slice::<Vec<serde_json::Map<String, Value>>>(&writer.into_inner())? {
        let values =
            schema.fields().iter().map(|field| row.get(field.name()).cloned().unwrap_or(Value::Null));
        rows.push(values.collect());
    }
    Ok(rows)
}

/// Rows of nine columns: id, trace, name, kind, value, source type, source id, rationale, time (ms).
fn feedback(db: &Database, rows: &[Vec<Value>]) -> Answer {
    let text = |row: &[Value], column: usize| {
        row.get(column).and_then(Value::as_str).unwrap_or_default().to_string()
    };
    let mut assessments = Vec::with_capacity(rows.len());
    for row in rows {
        let value = text(row, 4);
        let mut assessment = NewAssessment::feedback(text(row, 2), value).source(text(row, 5), text(row, 6));
        assessment.rationale = row.get(7).and_then(Value::as_str).map(str::to_string);
        assessments.push((text(row, 1), assessment));
    }
    db.assess_many(assessments)?;
    Ok(json!({"ok": true}))
}
