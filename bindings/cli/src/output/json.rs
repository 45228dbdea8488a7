//! JSON: rows as objects with every column, NULL written out, times as RFC 3339. What a terminal would obey
//! is written as escapes of JSON, wherever the text goes. A column of JSON text (`arrow.json`) is written as the
//! value that it is.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::FieldRef;
use arrow::error::ArrowError;
use arrow::json::writer::{
    Encoder, EncoderFactory, EncoderOptions, JsonArray, JsonFormat, LineDelimited, NullableEncoder, Writer,
    WriterBuilder, make_encoder,
};

use super::escape::EscapingWriter;
use super::writable::Takes;
use crate::failure::Result;

/// Encodes columns of JSON text as what they say.
#[derive(Debug)]
struct JsonTexts;

impl EncoderFactory for JsonTexts {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> std::result::Result<Option<NullableEncoder<'a>>, ArrowError> {
        let is_json = field.metadata().get("ARROW:extension:name").is_some_and(|name| name == "arrow.json");
        Ok(array
            .as_string_opt::<i32>()
            .filter(|_| is_json)
            .map(|texts| NullableEncoder::new(Box::new(JsonText(texts)), texts.nulls().cloned())))
    }
}

struct JsonText<'a>(&'a StringArray);

impl Encoder for JsonText<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.value(row).as_bytes());
    }
}

fn writer<W: Write, F: JsonFormat>(out: W) -> Writer<EscapingWriter<W>, F> {
    WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(JsonTexts))
        .build::<_, F>(EscapingWriter::json(out))
}

fn write_rows<W: Write, F: JsonFormat>(out: W, batches: &[RecordBatch]) -> Result<()> {
    let mut writer = writer::<W, F>(out);
    for batch in batches {
        writer.write(&Takes::TextKeys.batch(batch)?)?;
    }
    Ok(writer.finish()?)
}

/// One array of row objects; `[]` when there is none. No line end follows.
pub fn write_array(out: &mut dyn Write, batches: &[RecordBatch]) -> Result<()> {
    write_rows::<_, JsonArray>(out, batches)
}

/// One object a line.
pub fn write_lines(out: &mut dyn Write, batches: &[RecordBatch]) -> Result<()> {
    write_rows::<_, LineDelimited>(out, batches)
}

/// The first row as one object; `null` when there is none. No line end follows.
pub fn write_first(out: &mut dyn Write, batch: &RecordBatch) -> Result<()> {
    let mut line = Vec::new();
    write_lines(&mut line, &[batch.slice(0, batch.num_rows().min(1))])?;
    let text = line.trim_ascii_end();
    out.write_all(if text.is_empty() { b"null" } else { text })?;
    Ok(())
}

/// One array over batches that are read one by one.
pub fn write_stream(
    out: &mut dyn Write,
    batches: impl Iterator<Item = tracehouse::Result<RecordBatch>>,
) -> Result<()> {
    let mut writer = writer::<_, JsonArray>(out);
    for batch in batches {
        writer.write(&Takes::TextKeys.batch(&batch?)?)?;
    }
    Ok(writer.finish()?)
}

/// The values of a nested column as JSON text, for forms that have no nested values.
pub fn text_column(field: &FieldRef, column: &dyn Array) -> Result<StringArray> {
    let options =
        EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(JsonTexts));
    let mut encoder = make_encoder(field, column, &options)?;
    let mut texts: Vec<Option<String>> = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        if column.is_null(row) {
            texts.push(None);
            continue;
        }
        let mut text = Vec::new();
        encoder.encode(row, &mut text);
        texts.push(Some(String::from_utf8_lossy(&text).into_owned()));
    }
    Ok(StringArray::from(texts))
}
