//! The settings that intervals and p-values share.

use serde::{Deserialize, Serialize};

use super::error::StatisticsError;

/// Fewest resamples allowed: with fewer a 95 % interval rests on two or three of them.
const RESAMPLES_MIN: u32 = 100;

/// Most resamples allowed: beyond it the interval does not change, only the time.
const RESAMPLES_MAX: u32 = 1_000_000;

/// How intervals and p-values are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatisticsSettings {
    /// Share of intervals that hold the true value, between 0 and 1: 0.95.
    pub confidence: f64,
    /// Resamples of a bootstrap, 100 to 1,000,000: 2,000.
    pub resamples: u32,
    /// Seed of the resampling: the same seed gives the same result.
    pub seed: u64,
    /// Up to this many values the mean is bootstrapped; for more, Student's t is used, which then differs by less than
    /// the bootstrap's own noise and costs nothing: 10,000.
    pub bootstrap_count_max: usize,
}

impl Default for StatisticsSettings {
    fn default() -> Self {
        Self {
            confidence: 0.95,
            resamples: 2_000,
            seed: 0,
            bootstrap_count_max: 10_000,
        }
    }
}

impl StatisticsSettings {
    /// Refuses settings out of range.
    pub(super) fn check(&self) -> Result<(), StatisticsError> {
        check_share("confidence", self.confidence)?;
        if !(RESAMPLES_MIN..=RESAMPLES_MAX).contains(&self.resamples) {
            return Err(StatisticsError::Setting {
                name: "resamples",
                given: f64::from(self.resamples),
                expected: "100 to 1,000,000",
            });
        }
        Ok(())
    }
}

/// Refuses what does not lie between 0 and 1, both excluded.
pub(super) fn check_share(name: &'static str, share: f64) -> Result<(), StatisticsError> {
    if share > 0.0 && share < 1.0 {
        return Ok(());
    }
    Err(StatisticsError::Setting {
        name,
        given: share,
        expected: "between 0 and 1, both excluded",
    })
}
