//! Parameters of tools: one table from which the JSON schema is made that models read, and by which arguments are checked.
//!
//! An argument that is not in the table, or of another type, is refused by name with what would be right: a model corrects
//! itself then. A `null` is an argument that is not given.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::json::Fields;
use crate::error::ApiError;

/// One parameter of a tool.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    /// What it means, for a model.
    pub(super) about: &'static str,
}

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text of at most so many bytes.
    Text { bytes_max: usize },
    /// A whole number.
    Integer {
        min: usize,
        max: usize,
        default: Option<usize>,
    },
    /// `true` or `false`; `false` unless given.
    Boolean,
    /// One of some words; the first one unless given.
    Word(&'static [&'static str]),
    /// A list of texts.
    Texts { items_max: usize },
    /// An object of texts, numbers, truth values and nulls.
    Scalars,
    /// Any JSON value.
    Json,
}

/// Longest text where nothing else is said: filters and statements have limits of their own.
pub(super) const TEXT: Kind = Kind::Text {
    bytes_max: 256 << 10,
};
/// Longest id and name.
pub(super) const ID: Kind = Kind::Text { bytes_max: 1_024 };
/// Longest text in a list.
const LISTED_BYTES_MAX: usize = 1_024;

impl Parameter {
    pub(super) const fn required(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            is_required: true,
            about,
        }
    }

    pub(super) const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            is_required: false,
            about,
        }
    }

    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Text { bytes_max } => json!({"type": "string", "maxLength": bytes_max}),
            Kind::Integer { min, max, default } => {
                let mut schema = json!({"type": "integer", "minimum": min, "maximum": max});
                if let (Some(default), Some(fields)) = (default, schema.as_object_mut()) {
                    fields.insert("default".into(), default.into());
                }
                schema
            }
            Kind::Boolean => json!({"type": "boolean", "default": false}),
            Kind::Word(words) if self.is_required => json!({"type": "string", "enum": words}),
            Kind::Word(words) => {
                json!({"type": "string", "enum": words, "default": words.first()})
            }
            Kind::Texts { items_max } => json!({
                "type": "array",
                "items": {"type": "string", "maxLength": LISTED_BYTES_MAX},
                "maxItems": items_max,
            }),
            Kind::Scalars => json!({
                "type": "object",
                "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
            }),
            Kind::Json => json!({}),
        };
        if let Some(fields) = schema.as_object_mut() {
            fields.insert("description".into(), self.about.into());
        }
        schema
    }

    /// # Errors
    /// 400 naming the parameter, what it takes and what it was given.
    fn check(&self, value: &Value) -> Result<(), ApiError> {
        let expected = match self.kind {
            Kind::Text { bytes_max } => match value.as_str() {
                Some(text) if text.len() <= bytes_max => return Ok(()),
                Some(text) => {
                    return Err(self.wrong(
                        &format!("a text of at most {bytes_max} bytes"),
                        &format!("one of {}", text.len()),
                    ));
                }
                None => "a text".to_string(),
            },
            Kind::Integer { min, max, .. } => match whole(value) {
                Some(number) if (min..=max).contains(&number) => return Ok(()),
                _ => format!("a whole number from {min} to {max}"),
            },
            Kind::Boolean if value.is_boolean() => return Ok(()),
            Kind::Boolean => "true or false".to_string(),
            Kind::Word(words) if value.as_str().is_some_and(|word| words.contains(&word)) => {
                return Ok(());
            }
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Texts { items_max } if is_texts(value, items_max) => return Ok(()),
            Kind::Texts { items_max } => format!(
                "a list of at most {items_max} texts of at most {LISTED_BYTES_MAX} bytes each"
            ),
            Kind::Scalars => match value.as_object() {
                Some(fields) if fields.values().all(is_scalar) => return Ok(()),
                _ => "an object of texts, numbers, true, false and null".to_string(),
            },
            Kind::Json => return Ok(()),
        };
        Err(self.wrong(&expected, &said(value)))
    }

    fn wrong(&self, expected: &str, got: &str) -> ApiError {
        ApiError::bad_request(format!(
            "parameter {}: {expected} expected, got {got}",
            self.name
        ))
    }
}

fn whole(value: &Value) -> Option<usize> {
    let number = value.as_u64().or_else(|| {
        // JSON Schema counts 5.0 as whole.
        let number = value.as_f64()?;
        let is_exact = number.fract() == 0.0 && (0.0..9e15).contains(&number);
        is_exact.then_some(number as u64)
    });
    usize::try_from(number?).ok()
}

fn is_texts(value: &Value, items_max: usize) -> bool {
    let is_text = |item: &Value| {
        item.as_str()
            .is_some_and(|text| text.len() <= LISTED_BYTES_MAX)
    };
    value
        .as_array()
        .is_some_and(|items| items.len() <= items_max && items.iter().all(is_text))
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

/// A value in an error: short, whatever it is.
fn said(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {} items", items.len()),
        Value::Object(_) => "an object".into(),
        Value::String(text) => super::quoted(text),
        _ => value.to_string(),
    }
}

/// The JSON schema of some parameters.
pub(super) fn schema(parameters: &[&Parameter]) -> Arc<Map<String, Value>> {
    let properties: Fields = parameters
        .iter()
        .map(|parameter| (parameter.name.to_string(), parameter.schema()))
        .collect();
    let required: Vec<&str> = parameters
        .iter()
        .filter(|parameter| parameter.is_required)
        .map(|parameter| parameter.name)
        .collect();
    let mut schema = Fields::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    schema.insert("required".into(), json!(required));
    schema.insert("additionalProperties".into(), false.into());
    Arc::new(schema)
}

/// Arguments that were checked.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments(Fields);

impl Arguments {
    /// Checks what a call was given.
    ///
    /// # Errors
    /// 400 for the first argument that is unknown, missing or wrong.
    pub(super) fn check(given: Fields, parameters: &[&Parameter]) -> Result<Self, ApiError> {
        let mut checked = Fields::new();
        for (name, value) in given {
            let parameter = parameters.iter().find(|parameter| parameter.name == name);
            let parameter = parameter.ok_or_else(|| unknown(&name, parameters))?;
            if !value.is_null() {
                parameter.check(&value)?;
                checked.insert(name, value);
            }
        }
        for parameter in parameters {
            if checked.contains_key(parameter.name) {
                continue;
            }
            if parameter.is_required {
                return Err(ApiError::bad_request(format!(
                    "parameter {} is missing: {}",
                    parameter.name, parameter.about
                )));
            }
            let default = match parameter.kind {
                Kind::Integer { default, .. } => default.map(Value::from),
                Kind::Word(words) => words.first().map(|word| Value::from(*word)),
                _ => None,
            };
            if let Some(default) = default {
                checked.insert(parameter.name.to_string(), default);
            }
        }
        Ok(Self(checked))
    }

    /// A text that was given.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A text; an empty one where none was given.
    pub(super) fn text(&self, name: &str) -> &str {
        self.given(name).unwrap_or_default()
    }

    /// A number that was given, or its default.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.0.get(name).and_then(whole)
    }

    /// A number with a default.
    pub(super) fn count(&self, name: &str) -> usize {
        self.number(name).unwrap_or_default()
    }

    /// A truth value.
    pub(super) fn is(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let items = self.0.get(name).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(|item| item.as_str().map(str::to_string))
            .collect()
    }

    /// Any value.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

fn unknown(name: &str, parameters: &[&Parameter]) -> ApiError {
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    ApiError::bad_request(format!(
        "there is no parameter {}: one of {} expected",
        super::quoted(name),
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    static LIMIT: Parameter = Parameter::optional(
        "limit",
        Kind::Integer {
            min: 1,
            max: 200,
            default: Some(20),
        },
        "Most traces",
    );
    static FILTER: Parameter = Parameter::required("filter", Kind::Text { bytes_max: 10 }, "Which");
    static HOW: Parameter = Parameter::optional("how", Kind::Word(&["a", "b"]), "How");
    static MANY: Parameter = Parameter::optional("many", Kind::Texts { items_max: 2 }, "Many");
    static GIVEN: Parameter = Parameter::optional("given", Kind::Scalars, "Values");

    fn check(given: Value) -> Result<Arguments, String> {
        let parameters = [&LIMIT, &FILTER, &HOW, &MANY, &GIVEN];
        let given = given.as_object().unwrap().clone();
        Arguments::check(given, &parameters).map_err(|error| error.message)
    }

    #[test]
    fn arguments_are_refused_by_name() {
        for (given, message) in [
            (json!({}), "parameter filter is missing: Which"),
            (
                json!({"filter": "x", "limt": 3}),
                "there is no parameter \"limt\": one of limit, filter",
            ),
            (
                json!({"filter": 5}),
                "parameter filter: a text expected, got 5",
            ),
            (
                json!({"filter": "x".repeat(11)}),
                "at most 10 bytes expected, got one of 11",
            ),
            (
                json!({"filter": "x", "limit": 0}),
                "parameter limit: a whole number from 1 to 200 expected, got 0",
            ),
            (json!({"filter": "x", "limit": "9"}), "got \"9\""),
            (json!({"filter": "x", "limit": -1.5}), "got -1.5"),
            (
                json!({"filter": "x", "how": "c"}),
                "parameter how: one of a, b expected, got \"c\"",
            ),
            (
                json!({"filter": "x", "many": ["a", 1]}),
                "parameter many: a list of at most 2 texts",
            ),
            (
                json!({"filter": "x", "given": {"a": []}}),
                "parameter given: an object of texts",
            ),
        ] {
            let error = check(given.clone()).unwrap_err();
            assert!(error.contains(message), "{given}: {error}");
        }
    }

    #[test]
    fn defaults_fill_what_is_not_given() {
        let arguments = check(json!({"filter": "x", "limit": null})).unwrap();
        assert_eq!((arguments.count("limit"), arguments.text("how")), (20, "a"));
        let arguments = check(json!({"filter": "", "limit": 5.0, "many": ["m"]})).unwrap();
        assert_eq!(
            (arguments.count("limit"), arguments.texts("many").len()),
            (5, 1)
        );
    }

    #[test]
    fn the_schema_says_the_same() {
        let schema = schema(&[&LIMIT, &FILTER]);
        assert_eq!(schema["properties"]["limit"]["default"], 20);
        assert_eq!(schema["required"], json!(["filter"]));
        assert_eq!(schema["additionalProperties"], false);
    }
}
