//! Rows as JSON: objects with every column, or arrays in the order of the columns. NULL is written out.

use std::sync::LazyLock;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use tracehouse::json_values::{JsonValues, number_name, with_text_keys};

use super::answer::Text;
use super::pieces::pieces;
use crate::error::ApiError;

/// How columns are encoded.
static OPTIONS: LazyLock<EncoderOptions> = LazyLock::new(JsonValues::options);

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
        for piece in pieces(batch) {
            let mut text = Vec::new();
            with_text_keys(&piece)
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
    match number_name(value) {
        Some(name) => name.into(),
        None => value.into(),
    }
}
