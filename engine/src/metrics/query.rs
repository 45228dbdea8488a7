//! What to compute, and which metrics, aggregations and dimensions there are.

use crate::error::{Error, Result};

/// Points given unless told otherwise, as in MLflow.
const RESULTS_MAX: usize = 1_000;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricView {
    /// Traces: `trace_count`, `session_count`, `latency`, token counts.
    Traces,
    /// Spans: `span_count`, `latency`, `input_cost`, `output_cost`, `total_cost`.
    Spans,
    /// Valid assessments: `assessment_count`, `assessment_value`.
    Assessments,
}

/// How values become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregation {
    /// How many.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The value below which this part of them lies, 0 to 100, interpolated linearly.
    Percentile(f64),
}

impl Aggregation {
    /// The name of its value in a point: `COUNT`, ..., `P50`, `P99.5`.
    pub fn label(&self) -> String {
        match self {
            Aggregation::Count => "COUNT".into(),
            Aggregation::Sum => "SUM".into(),
            Aggregation::Avg => "AVG".into(),
            Aggregation::Min => "MIN".into(),
            Aggregation::Max => "MAX".into(),
            Aggregation::Percentile(percent) => format!("P{percent}"),
        }
    }
}

/// A metric to compute.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MetricQuery {
    /// What is measured.
    pub view: MetricView,
    /// The metric.
    pub metric: String,
    /// How its values become one; `COUNT` for counts, else `AVG` unless given.
    pub aggregations: Vec<Aggregation>,
    /// What points are told apart by.
    pub dimensions: Vec<String>,
    /// `KEY = 'VALUE'` each; all must hold.
    pub filters: Vec<String>,
    /// Seconds of a time bucket; needs both bounds of time.
    pub interval_seconds: Option<i64>,
    /// First millisecond looked at.
    pub start_ms: Option<i64>,
    /// Last millisecond looked at.
    pub end_ms: Option<i64>,
    /// Most points given.
    pub max_results: usize,
    /// In these experiments; `None` = all.
    pub experiments: Option<Vec<String>>,
}

impl MetricQuery {
    /// A metric over everything.
    pub fn new(view: MetricView, metric: impl Into<String>) -> Self {
        Self {
            view,
            metric: metric.into(),
            aggregations: Vec::new(),
            dimensions: Vec::new(),
            filters: Vec::new(),
            interval_seconds: None,
            start_ms: None,
            end_ms: None,
            max_results: RESULTS_MAX,
            experiments: None,
        }
    }

    /// Computes these aggregations.
    pub fn aggregations(mut self, aggregations: impl IntoIterator<Item = Aggregation>) -> Self {
        self.aggregations = aggregations.into_iter().collect();
        self
    }

    /// Groups by these dimensions.
    pub fn dimensions<S: Into<String>>(mut self, dimensions: impl IntoIterator<Item = S>) -> Self {
        self.dimensions = dimensions.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a filter: `trace.status`, `trace.tag.K`, `trace.metadata.K`; for spans
    /// `span.name`, `span.status`, `span.type`; for assessments `assessment.name`, `assessment.type`.
    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.filters.push(filter.into());
        self
    }

    /// Looks between two milliseconds, both included.
    pub fn between_ms(mut self, start_ms: i64, end_ms: i64) -> Self {
        (self.start_ms, self.end_ms) = (Some(start_ms), Some(end_ms));
        self
    }

    /// Groups into buckets of so many seconds.
    pub fn interval_seconds(mut self, seconds: i64) -> Self {
        self.interval_seconds = Some(seconds);
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

    /// Gives at most so many points.
    pub fn max_results(mut self, count: usize) -> Self {
        self.max_results = count;
        self
    }

    /// The aggregations asked for, else the natural one.
    pub(super) fn aggregations_or_default(&self) -> Vec<Aggregation> {
        let default = if self.metric.ends_with("_count") {
            Aggregation::Count
        } else {
            Aggregation::Avg
        };
        if self.aggregations.is_empty() {
            vec![default]
        } else {
            self.aggregations.clone()
        }
    }

    /// The metric, when everything else goes with it.
    pub(super) fn check(&self) -> Result<&'static Metric> {
        let metrics = || METRICS.iter().filter(|metric| metric.view == self.view);
        let Some(metric) = metrics().find(|metric| metric.name == self.metric) else {
            let names: Vec<&str> = metrics().map(|metric| metric.name).collect();
            return Err(Error::invalid_input(format!(
                "metric {:?}: one of {} expected",
                self.metric,
                names.join(", ")
            )));
        };
        for aggregation in &self.aggregations {
            metric.check_aggregation(aggregation)?;
        }
        for (at, dimension) in self.dimensions.iter().enumerate() {
            if !metric.dimensions.contains(&dimension.as_str()) {
                return Err(Error::invalid_input(format!(
                    "dimension {dimension:?} of metric {}: {} expected",
                    metric.name,
                    one_of(metric.dimensions)
                )));
            }
            if self
                .dimensions
                .iter()
                .take(at)
                .any(|earlier| earlier == dimension)
            {
                return Err(Error::invalid_input(format!(
                    "dimension {dimension:?} is given twice"
                )));
            }
        }
        match self.interval_seconds {
            Some(seconds) if seconds <= 0 => Err(Error::invalid_input(format!(
                "a time interval of {seconds} seconds: more than 0 expected"
            ))),
            Some(_) if self.start_ms.is_none() || self.end_ms.is_none() => Err(
                Error::invalid_input("a time interval needs both a start and an end of time"),
            ),
            _ => Ok(metric),
        }
    }
}

fn one_of(words: &[&str]) -> String {
    if words.is_empty() {
        "none".into()
    } else {
        format!("one of {}", words.join(", "))
    }
}

/// Where a metric's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Each row is one.
    Rows,
    /// Distinct sessions.
    Sessions,
    /// `duration_ns` in whole milliseconds.
    Latency,
    /// An integer column.
    Column(&'static str),
    /// A part of a span's cost.
    Cost(super::cost::Part),
    /// The value of an assessment as a number.
    AssessmentValue,
}

/// One metric.
#[derive(Debug)]
pub(super) struct Metric {
    pub view: MetricView,
    pub name: &'static str,
    pub source: Source,
    is_count: bool,
    has_sum: bool,
    dimensions: &'static [&'static str],
}

impl Metric {
    const fn new(
        view: MetricView,
        name: &'static str,
        source: Source,
        dimensions: &'static [&'static str],
    ) -> Self {
        let is_count = matches!(source, Source::Rows | Source::Sessions);
        let has_sum = matches!(source, Source::Column(_) | Source::Cost(_));
        Self {
            view,
            name,
            source,
            is_count,
            has_sum,
            dimensions,
        }
    }

    fn check_aggregation(&self, aggregation: &Aggregation) -> Result<()> {
        let allowed = match aggregation {
            Aggregation::Count => self.is_count,
            Aggregation::Sum => self.has_sum,
            Aggregation::Percentile(percent) if !(0.0..=100.0).contains(percent) => {
                return Err(Error::invalid_input(format!(
                    "percentile {percent}: 0 to 100 expected"
                )));
            }
            _ => !self.is_count,
        };
        let others = match (self.is_count, self.has_sum) {
            (true, _) => "COUNT",
            (_, true) => "SUM, AVG, MIN, MAX or PERCENTILE",
            _ => "AVG, MIN, MAX or PERCENTILE",
        };
        if allowed {
            return Ok(());
        }
        Err(Error::invalid_input(format!(
            "aggregation {} of metric {}: {others} expected",
            aggregation.label(),
            self.name
        )))
    }
}

const BY_TRACE: &[&str] = &["trace_name"];
const BY_MODEL: &[&str] = &["span_model_name", "span_model_provider"];

static METRICS: [Metric; 15] = {
    use super::cost::Part;
    use MetricView::{Assessments, Spans, Traces};
    use Source::{AssessmentValue, Column, Cost, Latency, Rows, Sessions};
    [
        Metric::new(Traces, "trace_count", Rows, &["trace_name", "trace_status"]),
        Metric::new(Traces, "session_count", Sessions, &[]),
        Metric::new(Traces, "latency", Latency, BY_TRACE),
        Metric::new(Traces, "input_tokens", Column("input_tokens"), BY_TRACE),
        Metric::new(Traces, "output_tokens", Column("output_tokens"), BY_TRACE),
        Metric::new(Traces, "total_tokens", Column("total_tokens"), BY_TRACE),
        Metric::new(
            Traces,
            "cache_read_input_tokens",
            Column("cache_read_input_tokens"),
            BY_TRACE,
        ),
        Metric::new(
            Traces,
            "cache_creation_input_tokens",
            Column("cache_creation_input_tokens"),
            BY_TRACE,
        ),
        Metric::new(
            Spans,
            "span_count",
            Rows,
            &[
                "span_name",
                "span_type",
                "span_status",
                "span_model_name",
                "span_model_provider",
            ],
        ),
        Metric::new(Spans, "latency", Latency, &["span_name", "span_status"]),
        Metric::new(Spans, "input_cost", Cost(Part::Input), BY_MODEL),
        Metric::new(Spans, "output_cost", Cost(Part::Output), BY_MODEL),
        Metric::new(Spans, "total_cost", Cost(Part::Total), BY_MODEL),
        Metric::new(
            Assessments,
            "assessment_count",
            Rows,
            &["assessment_name", "assessment_value"],
        ),
        Metric::new(
            Assessments,
            "assessment_value",
            AssessmentValue,
            &["assessment_name"],
        ),
    ]
};
