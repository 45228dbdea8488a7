//! Limits of rates: requests of a token, and failed authentications of an address.
//!
//! A bucket holds what may be done at once and fills again as time goes. Addresses that fail are few as a rule; of many,
//! those are forgotten that have filled again, and then the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failed authentications that an address has at once, and that it gets back each second.
const FAILURES_AT_ONCE: f64 = 20.0;
const FAILURES_PER_SECOND: f64 = 1.0;
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Level {
    left: f64,
    at: Instant,
}

impl Level {
    fn full(size: f64, now: Instant) -> Self {
        Self {
            left: size,
            at: now,
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// After which time there is one again.
    fn take(&mut self, size: f64, per_second: f64, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * per_second).min(size);
        self.at = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.left) / per_second))
    }
}

/// The requests that a token may make.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    level: Mutex<Level>,
}

impl Rate {
    /// So many a second, and as many at once.
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self {
            per_second,
            level: Mutex::new(Level::full(per_second, Instant::now())),
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// After which time there is one again.
    pub(super) fn take(&self, now: Instant) -> Result<(), Duration> {
        lock(&self.level).take(self.per_second, self.per_second, now)
    }
}

/// Failed authentications, by address.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<IpAddr, Level>>);

impl Failures {
    /// Counts a failure of `address`.
    ///
    /// # Errors
    /// When it has had too many: after which time it may have another.
    pub(crate) fn count(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut levels = lock(&self.0);
        if levels.len() >= ADDRESSES_MAX {
            let forgotten = Duration::from_secs_f64(FAILURES_AT_ONCE / FAILURES_PER_SECOND);
            levels.retain(|_, level| now.saturating_duration_since(level.at) < forgotten);
            if levels.len() >= ADDRESSES_MAX {
                levels.clear();
            }
        }
        levels
            .entry(of_one_sender(address))
            .or_insert_with(|| Level::full(FAILURES_AT_ONCE, now))
            .take(FAILURES_AT_ONCE, FAILURES_PER_SECOND, now)
    }
}

/// Whoever has an IPv6 address has the 64 bits behind it, too.
fn of_one_sender(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(network.into())
        }
        address => address,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_used_up_and_fills_again() {
        let (rate, now) = (Rate::new(2), Instant::now());
        assert!(rate.take(now).is_ok() && rate.take(now).is_ok());
        assert_eq!(rate.take(now), Err(Duration::from_millis(500)));
        assert!(rate.take(now + Duration::from_millis(500)).is_ok());
        let later = now + Duration::from_secs(3600);
        let taken = (0..5).filter(|_| rate.take(later).is_ok()).count();
        assert_eq!(taken, 2, "what was not used is not saved");
    }

    #[test]
    fn failures_are_counted_by_address_and_so_are_networks() {
        let (failures, now) = (Failures::default(), Instant::now());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for _ in 0..20 {
            failures.count(address("10.0.0.1"), now).unwrap();
            failures.count(address("2001:db8::1"), now).unwrap();
        }
        assert!(failures.count(address("10.0.0.1"), now).is_err());
        assert!(failures.count(address("::ffff:10.0.0.1"), now).is_err());
        assert!(failures.count(address("2001:db8::2"), now).is_err());
        assert!(failures.count(address("10.0.0.2"), now).is_ok());
        let later = now + Duration::from_secs(1);
        assert!(failures.count(address("10.0.0.1"), later).is_ok());
    }

    #[test]
    fn many_addresses_take_bounded_memory() {
        let (failures, now) = (Failures::default(), Instant::now());
        for number in 0..3 * ADDRESSES_MAX as u32 {
            let _ = failures.count(IpAddr::V4(number.into()), now);
        }
        assert!(lock(&failures.0).len() <= ADDRESSES_MAX);
    }
}
