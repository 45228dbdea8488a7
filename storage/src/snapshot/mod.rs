//! A consistent, immutable view of the whole database: the only thing a query sees (AR-3).
//!
//! A snapshot holds the sources of one moment with the rows that are masked at that moment. It pins
//! segment files (they are unlinked when the last snapshot lets go) and never waits for a writer.

mod key_index;
mod key_set;
mod segment;
mod segment_keys;
mod segment_text;
mod source;
mod text_view;
mod trace_runs;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, RecordBatch, StringViewArray, UInt32Array};
use arrow::compute::{interleave_record_batch, take};
use arrow::datatypes::{Field, Schema};
use roaring::RoaringBitmap;

use crate::columns::{ints, text, text_at, value_at};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::manifest::CatalogFile;
use crate::memtable::projected_schema;
use crate::model::TraceKey;
use crate::parallel::{LOOKUPS_OF_THREAD, parallel_map, threads_for};
use crate::scan::{RowFilter, RowStream, ScanRequest};
use crate::schema::Table;
use crate::text::{FreshText, TEXT_COLUMNS};

pub(crate) use key_index::build_index;
pub use segment::Segment;
pub(crate) use segment_text::SegmentText;
pub use source::{Rows, Source};
pub use text_view::TextView;
pub use trace_runs::TraceRuns;

/// The columns of `traces` that are read from the root span.
const HYDRATED: [&str; 2] = ["inputs", "outputs"];

/// The columns of `traces` that lead to the root span.
const ROOT_COLUMNS: [&str; 5] = [
    "trace_id",
    "_root_span_id",
    "span_count",
    "_first_span_row",
    "_span_rows",
];

/// Where a row is: a source of the snapshot and a physical row of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowRef {
    /// Position of the source in the snapshot.
    pub source: usize,
    /// Physical row in the source's table.
    pub row: u32,
}

/// An immutable view of the database. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Snapshot {
    inner: Arc<Inner>,
    interrupt: Interrupt,
}

#[derive(Debug)]
struct Inner {
    sequence: u64,
    sources: Vec<Source>,
    catalog: Vec<CatalogFile>,
    /// Text of sources without an index, read when first asked for.
    scanned_text: Vec<OnceLock<Arc<FreshText>>>,
}

impl Snapshot {
    /// A view of these sources, oldest first.
    pub fn new(sequence: u64, sources: Vec<Source>, catalog: Vec<CatalogFile>) -> Self {
        debug_assert!(
            sources.is_sorted_by_key(|source| source.segment().is_none()),
            "segments come first, memtables last"
        );
        debug_assert!(
            sources
                .iter()
                .enumerate()
                .all(|(at, one)| sources.iter().skip(at + 1).all(|o| o.id() != one.id())),
            "QU-1: a source is seen once"
        );
        let scanned_text = sources.iter().map(|_| OnceLock::new()).collect();
        let inner = Arc::new(Inner {
            sequence,
            sources,
            catalog,
            scanned_text,
        });
        Self {
            inner,
            interrupt: Interrupt::default(),
        }
    }

    /// This snapshot, read until `interrupt` stops that: whatever reads it then fails as `Timeout` or
    /// `Cancelled`.
    pub fn until(&self, interrupt: Interrupt) -> Self {
        Self {
            inner: self.inner.clone(),
            interrupt,
        }
    }

    /// What stops reading.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Sequence number of the last commit that is visible.
    pub fn sequence(&self) -> u64 {
        self.inner.sequence
    }

    /// The sources, oldest first; memtables last.
    pub fn sources(&self) -> &[Source] {
        &self.inner.sources
    }

    /// Number of sources.
    pub fn source_count(&self) -> usize {
        self.inner.sources.len()
    }

    /// One source.
    ///
    /// # Errors
    /// `Internal` when there is no such source.
    pub fn source(&self, index: usize) -> Result<&Source> {
        self.inner
            .sources
            .get(index)
            .ok_or_else(|| Error::internal(format!("no source {index}")))
    }

    /// Files of dataset versions and the like.
    pub fn catalog(&self) -> &[CatalogFile] {
        &self.inner.catalog
    }

    /// Rows of a table that a reader sees. Exact, and reads nothing.
    pub fn visible_rows(&self, table: Table) -> u64 {
        self.inner
            .sources
            .iter()
            .map(|source| source.visible_rows(table))
            .sum()
    }

    /// Scans one source. `columns` and filters may name `_row` and, for traces, the root span's
    /// `inputs` and `outputs`.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown column, `Corrupt` or `Io` from the files.
    pub fn scan(&self, source: usize, table: Table, request: &ScanRequest) -> Result<RowStream> {
        if self.interrupt.is_never() {
            return self.scan_freely(source, table, request);
        }
        self.interrupt.check()?;
        let mut request = request.clone();
        for filter in &mut request.filters {
            let (keep, interrupt) = (filter.keep.clone(), self.interrupt.clone());
            filter.keep = Arc::new(move |batch| interrupt.guarding(|| keep(batch)));
        }
        let (rows, interrupt) = (
            self.scan_freely(source, table, &request)?,
            self.interrupt.clone(),
        );
        Ok(Box::new(
            rows.map(move |batch| interrupt.check().and(batch)),
        ))
    }

    fn scan_freely(&self, source: usize, table: Table, request: &ScanRequest) -> Result<RowStream> {
        let hydrated = |columns: &[String]| {
            columns
                .iter()
                .any(|column| HYDRATED.contains(&column.as_str()))
        };
        let late = request
            .filters
            .iter()
            .any(|filter| hydrated(&filter.columns));
        if table != Table::Traces || !(late || hydrated(&request.columns)) {
            return self.source(source)?.scan(table, request);
        }
        let (early, late): (Vec<RowFilter>, Vec<RowFilter>) = request
            .filters
            .iter()
            .cloned()
            .partition(|filter| !hydrated(&filter.columns));
        let mut stored = ROOT_COLUMNS.map(str::to_string).to_vec();
        let wanted = request
            .columns
            .iter()
            .chain(late.iter().flat_map(|filter| &filter.columns));
        for column in wanted {
            if !stored.contains(column) && !HYDRATED.contains(&column.as_str()) {
                stored.push(column.clone());
            }
        }
        let inner = ScanRequest {
            columns: stored,
            filters: early,
            ..request.clone()
        };
        let rows = self.source(source)?.scan(table, &inner)?;
        let (snapshot, columns) = (self.clone(), request.columns.clone());
        Ok(Box::new(rows.map(move |batch| {
            let names: Vec<&str> = columns.iter().map(String::as_str).collect();
            let mut batch = snapshot.hydrate(&batch?, |_| source)?;
            for filter in &late {
                let filter_names: Vec<&str> = filter.columns.iter().map(String::as_str).collect();
                let keep = (filter.keep)(&project(&batch, &filter_names)?)?;
                batch = arrow::compute::filter_record_batch(&batch, &keep)?;
            }
            project(&batch, &names)
        })))
    }

    /// The searchable text of one source.
    ///
    /// # Errors
    /// `Internal` when there is no such source; `Io` or `Corrupt` from its files.
    pub fn text(&self, source: usize) -> Result<TextView> {
        if let Some(reader) = self.source(source)?.text() {
            return Ok(TextView::indexed(reader, self.clone(), source));
        }
        Ok(TextView::Scanned(self.scanned_text(source)?))
    }

    /// The text of the rows of one source, without an index.
    pub(crate) fn scanned_text(&self, source: usize) -> Result<Arc<FreshText>> {
        let rows = self.source(source)?;
        let slot = self.inner.scanned_text.get(source);
        let slot = slot.ok_or_else(|| Error::internal(format!("no source {source}")))?;
        if let Some(fresh) = slot.get() {
            return Ok(fresh.clone());
        }
        let (mut fresh, mut count) = (FreshText::default(), 0);
        for batch in rows.scan_all(
            Table::Spans,
            &ScanRequest::columns(TEXT_COLUMNS.iter().copied()),
        )? {
            self.interrupt.check()?;
            let batch = batch?;
            count += batch.num_rows();
            fresh.add(&batch)?;
        }
        assert_eq!(
            count,
            rows.rows(Table::Spans) as usize,
            "QU-1: masked rows are numbered, too"
        );
        Ok(slot.get_or_init(|| Arc::new(fresh)).clone())
    }

    /// The current row of a trace.
    ///
    /// # Errors
    /// Whatever reading an index gives.
    pub fn find_trace(&self, key: TraceKey) -> Result<Option<RowRef>> {
        self.find_trace_near(key, self.source_count().saturating_sub(1))
    }

    /// The rows of many traces, each as [`Snapshot::find_trace`] gives it.
    ///
    /// # Errors
    /// Whatever reading an index gives.
    pub fn find_traces(&self, keys: &[TraceKey]) -> Result<Vec<Option<RowRef>>> {
        parallel_map(keys, threads_for(keys.len(), LOOKUPS_OF_THREAD), |key| {
            self.find_trace(*key)
        })
    }

    /// The row of a trace, looked for in source `home` first and then newest first. There is at most one, so the order
    /// changes the time alone.
    ///
    /// # Errors
    /// Whatever reading an index gives.
    pub fn find_trace_near(&self, key: TraceKey, home: usize) -> Result<Option<RowRef>> {
        self.interrupt.check()?;
        for index in self.home_first(home) {
            if let Some(row) = self.source(index)?.rows_of(Table::Traces, key)?.max() {
                return Ok(Some(RowRef { source: index, row }));
            }
        }
        Ok(None)
    }

    /// All sources, newest first but for one.
    fn home_first(&self, home: usize) -> impl Iterator<Item = usize> + use<> {
        let count = self.source_count();
        let others = (0..count).rev().filter(move |index| *index != home);
        Some(home)
            .filter(|home| *home < count)
            .into_iter()
            .chain(others)
    }

    /// The visible rows of a trace in one table.
    ///
    /// # Errors
    /// Whatever reading an index gives.
    pub fn rows_of(&self, table: Table, key: TraceKey) -> Result<Vec<(usize, RoaringBitmap)>> {
        self.interrupt.check()?;
        let mut found = Vec::new();
        for (index, source) in self.inner.sources.iter().enumerate() {
            let rows = source.rows_of(table, key)?;
            if !rows.is_empty() {
                found.push((index, rows));
            }
        }
        Ok(found)
    }

    /// The visible spans of a trace that has `total` of them, its own row being in source `home`. Looks
    /// there first, then newest first, until it has them all.
    ///
    /// # Errors
    /// Whatever reading an index gives.
    pub fn spans_of(&self, key: TraceKey, home: usize, total: u64) -> Result<Vec<RowRef>> {
        self.interrupt.check()?;
        let mut found = Vec::new();
        for source in self.home_first(home) {
            if found.len() as u64 >= total {
                break;
            }
            let rows = self.source(source)?.rows_of(Table::Spans, key)?;
            found.extend(rows.iter().map(|row| RowRef { source, row }));
        }
        Ok(found)
    }

    /// All visible rows of a trace in one table, as references.
    ///
    /// # Errors
    /// Whatever reading an index gives.
    pub fn refs_of(&self, table: Table, key: TraceKey) -> Result<Vec<RowRef>> {
        let found = self.rows_of(table, key)?;
        let refs = found.iter().flat_map(|(source, rows)| {
            rows.iter().map(|row| RowRef {
                source: *source,
                row,
            })
        });
        Ok(refs.collect())
    }

    /// These rows, in the given order, with `columns`. For traces these may be `inputs` and `outputs`.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown column, `Internal` for a row that does not exist.
    pub fn read_rows(
        &self,
        table: Table,
        rows: &[RowRef],
        columns: &[&str],
    ) -> Result<RecordBatch> {
        self.interrupt.check()?;
        let hydrate =
            table == Table::Traces && columns.iter().any(|column| HYDRATED.contains(column));
        if !hydrate {
            return read_rows(&self.inner.sources, table, rows, columns);
        }
        let mut stored = ROOT_COLUMNS.to_vec();
        for column in columns {
            if !stored.contains(column) && !HYDRATED.contains(column) {
                stored.push(column);
            }
        }
        let batch = read_rows(&self.inner.sources, table, rows, &stored)?;
        assert_eq!(
            batch.num_rows(),
            rows.len(),
            "each row that is asked for is given"
        );
        project(
            &self.hydrate(&batch, |row| rows.get(row).map_or(0, |row| row.source))?,
            columns,
        )
    }

    /// Hands these rows of one table to `take`, one at a time and in the given order, each as a batch with
    /// its position in it, without copying them together.
    ///
    /// # Errors
    /// As [`Snapshot::read_rows`], for columns that are stored; the first error of `take`.
    pub fn each_row(
        &self,
        table: Table,
        rows: &[RowRef],
        columns: &[&str],
        mut take: impl FnMut(&RecordBatch, usize) -> Result<()>,
    ) -> Result<()> {
        self.interrupt.check()?;
        let pieces = pieces(&self.inner.sources, table, rows, columns)?;
        for (batch, row) in pieces.places {
            let batch = pieces
                .batches
                .get(batch)
                .ok_or_else(|| Error::internal("no such batch"))?;
            take(batch, row)?;
        }
        Ok(())
    }

    /// Adds `inputs` and `outputs` of the span that stands for the trace to a batch of traces rows that has
    /// [`ROOT_COLUMNS`]; `home` tells the source of a row.
    fn hydrate(&self, batch: &RecordBatch, home: impl Fn(usize) -> usize) -> Result<RecordBatch> {
        let (traces, roots) = (text(batch, "trace_id")?, text(batch, "_root_span_id")?);
        let totals = ints(batch, "span_count")?;
        let (firsts, counts) = (ints(batch, "_first_span_row")?, ints(batch, "_span_rows")?);
        let mut leads: Vec<Option<RowRef>> = Vec::with_capacity(batch.num_rows());
        let mut sought = Sought::default();
        for row in 0..batch.num_rows() {
            let (Some(trace), Some(root)) = (text_at(traces, row), text_at(roots, row)) else {
                leads.push(None);
                continue;
            };
            let total = u64::try_from(totals.value(row)).map_err(|_| {
                Error::corrupt(format!("trace {trace} has {} spans", totals.value(row)))
            })?;
            let run = value_at(firsts, row).zip(value_at(counts, row));
            let mut lead = self.root_in_run(home(row), run, total)?;
            if lead.is_none() {
                let spans = self.spans_of(TraceKey::of(trace), home(row), total)?;
                lead = self.root_by_index(&spans, trace)?;
                if lead.is_none() {
                    sought.add(row, root, spans);
                }
            }
            leads.push(lead);
        }
        self.find_leads(&sought, &mut leads)?;
        let refs: Vec<RowRef> = leads.iter().flatten().copied().collect();
        let mut before = 0..;
        let positions: Vec<Option<u32>> = leads
            .iter()
            .map(|lead| lead.and_then(|_| before.next()))
            .collect();
        let payload = read_rows(&self.inner.sources, Table::Spans, &refs, &HYDRATED)?;
        assert_eq!(
            leads.len(),
            batch.num_rows(),
            "each trace has a root or none"
        );
        assert_eq!(payload.num_rows(), refs.len(), "each root is read");
        let indices = UInt32Array::from(positions);
        let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        for (field, array) in payload.schema().fields().iter().zip(payload.columns()) {
            fields.push(field.clone());
            columns.push(if payload.num_rows() == 0 {
                Arc::new(StringViewArray::new_null(batch.num_rows()))
            } else {
                take(array.as_ref(), &indices, None)?
            });
        }
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    /// The root of a trace whose `total` spans are all in one run of rows of source `home`.
    fn root_in_run(
        &self,
        home: usize,
        run: Option<(i64, i64)>,
        total: u64,
    ) -> Result<Option<RowRef>> {
        let row = |number: i64| u32::try_from(number).ok();
        let run = run.and_then(|(first, count)| Some(row(first)?..row(first.checked_add(count)?)?));
        let Some(run) = run else { return Ok(None) };
        Ok(self
            .source(home)?
            .root_in_run(run, total)?
            .map(|row| RowRef { source: home, row }))
    }

    /// The root among all spans of a trace, as far as that can be told without reading them: a span alone
    /// stands for its trace, and of a source that has them all the index says where the root is.
    fn root_by_index(&self, spans: &[RowRef], trace_id: &str) -> Result<Option<RowRef>> {
        let Some((first, others)) = spans.split_first() else {
            return Ok(None);
        };
        if others.is_empty() {
            return Ok(Some(*first));
        }
        if others.iter().any(|span| span.source != first.source) {
            return Ok(None);
        }
        let indexed = self
            .source(first.source)?
            .root_row(TraceKey::of(trace_id))?;
        Ok(spans.iter().find(|span| Some(span.row) == indexed).copied())
    }

    /// Finds spans by their ids, which are read for all traces at once.
    fn find_leads(&self, sought: &Sought<'_>, leads: &mut [Option<RowRef>]) -> Result<()> {
        let ids = read_rows(
            &self.inner.sources,
            Table::Spans,
            &sought.spans,
            &["span_id"],
        )?;
        assert_eq!(
            ids.num_rows(),
            sought.leads.len(),
            "each span is sought for a trace"
        );
        let ids = text(&ids, "span_id")?;
        for ((span, (row, lead)), id) in sought.spans.iter().zip(&sought.leads).zip(ids) {
            if let (true, Some(slot)) = (id == Some(*lead), leads.get_mut(*row)) {
                *slot = Some(*span);
            }
        }
        Ok(())
    }
}

/// Spans among which those that stand for their traces are sought.
#[derive(Default)]
struct Sought<'b> {
    spans: Vec<RowRef>,
    /// Of each of the spans: the position of its trace, and the id that is sought there.
    leads: Vec<(usize, &'b str)>,
}

impl<'b> Sought<'b> {
    fn add(&mut self, row: usize, lead: &'b str, spans: Vec<RowRef>) {
        self.leads.extend(spans.iter().map(|_| (row, lead)));
        self.spans.extend(spans);
    }
}

/// Columns of a batch, by name and in order.
fn project(batch: &RecordBatch, columns: &[&str]) -> Result<RecordBatch> {
    let mut indices = Vec::with_capacity(columns.len());
    for column in columns {
        let index = batch.schema().index_of(column);
        indices.push(index.map_err(|_| Error::invalid_input(format!("unknown column {column}")))?);
    }
    Ok(batch.project(&indices)?)
}

/// Rows read from several sources.
struct Pieces {
    /// One a source.
    batches: Vec<RecordBatch>,
    /// Of each row, in the asked order: its batch and its position there.
    places: Vec<(usize, usize)>,
}

fn pieces(sources: &[Source], table: Table, rows: &[RowRef], columns: &[&str]) -> Result<Pieces> {
    let mut by_source: BTreeMap<usize, RoaringBitmap> = BTreeMap::new();
    for row in rows {
        by_source.entry(row.source).or_default().insert(row.row);
    }
    let mut batches = Vec::with_capacity(by_source.len());
    let mut position = BTreeMap::new();
    for (index, wanted) in &by_source {
        let source = sources
            .get(*index)
            .ok_or_else(|| Error::internal(format!("no source {index}")))?;
        position.insert(*index, batches.len());
        batches.push(source.read_sorted(table, wanted, columns)?);
    }
    let mut places = Vec::with_capacity(rows.len());
    for row in rows {
        let (Some(wanted), Some(batch)) = (by_source.get(&row.source), position.get(&row.source))
        else {
            return Err(Error::internal(format!(
                "source {} was not read",
                row.source
            )));
        };
        debug_assert!(
            wanted.contains(row.row),
            "the rank of a row that was read is its place"
        );
        places.push((*batch, wanted.rank(row.row).saturating_sub(1) as usize));
    }
    Ok(Pieces { batches, places })
}

/// Rows of several sources in the given order.
///
/// # Errors
/// `InvalidInput` for an unknown column, `Internal` for a row that does not exist.
pub(crate) fn read_rows(
    sources: &[Source],
    table: Table,
    rows: &[RowRef],
    columns: &[&str],
) -> Result<RecordBatch> {
    let schema = projected_schema(&table.schema(), columns)?;
    if rows.is_empty() {
        return Ok(RecordBatch::new_empty(schema));
    }
    let Pieces { batches, places } = pieces(sources, table, rows, columns)?;
    assert_eq!(
        places.len(),
        rows.len(),
        "each row that is asked for is given"
    );
    if let ([batch], true) = (
        batches.as_slice(),
        places.iter().map(|(_, row)| *row).eq(0..rows.len()),
    ) {
        return Ok(batch.clone());
    }
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    Ok(interleave_record_batch(&batches, &places)?)
}
