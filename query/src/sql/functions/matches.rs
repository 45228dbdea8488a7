//! `matches(column, 'text query')`: text queries inside SQL conditions.
//!
//! A statement's `matches(text, ..)` and `matches(inputs | outputs, ..)` are rewritten (see
//! `rewrite`) into the two functions here, which are given the columns they need, so that they work
//! anywhere an expression may stand. Called, they cut the text of the rows they are given into words;
//! a condition that is pushed into a scan asks the text indexes first and is called for their hits.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use tracehouse_storage::schema::Table;
use tracehouse_storage::text::{FreshText, TEXT_COLUMNS, TextField, TextQuery};

use crate::error::QueryError;

/// Name of the function over all searchable text of a span.
pub(in crate::sql) const MATCHES_TEXT: &str = "matches_text";
/// Name of the function over one column.
pub(in crate::sql) const MATCHES_COLUMN: &str = "matches_column";

/// The functions behind `matches`.
pub(super) fn functions() -> [ScalarUDF; 2] {
    [MATCHES_TEXT, MATCHES_COLUMN].map(|name| {
        ScalarUDF::new_from_impl(Matches {
            name,
            signature: Signature::variadic_any(Volatility::Immutable),
        })
    })
}

/// The field that `matches(column, ..)` looks into; `text` is all of them.
pub(in crate::sql) fn field_of(column: &str) -> Option<TextField> {
    match column {
        "inputs" => Some(TextField::Inputs),
        "outputs" => Some(TextField::Outputs),
        "text" => Some(TextField::Any),
        _ => None,
    }
}

/// The text query that a row of `spans` must match for `filter` to hold, when `filter` is a call of
/// one of the functions here over the columns of that table.
pub(in crate::sql) fn text_query(filter: &Expr) -> Option<TextQuery> {
    let Expr::ScalarFunction(call) = filter else {
        return None;
    };
    let literal = |expr: &Expr| match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_string),
        _ => None,
    };
    let is_column =
        |expr: &Expr, name: &str| matches!(expr, Expr::Column(column) if column.name == name);
    match (call.func.name(), call.args.as_slice()) {
        (MATCHES_TEXT, [query, columns @ ..]) => {
            let own = columns.len() == TEXT_COLUMNS.len()
                && columns
                    .iter()
                    .zip(TEXT_COLUMNS)
                    .all(|(column, name)| is_column(column, name));
            own.then(|| TextQuery::parse(&literal(query)?).ok())
                .flatten()
        }
        (MATCHES_COLUMN, [query, name, column]) => {
            let name = literal(name)?;
            let field = field_of(&name)?;
            is_column(column, &name)
                .then(|| TextQuery::parse_in(&literal(query)?, field).ok())
                .flatten()
        }
        _ => None,
    }
}

/// `matches_text(query, name, status_message, inputs, outputs, attributes, events)` or
/// `matches_column(query, column name, column)`. Never NULL: what is absent does not match.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Matches {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Matches {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let mut values = args.args.into_iter();
        let query = constant_text(values.next())?;
        let (names, field): (Vec<String>, _) = match self.name {
            MATCHES_TEXT => (
                TEXT_COLUMNS
                    .iter()
                    .map(|name| (*name).to_string())
                    .collect(),
                TextField::Any,
            ),
            _ => {
                let name = constant_text(values.next())?;
                let field = field_of(&name).ok_or_else(usage)?;
                (vec![name], field)
            }
        };
        let query = TextQuery::parse_in(&query, field).map_err(QueryError::from)?;
        let columns = values
            .map(|value| value.into_array(rows))
            .collect::<Result<Vec<ArrayRef>>>()?;
        let batch = text_batch(&names, &columns, rows)?;
        Ok(ColumnarValue::Array(Arc::new(matching(&query, &batch)?)))
    }
}

fn matching(
    query: &TextQuery,
    batch: &RecordBatch,
) -> std::result::Result<BooleanArray, QueryError> {
    let mut text = FreshText::default();
    text.add(batch)?;
    let mut matched = vec![false; batch.num_rows()];
    for row in text.rows(query)? {
        if let Some(matched) = matched.get_mut(row as usize) {
            *matched = true;
        }
    }
    Ok(BooleanArray::from(matched))
}

/// A usage error of `matches`.
pub(in crate::sql) fn usage() -> QueryError {
    QueryError::invalid_input("matches() takes inputs, outputs or text, and a text query in quotes")
}

fn constant_text(value: Option<ColumnarValue>) -> Result<String> {
    let text = match value {
        Some(ColumnarValue::Scalar(
            ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text),
        )) => text,
        // Constants may arrive spread over the rows of a batch.
        Some(ColumnarValue::Array(array)) if !array.is_empty() => {
            let array = cast(&array, &DataType::Utf8View)?;
            array
                .as_string_view()
                .iter()
                .next()
                .flatten()
                .map(str::to_string)
        }
        _ => None,
    };
    text.ok_or_else(|| usage().into())
}

/// The text columns of spans: those given, and the others absent.
fn text_batch(names: &[String], columns: &[ArrayRef], rows: usize) -> Result<RecordBatch> {
    let schema = Table::Spans.schema();
    let mut fields = Vec::with_capacity(TEXT_COLUMNS.len());
    let mut arrays = Vec::with_capacity(TEXT_COLUMNS.len());
    for name in TEXT_COLUMNS {
        let data_type = schema.field_with_name(name)?.data_type().clone();
        let given = names.iter().zip(columns).find(|(given, _)| given == name);
        arrays.push(match given {
            Some((_, column)) => cast(column, &data_type)?,
            None => new_null_array(&data_type, rows),
        });
        fields.push(Field::new(*name, data_type, true));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}
