//! Reads the files of one segment. Opening it reads nothing: a table's file is opened and its footer
//! parsed with the first scan, and both are kept while the reader lives.
//!
//! Invariants:
//! * QU-2 zones leave out only rows that they exclude;
//! * QU-4 a scan reads the columns it names and no others.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;
use twox_hash::xxhash3_128;

use super::blocks::BlockCache;
use super::footer::{LazyFile, TableFile, describe_file, open_file};
use super::layout::file_name;
use super::projection::Projection;
use super::prune::{check_zones, prune};
use super::scan::{ScanFilter, SegmentScan};
use super::selection::wanted_rows;
use crate::columns::packing;
use crate::env::{Env, memory_len};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::manifest::{FileMeta, SegmentId, SegmentMeta};
use crate::scan::{BATCH_ROWS, RowStream, ScanRequest};
use crate::schema::Table;

/// Bytes hashed at once by `verify`.
const VERIFY_BYTES: u64 = 1 << 20;

/// An open segment.
#[derive(Debug, Clone)]
pub struct SegmentReader {
    env: Arc<dyn Env>,
    dir: PathBuf,
    meta: SegmentMeta,
    spans: Arc<LazyFile>,
    traces: Arc<LazyFile>,
    assessments: Arc<LazyFile>,
}

impl SegmentReader {
    /// A reader of the segment in `dir`, which the manifest describes as `meta`; it keeps decoded
    /// columns in `cache`. Reads nothing yet.
    ///
    /// # Errors
    /// `Corrupt` when `meta` names no file for a table that has rows.
    pub fn open(
        env: Arc<dyn Env>,
        dir: PathBuf,
        meta: &SegmentMeta,
        cache: Arc<BlockCache>,
    ) -> Result<Self> {
        let file = |table: Table, spans: Option<Arc<LazyFile>>| {
            let name = file_name(table);
            Arc::new(LazyFile {
                env: env.clone(),
                dir: dir.clone(),
                table,
                meta: meta.files.iter().find(|file| file.name == name).cloned(),
                rows: meta.rows(table),
                cache: cache.clone(),
                spans,
                file: OnceLock::new(),
            })
        };
        let spans = file(Table::Spans, None);
        let traces = file(Table::Traces, Some(spans.clone()));
        let assessments = file(Table::Assessments, None);
        let reader = Self {
            env: env.clone(),
            dir: dir.clone(),
            meta: meta.clone(),
            spans,
            traces,
            assessments,
        };
        for table in Table::ALL {
            if reader.rows(table) > 0 {
                reader.file(table).meta()?;
            }
        }
        Ok(reader)
    }

    /// Physical rows of a table.
    pub fn rows(&self, table: Table) -> u32 {
        self.meta.rows(table)
    }

    /// The rows that `request` asks for, without those in `mask` (superseded or deleted), in
    /// physical order.
    ///
    /// # Errors
    /// `InvalidInput` naming an unknown column; `Corrupt` naming a missing or damaged file; `Io`.
    /// The stream has besides the errors of the request's filters, and ends after its first error.
    pub fn scan(
        &self,
        table: Table,
        request: &ScanRequest,
        mask: Option<&RoaringBitmap>,
    ) -> Result<RowStream> {
        self.scan_whole(table, request, mask, true)
    }

    /// As [`SegmentReader::scan`]; `fills_cache` tells whether the blocks it goes through are kept.
    pub(super) fn scan_whole(
        &self,
        table: Table,
        request: &ScanRequest,
        mask: Option<&RoaringBitmap>,
        fills_cache: bool,
    ) -> Result<RowStream> {
        if table != Table::Spans || !packing::concerns(request) {
            return self.scan_stored(table, request, mask, fills_cache);
        }
        Projection::new(table, &request.columns)?;
        let (stored, columns) = (packing::stored_request(request), request.columns.clone());
        let batches = self.scan_stored(table, &stored, mask, fills_cache)?;
        Ok(Box::new(
            batches.map(move |batch| packing::restore(&batch?, &columns)),
        ))
    }

    /// Scans columns as the files have them.
    fn scan_stored(
        &self,
        table: Table,
        request: &ScanRequest,
        mask: Option<&RoaringBitmap>,
        fills_cache: bool,
    ) -> Result<RowStream> {
        let projection = Projection::new(table, &request.columns)?;
        let mut filters = Vec::with_capacity(request.filters.len());
        for (at, filter) in request.filters.iter().enumerate() {
            filters.push(ScanFilter::new(table, filter, at < request.total_filters)?);
        }
        check_zones(table, &request.zones)?;
        if self.rows(table) == 0 {
            return Ok(Box::new(std::iter::empty()));
        }
        let file = self.table_file(table)?;
        let kept = prune(&file, table, &request.zones)?;
        debug_assert!(
            mask.is_none_or(|mask| mask.max() < Some(self.rows(table))),
            "ST-3: rows that are masked are there"
        );
        let wanted = wanted_rows(self.rows(table), request.rows.as_ref(), kept, mask);
        let batch_rows = if request.batch_rows == 0 {
            BATCH_ROWS
        } else {
            request.batch_rows
        };
        let scan = SegmentScan::new(
            table,
            file,
            filters,
            projection,
            wanted,
            batch_rows,
            fills_cache,
        )?;
        Ok(Box::new(scan.counted(request.counters.clone())))
    }

    /// The first span without a parent among `rows` that is not in `mask`.
    ///
    /// # Errors
    /// `Corrupt` naming a missing or damaged file; `Io`.
    pub fn first_root(
        &self,
        rows: Range<u32>,
        mask: Option<&RoaringBitmap>,
    ) -> Result<Option<u32>> {
        let file = self.table_file(Table::Spans)?;
        Ok(file
            .roots()
            .range(rows)
            .find(|row| mask.is_none_or(|mask| !mask.contains(*row))))
    }

    /// Memory held by the footers parsed so far, in bytes, approximately.
    pub fn metadata_bytes(&self) -> usize {
        let files = [&self.spans, &self.traces, &self.assessments];
        files
            .into_iter()
            .filter_map(|file| file.opened())
            .map(|file| file.metadata_bytes())
            .sum()
    }

    /// Reads every file of the segment and compares length and hash with the manifest's.
    ///
    /// # Errors
    /// `Corrupt` naming the first file that differs or is missing; `Io`.
    pub fn verify(&self) -> Result<()> {
        self.meta
            .files
            .iter()
            .try_for_each(|file| verify_file(self.env.as_ref(), &self.dir, file, true).map(drop))
    }

    /// Reads the whole file of a table and compares it with its hash; the bytes read.
    ///
    /// # Errors
    /// As [`SegmentReader::verify`].
    pub fn verify_table(&self, table: Table) -> Result<u64> {
        verify_file(self.env.as_ref(), &self.dir, self.file(table).meta()?, true)
    }

    /// Opens the file of a table: its length, its footer and its number of rows are right.
    ///
    /// # Errors
    /// `Corrupt` naming the file; `Io`.
    pub fn check_end(&self, table: Table) -> Result<()> {
        self.table_file(table).map(drop)
    }

    /// The open file of a table.
    pub(super) fn table_file(&self, table: Table) -> Result<Arc<TableFile>> {
        self.file(table).get()
    }

    fn file(&self, table: Table) -> &Arc<LazyFile> {
        match table {
            Table::Spans => &self.spans,
            Table::Traces => &self.traces,
            Table::Assessments => &self.assessments,
        }
    }
}

/// What the manifest would say of the segment in `dir`, as its files tell; sequences and times, which they
/// do not tell, are 0. For repair, when the manifest is lost.
///
/// # Errors
/// `Corrupt` naming the file that cannot be read, `Io`.
pub fn describe(env: &dyn Env, dir: &Path, id: SegmentId) -> Result<SegmentMeta> {
    let mut meta = SegmentMeta {
        id,
        span_rows: 0,
        trace_rows: 0,
        assessment_rows: 0,
        min_time_ns: 0,
        max_time_ns: 0,
        first_sequence: 0,
        last_sequence: 0,
        files: Vec::new(),
    };
    for table in Table::ALL {
        let path = dir.join(file_name(table));
        if !env.exists(&path) {
            continue;
        }
        let len = env
            .open(&path)
            .map_err(|source| Error::io(path.display(), source))?
            .len();
        let (file, rows) = describe_file(env, dir, table, len)?;
        match table {
            Table::Spans => meta.span_rows = rows,
            Table::Traces => meta.trace_rows = rows,
            Table::Assessments => meta.assessment_rows = rows,
        }
        meta.files.push(file);
    }
    Ok(meta)
}

/// Compares a file with its length and, when `deep`, with its hash; the bytes read for that.
///
/// # Errors
/// `Corrupt` naming the file that differs or is missing; `Io`.
pub fn verify_file(env: &dyn Env, dir: &Path, meta: &FileMeta, deep: bool) -> Result<u64> {
    let (reader, name) = (open_file(env, dir, meta)?, dir.join(&meta.name));
    if !deep {
        return Ok(0);
    }
    let mut hasher = xxhash3_128::Hasher::new();
    let mut offset = 0;
    while offset < meta.len {
        interrupt::of_thread().check()?;
        let len = (meta.len - offset).min(VERIFY_BYTES);
        let bytes = memory_len(len)
            .and_then(|len| reader.read_at(offset, len))
            .map_err(|source| Error::io(format!("cannot read file {}", name.display()), source))?;
        hasher.write(&bytes);
        offset += len;
    }
    if hasher.finish_128() != meta.hash {
        return Err(Error::corrupt(format!(
            "segment file {} differs from what was written",
            name.display()
        )));
    }
    Ok(offset)
}
