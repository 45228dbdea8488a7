//! How long to wait before the same is sent again: longer each time, and not at the same moment as others.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A target that asks for more than this is asked again earlier.
const ASKED_MAX: Duration = Duration::from_secs(600);

/// The pauses of one failure.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    tries: u32,
}

impl Pauses {
    /// How often was tried.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// The next pause; at least what the target asks for.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.tries.min(10));
        self.tries = self.tries.saturating_add(1);
        // From half of it on: who were cut off together come back one by one.
        let part = 0.5 + 0.5 * random();
        let pause = doubled.min(LONGEST).mul_f64(part);
        pause.max(asked.unwrap_or_default().min(ASKED_MAX))
    }
}

/// From 0 to below 1. Hashers of the standard library begin with random keys.
fn random() -> f64 {
    let hash = RandomState::new().hash_one(0u8);
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_at_half_a_minute() {
        let mut pauses = Pauses::default();
        for number in 0..40 {
            let longest = FIRST.saturating_mul(1 << number.min(10)).min(LONGEST);
            let pause = pauses.next(None);
            assert!(
                pause >= longest / 2 && pause <= longest,
                "{number} {pause:?}"
            );
        }
        assert_eq!(pauses.tries(), 40);
        let asked = |seconds| Pauses::default().next(Some(Duration::from_secs(seconds)));
        assert_eq!(asked(7), Duration::from_secs(7));
        assert_eq!(asked(86_400), ASKED_MAX);
    }
}
