//! Reads a label schema from JSON: a list of labels, or `{"labels": [...]}`.
//!
//! **Invariant** all faults of a file are reported, not only the first.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::error::{AnswerFault, ReviewError};
use super::fields::Fields;
use super::label::{Label, LabelKind, LabelSchema};
use crate::prompt::{kind_of, strict_json};

/// The most characters of a label's name: that of an assessment (MLflow's rule).
const NAME_CHARACTERS_MAX: usize = 250;
/// The most characters of an instruction (MLflow's rule).
const INSTRUCTION_CHARACTERS_MAX: usize = 1000;
/// The most options of a category: what a person can choose from on one screen.
const OPTIONS_MAX: usize = 100;
/// The most characters of an option (MLflow's rule).
const OPTION_CHARACTERS_MAX: usize = 64;

const KINDS: &str = "boolean, category, number, text";

impl LabelSchema {
    /// Reads the text of a file.
    ///
    /// A label has `name` and `kind` (`boolean`, `category`, `number`, `text`), may have `required` (true unless it
    /// says false) and `instruction`; a category has `options` and may have `multiple`; a number may have `min`, `max`
    /// and `integer`; a text may have `length_max`.
    ///
    /// # Errors
    /// `InvalidInput`: broken JSON with its line, or every fault of every label.
    pub fn parse(text: &str) -> Result<Self, ReviewError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value = strict_json(text).map_err(|error| {
            ReviewError::invalid(format!(
                "label schema is not JSON: {error}; it is {{\"labels\": [{{\"name\": ..., \"kind\": ...}}]}}"
            ))
        })?;
        Self::try_from(value)
    }
}

impl TryFrom<Value> for LabelSchema {
    type Error = ReviewError;

    fn try_from(value: Value) -> Result<Self, ReviewError> {
        let mut faults = Vec::new();
        let labels = labels_of(value, &mut faults);
        let names: Vec<&str> = labels.iter().map(|label| label.name.as_str()).collect();
        if let Some(twice) = first_twice(&names) {
            faults.push(AnswerFault::new(
                format!("label {twice:?}"),
                "stands twice: names must differ",
            ));
        }
        if faults.is_empty() {
            Ok(Self { labels })
        } else {
            Err(ReviewError::of_faults("label schema", &faults))
        }
    }
}

fn labels_of(value: Value, faults: &mut Vec<AnswerFault>) -> Vec<Label> {
    let Some(items) = list_of(value, faults) else {
        return Vec::new();
    };
    if items.is_empty() {
        let message = "has no label: reviewers must be asked something";
        faults.push(AnswerFault::new("it", message));
    }
    let mut labels = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Value::Object(entries) => labels.extend(label_of(index, entries, faults)),
            other => {
                let found = kind_of(&other);
                let message = format!("is {found}: a label is {{\"name\": ..., \"kind\": ...}}");
                faults.push(AnswerFault::new(format!("label {index}"), message));
            }
        }
    }
    labels
}

/// The list of labels, bare or under `labels`.
fn list_of(value: Value, faults: &mut Vec<AnswerFault>) -> Option<Vec<Value>> {
    let shape = "must be a list of labels, or {\"labels\": [...]}";
    match value {
        Value::Array(items) => Some(items),
        Value::Object(mut entries) => {
            let items = entries.remove("labels");
            Fields::new("it", entries, faults).finish("labels");
            if let Some(Value::Array(items)) = items {
                return Some(items);
            }
            faults.push(AnswerFault::new("it", shape));
            None
        }
        other => {
            let message = format!("is {}: it {shape}", kind_of(&other));
            faults.push(AnswerFault::new("it", message));
            None
        }
    }
}

fn label_of(
    index: usize,
    entries: Map<String, Value>,
    faults: &mut Vec<AnswerFault>,
) -> Option<Label> {
    let mut fields = Fields::new(format!("label {index}"), entries, faults);
    let name = fields.text("name").unwrap_or_default();
    fields.rename(format!("label {index} {name:?}"));
    check_name(&name, &mut fields);
    let required = fields.boolean("required").unwrap_or(true);
    let instruction = instruction_of(&mut fields);
    let (kind, keys) = kind_and_keys(&mut fields)?;
    fields.finish(&format!("name, kind, required, instruction{keys}"));
    Some(Label {
        name,
        kind,
        required,
        instruction,
    })
}

fn instruction_of(fields: &mut Fields<'_>) -> Option<String> {
    let instruction = fields.text("instruction")?;
    let length = instruction.chars().count();
    if length > INSTRUCTION_CHARACTERS_MAX {
        fields.fault(format!(
            "has an instruction of {length} characters: at most {INSTRUCTION_CHARACTERS_MAX} are allowed"
        ));
    }
    Some(instruction)
}

/// The kind of a label, and the keys that only this kind has.
fn kind_and_keys(fields: &mut Fields<'_>) -> Option<(LabelKind, &'static str)> {
    match fields.text("kind").as_deref() {
        Some("boolean") => Some((LabelKind::Boolean, "")),
        Some("category") => Some((category(fields), ", options, multiple")),
        Some("number") => Some((number(fields), ", min, max, integer")),
        Some("text") => {
            let length_max = fields.count("length_max");
            Some((LabelKind::Text { length_max }, ", length_max"))
        }
        Some(other) => {
            fields.fault(format!("has kind {other:?}: a kind is one of {KINDS}"));
            None
        }
        None => {
            fields.fault(format!("has no kind: a kind is one of {KINDS}"));
            None
        }
    }
}

fn check_name(name: &str, fields: &mut Fields<'_>) {
    let length = name.chars().count();
    if name.is_empty() {
        fields.fault("has no name: it is the name of the assessment that an answer becomes");
    } else if name.trim() != name || name.chars().any(char::is_control) {
        fields.fault("has spaces around its name or control characters in it: write it without");
    } else if length > NAME_CHARACTERS_MAX {
        fields.fault(format!(
            "has a name of {length} characters: at most {NAME_CHARACTERS_MAX} are allowed"
        ));
    }
}

fn category(fields: &mut Fields<'_>) -> LabelKind {
    let options = fields.texts("options").unwrap_or_default();
    let multiple = fields.boolean("multiple").unwrap_or(false);
    if options.is_empty() {
        fields.fault("has no options: a category is a choice of at least one");
    }
    if options.len() > OPTIONS_MAX {
        let found = options.len();
        fields.fault(format!(
            "has {found} options: at most {OPTIONS_MAX} are allowed"
        ));
    }
    let shown: Vec<&str> = options.iter().map(String::as_str).collect();
    if let Some(twice) = first_twice(&shown) {
        fields.fault(format!(
            "has the option {twice:?} twice: options must differ"
        ));
    }
    for option in &options {
        let length = option.chars().count();
        if option.trim() != option || option.is_empty() {
            fields.fault(format!(
                "has the option {option:?}: an option is a text without spaces around it"
            ));
        } else if length > OPTION_CHARACTERS_MAX {
            fields.fault(format!(
                "has an option of {length} characters: at most {OPTION_CHARACTERS_MAX} are allowed"
            ));
        }
    }
    LabelKind::Category { options, multiple }
}

fn number(fields: &mut Fields<'_>) -> LabelKind {
    let min = fields.number("min");
    let max = fields.number("max");
    let integer = fields.boolean("integer").unwrap_or(false);
    if let (Some(min), Some(max)) = (min, max)
        && min >= max
    {
        fields.fault(format!(
            "has min {min} and max {max}: min must be below max"
        ));
    }
    for (key, bound) in [("min", min), ("max", max)] {
        if let Some(bound) = bound.filter(|bound| integer && bound.fract() != 0.0) {
            fields.fault(format!(
                "has {key} {bound} for whole numbers: it must be whole too"
            ));
        }
    }
    LabelKind::Number { min, max, integer }
}

fn first_twice<'a>(texts: &[&'a str]) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    texts.iter().copied().find(|text| !seen.insert(*text))
}
