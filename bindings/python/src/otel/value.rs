//! Attribute values of the SDK, from Python's objects to OTLP.
//!
//! Types are told as the official encoder tells them: truth values before numbers, texts before sequences, mappings
//! last. Two things that it cannot send, so that it leaves the attribute out, are kept: a whole number beyond 64 bits
//! becomes its digits as a text, and half a surrogate pair in a text the replacement character.

use std::borrow::Cow;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple,
};

use super::wire::Message;

/// Values within values are walked so deep: deeper than the database takes, which then says so of the span.
const DEPTH_MAX: usize = 80;

/// The fields of `AnyValue`.
mod field {
    pub(super) const STRING: u64 = 1;
    pub(super) const BOOL: u64 = 2;
    pub(super) const INT: u64 = 3;
    pub(super) const DOUBLE: u64 = 4;
    pub(super) const ARRAY: u64 = 5;
    pub(super) const KEY_VALUES: u64 = 6;
    pub(super) const BYTES: u64 = 7;
    /// Of `KeyValue`.
    pub(super) const KEY: u64 = 1;
    pub(super) const VALUE: u64 = 2;
    /// Of `ArrayValue` and `KeyValueList`.
    pub(super) const ITEM: u64 = 1;
}

/// Writes a mapping of attributes into `field`, a `KeyValue` for each; `None` has none. An attribute whose value is of
/// no type that OTLP knows is left out.
pub(super) fn attributes(
    message: &mut Message,
    field: u64,
    mapping: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if mapping.is_none() {
        return Ok(());
    }
    for pair in items(mapping)?.iter() {
        let before = message.len();
        if pair_into(message, field, &pair, 0).is_err() {
            message.truncate(before);
        }
    }
    Ok(())
}

/// The pairs of a mapping. A copy, so that nobody changes them while they are walked.
fn items<'py>(mapping: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    if let Ok(dict) = mapping.cast::<PyDict>() {
        return Ok(dict.items());
    }
    // The SDK's own mapping keeps a dict, and is slow to ask for pairs.
    if let Ok(inner) = mapping.getattr(intern!(mapping.py(), "_dict"))
        && let Ok(dict) = inner.cast::<PyDict>()
    {
        return Ok(dict.items());
    }
    mapping.cast::<PyMapping>()?.items()
}

fn pair_into(
    message: &mut Message,
    field: u64,
    pair: &Bound<'_, PyAny>,
    depth: usize,
) -> PyResult<()> {
    let pair = pair.cast::<PyTuple>()?;
    let (key, value) = (pair.get_borrowed_item(0)?, pair.get_borrowed_item(1)?);
    let inner = message.begin(field);
    match key.cast::<PyString>() {
        Ok(key) => message.text(field::KEY, &text(&key)?),
        Err(_) => message.text(field::KEY, &text(&key.str()?)?),
    }
    let of_value = message.begin(field::VALUE);
    value_into(message, &value, depth)?;
    message.end(of_value);
    message.end(inner);
    Ok(())
}

/// Writes the fields of an `AnyValue`; `None` has none.
pub(super) fn value_into(
    message: &mut Message,
    value: &Bound<'_, PyAny>,
    depth: usize,
) -> PyResult<()> {
    if let Ok(string) = value.cast::<PyString>() {
        message.bytes(field::STRING, text(string)?.as_bytes());
    } else if value.is_none() || depth > DEPTH_MAX {
        // Nothing is said.
    } else if let Ok(truth) = value.cast::<PyBool>() {
        message.truth(field::BOOL, truth.is_true());
    } else if let Ok(number) = value.cast::<PyInt>() {
        match number.extract::<i64>() {
            Ok(number) => message.number(field::INT, number),
            Err(_) => message.bytes(field::STRING, text(&number.str()?)?.as_bytes()),
        }
    } else if let Ok(number) = value.cast::<PyFloat>() {
        message.double(field::DOUBLE, number.extract()?);
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        message.bytes(field::BYTES, bytes.as_bytes());
    } else {
        container_into(message, value, depth)?;
    }
    Ok(())
}

fn container_into(message: &mut Message, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return array_into(message, tuple.iter().map(Ok), depth);
    }
    if value.cast::<PyDict>().is_err() && value.cast::<PySequence>().is_ok() {
        return array_into(message, value.try_iter()?, depth);
    }
    let inner = message.begin(field::KEY_VALUES);
    for pair in items(value)?.iter() {
        pair_into(message, field::ITEM, &pair, depth + 1)?;
    }
    message.end(inner);
    Ok(())
}

fn array_into<'py>(
    message: &mut Message,
    items: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
    depth: usize,
) -> PyResult<()> {
    let inner = message.begin(field::ARRAY);
    for item in items {
        let of_item = message.begin(field::ITEM);
        value_into(message, &item?, depth + 1)?;
        message.end(of_item);
    }
    message.end(inner);
    Ok(())
}

/// The text of a string. Halves of surrogate pairs that stand together, as streams of JSON leave them, are joined.
pub(super) fn text<'s>(string: &'s Bound<'_, PyString>) -> PyResult<Cow<'s, str>> {
    if let Ok(text) = string.to_str() {
        return Ok(Cow::Borrowed(text));
    }
    let units = string.call_method1("encode", ("utf-16-le", "surrogatepass"))?;
    let units: Vec<u16> = units
        .cast::<PyBytes>()?
        .as_bytes()
        .chunks_exact(2)
        .map(|unit| {
            unit.iter()
                .rev()
                .fold(0, |high, byte| high << 8 | u16::from(*byte))
        })
        .collect();
    Ok(Cow::Owned(String::from_utf16_lossy(&units)))
}
