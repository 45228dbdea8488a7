//! The template itself: a text, or the messages of a chat.
//!
//! **Invariants**
//! 1. A chat template that was read or checked has at least one message.
//! 2. As JSON a text is a string and a chat is a list, so the two are never taken for each other.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::error::{PromptError, PromptErrorKind, kind_of};
use super::chat::ChatMessage;
use super::placeholder::{Piece, pieces};
use super::render::{Partial, Rendered};

/// The most characters of a template as MLflow's registry keeps it: the text, or the messages as ASCII JSON.
pub const TEMPLATE_CHARACTERS_MAX: usize = 100_000;

/// A template with `{{variable}}` placeholders.
///
/// ```
/// use serde_json::{Map, json};
/// use tracehouse_eval::prompt::{Rendered, Template};
///
/// let template = Template::text("Hello {{ user.name }}, here is {{answer}}");
/// assert_eq!(template.variables(), ["user.name", "answer"]);
///
/// let mut values = Map::new();
/// values.insert("user.name".into(), json!("Ann"));
/// values.insert("answer".into(), json!({"n": 1}));
/// assert_eq!(template.format(&values)?, Rendered::Text(r#"Hello Ann, here is {"n":1}"#.into()));
/// # Ok::<(), tracehouse_eval::prompt::PromptError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged, try_from = "Value")]
pub enum Template {
    /// One text.
    Text(String),
    /// Messages, in order; at least one.
    Chat(Vec<ChatMessage>),
}

/// Whether a template is a text or a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateKind {
    /// One text.
    Text,
    /// Messages.
    Chat,
}

impl TemplateKind {
    /// The word of the column `type`: `text` or `chat`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Chat => "chat",
        }
    }
}

impl Template {
    /// A text template.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A chat template.
    ///
    /// # Errors
    /// When there is no message.
    pub fn chat(messages: Vec<ChatMessage>) -> Result<Self, PromptError> {
        let template = Self::Chat(messages);
        template.check_messages()?;
        Ok(template)
    }

    /// Text or chat.
    pub fn kind(&self) -> TemplateKind {
        match self {
            Self::Text(_) => TemplateKind::Text,
            Self::Chat(_) => TemplateKind::Chat,
        }
    }

    /// As JSON: a string, or a list of `{role, content}`.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Chat(messages) => messages
                .iter()
                .map(|message| {
                    let mut entries = Map::new();
                    entries.insert("role".into(), Value::from(message.role.word()));
                    entries.insert("content".into(), Value::from(message.content.as_str()));
                    Value::Object(entries)
                })
                .collect(),
        }
    }

    /// The names of the placeholders, each once, in the order in which they first stand.
    pub fn variables(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for text in self.texts() {
            for piece in pieces(text) {
                if let Piece::Placeholder { name, .. } = piece
                    && !names.iter().any(|known| known == name)
                {
                    names.push(name.to_owned());
                }
            }
        }
        names
    }

    /// Whether it is of the Jinja2 language, told by `{%` and `%}` in one text. Such a template is kept and not
    /// rendered.
    pub fn is_jinja2(&self) -> bool {
        self.texts()
            .any(|text| text.contains("{%") && text.contains("%}"))
    }

    /// Fills every placeholder. Text goes in as it is, other values as compact JSON.
    ///
    /// # Errors
    /// `InvalidInput` that lists variables without a value and values without a variable; `NotRenderable` for Jinja2.
    pub fn format(&self, values: &Map<String, Value>) -> Result<Rendered, PromptError> {
        Partial::new(self.clone()).format(values)
    }

    /// Fills some placeholders; the rest can be filled later, and what these values bring is never filled again.
    ///
    /// # Errors
    /// `InvalidInput` that lists values without a variable; `NotRenderable` for Jinja2.
    pub fn format_partial(&self, values: &Map<String, Value>) -> Result<Partial, PromptError> {
        Partial::new(self.clone()).with(values)
    }

    /// Checks what a template made by hand may break.
    ///
    /// # Errors
    /// When a chat has no message, or there are more than [`TEMPLATE_CHARACTERS_MAX`] characters.
    pub fn check(&self) -> Result<(), PromptError> {
        self.check_messages()?;
        let characters = self.stored_characters();
        if characters > TEMPLATE_CHARACTERS_MAX {
            return Err(PromptError::invalid(format!(
                "template has {characters} characters as it is stored: at most {TEMPLATE_CHARACTERS_MAX} are allowed"
            )));
        }
        Ok(())
    }

    /// Refuses to render what is not of our placeholders.
    pub(super) fn check_renderable(&self) -> Result<(), PromptError> {
        if self.is_jinja2() {
            return Err(PromptError {
                kind: PromptErrorKind::NotRenderable,
                message: "template is of Jinja2 ('{%' and '%}' stand in it), which is kept but not rendered here: \
                          render it with Jinja2, or write it with {{variable}} placeholders only"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// The texts that may hold placeholders, in order.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let (text, messages) = match self {
            Self::Text(text) => (Some(text.as_str()), None),
            Self::Chat(messages) => (None, Some(messages.iter().map(|m| m.content.as_str()))),
        };
        text.into_iter().chain(messages.into_iter().flatten())
    }

    fn check_messages(&self) -> Result<(), PromptError> {
        match self {
            Self::Chat(messages) if messages.is_empty() => Err(PromptError::invalid(
                "chat template has no message: give at least one {\"role\", \"content\"}",
            )),
            _ => Ok(()),
        }
    }

    fn stored_characters(&self) -> usize {
        match self {
            Self::Text(text) => text.chars().count(),
            Self::Chat(messages) => {
                let around = r#"{"role": "", "content": ""}"#.len();
                let each = |message: &ChatMessage| {
                    around + message.role.word().len() + ascii_json_characters(&message.content)
                };
                // The brackets, and `, ` between two messages.
                2 + messages.iter().map(each).sum::<usize>() + 2 * messages.len().saturating_sub(1)
            }
        }
    }
}

/// How many characters a text has between its quotes in JSON of ASCII only.
fn ascii_json_characters(text: &str) -> usize {
    let each = |c: char| match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        ' '..='\u{7f}' => 1,
        c if c.len_utf16() == 2 => 12,
        _ => 6,
    };
    text.chars().map(each).sum()
}

impl TryFrom<Value> for Template {
    type Error = PromptError;

    fn try_from(value: Value) -> Result<Self, PromptError> {
        match value {
            Value::String(text) => Ok(Self::Text(text)),
            Value::Array(items) => {
                let messages = items.into_iter().enumerate();
                Self::chat(
                    messages
                        .map(|(index, item)| ChatMessage::of_json(index, item))
                        .collect::<Result<_, _>>()?,
                )
            }
            other => Err(PromptError::invalid(format!(
                "template is {}: a template is a string, or a list of messages",
                kind_of(&other)
            ))),
        }
    }
}
