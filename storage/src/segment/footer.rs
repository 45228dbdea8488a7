//! What the end of a table's file says: schema, row groups, statistics, page index. Parsed once and
//! shared by all scans.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::ChunkReader;
use roaring::RoaringBitmap;
use twox_hash::XxHash3_128;

use super::blocks::BlockCache;
use super::file::{EndInput, Failure, FileInput};
use super::layout::{
    DATA_BYTES_KEY, FORMAT_KEY, FORMAT_VERSION, HINTS_KEY, HINTS_OF_ROOTS, ROOTS_KEY,
    WITHOUT_COST_SOURCE, file_name, rows_of_text,
};
use super::payload::{Place, payload_columns, place, stored_schema};
use super::sums::Sums;
use crate::env::{Env, EnvReader};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{FileEnd, FileMeta};
use crate::schema::Table;

/// The file of a table, opened when it is first needed and then kept.
#[derive(Debug)]
pub(super) struct LazyFile {
    pub(super) env: Arc<dyn Env>,
    pub(super) dir: PathBuf,
    pub(super) table: Table,
    /// `None` when the manifest has no such file.
    pub(super) meta: Option<FileMeta>,
    pub(super) rows: u32,
    pub(super) cache: Arc<BlockCache>,
    /// The spans of the same segment; of traces only.
    pub(super) spans: Option<Arc<LazyFile>>,
    pub(super) file: OnceLock<Arc<TableFile>>,
}

impl LazyFile {
    /// The open file. Two first readers at a time may both open it; one of the two stays.
    ///
    /// # Errors
    /// As [`TableFile::open`]; `Corrupt` when the manifest has no such file.
    pub(super) fn get(&self) -> Result<Arc<TableFile>> {
        if let Some(file) = self.opened() {
            return Ok(file.clone());
        }
        let (env, cache) = (self.env.clone(), self.cache.clone());
        let mut file = TableFile::open(env, &self.dir, self.table, self.meta()?, self.rows, cache)?;
        file.spans = self.spans.clone();
        Ok(self.file.get_or_init(|| Arc::new(file)).clone())
    }

    /// The file, if it was opened.
    pub(super) fn opened(&self) -> Option<&Arc<TableFile>> {
        self.file.get()
    }

    /// What the manifest says of it.
    ///
    /// # Errors
    /// `Corrupt` when that is nothing.
    pub(super) fn meta(&self) -> Result<&FileMeta> {
        self.meta.as_ref().ok_or_else(|| {
            let path = self.dir.join(file_name(self.table));
            Error::corrupt(format!(
                "segment file {} is not in the manifest",
                path.display()
            ))
        })
    }
}

/// An open table file with its parsed footer.
#[derive(Debug)]
pub(super) struct TableFile {
    env: Arc<dyn Env>,
    dir: PathBuf,
    meta: FileMeta,
    /// Path, for messages.
    name: Arc<str>,
    reader_metadata: ArrowReaderMetadata,
    /// What the rest of the file is compared with.
    sums: Arc<Sums>,
    /// Physical number of the first row of each row group, and the row count at the end.
    group_starts: Vec<u32>,
    /// The rows of root spans.
    roots: RoaringBitmap,
    table: Table,
    /// The format it was written in.
    version: u32,
    /// The spans of the same segment; of traces only.
    spans: Option<Arc<LazyFile>>,
    /// Where its light columns are kept, and its number there.
    cache: Arc<BlockCache>,
    number: u64,
}

impl TableFile {
    /// Opens a table's file and checks that it is the one the manifest names.
    ///
    /// # Errors
    /// `Corrupt`, naming the file, when it is missing, short, or has another footer than expected.
    pub(super) fn open(
        env: Arc<dyn Env>,
        dir: &Path,
        table: Table,
        meta: &FileMeta,
        rows: u32,
        cache: Arc<BlockCache>,
    ) -> Result<Self> {
        let (number, name) = (cache.register(), name_of(dir, meta));
        let (dir, meta) = (dir.to_path_buf(), meta.clone());
        let open = || open_file(env.as_ref(), &dir, &meta);
        let opened = cache.open_files().get(number, open);
        let Footer {
            reader_metadata,
            version,
            sums,
            group_starts,
            roots,
        } = match opened.and_then(|reader| read_footer(reader, &name, table, &meta, rows)) {
            Ok(footer) => footer,
            Err(error) => {
                cache.open_files().forget(number);
                return Err(error);
            }
        };
        Ok(Self {
            env,
            dir,
            meta,
            name,
            reader_metadata,
            sums: Arc::new(sums),
            group_starts,
            roots,
            table,
            version,
            spans: None,
            cache,
            number,
        })
    }

    /// The parsed footer.
    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.reader_metadata.metadata()
    }

    /// What a Parquet reader needs.
    pub(super) fn reader_metadata(&self) -> ArrowReaderMetadata {
        self.reader_metadata.clone()
    }

    /// Where the column at `position` of the table's schema lies.
    pub(super) fn place(&self, position: usize) -> Place {
        place(self.table, self.version, position)
    }

    /// Positions of its columns that have the payload of spans with a parent, or of roots.
    pub(super) fn payload_columns(
        &self,
        has_others: bool,
        has_roots: bool,
    ) -> impl Iterator<Item = usize> + use<> {
        payload_columns(self.version, has_others, has_roots)
    }

    /// The spans of the same segment; `None` when it has none. Of traces only.
    ///
    /// # Errors
    /// As [`TableFile::open`].
    pub(super) fn spans(&self) -> Result<Option<Arc<TableFile>>> {
        match &self.spans {
            Some(spans) if spans.rows > 0 => spans.get().map(Some),
            _ => Ok(None),
        }
    }

    /// The rows of root spans; none in files of other tables.
    pub(super) fn roots(&self) -> &RoaringBitmap {
        &self.roots
    }

    /// Whether no span but roots has a hint.
    pub(super) fn hints_are_of_roots(&self) -> bool {
        pair(self.metadata(), HINTS_KEY) == Some(HINTS_OF_ROOTS)
    }

    /// Where decoded blocks are kept.
    pub(super) fn cache(&self) -> &BlockCache {
        &self.cache
    }

    /// The file's number in the cache.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Path, for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The open file. As long as this is held it stays open.
    ///
    /// # Errors
    /// As [`TableFile::open`].
    pub(super) fn handle(&self) -> Result<Arc<dyn EnvReader>> {
        let open = || open_file(self.env.as_ref(), &self.dir, &self.meta);
        self.cache.open_files().get(self.number, open)
    }

    /// A reader of this file that keeps its own errors.
    ///
    /// # Errors
    /// As [`TableFile::open`].
    pub(super) fn input(&self) -> Result<FileInput> {
        let (name, sums) = (self.name.clone(), Some(self.sums.clone()));
        Ok(FileInput {
            reader: self.handle()?,
            name,
            failure: Failure::default(),
            sums,
        })
    }

    pub(super) fn group_count(&self) -> usize {
        self.group_starts.len().saturating_sub(1)
    }

    /// Physical rows of a row group: first, and one past the last.
    pub(super) fn group_rows(&self, group: usize) -> (u32, u32) {
        assert!(
            group < self.group_count(),
            "row group {group} of {}",
            self.group_count()
        );
        match self.group_starts.get(group..group + 2) {
            Some(&[start, end]) => (start, end),
            _ => (0, 0),
        }
    }

    /// Memory held by the footer, in bytes, approximately.
    pub(super) fn metadata_bytes(&self) -> usize {
        let roots = self.roots.serialized_size();
        let starts = self.group_starts.len() * size_of::<u32>();
        self.reader_metadata.metadata().memory_size() + self.sums.memory_bytes() + starts + roots
    }
}

impl Drop for TableFile {
    fn drop(&mut self) {
        self.cache.forget(self.number);
    }
}

/// Describes a table's file as its footer tells, of which nothing is known yet; its rows. The hash, which the
/// footer does not tell, is 0.
///
/// # Errors
/// `Corrupt` naming the file; `Io`.
pub(super) fn describe_file(
    env: &dyn Env,
    dir: &Path,
    table: Table,
    len: u64,
) -> Result<(FileMeta, u32)> {
    let mut meta = FileMeta {
        name: file_name(table),
        len,
        hash: 0,
        end: None,
    };
    let (reader, name) = (open_file(env, dir, &meta)?, name_of(dir, &meta));
    let input = FileInput {
        reader,
        name,
        failure: Failure::default(),
        sums: None,
    };
    let footer = load(&input, &input, table)?;
    let data_bytes = pair(footer.metadata(), DATA_BYTES_KEY).and_then(|bytes| bytes.parse().ok());
    let end_len = data_bytes
        .and_then(|data_bytes: u64| len.checked_sub(data_bytes))
        .ok_or_else(|| {
            Error::corrupt(format!(
                "segment file {} does not say where its data ends",
                input.name
            ))
        })?;
    let end = read_end(&input, end_len)?;
    meta.end = Some(FileEnd {
        len: end_len,
        hash: XxHash3_128::oneshot(&end.bytes),
    });
    let (_, rows) = group_starts(footer.metadata(), &input.name)?;
    Ok((meta, rows))
}

/// What the end of a file says.
struct Footer {
    reader_metadata: ArrowReaderMetadata,
    version: u32,
    sums: Sums,
    group_starts: Vec<u32>,
    roots: RoaringBitmap,
}

/// The footer of a file that must have the end that `meta` names, and `rows` rows.
fn read_footer(
    reader: Arc<dyn EnvReader>,
    name: &Arc<str>,
    table: Table,
    meta: &FileMeta,
    rows: u32,
) -> Result<Footer> {
    let input = FileInput {
        reader,
        name: name.clone(),
        failure: Failure::default(),
        sums: None,
    };
    let expected = meta.end.as_ref().ok_or_else(|| {
        Error::corrupt(format!(
            "the manifest does not say what segment file {name} ends with"
        ))
    })?;
    let end = read_end(&input, expected.len)?;
    let is_whole = XxHash3_128::oneshot(&end.bytes) == expected.hash;
    let sums = Sums::of_end(end.start, &end.bytes)
        .filter(|_| is_whole)
        .ok_or_else(|| {
            Error::corrupt(format!(
                "segment file {name} ends with other bytes than were written"
            ))
        })?;
    let reader_metadata = load(&input, &end, table)?;
    let (group_starts, found) = group_starts(reader_metadata.metadata(), name)?;
    if found != rows {
        return Err(Error::corrupt(format!(
            "segment file {name} has {found} rows, the manifest says {rows}"
        )));
    }
    let roots = match table {
        Table::Spans => roots(reader_metadata.metadata(), name, rows)?,
        _ => RoaringBitmap::new(),
    };
    let version = format_version(reader_metadata.metadata(), name)?;
    Ok(Footer {
        reader_metadata,
        version,
        sums,
        group_starts,
        roots,
    })
}

/// The last `len` bytes of a file.
fn read_end(input: &FileInput, len: u64) -> Result<EndInput> {
    let start = input.reader.len().checked_sub(len).ok_or_else(|| {
        let found = input.reader.len();
        Error::corrupt(format!(
            "segment file {} has {found} bytes, its end alone has {len}",
            input.name
        ))
    })?;
    let bytes = input.decode(|| input.read_exact_at(start, usize::try_from(len)?))?;
    Ok(EndInput { start, bytes })
}

/// Path of a segment's file, for messages.
fn name_of(dir: &Path, meta: &FileMeta) -> Arc<str> {
    dir.join(&meta.name).display().to_string().into()
}

/// Opens a file of a segment and checks its length.
///
/// # Errors
/// `Corrupt`, naming the file, when it is missing or has another length; `Io`.
pub(super) fn open_file(env: &dyn Env, dir: &Path, meta: &FileMeta) -> Result<Arc<dyn EnvReader>> {
    let path = dir.join(&meta.name);
    let name = path.display();
    let reader = env.open(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::with_source(
            ErrorKind::Corrupt,
            format!("segment file {name} is missing"),
            source,
        ),
        _ => Error::io(format!("cannot open segment file {name}"), source),
    })?;
    let len = reader.len();
    if len != meta.len {
        return Err(Error::corrupt(format!(
            "segment file {name} has {len} bytes, the manifest says {}",
            meta.len
        )));
    }
    Ok(reader)
}

/// The footer of a file of this format, read from `end`.
///
/// # Errors
/// `Corrupt` naming the file; `Io`.
fn load(input: &FileInput, end: &impl ChunkReader, table: Table) -> Result<ArrowReaderMetadata> {
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = input.decode(move || reader.parse_and_finish(end))?;
    // Before its columns are looked at: another format has others.
    let version = format_version(&metadata, &input.name)?;
    let options = ArrowReaderOptions::new().with_schema(stored_schema(table, version));
    input.decode(|| ArrowReaderMetadata::try_new(Arc::new(metadata), options))
}

/// The value of a key in a file's metadata.
fn pair<'a>(metadata: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
}

/// The rows of root spans.
fn roots(metadata: &ParquetMetaData, name: &str, rows: u32) -> Result<RoaringBitmap> {
    let roots = pair(metadata, ROOTS_KEY).and_then(rows_of_text);
    roots
        .filter(|roots| roots.max().is_none_or(|last| last < rows))
        .ok_or_else(|| {
            Error::corrupt(format!(
                "segment file {name} does not say which of its {rows} rows are root spans"
            ))
        })
}

/// The format of a file, which must be one that this program reads.
fn format_version(metadata: &ParquetMetaData, name: &str) -> Result<u32> {
    let known = [FORMAT_VERSION, WITHOUT_COST_SOURCE];
    match pair(metadata, FORMAT_KEY) {
        Some(found) => known.into_iter().find(|version| version.to_string() == found).ok_or_else(|| {
            Error::corrupt(format!(
                "segment file {name} has format version {found}, this build reads {WITHOUT_COST_SOURCE} and \
                 {FORMAT_VERSION}"
            ))
        }),
        None => Err(Error::corrupt(format!("segment file {name} has no format version"))),
    }
}

/// The first row of each row group, and the row count, also by itself.
fn group_starts(metadata: &ParquetMetaData, name: &str) -> Result<(Vec<u32>, u32)> {
    let mut start = 0_u32;
    let mut starts = vec![start];
    for group in metadata.row_groups() {
        let end = u32::try_from(group.num_rows())
            .ok()
            .and_then(|rows| start.checked_add(rows));
        let rows = group.num_rows();
        start = end.ok_or_else(|| {
            Error::corrupt(format!(
                "segment file {name} has {rows} rows after its first {start}"
            ))
        })?;
        starts.push(start);
    }
    Ok((starts, start))
}
