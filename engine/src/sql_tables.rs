//! The tables of SQL that are no tables of the store: datasets, prices, evaluation runs, prompts, segments, settings.
//!
//! What takes long to make is made only for a statement that names it; each is given the statement in small letters.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, MapBuilder, MapFieldNames, RecordBatch,
    StringBuilder, StringViewArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tracehouse_query::sql::CatalogueTable;
use tracehouse_storage::Snapshot;
use tracehouse_storage::schema::{Table, string_map, timestamp};

use crate::database::Database;
use crate::dataset::{Version, newest, shown, view_schema};
use crate::error::{ErrorKind, Result};
use crate::eval;
use crate::prices::{self, Price, PriceRow};
use crate::prompts::{links_batch, prompts_batch, versions_batch};
use crate::redact::Redaction;
use crate::settings::Settings;

/// The tables of the catalogue. Rows are read only for a statement that names them; for any other the tables are there
/// and empty.
pub(crate) fn catalogue(
    database: &Database,
    snapshot: &Snapshot,
    statement: &str,
) -> Result<Vec<(&'static str, CatalogueTable)>> {
    let mut tables = datasets(database, snapshot, statement)?;
    tables.push(("prices", prices_batch(snapshot, statement)?.into()));
    tables.extend(evaluations(database, statement)?);
    tables.extend(prompts(database, snapshot, statement)?);
    Ok(tables)
}

fn datasets(
    database: &Database,
    snapshot: &Snapshot,
    statement: &str,
) -> Result<Vec<(&'static str, CatalogueTable)>> {
    let versions = if statement.contains("dataset") {
        newest(snapshot)?
    } else {
        Vec::new()
    };
    let mut batches = Vec::new();
    if statement.contains("dataset_records") {
        for version in &versions {
            match database.catalog().read(database.store(), version) {
                Ok(batch) => batches.push(shown(&version.info, &batch)?),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    let records = CatalogueTable {
        schema: view_schema(),
        batches,
    };
    Ok(vec![
        ("datasets", datasets_batch(&versions)?.into()),
        ("dataset_records", records),
    ])
}

fn evaluations(
    database: &Database,
    statement: &str,
) -> Result<Vec<(&'static str, CatalogueTable)>> {
    let with_scores = statement.contains("scores");
    let runs = match with_scores || statement.contains("eval_runs") {
        true => database.eval_runs()?,
        false => Vec::new(),
    };
    let registered = match statement.contains("registered_scorers") {
        true => database.registered_scorers()?,
        false => Vec::new(),
    };
    let mut batches = Vec::new();
    for run in runs.iter().filter(|_| with_scores) {
        batches.extend(eval::shown_parts(database, &run.run_id)?);
    }
    let scores = CatalogueTable {
        schema: eval::scores_schema(),
        batches,
    };
    Ok(vec![
        ("eval_runs", eval::runs_batch(&runs)?.into()),
        ("scores", scores),
        (
            "registered_scorers",
            eval::registered_batch(&registered)?.into(),
        ),
    ])
}

fn prompts(
    database: &Database,
    snapshot: &Snapshot,
    statement: &str,
) -> Result<Vec<(&'static str, CatalogueTable)>> {
    let prompts = match statement.contains("prompt") {
        true => database.prompts()?,
        false => Vec::new(),
    };
    let mut versions = Vec::new();
    if statement.contains("prompt_versions") {
        for prompt in &prompts {
            versions.extend(database.prompt_versions(&prompt.name)?);
        }
    }
    let linked = statement.contains("trace_prompts").then_some(snapshot);
    Ok(vec![
        ("prompts", prompts_batch(&prompts)?.into()),
        ("prompt_versions", versions_batch(&versions)?.into()),
        ("trace_prompts", links_batch(linked)?.into()),
    ])
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
        Arc::new(
            TimestampNanosecondArray::from_iter_values(versions.iter().map(get))
                .with_timezone("UTC"),
        )
    };
    let experiments = versions
        .iter()
        .map(|v| serde_json::Value::from(v.info.experiment_ids.clone()).to_string());
    let columns: Vec<ArrayRef> = vec![
        text(|v| &v.info.dataset_id),
        text(|v| &v.info.name),
        int(|v| i64::from(v.info.version)),
        int(|v| v.info.record_count as i64),
        time(|v| v.info.created_at_ns),
        time(|v| v.info.updated_at_ns),
        Arc::new(StringViewArray::from_iter_values(experiments)),
        maps(versions.iter().map(|version| &version.info.tags))?,
        Arc::new(StringViewArray::from_iter(
            versions.iter().map(|v| v.info.query.as_deref()),
        )),
        text(|v| &v.info.schema),
    ];
    Ok(RecordBatch::try_new(DATASETS.clone(), columns)?)
}

/// A column of maps from text to text.
pub(crate) fn maps<'m>(
    maps: impl Iterator<Item = &'m BTreeMap<String, String>>,
) -> Result<ArrayRef> {
    let names = MapFieldNames {
        entry: "entries".into(),
        key: "keys".into(),
        value: "values".into(),
    };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for map in maps {
        for (key, value) in map {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(true)?;
    }
    Ok(Arc::new(builder.finish()))
}

static SEGMENTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("segment_id", DataType::Utf8View, false),
        Field::new("spans", DataType::Int64, false),
        Field::new("traces", DataType::Int64, false),
        Field::new("assessments", DataType::Int64, false),
        Field::new("bytes", DataType::Int64, true),
        Field::new("min_time", timestamp(), true),
        Field::new("max_time", timestamp(), true),
        Field::new("text_indexed", DataType::Boolean, false),
    ]))
});

/// Rows of `segments()`: every source, the rows still in memory included; of a statement that does not name it, none.
pub(crate) fn segments_batch(snapshot: &Snapshot, statement: &str) -> Result<RecordBatch> {
    if !statement.contains("segments") {
        return Ok(RecordBatch::new_empty(SEGMENTS.clone()));
    }
    let sources = snapshot.sources();
    let id = sources.iter().map(|source| match source.segment() {
        Some(segment) => segment.id().to_string(),
        None => "memtable".to_string(),
    });
    let count = |table: Table| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            sources
                .iter()
                .map(|source| source.visible_rows(table) as i64),
        ))
    };
    let bytes = sources.iter().map(|source| {
        source.segment().map(|segment| {
            segment
                .meta()
                .files
                .iter()
                .map(|file| file.len as i64)
                .sum::<i64>()
        })
    });
    let time = |pick: fn((i64, i64)) -> i64| -> ArrayRef {
        let values = sources.iter().map(|source| source.time_range().map(pick));
        Arc::new(TimestampNanosecondArray::from_iter(values).with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringViewArray::from_iter_values(id)),
        count(Table::Spans),
        count(Table::Traces),
        count(Table::Assessments),
        Arc::new(Int64Array::from_iter(bytes)),
        time(|(min, _)| min),
        time(|(_, max)| max),
        Arc::new(BooleanArray::from_iter(
            sources.iter().map(|source| Some(source.text().is_some())),
        )),
    ];
    Ok(RecordBatch::try_new(SEGMENTS.clone(), columns)?)
}

static SETTINGS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8View, false),
        Field::new("value", DataType::Utf8View, false),
    ]))
});

/// Rows of `settings()`; of a statement that does not name it, none.
pub(crate) fn settings_batch(
    settings: &Settings,
    redaction: &Redaction,
    statement: &str,
) -> Result<RecordBatch> {
    if !statement.contains("settings") {
        return Ok(RecordBatch::new_empty(SETTINGS.clone()));
    }
    let mut rows = settings.rows();
    rows.push(("redaction", redaction.to_string()));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringViewArray::from_iter_values(
            rows.iter().map(|(name, _)| name),
        )),
        Arc::new(StringViewArray::from_iter_values(
            rows.iter().map(|(_, value)| value),
        )),
    ];
    Ok(RecordBatch::try_new(SETTINGS.clone(), columns)?)
}

static PRICES: LazyLock<SchemaRef> = LazyLock::new(|| {
    let number = |name: &str, nullable| Field::new(name, DataType::Float64, nullable);
    let text = |name: &str| Field::new(name, DataType::Utf8View, false);
    Arc::new(Schema::new(vec![
        text("model"),
        number("input_usd_per_mtok", false),
        number("output_usd_per_mtok", false),
        number("cache_read_usd_per_mtok", true),
        number("cache_write_usd_per_mtok", true),
        text("source"),
        text("as_of"),
    ]))
});

/// The rows of the table `prices`, as a snapshot has them; of a statement that does not name it, none.
///
/// # Errors
/// `InvalidInput` when the setting was made by a later version.
fn prices_batch(snapshot: &Snapshot, statement: &str) -> Result<RecordBatch> {
    if !statement.contains(prices::NAME) {
        return Ok(RecordBatch::new_empty(PRICES.clone()));
    }
    let rows = prices::rows(snapshot)?;
    let text = |get: fn(&PriceRow) -> &str| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(get)))
    };
    let number = |get: fn(&Price) -> Option<f64>| -> ArrayRef {
        Arc::new(Float64Array::from_iter(
            rows.iter().map(|row| get(&row.price)),
        ))
    };
    let columns = vec![
        text(|row| &row.model),
        number(|price| Some(price.input)),
        number(|price| Some(price.output)),
        number(|price| price.cache_read),
        number(|price| price.cache_write),
        text(|row| if row.is_seed { "seed" } else { "set" }),
        text(|row| &row.date),
    ];
    Ok(RecordBatch::try_new(PRICES.clone(), columns)?)
}
