//! Odd spans, and questions made from what they say.

use serde_json::{Value, json};

use super::naive::{Naive, Question, Row};
use super::words::{Part, WordQuery, json_in};

/// Pieces of text in which cases, escapes, wildcards and the limits of words differ.
const PIECES: &[&str] = &[
    "timeout",
    "TimeOut_42",
    "Straße",
    "STRASSE",
    "ẞtern",
    "İstanbul",
    "istanbul",
    "ıssız",
    "ISSIZ",
    "ΑΣΑΣ",
    "ας'α",
    "naïve",
    "NAÏVE",
    "cafe\u{301}",
    "café",
    "中文字符",
    "東京の天気",
    "か\u{3099}abc",
    "ที่นี่",
    "\u{1b}[31mred\u{1b}[0m",
    "무지개 나라",
    "📶",
    "🏳️‍🌈x",
    "a%b",
    "100%",
    "x_y",
    "c:\\new\\table",
    "it's",
    "say \"hi\"",
    "line\nnext",
    "tab\there",
    "\r\nword",
    "fn main() { x += 1; }",
    "ſtop",
    "\u{212a}elvin",
    "\u{1fd3}\u{390}",
    "ﬅ ﬆ",
    "हिन्दी",
    "2024-01-01T00:00:00Z",
    "user@example.com",
    "0.50",
    "1e5",
    "-7",
    "null",
    "true",
    "a/b/c",
    "\u{1}ctl",
    "$bytes",
    "--",
    "ok",
    "e",
    "the",
    "\\u00e9",
    "\\n",
    "Ǆ ǆ ǅ",
    "µ μ",
    "Ω Ω",
    "x\u{0}y",
];

const KEYS: &[&str] = &[
    "input.value",
    "output.value",
    "flag",
    "n",
    "model.name",
    "Ünïcode key",
    "nested",
    "k\"ey",
    "a",
    "note",
];

pub struct Generator(u64);

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn text(&mut self) -> String {
        let count = 1 + self.below(5);
        let mut text = String::new();
        for _ in 0..count {
            let piece: &&str = self.pick(PIECES);
            text.push_str(piece);
            let gap: &&str = self.pick(&["", " ", "-", "", ", "]);
            text.push_str(gap);
        }
        match self.below(24) {
            0 => base64(self.below(1 << 20), 330) + &text,
            1 => text + &base64(self.below(1 << 20), 290),
            _ => text,
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            9 => {
                let name: &&str = self.pick(&["NaN", "Infinity", "-Infinity"]);
                json!({"$double": name})
            }
            0 => json!(self.below(40) as i64 - 20),
            1 => json!(self.below(40) as f64 / 8.0),
            2 => json!(self.below(2) == 0),
            3 => {
                json!(["1.50", "5", "5.0", "-0", "\"5\"", "\"na\\u00efve\"", "true"][self.below(7)])
            }
            4 | 5 => json!(self.text()),
            6 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            7 => {
                let value = self.value(depth - 1);
                json!(self.written(&value))
            }
            _ => {
                let mut object = serde_json::Map::new();
                for _ in 0..self.below(4) {
                    object.insert((*self.pick(KEYS)).to_string(), self.value(depth - 1));
                }
                Value::Object(object)
            }
        }
    }

    /// JSON text, sometimes of ASCII characters alone.
    fn written(&mut self, value: &Value) -> String {
        let text = value.to_string();
        if self.below(2) == 0 {
            return text;
        }
        let units = |c: char| {
            c.encode_utf16(&mut [0; 2])
                .iter()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect()
        };
        text.chars()
            .map(|c| {
                if c.is_ascii() {
                    c.to_string()
                } else {
                    units(c)
                }
            })
            .collect()
    }

    /// Requests of one trace each.
    pub fn lines(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.request("")).collect()
    }

    /// The traces that `lines` of the same seed begins with, every span with a word more.
    pub fn changed_lines(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.request("corrected ")).collect()
    }

    fn request(&mut self, before: &str) -> String {
        let trace = format!("{:032x}", u128::from(self.0) << 32 | 1);
        let start = 1_740_787_200_000_000_000_u64 + self.below(1 << 30) as u64 * 1000;
        let spans: Vec<Value> = (0..1 + self.below(3))
            .map(|number| {
                let attributes = self.attributes();
                let events: Vec<Value> = (0..self.below(2))
                    .map(|_| json!({"timeUnixNano": start.to_string(), "name": self.text(), "attributes": self.attributes()}))
                    .collect();
                json!({
                    "traceId": trace,
                    "spanId": format!("{:016x}", number + 1),
                    "parentSpanId": if number == 0 { String::new() } else { format!("{:016x}", 1) },
                    "name": format!("{before}{}", self.text()),
                    "kind": 1,
                    "startTimeUnixNano": (start + number as u64).to_string(),
                    "endTimeUnixNano": (start + 1000).to_string(),
                    "attributes": attributes,
                    "events": events,
                    "status": {"message": if self.below(3) == 0 { self.text() } else { String::new() }},
                })
            })
            .collect();
        json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": spans}]}]})
            .to_string()
    }

    fn attributes(&mut self) -> Value {
        let mut attributes = serde_json::Map::new();
        for _ in 0..self.below(6) {
            let key = self.pick(KEYS).to_string();
            let value = match key.as_str() {
                // Payloads are strings, mostly JSON.
                "input.value" | "output.value" => match self.below(3) {
                    0 => json!(self.text()),
                    1 => {
                        let value = json!(self.text());
                        json!(self.written(&value))
                    }
                    _ => {
                        let value = self.value(3);
                        json!(self.written(&value))
                    }
                },
                _ => self.value(2),
            };
            attributes.insert(key, value);
        }
        attributes
            .into_iter()
            .map(|(key, value)| json!({"key": key, "value": any_value(&value)}))
            .collect()
    }

    /// A question about something that a random row says, or nearly says.
    pub fn question(&mut self, naive: &Naive) -> Question {
        let row = &naive.rows[self.below(naive.rows.len())];
        match self.below(14) {
            10.. => self.word_question(row),
            0 => self.inputs_question(row),
            1 => self.pattern_on_attribute(row),
            2 | 3 => self.equality(row),
            4 => self.sql_question(row),
            _ => {
                let at = self.below(row.strings.len());
                let (operator, pattern) = self.pattern(&row.strings[at], true);
                Question::Text { operator, pattern }
            }
        }
    }

    fn word_question(&mut self, row: &Row) -> Question {
        let mut alternatives = Vec::new();
        for _ in 0..1 + self.below(2) {
            let mut parts = vec![self.part(row, true)];
            for _ in 0..self.below(3) {
                let is_wanted = self.below(3) > 0;
                parts.push(self.part(row, is_wanted));
            }
            alternatives.push(parts);
        }
        Question::Words(WordQuery { alternatives })
    }

    /// Words of the row, or for one that is not wanted perhaps of no row.
    fn part(&mut self, row: &Row, is_wanted: bool) -> Part {
        let only_inputs = self.below(4) == 0;
        let strings = if only_inputs {
            &row.words.0
        } else {
            &row.words.1
        };
        // Words that the language cuts at, or that are too long for a query, are left out.
        let usable = |word: &&String| word.len() < 100;
        let strings: Vec<Vec<String>> = strings
            .iter()
            .map(|words| words.iter().filter(usable).cloned().collect())
            .collect();
        let strings: Vec<Vec<String>> = strings
            .into_iter()
            .filter(|words: &Vec<String>| !words.is_empty())
            .collect();
        let mut words = match strings.is_empty() {
            true => vec!["nothing".to_string()],
            false => {
                let string = self.pick(&strings).clone();
                let start = self.below(string.len());
                string
                    .into_iter()
                    .skip(start)
                    .take(1 + self.below(3))
                    .collect()
            }
        };
        let mut is_prefix = words.len() == 1 && self.below(3) == 0;
        if let Some(last) = words.last_mut().filter(|_| is_prefix) {
            is_prefix = last.chars().count() > 2;
            if is_prefix {
                *last = last.chars().take(2 + self.below(3)).collect();
            }
        }
        if !is_wanted && self.below(2) == 0 {
            words.reverse();
        }
        Part {
            is_wanted,
            only_inputs,
            words,
            is_prefix: is_prefix && is_wanted,
        }
    }

    fn inputs_question(&mut self, row: &Row) -> Question {
        let (operator, pattern) = self.pattern(row.inputs.as_deref().unwrap_or("none"), true);
        Question::Inputs { operator, pattern }
    }

    fn pattern_on_attribute(&mut self, row: &Row) -> Question {
        let (key, value) = self.place(row);
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_string);
        let (operator, pattern) = self.pattern(&text, false);
        Question::Attribute {
            key,
            operator,
            pattern,
        }
    }

    fn equality(&mut self, row: &Row) -> Question {
        let (key, value) = self.place(row);
        let value = match (value, self.below(4)) {
            (Value::String(text), 0) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            (other, 1) => Value::String(
                other
                    .as_str()
                    .map_or_else(|| other.to_string(), str::to_string),
            ),
            (Value::Number(number), 2) => json!(number.as_f64().unwrap() + 0.5),
            (other, _) => other,
        };
        // The language has no literals for the rest, and none for texts with a line's end kept out.
        let value = match value {
            Value::Null | Value::Array(_) | Value::Object(_) => Value::String(value.to_string()),
            other => other,
        };
        Question::Equal { key, value }
    }

    fn sql_question(&mut self, row: &Row) -> Question {
        if self.below(2) == 0 {
            let (key, value) = self.attribute(row);
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_string);
            return Question::SqlEqual { key, text };
        }
        Question::SqlHolds {
            text: self.piece(row.inputs.as_deref().unwrap_or("none")),
        }
    }

    /// An attribute, something inside it, or an element of that.
    fn place(&mut self, row: &Row) -> (String, Value) {
        let (mut key, mut value) = self.attribute(row);
        while self.below(3) > 0 {
            let inner = value
                .as_str()
                .and_then(json_in)
                .unwrap_or_else(|| value.clone());
            let part = match &inner {
                Value::Object(object) if !object.is_empty() && !object.contains_key("$double") => {
                    object.keys().nth(self.below(object.len())).unwrap().clone()
                }
                Value::Array(items) if !items.is_empty() => self.below(items.len()).to_string(),
                _ => break,
            };
            value = match &inner {
                Value::Array(items) => items[part.parse::<usize>().unwrap()].clone(),
                other => other[part.as_str()].clone(),
            };
            if inner.is_array() && self.below(2) == 0 {
                break;
            }
            key = format!("{key}.{part}");
        }
        (key, value)
    }

    fn attribute(&mut self, row: &Row) -> (String, Value) {
        // Those that MLflow writes are looked for in other columns too.
        let own: Vec<_> = row
            .attributes
            .iter()
            .filter(|(key, _)| !key.starts_with("mlflow."))
            .collect();
        if own.is_empty() {
            return ("flag".to_string(), json!(true));
        }
        let (key, value) = own[self.below(own.len())];
        (key.clone(), value.clone())
    }

    /// A piece of the text, in some case.
    fn piece(&mut self, text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let start = self.below(chars.len().max(1));
        let longest = *self.pick(&[2, 6, 14, 40, 300]);
        let piece: String = chars
            .iter()
            .skip(start)
            .take(1 + self.below(longest))
            .collect();
        match self.below(4) {
            0 => piece.to_uppercase(),
            1 => piece.to_lowercase(),
            _ => piece,
        }
    }

    fn pattern(&mut self, text: &str, may_lead: bool) -> (&'static str, String) {
        let piece = self.piece(text);
        if self.below(4) == 0 {
            let escaped = regex::escape(&piece);
            let other = regex::escape(&self.piece(text));
            let regex = match self.below(6) {
                0 => escaped,
                1 => format!("(?i){escaped}"),
                2 => format!("{escaped}.*{other}"),
                3 => format!("({escaped}|{other})x?"),
                4 => format!("(?s)^.*{escaped}"),
                _ => format!(r"\b{escaped}\b"),
            };
            return ("RLIKE", regex);
        }
        let chance = self.below(8);
        let mut pattern: String = piece
            .chars()
            .map(|c| {
                if chance == 0 && self.below(4) == 0 {
                    '_'
                } else {
                    c
                }
            })
            .collect();
        if chance == 1 {
            pattern = format!("{pattern}%{}", self.piece(text));
        }
        let whole = self.below(8) == 0 && text.len() < 1_000;
        if whole {
            pattern = text.to_string();
        }
        pattern = match (whole, may_lead) {
            (true, _) => pattern,
            (false, true) => format!("%{pattern}%"),
            (false, false) => format!(
                "{}%",
                text.chars().take(1 + self.below(9)).collect::<String>()
            ),
        };
        if !may_lead && pattern.starts_with('%') {
            pattern.insert(0, 'z');
        }
        (if self.below(2) == 0 { "LIKE" } else { "ILIKE" }, pattern)
    }
}

/// Made-up base64.
fn base64(seed: usize, length: usize) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut state = seed;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            char::from(alphabet[(state >> 16) % alphabet.len()])
        })
        .collect()
}

fn any_value(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(value) => json!({"boolValue": value}),
        Value::Number(number) if number.is_i64() => json!({"intValue": number.to_string()}),
        Value::Number(number) => json!({"doubleValue": number}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(items) => {
            json!({"arrayValue": {"values": items.iter().map(any_value).collect::<Vec<_>>()}})
        }
        Value::Object(object) if object.contains_key("$double") => {
            json!({"doubleValue": object["$double"]})
        }
        Value::Object(object) => {
            let values: Vec<Value> = object
                .iter()
                .map(|(key, value)| json!({"key": key, "value": any_value(value)}))
                .collect();
            json!({"kvlistValue": {"values": values}})
        }
    }
}
