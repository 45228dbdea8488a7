//! Settings as a dictionary: the names that SQL's `settings()` lists, and `memory_limit`.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use tracehouse::{Overload, Settings};

use crate::errors;

const NAMES: &str = "memory_limit, flush_bytes_max, cache_bytes_max, query_bytes_max, dataset_bytes_max, open_files_max, \
                     wal_bytes_max, segments_max, disk_reserve_bytes, overload, query_timeout_ms, span_bytes_max, threads, \
                     index_text, background, settle_after_s";

/// The settings of a dictionary over the default ones.
///
/// # Errors
/// `InvalidInputError` for a name that there is not, `TypeError` for a value of another type.
pub(crate) fn of(given: &Bound<'_, PyDict>) -> PyResult<Settings> {
    let mut settings = Settings::default();
    // The budget is divided first; a part that is named has its own size.
    if let Some(bytes) = given.get_item("memory_limit")? {
        settings = settings.memory(bytes.extract()?);
    }
    for (name, value) in given {
        let name: String = name.extract()?;
        set(&mut settings, &name, &value)
            .map_err(|error| named(given.py(), &name, &value, error))?;
    }
    Ok(settings)
}

fn named(py: Python<'_>, name: &str, value: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<pyo3::exceptions::PyTypeError>(py)
        && !error.is_instance_of::<pyo3::exceptions::PyOverflowError>(py)
    {
        return error;
    }
    errors::invalid(py, &format!("setting {name} is {value}: {error}"))
}

fn set(settings: &mut Settings, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    match name {
        "memory_limit" => {}
        "flush_bytes_max" => settings.flush_bytes_max = value.extract()?,
        "cache_bytes_max" => settings.cache_bytes_max = value.extract()?,
        "query_bytes_max" => settings.query_bytes_max = value.extract()?,
        "dataset_bytes_max" => settings.dataset_bytes_max = value.extract()?,
        "open_files_max" => settings.open_files_max = value.extract()?,
        "wal_bytes_max" => settings.wal_bytes_max = value.extract()?,
        "segments_max" => settings.segments_max = value.extract()?,
        "disk_reserve_bytes" => settings.disk_reserve_bytes = value.extract()?,
        "overload" => settings.overload = overload(value)?,
        "query_timeout_ms" => settings.query_timeout_ms = value.extract()?,
        "span_bytes_max" => settings.span_bytes_max = value.extract()?,
        "threads" => settings.threads = value.extract()?,
        "index_text" => settings.index_text = value.extract()?,
        "background" => settings.background = value.extract()?,
        "settle_after_s" => settings.settle_after = Duration::from_secs(value.extract()?),
        _ => {
            let message = format!("setting {name:?}: one of {NAMES} expected");
            return Err(errors::invalid(value.py(), &message));
        }
    }
    Ok(())
}

/// `"wait"`, or `("refuse", milliseconds)` or `("drop", milliseconds)`.
fn overload(value: &Bound<'_, PyAny>) -> PyResult<Overload> {
    if let Ok((word, after_ms)) = value.extract::<(String, u64)>() {
        match word.as_str() {
            "refuse" => return Ok(Overload::Refuse { after_ms }),
            "drop" => return Ok(Overload::Drop { after_ms }),
            _ => {}
        }
    }
    match value.extract::<String>() {
        Ok(word) if word == "wait" => Ok(Overload::Wait),
        _ => {
            let expected = r#""wait", ("refuse", MILLISECONDS) or ("drop", MILLISECONDS) expected"#;
            Err(errors::invalid(
                value.py(),
                &format!("setting overload is {value}: {expected}"),
            ))
        }
    }
}
