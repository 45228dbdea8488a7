//! Tracehouse behind a JSON-lines protocol: one request a line on standard input, one answer a line
//! on standard output, so that a harness can measure it beside other databases through its public API.
//!
//! Operations: `load`, `append`, `get_trace`, `search`, `sql`, `text`, `dataset`, `set_tag`, `feedback`,
//! `delete`, `close`. An answer has `ok`; a failed one has `error`, and `unsupported` when the operation is not
//! known. A found trace has the columns that the harness asks of every database, no more.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::json::writer::{EncoderOptions, make_encoder};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use tracehouse::model::TraceRow;
use tracehouse::{Database, ImportOptions, NewAssessment, OpenOptions, Search, Settings, Trace};

/// Gives memory back to the system: an import's threads free what others allocated.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nanoseconds of a millisecond.
const MS_NS: i64 = 1_000_000;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Request {
    Load {
        otlp: String,
        assessments: String,
    },
    Append {
        line: String,
    },
    GetTrace {
        trace_id: String,
    },
    Search {
        filter: String,
        order_by: Vec<String>,
        limit: usize,
        offset: usize,
    },
    Sql {
        sql: String,
    },
    Text {
        query: String,
        limit: usize,
    },
    Dataset {
        filter: String,
        limit: usize,
    },
    SetTag {
        trace_ids: Vec<String>,
        key: String,
        value: String,
    },
    Feedback {
        rows: Vec<Vec<Value>>,
    },
    Delete {
        trace_ids: Vec<String>,
    },
    Close,
}

#[derive(Debug, Serialize)]
struct Stages {
    import_s: f64,
    assess_s: f64,
    seal_s: f64,
    rejected: u64,
}

#[derive(Debug, Serialize)]
struct Hit {
    trace_id: String,
    score: f64,
    snippet: String,
}

/// A trace as a search answers it.
#[derive(Debug)]
struct Found(Arc<TraceRow>);

impl Serialize for Found {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let trace = self.0.as_ref();
        let mut fields = serializer.serialize_struct("Found", 10)?;
        fields.serialize_field("trace_id", &trace.trace_id)?;
        fields.serialize_field("start_ms", &trace.request_time_ns.div_euclid(MS_NS))?;
        fields.serialize_field(
            "exec_ms",
            &trace.duration_ns.map(|duration| duration / MS_NS),
        )?;
        fields.serialize_field("status", &trace.state)?;
        fields.serialize_field("name", &trace.name)?;
        fields.serialize_field("user", &trace.user_id)?;
        fields.serialize_field("session", &trace.session_id)?;
        fields.serialize_field("request", &trace.request_preview)?;
        fields.serialize_field("response", &trace.response_preview)?;
        fields.serialize_field("tags", &trace.tags)?;
        fields.end()
    }
}

#[derive(Debug, Serialize)]
struct Info {
    trace_id: String,
    name: Option<String>,
    state: String,
    request_time_ns: i64,
    duration_ns: Option<i64>,
    session_id: Option<String>,
    user_id: Option<String>,
    span_count: i64,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    cost_usd: Option<f64>,
    tags: BTreeMap<String, String>,
    request_preview: Option<String>,
    response_preview: Option<String>,
}

#[derive(Debug, Serialize)]
struct TraceWithSpans {
    #[serde(flatten)]
    info: Info,
    spans: Vec<SpanOfTrace>,
}

#[derive(Debug, Serialize)]
struct SpanOfTrace {
    span_id: String,
    parent_span_id: Option<String>,
    name: String,
    span_type: String,
    status: String,
    start_time_ns: i64,
    end_time_ns: Option<i64>,
    inputs: Option<String>,
    outputs: Option<String>,
    attributes: String,
}

/// What an operation gives, besides `ok`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Stages(Stages),
    Trace(Box<TraceWithSpans>),
    Traces(Vec<Found>),
    /// As JSON text.
    #[serde(skip)]
    Rows(Vec<u8>),
    Hits(Vec<Hit>),
    /// Nothing.
    Done(bool),
}

#[derive(Debug, Serialize)]
struct Reply {
    ok: bool,
    #[serde(flatten)]
    answer: Option<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unsupported: bool,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .ok_or("usage: tracehouse-peer DB [MEMORY_BYTES]")?;
    let settings = match arguments.next() {
        Some(bytes) => Settings::default().memory(bytes.parse()?),
        None => Settings::default(),
    };
    let db = OpenOptions::new().settings(settings).open(path)?;
    let mut out = std::io::stdout().lock();
    let mut bytes = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let request = serde_json::from_str::<Request>(&line?);
        let closing = matches!(request, Ok(Request::Close));
        let unsupported = request.is_err();
        let answer = request
            .map_err(Into::into)
            .and_then(|request| answer(&db, request));
        let error = answer.as_ref().err().map(ToString::to_string);
        bytes.clear();
        match answer {
            Ok(Answer::Rows(rows)) => {
                bytes.extend_from_slice(b"{\"ok\":true,\"rows\":");
                bytes.extend_from_slice(&rows);
                bytes.push(b'}');
            }
            answer => {
                let reply = Reply {
                    ok: error.is_none(),
                    answer: answer.ok(),
                    error,
                    unsupported,
                };
                serde_json::to_writer(&mut bytes, &reply)?;
            }
        }
        bytes.push(b'\n');
        out.write_all(&bytes)?;
        out.flush()?;
        if closing {
            break;
        }
    }
    Ok(())
}

fn answer(db: &Database, request: Request) -> Result<Answer> {
    Ok(match request {
        Request::Load { otlp, assessments } => Answer::Stages(load(db, &otlp, &assessments)?),
        Request::Append { line } => {
            db.import_otlp(line.as_bytes(), &ImportOptions::default().strict(true))?;
            Answer::Done(true)
        }
        Request::GetTrace { trace_id } => {
            Answer::Trace(Box::new(trace_with_spans(db.get_trace(&trace_id)?)))
        }
        Request::Search {
            filter,
            order_by,
            limit,
            offset,
        } => {
            let mut search = Search::new(filter).order_by(order_by).limit(limit);
            search.offset = offset;
            Answer::Traces(
                db.search_shared(&search)?
                    .traces
                    .into_iter()
                    .map(Found)
                    .collect(),
            )
        }
        Request::Sql { sql } => Answer::Rows(json_rows(&db.sql(&sql)?)?),
        Request::Text { query, limit } => {
            let hits = db.search_text(&query, limit)?.into_iter();
            Answer::Hits(
                hits.map(|hit| Hit {
                    trace_id: hit.trace_id,
                    score: hit.score,
                    snippet: hit.snippet,
                })
                .collect(),
            )
        }
        Request::Dataset { filter, limit } => Answer::Rows(dataset(db, &filter, limit)?),
        Request::SetTag {
            trace_ids,
            key,
            value,
        } => {
            db.set_tag_on(&trace_ids, &key, &value)?;
            Answer::Done(true)
        }
        Request::Feedback { rows } => {
            feedback(db, &rows)?;
            Answer::Done(true)
        }
        Request::Delete { trace_ids } => {
            db.delete_traces(&trace_ids)?;
            Answer::Done(true)
        }
        Request::Close => {
            db.close()?;
            Answer::Done(true)
        }
    })
}

/// Loads both files; durable, sealed and text-indexed when it answers.
fn load(db: &Database, otlp: &str, assessments: &str) -> Result<Stages> {
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
    Ok(Stages {
        import_s,
        assess_s,
        seal_s,
        rejected,
    })
}

/// Builds a dataset of the newest `limit` traces that match, reads it back and deletes it, so that the next
/// request builds it again. Rows of trace id, inputs, outputs, expectations. The limit of a dataset is one of records,
/// which are fewer than traces where inputs repeat: the traces are named.
fn dataset(db: &Database, filter: &str, limit: usize) -> Result<Vec<u8>> {
    const NAME: &str = "peer";
    let dataset = db.create_dataset(NAME)?;
    let newest = db.search_traces(&Search::new(filter).limit(limit))?;
    let ids: Vec<String> = newest
        .traces
        .iter()
        .map(|trace| format!("'{}'", trace.trace_id))
        .collect();
    let named = match ids.is_empty() {
        true => Search::new(filter),
        false => Search::new(format!("trace_id IN ({})", ids.join(", "))),
    };
    let built = dataset
        .add_traces(&named)
        .and_then(|_| dataset.records(None));
    db.delete_dataset(NAME)?;
    let columns = ["source_trace_id", "inputs", "outputs", "expectations"];
    let records = built?;
    let columns: std::result::Result<Vec<usize>, _> = columns
        .iter()
        .map(|name| records.schema_ref().index_of(name))
        .collect();
    json_rows(&[records.project(&columns?)?])
}

fn info(trace: TraceRow) -> Info {
    Info {
        trace_id: trace.trace_id,
        name: trace.name,
        state: trace.state,
        request_time_ns: trace.request_time_ns,
        duration_ns: trace.duration_ns,
        session_id: trace.session_id,
        user_id: trace.user_id,
        span_count: trace.span_count,
        input_tokens: trace.usage.input_tokens,
        output_tokens: trace.usage.output_tokens,
        cost_usd: trace.usage.cost_usd,
        tags: trace.tags,
        request_preview: trace.request_preview,
        response_preview: trace.response_preview,
    }
}

fn trace_with_spans(trace: Trace) -> TraceWithSpans {
    let spans = trace.spans.into_iter().map(|span| SpanOfTrace {
        span_id: span.span_id,
        parent_span_id: span.parent_span_id,
        name: span.name,
        span_type: span.span_type,
        status: span.status,
        start_time_ns: span.start_time_ns,
        end_time_ns: span.end_time_ns,
        inputs: span.inputs,
        outputs: span.outputs,
        attributes: span.attributes,
    });
    TraceWithSpans {
        info: info(trace.info),
        spans: spans.collect(),
    }
}

/// Appends rows as JSON arrays, in column order.
fn write_rows(batch: &RecordBatch, json: &mut Vec<u8>) -> Result<()> {
    let options = EncoderOptions::default();
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let mut encoders: Vec<_> = columns
        .map(|(field, column)| make_encoder(field, column.as_ref(), &options))
        .collect::<std::result::Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        json.extend_from_slice(if json.len() > 1 { b",[" } else { b"[" });
        for (at, encoder) in encoders.iter_mut().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            match encoder.is_null(row) {
                true => json.extend_from_slice(b"null"),
                false => encoder.encode(row, json),
            }
        }
        json.push(b']');
    }
    Ok(())
}

/// Rows of all batches as one JSON array.
fn json_rows(batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let mut json = b"[".to_vec();
    batches
        .iter()
        .try_for_each(|batch| write_rows(batch, &mut json))?;
    json.push(b']');
    Ok(json)
}

/// Rows of nine columns: id, trace, name, kind, value, source type, source id, rationale, time (ms).
fn feedback(db: &Database, rows: &[Vec<Value>]) -> Result<()> {
    let text = |row: &[Value], column: usize| {
        row.get(column)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_string()
    };
    let mut assessments = Vec::with_capacity(rows.len());
    for row in rows {
        let value = text(row, 4);
        let mut assessment =
            NewAssessment::feedback(text(row, 2), value).source(text(row, 5), text(row, 6));
        assessment.rationale = row.get(7).and_then(Value::as_str).map(str::to_string);
        assessments.push((text(row, 1), assessment));
    }
    db.assess_many(assessments)?;
    Ok(())
}
