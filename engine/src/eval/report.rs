//! What a run says: its scores summed up by scorer.

use serde::{Deserialize, Serialize};
use tracehouse_eval::statistics::{StatisticsSettings, Summary, summarize};
use tracehouse_eval::{Score, ScoreError, ScoreErrorKind};

use super::info::EvalRun;
use super::part::ScoreRow;
use crate::database::Database;
use crate::error::{Error, Result};

/// A run, and what each of its scorers says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvalReport {
    /// The run.
    pub run: EvalRun,
    /// In the order of its scorers: counts, rates and means with their 95 % intervals.
    pub summaries: Vec<Summary>,
}

impl Database {
    /// What the scorers of a run say, with intervals. The same scores always give the same intervals.
    ///
    /// # Errors
    /// As [`eval_scores`](Self::eval_scores).
    pub fn eval_report(&self, run_id: &str) -> Result<EvalReport> {
        let (run, _) = self.find_run(run_id)?;
        let rows = self.eval_scores(run_id)?;
        let mut summaries = Vec::with_capacity(run.scorers.len());
        for scorer in &run.scorers {
            let own = rows.iter().filter(|row| row.scorer == scorer.name);
            let outcomes: Vec<Outcome> = own.map(ScoreRow::outcome).collect::<Result<_>>()?;
            let outcomes = outcomes.iter().map(|outcome| outcome.as_ref());
            summaries.push(
                summarize(&scorer.name, outcomes, &StatisticsSettings::default())
                    .map_err(statistics)?,
            );
        }
        Ok(EvalReport { run, summaries })
    }
}

/// What a scorer said of an item.
pub(super) type Outcome = std::result::Result<Score, ScoreError>;

impl ScoreRow {
    /// What the scorer said, as it said it.
    pub(super) fn outcome(&self) -> Result<Outcome> {
        if let Some(error) = &self.error {
            let (word, message) = error.split_once(": ").unwrap_or(("", error));
            let kind = ScoreErrorKind::of_word(word).unwrap_or(ScoreErrorKind::Scorer);
            return Ok(Err(ScoreError::new(kind, message)));
        }
        let json = self.value.as_deref().unwrap_or("null");
        let value = serde_json::from_str(json)
            .map_err(|error| Error::internal(format!("the value of a score: {error}")))?;
        Ok(Ok(Score {
            value,
            passed: self.passed,
            cost_usd: self.cost_usd,
            ..Score::default()
        }))
    }
}

/// Values that were checked when they were stored cannot be wrong.
pub(super) fn statistics(error: tracehouse_eval::statistics::StatisticsError) -> Error {
    Error::internal(format!("statistics of scores: {error}"))
}
