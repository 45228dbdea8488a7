//! Typed access to the columns of a batch by name; a missing column or another type is a bug of the
//! caller and reported as such.

use std::collections::BTreeMap;

use arrow::array::{
    Array, ArrowPrimitiveType, AsArray, Float64Array, Int64Array, ListArray, MapArray, PrimitiveArray,
    RecordBatch, StringViewArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType, UInt64Type};

use crate::error::{Error, Result};

fn typed<'a, A>(
    batch: &'a RecordBatch,
    column: &str,
    cast: impl Fn(&'a dyn Array) -> Option<&'a A>,
) -> Result<&'a A> {
    let array = batch.column_by_name(column).ok_or_else(|| Error::internal(format!("no column {column}")))?;
    cast(array.as_ref())
        .ok_or_else(|| Error::internal(format!("column {column} has the type {}", array.data_type())))
}

/// A text column.
///
/// # Errors
/// `Internal` when the batch has no such column of this type; so for all functions here.
pub fn text<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a StringViewArray> {
    typed(batch, column, |array| array.as_string_view_opt())
}

/// An Int64 column.
///
/// # Errors
/// As [`text`].
pub fn ints<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a Int64Array> {
    typed(batch, column, |array| array.as_primitive_opt::<Int64Type>())
}

/// A UInt64 column.
///
/// # Errors
/// As [`text`].
pub fn uints<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a UInt64Array> {
    typed(batch, column, |array| array.as_primitive_opt::<UInt64Type>())
}

/// A Float64 column.
///
/// # Errors
/// As [`text`].
pub fn floats<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a Float64Array> {
    typed(batch, column, |array| array.as_primitive_opt::<Float64Type>())
}

/// A timestamp column, in Unix nanoseconds.
///
/// # Errors
/// As [`text`].
pub fn times<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a TimestampNanosecondArray> {
    typed(batch, column, |array| array.as_primitive_opt::<TimestampNanosecondType>())
}

/// A list column.
///
/// # Errors
/// As [`text`].
pub fn list<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a ListArray> {
    typed(batch, column, |array| array.as_list_opt::<i32>())
}

/// The text at `row`, `None` for NULL.
pub fn text_at(array: &StringViewArray, row: usize) -> Option<&str> {
    if array.is_null(row) { None } else { Some(array.value(row)) }
}

/// One row of a batch, its values by column name; so errors are those of [`text`].
pub(super) struct Row<'a> {
    pub(super) batch: &'a RecordBatch,
    pub(super) row: usize,
}

impl Row<'_> {
    pub(super) fn text(&self, column: &str) -> Result<Option<String>> {
        Ok(text_at(text(self.batch, column)?, self.row).map(str::to_string))
    }

    /// The text of a column without NULL.
    pub(super) fn required(&self, column: &str) -> Result<String> {
        Ok(self.text(column)?.unwrap_or_default())
    }

    pub(super) fn int(&self, column: &str) -> Result<Option<i64>> {
        Ok(value_at(ints(self.batch, column)?, self.row))
    }

    pub(super) fn float(&self, column: &str) -> Result<Option<f64>> {
        Ok(value_at(floats(self.batch, column)?, self.row))
    }

    /// In Unix nanoseconds.
    pub(super) fn time(&self, column: &str) -> Result<Option<i64>> {
        Ok(value_at(times(self.batch, column)?, self.row))
    }
}

/// The number at `row`, `None` for NULL.
pub(crate) fn value_at<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    if array.is_null(row) { None } else { Some(array.value(row)) }
}

/// The entries of the string map at `row`; a NULL value is left out.
///
/// # Errors
/// As [`text`].
pub fn map_at(batch: &RecordBatch, column: &str, row: usize) -> Result<BTreeMap<String, String>> {
    let maps: &MapArray = typed(batch, column, |array| array.as_map_opt())?;
    let mut entries = BTreeMap::new();
    if maps.is_null(row) {
        return Ok(entries);
    }
    let pairs = maps.value(row);
    let keys = pairs.column(0).as_string_opt::<i32>();
    let values = pairs.column(1).as_string_opt::<i32>();
    let (Some(keys), Some(values)) = (keys, values) else {
        return Err(Error::internal(format!("map column {column} does not hold text")));
    };
    for (key, value) in keys.iter().zip(values.iter()) {
        if let (Some(key), Some(value)) = (key, value) {
            entries.insert(key.to_string(), value.to_string());
        }
    }
    Ok(entries)
}
