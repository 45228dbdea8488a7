//! JSON: rows as objects with every column, NULL written out, times as RFC 3339. What a terminal would obey
//! is written as escapes of JSON, wherever the text goes. A column of JSON text (`arrow.json`) is written as the
//! value that it is. A number that JSON cannot write is the text of its name, as in OTLP/JSON: `"NaN"`, `"Infinity"`.

use std::io::Write;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use arrow::error::ArrowError;
use arrow::json::writer::{
    Encoder, EncoderFactory, EncoderOptions, JsonArray, JsonFormat, LineDelimited, NullableEncoder,
    Writer, WriterBuilder, make_encoder,
};

use super::escape::EscapingWriter;
use super::writable::Takes;
use crate::failure::Result;

/// Encodes columns of JSON text as what they say, and names numbers that are not finite.
#[derive(Debug)]
struct JsonTexts;

/// How columns are encoded that need nothing of their own.
static PLAIN: LazyLock<EncoderOptions> =
    LazyLock::new(|| EncoderOptions::default().with_explicit_nulls(true));

impl EncoderFactory for JsonTexts {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> std::result::Result<Option<NullableEncoder<'a>>, ArrowError> {
        if let Some(numbers) = array.as_primitive_opt::<Float64Type>()
            && numbers.iter().flatten().any(|number| !number.is_finite())
        {
            let finite = make_encoder(field, array, &PLAIN)?;
            let encoder = Numbers { finite, numbers };
            return Ok(Some(NullableEncoder::new(
                Box::new(encoder),
                numbers.nulls().cloned(),
            )));
        }
        Ok(array
            .as_string_opt::<i32>()
            .filter(|_| has_json(field))
            .map(|texts| NullableEncoder::new(Box::new(JsonText(texts)), texts.nulls().cloned())))
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

/// Numbers of which some are not finite.
struct Numbers<'a> {
    finite: NullableEncoder<'a>,
    numbers: &'a Float64Array,
}

impl Encoder for Numbers<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let name: &[u8] = match self.numbers.value(row) {
            number if number.is_nan() => b"\"NaN\"",
            f64::INFINITY => b"\"Infinity\"",
            f64::NEG_INFINITY => b"\"-Infinity\"",
            _ => return self.finite.encode(row, out),
        };
        out.extend_from_slice(name);
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
    let options = EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(JsonTexts));
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

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    #[test]
    fn numbers_that_are_not_finite_have_their_names() {
        let numbers = [
            Some(1.5),
            Some(f64::NAN),
            None,
            Some(f64::INFINITY),
            Some(-f64::INFINITY),
        ];
        let column: ArrayRef = Arc::new(Float64Array::from(numbers.to_vec()));
        let schema = Schema::new(vec![Field::new("n", DataType::Float64, true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap();
        let mut out = Vec::new();
        write_lines(&mut out, &[batch]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap().replace('\n', ""),
            r#"{"n":1.5}{"n":"NaN"}{"n":null}{"n":"Infinity"}{"n":"-Infinity"}"#
        );
    }

    #[test]
    fn json_texts_are_values_in_lists_as_well() {
        let metadata = [("ARROW:extension:name".to_string(), "arrow.json".to_string())].into();
        let item = Field::new("item", DataType::Utf8, true).with_metadata(metadata);
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item.clone());
        lists.append_value([Some("\"LLM\""), Some("{\"a\":1}"), None]);
        let column: ArrayRef = Arc::new(lists.finish());
        let schema = Schema::new(vec![Field::new("l", column.data_type().clone(), true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap();
        let mut out = Vec::new();
        write_lines(&mut out, &[batch]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap().trim_end(),
            r#"{"l":["LLM",{"a":1},null]}"#
        );
    }
}
