//! The span type: what kind of step a span is.
//!
//! Words are looked up in the producers' tables without regard to case; a word that is in none and
//! whose list is not closed stays as the producer wrote it.

use super::keys::{Found, word, word_of};
use super::producers::{Concern, Others, PRODUCERS, Words};

/// The type of a span that nothing speaks for.
pub(super) const UNKNOWN: &str = "UNKNOWN";

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

/// The type of a span: that of the best attribute whose word says one, else what its name says in its scope. A span
/// that names a tool and nothing else is a call of it, one that names a model and counts
/// its tokens asks it.
pub(super) fn of(found: &Found<'_>, scope: Option<&str>, name: &str) -> String {
    // CrewAI's crews and tasks are all said to invoke an agent; the kind is more exact.
    if let Some(kind) = traceloop_kind(found) {
        return kind.to_string();
    }
    let typed = found
        .candidates(Concern::SpanType)
        .find_map(|(key, value)| {
            let words = words(key.name)?;
            if let Others::Always(span_type) = words.others {
                return Some(span_type.to_string());
            }
            let word = word_of(key, value)?;
            type_of(words, &word).filter(|span_type| span_type != UNKNOWN)
        });
    typed.unwrap_or_else(|| {
        let has = |concern| {
            found
                .candidates(concern)
                .any(|(_, value)| word(value).is_some())
        };
        if has(Concern::ToolName) {
            return "TOOL".to_string();
        }
        if let Some(span_type) = named(scope, name) {
            return span_type.to_string();
        }
        let names_model = has(Concern::ResponseModel) || has(Concern::RequestModel);
        let counts = [Concern::InputTokens, Concern::OutputTokens];
        let has_counts = counts
            .iter()
            .any(|concern| found.candidates(*concern).next().is_some());
        if names_model && has_counts {
            "LLM".to_string()
        } else {
            UNKNOWN.to_string()
        }
    })
}

/// The kind of a span that Traceloop says and whose operation says less.
fn traceloop_kind(found: &Found<'_>) -> Option<&'static str> {
    let of = |wanted: &str| {
        let mut all = found.candidates(Concern::SpanType);
        all.find(|(key, _)| key.name == wanted)
            .and_then(|(_, value)| word(value))
    };
    let operation = of("gen_ai.operation.name")?;
    let is_vague = matches!(
        operation.as_ref(),
        "invoke_agent" | "create_agent" | "execute_task"
    );
    match of("traceloop.span.kind")?.as_ref() {
        "workflow" if is_vague => Some("WORKFLOW"),
        "task" if is_vague => Some("TASK"),
        _ => None,
    }
}

/// What the name of a span says, in a scope whose spans say nothing else.
fn named(scope: Option<&str>, name: &str) -> Option<&'static str> {
    let scope = scope?;
    let mut all = PRODUCERS.iter().flat_map(|producer| producer.names);
    all.find(|(of, start, _)| *of == scope && name.starts_with(start))
        .map(|(_, _, span_type)| *span_type)
}

fn words(key: &str) -> Option<&'static Words> {
    PRODUCERS
        .iter()
        .flat_map(|producer| producer.words)
        .find(|words| words.key == key)
}

fn type_of(words: &Words, word: &str) -> Option<String> {
    let is_this = |from: &str| match words.others {
        Others::ByPrefix => word.starts_with(from),
        Others::BySuffix => word.ends_with(from),
        Others::Own | Others::Nothing | Others::Always(_) => from.eq_ignore_ascii_case(word),
    };
    match words.types.iter().find(|(from, _)| is_this(from)) {
        Some((_, span_type)) => Some((*span_type).to_string()),
        None if words.others == Others::Own => Some(own(word)),
        None => None,
    }
}

/// A predefined type in its own spelling, else the producer's word.
fn own(word: &str) -> String {
    let predefined = TYPES
        .iter()
        .find(|span_type| span_type.eq_ignore_ascii_case(word));
    predefined.map_or_else(|| word.to_string(), |span_type| (*span_type).to_string())
}
