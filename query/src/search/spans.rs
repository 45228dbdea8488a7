//! A span condition of a search, looked at for the spans of given traces.
//!
//! The spans of a trace lie together in a segment, and its row of `traces` says where, so that the spans
//! of the newest thousand traces are one short scan. A trace whose row does not account for all of its
//! spans is displaced: late ones are elsewhere, or it was edited since. It is looked up in every source; many of
//! them are compared with the traces of the spans that an index names.
//!
//! **Invariant** QU-1: `span_count` of the row is the number of visible spans, so a trace is never taken
//! for complete when a span of it is somewhere else.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock, PoisonError};

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::scan::{RowFilter, ScanRequest};
use tracehouse_storage::schema::Table;
use tracehouse_storage::text::{TextReader, ValueRows};
use tracehouse_storage::{Result, Snapshot};

use super::explain::Recorder;
use super::span_runs::{SpanRuns, run};
use crate::plan::cost::{
    COMMON_SPANS_MIN, DISPLACED_SPANS_MAX, DISPLACED_TRACES_MIN, FOUND_HEAVY_SPANS_MAX,
    FOUND_SPANS_MAX, NAMED_SPANS_MAX, SPANS_AT_ONCE_MAX, lookups_max,
};
use crate::plan::span_zones;
use crate::predicate::column::{ints, row_numbers, text};
use crate::predicate::{Condition, SpanPredicate, Test, Undecided};
use crate::text_need::TextNeed;

/// How many visible spans were answered for by a text index, and how many by reading them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    pub indexed: u64,
    pub scanned: u64,
}

/// The columns of `traces` that tell where a trace's spans are.
pub(super) const SPAN_RUN_COLUMNS: [&str; 4] =
    ["trace_id", "span_count", "_first_span_row", "_span_rows"];

/// A span condition over one snapshot.
#[derive(Debug)]
pub(crate) struct SpanLeaf {
    snapshot: Snapshot,
    condition: SpanPredicate,
    /// By source: the condition with its text queries answered.
    prepared: Vec<OnceLock<SpanPredicate>>,
    /// The traces of all spans that satisfy the condition, where they are few enough.
    found: OnceLock<Option<HashSet<TraceKey>>>,
    recorder: Recorder,
}

impl SpanLeaf {
    pub fn new(snapshot: &Snapshot, condition: &SpanPredicate, recorder: &Recorder) -> Self {
        let prepared = (0..snapshot.source_count())
            .map(|_| OnceLock::new())
            .collect();
        let (snapshot, condition, recorder) =
            (snapshot.clone(), condition.clone(), recorder.clone());
        Self {
            snapshot,
            condition,
            prepared,
            found: OnceLock::new(),
            recorder,
        }
    }

    /// Whether large columns are read.
    pub fn is_heavy(&self) -> bool {
        self.condition.is_heavy()
    }

    /// The only rows of each source that can satisfy the condition, when there are so few of them that
    /// they are best looked at first.
    pub fn few_rows(&self) -> Result<Option<Vec<RoaringBitmap>>> {
        let few = lookups_max(&self.snapshot);
        self.required_up_to(FOUND_SPANS_MAX.max(few), FOUND_HEAVY_SPANS_MAX.max(few))
    }

    /// The only rows of each source that can satisfy the condition, unless they are more than this, or more of
    /// them must be read than `read_max`.
    fn required_up_to(&self, rows_max: u64, read_max: u64) -> Result<Option<Vec<RoaringBitmap>>> {
        if !has_text_need(&self.condition) {
            return Ok(None);
        }
        let (mut rows, mut read, mut found) =
            (vec![RoaringBitmap::new(); self.prepared.len()], 0, 0);
        // Newest first: those are looked at first also when it turns out that there are many rows.
        for (source, rows) in rows.iter_mut().enumerate().rev() {
            if self.is_common(source)? {
                return Ok(None);
            }
            let condition = self.prepared(source)?;
            let all = || {
                full(
                    self.snapshot
                        .source(source)
                        .map_or(0, |source| source.rows(Table::Spans)),
                )
            };
            let required = required_rows(&condition).unwrap_or_else(all);
            found += required.len();
            read += if condition.is_heavy() {
                required.len()
            } else {
                0
            };
            if found > rows_max || read > read_max {
                return Ok(None);
            }
            *rows = required;
        }
        Ok(Some(rows))
    }

    /// The only rows of `traces` in a source that can satisfy the condition, when an index names spans of it that are
    /// not too many.
    pub fn named_traces(&self, source: usize) -> Result<Option<RoaringBitmap>> {
        if !has_text_need(&self.condition) || self.is_common(source)? {
            return Ok(None);
        }
        let Some(spans) = required_rows(&self.prepared(source)?) else {
            return Ok(None);
        };
        if spans.len() > NAMED_SPANS_MAX {
            return Ok(None);
        }
        Ok(self
            .snapshot
            .source(source)?
            .trace_runs()?
            .map(|runs| runs.of_spans(&spans)))
    }

    /// Whether so many spans of a source have what the condition needs that naming them is of little use.
    fn is_common(&self, source: usize) -> Result<bool> {
        let Some(index) = self.snapshot.source(source)?.text() else {
            return Ok(false);
        };
        let is_common = |condition: &SpanPredicate| {
            text_need(condition).is_some_and(|need| need.is_common(&index, COMMON_SPANS_MIN))
        };
        Ok(match &self.condition {
            SpanPredicate::And(operands) => {
                let mut needs = operands
                    .iter()
                    .filter(|operand| has_text_need(operand))
                    .peekable();
                needs.peek().is_some() && needs.all(is_common)
            }
            one => is_common(one),
        })
    }

    /// Spans that a text index has answered for, and spans of sources without its help; `None` when the
    /// condition has nothing to ask an index for.
    pub fn coverage(&self) -> Result<Option<Coverage>> {
        if !has_text_need(&self.condition) {
            return Ok(None);
        }
        let mut coverage = Coverage::default();
        for source in 0..self.prepared.len() {
            let rows = self.snapshot.source(source)?;
            let is_indexed =
                rows.text().is_some() && required_rows(&self.prepared(source)?).is_some();
            *if is_indexed {
                &mut coverage.indexed
            } else {
                &mut coverage.scanned
            } += rows.visible_rows(Table::Spans);
        }
        Ok(Some(coverage))
    }

    /// The traces of a batch of `traces` of source `home`, among the wanted, that have such a span.
    pub fn rows(
        &self,
        home: usize,
        batch: &RecordBatch,
        wanted: &BooleanBuffer,
    ) -> Result<BooleanBuffer> {
        let (first, count) = (ints(batch, "_first_span_row")?, ints(batch, "_span_rows")?);
        let (ids, totals) = (text(batch, "trace_id")?, ints(batch, "span_count")?);
        let mask = self.snapshot.source(home)?.mask(Table::Spans);
        let (mut here, mut displaced) = (SpanRuns::default(), Vec::new());
        for row in wanted.set_indices() {
            let total = totals
                .get(row)
                .and_then(|total| u64::try_from(total).ok())
                .unwrap_or_default();
            if let Some((start, end)) = run(first.get(row), count.get(row)) {
                let masked = mask.map_or(0, |mask| mask.range_cardinality(start..end));
                if u64::from(end - start) == total + masked {
                    here.add(start, end, row);
                    continue;
                }
            }
            displaced.push((row, TraceKey::of(ids.value(row)), total));
        }
        let mut found = BooleanBufferBuilder::new(batch.num_rows());
        found.append_n(batch.num_rows(), false);
        if displaced.len() >= DISPLACED_TRACES_MIN
            && let Some(traces) = self.found()?
        {
            let is_found = |(_, key, _): &(usize, TraceKey, u64)| traces.contains(key);
            displaced
                .drain(..)
                .filter(is_found)
                .for_each(|(row, ..)| found.set_bit(row, true));
        }
        let mut elsewhere = BTreeMap::from([(home, here)]);
        for (row, key, total) in displaced {
            for span in self.snapshot.spans_of(key, home, total)? {
                elsewhere
                    .entry(span.source)
                    .or_default()
                    .add(span.row, span.row + 1, row);
            }
        }
        for (source, mut runs) in elsewhere {
            runs.sort();
            for span in self
                .recorder
                .time("spans", || self.matching(source, &runs))?
            {
                if let Some(trace) = runs.trace_of(span) {
                    found.set_bit(trace, true);
                }
            }
        }
        Ok(found.finish())
    }

    /// The traces of all spans that satisfy the condition; `None` when too many spans must be looked at.
    fn found(&self) -> Result<Option<&HashSet<TraceKey>>> {
        if let Some(found) = self.found.get() {
            return Ok(found.as_ref());
        }
        let found = self
            .required_up_to(DISPLACED_SPANS_MAX, FOUND_HEAVY_SPANS_MAX)?
            .map(|rows| self.traces_of(rows))
            .transpose()?;
        Ok(self.found.get_or_init(|| found).as_ref())
    }

    fn traces_of(&self, rows: Vec<RoaringBitmap>) -> Result<HashSet<TraceKey>> {
        let mut traces = HashSet::new();
        for (source, rows) in rows.into_iter().enumerate() {
            for batch in self.scan(source, rows, "trace_id")? {
                traces.extend(text(&batch, "trace_id")?.iter().flatten().map(TraceKey::of));
            }
        }
        Ok(traces)
    }

    /// The visible spans that satisfy the condition, with all those in `runs` among them.
    fn matching(&self, source: usize, runs: &SpanRuns) -> Result<Vec<u32>> {
        let Some((first, end)) = runs.hull() else {
            return Ok(Vec::new());
        };
        let condition = self.condition_for(source, runs.row_count(), first..end)?;
        // An index has said it all: nothing needs to be read.
        if let SpanPredicate::RowIn(found) = &condition {
            let mask = self.snapshot.source(source)?.mask(Table::Spans);
            let is_visible = |row: &u32| mask.is_none_or(|mask| !mask.contains(*row));
            return Ok(found.range(first..end).filter(is_visible).collect());
        }
        let mut found = Vec::new();
        for batch in self.scan_for(source, &condition, runs.rows(), "_row")? {
            found.extend(row_numbers(&batch)?);
        }
        Ok(found)
    }

    /// The spans among `rows` that satisfy the condition.
    pub fn satisfying(&self, source: usize, rows: RoaringBitmap) -> Result<RoaringBitmap> {
        let mut found = RoaringBitmap::new();
        for batch in self.scan(source, rows, "_row")? {
            found.extend(row_numbers(&batch)?);
        }
        Ok(found)
    }

    /// One column of the spans among `rows`, which an index has named, that satisfy the condition.
    pub fn scan(
        &self,
        source: usize,
        rows: RoaringBitmap,
        column: &str,
    ) -> Result<Vec<RecordBatch>> {
        self.scan_for(source, &self.prepared(source)?, rows, column)
    }

    fn scan_for(
        &self,
        source: usize,
        condition: &SpanPredicate,
        rows: RoaringBitmap,
        column: &str,
    ) -> Result<Vec<RecordBatch>> {
        let rows = match required_rows(condition) {
            Some(required) => rows & required,
            None => rows,
        };
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let scan = |rows, filters: Vec<RowFilter>| -> Result<Vec<RecordBatch>> {
            let filters = self
                .recorder
                .filter(source, Table::Spans)
                .into_iter()
                .chain(filters)
                .collect();
            let zones = span_zones(condition);
            let (rows, counters) = (Some(rows), self.recorder.counters());
            let request = ScanRequest {
                rows,
                filters,
                zones,
                counters,
                ..ScanRequest::columns([column])
            };
            self.snapshot
                .scan(source, Table::Spans, &request)?
                .collect()
        };
        let undecided = Undecided::default();
        let Some(filters) = stored_filters(condition, &undecided) else {
            return scan(rows, span_filters(condition));
        };
        let mut batches = scan(rows, filters)?;
        let rest = std::mem::take(&mut *undecided.lock().unwrap_or_else(PoisonError::into_inner));
        if !rest.is_empty() {
            batches.extend(scan(rest, span_filters(condition))?);
        }
        Ok(batches)
    }

    /// The condition as it is evaluated on so many rows of a run of rows of a source.
    fn condition_for(&self, source: usize, rows: u64, within: Range<u32>) -> Result<SpanPredicate> {
        if let Some(index) = self.snapshot.source(source)?.text()
            && self.is_common(source)?
        {
            let told = told_by_values(&index, &within, &self.condition);
            if rows <= SPANS_AT_ONCE_MAX || matches!(told, SpanPredicate::RowIn(_)) {
                return Ok(told);
            }
        }
        self.prepared(source)
    }

    /// The condition with every text query answered for one source.
    fn prepared(&self, source: usize) -> Result<SpanPredicate> {
        let Some(slot) = self.prepared.get(source) else {
            return Ok(SpanPredicate::Const(false));
        };
        if let Some(prepared) = slot.get() {
            return Ok(prepared.clone());
        }
        let prepared = self.with_text_rows(source, &self.condition)?;
        Ok(slot.get_or_init(|| prepared).clone())
    }

    fn confined_by_index(&self, source: usize, comparison: SpanPredicate) -> Result<SpanPredicate> {
        Ok(
            match (text_need(&comparison), self.snapshot.source(source)?.text()) {
                (Some(need), Some(index)) => confined(comparison, need.rows(&index)),
                _ => comparison,
            },
        )
    }

    fn with_text_rows(&self, source: usize, condition: &SpanPredicate) -> Result<SpanPredicate> {
        let all = |operands: &[SpanPredicate]| {
            operands
                .iter()
                .map(|operand| self.with_text_rows(source, operand))
                .collect::<Result<Vec<_>>>()
        };
        Ok(match condition {
            SpanPredicate::And(operands) => SpanPredicate::And(all(operands)?),
            SpanPredicate::Or(operands) => SpanPredicate::Or(all(operands)?),
            SpanPredicate::Not(operand) => {
                SpanPredicate::Not(Box::new(self.with_text_rows(source, operand)?))
            }
            SpanPredicate::Is(condition) => match condition.text_query()? {
                Some(query) => {
                    if self.snapshot.source(source)?.text().is_none() {
                        self.recorder
                            .add_all_rows(&self.snapshot, source, Table::Spans)?;
                    }
                    SpanPredicate::RowIn(Arc::new(self.snapshot.text(source)?.rows(&query)?))
                }
                None => self.confined_by_index(source, SpanPredicate::Is(condition.clone()))?,
            },
            SpanPredicate::Row(_) => self.confined_by_index(source, condition.clone())?,
            other => other.clone(),
        })
    }
}

/// What a comparison needs of a span's text.
fn text_need(comparison: &SpanPredicate) -> Option<TextNeed> {
    match comparison {
        SpanPredicate::Is(condition) => condition.text_need(),
        SpanPredicate::Row(condition) => condition.need.clone(),
        _ => None,
    }
}

/// A comparison on the rows that an index names for it, if it does.
fn confined(comparison: SpanPredicate, rows: Option<ValueRows>) -> SpanPredicate {
    match rows {
        None => comparison,
        Some(rows) if rows.maybe.is_empty() => SpanPredicate::RowIn(Arc::new(rows.sure)),
        Some(rows) => {
            let rows = SpanPredicate::RowIn(Arc::new(rows.sure | rows.maybe));
            SpanPredicate::And(vec![rows, comparison])
        }
    }
}

/// A condition with what the values of attributes tell of it for a run of rows.
fn told_by_values(
    index: &TextReader,
    within: &Range<u32>,
    condition: &SpanPredicate,
) -> SpanPredicate {
    match condition {
        SpanPredicate::And(operands) => {
            let told = operands
                .iter()
                .map(|operand| told_by_values(index, within, operand));
            SpanPredicate::And(told.collect())
        }
        SpanPredicate::Is(comparison) => {
            let told = comparison.rows_by_value(index, within.clone());
            confined(condition.clone(), told)
        }
        SpanPredicate::Row(comparison) => {
            let told = comparison.rows_by_value(index, within.clone());
            confined(condition.clone(), told)
        }
        other => other.clone(),
    }
}

/// Whether an index may name the spans that satisfy the condition.
fn has_text_need(condition: &SpanPredicate) -> bool {
    match condition {
        SpanPredicate::Is(Condition {
            test: Test::Matches(_),
            ..
        }) => true,
        SpanPredicate::Is(_) | SpanPredicate::Row(_) => text_need(condition).is_some(),
        SpanPredicate::And(operands) => operands.iter().any(has_text_need),
        SpanPredicate::Or(operands) => !operands.is_empty() && operands.iter().all(has_text_need),
        _ => false,
    }
}

/// The rows that a condition is confined to.
fn required_rows(condition: &SpanPredicate) -> Option<RoaringBitmap> {
    match condition {
        SpanPredicate::RowIn(rows) => Some(rows.as_ref().clone()),
        SpanPredicate::And(operands) => operands.iter().map(required_rows).fold(None, both),
        SpanPredicate::Or(operands) => {
            let operands = operands
                .iter()
                .map(required_rows)
                .collect::<Option<Vec<_>>>()?;
            operands.into_iter().reduce(|a, b| a | b)
        }
        _ => None,
    }
}

fn full(rows: u32) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    all.insert_range(0..rows);
    all
}

/// Rows in both sets, where `None` is all rows.
pub(super) fn both(a: Option<RoaringBitmap>, b: Option<RoaringBitmap>) -> Option<RoaringBitmap> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a & b),
        (a, b) => a.or(b),
    }
}

/// Filters that decide the condition for most rows without making attributes whole; `None` when it reads
/// other large columns, or none.
fn stored_filters(condition: &SpanPredicate, undecided: &Undecided) -> Option<Vec<RowFilter>> {
    let (heavy, light) = by_weight(condition);
    let stored: Option<Vec<RowFilter>> = heavy
        .iter()
        .map(|operand| match operand {
            SpanPredicate::Is(condition) => condition.stored_attribute_filter(undecided),
            _ => None,
        })
        .collect();
    let stored = stored.filter(|stored| !stored.is_empty())?;
    Some(light.map(span_filter).into_iter().chain(stored).collect())
}

/// One filter for all operands that read light columns, then one for each of the others, so that large
/// columns are read for the survivors alone (QU-4).
fn span_filters(condition: &SpanPredicate) -> Vec<RowFilter> {
    let (heavy, light) = by_weight(condition);
    light.into_iter().chain(heavy).map(span_filter).collect()
}

/// The operands that read large columns, and the conjunction of the others.
fn by_weight(condition: &SpanPredicate) -> (Vec<SpanPredicate>, Option<SpanPredicate>) {
    let mut operands = Vec::new();
    flatten(condition, &mut operands);
    let (heavy, light): (Vec<_>, Vec<_>) = operands.into_iter().partition(SpanPredicate::is_heavy);
    (
        heavy,
        (!light.is_empty()).then_some(SpanPredicate::And(light)),
    )
}

/// The operands of a conjunction and of those inside it.
fn flatten(condition: &SpanPredicate, operands: &mut Vec<SpanPredicate>) {
    match condition {
        SpanPredicate::And(inner) => inner.iter().for_each(|operand| flatten(operand, operands)),
        other => operands.push(other.clone()),
    }
}

fn span_filter(condition: SpanPredicate) -> RowFilter {
    let columns = condition
        .columns()
        .into_iter()
        .map(str::to_string)
        .collect();
    RowFilter {
        columns,
        keep: Arc::new(move |batch| condition.evaluate(batch)),
    }
}
