//! Text search over spans: one tantivy index per segment, a brute-force twin for fresh rows, and the
//! query language both answer. tantivy is named only in this folder (AR-2), which imports of this crate what a crate
//! of its own would stand on: `env` (files), `error`, `json` and `packed` (attributes as they are stored).
//!
//! ```text
//! RecordBatch -> leaves (strings of a span) -> tokenizer -> writer (index: each string once) | fresh (memory)
//! query text  -> parse -> TextQuery -> evaluate over a TermSource -> rows | score | snippet
//! literals of a pattern, value of an attribute -> candidates -> rows that may match
//! ```
//!
//! Invariants:
//! 1. Index and fresh rows give the same rows and the same scores (QU-1): both take their words from
//!    `leaves` and `tokenizer` and both are evaluated by `evaluate` and `score`.
//! 2. Rows of an index are the span's row numbers in its segment; words are in documents, one for each
//!    distinct string, and `string_occurrences` says which rows have it.
//! 3. Candidates are a superset of the rows that match; whoever asks checks them on the raw text.
//! 4. An index is derived (ST-5): it carries nothing that is not in the rows. What is not as it was written is
//!    found before it is used (`sums`); whoever asks reads the rows then.

mod attribute_terms;
mod candidates;
mod checked;
mod cut;
mod evaluate;
mod field_log;
mod flat_terms;
mod fold;
mod fresh;
mod held_directory;
mod index;
mod leaves;
mod letters;
mod members;
mod merge;
mod parse;
mod pattern;
mod postings;
mod python_number;
mod query;
mod reader;
mod reading;
mod row_terms;
mod row_text;
mod row_values;
mod scanned;
mod score;
mod snippet;
mod string_log;
mod string_occurrences;
mod sums;
mod term_cache;
mod term_ids;
mod tokenizer;
mod values;
mod writer;

#[cfg(test)]
mod tests;

pub use attribute_terms::special_double;
pub use candidates::ValueRows;
pub use fold::folded;
pub use fresh::FreshText;
pub use index::TextLocation;
pub use leaves::{SpanText, StringList, TextColumns, any_decoded, is_json};
pub use merge::merge_indexes;
pub use pattern::{IndexedValue, Literal, TextPattern};
pub use query::{Slot, TextField, TextQuery, TextTerm};
pub use reader::TextReader;
pub use score::{Scored, TextStats};
pub use snippet::{Snippet, snippet};
#[cfg(test)]
pub(crate) use sums::SUMS_FILE;
pub use tokenizer::words;
pub use writer::TextWriter;

/// The columns of table spans that hold searchable text.
pub const TEXT_COLUMNS: &[&str] = &[
    "name",
    "status_message",
    "inputs",
    "outputs",
    "attributes",
    "events",
];

/// The columns of table spans that an index is made of.
pub const INDEXED_COLUMNS: &[&str] = &[
    "name",
    "status_message",
    "inputs",
    "outputs",
    "attributes",
    "events",
    "span_type",
];
