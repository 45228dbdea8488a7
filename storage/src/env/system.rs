//! Clock, boot id and ULIDs of the system, shared by both environments.

// Everything else asks for files, time and ids here (AR-4), so here alone the system is asked.
#![allow(clippy::disallowed_methods)]

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// One generator for the process, so that ids grow over all databases it has open.
static ULIDS: Mutex<ulid::Generator> = Mutex::new(ulid::Generator::new());

/// Unix nanoseconds; before 1970 negative, out of range saturated.
pub(super) fn now_ns() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

/// Whether the clock says a time before 1970, on which libraries panic that count from there.
pub fn is_before_1970() -> bool {
    now_ns() < 0
}

/// Linux's id of this boot; empty elsewhere.
pub(super) fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_string()
}

/// A ULID larger than the one before.
pub(super) fn new_ulid() -> u128 {
    let mut generator = ULIDS.lock().unwrap_or_else(PoisonError::into_inner);
    let ulid = match generator.generate() {
        Ok(ulid) => ulid,
        Err(overflow) => overflow.commit_overflow_increment(),
    };
    ulid.0
}

/// `2026-01-31T23:59:59Z` of Unix nanoseconds, by the civil-from-days rule of the Gregorian calendar.
pub(super) fn rfc3339(unix_ns: i64) -> String {
    let seconds = unix_ns.div_euclid(1_000_000_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Count days from 0000-03-01, so that the leap day ends its year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    debug_assert!(
        (1..=12).contains(&month) && (1..=31).contains(&day),
        "{unix_ns} is of a day of a month"
    );
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_rfc3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_827_696_000_000_000), "2000-02-29T12:34:56Z");
        assert_eq!(rfc3339(1_772_323_199_999_999_999), "2026-02-28T23:59:59Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn ulids_grow() {
        let ids: Vec<u128> = (0..1000).map(|_| new_ulid()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
}
