//! SQL over a small snapshot of two memtables, and over a store that is sealed step by step.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Value, json};
use tracehouse_storage::MemView;
use tracehouse_storage::columns::spans_batch;
use tracehouse_storage::env::MemEnv;
use tracehouse_storage::model::{Event, Span, TraceHint};
use tracehouse_storage::schema::Table;
use tracehouse_storage::{Rows, Snapshot, Source, Store, StoreOptions};

mod deep;
mod operators;

use super::*;
use crate::error::{ErrorKind, QueryError};
use crate::runtime::{QueryRuntime, SqlSettings};

mod analysts;
mod columns;
mod json;
mod late_columns;
mod limits;
mod order_keys;
mod planner;
mod scans;
mod streams;
mod subqueries;
mod views;

const TIME: i64 = 1_700_000_000_000_000_000;

fn batch(table: Table, rows: Vec<Value>) -> RecordBatch {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let mut reader = arrow::json::ReaderBuilder::new(table.schema())
        .with_batch_size(1 << 20)
        .build(Cursor::new(text))
        .unwrap();
    reader.next().unwrap().unwrap()
}

fn time(offset: i64) -> Value {
    json!(format!("{}", chrono_text(TIME + offset)))
}

/// RFC 3339 of whole seconds after [`TIME`] (2023-11-14T22:13:20Z).
fn chrono_text(ns: i64) -> String {
    let seconds = (ns - TIME) / 1_000_000_000 + 20;
    format!(
        "2023-11-14T22:13:{seconds:02}.{:09}Z",
        (ns - TIME) % 1_000_000_000
    )
}

fn span(trace: u32, span: u32, extra: Value) -> Value {
    let mut row = json!({
        "trace_id": format!("{trace:032x}"), "span_id": format!("{span:016x}"), "experiment_id": "0",
        "name": format!("step {span}"), "span_type": "LLM", "kind": "INTERNAL", "status": "OK",
        "start_time": time(i64::from(span) * 1_000_000_000), "duration_ns": i64::from(span) * 1000,
        "attributes": json!({"gen_ai.request.model": "gpt-4o", "n": span, "nested": {"a": [1, 2]}}).to_string(),
        "resource": "{}", "_content_hash": span,
    });
    for (key, value) in extra.as_object().unwrap() {
        row[key] = value.clone();
    }
    row
}

fn trace(trace: u32, extra: Value) -> Value {
    let mut row = json!({
        "trace_id": format!("{trace:032x}"), "experiment_id": "0", "name": "chat", "state": "OK",
        "request_time": time(i64::from(trace) * 1_000_000_000), "span_count": 1, "error_span_count": 0,
        "total_tokens": 10 * trace, "cost_usd": 0.5,
    });
    for (key, value) in extra.as_object().unwrap() {
        row[key] = value.clone();
    }
    row
}

fn snapshot() -> Snapshot {
    let spans = vec![
        span(
            1,
            1,
            json!({"inputs": r#"{"messages":[{"role":"user","content":"refund please"}]}"#, "outputs": "\"done\""}),
        ),
        span(
            1,
            2,
            json!({"status": "ERROR", "session_id": "s1", "status_message": "boom",
            "events": [{"time": time(0), "name": "exception", "attributes": "{}"}]}),
        ),
    ];
    let traces = vec![
        trace(
            1,
            json!({"session_id": "s1", "user_id": "u1", "tags": {"env": "prod", "team": "a"},
            "_root_span_id": format!("{:016x}", 1)}),
        ),
        trace(
            2,
            json!({"session_id": "s1", "state": "ERROR", "metadata": {"k": "v"}, "models": ["m1", "m2"]}),
        ),
    ];
    let assessments = vec![
        json!({"assessment_id": "a1", "trace_id": format!("{:032x}", 1), "name": "ok",
        "type": "feedback", "value": "true", "source_type": "HUMAN", "valid": true,
        "created_at": time(0), "updated_at": time(0)}),
    ];
    let first = source(1, [spans, traces, assessments]);
    let spans = (3..=9).map(|id| span(2 + id % 2, id, json!({}))).collect();
    let second = source(
        2,
        [
            spans,
            vec![trace(3, json!({"tags": {"env": "dev"}}))],
            Vec::new(),
        ],
    );
    Snapshot::new(1, vec![first, second], Vec::new())
}

fn source(generation: u64, rows: [Vec<Value>; 3]) -> Source {
    let mut view = MemView::new(generation);
    for (table, rows) in Table::ALL.into_iter().zip(rows) {
        if !rows.is_empty() {
            view.log_mut(table).append(batch(table, rows)).unwrap();
        }
    }
    Source::new(Rows::Memtable(view), [None, None, None])
}

/// Units that the scan of a statement reads.
fn units(context: &SqlContext, statement: &str) -> usize {
    let plan = rows(context, &format!("EXPLAIN {statement}")).join("\n");
    let counts = plan.split("units=").skip(1).map(|rest| {
        rest.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse::<usize>()
            .unwrap()
    });
    counts.sum()
}

fn context_with(settings: SqlSettings) -> SqlContext {
    let mut context = SqlContext::new(Arc::new(QueryRuntime::new(settings).unwrap()), snapshot());
    let hits = run_sql(&context, "SELECT trace_id, span_id, 'inputs' AS field, 1.5 AS score, name AS snippet FROM spans ORDER BY span_id")
        .unwrap()
        .1
        .remove(0);
    context.text_search = Some(Arc::new(move |query: &str, limit: usize| match query {
        "((" => Err(QueryError::invalid_input("unclosed parenthesis in '(('")),
        _ => Ok(hits.slice(0, limit.min(hits.num_rows()))),
    }));
    context.tables.settings = Some(
        run_sql(&context, "SELECT 'memory' AS name, '1' AS value")
            .unwrap()
            .1
            .remove(0),
    );
    context.tables.segments = context.tables.settings.clone();
    let datasets = context.tables.settings.clone().unwrap();
    context.tables.catalogue = vec![("datasets", datasets.into())];
    context
}

fn context() -> SqlContext {
    context_with(SqlSettings {
        target_partitions: 2,
        ..SqlSettings::default()
    })
}

/// Rows as texts, `|` between columns.
fn rows(context: &SqlContext, statement: &str) -> Vec<String> {
    match run_sql(context, statement) {
        Ok((_, batches)) => texts(batches),
        Err(error) => panic!("{statement}: {error}"),
    }
}

fn texts(batches: Vec<RecordBatch>) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let values: Vec<String> = columns
                .iter()
                .map(|column| column.value(row).to_string())
                .collect();
            rows.push(values.join("|"));
        }
    }
    rows
}

fn failure(context: &SqlContext, statement: &str) -> QueryError {
    match run_sql(context, statement) {
        Ok((_, batches)) => panic!("{statement}: {batches:?}"),
        Err(error) => error,
    }
}

#[test]
fn messages_are_of_the_attributes_that_tell_more() {
    let statement = r#"SELECT m['direction'], m['role'], m['content'] FROM (SELECT unnest(chat_messages('tides?', 'assistant: None',
        'LLM', '{"gen_ai.system_instructions":"be brief","gen_ai.output.messages":[{"role":"assistant","parts":[
        {"type":"text","content":"at nine"}]}]}')) AS m)"#;
    assert_eq!(
        rows(&context(), statement),
        [
            "input|system|be brief",
            "input|user|tides?",
            "output|assistant|at nine"
        ]
    );
}

#[test]
fn views_unfold_their_tables() {
    let context = context();
    assert_eq!(
        rows(
            &context,
            "SELECT direction, index, role, content FROM messages ORDER BY 1"
        ),
        ["input|0|user|refund please", "output|0|assistant|done"]
    );
    assert_eq!(
        rows(&context, "SELECT span_id, name, attributes FROM events"),
        ["0000000000000002|exception|{}"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT key, value FROM tags ORDER BY trace_id, key"
        ),
        ["env|prod", "team|a", "env|dev"]
    );
    assert_eq!(rows(&context, "SELECT key, value FROM metadata"), ["k|v"]);
    assert_eq!(
        rows(
            &context,
            "SELECT session_id, experiment_id, user_id, trace_count, error_count, total_tokens, cost_usd FROM sessions"
        ),
        ["s1|0|u1|2|1|30|1.0"]
    );
    assert_eq!(rows(&context, "SELECT name FROM datasets"), ["memory"]);
    let described = rows(&context, "DESCRIBE sessions");
    assert_eq!(described.len(), 9, "{described:?}");
    assert_eq!(rows(&context, "DESCRIBE messages").len(), 6);
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'messages'";
    assert_eq!(rows(&context, columns), ["6"]);
}

#[test]
fn text_queries_stand_in_any_condition() {
    let context = context();
    assert_eq!(
        rows(
            &context,
            "SELECT span_id FROM spans WHERE matches(text, 'refund')"
        ),
        ["0000000000000001"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT span_id FROM spans WHERE matches(text, 'boom') OR name = 'step 5' ORDER BY 1"
        ),
        ["0000000000000002", "0000000000000005"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM spans s WHERE NOT matches(s.inputs, 'refund')"
        ),
        ["8"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT matches(outputs, 'done') FROM spans ORDER BY span_id LIMIT 2"
        ),
        ["true", "false"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT t.state FROM spans s JOIN traces t USING (trace_id) WHERE matches(s.text, 'refund')"
        ),
        ["OK"]
    );
    assert!(
        failure(&context, "SELECT * FROM spans WHERE matches(name, 'x')")
            .message()
            .contains("inputs, outputs or text")
    );
    assert_eq!(
        rows(&context, "SELECT span_id, score FROM search_text('x', 2)"),
        ["0000000000000001|1.5", "0000000000000002|1.5"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM search_text('x') h JOIN spans s ON h.span_id = s.span_id"
        ),
        ["9"]
    );
    assert_eq!(
        failure(&context, "SELECT * FROM search_text('((', 2)").message(),
        "unclosed parenthesis in '(('"
    );
    assert!(
        failure(&context, "SELECT * FROM search_text(name, 2)")
            .message()
            .contains("search_text()")
    );
    assert_eq!(rows(&context, "SELECT * FROM settings()"), ["memory|1"]);
    assert_eq!(rows(&context, "SELECT count(*) FROM segments()"), ["1"]);
}

#[test]
fn parameters_are_bound_by_name_and_number() {
    let context = context();
    let query = |statement: &str, parameters: Vec<(&str, SqlValue)>| SqlQuery {
        statement: statement.to_string(),
        parameters: parameters
            .into_iter()
            .map(|(name, value)| (name.to_string(), value))
            .collect(),
        tables: Vec::new(),
    };
    let count = |query: SqlQuery| {
        let (_, batches) = run_sql(&context, query).unwrap();
        batches[0]
            .column(0)
            .as_primitive::<arrow::datatypes::Int64Type>()
            .value(0)
    };
    let text = |text: &str| SqlValue::Text(text.to_string());
    assert_eq!(
        count(query(
            "SELECT count(*) FROM spans WHERE status = $status",
            vec![("status", text("ERROR"))]
        )),
        1
    );
    assert_eq!(
        count(query(
            "SELECT count(*) FROM spans WHERE duration_ns > $1",
            vec![("1", SqlValue::Int(5000))]
        )),
        4
    );
    assert_eq!(
        count(query(
            "SELECT count(*) FROM spans WHERE start_time > $t",
            vec![("t", SqlValue::Time(TIME + 8_000_000_000))]
        )),
        1
    );
    assert!(
        failure(
            &context,
            "SELECT count(*) FROM spans WHERE status = $status"
        )
        .message()
        .contains("$status")
    );
}

/// An empty store that is maintained only when it is told to be.
fn inline_store() -> Arc<Store> {
    let options = StoreOptions {
        inline_maintenance: true,
        ..StoreOptions::default()
    };
    Store::open(Arc::new(MemEnv::default()), options).unwrap()
}

fn stored_span(trace: u32, number: u32) -> Span {
    Span {
        trace_id: format!("{trace:032x}"),
        span_id: format!("{number:016x}"),
        parent_span_id: (number > 0).then(|| format!("{:016x}", 0)),
        experiment_id: "0".into(),
        session_id: Some(format!("s{}", trace % 3)),
        name: format!("step {number}"),
        span_type: "LLM".into(),
        kind: "INTERNAL".into(),
        status: if (trace + number).is_multiple_of(7) {
            "ERROR"
        } else {
            "OK"
        }
        .into(),
        start_time_ns: i64::from(trace) * 1000 + i64::from(number),
        end_time_ns: Some(i64::from(trace) * 1000 + 500),
        inputs: Some(format!(
            r#"{{"messages":[{{"role":"user","content":"question {trace}"}}]}}"#
        )),
        outputs: Some(format!("answer {trace}")),
        attributes: format!(r#"{{"n":{trace}}}"#),
        resource: "{}".into(),
        events: vec![Event {
            time_ns: 1,
            name: "seen".into(),
            attributes: "{}".into(),
        }],
        hint: (number == 0).then(|| TraceHint {
            tags: [("env".to_string(), format!("e{}", trace % 2))].into(),
            ..TraceHint::default()
        }),
        ..Span::default()
    }
}

#[test]
fn a_kept_plan_answers_from_the_rows_of_its_time() {
    let mut context = context();
    let counted =
        "SELECT state, count(*), sum(total_tokens) FROM traces WHERE state = 'OK' GROUP BY 1";
    let joined = "SELECT count(*) FROM spans s WHERE s.trace_id IN (SELECT trace_id FROM traces WHERE state = 'OK')";
    for _ in 0..2 {
        assert_eq!(rows(&context, counted), ["OK|2|40"]);
        assert_eq!(rows(&context, joined), ["6"]);
    }
    let traces = vec![
        trace(1, json!({})),
        trace(2, json!({})),
        trace(3, json!({})),
    ];
    let newer = source(7, [vec![span(1, 1, json!({}))], traces, Vec::new()]);
    context.snapshot = Snapshot::new(2, vec![newer], Vec::new());
    for _ in 0..2 {
        assert_eq!(rows(&context, counted), ["OK|3|60"]);
        assert_eq!(rows(&context, joined), ["1"]);
    }
    // What depends on the moment is planned each time, and so is what is in no snapshot.
    assert_ne!(
        rows(&context, "SELECT now()"),
        rows(&context, "SELECT now()")
    );
    let with_time = "SELECT count(*) FROM traces WHERE request_time > now() - INTERVAL '1 second'";
    assert_eq!(
        (rows(&context, with_time), rows(&context, with_time)),
        (vec!["0".into()], vec!["0".into()])
    );
    assert_eq!(rows(&context, "SELECT name FROM datasets"), ["memory"]);
    let other = run_sql(&context, "SELECT 'other' AS name")
        .unwrap()
        .1
        .remove(0);
    context.tables.catalogue = vec![("datasets", other.into())];
    assert_eq!(rows(&context, "SELECT name FROM datasets"), ["other"]);
}

#[test]
fn percentiles_are_interpolated_to_the_last_digit() {
    let context = context();
    let third = "percentile_cont(0.3333333333) WITHIN GROUP (ORDER BY duration_ns)";
    let found: f64 = rows(&context, &format!("SELECT {third} FROM spans"))[0]
        .parse()
        .unwrap();
    assert!((found - 3_666.666_666_4).abs() < 1e-9, "{found}");
    assert_eq!(
        rows(
            &context,
            "SELECT trace_id < '00000000000000000000000000000003' AS a, \
             percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns), \
             percentile_cont(0.25) WITHIN GROUP (ORDER BY duration_ns DESC), \
             percentile_cont(DISTINCT 1, 0.5), quantile_cont(duration_ns, 1.0) FROM spans GROUP BY 1 ORDER BY 1"
        ),
        [
            "false|6000.0|7500.0|1.0|9000.0",
            "true|4000.0|6000.0|1.0|8000.0"
        ]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT percentile_cont(duration_ns, 0.5) FROM spans WHERE duration_ns < 0"
        ),
        ["NULL"]
    );
    assert!(
        failure(
            &context,
            "SELECT percentile_cont(duration_ns, 1.5) FROM spans"
        )
        .to_string()
        .contains("1.5")
    );
}
