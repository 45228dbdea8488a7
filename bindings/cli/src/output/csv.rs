//! CSV with a header line; nested values are JSON text, NULL is empty. Unless it is to be raw, no cell is a
//! formula to a spreadsheet or a command to a terminal (`tracehouse::csv_cell`).

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::cast;
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use tracehouse::csv_cell;
use tracehouse::json_values::with_text_keys;

use super::json;
use crate::failure::Result;

/// Writes the rows; the header also of an empty result.
pub fn write(
    out: &mut dyn Write,
    raw: bool,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<()> {
    let form = |batch: &RecordBatch| {
        let flat = flat(batch)?;
        if raw { Ok(flat) } else { harmless(&flat) }
    };
    let mut writer = WriterBuilder::new().with_header(true).build(out);
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        writer.write(&form(&RecordBatch::new_empty(schema.clone()))?)?;
    }
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        writer.write(&form(batch)?)?;
    }
    Ok(())
}

/// Writes further rows, without a header.
pub fn write_more(out: &mut dyn Write, batch: &RecordBatch) -> Result<()> {
    Ok(WriterBuilder::new()
        .with_header(false)
        .build(out)
        .write(&harmless(&flat(batch)?)?)?)
}

/// The rows with texts and names of columns as cells that nothing runs.
fn harmless(batch: &RecordBatch) -> Result<RecordBatch> {
    let (mut fields, mut columns): (Vec<FieldRef>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let name = csv_cell(field.name());
        let is_text = is_text(field.data_type());
        let data_type = if is_text {
            DataType::Utf8
        } else {
            field.data_type().clone()
        };
        fields.push(Arc::new(Field::new(name, data_type.clone(), true)));
        columns.push(if is_text {
            cells(&cast(column, &data_type)?)
        } else {
            column.clone()
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        columns,
        &options,
    )?)
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn cells(column: &ArrayRef) -> ArrayRef {
    let texts = column.as_string::<i32>().iter();
    Arc::new(StringArray::from_iter(texts.map(|text| text.map(csv_cell))))
}

/// The rows with nested columns as JSON text.
pub fn flat(batch: &RecordBatch) -> Result<RecordBatch> {
    let batch = &with_text_keys(batch)?;
    let (mut fields, mut columns): (Vec<FieldRef>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() {
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            columns.push(Arc::new(json::text_column(field, column)?));
        } else {
            fields.push(field.clone());
            columns.push(column.clone());
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        columns,
        &options,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(raw: bool) -> String {
        let texts = StringArray::from(vec![Some("=1+1"), Some("a\u{1b}[31m"), Some("-5"), None]);
        let numbers = arrow::array::Int64Array::from(vec![-1, -2, -3, -4]);
        let fields = vec![
            Field::new("@text", DataType::Utf8, true),
            Field::new("n", DataType::Int64, false),
        ];
        let schema = Arc::new(Schema::new(fields));
        let columns: Vec<ArrayRef> = vec![Arc::new(texts), Arc::new(numbers)];
        let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
        let mut out = Vec::new();
        write(&mut out, raw, &schema, &[batch]).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_cell_is_a_formula_or_a_command_unless_asked_for() {
        assert_eq!(
            written(false),
            "'@text,n\n'=1+1,-1\na\\u001b[31m,-2\n-5,-3\n,-4\n"
        );
        assert_eq!(
            written(true),
            "@text,n\n=1+1,-1\na\u{1b}[31m,-2\n-5,-3\n,-4\n"
        );
    }
}
