//! The top lists: which traces, in which order, and each in detail as `get_trace` gives it.

use std::collections::HashMap;

use serde_json::{Value, json};
use tracehouse::{Database, Search, Trace};

use super::counts::{DEPTHS, USAGE, distinct};
use crate::support::{Check, ids_sha256, texts};

pub fn check(db: &Database, facts: &Value, check: &mut Check) {
    let search = |order: &str, count: usize| -> Vec<String> {
        // Equal keys end newest first; the lists of `facts.json` have no equal keys among the first.
        let page = db
            .search_traces(&Search::new("").order_by([order]).limit(count))
            .unwrap();
        page.traces
            .into_iter()
            .map(|trace| trace.trace_id)
            .collect()
    };
    let sql = |from: &str, key: &str, count: usize| {
        texts(
            db,
            &format!(
                "SELECT trace_id FROM {from} GROUP BY trace_id ORDER BY {key} DESC, trace_id LIMIT {count}"
            ),
        )
    };
    let sum = "sum(coalesce(i, 0) + coalesce(o, 0))";
    for (list, want) in facts["top"].as_object().unwrap() {
        let want = want.as_array().unwrap();
        let got = match list.as_str() {
            "most_spans" => sql("spans", "count(*)", want.len()),
            "longest" => search("execution_time DESC", want.len()),
            "most_tokens" => sql(USAGE, sum, want.len()),
            "deepest" => sql(DEPTHS, "max(depth)", want.len()),
            "newest" => search("timestamp DESC", want.len()),
            other => panic!("unknown list {other}"),
        };
        let ids: Vec<&str> = want
            .iter()
            .map(|trace| trace["trace_id"].as_str().unwrap())
            .collect();
        check.equal(
            &format!("top.{list}"),
            got.iter().map(String::as_str).collect::<Vec<_>>(),
            ids,
        );
        for trace in want {
            let id = trace["trace_id"].as_str().unwrap();
            check.equal(
                &format!("{list} {id}"),
                detail(&db.get_trace(id).unwrap()),
                trace.clone(),
            );
        }
    }
}

/// A trace as `facts.py` describes one.
fn detail(trace: &Trace) -> Value {
    let attributes: Vec<Value> = trace
        .spans
        .iter()
        .map(|span| serde_json::from_str(&span.attributes).unwrap())
        .collect();
    let words = |keys: [&str; 2], one: bool| {
        let mut found = Vec::new();
        for span in &attributes {
            let values = keys
                .iter()
                .filter_map(|key| span[*key].as_str())
                .map(str::to_string);
            found.extend(values.take(if one { 1 } else { 2 }));
        }
        distinct(found)
    };
    let int = |span: &Value, keys: [&str; 2]| {
        keys.iter().find_map(|key| span[*key].as_i64()).unwrap_or(0)
    };
    let tokens: i64 = attributes
        .iter()
        .map(|span| {
            int(
                span,
                ["gen_ai.usage.input_tokens", "llm.token_count.prompt"],
            ) + int(
                span,
                ["gen_ai.usage.output_tokens", "llm.token_count.completion"],
            )
        })
        .sum();
    let ids: Vec<String> = trace
        .spans
        .iter()
        .map(|span| span.span_id.clone())
        .collect();
    json!({
        "trace_id": trace.info.trace_id,
        "service": distinct(trace.spans.iter().filter_map(|span| span.service_name.clone())),
        "spans": trace.spans.len(),
        "depth": depth(trace),
        "duration_ns": trace.info.duration_ns,
        "tokens": tokens,
        "root": trace.root().map(|root| &root.name),
        "errors": trace.info.error_span_count,
        "tools": words(["gen_ai.tool.name", "tool.name"], false),
        "models": words(["gen_ai.request.model", "llm.model_name"], true),
        "start_ns": trace.info.request_time_ns.to_string(),
        "span_ids_sha256": ids_sha256(&ids),
    })
}

fn depth(trace: &Trace) -> usize {
    let parents: HashMap<&str, Option<&str>> = trace
        .spans
        .iter()
        .map(|span| (span.span_id.as_str(), span.parent_span_id.as_deref()))
        .collect();
    let depth_of = |id: &str| {
        let (mut depth, mut at) = (1, parents[id]);
        while let Some(parent) = at.and_then(|parent| parents.get(parent)) {
            (depth, at) = (depth + 1, *parent);
        }
        depth
    };
    trace
        .spans
        .iter()
        .map(|span| depth_of(&span.span_id))
        .max()
        .unwrap_or(0)
}
