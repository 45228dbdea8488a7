//! Builds the text index of a segment: rows in, one tantivy segment out.
//!
//! The files are written by tantivy's own serializers. What they are given is collected here
//! (`field_log`): tantivy's writer looks up the posting list of every word as it comes, which costs
//! more than the rest of an import.
//!
//! Invariants:
//! 1. Every row is exactly one document, also one without text: document id = row number.
//! 2. After [`TextWriter::finish`] every file and the directory are synced.
//!
//! Memory grows with what is indexed (four bytes per word, and the terms): the caller bounds the rows
//! of a segment.

use std::path::Path;

use arrow::array::RecordBatch;
use tantivy::columnar::ColumnarWriter;
use tantivy::directory::{Directory, MmapDirectory, RamDirectory, TerminatingWrite};
use tantivy::fieldnorm::{FieldNormReaders, FieldNormsSerializer};
use tantivy::index::SegmentComponent;
use tantivy::postings::InvertedIndexSerializer;
use tantivy::schema::Field;
use tantivy::store::{Compressor, StoreWriter};
use tantivy::{Index, IndexMeta, IndexSettings, Segment};

use super::field_log::{FieldLog, Kept};
use super::index::{FIELD_NAMES, TantivyResult, TextLocation, guarded, schema};
use super::leaves::{SpanText, TextColumns};
use super::reader::TextReader;
use super::row_terms::RowTerms;
use crate::error::ErrorKind;
use crate::{Error, Result};

/// Where tantivy looks for what an index consists of.
const META_FILE: &str = "meta.json";

/// Writes one text index.
pub struct TextWriter {
    index: Index,
    location: TextLocation,
    rows: u32,
    words: [FieldLog; FIELD_NAMES.len()],
    raw: FieldLog,
    values: FieldLog,
    /// Of the row being added.
    text: SpanText,
    terms: RowTerms,
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
        let directory: Box<dyn Directory> = match &location {
            TextLocation::Directory(path) => Box::new(open_empty(path)?),
            TextLocation::Memory => Box::new(RamDirectory::create()),
        };
        let settings = IndexSettings {
            docstore_compression: Compressor::None,
            docstore_compress_dedicated_thread: false,
            ..IndexSettings::default()
        };
        let index =
            Index::create(directory, schema(), settings).map_err(|error| write_error(&location, error))?;
        Ok(TextWriter {
            index,
            location,
            rows: 0,
            words: std::array::from_fn(|_| FieldLog::new(Kept::Positions)),
            raw: FieldLog::new(Kept::Rows),
            values: FieldLog::new(Kept::Rows),
            text: SpanText::default(),
            terms: RowTerms::default(),
        })
    }

    /// Indexes the rows of a batch that has [`super::INDEXED_COLUMNS`], after those added before.
    ///
    /// # Errors
    /// `Internal` for missing columns; after an error the writer must be dropped.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = TextColumns::new(batch)?;
        for row in 0..columns.rows() {
            let row = columns.row(row)?;
            let strings = row.strings();
            self.text.fill(&strings);
            self.terms.fill(&row, &strings);
            for (log, strings) in self.words.iter_mut().zip(self.text.fields()) {
                strings.iter().try_for_each(|string| log.add_string(string))?;
                log.end_row();
            }
            for (log, terms) in [(&mut self.raw, &self.terms.raw), (&mut self.values, &self.terms.values)] {
                terms.iter().try_for_each(|term| log.add_term(term))?;
                log.end_row();
            }
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
        let TextWriter { index, location, rows, words, raw, values, .. } = self;
        let logs = words.into_iter().chain([raw, values]).collect();
        write_files(&index, rows, logs).map_err(|error| write_error(&location, error))?;
        let name = location.name();
        guarded(&name, || Ok(TextReader::from_index(&index, &name, rows)))?
    }
}

/// Writes the files of the one segment of an index, then the file that names it.
fn write_files(index: &Index, rows: u32, logs: Vec<FieldLog>) -> TantivyResult<()> {
    let segment = index.new_segment().with_max_doc(rows);
    let mut lengths = FieldNormsSerializer::from_write(segment.open_write(SegmentComponent::FieldNorms)?)?;
    for (field, log) in (0..).map(Field::from_field_id).zip(&logs) {
        if let Some(of_rows) = log.lengths() {
            lengths.serialize_field(field, of_rows)?;
        }
    }
    lengths.close()?;
    // Postings say of each block of rows how well it can score, so they need the lengths.
    let lengths = FieldNormReaders::open(segment.open_read(SegmentComponent::FieldNorms)?)?;
    let mut serializer = InvertedIndexSerializer::open(&segment)?;
    for (field, log) in (0..).map(Field::from_field_id).zip(logs) {
        log.write(field, lengths.get_field(field)?, &mut serializer)?;
    }
    serializer.close()?;
    write_empty_files(&segment, rows)?;
    let meta = IndexMeta {
        index_settings: index.settings().clone(),
        persisted_custom_extensions: Vec::new(),
        segments: vec![segment.meta().clone()],
        schema: index.schema(),
        opstamp: 0,
        payload: None,
    };
    index.directory().sync_directory()?;
    index.directory().atomic_write(Path::new(META_FILE), &serde_json::to_vec(&meta)?)?;
    Ok(index.directory().sync_directory()?)
}

/// A segment has files for columns and stored documents, also when there are none.
fn write_empty_files(segment: &Segment, rows: u32) -> TantivyResult<()> {
    let mut columns = segment.open_write(SegmentComponent::FastFields)?;
    ColumnarWriter::default().serialize(rows, None, &mut columns)?;
    columns.terminate()?;
    let settings = segment.index().settings();
    let store = segment.open_write(SegmentComponent::Store)?;
    StoreWriter::new(store, settings.docstore_compression, settings.docstore_blocksize, false)?.close()?;
    Ok(())
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
