//! Times, durations, sizes and money as people read them, and back from what they type.

use arrow::temporal_conversions::timestamp_ns_to_datetime;

use crate::failure::{Failure, Result};

const NS_PER_US: i64 = 1_000;
const NS_PER_MS: i64 = 1_000_000;
const NS_PER_S: i64 = 1_000_000_000;

/// Unix nanoseconds as RFC 3339 in UTC, with as many digits as it takes.
pub fn rfc3339(time_ns: i64) -> Option<String> {
    // The debug form of a chrono time is ISO 8601 with a `T`.
    timestamp_ns_to_datetime(time_ns).map(|time| format!("{time:?}Z"))
}

/// Unix nanoseconds to the second, as a table shows them.
pub fn time(time_ns: i64) -> String {
    match timestamp_ns_to_datetime(time_ns.div_euclid(NS_PER_S) * NS_PER_S) {
        Some(time) => time.to_string(),
        None => String::new(),
    }
}

/// Unix milliseconds of a time as a user writes it: RFC 3339, a date, Unix milliseconds, or how long ago.
pub fn parse_time_ms(text: &str) -> Result<i64> {
    let ns = tracehouse::parse_time(text).ok_or_else(|| {
        Failure::bad_input(format!(
            "time {text:?} is not one: 2025-01-31, 2025-01-31T12:00:00Z, Unix milliseconds, or how long ago, such as \
             24h or 7d, expected"
        ))
    })?;
    Ok(ns.div_euclid(NS_PER_MS))
}

/// Nanoseconds in the unit that suits them.
pub fn duration(duration_ns: i64) -> String {
    let as_unit = |unit: i64| duration_ns as f64 / unit as f64;
    match duration_ns {
        // The least number has no opposite; it is none that is measured.
        ..0 => format!("-{}", duration(duration_ns.saturating_neg())),
        0..NS_PER_US => format!("{duration_ns} ns"),
        NS_PER_US..NS_PER_MS => format!("{:.0} µs", as_unit(NS_PER_US)),
        NS_PER_MS..NS_PER_S => format!("{:.0} ms", as_unit(NS_PER_MS)),
        _ if duration_ns < 60 * NS_PER_S => format!("{:.2} s", as_unit(NS_PER_S)),
        _ => {
            let seconds = duration_ns / NS_PER_S;
            match seconds / 3600 {
                0 => format!("{}m {:02}s", seconds / 60, seconds % 60),
                hours if hours < 48 => format!("{hours}h {:02}m", seconds % 3600 / 60),
                hours => format!("{}d {:02}h", hours / 24, hours % 24),
            }
        }
    }
}

/// A count with thousands apart.
pub fn count(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    if value < 0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure as people compare them: whole numbers whole, others to six digits and at least cents.
pub fn figure(value: f64) -> String {
    if !value.is_finite() || value.fract() == 0.0 || value.abs() >= 1e15 {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = usize::try_from(DIGITS - 1 - magnitude).map_or(2, |decimals| decimals.max(2));
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Digits of a figure that is not whole.
const DIGITS: i32 = 6;

/// Bytes in the unit that suits them.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut name = "B";
    for unit in UNITS {
        if value < 1_000.0 {
            break;
        }
        value /= 1_000.0;
        name = unit;
    }
    format!("{value:.1} {name}")
}

/// Dollars: cents, more precisely below a dollar, and two digits of what is less than a hundredth of a cent.
pub fn usd(cost: f64) -> String {
    const LEAST: f64 = 1e-4;
    if cost == 0.0 || cost >= 1.0 {
        return format!("${cost:.2}");
    }
    if cost.abs() >= LEAST {
        return format!("${cost:.4}");
    }
    let magnitude = cost.abs().log10().floor() as i32;
    let decimals = usize::try_from(1 - magnitude).unwrap_or_default();
    let text = format!("{cost:.decimals$}");
    format!("${}", text.trim_end_matches('0'))
}

/// Bytes of a size as a user writes it: `512MB`, `2GiB`, `1000000`.
pub fn parse_bytes(text: &str) -> std::result::Result<usize, String> {
    let expected = || format!("{text:?} is no size: 512MB, 2GiB or a number of bytes expected");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = text
        .get(digits.len()..)
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let factor: f64 = match unit.as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1_048_576.0,
        "gib" => 1_073_741_824.0,
        "tib" => 1_099_511_627_776.0,
        _ => return Err(expected()),
    };
    let number: f64 = digits.parse().map_err(|_| expected())?;
    let bytes = number * factor;
    if !bytes.is_finite() || bytes < 1.0 || bytes > usize::MAX as f64 {
        return Err(expected());
    }
    Ok(bytes as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rounded_where_nobody_reads_on() {
        for (value, text) in [
            (7.0, "7"),
            (186_139.599_999_999_95, "186139.6"),
            (0.000_941_538_333_320_8, "0.000941538"),
            (-1234.5678, "-1234.57"),
            (0.5, "0.5"),
            (1e20, "100000000000000000000"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn times_in_both_directions() {
        assert_eq!(
            rfc3339(1_700_000_000_123_000_000).unwrap(),
            "2023-11-14T22:13:20.123Z"
        );
        assert_eq!(rfc3339(0).unwrap(), "1970-01-01T00:00:00Z");
        assert_eq!(time(1_700_000_000_999_000_000), "2023-11-14 22:13:20");
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-14 22:13:20",
            "1700000000000",
            "2023-11-14T23:13:20+01:00",
        ] {
            assert_eq!(parse_time_ms(text).unwrap(), 1_700_000_000_000, "{text}");
        }
        assert_eq!(parse_time_ms("1970-01-02").unwrap(), 86_400_000);
        assert_eq!(parse_time_ms("soon").unwrap_err().code, 2);
        assert!(parse_time_ms("1d").unwrap() < parse_time_ms("1h").unwrap());
    }

    #[test]
    fn figures_people_read() {
        assert_eq!(duration(999), "999 ns");
        assert_eq!(duration(1_500_000), "2 ms");
        assert_eq!(duration(1_234_000_000), "1.23 s");
        assert_eq!(duration(61 * NS_PER_S), "1m 01s");
        assert_eq!(duration(5_533 * NS_PER_S), "1h 32m");
        assert_eq!(duration(50 * 3_600 * NS_PER_S), "2d 02h");
        assert_eq!(duration(-61 * NS_PER_S), "-1m 01s");
        assert_eq!(count(-1_234_567), "-1,234,567");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500_000), "1.5 MB");
        assert_eq!(usd(0.00123), "$0.0012");
        assert_eq!(usd(0.0000123), "$0.000012");
        assert_eq!(usd(0.00005), "$0.00005");
        assert_eq!((usd(0.0), usd(0.0001)), ("$0.00".into(), "$0.0001".into()));
    }

    #[test]
    fn sizes_people_write() {
        assert_eq!(parse_bytes("512MB"), Ok(512_000_000));
        assert_eq!(parse_bytes("2 GiB"), Ok(2 << 30));
        assert_eq!(parse_bytes("1000"), Ok(1000));
        assert!(parse_bytes("lots").is_err());
        assert!(parse_bytes("0").is_err());
        assert!(parse_bytes("-1GB").is_err());
    }
}
