//! Token counts and cost.
//!
//! Counts are whole and not negative; integers, whole doubles and numeric texts are read. A count may
//! be a member of a JSON object; the producers' tables say which.

use serde_json::{Map, Value as Json};
use tracehouse_storage::model::Span;

use crate::otlp::value::Value;

use super::keys::{Found, member, object, unquoted, whole};
use super::producers::{Concern, claude_code, genkit, langfuse, mlflow, vercel_ai};

/// Fills the token columns and the cost.
pub(super) fn fill(span: &mut Span, found: &Found<'_>) {
    span.cost_usd = found
        .candidates(Concern::Cost)
        .find_map(|(_, value)| cost(value))
        .or_else(|| parts(found));
    if counts_last_step(span, found) {
        return;
    }
    span.input_tokens = tokens(found, Concern::InputTokens);
    span.output_tokens = tokens(found, Concern::OutputTokens);
    span.total_tokens = tokens(found, Concern::TotalTokens).or_else(|| sum_of_parts(found));
    span.cache_read_input_tokens = tokens(found, Concern::CacheReadTokens);
    span.cache_creation_input_tokens = tokens(found, Concern::CacheCreationTokens);
    add_cached(span, found);
    add_total(span);
}

/// Types of spans whose outputs may be a model's answer.
const ANSWER_TYPES: &[&str] = &["LLM", "CHAT_MODEL", "EMBEDDING"];

/// Where a model's answer has its counts: OpenAI's, Anthropic's and Bedrock's; Gemini's; LangChain's.
const USAGE_PATHS: &[&str] = &[
    "usage",
    "usage_metadata",
    "usageMetadata",
    "generations.0.0.message.usage_metadata",
    "generations.0.0.message.kwargs.usage_metadata",
    "llm_output.token_usage",
];
/// How the last keys of these paths end: a text without any of them, such as one that speaks of usage, is not parsed.
const USAGE_ENDS: &[&str] = &["usage\"", "usage_metadata\"", "usageMetadata\""];

/// Counts of input that the cache gave or took, of vendors that count it apart from the other input.
const CACHE_READ_APART: &[&str] = &["cache_read_input_tokens", "cacheReadInputTokens"];
const CACHE_WRITE_APART: &[&str] = &["cache_creation_input_tokens", "cacheWriteInputTokens"];

/// The counts in the body of a model's answer as MLflow sends it, where no attribute has any.
pub(super) fn fill_of_body(span: &mut Span, found: &Found<'_>) {
    let has_counts = [span.input_tokens, span.output_tokens, span.total_tokens]
        .iter()
        .any(Option::is_some);
    let is_answer = found
        .candidates(Concern::Outputs)
        .any(|(key, _)| key.name == mlflow::OUTPUTS);
    if has_counts || !is_answer || !ANSWER_TYPES.contains(&span.span_type.as_str()) {
        return;
    }
    let has_counts = |text: &str| USAGE_ENDS.iter().any(|end| text.contains(end));
    let is_body = |text: &&str| text.trim_start().starts_with('{') && has_counts(text);
    let body = span.outputs.as_deref().filter(is_body);
    let Some(body) = body.and_then(|text| serde_json::from_str::<Json>(text).ok()) else {
        return;
    };
    let usage = USAGE_PATHS
        .iter()
        .find_map(|path| member(&body, path).filter(|usage| usage.is_object()));
    if let Some(usage) = usage {
        fill_of_usage(span, usage);
        add_total(span);
    }
}

fn fill_of_usage(span: &mut Span, usage: &Json) {
    let first = |paths: &[&str]| {
        paths
            .iter()
            .find_map(|path| json_count(member(usage, path)?))
    };
    span.input_tokens = first(&[
        "prompt_tokens",
        "input_tokens",
        "inputTokens",
        "prompt_token_count",
        "promptTokenCount",
    ]);
    span.output_tokens = first(&[
        "completion_tokens",
        "output_tokens",
        "outputTokens",
        "candidates_token_count",
        "candidatesTokenCount",
    ]);
    span.total_tokens = first(&[
        "total_tokens",
        "totalTokens",
        "total_token_count",
        "totalTokenCount",
    ]);
    span.cache_read_input_tokens = first(&[
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "input_token_details.cache_read",
        "cached_content_token_count",
        "cachedContentTokenCount",
    ]);
    span.cache_creation_input_tokens = first(&["input_token_details.cache_creation"]);
    let (read, written) = (first(CACHE_READ_APART), first(CACHE_WRITE_APART));
    span.cache_read_input_tokens = span.cache_read_input_tokens.or(read);
    span.cache_creation_input_tokens = span.cache_creation_input_tokens.or(written);
    // A total that is no more than input and output says that the cache is part of the input.
    let both = [span.input_tokens, span.output_tokens];
    let both = both.into_iter().flatten().fold(0, i64::saturating_add);
    if span.total_tokens.is_none_or(|total| total > both) && usage.get("prompt_tokens").is_none() {
        let apart = [read, written]
            .into_iter()
            .flatten()
            .fold(0, i64::saturating_add);
        span.input_tokens = span.input_tokens.map(|input| input.saturating_add(apart));
    }
}

/// The total is the sum when the producer gives none, or one that it did not count.
pub(super) fn add_total(span: &mut Span) {
    let has_part = span.input_tokens.is_some() || span.output_tokens.is_some();
    if span.total_tokens.unwrap_or_default() == 0 && has_part {
        let (input, output) = (
            span.input_tokens.unwrap_or(0),
            span.output_tokens.unwrap_or(0),
        );
        span.total_tokens = Some(input.saturating_add(output));
    }
}

/// Whether the counts are of the last step of several: those of Vercel's outer span and of Genkit's spans around a
/// model's, whose children have the counts of all steps.
pub(super) fn counts_last_step(span: &Span, found: &Found<'_>) -> bool {
    let operation = found.first_word(Concern::Operation);
    let key = found
        .candidates(Concern::InputTokens)
        .next()
        .map(|(key, _)| key.name);
    match key {
        Some(genkit::OUTPUT) => !matches!(span.span_type.as_str(), "LLM" | "EMBEDDING"),
        Some(vercel_ai::LAST_STEP_TOKENS) => operation.as_deref() == Some("ai.generateText"),
        _ => false,
    }
}

fn tokens(found: &Found<'_>, concern: Concern) -> Option<i64> {
    found.candidates(concern).find_map(|(key, value)| {
        if key.members.is_empty() {
            return count(value);
        }
        let usage = object(value)?;
        key.members
            .iter()
            .find_map(|path| json_count(member(&usage, path)?))
    })
}

/// The counts of input of Claude Code leave out what came from the cache or went into it; Langfuse's own words have
/// all kinds apart.
fn add_cached(span: &mut Span, found: &Found<'_>) {
    let of = |concern| found.candidates(concern).next();
    match of(Concern::InputTokens).or_else(|| of(Concern::OutputTokens)) {
        Some((key, value)) if key.name == langfuse::USAGE => {
            if let Some(parts) = object(value).as_ref().and_then(disjoint_parts) {
                span.input_tokens = sum_of_side(parts, "input");
                span.output_tokens = sum_of_side(parts, "output");
            }
        }
        Some((key, _)) if key.name == claude_code::INPUT_TOKENS => {
            for cached in [
                span.cache_read_input_tokens,
                span.cache_creation_input_tokens,
            ]
            .into_iter()
            .flatten()
            {
                span.input_tokens = span.input_tokens.map(|input| input.saturating_add(cached));
            }
        }
        _ => {}
    }
}

/// The parts of usage in Langfuse's own words (`input`, `input_cached_tokens`, `output_reasoning_tokens`, ...), which
/// are disjoint: their sum is the total. With the words of a model's answer (`prompt_tokens`), and where the total is
/// no more than input and output, the parts overlap.
fn disjoint_parts(usage: &Json) -> Option<&Map<String, Json>> {
    let parts = usage
        .as_object()
        .filter(|parts| parts.contains_key("input") || parts.contains_key("output"))?;
    let count = |name: &str| parts.get(name).and_then(json_count);
    let both = [count("input"), count("output")]
        .into_iter()
        .flatten()
        .fold(0, i64::saturating_add);
    let overlap = count("total").is_some_and(|total| total > 0 && total <= both);
    (!overlap).then_some(parts)
}

/// The sum of the parts whose name says that they are input, or output.
fn sum_of_side(parts: &Map<String, Json>, side: &str) -> Option<i64> {
    let of_side = parts.iter().filter(|(name, _)| name.contains(side));
    of_side
        .filter_map(|(_, count)| json_count(count))
        .reduce(i64::saturating_add)
}

/// The sum of all parts, of Langfuse's own words.
fn sum_of_parts(found: &Found<'_>) -> Option<i64> {
    let (_, value) = found
        .candidates(Concern::TotalTokens)
        .find(|(key, _)| key.name == langfuse::USAGE)?;
    let usage = object(value)?;
    let parts = disjoint_parts(&usage)?;
    Some(
        parts
            .values()
            .filter_map(json_count)
            .fold(0, i64::saturating_add),
    )
}

/// A count: whole and not negative.
pub(super) fn count(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number).filter(|number| *number >= 0),
        Value::Double(number) => whole(*number),
        Value::String(text) => text_count(unquoted(text.trim()).trim()),
        _ => None,
    }
}

fn text_count(text: &str) -> Option<i64> {
    text.parse::<i64>()
        .ok()
        .filter(|number| *number >= 0)
        .or_else(|| text.parse().ok().and_then(whole))
}

fn json_count(value: &Json) -> Option<i64> {
    match value {
        Json::Number(number) => number
            .as_i64()
            .filter(|n| *n >= 0)
            .or_else(|| number.as_f64().and_then(whole)),
        Json::String(text) => text_count(text),
        _ => None,
    }
}

/// A cost in USD: a number, or a JSON object with a total, else with parts to add.
fn cost(value: &Value<'_>) -> Option<f64> {
    number(value)
        .or_else(|| json_cost(&object(value)?))
        .filter(is_cost)
}

/// Whether a number may be a cost: some send -1 for one that they do not know.
pub(super) fn is_cost(number: &f64) -> bool {
    number.is_finite() && *number >= 0.0
}

pub(super) fn number(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        Value::String(text) => unquoted(text.trim()).trim().parse().ok(),
        _ => None,
    }
}

/// The sum of the parts that are sent, when no whole is.
fn parts(found: &Found<'_>) -> Option<f64> {
    let parts: Vec<f64> = found
        .candidates(Concern::CostPart)
        .filter_map(|(_, value)| number(value))
        .collect();
    (!parts.is_empty() && parts.iter().all(is_cost))
        .then(|| parts.iter().sum())
        .filter(is_cost)
}

/// A number, or a text that is one, as databases write decimals.
fn json_number(value: &Json) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

/// The cost in an object; one of zeros alone is what a client sends that does not know the prices.
fn json_cost(details: &Json) -> Option<f64> {
    let number = |name: &str| details.get(name).and_then(json_number);
    if details
        .as_object()?
        .values()
        .all(|cost| json_number(cost) == Some(0.0))
    {
        return None;
    }
    if let Some(total) = number("total_cost").or_else(|| number("total")) {
        return Some(total);
    }
    if let (None, None) = (number("input_cost"), number("output_cost")) {
        let parts: Vec<f64> = details
            .as_object()?
            .values()
            .filter_map(json_number)
            .collect();
        return (!parts.is_empty()).then(|| parts.iter().sum());
    }
    Some(number("input_cost").unwrap_or(0.0) + number("output_cost").unwrap_or(0.0))
}
