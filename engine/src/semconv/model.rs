//! Model, provider, operation and tool of a span.

use tracehouse_storage::model::Span;

use super::keys::{Concern, Found};

pub(super) const OPERATION_KEYS: &[&str] = &["gen_ai.operation.name", "llm.request.type", "ai.operationId"];

/// The response's model before the request's: it is the exact version that answered.
pub(super) const MODEL_KEYS: &[&str] = &[
    "mlflow.llm.model",
    "llm.response.model_name",
    "gen_ai.response.model",
    "ai.response.model",
    "llm.model_name",
    "gen_ai.request.model",
    "llm.request.model_name",
    "embedding.model_name",
    "reranker.model_name",
    "llm.request.model",
    "ai.model.id",
    "langfuse.observation.model.name",
];

pub(super) const PROVIDER_KEYS: &[&str] = &[
    "mlflow.llm.provider",
    "llm.provider",
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.system",
    "ai.model.provider",
];

pub(super) const TOOL_NAME_KEYS: &[&str] = &["gen_ai.tool.name", "tool.name", "ai.toolCall.name"];

/// Fills `operation`, `model`, `provider` and `tool_name`. Expects the span type and name.
pub(super) fn fill(span: &mut Span, found: &Found<'_>) {
    span.operation = found.first_word(Concern::Operation);
    span.model = found.first_word(Concern::Model);
    span.provider = found.first_word(Concern::Provider);
    span.tool_name = found.first_word(Concern::ToolName);
    if span.tool_name.is_none() && span.span_type == "TOOL" && !span.name.is_empty() {
        span.tool_name = Some(span.name.clone());
    }
}
