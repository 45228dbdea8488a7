//! Rows by a test of an attribute's value, against the attributes themselves.

use std::ops::Range;

use serde_json::{Value, json};

use super::{Lcg, TestSpan, batch};
use crate::text::{TextLocation, TextReader, TextWriter, ValueRows};

const KEY: &str = "gen.model";
const ROWS: usize = 700;

fn random_attributes(random: &mut Lcg) -> Value {
    let long = format!("gpt-4 {}", "x".repeat(200));
    let values = [
        json!("gpt-4"),
        json!("gpt-4o"),
        json!("GPT-4"),
        json!("claude"),
        json!("\"gpt-4 quoted\""),
        json!(long),
        json!(4),
        json!(null),
        json!(["gpt-4"]),
        json!(["claude", "gpt-4"]),
        json!("[\"x\",\"gpt-4o\"]"),
        json!([4, long]),
        json!(vec!["gpt-4o"; 40]),
        json!({"$double": "NaN"}),
    ];
    let value = random.pick(&values).clone();
    match random.below(6) {
        0 => json!({"gen": {"model": value}}),
        1 => json!({"gen.other": value, "model": "gpt-4"}),
        2 => json!({"Gen.Model": value}),
        3 => json!({}),
        _ => json!({"gen.model": value, "n": 1}),
    }
}

/// The text of the attribute, what that stands for when it is a quoted string, and those of elements.
fn texts(attributes: &Value) -> Vec<String> {
    let Some(value) = attributes
        .get(KEY)
        .or_else(|| attributes.get("gen")?.get("model"))
    else {
        return Vec::new();
    };
    let list: Option<Vec<Value>> = match value {
        Value::String(text) => serde_json::from_str(text).ok(),
        other => serde_json::from_value(other.clone()).ok(),
    };
    [value]
        .into_iter()
        .chain(list.iter().flatten())
        .flat_map(own_texts)
        .collect()
}

fn own_texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => [text.clone()]
            .into_iter()
            .chain(serde_json::from_str::<String>(text))
            .collect(),
        Value::Object(_) => vec!["NaN".to_string()],
        other => vec![other.to_string()],
    }
}

fn index(attributes: &[Value]) -> TextReader {
    let spans = attributes.iter().map(|attributes| {
        let attributes = attributes.to_string();
        TestSpan {
            name: "s".into(),
            span_type: "LLM".into(),
            attributes,
            ..TestSpan::default()
        }
    });
    let mut writer = TextWriter::create(TextLocation::Memory).unwrap();
    writer.add(&batch(&spans.collect::<Vec<_>>())).unwrap();
    writer.finish().unwrap()
}

#[test]
fn values_tell_the_rows_of_a_run() {
    let mut random = Lcg(7);
    let attributes: Vec<Value> = (0..ROWS).map(|_| random_attributes(&mut random)).collect();
    let index = index(&attributes);
    for _ in 0..40 {
        let start = random.below(ROWS);
        let end = start + random.below(ROWS + 1 - start);
        let prefix: &str =
            random.pick::<&str>(&["gpt-4", "gpt-4o", "\"", "[", "", "nothing", "NaN", "x"]);
        let accepts = |text: &str| text.starts_with(prefix);
        let found = index
            .rows_with_value(KEY, &accepts, start as u32..end as u32)
            .unwrap()
            .unwrap();
        for (row, attributes) in attributes.iter().enumerate() {
            let (sure, maybe) = (
                found.sure.contains(row as u32),
                found.maybe.contains(row as u32),
            );
            let expected =
                (start..end).contains(&row) && texts(attributes).iter().any(|text| accepts(text));
            assert!(!sure || expected, "{prefix:?} {attributes}");
            assert!(!expected || sure || maybe, "{prefix:?} {attributes}");
            // Only what is long, a list, absent, null, or under another name is left open.
            let is_told = |text: &str| text.len() < 99 && !text.starts_with('[');
            let is_short = attributes
                .get(KEY)
                .is_some_and(|value| value.as_str().is_some_and(is_told));
            assert!(!(is_short && maybe), "{prefix:?} {attributes}");
        }
    }
}

#[test]
fn too_many_values_tell_nothing() {
    let attributes: Vec<Value> = (0..600)
        .map(|row| json!({"gen.model": format!("m{row}")}))
        .collect();
    let index = index(&attributes);
    assert_eq!(index.rows_with_value(KEY, &|_| true, 0..600).unwrap(), None);
    let none = index
        .rows_with_value("other", &|_| true, 0..600)
        .unwrap()
        .unwrap();
    assert!(none.sure.is_empty() && none.maybe.is_empty());
}

#[test]
fn members_are_told_as_a_json_function_reads_them() {
    let mut random = Lcg(11);
    let attributes: Vec<Value> = (0..ROWS).map(|_| random_attributes(&mut random)).collect();
    let index = index(&attributes);
    let text = |attributes: &Value| match attributes.get(KEY)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let check = |found: ValueRows, within: Range<usize>, accepts: &dyn Fn(&str) -> bool| {
        for (row, attributes) in attributes.iter().enumerate() {
            let at = row as u32;
            let (sure, maybe) = (found.sure.contains(at), found.maybe.contains(at));
            let expected =
                within.contains(&row) && text(attributes).is_some_and(|text| accepts(&text));
            assert!(!sure || expected, "{attributes}");
            assert!(!expected || sure || maybe, "{attributes}");
        }
        found.sure.len()
    };
    let mut sure = 0;
    for prefix in ["gpt-4", "gpt-4o", "\"", "[", "", "nothing", "NaN", "x", "5"] {
        let accepts = |text: &str| text.starts_with(prefix);
        let found = index.rows_with_member(KEY, &accepts, 3..ROWS as u32 - 3);
        sure += check(found.unwrap().unwrap(), 3..ROWS - 3, &accepts);
    }
    for value in attributes.iter().filter_map(text) {
        if let Some(found) = index.member_rows(KEY, &value).unwrap() {
            sure += check(found, 0..ROWS, &|text| text == value);
        }
    }
    assert!(sure > 0);
}
