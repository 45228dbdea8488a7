//! Trace metrics: counts, sums, averages, extremes and percentiles over traces, spans or assessments,
//! by dimension and time bucket, with the metrics, rules and order of MLflow's `query_trace_metrics`.
//!
//! ```text
//! MetricQuery -> check (query) -> traces that match (clause, search) -> samples (samples)
//!             -> groups in order (groups) -> MetricPoint
//! ```
//!
//! **Invariants**
//! 1. A row without the metric or without one of the dimensions counts nowhere.
//! 2. Points are in order of the time bucket, then of the dimensions as asked for; a group without
//!    rows has no point. Only a count without dimensions is a point of 0 when there is nothing.
//! 3. Answers do not depend on where rows are (QU-1): numbers are sorted before they are added.

mod clause;
mod cost;
mod groups;
mod query;
mod samples;

pub use groups::MetricPoint;
pub use query::{Aggregation, MetricQuery, MetricView};

use crate::database::Database;
use crate::error::Result;

impl Database {
    /// Computes a metric.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::{Aggregation, MetricQuery, MetricView, TraceStart};
    /// for (id, ms) in [("a", 10), ("b", 30)] {
    ///     db.start_trace(&TraceStart::new(id, 0).state("OK").duration_ns(ms * 1_000_000))?;
    /// }
    /// let latency = MetricQuery::new(MetricView::Traces, "latency")
    ///     .aggregations([Aggregation::Avg, Aggregation::Percentile(50.0)]);
    /// let points = db.trace_metrics(&latency)?;
    /// assert_eq!(points[0].values, [("AVG".to_string(), 20.0), ("P50".to_string(), 20.0)]);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for an unknown metric, an aggregation or dimension it does not have, a filter of
    /// another form than `KEY = 'VALUE'`, or an interval without both bounds.
    pub fn trace_metrics(&self, query: &MetricQuery) -> Result<Vec<MetricPoint>> {
        let metric = query.check()?;
        let snapshot = self.reading()?;
        let samples = samples::Samples::read(self, &snapshot, query, metric)?;
        Ok(samples.into_points(query))
    }
}
