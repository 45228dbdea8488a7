//! Writes the files of one segment: rows in final order in, synced and hashed files out.
//!
//! Invariants:
//! * ST-2 every file and the folder are synced before `finish` returns their description, so that
//!   the manifest can name them;
//! * the physical number of a row is the number of rows of its table written before it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;
use roaring::RoaringBitmap;

use super::encode::RowGroupEncoder;
use super::file::HashingWriter;
use super::layout::{
    DATA_BYTES_KEY, FORMAT_VERSION, HINTS_ANYWHERE, HINTS_KEY, HINTS_OF_ROOTS, ROOTS_KEY,
    SegmentOptions, file_name, parquet_schema, rows_to_text, writer_properties,
};
use super::payload::{self, is_large, stored_schema};
use super::preview::{self, RootPreviews};
use crate::columns::packing;
use crate::env::Env;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::FileMeta;
use crate::schema::Table;

/// Rows encoded between two looks at the size of the row group.
const SLICE_ROWS: usize = 4096;

/// Writes one segment. Dropped without `finish`, it leaves files that nothing names.
pub struct SegmentWriter<'env> {
    env: &'env dyn Env,
    dir: PathBuf,
    options: SegmentOptions,
    tables: BTreeMap<Table, TableWriter>,
    /// The root spans written so far.
    roots: Vec<RootPreviews>,
}

impl<'env> SegmentWriter<'env> {
    /// A writer of the segment in `dir`, which is created.
    ///
    /// # Errors
    /// `Io` when the folder cannot be created.
    pub fn create(env: &'env dyn Env, dir: &Path, options: SegmentOptions) -> Result<Self> {
        env.create_dir_all(dir).map_err(|source| {
            Error::io(
                format!("cannot create segment folder {}", dir.display()),
                source,
            )
        })?;
        Ok(Self {
            env,
            dir: dir.to_path_buf(),
            options,
            tables: BTreeMap::new(),
            roots: Vec::new(),
        })
    }

    /// Appends rows to a table, in final order, with the table's stored schema. A table's file is
    /// created with its first row. Traces take less room when the spans are written before.
    ///
    /// # Errors
    /// `Internal` when the batch has another schema; `InvalidInput` for more rows than fit `u32`;
    /// `Io` when the file cannot be written.
    pub fn write(&mut self, table: Table, batch: &RecordBatch) -> Result<()> {
        if batch.schema_ref().fields() != table.schema().fields() {
            return Err(Error::internal(format!(
                "a batch of {} rows has another schema",
                table.name()
            )));
        }
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if !self.tables.contains_key(&table) {
            let writer = TableWriter::create(self.env, &self.dir, table, &self.options)?;
            self.tables.insert(table, writer);
        }
        let Some(writer) = self.tables.get_mut(&table) else {
            return Err(Error::internal("table writer is gone"));
        };
        match table {
            Table::Spans => {
                let stored = payload::to_stored(&packing::pack(batch)?, writer.rows)?;
                self.roots.extend(stored.roots);
                writer.has_other_hints |= stored.has_other_hints;
                writer.write(&stored.batch, &self.options)
            }
            Table::Traces => writer.write(&preview::to_stored(batch, &self.roots)?, &self.options),
            Table::Assessments => writer.write(batch, &self.options),
        }
    }

    /// Closes and syncs the files and the folder (ST-2), and describes the files.
    ///
    /// # Errors
    /// `Io` when a file cannot be written or synced.
    pub fn finish(self) -> Result<Vec<FileMeta>> {
        let mut files = Vec::with_capacity(self.tables.len());
        for writer in self.tables.into_values() {
            files.push(writer.finish(&self.roots)?);
        }
        self.env.sync_dir(&self.dir).map_err(|source| {
            Error::io(
                format!("cannot sync segment folder {}", self.dir.display()),
                source,
            )
        })?;
        Ok(files)
    }
}

/// Writes one table's file.
struct TableWriter {
    table: Table,
    path: PathBuf,
    file: SerializedFileWriter<HashingWriter>,
    columns: ArrowRowGroupWriterFactory,
    row_group: Option<RowGroupEncoder>,
    rows: u32,
    /// Whether spans that are no roots have hints.
    has_other_hints: bool,
}

impl TableWriter {
    fn create(env: &dyn Env, dir: &Path, table: Table, options: &SegmentOptions) -> Result<Self> {
        let path = dir.join(file_name(table));
        let stored = stored_schema(table, FORMAT_VERSION);
        let schema = parquet_schema(&stored)?;
        let properties = writer_properties(table, &schema, options)?;
        let file = env.create(&path).map_err(|source| {
            Error::io(
                format!("cannot create segment file {}", path.display()),
                source,
            )
        })?;
        let file = SerializedFileWriter::new(
            HashingWriter::new(file),
            schema.root_schema_ptr(),
            properties.into(),
        )
        .map_err(|source| write_error(&path, source))?;
        let columns = ArrowRowGroupWriterFactory::new(&file, stored);
        Ok(Self {
            table,
            path,
            file,
            columns,
            row_group: None,
            rows: 0,
            has_other_hints: false,
        })
    }

    fn write(&mut self, batch: &RecordBatch, options: &SegmentOptions) -> Result<()> {
        let added = u32::try_from(batch.num_rows()).ok();
        let rows = added
            .and_then(|added| self.rows.checked_add(added))
            .ok_or_else(|| {
                Error::invalid_input(format!(
                    "segment file {} has more than {} rows",
                    self.path.display(),
                    u32::MAX
                ))
            })?;
        let group_rows_max = options.row_group_rows_max.max(1);
        let mut start = 0;
        while start < batch.num_rows() {
            let mut group = match self.row_group.take() {
                Some(group) => group,
                None => self.start_row_group()?,
            };
            assert!(
                group.rows() < group_rows_max,
                "a full row group is ended at once"
            );
            let room = group_rows_max - group.rows();
            let len = (batch.num_rows() - start).min(room).min(SLICE_ROWS);
            group
                .write(&batch.slice(start, len), options.threads)
                .map_err(|source| write_error(&self.path, source))?;
            start += len;
            let full = group.rows() >= group_rows_max
                || group.encoded_bytes() >= options.row_group_bytes_max;
            if full {
                self.end_row_group(group)?;
            } else {
                self.row_group = Some(group);
            }
        }
        self.rows = rows;
        let ended: i64 = self
            .file
            .flushed_row_groups()
            .iter()
            .map(|group| group.num_rows())
            .sum();
        let open = self.row_group.as_ref().map_or(0, RowGroupEncoder::rows);
        assert_eq!(
            ended + open as i64,
            i64::from(rows),
            "a row's number is how many were written before it"
        );
        Ok(())
    }

    fn start_row_group(&self) -> Result<RowGroupEncoder> {
        let leaves = self
            .columns
            .create_column_writers(self.file.flushed_row_groups().len())
            .map_err(|source| write_error(&self.path, source))?;
        let is_heavy = |column: &str| is_large(self.table, column);
        let fields = stored_schema(self.table, FORMAT_VERSION);
        Ok(RowGroupEncoder::new(
            fields.fields(),
            is_heavy,
            self.file.schema_descr(),
            leaves,
        ))
    }

    fn end_row_group(&mut self, group: RowGroupEncoder) -> Result<()> {
        group
            .append_to(&mut self.file)
            .map_err(|source| write_error(&self.path, source))
    }

    /// Ends the data with its sums, which the footer follows.
    fn begin_end(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let data_bytes = self.file.bytes_written();
        let sums = self.file.inner_mut().begin_end();
        self.file.write_all(&sums)?;
        let pair = KeyValue::new(DATA_BYTES_KEY.to_string(), data_bytes.to_string());
        self.file.append_key_value_metadata(pair);
        Ok(())
    }

    fn finish(mut self, roots: &[RootPreviews]) -> Result<FileMeta> {
        if let Some(group) = self.row_group.take() {
            self.end_row_group(group)?;
        }
        assert!(
            self.rows > 0,
            "a table's file is created with its first row"
        );
        if self.table == Table::Spans {
            let rows: RoaringBitmap = roots.iter().map(|root| root.row).collect();
            assert_eq!(rows.len(), roots.len() as u64, "a root is one span");
            assert!(
                rows.max() < Some(self.rows),
                "roots are among the rows of the file"
            );
            let roots = rows_to_text(&rows)?;
            self.file
                .append_key_value_metadata(KeyValue::new(ROOTS_KEY.to_string(), roots));
            let hints = if self.has_other_hints {
                HINTS_ANYWHERE
            } else {
                HINTS_OF_ROOTS
            };
            self.file
                .append_key_value_metadata(KeyValue::new(HINTS_KEY.to_string(), hints.to_string()));
        }
        self.begin_end().map_err(|source| {
            Error::io(
                format!("cannot write segment file {}", self.path.display()),
                source,
            )
        })?;
        // All that is left is writing, and of its error parquet hands on the text alone.
        let failed = || format!("cannot write segment file {}", self.path.display());
        let file = self
            .file
            .into_inner()
            .map_err(|source| Error::with_source(ErrorKind::Io, failed(), source))?;
        file.finish(file_name(self.table)).map_err(|source| {
            Error::io(
                format!("cannot sync segment file {}", self.path.display()),
                source,
            )
        })
    }
}

fn write_error(path: &Path, source: ParquetError) -> Error {
    let message = format!("cannot write segment file {}", path.display());
    let is_io = match &source {
        ParquetError::External(inner) => inner.downcast_ref::<std::io::Error>().is_some(),
        _ => false,
    };
    let kind = if is_io {
        ErrorKind::Io
    } else {
        ErrorKind::Internal
    };
    Error::with_source(kind, message, source)
}
