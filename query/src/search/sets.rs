//! Sets of traces found before the first row of `traces` is read: those of assessments, and those of
//! words that few spans hold.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use arrow::array::Array;
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;
use tracehouse_storage::model::{SESSION_METADATA, TraceKey};
use tracehouse_storage::scan::{RowFilter, ScanRequest};
use tracehouse_storage::schema::Table;
use tracehouse_storage::{Result, Snapshot};

use super::explain::Recorder;
use super::spans::SpanLeaf;
use crate::predicate::AssessmentPredicate;
use crate::predicate::column::{map, text};

/// Where a search looks.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub snapshot: &'a Snapshot,
    /// `None` = all.
    pub experiments: Option<&'a [String]>,
    pub recorder: &'a Recorder,
}

/// Traces that satisfy a condition: by id, or by session.
#[derive(Debug, Default)]
pub(crate) struct TraceSet {
    /// With the source of the row that named it, where its own row mostly is too.
    traces: HashMap<TraceKey, usize, KeyHashing>,
    sessions: HashSet<String>,
}

/// Hashes keys, which are ids or hashes themselves, with two multiplications; seeded, so that nobody can
/// choose ids that collide.
#[derive(Debug, Clone, Copy)]
struct KeyHashing {
    seed: u64,
}

#[derive(Debug)]
struct KeyHasher {
    state: u64,
}

impl Default for KeyHashing {
    fn default() -> Self {
        Self {
            seed: RandomState::new().hash_one(0_u64),
        }
    }
}

impl BuildHasher for KeyHashing {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher { state: self.seed }
    }
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(*byte));
        }
    }

    fn write_u128(&mut self, key: u128) {
        let (high, low) = ((key >> 64) as u64, key as u64);
        let folded = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            product as u64 ^ (product >> 64) as u64
        };
        let first = folded(self.state ^ high, 0x9E37_79B9_7F4A_7C15);
        self.state = folded(first ^ low, self.state | 1);
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

/// The traces with an assessment that satisfies a condition.
///
/// # Errors
/// What reading gives.
pub(super) fn assessment_set(
    scope: &Scope<'_>,
    condition: &AssessmentPredicate,
) -> Result<TraceSet> {
    assessments_among(
        scope,
        condition,
        (0..scope.snapshot.source_count()).map(|source| (source, None)),
    )
}

/// The set of the traces of some sources, of some only among these rows.
///
/// # Errors
/// What reading gives.
pub(super) fn assessments_among(
    scope: &Scope<'_>,
    condition: &AssessmentPredicate,
    parts: impl IntoIterator<Item = (usize, Option<RoaringBitmap>)>,
) -> Result<TraceSet> {
    let mut set = TraceSet::default();
    let mut session_wide = HashSet::new();
    for (index, rows) in parts {
        if scope
            .snapshot
            .source(index)?
            .visible_rows(Table::Assessments)
            == 0
        {
            continue;
        }
        let mut request = ScanRequest::columns(["trace_id"]);
        request.rows = rows;
        request.counters = scope.recorder.counters();
        request.filters = scope
            .recorder
            .filter(index, Table::Assessments)
            .into_iter()
            .collect();
        request.filters.push(assessment_filter(condition));
        request.zones = condition.zones();
        if condition.is_session_wide() {
            request.columns.push("metadata".to_string());
        }
        for batch in scope.snapshot.scan(index, Table::Assessments, &request)? {
            let batch = batch?;
            set.add_traces(&batch, index)?;
            if condition.is_session_wide() {
                let (ids, metadata) = (text(&batch, "trace_id")?, map(&batch, "metadata")?);
                let counts_for_session =
                    |row: &usize| metadata.get(*row, SESSION_METADATA).is_some();
                let rows = (0..batch.num_rows()).filter(counts_for_session);
                session_wide.extend(rows.map(|row| TraceKey::of(ids.value(row))));
            }
        }
    }
    set.sessions = sessions_of(scope, session_wide)?;
    Ok(set)
}

/// The sessions of the traces, as far as these are in the experiments searched.
fn sessions_of(scope: &Scope<'_>, traces: HashSet<TraceKey>) -> Result<HashSet<String>> {
    let mut rows = Vec::new();
    for key in traces {
        if let Some(row) = scope.snapshot.find_trace(key)? {
            scope
                .recorder
                .add_rows(row.source, Table::Traces, [row.row]);
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let batch = scope
        .snapshot
        .read_rows(Table::Traces, &rows, &["experiment_id", "session_id"])?;
    let (experiments, sessions) = (text(&batch, "experiment_id")?, text(&batch, "session_id")?);
    let is_searched = |id: &str| {
        scope
            .experiments
            .is_none_or(|searched| searched.iter().any(|one| one == id))
    };
    let found = experiments
        .iter()
        .zip(sessions)
        .filter_map(|(experiment, session)| {
            session
                .filter(|_| experiment.is_some_and(is_searched))
                .map(str::to_string)
        });
    Ok(found.collect())
}

/// The traces of the spans that satisfy a leaf, of which the text index has named the only `rows` by
/// source that can.
///
/// # Errors
/// What reading gives.
pub(super) fn span_set(leaf: &SpanLeaf, rows: Vec<RoaringBitmap>) -> Result<TraceSet> {
    let mut set = TraceSet::default();
    for (source, rows) in rows.into_iter().enumerate() {
        for batch in leaf.scan(source, rows, "trace_id")? {
            set.add_traces(&batch, source)?;
        }
    }
    Ok(set)
}

pub(super) fn assessment_filter(condition: &AssessmentPredicate) -> RowFilter {
    let condition = condition.clone();
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

impl TraceSet {
    fn add_traces(&mut self, batch: &RecordBatch, source: usize) -> Result<()> {
        let ids = text(batch, "trace_id")?;
        let mut last = None;
        for id in ids.iter().flatten() {
            // Rows of one trace come together.
            if last != Some(id) {
                self.traces.insert(TraceKey::of(id), source);
                last = Some(id);
            }
        }
        Ok(())
    }

    /// Traces named one by one.
    pub fn len(&self) -> usize {
        self.traces.len()
    }

    /// Sessions all of whose traces it has.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Whether it names traces one by one and no session.
    pub fn is_by_trace(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The traces named one by one, each with a source where its row may be.
    pub fn traces(&self) -> impl Iterator<Item = (TraceKey, usize)> + '_ {
        self.traces.iter().map(|(key, source)| (*key, *source))
    }

    /// The columns of `traces` that membership is told from.
    pub fn columns(&self) -> &'static [&'static str] {
        if self.sessions.is_empty() {
            &["trace_id"]
        } else {
            &["trace_id", "session_id"]
        }
    }

    /// Rows of a batch of `traces` that are in the set, among the wanted ones.
    ///
    /// # Errors
    /// `Internal` when the batch lacks a column.
    pub fn rows(&self, batch: &RecordBatch, wanted: &BooleanBuffer) -> Result<BooleanBuffer> {
        let ids = text(batch, "trace_id")?;
        let sessions = if self.sessions.is_empty() {
            None
        } else {
            Some(text(batch, "session_id")?)
        };
        Ok(BooleanBuffer::collect_bool(batch.num_rows(), |row| {
            let by_session = |sessions: &arrow::array::StringViewArray| {
                sessions.is_valid(row) && self.sessions.contains(sessions.value(row))
            };
            wanted.value(row)
                && (self.traces.contains_key(&TraceKey::of(ids.value(row)))
                    || sessions.is_some_and(by_session))
        }))
    }
}
