//! CSV with a header: the records of a stream, and each as the JSON object that its product exports for the same.
//!
//! A record is cut out here and not by the reader that datasets use, since one without its closing quote would be the
//! rest of the file: the caller stops when it is too long.
//!
//! What a cell is, is told by its text: nothing is null; an object or a list, in JSON or as Python prints it
//! (`DataFrame.to_csv`), is one; a number is one where that changes no digit of it; a time or a number that is a JSON
//! text is its content; anything else is a text. In a row of which every cell is JSON, texts are so, too.

use serde_json::{Map, Number, Value as Json};

use super::{forms, python_literal};

/// Columns whose structure stays the text that it is.
const TEXT_COLUMNS: &[&str] = &["input", "output"];

/// Columns that an error names.
const SHOWN_COLUMNS_MAX: usize = 8;

/// Where a byte stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a cell.
    #[default]
    Start,
    Plain,
    Quoted,
    /// After a quote among quoted text: the end of that, or the first of two that stand for one.
    Quote,
}

impl Place {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Place::Start | Place::Quote, b'"') => Place::Quoted,
            (Place::Quoted, b'"') => Place::Quote,
            (Place::Quoted, _) => Place::Quoted,
            (_, b',') => Place::Start,
            _ => Place::Plain,
        }
    }
}

/// Finds the end of a record, however the bytes come.
#[derive(Debug, Default)]
pub(super) struct RecordEnd(Place);

impl RecordEnd {
    /// Takes the next bytes; how many of them belong to the record, its line end among them, when it ends there.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            if byte == b'\n' && self.0 != Place::Quoted {
                return Some(at + 1);
            }
            self.0 = self.0.after(byte);
        }
        None
    }

    /// Whether a quote is open.
    pub(super) fn is_open(&self) -> bool {
        self.0 == Place::Quoted
    }
}

/// The cells of a record.
///
/// # Errors
/// When it is not UTF-8.
pub(super) fn cells(record: &[u8]) -> Result<Vec<String>, String> {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    let record = record.strip_suffix(b"\r").unwrap_or(record);
    let (mut cells, mut cell, mut place) = (Vec::new(), Vec::new(), Place::default());
    for &byte in record {
        let before = place;
        place = before.after(byte);
        match (before, place) {
            (Place::Start, Place::Quoted) | (Place::Quoted, Place::Quote) => {}
            (_, Place::Start) => cells.push(std::mem::take(&mut cell)),
            _ => cell.push(byte),
        }
    }
    cells.push(cell);
    let text = |cell| String::from_utf8(cell).map_err(|error| format!("not UTF-8: {error}"));
    cells.into_iter().map(text).collect()
}

/// The columns of a table that a text begins with; `None` when it is no table.
pub(super) fn columns(start: &[u8]) -> Option<Vec<String>> {
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    let first = start.get(..RecordEnd::default().feed(start)?)?;
    let columns = cells(first).ok()?;
    let is_name = |name: &String| name.len() <= 256 && !name.contains(char::is_control);
    (columns.len() > 1 && columns.iter().all(is_name)).then_some(columns)
}

/// Characters of lines of a log, or of something printed, and not of names of columns.
const NO_NAME: &[char] = &['{', '}', ':', '='];

/// The columns of a table that a text begins with; `None` too where the next record, if there is one, has another
/// number of cells.
pub(super) fn likely_columns(start: &[u8]) -> Option<Vec<String>> {
    let columns =
        columns(start).filter(|columns| !columns.iter().any(|name| name.contains(NO_NAME)))?;
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    let rest = start.get(RecordEnd::default().feed(start)?..)?;
    let len = RecordEnd::default().feed(rest).unwrap_or(rest.len());
    let next = cells(rest.get(..len)?).ok()?;
    (rest.is_empty() || next.len() == columns.len()).then_some(columns)
}

/// What is wrong with a table that a spreadsheet wrote in its own way: another separator of cells makes a known one of
/// it, or its first line names the separator.
pub(super) fn wrong_dialect(start: &[u8]) -> Option<String> {
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    let first = std::str::from_utf8(start.split(|&byte| byte == b'\n').next()?)
        .ok()?
        .trim_end();
    if first.starts_with("sep=") {
        return Some(format!(
            "a CSV table below a line {first:?}: take that line away, and part cells by commas"
        ));
    }
    let is_known = |separator: char| {
        let names = first
            .split(separator)
            .map(|name| name.trim_matches('"').to_string());
        forms::is_table(&names.collect::<Vec<_>>())
    };
    let separators = [(';', "semicolons"), ('\t', "tabs")];
    let (_, word) = separators
        .into_iter()
        .find(|(separator, _)| is_known(*separator))?;
    Some(format!(
        "a CSV table whose cells are parted by {word}: write it with commas"
    ))
}

/// The columns for a message.
pub(super) fn shown(columns: &[String]) -> String {
    let shown = columns
        .iter()
        .take(SHOWN_COLUMNS_MAX)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match columns.len().saturating_sub(SHOWN_COLUMNS_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A record as a JSON object; cells below a column without a name, such as the numbers of rows, are left out.
///
/// # Errors
/// When it has more or fewer cells than there are columns, or is not UTF-8.
pub(super) fn object(columns: &[String], record: &[u8]) -> Result<Vec<u8>, String> {
    let cells = cells(record)?;
    if cells.len() != columns.len() {
        return Err(format!(
            "{} cells where the header has {} columns",
            cells.len(),
            columns.len()
        ));
    }
    let is_json = |cell: &String| {
        cell.is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(cell).is_ok()
    };
    let has_json_text = cells.iter().any(|cell| cell.starts_with('"')) && cells.iter().all(is_json);
    let mut members = Map::new();
    for (name, cell) in columns
        .iter()
        .zip(cells)
        .filter(|(name, _)| !name.is_empty())
    {
        let value = match serde_json::from_str(&cell) {
            Ok(value) if has_json_text => value,
            _ => value(name, cell),
        };
        members.insert(name.clone(), value);
    }
    Ok(Json::Object(members).to_string().into_bytes())
}

fn value(name: &str, cell: String) -> Json {
    match cell.as_bytes().first() {
        None => Json::Null,
        Some(b'{' | b'[') => match serde_json::from_str(&cell) {
            Ok(_) if TEXT_COLUMNS.contains(&name) => Json::String(cell),
            Ok(structure) => structure,
            Err(_) => python_literal::read(&cell).unwrap_or(Json::String(cell)),
        },
        Some(b'"') => match serde_json::from_str::<String>(&cell) {
            Ok(text) if forms::is_time_or_number(&text) => Json::String(text),
            _ => Json::String(cell),
        },
        Some(b'-' | b'0'..=b'9') => match serde_json::from_str::<Number>(&cell) {
            Ok(number) if number.to_string() == cell => Json::Number(number),
            _ => Json::String(cell),
        },
        _ => Json::String(cell),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(text: &str) -> Vec<String> {
        cells(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_record_ends_with_a_line_outside_of_quotes() {
        let text = b"a,\"b\n\"\"c\"\",d\",e\"f\r\ng,h\n";
        for cut in 0..text.len() {
            let (mut end, head) = (RecordEnd::default(), &text[..cut]);
            let at = end
                .feed(head)
                .or_else(|| end.feed(&text[cut..]).map(|at| cut + at));
            assert_eq!(at, Some(19), "{cut}");
        }
        assert_eq!(
            record("a,\"b\n\"\"c\"\",d\",e\"f\r\n"),
            ["a", "b\n\"c\",d", "e\"f"]
        );
        assert_eq!(record(",\n"), ["", ""]);
        assert!(cells(b"a,\xFF\n").is_err());
    }

    #[test]
    fn tables_are_told_by_two_records_of_one_length() {
        assert_eq!(
            likely_columns(b"\xEF\xBB\xBFid,name\r\n1,a\r\n").unwrap(),
            ["id", "name"]
        );
        assert_eq!(likely_columns(b"id,name\n").unwrap(), ["id", "name"]);
        assert_eq!(likely_columns(b"Dear all, hello\nthis is text\n"), None);
        assert_eq!(columns(b"42\n"), None);
        assert_eq!(shown(&["a".to_string(), "b".to_string()]), "a, b");
        let many: Vec<String> = std::iter::repeat_n("a".to_string(), 10).collect();
        assert!(shown(&many).ends_with("a and 2 more"));
    }

    fn row(columns: &[&str], cells: &str) -> Json {
        let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
        serde_json::from_slice(&object(&columns, cells.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn cells_are_what_their_text_says() {
        let columns = ["", "id", "n", "input", "tags", "more", "empty"];
        let cells = r#"0,007,1.50,"{""a"": 1}","[""x""]","{'a': None}","#;
        let wanted = json!({"id": "007", "n": "1.50", "input": "{\"a\": 1}", "tags": ["x"], "more": {"a": null}, "empty": null});
        assert_eq!(row(&columns, cells), wanted);
        assert_eq!(row(&["id", "n"], "a,-12"), json!({"id": "a", "n": -12}));
        let written = r#"a,"""2026-01-02T02:00:00.000Z""","""0.50""""#;
        assert_eq!(
            row(&["id", "t", "n"], written),
            json!({"id": "a", "t": "2026-01-02T02:00:00.000Z", "n": "0.50"})
        );
        assert_eq!(
            row(&["id", "n"], "[broken,\"\"\"said\"\"\""),
            json!({"id": "[broken", "n": "\"said\""})
        );
        assert_eq!(
            row(&["id", "n", "ok"], r#""""a""",7,true"#),
            json!({"id": "a", "n": 7, "ok": true})
        );
        assert!(
            object(&["id".to_string()], b"1,2\n")
                .unwrap_err()
                .contains("2 cells")
        );
    }
}
