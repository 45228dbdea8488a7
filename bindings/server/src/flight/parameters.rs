//! Parameters of a prepared statement: which it has, and their values from what a client binds.
//!
//! A parameter is `$1` or `$name`, as in all SQL here (`?` is an operator of JSON). Which there are is read from the text
//! to tell clients of them; that each has a value is the engine's to check, when the statement is planned.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimeUnit};
use arrow::datatypes::{TimestampNanosecondType, UInt64Type};
use arrow::record_batch::RecordBatch;
use tonic::Status;
use tracehouse::SqlValue;

/// Names of a statement's parameters, without `$`: numbers in their order, then names in that of the text.
pub(super) fn names(statement: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut rest = statement;
    while let Some(next) = rest.chars().next() {
        let (name, length) = match skipped(rest) {
            Some(length) => (None, length),
            None if next == '$' => placeholder(rest),
            None if is_of_name(next) => (None, word_bytes(rest)),
            None => (None, next.len_utf8()),
        };
        if let Some(name) = name
            && !names.iter().any(|known| known == name)
        {
            names.push(name.to_string());
        }
        rest = rest.get(length.max(1)..).unwrap_or_default();
    }
    names.sort_by_key(|name| name.parse::<u32>().unwrap_or(u32::MAX));
    names
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn word_bytes(text: &str) -> usize {
    text.find(|letter| !is_of_name(letter))
        .unwrap_or(text.len())
}

/// How long the literal, quoted name or comment is that a text begins with, if it begins with one.
fn skipped(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if text.starts_with("--") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(comment_bytes(text));
    }
    if matches!(first, 'e' | 'E') && text.get(1..2) == Some("'") {
        return Some(1 + quoted_bytes(text.get(1..)?, '\'', true));
    }
    match first {
        '\'' | '"' | '`' => Some(quoted_bytes(text, first, false)),
        _ => None,
    }
}

/// Comments may be in comments.
fn comment_bytes(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0_usize);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let step = match rest.get(..2) {
            Some("/*") => {
                depth += 1;
                2
            }
            Some("*/") => {
                depth = depth.saturating_sub(1);
                2
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// A doubled quote is one quote: it ends a text and begins the next one at once, which comes to the same here.
fn quoted_bytes(text: &str, quote: char, has_escapes: bool) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if has_escapes => is_escaped = true,
            _ if letter == quote => return at + letter.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The parameter at `$`, and its bytes; or no parameter and the bytes of a text between dollars.
fn placeholder(text: &str) -> (Option<&str>, usize) {
    let after = text.get(1..).unwrap_or_default();
    let length = word_bytes(after);
    let name = after.get(..length).unwrap_or_default();
    if after
        .get(length..)
        .is_some_and(|rest| rest.starts_with('$'))
    {
        let (tag, body) = text.split_at_checked(length + 2).unwrap_or((text, ""));
        let end = body.find(tag).map_or(text.len(), |end| end + 2 * tag.len());
        return (None, end);
    }
    (Some(name).filter(|name| !name.is_empty()), length + 1)
}

/// What clients are told of parameters. The type of one is not known before it has a value, and every type below is
/// taken; a text is what most clients can send without being told more.
pub(super) fn schema(names: &[String]) -> Schema {
    let fields = names.iter();
    Schema::new(
        fields
            .map(|name| Field::new(name, DataType::Utf8, true))
            .collect::<Vec<_>>(),
    )
}

/// Values from what a client has bound: by name when its columns are named as the parameters, else by place.
///
/// # Errors
/// `InvalidArgument` when there is not one row of them, or not a value for each parameter, and for a value of a type
/// that SQL has no parameters of.
pub(super) fn values(
    names: &[String],
    bound: &RecordBatch,
) -> Result<Vec<(String, SqlValue)>, Status> {
    let columns = bound.num_columns();
    if bound.num_rows() != 1 {
        return Err(Status::invalid_argument(format!(
            "parameters have one row of values, and {} were bound: execute the statement for each",
            bound.num_rows()
        )));
    }
    if columns != names.len() {
        let told: Vec<String> = names.iter().map(|name| format!("${name}")).collect();
        return Err(Status::invalid_argument(format!(
            "{columns} values were bound, and the statement has {} parameters: {}",
            names.len(),
            told.join(", ")
        )));
    }
    let schema = bound.schema();
    let column_of = |name: &String| {
        let mut fields = schema.fields().iter();
        fields.position(|field| field.name().trim_start_matches('$') == name)
    };
    let by_name: Option<Vec<usize>> = names.iter().map(column_of).collect();
    let places = by_name.unwrap_or_else(|| (0..columns).collect());
    let values = names.iter().zip(places).filter_map(|(name, place)| {
        let column = bound.columns().get(place)?;
        Some(value(name, column).map(|value| (name.clone(), value)))
    });
    values.collect()
}

fn value(name: &str, column: &ArrayRef) -> Result<SqlValue, Status> {
    if column.is_null(0) || column.data_type() == &DataType::Null {
        return Ok(SqlValue::Null);
    }
    let wrong = |what: &dyn std::fmt::Display| {
        Status::invalid_argument(format!("parameter ${name}: {what}"))
    };
    let as_type = |to: &DataType| {
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        cast_with_options(column, to, &options).map_err(|error| wrong(&error))
    };
    let missing = || wrong(&"it has no value");
    Ok(match column.data_type() {
        DataType::Boolean => {
            SqlValue::Boolean(column.as_boolean_opt().ok_or_else(missing)?.value(0))
        }
        DataType::UInt64 => {
            let array = column
                .as_primitive_opt::<UInt64Type>()
                .ok_or_else(missing)?;
            let value = array.value(0);
            SqlValue::Int(
                i64::try_from(value).map_err(|_| {
                    wrong(&format!("{value} is larger than whole numbers are in SQL"))
                })?,
            )
        }
        whole if whole.is_integer() => {
            let array = as_type(&DataType::Int64)?;
            let array = array.as_primitive_opt::<Int64Type>().ok_or_else(missing)?;
            SqlValue::Int(array.value(0))
        }
        number if number.is_floating() => {
            let array = as_type(&DataType::Float64)?;
            let array = array
                .as_primitive_opt::<Float64Type>()
                .ok_or_else(missing)?;
            SqlValue::Float(array.value(0))
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let array = as_type(&DataType::Timestamp(TimeUnit::Nanosecond, None))?;
            let array = array
                .as_primitive_opt::<TimestampNanosecondType>()
                .ok_or_else(missing)?;
            SqlValue::Time(array.value(0))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            let array = as_type(&DataType::Utf8)?;
            let array = array.as_string_opt::<i32>().ok_or_else(missing)?;
            SqlValue::Text(array.value(0).to_string())
        }
        other => {
            return Err(wrong(&format!(
                "{other} is no type of parameters: a truth value, a number, a text or a time expected"
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BinaryArray, BooleanArray, Date32Array, Float32Array, Int8Array, NullArray, StringArray,
        StringViewArray, TimestampMillisecondArray, UInt64Array,
    };

    use super::*;

    #[test]
    fn parameters_are_found_outside_of_texts_and_comments() {
        let found = |statement: &str| names(statement).join(" ");
        assert_eq!(found("SELECT $2, $1, $10, $2"), "1 2 10");
        assert_eq!(
            found("SELECT $model WHERE a=$b AND c=$1 AND d=$model"),
            "1 model b"
        );
        assert_eq!(
            found("SELECT '$a', 'it''s $b', \"$c\", `$d`, $e -- $f\n, $g"),
            "e g"
        );
        assert_eq!(found("SELECT /* $a /* $b */ $c */ $d"), "d");
        assert_eq!(found("SELECT E'\\'$a', 'x\\', $b"), "b");
        assert_eq!(found("SELECT $$ $a $$, $t$ $b $$ $t$, $c"), "c");
        assert_eq!(found("SELECT name'$a', é$b, $ü"), "b ü");
        assert_eq!(found("SELECT attributes ->> '$.a' ? $k"), "k");
        for unfinished in ["'$a", "/* $a", "$$ $a", "E'\\", "$", "a -"] {
            assert_eq!(found(unfinished), "", "{unfinished}");
        }
    }

    fn bound(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    }

    fn one(column: ArrayRef) -> Result<SqlValue, Status> {
        let values = values(&["p".to_string()], &bound(vec![("0", column)]))?;
        Ok(values[0].1.clone())
    }

    #[test]
    fn values_keep_their_type() {
        let time = TimestampMillisecondArray::from(vec![5]).with_timezone("+02:00");
        let cases: Vec<(ArrayRef, SqlValue)> = vec![
            (
                Arc::new(BooleanArray::from(vec![true])),
                SqlValue::Boolean(true),
            ),
            (Arc::new(Int8Array::from(vec![-3])), SqlValue::Int(-3)),
            (Arc::new(UInt64Array::from(vec![7])), SqlValue::Int(7)),
            (
                Arc::new(Float32Array::from(vec![0.5])),
                SqlValue::Float(0.5),
            ),
            (
                Arc::new(StringArray::from(vec!["a"])),
                SqlValue::Text("a".into()),
            ),
            (
                Arc::new(StringViewArray::from(vec!["b"])),
                SqlValue::Text("b".into()),
            ),
            (Arc::new(time), SqlValue::Time(5_000_000)),
            (
                Arc::new(Date32Array::from(vec![1])),
                SqlValue::Time(86_400_000_000_000),
            ),
            (Arc::new(NullArray::new(1)), SqlValue::Null),
            (
                Arc::new(StringArray::from(vec![None::<&str>])),
                SqlValue::Null,
            ),
        ];
        for (column, value) in cases {
            assert_eq!(one(column).unwrap(), value);
        }
        let bytes = one(Arc::new(BinaryArray::from(vec![b"x".as_slice()]))).unwrap_err();
        assert!(
            bytes.message().contains("$p: Binary is no type"),
            "{bytes:?}"
        );
        assert!(one(Arc::new(UInt64Array::from(vec![u64::MAX]))).is_err());
    }

    #[test]
    fn values_go_by_name_or_by_place() {
        let column = |number: i8| Arc::new(Int8Array::from(vec![number])) as ArrayRef;
        let names = ["1".to_string(), "2".to_string()];
        let of = |columns| -> Vec<SqlValue> {
            let values = values(&names, &bound(columns)).unwrap();
            values.into_iter().map(|(_, value)| value).collect()
        };
        let (one, two) = (SqlValue::Int(1), SqlValue::Int(2));
        assert_eq!(
            of(vec![("0", column(1)), ("1", column(2))]),
            [one.clone(), two.clone()]
        );
        assert_eq!(of(vec![("$2", column(2)), ("1", column(1))]), [one, two]);
        let few = values(&names, &bound(vec![("0", column(1))])).unwrap_err();
        assert!(few.message().contains("$1, $2"), "{few:?}");
        let rows: ArrayRef = Arc::new(Int8Array::from(vec![1, 2]));
        assert!(
            values(&names, &bound(vec![("0", rows.clone()), ("1", rows)]))
                .unwrap_err()
                .message()
                .contains("2 were bound")
        );
    }
}
