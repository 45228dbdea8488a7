//! `--since`, `--from`, `--to`: when traces began, as a part of a filter.

use crate::args::PeriodArgs;
use crate::failure::{Failure, Result};
use crate::output::units::parse_time_ms;

impl PeriodArgs {
    /// The first and the last millisecond, where they are given.
    pub fn bounds_ms(&self) -> Result<(Option<i64>, Option<i64>)> {
        let ms = |text: &Option<String>| text.as_deref().map(parse_time_ms).transpose();
        let first = ms(&self.since)?.or(ms(&self.from)?);
        let last = ms(&self.to)?;
        match (first, last) {
            (Some(first), Some(last)) if first > last => Err(Failure::bad_input(
                "--to is a time before the first one: nothing is in between",
            )),
            bounds => Ok(bounds),
        }
    }

    /// The filter, of traces that began then.
    pub fn filter(&self, filter: &str) -> Result<String> {
        let (first, last) = self.bounds_ms()?;
        let clauses = [
            first.map(|ms| format!("timestamp >= {ms}")),
            last.map(|ms| format!("timestamp <= {ms}")),
        ];
        within(filter, clauses.into_iter().flatten())
    }
}

/// A filter with further clauses, which are true of all it finds. Without any it is left to the search to say what is wrong
/// with it.
pub fn within(filter: &str, clauses: impl IntoIterator<Item = String>) -> Result<String> {
    let clauses: Vec<String> = clauses.into_iter().collect();
    if clauses.is_empty() {
        return Ok(filter.to_string());
    }
    let all: Vec<&str> = [filter]
        .into_iter()
        .chain(clauses.iter().map(String::as_str))
        .collect();
    Ok(tracehouse::join_filters(&all)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_goes_with_any_filter() {
        let of = |since: Option<&str>, from: Option<&str>, to: Option<&str>| PeriodArgs {
            since: since.map(str::to_string),
            from: from.map(str::to_string),
            to: to.map(str::to_string),
        };
        let none = of(None, None, None);
        assert_eq!(none.filter("a = ").unwrap(), "a = ", "left to the search");
        let both = of(None, Some("1970-01-01"), Some("1970-01-02"));
        assert_eq!(
            both.filter("").unwrap(),
            "timestamp >= 0 AND timestamp <= 86400000"
        );
        assert_eq!(
            both.filter("state = 'OK' OR state = 'ERROR'").unwrap(),
            "(state = 'OK' OR state = 'ERROR') AND timestamp >= 0 AND timestamp <= 86400000"
        );
        assert!(
            of(Some("24h"), None, None)
                .filter("")
                .unwrap()
                .starts_with("timestamp >= 1")
        );
        for wrong in ["state = 'OK') OR (state = 'ERROR'", "state ="] {
            assert_eq!(both.filter(wrong).unwrap_err().code, 2);
        }
        assert!(
            of(None, Some("1970-01-02"), Some("1970-01-01"))
                .filter("")
                .is_err()
        );
        assert_eq!(of(Some("soon"), None, None).filter("").unwrap_err().code, 2);
    }
}
