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
mod order_keys;
mod planner;
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
    context.tables.datasets = context.tables.settings.clone();
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
fn counting_reads_nothing() {
    let context = context();
    assert_eq!(rows(&context, "SELECT count(*) FROM spans"), ["9"]);
    assert_eq!(rows(&context, "SELECT count(*) FROM traces"), ["3"]);
    assert_eq!(units(&context, "SELECT count(*) FROM spans"), 0);
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM spans WHERE status = 'ERROR'"
        ),
        ["1"]
    );
}

#[test]
fn trace_ids_and_limits_skip_sources() {
    let context = context();
    let one = "SELECT name FROM spans WHERE trace_id = 'tr-00000000000000000000000000000001' ORDER BY span_id DESC";
    assert_eq!(rows(&context, one), ["step 2", "step 1"]);
    assert_eq!(units(&context, one), 1);
    let absent = "SELECT name FROM spans WHERE trace_id IN ('x', 'y', 'z', 'w')";
    assert_eq!(
        (rows(&context, absent), units(&context, absent)),
        (Vec::new(), 0)
    );
    let newest = "SELECT name FROM traces LIMIT 1";
    assert_eq!(
        (rows(&context, newest), units(&context, newest)),
        (vec!["chat".to_string()], 1)
    );
    let judged = "SELECT name FROM assessments WHERE trace_id = '00000000000000000000000000000001'";
    assert_eq!(
        (rows(&context, judged), units(&context, judged)),
        (vec!["ok".to_string()], 1)
    );
}

#[test]
fn filters_limits_and_orders_agree() {
    let context = context();
    assert_eq!(
        rows(
            &context,
            "SELECT span_id FROM spans ORDER BY start_time DESC LIMIT 2"
        ),
        ["0000000000000009", "0000000000000008"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT name FROM spans WHERE duration_ns BETWEEN 2000 AND 3000 ORDER BY 1"
        ),
        ["step 2", "step 3"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM spans WHERE session_id <> 's2'"
        ),
        ["1"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM spans WHERE NOT (session_id = 's1')"
        ),
        ["0"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM spans WHERE session_id = 's1' OR name = 'step 7'"
        ),
        ["2"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT name FROM spans WHERE attributes->>'n' = '4' AND status = 'OK'"
        ),
        ["step 4"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM (SELECT * FROM spans LIMIT 5)"
        ),
        ["5"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM (SELECT * FROM spans WHERE duration_ns > 1000 LIMIT 5 OFFSET 2)"
        ),
        ["5"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT trace_id FROM traces WHERE inputs LIKE '%refund%'"
        ),
        [format!("{:032x}", 1)]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM spans s JOIN traces t ON s.trace_id = t.trace_id WHERE t.state = 'OK'"
        ),
        ["6"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT max(span_id) FROM spans WHERE trace_id IN (SELECT trace_id FROM traces WHERE state = 'ERROR')"
        ),
        ["0000000000000008"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns) FROM spans"
        ),
        ["5000.0"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM spans WHERE start_time > now() - interval '1 day'"
        ),
        ["0"]
    );
    assert_eq!(
        rows(&context, "SELECT value, source_type FROM assessments"),
        ["true|HUMAN"]
    );
}

#[test]
fn scans_show_what_was_pushed() {
    let context = context();
    let plan = rows(
        &context,
        "EXPLAIN SELECT name FROM spans WHERE status = 'ERROR' AND start_time > '2023-11-14' LIMIT 3",
    )
    .join("\n");
    assert!(
        plan.contains("ScanExec: table=spans, columns=[name]"),
        "{plan}"
    );
    assert!(plan.contains("prune=["), "{plan}");
    assert!(!plan.contains("FilterExec"), "{plan}");
    let plan = rows(
        &context,
        "EXPLAIN SELECT * FROM spans ORDER BY start_time DESC LIMIT 3",
    )
    .join("\n");
    assert!(plan.contains("filter=DynamicFilter"), "{plan}");
}

#[test]
fn json_is_read_by_operators_and_functions() {
    let context = context();
    let one = |expression: &str| {
        let statement =
            format!("SELECT {expression} FROM spans WHERE span_id = '0000000000000004'");
        rows(&context, &statement).join(",")
    };
    assert_eq!(one("attributes->>'gen_ai.request.model'"), "gpt-4o");
    assert_eq!(one("attributes->>'missing'"), "NULL");
    assert_eq!(one("attributes->'nested'->'a'->>1"), "2");
    assert_eq!(one("attributes ? 'n'"), "true");
    assert_eq!(one("attributes ? 'missing'"), "false");
    assert_eq!(one("json_get_int(attributes, 'n') + 1"), "5");
    assert_eq!(
        one("json_get_str(attributes, 'gen_ai.request.model')"),
        "gpt-4o"
    );
    assert_eq!(one("(attributes->'n')::bigint * 2"), "8");
    assert_eq!(one("json_length(attributes)"), "3");
    assert_eq!(one("resource->>'service.name' IS NULL"), "true");
    assert_eq!(one("inputs->>'x'"), "NULL");
    assert_eq!(
        rows(
            &context,
            "SELECT tags['env'], models[1] FROM traces ORDER BY trace_id"
        ),
        ["prod|NULL", "NULL|m1", "dev|NULL"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT trace_id FROM traces WHERE tags['env'] = 'dev'"
        )
        .len(),
        1
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM traces WHERE array_has(models, 'm2')"
        ),
        ["1"]
    );
}

#[test]
fn half_of_a_surrogate_pair_costs_only_itself() {
    let context = context();
    let text = r#"'{"cut":"a\ud83d","whole":"\ud83d\ude00","n":7,"list":["\udc00",1]}'"#;
    for (expression, wanted) in [
        ("json_get_int({}, 'n')", "7"),
        ("{}->>'n'", "7"),
        ("{}->>'cut'", "a\u{fffd}"),
        ("{}->>'whole'", "\u{1f600}"),
        ("json_get_str({}, 'cut')", "a\u{fffd}"),
        ("json_get_str({}, 'list', 0)", "\u{fffd}"),
        ("json_get_int({}, 'list', 1)", "1"),
        ("json_length({}, 'list')", "2"),
        ("({}->'n')::bigint + 1", "8"),
        ("{} ? 'n'", "true"),
        ("json_object_keys({})[3]", "n"),
    ] {
        let of_literal = expression.replace("{}", text);
        assert_eq!(
            rows(&context, &format!("SELECT {of_literal}")),
            [wanted],
            "{of_literal}"
        );
        let of_column = expression.replace("{}", "t");
        let statement =
            format!("SELECT {of_column} FROM (VALUES ({text}), ('{{}}')) AS v(t) LIMIT 1");
        assert_eq!(rows(&context, &statement), [wanted], "{statement}");
    }
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

#[test]
fn refused_functions_and_tables_are_named() {
    let context = context();
    let cases = [
        ("SELECT * FROM read_parquet('/etc/passwd')", "read_parquet"),
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv"),
        ("SELECT * FROM parquet_metadata('x')", "parquet_metadata"),
        ("SELECT * FROM glob('*')", "glob"),
        ("SELECT * FROM nothing", "nothing"),
        ("SELECT input_file_name()", "input_file_name"),
        ("SELECT version()", "version"),
        ("SELECT load_extension('x')", "load_extension"),
        ("SELECT nam FROM spans", "did you mean 'name'"),
        ("SELECT max(attributes -> 'n') FROM spans", "->>"),
        ("SELECT upper(attributes -> 'n') FROM spans", "->>"),
        (
            "SELECT coalesce(attributes -> 'n', 'none') FROM spans",
            "->>",
        ),
        (
            "SELECT CASE WHEN true THEN attributes -> 'n' ELSE 'b' END FROM spans",
            "->>",
        ),
        ("SELECT _hint FROM spans", "_hint"),
    ];
    for (statement, part) in cases {
        let error = failure(&context, statement);
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidInput,
            "{statement}: {error}"
        );
        assert!(error.message().contains(part), "{statement}: {error}");
        assert!(
            !error.message().contains("datafusion"),
            "{statement}: {error}"
        );
    }
}

#[test]
fn functions_that_multiply_their_input_are_bounded() {
    let context = context();
    let refused = [
        "SELECT repeat('x', 1000000000)",
        "SELECT lpad('x', 1000000000)",
        "SELECT rpad(name, 1000000000, 'y') FROM spans",
        "SELECT array_repeat(1, 1000000000)",
        "SELECT array_resize([1], 1000000000, 0)",
        "SELECT generate_series(1, 10000000000)",
        "SELECT range(0, 10000000000, 2)",
        "SELECT unnest(generate_series(1, 10000000000))",
        "SELECT * FROM generate_series(1, 10000000000)",
        "SELECT repeat(repeat('x', 10000), 100000)",
        "SELECT replace(name, 's', repeat('x', 100000)) FROM spans",
        "SELECT repeat(name, 1000000000) FROM spans",
    ];
    for statement in refused {
        let error = failure(&context, statement);
        assert_eq!(
            error.kind(),
            ErrorKind::ResourceExhausted,
            "{statement}: {error}"
        );
    }
    assert_eq!(
        rows(
            &context,
            "SELECT repeat('ab', 3), lpad('x', 3, '-'), replace('aXb', 'X', '--')"
        ),
        ["ababab|--x|a--b"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT array_length(range(0, 1000)), array_sum(generate_series(1, 4))"
        ),
        ["1000|10.0"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT regexp_replace('abc', 'b', 'x'), array_repeat(7, 2)"
        ),
        ["axc|[7, 7]"]
    );
}

#[test]
fn long_chains_within_the_limit_run() {
    let context = context();
    let terms: Vec<String> = (0..400)
        .map(|n| format!("duration_ns + {n} = 5000"))
        .collect();
    assert_eq!(
        rows(
            &context,
            &format!("SELECT count(*) FROM spans WHERE {}", terms.join(" OR "))
        ),
        ["1"]
    );
    let sum = format!("SELECT max(duration_ns{}) FROM spans", "+1".repeat(450));
    assert_eq!(rows(&context, &sum), ["9450"]);
    let list: Vec<String> = (0..4000).map(|n| format!("'step {n}'")).collect();
    assert_eq!(
        rows(
            &context,
            &format!(
                "SELECT count(*) FROM spans WHERE name IN ({})",
                list.join(",")
            )
        ),
        ["9"]
    );
}

#[test]
fn long_chains_of_json_operators_are_planned() {
    let chain = format!("attributes{} ->> 'b'", " -> 'a'".repeat(40));
    let count = |condition: &str| format!("SELECT count(*) FROM spans WHERE {condition}");
    let context = context();
    assert_eq!(
        rows(&context, &count(&format!("{chain} IS NULL"))),
        rows(&context, &count("true"))
    );
}

#[test]
fn time_memory_and_result_limits_end_a_query() {
    let many =
        "spans a, spans b, spans c, spans d, spans e, spans f, spans g, spans h, spans i, spans j";
    let mut slow = context();
    slow.timeout = Some(Duration::from_millis(100));
    let started = std::time::Instant::now();
    let error = failure(
        &slow,
        &format!("SELECT count(a.name || b.name || j.name) FROM {many}"),
    );
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(started.elapsed() < Duration::from_secs(2));

    let small = context_with(SqlSettings {
        memory_bytes_max: 1 << 20,
        result_bytes_max: 1 << 20,
        target_partitions: 2,
        ..SqlSettings::default()
    });
    let grouped = "SELECT count(*) FROM (SELECT DISTINCT a.name, b.name, c.name, d.name, e.name, f.name, g.name FROM spans a, spans b, spans c, spans d, spans e, spans f, spans g)";
    let error = failure(&small, grouped);
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    let large = "SELECT a.name, b.name, c.name, d.name, e.name, f.name FROM spans a, spans b, spans c, spans d, spans e, spans f";
    let error = failure(&small, large);
    assert!(error.message().contains("result is larger"), "{error}");
}

#[test]
fn errors_of_rows_are_the_callers() {
    let context = context();
    for statement in [
        "SELECT 1 / (duration_ns - 1000) FROM spans",
        "SELECT * FROM spans WHERE 1 / (duration_ns - 1000) = 1",
        "SELECT CAST(name AS BIGINT) FROM spans",
        "SELECT regexp_like(name, '(') FROM spans",
    ] {
        let error = failure(&context, statement);
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidInput,
            "{statement}: {error}"
        );
        assert!(!error.message().is_empty());
    }
}

/// The answers of a store do not depend on where its rows are (QU-1).
/// The bound of a top-k tightens while later sources are read, and is about `duration_ns` twice.
#[test]
fn a_top_of_an_expression_and_a_part_of_it() {
    let sources = (1..=20).map(|id| {
        let row = trace(id, json!({"span_count": 100 - id, "duration_ns": id % 3}));
        source(u64::from(id), [Vec::new(), vec![row], Vec::new()])
    });
    let context = SqlContext {
        snapshot: Snapshot::new(1, sources.collect(), Vec::new()),
        ..context_with(SqlSettings {
            target_partitions: 1,
            ..SqlSettings::default()
        })
    };
    let statement = "SELECT right(trace_id, 2) AS id FROM traces ORDER BY duration_ns + span_count * 10, duration_ns LIMIT 3";
    assert_eq!(rows(&context, statement), ["14", "13", "12"]);
}

#[test]
fn memtables_and_segments_answer_alike() {
    let options = StoreOptions {
        inline_maintenance: true,
        ..StoreOptions::default()
    };
    let store = Store::open(Arc::new(MemEnv::default()), options).unwrap();
    let runtime = Arc::new(QueryRuntime::new(SqlSettings::default()).unwrap());
    let stored: Vec<Span> = (0..300)
        .flat_map(|trace| (0..4).map(move |number| stored_span(trace, number)))
        .collect();
    for part in stored.chunks(500) {
        store.append_spans(spans_batch(part).unwrap()).unwrap();
    }
    let answers = |store: &Store| -> Vec<Vec<String>> {
        let context = SqlContext::new(runtime.clone(), store.snapshot().unwrap());
        STATEMENTS
            .iter()
            .map(|statement| rows(&context, statement))
            .collect()
    };
    let fresh = answers(&store);
    assert_eq!(fresh[0], ["1200"]);
    assert!(fresh.iter().all(|answer| !answer.is_empty()), "{fresh:?}");
    store.seal().unwrap();
    assert_eq!(answers(&store), fresh, "sealed");
    // Resent, so that nothing changes but where rows are.
    store.append_spans(spans_batch(&stored).unwrap()).unwrap();
    assert_eq!(answers(&store), fresh, "sealed and resent");
    store.compact().unwrap();
    assert_eq!(answers(&store), fresh, "compacted");
}

#[test]
fn time_bounds_skip_segments() {
    let options = StoreOptions {
        inline_maintenance: true,
        ..StoreOptions::default()
    };
    let store = Store::open(Arc::new(MemEnv::default()), options).unwrap();
    for trace in [1, 2, 3] {
        store
            .append_spans(spans_batch(&[stored_span(trace, 0), stored_span(trace, 1)]).unwrap())
            .unwrap();
        store.seal().unwrap();
    }
    let runtime = Arc::new(QueryRuntime::new(SqlSettings::default()).unwrap());
    let context = SqlContext::new(runtime, store.snapshot().unwrap());
    let late = "SELECT count(*) FROM spans WHERE start_time >= to_timestamp_nanos(2001)";
    assert_eq!(
        (rows(&context, late), units(&context, late)),
        (vec!["3".to_string()], 2)
    );
    let one = "SELECT count(*) FROM traces WHERE request_time = to_timestamp_nanos(2000)";
    assert_eq!(
        (rows(&context, one), units(&context, one)),
        (vec!["1".to_string()], 1)
    );
    let none = "SELECT count(*) FROM spans WHERE start_time BETWEEN to_timestamp_nanos(5) AND to_timestamp_nanos(9)";
    assert_eq!(
        (rows(&context, none), units(&context, none)),
        (vec!["0".to_string()], 0)
    );
}

const STATEMENTS: [&str; 16] = [
    "SELECT count(*) FROM spans",
    "SELECT count(*), count(*) FILTER (WHERE state = 'OK') FROM traces",
    "SELECT trace_id, span_id FROM spans ORDER BY start_time DESC, span_id LIMIT 7",
    "SELECT * FROM spans WHERE trace_id = '00000000000000000000000000000011' ORDER BY span_id",
    "SELECT * FROM traces WHERE trace_id = 'tr-00000000000000000000000000000011'",
    "SELECT name, count(*), sum(duration_ns) FROM spans GROUP BY name ORDER BY name",
    "SELECT count(*) FROM spans WHERE attributes->>'n' = '17'",
    "SELECT trace_id FROM traces WHERE outputs LIKE '%answer 42%'",
    "SELECT span_id, inputs FROM spans WHERE start_time BETWEEN to_timestamp_nanos(100000) AND to_timestamp_nanos(100002) ORDER BY 1",
    "SELECT session_id, trace_count FROM sessions ORDER BY session_id",
    "SELECT trace_id, key, value FROM tags ORDER BY 1, 2 LIMIT 5",
    "SELECT role, count(*) FROM messages GROUP BY role ORDER BY role",
    "SELECT name, count(*) FROM events GROUP BY name",
    "SELECT count(*) FROM spans WHERE matches(text, '\"question 42\"')",
    "SELECT count(*) FROM spans WHERE matches(outputs, 'answer -42') AND NOT matches(inputs, '77*')",
    "SELECT count(*) FROM spans s JOIN traces t USING (trace_id) WHERE t.session_id = 's1' AND s.status = 'ERROR'",
];

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
    context.tables.datasets = Some(
        run_sql(&context, "SELECT 'other' AS name")
            .unwrap()
            .1
            .remove(0),
    );
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

#[test]
fn an_analyzed_statement_says_what_was_read() {
    let analyzed = |context: &SqlContext| {
        rows(
            context,
            "EXPLAIN ANALYZE SELECT name FROM spans WHERE duration_ns > 0",
        )
        .join("\n")
    };
    let plan = analyzed(&context());
    assert!(plan.contains("rows_read=9"), "{plan}");
    let env = Arc::new(MemEnv::default());
    let store = Store::open(env, StoreOptions::default()).unwrap();
    store
        .append_spans(spans_batch(&[stored_span(1, 1), stored_span(1, 2)]).unwrap())
        .unwrap();
    store.seal().unwrap();
    let runtime = Arc::new(QueryRuntime::new(SqlSettings::default()).unwrap());
    let context = SqlContext::new(runtime, store.snapshot().unwrap());
    let (first, again) = (analyzed(&context), analyzed(&context));
    assert!(
        first.contains("rows_read=2") && first.contains("blocks_decoded=2"),
        "{first}"
    );
    assert!(
        again.contains("blocks_cached=2") && again.contains("blocks_decoded=0"),
        "{again}"
    );
}
