//! Answers in one form, whoever gave them, and whether two of them are the same.
//!
//! Integers and times (nanoseconds) are texts, numbers of type float are numbers or `inf`, `-inf`, `nan`. Floats are
//! the same when nine digits are, as sums depend on the order of their parts.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use serde_json::Value;

use super::tree::Type;

/// Largest difference of two equal floats, relative.
const FLOAT_TOLERANCE: f64 = 1e-9;

/// What a database said.
#[derive(Debug, Clone)]
pub enum Outcome {
    Rows(Vec<Vec<Value>>),
    Error(String),
}

impl Outcome {
    /// The rows, unless it was an error.
    pub fn rows(&self) -> Option<&[Vec<Value>]> {
        match self {
            Outcome::Rows(rows) => Some(rows),
            Outcome::Error(_) => None,
        }
    }

    /// The beginning of it, for a report.
    pub fn shown(&self) -> String {
        const CHARS_MAX: usize = 400;
        let text = match self {
            Outcome::Rows(rows) => {
                let cells: Vec<String> = rows
                    .iter()
                    .take(6)
                    .map(|row| Value::from(row.clone()).to_string())
                    .collect();
                format!("{} rows: {}", rows.len(), cells.join(" "))
            }
            Outcome::Error(error) => format!("error: {error}"),
        };
        text.chars().take(CHARS_MAX).collect()
    }

    /// A row that one has and the other has not, of each.
    pub fn apart(&self, other: &Self) -> String {
        let (Some(left), Some(right)) = (self.rows(), other.rows()) else {
            return String::new();
        };
        let (left, right) = (sorted(left), sorted(right));
        let without = |rows: &[Vec<Value>], others: &[Vec<Value>]| {
            let count = |rows: &[Vec<Value>], row: &Vec<Value>| {
                rows.iter()
                    .filter(|other| {
                        row.iter()
                            .zip(*other)
                            .all(|(cell, other)| is_same(cell, other))
                    })
                    .count()
            };
            let lone = rows
                .iter()
                .find(|row| count(rows, row) > count(others, row));
            lone.map_or("none".to_string(), |row| {
                Value::from(row.clone()).to_string()
            })
        };
        format!(
            "only ours {}, only DuckDB's {}",
            without(&left, &right),
            without(&right, &left)
        )
    }
}

/// Our batches in that form.
pub fn rows_of(batches: &[RecordBatch], types: &[Type]) -> Result<Vec<Vec<Value>>, String> {
    let mut rows = Vec::new();
    for batch in batches {
        if batch.num_columns() != types.len() {
            return Err(format!(
                "{} columns instead of {}",
                batch.num_columns(),
                types.len()
            ));
        }
        let columns: Vec<Vec<Value>> = batch
            .columns()
            .iter()
            .zip(types)
            .map(|(array, of)| cells(array, *of))
            .collect::<Result<_, _>>()?;
        rows.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|cells| cells[row].clone()).collect()),
        );
    }
    Ok(rows)
}

fn cells(array: &ArrayRef, of: Type) -> Result<Vec<Value>, String> {
    let to = |to: &DataType| {
        cast(array, to).map_err(|error| {
            format!(
                "a column of {} where {of:?} is due: {error}",
                array.data_type()
            )
        })
    };
    let each = |array: &ArrayRef, value: &dyn Fn(usize) -> Value| {
        (0..array.len())
            .map(|row| {
                if array.is_null(row) {
                    Value::Null
                } else {
                    value(row)
                }
            })
            .collect()
    };
    Ok(match of {
        Type::Text => {
            let texts = to(&DataType::Utf8)?;
            each(&texts, &|row| texts.as_string::<i32>().value(row).into())
        }
        Type::Int if array.data_type().is_floating() => {
            let numbers = to(&DataType::Float64)?;
            each(&numbers, &|row| {
                format!("{:.0}", numbers.as_primitive::<Float64Type>().value(row)).into()
            })
        }
        Type::Int => {
            let texts = to(&DataType::Utf8)?;
            each(&texts, &|row| texts.as_string::<i32>().value(row).into())
        }
        Type::Time => {
            let times = match array.data_type() {
                DataType::Timestamp(_, zone) => {
                    to(&DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()))?
                }
                _ => array.clone(),
            };
            let times = cast(&times, &DataType::Int64).map_err(|error| error.to_string())?;
            each(&times, &|row| {
                times
                    .as_primitive::<Int64Type>()
                    .value(row)
                    .to_string()
                    .into()
            })
        }
        Type::Float => {
            let numbers = to(&DataType::Float64)?;
            each(&numbers, &|row| {
                let number = numbers.as_primitive::<Float64Type>().value(row);
                if number.is_finite() {
                    number.into()
                } else {
                    number.to_string().to_lowercase().into()
                }
            })
        }
        Type::Bool => {
            let flags = to(&DataType::Boolean)?;
            each(&flags, &|row| flags.as_boolean().value(row).into())
        }
    })
}

/// Whether two answers are the same: in order, or as what they have.
pub fn are_same(left: &[Vec<Value>], right: &[Vec<Value>], is_ordered: bool) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let same = |left: &[Vec<Value>], right: &[Vec<Value>]| {
        left.iter().zip(right).all(|(left, right)| {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| is_same(left, right))
        })
    };
    if is_ordered {
        return same(left, right);
    }
    same(&sorted(left), &sorted(right)) || is_matched(left, right)
}

/// Whether each row has a partner of its own. Rows that differ in the last digit may be sorted apart.
fn is_matched(left: &[Vec<Value>], right: &[Vec<Value>]) -> bool {
    let mut partners: BTreeMap<Vec<String>, Vec<&Vec<Value>>> = BTreeMap::new();
    for row in right {
        partners.entry(exact(row)).or_default().push(row);
    }
    left.iter().all(|row| {
        let Some(rest) = partners.get_mut(&exact(row)) else {
            return false;
        };
        let is_partner = |other: &[Value]| {
            row.iter()
                .zip(other)
                .all(|(cell, other)| is_same(cell, other))
        };
        let near = rest
            .iter()
            .enumerate()
            .filter(|(_, other)| is_partner(other));
        let nearest =
            near.min_by(|(_, one), (_, other)| apart(row, one).total_cmp(&apart(row, other)));
        nearest
            .map(|(at, _)| at)
            .map(|at| rest.swap_remove(at))
            .is_some()
    })
}

/// How far the floats of two rows are apart.
fn apart(row: &[Value], other: &[Value]) -> f64 {
    let pairs = row
        .iter()
        .zip(other)
        .filter_map(|(cell, other)| cell.as_f64().zip(other.as_f64()));
    pairs.map(|(cell, other)| (cell - other).abs()).sum()
}

/// The cells that are no floats.
fn exact(row: &[Value]) -> Vec<String> {
    row.iter()
        .map(|cell| {
            if cell.is_f64() {
                String::new()
            } else {
                cell.to_string()
            }
        })
        .collect()
}

fn is_same(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => {
            (left - right).abs() <= FLOAT_TOLERANCE * left.abs().max(right.abs())
        }
        _ => left == right,
    }
}

/// Rows in an order in which floats come last and count only roughly.
fn sorted(rows: &[Vec<Value>]) -> Vec<Vec<Value>> {
    let key = |row: &Vec<Value>| {
        let rough = row
            .iter()
            .filter_map(Value::as_f64)
            .map(|number| format!("{:.6e}", number + 0.0));
        (exact(row), rough.collect::<Vec<_>>())
    };
    let mut rows = rows.to_vec();
    rows.sort_by_cached_key(key);
    rows
}
