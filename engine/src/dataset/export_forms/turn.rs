//! One message of a conversation as it is written for fine-tuning, and whether calls and answers of tools fit together.

use super::super::json::{is_same, quoted};

/// A message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub role: String,
    /// JSON text: a string or a list of parts.
    pub content: Option<String>,
    /// Other members of it, values as JSON text.
    pub extras: Vec<(&'static str, String)>,
    /// What the assistant calls.
    pub calls: Vec<Call>,
    /// The id of the call that a tool answers.
    pub answers: Option<String>,
}

/// A call of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Call {
    pub id: String,
    pub name: String,
    /// JSON text, which is written as a string.
    pub arguments: String,
}

impl Turn {
    /// A message of text.
    pub fn of_text(role: &str, text: &str) -> Self {
        Self {
            role: role.to_string(),
            content: Some(quoted(text)),
            ..Self::default()
        }
    }

    /// Whether it says, refuses or calls anything.
    pub fn says_something(&self) -> bool {
        let has_content = self
            .content
            .as_deref()
            .is_some_and(|content| !matches!(content, "\"\"" | "[]"));
        has_content
            || !self.calls.is_empty()
            || self.extras.iter().any(|(key, _)| *key == "refusal")
    }

    /// Whether it is the same message.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let is_same_content = match (&self.content, &other.content) {
            (Some(a), Some(b)) => is_same(a, b),
            (a, b) => a == b,
        };
        self.role == other.role && is_same_content
    }

    /// Whether it instructs the model.
    pub fn is_instruction(&self) -> bool {
        matches!(self.role.as_str(), "system" | "developer")
    }

    /// The message as JSON.
    pub fn json(&self) -> String {
        let mut json = format!(r#"{{"role":{}"#, quoted(&self.role));
        if let Some(id) = &self.answers {
            json.push_str(&format!(r#","tool_call_id":{}"#, quoted(id)));
        }
        if let Some(content) = &self.content {
            json.push_str(&format!(r#","content":{content}"#));
        }
        for (key, value) in &self.extras {
            json.push_str(&format!(r#","{key}":{value}"#));
        }
        if !self.calls.is_empty() {
            let calls: Vec<String> = self.calls.iter().map(Call::json).collect();
            json.push_str(&format!(r#","tool_calls":[{}]"#, calls.join(",")));
        }
        json.push('}');
        json
    }
}

impl Call {
    fn json(&self) -> String {
        format!(
            r#"{{"id":{},"type":"function","function":{{"name":{},"arguments":{}}}}}"#,
            quoted(&self.id),
            quoted(&self.name),
            quoted(&self.arguments),
        )
    }
}

/// Why calls and answers do not fit together: each call is answered before anybody else speaks, but for those of the
/// last message, and each answer has its call.
pub(super) fn misfit(turns: &[Turn]) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    for turn in turns {
        if turn.role == "tool" {
            let answered = turn
                .answers
                .as_deref()
                .and_then(|id| open.iter().position(|call| *call == id));
            match answered {
                Some(at) => drop(open.swap_remove(at)),
                None => return Some("a tool's answer belongs to no call before it".to_string()),
            }
            continue;
        }
        if let Some(id) = open.first() {
            return Some(format!("the tool call {id:?} has no answer"));
        }
        open = turn.calls.iter().map(|call| call.id.as_str()).collect();
    }
    None
}
