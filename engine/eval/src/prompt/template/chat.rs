//! The messages of a chat template.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::error::{PromptError, kind_of};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions for the model.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// What a tool gave back.
    Tool,
    /// Instructions of the developer, above those of the system.
    Developer,
}

impl Role {
    const ALL: [Self; 5] = [
        Self::System,
        Self::User,
        Self::Assistant,
        Self::Tool,
        Self::Developer,
    ];

    /// The word in files: `system`, `user`, ...
    pub fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::Developer => "developer",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One message of a chat template, or of a rendered one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said, with placeholders.
    pub content: String,
}

impl ChatMessage {
    /// A message.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
        }
    }

    /// Reads message `index` (from 0) of a list.
    pub(super) fn of_json(index: usize, value: Value) -> Result<Self, PromptError> {
        let at = |why: String| PromptError::invalid(format!("message {index} {why}"));
        let shape = r#"a message is {"role": "user", "content": "..."}"#;
        let Value::Object(mut entries) = value else {
            return Err(at(format!("is {}: {shape}", kind_of(&value))));
        };
        let role = match entries.remove("role") {
            Some(Value::String(word)) => {
                Role::of_word(&word).ok_or_else(|| at(format!("has {}", role_rule(&word))))?
            }
            Some(other) => return Err(at(format!("has {} as its role: {shape}", kind_of(&other)))),
            None => return Err(at(format!("has no role: {shape}"))),
        };
        let content = match entries.remove("content") {
            Some(Value::String(content)) => content,
            Some(other) => {
                let kind = kind_of(&other);
                return Err(at(format!(
                    "has {kind} as its content: only text is a template"
                )));
            }
            None => return Err(at(format!("has no content: {shape}"))),
        };
        match entries.keys().next() {
            Some(key) => Err(at(format!("has {key:?}: {shape}, and nothing else"))),
            None => Ok(Self { role, content }),
        }
    }
}

fn role_rule(word: &str) -> String {
    let words: Vec<&str> = Role::ALL.into_iter().map(Role::word).collect();
    format!("role {word:?}: a role is one of {}", words.join(", "))
}
