//! Tables that Python gives: anything with an Arrow stream, lists of dictionaries, paths of files.
//!
//! A table is read whole before the statement runs. Streams are asked with the interpreter released: they take it
//! themselves where they need it.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use pyo3_arrow::input::AnyRecordBatch;
use tracehouse::{SqlTable, read_table};

use crate::errors;
use crate::reader::Source;

/// The tables of a dictionary, by name.
///
/// # Errors
/// `InvalidInputError` naming the table that cannot be read, `TypeError` for what is none.
pub(crate) fn of(given: &Bound<'_, PyDict>) -> PyResult<Vec<(String, SqlTable)>> {
    let mut tables = Vec::with_capacity(given.len());
    for (name, value) in given {
        let name: String = name.extract()?;
        let table = table(&name, &value)?;
        tables.push((name, table));
    }
    Ok(tables)
}

fn table(name: &str, given: &Bound<'_, PyAny>) -> PyResult<SqlTable> {
    if is_arrow(given)? {
        return arrow_table(name, given);
    }
    if given.is_instance_of::<PyString>() || given.hasattr("__fspath__")? {
        return file(name, given);
    }
    if given.is_instance_of::<PyList>() || given.is_instance_of::<PyDict>() {
        return json(name, given);
    }
    let kind = given.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "table {name} is a {kind}: a DataFrame, an Arrow table, a list of dictionaries or a path expected"
    )))
}

/// Whether it has an Arrow stream or array.
pub(crate) fn is_arrow(given: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(given.hasattr("__arrow_c_stream__")? || given.hasattr("__arrow_c_array__")?)
}

/// All rows of something with an Arrow stream or array.
///
/// # Errors
/// `InvalidInputError` naming the table when its stream fails; what the object raises.
pub(crate) fn arrow_table(name: &str, given: &Bound<'_, PyAny>) -> PyResult<SqlTable> {
    let py = given.py();
    let reader = given.extract::<AnyRecordBatch>()?.into_reader()?;
    let read = py.detach(move || {
        let schema = reader.schema();
        let batches = reader.collect::<Result<Vec<RecordBatch>, ArrowError>>()?;
        Ok(SqlTable { schema, batches })
    });
    read.map_err(|error: ArrowError| {
        errors::invalid(py, &format!("table {name} cannot be read: {error}"))
    })
}

fn file(name: &str, given: &Bound<'_, PyAny>) -> PyResult<SqlTable> {
    let path: PathBuf = given.extract()?;
    let source = Source::of(given)?;
    let shown = path.display().to_string();
    let read = given.py().detach(move || read_table(&path, source));
    read.map_err(|error| {
        errors::of_kind(
            given.py(),
            error.kind(),
            &format!("table {name}: {shown}: {error}"),
        )
    })
}

/// A list of dictionaries, or a dictionary of lists, by way of JSON.
fn json(name: &str, given: &Bound<'_, PyAny>) -> PyResult<SqlTable> {
    let options = given.py().import("tracehouse._options")?;
    let text: String = options.call_method1("rows_json", (given,))?.extract()?;
    let read = given
        .py()
        .detach(move || read_table(Path::new("rows.json"), Cursor::new(text)));
    read.map_err(|error| {
        errors::of_kind(given.py(), error.kind(), &format!("table {name}: {error}"))
    })
}
