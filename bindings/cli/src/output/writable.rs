//! Parquet has no place for intervals: they are written as the text of their values.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};

use crate::failure::Result;

/// The schema that is written.
pub fn schema_without_intervals(schema: &SchemaRef) -> SchemaRef {
    Arc::new(Schema::new(all_without(schema.fields())))
}

/// The batches that are written.
///
/// # Errors
/// When a value has no text.
pub fn without_intervals(batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
    batches.iter().map(batch_without).collect()
}

fn batch_without(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = schema_without_intervals(batch.schema_ref());
    if schema.fields() == batch.schema_ref().fields() {
        return Ok(batch.clone());
    }
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<std::result::Result<_, _>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn all_without(fields: &Fields) -> Fields {
    fields.iter().map(without).collect()
}

fn without(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Interval(_) => DataType::Utf8,
        DataType::List(item) => DataType::List(without(item)),
        DataType::LargeList(item) => DataType::LargeList(without(item)),
        DataType::Struct(fields) => DataType::Struct(all_without(fields)),
        DataType::Map(entries, is_sorted) => DataType::Map(without(entries), *is_sorted),
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}
