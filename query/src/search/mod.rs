//! `search_traces`: from a filter and an order to one page of traces.
//!
//! ```text
//! filter -> Predicate -> candidates (indexes, zones) -> leaves (sets of traces, span conditions)
//!        -> scan `traces` piece by piece, newest first, looking at spans of the traces that are left
//!        -> the best rows -> page and token
//! ```
//!
//! **Invariants** QU-1 (no answer depends on where a row is), QU-2 (pruning keeps too much at most).
//! Newest-first searches stop reading once no unread row can be on the page.

mod assessed;
mod explain;
mod leaves;
mod matching_spans;
mod notices;
mod page_token;
mod plan;
mod rank;
#[cfg(feature = "sql")]
mod related;
mod sets;
mod span_runs;
mod spans;
#[cfg(test)]
mod tests;

use std::time::Duration;

use roaring::RoaringBitmap;
use tracehouse_storage::interrupt::{CancelToken, Interrupt};
use tracehouse_storage::schema::Table;
use tracehouse_storage::{Result, RowRef, Snapshot};

use crate::filter::{parse, parse_order_by};
use crate::predicate::column::row_numbers;
use crate::predicate::{DatasetTraces, Predicate};
use explain::Recorder;
pub use explain::{Analysis, Coverage, Explain, Stage, TextCoverage};
pub use matching_spans::{FoundSpan, matching_spans};
pub use notices::notices;
#[cfg(feature = "sql")]
pub use notices::sql_notices;
use plan::Plan;
use rank::TopRows;
#[cfg(feature = "sql")]
pub(crate) use related::Related;

/// A search for traces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Filter text; empty = every trace.
    pub filter: String,
    /// Order clauses; empty = newest first.
    pub order_by: Vec<String>,
    /// Most traces of the page; `None` = all.
    pub limit: Option<usize>,
    /// Traces skipped before the page.
    pub offset: usize,
    /// The token of the page before.
    pub page_token: Option<String>,
    /// The experiments searched; `None` = all.
    pub experiments: Option<Vec<String>>,
    /// Whether the page says how it was found; that costs counting.
    pub explain: bool,
    /// Whether it also says how long that took and what was read; then it explains itself, too.
    pub analyze: bool,
    /// The traces of the datasets that the filter names; the database fills it in.
    pub datasets: DatasetTraces,
    /// Longest time it may take; `None` = the database's.
    pub timeout: Option<Duration>,
    /// Gives it up when cancelled.
    pub cancel: Option<CancelToken>,
}

/// One page of a search.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where the traces' rows are, in order.
    pub rows: Vec<RowRef>,
    /// Their ids, in the same order.
    pub trace_ids: Vec<String>,
    /// The token of the next page; `None` when this is the last.
    pub next_page_token: Option<String>,
    /// How the page was found, if the search asked for it.
    pub explain: Option<Explain>,
}

impl Search {
    /// A search by filter, newest first.
    pub fn new(filter: impl Into<String>) -> Self {
        Self {
            filter: filter.into(),
            ..Self::default()
        }
    }

    /// Gives at most `limit` traces a page.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Gives the traces in this order.
    pub fn order_by<S: Into<String>>(mut self, clauses: impl IntoIterator<Item = S>) -> Self {
        self.order_by = clauses.into_iter().map(Into::into).collect();
        self
    }

    /// Also gives an account of how the page was found.
    pub fn explain(mut self, explain: bool) -> Self {
        self.explain = explain;
        self
    }

    /// Also gives an account of how the page was found and what that took.
    pub fn analyze(mut self, analyze: bool) -> Self {
        self.analyze = analyze;
        self
    }

    /// Fails as `Timeout` when it takes longer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Fails as `Cancelled` once the token is cancelled.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// The snapshot within the limits of this search, which begin now.
    pub fn limited(&self, snapshot: &Snapshot) -> Snapshot {
        limited(snapshot, self.timeout, self.cancel.as_ref())
    }

    /// Goes on after the page that gave this token.
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.page_token = Some(token.into());
        self
    }

    /// Looks at traces of these experiments only.
    pub fn experiments<S: Into<String>>(
        mut self,
        experiments: impl IntoIterator<Item = S>,
    ) -> Self {
        self.experiments = Some(experiments.into_iter().map(Into::into).collect());
        self
    }
}

/// Finds one page of traces.
///
/// # Errors
/// `InvalidInput` for a filter, order or page token that is refused; what reading gives otherwise.
pub fn search(snapshot: &Snapshot, search: &Search) -> Result<Page> {
    let snapshot = search.limited(snapshot);
    snapshot.interrupt().guarding(|| find(&snapshot, search))
}

/// A snapshot with limits that begin now, besides those it has.
pub(crate) fn limited(
    snapshot: &Snapshot,
    timeout: Option<Duration>,
    cancel: Option<&CancelToken>,
) -> Snapshot {
    let mut interrupt = snapshot.interrupt().clone();
    if let Some(timeout) = timeout {
        interrupt = interrupt.within(timeout);
    }
    snapshot.until(cancel.cloned().into_iter().fold(interrupt, Interrupt::or))
}

fn find(snapshot: &Snapshot, search: &Search) -> Result<Page> {
    let order = parse_order_by(&search.order_by)?;
    let after = search
        .page_token
        .as_deref()
        .map(|token| page_token::decode(&order, token))
        .transpose()?;
    let recorder = Recorder::new(search.explain, search.analyze);
    let predicate = recorder
        .time("parse", || parse(&search.filter))?
        .with_datasets(&search.datasets);
    let experiments = search.experiments.as_deref();
    let plan = recorder.time("plan", || {
        Plan::of(snapshot, &predicate, experiments, &recorder)
    })?;
    // One more than wanted tells whether there is a next page.
    let keep = search.limit.map_or(usize::MAX, |limit| {
        limit.saturating_add(search.offset).saturating_add(1)
    });
    let mut top = TopRows::new(&order, keep, after.clone());
    recorder.time("scan", || plan.rank(&order, after.as_ref(), &mut top))?;
    let limit = search.limit.unwrap_or(usize::MAX);
    let (ranked, more) = recorder.time("sort", || top.finish(search.offset, limit));
    let next_page_token = match ranked.last() {
        Some(last) if more => Some(page_token::encode(&order, &last.position)?),
        _ => None,
    };
    Ok(Page {
        rows: ranked.iter().map(|ranked| ranked.row).collect(),
        trace_ids: ranked
            .into_iter()
            .map(|ranked| ranked.position.trace_id)
            .collect(),
        next_page_token,
        explain: recorder.finish(snapshot, || plan.taken())?,
    })
}

/// Counts the traces a search finds over all its pages; limit, offset, order and token do not matter.
///
/// # Errors
/// As [`search`].
pub fn count(snapshot: &Snapshot, search: &Search) -> Result<u64> {
    let snapshot = search.limited(snapshot);
    snapshot
        .interrupt()
        .guarding(|| count_all(&snapshot, search))
}

fn count_all(snapshot: &Snapshot, search: &Search) -> Result<u64> {
    let predicate = parse(&search.filter)?.with_datasets(&search.datasets);
    if predicate == Predicate::Const(true) && search.experiments.is_none() {
        return Ok(snapshot.visible_rows(Table::Traces));
    }
    Ok(
        matching_rows(snapshot, &predicate, search.experiments.as_deref())?
            .iter()
            .map(|(_, rows)| rows.len())
            .sum(),
    )
}

/// The rows of `traces` that satisfy a predicate, by source.
///
/// # Errors
/// What reading gives.
pub fn matching_rows(
    snapshot: &Snapshot,
    predicate: &Predicate,
    experiments: Option<&[String]>,
) -> Result<Vec<(usize, RoaringBitmap)>> {
    let plan = Plan::of(snapshot, predicate, experiments, &Recorder::default())?;
    let mut found = Vec::new();
    for source in 0..snapshot.source_count() {
        let mut rows = RoaringBitmap::new();
        plan.scan(source, plan.candidates(source)?, &["_row"], &mut |batch| {
            rows.extend(row_numbers(batch)?);
            Ok(true)
        })?;
        if !rows.is_empty() {
            found.push((source, rows));
        }
    }
    Ok(found)
}
