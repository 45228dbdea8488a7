//! A point in time as people write it where nothing but a time can stand: in options of commands.

use super::time::{duration_ns, now_ns, time_ns};

/// Unix nanoseconds of a time: RFC 3339 or a date in UTC, Unix milliseconds, `now`, or how long ago, as `24h`, `1h30m`,
/// `now() - 7d`; `None` when it is none of these, or out of range.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(ms) = text.parse::<i64>() {
        return ms.checked_mul(1_000_000);
    }
    if let Some(ns) = time_ns(text) {
        return Some(ns);
    }
    let lower = text.to_ascii_lowercase();
    let ago = match lower
        .strip_prefix("now")
        .map(|rest| rest.strip_prefix("()").unwrap_or(rest).trim())
    {
        Some("") => return Some(now_ns()),
        Some(rest) => rest.strip_prefix('-')?.trim(),
        None => lower.as_str(),
    };
    now_ns().checked_sub(duration_ns(ago)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_times_or_how_long_ago() {
        assert_eq!(parse_time("1970-01-02"), Some(86_400_000_000_000));
        assert_eq!(parse_time(" 1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
        assert_eq!(parse_time("1700000000000"), Some(1_700_000_000_000_000_000));
        let hour = 3_600_000_000_000;
        for (text, ago) in [
            ("now", 0),
            ("NOW()", 0),
            ("24h", 24 * hour),
            ("1h 30m", hour + hour / 2),
            ("1.5h", hour + hour / 2),
            ("now() - 7d", 7 * 24 * hour),
            ("now-2w", 14 * 24 * hour),
        ] {
            let before = now_ns() - ago;
            let got = parse_time(text).unwrap();
            assert!((before..=now_ns() - ago).contains(&got), "{text}");
        }
        for text in [
            "",
            "soon",
            "h",
            "5",
            "5 parsecs",
            "now + 1d",
            "-1h",
            "1h -2m",
            "1e3",
            "2025",
            "999999999w",
        ] {
            let is_number = text.parse::<i64>().is_ok();
            assert_eq!(parse_time(text).is_some(), is_number, "{text}");
        }
    }
}
