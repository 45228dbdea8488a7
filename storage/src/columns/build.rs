//! Columns of a batch from plain rows: one value of each row, in order.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, StringViewArray, StringViewBuilder,
    TimestampNanosecondArray,
};

/// A text column without NULL.
pub(super) fn required<T>(rows: &[T], get: impl Fn(&T) -> &str) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(rows.iter().map(get)))
}

/// A text column.
pub(super) fn optional<T>(rows: &[T], get: impl Fn(&T) -> &Option<String>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter(
        rows.iter().map(|row| get(row).as_deref()),
    ))
}

/// A text column whose values repeat: each is kept once.
pub(super) fn repeated<'r, T: 'r>(
    rows: &'r [T],
    get: impl Fn(&'r T) -> Option<&'r str>,
) -> ArrayRef {
    let mut builder = StringViewBuilder::with_capacity(rows.len()).with_deduplicate_strings();
    builder.extend(rows.iter().map(get));
    Arc::new(builder.finish())
}

/// An Int64 column.
pub(super) fn int<T>(rows: &[T], get: impl Fn(&T) -> Option<i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter(rows.iter().map(get)))
}

/// A Float64 column. Zero has no sign in it (`-0.0 + 0.0` is `0.0`): Arrow takes `-0.0` for another value, SQL does not.
pub(super) fn float<T>(rows: &[T], get: impl Fn(&T) -> Option<f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(
        rows.iter().map(|row| get(row).map(|value| value + 0.0)),
    ))
}

/// A timestamp column, from Unix nanoseconds.
pub(super) fn time<T>(rows: &[T], get: impl Fn(&T) -> Option<i64>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from_iter(rows.iter().map(get)).with_timezone("UTC"))
}
