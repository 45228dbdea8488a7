//! What a caller sees: all traces, or those of the experiments of its token. One place, so that no tool forgets it.

use tracehouse::{Search, check_filter};

use crate::access::Caller;
use crate::error::ApiError;

/// The experiments that a call is about; `None` for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope(Option<Vec<String>>);

impl Scope {
    pub(super) fn of(caller: &Caller) -> Self {
        Self(caller.experiments().map(<[String]>::to_vec))
    }

    /// The traces of these experiments.
    #[cfg(test)]
    pub(super) fn only(experiments: &[&str]) -> Self {
        Self(Some(experiments.iter().map(|id| id.to_string()).collect()))
    }

    /// The experiments; `None` for all.
    pub(super) fn experiments(&self) -> Option<&[String]> {
        self.0.as_deref()
    }

    /// Whether there may be traces that the caller does not see.
    pub(super) fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// A search among the traces that the caller sees.
    pub(super) fn search(&self, filter: &str) -> Search {
        let mut search = Search::new(filter);
        search.experiments = self.0.clone();
        search
    }

    /// A filter that holds for traces of the caller alone, for questions that have no other way to say it.
    ///
    /// # Errors
    /// 400 for a filter that is wrong: it has to be right on its own, or a parenthesis could reach out of its place.
    pub(super) fn filter(&self, filter: &str) -> Result<String, ApiError> {
        check_filter(filter)?;
        let Some(experiments) = &self.0 else {
            return Ok(filter.to_string());
        };
        let own = match experiments.as_slice() {
            // Every trace has an experiment.
            [] => "experiment_id IS NULL".to_string(),
            ids => format!("experiment_id IN ({})", quoted_all(ids)),
        };
        Ok(match filter.trim() {
            "" => own,
            filter => format!("{own} AND ({filter})"),
        })
    }

    /// The same as a condition of SQL on `trace_id`, with a leading `WHERE`; empty for all traces.
    pub(super) fn sql(&self) -> String {
        match self.0.as_deref() {
            None => String::new(),
            Some([]) => "WHERE false".into(),
            Some(ids) => format!(
                "WHERE trace_id IN (SELECT trace_id FROM traces WHERE experiment_id IN ({}))",
                quoted_all(ids)
            ),
        }
    }

    /// # Errors
    /// 404 for a trace of another experiment, as for one that is not there.
    pub(super) fn check_trace(&self, trace_id: &str, experiment_id: &str) -> Result<(), ApiError> {
        match &self.0 {
            Some(own) if !own.iter().any(|own| own == experiment_id) => Err(no_trace(trace_id)),
            _ => Ok(()),
        }
    }
}

/// That there is no such trace.
pub(super) fn no_trace(trace_id: &str) -> ApiError {
    ApiError::not_found(format!(
        "trace {} not found: search_traces gives the ids that are there",
        super::quoted(trace_id)
    ))
}

/// Texts as both languages write them in a list.
fn quoted_all(texts: &[String]) -> String {
    let quoted = texts
        .iter()
        .map(|text| format!("'{}'", text.replace('\'', "''")));
    quoted.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use tracehouse::{Database, TraceStart};

    use super::*;

    #[test]
    fn filters_stay_inside_their_scope() {
        let db = Database::in_memory().unwrap();
        for (id, experiment) in [("a", "1"), ("b", "it's"), ("c", "3")] {
            let start = TraceStart::new(id, 5).experiment_id(experiment).state("OK");
            db.start_trace(&start).unwrap();
        }
        let count = |own: &[&str], filter: &str| {
            let scope = Scope::only(own);
            let written = scope.filter(filter).unwrap();
            let by_text = db.count_traces(&Search::new(written)).unwrap();
            assert_eq!(db.count_traces(&scope.search(filter)).unwrap(), by_text);
            let sql = format!("SELECT count(*) FROM traces {}", scope.sql());
            let all: Vec<u64> = db.sql_rows(&*sql).unwrap().map(Result::unwrap).collect();
            assert!(!filter.is_empty() || all == [by_text]);
            by_text
        };
        assert_eq!(count(&["1"], "state = 'OK' OR trace_id = 'b'"), 1);
        assert_eq!(count(&["1", "it's"], ""), 2);
        assert_eq!(count(&["1"], "AND NOT state = 'ERROR' AND"), 1);
        assert_eq!(count(&[], "state = 'OK' OR state != 'OK'"), 0);
        let scope = Scope::only(&["1"]);
        assert!(scope.filter("state = 'OK') OR (state = 'OK'").is_err());
        assert!(scope.check_trace("b", "3").is_err() && scope.check_trace("a", "1").is_ok());
    }
}
