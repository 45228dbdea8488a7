//! Counters of a client, for all judges that share it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// What the judges of a client have used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgeUsage {
    /// Calls that were sent, retries and all others counted.
    pub calls: u64,
    /// Of them, those made again after a failure.
    pub retries: u64,
    /// Of them, those that asked again for an answer that could not be read.
    pub repairs: u64,
    /// Of them, those made again in another form, after the server refused a parameter.
    pub fallbacks: u64,
    /// Items answered from the cache.
    pub cache_hits: u64,
    /// Tokens of questions, by the server's word.
    pub input_tokens: u64,
    /// Tokens of answers, by the server's word.
    pub output_tokens: u64,
    /// What calls cost by the tokens or costs that the server told, in US dollars.
    pub spent_usd: f64,
    /// What calls may have cost at most about which the server told nothing (no answer in time, a broken
    /// answer, an error that may have come after the work), in US dollars. It counts against the budget.
    pub unsure_usd: f64,
}

/// What is counted as it happens; money is counted by the budget.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub calls: Counter,
    pub retries: Counter,
    pub repairs: Counter,
    pub fallbacks: Counter,
    pub cache_hits: Counter,
    pub input_tokens: Counter,
    pub output_tokens: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, amount: u64) {
        // Tokens are a server's word, so the sum may be any; it stays at the greatest.
        let add = |sum: u64| Some(sum.saturating_add(amount));
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
