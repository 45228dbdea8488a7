//! From the columns of a span row to its strings: the raw ones and those decoded from JSON, which `LIKE`
//! matches, and the decoded leaf strings as they are read, which are cut into words.
//!
//! A string that is a JSON object or array, or a JSON string in its quotes, is replaced by its leaf
//! strings and numbers, and so on inside; keys, booleans and null are left out. Nothing may stand before
//! its first bracket or quote or after its last. Which strings of a row are searchable is said in `row_text`.

use std::cell::OnceCell;

use arrow::array::{
    Array, AsArray, ListArray, RecordBatch, StringArray, StringViewArray, StructArray,
};
use memchr::memchr;

use super::cut::cut;
use super::python_number::python_number;
use super::reading::read;
use super::row_text::RowText;
use super::scanned::Scanned;
use super::tokenizer::SEPARATOR;
use crate::json::JsonPiece;
use crate::packed::{MARKS, STORED_ATTRIBUTES, stored_members, whole_attributes};
use crate::{Error, Result};

/// Strings kept in one buffer, each followed by a separator.
#[derive(Debug, Clone, Default)]
pub struct StringList {
    text: String,
    ends: Vec<usize>,
}

impl StringList {
    /// Appends a string.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
        self.text.push(SEPARATOR);
    }

    /// The strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let text = cut(&self.text, start..end);
            start = end + SEPARATOR.len_utf8();
            text
        })
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no string.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Removes all strings, keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// All strings with the separators between them.
    pub(super) fn joined(&self) -> &str {
        &self.text
    }

    /// Appends the leaf strings of `text`.
    pub fn push_leaves(&mut self, text: &str) {
        match scanned_json(text) {
            Some(json) => self.push_leaves_of(&json),
            None => self.push_clean(text),
        }
    }

    /// Appends the leaf strings of a JSON text. Recursion is bounded: each level of strings within
    /// strings doubles the backslashes.
    pub(super) fn push_leaves_of(&mut self, json: &Scanned<'_>) {
        for part in json.parts() {
            match part.piece {
                JsonPiece::Text(_) => self.push_leaves(part.plain),
                JsonPiece::Number(number) => self.push(&python_number(number)),
                _ => {}
            }
        }
    }

    /// Appends a string as it is read, which must not hold the separator. Both it and the space that takes its
    /// place are outside words, so the words stay the same.
    pub(super) fn push_clean(&mut self, text: &str) {
        let text = read(text);
        if memchr(0, text.as_bytes()).is_some() {
            self.push(&text.replace(SEPARATOR, " "));
        } else {
            self.push(&text);
        }
    }
}

/// Whether a text is a JSON object, array or string, all of it, and stands for what is inside.
pub fn is_json(text: &str) -> bool {
    scanned_json(text).is_some()
}

/// Whether a string that a JSON text decodes to is accepted; of a text that is no JSON none is.
pub fn any_decoded(text: &str, accepts: &dyn Fn(&str) -> bool) -> bool {
    scanned_json(text).is_some_and(|json| any_leaf(&json, accepts))
}

pub(super) fn looks_like_json(text: &str) -> bool {
    (text.starts_with(['{', '[']) && text.ends_with(['}', ']'])) || is_quoted(text)
}

fn is_quoted(text: &str) -> bool {
    text.len() >= 2 && text.starts_with('"') && text.ends_with('"')
}

/// The decoded leaf strings of one span, by field.
#[derive(Debug, Clone, Default)]
pub struct SpanText {
    /// Strings of the inputs.
    pub inputs: StringList,
    /// Strings of the outputs.
    pub outputs: StringList,
    /// Strings of everything else.
    pub other: StringList,
}

impl SpanText {
    pub(super) fn clear(&mut self) {
        self.inputs.clear();
        self.outputs.clear();
        self.other.clear();
    }

    /// The three lists, in the order of the index fields.
    pub(super) fn fields(&self) -> [&StringList; 3] {
        [&self.inputs, &self.outputs, &self.other]
    }
}

/// The text columns of a batch of table spans.
#[derive(Debug)]
pub struct TextColumns<'a> {
    rows: usize,
    name: &'a StringViewArray,
    status_message: &'a StringViewArray,
    inputs: &'a StringViewArray,
    outputs: &'a StringViewArray,
    /// As they are stored, or whole.
    attributes: &'a StringViewArray,
    /// Of rows that are not read as they are stored.
    whole: Vec<OnceCell<String>>,
    events: &'a ListArray,
    /// No searchable text; only the index and `LIKE` look at it.
    span_type: Option<&'a StringViewArray>,
}

impl<'a> TextColumns<'a> {
    /// Finds the columns by name.
    ///
    /// # Errors
    /// `Internal` when one is missing or has another type than the stored schema.
    pub fn new(batch: &'a RecordBatch) -> Result<Self> {
        let events = batch
            .column_by_name("events")
            .and_then(|column| column.as_list_opt::<i32>());
        Ok(Self {
            rows: batch.num_rows(),
            name: text_column(batch, "name")?,
            status_message: text_column(batch, "status_message")?,
            inputs: text_column(batch, "inputs")?,
            outputs: text_column(batch, "outputs")?,
            attributes: text_column(batch, STORED_ATTRIBUTES)
                .or_else(|_| text_column(batch, "attributes"))?,
            whole: vec![OnceCell::new(); batch.num_rows()],
            events: events.ok_or_else(|| no_column("events"))?,
            span_type: text_column(batch, "span_type").ok(),
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Replaces `text` by the leaf strings of a row. A row beyond the batch has none.
    ///
    /// # Errors
    /// `Internal` when the events column is not as the stored schema says.
    pub fn leaves(&self, row: usize, text: &mut SpanText) -> Result<()> {
        text.fill(&self.row(row)?.strings());
        Ok(())
    }

    /// Replaces `strings` by the raw strings of a row.
    ///
    /// # Errors
    /// As [`TextColumns::leaves`].
    pub fn raw_strings(&self, row: usize, strings: &mut StringList) -> Result<()> {
        strings.clear();
        self.row(row)?
            .each_raw(&mut |_, string| strings.push(string));
        Ok(())
    }

    /// Whether a string of a row is accepted: a raw one, or a leaf string decoded from one. Those that are
    /// decoded are left out where `decodes` does not want the text looked into.
    ///
    /// # Errors
    /// As [`TextColumns::leaves`].
    pub fn any_string(
        &self,
        row: usize,
        accepts: &dyn Fn(&str) -> bool,
        decodes: &dyn Fn(&str) -> bool,
    ) -> Result<bool> {
        let row = self.row(row)?;
        let mut found = false;
        row.each_raw(&mut |_, string| found = found || accepts(string));
        if !found {
            row.each_raw(&mut |_, string| {
                let json = if found || !decodes(string) {
                    None
                } else {
                    scanned_json(string)
                };
                found = found || json.is_some_and(|json| any_leaf(&json, accepts));
            });
        }
        Ok(found)
    }

    /// Replaces `names` by the names of a row's attributes and of its events' attributes.
    ///
    /// # Errors
    /// As [`TextColumns::leaves`].
    pub fn attribute_names(&self, row: usize, names: &mut StringList) -> Result<()> {
        names.clear();
        self.row(row)?
            .each_attribute_name(&mut |name| names.push(name));
        Ok(())
    }

    /// The texts of a row. Attributes that are not JSON end where they stop being it: ingest writes
    /// this column, so that is a defect of the row and not of the reader.
    pub(super) fn row(&self, row: usize) -> Result<RowText<'_>> {
        let (inputs, outputs) = (value(self.inputs, row), value(self.outputs, row));
        Ok(RowText {
            inputs,
            outputs,
            name: value(self.name, row),
            status_message: value(self.status_message, row),
            span_type: self.span_type.and_then(|column| value(column, row)),
            attributes: value(self.attributes, row).map(|stored| self.attributes(row, stored)),
            events: self.row_events(row)?,
        })
    }

    /// Attributes of a row. Marks for the inputs and outputs are read as such where they are values of
    /// attributes, else the text is made whole first.
    fn attributes<'s>(&'s self, row: usize, stored: &'s str) -> Scanned<'s> {
        let texts = [self.inputs, self.outputs].map(|column| value(column, row));
        match stored_members(stored) {
            Some(whole) if whole.len() == stored.len() => return Scanned::new(whole),
            Some(members) => {
                let [of_inputs, of_outputs] = MARKS;
                let marks = [
                    texts[0].map(|text| (of_inputs, text)),
                    texts[1].map(|text| (of_outputs, text)),
                ];
                let scanned = Scanned::with_marks(members, marks);
                if scanned.is_json() {
                    return scanned;
                }
            }
            None => {}
        }
        let [inputs, outputs] = texts;
        let whole =
            || whole_attributes(stored, inputs, outputs).unwrap_or_else(|| stored.to_owned());
        Scanned::new(
            self.whole
                .get(row)
                .map_or("", |cell| cell.get_or_init(whole)),
        )
    }

    fn row_events(&self, row: usize) -> Result<Vec<(&'a str, Scanned<'a>)>> {
        if row >= self.events.len()
            || self.events.is_null(row)
            || self.events.value_length(row) == 0
        {
            return Ok(Vec::new());
        }
        let events = self
            .events
            .values()
            .as_struct_opt()
            .ok_or_else(|| no_column("events"))?;
        let names = event_column(events, "name")?;
        let attributes = event_column(events, "attributes")?;
        let Some(&[start, end]) = self.events.value_offsets().get(row..row + 2) else {
            return Err(no_column("events"));
        };
        let event = |at| {
            (
                event_text(names, at),
                Scanned::new(event_text(attributes, at)),
            )
        };
        Ok((start as usize..end as usize).map(event).collect())
    }
}

/// The pieces of a text that is JSON and stands for what is inside.
pub(super) fn scanned_json(text: &str) -> Option<Scanned<'_>> {
    looks_like_json(text)
        .then(|| Scanned::new(text))
        .filter(Scanned::is_json)
}

/// Whether a leaf string of a JSON text is accepted; one in quotes of its own with them or without.
fn any_leaf(json: &Scanned<'_>, accepts: &dyn Fn(&str) -> bool) -> bool {
    let mut texts = json
        .parts()
        .filter(|part| matches!(part.piece, JsonPiece::Text(_)));
    texts.any(|part| match scanned_json(part.plain) {
        Some(inner) => any_leaf(&inner, accepts) || (is_quoted(part.plain) && accepts(part.plain)),
        None => accepts(part.plain),
    })
}

fn text_column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringViewArray> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_string_view_opt())
        .ok_or_else(|| no_column(name))
}

fn event_column<'a>(events: &'a StructArray, name: &str) -> Result<&'a StringArray> {
    events
        .column_by_name(name)
        .and_then(|column| column.as_string_opt::<i32>())
        .ok_or_else(|| no_column("events"))
}

fn event_text(column: &StringArray, at: usize) -> &str {
    if at < column.len() && column.is_valid(at) {
        column.value(at)
    } else {
        ""
    }
}

fn no_column(name: &str) -> Error {
    Error::internal(format!(
        "text: column {name} is missing or has an unexpected type"
    ))
}

fn value(column: &StringViewArray, row: usize) -> Option<&str> {
    (row < column.len() && column.is_valid(row)).then(|| column.value(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(text: &str) -> Vec<String> {
        let mut list = StringList::default();
        list.push_leaves(text);
        list.iter().map(str::to_owned).collect()
    }

    #[test]
    fn json_strings_are_decoded_to_their_leaves() {
        assert_eq!(leaves("plain {x}"), ["plain {x}"]);
        assert_eq!(
            leaves(r#"{"key":"a\nb","n":1.50,"t":true,"z":null,"l":["é",-3]}"#),
            ["a\nb", "1.5", "é", "-3"]
        );
        assert_eq!(leaves(r#"{"broken": "x" "y"}"#), [r#"{"broken": "x" "y"}"#]);
        assert_eq!(
            leaves(r#"["{\"in\": \"deep \\\"q\\\"\"}", "[oops]"]"#),
            ["deep \"q\"", "[oops]"]
        );
        assert_eq!(leaves(r#""one\n\u6771 \"two\"""#), ["one\n東 \"two\""]);
        assert_eq!(leaves(r#""\"a\\nb\"""#), ["a\nb"], "and so on inside");
        assert_eq!(leaves(r#""a" and "b""#), [r#""a" and "b""#]);
        assert_eq!(leaves("\""), ["\""]);
        assert_eq!(
            leaves(" [1]"),
            [" [1]"],
            "white space before the bracket is not trimmed"
        );
        assert_eq!(leaves("{\"a\":\"x\\u0000y\"}"), ["x y"]);
        assert_eq!(leaves("{}"), Vec::<String>::new());
        assert_eq!(leaves(""), [""]);
    }
}
