//! Which rows of each source may hold an answer: indexes, time ranges and zones.
//!
//! First stage of a search, before any row is read. It may keep too much, never too little (QU-2);
//! every candidate is checked against the whole predicate afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;
use tracehouse_storage::kv::IndexKind;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::scan::Zone;
use tracehouse_storage::{Result, Snapshot};

use crate::predicate::{Condition, Equality, EqualityKey, Field, Predicate, SpanPredicate, Test};

/// The rows of one source's `traces` table to look at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Candidates {
    /// None.
    Nothing,
    /// All of them.
    All,
    /// These.
    Rows(RoaringBitmap),
}

impl Candidates {
    /// Those that are among these rows.
    pub fn among(self, rows: Option<&RoaringBitmap>) -> Self {
        let left = match (self, rows) {
            (Candidates::Nothing, _) | (_, None) => return Candidates::Nothing,
            (Candidates::All, Some(rows)) => rows.clone(),
            (Candidates::Rows(all), Some(rows)) => all & rows,
        };
        if left.is_empty() { Candidates::Nothing } else { Candidates::Rows(left) }
    }
}

/// How the rows of `traces` are reached.
#[derive(Debug)]
pub(crate) struct AccessPath {
    equalities: Vec<Equality>,
    /// Rows by source, when the trace ids are known.
    by_id: Option<BTreeMap<usize, RoaringBitmap>>,
    /// Inclusive bounds on `request_time`, in Unix nanoseconds.
    time: (Option<i64>, Option<i64>),
    zones: Vec<Zone>,
}

impl AccessPath {
    /// The best path to the matches of `predicate`.
    pub fn of(snapshot: &Snapshot, predicate: &Predicate) -> Result<Self> {
        let mut zones = Vec::new();
        predicate.for_each_required(&mut |condition| zones.extend(zone(condition)));
        let mut equalities = predicate.required_equalities();
        let ids = equalities.iter().position(|equality| equality.key == EqualityKey::TraceId);
        let by_id = match ids {
            Some(at) => {
                let ids = equalities.swap_remove(at).values;
                let newest = snapshot.source_count().saturating_sub(1);
                Some(rows_of_traces(snapshot, ids.iter().map(|id| (TraceKey::of(id), newest)))?)
            }
            None => None,
        };
        Ok(Self { equalities, by_id, time: predicate.time_bounds(), zones })
    }

    /// Narrows the path to these traces, each with a source where its row may be.
    pub fn confine(
        &mut self,
        snapshot: &Snapshot,
        traces: impl Iterator<Item = (TraceKey, usize)>,
    ) -> Result<()> {
        if self.by_id.is_none() {
            self.by_id = Some(rows_of_traces(snapshot, traces)?);
        }
        Ok(())
    }

    /// Whether the traces are known by id.
    pub fn is_by_id(&self) -> bool {
        self.by_id.is_some()
    }

    /// Zones of `traces` that every match lies in.
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// The candidate rows of one source.
    pub fn candidates(&self, snapshot: &Snapshot, source: usize) -> Result<Candidates> {
        if let Some(by_id) = &self.by_id {
            return Ok(by_id.get(&source).map_or(Candidates::Nothing, |rows| Candidates::Rows(rows.clone())));
        }
        let rows = snapshot.source(source)?;
        if is_outside(rows.time_range(), self.time) {
            return Ok(Candidates::Nothing);
        }
        let mut found: Option<RoaringBitmap> = None;
        for equality in &self.equalities {
            let Some(postings) = postings(snapshot, source, equality)? else { continue };
            found = Some(match found {
                Some(found) => found & postings.as_ref(),
                None => postings.as_ref().clone(),
            });
        }
        Ok(match found {
            Some(found) if found.is_empty() => Candidates::Nothing,
            Some(found) => Candidates::Rows(found),
            None => Candidates::All,
        })
    }

    /// The path in words, for `explain`.
    pub fn describe(&self) -> String {
        if self.by_id.is_some() {
            return "trace id".to_string();
        }
        let mut words: Vec<String> =
            self.equalities.iter().map(|equality| index_name(&equality.key)).collect();
        if self.time != (None, None) {
            words.push("time range".to_string());
        }
        if words.is_empty() { "all traces".to_string() } else { words.join(", ") }
    }
}

fn index_name(key: &EqualityKey) -> String {
    match key {
        EqualityKey::TraceId => "trace id".to_string(),
        EqualityKey::Session => "session index".to_string(),
        EqualityKey::User => "user index".to_string(),
        EqualityKey::State => "state index".to_string(),
        EqualityKey::Service => "service index".to_string(),
        EqualityKey::Tag(tag) => format!("tag index ({tag})"),
    }
}

/// The rows of these traces by source, each with a source where it may be.
pub(crate) fn rows_of_traces(
    snapshot: &Snapshot,
    traces: impl Iterator<Item = (TraceKey, usize)>,
) -> Result<BTreeMap<usize, RoaringBitmap>> {
    let mut rows: BTreeMap<usize, RoaringBitmap> = BTreeMap::new();
    for (key, home) in traces {
        if let Some(row) = snapshot.find_trace_near(key, home)? {
            rows.entry(row.source).or_default().insert(row.row);
        }
    }
    Ok(rows)
}

/// Candidate rows for any of the values; `None` where the source has no index.
fn postings(snapshot: &Snapshot, source: usize, equality: &Equality) -> Result<Option<Arc<RoaringBitmap>>> {
    let source = snapshot.source(source)?;
    let find = |value: &String| match &equality.key {
        EqualityKey::TraceId => Ok(None),
        EqualityKey::Session => source.postings(IndexKind::Session, value),
        EqualityKey::User => source.postings(IndexKind::User, value),
        EqualityKey::State => source.postings(IndexKind::State, value),
        EqualityKey::Service => source.postings(IndexKind::Service, value),
        EqualityKey::Tag(tag) => source.postings(IndexKind::Tag, &format!("{tag}\0{value}")),
    };
    if let [value] = equality.values.as_slice() {
        return find(value);
    }
    let mut rows = RoaringBitmap::new();
    for value in &equality.values {
        match find(value)? {
            Some(found) => rows |= found.as_ref(),
            None => return Ok(None),
        }
    }
    Ok(Some(Arc::new(rows)))
}

/// Whether a source's times lie wholly outside the bounds.
pub(crate) fn is_outside(range: Option<(i64, i64)>, bounds: (Option<i64>, Option<i64>)) -> bool {
    let Some((min, max)) = range else { return false };
    bounds.0.is_some_and(|low| max < low) || bounds.1.is_some_and(|high| min > high)
}

/// The zone a condition confines its rows to.
fn zone(condition: &Condition) -> Option<Zone> {
    match (&condition.field, &condition.test) {
        (Field::Int(column), Test::Int(test)) => {
            let (min, max) = test.hull()?;
            (min <= max).then(|| Zone::Int { column: (*column).to_string(), min, max })
        }
        (Field::Text(column), Test::Text(test)) => {
            let values = test.equalities()?.to_vec();
            Some(Zone::Text { column: (*column).to_string(), values })
        }
        _ => None,
    }
}

/// Zones of `spans` that every row satisfying the condition lies in.
pub(crate) fn span_zones(condition: &SpanPredicate) -> Vec<Zone> {
    match condition {
        SpanPredicate::And(operands) => operands.iter().flat_map(span_zones).collect(),
        SpanPredicate::Is(condition) => zone(condition).into_iter().collect(),
        _ => Vec::new(),
    }
}
