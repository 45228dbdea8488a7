//! A record of a dataset: what a caller gives, the row that is stored, and the columns that are shown.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use tracehouse_storage::columns::{text, text_at, times};
use tracehouse_storage::schema::timestamp;

use super::info::DatasetInfo;
use super::json::{compact, content_hash, members, readable};
use super::source::Source;
use crate::error::{Error, Result};

/// A record to be merged into a dataset. All values are JSON text.
///
/// ```
/// let record = tracehouse::NewRecord::new(r#"{"question": "refund?"}"#)
///     .expectations(r#"{"answer": "within 30 days"}"#)
///     .source("HUMAN", r#"{"user_name": "ana"}"#);
/// assert!(record.outputs.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct NewRecord {
    /// What is asked. Records with equal inputs are one record.
    pub inputs: String,
    /// What was answered; `None` keeps what the dataset has, `null` clears it.
    pub outputs: Option<String>,
    /// A JSON object; its members are laid over those the dataset has.
    pub expectations: Option<String>,
    /// A JSON object; its members are laid over those the dataset has.
    pub tags: Option<String>,
    /// `TRACE`, `HUMAN`, `DOCUMENT` or `CODE`. Without it, a new record with expectations is from a
    /// human, and one without that field from code.
    pub source_type: Option<String>,
    /// A JSON object with details of the source, such as `trace_id`.
    pub source_data: Option<String>,
}

impl NewRecord {
    /// A record with these inputs.
    pub fn new(inputs: impl Into<String>) -> Self {
        Self {
            inputs: inputs.into(),
            ..Self::default()
        }
    }

    /// Sets the outputs.
    pub fn outputs(mut self, json: impl Into<String>) -> Self {
        self.outputs = Some(json.into());
        self
    }

    /// Sets the expectations.
    pub fn expectations(mut self, json: impl Into<String>) -> Self {
        self.expectations = Some(json.into());
        self
    }

    /// Sets the tags.
    pub fn tags(mut self, json: impl Into<String>) -> Self {
        self.tags = Some(json.into());
        self
    }

    /// Sets the source.
    pub fn source(mut self, source_type: impl Into<String>, data: impl Into<String>) -> Self {
        self.source_type = Some(source_type.into());
        self.source_data = Some(data.into()).filter(|data: &String| !data.is_empty());
        self
    }
}

/// A record of a version of a dataset, as [`Dataset::rows`](super::Dataset::rows) gives it. Values are JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DatasetRecord {
    /// `dr-` + 32 hex; the same in every version.
    pub dataset_record_id: String,
    /// What is asked.
    pub inputs: String,
    /// What was answered.
    pub outputs: Option<String>,
    /// A JSON object: what should be answered.
    pub expectations: Option<String>,
    /// A JSON object of labels.
    pub tags: String,
    /// `TRACE`, `HUMAN`, `DOCUMENT` or `CODE`.
    pub source_type: Option<String>,
    /// The trace it was made of.
    pub source_trace_id: Option<String>,
    /// The span it was made of.
    pub source_span_id: Option<String>,
    /// A JSON object with details of its source.
    pub source_data: Option<String>,
    /// When it came into the dataset, Unix nanoseconds.
    #[serde(alias = "created_at")]
    pub created_at_ns: i64,
    /// When it last changed, Unix nanoseconds.
    #[serde(alias = "updated_at")]
    pub updated_at_ns: i64,
}

/// A checked new record: compact JSON, and the hash of its inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub hash: u128,
    pub inputs: String,
    /// `None` keeps what is there, `Some(None)` clears it.
    pub outputs: Option<Option<String>>,
    /// A JSON object with members.
    pub expectations: Option<String>,
    /// A JSON object with members.
    pub tags: Option<String>,
    pub source: Option<Source>,
}

impl Candidate {
    /// The candidate of a caller's record.
    ///
    /// # Errors
    /// `InvalidInput` naming the field that is no JSON or not an object.
    pub fn of(record: &NewRecord) -> Result<Self> {
        let source = match (&record.source_type, &record.source_data) {
            (None, None) => None,
            (kind, data) => Some(Source::of(
                kind.as_deref().unwrap_or_default(),
                data.as_deref(),
            )?),
        };
        let mut candidate = Self::from_json(
            &record.inputs,
            record.outputs.as_deref(),
            record.expectations.as_deref(),
            record.tags.as_deref(),
        )?;
        candidate.source = source.or(candidate.source);
        Ok(candidate)
    }

    /// The candidate of JSON texts, its source inferred.
    ///
    /// # Errors
    /// As [`Candidate::of`].
    pub fn from_json(
        inputs: &str,
        outputs: Option<&str>,
        expectations: Option<&str>,
        tags: Option<&str>,
    ) -> Result<Self> {
        let inputs = json_text("inputs", inputs)?;
        let outputs = outputs.map(|json| json_text("outputs", json)).transpose()?;
        Self::from_compact(inputs, outputs, expectations, tags)
    }

    /// A record of inputs and outputs that are compact JSON.
    pub fn from_compact(
        inputs: String,
        outputs: Option<String>,
        expectations: Option<&str>,
        tags: Option<&str>,
    ) -> Result<Self> {
        if inputs == "null" {
            return Err(Error::invalid_input(
                "inputs are null: a record needs inputs",
            ));
        }
        let has_expectations = expectations.is_some();
        let expectations = object_text("expectations", expectations)?;
        let source = match (&expectations, has_expectations) {
            (Some(_), _) => Some(Source::word("HUMAN")),
            (None, false) => Some(Source::word("CODE")),
            (None, true) => None,
        };
        Ok(Self {
            hash: content_hash(&inputs),
            inputs,
            outputs: outputs.map(|json| Some(json).filter(|json| json != "null")),
            expectations,
            tags: object_text("tags", tags)?,
            source,
        })
    }
}

fn json_text(field: &str, json: &str) -> Result<String> {
    compact(json).ok_or_else(|| Error::invalid_input(format!("{field} are not JSON")))
}

/// A JSON object with members, keys sorted; NULL and `{}` say nothing.
fn object_text(field: &str, json: Option<&str>) -> Result<Option<String>> {
    let Some(json) = json else { return Ok(None) };
    let json = json_text(field, json)?;
    if json == "null" {
        return Ok(None);
    }
    let members = members(&json)
        .ok_or_else(|| Error::invalid_input(format!("{field} are not a JSON object")))?;
    let text = super::json::object(members.iter().map(|(key, value)| (key, value.get())));
    Ok(Some(text).filter(|text| text != "{}"))
}

/// A stored record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Record {
    pub id: String,
    pub inputs: String,
    pub outputs: Option<String>,
    pub expectations: Option<String>,
    pub tags: String,
    pub source: Source,
    pub hash: u128,
    pub created_at_ns: i64,
    pub updated_at_ns: i64,
}

/// The columns of a version's file.
pub(crate) fn record_schema() -> SchemaRef {
    STORED.clone()
}

/// The columns of the table `dataset_records`: the stored ones, and whose they are.
pub(crate) fn view_schema() -> SchemaRef {
    VIEW.clone()
}

fn word(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8View, nullable)
}

static STORED: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        word("dataset_record_id", false),
        word("inputs", false),
        word("outputs", true),
        word("expectations", true),
        word("tags", false),
        word("source_type", true),
        word("source_trace_id", true),
        word("source_span_id", true),
        word("source_data", true),
        word("content_hash", false),
        Field::new("created_at", timestamp(), false),
        Field::new("updated_at", timestamp(), false),
    ]))
});

static VIEW: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields: Vec<Arc<Field>> = STORED.fields().iter().cloned().collect();
    let whose = [
        word("dataset_id", false),
        word("dataset", false),
        Field::new("version", DataType::Int64, false),
    ];
    let tail = fields.split_off(1);
    fields.extend(whose.into_iter().map(Arc::new).chain(tail));
    Arc::new(Schema::new(fields))
});

/// One batch of the stored schema, a row for each record.
pub(crate) fn records_batch(records: &[Record]) -> Result<RecordBatch> {
    let required = |get: fn(&Record) -> &String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(records.iter().map(get)))
    };
    let optional = |get: fn(&Record) -> &Option<String>| -> ArrayRef {
        Arc::new(StringViewArray::from_iter(
            records.iter().map(|record| get(record).as_deref()),
        ))
    };
    let time = |get: fn(&Record) -> i64| -> ArrayRef {
        Arc::new(
            TimestampNanosecondArray::from_iter_values(records.iter().map(get))
                .with_timezone("UTC"),
        )
    };
    let hashes = records.iter().map(|record| format!("{:032x}", record.hash));
    let columns: Vec<ArrayRef> = vec![
        required(|r| &r.id),
        required(|r| &r.inputs),
        optional(|r| &r.outputs),
        optional(|r| &r.expectations),
        required(|r| &r.tags),
        optional(|r| &r.source.kind),
        optional(|r| &r.source.trace_id),
        optional(|r| &r.source.span_id),
        optional(|r| &r.source.data),
        Arc::new(StringViewArray::from_iter_values(hashes)),
        time(|r| r.created_at_ns),
        time(|r| r.updated_at_ns),
    ];
    Ok(RecordBatch::try_new(record_schema(), columns)?)
}

/// The records of a batch that has the stored columns.
pub(crate) fn records_of(batch: &RecordBatch) -> Result<Vec<Record>> {
    let column = |name: &str| text(batch, name);
    let (ids, inputs, outputs) = (
        column("dataset_record_id")?,
        column("inputs")?,
        column("outputs")?,
    );
    let (expectations, tags) = (column("expectations")?, column("tags")?);
    let (kinds, traces) = (column("source_type")?, column("source_trace_id")?);
    let (spans, data, hashes) = (
        column("source_span_id")?,
        column("source_data")?,
        column("content_hash")?,
    );
    let (created, updated) = (times(batch, "created_at")?, times(batch, "updated_at")?);
    let owned = |array: &StringViewArray, row: usize| text_at(array, row).map(str::to_string);
    let mut records = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let hash = u128::from_str_radix(hashes.value(row), 16);
        records.push(Record {
            id: ids.value(row).to_string(),
            inputs: inputs.value(row).to_string(),
            outputs: owned(outputs, row),
            expectations: owned(expectations, row),
            tags: tags.value(row).to_string(),
            source: Source {
                kind: owned(kinds, row),
                trace_id: owned(traces, row),
                span_id: owned(spans, row),
                data: owned(data, row),
            },
            hash: hash
                .map_err(|e| Error::internal(format!("content_hash of record {row}: {e}")))?,
            created_at_ns: created.value(row),
            updated_at_ns: updated.value(row),
        });
    }
    Ok(records)
}

/// The stored columns with their JSON readable: earlier versions kept letters as `\uXXXX`.
pub(crate) fn readable_texts(batch: &RecordBatch) -> Result<RecordBatch> {
    const JSON: [&str; 5] = ["inputs", "outputs", "expectations", "tags", "source_data"];
    let mut columns = batch.columns().to_vec();
    for (field, column) in batch.schema().fields().iter().zip(&mut columns) {
        if JSON.contains(&field.name().as_str()) {
            let texts = text(batch, field.name())?;
            let is_escaped = |text: &str| matches!(readable(text), std::borrow::Cow::Owned(_));
            if texts.iter().flatten().any(is_escaped) {
                let texts = texts.iter().map(|text| text.map(readable));
                *column = Arc::new(StringViewArray::from_iter(texts));
            }
        }
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// A batch of the view's schema from one of the stored schema.
pub(crate) fn shown(info: &DatasetInfo, stored: &RecordBatch) -> Result<RecordBatch> {
    let rows = stored.num_rows();
    let repeated = |text: &str| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(
            text, rows,
        )))
    };
    let mut columns = stored.columns().to_vec();
    let tail = columns.split_off(1.min(columns.len()));
    columns.push(repeated(&info.dataset_id));
    columns.push(repeated(&info.name));
    columns.push(Arc::new(Int64Array::from_value(
        i64::from(info.version),
        rows,
    )));
    columns.extend(tail);
    debug_assert!(columns.iter().all(|column| column.len() == rows));
    Ok(RecordBatch::try_new(view_schema(), columns)?)
}
