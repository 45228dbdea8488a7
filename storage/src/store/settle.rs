//! Settling: the root of a trace is no longer waited for, and its top span's status decides the state.
//!
//! 1. A trace that waits is one whose state is `IN_PROGRESS` because only a top span is there. Each segment
//!    knows its own from its postings of that state; most have none.
//! 2. Those that are due are settled by an edit, many in one record of the log. What was decided is in the
//!    record, not why: a replay needs no clock (ST-3).
//! 3. Applying it changes state and edit of the row. The rest of the row is what the top span made it, so
//!    that no payload is read. A row from before there were top spans is folded anew. That of a trace whose root
//!    is open stays as it is: the root is there, and has not ended, which the fold notes in the edit.
//!
//! A settled trace stays settled, whatever spans come: a root among them takes over all the same.

use std::collections::{HashMap, HashSet};

use super::apply::{CurrentTrace, position_in};
use super::operation::Applied;
use super::{State, Store};
use crate::columns::{text, text_at, waits_for_root};
use crate::error::Result;
use crate::model::{IN_PROGRESS, TraceEdit, TraceKey, TraceRow};
use crate::schema::Table;
use crate::snapshot::{RowRef, Snapshot, read_rows};

/// Traces that are settled by one record of the log: readers wait while it is applied.
const SETTLED_AT_A_TIME: usize = 2_048;

impl Store {
    /// Settles these traces. Unknown ones are skipped and not counted.
    ///
    /// # Errors
    /// As [`Store::append_spans`].
    pub fn settle_traces(&self, trace_ids: &[String]) -> Result<Applied> {
        let mut applied = Applied::default();
        for ids in trace_ids.chunks(SETTLED_AT_A_TIME) {
            let edits = ids.iter().map(|id| (id.clone(), TraceEdit::settle()));
            applied.traces += self.edit_traces(edits.collect())?.traces;
        }
        Ok(applied)
    }
}

impl Snapshot {
    /// Ids of the traces that wait for their root and whose last span ended before `before_ns`.
    ///
    /// # Errors
    /// Whatever reading an index or rows gives.
    pub fn waiting_since(&self, before_ns: i64) -> Result<Vec<String>> {
        let mut rows = Vec::new();
        for (source, of_source) in self.sources().iter().enumerate() {
            let waiting = of_source.waiting()?;
            let due = waiting
                .iter()
                .filter(|trace| trace.end_time_ns.is_some_and(|end| end < before_ns));
            let mask = of_source.mask(Table::Traces);
            let visible = due.filter(|trace| mask.is_none_or(|mask| !mask.contains(trace.row)));
            rows.extend(visible.map(|trace| RowRef {
                source,
                row: trace.row,
            }));
        }
        let batch = self.read_rows(Table::Traces, &rows, &["trace_id"])?;
        Ok(text(&batch, "trace_id")?
            .iter()
            .flatten()
            .map(str::to_string)
            .collect())
    }

    /// Ids of those of these traces that wait for their root.
    ///
    /// # Errors
    /// As [`Snapshot::waiting_since`].
    pub fn waiting_among(&self, keys: &[TraceKey]) -> Result<Vec<String>> {
        let rows: Vec<RowRef> = self.find_traces(keys)?.into_iter().flatten().collect();
        let batch = self.read_rows(Table::Traces, &rows, &["trace_id", "state", "_edit"])?;
        let (ids, states, edits) = (
            text(&batch, "trace_id")?,
            text(&batch, "state")?,
            text(&batch, "_edit")?,
        );
        let mut waiting = Vec::new();
        for row in 0..batch.num_rows() {
            if waits_for_root(states.value(row), text_at(edits, row))? {
                waiting.push(ids.value(row).to_string());
            }
        }
        Ok(waiting)
    }
}

/// What becomes of traces that are settled.
#[derive(Default)]
pub(super) struct Settled {
    /// States that change.
    pub states: HashMap<TraceKey, &'static str>,
    /// Traces that are folded anew.
    pub refolded: HashSet<TraceKey>,
}

impl State {
    /// The states of the traces that these edits settle; see step 3.
    pub(super) fn settled_states<'a>(
        &self,
        current: &HashMap<TraceKey, CurrentTrace>,
        edits: impl Iterator<Item = (&'a TraceKey, &'a TraceEdit)>,
    ) -> Result<Settled> {
        let mut settled = Settled::default();
        let mut unclear: HashMap<TraceKey, &str> = HashMap::new();
        for (key, _) in edits.filter(|(_, edit)| edit.settled && edit.start.is_none()) {
            let Some(CurrentTrace { trace, .. }) = current.get(key) else {
                continue;
            };
            let TraceRow {
                state,
                span_count,
                error_span_count,
                root_span_id,
                edit,
                ..
            } = trace;
            if state != IN_PROGRESS || edit.settled || edit.has_open_root || edit.start.is_some() {
                continue;
            }
            match root_span_id {
                None => drop(settled.refolded.insert(*key)),
                Some(_) if *error_span_count == 0 => {
                    settled.states.insert(*key, "OK");
                }
                Some(_) if error_span_count == span_count => {
                    settled.states.insert(*key, "ERROR");
                }
                Some(top) => drop(unclear.insert(*key, top)),
            }
        }
        self.read_states(&unclear, &mut settled.states)?;
        assert!(
            settled
                .refolded
                .iter()
                .all(|key| !settled.states.contains_key(key)),
            "what is folded anew gets its state by that"
        );
        Ok(settled)
    }

    /// The states that these spans decide for their traces.
    fn read_states(
        &self,
        tops: &HashMap<TraceKey, &str>,
        states: &mut HashMap<TraceKey, &'static str>,
    ) -> Result<()> {
        let mut sources = vec![self.active_source()];
        let (mut keys, mut places) = (Vec::new(), Vec::new());
        for key in tops.keys() {
            let own = self.active.view.rows_of(Table::Spans, *key);
            places.extend(own.iter().map(|row| RowRef { source: 0, row }));
            if self.active.known_older.contains(key) {
                for older in self.older_rows(Table::Spans, *key)? {
                    let source = position_in(&mut sources, &older.source);
                    places.extend(older.rows.iter().map(|row| RowRef { source, row }));
                }
            }
            keys.resize(places.len(), *key);
        }
        let batch = read_rows(&sources, Table::Spans, &places, &["span_id", "status"])?;
        let (ids, statuses) = (text(&batch, "span_id")?, text(&batch, "status")?);
        assert_eq!(
            batch.num_rows(),
            keys.len(),
            "each span that is read is of a trace that is settled"
        );
        for ((key, id), status) in keys.iter().zip(ids).zip(statuses) {
            if tops.get(key).copied() == id {
                states.insert(
                    *key,
                    if status == Some("ERROR") {
                        "ERROR"
                    } else {
                        "OK"
                    },
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
