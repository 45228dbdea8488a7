//! What fields the records of a dataset have, and of which JSON type: MLflow's schema text. The first
//! type seen of a field stays, and fields never go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::json::members;
use super::record::Record;

/// The types of one part of the records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Shape {
    /// Objects: a type word for each key.
    Fields(BTreeMap<String, String>),
    /// Anything else: its type word.
    Word(String),
}

/// The types of inputs, outputs and expectations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecordTypes {
    inputs: Option<Shape>,
    outputs: Option<Shape>,
    expectations: Option<Shape>,
}

impl RecordTypes {
    /// The types in a schema text; nothing when there is none yet.
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Adds what one record has.
    pub fn add(&mut self, record: &Record) {
        add(&mut self.inputs, Some(&record.inputs));
        add(&mut self.outputs, record.outputs.as_deref());
        add(&mut self.expectations, record.expectations.as_deref());
    }

    /// The schema text.
    pub fn text(&self) -> String {
        let part = |shape: &Option<Shape>| match shape {
            Some(shape) => serde_json::to_string(shape).unwrap_or_else(|_| "{}".into()),
            None => "{}".into(),
        };
        let (inputs, outputs, expectations) = (
            part(&self.inputs),
            part(&self.outputs),
            part(&self.expectations),
        );
        format!(
            r#"{{"inputs":{inputs},"outputs":{outputs},"expectations":{expectations},"version":"1.0"}}"#
        )
    }
}

fn add(shape: &mut Option<Shape>, json: Option<&str>) {
    let Some(json) = json else { return };
    let is_new = match shape {
        None => true,
        Some(Shape::Fields(fields)) => fields.is_empty(),
        Some(Shape::Word(_)) => false,
    };
    let Some(members) = members(json) else {
        if is_new {
            *shape = Some(Shape::Word(type_word(json).to_string()));
        }
        return;
    };
    let shape = shape.get_or_insert_with(|| Shape::Fields(BTreeMap::new()));
    if let Shape::Fields(fields) = shape {
        for (key, value) in members {
            fields
                .entry(key)
                .or_insert_with(|| type_word(value.get()).to_string());
        }
    }
}

fn type_word(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') | None => "null",
        Some(_) if json.contains(['.', 'e', 'E']) => "float",
        Some(_) => "integer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_type_stays_and_new_fields_are_added() {
        let mut types = RecordTypes::default();
        let record = |inputs: &str, outputs: &str| Record {
            inputs: inputs.into(),
            outputs: Some(outputs.into()),
            ..Record::default()
        };
        types.add(&record(r#"{"q":"a","n":1}"#, r#""text""#));
        types = RecordTypes::parse(&types.text());
        types.add(&record(
            r#"{"q":1,"f":1.5,"x":[],"y":{},"z":null,"b":true}"#,
            "[1]",
        ));
        assert_eq!(
            types.text(),
            concat!(
                r#"{"inputs":{"b":"boolean","f":"float","n":"integer","q":"string","x":"array","y":"object","#,
                r#""z":"null"},"outputs":"string","expectations":{},"version":"1.0"}"#
            )
        );
    }
}
