//! The raw strings of a span that `trace.text` and `span.content` patterns are matched against.
//!
//! Each searchable string is matched on its own, as the producer sent it: name, status message, inputs,
//! outputs, every string among the attributes, event names and strings among event attributes. Rows
//! whose columns lack a piece that every match contains are refused without taking anything apart.

use arrow::array::{Array, StringViewArray};
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use memchr::memmem::Finder;
use tracehouse_storage::Result;
use tracehouse_storage::text::{StringList, TEXT_COLUMNS, TextColumns};

use super::column::{Events, events, text};
use super::pattern::Piece;
use super::test::{TextOp, TextTest};

/// Columns the strings come from.
pub(super) const COLUMNS: &[&str] = TEXT_COLUMNS;

/// The content columns of a batch.
pub(super) struct Content<'a> {
    /// All but the events.
    texts: Vec<&'a StringViewArray>,
    events: Events<'a>,
    columns: TextColumns<'a>,
}

impl<'a> Content<'a> {
    /// The columns of `batch`.
    pub fn of(batch: &'a RecordBatch) -> Result<Self> {
        let texts = COLUMNS.iter().filter(|name| **name != "events").map(|name| text(batch, name));
        Ok(Self {
            texts: texts.collect::<Result<_>>()?,
            events: events(batch, "events")?,
            columns: TextColumns::new(batch)?,
        })
    }

    /// Rows of which some string is wanted, or none when the test is negated.
    ///
    /// # Errors
    /// `Internal` when the columns have another type than the stored schema.
    pub fn rows(
        &self,
        test: &TextTest,
        select: impl Fn(&mut dyn FnMut(usize) -> bool) -> BooleanBuffer,
    ) -> Result<BooleanBuffer> {
        let prefilter = Prefilter::of(test);
        let (mut strings, mut failure) = (StringList::default(), None);
        let rows = select(&mut |row| {
            if let Some(prefilter) = &prefilter
                && !self.raw_texts(row).any(|raw| prefilter.may_hold(raw))
            {
                return test.negated;
            }
            if let Err(error) = self.columns.raw_strings(row, &mut strings) {
                failure.get_or_insert(error);
            }
            strings.iter().any(|string| test.op.accepts(string)) != test.negated
        });
        failure.map_or(Ok(rows), Err)
    }

    /// The raw texts of a row.
    fn raw_texts(&self, row: usize) -> impl Iterator<Item = &'a str> {
        let texts =
            self.texts.iter().filter(move |array| array.is_valid(row)).map(move |array| array.value(row));
        texts.chain(self.events.get(row).flat_map(|(name, attributes)| [name, attributes]))
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
        // Characters that JSON may write in another way end a piece.
        let piece = pattern.required_piece(|c| matches!(c, '"' | '\\' | '/') || c.is_control())?;
        Some(Self { piece, escape: Finder::new("\\u").into_owned() })
    }

    /// Whether a string of the raw text may contain the piece. With a `\u` escape in it, any may.
    fn may_hold(&self, raw: &str) -> bool {
        self.piece.is_in(raw) || self.escape.find(raw.as_bytes()).is_some()
    }
}
