//! How the shell shows a result: its mode, and on a terminal the rows and columns there is room for, with a
//! footer that says what is not shown.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::args::SqlFormat;
use crate::failure::{Failure, Result};
use crate::output::table::TextTable;
use crate::output::units::count;
use crate::output::{Style, format};

/// Rows of a result that a terminal shows.
const ROWS_SHOWN: usize = 40;

/// A form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Table,
    Line,
    Markdown,
    Machine(SqlFormat),
}

impl Mode {
    /// The mode of this name.
    pub fn of_name(name: &str) -> Result<Self> {
        Ok(match name {
            "table" => Self::Table,
            "line" => Self::Line,
            "markdown" => Self::Markdown,
            "csv" => Self::Machine(SqlFormat::Csv),
            "json" => Self::Machine(SqlFormat::Json),
            "jsonl" => Self::Machine(SqlFormat::JsonLines),
            _ => {
                return Err(Failure::bad_input(format!(
                    ".mode {name:?}: table, line, csv, json, jsonl or markdown expected"
                )));
            }
        })
    }
}

/// What was set for all results.
#[derive(Debug)]
pub struct View {
    pub mode: Mode,
    /// Widths that the first columns are cut to; 0 for their own.
    pub widths: Vec<usize>,
}

impl View {
    /// Widths as `.width` gives them.
    pub fn set_widths(&mut self, argument: &str) -> Result<()> {
        let width = |word: &str| {
            word.parse::<usize>().map_err(|_| {
                Failure::bad_input(format!(
                    ".width {word:?}: a number of characters for each column expected, 0 for its own"
                ))
            })
        };
        self.widths = argument
            .split_whitespace()
            .map(width)
            .collect::<Result<_>>()?;
        Ok(())
    }

    /// Writes a result. Only a terminal, which `style` tells, has less than all of it.
    pub fn write(
        &self,
        out: &mut (dyn Write + Send),
        schema: &SchemaRef,
        batches: &[RecordBatch],
        style: Style,
    ) -> Result<()> {
        // What has no columns has nothing to show: a view was made or taken away.
        if schema.fields().is_empty() {
            return Ok(());
        }
        if let Mode::Machine(form) = self.mode {
            return format::write(out, form, false, schema, batches, style);
        }
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let shown = if style.is_terminal() {
            rows.min(ROWS_SHOWN)
        } else {
            rows
        };
        let mut table = format::table(schema, &first(batches, shown))?;
        table.cut(&self.widths);
        let mut left_out = Vec::new();
        match (self.mode, style.width) {
            (Mode::Line, _) => table.write_lines(out)?,
            (Mode::Markdown, _) => table.write_markdown(out)?,
            (_, width) => {
                left_out = width
                    .map(|width| table.keep_fitting(width))
                    .unwrap_or_default();
                table.write(out, style)?;
            }
        }
        if shown < rows {
            let (shown, rows) = (count(shown as i64), count(rows as i64));
            let hint = "add LIMIT, or .output FILE for all";
            writeln!(
                out,
                "{}",
                style.dim(&format!("{shown} of {rows} rows ({hint})"))
            )?;
        }
        TextTable::say_left_out(&left_out, out, style, ".mode line")
    }
}

fn first(batches: &[RecordBatch], rows: usize) -> Vec<RecordBatch> {
    let mut left = rows;
    let cut = batches.iter().map(|batch| {
        let part = batch.slice(0, batch.num_rows().min(left));
        left -= part.num_rows();
        part
    });
    cut.collect()
}
