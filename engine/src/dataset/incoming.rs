//! Records from outside: JSON lines, an array of JSON objects, CSV, Parquet. One object or row is a record, whose
//! members `members` understands.
//!
//! Cells of our own exports are JSON text. Those of other tables are text, unless they hold an object or an array, in
//! JSON or as Python prints it, so that `007` stays what it is; values that a Parquet file has typed are JSON values.
//! Numbers that JSON does not have (`NaN`) are null.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use bytes::Bytes;
use serde_json::value::RawValue;
use tracehouse_storage::json::nulled;
use tracehouse_storage::segment::export::read_parquet;

use super::export::ExportFormat;
use super::json::{begins_structure, compact_lenient, members, quoted};
use super::members::{Fields, Read as ReadRecord, record_of};
use crate::error::{Error, ErrorKind, Result};
use crate::otlp::python_literal;

/// Rejected records that are listed one by one; further ones are only counted.
pub(crate) const REJECTED_MAX: usize = 1_000;

/// Columns that only our own exports have together, and those whose cells are JSON text in them.
const OWN_COLUMNS: [&str; 2] = ["dataset_record_id", "content_hash"];
const JSON_COLUMNS: [&str; 5] = ["inputs", "outputs", "expectations", "tags", "source_data"];

/// One record of an input.
pub(super) struct Incoming {
    /// Its line; `None` where records are not lines, and the error says which it is.
    pub line: Option<u64>,
    /// What it says, or why it cannot be kept.
    pub parsed: Result<ReadRecord>,
}

/// Reads all records of an input.
///
/// # Errors
/// `Io` when it cannot be read, `InvalidInput` when it is not of the format.
pub(super) fn read<R: Read>(input: R, format: ExportFormat) -> Result<Vec<Incoming>> {
    match format {
        ExportFormat::JsonLines => read_json(BufReader::new(input)),
        ExportFormat::Csv | ExportFormat::RawCsv => read_table(&csv_batches(&read_all(input)?)?),
        ExportFormat::Parquet => read_table(&read_parquet(Bytes::from(read_all(input)?))?),
    }
}

fn read_all<R: Read>(mut input: R) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input
        .read_to_end(&mut bytes)
        .map_err(|e| Error::new(ErrorKind::Io, format!("cannot read records: {e}")))?;
    Ok(bytes)
}

fn read_json<R: BufRead>(mut input: R) -> Result<Vec<Incoming>> {
    const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
    let io = |line: u64, e: std::io::Error| Error::new(ErrorKind::Io, format!("line {line}: {e}"));
    let mut records = Vec::new();
    let mut number = 0;
    loop {
        let mut bytes = Vec::new();
        number += 1;
        if input
            .read_until(b'\n', &mut bytes)
            .map_err(|e| io(number, e))?
            == 0
        {
            return Ok(records);
        }
        let line = bytes
            .strip_prefix(BYTE_ORDER_MARK)
            .unwrap_or(&bytes)
            .trim_ascii();
        if line.is_empty() {
            continue;
        }
        let rest = line.strip_prefix(b"[").map(<[u8]>::trim_ascii);
        if records.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"{"))
        {
            let mut rest = line.to_vec();
            input.read_to_end(&mut rest).map_err(|e| io(number, e))?;
            return read_array(&rest);
        }
        records.push(Incoming {
            line: Some(number),
            parsed: utf8(line).and_then(parse_object),
        });
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| Error::invalid_input(format!("not UTF-8: {e}")))
}

/// The records of one JSON array.
fn read_array(bytes: &[u8]) -> Result<Vec<Incoming>> {
    let text = utf8(bytes)?;
    let nulled = nulled(text);
    let items: Vec<&RawValue> = serde_json::from_str(nulled.as_deref().unwrap_or(text))
        .map_err(|e| Error::invalid_input(format!("not an array of records: {e}")))?;
    let parsed = items.into_iter().map(|item| parse_object(item.get()));
    Ok(parsed
        .enumerate()
        .map(|(at, parsed)| by_number(at, parsed))
        .collect())
}

/// A record that is told by its number.
fn by_number(at: usize, parsed: Result<ReadRecord>) -> Incoming {
    let named = |error: Error| Error::new(error.kind(), format!("record {}: {error}", at + 1));
    Incoming {
        line: None,
        parsed: parsed.map_err(named),
    }
}

fn parse_object(json: &str) -> Result<ReadRecord> {
    let nulled = nulled(json);
    let json = nulled.as_deref().unwrap_or(json);
    let Some(fields) = members(json) else {
        let error = serde_json::from_str::<serde_json::Value>(json).err();
        let why = error.map_or("a JSON object expected".into(), |error| error.to_string());
        return Err(Error::invalid_input(format!("not a record: {why}")));
    };
    record_of(
        &fields
            .into_iter()
            .map(|(name, value)| (name, Cow::Borrowed(value.get())))
            .collect(),
    )
}

/// The rows of CSV with a header, all cells as text.
fn csv_batches(bytes: &[u8]) -> Result<Vec<RecordBatch>> {
    let wrong = |e: ArrowError| Error::invalid_input(format!("not CSV with a header: {e}"));
    let mut input = Cursor::new(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
    let format = arrow::csv::reader::Format::default().with_header(true);
    let (header, _) = format.infer_schema(&mut input, Some(0)).map_err(wrong)?;
    input
        .rewind()
        .map_err(|e| Error::new(ErrorKind::Io, format!("cannot read CSV: {e}")))?;
    if let [only] = header.fields().as_ref()
        && let Some(separator) = [";", "\t", "sep="]
            .into_iter()
            .find(|text| only.name().contains(*text))
    {
        let name = only.name();
        return Err(Error::invalid_input(format!(
            "not CSV with commas: its only column is named {name:?}, with {separator:?} in it"
        )));
    }
    let texts = header
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_data_type(DataType::Utf8));
    let schema = Arc::new(arrow::datatypes::Schema::new(texts.collect::<Vec<_>>()));
    let reader = arrow::csv::ReaderBuilder::new(schema)
        .with_header(true)
        .build(input)
        .map_err(wrong)?;
    reader.collect::<std::result::Result<_, _>>().map_err(wrong)
}

fn read_table(batches: &[RecordBatch]) -> Result<Vec<Incoming>> {
    let mut records = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let is_own = OWN_COLUMNS
            .iter()
            .all(|name| schema.column_with_name(name).is_some());
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            let is_json = is_own && JSON_COLUMNS.contains(&field.name().as_str());
            columns.push((field.name(), is_json, cells(field, column, is_json)?));
        }
        for row in 0..batch.num_rows() {
            let mut fields = Fields::new();
            for (name, is_json, cells) in &columns {
                match cells.get(row) {
                    Some(Some(json)) => {
                        drop(fields.insert((*name).clone(), Cow::Borrowed(json.as_str())))
                    }
                    // Exports have every column, and no value is one there.
                    _ if *is_json => drop(fields.insert((*name).clone(), Cow::Borrowed("null"))),
                    _ => {}
                }
            }
            records.push(by_number(records.len(), record_of(&fields)));
        }
    }
    Ok(records)
}

/// An object or list as Python prints it, which is how `DataFrame.to_csv` writes it, as JSON text.
fn of_python(text: &str) -> Option<String> {
    let literal = begins_structure(text).then(|| python_literal::read(text))?;
    literal.map(|value| value.to_string())
}

/// The cells of a column as JSON texts.
fn cells(
    field: &Arc<arrow::datatypes::Field>,
    column: &ArrayRef,
    is_json: bool,
) -> Result<Vec<Option<String>>> {
    let is_text = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let is_text = match column.data_type() {
        DataType::Dictionary(_, values) => is_text(values),
        other => is_text(other),
    };
    if is_text {
        let texts = cast(column, &DataType::Utf8View)?;
        let json = |text: &str| match compact_lenient(text) {
            Some(json) if is_json || begins_structure(&json) => json,
            _ => of_python(text).unwrap_or_else(|| quoted(text)),
        };
        return Ok(texts
            .as_string_view()
            .iter()
            .map(|text| text.map(json))
            .collect());
    }
    // A column of nothing has no mask that says so.
    let nulls = column.logical_nulls();
    let options = EncoderOptions::default();
    let mut encoder = make_encoder(field, column.as_ref(), &options)?;
    let mut texts = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        let mut text = Vec::new();
        if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
            encoder.encode(row, &mut text);
        }
        texts.push(
            Some(String::from_utf8_lossy(&text).into_owned()).filter(|text| !text.is_empty()),
        );
    }
    Ok(texts)
}
