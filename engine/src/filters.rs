//! Putting filters together: each must be right on its own, so that no text reaches beyond its place.

use tracehouse_query::filter::parse;

use crate::error::{Error, Result};

/// The filter that says all of `filters`; empty ones say nothing. They are joined as MLflow joins
/// them: span clauses of two filters without `OR` are about one and the same span.
///
/// ```
/// let filter = tracehouse::join_filters(&["name = 'a' OR name = 'b'", "timestamp >= 0"])?;
/// assert_eq!(filter, "(name = 'a' OR name = 'b') AND timestamp >= 0");
/// # Ok::<(), tracehouse::Error>(())
/// ```
///
/// # Errors
/// `InvalidInput` for the first one that does not parse, with positions in its own text.
pub fn join_filters(filters: &[&str]) -> Result<String> {
    let mut parts = Vec::new();
    for filter in filters
        .iter()
        .map(|filter| filter.trim())
        .filter(|filter| !filter.is_empty())
    {
        check_filter(filter)?;
        // A pair of parentheses around what has no `OR` would only part its span clauses from others.
        parts.push(if has_or(filter) {
            format!("({filter})")
        } else {
            filter.to_string()
        });
    }
    Ok(parts.join(" AND "))
}

/// Whether the word `OR` is among the words of a filter, its strings and quoted keys aside.
fn has_or(filter: &str) -> bool {
    let mut open = None;
    let bare: String = filter
        .chars()
        .map(|c| match open {
            // A doubled quote closes and opens again, which comes to the same.
            Some(quote) => {
                open = Some(quote).filter(|quote| *quote != c);
                ' '
            }
            None if matches!(c, '\'' | '"' | '`') => {
                open = Some(c);
                ' '
            }
            None => c,
        })
        .collect();
    bare.split(|c: char| !c.is_alphanumeric())
        .any(|word| word.eq_ignore_ascii_case("or"))
}

/// Checks that a filter parses.
///
/// # Errors
/// `InvalidInput` naming the token at fault and its position.
pub fn check_filter(filter: &str) -> Result<()> {
    parse(filter).map_err(tracehouse_storage::Error::from)?;
    Ok(())
}

/// `text` as a string of the filter language, and of SQL.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `prefix.key` with the key as written by a user.
///
/// # Errors
/// `InvalidInput` for a key that cannot be written.
pub(crate) fn named(prefix: &str, key: &str) -> Result<String> {
    if key.is_empty() || key.contains('`') {
        return Err(Error::invalid_input(format!(
            "{key:?} is no name that a filter can have after {prefix}."
        )));
    }
    Ok(format!("{prefix}.`{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_stays_in_its_place() {
        assert_eq!(join_filters(&["", " "]).unwrap(), "");
        assert_eq!(
            join_filters(&["name = 'a'", "", "state = 'OK'"]).unwrap(),
            "name = 'a' AND state = 'OK'"
        );
        let either = join_filters(&["name = 'a' OR name = 'b'", "state = 'OK'"]).unwrap();
        assert_eq!(either, "(name = 'a' OR name = 'b') AND state = 'OK'");
        let loose = join_filters(&["name = 'a' AND", "AND state = 'OK'"]).unwrap();
        check_filter(&loose).unwrap();
        let quoted_or =
            join_filters(&["span.name = 'this or that'", "span.type = 'TOOL'"]).unwrap();
        assert_eq!(
            quoted_or,
            "span.name = 'this or that' AND span.type = 'TOOL'"
        );
        assert!(has_or("name = 'it''s' OR name = \"or\"") && !has_or("tags.`a or b` = 'it''s or'"));
        assert!(join_filters(&["name = 'a') OR (name = 'b'", "state = 'OK'"]).is_err());
        check_filter(&format!(
            "{} = {}",
            named("tags", "my key").unwrap(),
            quoted("it's")
        ))
        .unwrap();
        assert!(named("tags", "a`b").is_err());
    }
}
