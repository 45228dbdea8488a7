//! SQL: a statement with its parameters and tables, as a stream of batches.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};
use tracehouse::{CancelToken, SqlQuery, SqlValue};

use crate::given::timeout as given_timeout;
use crate::handle::Database;
use crate::rows::{Rows, Stream};
use crate::{call, errors, tables};

#[pyfunction]
#[pyo3(signature = (db, statement, params, tables, timeout))]
fn sql(
    py: Python<'_>,
    db: &Database,
    statement: String,
    params: Option<Bound<'_, PyAny>>,
    tables: &Bound<'_, PyDict>,
    timeout: Option<f64>,
) -> PyResult<Rows> {
    let query = SqlQuery {
        statement,
        parameters: parameters(params.as_ref())?,
        tables: tables::of(tables)?,
    };
    let handle = db.handle()?;
    let token = CancelToken::new();
    let mut database = handle.database()?.with_cancel(token.clone());
    if let Some(timeout) = given_timeout(py, timeout)? {
        database = database.with_timeout(timeout);
    }
    let started = call::run_until(py, &token, move || database.sql_batches(query))?;
    let batches = started.map_err(|error| errors::raised(py, &error))?;
    Ok(Rows::new(
        Stream::new(batches.schema(), Box::new(batches), token),
        handle,
    ))
}

/// Parameters by name, or by their place from 1 on.
fn parameters(given: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<(String, SqlValue)>> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    if let Ok(given) = given.cast::<PyDict>() {
        return given
            .iter()
            .map(|(name, value)| {
                let name: String = name.extract()?;
                let parameter = parameter(&name, &value)?;
                Ok((name, parameter))
            })
            .collect();
    }
    let list = given.cast::<PyList>()?.iter().enumerate();
    list.map(|(at, value)| {
        let name = (at + 1).to_string();
        let parameter = parameter(&name, &value)?;
        Ok((name, parameter))
    })
    .collect()
}

fn parameter(name: &str, value: &Bound<'_, PyAny>) -> PyResult<SqlValue> {
    if value.is_none() {
        return Ok(SqlValue::Null);
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(SqlValue::Boolean(truth.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        return value.extract().map(SqlValue::Int).map_err(|_| {
            let message = format!("parameter {name} is {value}: whole numbers have 64 bits");
            errors::invalid(value.py(), &message)
        });
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(SqlValue::Float(value.extract()?));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(SqlValue::Text(text.to_str()?.to_string()));
    }
    let kind = value.get_type().name()?.to_string();
    match kind.as_str() {
        "datetime" | "date" | "Timestamp" | "datetime64" => {
            let options = value.py().import("tracehouse._options")?;
            Ok(SqlValue::Time(
                options.call_method1("as_time_ns", (value,))?.extract()?,
            ))
        }
        "Decimal" => Ok(SqlValue::Float(value.extract()?)),
        // Numbers of numpy and the like.
        _ if value.hasattr("item")? => parameter(name, &value.call_method0("item")?),
        _ => Err(PyTypeError::new_err(format!(
            "parameter {name} is a {kind}: None, bool, int, float, str, datetime or date expected"
        ))),
    }
}

#[pyfunction]
fn sql_notices(py: Python<'_>, db: &Database, statement: String) -> PyResult<Vec<String>> {
    call::run(py, db.handle()?, move |db| db.sql_notices(&statement))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(sql, module)?)?;
    module.add_function(wrap_pyfunction!(sql_notices, module)?)
}
