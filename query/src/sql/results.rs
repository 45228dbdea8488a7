//! The columns of a result: what SQL computes with and nobody else can read leaves as JSON text.
//!
//! `->` and `json_get` give a union of everything JSON can be, which statements compute with (`WHERE a -> 'n' > 5`,
//! `GROUP BY`). Parquet and most readers of Arrow have no unions, so a result has their JSON text, in a column of the
//! extension type `arrow.json`; JSON's own null is NULL. So have lists, maps and structs of unions.
//!
//! Columns of one name are told apart, since few forms keep both: `trace_id`, `trace_id_1`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatchOptions, StringBuilder, UnionArray, make_array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::{Result, internal_err};
use datafusion_functions_json::{JsonUnionEncoder, JsonUnionValue};

/// Metadata of a column of JSON text.
const EXTENSION: (&str, &str) = ("ARROW:extension:name", "arrow.json");

/// How the rows of a statement become its result.
#[derive(Debug, Clone)]
pub(super) struct ResultForm {
    schema: SchemaRef,
    is_changed: bool,
}

impl ResultForm {
    /// The form for rows of `schema`.
    pub(super) fn of(schema: &SchemaRef) -> Self {
        let fields: Fields = told_apart(schema.fields().iter().map(shown));
        let is_changed = fields != *schema.fields();
        match is_changed {
            true => Self {
                schema: Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())),
                is_changed,
            },
            false => Self {
                schema: Arc::clone(schema),
                is_changed,
            },
        }
    }

    /// Schema of the result.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The batch as the result has it.
    ///
    /// # Errors
    /// `Internal` for a union that is not JSON's.
    pub(super) fn batch(&self, batch: RecordBatch) -> Result<RecordBatch> {
        if !self.is_changed {
            return Ok(batch);
        }
        let columns = batch
            .columns()
            .iter()
            .map(column)
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            self.schema(),
            columns,
            &options,
        )?)
    }
}

/// The fields, those whose name is taken with the first number behind it that makes another.
fn told_apart(fields: impl Iterator<Item = FieldRef>) -> Fields {
    let fields: Vec<FieldRef> = fields.collect();
    let given: HashSet<&String> = fields.iter().map(|field| field.name()).collect();
    let mut taken: HashSet<String> = HashSet::with_capacity(fields.len());
    let free = |name: &String, taken: &HashSet<String>| {
        let mut names = (1..).map(|number: usize| format!("{name}_{number}"));
        names.find(|name| !taken.contains(name) && !given.contains(name))
    };
    let mut apart = Vec::with_capacity(fields.len());
    for field in &fields {
        let name = match taken.contains(field.name()) {
            true => free(field.name(), &taken).unwrap_or_default(),
            false => field.name().clone(),
        };
        taken.insert(name.clone());
        apart.push(match name == *field.name() {
            true => Arc::clone(field),
            false => Arc::new(field.as_ref().clone().with_name(name)),
        });
    }
    apart.into()
}

fn shown(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Union(..) => {
            let metadata = HashMap::from([(EXTENSION.0.to_string(), EXTENSION.1.to_string())]);
            return Arc::new(
                Field::new(field.name(), DataType::Utf8, true).with_metadata(metadata),
            );
        }
        DataType::List(item) => DataType::List(shown(item)),
        DataType::LargeList(item) => DataType::LargeList(shown(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(shown).collect()),
        DataType::Map(entries, is_sorted) => DataType::Map(shown(entries), *is_sorted),
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// A column, or a part of one, with texts where it has unions.
fn column(array: &ArrayRef) -> Result<ArrayRef> {
    if let Some(union) = array.as_any().downcast_ref::<UnionArray>() {
        return texts(union);
    }
    let data = array.to_data();
    if data.child_data().is_empty() {
        return Ok(Arc::clone(array));
    }
    let parts = data
        .child_data()
        .iter()
        .map(|part| Ok(column(&make_array(part.clone()))?.to_data()));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let field = Field::new("", data.data_type().clone(), true);
    let data_type = shown(&Arc::new(field)).data_type().clone();
    Ok(make_array(
        data.into_builder()
            .data_type(data_type)
            .child_data(parts)
            .build()?,
    ))
}

fn texts(union: &UnionArray) -> Result<ArrayRef> {
    let rows = union.len();
    let Some(encoder) = JsonUnionEncoder::from_union(union.clone()) else {
        return internal_err!("a union that is not JSON's: {}", union.data_type());
    };
    let mut texts = StringBuilder::new();
    for row in 0..rows {
        match encoder.get_value(row) {
            JsonUnionValue::JsonNull => texts.append_null(),
            JsonUnionValue::Bool(value) => texts.append_value(if value { "true" } else { "false" }),
            JsonUnionValue::Int(value) => texts.append_value(value.to_string()),
            JsonUnionValue::Float(value) => {
                texts.append_value(serde_json::Value::from(value).to_string())
            }
            JsonUnionValue::Str(value) => {
                texts.append_value(serde_json::Value::from(value).to_string())
            }
            // Line ends are blanks between the parts of JSON, and would end a line of JSON lines.
            JsonUnionValue::Array(value) | JsonUnionValue::Object(value) => {
                texts.append_value(value.replace(['\n', '\r'], " "));
            }
        }
    }
    Ok(Arc::new(texts.finish()))
}
