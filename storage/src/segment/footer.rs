//! What the end of a table's file says: schema, row groups, statistics, page index. Parsed once and
//! shared by all scans.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use parquet::arrow::RowNumber;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use super::file::{Failure, FileInput};
use super::layout::{FORMAT_KEY, FORMAT_VERSION};
use super::projection::ROW_COLUMN;
use crate::env::{Env, EnvReader};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::FileMeta;
use crate::schema::Table;

/// An open table file with its parsed footer.
#[derive(Debug)]
pub(super) struct TableFile {
    input: FileInput,
    /// Reads the stored columns.
    plain: ArrowReaderMetadata,
    /// Reads the row number besides.
    numbered: ArrowReaderMetadata,
    /// Physical number of the first row of each row group, and the row count at the end.
    group_starts: Vec<u32>,
}

impl TableFile {
    /// Opens a table's file and checks that it is the one the manifest names.
    ///
    /// # Errors
    /// `Corrupt`, naming the file, when it is missing, short, or has another footer than expected.
    pub(super) fn open(env: &dyn Env, dir: &Path, table: Table, meta: &FileMeta, rows: u32) -> Result<Self> {
        let (reader, name) = open_file(env, dir, meta)?;
        let input = FileInput { reader, name, failure: Failure::default() };
        let plain = load(&input, table).map_err(|source| input.failure.explain(&input.name, source))?;
        check_format(plain.metadata(), &input.name)?;
        let numbered = with_row_number(&plain, table).map_err(|source| {
            Error::with_source(ErrorKind::Internal, "row numbers are not available", source)
        })?;
        let group_starts = group_starts(plain.metadata());
        if group_starts.last() != Some(&rows) {
            return Err(Error::corrupt(format!(
                "segment file {} has {} rows, the manifest says {rows}",
                input.name,
                plain.metadata().file_metadata().num_rows()
            )));
        }
        Ok(Self { input, plain, numbered, group_starts })
    }

    /// The parsed footer.
    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.plain.metadata()
    }

    /// What a Parquet reader needs; with `numbered`, batches have [`ROW_COLUMN`] as last column.
    pub(super) fn reader_metadata(&self, numbered: bool) -> ArrowReaderMetadata {
        if numbered { self.numbered.clone() } else { self.plain.clone() }
    }

    /// A reader of this file that keeps its own errors.
    pub(super) fn input(&self) -> FileInput {
        FileInput { failure: Failure::default(), ..self.input.clone() }
    }

    pub(super) fn group_count(&self) -> usize {
        self.group_starts.len().saturating_sub(1)
    }

    /// Physical rows of a row group: first, and one past the last.
    pub(super) fn group_rows(&self, group: usize) -> (u32, u32) {
        match self.group_starts.get(group..group + 2) {
            Some(&[start, end]) => (start, end),
            _ => (0, 0),
        }
    }

    /// Memory held by the footer, in bytes, approximately.
    pub(super) fn metadata_bytes(&self) -> usize {
        self.plain.metadata().memory_size() + self.group_starts.len() * size_of::<u32>()
    }
}

/// Opens a file of a segment and checks its length. Returns its path too, for messages.
///
/// # Errors
/// `Corrupt`, naming the file, when it is missing or has another length; `Io`.
pub(super) fn open_file(
    env: &dyn Env,
    dir: &Path,
    meta: &FileMeta,
) -> Result<(Arc<dyn EnvReader>, Arc<str>)> {
    let path = dir.join(&meta.name);
    let name: Arc<str> = path.display().to_string().into();
    let reader = env.open(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => {
            Error::with_source(ErrorKind::Corrupt, format!("segment file {name} is missing"), source)
        }
        _ => Error::io(format!("cannot open segment file {name}"), source),
    })?;
    let len = reader.len();
    if len != meta.len {
        return Err(Error::corrupt(format!(
            "segment file {name} has {len} bytes, the manifest says {}",
            meta.len
        )));
    }
    Ok((reader, name))
}

fn load(input: &FileInput, table: Table) -> std::result::Result<ArrowReaderMetadata, ParquetError> {
    let options = ArrowReaderOptions::new()
        .with_schema(table.schema())
        .with_page_index_policy(PageIndexPolicy::Required);
    ArrowReaderMetadata::load(input, options)
}

fn with_row_number(
    plain: &ArrowReaderMetadata,
    table: Table,
) -> std::result::Result<ArrowReaderMetadata, ParquetError> {
    let field = Field::new(ROW_COLUMN, DataType::Int64, false).with_extension_type(RowNumber);
    let options =
        ArrowReaderOptions::new().with_schema(table.schema()).with_virtual_columns(vec![Arc::new(field)])?;
    ArrowReaderMetadata::try_new(plain.metadata().clone(), options)
}

fn check_format(metadata: &ParquetMetaData, name: &str) -> Result<()> {
    let pairs = metadata.file_metadata().key_value_metadata();
    let found = pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == FORMAT_KEY));
    match found.and_then(|pair| pair.value.as_deref()) {
        Some(version) if version == FORMAT_VERSION.to_string() => Ok(()),
        Some(version) => Err(Error::corrupt(format!(
            "segment file {name} has format version {version}, this build reads {FORMAT_VERSION}"
        ))),
        None => Err(Error::corrupt(format!("segment file {name} has no format version"))),
    }
}

/// Saturates on row counts no segment can have, which the check against the manifest then refuses.
fn group_starts(metadata: &ParquetMetaData) -> Vec<u32> {
    let mut start = 0_u32;
    let mut starts = vec![start];
    for group in metadata.row_groups() {
        start = start.saturating_add(u32::try_from(group.num_rows()).unwrap_or(u32::MAX));
        starts.push(start);
    }
    starts
}
