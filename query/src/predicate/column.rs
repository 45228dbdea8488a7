//! Typed access to the columns of a batch of stored rows.

use arrow::array::{
    Array, AsArray, Float64Array, ListArray, MapArray, StringArray, StringViewArray, StructArray,
    make_view,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::kernels::cmp::eq;
use arrow::datatypes::{Int64Type, TimestampNanosecondType, UInt32Type};
use arrow::record_batch::RecordBatch;
use tracehouse_storage::{Error, Result};

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a dyn Array> {
    match batch.column_by_name(name) {
        Some(column) => Ok(column.as_ref()),
        None => Err(Error::internal(format!(
            "a condition reads column {name}, which its batch lacks"
        ))),
    }
}

fn wrong_type(name: &str, column: &dyn Array) -> Error {
    Error::internal(format!(
        "column {name} has the unexpected type {}",
        column.data_type()
    ))
}

/// A text column.
pub(crate) fn text<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringViewArray> {
    let column = column(batch, name)?;
    column
        .as_string_view_opt()
        .ok_or_else(|| wrong_type(name, column))
}

/// Longest text that a view holds itself, bytes.
const INLINE_BYTES: usize = 12;

/// The rows of a column that equal a text.
pub(crate) fn equal(array: &StringViewArray, value: &str) -> Result<BooleanBuffer> {
    let (equal, nulls) = if value.len() <= INLINE_BYTES {
        // A short text is its view.
        let wanted = make_view(value.as_bytes(), 0, 0);
        let views = array.views();
        let is_equal = |row: usize| views.get(row) == Some(&wanted);
        (
            BooleanBuffer::collect_bool(array.len(), is_equal),
            array.nulls().cloned(),
        )
    } else {
        eq(array, &StringViewArray::new_scalar(value))?.into_parts()
    };
    Ok(match nulls {
        Some(nulls) => &equal & nulls.inner(),
        None => equal,
    })
}

/// Integers, or timestamps as Unix nanoseconds.
pub(crate) struct Ints {
    values: ScalarBuffer<i64>,
    nulls: Option<NullBuffer>,
}

impl Ints {
    /// The value of a row, `None` when absent.
    pub fn get(&self, row: usize) -> Option<i64> {
        match &self.nulls {
            Some(nulls) if nulls.is_null(row) => None,
            _ => self.values.get(row).copied(),
        }
    }
}

/// An integer or timestamp column.
pub(crate) fn ints(batch: &RecordBatch, name: &str) -> Result<Ints> {
    let column = column(batch, name)?;
    let nulls = column.nulls().cloned();
    if let Some(array) = column.as_primitive_opt::<Int64Type>() {
        return Ok(Ints {
            values: array.values().clone(),
            nulls,
        });
    }
    match column.as_primitive_opt::<TimestampNanosecondType>() {
        Some(array) => Ok(Ints {
            values: array.values().clone(),
            nulls,
        }),
        None => Err(wrong_type(name, column)),
    }
}

/// The physical row numbers of a batch.
pub(crate) fn row_numbers(batch: &RecordBatch) -> Result<&[u32]> {
    let column = column(batch, "_row")?;
    let numbers = column
        .as_primitive_opt::<UInt32Type>()
        .ok_or_else(|| wrong_type("_row", column))?;
    Ok(numbers.values())
}

/// A floating-point column.
pub(crate) fn floats<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Float64Array> {
    let column = column(batch, name)?;
    column
        .as_primitive_opt()
        .ok_or_else(|| wrong_type(name, column))
}

/// A boolean column, NULL as false.
pub(crate) fn bools(batch: &RecordBatch, name: &str) -> Result<BooleanBuffer> {
    let column = column(batch, name)?;
    let array = column
        .as_boolean_opt()
        .ok_or_else(|| wrong_type(name, column))?;
    Ok(match array.nulls() {
        Some(nulls) => array.values() & nulls.inner(),
        None => array.values().clone(),
    })
}

/// A `Map<Utf8, Utf8>` column.
pub(crate) struct Map<'a> {
    map: &'a MapArray,
    keys: &'a StringArray,
    values: &'a StringArray,
}

impl<'a> Map<'a> {
    /// Every key that a row has, some of them often.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (first, last) = (
            self.map.value_offsets().first(),
            self.map.value_offsets().last(),
        );
        let bound = |offset: Option<&i32>| {
            offset
                .and_then(|at| usize::try_from(*at).ok())
                .unwrap_or_default()
        };
        let keys = self.keys;
        (bound(first)..bound(last)).map(|at| keys.value(at))
    }

    /// The value of `key` in a row; `None` when the row lacks it or it is NULL.
    pub fn get(&self, row: usize, key: &str) -> Option<&'a str> {
        if self.map.is_null(row) {
            return None;
        }
        let (start, end) = range(self.map.value_offsets(), row);
        let at = (start..end).find(|at| self.keys.value(*at) == key)?;
        self.values.is_valid(at).then(|| self.values.value(at))
    }
}

/// A map column.
pub(crate) fn map<'a>(batch: &'a RecordBatch, name: &str) -> Result<Map<'a>> {
    let column = column(batch, name)?;
    let map = column
        .as_map_opt()
        .ok_or_else(|| wrong_type(name, column))?;
    match (map.keys().as_string_opt(), map.values().as_string_opt()) {
        (Some(keys), Some(values)) => Ok(Map { map, keys, values }),
        _ => Err(wrong_type(name, column)),
    }
}

/// A `List<Utf8>` column.
pub(crate) struct TextList<'a> {
    list: &'a ListArray,
    values: &'a StringArray,
}

impl<'a> TextList<'a> {
    /// The texts of a row.
    pub fn get(&self, row: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        let (start, end) = if self.list.is_null(row) {
            (0, 0)
        } else {
            range(self.list.value_offsets(), row)
        };
        let values = self.values;
        (start..end)
            .filter(|at| values.is_valid(*at))
            .map(|at| values.value(at))
    }
}

/// A list of texts.
pub(crate) fn text_list<'a>(batch: &'a RecordBatch, name: &str) -> Result<TextList<'a>> {
    let column = column(batch, name)?;
    let list = column
        .as_list_opt::<i32>()
        .ok_or_else(|| wrong_type(name, column))?;
    match list.values().as_string_opt() {
        Some(values) => Ok(TextList { list, values }),
        None => Err(wrong_type(name, column)),
    }
}

/// The `events` column: names and JSON object texts.
pub(crate) struct Events<'a> {
    list: &'a ListArray,
    names: &'a StringArray,
    attributes: &'a StringArray,
}

impl<'a> Events<'a> {
    /// Name and attributes of each event of a row.
    pub fn get(&self, row: usize) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let (start, end) = if self.list.is_null(row) {
            (0, 0)
        } else {
            range(self.list.value_offsets(), row)
        };
        let (names, attributes) = (self.names, self.attributes);
        (start..end).map(move |at| (names.value(at), attributes.value(at)))
    }
}

/// The `events` column of spans.
pub(crate) fn events<'a>(batch: &'a RecordBatch, name: &str) -> Result<Events<'a>> {
    let column = column(batch, name)?;
    let list = column
        .as_list_opt::<i32>()
        .ok_or_else(|| wrong_type(name, column))?;
    let fields: Option<&StructArray> = list.values().as_struct_opt();
    let text = |field: &str| fields?.column_by_name(field)?.as_string_opt::<i32>();
    match (text("name"), text("attributes")) {
        (Some(names), Some(attributes)) => Ok(Events {
            list,
            names,
            attributes,
        }),
        _ => Err(wrong_type(name, column)),
    }
}

/// Start and end of a row's elements.
fn range(offsets: &[i32], row: usize) -> (usize, usize) {
    let at = |i: usize| {
        offsets
            .get(i)
            .and_then(|offset| usize::try_from(*offset).ok())
            .unwrap_or(0)
    };
    (at(row), at(row + 1))
}
