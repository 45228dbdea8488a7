//! Queries of the text language and what they mean, word by word.

use std::sync::LazyLock;

use icu_normalizer::ComposingNormalizerBorrowed;
use regex::Regex;
use serde_json::{Number, Value};

/// Letters that stand alone: Han, Hiragana, Katakana, Thai, Lao, Myanmar, Khmer.
const ALONE: &str = r"\u3005\u3007\u3041-\u309F\u30A0-\u30FF\u31F0-\u31FF\uFF66-\uFF9F\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\U00020000-\U0003FFFF";
static WORD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"[[\p{{L}}\p{{N}}]&&[{ALONE}]]|[[\p{{L}}\p{{N}}_]--[{ALONE}]]+"
    ))
    .unwrap()
});
static SEQUENCE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\x1b\[[0-?]*[ -/]*[@-~]").unwrap());

/// One query: alternatives, of which each is parts that must and must not be there.
#[derive(Debug, Clone)]
pub struct WordQuery {
    pub alternatives: Vec<Vec<Part>>,
}

#[derive(Debug, Clone)]
pub struct Part {
    pub is_wanted: bool,
    pub only_inputs: bool,
    /// Words that follow one another in one string.
    pub words: Vec<String>,
    /// Whether the one word is only the beginning of one.
    pub is_prefix: bool,
}

/// The words of the strings in a text, string by string.
pub fn words_of(text: &str) -> Vec<Vec<String>> {
    let mut leaves = Vec::new();
    add_leaves(text, &mut leaves);
    leaves.iter().map(|leaf| words_in(leaf)).collect()
}

fn words_in(leaf: &str) -> Vec<String> {
    let plain = SEQUENCE.replace_all(leaf, "").to_lowercase();
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&plain);
    WORD.find_iter(&composed)
        .map(|found| found.as_str().to_string())
        .collect()
}

/// The strings that JSON in a text stands for.
pub fn decoded(text: &str) -> Vec<String> {
    let mut strings = Vec::new();
    if let Some(value) = json_in(text) {
        add_strings(&value, &mut strings);
    }
    strings
}

fn add_strings(value: &Value, strings: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let inner = json_in(text);
            if inner.as_ref().is_none_or(Value::is_string) {
                strings.push(text.clone());
            }
            inner.iter().for_each(|value| add_strings(value, strings));
        }
        Value::Array(items) => items.iter().for_each(|item| add_strings(item, strings)),
        Value::Object(object) => object
            .values()
            .for_each(|value| add_strings(value, strings)),
        _ => {}
    }
}

/// The value of a text that is a JSON object, array or string.
pub fn json_in(text: &str) -> Option<Value> {
    let looks_like_json = text.starts_with(['{', '[', '"']) && text.ends_with(['}', ']', '"']);
    serde_json::from_str(text).ok().filter(|_| looks_like_json)
}

fn add_leaves(text: &str, leaves: &mut Vec<String>) {
    match json_in(text) {
        Some(value) => add_values(&value, leaves),
        None => leaves.push(text.to_string()),
    }
}

fn add_values(value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::String(text) => add_leaves(text, leaves),
        Value::Number(number) => leaves.push(number_text(number)),
        Value::Array(items) => items.iter().for_each(|item| add_values(item, leaves)),
        Value::Object(object) => object.values().for_each(|value| add_values(value, leaves)),
        _ => {}
    }
}

/// A number as the rules of words have it: as Python writes it.
fn number_text(number: &Number) -> String {
    let Some(value) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        return if plain.contains('.') {
            plain
        } else {
            plain + ".0"
        };
    }
    format!(
        "{mantissa}e{}{:02}",
        if exponent < 0 { '-' } else { '+' },
        exponent.abs()
    )
}

impl WordQuery {
    /// As the language writes it.
    pub fn text(&self) -> String {
        let alternative = |parts: &Vec<Part>| {
            let joint = if parts.len().is_multiple_of(2) {
                " AND "
            } else {
                " "
            };
            parts.iter().map(Part::text).collect::<Vec<_>>().join(joint)
        };
        self.alternatives
            .iter()
            .map(alternative)
            .collect::<Vec<_>>()
            .join(" OR ")
    }

    /// Whether a span with these words is found.
    pub fn finds(&self, inputs: &[Vec<String>], all: &[Vec<String>]) -> bool {
        self.alternatives.iter().any(|parts| {
            parts.iter().all(|part| {
                part.is_in(if part.only_inputs { inputs } else { all }) == part.is_wanted
            })
        })
    }
}

impl Part {
    fn text(&self) -> String {
        let words = self.words.join(" ");
        let star = if self.is_prefix { "*" } else { "" };
        let quote = if self.words.len() > 1 { "\"" } else { "" };
        let field = if self.only_inputs { "inputs:" } else { "" };
        let minus = match (self.is_wanted, self.words.len() % 2) {
            (true, _) => "",
            (false, 0) => "-",
            (false, _) => "NOT ",
        };
        format!("{minus}{field}{quote}{words}{star}{quote}")
    }

    fn is_in(&self, strings: &[Vec<String>]) -> bool {
        let fits = |found: &[String]| match (found, self.words.as_slice()) {
            ([word], [start]) if self.is_prefix => word.starts_with(start),
            (found, words) => found == words,
        };
        strings
            .iter()
            .any(|words| words.windows(self.words.len()).any(fits))
    }
}
