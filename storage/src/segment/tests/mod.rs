//! What a segment gives back is compared with arrow's own `take` and `filter` on what was written.

mod data;
mod files;
mod mem;
mod scans;
mod stored;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;

use self::mem::TestEnv;
use super::{BlockCache, SegmentOptions, SegmentReader, SegmentWriter};
use crate::error::Result;
use crate::manifest::{FileMeta, SegmentId, SegmentMeta};
use crate::scan::ScanRequest;
use crate::schema::Table;

const DIR: &str = "seg/one";

/// Row groups and pages small enough that a few thousand rows have many.
fn small() -> SegmentOptions {
    SegmentOptions {
        row_group_rows_max: 700,
        light_page_rows_max: 64,
        heavy_page_bytes_max: 2048,
        payload_page_bytes_max: 4096,
        root_page_bytes_max: 1024,
        threads: 3,
        ..SegmentOptions::default()
    }
}

/// Too small to hold all columns, so that blocks come and go.
fn cache() -> Arc<BlockCache> {
    Arc::new(BlockCache::new(256 << 10))
}

struct Fixture {
    env: Arc<TestEnv>,
    reader: SegmentReader,
    meta: SegmentMeta,
    batches: Vec<(Table, RecordBatch)>,
}

impl Fixture {
    fn new(options: SegmentOptions, batches: Vec<(Table, RecordBatch)>) -> Self {
        let env = Arc::new(TestEnv::default());
        let files = write(env.as_ref(), Path::new(DIR), options, &batches).unwrap();
        let rows = |table| {
            batches
                .iter()
                .filter(|(t, _)| *t == table)
                .map(|(_, batch)| batch.num_rows() as u32)
                .sum()
        };
        let meta = SegmentMeta {
            id: SegmentId(1),
            span_rows: rows(Table::Spans),
            trace_rows: rows(Table::Traces),
            assessment_rows: rows(Table::Assessments),
            min_time_ns: 0,
            max_time_ns: i64::MAX,
            first_sequence: 1,
            last_sequence: 1,
            files,
        };
        let reader = SegmentReader::open(env.clone(), PathBuf::from(DIR), &meta, cache()).unwrap();
        Self {
            env,
            reader,
            meta,
            batches,
        }
    }

    fn all(traces: usize) -> Self {
        Self::new(small(), data::all_tables(traces, 42))
    }

    /// What was written, with the row number as last column.
    fn written(&self, table: Table) -> RecordBatch {
        let batch = &self.batches.iter().find(|(t, _)| *t == table).unwrap().1;
        let rows: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..batch.num_rows() as u32));
        let mut columns: Vec<(String, ArrayRef, bool)> = batch
            .schema()
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| (field.name().clone(), column.clone(), field.is_nullable()))
            .collect();
        columns.push(("_row".into(), rows, false));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    fn scan(
        &self,
        table: Table,
        request: &ScanRequest,
        mask: Option<&RoaringBitmap>,
    ) -> Result<RecordBatch> {
        let batches: Vec<RecordBatch> = self
            .reader
            .scan(table, request, mask)?
            .collect::<Result<_>>()?;
        let schema = self.expected(table, &request.columns, &[]).schema();
        for batch in &batches {
            assert!(batch.num_rows() > 0, "no empty batches");
            assert_eq!(batch.schema(), schema);
            if request.batch_rows > 0 {
                assert!(batch.num_rows() <= request.batch_rows);
            }
        }
        Ok(concat_batches(&schema, &batches).unwrap())
    }

    /// These rows and columns of what was written.
    fn expected(&self, table: Table, columns: &[String], rows: &[u32]) -> RecordBatch {
        let written = self.written(table);
        let indices: Vec<usize> = columns
            .iter()
            .map(|name| written.schema().index_of(name).unwrap())
            .collect();
        let projected = written.project(&indices).unwrap();
        take_record_batch(&projected, &UInt32Array::from(rows.to_vec())).unwrap()
    }

    /// Scans and compares with the rows that were written.
    fn check(
        &self,
        table: Table,
        request: &ScanRequest,
        mask: Option<&RoaringBitmap>,
        rows: &[u32],
    ) {
        let found = self.scan(table, request, mask).unwrap();
        assert_eq!(found, self.expected(table, &request.columns, rows));
    }
}

fn write(
    env: &TestEnv,
    dir: &Path,
    options: SegmentOptions,
    batches: &[(Table, RecordBatch)],
) -> Result<Vec<FileMeta>> {
    let mut writer = SegmentWriter::create(env, dir, options)?;
    for (table, batch) in batches {
        // Uneven pieces, so that row groups end inside a batch.
        let mut start = 0;
        for piece in [1, 500, 333, 5000].into_iter().cycle() {
            let len = (batch.num_rows() - start).min(piece);
            writer.write(*table, &batch.slice(start, len))?;
            start += len;
            if start == batch.num_rows() {
                break;
            }
        }
    }
    writer.finish()
}

fn names(table: Table) -> Vec<String> {
    table
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect()
}
