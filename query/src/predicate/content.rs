//! The text of a span that `trace.text` and `span.content` patterns are matched against.
//!
//! One document per span: name, type, status message, inputs, outputs, attributes and events; JSON
//! is taken apart into its keys and scalars, each on a line of its own. Rows whose raw columns lack
//! a piece that every match contains are refused without taking anything apart.

use arrow::array::{Array, StringViewArray};
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use memchr::memmem::Finder;
use tracehouse_storage::Result;

use super::column::{Events, events, text};
use super::json::push_leaves;
use super::pattern::Piece;
use super::test::{TextOp, TextTest};

/// Columns the document is made of.
pub(super) const COLUMNS: &[&str] =
    &["name", "span_type", "status_message", "inputs", "outputs", "attributes", "events"];

/// The content columns of a batch.
pub(super) struct Content<'a> {
    /// In the order of [`COLUMNS`], without the events.
    texts: Vec<&'a StringViewArray>,
    events: Events<'a>,
}

impl<'a> Content<'a> {
    /// The columns of `batch`.
    pub fn of(batch: &'a RecordBatch) -> Result<Self> {
        let texts = COLUMNS.iter().filter(|name| **name != "events").map(|name| text(batch, name));
        Ok(Self { texts: texts.collect::<Result<_>>()?, events: events(batch, "events")? })
    }

    /// Rows whose document satisfies the test. Every span has a document.
    pub fn rows(
        &self,
        test: &TextTest,
        select: impl Fn(&mut dyn FnMut(usize) -> bool) -> BooleanBuffer,
    ) -> BooleanBuffer {
        let prefilter = Prefilter::of(test);
        let mut document = String::new();
        select(&mut |row| {
            if let Some(prefilter) = &prefilter
                && !self.raw_texts(row).any(|raw| prefilter.may_hold(raw))
            {
                return test.negated;
            }
            document.clear();
            self.write_document(row, &mut document);
            test.accepts(&document)
        })
    }

    /// The raw texts of a row.
    fn raw_texts(&self, row: usize) -> impl Iterator<Item = &'a str> {
        let texts =
            self.texts.iter().filter(move |array| array.is_valid(row)).map(move |array| array.value(row));
        texts.chain(self.events.get(row).flat_map(|(name, attributes)| [name, attributes]))
    }

    fn write_document(&self, row: usize, document: &mut String) {
        for raw in self.raw_texts(row) {
            push_leaves(raw, document);
        }
    }
}

/// A necessary condition on the raw texts of a row.
struct Prefilter {
    piece: Piece,
    escape: Finder<'static>,
}

impl Prefilter {
    fn of(test: &TextTest) -> Option<Self> {
        let TextOp::Pattern(pattern) = &test.op else { return None };
        // Characters that JSON may write in another way end a piece; a line feed may be a border.
        let piece = pattern.required_piece(|c| matches!(c, '"' | '\\' | '/') || c.is_control())?;
        Some(Self { piece, escape: Finder::new("\\u").into_owned() })
    }

    /// Whether a leaf of the raw text may contain the piece. With a `\u` escape in it, any may.
    fn may_hold(&self, raw: &str) -> bool {
        self.piece.is_in(raw) || self.escape.find(raw.as_bytes()).is_some()
    }
}
