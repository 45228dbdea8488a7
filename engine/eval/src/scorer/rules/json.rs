//! The answer is JSON; it fits a JSON Schema.
//!
//! What is judged by a schema: the answer's text read as JSON; when it is none, and the outputs are an object or a list,
//! the outputs themselves. `field = ""` takes the outputs at once.
//!
//! Invariants
//! 1. A schema is checked when the scorer is made; it refers to nothing outside itself, so no network and no file is read.
//! 2. JSON is that of RFC 8259: no NaN, no comments, nothing after it but white space.

use std::borrow::Cow;

use boon::{CompileError, Compiler, SchemaIndex, Schemas, UrlLoader, ValidationError};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::Value;

use super::super::answer;
use super::super::error::SpecError;
use super::super::named::Check;
use super::{TEXTS, short};
use crate::{Item, Needs, Score, ScoreError};

/// How many violations a rationale lists.
const VIOLATIONS_SHOWN: usize = 3;
/// What a schema is called where it refers to itself; nothing is ever asked there.
const SCHEMA_URL: &str = "https://schema.invalid/answer.json";

/// Whether the answer's text is JSON. Value: a boolean.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JsonValid {
    /// A fence of three back-ticks around all of it, with or without a language, is taken off.
    pub fence: bool,
    /// A JSON pointer into the outputs, in the place of the answer's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Whether the answer fits a JSON Schema (drafts 4 to 2020-12, by its `$schema`; the newest without). Value: a boolean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonSchema {
    /// The schema.
    pub schema: Value,
    /// A fence of three back-ticks around all of it, with or without a language, is taken off.
    #[serde(default)]
    pub fence: bool,
    /// A JSON pointer into the outputs, in the place of the answer's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl JsonValid {
    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        answer::check_field(self.field.as_deref())?;
        Ok(Box::new(self.clone()))
    }
}

impl JsonSchema {
    /// A schema for the answer.
    pub fn new(schema: Value) -> Self {
        Self {
            schema,
            fence: false,
            field: None,
        }
    }

    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        answer::check_field(self.field.as_deref())?;
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.use_loader(Box::new(NoLoader));
        compiler
            .add_resource(SCHEMA_URL, self.schema.clone())
            .map_err(|error| wrong_schema(&error))?;
        let index = compiler
            .compile(SCHEMA_URL, &mut schemas)
            .map_err(|error| wrong_schema(&error))?;
        Ok(Box::new(Ready {
            schemas,
            index,
            settings: self.clone(),
        }))
    }
}

fn wrong_schema(error: &CompileError) -> SpecError {
    let mut faults = Vec::new();
    match error {
        CompileError::ValidationError { src, .. } => leaves(src, &mut faults),
        other => faults.push(other.to_string()),
    }
    let first = faults.into_iter().next().unwrap_or_default();
    SpecError::new(format!("the schema is not right: {first}"))
}

/// Loads nothing: a schema stands alone.
struct NoLoader;

impl UrlLoader for NoLoader {
    fn load(&self, url: &str) -> Result<Value, Box<dyn std::error::Error>> {
        Err(format!("{url} is not read: the schema has to stand alone").into())
    }
}

/// The text inside a fence that is around all of it; else the text.
fn unfenced(text: &str, fence: bool) -> &str {
    let trimmed = text.trim();
    let inner = trimmed
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"))
        .and_then(|rest| rest.split_once('\n'));
    match inner {
        Some((language, body)) if fence && !language.contains('`') => body,
        _ => text,
    }
}

impl Check for JsonValid {
    fn needs(&self) -> Needs {
        TEXTS
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let text = answer::text(item, self.field.as_deref())?;
        let read: Result<IgnoredAny, _> = serde_json::from_str(unfenced(&text, self.fence));
        let passed = read.is_ok();
        Ok(Score::verdict(passed, || match read {
            Err(error) => format!("not JSON: {error}, in {}", short(&text)),
            Ok(_) => String::new(),
        }))
    }
}

struct Ready {
    schemas: Schemas,
    index: SchemaIndex,
    settings: JsonSchema,
}

impl Ready {
    fn violations(&self, value: &Value) -> Option<String> {
        let error = self.schemas.validate(value, self.index).err()?;
        let mut all = Vec::new();
        leaves(&error, &mut all);
        let (first, more) = all.split_at(all.len().min(VIOLATIONS_SHOWN));
        let first = first.join("; ");
        match more.len() {
            0 => Some(first),
            more => Some(format!("{first}; and {more} more")),
        }
    }
}

/// What is wrong, not that something is wrong inside.
fn leaves(error: &ValidationError<'_, '_>, out: &mut Vec<String>) {
    if !error.causes.is_empty() {
        error.causes.iter().for_each(|cause| leaves(cause, out));
        return;
    }
    out.push(match error.instance_location.to_string().as_str() {
        "" => error.kind.to_string(),
        path => format!("{path}: {}", error.kind),
    });
}

impl Check for Ready {
    fn needs(&self) -> Needs {
        TEXTS
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let field = self.settings.field.as_deref();
        let text = answer::text(item, field)?;
        let read = serde_json::from_str(unfenced(&text, self.settings.fence));
        let judged = match (read, answer::value(item, field)) {
            (Ok(value), _) => Cow::Owned(value),
            (Err(_), Ok(outputs)) if outputs.is_object() || outputs.is_array() => outputs,
            (Err(error), _) => {
                return Ok(Score::verdict(false, || {
                    format!("not JSON: {error}, in {}", short(&text))
                }));
            }
        };
        let violations = self.violations(&judged);
        Ok(Score::verdict(violations.is_none(), || {
            violations.unwrap_or_default()
        }))
    }
}
