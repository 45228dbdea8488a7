//! The id of a trace from as much of it as a person types.

use tracehouse_query::search::Search;
use tracehouse_storage::model::{TraceKey, normalize_trace_id};

use crate::database::Database;
use crate::error::{Error, Result};
use crate::filters::quoted;

/// Ids that a message names when several begin so.
const NAMED_MAX: usize = 5;

impl Database {
    /// The id of the trace that has this id, else of the only one whose id begins so.
    ///
    /// # Errors
    /// `NotFound` when there is none, `InvalidInput` naming some when there are several.
    pub fn find_trace_id(&self, beginning: &str) -> Result<String> {
        if beginning.is_empty() {
            return Err(Error::invalid_input(
                "a trace id expected, or its beginning: this text is empty",
            ));
        }
        let id = normalize_trace_id(beginning);
        if self.reading()?.find_trace(TraceKey::of(&id))?.is_some() {
            return Ok(id);
        }
        let prefix = id.strip_prefix("tr-").unwrap_or(&id);
        let mut found = Vec::new();
        // In a pattern these would stand for other characters.
        if !prefix.is_empty() && !prefix.contains(['%', '_', '\\']) {
            let pattern = quoted(&format!("{prefix}%"));
            let search = Search::new(format!("trace_id LIKE {pattern}")).limit(NAMED_MAX + 1);
            found = self.search_trace_ids(&search)?;
        }
        match found.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(Error::not_found(format!(
                "trace {beginning} not found: no id begins like this"
            ))),
            several => {
                let named: Vec<&str> = several.iter().take(NAMED_MAX).map(String::as_str).collect();
                let more = if several.len() > NAMED_MAX {
                    ", and more"
                } else {
                    ""
                };
                Err(Error::invalid_input(format!(
                    "several traces begin with {beginning}: {}{more}",
                    named.join(", ")
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Database, ErrorKind, TraceStart};

    #[test]
    fn a_unique_beginning_is_enough() {
        let db = Database::in_memory().unwrap();
        let ids = [
            "7f628ad5000000000000000000000001",
            "7f628ad6000000000000000000000002",
            "7f",
            "a_b",
        ];
        for id in ids {
            db.start_trace(&TraceStart::new(id, 1)).unwrap();
        }
        let found = |text: &str| {
            db.find_trace_id(text)
                .map_err(|error| (error.kind(), error.to_string()))
        };
        for (text, at) in [
            ("7f628ad5", 0),
            ("tr-7f628ad6", 1),
            ("7f", 2),
            (ids[0], 0),
            ("a", 3),
            ("a_b", 3),
        ] {
            assert_eq!(found(text), Ok(ids[at].to_string()), "{text}");
        }
        let several = found("7f6").unwrap_err();
        assert_eq!(several.0, ErrorKind::InvalidInput);
        assert!(
            several.1.contains(ids[0]) && several.1.contains(ids[1]),
            "{several:?}"
        );
        for text in ["7f628ad7", "7f628ad_", "%", "it's"] {
            let (kind, message) = found(text).unwrap_err();
            let wanted = format!("trace {text} not found: no id begins like this");
            assert_eq!((kind, message), (ErrorKind::NotFound, wanted));
        }
        assert_eq!(found("").unwrap_err().0, ErrorKind::InvalidInput);
    }
}
