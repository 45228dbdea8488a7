//! Builds the text index of a segment: rows in, one tantivy segment out.
//!
//! Invariants:
//! 1. Every row adds exactly one document, also one without text: document id = row number.
//! 2. After [`TextWriter::finish`] every file and the directory are synced.
//!
//! Memory grows with what is indexed (postings stay in memory until the end, about 0.7 KB per span of
//! 1 KB text): the caller bounds the rows of a segment.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use tantivy::directory::{Directory, MmapDirectory, RamDirectory};
use tantivy::schema::{Document, Field};
use tantivy::store::Compressor;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{Index, IndexSettings, SingleSegmentIndexWriter};

use super::index::{
    RAW_FIELD, SpanTokenizer, TextLocation, VALUES_FIELD, WHOLE_TOKENIZER, WholeTokenizer, guarded, schema,
    tokenizer_name,
};
use super::leaves::{SpanText, TextColumns};
use super::reader::TextReader;
use super::row_terms::RowTerms;
use crate::error::ErrorKind;
use crate::{Error, Result};

/// Sizes the table of terms at the start, bytes; both tables grow.
const MEMORY_START_BYTES: usize = 64 << 20;
const MEMORY_START_BYTES_IN_MEMORY: usize = 4 << 20;

/// Writes one text index.
pub struct TextWriter {
    writer: SingleSegmentIndexWriter<SpanDocument>,
    /// Shared with the document being added, and again ours alone once it is.
    row: Arc<Row>,
    rows: u32,
    location: TextLocation,
}

/// What is indexed of one span.
#[derive(Debug, Clone, Default)]
struct Row {
    text: SpanText,
    terms: RowTerms,
}

/// The document of one span: three fields, each the joined leaf strings, and the terms of two more.
struct SpanDocument(Arc<Row>);

impl Document for SpanDocument {
    type Value<'a> = &'a str;
    type FieldsValuesIter<'a> = std::vec::IntoIter<(Field, &'a str)>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        let lists = self.0.text.fields().into_iter().zip(0..);
        let filled = lists.filter(|(list, _)| !list.is_empty());
        let words = filled.map(|(list, id)| (Field::from_field_id(id), list.joined()));
        let raw = self.0.terms.raw.iter().map(|term| (Field::from_field_id(RAW_FIELD), term));
        let values = self.0.terms.values.iter().map(|term| (Field::from_field_id(VALUES_FIELD), term));
        words.chain(raw).chain(values).collect::<Vec<_>>().into_iter()
    }
}

impl std::fmt::Debug for TextWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextWriter").field("location", &self.location).field("rows", &self.rows).finish()
    }
}

impl TextWriter {
    /// Starts an index. A directory must exist and be empty.
    ///
    /// # Errors
    /// `Conflict` when the directory holds an index, `Io` when it cannot be written.
    pub fn create(location: TextLocation) -> Result<TextWriter> {
        let (directory, memory): (Box<dyn Directory>, usize) = match &location {
            TextLocation::Directory(path) => (Box::new(open_empty(path)?), MEMORY_START_BYTES),
            TextLocation::Memory => (Box::new(RamDirectory::create()), MEMORY_START_BYTES_IN_MEMORY),
        };
        let tokenizers = TokenizerManager::default();
        tokenizers.register(&tokenizer_name(), SpanTokenizer::default());
        tokenizers.register(WHOLE_TOKENIZER, WholeTokenizer::default());
        let settings = IndexSettings {
            docstore_compression: Compressor::None,
            docstore_compress_dedicated_thread: false,
            ..IndexSettings::default()
        };
        let builder = Index::builder().schema(schema()).settings(settings).tokenizers(tokenizers);
        let writer = builder
            .single_segment_index_writer(directory, memory)
            .map_err(|error| write_error(&location, error))?;
        Ok(TextWriter { writer, row: Arc::default(), rows: 0, location })
    }

    /// Indexes the rows of a batch that has [`super::INDEXED_COLUMNS`], after those added before.
    ///
    /// # Errors
    /// `Internal` for missing columns; after an error the writer must be dropped.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = TextColumns::new(batch)?;
        for row in 0..columns.rows() {
            let indexed = Arc::make_mut(&mut self.row);
            columns.leaves(row, &mut indexed.text)?;
            indexed.terms.fill(&columns, row)?;
            let document = SpanDocument(Arc::clone(&self.row));
            self.writer.add_document(document).map_err(|error| write_error(&self.location, error))?;
            self.rows += 1;
        }
        Ok(())
    }

    /// Completes the index and opens it. In a directory all files are then synced; a caller that
    /// renames the directory afterwards opens it again under its new name.
    ///
    /// # Errors
    /// `Io` when a file cannot be written or synced.
    pub fn finish(self) -> Result<TextReader> {
        let index = self.writer.finalize().map_err(|error| write_error(&self.location, error))?;
        let name = self.location.name();
        guarded(&name, || Ok(TextReader::from_index(&index, &name, self.rows)))?
    }
}

fn open_empty(path: &Path) -> Result<MmapDirectory> {
    let location = TextLocation::Directory(path.to_owned());
    let directory = MmapDirectory::open(path).map_err(|error| write_error(&location, error.into()))?;
    let exists = Index::exists(&directory).map_err(|error| write_error(&location, error.into()))?;
    if exists {
        return Err(Error::new(ErrorKind::Conflict, format!("{} exists already", location.name())));
    }
    Ok(directory)
}

fn write_error(location: &TextLocation, error: tantivy::TantivyError) -> Error {
    Error::with_source(ErrorKind::Io, format!("{} cannot be written", location.name()), error)
}
