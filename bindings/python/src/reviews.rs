//! Review queues. Queues and answers go as dicts.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pythonize::{depythonize, pythonize};
use serde_json::{Map, Value};
use tracehouse::eval::review::{Assignment, ItemKey, LabelSchema};

use crate::call;
use crate::handle::Database;

fn wrong(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn keys(items: &[String]) -> PyResult<Vec<ItemKey>> {
    items
        .iter()
        .map(|item| item.parse().map_err(wrong))
        .collect()
}

/// Makes a queue; `labels` is JSON text, items are `trace:ID`, `span:TRACE/SPAN` or `session:ID`.
#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "keywords of a function of Python"
)]
fn create_review<'py>(
    py: Python<'py>,
    db: &Database,
    name: String,
    labels: &str,
    reviewers: Vec<String>,
    items: Vec<String>,
    answers_per_item: usize,
    round_robin: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let schema = LabelSchema::parse(labels).map_err(wrong)?;
    let (items, assignment) = (keys(&items)?, assignment(answers_per_item, round_robin));
    let added = call::run(py, db.handle()?, move |db| {
        db.create_review(&name, schema, reviewers, items, &assignment)
    })?;
    Ok(pythonize(py, &added)?)
}

/// Adds items to a queue.
#[pyfunction]
fn add_to_review<'py>(
    py: Python<'py>,
    db: &Database,
    name: String,
    items: Vec<String>,
    answers_per_item: usize,
    round_robin: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let (items, assignment) = (keys(&items)?, assignment(answers_per_item, round_robin));
    let added = call::run(py, db.handle()?, move |db| {
        db.add_to_review(&name, items, &assignment)
    })?;
    Ok(pythonize(py, &added)?)
}

fn assignment(answers_per_item: usize, round_robin: bool) -> Assignment {
    match round_robin {
        true => Assignment::RoundRobin { answers_per_item },
        false => Assignment::Open { answers_per_item },
    }
}

#[pyfunction]
fn reviews<'py>(py: Python<'py>, db: &Database) -> PyResult<Bound<'py, PyAny>> {
    let reviews = call::run(py, db.handle()?, tracehouse::Database::reviews)?;
    Ok(pythonize(py, &reviews)?)
}

#[pyfunction]
fn review<'py>(py: Python<'py>, db: &Database, name: String) -> PyResult<Bound<'py, PyAny>> {
    let queue = call::run(py, db.handle()?, move |db| db.review(&name))?;
    Ok(pythonize(py, &queue)?)
}

#[pyfunction]
fn review_next<'py>(
    py: Python<'py>,
    db: &Database,
    name: String,
    reviewer: String,
    lease_seconds: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let next = call::run(py, db.handle()?, move |db| {
        db.review_next(&name, &reviewer, Duration::from_secs(lease_seconds))
    })?;
    Ok(pythonize(py, &next)?)
}

#[pyfunction]
fn review_answer<'py>(
    py: Python<'py>,
    db: &Database,
    name: String,
    item: String,
    reviewer: String,
    answers: &Bound<'py, PyAny>,
    comment: Option<String>,
) -> PyResult<Bound<'py, PyAny>> {
    let key: ItemKey = item.parse().map_err(wrong)?;
    let answers: Map<String, Value> = depythonize(answers)?;
    let answered = call::run(py, db.handle()?, move |db| {
        db.review_answer(&name, &key, &reviewer, &answers, comment)
    })?;
    Ok(pythonize(py, &answered)?)
}

#[pyfunction]
fn review_skip(
    py: Python<'_>,
    db: &Database,
    name: String,
    item: String,
    reviewer: String,
    reason: Option<String>,
) -> PyResult<()> {
    let key: ItemKey = item.parse().map_err(wrong)?;
    call::run(py, db.handle()?, move |db| {
        db.review_skip(&name, &key, &reviewer, reason)
    })
}

#[pyfunction]
fn review_status<'py>(py: Python<'py>, db: &Database, name: String) -> PyResult<Bound<'py, PyAny>> {
    let status = call::run(py, db.handle()?, move |db| db.review_status(&name))?;
    Ok(pythonize(py, &status)?)
}

#[pyfunction]
fn delete_review(py: Python<'_>, db: &Database, name: String) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| db.delete_review(&name))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(create_review, module)?)?;
    module.add_function(wrap_pyfunction!(add_to_review, module)?)?;
    module.add_function(wrap_pyfunction!(reviews, module)?)?;
    module.add_function(wrap_pyfunction!(review, module)?)?;
    module.add_function(wrap_pyfunction!(review_next, module)?)?;
    module.add_function(wrap_pyfunction!(review_answer, module)?)?;
    module.add_function(wrap_pyfunction!(review_skip, module)?)?;
    module.add_function(wrap_pyfunction!(review_status, module)?)?;
    module.add_function(wrap_pyfunction!(delete_review, module)?)
}
