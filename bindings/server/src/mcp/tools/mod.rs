//! The tools: what each is called, says of itself to a model that has never seen Tracehouse, and does.

mod explain;
mod find;
mod meanings;
mod measure;
mod schema;
mod span;
mod sql;
mod table;
#[cfg(test)]
mod tests;
mod trace;
mod write;

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::ToolAnnotations;
use tracehouse::Database;

use super::answer::{BYTES_MAX, BYTES_MIN, Budget};
use super::json::Fields;
use super::parameters::{self, Arguments, Kind, Parameter};
use super::scope::Scope;
use crate::access::Caller;
use crate::error::ApiError;
pub(super) use table::ALL;

/// Put behind the descriptions of tools with a filter.
const FILTERS: &str = "\n\nFilters are clauses KEY OPERATOR VALUE with AND, OR, NOT and parentheses; texts in single quotes; \
    operators = != > >= < <= LIKE ILIKE RLIKE IN BETWEEN, IS NULL for what is absent.\n\
    Traces: state = 'ERROR' (OK, ERROR, IN_PROGRESS), name, timestamp > now() - 7d, duration > 5s, total_tokens > 1000, cost, \
    model, session, user, service_name, error_span_count.\n\
    Spans: span.name, span.type = 'TOOL' (LLM, CHAT_MODEL, AGENT, RETRIEVER), span.status, span.tool, span.model, \
    span.duration_ms, span.attributes.KEY. Joined by AND they are about one span; HAS( ... ) AND HAS( ... ) may be two.\n\
    Labels: tags.KEY, metadata.KEY, resource.KEY, feedback.NAME = false, expectation.NAME, dataset = 'name'.\n\
    Texts: trace.text MATCHES '\"refund policy\" -test' (words, phrases), trace.text ILIKE '%timed out%', \
    span.inputs LIKE '%x%', span.outputs RLIKE 'err[0-9]+'.";

static MAX_BYTES: Parameter = Parameter::optional(
    "max_bytes",
    Kind::Integer {
        min: BYTES_MIN,
        max: BYTES_MAX,
        default: None,
    },
    "Most bytes of the answer, as JSON text",
);

/// What a tool does to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Writes {
        /// Whether something that was there is replaced.
        replaces: bool,
        /// Whether doing it twice is as doing it once.
        is_idempotent: bool,
    },
}

/// One tool.
pub(super) struct Tool {
    pub(super) name: &'static str,
    title: &'static str,
    about: &'static str,
    /// Whether the filter language is explained behind what it says of itself.
    explains_filters: bool,
    parameters: &'static [Parameter],
    pub(super) effect: Effect,
    /// Whether its errors may quote recorded values.
    pub(super) quotes_values: bool,
    pub(super) run: fn(&Database, &Call) -> Result<Fields, ApiError>,
}

/// One call of a tool.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) arguments: Arguments,
    pub(super) scope: Scope,
    pub(super) budget: Budget,
    /// How long what a change has to find first may take.
    pub(super) timeout: Duration,
    pub(super) caller: Arc<Caller>,
}

impl Tool {
    /// Its parameters and those that all tools have.
    pub(super) fn all_parameters(&self) -> Vec<&'static Parameter> {
        self.parameters.iter().chain([&MAX_BYTES]).collect()
    }

    /// What a model is told of it.
    pub(super) fn described(&self, bytes_default: usize) -> rmcp::model::Tool {
        let mut about = self.about.to_string();
        if self.explains_filters {
            about.push_str(FILTERS);
        }
        let mut schema = (*parameters::schema(&self.all_parameters())).clone();
        if let Some(max_bytes) = schema
            .get_mut("properties")
            .and_then(|properties| properties.get_mut(MAX_BYTES.name))
            .and_then(serde_json::Value::as_object_mut)
        {
            max_bytes.insert("default".into(), bytes_default.into());
        }
        let hints = ToolAnnotations::with_title(self.title).open_world(false);
        let hints = match self.effect {
            Effect::Reads => hints.read_only(true).destructive(false).idempotent(true),
            Effect::Writes {
                replaces,
                is_idempotent,
            } => hints
                .read_only(false)
                .destructive(replaces)
                .idempotent(is_idempotent),
        };
        rmcp::model::Tool::new(self.name, about, schema)
            .with_title(self.title)
            .with_annotations(hints)
    }
}
