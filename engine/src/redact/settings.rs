//! What is to be redacted: plain data, kept with the database as JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Most rules of a database.
const RULES_MAX: usize = 64;
/// Longest pattern of a rule, in bytes.
const PATTERN_BYTES_MAX: usize = 1024;
/// Longest name of a rule or attribute, in characters.
const NAME_CHARS_MAX: usize = 250;
/// Most names in `deny` or `allow`.
const NAMES_MAX: usize = 1024;

/// What is taken out of everything that is written to a database, before it is written anywhere.
///
/// Unless told otherwise, values of attributes, tags and metadata with a well-known name are replaced
/// (`authorization`, `cookie`, `api_key`, `password` and the like, wherever such a name ends a key) and
/// texts are left alone. What was stored before a setting was made stays as it is.
///
/// ```
/// use tracehouse::{Database, Redaction, TraceStart};
/// let db = Database::in_memory()?;
/// db.set_redaction(Redaction::default().secrets(true).rule("ticket", r"TICKET-\d+"))?;
/// db.start_trace(&TraceStart::new("t1", 0).tag("note", "see TICKET-123"))?;
/// assert_eq!(db.get_trace_info("t1")?.tags["note"], "see [REDACTED:ticket]");
/// # Ok::<(), tracehouse::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Redaction {
    /// Values whose name says that they are secret; on unless told otherwise.
    pub names: bool,
    /// API keys and tokens of well-known shapes, bearer tokens, private keys, anywhere in texts.
    pub secrets: bool,
    /// E-mail addresses in texts.
    pub emails: bool,
    /// Payment card numbers, in texts and as numbers.
    pub cards: bool,
    /// Further names of secret values.
    pub deny: Vec<String>,
    /// Keys whose values are never touched.
    pub allow: Vec<String>,
    /// Patterns of your own.
    pub rules: Vec<RedactionRule>,
    /// Name of the callback without which nothing may be written; see
    /// [`OpenOptions::redact_with`](crate::OpenOptions::redact_with).
    pub callback: Option<String>,
}

/// A pattern and what its matches are called: `[REDACTED:name]` stands for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedactionRule {
    /// Letters, digits, `_` and `-`.
    pub name: String,
    /// A regular expression; no look-around, no back-references.
    pub pattern: String,
}

impl fmt::Display for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (self.names, "names"),
            (self.secrets, "secrets"),
            (self.emails, "emails"),
            (self.cards, "cards"),
        ];
        let mut parts: Vec<String> = kinds
            .into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| word.to_string())
            .collect();
        parts.extend(self.deny.iter().map(|name| format!("deny {name}")));
        parts.extend(self.allow.iter().map(|name| format!("allow {name}")));
        parts.extend(
            self.rules
                .iter()
                .map(|rule| format!("rule {}={}", rule.name, rule.pattern)),
        );
        parts.extend(self.callback.iter().map(|name| format!("callback {name}")));
        if parts.is_empty() {
            f.write_str("nothing")
        } else {
            f.write_str(&parts.join(", "))
        }
    }
}

impl Default for Redaction {
    fn default() -> Self {
        Self {
            names: true,
            ..Self::none()
        }
    }
}

impl Redaction {
    /// Nothing is redacted.
    pub fn none() -> Self {
        Self {
            names: false,
            secrets: false,
            emails: false,
            cards: false,
            deny: Vec::new(),
            allow: Vec::new(),
            rules: Vec::new(),
            callback: None,
        }
    }

    /// Switches well-known names on or off.
    pub fn names(mut self, on: bool) -> Self {
        self.names = on;
        self
    }

    /// Switches shapes of secrets on or off.
    pub fn secrets(mut self, on: bool) -> Self {
        self.secrets = on;
        self
    }

    /// Switches e-mail addresses on or off.
    pub fn emails(mut self, on: bool) -> Self {
        self.emails = on;
        self
    }

    /// Switches card numbers on or off.
    pub fn cards(mut self, on: bool) -> Self {
        self.cards = on;
        self
    }

    /// Adds a name of secret values.
    pub fn deny(mut self, name: impl Into<String>) -> Self {
        self.deny.push(name.into());
        self
    }

    /// Adds a key whose values are never touched.
    pub fn allow(mut self, key: impl Into<String>) -> Self {
        self.allow.push(key.into());
        self
    }

    /// Adds a rule.
    pub fn rule(mut self, name: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.rules.push(RedactionRule {
            name: name.into(),
            pattern: pattern.into(),
        });
        self
    }

    /// Needs the callback of this name.
    pub fn callback(mut self, name: impl Into<String>) -> Self {
        self.callback = Some(name.into());
        self
    }

    /// Whether texts are looked into, apart from a callback.
    pub(super) fn has_patterns(&self) -> bool {
        self.secrets || self.emails || self.cards || !self.rules.is_empty()
    }

    /// Checks names and sizes; patterns are checked by compiling them.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::invalid_input(format!("redaction: {what}")));
        if self.rules.len() > RULES_MAX {
            return wrong(format!(
                "{} rules, at most {RULES_MAX} are allowed",
                self.rules.len()
            ));
        }
        if self.deny.len() > NAMES_MAX || self.allow.len() > NAMES_MAX {
            return wrong(format!("at most {NAMES_MAX} names to deny and to allow"));
        }
        for name in self.deny.iter().chain(&self.allow).chain(&self.callback) {
            let chars = name.chars().count();
            if chars == 0 || chars > NAME_CHARS_MAX {
                return wrong(format!(
                    "a name has {chars} characters, 1 to {NAME_CHARS_MAX} are allowed"
                ));
            }
        }
        for rule in &self.rules {
            let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if rule.name.is_empty()
                || rule.name.len() > NAME_CHARS_MAX
                || !rule.name.chars().all(is_word)
            {
                return wrong(format!(
                    "rule name {:?}: letters, digits, '_' and '-' expected",
                    rule.name
                ));
            }
            if rule.pattern.is_empty() || rule.pattern.len() > PATTERN_BYTES_MAX {
                return wrong(format!(
                    "the pattern of rule {:?} has {} bytes, 1 to {PATTERN_BYTES_MAX} are allowed",
                    rule.name,
                    rule.pattern.len()
                ));
            }
        }
        Ok(())
    }
}
