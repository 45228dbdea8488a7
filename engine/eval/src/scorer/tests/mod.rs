//! Tests of scorers through their definitions, as a stored run makes them.

mod calls;
mod definitions;
mod parity;
mod scores;
mod specs;

use serde_json::{Value, json};

use super::from_definition;
use crate::{Item, Score, ScoreError};

/// An item with outputs and `expected_response`; null leaves either out.
fn item(outputs: Value, expected: Value) -> Item {
    let mut item = Item {
        outputs: (!outputs.is_null()).then_some(outputs),
        ..Item::default()
    };
    if !expected.is_null() {
        let name = "expected_response".to_owned();
        item.expectations.insert(name, expected);
    }
    item
}

fn score(definition: Value, item: &Item) -> Result<Score, ScoreError> {
    from_definition(&definition).unwrap().score(item)
}

/// Value, whether it passed, and the rationale or "".
fn said(definition: Value, item: &Item) -> (Value, Option<bool>, String) {
    let score = score(definition, item).unwrap();
    (
        score.value,
        score.passed,
        score.rationale.unwrap_or_default(),
    )
}

fn passes(definition: Value, item: &Item) -> bool {
    score(definition, item).unwrap().passed.unwrap()
}

fn error(definition: Value, item: &Item) -> String {
    score(definition, item).unwrap_err().to_string()
}

fn kind(kind: &str) -> Value {
    json!({"kind": kind})
}
