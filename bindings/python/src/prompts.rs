//! Prompts: versions, aliases, and what traces say of them. Versions go as dicts.

use std::collections::BTreeMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pythonize::{depythonize, pythonize};
use serde_json::{Map, Value};
use tracehouse::eval::prompt::{NewVersion, PromptContent, PromptVersion, diff};

use crate::call;
use crate::handle::Database;

/// Stores the next version; `content` is the text of a template, or JSON as a template's file has it.
#[pyfunction]
fn register_prompt<'py>(
    py: Python<'py>,
    db: &Database,
    name: String,
    content: &str,
    message: Option<String>,
    tags: BTreeMap<String, String>,
) -> PyResult<Bound<'py, PyAny>> {
    let content = PromptContent::parse(content).map_err(wrong)?;
    let mut new = NewVersion::new(content);
    (new.commit_message, new.tags) = (message, tags);
    let version = call::run(py, db.handle()?, move |db| db.register_prompt(&name, new))?;
    made(py, &version)
}

fn wrong(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn made<'py>(py: Python<'py>, version: &PromptVersion) -> PyResult<Bound<'py, PyAny>> {
    let made = pythonize(py, version)?;
    made.set_item("variables", version.content.template().variables())?;
    Ok(made)
}

#[pyfunction]
fn load_prompt<'py>(py: Python<'py>, db: &Database, uri: String) -> PyResult<Bound<'py, PyAny>> {
    let version = call::run(py, db.handle()?, move |db| db.load_prompt(&uri))?;
    made(py, &version)
}

/// The template of a version with values in it: a text, or a list of messages.
#[pyfunction]
fn format_prompt<'py>(
    py: Python<'py>,
    version: &Bound<'py, PyAny>,
    values: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let version: PromptVersion = depythonize(version)?;
    let values: Map<String, Value> = depythonize(values)?;
    let rendered = version.content.template().format(&values).map_err(wrong)?;
    Ok(pythonize(py, &rendered)?)
}

#[pyfunction]
fn prompts<'py>(py: Python<'py>, db: &Database) -> PyResult<Bound<'py, PyAny>> {
    let prompts = call::run(py, db.handle()?, tracehouse::Database::prompts)?;
    Ok(pythonize(py, &prompts)?)
}

#[pyfunction]
fn prompt_versions<'py>(
    py: Python<'py>,
    db: &Database,
    name: String,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let versions = call::run(py, db.handle()?, move |db| db.prompt_versions(&name))?;
    versions.iter().map(|version| made(py, version)).collect()
}

#[pyfunction]
fn prompt_diff(py: Python<'_>, db: &Database, name: String, a: u32, b: u32) -> PyResult<String> {
    let uri = |version: u32| format!("prompts:/{name}/{version}");
    let (uri_a, uri_b) = (uri(a), uri(b));
    let (from, to) = call::run(py, db.handle()?, move |db| {
        Ok((db.load_prompt(&uri_a)?, db.load_prompt(&uri_b)?))
    })?;
    let changes = diff(&from.content, &to.content);
    Ok(changes.unified(&format!("{name}/{a}"), &format!("{name}/{b}"), 3))
}

#[pyfunction]
fn prompt_stats<'py>(py: Python<'py>, db: &Database, name: String) -> PyResult<Bound<'py, PyAny>> {
    let stats = call::run(py, db.handle()?, move |db| db.prompt_stats(&name))?;
    Ok(pythonize(py, &stats)?)
}

/// Lets an alias name a version, or takes it away.
#[pyfunction]
fn set_prompt_alias(
    py: Python<'_>,
    db: &Database,
    name: String,
    alias: String,
    version: Option<u32>,
) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| match version {
        Some(version) => db.set_prompt_alias(&name, &alias, version),
        None => db.delete_prompt_alias(&name, &alias),
    })
}

/// Sets a tag of a prompt, or takes it away.
#[pyfunction]
fn set_prompt_tag(
    py: Python<'_>,
    db: &Database,
    name: String,
    key: String,
    value: Option<String>,
) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| match value {
        Some(value) => db.set_prompt_tag(&name, &key, &value),
        None => db.delete_prompt_tag(&name, &key),
    })
}

/// Deletes a version, or the prompt with all of them.
#[pyfunction]
fn delete_prompt(
    py: Python<'_>,
    db: &Database,
    name: String,
    version: Option<u32>,
) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| match version {
        Some(version) => db.delete_prompt_version(&name, version),
        None => db.delete_prompt(&name),
    })
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(register_prompt, module)?)?;
    module.add_function(wrap_pyfunction!(load_prompt, module)?)?;
    module.add_function(wrap_pyfunction!(format_prompt, module)?)?;
    module.add_function(wrap_pyfunction!(prompts, module)?)?;
    module.add_function(wrap_pyfunction!(prompt_versions, module)?)?;
    module.add_function(wrap_pyfunction!(prompt_diff, module)?)?;
    module.add_function(wrap_pyfunction!(prompt_stats, module)?)?;
    module.add_function(wrap_pyfunction!(set_prompt_alias, module)?)?;
    module.add_function(wrap_pyfunction!(set_prompt_tag, module)?)?;
    module.add_function(wrap_pyfunction!(delete_prompt, module)?)
}
