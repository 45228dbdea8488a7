//! JSON: rows as objects with every column, NULL written out, times as RFC 3339. What a terminal would obey
//! is written as escapes of JSON, wherever the text goes. Values are encoded by `tracehouse::json_values`.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StringArray};
use arrow::datatypes::FieldRef;
use arrow::json::writer::{
    JsonArray, JsonFormat, LineDelimited, Writer, WriterBuilder, make_encoder,
};
use tracehouse::json_values::{JsonValues, with_text_keys};

use super::escape::EscapingWriter;
use crate::failure::Result;

fn writer<W: Write, F: JsonFormat>(out: W) -> Writer<EscapingWriter<W>, F> {
    WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(JsonValues))
        .build::<_, F>(EscapingWriter::json(out))
}

fn write_rows<W: Write, F: JsonFormat>(out: W, batches: &[RecordBatch]) -> Result<()> {
    let mut writer = writer::<W, F>(out);
    for batch in batches {
        writer.write(&with_text_keys(batch)?)?;
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
        writer.write(&with_text_keys(&batch?)?)?;
    }
    Ok(writer.finish()?)
}

/// The values of a nested column as JSON text, for forms that have no nested values.
pub fn text_column(field: &FieldRef, column: &dyn Array) -> Result<StringArray> {
    let options = JsonValues::options();
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
