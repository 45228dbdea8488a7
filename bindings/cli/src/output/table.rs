//! Text tables: columns as wide as their cells, cut to the terminal's width where there is one.

use std::io::Write;

use super::Style;
use super::escape::{columns, fit};
use crate::failure::Result;

/// Space between two columns.
const GAP: &str = "  ";
/// No column is cut below this width.
const COLUMN_WIDTH_MIN: usize = 8;

/// A column of a result that is wider than the terminal has at least this much of it.
const COLUMN_WIDTH_SHOWN: usize = 12;

/// A table of cells that are safe to show, one line each.
#[derive(Debug, Clone, Default)]
pub struct TextTable {
    pub(super) headers: Vec<String>,
    right_aligned: Vec<bool>,
    /// Columns that are never cut, such as ids to be copied.
    whole: Vec<bool>,
    pub(super) rows: Vec<Vec<String>>,
}

impl TextTable {
    /// A table with these columns; a name may begin with `>` for right-aligned, `!` for never cut.
    pub fn new<'a>(headers: impl IntoIterator<Item = &'a str>) -> Self {
        let mut table = Self::default();
        for header in headers {
            let name = header.trim_start_matches(['>', '!']);
            let marks = header.trim_end_matches(name);
            table.headers.push(name.to_string());
            table.right_aligned.push(marks.contains('>'));
            table.whole.push(marks.contains('!'));
        }
        table
    }

    /// One more column.
    pub fn add_column(&mut self, name: &str, right_aligned: bool) {
        self.headers.push(super::escape::line(name));
        self.right_aligned.push(right_aligned);
        self.whole.push(false);
    }

    /// One more row, a cell for each column.
    pub fn add_row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.headers.len());
        self.rows.push(cells);
    }

    /// Writes header, rule and rows.
    pub fn write(&self, out: &mut dyn Write, style: Style) -> Result<()> {
        let widths = self.widths(style.width);
        writeln!(out, "{}", style.bold(&self.line(&self.headers, &widths)))?;
        let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        writeln!(out, "{}", style.dim(&rules.join(GAP)))?;
        for row in &self.rows {
            writeln!(out, "{}", self.line(row, &widths))?;
        }
        Ok(())
    }

    /// Writes the columns that there is room for, and below them which those are that there is not; `all` says how all
    /// of them are had.
    pub fn write_fitting(&mut self, out: &mut dyn Write, style: Style, all: &str) -> Result<()> {
        let left_out = style
            .width
            .map(|width| self.keep_fitting(width))
            .unwrap_or_default();
        self.write(out, style)?;
        Self::say_left_out(&left_out, out, style, all)
    }

    /// Says which columns a table was written without.
    pub fn say_left_out(
        left_out: &[String],
        out: &mut dyn Write,
        style: Style,
        all: &str,
    ) -> Result<()> {
        let number = match left_out.len() {
            0 => return Ok(()),
            1 => "1 column".to_string(),
            more => format!("{more} columns"),
        };
        let full = format!(
            "{number} not shown ({all} for all): {}",
            left_out.join(", ")
        );
        Ok(writeln!(
            out,
            "{}",
            style.dim(&fit(&full, style.width.unwrap_or(usize::MAX)))
        )?)
    }

    /// Leaves the columns that fit into `width`, those that can be cut to at least [`COLUMN_WIDTH_SHOWN`] or their
    /// own width; gives the names of the others. One column always stays.
    pub fn keep_fitting(&mut self, width: usize) -> Vec<String> {
        let (mut used, mut kept) = (0, 0);
        for (column, whole) in self.widths(None).into_iter().zip(&self.whole) {
            let gap = if kept == 0 { 0 } else { GAP.len() };
            used += gap
                + if *whole {
                    column
                } else {
                    column.min(COLUMN_WIDTH_SHOWN)
                };
            if kept > 0 && used > width {
                break;
            }
            kept += 1;
        }
        let left_out = self.headers.split_off(kept);
        self.right_aligned.truncate(kept);
        self.whole.truncate(kept);
        self.rows.iter_mut().for_each(|row| row.truncate(kept));
        left_out
    }

    /// Cuts the cells of the first columns to these widths; 0 leaves a column as it is.
    pub fn cut(&mut self, widths: &[usize]) {
        for row in &mut self.rows {
            for (cell, width) in row.iter_mut().zip(widths).filter(|(_, width)| **width > 0) {
                *cell = fit(cell, *width);
            }
        }
    }

    fn widths(&self, total_max: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .headers
            .iter()
            .map(|header| columns(header).max(1))
            .collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(columns(cell));
            }
        }
        let Some(total_max) = total_max else {
            return widths;
        };
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        let (mut fixed, mut cuttable) = (gaps, Vec::new());
        for (width, whole) in widths.iter().zip(&self.whole) {
            if *whole {
                fixed += width
            } else {
                cuttable.push(*width)
            }
        }
        let cap = width_cap(&cuttable, total_max.saturating_sub(fixed));
        let cut = |(width, whole): (usize, &bool)| if *whole { width } else { width.min(cap) };
        widths.into_iter().zip(&self.whole).map(cut).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), right) in cells.iter().zip(widths).zip(&self.right_aligned) {
            if !line.is_empty() {
                line.push_str(GAP);
            }
            let cell = fit(cell, *width);
            let padding = " ".repeat(width.saturating_sub(columns(&cell)));
            if *right {
                line.push_str(&padding);
                line.push_str(&cell);
            } else {
                line.push_str(&cell);
                line.push_str(&padding);
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// The largest width that, with every column cut to it, makes the columns fit into `room`.
fn width_cap(widths: &[usize], room: usize) -> usize {
    let widest = widths.iter().copied().max().unwrap_or(0);
    let (mut low, mut high) = (COLUMN_WIDTH_MIN, widest.max(COLUMN_WIDTH_MIN));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let used: usize = widths.iter().map(|width| (*width).min(middle)).sum();
        if used <= room {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(table: &TextTable, width: Option<usize>) -> Vec<String> {
        let mut out = Vec::new();
        table
            .write(
                &mut out,
                Style {
                    width,
                    color: false,
                },
            )
            .unwrap();
        String::from_utf8(out)
            .unwrap()
            .lines()
            .map(str::to_string)
            .collect()
    }

    #[test]
    fn columns_line_up() {
        let mut table = TextTable::new(["name", ">n"]);
        table.add_row(vec!["a".into(), "1".into()]);
        table.add_row(vec!["日本語".into(), "22".into()]);
        assert_eq!(
            shown(&table, None),
            ["name     n", "──────  ──", "a        1", "日本語  22"]
        );
    }

    #[test]
    fn wide_columns_are_cut_to_the_terminal_and_narrow_ones_are_kept() {
        let mut table = TextTable::new(["id", "text"]);
        table.add_row(vec!["x".repeat(10), "y".repeat(100)]);
        let lines = shown(&table, Some(40));
        assert_eq!(lines[2], format!("{}  {}…", "x".repeat(10), "y".repeat(27)));
        assert_eq!(shown(&table, None)[2].len(), 112);
    }

    #[test]
    fn whole_columns_are_never_cut() {
        let mut table = TextTable::new(["!id", ">!n", "text"]);
        table.add_row(vec!["x".repeat(30), "1".into(), "y".repeat(100)]);
        let lines = shown(&table, Some(50));
        assert_eq!(
            lines[2],
            format!("{}  1  {}…", "x".repeat(30), "y".repeat(14))
        );
    }

    #[test]
    fn columns_that_do_not_fit_are_named() {
        let mut table = TextTable::new(["a", "b", "c", ">d"]);
        table.add_row(vec![
            "x".repeat(30),
            "y".repeat(5),
            "z".repeat(20),
            "1".into(),
        ]);
        assert_eq!(table.clone().keep_fitting(36), Vec::<String>::new());
        assert_eq!(table.clone().keep_fitting(35), ["d"]);
        assert_eq!(table.clone().keep_fitting(3), ["b", "c", "d"]);
        let mut whole = TextTable::new(["!a", "b"]);
        whole.add_row(vec!["x".repeat(30), "y".into()]);
        let mut out = Vec::new();
        whole
            .write_fitting(
                &mut out,
                Style {
                    width: Some(30),
                    color: false,
                },
                "--json",
            )
            .unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.ends_with("\n1 column not shown (--json fo…\n"),
            "{text}"
        );
        table.cut(&[4, 0, 2]);
        table.keep_fitting(20);
        assert_eq!(shown(&table, Some(20))[2], "xxx…  yyyyy  z…  1");
    }

    #[test]
    fn caps_never_go_below_the_least_width() {
        assert_eq!(width_cap(&[100, 100], 10), COLUMN_WIDTH_MIN);
        assert_eq!(width_cap(&[5, 50], 30), 25);
        assert_eq!(width_cap(&[], 30), COLUMN_WIDTH_MIN);
    }
}
