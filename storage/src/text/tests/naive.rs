//! The reference: the rules of the text language written down as plainly as possible.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::TestSpan;
use crate::text::{Slot, TextField, TextQuery, TextTerm};

/// The words of each leaf string, per field.
pub(super) struct NaiveSpan {
    pub(super) fields: [Vec<Vec<String>>; 3],
    pub(super) raw: Vec<String>,
}

impl NaiveSpan {
    pub(super) fn new(span: &TestSpan) -> NaiveSpan {
        let mut strings = vec![span.name.clone()];
        strings.extend(span.status_message.clone());
        let mut attributes = Vec::new();
        value_strings(
            &serde_json::from_str(&span.attributes).unwrap(),
            true,
            &mut attributes,
        );
        attributes.retain(|string| {
            Some(string) != span.inputs.as_ref() && Some(string) != span.outputs.as_ref()
        });
        strings.extend(attributes);
        for (name, attributes) in &span.events {
            strings.push(name.clone());
            value_strings(
                &serde_json::from_str(attributes).unwrap(),
                true,
                &mut strings,
            );
        }
        let fields = [
            leaf_words(span.inputs.as_slice()),
            leaf_words(span.outputs.as_slice()),
            leaf_words(&strings),
        ];
        strings.extend(span.inputs.clone());
        strings.extend(span.outputs.clone());
        NaiveSpan {
            fields,
            raw: strings,
        }
    }

    pub(super) fn matches(&self, query: &TextQuery) -> bool {
        match query {
            TextQuery::Term(term) => self.count(term) > 0,
            TextQuery::And(children) => children.iter().all(|child| self.matches(child)),
            TextQuery::Or(children) => children.iter().any(|child| self.matches(child)),
            TextQuery::Not(child) => !self.matches(child),
        }
    }

    pub(super) fn count(&self, term: &TextTerm) -> usize {
        let fields: &[usize] = match term.field {
            TextField::Inputs => &[0],
            TextField::Outputs => &[1],
            TextField::Other => &[2],
            TextField::Any => &[0, 1, 2],
        };
        let leaves = fields.iter().flat_map(|&field| &self.fields[field]);
        leaves
            .map(|words| {
                words
                    .windows(term.slots.len())
                    .filter(|window| fits(&term.slots, window))
                    .count()
            })
            .sum()
    }
}

fn fits(slots: &[Slot], words: &[String]) -> bool {
    slots.iter().zip(words).all(|(slot, word)| match slot {
        Slot::Word(wanted) => word == wanted,
        Slot::Prefix(prefix) => word.starts_with(prefix.as_str()),
        Slot::Fuzzy(wanted, limit) => {
            let (a, b): (Vec<char>, Vec<char>) = (wanted.chars().collect(), word.chars().collect());
            edits(&a, &b, *limit)
        }
    })
}

/// Edits with swaps of neighbours that are not edited again, by trying all of them.
fn edits(a: &[char], b: &[char], limit: u8) -> bool {
    match (a, b) {
        ([x, a @ ..], [y, b @ ..]) if x == y => edits(a, b, limit),
        _ if limit == 0 => a == b,
        ([], rest) | (rest, []) => rest.len() <= usize::from(limit),
        ([x, a_rest @ ..], [y, b_rest @ ..]) => {
            let swapped = match (a_rest, b_rest) {
                ([x2, a_tail @ ..], [y2, b_tail @ ..]) if x == y2 && x2 == y => {
                    edits(a_tail, b_tail, limit - 1)
                }
                _ => false,
            };
            swapped
                || edits(a_rest, b_rest, limit - 1)
                || edits(a_rest, b, limit - 1)
                || edits(a, b_rest, limit - 1)
        }
    }
}

fn value_strings(value: &Value, top: bool, strings: &mut Vec<String>) {
    match value {
        Value::String(text) => strings.push(text.clone()),
        Value::Array(items) => items
            .iter()
            .for_each(|item| value_strings(item, false, strings)),
        Value::Object(map) => {
            let is_text = |key: &str| map.get(key).is_some_and(Value::is_string);
            let wrapper = !top && map.len() == 1 && (is_text("$bytes") || is_text("$double"));
            if !wrapper {
                map.values()
                    .for_each(|item| value_strings(item, false, strings));
            }
        }
        _ => {}
    }
}

fn leaf_words(strings: &[String]) -> Vec<Vec<String>> {
    let mut leaves = Vec::new();
    strings
        .iter()
        .for_each(|string| string_leaves(string, &mut leaves));
    leaves.iter().map(|leaf| split(&read(leaf))).collect()
}

fn string_leaves(text: &str, leaves: &mut Vec<String>) {
    let brackets = [("{", "}"), ("[", "]"), ("\"", "\"")]
        .iter()
        .any(|(first, last)| text.starts_with(first) && text.ends_with(last));
    match serde_json::from_str::<Value>(text) {
        Ok(value) if brackets => value_leaves(&value, leaves),
        _ => leaves.push(text.to_owned()),
    }
}

fn value_leaves(value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::String(text) => string_leaves(text, leaves),
        Value::Number(number) => leaves.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| value_leaves(item, leaves)),
        Value::Object(map) => map.values().for_each(|item| value_leaves(item, leaves)),
        Value::Bool(_) | Value::Null => {}
    }
}

/// Without colours, lower-cased, composed.
fn read(leaf: &str) -> String {
    static SEQUENCE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\x1b\[[0-?]*[ -/]*[@-~]").unwrap());
    let plain = SEQUENCE.replace_all(leaf, "").to_lowercase();
    icu_normalizer::ComposingNormalizerBorrowed::new_nfc()
        .normalize(&plain)
        .into_owned()
}

/// Letters and numbers by the regular expression engine's own tables; letters of some scripts stand alone.
fn split(lower: &str) -> Vec<String> {
    static WORD: LazyLock<Regex> = LazyLock::new(|| {
        let alone = r"\u3005\u3007\u3041-\u309F\u30A0-\u30FF\u31F0-\u31FF\uFF66-\uFF9F\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\U00020000-\U0003FFFF";
        Regex::new(&format!(
            r"[[\p{{L}}\p{{N}}]&&[{alone}]]|[[\p{{L}}\p{{N}}_]--[{alone}]]+"
        ))
        .unwrap()
    });
    WORD.find_iter(lower)
        .map(|found| found.as_str().to_owned())
        .collect()
}
