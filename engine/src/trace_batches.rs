//! A search whose answer is rows as SQL shows them, read a few at a time.
//!
//! The search itself finds places; rows are read when they are asked for, so that printing every
//! trace of a large database does not hold them all.

use arrow::record_batch::RecordBatch;
use tracehouse_query::search::{self, Explain, Search};
use tracehouse_storage::schema::Table;
use tracehouse_storage::{RowRef, Snapshot};

use crate::database::Database;
use crate::error::Result;

/// Traces read together: their inputs and outputs may be large.
const BATCH_TRACES: usize = 256;

/// The traces of one page with every column of the table `traces`, in order, in batches.
#[derive(Debug)]
pub struct TraceBatches {
    snapshot: Snapshot,
    rows: Vec<RowRef>,
    trace_ids: Vec<String>,
    read: usize,
    next_page_token: Option<String>,
    explain: Option<Explain>,
}

impl TraceBatches {
    /// The ids of the traces, in order; known without reading a row.
    pub fn trace_ids(&self) -> &[String] {
        &self.trace_ids
    }

    /// Continues after the last trace; `None` when there is no more.
    pub fn next_page_token(&self) -> Option<&str> {
        self.next_page_token.as_deref()
    }

    /// How the search was carried out, if it asked for that.
    pub fn explain(&self) -> Option<&Explain> {
        self.explain.as_ref()
    }
}

impl Iterator for TraceBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.rows.get(self.read..)?;
        let rows = rows
            .get(..BATCH_TRACES.min(rows.len()))
            .filter(|rows| !rows.is_empty())?;
        let schema = Table::Traces.public_schema();
        let columns: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        let batch = self.snapshot.read_rows(Table::Traces, rows, &columns);
        self.read += rows.len();
        Some(batch.map_err(Into::into))
    }
}

impl Database {
    /// Finds traces as [`Database::search_traces`] does; the rows have every column of `traces`.
    ///
    /// # Errors
    /// `InvalidInput` naming the offending token of the filter, order or page token.
    pub fn search_batches(&self, search: &Search) -> Result<TraceBatches> {
        let snapshot = search.limited(&self.reading()?);
        let page = search::search(&snapshot, self.with_datasets(search)?.as_ref())?;
        Ok(TraceBatches {
            snapshot,
            rows: page.rows,
            trace_ids: page.trace_ids,
            read: 0,
            next_page_token: page.next_page_token,
            explain: page.explain,
        })
    }

    /// The ids of the traces a search finds, in order, without reading their rows.
    ///
    /// # Errors
    /// As [`Database::search_batches`].
    pub fn search_trace_ids(&self, search: &Search) -> Result<Vec<String>> {
        Ok(search::search(&self.reading()?, self.with_datasets(search)?.as_ref())?.trace_ids)
    }
}
