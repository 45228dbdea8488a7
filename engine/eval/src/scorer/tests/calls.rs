//! Calls of tools against those expected.

use serde_json::{Value, json};

use super::{error, item, kind, said};
use crate::ToolCall;

fn calls(list: &[(&str, Value)]) -> Vec<ToolCall> {
    let each = list.iter().map(|(name, arguments)| ToolCall {
        name: (*name).to_owned(),
        arguments: arguments.clone(),
    });
    each.collect()
}

#[test]
fn tool_calls() {
    let x = || json!({"x": 1, "y": {"b": 2, "a": 1}});
    let a = || json!({"name": "a", "arguments": x()});
    let (b, only_a) = (json!({"name": "b", "arguments": {}}), json!({"name": "a"}));
    let called = || calls(&[("a", x()), ("b", Value::Null)]);
    let swapped = || calls(&[("b", json!({})), ("a", x())]);
    let text = calls(&[("a", json!(x().to_string())), ("b", Value::Null)]);
    let float = calls(&[
        ("a", json!({"x": 1.0, "y": {"b": 2, "a": 1}})),
        ("b", Value::Null),
    ]);
    let aab = calls(&[("a", x()), ("a", x()), ("b", Value::Null)]);
    let abb = json!([a(), b, b]);
    for (settings, came, expected, f1, passed) in [
        (json!({}), called(), json!([a(), b]), 1.0, true),
        (json!({}), swapped(), json!([a(), b]), 1.0, true),
        (
            json!({"order": true}),
            swapped(),
            json!([a(), b]),
            0.5,
            false,
        ),
        (json!({"order": true}), called(), json!([a(), b]), 1.0, true),
        (json!({}), text, json!([a(), b]), 1.0, true),
        (json!({}), float.clone(), json!([a(), b]), 0.5, false),
        (
            json!({"arguments": false}),
            float.clone(),
            json!([a(), b]),
            1.0,
            true,
        ),
        // One expected call without arguments: none are compared.
        (json!({}), float.clone(), json!([only_a, b]), 1.0, true),
        (
            json!({"arguments": true}),
            float,
            json!([only_a, b]),
            0.5,
            false,
        ),
        (json!({}), called(), json!([a()]), 2.0 / 3.0, false),
        (json!({}), vec![], json!([a()]), 0.0, false),
        (json!({}), vec![], json!([]), 1.0, true),
        (json!({}), called(), json!([]), 0.0, false),
        (json!({}), aab.clone(), abb.clone(), 2.0 / 3.0, true),
        (json!({"repeats": true}), aab, abb, 2.0 / 3.0, false),
    ] {
        let mut item = item(Value::Null, Value::Null);
        item.tool_calls = came;
        item.expectations
            .insert("expected_tool_calls".to_owned(), expected.clone());
        let mut definition = settings.clone();
        definition["kind"] = json!("tool_calls");
        let (value, found, why) = said(definition, &item);
        assert_eq!(found, Some(passed), "{settings} {expected} {why}");
        assert!(
            (value.as_f64().unwrap() - f1).abs() < 1e-12,
            "{settings} {expected} {value}"
        );
        assert_eq!(why.is_empty(), passed);
    }
}

#[test]
fn tool_calls_that_cannot_be_read() {
    for expected in [
        json!("a"),
        json!([1]),
        json!([{"arguments": {}}]),
        json!([{"name": "a", "arguments": 1}]),
    ] {
        let mut item = item(Value::Null, Value::Null);
        item.expectations
            .insert("expected_tool_calls".to_owned(), expected);
        assert!(error(kind("tool_calls"), &item).starts_with("unreadable: expectation"));
    }
}
