//! Files that a statement reads as tables beside the database's: CSV, JSON lines or Parquet, plain, gzip or zstd.
//!
//! The caller opens them, SQL cannot. A table is read whole into memory.
//!
//! **Invariant**: a column of CSV has another type than text only if every cell is what that type would write, so that
//! `007` and ids of digits stay what they are; an empty cell is NULL.

use std::io::{Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use regex::Regex;
use serde_json::value::RawValue;
use tracehouse_query::sql::SqlTable;
use tracehouse_storage::segment::export::read_parquet;

use crate::dataset::ExportFormat;
use crate::error::{Error, ErrorKind, Result};
use crate::otlp::source::Source;

/// Reads a table; the ending of `path` says what it is, and whether it is compressed.
///
/// # Errors
/// `InvalidInput` for another ending or what is not of the form, `Io` when it cannot be read. Messages name no file.
pub fn read_table(path: &Path, input: impl Read) -> Result<SqlTable> {
    let is_packed = path
        .extension()
        .is_some_and(|ending| ending == "gz" || ending == "zst");
    let name = if is_packed {
        path.with_extension("")
    } else {
        path.to_path_buf()
    };
    let form = ExportFormat::of_file(&name).ok_or_else(|| {
        Error::invalid_input(
            "the ending is none of .csv, .jsonl, .json, .ndjson, .parquet, each also with .gz or .zst",
        )
    })?;
    let mut bytes = Vec::new();
    let unreadable =
        |error: std::io::Error| Error::new(ErrorKind::Io, format!("cannot be read: {error}"));
    Source::open(input, Arc::default())
        .and_then(|mut source| source.read_to_end(&mut bytes))
        .map_err(unreadable)?;
    match form {
        ExportFormat::Csv | ExportFormat::RawCsv => csv(&bytes),
        ExportFormat::JsonLines => json(&bytes),
        ExportFormat::Parquet => {
            let batches = read_parquet(Bytes::from(bytes))?;
            let schema = batches
                .first()
                .map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
            Ok(SqlTable { schema, batches })
        }
    }
}

fn csv(bytes: &[u8]) -> Result<SqlTable> {
    let wrong = |error: ArrowError| Error::invalid_input(format!("not CSV with a header: {error}"));
    let mut input = Cursor::new(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
    let format = arrow::csv::reader::Format::default().with_header(true);
    let (header, _) = format.infer_schema(&mut input, Some(0)).map_err(wrong)?;
    input
        .rewind()
        .map_err(|error| Error::new(ErrorKind::Io, error.to_string()))?;
    let texts = header
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), DataType::Utf8, true));
    let schema = Arc::new(Schema::new(texts.collect::<Vec<_>>()));
    let empty =
        Regex::new("^$").map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    let reader = arrow::csv::ReaderBuilder::new(Arc::clone(&schema))
        .with_header(true)
        .with_null_regex(empty);
    let batches = reader
        .build(input)
        .map_err(wrong)?
        .collect::<std::result::Result<Vec<_>, _>>();
    typed(&schema, &batches.map_err(wrong)?)
}

/// The texts as what they are.
fn typed(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<SqlTable> {
    let types = schema.fields().iter().enumerate().map(|(index, field)| {
        let cells = || {
            batches
                .iter()
                .flat_map(move |batch| cells(batch.column(index)))
        };
        let is_id = field.name().to_ascii_lowercase().ends_with("id");
        match () {
            () if is_id || cells().next().is_none() => DataType::Utf8,
            () if cells().all(is_integer) => DataType::Int64,
            () if cells().all(is_number) => DataType::Float64,
            () if cells().all(|cell| cell == "true" || cell == "false") => DataType::Boolean,
            () => DataType::Utf8,
        }
    });
    let types: Vec<DataType> = types.collect();
    let fields = schema.fields().iter().zip(&types);
    let fields = fields.map(|(field, data_type)| Field::new(field.name(), data_type.clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batches = batches.iter().map(|batch| {
        let columns = batch
            .columns()
            .iter()
            .zip(&types)
            .map(|(column, data_type)| cast(column, data_type));
        let columns = columns.collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
        RecordBatch::try_new(Arc::clone(&schema), columns)
    });
    let batches = batches.collect::<std::result::Result<Vec<_>, ArrowError>>()?;
    Ok(SqlTable { schema, batches })
}

fn cells(column: &ArrayRef) -> impl Iterator<Item = &str> {
    let texts: Option<&StringArray> = column.as_string_opt::<i32>();
    texts.into_iter().flat_map(|texts| texts.iter().flatten())
}

fn is_integer(cell: &str) -> bool {
    cell.parse::<i64>()
        .is_ok_and(|value| value.to_string() == cell)
}

fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let is_padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let is_plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    is_plain
        && !is_padded
        && cell.parse::<f64>().is_ok_and(f64::is_finite)
        && (cell.contains('.') || is_integer(cell))
}

fn json(bytes: &[u8]) -> Result<SqlTable> {
    let wrong =
        |error: ArrowError| Error::invalid_input(format!("not JSON lines of objects: {error}"));
    let bytes = bytes
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(bytes)
        .trim_ascii();
    let lines = if bytes.starts_with(b"[") {
        lines_of_array(bytes)?
    } else {
        bytes.to_vec()
    };
    let (schema, _) =
        arrow::json::reader::infer_json_schema(Cursor::new(&lines), None).map_err(wrong)?;
    let schema = Arc::new(schema);
    let reader = arrow::json::ReaderBuilder::new(Arc::clone(&schema))
        .build(Cursor::new(&lines))
        .map_err(wrong)?;
    let batches = reader
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(wrong)?;
    Ok(SqlTable { schema, batches })
}

/// The elements of an array as lines.
fn lines_of_array(bytes: &[u8]) -> Result<Vec<u8>> {
    let wrong = |error: serde_json::Error| {
        Error::invalid_input(format!("not a JSON array of objects: {error}"))
    };
    let items: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(wrong)?;
    let lines = items
        .iter()
        .map(|item| item.get().replace(['\n', '\r'], " "));
    Ok(lines.collect::<Vec<_>>().join("\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use arrow::array::Array as _;

    use super::*;

    fn types(table: &SqlTable) -> Vec<DataType> {
        table
            .schema
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect()
    }

    #[test]
    fn cells_keep_what_they_say() {
        let text = "trace_id,n,x,ok,code,empty,mixed\n12,1,1.5,true,007,,1\n13,-2,2,false,1,,a\n";
        let table = read_table(Path::new("labels.csv"), text.as_bytes()).unwrap();
        use DataType::{Boolean, Float64, Int64, Utf8};
        assert_eq!(
            types(&table),
            [Utf8, Int64, Float64, Boolean, Utf8, Utf8, Utf8]
        );
        assert_eq!(table.batches[0].column(5).null_count(), 2);
    }

    #[test]
    fn forms_are_told_by_the_ending() {
        let lines = b"{\"a\": 1, \"b\": \"x\"}\n{\"a\": 2}\n";
        let packed = zstd::encode_all(&lines[..], 0).unwrap();
        let plain = read_table(Path::new("t.jsonl"), &lines[..]).unwrap();
        assert_eq!(
            read_table(Path::new("t.jsonl.zst"), &packed[..])
                .unwrap()
                .batches,
            plain.batches
        );
        let array = b"[{\"a\": 1, \"b\": \"x\"},\n {\"a\": 2}]";
        assert_eq!(
            read_table(Path::new("t.json"), &array[..]).unwrap().batches,
            plain.batches
        );
        let error = read_table(Path::new("t.txt"), &lines[..]).unwrap_err();
        assert!(error.to_string().contains(".csv"), "{error}");
        for (name, bad) in [
            ("t.csv", &b"a,b\n1\n"[..]),
            ("t.jsonl", b"{"),
            ("t.parquet", b"PAR"),
            ("t.json", b"[1"),
        ] {
            assert_eq!(
                read_table(Path::new(name), bad).unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{name}"
            );
        }
    }
}
