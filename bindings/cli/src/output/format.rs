//! A result of SQL in any of its forms.

use std::io::Write;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, SchemaRef, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use tracehouse::EXPLAINED;

use super::escape::EscapingWriter;
use super::table::TextTable;
use super::units::duration;
use super::writable::{schema_without_intervals, without_intervals};
use super::{Style, arrow_stream, csv, escape, json};
use crate::args::SqlFormat;
use crate::failure::{Failure, Result};

/// Writes a result. On a terminal, control characters are escaped and binary forms are refused. `raw`
/// leaves the texts of CSV as they are.
pub fn write(
    out: &mut (dyn Write + Send),
    format: SqlFormat,
    raw: bool,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    style: Style,
) -> Result<()> {
    if style.is_terminal() && matches!(format, SqlFormat::Parquet | SqlFormat::Arrow) {
        return Err(Failure::bad_input(
            "a terminal cannot show a binary format: add --output FILE",
        ));
    }
    match format {
        SqlFormat::Table if schema.metadata().contains_key(EXPLAINED) => plan(out, batches),
        SqlFormat::Table => table(schema, batches)?.write_fitting(out, style, "--format csv"),
        SqlFormat::Parquet => {
            let (schema, batches) = (
                schema_without_intervals(schema),
                without_intervals(batches)?,
            );
            tracehouse::export::write_parquet(out, schema, &batches)
                .map_err(|error| Failure::from(tracehouse::Error::from(error)))
        }
        SqlFormat::Arrow => arrow_stream::write(out, schema, batches),
        _ if style.is_terminal() => {
            text(&mut EscapingWriter::new(out), format, raw, schema, batches)
        }
        _ => text(out, format, raw, schema, batches),
    }
}

fn text(
    out: &mut dyn Write,
    format: SqlFormat,
    raw: bool,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<()> {
    match format {
        SqlFormat::Csv => csv::write(out, raw, schema, batches),
        SqlFormat::JsonLines => json::write_lines(out, batches),
        _ => {
            json::write_array(out, batches)?;
            writeln!(out)?;
            Ok(())
        }
    }
}

/// The lines of a plan, which are a tree as they are.
fn plan(out: &mut dyn Write, batches: &[RecordBatch]) -> Result<()> {
    for lines in batches
        .iter()
        .filter_map(|batch| batch.column_by_name("plan"))
    {
        for line in lines.as_string::<i32>().iter().flatten() {
            writeln!(out, "{}", escape::line(line))?;
        }
    }
    Ok(())
}

/// The rows as cells; nested values as JSON text, NULL as `NULL`.
pub fn table(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<TextTable> {
    table_cut(schema, batches, usize::MAX)
}

/// A table with every cell cut to `cell_width` columns.
pub fn table_cut(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    cell_width: usize,
) -> Result<TextTable> {
    let mut table = TextTable::default();
    for field in schema.fields() {
        table.add_column(field.name(), is_number(field.data_type()));
    }
    let options = FormatOptions::default().with_null("NULL");
    for batch in batches {
        let batch = csv::flat(batch)?;
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells = columns.iter().zip(batch.columns()).map(|(column, values)| {
                let text = elapsed(values, row).unwrap_or_else(|| column.value(row).to_string());
                if cell_width == usize::MAX {
                    escape::line(&text)
                } else {
                    escape::preview(&text, cell_width)
                }
            });
            table.add_row(cells.collect());
        }
    }
    Ok(table)
}

/// A time that has passed, as people read it; `None` for anything else.
fn elapsed(values: &ArrayRef, row: usize) -> Option<String> {
    let DataType::Duration(unit) = values.data_type() else {
        return None;
    };
    let ns_per_unit: i64 = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    let values = cast(&values.slice(row, 1), &DataType::Int64).ok()?;
    let values = values.as_primitive::<Int64Type>();
    let value = values.iter().next().flatten()?;
    value.checked_mul(ns_per_unit).map(duration)
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}
