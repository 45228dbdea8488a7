//! Deleting traces: by id, or the oldest of those that a filter and a time name.

use tracehouse_query::search::{self, Search};
use tracehouse_storage::model::normalize_trace_id;

use crate::database::Database;
use crate::error::{Error, Result};
use crate::filters::join_filters;

/// Which traces to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceDeletion {
    /// Traces that match; empty = all.
    pub filter: String,
    /// Of those, traces whose request time in whole milliseconds is not later than this.
    pub until_ms: Option<i64>,
    /// At most so many, oldest first: by request time, then by id.
    pub max_traces: Option<usize>,
    /// In these experiments; `None` = all.
    pub experiments: Option<Vec<String>>,
}

impl TraceDeletion {
    /// Traces that match a filter.
    pub fn matching(filter: impl Into<String>) -> Self {
        Self {
            filter: filter.into(),
            ..Self::default()
        }
    }

    /// Traces that began at this time, in whole milliseconds, or earlier.
    pub fn until_ms(time_ms: i64) -> Self {
        Self {
            until_ms: Some(time_ms),
            ..Self::default()
        }
    }

    /// Of those, traces that match a filter.
    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = filter.into();
        self
    }

    /// The oldest of them, at most so many.
    pub fn max_traces(mut self, count: usize) -> Self {
        self.max_traces = Some(count);
        self
    }

    /// In these experiments.
    pub fn experiments<S: Into<String>>(
        mut self,
        experiments: impl IntoIterator<Item = S>,
    ) -> Self {
        self.experiments = Some(experiments.into_iter().map(Into::into).collect());
        self
    }
}

impl Database {
    /// Deletes traces with everything below them; unknown ids are ignored. Returns how many there were.
    ///
    /// # Errors
    /// `Closed` or `Io` from writing.
    pub fn delete_traces<S: AsRef<str>>(&self, trace_ids: &[S]) -> Result<u64> {
        let ids = trace_ids
            .iter()
            .map(|id| normalize_trace_id(id.as_ref()))
            .collect();
        let _alone = self.change_alone();
        Ok(self.store().delete_traces(ids)?.traces)
    }

    /// Deletes the traces that match, oldest first. Returns how many there were.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::{TraceDeletion, TraceStart};
    /// let started = |id: &str, ms: i64| TraceStart::new(id, ms * 1_000_000).state("OK");
    /// db.start_traces(&[started("a", 1), started("b", 2), started("c", 3)])?;
    /// assert_eq!(db.delete_traces_where(&TraceDeletion::until_ms(2).max_traces(1))?, 1);
    /// assert!(db.get_trace("a").is_err() && db.get_trace("b").is_ok());
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a filter that is wrong, a maximum of 0, or neither a filter nor a time: every
    /// trace is not deleted by an omission. `Closed` or `Io` from writing.
    pub fn delete_traces_where(&self, deletion: &TraceDeletion) -> Result<u64> {
        let until = deletion
            .until_ms
            .map(|ms| format!("timestamp <= {ms}"))
            .unwrap_or_default();
        let filter = join_filters(&[&deletion.filter, &until])?;
        if filter.is_empty() {
            return Err(Error::invalid_input(
                "which traces to delete: a filter or a time is needed",
            ));
        }
        if deletion.max_traces == Some(0) {
            return Err(Error::invalid_input(
                "at most 0 traces to delete: a positive number expected",
            ));
        }
        let mut wanted = Search::new(filter).order_by(["timestamp ASC"]);
        wanted.limit = deletion.max_traces;
        wanted.experiments.clone_from(&deletion.experiments);
        let _alone = self.change_alone();
        let page = search::search(&self.reading()?, self.with_datasets(&wanted)?.as_ref())?;
        Ok(self.store().delete_traces(page.trace_ids)?.traces)
    }
}
