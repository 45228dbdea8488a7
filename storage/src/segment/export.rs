//! Parquet for other programs: plain files that any reader understands; and files that others wrote, read whole.
//!
//! No arrow schema is embedded, so a reader sees only what Parquet itself says: text is text,
//! whatever its layout in memory was, and times are UTC nanoseconds.

use std::io::Write;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, ErrorKind, Result};

/// Rows of a row group at most: bounds what a writer and a reader hold of large texts.
const ROW_GROUP_ROWS_MAX: usize = 16 << 10;

/// Writes `batches`, all of `schema`, as one Parquet file compressed with zstd.
///
/// # Errors
/// `InvalidInput` for a column type that Parquet does not have, `Io` when `writer` fails.
pub fn write_parquet<W: Write + Send>(
    writer: W,
    schema: SchemaRef,
    batches: &[RecordBatch],
) -> Result<()> {
    let mut export = ParquetExport::create(writer, schema)?;
    batches.iter().try_for_each(|batch| export.write(batch))?;
    export.finish().map(drop)
}

/// A Parquet file for other programs, written batch by batch.
pub struct ParquetExport<W: Write + Send> {
    parquet: ArrowWriter<W>,
}

impl<W: Write + Send> std::fmt::Debug for ParquetExport<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetExport").finish_non_exhaustive()
    }
}

impl<W: Write + Send> ParquetExport<W> {
    /// Starts a file of batches of `schema`.
    ///
    /// # Errors
    /// `InvalidInput` for a column type that Parquet does not have.
    pub fn create(writer: W, schema: SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_created_by("tracehouse".to_string())
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let unsupported = |e| {
            Error::with_source(
                ErrorKind::InvalidInput,
                "the result has no parquet form",
                Box::new(e),
            )
        };
        let parquet =
            ArrowWriter::try_new_with_options(writer, schema, options).map_err(unsupported)?;
        Ok(Self { parquet })
    }

    /// Appends a batch.
    ///
    /// # Errors
    /// `Io` when the writer fails.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.parquet.write(batch).map_err(write_error)
    }

    /// Completes the file and gives the writer back.
    ///
    /// # Errors
    /// `Io` when the writer fails.
    pub fn finish(self) -> Result<W> {
        self.parquet.into_inner().map_err(write_error)
    }
}

/// All rows of a Parquet file that anyone wrote.
///
/// # Errors
/// `InvalidInput` when it is no Parquet file, or a damaged one.
pub fn read_parquet(file: Bytes) -> Result<Vec<RecordBatch>> {
    let wrong =
        |why: &dyn std::fmt::Display| Error::invalid_input(format!("not a Parquet file: {why}"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| wrong(&e))?;
    let reader = reader.build().map_err(|e| wrong(&e))?;
    reader
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| wrong(&e))
}

fn write_error(source: ParquetError) -> Error {
    Error::with_source(ErrorKind::Io, "cannot write parquet", Box::new(source))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
    use arrow::datatypes::DataType;

    use super::*;

    #[test]
    fn any_reader_sees_plain_text_and_numbers() {
        let text: ArrayRef = Arc::new(StringViewArray::from_iter([Some("a"), None]));
        let number: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch =
            RecordBatch::try_from_iter_with_nullable([("t", text, true), ("n", number, true)])
                .unwrap();
        let mut file = Vec::new();
        write_parquet(&mut file, batch.schema(), &[batch]).unwrap();
        let read = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
        assert!(
            read.metadata()
                .file_metadata()
                .key_value_metadata()
                .is_none()
        );
        assert_eq!(read.schema().field(0).data_type(), &DataType::Utf8);
        let rows = read.build().unwrap().next().unwrap().unwrap();
        assert_eq!(rows.column(0).as_string::<i32>().value(0), "a");
        assert!(rows.column(0).is_null(1));
    }
}
