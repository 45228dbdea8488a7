//! What changed between two contents, as data.
//!
//! **Invariants**
//! 1. The lines of a part that are not added, joined by `\n`, are its text before; those not removed, its text after.
//! 2. Every message of both sides is in exactly one part; parts are in order on both sides.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::content::PromptContent;
use super::template::{ChatMessage, Role, Template};

/// What happened to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is in both.
    Equal,
    /// It is only in the first.
    Removed,
    /// It is only in the second.
    Added,
}

/// A line of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// What happened to it.
    pub change: Change,
    /// The line without its `\n`. A text that ends with `\n` has an empty last line.
    pub text: String,
}

/// What happened to a text or a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateChange {
    /// The same in both.
    Equal,
    /// In both, with another text or role.
    Changed,
    /// Only in the first.
    Removed,
    /// Only in the second.
    Added,
}

/// Where a part stands in its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The text of a text template.
    Text,
    /// A message of a chat template.
    Message {
        /// Its index, from 0.
        index: usize,
        /// Who speaks.
        role: Role,
    },
}

/// The text of a text template or one message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What happened to it.
    pub change: TemplateChange,
    /// Where it stands in the first; none when it was added.
    pub before: Option<Place>,
    /// Where it stands in the second; none when it was removed.
    pub after: Option<Place>,
    /// Its lines, those of both sides.
    pub lines: Vec<DiffLine>,
}

/// A field of a response format or of a model configuration that is not the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its path, a JSON pointer: `/schema/type`.
    pub path: String,
    /// Its value in the first; none when it was not there.
    pub before: Option<Value>,
    /// Its value in the second; none when it is not there.
    pub after: Option<Value>,
}

/// What changed between two contents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptDiff {
    /// The texts or messages of both, in order.
    pub parts: Vec<Part>,
    /// The fields of the response format that differ, by path.
    pub response_format: Vec<FieldChange>,
    /// The fields of the model configuration that differ, by path.
    pub model_config: Vec<FieldChange>,
}

impl PromptDiff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.parts
            .iter()
            .all(|part| part.change == TemplateChange::Equal)
            && self.response_format.is_empty()
            && self.model_config.is_empty()
    }
}

/// What changed from `before` to `after`.
///
/// ```
/// use tracehouse_eval::prompt::{PromptContent, diff};
///
/// let before = PromptContent::parse("Be short.\nAnswer {{q}}")?;
/// let after = PromptContent::parse("Be kind.\nAnswer {{q}}")?;
/// assert_eq!(
///     diff(&before, &after).unified("a", "b", 3),
///     "--- a\n+++ b\n@@ -1,2 +1,2 @@ text\n-Be short.\n+Be kind.\n Answer {{q}}\n"
/// );
/// # Ok::<(), tracehouse_eval::prompt::PromptError>(())
/// ```
pub fn diff(before: &PromptContent, after: &PromptContent) -> PromptDiff {
    PromptDiff {
        parts: diff_templates(before.template(), after.template()),
        response_format: field_changes(before.response_format(), after.response_format()),
        model_config: field_changes(before.model_config(), after.model_config()),
    }
}

/// The parts of two templates. A text and a chat have nothing in common: one is removed, the other added.
pub fn diff_templates(before: &Template, after: &Template) -> Vec<Part> {
    match (before, after) {
        (Template::Text(before), Template::Text(after)) => {
            vec![both(Place::Text, before, Place::Text, after)]
        }
        (Template::Chat(before), Template::Chat(after)) => chat_parts(before, after),
        (before, after) => {
            let removed = places(before)
                .into_iter()
                .map(|(at, text)| removed(at, text));
            let added = places(after).into_iter().map(|(at, text)| added(at, text));
            removed.chain(added).collect()
        }
    }
}

fn chat_parts(before: &[ChatMessage], after: &[ChatMessage]) -> Vec<Part> {
    let mut parts = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, before, after) {
        let (_, old, new) = op.as_tag_tuple();
        let mut old = numbered(before, old.start, old.len());
        let mut new = numbered(after, new.start, new.len());
        // Within a stretch that was rewritten, messages are the same ones while they have the same role or text.
        while let (Some((i, a)), Some((j, b))) = (old.first().copied(), new.first().copied()) {
            if a.role != b.role && a.content != b.content {
                break;
            }
            parts.push(both(place(i, a), &a.content, place(j, b), &b.content));
            old.remove(0);
            new.remove(0);
        }
        parts.extend(
            old.into_iter()
                .map(|(i, m)| removed(place(i, m), &m.content)),
        );
        parts.extend(new.into_iter().map(|(i, m)| added(place(i, m), &m.content)));
    }
    parts
}

fn numbered(messages: &[ChatMessage], start: usize, len: usize) -> Vec<(usize, &ChatMessage)> {
    messages.iter().enumerate().skip(start).take(len).collect()
}

fn place(index: usize, message: &ChatMessage) -> Place {
    Place::Message {
        index,
        role: message.role,
    }
}

fn places(template: &Template) -> Vec<(Place, &str)> {
    match template {
        Template::Text(text) => vec![(Place::Text, text.as_str())],
        Template::Chat(messages) => {
            let messages = messages.iter().enumerate();
            messages
                .map(|(i, m)| (place(i, m), m.content.as_str()))
                .collect()
        }
    }
}

fn both(before: Place, before_text: &str, after: Place, after_text: &str) -> Part {
    let role = |place| match place {
        Place::Text => None,
        Place::Message { role, .. } => Some(role),
    };
    let is_equal = before_text == after_text && role(before) == role(after);
    Part {
        change: if is_equal {
            TemplateChange::Equal
        } else {
            TemplateChange::Changed
        },
        before: Some(before),
        after: Some(after),
        lines: line_changes(before_text, after_text),
    }
}

fn removed(place: Place, text: &str) -> Part {
    Part {
        change: TemplateChange::Removed,
        before: Some(place),
        after: None,
        lines: text
            .split('\n')
            .map(|text| line(Change::Removed, text))
            .collect(),
    }
}

fn added(place: Place, text: &str) -> Part {
    Part {
        change: TemplateChange::Added,
        before: None,
        after: Some(place),
        lines: text
            .split('\n')
            .map(|text| line(Change::Added, text))
            .collect(),
    }
}

fn line(change: Change, text: &str) -> DiffLine {
    DiffLine {
        change,
        text: text.to_owned(),
    }
}

fn line_changes(before: &str, after: &str) -> Vec<DiffLine> {
    let before: Vec<&str> = before.split('\n').collect();
    let after: Vec<&str> = after.split('\n').collect();
    let mut lines = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &before, &after) {
        let (_, old, new) = op.as_tag_tuple();
        let old = before.iter().skip(old.start).take(old.len());
        let new = after.iter().skip(new.start).take(new.len());
        if matches!(op, DiffOp::Equal { .. }) {
            lines.extend(old.map(|text| line(Change::Equal, text)));
        } else {
            lines.extend(old.map(|text| line(Change::Removed, text)));
            lines.extend(new.map(|text| line(Change::Added, text)));
        }
    }
    lines
}

fn field_changes(
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
) -> Vec<FieldChange> {
    let empty = Map::new();
    let mut changes = Vec::new();
    object_changes(
        "",
        before.unwrap_or(&empty),
        after.unwrap_or(&empty),
        &mut changes,
    );
    changes
}

fn object_changes(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    changes: &mut Vec<FieldChange>,
) {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
        match (before.get(key), after.get(key)) {
            (a, b) if a == b => {}
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                object_changes(&path, a, b, changes);
            }
            (a, b) => changes.push(FieldChange {
                path,
                before: a.cloned(),
                after: b.cloned(),
            }),
        }
    }
}
