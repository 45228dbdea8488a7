//! Model, provider, operation and tool of a span.

use std::borrow::Cow;

use serde::Deserialize;
use tracehouse_storage::model::Span;

use super::keys::Found;
use super::producers::Concern;

/// Types of spans whose inputs or outputs may be a model's request or answer.
const MODEL_TYPES: &[&str] = &["LLM", "CHAT_MODEL", "EMBEDDING", "RERANKER", "UNKNOWN"];

/// Fills `operation`, `model`, `provider` and `tool_name`. Expects the span type, name, inputs and
/// outputs. The response's model goes before the request's: it is the version that answered.
pub(super) fn fill(span: &mut Span, found: &Found<'_>) {
    span.operation = found.first_word(Concern::Operation);
    span.model = found
        .first_word(Concern::ResponseModel)
        .or_else(|| found.first_word(Concern::RequestModel))
        .or_else(|| of_payloads(span))
        .map(without_path);
    span.provider = found.first_word(Concern::Provider);
    span.tool_name = found.first_word(Concern::ToolName);
    if span.tool_name.is_none() && span.span_type == "TOOL" && !span.name.is_empty() {
        span.tool_name = Some(span.name.clone());
    }
}

/// Vertex AI names a model by its path: `projects/P/locations/L/publishers/google/models/M`.
fn without_path(model: String) -> String {
    match model.rsplit_once("/models/") {
        Some((path, name)) if path.starts_with("projects/") && !name.is_empty() => name.to_string(),
        _ => model,
    }
}

/// The model that a request, else an answer names in its body, as MLflow reads it.
fn of_payloads(span: &Span) -> Option<String> {
    if !MODEL_TYPES.contains(&span.span_type.as_str()) {
        return None;
    }
    [&span.inputs, &span.outputs]
        .into_iter()
        .flatten()
        .find_map(|payload| of_payload(payload))
}

fn of_payload(payload: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow, default)]
        model: Option<Cow<'a, str>>,
    }
    if !payload.trim_start().starts_with('{') || !payload.contains("\"model\"") {
        return None;
    }
    let body: Body<'_> = serde_json::from_str(payload).ok()?;
    body.model
        .map(|model| model.trim().to_string())
        .filter(|model| !model.is_empty())
}
