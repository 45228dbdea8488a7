//! Applying log records, and spans whose stored row has some: see [`crate::join`] for what is made of both.
//!
//! Spans pay for it only where a stored row differs from the one that comes: its `extra` is read then.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, RecordBatch};
use roaring::RoaringBitmap;

use super::State;
use super::apply::{StoredSpan, StoredSpans};
use super::operation::Applied;
use crate::columns::packing;
use crate::columns::{span_at, spans_batch, text, times, uints};
use crate::error::{Error, Result};
use crate::fold::join::{LogMark, Parts};
use crate::memtable::SourceId;
use crate::model::{Fragment, Span, TraceKey, normalize_trace_id};
use crate::schema::Table;

/// What becomes of a span whose stored row has log records.
pub(super) struct Change {
    /// The row that is made is not the one that is stored.
    pub differs: bool,
    /// The stored row only stood in for the span.
    pub stood_in: bool,
    /// Its log records.
    pub records: u64,
}

/// Spans of a batch that were joined with what is stored.
#[derive(Default)]
pub(super) struct Joined {
    /// By their row in the batch.
    pub changes: HashMap<usize, Change>,
    /// The rows that are stored instead of those of the batch.
    pub rows: Option<RecordBatch>,
}

/// Where a row is.
type Place = (SourceId, u32);

impl State {
    /// Joins the spans of a batch that replace rows with log records, without storing anything yet.
    pub(super) fn join_stored(
        &self,
        batch: &RecordBatch,
        winners: &HashMap<(TraceKey, &str), usize>,
        stored: &StoredSpans,
    ) -> Result<Joined> {
        let (hashes, ends) = (uints(batch, "_content_hash")?, times(batch, "end_time")?);
        let mut differing: BTreeMap<usize, StoredSpan> = BTreeMap::new();
        for ((key, id), row) in winners.iter().filter(|_| !stored.is_empty()) {
            let old = stored.get(key).and_then(|spans| spans.get(*id));
            differing.extend(
                old.filter(|old| old.content_hash != hashes.value(*row))
                    .map(|old| (*row, *old)),
            );
        }
        if differing.is_empty() {
            return Ok(Joined::default());
        }
        let places = differing.values().map(|old| (old.source, old.row));
        let places: Vec<Place> = places.collect();
        let mut marked = Vec::new();
        self.read_spans(&places, &["extra"], |place, batch, at| {
            let extra = text(batch, "extra")?;
            let extra = (!extra.is_null(at)).then(|| extra.value(at));
            marked.extend(LogMark::of(extra).map(|_| place));
            Ok(())
        })?;
        let mut whole = self.whole_spans(&marked)?;
        let mut joined = Joined::default();
        let mut spans = Vec::new();
        for (row, old) in differing {
            let Some(stored) = whole.remove(&(old.source, old.row)) else {
                continue;
            };
            let stored = Parts::of(stored);
            let stood_in = stored.stands_in;
            let keeps_own = !stood_in && stored.span.end_time_ns.is_some() && ends.is_null(row);
            let mut parts = match keeps_own {
                true => continue,
                false => Parts::of(span_at(&packing::unpack(&batch.slice(row, 1))?, 0)?),
            };
            let records = stored.records.len() as u64;
            let own = std::mem::replace(&mut parts.records, stored.records);
            parts.add_records(own);
            let made = spans_batch(&[parts.joined(self.refill)])?;
            let differs = uints(&made, "_content_hash")?.value(0) != old.content_hash;
            let change = Change {
                differs,
                stood_in,
                records,
            };
            joined.changes.insert(row, change);
            if differs {
                spans.push(packing::pack(&made)?);
            }
        }
        assert!(whole.is_empty(), "each span that was read is joined");
        assert!(
            spans.len() <= joined.changes.len(),
            "a row is made of a change"
        );
        if !spans.is_empty() {
            joined.rows = Some(arrow::compute::concat_batches(
                &Table::Spans.schema(),
                &spans,
            )?);
        }
        Ok(joined)
    }

    /// Joins log records to their spans; what has none yet is kept in a row that stands in for it.
    pub(super) fn apply_join(&mut self, fragments: Vec<Fragment>) -> Result<Applied> {
        let mut parts: BTreeMap<(String, String), Parts> = BTreeMap::new();
        for mut fragment in fragments {
            fragment.trace_id = normalize_trace_id(&fragment.trace_id);
            let id = (fragment.trace_id.clone(), fragment.span_id.clone());
            let more = Parts::standing_in(fragment);
            match parts.get_mut(&id) {
                Some(parts) => parts.add(more),
                None => drop(parts.insert(id, more)),
            }
        }
        let keys: Vec<TraceKey> = parts.keys().map(|(trace, _)| TraceKey::of(trace)).collect();
        let stored = self.stored_spans(&keys)?;
        let of =
            |key: &TraceKey, id: &str| stored.get(key).and_then(|spans| spans.get(id)).copied();
        let places: Vec<Place> = keys
            .iter()
            .zip(parts.keys())
            .filter_map(|(key, (_, id))| of(key, id).map(|old| (old.source, old.row)))
            .collect();
        let mut whole = self.whole_spans(&places)?;
        let (mut applied, mut spans, mut replaced) = (Applied::default(), Vec::new(), Vec::new());
        for (key, ((_, id), mut parts)) in keys.into_iter().zip(parts) {
            let old = of(&key, &id).map(|old| (old.source, old.row));
            let mut before = None;
            if let Some(stored) = old.and_then(|place| whole.remove(&place)) {
                before = Some(stored.events.clone());
                let later = std::mem::replace(&mut parts, Parts::of(stored));
                parts.add(later);
            }
            let stands_in = parts.stands_in;
            let row = parts.joined(self.refill);
            if before.as_ref() == Some(&row.events) {
                continue;
            }
            let known = before.map_or(0, |events| events.len());
            assert!(
                row.events.len() >= known,
                "joining loses none of {known} records"
            );
            let more = (row.events.len() - known) as u64;
            if stands_in {
                applied.waiting_records += more
            } else {
                applied.joined_records += more
            }
            replaced.extend(old);
            self.active.dirty.insert(key);
            spans.push(row);
        }
        assert!(whole.is_empty(), "each span that was read is joined");
        assert!(
            replaced.len() <= spans.len(),
            "ST-3: a row is masked for the one that takes its place"
        );
        let rows = packing::pack(&spans_batch(&spans)?)?;
        for (source, row) in replaced {
            self.mask(source, Table::Spans, row);
        }
        self.active.view.log_mut(Table::Spans).append(rows)?;
        Ok(applied)
    }

    fn whole_spans(&self, places: &[Place]) -> Result<HashMap<Place, Span>> {
        let mut spans = HashMap::with_capacity(places.len());
        self.read_spans(places, &Table::Spans.columns(), |place, batch, at| {
            spans.insert(place, span_at(batch, at)?);
            Ok(())
        })?;
        Ok(spans)
    }

    /// Reads columns of rows of spans, each source once; `read` gets a row's place and where it is in a batch.
    fn read_spans(
        &self,
        places: &[Place],
        columns: &[&str],
        mut read: impl FnMut(Place, &RecordBatch, usize) -> Result<()>,
    ) -> Result<()> {
        let mut by_source: HashMap<SourceId, RoaringBitmap> = HashMap::new();
        for (source, row) in places {
            by_source.entry(*source).or_default().insert(*row);
        }
        for (id, rows) in by_source {
            let batch = if id == self.active.id() {
                let rows: Vec<u32> = rows.iter().collect();
                self.active.view.log(Table::Spans).gather(&rows, columns)?
            } else {
                let source = self.older.iter().find(|source| source.id() == id);
                let source =
                    source.ok_or_else(|| Error::internal("a stored span is in no source"))?;
                source.read_sorted(Table::Spans, &rows, columns)?
            };
            assert_eq!(
                batch.num_rows() as u64,
                rows.len(),
                "a batch has the rows that were asked for"
            );
            for (at, row) in rows.iter().enumerate() {
                read((id, row), &batch, at)?;
            }
        }
        Ok(())
    }
}
