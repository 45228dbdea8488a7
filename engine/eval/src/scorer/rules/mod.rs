//! The rules, one file each or by family; what they share is in `words.rs` and `longest_common.rs`.
//!
//! A rule is its settings (serde) and `build`, which finds what is wrong with them and makes what judges. Numbers named
//! `threshold` are the least value that passes; without one a measure only measures.
//!
//! Invariant: `Rule::KINDS` has the word of each rule, and serde's `kind` is that word (a test holds them together).

mod citation;
mod contains;
mod exact_match;
mod forbidden;
mod json;
mod limits;
mod longest_common;
mod max_words;
mod numeric;
mod regex;
mod rouge_l;
mod token_f1;
mod tool_calls;
mod words;

use serde::{Deserialize, Serialize};

use super::error::SpecError;
use super::named::Check;
use crate::{Needs, Score};

pub use citation::Citation;
pub use contains::Contains;
pub use exact_match::ExactMatch;
pub use forbidden::Forbidden;
pub use json::{JsonSchema, JsonValid};
pub use limits::{CostUsd, LatencyMs, TokensMax};
pub use max_words::{MaxWords, word_count};
pub use numeric::{Numeric, last_number};
pub use regex::Regex;
pub use rouge_l::{RougeL, rouge_l};
pub use token_f1::{TokenF1, token_f1};
pub use tool_calls::ToolCalls;

/// A rule's settings; in JSON with its word as `kind`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs)] // Each is its settings, which say what it is.
pub enum Rule {
    ExactMatch(ExactMatch),
    Contains(Contains),
    Regex(Regex),
    JsonValid(JsonValid),
    JsonSchema(JsonSchema),
    MaxWords(MaxWords),
    Numeric(Numeric),
    TokenF1(TokenF1),
    RougeL(RougeL),
    ToolCalls(ToolCalls),
    LatencyMs(LatencyMs),
    Tokens(TokensMax),
    CostUsd(CostUsd),
    Citation(Citation),
    Forbidden(Forbidden),
}

impl Rule {
    /// The words of all rules.
    pub const KINDS: [&'static str; 15] = [
        "exact_match",
        "contains",
        "regex",
        "json_valid",
        "json_schema",
        "max_words",
        "numeric",
        "token_f1",
        "rouge_l",
        "tool_calls",
        "latency_ms",
        "tokens",
        "cost_usd",
        "citation",
        "forbidden",
    ];

    /// The word of this one, and the default name of its scores.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ExactMatch(_) => "exact_match",
            Self::Contains(_) => "contains",
            Self::Regex(_) => "regex",
            Self::JsonValid(_) => "json_valid",
            Self::JsonSchema(_) => "json_schema",
            Self::MaxWords(_) => "max_words",
            Self::Numeric(_) => "numeric",
            Self::TokenF1(_) => "token_f1",
            Self::RougeL(_) => "rouge_l",
            Self::ToolCalls(_) => "tool_calls",
            Self::LatencyMs(_) => "latency_ms",
            Self::Tokens(_) => "tokens",
            Self::CostUsd(_) => "cost_usd",
            Self::Citation(_) => "citation",
            Self::Forbidden(_) => "forbidden",
        }
    }

    /// What judges by these settings.
    pub(super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        match self {
            Self::ExactMatch(rule) => rule.build(),
            Self::Contains(rule) => rule.build(),
            Self::Regex(rule) => rule.build(),
            Self::JsonValid(rule) => rule.build(),
            Self::JsonSchema(rule) => rule.build(),
            Self::MaxWords(rule) => rule.build(),
            Self::Numeric(rule) => rule.build(),
            Self::TokenF1(rule) => rule.build(),
            Self::RougeL(rule) => rule.build(),
            Self::ToolCalls(rule) => rule.build(),
            Self::LatencyMs(rule) => rule.build(),
            Self::Tokens(rule) => rule.build(),
            Self::CostUsd(rule) => rule.build(),
            Self::Citation(rule) => rule.build(),
            Self::Forbidden(rule) => rule.build(),
        }
    }
}

/// What rules of texts look at.
const TEXTS: Needs = Needs {
    texts: true,
    spans: false,
    messages: false,
};

/// A measure from 0 to 1 that passes from a threshold on, when there is one.
fn graded(value: f64, threshold: Option<f64>) -> Score {
    let passed = threshold.map(|threshold| value >= threshold);
    let under = threshold.filter(|_| passed == Some(false));
    Score {
        passed,
        rationale: under.map(|threshold| format!("{value} is under the threshold, {threshold}")),
        ..Score::measure(value)
    }
}

/// That a threshold is one.
fn check_threshold(threshold: Option<f64>) -> Result<(), SpecError> {
    match threshold {
        Some(threshold) if !(0.0..=1.0).contains(&threshold) => Err(SpecError::new(format!(
            "threshold {threshold} is not from 0 to 1"
        ))),
        _ => Ok(()),
    }
}

/// The start of a text, for a rationale: the whole of a short one.
fn short(text: &str) -> String {
    /// Enough to know the text again; a rationale is read in a line.
    const SHOWN_CHARS: usize = 120;
    match text.char_indices().nth(SHOWN_CHARS) {
        None => format!("`{text}`"),
        Some((end, _)) => format!("`{}...`", text.get(..end).unwrap_or(text)),
    }
}
