//! One table in one Parquet file: the catalogue's files, which are written at once and read whole.
//!
//! Invariants:
//! * ST-2 a file is synced before its description is given out; its folder is synced by the caller;
//! * what is read has the length and the hash that the manifest names.

use std::io::{self, Write};
use std::path::Path;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use twox_hash::XxHash3_128;

use super::encode::RowGroupEncoder;
use super::file::HashingWriter;
use crate::env::{Env, memory_len};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::FileMeta;
use crate::parallel::threads_for;
use crate::scan::BATCH_ROWS;

/// Rows of a row group at most: bounds what a writer and a reader hold of large texts.
const ROW_GROUP_ROWS_MAX: usize = 16 << 10;

/// Bytes after which a page is compressed, by the thread that fills it.
const PAGE_BYTES_MAX: usize = 64 << 10;

/// Bytes that are worth a thread.
const BYTES_OF_THREAD: usize = 256 << 10;

/// Writes a batch as a new, synced file `name` in `dir` and describes it.
///
/// # Errors
/// `Io` when the file cannot be written or synced.
pub fn write_table_file(
    env: &dyn Env,
    dir: &Path,
    name: &str,
    batch: &RecordBatch,
) -> Result<FileMeta> {
    let path = dir.join(name);
    let file = env
        .create(&path)
        .map_err(|source| Error::io(path.display(), source))?;
    let file =
        encode(HashingWriter::new(file), batch).map_err(|source| write_error(&path, source))?;
    let meta = file
        .finish(name.to_string())
        .map_err(|source| Error::io(path.display(), source))?;
    assert!(
        meta.end.is_none(),
        "a file of the catalogue is read whole and compared with its hash"
    );
    Ok(meta)
}

/// Reads the file that `meta` describes, as batches of `schema`; a file without rows gives none.
///
/// # Errors
/// `Corrupt`, naming the file, when it is missing, differs from what was written or has another schema;
/// `Io` when it cannot be read.
pub fn read_table_file(
    env: &dyn Env,
    dir: &Path,
    meta: &FileMeta,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>> {
    let path = dir.join(&meta.name);
    let reader = env.open(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::with_source(
            ErrorKind::Corrupt,
            format!("{} is missing", path.display()),
            source,
        ),
        _ => Error::io(path.display(), source),
    })?;
    if reader.len() != meta.len {
        let (found, expected) = (reader.len(), meta.len);
        return Err(Error::corrupt(format!(
            "{} has {found} bytes, the manifest says {expected}",
            path.display()
        )));
    }
    let bytes = memory_len(meta.len).and_then(|len| reader.read_at(0, len));
    let bytes = bytes.map_err(|source| Error::io(path.display(), source))?;
    if XxHash3_128::oneshot(&bytes) != meta.hash {
        return Err(Error::corrupt(format!(
            "{} differs from what was written",
            path.display()
        )));
    }
    let damaged = |source: Box<dyn std::error::Error + Send + Sync>| {
        Error::with_source(
            ErrorKind::Corrupt,
            format!("{} cannot be decoded", path.display()),
            source,
        )
    };
    let options = ArrowReaderOptions::new().with_schema(schema.clone());
    let batches = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
        .and_then(|builder| builder.with_batch_size(BATCH_ROWS).build())
        .map_err(|source| damaged(source.into()))?;
    batches
        .map(|batch| batch.map_err(|source| damaged(source.into())))
        .collect()
}

fn encode<W: Write + Send>(output: W, batch: &RecordBatch) -> std::result::Result<W, ParquetError> {
    let properties = WriterProperties::builder()
        .set_created_by("tracehouse".to_string())
        // Every change of a dataset writes it anew: LZ4 takes a quarter of the time of zstd.
        .set_compression(Compression::LZ4_RAW)
        .set_data_page_size_limit(PAGE_BYTES_MAX)
        // Texts that hardly repeat, read whole: a dictionary or bounds would only cost.
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    let schema = ArrowSchemaConverter::new().convert(batch.schema_ref())?;
    let mut file = SerializedFileWriter::new(output, schema.root_schema_ptr(), properties.into())?;
    let columns = ArrowRowGroupWriterFactory::new(&file, batch.schema());
    let threads = threads_for(batch.get_array_memory_size(), BYTES_OF_THREAD);
    for (group, start) in (0..batch.num_rows())
        .step_by(ROW_GROUP_ROWS_MAX)
        .enumerate()
    {
        let leaves = columns.create_column_writers(group)?;
        let mut encoder =
            RowGroupEncoder::new(batch.schema_ref().fields(), |_| false, &schema, leaves);
        let rows = (batch.num_rows() - start).min(ROW_GROUP_ROWS_MAX);
        encoder.write(&batch.slice(start, rows), threads)?;
        encoder.append_to(&mut file)?;
    }
    file.into_inner()
}

fn write_error(path: &Path, source: ParquetError) -> Error {
    Error::with_source(
        ErrorKind::Io,
        format!("cannot write {}", path.display()),
        source,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringViewArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::env::MemEnv;

    fn batch(rows: usize) -> RecordBatch {
        let fields = vec![
            Field::new("text", DataType::Utf8View, true),
            Field::new("number", DataType::Int64, false),
        ];
        let texts = (0..rows)
            .map(|row| (row % 3 > 0).then(|| format!("text {row} {}", "x".repeat(row % 40))));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringViewArray::from_iter(texts)),
            Arc::new(Int64Array::from_iter_values(0..rows as i64)),
        ];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let env = MemEnv::default();
        for rows in [0, 1, 40_000] {
            let (name, batch) = (format!("{rows}.parquet"), batch(rows));
            let meta = write_table_file(&env, Path::new(""), &name, &batch).unwrap();
            let read = read_table_file(&env, Path::new(""), &meta, &batch.schema()).unwrap();
            assert_eq!(concat_batches(&batch.schema(), &read).unwrap(), batch);
        }
    }

    #[test]
    fn damage_is_named() {
        let env = MemEnv::default();
        let batch = batch(10);
        let meta = write_table_file(&env, Path::new(""), "a", &batch).unwrap();
        let read = |meta: &FileMeta| {
            read_table_file(&env, Path::new(""), meta, &batch.schema()).unwrap_err()
        };
        for (meta, message) in [
            (
                FileMeta {
                    hash: 1,
                    ..meta.clone()
                },
                "a differs from what was written",
            ),
            (
                FileMeta {
                    len: 1,
                    ..meta.clone()
                },
                "the manifest says 1",
            ),
            (
                FileMeta {
                    name: "b".into(),
                    ..meta
                },
                "b is missing",
            ),
        ] {
            let error = read(&meta);
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
