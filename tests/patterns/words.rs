//! Queries of the text language and what they mean, word by word.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Number, Value};

static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[\p{L}\p{N}_]+").unwrap());

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
    let words = |leaf: &String| {
        WORD.find_iter(&leaf.to_lowercase()).map(|found| found.as_str().to_string()).collect()
    };
    leaves.iter().map(words).collect()
}

fn add_leaves(text: &str, leaves: &mut Vec<String>) {
    let looks_like_json = text.starts_with(['{', '[']) && text.ends_with(['}', ']']);
    match serde_json::from_str::<Value>(text) {
        Ok(value) if looks_like_json => add_values(&value, leaves),
        _ => leaves.push(text.to_string()),
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
    let Some(value) = number.as_f64().filter(|_| number.is_f64()) else { return number.to_string() };
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

impl WordQuery {
    /// As the language writes it.
    pub fn text(&self) -> String {
        let alternative = |parts: &Vec<Part>| parts.iter().map(Part::text).collect::<Vec<_>>().join(" ");
        self.alternatives.iter().map(alternative).collect::<Vec<_>>().join(" OR ")
    }

    /// Whether a span with these words is found.
    pub fn finds(&self, inputs: &[Vec<String>], all: &[Vec<String>]) -> bool {
        self.alternatives.iter().any(|parts| {
            parts.iter().all(|part| part.is_in(if part.only_inputs { inputs } else { all }) == part.is_wanted)
        })
    }
}

impl Part {
    fn text(&self) -> String {
        let words = self.words.join(" ");
        let star = if self.is_prefix { "*" } else { "" };
        let quote = if self.words.len() > 1 { "\"" } else { "" };
        let field = if self.only_inputs { "inputs:" } else { "" };
        let minus = if self.is_wanted { "" } else { "-" };
        format!("{minus}{field}{quote}{words}{star}{quote}")
    }

    fn is_in(&self, strings: &[Vec<String>]) -> bool {
        let fits = |found: &[String]| match (found, self.words.as_slice()) {
            ([word], [start]) if self.is_prefix => word.starts_with(start),
            (found, words) => found == words,
        };
        strings.iter().any(|words| words.windows(self.words.len()).any(fits))
    }
}
