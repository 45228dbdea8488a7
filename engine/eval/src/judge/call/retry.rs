//! Pauses between retries.
//!
//! Invariants:
//! 1. A pause depends on the seed, the question and the attempt alone, not on threads or clocks.
//! 2. It is never shorter than what the server asked for.

use std::time::Duration;

/// Exponential backoff with full jitter: any time from zero to `base * 2^attempt`, at most `max`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub base_ms: u64,
    pub max_ms: u64,
    pub seed: u64,
}

impl Backoff {
    /// The pause after attempt number `attempt` (from 0) at `question`. When the server said how long to
    /// wait, that time and a jitter of at most the base, so that not all come back at once.
    pub fn pause(&self, question: u64, attempt: u32, asked: Option<Duration>) -> Duration {
        let doubled = 1_u64.checked_shl(attempt).unwrap_or(u64::MAX);
        let most = match asked {
            Some(_) => self.base_ms,
            None => self.base_ms.saturating_mul(doubled).min(self.max_ms),
        };
        let random = mixed(mixed(self.seed ^ question) ^ u64::from(attempt));
        let jitter_ms = random.checked_rem(most.saturating_add(1)).unwrap_or(random);
        let asked = asked.unwrap_or(Duration::ZERO);
        asked.saturating_add(Duration::from_millis(jitter_ms))
    }
}

/// SplitMix64's step: a number that looks random for every number.
pub(crate) fn mixed(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// What the server asked for in its headers.
#[derive(Debug, Clone, Default)]
pub(crate) struct RetryHeaders {
    pub retry_after: Option<String>,
    pub retry_after_ms: Option<String>,
    pub date: Option<String>,
}

impl RetryHeaders {
    /// The time to wait. A date is measured from the server's own `Date`, so its clock need not be
    /// right; a date without one, and what cannot be read, are no wish.
    pub fn wish(&self) -> Option<Duration> {
        if let Some(ms) = self.retry_after_ms.as_deref().and_then(seconds) {
            return Some(ms / 1000);
        }
        let after = self.retry_after.as_deref()?.trim();
        if let Some(wait) = seconds(after) {
            return Some(wait);
        }
        let (then, now) = (http_date_s(after)?, http_date_s(self.date.as_deref()?)?);
        Some(Duration::from_secs(u64::try_from(then - now).unwrap_or(0)))
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, the form that servers write.
pub(crate) fn http_date_s(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, date) = text.trim().split_once(", ")?;
    let words: Vec<&str> = date.split(' ').collect();
    let [day, month, year, time, "GMT"] = words.as_slice() else {
        return None;
    };
    let month = MONTHS.iter().position(|name| name == month)? as i64;
    let (day, year): (i64, i64) = (day.parse().ok()?, year.parse().ok()?);
    let clock: Option<Vec<i64>> = time.split(':').map(|part| part.parse().ok()).collect();
    let [hour, minute, second] = clock?[..] else {
        return None;
    };
    let in_range = (1..=31).contains(&day)
        && (1970..=9999).contains(&year)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    in_range.then(|| days(year, month + 1, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days since 1970-01-01; the year is taken to begin in March, so that the leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}
