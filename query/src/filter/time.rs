//! Times and durations as people write them: `'2026-01-31'`, `'2026-01-31T12:00:00Z'`, `5s`, `now() - 7d`.

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;

use crate::predicate::{Number, Scaled};

/// Units of durations in nanoseconds.
const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];
/// The units, for messages.
pub(super) const UNIT_NAMES: &str = "ns, us, ms, s, m, h, d, w";

/// Nanoseconds of a unit.
pub(super) fn unit_ns(name: &str) -> Option<i64> {
    UNITS
        .iter()
        .find(|(unit, _)| *unit == name)
        .map(|(_, ns)| *ns)
}

/// Nanoseconds of a duration, each of whose parts is a number with its unit: `5s`, `1h30m`, `1h 30m`.
pub(super) fn duration(text: &str) -> Option<Scaled> {
    let (mut total, mut rest) = (None, text.trim());
    while !rest.is_empty() {
        let digits = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let (number, after) = rest.split_at_checked(digits)?;
        let after = after.trim_start();
        let letters = after.len()
            - after
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let (unit, after) = after.split_at_checked(letters)?;
        let part = Number::parse(number)?.scaled(unit_ns(unit)?);
        let so_far: Scaled = total.unwrap_or(Scaled {
            floor: 0,
            exact: true,
        });
        let sum = so_far.floor.checked_add(part.floor);
        let exact = so_far.exact && part.exact && sum.is_some();
        total = Some(Scaled {
            floor: sum.unwrap_or(i64::MAX),
            exact,
        });
        rest = after.trim_start();
    }
    total
}

/// A duration that is a whole number of nanoseconds.
pub(super) fn duration_ns(text: &str) -> Option<i64> {
    duration(text)
        .filter(|size| size.exact)
        .map(|size| size.floor)
}

/// Unix nanoseconds of an RFC 3339 time or a date, in UTC unless it says otherwise.
pub(super) fn time_ns(text: &str) -> Option<i64> {
    // The reader of Arrow takes more than that, such as a date without a year of four digits.
    let is_date = matches!(text.as_bytes(), [year @ .., b'-', _, _, b'-', _, _] if year.len() == 4)
        || text
            .as_bytes()
            .get(10)
            .is_some_and(|byte| matches!(byte, b'T' | b't' | b' '));
    if is_date {
        string_to_timestamp_nanos(text).ok()
    } else {
        None
    }
}

/// Nanoseconds as milliseconds, with what is left of a millisecond.
pub(super) fn as_ms(ns: i64) -> Option<Number> {
    let (sign, size) = if ns < 0 {
        ("-", ns.unsigned_abs())
    } else {
        ("", ns.unsigned_abs())
    };
    Number::parse(&format!(
        "{sign}{}.{:06}",
        size / 1_000_000,
        size % 1_000_000
    ))
}

/// The time at which a filter is read. Nothing that is stored depends on it, so it needs no `Env`.
#[allow(clippy::disallowed_methods)]
pub(super) fn now_ns() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_read_exactly() {
        for (text, ns) in [
            ("1970-01-01", 0),
            ("1970-01-02T00:00:00Z", 86_400_000_000_000),
            ("1970-01-01T01:00:00.5+01:00", 500_000_000),
            ("1970-01-01 00:00:01", 1_000_000_000),
            ("1969-12-31T23:59:59.9999995Z", -500),
        ] {
            assert_eq!(time_ns(text), Some(ns), "{text}");
        }
        for text in [
            "",
            "abc",
            "1970",
            "1970-13-01",
            "1970-01-32",
            "70-01-01",
            "1970-01-01T25:00:00Z",
            "1970-01-01Tx",
        ] {
            assert_eq!(time_ns(text), None, "{text}");
        }
        for (text, ns) in [
            ("5s", Some(5_000_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            (" 2d 02h ", Some(180_000_000_000_000)),
            ("1.5 us", Some(1_500)),
            ("0.5ns", None),
            ("300000w", None),
            ("200w 30000w", None),
            ("5", None),
            ("h", None),
            ("1h -2m", None),
            ("1h 30", None),
            ("", None),
        ] {
            assert_eq!(duration_ns(text), ns, "{text}");
        }
        assert_eq!(as_ms(-500).unwrap().text(), "-0.000500");
        assert_eq!(as_ms(1_500_000).unwrap().value(), 1.5);
    }
}
