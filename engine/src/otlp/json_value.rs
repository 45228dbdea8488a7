//! Attribute values and scalars of OTLP/JSON; the other half of the reader in `json`.
//!
//! A scalar that is out of range or not of its type is a fault of its span, not of the document;
//! limits on depth and number are checked before anything is kept.

use std::borrow::Cow;

use super::base64;
use super::error::DecodeError;
use super::json::Reader;
use super::raw::RawEnum;
use super::value::{KeyValue, Value};

type Result<T> = std::result::Result<T, DecodeError>;

impl<'a> Reader<'a> {
    pub(super) fn attributes(&mut self) -> Result<Vec<KeyValue<'a>>> {
        self.key_values(1)
    }

    /// Reads an array of `{"key", "value"}`; the values lie at `depth`.
    fn key_values(&mut self, depth: usize) -> Result<Vec<KeyValue<'a>>> {
        let mut pairs = Vec::new();
        self.array(|reader| {
            if reader.limits.failed() {
                return reader.skip();
            }
            pairs.push(reader.key_value(depth)?);
            Ok(())
        })?;
        Ok(self.limits.keys(pairs))
    }

    fn key_value(&mut self, depth: usize) -> Result<KeyValue<'a>> {
        let mut pair = KeyValue::default();
        let mut has_value = false;
        self.object(|reader, key| {
            match key {
                "key" => pair.key = reader.text()?,
                "value" => {
                    has_value = true;
                    pair.value = reader.value(depth)?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        if !has_value {
            self.limits.count_node(depth);
        }
        Ok(pair)
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<Value<'a>> {
        if !self.limits.count_node(depth) {
            return self.skip().map(|()| Value::Unset);
        }
        let (mut value, mut unknown) = (Value::Unset, None);
        self.object(|reader, key| {
            if reader.scanner.null() {
                return Ok(());
            }
            match key {
                "stringValue" | "string_value" | "StringValue" => {
                    value = Value::String(reader.scanner.decoded()?)
                }
                "boolValue" | "bool_value" | "BoolValue" => {
                    value = Value::Bool(reader.scanner.boolean()?)
                }
                "intValue" | "int_value" | "IntValue" => value = reader.whole_number()?,
                "doubleValue" | "double_value" | "DoubleValue" => {
                    value = Value::Double(reader.double()?)
                }
                "bytesValue" | "bytes_value" | "BytesValue" => {
                    value = Value::Bytes(reader.bytes()?)
                }
                "arrayValue" | "array_value" | "ArrayValue" => {
                    value = Value::Array(reader.values(depth)?)
                }
                "kvlistValue" | "kvlist_value" | "KvlistValue" => {
                    value = Value::KeyValues(reader.key_value_list(depth)?);
                }
                // Go's encoding of its structs has one more level.
                "Value" => value = reader.value(depth + 1)?,
                other => {
                    unknown = Some(other.to_string());
                    reader.skip()?;
                }
            }
            Ok(())
        })?;
        if let (Value::Unset, Some(unknown)) = (&value, unknown) {
            self.limits.fail(format_args!(
                "an attribute's value has no known type, but {unknown:?}"
            ));
        }
        Ok(value)
    }

    /// The elements of an array value.
    fn values(&mut self, depth: usize) -> Result<Vec<Value<'a>>> {
        let mut items = Vec::new();
        self.object(|reader, key| {
            if key != "values" {
                return reader.skip();
            }
            reader.array(|reader| {
                if reader.limits.failed() {
                    return reader.skip();
                }
                items.push(reader.value(depth + 1)?);
                Ok(())
            })
        })?;
        Ok(items)
    }

    fn key_value_list(&mut self, depth: usize) -> Result<Vec<KeyValue<'a>>> {
        let mut pairs = Vec::new();
        self.object(|reader, key| {
            match key {
                "values" => pairs = reader.key_values(depth + 1)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(pairs)
    }

    pub(super) fn text(&mut self) -> Result<Cow<'a, str>> {
        if self.scanner.null() {
            Ok(Cow::Borrowed(""))
        } else {
            Ok(self.scanner.decoded()?)
        }
    }

    /// The text of a number that may be written as a string.
    fn number_text(&mut self) -> Result<Cow<'a, str>> {
        Ok(match self.scanner.peek() {
            Some(b'"') => self.scanner.decoded()?,
            _ => Cow::Borrowed(self.scanner.number()?),
        })
    }

    /// An integer. JavaScript has doubles alone and writes a whole one of any size as an integer, without quotes: beyond 64
    /// bits it is kept as the double that it is.
    fn whole_number(&mut self) -> Result<Value<'a>> {
        if self.scanner.peek() == Some(b'"') {
            return self.integer().map(Value::Int);
        }
        let text = self.scanner.number()?;
        if let Ok(whole) = text.parse() {
            return Ok(Value::Int(whole));
        }
        match text.parse::<f64>() {
            Ok(double) if double.is_finite() && double.abs() >= BEYOND_INTEGERS => {
                Ok(Value::Double(double))
            }
            _ => Ok(Value::Int(self.whole(text))),
        }
    }

    pub(super) fn integer(&mut self) -> Result<i64> {
        let text = self.number_text()?;
        Ok(self.whole(text.trim()))
    }

    /// The integer in a text; 0 after a failure.
    fn whole(&mut self, text: &str) -> i64 {
        let number = text
            .parse()
            .ok()
            .or_else(|| whole_double(text).map(|whole| whole as i64));
        if number.is_none() {
            self.limits
                .fail(format_args!("{} is not a 64-bit integer", shown(text)));
        }
        number.unwrap_or_default()
    }

    pub(super) fn unsigned(&mut self, what: &str) -> Result<u64> {
        if self.scanner.null() {
            return Ok(0);
        }
        let text = self.number_text()?;
        let text = text.trim();
        let whole = || {
            whole_double(text)
                .filter(|&whole| whole >= 0.0)
                .map(|whole| whole as u64)
        };
        let number = text.parse().ok().or_else(whole);
        if number.is_none() && !text.is_empty() {
            self.limits.fail(format_args!(
                "{what} {} is not an unsigned 64-bit integer",
                shown(text)
            ));
        }
        Ok(number.unwrap_or_default())
    }

    fn double(&mut self) -> Result<f64> {
        let is_string = self.scanner.peek() == Some(b'"');
        let text = self.number_text()?;
        let number = text
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|number| is_string || number.is_finite());
        if number.is_none() {
            self.limits
                .fail(format_args!("{} is not a double", shown(&text)));
        }
        Ok(number.unwrap_or_default())
    }

    fn bytes(&mut self) -> Result<Cow<'a, [u8]>> {
        let text = self.scanner.decoded()?;
        let bytes = base64::decode(text.trim());
        if bytes.is_none() {
            self.limits
                .fail(format_args!("bytes value {} is not base64", shown(&text)));
        }
        Ok(Cow::Owned(bytes.unwrap_or_default()))
    }

    pub(super) fn enumeration(&mut self) -> Result<RawEnum<'a>> {
        if self.scanner.null() {
            return Ok(RawEnum::default());
        }
        if self.scanner.peek() == Some(b'"') {
            let name = self.scanner.decoded()?;
            return Ok(match name.parse() {
                Ok(number) => RawEnum::Number(number),
                Err(_) => RawEnum::Name(name),
            });
        }
        self.integer().map(RawEnum::Number)
    }
}

/// The start of a text, for messages.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

/// The first number that is no 64-bit integer any more, 2^63.
const BEYOND_INTEGERS: f64 = 9_223_372_036_854_775_808.0;

/// A number such as `1e3` or `42.0` that is whole and exact in a double.
fn whole_double(text: &str) -> Option<f64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() <= EXACT_MAX).then_some(number)
}
