//! What traces say of the versions of a prompt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracehouse_eval::statistics::{StatisticsSettings, mean, quantile, summarize_verdicts};

use super::links::links;
use crate::database::Database;
use crate::error::{Error, Result};
use crate::eval::Group;

/// The traces of one version of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PromptStats {
    /// The version.
    pub version: String,
    /// Traces linked to it.
    pub trace_count: u64,
    /// Of these, with the state `ERROR`.
    pub error_count: u64,
    /// What they cost together, in US dollars; `None` when none says.
    pub cost_usd: Option<f64>,
    /// Tokens a trace, on average.
    pub tokens_mean: Option<f64>,
    /// Median of the time from start to end, in nanoseconds.
    pub duration_p50_ns: Option<f64>,
    /// Its 95th percentile.
    pub duration_p95_ns: Option<f64>,
    /// Means of feedback with numbers, and shares of feedback that is true, by name.
    pub feedback: BTreeMap<String, f64>,
}

impl Database {
    /// Figures of the traces of each version of a prompt that has any, by links and by the tag `mlflow.linkedPrompts`.
    /// The prompt need not be registered here.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub fn prompt_stats(&self, name: &str) -> Result<Vec<PromptStats>> {
        let snapshot = self.reading()?;
        let mut by_version: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for link in links(&snapshot)?
            .into_iter()
            .filter(|link| link.name == name)
        {
            by_version
                .entry(link.version)
                .or_default()
                .push(link.trace_id);
        }
        let mut stats = Vec::with_capacity(by_version.len());
        for (version, ids) in by_version {
            let group = Group::of(&snapshot, ids)?;
            stats.push(figures(version, &group)?);
        }
        // Numbers in their order, other words after them.
        stats.sort_by_key(|one| (one.version.parse().unwrap_or(u64::MAX), one.version.clone()));
        Ok(stats)
    }
}

fn figures(version: String, group: &Group) -> Result<PromptStats> {
    let wrong = |error| Error::internal(format!("statistics of a prompt: {error}"));
    let share = |values: &[f64], share| quantile(values, share).map_err(wrong);
    let mut feedback = BTreeMap::new();
    for (name, values) in &group.numbers {
        feedback.extend(
            mean(values)
                .map_err(wrong)?
                .map(|mean| (name.clone(), mean)),
        );
    }
    for (name, (passed, count)) in &group.verdicts {
        let rate =
            summarize_verdicts(*passed, *count, &StatisticsSettings::default()).map_err(wrong)?;
        feedback.extend(rate.rate.map(|rate| (name.clone(), rate)));
    }
    Ok(PromptStats {
        version,
        trace_count: group.count,
        error_count: group.errors,
        cost_usd: (!group.costs_usd.is_empty()).then(|| group.costs_usd.iter().sum()),
        tokens_mean: mean(&group.tokens).map_err(wrong)?,
        duration_p50_ns: share(&group.durations_ns, 0.5)?,
        duration_p95_ns: share(&group.durations_ns, 0.95)?,
        feedback,
    })
}
