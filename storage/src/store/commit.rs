//! Group commit: the write path from a caller's operation to "acknowledged and visible".
//!
//! 1. The caller encodes its operation, queues it, and asks for the log lock.
//! 2. Who gets the lock first is the *leader*: it takes everything queued, appends one frame each,
//!    and syncs once (ST-1).
//! 3. The leader applies the operations in sequence order under the state lock and hands each caller
//!    its result. Callers that find their result when they get the lock have nothing left to do.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::operation::{Applied, Mutation, Operation};
use super::{Assess, Log, Reassess, Store, lock};
use crate::columns::packing;
use crate::error::{Error, Result};
use crate::model::{Fragment, TraceEdit};
use crate::wal::WalWriter;

/// Records up to this are read back before they are written, in debug builds.
const READ_BACK_BYTES_MAX: usize = 32 << 10;

type Slot = Arc<Mutex<Option<Result<Applied>>>>;

/// An operation with its log record.
#[derive(Debug)]
pub struct Prepared {
    operation: Operation,
    kind: u8,
    payload: Vec<u8>,
}

/// An operation waiting for the leader.
#[derive(Debug)]
pub(super) struct Pending {
    prepared: Prepared,
    slot: Slot,
    deadline: Option<Instant>,
}

impl Store {
    /// Appends spans, a batch of the stored schema. Returns once they are durable and visible.
    ///
    /// # Errors
    /// `Closed` after a failed fsync until the store is opened again; `Io` when the log cannot be
    /// written, `Corrupt` or `Io` when older rows of the same traces cannot be read. Nothing was
    /// acknowledged in any case.
    pub fn append_spans(&self, spans: arrow::array::RecordBatch) -> Result<Applied> {
        if spans.num_rows() == 0 {
            return Ok(Applied::default());
        }
        self.commit(Operation::Spans(packing::pack(&spans)?))
    }

    /// Encodes spans for the log, so that many threads can do it before one appends.
    ///
    /// # Errors
    /// `Internal` when the batch cannot be encoded.
    pub fn prepare_spans(&self, spans: arrow::array::RecordBatch) -> Result<Prepared> {
        self.prepare(Operation::Spans(packing::pack(&spans)?))
    }

    /// Appends what [`Store::prepare_spans`] made.
    ///
    /// # Errors
    /// As [`Store::append_spans`].
    pub fn append_prepared(&self, prepared: Prepared) -> Result<Applied> {
        self.check_open()?;
        self.check_space()?;
        self.enqueue(prepared)
    }

    /// Applies explicit edits to traces. Unknown traces are skipped and not counted.
    ///
    /// # Errors
    /// As [`Store::append_spans`].
    pub fn edit_traces(&self, edits: Vec<(String, TraceEdit)>) -> Result<Applied> {
        if edits.is_empty() {
            return Ok(Applied::default());
        }
        self.commit(Operation::Mutation(Mutation::Edit(edits)))
    }

    /// Removes and adds assessments, all at once.
    ///
    /// # Errors
    /// As [`Store::append_spans`].
    pub fn reassess(&self, change: Reassess) -> Result<Applied> {
        self.commit(Operation::Mutation(Mutation::Reassess(change)))
    }

    /// Adds assessments.
    ///
    /// # Errors
    /// As [`Store::append_spans`].
    pub fn assess(&self, assess: Assess) -> Result<Applied> {
        if assess.rows.is_empty() {
            return Ok(Applied::default());
        }
        self.commit(Operation::Mutation(Mutation::Assess(assess)))
    }

    /// Joins log records to their spans, or keeps them until those come.
    ///
    /// # Errors
    /// As [`Store::append_spans`].
    pub fn join_records(&self, fragments: Vec<Fragment>) -> Result<Applied> {
        if fragments.is_empty() {
            return Ok(Applied::default());
        }
        self.commit(Operation::Mutation(Mutation::Join(fragments)))
    }

    /// Deletes traces with their spans and assessments: invisible once this returns.
    ///
    /// # Errors
    /// As [`Store::append_spans`].
    pub fn delete_traces(&self, trace_ids: Vec<String>) -> Result<Applied> {
        if trace_ids.is_empty() {
            return Ok(Applied::default());
        }
        self.commit(Operation::Mutation(Mutation::Delete(trace_ids)))
    }

    pub(super) fn commit(&self, operation: Operation) -> Result<Applied> {
        self.check_open()?;
        if !matches!(operation, Operation::Mutation(Mutation::Delete(_))) {
            self.check_space()?;
        }
        self.enqueue(self.prepare(operation)?)
    }

    fn prepare(&self, operation: Operation) -> Result<Prepared> {
        operation.check()?;
        let (kind, payload) = if self.options.durable {
            operation.encode()?
        } else {
            (0, Vec::new())
        };
        debug_assert!(
            !self.options.durable
                || payload.len() > READ_BACK_BYTES_MAX
                || Operation::decode(kind, &payload).is_ok(),
            "ST-3: what is logged can be replayed"
        );
        Ok(Prepared {
            operation,
            kind,
            payload,
        })
    }

    fn enqueue(&self, prepared: Prepared) -> Result<Applied> {
        let slot = Slot::default();
        lock(&self.queue).push_back(Pending {
            prepared,
            slot: slot.clone(),
            deadline: self.write_deadline(),
        });
        let mut log = lock(&self.log);
        if let Some(result) = lock(&slot).take() {
            return result;
        }
        let group: Vec<Pending> = lock(&self.queue).drain(..).collect();
        self.lead(&mut log, group);
        lock(&slot).take().unwrap_or_else(|| {
            Err(Error::internal(
                "group commit left an operation without a result",
            ))
        })
    }

    /// Commits a group and puts a result into every slot.
    fn lead(&self, log: &mut Log, group: Vec<Pending>) {
        let first_sequence = log.next_sequence;
        let deadline = group.iter().filter_map(|pending| pending.deadline).min();
        if let Err(error) = self
            .make_room(log, deadline)
            .and_then(|()| write(log, &group))
        {
            for pending in &group {
                *lock(&pending.slot) = Some(Err(Error::new(error.kind(), error.to_string())));
            }
            return;
        }
        let mut state = lock(&self.state);
        let end = first_sequence + group.len() as u64;
        assert_eq!(
            log.next_sequence, end,
            "ST-1: each operation of the group has a sequence of its own"
        );
        for (pending, sequence) in group.into_iter().zip(first_sequence..) {
            let result = state.apply(pending.prepared.operation, sequence);
            *lock(&pending.slot) = Some(result.map_err(|error| state.refuse(error)));
        }
    }

    /// Freezes a full memtable so that the group goes into an empty one; waits for the one before it
    /// to be sealed.
    fn make_room(&self, log: &mut Log, deadline: Option<Instant>) -> Result<()> {
        if !self.is_full(log) {
            return Ok(());
        }
        self.make_segment_room(deadline)?;
        if !self.options.inline_maintenance {
            return self.freeze(log, deadline);
        }
        // One that could not be sealed before: without another thread nobody else frees its slot.
        self.seal_frozen()?;
        self.freeze(log, deadline)?;
        self.seal_frozen().map(|_| ())
    }

    /// Moves the active memtable to the frozen slot, waiting until that is free, unless sealing fails.
    pub(super) fn freeze(&self, log: &mut Log, deadline: Option<Instant>) -> Result<()> {
        if let Some(wal) = &mut log.wal {
            wal.rotate(log.next_sequence)?;
        }
        let mut state = lock(&self.state);
        while state.frozen.is_some() {
            state.check_writable(
                state.seal_failure.as_ref(),
                "memory is full and cannot be sealed",
            )?;
            state = self.wait_until(state, deadline, "memory waits to be sealed")?;
        }
        state.fold_dirty()?;
        state.freeze(log.next_sequence);
        assert!(
            state.active.is_empty(),
            "rows come to an empty memtable after a freeze"
        );
        drop(state);
        self.changed.notify_all();
        Ok(())
    }
}

/// Appends the group's records and syncs once. On an error nothing of it is acknowledged.
fn write(log: &mut Log, group: &[Pending]) -> Result<()> {
    if let Some(wal) = &mut log.wal {
        for (pending, sequence) in group.iter().zip(log.next_sequence..) {
            wal.append(pending.prepared.kind, sequence, &pending.prepared.payload)?;
        }
        wal.sync()?;
    }
    log.next_sequence += group.len() as u64;
    let synced = log
        .wal
        .as_ref()
        .map_or(log.next_sequence, WalWriter::next_sequence);
    assert_eq!(
        synced, log.next_sequence,
        "ST-1: what is acknowledged is what was synced"
    );
    Ok(())
}
