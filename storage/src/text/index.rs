//! The shape of a text index: its tantivy schema, and the guard around foreign code.
//!
//! Invariants:
//! 1. The name of the tokenizer carries the rules' version and the Unicode version; an index made by other
//!    rules fails the schema check at open and is rebuilt.
//! 2. A panic inside tantivy (a damaged file it did not expect) becomes a `Corrupt` error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tantivy::TantivyError;
use tantivy::schema::{IndexRecordOption, Schema, TextFieldIndexing, TextOptions};

use crate::env::Folder;
use crate::error::is_refusal;
use crate::{Error, Result};

/// What tantivy's calls return.
pub(super) type TantivyResult<T> = std::result::Result<T, tantivy::TantivyError>;

/// Version of the rules in `leaves`, `reading`, `tokenizer`, `row_terms` and `attribute_terms`, and of `string_occurrences`.
const RULES_VERSION: u32 = 5;

/// Names of the fields of words of a span, in the order of [`super::SpanText`]'s lists.
pub(super) const FIELD_NAMES: [&str; 3] = ["inputs", "outputs", "other"];

/// Name of the index field of words, of whatever field of a span.
const WORDS_FIELD_NAME: &str = "words";

/// Names of the fields of `row_terms`, which come after that of words.
const TERM_FIELD_NAMES: [&str; 2] = ["raw", "values"];

/// Numbers of the index fields: that of words, then those of `row_terms`.
pub(super) const WORDS_FIELD: u32 = 0;
pub(super) const RAW_FIELD: u32 = 1;
pub(super) const VALUES_FIELD: u32 = 2;

/// Ends the name of the file of `string_occurrences`, as it is on disk.
pub(super) const OCCURRENCES_EXTENSION: &str = "places";

/// Where an index is kept.
#[derive(Debug, Clone)]
pub enum TextLocation {
    /// An existing directory.
    Directory(Folder),
    /// Memory.
    Memory,
}

impl TextLocation {
    /// How errors call it.
    pub(super) fn name(&self) -> String {
        match self {
            TextLocation::Directory(folder) => format!("text index {folder}"),
            TextLocation::Memory => "text index in memory".to_owned(),
        }
    }
}

/// The name that stands for our cutting of text into words: nothing in tantivy cuts it.
fn tokenizer_name() -> String {
    let (unicode, _, _) = char::UNICODE_VERSION;
    format!("words-{RULES_VERSION}-unicode-{unicode}")
}

/// The name of a tokenizer that takes each text for one term.
const WHOLE_TOKENIZER: &str = "whole";

/// A field of words with positions, two of bare terms, nothing stored. Lengths are those of rows, in
/// `string_occurrences`.
pub(super) fn schema() -> Schema {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(&tokenizer_name())
        .set_index_option(IndexRecordOption::WithFreqsAndPositions)
        .set_fieldnorms(false);
    let mut builder = Schema::builder();
    builder.add_text_field(
        WORDS_FIELD_NAME,
        TextOptions::default().set_indexing_options(indexing),
    );
    let bare = TextFieldIndexing::default()
        .set_tokenizer(WHOLE_TOKENIZER)
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    for name in TERM_FIELD_NAMES {
        builder.add_text_field(
            name,
            TextOptions::default().set_indexing_options(bare.clone()),
        );
    }
    builder.build()
}

/// Runs tantivy code on `what`; its errors and panics become `Corrupt` errors, unless the system refused to look.
pub(super) fn guarded<T>(what: &str, run: impl FnOnce() -> TantivyResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => match refusal(&error) {
            Some(refusal) => Err(Error::io(what, refusal)),
            None => Err(Error::with_source(
                crate::error::ErrorKind::Corrupt,
                what,
                error,
            )),
        },
        Err(_) => Err(Error::corrupt(format!(
            "{what}: unreadable, its reader gave up"
        ))),
    }
}

/// The refusal of the system that is behind an error of tantivy's, if one is.
fn refusal(error: &TantivyError) -> Option<std::io::Error> {
    use tantivy::directory::error::{OpenDirectoryError, OpenReadError, OpenWriteError};
    let io_error = match error {
        TantivyError::IoError(io_error)
        | TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. })
        | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error, .. })
        | TantivyError::OpenDirectoryError(OpenDirectoryError::IoError { io_error, .. }) => {
            io_error
        }
        _ => return None,
    };
    is_refusal(io_error)
        .then(|| {
            io_error
                .raw_os_error()
                .map(std::io::Error::from_raw_os_error)
        })
        .flatten()
}
