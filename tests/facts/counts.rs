//! Totals, per-name counts, models, tokens, times and durations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tracehouse::Database;

use crate::support::{Check, ids_sha256, number, rows, texts};

pub fn check(db: &Database, facts: &Value, check: &mut Check) {
    totals(db, &facts["totals"], check);
    attribute_walk(db, facts, check);
    times(db, &facts["time"], check);
    groups(db, facts, check);
    tokens(db, &facts["tokens"], check);
    errors(db, &facts["errors"], check);
    tools(db, &facts["tools"], check);
    durations(db, &facts["durations_ns"], check);
    shapes(db, &facts["shape"], check);
    let ids = texts(db, "SELECT trace_id FROM traces");
    check.equal(
        "all trace ids",
        json!(ids_sha256(&ids)),
        facts["all_trace_ids_sha256"].clone(),
    );
}

fn totals(db: &Database, want: &Value, check: &mut Check) {
    let parents = "SELECT count(*) FROM spans s LEFT JOIN spans p ON p.trace_id = s.trace_id AND \
                   p.span_id = s.parent_span_id WHERE s.parent_span_id IS NOT NULL AND p.span_id IS NULL";
    let roots = "SELECT trace_id, count(*) FILTER (WHERE parent_span_id IS NULL) AS roots FROM spans \
                 GROUP BY trace_id";
    let conversations = "SELECT count(DISTINCT id) FROM (SELECT attributes->>'session.id' AS id FROM spans \
                         UNION ALL SELECT attributes->>'gen_ai.conversation.id' AS id FROM spans)";
    for (key, statement) in [
        ("traces", "SELECT count(*) FROM traces"),
        ("spans", "SELECT count(*) FROM spans"),
        ("spans", "SELECT sum(span_count) FROM traces"),
        (
            "distinct_trace_span_ids",
            "SELECT count(*) FROM (SELECT DISTINCT trace_id, span_id FROM spans)",
        ),
        (
            "root_spans",
            "SELECT count(*) FROM spans WHERE parent_span_id IS NULL",
        ),
        ("orphan_spans", parents),
        (
            "traces_without_root",
            &format!("SELECT count(*) FROM ({roots}) WHERE roots = 0"),
        ),
        (
            "traces_with_several_roots",
            &format!("SELECT count(*) FROM ({roots}) WHERE roots > 1"),
        ),
        ("events", "SELECT count(*) FROM events"),
        (
            "links",
            "SELECT coalesce(sum(coalesce(array_length(links), 0)), 0) FROM spans",
        ),
        ("distinct_names", "SELECT count(DISTINCT name) FROM spans"),
        ("distinct_sessions_or_conversations", conversations),
        (
            "traces_with_several_services",
            "SELECT count(*) FROM (SELECT trace_id FROM spans GROUP BY trace_id HAVING count(DISTINCT service_name) > 1)",
        ),
    ] {
        check.equal(
            &format!("totals.{key}: {statement}"),
            Some(number(db, statement)),
            want[key].as_i64(),
        );
    }
}

/// What needs every attribute: keys, strings, the longest of them.
fn attribute_walk(db: &Database, facts: &Value, check: &mut Check) {
    let mut keys: BTreeMap<String, u64> = BTreeMap::new();
    let (mut strings, mut longest) = (0, 0);
    for text in texts(db, "SELECT attributes FROM spans") {
        let attributes: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
        for (key, value) in attributes {
            *keys.entry(key).or_default() += 1;
            walk(&value, &mut |text| {
                strings += 1;
                longest = longest.max(text.chars().count());
            });
        }
    }
    check.equal(
        "distinct_attr_keys",
        Some(keys.len() as u64),
        facts["totals"]["distinct_attr_keys"].as_u64(),
    );
    check.equal(
        "string_values",
        Some(strings),
        facts["totals"]["string_values"].as_u64(),
    );
    check.equal(
        "longest",
        Some(longest as u64),
        facts["totals"]["longest_string_chars"].as_u64(),
    );
    check.equal(
        "attr_keys_top",
        top(keys, 80),
        facts["attr_keys_top"].clone(),
    );
}

fn walk(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => found(text),
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Object(members) => members.values().for_each(|item| walk(item, found)),
        _ => {}
    }
}

/// The most frequent of all, as `facts.json` lists them.
pub fn top(counts: BTreeMap<String, u64>, count_max: usize) -> Value {
    let mut sorted: Vec<(String, u64)> = counts.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sorted
        .into_iter()
        .take(count_max)
        .map(|(key, count)| (key, json!(count)))
        .collect()
}

/// `SELECT key, count ... GROUP BY key` as the object that `facts.json` has, the largest first.
pub fn group(db: &Database, key: &str, from: &str, count_max: usize) -> Value {
    let statement = format!(
        "SELECT CAST({key} AS VARCHAR) AS k, count(*) AS n FROM {from} GROUP BY 1 ORDER BY n DESC, k LIMIT {count_max}"
    );
    let pairs = rows(db, &statement).into_iter();
    pairs
        .map(|row| {
            (
                row["k"].as_str().unwrap_or("None").to_string(),
                row["n"].clone(),
            )
        })
        .collect()
}

fn times(db: &Database, want: &Value, check: &mut Check) {
    let ns = |expression: &str| {
        texts(
            db,
            &format!("SELECT CAST(CAST({expression} AS BIGINT) AS VARCHAR) FROM spans"),
        )
    };
    check.equal(
        "min start",
        json!(ns("min(start_time)")[0]),
        want["min_start_ns"].clone(),
    );
    check.equal(
        "max end",
        json!(ns("max(end_time)")[0]),
        want["max_end_ns"].clone(),
    );
    let stats = db.stats().unwrap();
    let min = stats.min_time_ns.unwrap().to_string();
    check.equal("stats min", json!(min), want["min_start_ns"].clone());
    let days = group(db, "CAST(request_time AS DATE)", "traces", 1_000);
    check.equal("traces per day", days, want["traces_per_day_utc"].clone());
    let origin = "coalesce(resource->>'convert.timestamps', '(sdk replay)')";
    check.equal(
        "origin of times",
        group(db, origin, "spans", 60),
        want["spans_by_timestamp_origin"].clone(),
    );
}

fn groups(db: &Database, facts: &Value, check: &mut Check) {
    let status = "CASE status WHEN 'UNSET' THEN 0 WHEN 'OK' THEN 1 WHEN 'ERROR' THEN 2 END";
    let kind = "CASE kind WHEN 'UNSPECIFIED' THEN 0 WHEN 'INTERNAL' THEN 1 WHEN 'SERVER' THEN 2 \
                WHEN 'CLIENT' THEN 3 WHEN 'PRODUCER' THEN 4 WHEN 'CONSUMER' THEN 5 END";
    for (name, key, from, count_max) in [
        ("span_names_top", "name", "spans", 60),
        ("status_code", status, "spans", 60),
        ("span_kind", kind, "spans", 60),
        ("scope", "coalesce(scope_name, '')", "spans", 60),
        ("service_spans", "service_name", "spans", 200),
        ("service_traces", "service_name", "traces", 200),
        (
            "service_traces",
            "service_name",
            "(SELECT DISTINCT trace_id, service_name FROM spans)",
            200,
        ),
        ("event_names", "name", "events", 60),
    ] {
        check.equal(
            &format!("{name} by {key} of {from}"),
            group(db, key, from, count_max),
            facts[name].clone(),
        );
    }
    let http = attribute_group(db, "http.response.status_code", 60);
    check.equal("http_status", http, facts["http_status"].clone());
    for (part, count_max) in [("kinds_by_convention", 60), ("models", 80)] {
        for (key, want) in facts[part].as_object().unwrap() {
            check.equal(
                &format!("{part} {key}"),
                attribute_group(db, key, count_max),
                want.clone(),
            );
        }
    }
}

/// How many spans have which value of an attribute.
fn attribute_group(db: &Database, key: &str, count_max: usize) -> Value {
    let from = format!("(SELECT attributes->>'{key}' AS v FROM spans) WHERE v IS NOT NULL");
    group(db, "v", &from, count_max)
}

/// Model and tokens of a span as `facts.py` defines them: the first convention that has the key.
pub const USAGE: &str = "(SELECT trace_id, duration_ns, \
    coalesce(nullif(attributes->>'gen_ai.request.model', ''), nullif(attributes->>'llm.model_name', '')) AS m, \
    coalesce(json_get_int(attributes, 'gen_ai.usage.input_tokens'), json_get_int(attributes, 'llm.token_count.prompt')) AS i, \
    coalesce(json_get_int(attributes, 'gen_ai.usage.output_tokens'), json_get_int(attributes, 'llm.token_count.completion')) AS o \
    FROM spans)";

fn tokens(db: &Database, want: &Value, check: &mut Check) {
    for (key, sum) in want["sum_by_key"].as_object().unwrap() {
        let statement = format!(
            "SELECT sum(v) AS s, count(v) AS n FROM (SELECT json_get_int(attributes, '{key}') AS v FROM spans)"
        );
        let row = rows(db, &statement).remove(0);
        check.equal(&format!("tokens {key}"), row["s"].clone(), sum.clone());
        check.equal(
            &format!("spans with {key}"),
            row["n"].clone(),
            want["spans_by_key"][key].clone(),
        );
    }
    let statement = format!(
        "SELECT coalesce(m, '(none)') AS m, sum(coalesce(i, 0)) AS input, sum(coalesce(o, 0)) AS output, count(*) AS spans \
         FROM {USAGE} WHERE i IS NOT NULL OR o IS NOT NULL GROUP BY 1"
    );
    let mut got: BTreeMap<String, Value> = BTreeMap::new();
    for mut row in rows(db, &statement) {
        let model = row.as_object_mut().unwrap().remove("m").unwrap();
        got.insert(model.as_str().unwrap().to_string(), row);
    }
    let listed = want["by_model"].as_object().unwrap();
    for (model, usage) in listed {
        check.equal(
            &format!("tokens of {model}"),
            got.remove(model),
            Some(usage.clone()),
        );
    }
    let least = listed
        .values()
        .map(|usage| usage["input"].as_i64())
        .min()
        .unwrap();
    check.equal(
        "models not listed have fewer",
        got.values().all(|usage| usage["input"].as_i64() <= least),
        true,
    );
    let total = number(
        db,
        &format!("SELECT sum(coalesce(i, 0) + coalesce(o, 0)) FROM {USAGE}"),
    );
    check.equal(
        "tokens of all traces",
        Some(total),
        want["total_input_plus_output_all_traces"].as_i64(),
    );
}

fn errors(db: &Database, want: &Value, check: &mut Check) {
    for (key, statement) in [
        (
            "error_spans",
            "SELECT count(*) FROM spans WHERE status = 'ERROR'",
        ),
        ("error_spans", "SELECT sum(error_span_count) FROM traces"),
        (
            "traces_with_error_span",
            "SELECT count(*) FROM traces WHERE error_span_count > 0",
        ),
        (
            "traces_with_root_error",
            "SELECT count(*) FROM spans WHERE parent_span_id IS NULL AND status = 'ERROR'",
        ),
        (
            "traces_with_root_error",
            "SELECT count(*) FROM traces WHERE state = 'ERROR'",
        ),
    ] {
        check.equal(
            &format!("errors.{key}: {statement}"),
            Some(number(db, statement)),
            want[key].as_i64(),
        );
    }
    let ids = texts(db, "SELECT trace_id FROM traces WHERE error_span_count > 0");
    check.equal(
        "traces with errors",
        json!(ids_sha256(&ids)),
        want["traces_with_error_span_sha256"].clone(),
    );
    let from = "spans WHERE status = 'ERROR'";
    check.equal(
        "errors by service",
        group(db, "service_name", from, 60),
        want["by_service"].clone(),
    );
    check.equal(
        "errors by name",
        group(db, "name", from, 40),
        want["by_name"].clone(),
    );
}

fn tools(db: &Database, want: &Value, check: &mut Check) {
    // Both keys, as a span may have both; the column `tool_name` falls back on a tool span's name.
    let keys = ["gen_ai.tool.name", "tool.name"];
    let each =
        keys.map(|key| format!("SELECT trace_id, status, attributes->>'{key}' AS tool FROM spans"));
    let used = format!(
        "(SELECT * FROM ({}) WHERE tool IS NOT NULL)",
        each.join(" UNION ALL ")
    );
    check.equal(
        "tool spans",
        group(db, "tool", &used, 40),
        want["spans"].clone(),
    );
    let failed = format!("{used} WHERE status = 'ERROR'");
    check.equal(
        "tool errors",
        group(db, "tool", &failed, 40),
        want["error_spans"].clone(),
    );
    let traces = format!("(SELECT DISTINCT trace_id, tool FROM {used})");
    check.equal(
        "tool traces",
        group(db, "tool", &traces, 40),
        want["traces"].clone(),
    );
}

fn integers(db: &Database, statement: &str) -> Vec<i64> {
    texts(db, statement)
        .iter()
        .map(|text| text.parse().unwrap())
        .collect()
}

fn durations(db: &Database, want: &Value, check: &mut Check) {
    let values = |statement: &str| integers(db, statement);
    check.equal(
        "trace durations",
        quantiles(values("SELECT duration_ns FROM traces")),
        want["trace"].clone(),
    );
    check.equal(
        "span durations",
        quantiles(values("SELECT duration_ns FROM spans")),
        want["span"].clone(),
    );
    for (name, want) in want["by_span_name_top20"].as_object().unwrap() {
        let statement = format!(
            "SELECT duration_ns FROM spans WHERE name = {}",
            crate::support::quoted(name)
        );
        check.equal(
            &format!("durations of {name}"),
            quantiles(values(&statement)),
            want.clone(),
        );
    }
    for (model, want) in want["by_model_top15"].as_object().unwrap() {
        let statement = format!(
            "SELECT duration_ns FROM {USAGE} WHERE m = {}",
            crate::support::quoted(model)
        );
        check.equal(
            &format!("durations of {model}"),
            quantiles(values(&statement)),
            want.clone(),
        );
    }
    let long = number(
        db,
        "SELECT count(*) FROM traces WHERE duration_ns > 60000000000",
    );
    check.equal(
        "longer than 60 s",
        Some(long),
        want["traces_longer_than_60s"].as_i64(),
    );
}

/// How large and deep traces are.
fn shapes(db: &Database, shape: &Value, check: &mut Check) {
    let values = |statement: &str| integers(db, statement);
    check.equal(
        "spans per trace",
        quantiles(values("SELECT span_count FROM traces")),
        shape["spans_per_trace"].clone(),
    );
    let tokens = values(&format!(
        "SELECT sum(coalesce(i, 0) + coalesce(o, 0)) FROM {USAGE} GROUP BY trace_id"
    ));
    check.equal(
        "tokens per trace",
        quantiles(tokens),
        shape["tokens_per_trace"].clone(),
    );
    let depths = values(&format!(
        "SELECT max(depth) FROM {DEPTHS} GROUP BY trace_id"
    ));
    check.equal(
        "depth of traces",
        quantiles(depths),
        shape["max_depth"].clone(),
    );
}

/// Every span with its depth, 1 for a root, exact down to depth 6.
pub const DEPTHS: &str = "(SELECT a.trace_id, 1 + CAST(b.span_id IS NOT NULL AS INT) + CAST(c.span_id IS NOT NULL AS INT) \
    + CAST(d.span_id IS NOT NULL AS INT) + CAST(e.span_id IS NOT NULL AS INT) + CAST(f.span_id IS NOT NULL AS INT) AS depth \
    FROM spans a LEFT JOIN spans b ON b.trace_id = a.trace_id AND b.span_id = a.parent_span_id \
    LEFT JOIN spans c ON c.trace_id = b.trace_id AND c.span_id = b.parent_span_id \
    LEFT JOIN spans d ON d.trace_id = c.trace_id AND d.span_id = c.parent_span_id \
    LEFT JOIN spans e ON e.trace_id = d.trace_id AND e.span_id = d.parent_span_id \
    LEFT JOIN spans f ON f.trace_id = e.trace_id AND f.span_id = e.parent_span_id)";

/// The figures of `facts.py` for a set of values: nearest rank and linear quantiles.
fn quantiles(mut values: Vec<i64>) -> Value {
    values.sort_unstable();
    let n = values.len();
    let nearest = |p: f64| values[((p * n as f64).ceil() as usize).max(1) - 1];
    let linear = |p: f64| {
        let at = p * (n - 1) as f64;
        let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
        low as f64 + (high - low) as f64 * (at - at.floor())
    };
    let figures = json!({
        "n": n, "min": values[0], "max": values[n - 1], "mean": values.iter().sum::<i64>() as f64 / n as f64,
        "median_nr": nearest(0.5), "median_lin": linear(0.5), "p95_nr": nearest(0.95), "p95_lin": linear(0.95),
        "p99_nr": nearest(0.99),
    });
    // Through the same reader as the expected figures, which takes the last digit of a fraction easy.
    serde_json::from_str(&figures.to_string()).unwrap()
}

/// The distinct texts of a list, sorted.
pub fn distinct(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    texts
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}
