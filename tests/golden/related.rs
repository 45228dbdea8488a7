//! Traces with a span or an assessment that satisfies a condition of SQL: found in the way of a search, and the same as
//! when the condition is computed for every row (QU-1, QU-2).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tracehouse::Database;

use super::{STATES, finish, prepare};
use crate::data;
use crate::support::{quoted, rows, texts};

/// An attribute that has a value of every kind in some span.
const KEY: &str = "odd.value";

/// Conditions on a row of a table.
const CONDITIONS: &[(&str, &str)] = &[
    ("spans", "true"),
    ("spans", "name = 'web_search'"),
    ("spans", "name LIKE '%search%' AND status = 'OK'"),
    ("spans", "span_type = 'LLM' AND total_tokens > 100"),
    (
        "spans",
        "duration_ns > 1000000 AND start_time >= '1990-01-01T00:00:00Z'",
    ),
    ("spans", "matches(text, 'refund')"),
    ("spans", "matches(text, 'refund') AND name <> 'nothing'"),
    ("spans", "matches(text, 'refund') OR name = 'agent'"),
    (
        "spans",
        "inputs LIKE '%refund%' OR outputs ILIKE '%REFUND%'",
    ),
    ("spans", "attributes->>'gen_ai.request.model' LIKE 'gpt-4%'"),
    (
        "spans",
        "attributes->>'gen_ai.request.model' = 'gpt-4o' AND inputs IS NOT NULL",
    ),
    (
        "spans",
        "attributes->>'gen_ai.request.model' IN ('gpt-4o', 'none')",
    ),
    ("spans", "attributes->>'gen_ai.request.model' <> 'gpt-4o'"),
    ("spans", "attributes->>'gen_ai.request.model' IS NULL"),
    (
        "spans",
        "coalesce(attributes->>'gen_ai.request.model', 'gpt-4o') = 'gpt-4o'",
    ),
    (
        "spans",
        "lower(attributes->>'gen_ai.request.model') ~ '^gpt'",
    ),
    ("spans", "cast(attributes->>'odd.value' AS VARCHAR) = '5'"),
    ("spans", "try_cast(attributes->>'odd.value' AS DOUBLE) = 5"),
    (
        "spans",
        "cast(try_cast(attributes->>'odd.value' AS DOUBLE) AS VARCHAR) = '5.0'",
    ),
    (
        "spans",
        "attributes->>'odd.value' = attributes->>'odd.other'",
    ),
    ("assessments", "name = 'correctness'"),
    (
        "assessments",
        "type = 'FEEDBACK' AND valid AND name = 'correctness' AND value = 'false'",
    ),
    ("assessments", "rationale IS NOT NULL"),
    ("assessments", "source_id LIKE '%a%'"),
];

/// Values whose text says little of their kind.
fn values() -> Vec<Value> {
    let plain = [
        "5",
        "5.0",
        "true",
        "null",
        "gpt",
        "[\"gpt\"]",
        "\"gpt\"",
        "{\"a\":1}",
        "NaN",
        "",
        "a b",
        "GPT",
    ];
    let mut values: Vec<Value> = plain.map(|text| json!({"stringValue": text})).to_vec();
    let list = |values: Value| json!({"arrayValue": {"values": values}});
    values.extend([
        json!({"stringValue": "gpt ".repeat(60)}),
        json!({"stringValue": "a text of more than some bytes"}),
        json!({"intValue": "5"}),
        json!({"doubleValue": 5.0}),
        json!({"doubleValue": "NaN"}),
        json!({"boolValue": true}),
        list(json!([{"stringValue": "gpt"}])),
        list(json!([{"stringValue": "gpt"}, {"stringValue": "a b"}])),
        json!({"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "1"}}]}}),
    ]);
    values
}

/// A trace for each value, with it at the key; and one for each at the end of a path.
fn odd_lines() -> Vec<String> {
    let nested =
        |value: &Value| json!({"kvlistValue": {"values": [{"key": "value", "value": value}]}});
    let at_key = values().into_iter().map(|value| (KEY, value));
    let at_path = values().into_iter().map(|value| ("odd", nested(&value)));
    at_key
        .chain(at_path)
        .enumerate()
        .map(|(number, (key, value))| {
            let start = 1_700_000_000_000_000_000_u64 + number as u64 * 1_000;
            let span = json!({
                "traceId": format!("{:032x}", 0xdead_0000_u64 + number as u64),
                "spanId": format!("{:016x}", number + 1),
                "name": "odd",
                "startTimeUnixNano": start.to_string(),
                "endTimeUnixNano": (start + 10).to_string(),
                "attributes": [{"key": key, "value": value}],
            });
            json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()
        })
        .collect()
}

fn conditions() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = CONDITIONS
        .iter()
        .map(|(table, condition)| (table.to_string(), condition.to_string()))
        .collect();
    for value in values() {
        if let Some(text) = value["stringValue"].as_str() {
            let (column, text) = (format!("attributes->>'{KEY}'"), quoted(text));
            all.push(("spans".into(), format!("{column} = {text}")));
            all.push(("spans".into(), format!("{column} LIKE {text}")));
            all.push(("spans".into(), format!("{column} IN ({text}, 'gpt')")));
            all.push((
                "spans".into(),
                format!("{column} = {text} OR {column} = 'a b'"),
            ));
        }
    }
    all
}

#[test]
fn traces_with_a_related_row_are_those_that_a_join_finds() {
    let lines: Vec<String> = data::lines().into_iter().chain(odd_lines()).collect();
    for state in STATES {
        let subject = prepare(state, &lines, &finish);
        for (table, condition) in conditions() {
            check(subject.db(), &table, &condition, &format!("{state:?}"));
        }
    }
}

fn check(db: &Database, table: &str, condition: &str, state: &str) {
    let of_every_row =
        format!("SELECT trace_id, bool_or({condition}) AS met FROM {table} GROUP BY trace_id");
    let met: BTreeSet<String> = rows(db, &of_every_row)
        .iter()
        .filter(|row| row["met"] == true)
        .map(|row| row["trace_id"].as_str().unwrap().to_string())
        .collect();
    let order = "ORDER BY request_time DESC, trace_id";
    let all = texts(db, &format!("SELECT trace_id FROM traces {order}"));
    let wanted: Vec<String> = all.into_iter().filter(|id| met.contains(id)).collect();
    let exists = format!(
        "SELECT trace_id FROM traces WHERE EXISTS \
         (SELECT 1 FROM {table} r WHERE r.trace_id = traces.trace_id AND ({condition}))"
    );
    let within = format!(
        "SELECT trace_id FROM traces WHERE trace_id IN (SELECT trace_id FROM {table} WHERE {condition})"
    );
    // Of a value's conditions one spelling is enough.
    let spellings = if condition.contains(KEY) { 1 } else { 2 };
    for statement in [&within, &exists].into_iter().take(spellings) {
        let found = texts(db, &format!("{statement} {order}"));
        assert_eq!(found, wanted, "{state}: {statement}");
        let page = texts(db, &format!("{statement} {order} LIMIT 3"));
        assert_eq!(page, wanted[..wanted.len().min(3)], "{state}: {statement}");
    }
    let errors = format!("{within} AND state = 'ERROR' AND span_count > 1");
    let found: BTreeSet<String> = texts(db, &errors).into_iter().collect();
    let wanted = texts(
        db,
        "SELECT trace_id FROM traces WHERE state = 'ERROR' AND span_count > 1",
    );
    let wanted: BTreeSet<String> = wanted.into_iter().filter(|id| met.contains(id)).collect();
    assert_eq!(found, wanted, "{state}: {errors}");
    let plan = rows(db, &format!("EXPLAIN {within}"));
    let plan: Vec<&str> = plan.iter().filter_map(|row| row["plan"].as_str()).collect();
    let plan = plan.join("\n");
    assert!(
        plan.contains(&format!("with=[a row of {table}")) && !plan.contains("Join"),
        "{plan}"
    );
}
