//! Tests of reviews, one file a subject.

mod agreement;
mod model;
mod queue;
mod schema;

use serde_json::{Map, Value, json};

use super::{ItemKey, LabelSchema, ReviewQueue};

/// The entries of a JSON object.
fn entries(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn trace(n: usize) -> ItemKey {
    format!("trace:{n}").parse().unwrap()
}

fn yes() -> Map<String, Value> {
    entries(json!({"ok": true}))
}

/// A queue with one boolean label.
fn queue(reviewers: &[&str]) -> ReviewQueue {
    let schema = LabelSchema::parse(r#"[{"name": "ok", "kind": "boolean"}]"#).unwrap();
    let reviewers = reviewers.iter().map(|name| (*name).to_owned()).collect();
    ReviewQueue::new("q", schema, reviewers).unwrap()
}
