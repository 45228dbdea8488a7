//! The evaluator on small batches of the stored schema.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, MapBuilder,
    StringBuilder, StringViewArray, StructBuilder, TimestampNanosecondArray,
    TimestampNanosecondBuilder,
};
use arrow::datatypes::{DataType, Field as ArrowField, Schema};
use arrow::record_batch::RecordBatch;
use tracehouse_storage::schema::{event_fields, timestamp};

use super::*;
use crate::filter::parse;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<ArrowField> = columns
        .iter()
        .map(|(name, array)| ArrowField::new(*name, array.data_type().clone(), true))
        .collect();
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns.into_iter().map(|(_, array)| array).collect(),
    )
    .unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringViewArray::from(values.to_vec()))
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn times(values: &[i64]) -> ArrayRef {
    let array = TimestampNanosecondArray::from(values.to_vec()).with_timezone("UTC");
    assert_eq!(array.data_type(), &timestamp());
    Arc::new(array)
}

fn maps(rows: &[Option<&[(&str, &str)]>]) -> ArrayRef {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (key, value) in row.unwrap_or(&[]) {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(row.is_some()).unwrap();
    }
    Arc::new(builder.finish())
}

fn lists(rows: &[Option<&[&str]>]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in rows {
        row.unwrap_or(&[])
            .iter()
            .for_each(|text| builder.values().append_value(text));
        builder.append(row.is_some());
    }
    Arc::new(builder.finish())
}

fn events(rows: &[&[(&str, &str)]]) -> ArrayRef {
    let time = TimestampNanosecondBuilder::new().with_data_type(timestamp());
    let fields = StructBuilder::new(
        event_fields(),
        vec![
            Box::new(time),
            Box::new(StringBuilder::new()),
            Box::new(StringBuilder::new()),
        ],
    );
    let mut builder = ListBuilder::new(fields);
    for row in rows {
        for (name, attributes) in *row {
            let event = builder.values();
            event
                .field_builder::<TimestampNanosecondBuilder>(0)
                .unwrap()
                .append_value(0);
            event
                .field_builder::<StringBuilder>(1)
                .unwrap()
                .append_value(name);
            event
                .field_builder::<StringBuilder>(2)
                .unwrap()
                .append_value(attributes);
            event.append(true);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}

/// Three traces; the third has nothing but what every trace has.
fn traces() -> RecordBatch {
    let usage = [
        ("mlflow.trace.tokenUsage", "{}"),
        ("mlflow.sourceRun", "r1"),
    ];
    batch(vec![
        (
            "trace_id",
            texts(&[
                Some("00000000000000000000000000000abc"),
                Some("tr-b"),
                Some("c"),
            ]),
        ),
        ("name", texts(&[Some("Alpha"), Some("naïve café"), None])),
        (
            "state",
            texts(&[Some("OK"), Some("ERROR"), Some("IN_PROGRESS")]),
        ),
        ("request_time", times(&[1_000_999_999, 2_000_000_000, -1])),
        (
            "duration_ns",
            ints(&[Some(10_000_000), Some(1_500_001), None]),
        ),
        ("total_tokens", ints(&[Some(7), Some(0), None])),
        ("input_tokens", ints(&[Some(3), None, None])),
        ("output_tokens", ints(&[Some(4), None, None])),
        ("cache_read_input_tokens", ints(&[None, None, None])),
        ("cache_creation_input_tokens", ints(&[None, None, None])),
        (
            "cost_usd",
            Arc::new(Float64Array::from(vec![Some(0.25), Some(0.0), None])),
        ),
        (
            "models",
            lists(&[Some(&["claude", "gpt-4"]), Some(&["gpt-4"]), None]),
        ),
        (
            "tags",
            maps(&[
                Some(&[("env", "prod"), ("k", "")]),
                Some(&[("env", "Prod")]),
                None,
            ]),
        ),
        ("metadata", maps(&[Some(&[]), Some(&usage), None])),
        (
            "_edit",
            texts(&[
                Some(r#"{"linked_runs":["r2"],"linked_prompts":["p/1","q/2"]}"#),
                None,
                Some("{}"),
            ]),
        ),
    ])
}

fn rows(array: &BooleanArray) -> String {
    assert_eq!(array.nulls(), None);
    array
        .values()
        .iter()
        .enumerate()
        .filter(|(_, keep)| *keep)
        .map(|(row, _)| char::from(b'a' + row as u8))
        .collect()
}

/// Rows of the traces batch for a filter of one trace clause.
fn found(filter: &str) -> String {
    let batch = traces();
    match parse(filter).unwrap() {
        Predicate::Trace(condition) => {
            let columns = condition.columns();
            let indices: Vec<usize> = columns
                .iter()
                .map(|name| batch.schema().index_of(name).unwrap())
                .collect();
            rows(
                &condition
                    .evaluate(&batch.project(&indices).unwrap())
                    .unwrap(),
            )
        }
        other => panic!("{other}"),
    }
}

#[test]
fn absent_values_satisfy_nothing_but_is_null() {
    for (filter, expected) in [
        ("name = 'Alpha'", "a"),
        ("name != 'Alpha'", "b"),
        ("name NOT IN ('x')", "ab"),
        ("name NOT LIKE 'A%'", "b"),
        ("name IS NULL", "c"),
        ("name IS NOT NULL", "ab"),
        ("name ILIKE '%CAFÉ'", "b"),
        ("name LIKE '%CAFÉ'", ""),
        ("name RLIKE '^A.*a$'", "a"),
        ("status IN ('OK', 'IN_PROGRESS')", "ac"),
        ("tags.env = 'prod'", "a"),
        ("tags.env ILIKE 'PROD'", "ab"),
        ("tags.env != 'prod'", "b"),
        ("tags.missing != 'x'", ""),
        ("tags.missing IS NULL", "abc"),
        ("tags.k = ''", "a"),
        ("tags.env IS NULL", "c"),
        ("total_tokens != 7", "b"),
        ("total_tokens IS NULL", "c"),
        ("total_tokens BETWEEN 0 AND 7", "ab"),
        ("cost > 0", "a"),
        ("cost != 0", "a"),
        ("cost IN (0, 0.25)", "ab"),
        ("cost IS NOT NULL", "ab"),
    ] {
        assert_eq!(found(filter), expected, "{filter}");
    }
}

#[test]
fn milliseconds_are_whole_or_exact() {
    for (filter, expected) in [
        ("timestamp = 1000", "a"),
        ("timestamp > 1000", "b"),
        ("timestamp < 0", "c"),
        ("timestamp = -1", "c"),
        ("execution_time = 1", "b"),
        ("duration_ms = 1", ""),
        ("duration_ms > 1.5", "ab"),
        ("duration_ms >= 1.500001", "ab"),
        ("duration_ms > 1.500001", "a"),
        ("duration_ms = 1.500001", "b"),
        ("end_time = 1010", "a"),
        ("end_time = 2001", "b"),
        ("end_time = -1", "c"),
        ("execution_time < 1h", "ab"),
        ("timestamp < '1970-01-01'", "c"),
    ] {
        assert_eq!(found(filter), expected, "{filter}");
    }
}

#[test]
fn trace_ids_lists_runs_and_usage() {
    for (filter, expected) in [
        ("trace_id = 'tr-00000000000000000000000000000ABC'", "a"),
        ("trace_id LIKE 'tr-%'", "ab"),
        ("trace_id NOT LIKE 'tr-%'", "c"),
        ("trace_id LIKE '0%'", "a"),
        ("model = 'gpt-4'", "ab"),
        ("model != 'gpt-4'", "a"),
        ("model LIKE 'cl%'", "a"),
        ("model IS NULL", "c"),
        ("run_id = 'r1'", "b"),
        ("run_id = 'r2'", "a"),
        ("run_id != 'r2'", "b"),
        ("run_id IS NULL", "ac"),
        ("prompt = 'q/2'", "a"),
        ("prompt IN ('x/1', 'p/1')", "a"),
        (
            "metadata.mlflow.trace.tokenUsage = '{\"input_tokens\": 3, \"output_tokens\": 4, \"total_tokens\": 7}'",
            "a",
        ),
        ("metadata.mlflow.trace.tokenUsage = '{}'", "b"),
        ("metadata.mlflow.trace.tokenUsage IS NULL", "c"),
        ("metadata.mlflow.trace.cost = '{\"total_cost\": 0.25}'", "a"),
        ("metadata.mlflow.trace.cost != '{}'", "ab"),
        ("metadata.mlflow.trace.cost LIKE '%0.0}'", "b"),
        ("metadata.mlflow.trace.cost IS NULL", "c"),
    ] {
        assert_eq!(found(filter), expected, "{filter}");
    }
}

/// Spans: `a` as OTel sends them, `b` as MLflow does (values JSON-encoded), `c` bare.
fn spans() -> RecordBatch {
    let otel = r#"{"model":"gpt-4","temp":0.7,"n":5,"flag":true,"a":{"b":{"c":"deep"}},"list":["x","y"],"nul":null,"quote":"say \"hi\""}"#;
    let mlflow = r#"{"model":"\"gpt-4\"","temp":"0.7","n":"5","flag":"true","mlflow.spanType":"\"LLM\"","big":9007199254740993}"#;
    batch(vec![
        ("name", texts(&[Some("root"), Some("llm_call"), Some("c")])),
        (
            "span_type",
            texts(&[Some("CHAIN"), Some("LLM"), Some("UNKNOWN")]),
        ),
        (
            "kind",
            texts(&[Some("INTERNAL"), Some("CLIENT"), Some("INTERNAL")]),
        ),
        ("status", texts(&[Some("OK"), Some("ERROR"), Some("UNSET")])),
        ("status_message", texts(&[None, Some("boom"), None])),
        ("model", texts(&[None, Some("gpt-4"), None])),
        (
            "inputs",
            texts(&[
                Some(r#"{"q":"Hello World"}"#),
                Some(r#"{"q": "say \"hi\" %x_ caf\u00e9"}"#),
                Some("plain"),
            ]),
        ),
        ("outputs", texts(&[Some("naïve café"), None, None])),
        ("provider", texts(&[None, None, None])),
        ("attributes", texts(&[Some(otel), Some(mlflow), Some("{}")])),
        (
            "events",
            events(&[
                &[("exception", r#"{"exception.message":"line one\nline two"}"#)],
                &[],
                &[],
            ]),
        ),
    ])
}

/// Spans for a filter that means one span condition.
fn spans_found(filter: &str) -> String {
    let batch = spans();
    match parse(filter).unwrap() {
        Predicate::Span(condition) => {
            let indices: Vec<usize> = condition
                .columns()
                .iter()
                .map(|name| batch.schema().index_of(name).unwrap())
                .collect();
            rows(
                &condition
                    .evaluate(&batch.project(&indices).unwrap())
                    .unwrap(),
            )
        }
        other => panic!("{other}"),
    }
}

#[test]
fn attributes_that_mlflow_would_have_translated_are_found() {
    for (filter, expected) in [
        ("span.attributes.mlflow.spanInputs LIKE '%Hello%'", "a"),
        ("span.attributes.mlflow.spanInputs = 'plain'", "c"),
        ("span.attributes.mlflow.spanInputs != 'plain'", "ab"),
        ("span.attributes.mlflow.spanInputs LIKE '%naïve%'", "a"),
        ("span.attributes.mlflow.spanInputs RLIKE 'naïve'", ""),
        ("span.attributes.mlflow.spanOutputs IS NULL", "bc"),
        ("span.attributes.mlflow.spanOutputs LIKE '%naïve%'", "a"),
        ("span.attributes.mlflow.spanOutputs LIKE '%gpt-4%'", ""),
        (
            "span.attributes.mlflow.spanType IN ('CHAIN', 'LLM', 'UNKNOWN')",
            "ab",
        ),
        ("span.attributes.mlflow.spanType IS NULL", "c"),
        ("span.attributes.mlflow.llm.model RLIKE '^gpt-4$'", "b"),
        ("span.attributes.mlflow.llm.provider IS NOT NULL", ""),
    ] {
        assert_eq!(spans_found(filter), expected, "{filter}");
    }
}

#[test]
fn attributes_compare_by_type() {
    for (filter, expected) in [
        ("span.attributes.model = 'gpt-4'", "ab"),
        ("span.attributes.model = '\"gpt-4\"'", "b"),
        ("span.attributes.model != 'gpt-4'", ""),
        ("span.attributes.model != 'x'", "ab"),
        ("span.attributes.model IN ('x', 'gpt-4')", "ab"),
        ("span.attributes.model LIKE 'gpt%'", "ab"),
        ("span.attributes.model NOT LIKE 'gpt%'", ""),
        ("span.attributes.model ILIKE '%GPT%'", "ab"),
        ("span.attributes.model LIKE '%0.7%'", "ab"),
        ("span.attributes.model LIKE '0.7%'", ""),
        ("span.attributes.model NOT LIKE '%0.7%'", "ab"),
        ("span.attributes.model RLIKE '0.7'", ""),
        ("span.attributes.temp LIKE '%gpt%'", ""),
        ("span.attributes.model RLIKE '^gpt-4$'", "ab"),
        ("span.attributes.model IS NULL", "c"),
        ("span.attributes.temp > 0.5", "ab"),
        ("span.attributes.temp = 0.7", "ab"),
        ("span.attributes.temp = '0.7'", "ab"),
        ("span.attributes.temp > 0.7", ""),
        ("span.attributes.model > 0", ""),
        ("span.attributes.n BETWEEN 5 AND 6", "ab"),
        ("span.attributes.n = 5.0", "ab"),
        ("span.attributes.flag = true", "ab"),
        ("span.attributes.flag = 'true'", "ab"),
        ("span.attributes.flag != false", "ab"),
        ("span.attributes.a.b.c = 'deep'", "a"),
        ("span.attributes.a LIKE '%deep%'", "a"),
        ("span.attributes.list = '[\"x\",\"y\"]'", "a"),
        ("span.attributes.nul IS NULL", "abc"),
        ("span.attributes.big = 9007199254740993", "b"),
        ("span.attributes.big = 9007199254740992", ""),
        ("span.attributes.quote = 'say \"hi\"'", "a"),
    ] {
        assert_eq!(spans_found(filter), expected, "{filter}");
    }
}

#[test]
fn conditions_of_one_span_hold_on_one_row() {
    for (filter, expected) in [
        ("span.name = 'root' AND span.type = 'LLM'", ""),
        ("span.name = 'llm_call' AND span.type = 'LLM'", "b"),
        ("span.name != 'root'", "bc"),
        (
            "(span.name = 'root' OR span.name = 'c') AND span.kind = 'INTERNAL'",
            "ac",
        ),
        (
            "HAS(span.kind = 'INTERNAL' AND NOT span.name = 'root')",
            "c",
        ),
        (
            "HAS(NOT (span.kind = 'INTERNAL' OR span.attributes.model = 'x'))",
            "b",
        ),
        ("span.model IS NULL", "ac"),
        ("trace.text LIKE '%q%' AND span.status = 'ERROR'", "b"),
    ] {
        assert_eq!(spans_found(filter), expected, "{filter}");
    }
}

#[test]
fn text_patterns_see_each_string_as_it_was_sent_and_as_json_decodes_it() {
    for (filter, expected) in [
        ("trace.text LIKE '%Hello World%'", "a"),
        ("trace.text LIKE '%hello%'", ""),
        ("trace.text ILIKE '%hello%'", "a"),
        ("trace.text LIKE 'Hello'", ""),
        ("trace.text LIKE '%naïve%'", "a"),
        ("trace.text LIKE '%café%'", "ab"),
        ("trace.text ILIKE '%CAFÉ%'", "ab"),
        ("trace.text LIKE '%LLM%'", "b"),
        ("trace.text LIKE '%CHAIN%'", "a"),
        ("trace.text LIKE '%chain%'", ""),
        ("trace.text ILIKE 'chain'", "a"),
        ("trace.text LIKE '%mlflow.spanType%'", "b"),
        ("trace.text ILIKE '%MLFLOW.spantype%'", "b"),
        ("trace.text LIKE '%mlflow.span%'", ""),
        ("trace.text RLIKE 'mlflow.spanType'", ""),
        ("trace.text LIKE '%fla_%'", "ab"),
        ("trace.text NOT LIKE '%flag%'", "c"),
        ("trace.text LIKE '%say \"hi\" %'", "b"),
        ("trace.text LIKE '%\\\"hi\\\"%'", "b"),
        ("trace.text LIKE '%\"q\":%'", "ab"),
        ("trace.text LIKE '%line one\nline two%'", "a"),
        ("trace.text LIKE '%exception.message%'", "a"),
        ("trace.text LIKE '%0.7%'", "b"),
        ("trace.text LIKE '%Hello%café%'", ""),
        ("trace.text NOT LIKE '%Hello%'", "bc"),
        ("trace.text RLIKE '^Hello W'", "a"),
        ("trace.text LIKE 'Hello World'", "a"),
        ("trace.text RLIKE 'b[o]+m'", "b"),
        ("span.inputs = 'plain'", "c"),
        ("span.outputs LIKE '%caf_'", "a"),
    ] {
        assert_eq!(spans_found(filter), expected, "{filter}");
    }
}

/// Assessments: name, type, value, valid, source type, source id.
fn assessments() -> RecordBatch {
    type Row = (
        &'static str,
        &'static str,
        &'static str,
        bool,
        &'static str,
        Option<&'static str>,
    );
    let rows: [Row; 10] = [
        ("score", "feedback", "0.9", true, "CODE", Some("default")),
        ("score", "feedback", "\"0.9\"", true, "HUMAN", Some("ann")),
        ("score", "feedback", "5", true, "CODE", None),
        ("ok", "feedback", "true", true, "CODE", None),
        ("ok", "feedback", "\"yes\"", true, "CODE", None),
        ("ok", "feedback", "\"true\"", true, "CODE", None),
        ("rel", "feedback", "\"no\"", false, "CODE", None),
        ("lst", "feedback", "[\"a\", \"b\"]", true, "CODE", None),
        ("exp", "expectation", "{\"x\":1}", true, "HUMAN", None),
        ("i-1", "issue", "null", false, "LLM_JUDGE", None),
    ];
    let column = |get: fn(&Row) -> &'static str| {
        texts(&rows.iter().map(|row| Some(get(row))).collect::<Vec<_>>())
    };
    batch(vec![
        ("name", column(|row| row.0)),
        ("type", column(|row| row.1)),
        ("value", column(|row| row.2)),
        (
            "valid",
            Arc::new(BooleanArray::from(
                rows.iter().map(|row| row.3).collect::<Vec<_>>(),
            )),
        ),
        ("source_type", column(|row| row.4)),
        (
            "source_id",
            texts(&rows.iter().map(|row| row.5).collect::<Vec<_>>()),
        ),
    ])
}

#[test]
fn assessments_compare_as_mlflow_does() {
    for (filter, expected) in [
        ("feedback.score > 0.5", "ac"),
        ("feedback.score >= 5", "c"),
        ("feedback.score = '0.9'", "ab"),
        ("feedback.score != '0.9'", "c"),
        ("feedback.score = 0.9", "a"),
        ("feedback.score != 0.9", "bc"),
        ("feedback.score IN (5, '0.9')", "abc"),
        ("feedback.score BETWEEN 0 AND 1", "a"),
        ("feedback.score NOT BETWEEN 0 AND 1", "bc"),
        ("feedback.ok = 'true'", "df"),
        ("feedback.ok = true", "d"),
        ("feedback.ok != true", "ef"),
        ("feedback.ok = 'True'", ""),
        ("feedback.ok = 'yes'", "e"),
        ("feedback.ok LIKE 'y%'", ""),
        ("feedback.ok LIKE '%y%'", "e"),
        ("feedback.rel = 'no'", ""),
        ("feedback.rel IS NOT NULL", ""),
        ("feedback.lst LIKE '%a%'", "h"),
        ("feedback.lst = 'a'", ""),
        ("feedback.lst = '[\"a\",\"b\"]'", "h"),
        ("expectation.exp = '{\"x\": 1}'", "i"),
        ("feedback.exp IS NOT NULL", ""),
        ("assessment.exp IS NOT NULL", "i"),
        ("issue.id = 'i-1'", "j"),
        ("feedback.score.source = 'CODE'", "ac"),
        ("feedback.score.source = 'ann'", "b"),
        ("feedback.score.source != 'CODE'", "b"),
        ("feedback.score.source ILIKE 'h%'", "b"),
    ] {
        let predicate = match parse(filter).unwrap() {
            Predicate::Assessment(predicate) => predicate,
            other => panic!("{other}"),
        };
        assert_eq!(
            rows(&predicate.evaluate(&assessments()).unwrap()),
            expected,
            "{filter}"
        );
    }
}

#[test]
fn a_batch_without_the_column_is_an_error() {
    let Predicate::Trace(condition) = parse("user = 'u'").unwrap() else {
        panic!()
    };
    let error = condition.evaluate(&traces()).unwrap_err();
    assert!(error.to_string().contains("user_id"), "{error}");
    let wrong = Condition {
        field: Field::Text("total_tokens"),
        test: Test::IsNull,
    };
    assert!(
        wrong
            .evaluate(&traces())
            .unwrap_err()
            .to_string()
            .contains("Int64")
    );
    assert_eq!(
        traces().column_by_name("tags").unwrap().data_type(),
        &tracehouse_storage::schema::string_map()
    );
    assert!(matches!(
        spans().column_by_name("events").unwrap().data_type(),
        DataType::List(_)
    ));
}
