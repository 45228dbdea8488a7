//! The rows that a metric is about, as values in groups.
//!
//! A trace's time is its request time. Spans are chosen by the time of their trace, or by their own
//! start when it is about costs, and put into buckets by their own start; assessments have the time
//! of their trace. Times are compared in whole milliseconds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use tracehouse_query::search::Search;
use tracehouse_storage::Snapshot;
use tracehouse_storage::columns::{floats, ints, text, text_at, times};
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::scan::{RowFilter, ScanRequest};
use tracehouse_storage::schema::Table;

use super::clause::Clauses;
use super::cost::{Part, of_attributes};
use super::groups::{Group, GroupKey, MetricPoint, points};
use super::query::{Metric, MetricQuery, MetricView, Source};
use crate::database::Database;
use crate::error::{Error, Result};

const MS_NS: i64 = 1_000_000;
const SECOND_NS: i64 = 1_000_000_000;

/// The values of a metric, in groups.
pub(super) struct Samples<'a> {
    query: &'a MetricQuery,
    metric: &'static Metric,
    clauses: Clauses,
    groups: BTreeMap<GroupKey, Group>,
}

impl<'a> Samples<'a> {
    pub fn read(
        db: &Database,
        snapshot: &Snapshot,
        query: &'a MetricQuery,
        metric: &'static Metric,
    ) -> Result<Self> {
        let clauses = Clauses::parse(&query.filters, query.view)?;
        let mut samples = Self {
            query,
            metric,
            clauses,
            groups: BTreeMap::new(),
        };
        let matching = samples.matching(db, snapshot)?;
        if query.view == MetricView::Traces {
            samples.read_traces(snapshot, matching.as_ref())?;
            return Ok(samples);
        }
        let by_trace_time =
            query.view == MetricView::Assessments || !matches!(metric.source, Source::Cost(_));
        let within = samples.trace_times(snapshot, matching.as_ref(), by_trace_time)?;
        match query.view {
            MetricView::Spans => samples.read_spans(snapshot, &within, !by_trace_time)?,
            _ => samples.read_assessments(snapshot, &within)?,
        }
        Ok(samples)
    }

    pub fn into_points(mut self, query: &MetricQuery) -> Vec<MetricPoint> {
        let is_count = matches!(self.metric.source, Source::Rows | Source::Sessions);
        if self.groups.is_empty()
            && is_count
            && query.dimensions.is_empty()
            && query.interval_seconds.is_none()
        {
            self.groups.insert((None, Vec::new()), Group::default());
        }
        points(self.groups, query)
    }

    /// The traces that the clauses on traces leave; `None` when there are no such clauses.
    fn matching(&self, db: &Database, snapshot: &Snapshot) -> Result<Option<HashSet<TraceKey>>> {
        if self.clauses.trace_filter.is_empty() {
            return Ok(None);
        }
        let mut search = Search::new(self.clauses.trace_filter.clone());
        search.experiments.clone_from(&self.query.experiments);
        Ok(Some(
            db.ids_of(snapshot, &search)?
                .iter()
                .map(|id| TraceKey::of(id))
                .collect(),
        ))
    }

    fn is_in_time(&self, time_ns: i64) -> bool {
        let ms = time_ns.div_euclid(MS_NS);
        self.query.start_ms.is_none_or(|start| ms >= start)
            && self.query.end_ms.is_none_or(|end| ms <= end)
    }

    /// Calls `each` for the rows of `traces` that are looked at.
    fn for_traces(
        &self,
        snapshot: &Snapshot,
        columns: &[&str],
        matching: Option<&HashSet<TraceKey>>,
        each: &mut dyn FnMut(&RecordBatch, usize, TraceKey) -> Result<()>,
    ) -> Result<()> {
        let columns: Vec<&str> = ["trace_id", "experiment_id"]
            .iter()
            .chain(columns)
            .copied()
            .collect();
        for batch in scan(snapshot, Table::Traces, ScanRequest::columns(columns)) {
            let batch = batch?;
            let (ids, scopes) = (text(&batch, "trace_id")?, text(&batch, "experiment_id")?);
            for row in 0..batch.num_rows() {
                let (key, scope) = (TraceKey::of(ids.value(row)), scopes.value(row));
                let experiments = self.query.experiments.as_ref();
                let is_searched =
                    experiments.is_none_or(|known| known.iter().any(|id| id == scope));
                if is_searched && matching.is_none_or(|keys| keys.contains(&key)) {
                    each(&batch, row, key)?;
                }
            }
        }
        Ok(())
    }

    /// The request times of the traces looked at.
    fn trace_times(
        &self,
        snapshot: &Snapshot,
        matching: Option<&HashSet<TraceKey>>,
        in_time: bool,
    ) -> Result<HashMap<TraceKey, i64>> {
        let mut found = HashMap::new();
        self.for_traces(
            snapshot,
            &["request_time"],
            matching,
            &mut |batch, row, key| {
                let time = times(batch, "request_time")?.value(row);
                if !in_time || self.is_in_time(time) {
                    found.insert(key, time);
                }
                Ok(())
            },
        )?;
        Ok(found)
    }

    fn read_traces(
        &mut self,
        snapshot: &Snapshot,
        matching: Option<&HashSet<TraceKey>>,
    ) -> Result<()> {
        let dimensions = self.dimension_columns();
        let mut columns = vec!["request_time"];
        add_columns(&mut columns, &dimensions);
        match self.metric.source {
            Source::Sessions => add_columns(&mut columns, &["session_id"]),
            Source::Latency => add_columns(&mut columns, &["duration_ns"]),
            Source::Column(column) => add_columns(&mut columns, &[column]),
            _ => {}
        }
        let mut groups = std::mem::take(&mut self.groups);
        self.for_traces(snapshot, &columns, matching, &mut |batch, row, _| {
            let time = times(batch, "request_time")?.value(row);
            if self.is_in_time(time) {
                self.add(&mut groups, batch, row, time, &dimensions)?;
            }
            Ok(())
        })?;
        self.groups = groups;
        Ok(())
    }

    fn read_spans(
        &mut self,
        snapshot: &Snapshot,
        within: &HashMap<TraceKey, i64>,
        in_time: bool,
    ) -> Result<()> {
        let dimensions = self.dimension_columns();
        let mut columns = vec!["trace_id", "start_time"];
        add_columns(&mut columns, &dimensions);
        let mut request = ScanRequest::default();
        match self.metric.source {
            Source::Latency => add_columns(&mut columns, &["duration_ns"]),
            Source::Cost(Part::Total) => add_columns(&mut columns, &["cost_usd"]),
            Source::Cost(_) => {
                add_columns(&mut columns, &["attributes"]);
                request.filters.push(with_cost());
            }
            _ => {}
        }
        add_columns(
            &mut columns,
            &self
                .clauses
                .rows
                .iter()
                .map(|(column, _)| *column)
                .collect::<Vec<_>>(),
        );
        request.columns = columns.into_iter().map(str::to_string).collect();
        let mut groups = std::mem::take(&mut self.groups);
        for batch in scan(snapshot, Table::Spans, request) {
            let batch = batch?;
            let (ids, starts) = (text(&batch, "trace_id")?, times(&batch, "start_time")?);
            for row in 0..batch.num_rows() {
                let start = starts.value(row);
                let is_wanted = within.contains_key(&TraceKey::of(ids.value(row)))
                    && (!in_time || self.is_in_time(start))
                    && self.satisfies_clauses(&batch, row)?;
                if is_wanted {
                    self.add(&mut groups, &batch, row, start, &dimensions)?;
                }
            }
        }
        self.groups = groups;
        Ok(())
    }

    fn read_assessments(
        &mut self,
        snapshot: &Snapshot,
        within: &HashMap<TraceKey, i64>,
    ) -> Result<()> {
        let dimensions = self.dimension_columns();
        let request = ScanRequest::columns(["trace_id", "name", "type", "value", "valid"]);
        let mut groups = std::mem::take(&mut self.groups);
        for batch in scan(snapshot, Table::Assessments, request) {
            let batch = batch?;
            let ids = text(&batch, "trace_id")?;
            let valid = batch
                .column_by_name("valid")
                .and_then(|array| array.as_boolean_opt());
            let valid = valid.ok_or_else(|| Error::internal("no boolean column valid"))?;
            for row in 0..batch.num_rows() {
                let Some(time) = within.get(&TraceKey::of(ids.value(row))) else {
                    continue;
                };
                if valid.is_valid(row) && valid.value(row) && self.satisfies_clauses(&batch, row)? {
                    self.add(&mut groups, &batch, row, *time, &dimensions)?;
                }
            }
        }
        self.groups = groups;
        Ok(())
    }

    fn satisfies_clauses(&self, batch: &RecordBatch, row: usize) -> Result<bool> {
        for (column, value) in &self.clauses.rows {
            if text_at(text(batch, column)?, row) != Some(value.as_str()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The columns that hold the dimensions, in order.
    fn dimension_columns(&self) -> Vec<&'static str> {
        let column = |dimension: &String| match dimension.as_str() {
            "trace_status" => "state",
            "span_type" => "span_type",
            "span_status" => "status",
            "span_model_name" => "model",
            "span_model_provider" => "provider",
            "assessment_value" => "value",
            _ => "name",
        };
        self.query.dimensions.iter().map(column).collect()
    }

    /// Adds one row to its group, unless it lacks the metric or a dimension.
    fn add(
        &self,
        groups: &mut BTreeMap<GroupKey, Group>,
        batch: &RecordBatch,
        row: usize,
        time_ns: i64,
        dimensions: &[&str],
    ) -> Result<()> {
        let mut names = Vec::with_capacity(dimensions.len());
        for column in dimensions {
            let Some(name) = text_at(text(batch, column)?, row) else {
                return Ok(());
            };
            names.push(name.to_string());
        }
        let session = match self.metric.source {
            Source::Sessions => text_at(text(batch, "session_id")?, row).map(str::to_string),
            _ => None,
        };
        let number = self.number(batch, row)?;
        if number.is_none() && session.is_none() && self.metric.source != Source::Rows {
            return Ok(());
        }
        let bucket = self.query.interval_seconds.map(|seconds| {
            let second = time_ns.div_euclid(SECOND_NS);
            second.div_euclid(seconds).saturating_mul(seconds)
        });
        let group = groups.entry((bucket, names)).or_default();
        group.count += 1;
        group.numbers.extend(number);
        group.sessions.extend(session);
        Ok(())
    }

    fn number(&self, batch: &RecordBatch, row: usize) -> Result<Option<f64>> {
        let int = |column: &str| -> Result<Option<i64>> {
            let array = ints(batch, column)?;
            Ok(array.is_valid(row).then(|| array.value(row)))
        };
        Ok(match self.metric.source {
            Source::Rows | Source::Sessions => None,
            Source::Latency => int("duration_ns")?.map(|ns| ns.div_euclid(MS_NS) as f64),
            Source::Column(column) => int(column)?.map(|count| count as f64),
            Source::Cost(Part::Total) => {
                let costs = floats(batch, "cost_usd")?;
                costs.is_valid(row).then(|| costs.value(row))
            }
            Source::Cost(part) => {
                text_at(text(batch, "attributes")?, row).and_then(|text| of_attributes(text, part))
            }
            Source::AssessmentValue => text_at(text(batch, "value")?, row).and_then(verdict),
        })
    }
}

fn add_columns<'c>(columns: &mut Vec<&'c str>, more: &[&'c str]) {
    for column in more {
        if !columns.contains(column) {
            columns.push(column);
        }
    }
}

/// Batches of all sources, read when they are asked for.
fn scan(
    snapshot: &Snapshot,
    table: Table,
    request: ScanRequest,
) -> impl Iterator<Item = Result<RecordBatch>> {
    (0..snapshot.source_count()).flat_map(
        move |source| -> Box<dyn Iterator<Item = Result<RecordBatch>>> {
            match snapshot.scan(source, table, &request) {
                Ok(batches) => Box::new(batches.map(|batch| batch.map_err(Error::from))),
                Err(error) => Box::new(std::iter::once(Err(error.into()))),
            }
        },
    )
}

/// Spans that have a cost: the attributes of others need no look.
fn with_cost() -> RowFilter {
    let keep = |batch: &RecordBatch| {
        let costs = floats(batch, "cost_usd")?;
        Ok(BooleanArray::from_iter(
            (0..costs.len()).map(|row| Some(costs.is_valid(row))),
        ))
    };
    RowFilter {
        columns: vec!["cost_usd".into()],
        keep: Arc::new(keep),
    }
}

/// An assessment's value as a number, as MLflow has it: a finite number; true and `yes` are 1, false
/// and `no` are 0.
fn verdict(json: &str) -> Option<f64> {
    match serde_json::from_str(json).ok()? {
        serde_json::Value::Bool(value) => Some(f64::from(u8::from(value))),
        serde_json::Value::Number(_) => json
            .trim()
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite()),
        serde_json::Value::String(word) => match word.trim().to_lowercase().as_str() {
            "yes" => Some(1.0),
            "no" => Some(0.0),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_numbers() {
        for (json, want) in [
            ("true", Some(1.0)),
            ("false", Some(0.0)),
            ("0.5", Some(0.5)),
            ("\" YES \"", Some(1.0)),
            ("\"no\"", Some(0.0)),
            ("\"0.5\"", None),
            ("null", None),
            ("[1]", None),
        ] {
            assert_eq!(verdict(json), want, "{json}");
        }
    }
}
