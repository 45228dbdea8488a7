//! Batches as answers have them: in pieces of bounded size, with types that every reader knows.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

/// What a piece is to have at most; a single row may have more.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// What an answer has no place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON: keys of maps are texts.
    Json,
    /// Arrow: no views, which are new and keep what they look at whole.
    Arrow,
}

impl Form {
    /// The schema of an answer.
    pub(super) fn schema(self, schema: &SchemaRef) -> SchemaRef {
        let fields = self.fields(schema.fields());
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }

    /// The rows of a batch in pieces.
    pub(super) fn pieces(
        self,
        batch: &RecordBatch,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        let rows = batch.num_rows();
        let parts = batch.get_array_memory_size().div_ceil(PIECE_BYTES).max(1);
        let step = rows.div_ceil(parts).max(1);
        let schema = self.schema(batch.schema_ref());
        (0..rows).step_by(step).map(move |begin| {
            let piece = batch.slice(begin, step.min(rows - begin));
            self.piece(&schema, &piece)
        })
    }

    fn piece(self, schema: &SchemaRef, piece: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = piece.columns().iter().zip(schema.fields());
        let columns =
            columns.map(
                |(column, field)| match column.data_type() == field.data_type() {
                    true => Ok(Arc::clone(column)),
                    false => cast(column, field.data_type()),
                },
            );
        let columns = columns.collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(piece.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
    }

    fn fields(self, fields: &Fields) -> Fields {
        fields.iter().map(|field| self.field(field)).collect()
    }

    fn field(self, field: &FieldRef) -> FieldRef {
        let data_type = match (self, field.data_type()) {
            (Self::Arrow, DataType::Utf8View) => DataType::Utf8,
            (Self::Arrow, DataType::BinaryView) => DataType::Binary,
            (_, DataType::List(item)) => DataType::List(self.field(item)),
            (_, DataType::LargeList(item)) => DataType::LargeList(self.field(item)),
            (_, DataType::Struct(fields)) => DataType::Struct(self.fields(fields)),
            (_, DataType::Map(entries, is_sorted)) => {
                DataType::Map(self.entries(entries), *is_sorted)
            }
            _ => return Arc::clone(field),
        };
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    }

    fn entries(self, entries: &FieldRef) -> FieldRef {
        let entries = self.field(entries);
        let DataType::Struct(pair) = entries.data_type() else {
            return entries;
        };
        let (Some(key), Some(value)) = (pair.first(), pair.get(1)) else {
            return entries;
        };
        if self == Self::Arrow || key.data_type().is_string() {
            return entries;
        }
        let key = Arc::new(Field::new(key.name(), DataType::Utf8, false));
        let pair = DataType::Struct(Fields::from(vec![key, Arc::clone(value)]));
        Arc::new(entries.as_ref().clone().with_data_type(pair))
    }
}
