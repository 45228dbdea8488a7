//! The span type: what kind of step a span is.
//!
//! Words are looked up without regard to case; a word that is none of the predefined types stays as
//! the producer wrote it, except where its convention has a closed list (`gen_ai.operation.name`,
//! `ai.operationId`, `llm.request.type`), in which an unknown word says nothing.

use super::keys::{Concern, Found, word};

/// The type of a span that nothing speaks for.
const UNKNOWN: &str = "UNKNOWN";

/// The predefined types.
const TYPES: &[&str] = &[
    "LLM",
    "CHAT_MODEL",
    "CHAIN",
    "AGENT",
    "TOOL",
    "RETRIEVER",
    "EMBEDDING",
    "RERANKER",
    "PARSER",
    "MEMORY",
    "WORKFLOW",
    "TASK",
    "GUARDRAIL",
    "EVALUATOR",
    UNKNOWN,
];

pub(super) const KEYS: &[&str] = &[
    "mlflow.spanType",
    "openinference.span.kind",
    "gen_ai.operation.name",
    "traceloop.span.kind",
    "ai.operationId",
    "lmnr.span.type",
    "langfuse.observation.type",
    "llm.request.type",
];

/// Words of `gen_ai.operation.name`.
const OPERATIONS: &[(&str, &str)] = &[
    ("chat", "CHAT_MODEL"),
    ("create_agent", "AGENT"),
    ("invoke_agent", "AGENT"),
    ("invoke_workflow", "WORKFLOW"),
    ("embeddings", "EMBEDDING"),
    ("execute_tool", "TOOL"),
    ("generate_content", "LLM"),
    ("text_completion", "LLM"),
    ("response", "LLM"),
    ("retrieval", "RETRIEVER"),
];

/// Starts of `ai.operationId` (Vercel AI).
const VERCEL_OPERATIONS: &[(&str, &str)] = &[
    ("ai.generateText", "LLM"),
    ("ai.streamText", "LLM"),
    ("ai.generateObject", "LLM"),
    ("ai.streamObject", "LLM"),
    ("ai.toolCall", "TOOL"),
    ("ai.embed", "EMBEDDING"),
];

/// Words of `lmnr.span.type` that are not types themselves.
const LAMINAR_TYPES: &[(&str, &str)] = &[
    ("default", "CHAIN"),
    ("pipeline", "CHAIN"),
    ("executor", "AGENT"),
    ("human_evaluator", "EVALUATOR"),
    ("evaluation", "EVALUATOR"),
    ("cached", "LLM"),
];

/// Words of `langfuse.observation.type` that are not types themselves.
const LANGFUSE_TYPES: &[(&str, &str)] = &[("generation", "LLM"), ("span", UNKNOWN), ("event", UNKNOWN)];

/// Words of `llm.request.type`, which earlier Traceloop versions send.
const REQUEST_TYPES: &[(&str, &str)] =
    &[("chat", "CHAT_MODEL"), ("completion", "LLM"), ("embedding", "EMBEDDING"), ("rerank", "RERANKER")];

/// The type of a span: the first candidate that says more than `UNKNOWN`.
pub(super) fn of(found: &Found<'_>) -> String {
    for (key, value) in found.candidates(Concern::SpanType) {
        let Some(word) = word(value) else { continue };
        let span_type = match key {
            "gen_ai.operation.name" => mapped(OPERATIONS, &word).map(str::to_string),
            "llm.request.type" => mapped(REQUEST_TYPES, &word).map(str::to_string),
            "ai.operationId" => vercel(&word).map(str::to_string),
            "lmnr.span.type" => Some(mapped(LAMINAR_TYPES, &word).map_or_else(|| own(&word), str::to_string)),
            "langfuse.observation.type" => {
                Some(mapped(LANGFUSE_TYPES, &word).map_or_else(|| own(&word), str::to_string))
            }
            _ => Some(own(&word)),
        };
        match span_type {
            Some(span_type) if span_type != UNKNOWN => return span_type,
            _ => {}
        }
    }
    UNKNOWN.to_string()
}

fn mapped(table: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(from, _)| from.eq_ignore_ascii_case(word)).map(|(_, to)| *to)
}

fn vercel(word: &str) -> Option<&'static str> {
    VERCEL_OPERATIONS.iter().find(|(start, _)| word.starts_with(start)).map(|(_, to)| *to)
}

/// A predefined type in its own spelling, else the producer's word.
fn own(word: &str) -> String {
    let predefined = TYPES.iter().find(|span_type| span_type.eq_ignore_ascii_case(word));
    predefined.map_or_else(|| word.to_string(), |span_type| (*span_type).to_string())
}
