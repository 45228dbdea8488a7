//! Types that a form has no place for, as the text of their values: keys of maps that are no text (JSON, and what is
//! made of it), intervals (Parquet).

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use crate::failure::Result;

/// What a form takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Maps with text keys alone.
    TextKeys,
    /// Everything but intervals.
    NoIntervals,
}

impl Takes {
    /// The schema that is written.
    pub fn schema(self, schema: &SchemaRef) -> SchemaRef {
        Arc::new(Schema::new(self.fields(schema.fields())))
    }

    /// The batches that are written.
    ///
    /// # Errors
    /// When a value has no text.
    pub fn batches(self, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
        batches.iter().map(|batch| self.batch(batch)).collect()
    }

    /// One batch of them.
    ///
    /// # Errors
    /// As [`Takes::batches`].
    pub fn batch(self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = self.schema(batch.schema_ref());
        if schema.fields() == batch.schema_ref().fields() {
            return Ok(batch.clone());
        }
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type()));
        let columns = columns.collect::<std::result::Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }

    fn fields(self, fields: &Fields) -> Fields {
        fields.iter().map(|field| self.field(field)).collect()
    }

    fn field(self, field: &FieldRef) -> FieldRef {
        let data_type = match field.data_type() {
            DataType::Interval(_) if self == Self::NoIntervals => DataType::Utf8,
            DataType::List(item) => DataType::List(self.field(item)),
            DataType::LargeList(item) => DataType::LargeList(self.field(item)),
            DataType::Struct(fields) => DataType::Struct(self.fields(fields)),
            DataType::Map(entries, is_sorted) => DataType::Map(self.entries(entries), *is_sorted),
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
        if self != Self::TextKeys || key.data_type().is_string() {
            return entries;
        }
        let key = Arc::new(Field::new(key.name(), DataType::Utf8, false));
        let pair = DataType::Struct(Fields::from(vec![key, Arc::clone(value)]));
        Arc::new(entries.as_ref().clone().with_data_type(pair))
    }
}
