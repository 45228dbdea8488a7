//! Finding traces: by filter, by text, by id.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tracehouse::{ErrorKind, Search, Table, TextHit, TextSearch};

use crate::given::{GivenSearch, search as given_search, timeout as given_timeout};
use crate::handle::Database;
use crate::objects::{self, Class};
use crate::rows::Rows;
use crate::{call, errors};

static HIT: Class = Class::new("tracehouse.reports", "TextHit");

/// What of a page of traces is read.
enum Page {
    Bare(tracehouse::SharedPage),
    Whole(Vec<tracehouse::Trace>, Option<String>),
}

#[pyfunction]
fn search<'py>(
    py: Python<'py>,
    db: &Database,
    search: GivenSearch,
    include_spans: bool,
) -> PyResult<(Bound<'py, PyList>, Option<String>)> {
    let search = given_search(py, search)?;
    let page = call::run(py, db.handle()?, move |db| page(db, &search, include_spans))?;
    let (traces, token): (PyResult<Vec<_>>, _) = match page {
        Page::Bare(page) => {
            let rows = page.traces.iter().map(|row| objects::bare_trace(py, row));
            (rows.collect(), page.next_page_token)
        }
        Page::Whole(traces, token) => (
            traces
                .iter()
                .map(|trace| objects::trace(py, trace))
                .collect(),
            token,
        ),
    };
    Ok((PyList::new(py, traces?)?, token))
}

fn page(
    db: &tracehouse::Database,
    search: &Search,
    include_spans: bool,
) -> tracehouse::Result<Page> {
    if !include_spans {
        return Ok(Page::Bare(db.search_shared(search)?));
    }
    let page = db.search_shared(search)?;
    let db = match search.timeout {
        Some(timeout) => db.with_timeout(timeout),
        None => db.clone(),
    };
    let mut traces = Vec::with_capacity(page.traces.len());
    for row in &page.traces {
        match db.get_trace(&row.trace_id) {
            Ok(trace) => traces.push(trace),
            // It was deleted since.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Page::Whole(traces, page.next_page_token))
}

#[pyfunction]
fn search_ids(py: Python<'_>, db: &Database, search: GivenSearch) -> PyResult<Vec<String>> {
    let search = given_search(py, search)?;
    call::run(py, db.handle()?, move |db| {
        limited(db, search.timeout).search_trace_ids(&search)
    })
}

#[pyfunction]
fn count(py: Python<'_>, db: &Database, search: GivenSearch) -> PyResult<u64> {
    let search = given_search(py, search)?;
    call::run(py, db.handle()?, move |db| {
        limited(db, search.timeout).count_traces(&search)
    })
}

fn limited(db: &tracehouse::Database, timeout: Option<Duration>) -> tracehouse::Database {
    timeout.map_or_else(|| db.clone(), |timeout| db.with_timeout(timeout))
}

#[pyfunction]
fn explain(py: Python<'_>, db: &Database, search: GivenSearch, analyze: bool) -> PyResult<String> {
    let search = given_search(py, search)?.explain(true).analyze(analyze);
    let page = call::run(py, db.handle()?, move |db| db.search_shared(&search))?;
    Ok(page
        .explain
        .map(|explain| explain.to_string())
        .unwrap_or_default())
}

#[pyfunction]
fn notices(py: Python<'_>, db: &Database, filter: String) -> PyResult<Vec<String>> {
    call::run(py, db.handle()?, move |db| {
        db.notices(&Search::new(filter), false)
    })
}

#[pyfunction]
#[pyo3(signature = (db, query, r#where, limit, by_trace, timeout))]
fn search_text<'py>(
    py: Python<'py>,
    db: &Database,
    query: String,
    r#where: Option<String>,
    limit: usize,
    by_trace: bool,
    timeout: Option<f64>,
) -> PyResult<Bound<'py, PyList>> {
    let search = TextSearch {
        query,
        filter: r#where.map(Search::new),
        limit,
        by_trace,
        timeout: given_timeout(py, timeout)?,
        cancel: None,
    };
    let hits = call::run(py, db.handle()?, move |db| db.text_search(search))?;
    let made: PyResult<Vec<_>> = hits.iter().map(|hit| text_hit(py, hit)).collect();
    PyList::new(py, made?)
}

fn text_hit<'py>(py: Python<'py>, hit: &TextHit) -> PyResult<Bound<'py, PyAny>> {
    let dict = PyDict::new(py);
    dict.set_item("trace_id", &hit.trace_id)?;
    dict.set_item("span_id", &hit.span_id)?;
    dict.set_item("field", &hit.field)?;
    dict.set_item("score", hit.score)?;
    dict.set_item("snippet", &hit.snippet)?;
    dict.set_item("start_time_ns", hit.start_time_ns)?;
    // Bytes of UTF-8 are no places in a Python text.
    let chars = |at: usize| {
        hit.snippet
            .get(..at)
            .map_or(0, |before| before.chars().count())
    };
    let ranges = hit
        .highlights
        .iter()
        .map(|range| (chars(range.start), chars(range.end)));
    dict.set_item("highlights", ranges.collect::<Vec<_>>())?;
    HIT.make(&dict)
}

#[pyfunction]
fn get_trace<'py>(py: Python<'py>, db: &Database, trace_id: String) -> PyResult<Bound<'py, PyAny>> {
    let trace = call::run(py, db.handle()?, move |db| db.get_trace(&trace_id))?;
    objects::trace(py, &trace)
}

#[pyfunction]
fn get_trace_info<'py>(
    py: Python<'py>,
    db: &Database,
    trace_id: String,
) -> PyResult<Bound<'py, PyAny>> {
    let row = call::run(py, db.handle()?, move |db| db.get_trace_info(&trace_id))?;
    objects::info(py, &row)
}

#[pyfunction]
fn find_trace_id(py: Python<'_>, db: &Database, beginning: String) -> PyResult<String> {
    call::run(py, db.handle()?, move |db| db.find_trace_id(&beginning))
}

/// The rows of traces in a table, with the columns that SQL shows.
#[pyfunction]
fn trace_rows(
    py: Python<'_>,
    db: &Database,
    table: &str,
    trace_ids: Vec<String>,
) -> PyResult<Rows> {
    let known = Table::ALL.into_iter().find(|known| known.name() == table);
    let table = known.ok_or_else(|| {
        errors::invalid(
            py,
            &format!("table {table:?}: traces, spans or assessments expected"),
        )
    })?;
    let batches = call::run(py, db.handle()?, move |db| {
        trace_ids
            .iter()
            .map(|id| db.trace_rows(table, id))
            .collect::<tracehouse::Result<Vec<_>>>()
    })?;
    Ok(Rows::of_batches(
        table.public_schema(),
        batches,
        db.handle()?,
    ))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(search, module)?)?;
    module.add_function(wrap_pyfunction!(search_ids, module)?)?;
    module.add_function(wrap_pyfunction!(count, module)?)?;
    module.add_function(wrap_pyfunction!(explain, module)?)?;
    module.add_function(wrap_pyfunction!(notices, module)?)?;
    module.add_function(wrap_pyfunction!(search_text, module)?)?;
    module.add_function(wrap_pyfunction!(get_trace, module)?)?;
    module.add_function(wrap_pyfunction!(get_trace_info, module)?)?;
    module.add_function(wrap_pyfunction!(find_trace_id, module)?)?;
    module.add_function(wrap_pyfunction!(trace_rows, module)?)
}
