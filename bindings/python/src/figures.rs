//! Figures over many traces: sessions, metrics, correlation.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tracehouse::{Aggregation, MetricPoint, MetricQuery, MetricView, SessionSearch};

use crate::handle::Database;
use crate::objects::{self, Class};
use crate::{call, errors};

static SESSION: Class = Class::new("tracehouse.reports", "Session");
static COMPLETED: Class = Class::new("tracehouse.reports", "CompletedSession");
static POINT: Class = Class::new("tracehouse.reports", "MetricPoint");
static CORRELATION: Class = Class::new("tracehouse.reports", "FilterCorrelation");

#[pyfunction]
#[pyo3(signature = (db, filter, order_by, limit, experiments))]
fn sessions<'py>(
    py: Python<'py>,
    db: &Database,
    filter: String,
    order_by: Option<String>,
    limit: Option<usize>,
    experiments: Option<Vec<String>>,
) -> PyResult<Bound<'py, PyList>> {
    let mut search = SessionSearch::new(filter);
    (search.order_by, search.limit, search.experiments) = (order_by, limit, experiments);
    SESSION.list(
        py,
        &call::run(py, db.handle()?, move |db| db.sessions(&search))?,
    )
}

#[pyfunction]
#[pyo3(signature = (db, session_id, experiments))]
fn session_traces<'py>(
    py: Python<'py>,
    db: &Database,
    session_id: String,
    experiments: Option<Vec<String>>,
) -> PyResult<Bound<'py, PyList>> {
    let rows = call::run(py, db.handle()?, move |db| {
        db.session_traces(&session_id, experiments.as_deref())
    })?;
    let made: PyResult<Vec<_>> = rows.iter().map(|row| objects::info(py, row)).collect();
    PyList::new(py, made?)
}

#[pyfunction]
#[pyo3(signature = (db, experiment_id, last_min_ns, last_max_ns, max_results, filter))]
#[allow(clippy::too_many_arguments)] // Those of the engine.
fn completed_sessions<'py>(
    py: Python<'py>,
    db: &Database,
    experiment_id: String,
    last_min_ns: i64,
    last_max_ns: i64,
    max_results: Option<usize>,
    filter: String,
) -> PyResult<Bound<'py, PyList>> {
    let sessions = call::run(py, db.handle()?, move |db| {
        db.completed_sessions(
            &experiment_id,
            last_min_ns,
            last_max_ns,
            max_results,
            &filter,
        )
    })?;
    COMPLETED.list(py, &sessions)
}

#[pyfunction]
fn metrics<'py>(
    py: Python<'py>,
    db: &Database,
    view: &str,
    metric: String,
    given: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyList>> {
    let view = match view {
        "traces" => MetricView::Traces,
        "spans" => MetricView::Spans,
        "assessments" => MetricView::Assessments,
        _ => {
            let message = format!("view {view:?}: traces, spans or assessments expected");
            return Err(errors::invalid(py, &message));
        }
    };
    let query = metric_query(MetricQuery::new(view, metric), given)?;
    let points = call::run(py, db.handle()?, move |db| db.trace_metrics(&query))?;
    let made: PyResult<Vec<_>> = points.iter().map(|point| metric_point(py, point)).collect();
    PyList::new(py, made?)
}

fn metric_query(mut query: MetricQuery, given: &Bound<'_, PyDict>) -> PyResult<MetricQuery> {
    let member = |name: &str| -> PyResult<Bound<'_, PyAny>> {
        Ok(given
            .get_item(name)?
            .unwrap_or_else(|| given.py().None().into_bound(given.py())))
    };
    let aggregations: Vec<(String, f64)> = member("aggregations")?.extract()?;
    query.aggregations = aggregations
        .iter()
        .map(|(word, percent)| aggregation(word, *percent))
        .collect();
    query.dimensions = member("dimensions")?.extract()?;
    query.filters = member("filters")?.extract()?;
    query.start_ms = member("start_ms")?.extract()?;
    query.end_ms = member("end_ms")?.extract()?;
    query.interval_seconds = member("interval_seconds")?.extract()?;
    query.experiments = member("experiments")?.extract()?;
    query.max_results = member("max_results")?.extract()?;
    Ok(query)
}

/// One of the words that the Python layer lets pass.
fn aggregation(word: &str, percent: f64) -> Aggregation {
    match word {
        "COUNT" => Aggregation::Count,
        "SUM" => Aggregation::Sum,
        "AVG" => Aggregation::Avg,
        "MIN" => Aggregation::Min,
        "MAX" => Aggregation::Max,
        _ => Aggregation::Percentile(percent),
    }
}

fn metric_point<'py>(py: Python<'py>, point: &MetricPoint) -> PyResult<Bound<'py, PyAny>> {
    let (dimensions, values) = (PyDict::new(py), PyDict::new(py));
    for (name, value) in &point.dimensions {
        dimensions.set_item(name, value)?;
    }
    for (name, value) in &point.values {
        values.set_item(name, value)?;
    }
    let dict = PyDict::new(py);
    dict.set_item("metric", &point.metric)?;
    dict.set_item("dimensions", dimensions)?;
    dict.set_item("values", values)?;
    POINT.make(&dict)
}

#[pyfunction]
#[pyo3(signature = (db, a, b, base, experiments))]
fn filter_correlation<'py>(
    py: Python<'py>,
    db: &Database,
    a: String,
    b: String,
    base: String,
    experiments: Option<Vec<String>>,
) -> PyResult<Bound<'py, PyAny>> {
    let correlation = call::run(py, db.handle()?, move |db| {
        db.filter_correlation(experiments.as_deref(), &a, &b, &base)
    })?;
    CORRELATION.of(py, &correlation)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(sessions, module)?)?;
    module.add_function(wrap_pyfunction!(session_traces, module)?)?;
    module.add_function(wrap_pyfunction!(completed_sessions, module)?)?;
    module.add_function(wrap_pyfunction!(metrics, module)?)?;
    module.add_function(wrap_pyfunction!(filter_correlation, module)?)
}
