//! Care of a database: figures, sealing and merging, checks, copies, retention, redaction, prices.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tracehouse::{
    CancelToken, CheckReport, Price, PriceRow, Prices, Redaction, RepairReport, Retention,
};

use crate::handle::Database;
use crate::objects::Class;
use crate::value::fields;
use crate::{call, errors};

static STATS: Class = Class::new("tracehouse.reports", "Stats");
static COMPACTED: Class = Class::new("tracehouse.reports", "Compacted");
static CHECK: Class = Class::new("tracehouse.reports", "CheckReport");
static FINDING: Class = Class::new("tracehouse.reports", "Finding");
static REPAIR: Class = Class::new("tracehouse.reports", "RepairReport");
static BACKUP: Class = Class::new("tracehouse.reports", "BackupReport");
static RETENTION: Class = Class::new("tracehouse.reports", "RetentionReport");
static REDACTION: Class = Class::new("tracehouse.reports", "Redaction");
static PRICE: Class = Class::new("tracehouse.reports", "Price");

#[pyfunction]
fn stats<'py>(py: Python<'py>, db: &Database) -> PyResult<Bound<'py, PyAny>> {
    STATS.of(
        py,
        &call::run(py, db.handle()?, tracehouse::Database::stats)?,
    )
}

#[pyfunction]
fn refresh(py: Python<'_>, db: &Database) -> PyResult<bool> {
    call::run(py, db.handle()?, tracehouse::Database::refresh)
}

#[pyfunction]
fn seal(py: Python<'_>, db: &Database) -> PyResult<()> {
    call::run(py, db.handle()?, tracehouse::Database::seal)
}

#[pyfunction]
fn compact<'py>(py: Python<'py>, db: &Database) -> PyResult<Bound<'py, PyAny>> {
    COMPACTED.of(
        py,
        &call::run(py, db.handle()?, tracehouse::Database::compact)?,
    )
}

#[pyfunction]
fn index_text(py: Python<'_>, db: &Database) -> PyResult<usize> {
    call::run(py, db.handle()?, tracehouse::Database::index_text)
}

#[pyfunction]
fn settle(py: Python<'_>, db: &Database) -> PyResult<u64> {
    call::run(py, db.handle()?, tracehouse::Database::settle)
}

fn check_report<'py>(py: Python<'py>, report: &CheckReport) -> PyResult<Bound<'py, PyAny>> {
    let dict = fields(py, report)?;
    dict.set_item("is_clean", report.is_clean())?;
    dict.set_item("findings", FINDING.list(py, &report.findings)?)?;
    CHECK.make(&dict)
}

#[pyfunction]
fn check<'py>(py: Python<'py>, db: &Database, deep: bool) -> PyResult<Bound<'py, PyAny>> {
    check_report(py, &call::run(py, db.handle()?, move |db| db.check(deep))?)
}

/// Does work that has no database and cannot be cancelled.
fn run_free<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> tracehouse::Result<T> + Send + 'static,
) -> PyResult<T> {
    call::run_until(py, &CancelToken::new(), work)?.map_err(|error| errors::raised(py, &error))
}

#[pyfunction]
fn check_path<'py>(py: Python<'py>, path: String, deep: bool) -> PyResult<Bound<'py, PyAny>> {
    check_report(py, &run_free(py, move || tracehouse::check(path, deep))?)
}

#[pyfunction]
fn repair_path<'py>(py: Python<'py>, path: String, apply: bool) -> PyResult<Bound<'py, PyAny>> {
    let report: RepairReport = run_free(py, move || tracehouse::repair(path, apply))?;
    let dict = fields(py, &report)?;
    dict.set_item("before", check_report(py, &report.before)?)?;
    if let Some(after) = &report.after {
        dict.set_item("after", check_report(py, after)?)?;
    }
    REPAIR.make(&dict)
}

#[pyfunction]
fn backup<'py>(py: Python<'py>, db: &Database, path: String) -> PyResult<Bound<'py, PyAny>> {
    BACKUP.of(py, &call::run(py, db.handle()?, move |db| db.backup(path))?)
}

#[pyfunction]
fn backup_path<'py>(py: Python<'py>, path: String, copy: String) -> PyResult<Bound<'py, PyAny>> {
    let token = CancelToken::new();
    let until = token.clone();
    let copied = call::run_until(py, &token, move || {
        tracehouse::backup_until(path, copy, until)
    })?;
    BACKUP.of(py, &copied.map_err(|error| errors::raised(py, &error))?)
}

#[pyfunction]
fn export_parquet(
    py: Python<'_>,
    db: &Database,
    folder: String,
    filter: String,
) -> PyResult<BTreeMap<String, u64>> {
    call::run(py, db.handle()?, move |db| {
        db.export_parquet(folder, &filter)
    })
}

#[pyfunction]
fn retain<'py>(
    py: Python<'py>,
    db: &Database,
    rules: Vec<Bound<'py, PyDict>>,
    dry_run: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let rules: PyResult<Vec<Retention>> = rules.iter().map(retention).collect();
    let rules = rules?;
    let report = call::run(py, db.handle()?, move |db| db.retain(&rules, dry_run))?;
    RETENTION.of(py, &report)
}

fn retention(given: &Bound<'_, PyDict>) -> PyResult<Retention> {
    let mut rule = Retention::new();
    for (name, value) in given {
        let name: String = name.extract()?;
        match name.as_str() {
            "experiment_id" => rule.experiment = value.extract()?,
            "max_age_ms" => rule.max_age_ms = value.extract()?,
            "max_traces" => rule.max_traces = value.extract()?,
            "max_bytes" => rule.max_bytes = value.extract()?,
            _ => {
                let expected = "experiment_id, max_age_ms, max_traces or max_bytes expected";
                let message = format!("a retention rule has {name:?}: {expected}");
                return Err(errors::invalid(given.py(), &message));
            }
        }
    }
    Ok(rule)
}

#[pyfunction]
fn redaction<'py>(py: Python<'py>, db: &Database) -> PyResult<Bound<'py, PyAny>> {
    let setting = call::run(py, db.handle()?, |db| Ok(db.redaction()))?;
    let dict = fields(py, &setting)?;
    let rules = PyDict::new(py);
    for rule in &setting.rules {
        rules.set_item(&rule.name, &rule.pattern)?;
    }
    dict.set_item("rules", rules)?;
    REDACTION.make(&dict)
}

#[pyfunction]
fn set_redaction(py: Python<'_>, db: &Database, given: &Bound<'_, PyDict>) -> PyResult<()> {
    let mut setting = Redaction::none();
    for (name, value) in given {
        let name: String = name.extract()?;
        match name.as_str() {
            "names" => setting.names = value.extract()?,
            "secrets" => setting.secrets = value.extract()?,
            "emails" => setting.emails = value.extract()?,
            "cards" => setting.cards = value.extract()?,
            "deny" => setting.deny = value.extract()?,
            "allow" => setting.allow = value.extract()?,
            "callback" => setting.callback = value.extract()?,
            "rules" => {
                for (name, pattern) in value.cast::<PyDict>()? {
                    setting = setting.rule(name.extract::<String>()?, pattern.extract::<String>()?);
                }
            }
            _ => return Err(errors::invalid(py, &format!("redaction has no {name:?}"))),
        }
    }
    call::run(py, db.handle()?, move |db| db.set_redaction(setting))
}

fn price<'py>(py: Python<'py>, row: &PriceRow) -> PyResult<Bound<'py, PyAny>> {
    let dict = PyDict::new(py);
    dict.set_item("model", &row.model)?;
    dict.set_item("input", row.price.input)?;
    dict.set_item("output", row.price.output)?;
    dict.set_item("cache_read", row.price.cache_read)?;
    dict.set_item("cache_write", row.price.cache_write)?;
    dict.set_item("is_seed", row.is_seed)?;
    dict.set_item("date", &row.date)?;
    PRICE.make(&dict)
}

#[pyfunction]
fn prices<'py>(py: Python<'py>, db: &Database) -> PyResult<Bound<'py, PyList>> {
    let rows = call::run(py, db.handle()?, |db| Ok(db.price_list()))?;
    let made: PyResult<Vec<_>> = rows.iter().map(|row| price(py, row)).collect();
    PyList::new(py, made?)
}

#[pyfunction]
#[pyo3(signature = (db, model, input, output, cache_read, cache_write))]
fn set_price(
    py: Python<'_>,
    db: &Database,
    model: String,
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
) -> PyResult<()> {
    let price = Price::new(input, output).cache(cache_read, cache_write);
    change_prices(py, db, move |prices| prices.set(&model, price))
}

#[pyfunction]
fn remove_price(py: Python<'_>, db: &Database, model: String) -> PyResult<()> {
    change_prices(py, db, move |prices| prices.remove(&model))
}

#[pyfunction]
fn reset_prices(py: Python<'_>, db: &Database, enabled: bool) -> PyResult<()> {
    change_prices(py, db, move |prices| prices.seed().enabled(enabled))
}

fn change_prices(
    py: Python<'_>,
    db: &Database,
    change: impl FnOnce(Prices) -> Prices + Send + 'static,
) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| {
        db.set_prices(change(db.prices()))
    })
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(stats, module)?)?;
    module.add_function(wrap_pyfunction!(refresh, module)?)?;
    module.add_function(wrap_pyfunction!(seal, module)?)?;
    module.add_function(wrap_pyfunction!(compact, module)?)?;
    module.add_function(wrap_pyfunction!(index_text, module)?)?;
    module.add_function(wrap_pyfunction!(settle, module)?)?;
    module.add_function(wrap_pyfunction!(check, module)?)?;
    module.add_function(wrap_pyfunction!(check_path, module)?)?;
    module.add_function(wrap_pyfunction!(repair_path, module)?)?;
    module.add_function(wrap_pyfunction!(backup, module)?)?;
    module.add_function(wrap_pyfunction!(backup_path, module)?)?;
    module.add_function(wrap_pyfunction!(export_parquet, module)?)?;
    module.add_function(wrap_pyfunction!(retain, module)?)?;
    module.add_function(wrap_pyfunction!(redaction, module)?)?;
    module.add_function(wrap_pyfunction!(set_redaction, module)?)?;
    module.add_function(wrap_pyfunction!(prices, module)?)?;
    module.add_function(wrap_pyfunction!(set_price, module)?)?;
    module.add_function(wrap_pyfunction!(remove_price, module)?)?;
    module.add_function(wrap_pyfunction!(reset_prices, module)?)
}
