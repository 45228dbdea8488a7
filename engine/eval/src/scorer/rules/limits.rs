//! Limits on what a trace took: time, tokens, cost.
//!
//! Invariant: the value is the measure itself, in the unit of the name; it passes when it is not over the limit.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::answer::missing;
use super::super::error::SpecError;
use super::super::named::Check;
use crate::{Item, Needs, Score, ScoreError};

/// Nanoseconds in a millisecond.
const NS_PER_MS: f64 = 1e6;

/// The time from start to end. Value: milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyMs {
    /// The most that passes, in milliseconds.
    pub max: f64,
}

/// The tokens of the whole trace. Value: their count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokensMax {
    /// The most that passes.
    pub max: u64,
}

/// The cost of the whole trace. Value: US dollars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostUsd {
    /// The most that passes, in US dollars.
    pub max: f64,
}

impl LatencyMs {
    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        check_max(self.max)?;
        Ok(Box::new(self.clone()))
    }
}

impl TokensMax {
    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        Ok(Box::new(self.clone()))
    }
}

impl CostUsd {
    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        check_max(self.max)?;
        Ok(Box::new(self.clone()))
    }
}

fn check_max(max: f64) -> Result<(), SpecError> {
    match max.is_finite() && max >= 0.0 {
        true => Ok(()),
        false => Err(SpecError::new(format!("max {max} is not 0 or more"))),
    }
}

fn within(measure: f64, max: f64, unit: &str) -> Score {
    let passed = measure <= max;
    Score {
        passed: Some(passed),
        rationale: (!passed).then(|| format!("{measure} {unit} is over the limit, {max}")),
        ..Score::measure(measure)
    }
}

impl Check for LatencyMs {
    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let duration_ns = item
            .duration_ns
            .ok_or_else(|| missing("a duration: the item has not ended, or is no trace"))?;
        Ok(within(duration_ns as f64 / NS_PER_MS, self.max, "ms"))
    }
}

impl Check for TokensMax {
    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let tokens = item
            .total_tokens
            .ok_or_else(|| missing("a count of tokens: the item has none"))?;
        let passed = tokens <= self.max;
        let over = || format!("{tokens} tokens is over the limit, {}", self.max);
        Ok(Score {
            value: json!(tokens),
            ..Score::verdict(passed, over)
        })
    }
}

impl Check for CostUsd {
    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let cost_usd = item
            .cost_usd
            .ok_or_else(|| missing("a cost: the item has none"))?;
        Ok(within(cost_usd, self.max, "US dollars"))
    }
}
