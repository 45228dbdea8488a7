//! Streams the rows of one table's file, block by block.
//!
//! Of each block with wanted rows, the columns of the first filter are read, then those of the next
//! for the rows that are left, and at last the asked columns (QU-4). Light columns come from the block
//! cache, or are decoded a few blocks ahead and put there; a scan for a few rows decodes these rows alone
//! and puts nothing there. Heavy columns are decoded for the rows that are left, and kept for short runs.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;

use super::block_rows::{Block, Current};
use super::blocks::{BLOCK_ROWS, BlockKey, Part};
use super::decode::{decode, decode_rows, short};
use super::footer::TableFile;
use super::projection::{Projection, ROW_COLUMN, compact};
use crate::env::EnvReader;
use crate::error::{Error, Result};
use crate::model::row_number;
use crate::scan::{RowFilter, RowPredicate, ScanCounters, ScanFigures};
use crate::schema::Table;

/// Blocks of a light column decoded together at most, when a scan goes through them all.
const AHEAD_BLOCKS_MAX: u32 = 16;

/// Up to this many rows next to each other, heavy columns are kept.
const KEPT_RUN_ROWS_MAX: usize = 2048;

/// A condition with its columns resolved.
#[derive(Clone)]
pub(super) struct ScanFilter {
    projection: Projection,
    keep: RowPredicate,
    /// Whether it may be put to rows that are not wanted, and reads nothing but light columns.
    is_total: bool,
}

impl ScanFilter {
    /// # Errors
    /// `InvalidInput` naming a column that the table does not have.
    pub(super) fn new(table: Table, filter: &RowFilter, is_total: bool) -> Result<Self> {
        let projection = Projection::new(table, &filter.columns)?;
        let is_light = |column: &String| column != ROW_COLUMN && !table.is_heavy(column);
        let is_total = is_total && filter.columns.iter().all(is_light);
        Ok(Self {
            projection,
            keep: filter.keep.clone(),
            is_total,
        })
    }
}

/// The batches of one scan.
pub(super) struct SegmentScan {
    table: Table,
    file: Arc<TableFile>,
    /// Keeps the file open, so that it is read to the end when its name is gone.
    _held: Arc<dyn EnvReader>,
    filters: Vec<ScanFilter>,
    projection: Projection,
    /// `None` when every row is wanted.
    wanted: Option<RoaringBitmap>,
    batch_rows: usize,
    /// The next block: row group and first physical row.
    next: (usize, u32),
    /// Whether blocks are decoded for the cache.
    fills_cache: bool,
    /// How many blocks each stage (the filters, then the projection) decodes together.
    ahead: Vec<u32>,
    /// Blocks decoded ahead, by column and first row.
    ready: HashMap<(usize, u32), ArrayRef>,
    /// The rest of a block that is larger than a batch.
    rest: Option<RecordBatch>,
    counters: Option<Arc<ScanCounters>>,
}

impl SegmentScan {
    pub(super) fn new(
        table: Table,
        file: Arc<TableFile>,
        filters: Vec<ScanFilter>,
        projection: Projection,
        wanted: Option<RoaringBitmap>,
        batch_rows: usize,
        fills_cache: bool,
    ) -> Result<Self> {
        assert!(batch_rows > 0, "a scan gives rows and ends");
        let held = file.handle()?;
        let ahead = vec![1; filters.len() + 1];
        let (next, ready, rest) = ((0, 0), HashMap::new(), None);
        Ok(Self {
            table,
            file,
            _held: held,
            filters,
            projection,
            wanted,
            batch_rows,
            next,
            fills_cache,
            ahead,
            ready,
            rest,
            counters: None,
        })
    }

    /// This scan, which adds what it reads to these counters.
    pub(super) fn counted(mut self, counters: Option<Arc<ScanCounters>>) -> Self {
        self.counters = counters;
        self
    }

    fn note(&self, figures: ScanFigures) {
        if let Some(counters) = &self.counters {
            counters.add(figures);
        }
    }

    fn note_decoded<'a>(&self, arrays: impl IntoIterator<Item = &'a ArrayRef>) {
        if self.counters.is_some() {
            for array in arrays {
                let decoded_bytes = array.get_array_memory_size() as u64;
                self.note(ScanFigures {
                    decoded_blocks: 1,
                    decoded_bytes,
                    ..ScanFigures::default()
                });
            }
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.rest.take() {
                let len = batch.num_rows().min(self.batch_rows);
                if len < batch.num_rows() {
                    self.rest = Some(batch.slice(len, batch.num_rows() - len));
                }
                return Ok(Some(batch.slice(0, len)));
            }
            let Some(block) = self.next_block() else {
                return Ok(None);
            };
            self.rest = self.read_block(block)?;
        }
    }

    /// The next block with wanted rows.
    fn next_block(&mut self) -> Option<Block> {
        loop {
            let (group, first) = self.next;
            if group >= self.file.group_count() {
                return None;
            }
            let (group_start, group_end) = self.file.group_rows(group);
            let mut start = first.max(group_start);
            if let Some(wanted) = &self.wanted {
                // Straight to the block of the next wanted row.
                let row = wanted.range(start..).next()?;
                start = if row < group_end {
                    row - (row - group_start) % BLOCK_ROWS
                } else {
                    group_end
                };
            }
            if start >= group_end {
                self.next = (group + 1, group_end);
                continue;
            }
            assert!(start >= first, "blocks come in the order of their rows");
            let end = group_end.min(start + BLOCK_ROWS);
            self.next = (group, end);
            return Some(Block {
                group,
                group_start,
                start,
                end,
            });
        }
    }

    fn read_block(&mut self, block: Block) -> Result<Option<RecordBatch>> {
        // What was decoded ahead for blocks that a filter then emptied is of no more use.
        self.ready.retain(|(_, start), _| *start >= block.start);
        let mut current = Current::new(block, self.wanted_rows(block));
        self.note(ScanFigures {
            rows: current.len() as u64,
            ..ScanFigures::default()
        });
        for stage in 0..self.filters.len() {
            let Some(filter) = self.filters.get(stage).cloned() else {
                continue;
            };
            let is_left = if filter.is_total && self.fills_cache && current.is_dense() {
                let batch = self.block_columns(stage, &mut current, &filter.projection)?;
                current.keep_of_whole(&(filter.keep)(&batch)?)?
            } else {
                let batch = self.columns(stage, &mut current, &filter.projection)?;
                current.keep(&(filter.keep)(&batch)?)?
            };
            if !is_left {
                self.ahead
                    .iter_mut()
                    .skip(stage + 1)
                    .for_each(|blocks| *blocks = 1);
                return Ok(None);
            }
        }
        let projection = self.projection.clone();
        let some = current.rows.is_some();
        let batch = self.columns(self.filters.len(), &mut current, &projection)?;
        debug_assert!(
            self.has_named_alone(&current),
            "QU-4: a scan reads the columns that it names and no others"
        );
        if !some {
            return Ok(Some(batch));
        }
        let columns = batch.columns().iter().cloned().map(compact).collect();
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(Some(RecordBatch::try_new_with_options(
            batch.schema(),
            columns,
            &options,
        )?))
    }

    /// Whether nothing was read of a block but columns that a filter or the projection names.
    fn has_named_alone(&self, current: &Current) -> bool {
        let filters = self.filters.iter().map(|filter| &filter.projection);
        let named: Vec<usize> = filters
            .chain([&self.projection])
            .flat_map(Projection::roots)
            .collect();
        current
            .whole
            .keys()
            .chain(current.columns.keys())
            .all(|root| named.contains(root))
    }

    /// The wanted rows of a block, counted from its first; `None` when they are all.
    fn wanted_rows(&self, block: Block) -> Option<UInt32Array> {
        let wanted = self.wanted.as_ref()?;
        let count = wanted.range_cardinality(block.start..block.end);
        if count == u64::from(block.end - block.start) {
            return None;
        }
        let rows = wanted.range(block.start..block.end);
        Some(UInt32Array::from_iter_values(
            rows.map(|row| row - block.start),
        ))
    }

    /// The columns of a projection for the rows that are left.
    fn columns(
        &mut self,
        stage: usize,
        current: &mut Current,
        projection: &Projection,
    ) -> Result<RecordBatch> {
        let schema = self.table.schema();
        let missing = current.missing(projection);
        let (mut heavy, light): (Vec<usize>, Vec<usize>) = missing.into_iter().partition(|root| {
            schema
                .fields()
                .get(*root)
                .is_some_and(|field| self.table.is_heavy(field.name()))
        });
        let missing = self.cached_light(current, &light);
        if self.fills_cache {
            self.read_light(stage, current, missing)?;
        } else {
            heavy.extend(missing);
            heavy.sort_unstable();
        }
        if !heavy.is_empty() {
            let arrays = self.read_heavy(current, &heavy)?;
            current.columns.extend(heavy.into_iter().zip(arrays));
        }
        projection.assemble(current.len(), |root| match root {
            None => Ok(Arc::new(current.row_numbers())),
            Some(root) => current.column(root),
        })
    }

    /// Light columns of a projection for all rows of the block, wanted or not.
    fn block_columns(
        &mut self,
        stage: usize,
        current: &mut Current,
        projection: &Projection,
    ) -> Result<RecordBatch> {
        let roots = current.missing(projection);
        let missing = self.cached_light(current, &roots);
        self.read_light(stage, current, missing)?;
        let count = current.block.len();
        projection.assemble(count, |root| {
            let array = root.and_then(|root| current.whole.get(&root).cloned());
            array.ok_or_else(|| Error::internal("a column of a block was not read"))
        })
    }

    /// Heavy columns of the rows that are left. Those of a short run are kept: searches begin with the
    /// newest rows, and the next one will too.
    fn read_heavy(&self, current: &Current, roots: &[usize]) -> Result<Vec<ArrayRef>> {
        let (runs, count) = (current.runs(), current.len());
        let decode = |roots: &[usize]| {
            let group = current.block.group;
            let arrays = decode_rows(&self.file, group, &runs, count, roots)?;
            self.note_decoded(&arrays);
            Ok::<_, Error>(arrays)
        };
        let [run] = runs.as_slice() else {
            return decode(roots);
        };
        if !self.fills_cache || count > KEPT_RUN_ROWS_MAX {
            return decode(roots);
        }
        let first_row = current.block.group_start + row_number(run.start)?;
        let key = |root: usize| {
            let part = Part::Run {
                column: root,
                rows: count,
            };
            BlockKey {
                file: self.file.number(),
                first_row,
                part,
            }
        };
        let kept: Vec<Option<ArrayRef>> =
            roots.iter().map(|root| self.cached(&key(*root))).collect();
        let is_kept = |root: &usize| {
            roots
                .iter()
                .zip(&kept)
                .any(|(kept, array)| kept == root && array.is_some())
        };
        let missing: Vec<usize> = roots
            .iter()
            .copied()
            .filter(|root| !is_kept(root))
            .collect();
        // Together: columns may share what is stored.
        let decoded = if missing.is_empty() {
            Vec::new()
        } else {
            decode(&missing)?
        };
        assert_eq!(decoded.len(), missing.len(), "each column is decoded");
        for (root, array) in missing.iter().zip(&decoded) {
            self.file.cache().insert(key(*root), array.clone());
        }
        let mut decoded = decoded.into_iter();
        let arrays = kept
            .into_iter()
            .map(|array| array.or_else(|| decoded.next()));
        arrays
            .collect::<Option<_>>()
            .ok_or_else(|| short(&self.file, 0, count))
    }

    /// Adds the light columns that are in memory; gives the others.
    fn cached_light(&mut self, current: &mut Current, roots: &[usize]) -> Vec<usize> {
        let start = current.block.start;
        let mut missing = Vec::new();
        for root in roots {
            let ready = self.ready.remove(&(*root, start));
            match ready.or_else(|| self.cached(&self.key(*root, start))) {
                Some(array) => drop(current.whole.insert(*root, array)),
                None => missing.push(*root),
            }
        }
        missing
    }

    fn read_light(
        &mut self,
        stage: usize,
        current: &mut Current,
        missing: Vec<usize>,
    ) -> Result<()> {
        if missing.is_empty() {
            return Ok(());
        }
        let block = current.block;
        self.decode_ahead(stage, block, &missing)?;
        for root in missing {
            let array = self.ready.remove(&(root, block.start));
            let array =
                array.ok_or_else(|| short(&self.file, 0, (block.end - block.start) as usize))?;
            current.whole.insert(root, array);
        }
        Ok(())
    }

    /// Decodes columns of a block, and of those after it while they are wanted too and the stage has
    /// been going through block after block.
    fn decode_ahead(&mut self, stage: usize, block: Block, roots: &[usize]) -> Result<()> {
        let (_, group_end) = self.file.group_rows(block.group);
        debug_assert!(
            stage < self.ahead.len(),
            "each filter is a stage, and the projection is the last"
        );
        let blocks = self.ahead.get(stage).copied().unwrap_or(1);
        let mut end = block.end;
        for _ in 1..blocks {
            let next = group_end.min(end.saturating_add(BLOCK_ROWS));
            let is_wanted = |wanted: &RoaringBitmap| wanted.range_cardinality(end..next) > 0;
            if end >= group_end || !self.wanted.as_ref().is_none_or(is_wanted) {
                break;
            }
            end = next;
        }
        if let Some(blocks) = self.ahead.get_mut(stage) {
            *blocks = (*blocks * 2).min(AHEAD_BLOCKS_MAX);
        }
        let rows = (block.start - block.group_start) as usize..(end - block.group_start) as usize;
        let batches = decode(&self.file, block.group, rows, BLOCK_ROWS as usize, roots)?;
        let mut start = block.start;
        for batch in batches {
            let rows = group_end.min(start + BLOCK_ROWS) - start;
            if batch.num_rows() != rows as usize {
                return Err(short(&self.file, batch.num_rows(), rows as usize));
            }
            self.note_decoded(batch.columns());
            for (root, array) in roots.iter().zip(batch.columns()) {
                self.file
                    .cache()
                    .insert(self.key(*root, start), array.clone());
                self.ready.insert((*root, start), array.clone());
            }
            start += rows;
        }
        Ok(())
    }

    fn cached(&self, key: &BlockKey) -> Option<ArrayRef> {
        let found = self.file.cache().get(key)?;
        self.note(ScanFigures {
            cached_blocks: 1,
            ..ScanFigures::default()
        });
        Some(found)
    }

    fn key(&self, column: usize, first_row: u32) -> BlockKey {
        BlockKey {
            file: self.file.number(),
            first_row,
            part: Part::Column(column),
        }
    }
}

impl Iterator for SegmentScan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_batch().transpose();
        if matches!(next, Some(Err(_))) {
            self.rest = None;
            self.next = (self.file.group_count(), 0);
        }
        next
    }
}
