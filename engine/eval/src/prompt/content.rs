//! What a version holds that never changes: template, response format, model configuration; and how a file says it.
//!
//! **Invariants**
//! 1. A content was checked: its template has a message, its model configuration has sound numbers, no limit is passed.
//! 2. An empty response format or model configuration is none.
//! 3. The hash depends on what the content says, not on how a file wrote it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::canonical::{canonical_json, sha256_hex};
use super::error::{PromptError, kind_of};
use super::model_config::check_model_config;
use super::names::TAG_VALUE_CHARACTERS_MAX;
use super::strict_json::strict_json;
use super::template::{Template, TemplateKind};

/// The unchanging part of a prompt version.
///
/// ```
/// use tracehouse_eval::prompt::PromptContent;
///
/// let content = PromptContent::parse(
///     r#"{"template": [{"role": "user", "content": "{{question}}"}], "model_config": {"temperature": 0.2}}"#,
/// )?;
/// assert_eq!(content.template().variables(), ["question"]);
/// assert_eq!(content.content_hash().len(), 64);
/// # Ok::<(), tracehouse_eval::prompt::PromptError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Form", try_from = "Form")]
pub struct PromptContent {
    template: Template,
    response_format: Option<Map<String, Value>>,
    model_config: Option<Map<String, Value>>,
}

impl PromptContent {
    /// Checks and joins the parts. `null` and `{}` as response format or model configuration are none.
    ///
    /// # Errors
    /// `InvalidInput`: a chat without messages, a part that is no object, a setting out of its range, a part too long.
    pub fn new(
        template: Template,
        response_format: Option<Value>,
        model_config: Option<Value>,
    ) -> Result<Self, PromptError> {
        template.check()?;
        let response_format = object("response_format", response_format)?;
        let model_config = object("model_config", model_config)?
            .map(check_model_config)
            .transpose()?;
        Ok(Self {
            template,
            response_format: kept("response_format", response_format)?,
            model_config: kept("model_config", model_config)?,
        })
    }

    /// Reads the text of a file.
    ///
    /// A JSON list of messages is a chat template; a JSON object has `template` (a string or a list of messages) and
    /// may have `response_format` and `model_config`; anything else is a text template, kept to the last character
    /// (only a byte order mark is left out). A text that begins as one of the JSON forms and is broken is an error,
    /// not a text template; to use such a text, give it as `template` of an object.
    ///
    /// # Errors
    /// `InvalidInput`: an empty file, broken JSON with its line, unknown keys, and all that [`new`](Self::new) refuses.
    pub fn parse(text: &str) -> Result<Self, PromptError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.is_empty() {
            return Err(PromptError::invalid(
                "template file is empty: it has a text, a JSON list of messages or a JSON object with a template",
            ));
        }
        if !text.trim_start().starts_with(['[', '{']) {
            return Self::new(Template::text(text), None, None);
        }
        match strict_json(text) {
            Ok(messages @ Value::Array(_)) => Self::new(messages.try_into()?, None, None),
            Ok(Value::Object(entries)) => Self::of_entries(entries),
            Err(error) if begins_as_json(text) => Err(PromptError::invalid(format!(
                "template file begins as JSON but is not: {error}; to use it as a text, write {{\"template\": \"...\"}}"
            ))),
            _ => Self::new(Template::text(text), None, None),
        }
    }

    fn of_entries(mut entries: Map<String, Value>) -> Result<Self, PromptError> {
        let rule = "a JSON template file has template, response_format and model_config; \
                    to use this JSON as a text, write {\"template\": \"...\"}";
        let template = entries.remove("template").ok_or_else(|| {
            PromptError::invalid(format!("template file has no template: {rule}"))
        })?;
        let response_format = entries.remove("response_format");
        let model_config = entries.remove("model_config");
        if let Some(key) = entries.keys().next() {
            return Err(PromptError::invalid(format!(
                "template file has the key {key:?}: {rule}"
            )));
        }
        Self::new(template.try_into()?, response_format, model_config)
    }

    /// The template.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// How the answer must look, usually a JSON schema; never empty.
    pub fn response_format(&self) -> Option<&Map<String, Value>> {
        self.response_format.as_ref()
    }

    /// Provider, model and its settings; never empty.
    pub fn model_config(&self) -> Option<&Map<String, Value>> {
        self.model_config.as_ref()
    }

    /// The one JSON text of this content: `template`, and the other two where they are.
    pub fn canonical_json(&self) -> String {
        let mut entries = Map::new();
        entries.insert("template".into(), self.template.to_json());
        let others = [
            ("response_format", &self.response_format),
            ("model_config", &self.model_config),
        ];
        for (key, part) in others {
            if let Some(part) = part {
                entries.insert(key.into(), Value::Object(part.clone()));
            }
        }
        canonical_json(&Value::Object(entries))
    }

    /// SHA-256 of [`canonical_json`](Self::canonical_json), as 64 lower-case hex digits.
    pub fn content_hash(&self) -> String {
        sha256_hex(&self.canonical_json())
    }
}

/// Whether a text was meant as a list of messages or as an object: a bracket, then a key in quotes.
fn begins_as_json(text: &str) -> bool {
    let text = text.trim_start();
    let inside = text.strip_prefix('[').map_or(text, str::trim_start);
    inside
        .strip_prefix('{')
        .is_some_and(|inside| inside.trim_start().starts_with('"'))
}

fn object(what: &str, value: Option<Value>) -> Result<Option<Map<String, Value>>, PromptError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(entries)) => Ok(Some(entries)),
        Some(other) => Err(PromptError::invalid(format!(
            "{what} is {}: it must be an object",
            kind_of(&other)
        ))),
    }
}

/// A part that says something, within the length that a tag of MLflow's registry has.
fn kept(
    what: &str,
    part: Option<Map<String, Value>>,
) -> Result<Option<Map<String, Value>>, PromptError> {
    let Some(part) = part.filter(|part| !part.is_empty()) else {
        return Ok(None);
    };
    let characters = canonical_json(&Value::Object(part.clone())).chars().count();
    if characters > TAG_VALUE_CHARACTERS_MAX {
        return Err(PromptError::invalid(format!(
            "{what} has {characters} characters as JSON: at most {TAG_VALUE_CHARACTERS_MAX} are allowed"
        )));
    }
    Ok(Some(part))
}

/// How a content looks in JSON.
#[derive(Serialize, Deserialize)]
struct Form {
    #[serde(rename = "type", default)]
    kind: Option<TemplateKind>,
    template: Template,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model_config: Option<Value>,
}

impl From<PromptContent> for Form {
    fn from(content: PromptContent) -> Self {
        Self {
            kind: Some(content.template.kind()),
            template: content.template,
            response_format: content.response_format.map(Value::Object),
            model_config: content.model_config.map(Value::Object),
        }
    }
}

impl TryFrom<Form> for PromptContent {
    type Error = PromptError;

    fn try_from(form: Form) -> Result<Self, PromptError> {
        let found = form.template.kind();
        match form.kind {
            Some(said) if said != found => Err(PromptError::invalid(format!(
                "type is {:?} but the template is a {}",
                said.word(),
                found.word()
            ))),
            _ => Self::new(form.template, form.response_format, form.model_config),
        }
    }
}
