//! Rows as JSON: objects with every column, or arrays in the order of the columns. NULL is written out.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, Float32Array, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};

use super::answer::Text;
use super::pieces::Form;
use crate::error::ApiError;

/// How columns are encoded.
static OPTIONS: LazyLock<EncoderOptions> = LazyLock::new(|| {
    EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(Special))
});
/// How they are where nothing is special.
static PLAIN: LazyLock<EncoderOptions> =
    LazyLock::new(|| EncoderOptions::default().with_explicit_nulls(true));

/// Writes the rows of batches one after the other, commas between.
#[derive(Debug)]
pub(super) struct Rows {
    has_names: bool,
    is_first: bool,
    pub(super) count: usize,
}

impl Rows {
    /// Rows as objects.
    pub(super) fn objects() -> Self {
        Self {
            has_names: true,
            is_first: true,
            count: 0,
        }
    }

    /// Rows as arrays.
    pub(super) fn arrays() -> Self {
        Self {
            has_names: false,
            ..Self::objects()
        }
    }

    /// Adds the rows of a batch.
    ///
    /// # Errors
    /// As [`Text::push`]; `Internal` for a type without a form in JSON.
    pub(super) fn write(&mut self, out: &mut Text, batch: &RecordBatch) -> Result<(), ApiError> {
        for piece in Form::Json.pieces(batch) {
            let mut text = Vec::new();
            piece
                .and_then(|piece| self.encode(&piece, &mut text))
                .map_err(|error| ApiError::internal(format!("a row cannot be written: {error}")))?;
            out.push(text)?;
        }
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        let schema = batch.schema();
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            let name = match self.has_names {
                true => format!("{}:", serde_json::Value::from(field.name().as_str())),
                false => String::new(),
            };
            columns.push((name, make_encoder(field, column.as_ref(), &OPTIONS)?));
        }
        let (open, close) = if self.has_names {
            (b'{', b'}')
        } else {
            (b'[', b']')
        };
        for row in 0..batch.num_rows() {
            if !std::mem::take(&mut self.is_first) {
                text.push(b',');
            }
            text.push(open);
            for (at, (name, encoder)) in columns.iter_mut().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                text.extend_from_slice(name.as_bytes());
                match encoder.is_null(row) {
                    true => text.extend_from_slice(b"null"),
                    false => encoder.encode(row, text),
                }
            }
            text.push(close);
        }
        self.count += batch.num_rows();
        Ok(())
    }
}

/// An array of the rows of batches as objects.
///
/// # Errors
/// As [`Rows::write`].
pub(super) fn array(
    out: &mut Text,
    batches: impl IntoIterator<Item = Result<RecordBatch, ApiError>>,
) -> Result<(), ApiError> {
    out.push("[")?;
    let mut rows = Rows::objects();
    for batch in batches {
        rows.write(out, &batch?)?;
    }
    out.push("]")
}

/// A number; one that is not finite as the text of its name.
pub(super) fn number(value: f64) -> serde_json::Value {
    match name(value) {
        Some(name) => name.into(),
        None => value.into(),
    }
}

fn name(value: f64) -> Option<&'static str> {
    match value {
        value if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

/// Columns of JSON text are written as what they say, numbers that are not finite by their names.
#[derive(Debug)]
struct Special;

impl EncoderFactory for Special {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let nulls = array.nulls().cloned();
        let numbers = match array.data_type() {
            DataType::Float64 => array.as_primitive_opt::<Float64Type>().map(Numbers::Double),
            DataType::Float32 => array.as_primitive_opt::<Float32Type>().map(Numbers::Single),
            _ => None,
        };
        if let Some(numbers) = numbers.filter(|numbers| !numbers.are_finite()) {
            let finite = make_encoder(field, array, &PLAIN)?;
            let encoder = Named { finite, numbers };
            return Ok(Some(NullableEncoder::new(Box::new(encoder), nulls)));
        }
        let texts = array.as_string_opt::<i32>().filter(|_| has_json(field));
        Ok(texts.map(|texts| NullableEncoder::new(Box::new(JsonText(texts)), nulls)))
    }
}

/// Whether the texts of a field are JSON. Arrow gives the field of a list with the texts in it.
fn has_json(field: &FieldRef) -> bool {
    match field.data_type() {
        DataType::List(item) | DataType::LargeList(item) => has_json(item),
        _ => field
            .metadata()
            .get("ARROW:extension:name")
            .is_some_and(|name| name == "arrow.json"),
    }
}

/// A column of numbers.
enum Numbers<'a> {
    Double(&'a Float64Array),
    Single(&'a Float32Array),
}

impl Numbers<'_> {
    fn are_finite(&self) -> bool {
        match self {
            Self::Double(numbers) => numbers.iter().flatten().all(f64::is_finite),
            Self::Single(numbers) => numbers.iter().flatten().all(f32::is_finite),
        }
    }

    fn value(&self, row: usize) -> f64 {
        match self {
            Self::Double(numbers) => numbers.value(row),
            Self::Single(numbers) => numbers.value(row).into(),
        }
    }
}

/// Numbers of which some are not finite.
struct Named<'a> {
    finite: NullableEncoder<'a>,
    numbers: Numbers<'a>,
}

impl Encoder for Named<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        match name(self.numbers.value(row)) {
            None => self.finite.encode(row, out),
            Some(name) => {
                out.push(b'"');
                out.extend_from_slice(name.as_bytes());
                out.push(b'"');
            }
        }
    }
}

struct JsonText<'a>(&'a StringArray);

impl Encoder for JsonText<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.value(row).as_bytes());
    }
}
