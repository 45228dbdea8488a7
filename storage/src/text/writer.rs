//! Builds the text index of a segment: rows in, one tantivy segment out.
//!
//! The files are written by tantivy's own serializers. What they are given is collected here
//! (`field_log`): tantivy's writer looks up the posting list of every word as it comes, which costs
//! more than the rest of an import.
//!
//! Invariants:
//! 1. Every row has its list of strings, also one without text. Documents are strings in the field of words, rows in
//!    the others.
//! 2. After [`TextWriter::finish`] every file and the directory are synced.
//! 3. Memory is bounded by [`PART_TERMS_MAX`] (four bytes each), the distinct terms and strings of as many,
//!    and the largest row: what is more is written as an index of its own, and these are merged at the end.

// tantivy writes its own files; the folder is derived and no truth file (ST-5).
#![allow(clippy::disallowed_methods)]

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use tantivy::columnar::ColumnarWriter;
use tantivy::directory::{Directory, RamDirectory, TerminatingWrite};
use tantivy::fieldnorm::FieldNormsSerializer;
use tantivy::index::SegmentComponent;
use tantivy::postings::InvertedIndexSerializer;
use tantivy::schema::Field;
use tantivy::store::{Compressor, StoreWriter};
use tantivy::{Index, IndexMeta, IndexSettings, Segment};

use super::cut::count_of;
use super::field_log::{FieldLog, Kept};
use super::held_directory::HeldDirectory;
use super::index::{
    OCCURRENCES_EXTENSION, RAW_FIELD, TantivyResult, TextLocation, VALUES_FIELD, WORDS_FIELD,
    guarded, schema,
};
use super::leaves::{SpanText, TextColumns};
use super::merge::merge_into;
use super::reader::TextReader;
use super::row_terms::RowTerms;
use super::row_text::RowText;
use super::string_log::StringLog;
use super::sums::TextSums;
use crate::env::Folder;
use crate::error::ErrorKind;
use crate::{Error, Result};

/// Where tantivy looks for what an index consists of.
const META_FILE: &str = "meta.json";

/// Terms of rows and strings that are collected before they are written.
const PART_TERMS_MAX: usize = 12 << 20;

/// Writes one text index.
pub struct TextWriter {
    index: Index,
    location: TextLocation,
    part: Part,
    part_terms_max: usize,
    /// Indexes of the rows before those of the part, and their directories.
    written: Vec<(Arc<TextReader>, TextLocation)>,
    /// The leaf strings of the row being added.
    text: SpanText,
}

/// What is collected of rows.
struct Part {
    rows: u32,
    strings: StringLog,
    terms: RowTerms,
    raw: FieldLog,
    values: FieldLog,
}

impl std::fmt::Debug for TextWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextWriter")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

impl TextWriter {
    /// Starts an index. A directory must exist and be empty.
    ///
    /// # Errors
    /// `Conflict` when the directory holds an index, `Io` when it cannot be written.
    pub fn create(location: TextLocation) -> Result<TextWriter> {
        Self::in_parts(location, PART_TERMS_MAX)
    }

    /// Starts an index as [`TextWriter::create`] does, written in parts of about so many terms.
    pub(super) fn in_parts(location: TextLocation, part_terms_max: usize) -> Result<TextWriter> {
        let index = create_index(&location)?;
        let (part, written, text) = (Part::new(), Vec::new(), SpanText::default());
        Ok(TextWriter {
            index,
            location,
            part,
            part_terms_max,
            written,
            text,
        })
    }

    /// Indexes the rows of a batch that has [`super::INDEXED_COLUMNS`], after those added before.
    ///
    /// # Errors
    /// `Internal` for missing columns, `Io` when a file cannot be written; after an error the writer must be
    /// dropped.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = TextColumns::new(batch)?;
        for row in 0..columns.rows() {
            self.part.add(&columns.row(row)?, &mut self.text)?;
            if self.part.terms() >= self.part_terms_max {
                self.write_part()?;
            }
        }
        Ok(())
    }

    /// Writes what was collected as an index of its own.
    fn write_part(&mut self) -> Result<()> {
        let location = match &self.location {
            TextLocation::Memory => TextLocation::Memory,
            TextLocation::Directory(folder) => {
                let folder = folder.join(&format!("part-{}", self.written.len()));
                std::fs::create_dir(folder.path())
                    .map_err(|error| write_error(&self.location, error.into()))?;
                TextLocation::Directory(folder)
            }
        };
        let part = std::mem::replace(&mut self.part, Part::new());
        let reader = part.write(&create_index(&location)?, &location)?;
        self.written.push((Arc::new(reader), location));
        Ok(())
    }

    /// Completes the index and opens it. In a directory all files are then synced; a caller that
    /// renames the directory afterwards opens it again under its new name.
    ///
    /// # Errors
    /// `Io` when a file cannot be written or synced.
    pub fn finish(mut self) -> Result<TextReader> {
        if self.written.is_empty() {
            let written = self.part.write(&self.index, &self.location)?;
            write_sums(&self.location)?;
            return Ok(written);
        }
        self.write_part()?;
        let (parts, directories): (Vec<_>, Vec<_>) = self.written.into_iter().unzip();
        let rows = parts
            .iter()
            .enumerate()
            .flat_map(|(at, part)| (0..part.row_total()).map(move |row| (at, row)));
        let rows: Vec<(usize, u32)> = rows.collect();
        let merged = merge_into(&self.index, &self.location, &parts, &rows, &|| Ok(()))?;
        assert_eq!(
            merged.row_total() as usize,
            rows.len(),
            "each row is indexed once"
        );
        drop(parts);
        for directory in directories {
            if let TextLocation::Directory(folder) = directory {
                std::fs::remove_dir_all(folder.path())
                    .map_err(|error| write_error(&self.location, error.into()))?;
            }
        }
        write_sums(&self.location)?;
        Ok(merged)
    }
}

impl Part {
    fn new() -> Part {
        Part {
            rows: 0,
            strings: StringLog::new(),
            terms: RowTerms::default(),
            raw: FieldLog::new(Kept::Documents),
            values: FieldLog::new(Kept::Documents),
        }
    }

    /// Adds a row; `text` is scratch space.
    fn add(&mut self, row: &RowText<'_>, text: &mut SpanText) -> Result<()> {
        let strings = row.strings();
        text.fill(&strings);
        self.terms.fill(row, &strings)?;
        for (field, strings) in text.fields().into_iter().enumerate() {
            strings
                .iter()
                .try_for_each(|string| self.strings.add(field, string))?;
        }
        self.strings.end_row();
        for (log, terms) in [
            (&mut self.raw, &self.terms.raw),
            (&mut self.values, &self.terms.values),
        ] {
            terms.iter().for_each(|&term| log.add(term));
            log.end_document();
        }
        self.rows += 1;
        Ok(())
    }

    /// What is in memory, as a number of terms.
    fn terms(&self) -> usize {
        self.strings.terms() + self.raw.terms() + self.values.terms()
    }

    fn write(self, index: &Index, location: &TextLocation) -> Result<TextReader> {
        let Part {
            rows,
            strings,
            terms: RowTerms { terms, .. },
            raw,
            values,
        } = self;
        let StringLog {
            terms: word_terms,
            words,
            occurrences,
            ..
        } = strings;
        assert_eq!(
            raw.documents(),
            rows as usize,
            "the documents of raw tokens are rows"
        );
        assert_eq!(
            values.documents(),
            rows as usize,
            "the documents of values are rows"
        );
        let occurrences = occurrences.finish(count_of(words.documents()))?;
        write_files(index, rows, &occurrences, |serializer| {
            words.write(
                Field::from_field_id(WORDS_FIELD),
                &word_terms,
                &word_terms.sorted(),
                serializer,
            )?;
            drop(word_terms);
            let order = terms.sorted();
            for (field, log) in [(RAW_FIELD, raw), (VALUES_FIELD, values)] {
                log.write(Field::from_field_id(field), &terms, &order, serializer)?;
            }
            Ok(())
        })
        .map_err(|error| write_error(location, error))?;
        let name = location.name();
        guarded(&name, || Ok(TextReader::from_index(index, &name, rows)))?
    }
}

/// Starts an index. A directory must exist and be empty.
pub(super) fn create_index(location: &TextLocation) -> Result<Index> {
    let directory: Box<dyn Directory> = match location {
        TextLocation::Directory(folder) => Box::new(open_empty(folder)?),
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
    occurrences: &[u8],
    write_postings: impl FnOnce(&mut InvertedIndexSerializer) -> TantivyResult<()>,
) -> TantivyResult<()> {
    let segment = index.new_segment().with_max_doc(rows);
    let mut serializer = InvertedIndexSerializer::open(&segment)?;
    write_postings(&mut serializer)?;
    serializer.close()?;
    let mut file =
        segment.open_write(SegmentComponent::Custom(OCCURRENCES_EXTENSION.to_owned()))?;
    file.write_all(occurrences)?;
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
    index
        .directory()
        .atomic_write(Path::new(META_FILE), &serde_json::to_vec(&meta)?)?;
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
    StoreWriter::new(
        store,
        settings.docstore_compression,
        settings.docstore_blocksize,
        false,
    )?
    .close()?;
    Ok(())
}

/// Completes an index in a directory: what was written is known from now on.
pub(super) fn write_sums(location: &TextLocation) -> Result<()> {
    match location {
        TextLocation::Memory => Ok(()),
        TextLocation::Directory(folder) => {
            TextSums::write(folder.path()).map_err(|error| write_error(location, error.into()))
        }
    }
}

fn open_empty(folder: &Folder) -> Result<HeldDirectory> {
    let location = TextLocation::Directory(folder.clone());
    let directory =
        HeldDirectory::open(folder).map_err(|error| write_error(&location, error.into()))?;
    let exists = Index::exists(&directory).map_err(|error| write_error(&location, error.into()))?;
    if exists {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("{} exists already", location.name()),
        ));
    }
    Ok(directory)
}

fn write_error(location: &TextLocation, error: tantivy::TantivyError) -> Error {
    Error::with_source(
        ErrorKind::Io,
        format!("{} cannot be written", location.name()),
        error,
    )
}
