//! Functions whose result can be far larger than their arguments, with the result's size checked
//! before it is made: the memory pool does not see what a function allocates.
//!
//! Invariant: no call below makes more than `RESULT_BYTES_MAX` per batch of rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};

use crate::error::QueryError;

/// Most bytes one call may make for one batch.
const RESULT_BYTES_MAX: u128 = 64 * 1024 * 1024;
/// Longest text put in place of a match.
const REPLACEMENT_BYTES_MAX: usize = 4096;

/// `function` itself, or wrapped in a size check when it can multiply its input.
pub(super) fn guarded(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    let growth = match function.name() {
        "repeat" => Growth::Repeat,
        "lpad" | "rpad" => Growth::Pad,
        "array_repeat" => Growth::ArrayRepeat,
        "array_resize" => Growth::ArrayResize,
        "range" | "generate_series" => Growth::Series,
        "replace" | "regexp_replace" | "translate" => Growth::Replace,
        _ => return function,
    };
    Arc::new(ScalarUDF::new_from_impl(SizeChecked {
        inner: function,
        growth,
    }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    Repeat,
    Pad,
    ArrayRepeat,
    ArrayResize,
    Series,
    Replace,
}

/// A function of DataFusion with a check of its arguments before each call.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SizeChecked {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl ScalarUDFImpl for SizeChecked {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = self.inner.inner().with_updated_config(config)?;
        Some(ScalarUDF::new_from_impl(Self {
            inner: Arc::new(inner),
            growth: self.growth,
        }))
    }

    fn simplify(&self, args: Vec<Expr>, _context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // The inner function's rewrites could drop the check.
        Ok(ExprSimplifyResult::Original(args))
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bytes = match self.growth {
            Growth::Repeat => repeated_bytes(&args)?,
            Growth::Pad => padded_bytes(&args)?,
            Growth::ArrayRepeat => repeated_values(&args)?,
            Growth::ArrayResize => resized_values(&args)?,
            Growth::Series => series_values(&args)?,
            Growth::Replace => replaced_bytes(&args)?,
        };
        if bytes > RESULT_BYTES_MAX {
            return Err(QueryError::resource_exhausted(format!(
                "{}() would make {bytes} bytes for one batch of rows; at most {RESULT_BYTES_MAX} are allowed",
                self.name()
            ))
            .into());
        }
        self.inner.invoke_with_args(args)
    }
}

/// Argument `index` as an array as long as the batch, or of one row when it is a constant; with how
/// many rows of the batch each of its rows stands for.
fn argument(args: &ScalarFunctionArgs, index: usize) -> Result<Option<(ArrayRef, u128)>> {
    match args.args.get(index) {
        Some(ColumnarValue::Array(array)) => Ok(Some((array.clone(), 1))),
        Some(ColumnarValue::Scalar(scalar)) => Ok(Some((
            scalar.to_array_of_size(1)?,
            args.number_rows as u128,
        ))),
        None => Ok(None),
    }
}

fn numbers(array: &ArrayRef) -> Result<Int64Array> {
    Ok(cast(array, &DataType::Int64)?
        .as_primitive::<Int64Type>()
        .clone())
}

/// Bytes of the text in row `row`; a constant has one row that stands for all.
fn text_bytes(array: &ArrayRef, row: usize) -> u128 {
    let row = if array.len() == 1 { 0 } else { row };
    if row >= array.len() || array.is_null(row) {
        return 0;
    }
    let bytes = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).len(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).len(),
        DataType::Utf8View => array.as_string_view().value(row).len(),
        _ => 0,
    };
    bytes as u128
}

/// Count of row `row`, 0 when NULL or negative.
fn count_at(counts: &Int64Array, row: usize) -> u128 {
    let row = if counts.len() == 1 { 0 } else { row };
    if row >= counts.len() || counts.is_null(row) {
        return 0;
    }
    u128::try_from(counts.value(row)).unwrap_or(0)
}

fn repeated_bytes(args: &ScalarFunctionArgs) -> Result<u128> {
    let (Some((text, _)), Some((counts, _))) = (argument(args, 0)?, argument(args, 1)?) else {
        return Ok(0);
    };
    let counts = numbers(&counts)?;
    let rows = if text.len() == 1 && counts.len() == 1 {
        1
    } else {
        args.number_rows
    };
    Ok((0..rows)
        .map(|row| text_bytes(&text, row).saturating_mul(count_at(&counts, row)))
        .sum())
}

fn padded_bytes(args: &ScalarFunctionArgs) -> Result<u128> {
    let Some((lengths, stands_for)) = argument(args, 1)? else {
        return Ok(0);
    };
    let lengths = numbers(&lengths)?;
    // A character has at most four bytes.
    Ok((0..lengths.len())
        .map(|row| count_at(&lengths, row).saturating_mul(4))
        .sum::<u128>()
        * stands_for)
}

fn repeated_values(args: &ScalarFunctionArgs) -> Result<u128> {
    let (Some((values, _)), Some((counts, stands_for))) = (argument(args, 0)?, argument(args, 1)?)
    else {
        return Ok(0);
    };
    let counts = numbers(&counts)?;
    let value_bytes = 16 + values.get_array_memory_size() as u128 / (values.len().max(1) as u128);
    Ok((0..counts.len())
        .map(|row| count_at(&counts, row).saturating_mul(value_bytes))
        .sum::<u128>()
        * stands_for)
}

fn resized_values(args: &ScalarFunctionArgs) -> Result<u128> {
    let Some((sizes, stands_for)) = argument(args, 1)? else {
        return Ok(0);
    };
    let sizes = numbers(&sizes)?;
    let mut value_bytes = 16;
    if let Some((fill, _)) = argument(args, 2)? {
        value_bytes += fill.get_array_memory_size() as u128 / (fill.len().max(1) as u128);
    }
    Ok((0..sizes.len())
        .map(|row| count_at(&sizes, row).saturating_mul(value_bytes))
        .sum::<u128>()
        * stands_for)
}

fn series_values(args: &ScalarFunctionArgs) -> Result<u128> {
    let mut columns = Vec::with_capacity(3);
    for index in 0..args.args.len().min(3) {
        let Some((array, _)) = argument(args, index)? else {
            continue;
        };
        if !array.data_type().is_integer() && !array.data_type().is_null() {
            return Err(QueryError::invalid_input(
                "range() and generate_series() are available for whole numbers only",
            )
            .into());
        }
        columns.push(numbers(&array)?);
    }
    let at = |index: usize, row: usize| -> Option<i64> {
        let column = columns.get(index)?;
        let row = if column.len() == 1 { 0 } else { row };
        (row < column.len() && column.is_valid(row)).then(|| column.value(row))
    };
    let rows = if columns.iter().all(|column| column.len() == 1) {
        1
    } else {
        args.number_rows
    };
    let mut values: u128 = 0;
    for row in 0..rows {
        let (start, stop, step) = match columns.len() {
            1 => (Some(0), at(0, row), Some(1)),
            2 => (at(0, row), at(1, row), Some(1)),
            _ => (at(0, row), at(1, row), at(2, row)),
        };
        if let (Some(start), Some(stop), Some(step)) = (start, stop, step) {
            let span = (i128::from(stop) - i128::from(start)).unsigned_abs();
            values = values.saturating_add(span / u128::from(step.unsigned_abs().max(1)) + 1);
        }
    }
    Ok(values.saturating_mul(8))
}

/// A replacement grows the text by at most its own length for every byte replaced.
fn replaced_bytes(args: &ScalarFunctionArgs) -> Result<u128> {
    let Some((replacements, _)) = argument(args, 2)? else {
        return Ok(0);
    };
    for row in 0..replacements.len() {
        let bytes = text_bytes(&replacements, row);
        if bytes > REPLACEMENT_BYTES_MAX as u128 {
            return Err(QueryError::resource_exhausted(format!(
                "a replacement text has {bytes} bytes; at most {REPLACEMENT_BYTES_MAX} are allowed"
            ))
            .into());
        }
    }
    Ok(0)
}
