//! Columns of traces that a user chose by name: those of the table `traces`, `tags.K` and `metadata.K`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::table::TextTable;
use super::units::{count, duration, time, usd};
use super::{csv, escape};
use crate::failure::{Failure, Result};

/// Short names of columns.
const SHORT: [(&str, &str); 5] = [
    ("duration", "duration_ns"),
    ("tokens", "total_tokens"),
    ("cost", "cost_usd"),
    ("request", "request_preview"),
    ("response", "response_preview"),
];

/// Columns that were chosen.
#[derive(Debug)]
pub struct Columns {
    chosen: Vec<Chosen>,
}

#[derive(Debug)]
struct Chosen {
    /// As the user wrote it.
    name: String,
    /// As the table calls it.
    column: String,
    index: usize,
    /// The key in a column of maps.
    key: Option<String>,
}

impl Columns {
    /// The columns of these names.
    ///
    /// # Errors
    /// Bad input for a name that `schema` does not have.
    pub fn choose(names: &[String], schema: &Schema) -> Result<Self> {
        let mut chosen = Vec::with_capacity(names.len());
        for name in names
            .iter()
            .map(|name| name.trim())
            .filter(|name| !name.is_empty())
        {
            let long = SHORT
                .iter()
                .find(|(short, _)| *short == name)
                .map_or(name, |(_, long)| *long);
            let (stored, key) = match name.split_once('.') {
                Some((maps @ ("tags" | "metadata"), key)) => {
                    (maps, Some(key.trim_matches('`').to_string()))
                }
                _ => (long, None),
            };
            let index = schema.index_of(stored).map_err(|_| {
                let all: Vec<&str> = schema
                    .fields()
                    .iter()
                    .map(|field| field.name().as_str())
                    .collect();
                Failure::bad_input(format!(
                    "column {name:?}: tags.K, metadata.K or one of {} expected",
                    all.join(", ")
                ))
            })?;
            if chosen.iter().any(|other: &Chosen| other.column == long) {
                return Err(Failure::bad_input(format!(
                    "column {long:?} is there twice"
                )));
            }
            chosen.push(Chosen {
                name: name.to_string(),
                column: long.to_string(),
                index,
                key,
            });
        }
        Ok(Self { chosen })
    }

    /// The chosen columns of a batch, each under the name that the table has for it.
    pub fn of(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for Chosen {
            column: name,
            index,
            key,
            ..
        } in &self.chosen
        {
            let column = batch.column(*index);
            let column = match key {
                Some(key) => values_of(column, key),
                None => column.clone(),
            };
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        }
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    /// A table for people of batches as [`Columns::of`] gives them, cells cut to `cell_width` columns.
    pub fn table(&self, batches: &[RecordBatch], cell_width: usize) -> Result<TextTable> {
        let mut table = TextTable::default();
        for (at, Chosen { name, .. }) in self.chosen.iter().enumerate() {
            let first = batches.first().and_then(|batch| batch.columns().get(at));
            let is_number = first.is_some_and(|column| column.data_type().is_numeric());
            table.add_column(name, is_number);
        }
        for batch in batches {
            let mut columns = Vec::with_capacity(batch.num_columns());
            let flat = csv::flat(batch)?;
            for (field, column) in batch.schema().fields().iter().zip(flat.columns()) {
                columns.push(cells(field.name(), column, cell_width)?);
            }
            for row in 0..batch.num_rows() {
                table.add_row(
                    columns
                        .iter()
                        .filter_map(|cells| cells.get(row).cloned())
                        .collect(),
                );
            }
        }
        Ok(table)
    }
}

/// The cells of a column as people read them.
fn cells(name: &str, column: &ArrayRef, width: usize) -> Result<Vec<String>> {
    let figure: Option<fn(i64) -> String> = match column.data_type() {
        DataType::Int64 if name.ends_with("_ns") => Some(duration),
        DataType::Int64 => Some(count),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Some(time),
        _ => None,
    };
    if let Some(figure) = figure {
        let numbers = cast(column, &DataType::Int64)?;
        let numbers = numbers.as_primitive::<arrow::datatypes::Int64Type>();
        return Ok(numbers
            .iter()
            .map(|number| number.map(figure).unwrap_or_default())
            .collect());
    }
    if name == "cost_usd" {
        let costs = cast(column, &DataType::Float64)?;
        let costs = costs.as_primitive::<arrow::datatypes::Float64Type>();
        return Ok(costs
            .iter()
            .map(|cost| cost.map(usd).unwrap_or_default())
            .collect());
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    let cell = |row| match width {
        usize::MAX => escape::line(&formatter.value(row).to_string()),
        width => escape::preview(&formatter.value(row).to_string(), width),
    };
    Ok((0..column.len()).map(cell).collect())
}

/// The values of one key in a column of maps of texts.
fn values_of(column: &ArrayRef, key: &str) -> ArrayRef {
    let mut values = StringBuilder::new();
    let maps = column.as_map_opt();
    for row in 0..column.len() {
        let entries = maps
            .filter(|maps| maps.is_valid(row))
            .map(|maps| maps.value(row));
        let found = entries.as_ref().and_then(|entries| {
            let (keys, values) = (
                entries.column(0).as_string_opt::<i32>()?,
                entries.column(1).as_string_opt::<i32>()?,
            );
            let at = keys.iter().position(|known| known == Some(key))?;
            values.is_valid(at).then(|| values.value(at))
        });
        values.append_option(found);
    }
    Arc::new(values.finish())
}

#[cfg(test)]
mod tests {
    use tracehouse::{Database, Search, Table};

    use super::*;

    #[test]
    fn columns_are_chosen_by_name() {
        let db = Database::in_memory().unwrap();
        db.start_trace(
            &tracehouse::TraceStart::new("t1", 1)
                .tag("env", "prod")
                .duration_ns(5_533_000_000_000),
        )
        .unwrap();
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_string())
                .collect::<Vec<_>>()
        };
        let schema = Table::Traces.public_schema();
        let columns = Columns::choose(
            &names(&["trace_id", "tags.env", "tags.none", "duration", "tags"]),
            &schema,
        );
        let columns = columns.unwrap();
        let batches: Vec<RecordBatch> = db
            .search_batches(&Search::new(""))
            .unwrap()
            .map(|batch| columns.of(&batch.unwrap()).unwrap())
            .collect();
        let schema = batches[0].schema();
        let got: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(
            got,
            ["trace_id", "tags.env", "tags.none", "duration_ns", "tags"]
        );
        let mut out = Vec::new();
        columns
            .table(&batches, usize::MAX)
            .unwrap()
            .write(&mut out, crate::output::Style::PLAIN)
            .unwrap();
        let text = String::from_utf8(out).unwrap();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            rows[0],
            ["trace_id", "tags.env", "tags.none", "duration", "tags"]
        );
        assert_eq!(rows[2][..4], ["t1", "prod", "1h", "32m"], "{text}");
        for wrong in [&["nope"][..], &["inputs.x"], &["duration", "duration_ns"]] {
            let error = Columns::choose(&names(wrong), &Table::Traces.public_schema()).unwrap_err();
            assert_eq!(error.code, 2);
        }
    }
}
