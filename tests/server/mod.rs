//! `tracehouse serve` as a process: what it receives, answers and survives.

mod attacks;
pub mod client;
mod killed;
mod producers;
mod real_clients;
mod receive;
mod rust_exporters;
mod upkeep;

use serde_json::{Value, json};

/// An OTLP/JSON request with one span of each id.
pub fn spans_request(ids: &[(u128, u64)]) -> Value {
    let spans: Vec<Value> = ids
        .iter()
        .map(|(trace_id, span_id)| {
            json!({
                "traceId": format!("{trace_id:032x}"), "spanId": format!("{span_id:016x}"), "name": "answer",
                "startTimeUnixNano": "1740787200000000000", "endTimeUnixNano": "1740787201000000000",
                "attributes": [{"key": "input.value", "value": {"stringValue": "what is the refund policy?"}}],
            })
        })
        .collect();
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
}
