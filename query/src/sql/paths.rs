//! Paths into JSON, as DuckDB writes them: `$.a[0].b`, `$."k.with.dots"`, `$[-1]`, `$[#-1]`, `$` for all of it.
//!
//! A text that begins with `$` is a path, every other one a key. Paths stand in statements, and in parameters, which
//! are put into the statement before it is planned; what a column says is a key.

use datafusion::common::ScalarValue;

use crate::error::{ECHO_CHARS_MAX, QueryError, Result, shorten};

/// Most steps of a path; a step is a level of JSON.
const STEPS_MAX: usize = 128;

/// One step into JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into an object.
    Key(String),
    /// Into a list; a negative one counts from its end.
    Index(i64),
}

impl From<Step> for ScalarValue {
    fn from(step: Step) -> Self {
        match step {
            Step::Key(key) => ScalarValue::Utf8(Some(key)),
            Step::Index(index) => ScalarValue::Int64(Some(index)),
        }
    }
}

/// The steps of a path; `None` for a key.
///
/// # Errors
/// `InvalidInput`, naming the part that is no path.
pub(super) fn steps(text: &str) -> Result<Option<Vec<Step>>> {
    let Some(mut rest) = text.strip_prefix('$') else {
        return Ok(None);
    };
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = step(rest).ok_or_else(|| wrong(text, rest))?;
        steps.push(step);
        if steps.len() > STEPS_MAX {
            return Err(QueryError::invalid_input(format!(
                "a JSON path has more than {STEPS_MAX} steps"
            )));
        }
        rest = after;
    }
    Ok(Some(steps))
}

/// The first step, and what comes behind it.
fn step(rest: &str) -> Option<(Step, &str)> {
    if let Some(quoted) = rest.strip_prefix(".\"") {
        let (key, after) = quoted.split_once('"')?;
        return Some((Step::Key(key.to_string()), after));
    }
    if let Some(key) = rest.strip_prefix('.') {
        let (key, after) = key.split_at(key.find(['.', '[']).unwrap_or(key.len()));
        return (!key.is_empty() && !key.contains('*'))
            .then(|| (Step::Key(key.to_string()), after));
    }
    let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
    // `#` is the length of the list.
    let index = index
        .strip_prefix('#')
        .filter(|offset| offset.starts_with('-'))
        .unwrap_or(index);
    index.parse().ok().map(|index| (Step::Index(index), after))
}

fn wrong(path: &str, rest: &str) -> QueryError {
    QueryError::invalid_input(format!(
        "'{}' is no JSON path at '{}': steps are .key, .\"key\" and [0], and a key that begins with $ is written $.\"$key\"",
        shorten(path, ECHO_CHARS_MAX / 2),
        shorten(rest, ECHO_CHARS_MAX / 2)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> Step {
        Step::Key(key.to_string())
    }

    #[test]
    fn paths_are_read_as_duckdb_does() {
        assert_eq!(steps("plain.key").unwrap(), None);
        assert_eq!(steps("$").unwrap(), Some(vec![]));
        assert_eq!(
            steps("$.a[0].b").unwrap(),
            Some(vec![key("a"), Step::Index(0), key("b")])
        );
        assert_eq!(
            steps("$.\"k.with.dots\"[-1]").unwrap(),
            Some(vec![key("k.with.dots"), Step::Index(-1)])
        );
        assert_eq!(
            steps("$[#-2].a b").unwrap(),
            Some(vec![Step::Index(-2), key("a b")])
        );
        for wrong in [
            "$a", "$.", "$$", "$.a[", "$[x]", "$.*", "$.a[*]", "$.\"a", "$..a", "$[#1]",
        ] {
            assert!(steps(wrong).is_err(), "{wrong}");
        }
        assert!(steps(&format!("${}", ".a".repeat(STEPS_MAX + 1))).is_err());
    }
}
