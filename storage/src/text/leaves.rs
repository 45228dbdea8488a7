//! From the columns of a span row to its strings: the raw ones, which `LIKE` matches, and the decoded
//! leaf strings, which are cut into words.
//!
//! Rules (the text language of the public surface):
//! 1. Searchable: name, status message, inputs, outputs, every string among the attributes (nested
//!    too), event names and the strings among event attributes. The wrappers `{"$bytes": ..}` and
//!    `{"$double": ..}` stand for bytes and non-finite numbers and hold no text.
//! 2. A string that begins with `{` or `[` and ends with `}` or `]` and is JSON is replaced by its leaf
//!    strings and numbers, and so on inside; keys, booleans and null are left out.
//! 3. An attribute string equal to the inputs or the outputs is that text and is not taken twice.

use arrow::array::{Array, AsArray, ListArray, RecordBatch, StringArray, StringViewArray, StructArray};

use super::json::{NotJson, Piece, Scanner, python_number, unescape};
use super::tokenizer::SEPARATOR;
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
            let text = self.text.get(start..end).unwrap_or_default();
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
        self.truncate(0);
    }

    /// All strings with the separators between them.
    pub(super) fn joined(&self) -> &str {
        &self.text
    }

    /// Appends the leaf strings of `text` (rule 2).
    pub fn push_leaves(&mut self, text: &str) {
        if !looks_like_json(text) {
            return self.push_clean(text);
        }
        let before = self.len();
        if self.push_decoded(text).is_err() {
            self.truncate(before);
            self.push_clean(text);
        }
    }

    /// Recursion is bounded: each level of strings within strings doubles the backslashes.
    fn push_decoded(&mut self, text: &str) -> std::result::Result<(), NotJson> {
        let mut scanner = Scanner::new(text);
        let mut plain = String::new();
        while let Some(piece) = scanner.next()? {
            match piece {
                Piece::Text(escaped) if escaped.contains('\\') => {
                    plain.clear();
                    unescape(escaped, &mut plain);
                    self.push_leaves(&plain);
                }
                Piece::Text(text) => self.push_leaves(text),
                Piece::Number(number) => self.push(&python_number(number)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Appends a string that must not hold the separator. Both it and the space that takes its place
    /// are outside words, so the words stay the same.
    fn push_clean(&mut self, text: &str) {
        if text.as_bytes().contains(&0) {
            self.push(&text.replace(SEPARATOR, " "));
        } else {
            self.push(text);
        }
    }

    fn truncate(&mut self, len: usize) {
        self.ends.truncate(len);
        let end = self.ends.last().map_or(0, |end| end + SEPARATOR.len_utf8());
        self.text.truncate(end);
    }
}

pub(super) fn looks_like_json(text: &str) -> bool {
    text.starts_with(['{', '[']) && text.ends_with(['}', ']'])
}

/// The decoded leaf strings of one span, by field.
#[derive(Debug, Clone, Default)]
pub struct SpanText {
    /// Of the inputs.
    pub inputs: StringList,
    /// Of the outputs.
    pub outputs: StringList,
    /// Of everything else.
    pub other: StringList,
}

impl SpanText {
    fn clear(&mut self) {
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
    attributes: &'a StringViewArray,
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
        let events = batch.column_by_name("events").and_then(|column| column.as_list_opt::<i32>());
        Ok(Self {
            rows: batch.num_rows(),
            name: text_column(batch, "name")?,
            status_message: text_column(batch, "status_message")?,
            inputs: text_column(batch, "inputs")?,
            outputs: text_column(batch, "outputs")?,
            attributes: text_column(batch, "attributes")?,
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
        text.clear();
        let inputs = value(self.inputs, row);
        let outputs = value(self.outputs, row);
        if let Some(inputs) = inputs {
            text.inputs.push_leaves(inputs);
        }
        if let Some(outputs) = outputs {
            text.outputs.push_leaves(outputs);
        }
        self.other_strings(row, &mut |string, is_attribute| {
            let known = is_attribute && (Some(string) == inputs || Some(string) == outputs);
            if !known {
                text.other.push_leaves(string);
            }
        })
    }

    /// Replaces `strings` by the raw strings of a row.
    ///
    /// # Errors
    /// As [`TextColumns::leaves`].
    pub fn raw_strings(&self, row: usize, strings: &mut StringList) -> Result<()> {
        strings.clear();
        self.each_raw_string(row, &mut |string| strings.push(string))
    }

    /// Visits the raw strings of a row.
    pub(super) fn each_raw_string(&self, row: usize, visit: &mut dyn FnMut(&str)) -> Result<()> {
        let inputs = value(self.inputs, row);
        let outputs = value(self.outputs, row);
        inputs.into_iter().chain(outputs).for_each(&mut *visit);
        self.other_strings(row, &mut |string, is_attribute| {
            let known = is_attribute && (Some(string) == inputs || Some(string) == outputs);
            if !known {
                visit(string);
            }
        })
    }

    /// The JSON object text of a row's attributes.
    pub(super) fn attributes(&self, row: usize) -> Option<&str> {
        value(self.attributes, row)
    }

    /// The type of a row's span, where the batch has it.
    pub(super) fn span_type(&self, row: usize) -> Option<&str> {
        value(self.span_type?, row)
    }

    /// Replaces `names` by the names of a row's attributes and of its events' attributes.
    ///
    /// # Errors
    /// As [`TextColumns::leaves`].
    pub fn attribute_names(&self, row: usize, names: &mut StringList) -> Result<()> {
        names.clear();
        if let Some(attributes) = value(self.attributes, row) {
            object_keys(attributes, &mut |key| names.push(key));
        }
        self.each_event(row, &mut |_, attributes| object_keys(attributes, &mut |key| names.push(key)))
    }

    /// Visits all strings but inputs and outputs; the flag says whether it is a span attribute's.
    fn other_strings(&self, row: usize, visit: &mut dyn FnMut(&str, bool)) -> Result<()> {
        for column in [self.name, self.status_message] {
            if let Some(text) = value(column, row) {
                visit(text, false);
            }
        }
        if let Some(attributes) = value(self.attributes, row) {
            attribute_strings(attributes, &mut |string| visit(string, true));
        }
        self.each_event(row, &mut |name, attributes| {
            visit(name, false);
            attribute_strings(attributes, &mut |string| visit(string, false));
        })
    }

    /// Visits name and attributes of each event.
    fn each_event(&self, row: usize, visit: &mut dyn FnMut(&str, &str)) -> Result<()> {
        if row >= self.events.len() || self.events.is_null(row) || self.events.value_length(row) == 0 {
            return Ok(());
        }
        let events = self.events.value(row);
        let events = events.as_struct_opt().ok_or_else(|| no_column("events"))?;
        let names = event_column(events, "name")?;
        let attributes = event_column(events, "attributes")?;
        for (name, attributes) in names.iter().zip(attributes) {
            visit(name.unwrap_or_default(), attributes.unwrap_or_default());
        }
        Ok(())
    }
}

fn text_column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringViewArray> {
    batch.column_by_name(name).and_then(|column| column.as_string_view_opt()).ok_or_else(|| no_column(name))
}

fn event_column<'a>(events: &'a StructArray, name: &str) -> Result<&'a StringArray> {
    events
        .column_by_name(name)
        .and_then(|column| column.as_string_opt::<i32>())
        .ok_or_else(|| no_column("events"))
}

fn no_column(name: &str) -> Error {
    Error::internal(format!("text: column {name} is missing or has an unexpected type"))
}

fn value(column: &StringViewArray, row: usize) -> Option<&str> {
    (row < column.len() && column.is_valid(row)).then(|| column.value(row))
}

/// Visits the string values in a JSON object text of attributes (rule 1). Text that is not JSON ends
/// the visit: ingest writes this column, so that is a defect of the row and not of the reader.
fn attribute_strings(attributes: &str, visit: &mut dyn FnMut(&str)) {
    let mut scanner = Scanner::new(attributes);
    let mut plain = String::new();
    let mut emit = |escaped: &str| {
        if !escaped.contains('\\') {
            return visit(escaped);
        }
        plain.clear();
        unescape(escaped, &mut plain);
        visit(&plain);
    };
    let mut previous = Piece::End;
    // The text of what may turn out to be a wrapper: dropped when its object ends at once.
    let mut held: Option<&str> = None;
    let mut in_wrapper = false;
    while let Ok(Some(piece)) = scanner.next() {
        if let Some(text) = held.take()
            && piece != Piece::End
        {
            emit(text);
        }
        match piece {
            Piece::Key(key) => {
                in_wrapper = previous == Piece::BeginObject && scanner.depth() > 1 && is_wrapper(key)
            }
            Piece::Text(text) if in_wrapper => held = Some(text),
            Piece::Text(text) => emit(text),
            _ => {}
        }
        in_wrapper &= matches!(piece, Piece::Key(_));
        previous = piece;
    }
}

/// Visits the keys of a JSON object text, not those inside its values.
fn object_keys(object: &str, visit: &mut dyn FnMut(&str)) {
    let mut scanner = Scanner::new(object);
    let mut plain = String::new();
    while let Ok(Some(piece)) = scanner.next() {
        match piece {
            Piece::Key(key) if scanner.depth() == 1 && key.contains('\\') => {
                plain.clear();
                unescape(key, &mut plain);
                visit(&plain);
            }
            Piece::Key(key) if scanner.depth() == 1 => visit(key),
            _ => {}
        }
    }
}

pub(super) fn is_wrapper(key: &str) -> bool {
    key == "$bytes" || key == "$double"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(text: &str) -> Vec<String> {
        let mut list = StringList::default();
        list.push_leaves(text);
        list.iter().map(str::to_owned).collect()
    }

    fn attributes(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        attribute_strings(text, &mut |string| found.push(string.to_owned()));
        found
    }

    #[test]
    fn json_strings_are_decoded_to_their_leaves() {
        assert_eq!(leaves("plain {x}"), ["plain {x}"]);
        assert_eq!(
            leaves(r#"{"key":"a\nb","n":1.50,"t":true,"z":null,"l":["é",-3]}"#),
            ["a\nb", "1.5", "é", "-3"]
        );
        assert_eq!(leaves(r#"{"broken": "x" "y"}"#), [r#"{"broken": "x" "y"}"#]);
        assert_eq!(leaves(r#"["{\"in\": \"deep \\\"q\\\"\"}", "[oops]"]"#), ["deep \"q\"", "[oops]"]);
        assert_eq!(leaves(" [1]"), [" [1]"], "white space before the bracket is not trimmed");
        assert_eq!(leaves("{\"a\":\"x\\u0000y\"}"), ["x y"]);
        assert_eq!(leaves("{}"), Vec::<String>::new());
        assert_eq!(leaves(""), [""]);
    }

    #[test]
    fn keys_are_those_of_the_object_itself() {
        let mut keys = Vec::new();
        object_keys(r#"{"a.b":{"in":1},"q\"":[{"no":"x"}],"":null}"#, &mut |key| keys.push(key.to_owned()));
        assert_eq!(keys, ["a.b", "q\"", ""]);
    }

    #[test]
    fn attribute_strings_leave_out_keys_numbers_and_wrappers() {
        let text =
            r#"{"a":"x","n":1,"b":true,"l":["y",{"k":"z\n"}],"d":{"$double":"NaN"},"e":{"$bytes":"QUJD"}}"#;
        assert_eq!(attributes(text), ["x", "y", "z\n"]);
        assert_eq!(attributes(r#"{"$bytes":"top"}"#), ["top"]);
        assert_eq!(
            attributes(r#"{"o":{"$bytes":"a","more":"b"},"p":{"q":"c","$bytes":"d"}}"#),
            ["a", "b", "c", "d"]
        );
        assert_eq!(attributes(r#"{"o":{"$bytes":["a"]}}"#), ["a"]);
        assert_eq!(attributes("{}"), Vec::<String>::new());
    }
}
