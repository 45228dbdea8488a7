//! Operations on datasets, which are told by their ids: one of the same name that was made later is another one.

use std::collections::BTreeMap;

use serde::Deserialize;
use tracehouse::{
    BuildPlan, Database, Holding, MergeReport, RecordDiff, RecordEdit, Sample, Search,
};

use crate::error::ApiError;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trace {
    trace_id: String,
}

/// The records of datasets that were made of a trace.
pub(super) fn holding(db: &Database, given: Trace) -> Result<Vec<Holding>, ApiError> {
    Ok(db.datasets_holding(&given.trace_id)?)
}

/// What records are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Of {
    Trace,
    Span,
}

/// The traces or spans of which a dataset gets records.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    dataset: String,
    of: Of,
    /// Every trace is not added by an omission.
    filter: String,
    limit: Option<usize>,
    order_by: Option<Vec<String>>,
    experiments: Option<Vec<String>>,
    sample: Option<usize>,
    seed: Option<u64>,
    stratify: Option<String>,
}

impl Source {
    /// What is searched, and the sample that is drawn of it.
    fn parts(self) -> Result<(Search, Option<Sample>), ApiError> {
        if self.sample.is_none() && self.stratify.is_some() {
            return Err(ApiError::bad_request(
                "stratify without sample: say how many, sample=N",
            ));
        }
        let sample = self.sample.map(|count| {
            let mut sample = Sample::new(count, self.seed.unwrap_or_default());
            sample.stratify = self.stratify;
            sample
        });
        let search = Search {
            filter: self.filter,
            limit: self.limit,
            order_by: self.order_by.unwrap_or_default(),
            experiments: self.experiments,
            ..Search::default()
        };
        Ok((search, sample))
    }
}

/// Adds records of traces or spans.
pub(super) fn add(db: &Database, given: Source) -> Result<MergeReport, ApiError> {
    let (dataset, of) = (db.dataset_by_id(&given.dataset)?, given.of);
    let (search, sample) = given.parts()?;
    Ok(match (of, &sample) {
        (Of::Trace, None) => dataset.add_traces(&search)?,
        (Of::Trace, Some(sample)) => dataset.add_sample(&search, sample)?,
        (Of::Span, None) => dataset.add_spans(&search)?,
        (Of::Span, Some(sample)) => dataset.add_span_sample(&search, sample)?,
    })
}

/// Counts what [`add`] would make.
pub(super) fn plan(db: &Database, given: Source) -> Result<BuildPlan, ApiError> {
    let (dataset, of) = (db.dataset_by_id(&given.dataset)?, given.of);
    let (search, sample) = given.parts()?;
    Ok(match of {
        Of::Trace => dataset.plan_traces(&search, sample.as_ref())?,
        Of::Span => dataset.plan_spans(&search, sample.as_ref())?,
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Records {
    dataset: String,
    record_ids: Vec<String>,
    outputs: Option<String>,
    expectations: Option<String>,
    tags: Option<String>,
}

/// Changes records; the number of the new version. `outputs`, `expectations` and `tags` are JSON texts.
pub(super) fn edit_records(db: &Database, given: Records) -> Result<u32, ApiError> {
    let mut edit = RecordEdit::new();
    edit.outputs = given.outputs;
    edit.expectations = given.expectations;
    edit.tags = given.tags;
    let dataset = db.dataset_by_id(&given.dataset)?;
    Ok(dataset.edit_records(&given.record_ids, &edit)?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tags {
    dataset: String,
    tags: BTreeMap<String, Option<String>>,
}

/// Sets tags, and deletes those that are null.
pub(super) fn edit_tags(db: &Database, given: Tags) -> Result<(), ApiError> {
    let edits = given.tags.iter();
    let edits = edits.map(|(key, value)| (key.as_str(), value.as_deref()));
    Ok(db.dataset_by_id(&given.dataset)?.edit_tags(edits)?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Experiments {
    dataset: String,
    experiments: Vec<String>,
}

/// Sets the experiments that a dataset belongs to.
pub(super) fn set_experiments(db: &Database, given: Experiments) -> Result<(), ApiError> {
    let dataset = db.dataset_by_id(&given.dataset)?;
    Ok(dataset.set_experiments(given.experiments)?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Versions {
    dataset: String,
    a: u32,
    b: u32,
}

/// What is different between two versions.
pub(super) fn diff(db: &Database, given: Versions) -> Result<RecordDiff, ApiError> {
    Ok(db.dataset_by_id(&given.dataset)?.diff(given.a, given.b)?)
}
