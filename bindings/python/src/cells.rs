//! Rows of Arrow batches as tuples of Python values.
//!
//! NULL is `None`; times are `datetime`s (UTC where they have a zone), dates `date`s, durations `timedelta`s, each cut to
//! microseconds; maps and structs are dictionaries, lists lists, decimals `Decimal`s, binary `bytes`. What Python has no
//! type for is the text that Arrow shows of it.

use std::sync::Arc;

use arrow::array::types::{ArrowPrimitiveType, Float64Type, Int64Type, UInt64Type};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
    LargeBinaryArray, LargeStringArray, PrimitiveArray, RecordBatch, StringArray, StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple, PyTzInfo};

use crate::errors;

static DECIMAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static TIMEDELTA: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static DATETIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static DATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

const DAY_SECONDS: i64 = 86_400;
/// The ordinal of 1970-01-01 among Python's dates.
const EPOCH_ORDINAL: i64 = 719_163;

type Value<'py> = PyResult<Bound<'py, PyAny>>;

/// Appends the rows of a batch to a list.
pub(crate) fn extend(list: &Bound<'_, PyList>, batch: &RecordBatch) -> PyResult<()> {
    let py = list.py();
    let columns: PyResult<Vec<Column>> = batch
        .columns()
        .iter()
        .map(|array| Column::of(py, array))
        .collect();
    let columns = columns?;
    for row in 0..batch.num_rows() {
        let cells: PyResult<Vec<_>> = columns.iter().map(|column| column.value(py, row)).collect();
        list.append(PyTuple::new(py, cells?)?)?;
    }
    Ok(())
}

/// A column whose type is looked at once.
enum Column {
    Null,
    Boolean(BooleanArray),
    Int(PrimitiveArray<Int64Type>),
    Unsigned(PrimitiveArray<UInt64Type>),
    Float(PrimitiveArray<Float64Type>),
    Text(StringArray),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    Binary(BinaryArray),
    LargeBinary(LargeBinaryArray),
    BinaryView(BinaryViewArray),
    FixedBinary(FixedSizeBinaryArray),
    /// Microseconds, and whether they are of UTC.
    Time(PrimitiveArray<Int64Type>, bool),
    Date(PrimitiveArray<Int64Type>),
    /// Microseconds.
    Duration(PrimitiveArray<Int64Type>),
    /// As text, which Python's class reads.
    Decimal(StringArray),
    /// The items of all rows, and where those of a row are.
    List(
        Box<Column>,
        ArrayRef,
        fn(&ArrayRef, usize) -> (usize, usize),
    ),
    Struct(Vec<(String, Column)>, ArrayRef),
    /// Keys and values of all rows, and where those of a row are.
    Map(Box<Column>, Box<Column>, ArrayRef),
    /// Any other, as text.
    Shown(ArrayRef),
}

fn failed(py: Python<'_>, error: &ArrowError) -> PyErr {
    errors::internal(py, &format!("a column cannot be read: {error}"))
}

impl Column {
    fn of(py: Python<'_>, array: &ArrayRef) -> PyResult<Self> {
        Self::read(array).map_err(|error| failed(py, &error))
    }

    fn read(array: &ArrayRef) -> Result<Self, ArrowError> {
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                Self::Int(primitive(array, &DataType::Int64)?)
            }
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                Self::Unsigned(primitive(array, &DataType::UInt64)?)
            }
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                Self::Float(primitive(array, &DataType::Float64)?)
            }
            DataType::Timestamp(_, zone) => Self::Time(micros(array)?, zone.is_some()),
            DataType::Date32 | DataType::Date64 => {
                let days = cast(array, &DataType::Date32)?;
                Self::Date(primitive(
                    &cast(&days, &DataType::Int32)?,
                    &DataType::Int64,
                )?)
            }
            DataType::Duration(_) => Self::Duration(micros(array)?),
            DataType::Decimal128(..) | DataType::Decimal256(..) => {
                Self::Decimal(cast(array, &DataType::Utf8)?.as_string().clone())
            }
            DataType::Dictionary(_, values) => Self::read(&cast(array, values)?)?,
            DataType::RunEndEncoded(_, values) => Self::read(&cast(array, values.data_type())?)?,
            _ => Self::read_bytes(array).map_or_else(|| Self::read_nested(array), Ok)?,
        })
    }

    /// A column of texts or bytes.
    fn read_bytes(array: &ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string().clone()),
            DataType::LargeUtf8 => Self::LargeText(array.as_string().clone()),
            DataType::Utf8View => Self::TextView(array.as_string_view().clone()),
            DataType::Binary => Self::Binary(array.as_binary().clone()),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary().clone()),
            DataType::BinaryView => Self::BinaryView(array.as_binary_view().clone()),
            DataType::FixedSizeBinary(_) => Self::FixedBinary(array.as_fixed_size_binary().clone()),
            _ => return None,
        })
    }

    fn read_nested(array: &ArrayRef) -> Result<Self, ArrowError> {
        let own = Arc::clone(array);
        Ok(match array.data_type() {
            DataType::List(_) => {
                let items = Self::read(array.as_list::<i32>().values())?;
                Self::List(Box::new(items), own, list_range)
            }
            DataType::LargeList(_) => {
                let items = Self::read(array.as_list::<i64>().values())?;
                Self::List(Box::new(items), own, large_list_range)
            }
            DataType::FixedSizeList(..) => {
                let items = Self::read(array.as_fixed_size_list().values())?;
                Self::List(Box::new(items), own, fixed_list_range)
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns().iter().zip(fields);
                let read =
                    columns.map(|(column, field)| Ok((field.name().clone(), Self::read(column)?)));
                Self::Struct(read.collect::<Result<_, ArrowError>>()?, own)
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let (keys, values) = (Self::read(map.keys())?, Self::read(map.values())?);
                Self::Map(Box::new(keys), Box::new(values), own)
            }
            _ => Self::Shown(own),
        })
    }

    fn value<'py>(&self, py: Python<'py>, row: usize) -> Value<'py> {
        match self {
            Self::Null => none(py),
            Self::Boolean(array) => plain(py, array.is_valid(row).then(|| array.value(row))),
            Self::Int(array) => plain(py, at(array, row)),
            Self::Unsigned(array) => plain(py, at(array, row)),
            Self::Float(array) => plain(py, at(array, row)),
            Self::Time(array, is_utc) => some(py, at(array, row), |time| moment(py, time, *is_utc)),
            Self::Date(array) => some(py, at(array, row), |days| date(py, days)),
            Self::Duration(array) => some(py, at(array, row), |time| timedelta(py, time)),
            Self::Decimal(array) => {
                let text = array.is_valid(row).then(|| array.value(row));
                some(py, text, |text| {
                    DECIMAL.import(py, "decimal", "Decimal")?.call1((text,))
                })
            }
            _ => self
                .text_or_bytes(py, row)
                .unwrap_or_else(|| self.nested(py, row)),
        }
    }

    fn text_or_bytes<'py>(&self, py: Python<'py>, row: usize) -> Option<Value<'py>> {
        Some(match self {
            Self::Text(array) => plain(py, array.is_valid(row).then(|| array.value(row))),
            Self::LargeText(array) => plain(py, array.is_valid(row).then(|| array.value(row))),
            Self::TextView(array) => plain(py, array.is_valid(row).then(|| array.value(row))),
            Self::Binary(array) => bytes(py, array.is_valid(row).then(|| array.value(row))),
            Self::LargeBinary(array) => bytes(py, array.is_valid(row).then(|| array.value(row))),
            Self::BinaryView(array) => bytes(py, array.is_valid(row).then(|| array.value(row))),
            Self::FixedBinary(array) => bytes(py, array.is_valid(row).then(|| array.value(row))),
            _ => return None,
        })
    }

    fn nested<'py>(&self, py: Python<'py>, row: usize) -> Value<'py> {
        match self {
            Self::List(_, array, _) | Self::Struct(_, array) | Self::Map(_, _, array)
                if array.is_null(row) =>
            {
                none(py)
            }
            Self::List(items, array, range) => {
                let (start, end) = range(array, row);
                let items: PyResult<Vec<_>> =
                    (start..end).map(|item| items.value(py, item)).collect();
                Ok(PyList::new(py, items?)?.into_any())
            }
            Self::Struct(members, _) => {
                let dict = PyDict::new(py);
                for (name, column) in members {
                    dict.set_item(name, column.value(py, row)?)?;
                }
                Ok(dict.into_any())
            }
            Self::Map(keys, values, array) => {
                let dict = PyDict::new(py);
                let (start, end) = map_range(array, row);
                for entry in start..end {
                    dict.set_item(keys.value(py, entry)?, values.value(py, entry)?)?;
                }
                Ok(dict.into_any())
            }
            Self::Shown(array) if array.is_valid(row) => {
                let shown = ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default());
                plain(
                    py,
                    Some(
                        shown
                            .map_err(|error| failed(py, &error))?
                            .value(row)
                            .to_string(),
                    ),
                )
            }
            _ => none(py),
        }
    }
}

/// The array as one of this type.
fn primitive<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    data_type: &DataType,
) -> Result<PrimitiveArray<T>, ArrowError> {
    Ok(cast(array, data_type)?.as_primitive::<T>().clone())
}

/// Times or durations as microseconds, what is finer cut off towards the past.
fn micros(array: &ArrayRef) -> Result<PrimitiveArray<Int64Type>, ArrowError> {
    let numbers = primitive::<Int64Type>(array, &DataType::Int64)?;
    let unit = match array.data_type() {
        DataType::Timestamp(unit, _) | DataType::Duration(unit) => *unit,
        _ => TimeUnit::Microsecond,
    };
    Ok(match unit {
        TimeUnit::Second => numbers.unary(|time| time.saturating_mul(1_000_000)),
        TimeUnit::Millisecond => numbers.unary(|time| time.saturating_mul(1_000)),
        TimeUnit::Microsecond => numbers,
        TimeUnit::Nanosecond => numbers.unary(|time| time.div_euclid(1_000)),
    })
}

fn at<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

fn none(py: Python<'_>) -> Value<'_> {
    Ok(py.None().into_bound(py))
}

fn plain<'py, T: IntoPyObject<'py>>(py: Python<'py>, value: Option<T>) -> Value<'py> {
    match value {
        Some(value) => value.into_bound_py_any(py),
        None => none(py),
    }
}

fn bytes<'py>(py: Python<'py>, value: Option<&[u8]>) -> Value<'py> {
    value.map_or_else(|| none(py), |bytes| Ok(PyBytes::new(py, bytes).into_any()))
}

fn some<'py, T>(
    py: Python<'py>,
    value: Option<T>,
    make: impl FnOnce(T) -> Value<'py>,
) -> Value<'py> {
    value.map_or_else(|| none(py), make)
}

/// A `datetime`; microseconds where it is outside of what Python has.
fn moment<'py>(py: Python<'py>, micros: i64, is_utc: bool) -> Value<'py> {
    let zone = match is_utc {
        true => Some(PyTzInfo::utc(py)?.to_owned()),
        false => None,
    };
    let days = micros.div_euclid(DAY_SECONDS * 1_000_000);
    let (Some((year, month, day)), rest) =
        (civil(days), micros.rem_euclid(DAY_SECONDS * 1_000_000))
    else {
        return plain(py, Some(micros));
    };
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    DATETIME
        .import(py, "datetime", "datetime")?
        .call1((year, month, day, hour, minute, second, fraction, zone))
}

/// The year, month and day of days since 1970-01-01; `None` outside of the years 1 to 9999.
fn civil(days: i64) -> Option<(i64, i64, i64)> {
    // By eras of 400 years that begin in March, so that a leap day is the last of its year.
    let days = days.checked_add(719_468)?;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (1..=9999).contains(&year).then_some((year, month, day))
}

fn date(py: Python<'_>, days: i64) -> Value<'_> {
    DATE.import(py, "datetime", "date")?
        .call_method1("fromordinal", (days + EPOCH_ORDINAL,))
}

fn timedelta(py: Python<'_>, micros: i64) -> Value<'_> {
    TIMEDELTA
        .import(py, "datetime", "timedelta")?
        .call1((0, 0, micros))
}

fn list_range(array: &ArrayRef, row: usize) -> (usize, usize) {
    range_of(array.as_list::<i32>().value_offsets(), row)
}

fn large_list_range(array: &ArrayRef, row: usize) -> (usize, usize) {
    range_of(array.as_list::<i64>().value_offsets(), row)
}

fn fixed_list_range(array: &ArrayRef, row: usize) -> (usize, usize) {
    let length = array.as_fixed_size_list().value_length() as usize;
    (row * length, (row + 1) * length)
}

fn map_range(array: &ArrayRef, row: usize) -> (usize, usize) {
    range_of(array.as_map().value_offsets(), row)
}

fn range_of<T: Copy + TryInto<usize>>(offsets: &[T], row: usize) -> (usize, usize) {
    let offset = |at: usize| offsets.get(at).and_then(|offset| (*offset).try_into().ok());
    (offset(row).unwrap_or(0), offset(row + 1).unwrap_or(0))
}
