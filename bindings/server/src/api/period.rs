//! `since`, `from`, `to`: when traces began, as a part of a filter. A time is RFC 3339, a date, Unix milliseconds, `now`
//! or how long ago (`24h`, `7d`).

use super::input::Input;
use crate::error::{ApiError, quoted};

const NS_PER_MS: i64 = 1_000_000;

/// The first and the last millisecond, where they are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) first_ms: Option<i64>,
    pub(super) last_ms: Option<i64>,
}

impl Period {
    /// # Errors
    /// 400 for what is no time, and for a period that ends before it begins.
    pub(super) fn of(input: &mut Input) -> Result<Self, ApiError> {
        let (since, from) = (time_ms(input, "since")?, time_ms(input, "from")?);
        if since.is_some() && from.is_some() {
            return Err(ApiError::bad_request(
                "since and from say the same: one of them expected",
            ));
        }
        let (first_ms, last_ms) = (since.or(from), time_ms(input, "to")?);
        match (first_ms, last_ms) {
            (Some(first), Some(last)) if first > last => Err(ApiError::bad_request(
                "to is a time before the first one: nothing is in between",
            )),
            _ => Ok(Self { first_ms, last_ms }),
        }
    }

    /// A filter of traces that also began then.
    ///
    /// # Errors
    /// 400 for a filter that is wrong by itself.
    pub(super) fn within(self, filter: String) -> Result<String, ApiError> {
        let first = self.first_ms.map(|ms| format!("timestamp >= {ms}"));
        let last = self.last_ms.map(|ms| format!("timestamp <= {ms}"));
        with_clauses(filter, first.into_iter().chain(last))
    }
}

/// A filter of traces that are also in one of these experiments.
///
/// # Errors
/// 400 for a filter that is wrong by itself.
pub(super) fn within_experiments(filter: String, ids: &[String]) -> Result<String, ApiError> {
    let quoted = ids.iter().map(|id| format!("'{}'", id.replace('\'', "''")));
    let ids = quoted.collect::<Vec<_>>().join(", ");
    with_clauses(filter, [format!("experiment_id IN ({ids})")])
}

fn with_clauses(
    filter: String,
    clauses: impl IntoIterator<Item = String>,
) -> Result<String, ApiError> {
    let clauses: Vec<String> = clauses.into_iter().collect();
    if clauses.is_empty() {
        return Ok(filter);
    }
    let all: Vec<&str> = [filter.as_str()]
        .into_iter()
        .chain(clauses.iter().map(String::as_str))
        .collect();
    Ok(tracehouse::join_filters(&all)?)
}

/// Unix milliseconds of a time, which JSON may also have as a number.
fn time_ms(input: &mut Input, name: &'static str) -> Result<Option<i64>, ApiError> {
    let Some(text) = input.text_or_number(name)? else {
        return Ok(None);
    };
    let time_ns = tracehouse::parse_time(&text).ok_or_else(|| {
        ApiError::bad_request(format!(
            "{name} is {}: 2025-01-31, 2025-01-31T12:00:00Z, Unix milliseconds, or how long ago, such as 24h or 7d, \
             expected",
            quoted(&text)
        ))
    })?;
    Ok(Some(time_ns.div_euclid(NS_PER_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_goes_with_any_filter() {
        let of = |query: &str| Period::of(&mut Input::of_query(Some(query)).unwrap());
        let both = of("from=1970-01-01&to=1970-01-02").unwrap();
        assert_eq!(
            both.within("state = 'OK' OR state = 'ERROR'".into())
                .unwrap(),
            "(state = 'OK' OR state = 'ERROR') AND timestamp >= 0 AND timestamp <= 86400000"
        );
        assert_eq!(
            of("").unwrap().within("a = ".into()).unwrap(),
            "a = ",
            "left to the search"
        );
        assert!(
            both.within("state = 'OK') OR (state = 'ERROR'".into())
                .is_err()
        );
        for wrong in [
            "since=soon",
            "from=1970-01-02&to=1970-01-01",
            "since=1d&from=2d",
        ] {
            assert_eq!(of(wrong).unwrap_err().status.as_u16(), 400, "{wrong}");
        }
    }
}
