//! Typed access to the columns of a batch by name; a missing column or another type is a bug of the
//! caller and reported as such.

use std::cell::Cell;
use std::collections::BTreeMap;

use arrow::array::{
    Array, ArrowPrimitiveType, AsArray, Float64Array, Int64Array, ListArray, MapArray,
    PrimitiveArray, RecordBatch, StringViewArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType, UInt64Type};

use crate::error::{Error, Result};

fn typed<'a, A>(
    batch: &'a RecordBatch,
    column: &str,
    as_type: impl Fn(&'a dyn Array) -> Option<&'a A>,
) -> Result<&'a A> {
    let array = batch
        .column_by_name(column)
        .ok_or_else(|| no_column(column))?;
    cast(array.as_ref(), column, as_type)
}

fn cast<'a, A>(
    array: &'a dyn Array,
    column: &str,
    as_type: impl Fn(&'a dyn Array) -> Option<&'a A>,
) -> Result<&'a A> {
    as_type(array).ok_or_else(|| {
        Error::internal(format!(
            "column {column} has the type {}",
            array.data_type()
        ))
    })
}

fn no_column(name: &str) -> Error {
    Error::internal(format!("no column {name}"))
}

fn no_value(column: &str, row: usize) -> Error {
    Error::internal(format!(
        "row {row} of a batch has no value in column {column}, which is never NULL"
    ))
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
    typed(batch, column, |array| {
        array.as_primitive_opt::<UInt64Type>()
    })
}

/// A Float64 column.
///
/// # Errors
/// As [`text`].
pub fn floats<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a Float64Array> {
    typed(batch, column, |array| {
        array.as_primitive_opt::<Float64Type>()
    })
}

/// A timestamp column, in Unix nanoseconds.
///
/// # Errors
/// As [`text`].
pub fn times<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a TimestampNanosecondArray> {
    typed(batch, column, |array| {
        array.as_primitive_opt::<TimestampNanosecondType>()
    })
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
    if array.is_null(row) {
        None
    } else {
        Some(array.value(row))
    }
}

/// A text column that has a value in each row, such as that of an id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequiredText<'a>(&'a StringViewArray);

/// A text column without NULL.
///
/// # Errors
/// As [`text`]; `Internal` for a row without a value: the stored schema has none.
pub(crate) fn required_text<'a>(batch: &'a RecordBatch, column: &str) -> Result<RequiredText<'a>> {
    let texts = text(batch, column)?;
    if texts.null_count() == 0 {
        return Ok(RequiredText(texts));
    }
    let row = texts.iter().take_while(Option::is_some).count();
    Err(no_value(column, row))
}

impl<'a> RequiredText<'a> {
    /// The text at `row`.
    pub(crate) fn value(self, row: usize) -> &'a str {
        self.0.value(row)
    }

    /// The texts in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a str> {
        (0..self.0.len()).map(move |row| self.0.value(row))
    }
}

/// One row of a batch, its values by column name; so errors are those of [`text`]. A column is found
/// without a search when the one before it in the batch was asked for last.
pub(super) struct Row<'a> {
    batch: &'a RecordBatch,
    row: usize,
    next: Cell<usize>,
}

impl<'a> Row<'a> {
    pub(super) fn new(batch: &'a RecordBatch, row: usize) -> Self {
        Self {
            batch,
            row,
            next: Cell::new(0),
        }
    }

    fn column(&self, name: &str) -> Result<&'a dyn Array> {
        let schema = self.batch.schema_ref();
        let expected = self.next.get();
        let is_expected = schema
            .fields()
            .get(expected)
            .is_some_and(|field| field.name() == name);
        let at = if is_expected {
            Some(expected)
        } else {
            schema.column_with_name(name).map(|(at, _)| at)
        };
        let array = at
            .and_then(|at| self.batch.columns().get(at))
            .ok_or_else(|| no_column(name))?;
        self.next.set(at.map_or(0, |at| at + 1));
        Ok(array.as_ref())
    }

    fn value<T: ArrowPrimitiveType>(&self, column: &str) -> Result<Option<T::Native>> {
        let array: &PrimitiveArray<T> = cast(self.column(column)?, column, |array| {
            array.as_primitive_opt()
        })?;
        Ok(value_at(array, self.row))
    }

    pub(super) fn text(&self, column: &str) -> Result<Option<String>> {
        let texts = cast(self.column(column)?, column, |array| {
            array.as_string_view_opt()
        })?;
        Ok(text_at(texts, self.row).map(str::to_string))
    }

    /// The text of a column without NULL.
    pub(super) fn required(&self, column: &str) -> Result<String> {
        self.text(column)?.ok_or_else(|| no_value(column, self.row))
    }

    /// The number of a column without NULL.
    pub(super) fn required_int(&self, column: &str) -> Result<i64> {
        self.int(column)?.ok_or_else(|| no_value(column, self.row))
    }

    /// The time of a column without NULL, in Unix nanoseconds.
    pub(super) fn required_time(&self, column: &str) -> Result<i64> {
        self.time(column)?.ok_or_else(|| no_value(column, self.row))
    }

    pub(super) fn int(&self, column: &str) -> Result<Option<i64>> {
        self.value::<Int64Type>(column)
    }

    pub(super) fn float(&self, column: &str) -> Result<Option<f64>> {
        self.value::<Float64Type>(column)
    }

    /// In Unix nanoseconds.
    pub(super) fn time(&self, column: &str) -> Result<Option<i64>> {
        self.value::<TimestampNanosecondType>(column)
    }
}

/// The number at `row`, `None` for NULL.
pub(crate) fn value_at<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    row: usize,
) -> Option<T::Native> {
    if array.is_null(row) {
        None
    } else {
        Some(array.value(row))
    }
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
        return Err(Error::internal(format!(
            "map column {column} does not hold text"
        )));
    };
    assert_eq!(
        keys.len(),
        values.len(),
        "each key of a map has a value or NULL"
    );
    for (key, value) in keys.iter().zip(values.iter()) {
        if let (Some(key), Some(value)) = (key, value) {
            entries.insert(key.to_string(), value.to_string());
        }
    }
    Ok(entries)
}
