//! Applying records of the log, in a replay and in a process that follows it: as they would be one by one, but
//! small ones together, so that what a record costs goes by its bytes and not by there being one.
//!
//! * Spans: of several with one id the later wins, in a batch as if they had come one by one (ST-3).
//! * Edits: as long as no two are of one trace, they do not see each other.
//!
//! Anything else is applied by itself, after what came before it.

use std::collections::HashSet;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};

use super::State;
use super::operation::{KIND_SPANS, Mutation, Operation};
use crate::error::{Error, Result};
use crate::memtable::compact;
use crate::model::{TraceEdit, TraceKey, normalize_trace_id, row_number};
use crate::schema::Table;
use crate::wal::Record;

/// Spans that are applied together.
const SPANS_MAX: usize = 4_096;
/// Bytes of records of spans that are applied together; a record of more than this is applied as it is.
const SPAN_BYTES_MAX: usize = 1 << 20;
/// Edits that are applied together.
const EDITS_MAX: usize = 1_024;

/// Collects records and applies them.
pub(super) struct Replay<'s> {
    state: &'s mut State,
    waiting: Waiting,
    /// The sequence of the last record that waits.
    sequence: u64,
}

enum Waiting {
    Nothing,
    Spans {
        batches: Vec<RecordBatch>,
        rows: usize,
        bytes: usize,
    },
    Edits {
        edits: Vec<(String, TraceEdit)>,
        traces: HashSet<TraceKey>,
    },
}

impl<'s> Replay<'s> {
    pub(super) fn new(state: &'s mut State) -> Self {
        Self {
            state,
            waiting: Waiting::Nothing,
            sequence: 0,
        }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// `Corrupt` when it does not decode, or what applying it and those before gives. A record about traces of
    /// a segment that cannot be read ends the replay: left out, it would be missing from answers, and from the
    /// log once that is cut.
    pub(super) fn add(&mut self, record: &Record) -> Result<()> {
        let (sequence, bytes) = (record.sequence, record.payload.len());
        assert!(
            sequence > self.sequence,
            "ST-3: record {sequence} comes after {}",
            self.sequence
        );
        match Operation::decode(record.kind, &record.payload)? {
            Operation::Spans(batch) if record.kind != KIND_SPANS || bytes < SPAN_BYTES_MAX => {
                self.add_spans(batch, bytes, sequence)
            }
            Operation::Mutation(Mutation::Edit(edits)) => self.add_edits(edits, sequence),
            other => {
                self.finish()?;
                self.sequence = sequence;
                self.state.apply(other, sequence).map(drop)
            }
        }
    }

    fn add_spans(&mut self, batch: RecordBatch, more_bytes: usize, sequence: u64) -> Result<()> {
        if !matches!(self.waiting, Waiting::Spans { .. }) {
            self.finish()?;
            self.waiting = Waiting::Spans {
                batches: Vec::new(),
                rows: 0,
                bytes: 0,
            };
        }
        self.sequence = sequence;
        let Waiting::Spans {
            batches,
            rows,
            bytes,
        } = &mut self.waiting
        else {
            return Err(misfiled(sequence));
        };
        *rows += batch.num_rows();
        *bytes += more_bytes;
        batches.push(batch);
        if *rows >= SPANS_MAX || *bytes >= SPAN_BYTES_MAX {
            self.finish()
        } else {
            Ok(())
        }
    }

    fn add_edits(&mut self, more: Vec<(String, TraceEdit)>, sequence: u64) -> Result<()> {
        let of: HashSet<TraceKey> = more
            .iter()
            .map(|(id, _)| TraceKey::of(&normalize_trace_id(id)))
            .collect();
        let fits = match &self.waiting {
            Waiting::Edits { edits, traces } => edits.len() < EDITS_MAX && traces.is_disjoint(&of),
            _ => false,
        };
        if !fits {
            self.finish()?;
            self.waiting = Waiting::Edits {
                edits: Vec::new(),
                traces: HashSet::new(),
            };
        }
        self.sequence = sequence;
        let Waiting::Edits { edits, traces } = &mut self.waiting else {
            return Err(misfiled(sequence));
        };
        edits.extend(more);
        traces.extend(of);
        Ok(())
    }

    /// Applies what waits.
    ///
    /// # Errors
    /// Whatever applying gives.
    pub(super) fn finish(&mut self) -> Result<()> {
        let operation = match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Nothing => return Ok(()),
            Waiting::Spans { batches, .. } => Operation::Spans(joined(&batches)?),
            Waiting::Edits { edits, .. } => Operation::Mutation(Mutation::Edit(edits)),
        };
        self.state.apply(operation, self.sequence).map(drop)
    }
}

fn misfiled(sequence: u64) -> Error {
    Error::internal(format!(
        "record {sequence} of the log waits with those of another kind"
    ))
}

/// The rows of all batches in memory of their own: columns of a record share that of the record.
fn joined(batches: &[RecordBatch]) -> Result<RecordBatch> {
    let whole = match batches {
        [one] => {
            let rows = row_number(one.num_rows())?;
            take_record_batch(one, &UInt32Array::from_iter_values(0..rows))?
        }
        many => concat_batches(&Table::Spans.schema(), many)?,
    };
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(
        whole.num_rows(),
        rows,
        "ST-3: no span of a record is left out"
    );
    compact(&whole)
}
