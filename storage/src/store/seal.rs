//! Sealing: a frozen memtable becomes a segment.
//!
//! 1. Order the rows that the memtable itself does not mask. Rows masked by the *active* memtable are
//!    kept: their successors are only in the write-ahead log, which replays against this segment.
//! 2. Write the files in `tmp/`, sync them, move the folder to `seg/`, sync that (ST-2).
//! 3. Manifest edit: the segment, the rows the memtable masks in older segments, the new start of
//!    replay. == committed ==
//! 4. Swap memtable for segment; masks of the active memtable are renumbered.
//! 5. Drop write-ahead log files that replay no longer needs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;

use arrow::array::RecordBatch;

use super::order::{Ordered, RowMap, order};
use super::{State, Store, lock, segment_dir};
use crate::columns::{times, with_span_runs};
use crate::env::Env;
use crate::error::{Error, ErrorKind, Result};
use crate::kv::SegmentIndex;
use crate::manifest::{ManifestEdit, SegmentId, SegmentMeta};
use crate::memtable::{Memtable, SourceId};
use crate::model::row_number;
use crate::scan::{RowStream, STORED_ATTRIBUTES};
use crate::schema::Table;
use crate::segment::{SegmentOptions, SegmentReader, SegmentWriter};
use crate::snapshot::build_index;
use crate::snapshot::{RowRef, read_rows};
use crate::snapshot::{Rows, Segment, Source};
use crate::text::{INDEXED_COLUMNS, TextLocation, TextReader, TextWriter, merge_indexes};

/// Rows gathered at a time.
const GATHER_ROWS: usize = 4096;

/// A segment written and in place, not yet in the manifest.
pub(super) struct Written {
    pub meta: SegmentMeta,
    pub text: Option<TextReader>,
    pub index: SegmentIndex,
    pub orders: Vec<Ordered>,
}

impl Store {
    /// Seals everything in memory. Returns when it is in a segment and the log is cut.
    ///
    /// # Errors
    /// `Io` or `Closed`; nothing is lost then, the log still has it.
    pub fn seal(&self) -> Result<()> {
        self.seal_frozen()?;
        if self.options.inline_maintenance {
            self.make_segment_room(None)?;
        }
        {
            let mut log = lock(&self.log);
            if lock(&self.state).active.is_empty() {
                return Ok(());
            }
            self.freeze(&mut log, None)?;
        }
        self.seal_frozen().map(|_| ())
    }

    /// Seals the frozen memtable, when there is one.
    ///
    /// # Errors
    /// As [`Store::seal`].
    pub fn seal_frozen(&self) -> Result<bool> {
        let _one_at_a_time = lock(&self.maintenance);
        let sealed = self.seal_slot();
        lock(&self.state).seal_failure = sealed
            .as_ref()
            .err()
            .map(|error| (error.kind(), error.to_string()));
        self.changed.notify_all();
        sealed
    }

    fn seal_slot(&self) -> Result<bool> {
        let Some(frozen) = lock(&self.state).frozen.clone() else {
            return Ok(false);
        };
        let source = self.own_source(&frozen);
        assert!(frozen.dirty.is_empty(), "what is sealed is folded");
        let sequences = (frozen.first_sequence, frozen.last_sequence);
        let with_text = self.options.index_text && self.options.inline_maintenance;
        let written = if frozen.view.is_empty() {
            None
        } else {
            self.write_segment(&[source], sequences, with_text, None)?
        };
        let mut edit = ManifestEdit {
            replay_from: Some(frozen.last_sequence + 1),
            ..ManifestEdit::default()
        };
        for (source, masks) in &frozen.imposed {
            let SourceId::Segment(id) = source else {
                return Err(Error::internal(
                    "a frozen memtable masks rows of another memtable",
                ));
            };
            edit.add_masks
                .extend(masks.iter().map(|(table, rows)| (*id, table, rows.clone())));
        }
        // Opened before the commit: past it nothing may fail, or the rows would be sealed twice.
        let opened = written
            .map(|written| self.open_written(written))
            .transpose()?;
        edit.add_segments
            .extend(opened.iter().map(|(segment, _)| segment.meta().clone()));
        let committed = self.commit_manifest(edit, |state| swap_frozen(state, &frozen, opened))?;
        assert_eq!(
            committed.replay_from,
            frozen.last_sequence + 1,
            "ST-2: replay begins behind what is sealed"
        );
        self.deletions.clear(self.env.as_ref());
        self.cut_wal()?;
        Ok(true)
    }

    /// The memtable as a source with only its own mask.
    fn own_source(&self, memtable: &Memtable) -> Source {
        let own = |table: Table| {
            Some(memtable.view.log(table).mask().clone()).filter(|mask| !mask.is_empty())
        };
        Source::new(Rows::Memtable(memtable.view.clone()), Table::ALL.map(own))
    }

    /// A handle on a segment just written, with its index in the metadata store.
    pub(super) fn open_written(&self, written: Written) -> Result<(Arc<Segment>, Vec<Ordered>)> {
        let Written {
            meta,
            text,
            index,
            orders,
        } = written;
        assert_eq!(
            index.trace_rows.len(),
            meta.trace_rows as usize,
            "ST-5: the index has each trace's row"
        );
        assert_eq!(
            index
                .span_runs
                .iter()
                .map(|run| u64::from(run.row_count))
                .sum::<u64>(),
            u64::from(meta.span_rows),
            "ST-5: each span is in the run of its trace"
        );
        let dir = segment_dir(meta.id);
        let reader = SegmentReader::open(self.env.clone(), dir.clone(), &meta, self.cache.clone())?;
        // Derived: what cannot be written now is rebuilt by the first lookup (ST-5).
        let _ = self.meta_store.add_segment(meta.id, &index);
        let segment = Segment::new(
            self.env.clone(),
            dir,
            meta,
            reader,
            text.into(),
            self.meta_store.clone(),
            self.deletions.clone(),
        );
        segment.set_traces(&index);
        Ok((Arc::new(segment), orders))
    }

    /// Writes the visible rows of `sources` as one segment, with its text index if wanted; `None` when
    /// there is no row at all. Ends with `Closed` soon after `stop` is set.
    pub(super) fn write_segment(
        &self,
        sources: &[Source],
        sequences: (u64, u64),
        with_text: bool,
        stop: Option<&AtomicBool>,
    ) -> Result<Option<Written>> {
        let orders = Table::ALL
            .iter()
            .map(|table| order(sources, *table))
            .collect::<Result<Vec<_>>>()?;
        if orders.iter().all(|ordered| ordered.rows.is_empty()) {
            return Ok(None);
        }
        for ordered in &orders {
            check_complete(sources, ordered)?;
        }
        assert!(
            sequences.0 <= sequences.1,
            "rows of a segment have sequences"
        );
        let id = SegmentId(self.env.new_ulid());
        let (tmp, dir) = (Path::new("tmp").join(id.to_string()), segment_dir(id));
        let io = |what: &Path, e| Error::io(what.display(), e);
        let (files, index, time_range, in_memory) = std::thread::scope(|scope| {
            let text =
                with_text.then(|| scope.spawn(|| self.write_text(sources, &orders, &tmp, stop)));
            let files = self.write_tables(sources, &orders, &tmp, stop);
            let index = build_index(|table, columns| stream(sources, &orders, table, columns));
            let range = time_range(sources, &orders);
            let text = match text.map(ScopedJoinHandle::join) {
                Some(joined) => {
                    joined.map_err(|_| Error::internal("the text index writer panicked"))??
                }
                None => None,
            };
            Ok::<_, Error>((files?, index?, range?, text))
        })?;
        self.env.rename(&tmp, &dir).map_err(|e| io(&dir, e))?;
        self.env
            .sync_dir(Path::new("seg"))
            .map_err(|e| io(Path::new("seg"), e))?;
        let count = |table: Table| rows_of(&orders, table);
        let meta = SegmentMeta {
            id,
            span_rows: count(Table::Spans)?,
            trace_rows: count(Table::Traces)?,
            assessment_rows: count(Table::Assessments)?,
            min_time_ns: time_range.0,
            max_time_ns: time_range.1,
            first_sequence: sequences.0,
            last_sequence: sequences.1,
            files,
        };
        assert!(
            meta.min_time_ns <= meta.max_time_ns,
            "the times of a segment are a range"
        );
        let text = in_memory.or_else(|| open_text(self.env.as_ref(), &dir, meta.span_rows));
        Ok(Some(Written {
            meta,
            text,
            index,
            orders,
        }))
    }

    fn write_tables(
        &self,
        sources: &[Source],
        orders: &[Ordered],
        dir: &Path,
        stop: Option<&AtomicBool>,
    ) -> Result<Vec<crate::manifest::FileMeta>> {
        let mut options = SegmentOptions::default();
        // Bloom filters begin as large as a row group may become.
        let rows = orders
            .iter()
            .map(|ordered| ordered.rows.len())
            .max()
            .unwrap_or(0);
        options.row_group_rows_max = options.row_group_rows_max.min(rows);
        let mut writer = SegmentWriter::create(self.env.as_ref(), dir, options)?;
        let spans = orders.iter().find(|ordered| ordered.table == Table::Spans);
        for ordered in orders {
            let columns: Vec<&str> = ordered
                .table
                .columns()
                .into_iter()
                .map(stored_name)
                .collect();
            for rows in ordered.rows.chunks(GATHER_ROWS) {
                check_stop(stop)?;
                let stored = read_rows(sources, ordered.table, rows, &columns)?;
                let mut batch =
                    RecordBatch::try_new(ordered.table.schema(), stored.columns().to_vec())?;
                if ordered.table == Table::Traces {
                    batch = with_span_runs(&batch, |key| {
                        spans.and_then(|spans| spans.runs.get(&key).copied())
                    })?;
                }
                writer.write(ordered.table, &batch)?;
            }
        }
        writer.finish()
    }

    /// Makes the text index beside the files: of the indexes of the sources if all have one, else of the
    /// rows. That of a database in memory is returned.
    fn write_text(
        &self,
        sources: &[Source],
        orders: &[Ordered],
        dir: &Path,
        stop: Option<&AtomicBool>,
    ) -> Result<Option<TextReader>> {
        let dir = dir.join("text");
        let spans = || {
            orders
                .iter()
                .filter(|ordered| ordered.table == Table::Spans)
        };
        let indexes: Option<Vec<Arc<TextReader>>> = sources.iter().map(Source::text).collect();
        if let Some(indexes) = indexes {
            let rows: Vec<(usize, u32)> = spans()
                .flat_map(|ordered| &ordered.rows)
                .map(|row| (row.source, row.row))
                .collect();
            let location = self.text_location(&dir)?;
            let in_memory = matches!(location, TextLocation::Memory);
            match merge_indexes(location, &indexes, &rows, &|| check_stop(stop)) {
                Ok(reader) => return Ok(in_memory.then_some(reader)),
                Err(error) if error.kind() == ErrorKind::Closed => return Err(error),
                // Derived: what is damaged is made anew from the rows (ST-5).
                Err(_) => {}
            }
        }
        let location = self.text_location(&dir)?;
        let in_memory = matches!(location, TextLocation::Memory);
        let mut writer = TextWriter::create(location)?;
        for rows in spans().flat_map(|ordered| ordered.rows.chunks(GATHER_ROWS)) {
            check_stop(stop)?;
            writer.add(&read_rows(sources, Table::Spans, rows, INDEXED_COLUMNS)?)?;
        }
        let reader = writer.finish()?;
        Ok(in_memory.then_some(reader))
    }

    /// An empty folder for a text index, or memory.
    pub(super) fn text_location(&self, dir: &Path) -> Result<TextLocation> {
        let Some(folder) = self.env.folder(dir) else {
            return Ok(TextLocation::Memory);
        };
        let io = |e| Error::io(dir.display(), e);
        if self.env.exists(dir) {
            self.env.remove_dir_all(dir).map_err(io)?;
        }
        self.env.create_dir_all(dir).map_err(io)?;
        Ok(TextLocation::Directory(folder))
    }
}

/// Step 4: the segment of a frozen memtable takes its place; without one it had no row that is visible.
fn swap_frozen(state: &mut State, frozen: &Memtable, opened: Option<(Arc<Segment>, Vec<Ordered>)>) {
    let id = state.frozen.as_ref().map(|frozen| frozen.id());
    assert_eq!(id, Some(frozen.id()), "what was sealed is what is frozen");
    let masks = state.active.imposed.remove(&frozen.id());
    assert!(
        opened.is_some() || masks.is_none(),
        "ST-3: rows that the active memtable masks were sealed"
    );
    if let Some((segment, orders)) = opened {
        for (ordered, (table, rows)) in masks.iter().flat_map(|masks| {
            orders
                .iter()
                .map(move |o| (o, (o.table, masks.get(o.table))))
        }) {
            if let Some(rows) = rows {
                let map = RowMap::of(ordered, 0, frozen.view.log(table).rows());
                let moved = map.translate(rows);
                let masks = state
                    .active
                    .imposed
                    .entry(SourceId::Segment(segment.id()))
                    .or_default();
                masks.extend(table, &moved);
            }
        }
        state.segments.push(segment);
    }
    state.frozen = None;
    state.rebuild_older();
}

/// The text index of a segment in place; a missing or damaged one is no error, it is built anew (ST-5).
pub(super) fn open_text(env: &dyn Env, dir: &Path, span_rows: u32) -> Option<TextReader> {
    let folder = env.folder(&dir.join("text"))?;
    TextReader::open(&folder, span_rows).ok()
}

/// Attributes go from one place to the next as they are stored.
fn stored_name(column: &str) -> &str {
    if column == "attributes" {
        STORED_ATTRIBUTES
    } else {
        column
    }
}

fn check_stop(stop: Option<&AtomicBool>) -> Result<()> {
    match stop {
        Some(stop) if stop.load(Ordering::Acquire) => Err(Error::new(
            ErrorKind::Closed,
            "interrupted: the database is being closed",
        )),
        _ => Ok(()),
    }
}

/// The rows of a table that a segment gets.
fn rows_of(orders: &[Ordered], table: Table) -> Result<u32> {
    let ordered = orders.iter().find(|ordered| ordered.table == table);
    ordered.map_or(Ok(0), |ordered| row_number(ordered.rows.len()))
}

/// Checks that no visible row of the sources is left out, and none comes twice: they end with the commit.
fn check_complete(sources: &[Source], ordered: &Ordered) -> Result<()> {
    let visible: u64 = sources
        .iter()
        .map(|source| source.visible_rows(ordered.table))
        .sum();
    let (found, table) = (ordered.rows.len() as u64, ordered.table.name());
    if found != visible {
        return Err(Error::internal(format!(
            "a segment would have {found} of {visible} rows of {table}"
        )));
    }
    Ok(())
}

/// Rows of a table in order, gathered piece by piece.
fn stream(
    sources: &[Source],
    orders: &[Ordered],
    table: Table,
    columns: &[&str],
) -> Result<RowStream> {
    let rows: Vec<RowRef> = orders
        .iter()
        .filter(|ordered| ordered.table == table)
        .flat_map(|o| o.rows.iter().copied())
        .collect();
    let batches: Vec<Result<RecordBatch>> = rows
        .chunks(GATHER_ROWS)
        .map(|rows| read_rows(sources, table, rows, columns))
        .collect();
    Ok(Box::new(batches.into_iter()))
}

/// Smallest and largest start of spans and traces; (0, 0) for a segment with assessments only.
fn time_range(sources: &[Source], orders: &[Ordered]) -> Result<(i64, i64)> {
    let mut range: Option<(i64, i64)> = None;
    for (table, column) in [
        (Table::Spans, "start_time"),
        (Table::Traces, "request_time"),
    ] {
        for batch in stream(sources, orders, table, &[column])? {
            for time in times(&batch?, column)?.values() {
                let (min, max) = range.unwrap_or((*time, *time));
                range = Some((min.min(*time), max.max(*time)));
            }
        }
    }
    Ok(range.unwrap_or((0, 0)))
}
