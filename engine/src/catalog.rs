//! The catalogue of a database: its dataset versions, and how they look in SQL.
//!
//! Changes take the one lock in here (DS-3). Reading takes none: a version's file never changes, so
//! what was decoded of it is kept while there is room.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use tracehouse_query::filter;
use tracehouse_query::predicate::DatasetTraces;
use tracehouse_query::search::Search;
use tracehouse_storage::columns::text;
use tracehouse_storage::{Snapshot, Store};

use crate::database::Database;
use crate::dataset::{Version, newest, readable_texts, record_schema};
use crate::error::{Error, ErrorKind, Result};

/// The key by which a filter asks for the traces of datasets.
const DATASET_KEY: &[u8] = b"dataset";

/// What reading and changing the catalogue shares.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// Decoded records are kept up to this size.
    bytes_max: usize,
    changes: Mutex<()>,
    /// The evaluation runs that are being carried out.
    pub(crate) running: Mutex<BTreeSet<String>>,
    /// Records of versions, by file.
    decoded: Mutex<BTreeMap<String, RecordBatch>>,
}

impl Catalog {
    /// A catalogue of which up to `bytes_max` bytes are kept decoded.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            ..Self::default()
        }
    }

    /// Keeps every other change of the catalogue waiting.
    pub fn lock_changes(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The records of a version, with the stored columns.
    ///
    /// # Errors
    /// `NotFound` when the dataset was deleted meanwhile, `Corrupt` or `Io` from its file.
    pub fn read(&self, store: &Store, version: &Version) -> Result<RecordBatch> {
        if version.info.record_count == 0 {
            return Ok(RecordBatch::new_empty(record_schema()));
        }
        let name = &version.file.name;
        if let Some(batch) = self.decoded().get(name) {
            return Ok(batch.clone());
        }
        let batches = match store.read_catalog_file(&version.file, &record_schema()) {
            Ok(batches) => batches,
            Err(error) => {
                let live = store
                    .snapshot()?
                    .catalog()
                    .iter()
                    .any(|file| file.name == *name);
                let deleted =
                    || Error::not_found(format!("dataset {:?} was deleted", version.info.name));
                return Err(if live { error.into() } else { deleted() });
            }
        };
        let batch = readable_texts(&concat_batches(&record_schema(), &batches)?)?;
        if batch.num_rows() as u64 != version.info.record_count {
            return Err(Error::new(
                ErrorKind::Corrupt,
                format!(
                    "catalog/{name} has {} records, the manifest says {}",
                    batch.num_rows(),
                    version.info.record_count
                ),
            ));
        }
        self.keep(name, &batch);
        Ok(batch)
    }

    fn decoded(&self) -> MutexGuard<'_, BTreeMap<String, RecordBatch>> {
        self.decoded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a batch; when there is no room for it, everything else goes.
    fn keep(&self, name: &str, batch: &RecordBatch) {
        let bytes = batch.get_array_memory_size();
        if bytes > self.bytes_max {
            return;
        }
        let mut decoded = self.decoded();
        let kept: usize = decoded
            .values()
            .map(RecordBatch::get_array_memory_size)
            .sum();
        if kept + bytes > self.bytes_max {
            decoded.clear();
        }
        decoded.insert(name.to_string(), batch.clone());
    }
}

/// How many datasets there are.
pub(crate) fn dataset_count(snapshot: &Snapshot) -> Result<u64> {
    Ok(newest(snapshot)?.len() as u64)
}

impl Database {
    /// The search with the traces of the datasets that its filter names.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong filter; `Corrupt` or `Io` from a dataset's file.
    pub(crate) fn with_datasets<'a>(&self, search: &'a Search) -> Result<Cow<'a, Search>> {
        // Most filters do not have the key, and are parsed once, by the search.
        let mut words = search.filter.as_bytes().windows(DATASET_KEY.len());
        if !words.any(|word| word.eq_ignore_ascii_case(DATASET_KEY)) {
            return Ok(Cow::Borrowed(search));
        }
        let predicate = filter::parse(&search.filter).map_err(tracehouse_storage::Error::from)?;
        if !predicate.has_datasets() {
            return Ok(Cow::Borrowed(search));
        }
        let mut datasets = DatasetTraces::new();
        for info in self
            .datasets()?
            .into_iter()
            .filter(|info| predicate.asks_about_dataset(&info.name))
        {
            // One that was deleted since has no traces, as a tag that does not exist has no value.
            let dataset = match self.dataset(&info.name) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                found => found?,
            };
            let records = dataset.records(None)?;
            let ids = text(&records, "source_trace_id")?
                .iter()
                .flatten()
                .map(str::to_string)
                .collect();
            datasets.insert(info.name, ids);
        }
        if datasets.is_empty() {
            return Ok(Cow::Borrowed(search));
        }
        Ok(Cow::Owned(Search {
            datasets,
            ..search.clone()
        }))
    }
}
