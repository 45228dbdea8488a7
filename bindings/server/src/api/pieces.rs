//! Batches as answers have them: in pieces of bounded size, and for readers of Arrow with types that each of them knows.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

/// What a piece is to have at most; a single row may have more.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// The rows of a batch in pieces.
pub(super) fn pieces(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    let parts = batch.get_array_memory_size().div_ceil(PIECE_BYTES).max(1);
    let step = rows.div_ceil(parts).max(1);
    (0..rows)
        .step_by(step)
        .map(move |begin| batch.slice(begin, step.min(rows - begin)))
}

/// A schema without views, which are new, and keep what they look at whole.
pub(super) fn schema_without_views(schema: &SchemaRef) -> SchemaRef {
    let fields = all_without_views(schema.fields());
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// A batch without views.
///
/// # Errors
/// When a view has more than the 2 GiB of a plain column.
pub(super) fn without_views(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = schema_without_views(batch.schema_ref());
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(
        |(column, field)| match column.data_type() == field.data_type() {
            true => Ok(Arc::clone(column)),
            false => cast(column, field.data_type()),
        },
    );
    let columns = columns.collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

fn all_without_views(fields: &Fields) -> Fields {
    fields.iter().map(field_without_views).collect()
}

fn field_without_views(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) => DataType::List(field_without_views(item)),
        DataType::LargeList(item) => DataType::LargeList(field_without_views(item)),
        DataType::Struct(fields) => DataType::Struct(all_without_views(fields)),
        DataType::Map(entries, is_sorted) => {
            DataType::Map(field_without_views(entries), *is_sorted)
        }
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}
