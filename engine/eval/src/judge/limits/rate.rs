//! Calls and tokens a minute: two token buckets.
//!
//! A bucket fills at the allowed rate and holds one second's worth, so that any minute sees at most the limit and
//! one second more. A call passes while the level is above zero and may draw it below: one that is larger than
//! the bucket passes too, and the next ones wait until it is paid for.
//!
//! Invariant: over any time `t`, what passed is at most `rate * t` + one second's worth + one call.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::patience::{Patience, Stop, locked};

/// A bucket that knows no clock: times are given as durations since its start.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    per_second: f64,
    holds: f64,
    level: f64,
    filled_at: Duration,
}

impl Bucket {
    pub fn new(per_minute: u32) -> Self {
        let per_second = f64::from(per_minute) / 60.0;
        let holds = per_second.max(1.0);
        Self {
            per_second,
            holds,
            level: holds,
            filled_at: Duration::ZERO,
        }
    }

    /// Time until something may pass; zero when it may now.
    pub fn wait(&mut self, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.filled_at);
        self.level = (self.level + passed.as_secs_f64() * self.per_second).min(self.holds);
        self.filled_at = self.filled_at.max(now);
        // What rounding leaves away is not worth a wait.
        if self.level >= 1.0 - 1e-9 {
            return Duration::ZERO;
        }
        let wait_s = (1.0 - self.level) / self.per_second;
        Duration::try_from_secs_f64(wait_s).unwrap_or(Duration::MAX)
    }

    /// Draws; a negative amount gives back.
    pub fn draw(&mut self, amount: f64) {
        self.level = (self.level - amount).min(self.holds);
    }
}

#[derive(Debug, Default)]
struct Buckets {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

/// Both limits of a client.
#[derive(Debug)]
pub(crate) struct Rates {
    start: Instant,
    buckets: Mutex<Buckets>,
}

impl Rates {
    pub fn new(requests_per_minute: Option<u32>, tokens_per_minute: Option<u32>) -> Self {
        Self {
            start: Instant::now(),
            buckets: Mutex::new(Buckets {
                requests: requests_per_minute.map(Bucket::new),
                tokens: tokens_per_minute.map(Bucket::new),
            }),
        }
    }

    /// Waits until a call of about so many tokens may be made.
    pub fn take(&self, tokens: u64, patience: &Patience<'_>) -> Result<(), Stop> {
        loop {
            patience.check()?;
            let wait = self.try_take(tokens);
            if wait.is_zero() {
                return Ok(());
            }
            if wait > patience.left() {
                // The deadline comes first: no use to wait for it in the way of others.
                return Err(Stop::Deadline);
            }
            patience.sleep(wait)?;
        }
    }

    /// The call had so many tokens, not as many as were taken for it.
    pub fn correct(&self, taken: u64, tokens: u64) {
        if let Some(bucket) = &mut locked(&self.buckets).tokens {
            bucket.draw(tokens as f64 - taken as f64);
        }
    }

    fn try_take(&self, tokens: u64) -> Duration {
        let now = self.start.elapsed();
        let mut buckets = locked(&self.buckets);
        let Buckets {
            requests,
            tokens: token,
        } = &mut *buckets;
        let wait_of = |bucket: &mut Option<Bucket>| {
            bucket
                .as_mut()
                .map_or(Duration::ZERO, |bucket| bucket.wait(now))
        };
        let wait = wait_of(requests).max(wait_of(token));
        if wait.is_zero() {
            if let Some(bucket) = requests {
                bucket.draw(1.0);
            }
            if let Some(bucket) = token {
                bucket.draw(tokens as f64);
            }
        }
        wait
    }
}
