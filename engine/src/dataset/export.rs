//! Records out of the database: JSON lines, CSV, Parquet.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use tracehouse_storage::segment::export::write_parquet;

use super::info::DatasetInfo;
use super::json::quoted;
use super::record::{Record, records_of, shown};
use crate::csv::csv_cell;
use crate::error::{Error, ErrorKind, Result};

/// The form of an export, and of what is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFormat {
    /// One JSON object a line, values as JSON; [`super::Dataset::merge_json_lines`] reads it.
    JsonLines,
    /// The columns of the table `dataset_records`.
    Parquet,
    /// The rows as text, by RFC 4180, with a header; NULL is an empty field, and texts that a spreadsheet
    /// or a terminal would obey are made harmless by [`csv_cell`].
    Csv,
    /// As CSV with every text as it is.
    RawCsv,
}

impl ExportFormat {
    /// The format of the word `jsonl`, `parquet` or `csv`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "jsonl" => Some(Self::JsonLines),
            "parquet" => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// The format that the ending of a file's name says.
    pub fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            "parquet" | "pq" => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// Writes the records of one version, given with the stored columns.
pub(crate) fn export(
    info: &DatasetInfo,
    stored: &RecordBatch,
    format: ExportFormat,
    output: &mut (dyn Write + Send),
) -> Result<()> {
    let io = |e: std::io::Error| Error::new(ErrorKind::Io, format!("cannot write the export: {e}"));
    match format {
        ExportFormat::JsonLines => {
            for record in records_of(stored)? {
                output
                    .write_all(json_line(&record).as_bytes())
                    .map_err(io)?;
            }
        }
        ExportFormat::Parquet => {
            let shown = shown(info, stored)?;
            write_parquet(&mut *output, shown.schema(), &[shown])?;
        }
        ExportFormat::Csv => write_csv(&shown(info, stored)?, csv_cell, output)?,
        ExportFormat::RawCsv => {
            write_csv(&shown(info, stored)?, |text| Cow::Borrowed(text), output)?
        }
    }
    output.flush().map_err(io)
}

fn json_line(record: &Record) -> String {
    let null = || "null".to_string();
    let source = match (&record.source.kind, &record.source.data) {
        (None, None) => null(),
        (kind, data) => format!(
            r#"{{"source_type":{},"source_data":{}}}"#,
            kind.as_deref().map_or_else(null, quoted),
            data.as_deref().unwrap_or("{}"),
        ),
    };
    format!(
        concat!(
            r#"{{"dataset_record_id":{},"inputs":{},"outputs":{},"expectations":{},"tags":{},"source":{}}}"#,
            "\n"
        ),
        quoted(&record.id),
        record.inputs,
        record.outputs.as_deref().unwrap_or("null"),
        record.expectations.as_deref().unwrap_or("null"),
        record.tags,
        source,
    )
}

fn write_csv(
    batch: &RecordBatch,
    cell: fn(&str) -> Cow<'_, str>,
    output: &mut (dyn Write + Send),
) -> Result<()> {
    let io = |e: std::io::Error| Error::new(ErrorKind::Io, format!("cannot write the export: {e}"));
    let names: Vec<&str> = batch
        .schema_ref()
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    output
        .write_all(format!("{}\r\n", names.join(",")).as_bytes())
        .map_err(io)?;
    let options = FormatOptions::default();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for column in batch.columns() {
        columns.push((column, ArrayFormatter::try_new(column.as_ref(), &options)?));
    }
    for row in 0..batch.num_rows() {
        let mut line = String::new();
        for (at, (column, formatter)) in columns.iter().enumerate() {
            if at > 0 {
                line.push(',');
            }
            if column.is_valid(row) {
                push_csv(&cell(&formatter.value(row).to_string()), &mut line);
            }
        }
        line.push_str("\r\n");
        output.write_all(line.as_bytes()).map_err(io)?;
    }
    Ok(())
}

/// One field: quoted when it has a separator, a quote or a line break, quotes doubled.
fn push_csv(field: &str, line: &mut String) {
    if field.contains([',', '"', '\r', '\n']) {
        line.push('"');
        line.push_str(&field.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(field);
    }
}
