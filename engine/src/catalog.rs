//! The catalogue of a database: its dataset versions, and how they look in SQL.
//!
//! Changes take the one lock in here (DS-3). Reading takes none: a version's file never changes, so
//! what was decoded of it is kept while there is room.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use arrow::array::{
    ArrayRef, Int64Array, MapBuilder, MapFieldNames, RecordBatch, StringBuilder, StringViewArray,
    TimestampNanosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tracehouse_query::filter;
use tracehouse_query::predicate::DatasetTraces;
use tracehouse_query::search::Search;
use tracehouse_query::sql::{DatasetRecords, SqlTables};
use tracehouse_storage::columns::text;
use tracehouse_storage::schema::{string_map, timestamp};
use tracehouse_storage::{Snapshot, Store};

use crate::database::Database;
use crate::dataset::{Version, newest, readable_texts, record_schema, shown, view_schema};
use crate::error::{Error, ErrorKind, Result};

/// The key by which a filter asks for the traces of datasets.
const DATASET_KEY: &[u8] = b"dataset";

/// What reading and changing the catalogue shares.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// Decoded records are kept up to this size.
    bytes_max: usize,
    changes: Mutex<()>,
    /// Records of versions, by file.
    decoded: Mutex<BTreeMap<String, RecordBatch>>,
}

impl Catalog {
    /// A catalogue of which up to `bytes_max` bytes are kept decoded.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::default() }
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
                let live = store.snapshot()?.catalog().iter().any(|file| file.name == *name);
                let deleted = || Error::not_found(format!("dataset {:?} was deleted", version.info.name));
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
        let kept: usize = decoded.values().map(RecordBatch::get_array_memory_size).sum();
        if kept + bytes > self.bytes_max {
            decoded.clear();
        }
        decoded.insert(name.to_string(), batch.clone());
    }
}

/// The tables `datasets` and `dataset_records`. Rows are read only for a statement that names them;
/// for any other the tables are there and empty.
pub(crate) fn sql_tables(
    store: &Store,
    catalog: &Catalog,
    snapshot: &Snapshot,
    statement: &str,
) -> Result<SqlTables> {
    let statement = statement.to_ascii_lowercase();
    let versions = if statement.contains("dataset") { newest(snapshot)? } else { Vec::new() };
    let mut batches = Vec::new();
    if statement.contains("dataset_records") {
        for version in &versions {
            match catalog.read(store, version) {
                Ok(batch) => batches.push(shown(&version.info, &batch)?),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    let records = DatasetRecords { schema: view_schema(), batches };
    Ok(SqlTables {
        datasets: Some(datasets_batch(&versions)?),
        dataset_records: Some(Arc::new(records)),
        ..SqlTables::default()
    })
}

/// How many datasets there are.
pub(crate) fn dataset_count(snapshot: &Snapshot) -> Result<u64> {
    Ok(newest(snapshot)?.len() as u64)
}

static DATASETS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("dataset_id", DataType::Utf8View, false),
        Field::new("name", DataType::Utf8View, false),
        Field::new("version", DataType::Int64, false),
        Field::new("record_count", DataType::Int64, false),
        Field::new("created_at", timestamp(), false),
        Field::new("updated_at", timestamp(), false),
        Field::new("experiment_ids", DataType::Utf8View, false),
        Field::new("tags", string_map(), true),
        Field::new("query", DataType::Utf8View, true),
        Field::new("schema", DataType::Utf8View, false),
    ]))
});

fn datasets_batch(versions: &[Version]) -> Result<RecordBatch> {
    let text = |get: fn(&Version) -> &String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(versions.iter().map(get)))
    };
    let int = |get: fn(&Version) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(versions.iter().map(get)))
    };
    let time = |get: fn(&Version) -> i64| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from_iter_values(versions.iter().map(get)).with_timezone("UTC"))
    };
    let experiments =
        versions.iter().map(|v| serde_json::Value::from(v.info.experiment_ids.clone()).to_string());
    let columns: Vec<ArrayRef> = vec![
        text(|v| &v.info.dataset_id),
        text(|v| &v.info.name),
        int(|v| i64::from(v.info.version)),
        int(|v| v.info.record_count as i64),
        time(|v| v.info.created_at_ns),
        time(|v| v.info.updated_at_ns),
        Arc::new(StringViewArray::from_iter_values(experiments)),
        tags(versions)?,
        Arc::new(StringViewArray::from_iter(versions.iter().map(|v| v.info.query.as_deref()))),
        text(|v| &v.info.schema),
    ];
    Ok(RecordBatch::try_new(DATASETS.clone(), columns)?)
}

fn tags(versions: &[Version]) -> Result<ArrayRef> {
    let names = MapFieldNames { entry: "entries".into(), key: "keys".into(), value: "values".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for version in versions {
        for (key, value) in &version.info.tags {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(true)?;
    }
    Ok(Arc::new(builder.finish()))
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
        for info in self.datasets()?.into_iter().filter(|info| predicate.asks_about_dataset(&info.name)) {
            // One that was deleted since has no traces, as a tag that does not exist has no value.
            let dataset = match self.dataset(&info.name) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                found => found?,
            };
            let records = dataset.records(None)?;
            let ids = text(&records, "source_trace_id")?.iter().flatten().map(str::to_string).collect();
            datasets.insert(info.name, ids);
        }
        if datasets.is_empty() {
            return Ok(Cow::Borrowed(search));
        }
        Ok(Cow::Owned(Search { datasets, ..search.clone() }))
    }
}
