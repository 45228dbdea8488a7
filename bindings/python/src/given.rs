//! Arguments that several functions take, as the engine has them.

use std::time::Duration;

use pyo3::prelude::*;
use tracehouse::{Sample, Search};

use crate::errors;

/// Filter, order, limit, page token, experiments, offset, timeout in seconds: what a search of Python is.
pub(crate) type GivenSearch = (
    String,
    Vec<String>,
    Option<usize>,
    Option<String>,
    Option<Vec<String>>,
    usize,
    Option<f64>,
);

/// The search.
///
/// # Errors
/// `InvalidInputError` for a negative time.
pub(crate) fn search(py: Python<'_>, given: GivenSearch) -> PyResult<Search> {
    let (filter, order_by, limit, page_token, experiments, offset, timeout_s) = given;
    Ok(Search {
        filter,
        order_by,
        limit,
        offset,
        page_token,
        experiments,
        timeout: timeout(py, timeout_s)?,
        ..Search::default()
    })
}

/// A limit of time.
///
/// # Errors
/// `InvalidInputError` for a negative one.
pub(crate) fn timeout(py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let wrong = |seconds| {
        errors::invalid(
            py,
            &format!("timeout {seconds}: seconds, 0 or more, expected"),
        )
    };
    seconds
        .map(|seconds| Duration::try_from_secs_f64(seconds).map_err(|_| wrong(seconds)))
        .transpose()
}

/// Count, seed, key to stratify by, quotas, whether of a session the newest alone counts: what a sample of Python is.
pub(crate) type GivenSample = (
    Option<usize>,
    u64,
    Option<String>,
    Vec<(Option<String>, usize)>,
    bool,
);

/// A sample.
pub(crate) fn sample(given: GivenSample) -> Sample {
    let mut sample = Sample::all(given.1);
    (sample.count, sample.stratify, sample.quotas) = (given.0, given.2, given.3);
    sample.newest_per_session = given.4;
    sample
}
