//! CSV with a header line; nested values are JSON text, NULL is empty.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::json;
use crate::failure::Result;

/// Writes the rows; the header also of an empty result.
pub fn write(out: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
    let mut writer = WriterBuilder::new().with_header(true).build(out);
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        writer.write(&flat(&RecordBatch::new_empty(schema.clone()))?)?;
    }
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        writer.write(&flat(batch)?)?;
    }
    Ok(())
}

/// The same rows with nested columns as JSON text.
pub fn flat(batch: &RecordBatch) -> Result<RecordBatch> {
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
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}
