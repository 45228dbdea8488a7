//! The reference: every row of the database, and every question put to every string of it.

use regex::Regex;
use serde_json::Value;
use serde_json::value::RawValue;
use tracehouse::Database;

use super::words::{WordQuery, decoded, json_in, words_of};
use crate::support::{quoted, rows};

/// A question of which the answer is a set of traces.
#[derive(Debug)]
pub enum Question {
    /// `trace.text LIKE`, `ILIKE` or `RLIKE`.
    Text {
        operator: &'static str,
        pattern: String,
    },
    /// The same on `span.inputs`.
    Inputs {
        operator: &'static str,
        pattern: String,
    },
    /// The same on one attribute's value; `LIKE` patterns do not begin with `%`.
    Attribute {
        key: String,
        operator: &'static str,
        pattern: String,
    },
    /// `span.attributes.K = ` a literal of the filter language.
    Equal { key: String, value: Value },
    /// `attributes->>K = ` a text: SQL sees the value's text alone.
    SqlEqual { key: String, text: String },
    /// `trace.text MATCHES` a query.
    Words(WordQuery),
    /// `inputs ILIKE` a text with its wildcards escaped, somewhere.
    SqlHolds { text: String },
}

/// One span.
pub struct Row {
    pub trace_id: String,
    /// Those sent, then those that JSON in them stands for.
    pub strings: Vec<String>,
    pub inputs: Option<String>,
    /// Words of the inputs, and of all strings, string by string.
    pub words: (Vec<Vec<String>>, Vec<Vec<String>>),
    pub attributes: serde_json::Map<String, Value>,
    /// Names of attributes, and the type.
    names: Vec<String>,
}

/// All spans.
pub struct Naive {
    pub rows: Vec<Row>,
}

impl Naive {
    pub fn read(db: &Database) -> Self {
        let statement =
            "SELECT trace_id, name, status_message, inputs, outputs, attributes, events, span_type,
            span_id FROM spans";
        let mut rows = rows(db, statement);
        rows.sort_by_cached_key(|row| (row["trace_id"].to_string(), row["span_id"].to_string()));
        Self {
            rows: rows.iter().map(Row::of).collect(),
        }
    }

    /// The traces of the rows that satisfy the question, sorted.
    pub fn traces(&self, question: &Question) -> Vec<String> {
        let test = question.test();
        let rows = self.rows.iter().filter(|row| test(row));
        let mut traces: Vec<String> = rows.map(|row| row.trace_id.clone()).collect();
        traces.sort();
        traces.dedup();
        traces
    }
}

impl Row {
    fn of(row: &Value) -> Self {
        let text = |column: &str| row[column].as_str().map(str::to_string);
        let attributes: Value = serde_json::from_str(row["attributes"].as_str().unwrap()).unwrap();
        let mut strings: Vec<String> = ["name", "status_message", "inputs", "outputs"]
            .into_iter()
            .filter_map(text)
            .collect();
        let mut names = vec![text("span_type").unwrap()];
        collect(&attributes, false, &mut strings);
        names.extend(attributes.as_object().unwrap().keys().cloned());
        for event in row["events"].as_array().into_iter().flatten() {
            strings.push(event["name"].as_str().unwrap().to_string());
            let attributes: Value =
                serde_json::from_str(event["attributes"].as_str().unwrap()).unwrap();
            collect(&attributes, false, &mut strings);
            names.extend(attributes.as_object().unwrap().keys().cloned());
        }
        let inputs = text("inputs");
        let all_words = strings.iter().flat_map(|string| words_of(string)).collect();
        strings.extend(
            strings
                .iter()
                .flat_map(|string| decoded(string))
                .collect::<Vec<_>>(),
        );
        Self {
            trace_id: text("trace_id").unwrap(),
            strings,
            words: (
                inputs.as_deref().map(words_of).unwrap_or_default(),
                all_words,
            ),
            inputs,
            attributes: attributes.as_object().unwrap().clone(),
            names,
        }
    }
}

/// The strings of a value. Bytes and numbers that JSON cannot write stand in wrappers and are no text.
fn collect(value: &Value, is_nested: bool, strings: &mut Vec<String>) {
    match value {
        Value::String(text) => strings.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, true, strings)),
        Value::Object(object) => {
            let is_wrapper = is_nested
                && object.len() == 1
                && object
                    .iter()
                    .all(|(key, value)| (key == "$bytes" || key == "$double") && value.is_string());
            if !is_wrapper {
                object
                    .values()
                    .for_each(|value| collect(value, true, strings));
            }
        }
        _ => {}
    }
}

impl Question {
    /// As a condition of a filter or of SQL.
    pub fn condition(&self) -> String {
        match self {
            Question::Text { operator, pattern } => {
                format!("trace.text {operator} {}", quoted(pattern))
            }
            Question::Inputs { operator, pattern } => {
                format!("span.inputs {operator} {}", quoted(pattern))
            }
            Question::Attribute {
                key,
                operator,
                pattern,
            } => {
                format!("span.attributes.`{key}` {operator} {}", quoted(pattern))
            }
            Question::Equal { key, value } => {
                let value = value.as_str().map_or_else(|| value.to_string(), quoted);
                format!("span.attributes.`{key}` = {value}")
            }
            Question::Words(query) => format!("trace.text MATCHES {}", quoted(&query.text())),
            Question::SqlEqual { key, text } => {
                format!("attributes->>{} = {}", quoted(key), quoted(text))
            }
            Question::SqlHolds { text } => {
                let escape = |c| {
                    if matches!(c, '%' | '_' | '\\') {
                        vec!['\\', c]
                    } else {
                        vec![c]
                    }
                };
                let escaped: String = text.chars().flat_map(escape).collect();
                format!(
                    "inputs ILIKE {} ESCAPE '\\'",
                    quoted(&format!("%{escaped}%"))
                )
            }
        }
    }

    fn test(&self) -> Box<dyn Fn(&Row) -> bool + '_> {
        match self {
            Question::Text { operator, pattern } => {
                let string = matcher(operator, pattern);
                let name = pattern.trim_matches('%');
                let name =
                    (*operator != "RLIKE" && !name.is_empty()).then(|| matcher(operator, name));
                Box::new(move |row| {
                    let named = |name: &Regex| row.names.iter().any(|text| name.is_match(text));
                    row.strings.iter().any(|text| string.is_match(text))
                        || name.as_ref().is_some_and(named)
                })
            }
            Question::Inputs { operator, pattern } => {
                let string = matcher(operator, pattern);
                Box::new(move |row| {
                    row.inputs
                        .as_ref()
                        .is_some_and(|text| is_match_decoded(&string, text))
                })
            }
            Question::Attribute {
                key,
                operator,
                pattern,
            } => {
                let string = matcher(operator, pattern);
                Box::new(move |row| {
                    row.has(key, &|value| {
                        own_texts(value)
                            .iter()
                            .any(|text| is_match_decoded(&string, text))
                    })
                })
            }
            Question::Equal {
                key,
                value: Value::String(wanted),
            } => Box::new(move |row| row.has(key, &|value| own_texts(value).contains(wanted))),
            Question::Equal { key, value: wanted } => Box::new(move |row| {
                row.has(key, &|value| {
                    // A string that is the JSON text of a number or boolean, without spaces, counts as that.
                    let text = &own_texts(value)[0];
                    let found = serde_json::from_str::<Value>(text).ok();
                    let found = found.filter(|_| text.trim() == text);
                    found.is_some_and(|found| match (found.as_f64(), wanted.as_f64()) {
                        (Some(found), Some(wanted)) => found == wanted,
                        _ => found == *wanted,
                    })
                })
            }),
            Question::Words(query) => Box::new(move |row| query.finds(&row.words.0, &row.words.1)),
            Question::SqlEqual { key, text } => Box::new(move |row| {
                let value = row.attributes.get(key).filter(|value| !value.is_null());
                value.is_some_and(|value| own_texts(value)[0] == *text)
            }),
            Question::SqlHolds { text } => {
                let string = matcher("RLIKE", &format!("(?i){}", regex::escape(text)));
                Box::new(move |row| {
                    row.inputs
                        .as_ref()
                        .is_some_and(|text| string.is_match(text))
                })
            }
        }
    }
}

impl Row {
    /// Whether an attribute's value, or an element of it, is so.
    fn has(&self, key: &str, is_so: &dyn Fn(&Value) -> bool) -> bool {
        let Some(value) = member(&self.attributes, key).filter(|value| !value.is_null()) else {
            return false;
        };
        let elements = match &value {
            Value::String(text) if text.starts_with('[') && json_in(text).is_some() => {
                raw_elements(text)
            }
            other => other.as_array().cloned().unwrap_or_default(),
        };
        is_so(&value)
            || elements
                .iter()
                .any(|element| !element.is_null() && is_so(element))
    }
}

/// The elements of the JSON text of a list; structure as the text that it is, its members in their own order.
fn raw_elements(text: &str) -> Vec<Value> {
    let raw: Vec<Box<RawValue>> = serde_json::from_str(text).unwrap_or_default();
    // A double that is no finite number is an object only by the way that it is written.
    let is_structure =
        |text: &str| text.starts_with(['{', '[']) && !text.starts_with("{\"$double\"");
    let value = |raw: &RawValue| match is_structure(raw.get()) {
        true => Value::from(raw.get()),
        false => serde_json::from_str(raw.get()).unwrap(),
    };
    raw.iter().map(|raw| value(raw)).collect()
}

/// The value of a key, else of a path.
fn member(object: &serde_json::Map<String, Value>, path: &str) -> Option<Value> {
    object.get(path).cloned().or_else(|| {
        object.iter().find_map(|(key, value)| {
            inside(value, path.strip_prefix(key.as_str())?.strip_prefix('.')?)
        })
    })
}

fn inside(value: &Value, path: &str) -> Option<Value> {
    match value {
        Value::Object(object) => member(object, path),
        Value::String(text) => inside(&json_in(text)?, path),
        Value::Array(items) => match path.split_once('.').unwrap_or((path, "")) {
            (number, rest) if number.parse::<usize>().is_ok() => {
                let item = items.get(number.parse::<usize>().unwrap())?;
                if rest.is_empty() {
                    Some(item.clone())
                } else {
                    inside(item, rest)
                }
            }
            _ => {
                let of_items = items
                    .iter()
                    .filter(|item| !item.is_array())
                    .filter_map(|item| inside(item, path));
                let found: Vec<Value> = of_items.filter(|value| !value.is_null()).collect();
                (!found.is_empty()).then_some(Value::Array(found))
            }
        },
        _ => None,
    }
}

/// The text of a value and, when that is a quoted JSON string itself, what it stands for.
fn own_texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            let inner = serde_json::from_str::<String>(text)
                .ok()
                .filter(|_| text.starts_with('"'));
            [text.clone()].into_iter().chain(inner).collect()
        }
        Value::Object(object)
            if object.len() == 1 && object.get("$double").is_some_and(Value::is_string) =>
        {
            vec![object["$double"].as_str().unwrap().to_string()]
        }
        other => vec![other.to_string()],
    }
}

/// Whether a text matches, or a string that it decodes to.
fn is_match_decoded(string: &Regex, text: &str) -> bool {
    string.is_match(text) || decoded(text).iter().any(|text| string.is_match(text))
}

fn matcher(operator: &str, pattern: &str) -> Regex {
    if operator == "RLIKE" {
        return Regex::new(pattern).unwrap();
    }
    let mut regex = if operator == "ILIKE" {
        "(?is)^".to_string()
    } else {
        "(?s)^".to_string()
    };
    for c in pattern.chars() {
        match c {
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            c => regex.push_str(&regex::escape(&c.to_string())),
        }
    }
    regex.push('$');
    Regex::new(&regex).unwrap()
}
