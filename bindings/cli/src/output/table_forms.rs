//! A text table in other forms: a line for each cell, and Markdown.

use std::io::Write;

use super::escape::columns;
use super::table::TextTable;
use crate::failure::Result;

impl TextTable {
    /// Writes `name = value` for each cell, an empty line between rows.
    pub fn write_lines(&self, out: &mut dyn Write) -> Result<()> {
        let width = self
            .headers
            .iter()
            .map(|header| columns(header))
            .max()
            .unwrap_or(0);
        for (number, row) in self.rows.iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            for (header, cell) in self.headers.iter().zip(row) {
                let padding = " ".repeat(width.saturating_sub(columns(header)));
                writeln!(out, "{padding}{header} = {cell}")?;
            }
        }
        Ok(())
    }

    /// Writes a table of Markdown.
    pub fn write_markdown(&self, out: &mut dyn Write) -> Result<()> {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |", cells.join(" | "))
        };
        writeln!(out, "{}", line(&self.headers))?;
        let rules: Vec<String> = (0..self.headers.len()).map(|_| "---".to_string()).collect();
        writeln!(out, "{}", line(&rules))?;
        for row in &self.rows {
            writeln!(out, "{}", line(row))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_as_lines_and_as_markdown() {
        let mut table = TextTable::new(["id", "text"]);
        table.add_row(vec!["1".into(), "a|b".into()]);
        table.add_row(vec!["2".into(), "c".into()]);
        let mut out = Vec::new();
        table.write_lines(&mut out).unwrap();
        table.write_markdown(&mut out).unwrap();
        let expected = "  id = 1\ntext = a|b\n\n  id = 2\ntext = c\n\
                        | id | text |\n| --- | --- |\n| 1 | a\\|b |\n| 2 | c |\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
