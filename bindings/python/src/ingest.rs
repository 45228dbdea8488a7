//! The way in: imports, and spans that a program makes.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use tracehouse::{CancelToken, ImportOptions, ImportReport, Span};

use crate::handle::Database;
use crate::objects::{self, Class};
use crate::reader::{RaisedInside, Source};
use crate::value::fields;
use crate::{call, errors};

mod spans;

static REPORT: Class = Class::new("tracehouse.reports", "ImportReport");

/// What an import did.
pub(crate) fn report<'py>(py: Python<'py>, report: &ImportReport) -> PyResult<Bound<'py, PyAny>> {
    let dict = fields(py, report)?;
    objects::set_rejected(&dict, &report.rejected)?;
    REPORT.make(&dict)
}

#[pyfunction]
#[pyo3(signature = (db, source, experiment_id, strict, batch_lines, progress))]
fn import_otlp<'py>(
    py: Python<'py>,
    db: &Database,
    source: &Bound<'py, PyAny>,
    experiment_id: String,
    strict: bool,
    batch_lines: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let source = Source::of(source)?;
    let options = ImportOptions::default()
        .experiment_id(experiment_id)
        .strict(strict)
        .batch_lines(batch_lines)
        .name(source.name.clone());
    let (raised, total, read) = (source.raised.clone(), source.total, source.read.clone());
    let inside = raised.clone();
    let imported = call::run(py, db.handle()?, move |db| {
        // One that a function which raised can cancel.
        let token = CancelToken::new();
        let mut tell = |_| {
            let done = read.load(Ordering::Relaxed);
            tell(progress.as_ref(), done, total, (&inside, &token));
        };
        db.with_cancel(token.clone())
            .import(source, &options, &mut tell)
    });
    let imported = raised.before(imported)?;
    report(
        py,
        &refused(imported).map_err(|message| errors::invalid(py, &message))?,
    )
}

/// Tells a Python function how far an import has come. What it raises ends the import.
fn tell(
    progress: Option<&Py<PyAny>>,
    read: u64,
    total: Option<u64>,
    (raised, token): (&RaisedInside, &CancelToken),
) {
    let Some(progress) = progress else { return };
    let told = Python::try_attach(|py| progress.call1(py, (read, total)).map(drop));
    if let Some(Err(error)) = told {
        raised.note(error);
        token.cancel();
    }
}

/// An error for an input that is no traces at all.
fn refused(report: ImportReport) -> Result<ImportReport, String> {
    match report.rejected.first() {
        Some(first) if !report.kept_something() && report.dropped_spans == 0 => {
            let line = first
                .line
                .map(|line| format!(":{line}"))
                .unwrap_or_default();
            let more = report.rejected_count.saturating_sub(1);
            let others = if more > 0 {
                format!(" (and {more} others)")
            } else {
                String::new()
            };
            Err(format!(
                "nothing was kept: {}{line}: {}{others}",
                first.file, first.error
            ))
        }
        _ => Ok(report),
    }
}

#[pyfunction]
fn import_assessments<'py>(
    py: Python<'py>,
    db: &Database,
    source: &Bound<'py, PyAny>,
    strict: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let source = Source::of(source)?;
    let options = ImportOptions::default()
        .strict(strict)
        .name(source.name.clone());
    let raised = source.raised.clone();
    let imported = call::run(py, db.handle()?, move |db| {
        db.import_assessments(source, &options)
    });
    report(py, &raised.before(imported)?)
}

#[pyfunction]
fn append<'py>(
    py: Python<'py>,
    db: &Database,
    given: Vec<Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let read: PyResult<Vec<Span>> = given.iter().map(spans::span).collect();
    let read = read?;
    report(
        py,
        &call::run(py, db.handle()?, move |db| db.append(&read))?,
    )
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(import_otlp, module)?)?;
    module.add_function(wrap_pyfunction!(import_assessments, module)?)?;
    module.add_function(wrap_pyfunction!(append, module)?)
}
