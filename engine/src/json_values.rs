//! Rows as JSON, for the command line and the server: how Arrow's own writer has to encode what JSON has no place for.
//!
//! Invariant: every batch of a result can be written, by [`with_text_keys`] first and then with [`JsonValues`].

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, AsArray, Float32Array, Float64Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};

/// How columns are encoded that need nothing of their own.
static PLAIN: LazyLock<EncoderOptions> =
    LazyLock::new(|| EncoderOptions::default().with_explicit_nulls(true));

/// Encodes columns of JSON text (`arrow.json`) as the values that they are, and a number that JSON cannot write as the text of
/// its name, as in OTLP/JSON: `"NaN"`, `"Infinity"`, `"-Infinity"`. NULL is written out.
///
/// ```
/// use tracehouse::arrow::json::writer::make_encoder;
/// use tracehouse::json_values::JsonValues;
///
/// let db = tracehouse::Database::in_memory()?;
/// let batch = db.sql("SELECT CAST('NaN' AS DOUBLE) AS x")?.remove(0);
/// let (field, options) = (batch.schema().fields()[0].clone(), JsonValues::options());
/// let mut text = Vec::new();
/// make_encoder(&field, batch.column(0), &options)?.encode(0, &mut text);
/// assert_eq!(text, b"\"NaN\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonValues;

impl JsonValues {
    /// Options of an encoder with this factory.
    pub fn options() -> EncoderOptions {
        EncoderOptions::default()
            .with_explicit_nulls(true)
            .with_encoder_factory(Arc::new(Self))
    }
}

impl EncoderFactory for JsonValues {
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

/// The name of a number that is not finite.
pub fn number_name(number: f64) -> Option<&'static str> {
    match number {
        number if number.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
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
        match number_name(self.numbers.value(row)) {
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

/// A batch whose maps have texts as keys, as JSON's objects do; other keys become the text of their values.
///
/// # Errors
/// When a key has no text.
pub fn with_text_keys(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema_ref();
    let fields = text_keys_of_all(schema.fields());
    if fields == *schema.fields() {
        return Ok(batch.clone());
    }
    let columns = batch.columns().iter().zip(&fields);
    let columns = columns.map(
        |(column, field)| match column.data_type() == field.data_type() {
            true => Ok(Arc::clone(column)),
            false => cast(column, field.data_type()),
        },
    );
    let columns = columns.collect::<Result<_, _>>()?;
    let schema = arrow::datatypes::Schema::new_with_metadata(fields, schema.metadata().clone());
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
}

fn text_keys_of_all(fields: &Fields) -> Fields {
    fields.iter().map(text_keys).collect()
}

fn text_keys(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(text_keys(item)),
        DataType::LargeList(item) => DataType::LargeList(text_keys(item)),
        DataType::Struct(fields) => DataType::Struct(text_keys_of_all(fields)),
        DataType::Map(entries, is_sorted) => DataType::Map(text_keys_of_map(entries), *is_sorted),
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

fn text_keys_of_map(entries: &FieldRef) -> FieldRef {
    let entries = text_keys(entries);
    let DataType::Struct(pair) = entries.data_type() else {
        return entries;
    };
    let (Some(key), Some(value)) = (pair.first(), pair.get(1)) else {
        return entries;
    };
    if key.data_type().is_string() {
        return entries;
    }
    let key = Arc::new(Field::new(key.name(), DataType::Utf8, false));
    let pair = DataType::Struct(Fields::from(vec![key, Arc::clone(value)]));
    Arc::new(entries.as_ref().clone().with_data_type(pair))
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow::datatypes::Schema;
    use arrow::json::writer::{LineDelimited, WriterBuilder};

    use super::*;

    fn lines(field: Field, column: ArrayRef) -> String {
        let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap();
        let mut out = Vec::new();
        let mut writer = WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_encoder_factory(Arc::new(JsonValues))
            .build::<_, LineDelimited>(&mut out);
        writer.write(&with_text_keys(&batch).unwrap()).unwrap();
        writer.finish().unwrap();
        drop(writer);
        String::from_utf8(out).unwrap().replace('\n', "")
    }

    #[test]
    fn numbers_that_are_not_finite_have_their_names() {
        let numbers = [
            Some(1.5),
            Some(f64::NAN),
            None,
            Some(f64::INFINITY),
            Some(-f64::INFINITY),
        ];
        let expected = r#"{"n":1.5}{"n":"NaN"}{"n":null}{"n":"Infinity"}{"n":"-Infinity"}"#;
        let double = Arc::new(Float64Array::from(numbers.to_vec()));
        assert_eq!(
            lines(Field::new("n", DataType::Float64, true), double),
            expected
        );
        let single = Float32Array::from_iter(
            numbers
                .iter()
                .map(|number| number.map(|number| number as f32)),
        );
        assert_eq!(
            lines(Field::new("n", DataType::Float32, true), Arc::new(single)),
            expected
        );
    }

    #[test]
    fn json_texts_are_values_in_lists_as_well() {
        let metadata = [("ARROW:extension:name".to_string(), "arrow.json".to_string())].into();
        let item = Field::new("item", DataType::Utf8, true).with_metadata(metadata);
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item.clone());
        lists.append_value([Some("\"LLM\""), Some("{\"a\":1}"), None]);
        let column: ArrayRef = Arc::new(lists.finish());
        let field = Field::new("l", column.data_type().clone(), true);
        assert_eq!(lines(field, column), r#"{"l":["LLM",{"a":1},null]}"#);
    }

    #[test]
    fn keys_of_maps_become_texts_wherever_the_map_is() {
        let mut maps = ListBuilder::new(MapBuilder::new(
            None,
            Int64Builder::new(),
            StringBuilder::new(),
        ));
        maps.values().keys().append_value(7);
        maps.values().values().append_value("seven");
        maps.values().append(true).unwrap();
        maps.append(true);
        let column: ArrayRef = Arc::new(maps.finish());
        let field = Field::new("m", column.data_type().clone(), true);
        assert_eq!(lines(field, column), r#"{"m":[{"7":"seven"}]}"#);
    }
}
