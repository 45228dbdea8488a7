//! Reading the log that is held (see `holds.rs`), beside those who write it; and erasing in it.
//!
//! 1. Read from where this reader is up to the last acknowledged record: what is not synced yet is not looked at.
//! 2. Of what is read the spans are given, as they were written; other changes are passed over.
//! 3. A file that is damaged or gone is passed over and counted, when replay does not need it: nobody else would ever
//!    miss it, and what comes after it still comes. Damage of what replay needs is an error.
//!
//! **Erasing.** Held files are older than the replay point then, so that only holds read them. Each file with a span of the
//! erased traces, or with other changes, which may name them, is written again: without those spans, and with an empty
//! record in the place of each other change. The sequences stay.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::operation::{KIND_MUTATION, Mutation, Operation};
use super::{Store, lock};
use crate::columns::{packing, text};
use crate::error::{Error, ErrorKind, Result};
use crate::memtable::compact;
use crate::model::TraceKey;
use crate::wal::{self, Record, Tail};

const WAL_DIR: &str = "wal";

/// Where the reader of a hold is: often ahead of the hold, which is at what its reader is done with.
#[derive(Debug)]
pub struct HeldReader {
    name: String,
    tail: Tail,
    generation: u64,
}

/// Spans of the log, in the order in which they were written.
#[derive(Debug)]
pub struct HeldSpans {
    /// Batches of the stored schema, one for each record of spans.
    pub batches: Vec<RecordBatch>,
    /// Behind the last record that was read: what to advance the hold to when all these are done.
    pub next_sequence: u64,
    /// Bytes of the records that were read.
    pub log_bytes: u64,
}

impl HeldReader {
    /// Behind the last record that was read.
    pub fn next_sequence(&self) -> u64 {
        self.tail.last_sequence() + 1
    }
}

impl Store {
    /// A reader that begins where the hold is.
    ///
    /// # Errors
    /// `NotFound` when there is no such hold.
    pub fn held_reader(&self, name: &str) -> Result<HeldReader> {
        let holds = lock(&self.holds);
        Ok(HeldReader {
            name: name.to_string(),
            tail: Tail::new(holds.next_of(name)?),
            generation: holds.generation,
        })
    }

    /// The next spans, until their records have more than `bytes_max` in the log; `None` when there is no record that is new
    /// to the reader.
    ///
    /// # Errors
    /// `NotFound` when the hold was released, `Closed`; `Corrupt` for damage of records that replay needs, `Io`.
    pub fn read_held(&self, reader: &mut HeldReader, bytes_max: u64) -> Result<Option<HeldSpans>> {
        self.check_open()?;
        let acknowledged = self.acknowledged();
        if reader.next_sequence() > acknowledged {
            // Asked many times a second: no file is looked at.
            return lock(&self.holds).next_of(&reader.name).map(|_| None);
        }
        let from = self.settle_reader(reader)?;
        let (mut batches, mut log_bytes) = (Vec::new(), 0);
        let mut next_sequence = from;
        let mut take = |record: Record| {
            assert!(
                record.sequence >= next_sequence,
                "HO-1: records come in their order, each once"
            );
            log_bytes += record.payload.len() as u64;
            if let Some(batch) = spans_of(&record)? {
                batches.push(batch);
            }
            next_sequence = record.sequence + 1;
            Ok(match log_bytes > bytes_max {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        };
        let read = {
            // Nobody cuts or rewrites what is being read.
            let _holds = lock(&self.holds);
            let dir = Path::new(WAL_DIR);
            reader
                .tail
                .read_until(self.env.as_ref(), dir, acknowledged, &mut take)
        };
        if let Err(error) = read {
            // What was read before the damage comes first; the next call finds nothing before it.
            if next_sequence == from {
                next_sequence = self.pass_damage(&reader.name, from, error)?;
            }
            reader.tail = Tail::new(next_sequence);
        }
        assert!(
            next_sequence <= acknowledged + 1,
            "ST-1: who reads the log gets what is acknowledged"
        );
        Ok((next_sequence > from).then_some(HeldSpans {
            batches,
            next_sequence,
            log_bytes,
        }))
    }

    /// Bytes of the log from a sequence on, up to its end: of the file that it falls into those behind the reader.
    ///
    /// # Errors
    /// `Io`.
    pub fn bytes_to_read(&self, reader: &HeldReader) -> Result<u64> {
        if reader.next_sequence() > self.acknowledged() {
            return Ok(0);
        }
        let _holds = lock(&self.holds);
        let files = wal::list_files(self.env.as_ref(), Path::new(WAL_DIR))?;
        let begun = files
            .iter()
            .rposition(|(_, first)| *first <= reader.next_sequence());
        let mut bytes = 0;
        for (path, _) in files.iter().skip(begun.unwrap_or(0)) {
            let file = self
                .env
                .open(path)
                .map_err(|e| Error::io(path.display(), e))?;
            let read = reader.tail.place().filter(|(at, _)| at == path);
            bytes += file.len().saturating_sub(read.map_or(0, |(_, read)| read));
        }
        Ok(bytes)
    }

    /// Puts a reader on what is there: the hold may have given up records, and files may be gone or written again. Where
    /// it reads on.
    fn settle_reader(&self, reader: &mut HeldReader) -> Result<u64> {
        let mut holds = lock(&self.holds);
        let files = wal::list_files(self.env.as_ref(), Path::new(WAL_DIR))?;
        let mut next = reader.next_sequence().max(holds.next_of(&reader.name)?);
        if let Some((_, first)) = files.first().filter(|(_, first)| *first > next) {
            holds.give_up(self.env.as_ref(), &reader.name, *first)?;
            next = *first;
        }
        let is_there = |path: &Path| files.iter().any(|(other, _)| other == path);
        let is_placed = reader.tail.place().is_none_or(|(path, _)| is_there(path));
        let is_current = reader.generation == holds.generation;
        if next != reader.next_sequence() || !is_placed || !is_current {
            reader.tail = Tail::new(next);
            reader.generation = holds.generation;
        }
        assert_eq!(
            reader.next_sequence(),
            next,
            "HO-1: the reader goes on where the hold says"
        );
        Ok(next)
    }

    /// Gives up the rest of a file whose record `from` cannot be read; where the next one begins.
    ///
    /// # Errors
    /// The error when it is no damage, or of what replay needs; `Io`.
    fn pass_damage(&self, name: &str, from: u64, error: Error) -> Result<u64> {
        let mut holds = lock(&self.holds);
        let files = wal::list_files(self.env.as_ref(), Path::new(WAL_DIR))?;
        let after = files
            .iter()
            .map(|(_, first)| *first)
            .find(|first| *first > from);
        let replay_from = lock(&self.state).manifest.replay_from;
        let is_spare = |after: &u64| error.kind() == ErrorKind::Corrupt && *after <= replay_from;
        let Some(after) = after.filter(is_spare) else {
            return Err(error);
        };
        assert!(
            from < after && after <= replay_from,
            "ST-2: what replay needs is not passed over"
        );
        holds.give_up(self.env.as_ref(), name, after)?;
        Ok(after)
    }

    /// Writes held files again without the spans of these traces: see the head of this file. The log has nothing for replay
    /// but an empty file.
    ///
    /// # Errors
    /// `Io`; `Corrupt` naming a file that cannot be read, which would keep what is to be erased.
    pub(super) fn erase_held(&self, keys: &[TraceKey]) -> Result<()> {
        if !self.options.durable {
            return Ok(());
        }
        let keys: HashSet<TraceKey> = keys.iter().copied().collect();
        let mut holds = lock(&self.holds);
        if holds.is_empty() {
            return Ok(());
        }
        let (env, dir) = (self.env.as_ref(), Path::new(WAL_DIR));
        let files = wal::list_files(env, dir)?;
        let replay_from = lock(&self.state).manifest.replay_from;
        for ((_, first), (_, next_first)) in files.iter().zip(files.iter().skip(1)) {
            if *next_first > replay_from {
                break;
            }
            let mut records = Vec::new();
            let mut is_changed = false;
            Tail::new(*first).read_until(env, dir, next_first - 1, &mut |record| {
                let kept = without(record, &keys)?;
                is_changed |= kept.1;
                records.push(kept.0);
                Ok(ControlFlow::Continue(()))
            })?;
            assert!(
                records.iter().all(|record| record.sequence < *next_first),
                "ST-3: records stay in the file that has their sequence"
            );
            if is_changed {
                holds.generation += 1;
                wal::rewrite_file(env, dir, *first, &records)?;
            }
        }
        Ok(())
    }
}

/// The spans of a record; `None` of another change.
fn spans_of(record: &Record) -> Result<Option<RecordBatch>> {
    if record.kind == KIND_MUTATION {
        return Ok(None);
    }
    match Operation::decode(record.kind, &record.payload)? {
        Operation::Spans(batch) => packing::unpack(&batch).map(Some),
        Operation::Mutation(_) => Ok(None),
    }
}

/// A record that says nothing of the erased traces, and whether it is another than before.
fn without(record: Record, keys: &HashSet<TraceKey>) -> Result<(Record, bool)> {
    let changed = match record.kind {
        KIND_MUTATION => Operation::Mutation(Mutation::Edit(Vec::new())),
        kind => {
            let Operation::Spans(batch) = Operation::decode(kind, &record.payload)? else {
                return Ok((record, false));
            };
            let ids = text(&batch, "trace_id")?;
            let is_kept = |id: Option<&str>| id.is_none_or(|id| !keys.contains(&TraceKey::of(id)));
            let kept: BooleanArray = ids.iter().map(|id| Some(is_kept(id))).collect();
            if kept.true_count() == batch.num_rows() {
                return Ok((record, false));
            }
            // Columns share the memory of the record, also of rows that are left out.
            Operation::Spans(compact(&filter_record_batch(&batch, &kept)?)?)
        }
    };
    let (kind, payload) = changed.encode()?;
    let is_changed = payload != record.payload;
    let record = Record {
        kind,
        payload: payload.into(),
        ..record
    };
    Ok((record, is_changed))
}
