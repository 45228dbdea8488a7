//! Values into a template.
//!
//! **Invariants**
//! 1. The template is cut into pieces once, before any value is seen; so no value is read as a placeholder, also not
//!    when values come in several steps.
//! 2. Either every name given is a variable of the template, or nothing is rendered.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::canonical::canonical_json;
use super::super::error::PromptError;
use super::body::Template;
use super::chat::ChatMessage;
use super::placeholder::{Piece, is_variable_name, pieces};

/// What came of a template: final text, no placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rendered {
    /// Of a text template.
    Text(String),
    /// Of a chat template.
    Chat(Vec<ChatMessage>),
}

/// A template some of whose placeholders have values.
///
/// ```
/// use serde_json::{Map, json};
/// use tracehouse_eval::prompt::{Rendered, Template};
///
/// let mut first = Map::new();
/// first.insert("style".into(), json!("{{question}}"));
/// let partial = Template::text("{{style}}: {{question}}").format_partial(&first)?;
/// assert_eq!(partial.missing(), ["question"]);
///
/// let mut second = Map::new();
/// second.insert("question".into(), json!("why?"));
/// assert_eq!(partial.format(&second)?, Rendered::Text("{{question}}: why?".into()));
/// # Ok::<(), tracehouse_eval::prompt::PromptError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Partial {
    template: Template,
    variables: Vec<String>,
    values: Map<String, Value>,
}

impl Partial {
    /// A template without values.
    pub(super) fn new(template: Template) -> Self {
        Self {
            variables: template.variables(),
            template,
            values: Map::new(),
        }
    }

    /// The template under it, as it was.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The values so far.
    pub fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// The variables that have no value yet, in the order of the template.
    pub fn missing(&self) -> Vec<String> {
        let open = self.variables.iter();
        open.filter(|name| !self.values.contains_key(*name))
            .cloned()
            .collect()
    }

    /// Adds values.
    ///
    /// # Errors
    /// `InvalidInput` that lists names that are no variable or have a value already; `NotRenderable` for Jinja2.
    pub fn with(mut self, values: &Map<String, Value>) -> Result<Self, PromptError> {
        self.template.check_renderable()?;
        self.check_names(values, false)?;
        self.values.extend(values.clone());
        Ok(self)
    }

    /// Adds the last values and renders.
    ///
    /// # Errors
    /// As [`with`](Self::with), and when a variable is left without a value.
    pub fn format(self, values: &Map<String, Value>) -> Result<Rendered, PromptError> {
        self.template.check_renderable()?;
        self.check_names(values, true)?;
        Ok(self.with(values)?.preview())
    }

    /// The text as it stands: values where they are known, placeholders as they were written where they are not.
    pub fn preview(&self) -> Rendered {
        match &self.template {
            Template::Text(text) => Rendered::Text(fill(text, &self.values)),
            Template::Chat(messages) => Rendered::Chat(
                messages
                    .iter()
                    .map(|message| {
                        ChatMessage::new(message.role, fill(&message.content, &self.values))
                    })
                    .collect(),
            ),
        }
    }

    /// Says all that is wrong with the names of `values` in one error.
    fn check_names(&self, values: &Map<String, Value>, is_last: bool) -> Result<(), PromptError> {
        let mut faults = Vec::new();
        let mut missing = self.missing();
        missing.retain(|name| !values.contains_key(name));
        if is_last && !missing.is_empty() {
            faults.push(format!("no value for {}", missing.join(", ")));
        }
        let mut given: Vec<&String> = values.keys().collect();
        given.sort();
        let (known, unknown): (Vec<&String>, Vec<&String>) = given
            .into_iter()
            .partition(|name| self.variables.contains(*name));
        faults.extend(unknown_faults(&unknown));
        let is_old = |name: &&String| self.values.contains_key(*name);
        let old: Vec<&String> = known.into_iter().filter(is_old).collect();
        if !old.is_empty() {
            faults.push(format!("a value was given before for {}", listed(&old)));
        }
        if faults.is_empty() {
            return Ok(());
        }
        let variables = match self.variables.as_slice() {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        Err(PromptError::invalid(format!(
            "template cannot be filled: {}; its variables are {variables}",
            faults.join("; "),
        )))
    }
}

fn unknown_faults(unknown: &[&String]) -> Vec<String> {
    let mut faults = Vec::new();
    if !unknown.is_empty() {
        faults.push(format!("no variable {}", listed(unknown)));
    }
    if let Some(name) = unknown.iter().find(|name| !is_variable_name(name)) {
        faults.push(format!(
            "{name:?} cannot name a variable: a name has ASCII letters, digits, '_' and dots between steps"
        ));
    }
    faults
}

fn listed(names: &[&String]) -> String {
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    names.join(", ")
}

fn fill(text: &str, values: &Map<String, Value>) -> String {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Placeholder { text, name } => match values.get(name) {
                Some(Value::String(value)) => filled.push_str(value),
                Some(value) => filled.push_str(&canonical_json(value)),
                None => filled.push_str(text),
            },
        }
    }
    filled
}
