//! Rows and cells of Arrow batches as serde's data: what [`batch_rows`](crate::batch_rows) reads its values from.
//!
//! ```text
//! RecordBatch -> Row (a map of columns, or a sequence) -> Cell (one value) -> T
//! ```
//!
//! Values go straight from Arrow's buffers to the type: numbers keep every bit. What no JSON-like type has (times,
//! decimals, durations) is text, as Arrow shows it; times are RFC 3339.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Fields, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::downcast_dictionary_array;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::de::value::{Error as Misfit, SeqDeserializer, StringDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

type Fit<T> = std::result::Result<T, Misfit>;

/// The members of a row or struct, one after the other.
#[derive(Clone, Copy)]
struct Members<'a> {
    fields: &'a Fields,
    columns: &'a [ArrayRef],
    row: usize,
    next: usize,
}

impl<'a> Members<'a> {
    fn take(&mut self) -> Option<(&'a str, Cell<'a>)> {
        let (field, column) = (self.fields.get(self.next)?, self.columns.get(self.next)?);
        self.next += 1;
        Some((
            field.name(),
            Cell {
                array: column.as_ref(),
                row: self.row,
            },
        ))
    }

    fn read<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Fit<Option<T::Value>> {
        let Some((name, cell)) = self.take() else {
            return Ok(None);
        };
        seed.deserialize(cell)
            .map(Some)
            .map_err(|misfit| named(name, cell, misfit))
    }
}

impl<'a> MapAccess<'a> for Members<'a> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Fit<Option<K::Value>> {
        let Some(field) = self.fields.get(self.next) else {
            return Ok(None);
        };
        seed.deserialize(field.name().as_str().into_deserializer())
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Fit<V::Value> {
        self.read(seed)?
            .ok_or_else(|| Misfit::custom("a value without a column"))
    }
}

impl<'a> SeqAccess<'a> for Members<'a> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Fit<Option<T::Value>> {
        self.read(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.columns.len() - self.next)
    }
}

/// A row: a map of its columns, a sequence of them, or, of one column, the value in it.
pub(crate) struct Row<'a>(Members<'a>);

impl<'a> Row<'a> {
    /// A row of a batch.
    pub(crate) fn of(batch: &'a RecordBatch, row: usize) -> Self {
        Self(Members {
            fields: batch.schema_ref().fields(),
            columns: batch.columns(),
            row,
            next: 0,
        })
    }

    fn only(mut self) -> Fit<(&'a str, Cell<'a>)> {
        match (self.0.columns.len(), self.0.take()) {
            (1, Some(only)) => Ok(only),
            (columns, _) => Err(Misfit::custom(format!(
                "a row of {columns} columns is no single value"
            ))),
        }
    }
}

/// What does not fit, by its column.
fn named(name: &str, cell: Cell<'_>, misfit: Misfit) -> Misfit {
    match cell.is_null() {
        true => Misfit::custom(format!(
            "column {name} is NULL, and the type has no place for that: an Option has"
        )),
        false => Misfit::custom(format!("column {name}: {misfit}")),
    }
}

/// Single values are those of the only column.
macro_rules! of_only_column {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Fit<V::Value> {
            let (name, cell) = self.only()?;
            cell.$method(visitor).map_err(|misfit| named(name, cell, misfit))
        })*
    };
}

impl<'de> Deserializer<'de> for Row<'de> {
    type Error = Misfit;

    of_only_column! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32
        deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Fit<V::Value> {
        visitor.visit_map(self.0)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Fit<V::Value> {
        visitor.visit_seq(self.0)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Fit<V::Value> {
        match self.0.columns.len() {
            columns if columns == len => visitor.visit_seq(self.0),
            columns => Err(Misfit::custom(format!(
                "a row of {columns} columns is no tuple of {len} values"
            ))),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Fit<V::Value> {
        self.deserialize_tuple(len, visitor)
    }

    /// A row is there, but the only value in it may not be.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Fit<V::Value> {
        let mut members = self.0;
        match (members.columns.len(), members.take()) {
            (1, Some((_, cell))) if cell.is_null() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Fit<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Fit<V::Value> {
        let (column, cell) = self.only()?;
        let read = cell.deserialize_enum(name, variants, visitor);
        read.map_err(|misfit| named(column, cell, misfit))
    }

    forward_to_deserialize_any! { map struct unit unit_struct identifier ignored_any }
}

/// One value.
#[derive(Clone, Copy)]
struct Cell<'a> {
    array: &'a dyn Array,
    row: usize,
}

impl<'a> Cell<'a> {
    fn is_null(self) -> bool {
        // The nulls of a dictionary may be those of its values.
        self.array.is_null(self.row)
            || *self.array.data_type() == DataType::Null
            || self.entry().is_some_and(Cell::is_null)
    }

    /// The value that a dictionary's key stands for.
    fn entry(self) -> Option<Self> {
        let (array, row) = (self.array, self.row);
        downcast_dictionary_array!(
            array => array.key(row).map(|row| Cell { array: array.values().as_ref(), row }),
            _ => None
        )
    }

    /// As Arrow shows it.
    fn text(self) -> Fit<String> {
        let formatter = ArrayFormatter::try_new(self.array, &FormatOptions::default());
        let text = formatter.and_then(|formatter| {
            let mut text = String::new();
            formatter.value(self.row).write(&mut text)?;
            Ok(text)
        });
        text.map_err(Misfit::custom)
    }

    /// A time in Unix nanoseconds, a decimal without a fraction.
    fn whole(self) -> Option<Fit<i64>> {
        let time = |time: i64, ns: i64| {
            time.checked_mul(ns).ok_or_else(|| {
                Misfit::custom(format!("{time} s, ms or us do not fit into nanoseconds"))
            })
        };
        let (array, row) = (self.array, self.row);
        match array.data_type() {
            _ if self.is_null() => None,
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Some(Ok(array
                .as_primitive::<TimestampNanosecondType>()
                .value(row))),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Some(time(
                array.as_primitive::<TimestampMicrosecondType>().value(row),
                1_000,
            )),
            DataType::Timestamp(TimeUnit::Millisecond, _) => Some(time(
                array.as_primitive::<TimestampMillisecondType>().value(row),
                1_000_000,
            )),
            DataType::Timestamp(TimeUnit::Second, _) => Some(time(
                array.as_primitive::<TimestampSecondType>().value(row),
                1_000_000_000,
            )),
            data_type if data_type.is_decimal() => self.text().ok()?.parse().ok().map(Ok),
            _ => None,
        }
    }

    /// A list's items.
    fn items(self) -> Option<Items<'a>> {
        let row = self.row;
        let (values, start, len) = match self.array.data_type() {
            DataType::List(_) => {
                let list = self.array.as_list::<i32>();
                (
                    list.values(),
                    i64::from(*list.offsets().get(row)?),
                    i64::from(list.value_length(row)),
                )
            }
            DataType::LargeList(_) => {
                let list = self.array.as_list::<i64>();
                (
                    list.values(),
                    *list.offsets().get(row)?,
                    list.value_length(row),
                )
            }
            DataType::FixedSizeList(..) => {
                let list = self.array.as_fixed_size_list();
                (
                    list.values(),
                    i64::from(list.value_offset(row)),
                    i64::from(list.value_length()),
                )
            }
            _ => return None,
        };
        let (next, len) = (usize::try_from(start).ok()?, usize::try_from(len).ok()?);
        Some(Items {
            values: values.as_ref(),
            next,
            end: next + len,
        })
    }

    /// A map's keys and values.
    fn pairs(self) -> Option<Pairs<'a>> {
        let map = self.array.as_map_opt()?;
        let start = usize::try_from(*map.offsets().get(self.row)?).ok()?;
        let len = usize::try_from(map.value_length(self.row)).ok()?;
        let keys = Items {
            values: map.keys().as_ref(),
            next: start,
            end: start + len,
        };
        Some(Pairs {
            keys,
            values: Items {
                values: map.values().as_ref(),
                ..keys
            },
        })
    }

    fn bytes(self) -> Option<&'a [u8]> {
        let (array, row) = (self.array, self.row);
        match array.data_type() {
            DataType::Binary => Some(array.as_binary::<i32>().value(row)),
            DataType::LargeBinary => Some(array.as_binary::<i64>().value(row)),
            DataType::BinaryView => Some(array.as_binary_view().value(row)),
            _ => None,
        }
    }

    fn scalar<V: Visitor<'a>>(self, visitor: V) -> Fit<V::Value> {
        let (array, row) = (self.array, self.row);
        match array.data_type() {
            DataType::Boolean => visitor.visit_bool(array.as_boolean().value(row)),
            DataType::Int8 => visitor.visit_i8(array.as_primitive::<Int8Type>().value(row)),
            DataType::Int16 => visitor.visit_i16(array.as_primitive::<Int16Type>().value(row)),
            DataType::Int32 => visitor.visit_i32(array.as_primitive::<Int32Type>().value(row)),
            DataType::Int64 => visitor.visit_i64(array.as_primitive::<Int64Type>().value(row)),
            DataType::UInt8 => visitor.visit_u8(array.as_primitive::<UInt8Type>().value(row)),
            DataType::UInt16 => visitor.visit_u16(array.as_primitive::<UInt16Type>().value(row)),
            DataType::UInt32 => visitor.visit_u32(array.as_primitive::<UInt32Type>().value(row)),
            DataType::UInt64 => visitor.visit_u64(array.as_primitive::<UInt64Type>().value(row)),
            DataType::Float16 => {
                visitor.visit_f32(array.as_primitive::<Float16Type>().value(row).to_f32())
            }
            DataType::Float32 => visitor.visit_f32(array.as_primitive::<Float32Type>().value(row)),
            DataType::Float64 => visitor.visit_f64(array.as_primitive::<Float64Type>().value(row)),
            DataType::Utf8 => visitor.visit_borrowed_str(array.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => visitor.visit_borrowed_str(array.as_string::<i64>().value(row)),
            DataType::Utf8View => visitor.visit_borrowed_str(array.as_string_view().value(row)),
            _ => match self.bytes() {
                Some(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied())),
                None => visitor.visit_string(self.text()?),
            },
        }
    }
}

/// What a program wants as a whole number may be a time.
macro_rules! whole_numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Fit<V::Value> {
            match self.whole() {
                Some(number) => visitor.visit_i64(number?),
                None => self.deserialize_any(visitor),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Cell<'de> {
    type Error = Misfit;

    whole_numbers! { deserialize_i64 deserialize_i128 deserialize_u64 deserialize_u128 }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Fit<V::Value> {
        if self.is_null() {
            return visitor.visit_unit();
        }
        if let Some(entry) = self.entry() {
            return entry.deserialize_any(visitor);
        }
        if let Some(items) = self.items() {
            return visitor.visit_seq(items);
        }
        if let Some(pairs) = self.pairs() {
            return visitor.visit_map(pairs);
        }
        match self.array.as_struct_opt() {
            Some(array) => visitor.visit_map(Members {
                fields: array.fields(),
                columns: array.columns(),
                row: self.row,
                next: 0,
            }),
            None => self.scalar(visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Fit<V::Value> {
        if self.array.data_type().is_decimal() && !self.is_null() {
            return visitor.visit_f64(self.text()?.parse().map_err(Misfit::custom)?);
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Fit<V::Value> {
        match self.bytes().filter(|_| !self.is_null()) {
            Some(bytes) => visitor.visit_borrowed_bytes(bytes),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Fit<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Fit<V::Value> {
        if self.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Fit<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Fit<V::Value> {
        let word = String::deserialize(self)?;
        StringDeserializer::<Misfit>::new(word).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 u8 u16 u32 f32 char str string unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

/// The items of a list that are left.
#[derive(Clone, Copy)]
struct Items<'a> {
    values: &'a dyn Array,
    next: usize,
    end: usize,
}

impl<'a> Items<'a> {
    fn take(&mut self) -> Option<Cell<'a>> {
        let cell = (self.next < self.end).then_some(Cell {
            array: self.values,
            row: self.next,
        });
        self.next += 1;
        cell
    }
}

impl<'a> SeqAccess<'a> for Items<'a> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Fit<Option<T::Value>> {
        self.take().map(|cell| seed.deserialize(cell)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.end.saturating_sub(self.next))
    }
}

/// The pairs of a map that are left.
struct Pairs<'a> {
    keys: Items<'a>,
    values: Items<'a>,
}

impl<'a> MapAccess<'a> for Pairs<'a> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Fit<Option<K::Value>> {
        self.keys
            .take()
            .map(|key| seed.deserialize(key))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Fit<V::Value> {
        let value = self
            .values
            .take()
            .ok_or_else(|| Misfit::custom("a key without a value"))?;
        seed.deserialize(value)
    }
}
