//! Applying an acknowledged operation to memory: where a row that came late, again or changed
//! becomes the next version of a row, and where the version before it is masked.
//!
//! `commit.rs` calls this once an operation is in the log and synced, `replay.rs` when an open, or
//! a process that follows the writer, reads it from there. Both run the same code, so both end with
//! the same visible rows (ST-3). It runs under the state lock and writes no file.
//!
//! # Versions of a row
//!
//! No row is ever changed. A new version is a new row, appended to the active memtable, and the row
//! that it replaces is *masked*. Of each key one row at most is not masked, and that one is
//! visible:
//!
//! * A span is known by (trace id, span id). The one with the later sequence number wins, with two
//!   exceptions: one with the same content is a duplicate and dropped, and one without an end does
//!   not replace one that has ended. Clocks decide nothing. Log records stay with their span,
//!   whichever of its versions is visible: the new row is made of both (`apply_logs.rs`).
//! * A trace has one row, folded from all of its visible spans with the explicit edits (tags, a
//!   start) on top. New spans only note the trace as *dirty*; its row is folded when someone takes
//!   a snapshot, when an edit or a delete needs the row, or when the memtable is frozen.
//! * An assessment is known by (trace id, assessment id).
//! * A delete appends nothing: it masks all rows of the trace. There is no tombstone, so a span
//!   that comes after the delete begins the trace anew.
//!
//! # Masks
//!
//! A mask is a bitmap of row numbers of one table of one *source* (a segment or a memtable). Where
//! a mask is kept depends on who holds the newer version:
//!
//! * **own**: newer and older version are in the same memtable. Sealing leaves the older row out.
//! * **imposed**: the older row is in an older source, a segment or the frozen memtable. The
//!   memtable with the newer version keeps the bitmap (`Memtable::imposed`), the older source is
//!   not touched.
//! * **committed**: sealing a memtable makes a segment of its rows and adds the masks that it
//!   imposed to those of the manifest, in one manifest edit: after a crash both are there or
//!   neither is.
//!
//! # Snapshots
//!
//! A snapshot is taken under the state lock too: it sees the whole of an operation or nothing. It
//! holds the list of sources and for each the union of its own or committed mask with what newer
//! memtables impose on it. Chunks of rows are immutable, bitmaps are copied before they are changed
//! while a snapshot shares them, and segments hold their files: what comes later does not reach it.
//!
//! # An example
//!
//! `S1.spans[0]` is row 0 of the spans of segment S1; M1, M2, M3 are memtables in order.
//!
//! ```text
//! seq  what happens                 rows that are written       masks after it
//! ---  ---------------------------  --------------------------  ---------------------------------
//!   1  span s comes, without end    M1.spans[0]
//!      snapshot A folds its trace   M1.traces[0]
//!      M1 is sealed as S1           S1.spans[0] S1.traces[0]
//!   2  s comes again, ended         M2.spans[0]                 M2 imposes S1.spans{0}
//!      snapshot B folds its trace   M2.traces[0]                M2 imposes S1.traces{0} too
//!   3  a tag on the trace           M2.traces[1]                M2's own: traces{0}
//!      M2 is frozen, M3 is active
//!   4  another tag                  M3.traces[0]                M3 imposes M2.traces{1}
//!      snapshot C
//!      M2 is sealed as S2           S2.spans[0] S2.traces[0]    committed: S1.spans{0} traces{0}
//!                                                               M3 imposes S2.traces{0} instead
//!      S1, S2 are merged as S3      S3.spans[0] S3.traces[0]    committed: none
//!                                                               M3 imposes S3.traces{0} instead
//!      M3 is sealed as S4           S4.traces[0]                committed: S3.traces{0}
//! ```
//!
//! * Snapshot A sees `M1.spans[0]` and `M1.traces[0]`, B sees `M2.spans[0]` and `M2.traces[0]`, C
//!   sees `M2.spans[0]` and `M3.traces[0]`, whenever they are asked: B knows no tag even after the
//!   merge. B and C hold S1, whose files go when the last of the two is dropped, and the rows of
//!   M2.
//! * Sealing M2 leaves out `M2.traces[0]`, which M2 itself masks. It keeps `M2.traces[1]`, which M3
//!   masks: the newer version is in the log only, and the log replays against this segment. The row
//!   is now `S2.traces[0]`, so the mask of M3 is renumbered when S2 takes the place of M2.
//! * The merge drops the rows of S1, whose masks are committed, and keeps `S2.traces[0]` for the
//!   same reason. The masks of S1 leave the manifest with S1.
//!
//! # Crash and replay
//!
//! What memory held is lost: memtables with their own and imposed masks. The manifest names the
//! segments, their committed masks and the first sequence that is not in a segment, `replay_from`.
//! Replay applies the records from there on to an empty memtable and so imposes the masks again:
//!
//! ```text
//! the process dies                       the manifest has            applied again
//! -------------------------------------  --------------------------  ----------------------------
//! after 4, S2 written, not committed     S1, replay_from 2           2, 3, 4; the open removes S2
//! after S2's edit, before the log's cut  S1 masked, S2; from 4       4, against S2; not 2 and 3
//! after the merge                        S3, replay_from 4           4, against S3
//! after S4's edit                        S3 masked, S4; from 5       nothing
//! ```
//!
//! Each ends with the same two visible rows, the ended span and the trace with both tags. Row
//! numbers may differ from those before the crash; no file and no log record depends on a row
//! number in memory.
//!
//! # Garbage
//!
//! A masked row costs space and is skipped by every scan until compaction, which drops what
//! committed masks name (`compact.rs`); `erase.rs` does it at once. Old files go when the last
//! snapshot lets go of them and no reader in another process pins a manifest version that names
//! them (ST-2).
//!
//! # Failure
//!
//! Reading an older, damaged segment may fail. Nothing is changed then: all is read before the
//! first row is masked or appended. In a replay the error ends the open; a live write is refused,
//! and since it is not acknowledged, the log may be cut behind it.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use roaring::RoaringBitmap;

use super::operation::{Applied, Mutation, Operation};
use super::{Assess, Reassess, State};
use crate::columns::{
    RequiredText, assessment_at, assessments_batch, required_text, times, trace_at, traces_batch,
    uints,
};
use crate::error::{Error, Result};
use crate::fold::add_lent;
use crate::fold::add_top_hints;
use crate::fold::{FOLD_COLUMNS, FoldInputs, add_fold_inputs, refold};
use crate::memtable::SourceId;
use crate::model::{Assessment, TraceEdit, TraceKey, TraceRow, normalize_trace_id};
use crate::parallel::{LOOKUPS_OF_THREAD, parallel_map, threads_for};
use crate::schema::Table;
use crate::snapshot::{RowRef, read_rows};
use crate::snapshot::{Rows, Source};

/// What is read of stored spans to tell duplicates.
const STORED_COLUMNS: &[&str] = &["span_id", "_content_hash", "end_time"];

/// Rows of traces that are worth a thread: each costs the decoding of its pages.
const ROWS_OF_THREAD: usize = 32;

/// Where a span that is already stored is, and what it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredSpan {
    pub(super) source: SourceId,
    pub(super) row: u32,
    pub(super) content_hash: u64,
    /// It has no end yet.
    is_open: bool,
}

impl StoredSpan {
    /// Whether another span of its id takes its place: a span that has ended is not opened again by a report
    /// that was late.
    pub(super) fn gives_way_to(&self, content_hash: u64, is_open: bool) -> bool {
        self.content_hash != content_hash && (self.is_open || !is_open)
    }
}

/// Stored spans by trace and span id.
pub(super) type StoredSpans = HashMap<TraceKey, HashMap<String, StoredSpan>>;

/// The visible row of a trace and where it is.
pub(super) struct CurrentTrace {
    source: SourceId,
    row: u32,
    pub(super) trace: TraceRow,
}

impl State {
    /// Applies one operation.
    pub(super) fn apply(&mut self, operation: Operation, sequence: u64) -> Result<Applied> {
        let last = self.active.last_sequence;
        assert!(
            sequence > last,
            "ST-3: operation {sequence} is applied once, and not after {last}"
        );
        self.active.last_sequence = sequence;
        self.snapshot = None;
        match operation {
            Operation::Spans(batch) => self.apply_spans(batch),
            Operation::Mutation(Mutation::Edit(edits)) => self.apply_edits(edits),
            Operation::Mutation(Mutation::Assess(assess)) => self.apply_assessments(assess),
            Operation::Mutation(Mutation::Reassess(change)) => self.apply_reassessment(change),
            Operation::Mutation(Mutation::Delete(ids)) => self.apply_delete(&ids),
            Operation::Mutation(Mutation::Join(fragments)) => self.apply_join(fragments),
        }
    }

    /// Counts a write that is in the log and could not be applied; the error for its caller.
    pub(super) fn refuse(&mut self, error: Error) -> Error {
        self.refused_writes += 1;
        Error::with_source(
            error.kind(),
            "the write was logged but could not be applied",
            error,
        )
    }

    fn apply_spans(&mut self, batch: RecordBatch) -> Result<Applied> {
        let mut applied = Applied::default();
        let (traces, spans) = (
            required_text(&batch, "trace_id")?,
            required_text(&batch, "span_id")?,
        );
        let hashes = uints(&batch, "_content_hash")?;
        let keys: Vec<TraceKey> = traces.iter().map(TraceKey::of).collect();
        let stored = self.stored_spans(&keys)?;
        let ends = times(&batch, "end_time")?;
        let winners = winners(&keys, spans, &batch, &mut applied)?;
        let mut joined = self.join_stored(&batch, &winners, &stored)?;
        let mut keep = Vec::with_capacity(batch.num_rows());
        for (row, key) in keys.iter().enumerate() {
            let id = spans.value(row);
            let mut kept = winners.get(&(*key, id)) == Some(&row);
            if let (true, Some(old)) = (kept, stored.get(key).and_then(|spans| spans.get(id))) {
                let (differs, replaces, is_new) = match joined.changes.get(&row) {
                    Some(change) => {
                        applied.claimed_records += if change.stood_in { change.records } else { 0 };
                        (change.differs, change.differs, change.stood_in)
                    }
                    None => {
                        let hash = hashes.value(row);
                        (
                            old.content_hash != hash,
                            old.gives_way_to(hash, ends.is_null(row)),
                            false,
                        )
                    }
                };
                kept = replaces;
                applied.spans += u64::from(is_new);
                applied.duplicate_spans += u64::from(!is_new);
                applied.conflicting_spans += u64::from(differs && !is_new);
                if kept {
                    self.mask(old.source, Table::Spans, old.row);
                }
            } else if kept {
                applied.spans += 1;
            }
            if kept {
                self.active.dirty.insert(*key);
            }
            keep.push(kept && !joined.changes.contains_key(&row));
        }
        let counted = applied.spans + applied.duplicate_spans;
        assert_eq!(
            counted,
            keep.len() as u64,
            "each span that came is a new one or was there"
        );
        assert!(
            applied.conflicting_spans <= applied.duplicate_spans,
            "what is new conflicts with nothing"
        );
        let all = keep.iter().all(|kept| *kept);
        let batch = if all {
            batch
        } else {
            filter_record_batch(&batch, &BooleanArray::from(keep))?
        };
        self.active.view.log_mut(Table::Spans).append(batch)?;
        if let Some(rows) = joined.rows.take() {
            self.active.view.log_mut(Table::Spans).append(rows)?;
        }
        Ok(applied)
    }

    /// The stored spans of these traces, by span id; traces without any are left out.
    pub(super) fn stored_spans(&mut self, keys: &[TraceKey]) -> Result<StoredSpans> {
        let mut stored = StoredSpans::new();
        let distinct: HashSet<TraceKey> = keys.iter().copied().collect();
        for key in distinct {
            let mut spans = HashMap::new();
            let rows: Vec<u32> = self.active.view.rows_of(Table::Spans, key).iter().collect();
            if !rows.is_empty() {
                let batch = self
                    .active
                    .view
                    .log(Table::Spans)
                    .gather(&rows, STORED_COLUMNS)?;
                collect_stored(&mut spans, &batch, self.active.id(), rows.into_iter())?;
            }
            if rows_are_new(self, key) && self.older_trace_row(key)?.is_some() {
                self.active.known_older.insert(key);
            }
            if self.active.known_older.contains(&key) {
                for older in self.older_rows(Table::Spans, key)? {
                    let batch =
                        older
                            .source
                            .read_sorted(Table::Spans, &older.rows, STORED_COLUMNS)?;
                    collect_stored(&mut spans, &batch, older.source.id(), older.rows.iter())?;
                }
            }
            if !spans.is_empty() {
                stored.insert(key, spans);
            }
        }
        Ok(stored)
    }

    /// Masks a row, wherever it is.
    pub(super) fn mask(&mut self, source: SourceId, table: Table, row: u32) {
        debug_assert!(
            source == self.active.id()
                || self
                    .older
                    .iter()
                    .any(|older| older.id() == source && row < older.rows(table)),
            "ST-3: row {row} of {} of {source:?} is there to be masked",
            table.name()
        );
        if source == self.active.id() {
            self.active.view.log_mut(table).mask_row(row);
        } else {
            self.active
                .imposed
                .entry(source)
                .or_default()
                .insert(table, row);
        }
    }

    /// Recomputes the rows of traces whose spans changed.
    pub(super) fn fold_dirty(&mut self) -> Result<()> {
        let dirty = std::mem::take(&mut self.active.dirty);
        if dirty.is_empty() {
            return Ok(());
        }
        let folded = self.fold_traces(&dirty);
        assert!(self.active.dirty.is_empty(), "folding makes no trace dirty");
        if folded.is_err() {
            self.active.dirty = dirty;
        }
        folded
    }

    fn fold_traces(&mut self, dirty: &HashSet<TraceKey>) -> Result<()> {
        let mut spans = self.fold_inputs(dirty)?;
        let mut current = self.current_traces(dirty)?;
        let mut rows = Vec::with_capacity(dirty.len());
        let mut superseded = Vec::new();
        for key in dirty {
            let spans = spans.remove(key);
            let Some(old) = current.remove(key) else {
                let trace_id = spans.as_ref().map(|(trace_id, _)| trace_id.clone());
                rows.extend(trace_id.and_then(|id| refold(&id, spans, TraceEdit::default())));
                continue;
            };
            superseded.push((old.source, old.row));
            rows.extend(refold(&old.trace.trace_id, spans, old.trace.edit));
        }
        assert!(
            spans.is_empty() && current.is_empty(),
            "what is read is of the traces that are dirty"
        );
        assert!(rows.len() <= dirty.len(), "a trace has one row");
        rows.sort_by(|a, b| {
            (a.request_time_ns, &a.trace_id).cmp(&(b.request_time_ns, &b.trace_id))
        });
        for (source, row) in superseded {
            self.mask(source, Table::Traces, row);
        }
        self.active
            .view
            .log_mut(Table::Traces)
            .append(traces_batch(&rows)?)?;
        Ok(())
    }

    /// All visible spans of these traces, wherever they are.
    pub(super) fn fold_inputs(&self, keys: &HashSet<TraceKey>) -> Result<FoldInputs> {
        let mut inputs = FoldInputs::new();
        let mut sources = vec![self.active_source()];
        let mut rows = Vec::new();
        for key in keys {
            rows.extend(self.active.view.rows_of(Table::Spans, *key).iter());
        }
        let batch = self
            .active
            .view
            .log(Table::Spans)
            .gather(&rows, FOLD_COLUMNS)?;
        add_fold_inputs(
            &mut inputs,
            &batch,
            rows.into_iter().map(|row| RowRef { source: 0, row }),
        )?;
        for key in keys
            .iter()
            .filter(|key| self.active.known_older.contains(key))
        {
            for older in self.older_rows(Table::Spans, *key)? {
                let batch = older
                    .source
                    .read_sorted(Table::Spans, &older.rows, FOLD_COLUMNS)?;
                let source = position_in(&mut sources, &older.source);
                let places = older.rows.iter().map(|row| RowRef { source, row });
                add_fold_inputs(&mut inputs, &batch, places)
                    .map_err(|error| older.source.blame(Table::Spans, error))?;
            }
        }
        let read =
            |rows: &[RowRef], columns: &[&str]| read_rows(&sources, Table::Spans, rows, columns);
        add_top_hints(&mut inputs, self.hint_of_top, &read)?;
        add_lent(&mut inputs, self.hint_of_top, read)?;
        Ok(inputs)
    }

    /// The rows of the active memtable, masked ones included.
    pub(super) fn active_source(&self) -> Source {
        Source::new(Rows::Memtable(self.active.view.clone()), [None, None, None])
    }

    /// The visible rows of these traces, wherever they are; each source is read once.
    fn current_traces<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a TraceKey>,
    ) -> Result<HashMap<TraceKey, CurrentTrace>> {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for key in keys {
            let rows = self.active.view.rows_of(Table::Traces, *key);
            assert!(
                rows.len() <= 1,
                "ST-3: of the rows of a trace one is visible, not {}",
                rows.len()
            );
            if let Some(row) = rows.max() {
                own.push(row);
            } else if self.active.known_older.contains(key) || rows_are_new(self, *key) {
                others.push(*key);
            }
        }
        let columns = Table::Traces.columns();
        let batch = self.active.view.log(Table::Traces).gather(&own, &columns)?;
        let mut found: HashMap<TraceKey, CurrentTrace> =
            current_rows(&batch, self.active.id(), own)?
                .into_iter()
                .collect();
        let threads = threads_for(others.len(), LOOKUPS_OF_THREAD);
        let places = parallel_map(&others, threads, |key| self.older_trace_row(*key))?;
        let mut elsewhere: BTreeMap<usize, RoaringBitmap> = BTreeMap::new();
        for (source, row) in places.into_iter().flatten() {
            elsewhere.entry(source).or_default().insert(row);
        }
        let threads = threads_for(others.len(), ROWS_OF_THREAD);
        let source = |index: usize| {
            self.older
                .get(index)
                .ok_or_else(|| Error::internal(format!("a trace is in no source {index}")))
        };
        let elsewhere: Vec<(&Source, RoaringBitmap)> = elsewhere
            .into_iter()
            .map(|(index, rows)| Ok((source(index)?, rows)))
            .collect::<Result<_>>()?;
        let read = parallel_map(&elsewhere, threads, |(source, rows)| {
            let batch = source.read_sorted(Table::Traces, rows, &columns)?;
            current_rows(&batch, source.id(), rows)
                .map_err(|error| source.blame(Table::Traces, error))
        })?;
        found.extend(read.into_iter().flatten());
        Ok(found)
    }

    fn apply_edits(&mut self, edits: Vec<(String, TraceEdit)>) -> Result<Applied> {
        self.fold_dirty()?;
        let mut merged: BTreeMap<String, TraceEdit> = BTreeMap::new();
        for (id, edit) in edits {
            merged
                .entry(normalize_trace_id(&id))
                .or_default()
                .merge(edit);
        }
        let keys: Vec<TraceKey> = merged.keys().map(|id| TraceKey::of(id)).collect();
        let mut current = self.current_traces(&keys)?;
        for (key, old) in &current {
            if old.source != self.active.id() {
                self.active.known_older.insert(*key);
            }
        }
        let mut settled = self.settled_states(&current, keys.iter().zip(merged.values()))?;
        // A start is laid over the bare fold, below what was said later.
        let started = keys
            .iter()
            .zip(merged.values())
            .filter(|(_, edit)| edit.start.is_some());
        let refolded = started
            .map(|(key, _)| *key)
            .chain(settled.refolded.iter().copied());
        let mut spans = self.fold_inputs(&refolded.collect())?;
        let mut rows = Vec::with_capacity(merged.len());
        for (key, (trace_id, edit)) in keys.into_iter().zip(merged) {
            let old = current.remove(&key);
            if let Some(old) = &old {
                self.mask(old.source, Table::Traces, old.row);
            }
            match old.map(|old| old.trace) {
                Some(mut trace) if edit.start.is_none() && !settled.refolded.contains(&key) => {
                    if let Some(state) = settled.states.remove(&key) {
                        trace.state = state.to_string();
                    }
                    trace.apply(edit);
                    rows.push(trace);
                }
                old => {
                    let mut all = old.map(|old| old.edit).unwrap_or_default();
                    all.merge(edit);
                    rows.extend(refold(&trace_id, spans.remove(&key), all));
                }
            }
        }
        assert!(current.is_empty(), "each row that was read is superseded");
        assert!(
            settled.states.is_empty(),
            "a trace that is settled has the state that was decided"
        );
        self.active
            .view
            .log_mut(Table::Traces)
            .append(traces_batch(&rows)?)?;
        Ok(Applied {
            traces: rows.len() as u64,
            ..Applied::default()
        })
    }

    fn apply_assessments(&mut self, assess: Assess) -> Result<Applied> {
        let mut rows: BTreeMap<String, Assessment> = BTreeMap::new();
        let mut order = Vec::with_capacity(assess.rows.len());
        for row in assess.rows {
            order.push(row.assessment_id.clone());
            rows.insert(row.assessment_id.clone(), row);
        }
        if assess.check_existing {
            self.supersede_assessments(&mut rows)?;
        }
        self.add_assessments(order.iter().filter_map(|id| rows.remove(id)).collect())
    }

    fn add_assessments(&mut self, rows: Vec<Assessment>) -> Result<Applied> {
        self.active
            .view
            .log_mut(Table::Assessments)
            .append(assessments_batch(&rows)?)?;
        Ok(Applied {
            assessments: rows.len() as u64,
            ..Applied::default()
        })
    }

    /// Drops from `rows` what is stored already with the same content, and masks what differs.
    fn supersede_assessments(&mut self, rows: &mut BTreeMap<String, Assessment>) -> Result<()> {
        let traces: HashSet<TraceKey> = rows
            .values()
            .map(|row| TraceKey::of(&row.trace_id))
            .collect();
        for (source, at, old) in self.stored_assessments(&traces, |id| rows.contains_key(id))? {
            let Some(new) = rows.get_mut(&old.assessment_id) else {
                continue;
            };
            // An id is of its trace, wherever the other one is.
            if TraceKey::of(&old.trace_id) != TraceKey::of(&new.trace_id) {
                continue;
            }
            // Whether another overrides it is not for the new row to say.
            new.valid = old.valid;
            if same_content(&old, new) {
                rows.remove(&old.assessment_id);
            } else {
                self.mask(source, Table::Assessments, at);
            }
        }
        Ok(())
    }

    fn apply_reassessment(&mut self, change: Reassess) -> Result<Applied> {
        let removed: HashSet<(TraceKey, &str)> = change
            .removed
            .iter()
            .map(|(trace, id)| (TraceKey::of(trace), id.as_str()))
            .collect();
        let traces: HashSet<TraceKey> = removed.iter().map(|(trace, _)| *trace).collect();
        let ids: HashSet<&str> = removed.iter().map(|(_, id)| *id).collect();
        for (source, at, old) in self.stored_assessments(&traces, |id| ids.contains(id))? {
            if removed.contains(&(TraceKey::of(&old.trace_id), old.assessment_id.as_str())) {
                self.mask(source, Table::Assessments, at);
            }
        }
        self.add_assessments(change.rows)
    }

    /// Visible assessments whose id is wanted, in older sources and among those of `traces` in the
    /// active memtable.
    fn stored_assessments(
        &self,
        traces: &HashSet<TraceKey>,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(SourceId, u32, Assessment)>> {
        let columns = Table::Assessments.columns();
        let mut stored = Vec::new();
        for older in self.older_rows_where(Table::Assessments, "assessment_id", &is_wanted)? {
            let batch = older
                .source
                .read_sorted(Table::Assessments, &older.rows, &columns)?;
            for (position, row) in older.rows.iter().enumerate() {
                let assessment = assessment_at(&batch, position)
                    .map_err(|error| older.source.blame(Table::Assessments, error))?;
                stored.push((older.source.id(), row, assessment));
            }
        }
        for key in traces {
            let found: Vec<u32> = self
                .active
                .view
                .rows_of(Table::Assessments, *key)
                .iter()
                .collect();
            let batch = self
                .active
                .view
                .log(Table::Assessments)
                .gather(&found, &columns)?;
            for (position, row) in found.into_iter().enumerate() {
                let assessment = assessment_at(&batch, position)?;
                if is_wanted(&assessment.assessment_id) {
                    stored.push((self.active.id(), row, assessment));
                }
            }
        }
        Ok(stored)
    }

    fn apply_delete(&mut self, ids: &[String]) -> Result<Applied> {
        self.fold_dirty()?;
        let keys: HashSet<TraceKey> = ids
            .iter()
            .map(|id| TraceKey::of(&normalize_trace_id(id)))
            .collect();
        let mut doomed = Vec::new();
        let mut traces = 0;
        for key in &keys {
            for table in Table::ALL {
                let own = self.active.view.rows_of(table, *key);
                traces += if table == Table::Traces { own.len() } else { 0 };
                doomed.extend(own.iter().map(|row| (self.active.id(), table, row)));
            }
            for table in [Table::Spans, Table::Traces] {
                for older in self.older_rows(table, *key)? {
                    traces += if table == Table::Traces {
                        older.rows.len()
                    } else {
                        0
                    };
                    doomed.extend(older.rows.iter().map(|row| (older.source.id(), table, row)));
                }
            }
        }
        let judged = |id: &str| keys.contains(&TraceKey::of(id));
        for older in self.older_rows_where(Table::Assessments, "trace_id", judged)? {
            doomed.extend(
                older
                    .rows
                    .iter()
                    .map(|row| (older.source.id(), Table::Assessments, row)),
            );
        }
        for (source, table, row) in doomed {
            self.mask(source, table, row);
        }
        Ok(Applied {
            traces,
            ..Applied::default()
        })
    }
}

/// The position of a source in a list; it is added if it is not there.
pub(super) fn position_in(sources: &mut Vec<Source>, source: &Source) -> usize {
    let known = sources.iter().position(|other| other.id() == source.id());
    known.unwrap_or_else(|| {
        sources.push(source.clone());
        sources.len() - 1
    })
}

/// Whether the active memtable has not looked for older rows of this trace yet: it holds none of its
/// spans and no row of it.
fn rows_are_new(state: &State, key: TraceKey) -> bool {
    let view = &state.active.view;
    !state.active.known_older.contains(&key)
        && view.rows_of(Table::Spans, key).is_empty()
        && view.rows_of(Table::Traces, key).is_empty()
}

/// The traces of a batch, which are these rows of a source.
fn current_rows(
    batch: &RecordBatch,
    source: SourceId,
    rows: impl IntoIterator<Item = u32>,
) -> Result<Vec<(TraceKey, CurrentTrace)>> {
    let current = |(position, row)| {
        let trace = trace_at(batch, position)?;
        Ok((
            TraceKey::of(&trace.trace_id),
            CurrentTrace { source, row, trace },
        ))
    };
    let traces: Vec<_> = rows
        .into_iter()
        .enumerate()
        .map(current)
        .collect::<Result<_>>()?;
    assert_eq!(
        traces.len(),
        batch.num_rows(),
        "a batch has the rows that were asked for"
    );
    Ok(traces)
}

fn collect_stored(
    spans: &mut HashMap<String, StoredSpan>,
    batch: &RecordBatch,
    source: SourceId,
    rows: impl Iterator<Item = u32>,
) -> Result<()> {
    let (ids, hashes) = (
        required_text(batch, "span_id")?,
        uints(batch, "_content_hash")?,
    );
    let ends = times(batch, "end_time")?;
    let mut count = 0;
    for (position, row) in rows.enumerate() {
        count += 1;
        let (content_hash, is_open) = (hashes.value(position), ends.is_null(position));
        spans.insert(
            ids.value(position).to_string(),
            StoredSpan {
                source,
                row,
                content_hash,
                is_open,
            },
        );
    }
    assert_eq!(
        count,
        batch.num_rows(),
        "a batch has the rows that were asked for"
    );
    Ok(())
}

/// Equal but for the times of writing.
fn same_content(old: &Assessment, new: &Assessment) -> bool {
    let timeless = |a: &Assessment| Assessment {
        created_at_ns: 0,
        updated_at_ns: 0,
        ..a.clone()
    };
    timeless(old) == timeless(new)
}

/// The row of each span in a batch. Of several with one id the later wins, as if they had come one by one; but a span
/// that has ended is not opened again by a report that was late.
fn winners<'a>(
    keys: &[TraceKey],
    spans: RequiredText<'a>,
    batch: &RecordBatch,
    applied: &mut Applied,
) -> Result<HashMap<(TraceKey, &'a str), usize>> {
    let (hashes, ends) = (uints(batch, "_content_hash")?, times(batch, "end_time")?);
    let mut winners = HashMap::with_capacity(batch.num_rows());
    for (row, key) in keys.iter().enumerate() {
        let id = (*key, spans.value(row));
        if let Some(earlier) = winners.get(&id) {
            applied.duplicate_spans += 1;
            applied.conflicting_spans += u64::from(hashes.value(*earlier) != hashes.value(row));
            if ends.is_null(row) && ends.is_valid(*earlier) {
                continue;
            }
        }
        winners.insert(id, row);
    }
    Ok(winners)
}
