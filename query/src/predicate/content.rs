//! The strings of a span that `trace.text` and `span.content` patterns are matched against.
//!
//! 1. Each searchable string is matched on its own, as the producer sent it: name, status message,
//!    inputs, outputs, every string among the attributes, event names and strings among event attributes. Where one
//!    is JSON, so is each string that it stands for, decoded: `\u6771` and `\n` hide nothing.
//! 2. `LIKE` and `ILIKE` also see the span's type and the names of its attributes and of its events'
//!    attributes, whole: the pattern's outer `%` match nothing of them. MLflow's users find spans by
//!    `'%LLM%'` and `'%mlflow.spanInputs%'`; that a word is *part* of some attribute's name says nothing
//!    about the span.
//!
//! Rows whose columns lack a piece that every match contains are refused without taking anything apart.

use arrow::array::{Array, StringViewArray};
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use memchr::memmem::Finder;
use tracehouse_storage::Result;
use tracehouse_storage::text::{StringList, TEXT_COLUMNS, TextColumns};

use super::column::{Events, events, text};
use super::pattern::{Pattern, PatternKind, Piece};
use super::test::{TextOp, TextTest};

/// The column of rule 2 that holds no searchable text.
const TYPE_COLUMN: &str = "span_type";

/// Columns the strings come from.
pub(super) fn columns() -> Vec<&'static str> {
    TEXT_COLUMNS.iter().copied().chain([TYPE_COLUMN]).collect()
}

/// The content columns of a batch.
pub(super) struct Content<'a> {
    /// All but the events.
    texts: Vec<&'a StringViewArray>,
    types: &'a StringViewArray,
    events: Events<'a>,
    columns: TextColumns<'a>,
}

impl<'a> Content<'a> {
    /// The columns of `batch`.
    pub fn of(batch: &'a RecordBatch) -> Result<Self> {
        let texts = columns()
            .into_iter()
            .filter(|name| *name != "events")
            .map(|name| text(batch, name));
        Ok(Self {
            texts: texts.collect::<Result<_>>()?,
            types: text(batch, TYPE_COLUMN)?,
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
        let (prefilter, whole) = (Prefilter::of(test), whole_name(test));
        let (mut strings, mut failure) = (StringList::default(), None);
        let decodes = |text: &str| match &test.op {
            TextOp::Pattern(pattern) => pattern.looks_into(text),
            TextOp::In(_) => true,
        };
        let accepts = |text: &str| test.op.accepts(text);
        let rows = select(&mut |row| {
            if let Some(prefilter) = &prefilter
                && !self.raw_texts(row).any(|raw| prefilter.may_hold(raw))
            {
                return test.negated;
            }
            let found = self
                .columns
                .any_string(row, &accepts, &decodes)
                .and_then(|found| match &whole {
                    Some(whole) if !found => self.has_name(row, whole, &mut strings),
                    _ => Ok(found),
                });
            match found {
                Ok(found) => found != test.negated,
                Err(error) => {
                    failure.get_or_insert(error);
                    false
                }
            }
        });
        failure.map_or(Ok(rows), Err)
    }

    /// Rule 2.
    fn has_name(&self, row: usize, whole: &Pattern, names: &mut StringList) -> Result<bool> {
        if self.types.is_valid(row) && whole.is_match(self.types.value(row)) {
            return Ok(true);
        }
        self.columns.attribute_names(row, names)?;
        Ok(names.iter().any(|name| whole.is_match(name)))
    }

    /// The raw texts of a row.
    fn raw_texts(&self, row: usize) -> impl Iterator<Item = &'a str> {
        let texts = self
            .texts
            .iter()
            .filter(move |array| array.is_valid(row))
            .map(move |array| array.value(row));
        texts.chain(
            self.events
                .get(row)
                .flat_map(|(name, attributes)| [name, attributes]),
        )
    }
}

/// The pattern that names are matched against: without the outer `%`. `None` when names do not count.
fn whole_name(test: &TextTest) -> Option<Pattern> {
    let TextOp::Pattern(pattern) = &test.op else {
        return None;
    };
    let name = pattern.text().trim_matches('%');
    if name.is_empty() || pattern.kind() == PatternKind::RLike {
        return None;
    }
    Pattern::new(pattern.kind(), name).ok()
}

/// A necessary condition on the raw texts of a row.
pub(super) struct Prefilter {
    piece: Piece,
    escape: Finder<'static>,
}

impl Prefilter {
    pub(super) fn of(test: &TextTest) -> Option<Self> {
        let TextOp::Pattern(pattern) = &test.op else {
            return None;
        };
        // Characters that JSON may write in another way end a piece.
        let piece = pattern.required_piece(|c| matches!(c, '"' | '\\' | '/') || c.is_control())?;
        Some(Self {
            piece,
            escape: Finder::new("\\u").into_owned(),
        })
    }

    /// Whether a string of the raw text may contain the piece. With a `\u` escape in it, any may.
    pub(super) fn may_hold(&self, raw: &str) -> bool {
        self.piece.is_in(raw) || self.escape.find(raw.as_bytes()).is_some()
    }
}
