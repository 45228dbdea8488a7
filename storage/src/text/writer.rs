//! Builds the text index of a segment: rows in, one tantivy segment out.
//!
//! The files are written by tantivy's own serializers. What they are given is collected here
//! (`field_log`): tantivy's writer looks up the posting list of every word as it comes, which costs
//! more than the rest of an import.
//!
//! Invariants:
//! 1. Every row has its places, also one without text. Documents are strings in the field of words, rows in
//!    the others.
//! 2. After [`TextWriter::finish`] every file and the directory are synced.
//!
//! Memory grows with what is indexed (four bytes per word of each string, and the terms): the caller bounds the rows
//! of a segment.

use std::io::Write;
use std::path::Path;

use arrow::array::RecordBatch;
use tantivy::columnar::ColumnarWriter;
use tantivy::directory::{Directory, MmapDirectory, RamDirectory, TerminatingWrite};
use tantivy::fieldnorm::FieldNormsSerializer;
use tantivy::index::SegmentComponent;
use tantivy::postings::InvertedIndexSerializer;
use tantivy::schema::Field;
use tantivy::store::{Compressor, StoreWriter};
use tantivy::{Index, IndexMeta, IndexSettings, Segment};

use super::field_log::{FieldLog, Kept};
use super::index::{
    PLACES_EXTENSION, RAW_FIELD, TantivyResult, TextLocation, VALUES_FIELD, WORDS_FIELD, guarded, schema,
};
use super::leaves::{SpanText, TextColumns};
use super::reader::TextReader;
use super::row_terms::RowTerms;
use super::string_log::StringLog;
use crate::error::ErrorKind;
use crate::{Error, Result};

/// Where tantivy looks for what an index consists of.
const META_FILE: &str = "meta.json";

/// Writes one text index.
pub struct TextWriter {
    index: Index,
    location: TextLocation,
    rows: u32,
    strings: StringLog,
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
        let index = create_index(&location)?;
        Ok(TextWriter {
            index,
            location,
            rows: 0,
            strings: StringLog::new(),
            raw: FieldLog::new(Kept::Documents),
            values: FieldLog::new(Kept::Documents),
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
            for (field, strings) in self.text.fields().into_iter().enumerate() {
                strings.iter().try_for_each(|string| self.strings.add(field, string))?;
            }
            self.strings.end_row();
            for (log, terms) in [(&mut self.raw, &self.terms.raw), (&mut self.values, &self.terms.values)] {
                terms.iter().try_for_each(|term| log.add(term.as_bytes()))?;
                log.end_document();
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
        let TextWriter { index, location, rows, strings, raw, values, .. } = self;
        let places = strings.places.finish(u32::try_from(strings.words.documents()).unwrap_or(u32::MAX))?;
        let logs = [(WORDS_FIELD, strings.words), (RAW_FIELD, raw), (VALUES_FIELD, values)];
        let write_postings = |serializer: &mut InvertedIndexSerializer| {
            let logs = logs.into_iter().map(|(field, log)| (Field::from_field_id(field), log));
            logs.into_iter().try_for_each(|(field, log)| log.write(field, serializer))
        };
        write_files(&index, rows, &places, write_postings).map_err(|error| write_error(&location, error))?;
        let name = location.name();
        guarded(&name, || Ok(TextReader::from_index(&index, &name, rows)))?
    }
}

/// Starts an index. A directory must exist and be empty.
pub(super) fn create_index(location: &TextLocation) -> Result<Index> {
    let directory: Box<dyn Directory> = match location {
        TextLocation::Directory(path) => Box::new(open_empty(path)?),
        TextLocation::Memory => Box::new(RamDirectory::create()),
    };
    let settings = IndexSettings {
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    };
    Index::create(directory, schema(), settings).map_err(|error| write_error(location, error))
}

/// Writes the files of the one segment of an index, then the file that names it.
pub(super) fn write_files(
    index: &Index,
    rows: u32,
    places: &[u8],
    write_postings: impl FnOnce(&mut InvertedIndexSerializer) -> TantivyResult<()>,
) -> TantivyResult<()> {
    let segment = index.new_segment().with_max_doc(rows);
    let mut serializer = InvertedIndexSerializer::open(&segment)?;
    write_postings(&mut serializer)?;
    serializer.close()?;
    let mut file = segment.open_write(SegmentComponent::Custom(PLACES_EXTENSION.to_owned()))?;
    file.write_all(places)?;
    file.terminate()?;
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

/// A segment has files for lengths, columns and stored documents, also when there are none.
fn write_empty_files(segment: &Segment, rows: u32) -> TantivyResult<()> {
    FieldNormsSerializer::from_write(segment.open_write(SegmentComponent::FieldNorms)?)?.close()?;
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
