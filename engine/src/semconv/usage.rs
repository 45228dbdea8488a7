//! Token counts and cost.
//!
//! Counts are whole and not negative; integers, whole doubles and numeric texts are read. A key may
//! also hold a JSON object (`mlflow.chat.tokenUsage`, Langfuse's details), in which the member of the
//! concern is looked up.

use serde_json::Value as Json;
use tracehouse_storage::model::Span;

use crate::otlp::value::Value;

use super::keys::{Concern, Found, unquoted};

const MLFLOW_USAGE: &str = "mlflow.chat.tokenUsage";
const LANGFUSE_USAGE: &str = "langfuse.observation.usage_details";

pub(super) const INPUT_KEYS: &[&str] = &[
    MLFLOW_USAGE,
    "llm.token_count.prompt",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
    LANGFUSE_USAGE,
];

pub(super) const OUTPUT_KEYS: &[&str] = &[
    MLFLOW_USAGE,
    "llm.token_count.completion",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    LANGFUSE_USAGE,
];

pub(super) const TOTAL_KEYS: &[&str] = &[
    MLFLOW_USAGE,
    "llm.token_count.total",
    "gen_ai.usage.total_tokens",
    "llm.usage.total_tokens",
    "ai.usage.totalTokens",
    LANGFUSE_USAGE,
];

pub(super) const CACHE_READ_KEYS: &[&str] = &[
    MLFLOW_USAGE,
    "llm.token_count.prompt_details.cache_read",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "ai.usage.cachedInputTokens",
    LANGFUSE_USAGE,
];

pub(super) const CACHE_CREATION_KEYS: &[&str] = &[
    MLFLOW_USAGE,
    "llm.token_count.prompt_details.cache_write",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    LANGFUSE_USAGE,
];

pub(super) const COST_KEYS: &[&str] = &[
    "mlflow.llm.cost",
    "llm.cost.total",
    "gen_ai.usage.cost",
    "llm.usage.cost",
    "langfuse.observation.cost_details",
];

const INPUT_MEMBERS: &[&str] = &["input_tokens", "input", "prompt_tokens"];
const OUTPUT_MEMBERS: &[&str] = &["output_tokens", "output", "completion_tokens"];
const TOTAL_MEMBERS: &[&str] = &["total_tokens", "total"];
const CACHE_READ_MEMBERS: &[&str] = &["cache_read_input_tokens", "input_cached_tokens", "input_cache_read"];
const CACHE_CREATION_MEMBERS: &[&str] = &["cache_creation_input_tokens", "input_cache_creation"];

/// Fills the token columns and the cost. The total is the sum when the producer gives none.
pub(super) fn fill(span: &mut Span, found: &Found<'_>) {
    span.input_tokens = tokens(found, Concern::InputTokens, INPUT_MEMBERS);
    span.output_tokens = tokens(found, Concern::OutputTokens, OUTPUT_MEMBERS);
    span.total_tokens = tokens(found, Concern::TotalTokens, TOTAL_MEMBERS);
    span.cache_read_input_tokens = tokens(found, Concern::CacheReadTokens, CACHE_READ_MEMBERS);
    span.cache_creation_input_tokens = tokens(found, Concern::CacheCreationTokens, CACHE_CREATION_MEMBERS);
    let has_part = span.input_tokens.is_some() || span.output_tokens.is_some();
    if span.total_tokens.is_none() && has_part {
        let (input, output) = (span.input_tokens.unwrap_or(0), span.output_tokens.unwrap_or(0));
        span.total_tokens = Some(input.saturating_add(output));
    }
    span.cost_usd = found.candidates(Concern::Cost).find_map(|(_, value)| cost(value));
}

fn tokens(found: &Found<'_>, concern: Concern, members: &[&str]) -> Option<i64> {
    found.candidates(concern).find_map(|(key, value)| match key {
        MLFLOW_USAGE | LANGFUSE_USAGE => {
            let usage = json(value)?;
            members.iter().find_map(|member| json_count(usage.get(member)?))
        }
        _ => count(value),
    })
}

/// A count: whole and not negative.
fn count(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number).filter(|number| *number >= 0),
        Value::Double(number) => whole(*number),
        Value::String(text) => text_count(unquoted(text.trim()).trim()),
        _ => None,
    }
}

fn text_count(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|number| *number >= 0).or_else(|| text.parse().ok().and_then(whole))
}

fn json_count(value: &Json) -> Option<i64> {
    match value {
        Json::Number(number) => {
            number.as_i64().filter(|n| *n >= 0).or_else(|| number.as_f64().and_then(whole))
        }
        Json::String(text) => text_count(text),
        _ => None,
    }
}

fn whole(number: f64) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&number)).then_some(number as i64)
}

/// A cost in USD: a number, or a JSON object with a total, else with parts to add.
fn cost(value: &Value<'_>) -> Option<f64> {
    let number = match value {
        Value::Int(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        Value::String(text) => unquoted(text.trim()).trim().parse().ok(),
        _ => None,
    };
    number.or_else(|| json_cost(&json(value)?)).filter(|cost| cost.is_finite())
}

fn json_cost(details: &Json) -> Option<f64> {
    let number = |member: &str| details.get(member).and_then(Json::as_f64);
    if let Some(total) = number("total_cost").or_else(|| number("total")) {
        return Some(total);
    }
    let input = number("input_cost").or_else(|| number("input"));
    let output = number("output_cost").or_else(|| number("output"));
    (input.is_some() || output.is_some()).then(|| input.unwrap_or(0.0) + output.unwrap_or(0.0))
}

/// The JSON object of a value: one sent as text (perhaps quoted once more), or sent as structure.
fn json(value: &Value<'_>) -> Option<Json> {
    let text = value.to_text()?;
    serde_json::from_str(&unquoted(text.trim())).ok().filter(Json::is_object)
}
