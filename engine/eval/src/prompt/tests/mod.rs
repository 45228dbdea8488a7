//! Tests of prompts, one file a subject.

mod content;
mod diff;
mod registry;
mod template;
mod uri;

use serde_json::{Map, Value};

/// The entries of a JSON object.
fn entries(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}
