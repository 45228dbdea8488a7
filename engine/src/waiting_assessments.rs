//! Assessments that an import finds before their trace: they wait until the input ends that may bring it.
//!
//! Exports come as several files, and the file of the scores may be the first; so may a line in a file. What waits is kept
//! as JSON lines: so many bytes in memory, the rest in a file without a name. At the end those whose trace has come are
//! stored, and the others rejected with their place. One that names a span and no trace (Phoenix) is of the trace that
//! has the span by then.
//!
//! **Invariant**: memory stays below [`MEMORY_BYTES_MAX`], but for a database in memory. What waits is not durable: an
//! import that was cut short is made again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tracehouse_query::search::{Search, matching_spans};
use tracehouse_storage::Store;
use tracehouse_storage::env::ScratchFile;
use tracehouse_storage::model::Assessment;
use tracehouse_storage::store::Assess;

use crate::database::Database;
use crate::error::{Error, Result};
use crate::filters::quoted;
use crate::ingest::ImportReport;
use crate::said::{known, unknown_trace};

/// Bytes kept in memory.
const MEMORY_BYTES_MAX: usize = 8 << 20;
/// Bytes that are read, and stored, together.
const PIECE_BYTES: usize = 1 << 20;

/// Span ids that one search is for.
const SPAN_IDS_MAX: usize = 1_000;

/// Assessments that wait for their trace. One value given to several imports
/// ([`ImportOptions::assessments_wait`](crate::ImportOptions::assessments_wait)) lets a later one bring the traces of an
/// earlier one's assessments; [`Database::store_waiting`] ends the waiting.
#[derive(Debug, Clone, Default)]
pub struct WaitingAssessments(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// The last ones, as JSON lines.
    lines: Vec<u8>,
    /// Those before.
    file: Option<ScratchFile>,
}

/// One that waits, and where it stands.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    file: String,
    line: Option<u64>,
    assessment: Assessment,
}

impl WaitingAssessments {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds assessments of the input `file`, each with its line.
    ///
    /// # Errors
    /// `Io` when they need a file and it cannot be written.
    pub(crate) fn add(
        &self,
        store: &Store,
        file: &str,
        assessments: Vec<(Option<u64>, Assessment)>,
    ) -> Result<()> {
        self.add_within(MEMORY_BYTES_MAX, store, file, assessments)
    }

    fn add_within(
        &self,
        bytes_max: usize,
        store: &Store,
        file: &str,
        assessments: Vec<(Option<u64>, Assessment)>,
    ) -> Result<()> {
        let mut waiting = self.lock();
        for (line, assessment) in assessments {
            let line = Line {
                file: file.to_string(),
                line,
                assessment,
            };
            serde_json::to_writer(&mut waiting.lines, &line)
                .map_err(|e| Error::internal(e.to_string()))?;
            waiting.lines.push(b'\n');
            if waiting.lines.len() > bytes_max {
                waiting.put_aside(store)?;
            }
        }
        Ok(())
    }
}

impl Waiting {
    /// Puts what is in memory into the file, where there is one to put it in.
    fn put_aside(&mut self, store: &Store) -> Result<()> {
        let unwritten = |error| {
            Error::from(tracehouse_storage::Error::io(
                "assessments that wait",
                error,
            ))
        };
        if self.file.is_none() {
            let Some(space) = store.scratch_space() else {
                return Ok(());
            };
            self.file = Some(space.create().map_err(unwritten)?);
        }
        if let Some(file) = &self.file {
            file.append(&self.lines).map_err(unwritten)?;
            self.lines.clear();
        }
        Ok(())
    }

    /// Gives all to `take`, some at a time, in the order in which they came.
    fn drain(mut self, mut take: impl FnMut(Vec<Line>) -> Result<()>) -> Result<()> {
        let unread = |error| {
            Error::from(tracehouse_storage::Error::io(
                "assessments that wait",
                error,
            ))
        };
        let (mut rest, mut offset) = (Vec::new(), 0);
        while let Some(file) = self.file.as_ref().filter(|file| offset < file.len()) {
            let piece = file.read_at(offset, PIECE_BYTES).map_err(unread)?;
            offset += piece.len() as u64;
            rest.extend_from_slice(&piece);
            let whole = memchr::memrchr(b'\n', &rest).map_or(0, |end| end + 1);
            let after = rest.split_off(whole);
            take(read(&std::mem::replace(&mut rest, after))?)?;
        }
        while !self.lines.is_empty() {
            let near = self.lines.get(PIECE_BYTES..).unwrap_or_default();
            let end =
                memchr::memchr(b'\n', near).map_or(self.lines.len(), |at| PIECE_BYTES + at + 1);
            let after = self.lines.split_off(end);
            take(read(&std::mem::replace(&mut self.lines, after))?)?;
        }
        Ok(())
    }
}

fn read(lines: &[u8]) -> Result<Vec<Line>> {
    let lines = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let parsed =
        lines.map(|line| serde_json::from_slice(line).map_err(|e| Error::internal(e.to_string())));
    parsed.collect()
}

impl Database {
    /// Stores the assessments that waited and whose trace is there now, and rejects the others. Nothing waits any more when
    /// this returns.
    ///
    /// ```
    /// use tracehouse::{Database, ImportOptions, TraceStart, WaitingAssessments};
    ///
    /// let db = Database::in_memory()?;
    /// let waiting = WaitingAssessments::default();
    /// let options = ImportOptions::default().name("scores.jsonl").assessments_wait(&waiting);
    /// let score = r#"{"id":"s","traceId":"t","name":"n","value":1,"source":"API","dataType":"NUMERIC"}"#;
    /// assert_eq!(db.import(score.as_bytes(), &options, &mut |_| {})?.assessments, 0);
    /// db.start_trace(&TraceStart::new("t", 0))?;
    /// assert_eq!(db.store_waiting(&waiting, false)?.assessments, 1);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Io`, `Closed` or `Unavailable` from writing; `InvalidInput` with `strict` for the first whose trace is not there,
    /// after the others are stored.
    pub fn store_waiting(
        &self,
        waiting: &WaitingAssessments,
        strict: bool,
    ) -> Result<ImportReport> {
        let mut report = ImportReport::default();
        std::mem::take(&mut *waiting.lock()).drain(|mut lines| {
            self.place_by_span(&mut lines)?;
            let _shared = self.change_shared();
            let placed = lines.into_iter().map(
                |Line {
                     file,
                     line,
                     assessment,
                 }| ((file, line), assessment),
            );
            let (rows, unknown) = known(&self.snapshot()?, placed.collect())?;
            report.assessments += self
                .store()
                .assess(Assess {
                    rows,
                    check_existing: true,
                })?
                .assessments;
            for ((file, line), assessment) in unknown {
                report.reject(&file, line, unknown_trace(&assessment));
            }
            Ok(())
        })?;
        match report.rejected.first().filter(|_| strict) {
            Some(first) => {
                let line = first
                    .line
                    .map(|line| format!(":{line}"))
                    .unwrap_or_default();
                Err(Error::invalid_input(format!(
                    "{}{line}: {}",
                    first.file, first.error
                )))
            }
            None => Ok(report),
        }
    }
}

impl Database {
    /// Gives those that name no trace the one that has their span; where several have it they stay without.
    fn place_by_span(&self, lines: &mut [Line]) -> Result<()> {
        let is_open = |line: &&mut Line| line.assessment.trace_id.is_empty();
        let open: Vec<&mut Assessment> = lines
            .iter_mut()
            .filter(is_open)
            .map(|line| &mut line.assessment)
            .collect();
        let spans: BTreeSet<String> = open.iter().filter_map(|row| row.span_id.clone()).collect();
        let traces = self.traces_of_spans(&spans)?;
        for row in open {
            let of_span = row.span_id.as_ref().and_then(|id| traces.get(id));
            if let Some(only) = of_span.filter(|of| of.len() == 1).and_then(BTreeSet::first) {
                row.trace_id = only.clone();
            }
        }
        Ok(())
    }

    /// The traces that have each of these spans; a span that none has is not listed.
    pub(crate) fn traces_of_spans(
        &self,
        spans: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let mut traces: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for ids in spans.iter().collect::<Vec<_>>().chunks(SPAN_IDS_MAX) {
            let listed: Vec<String> = ids.iter().map(|id| quoted(id)).collect();
            let filter = format!("span.id IN ({})", listed.join(","));
            for found in matching_spans(&self.reading()?, &Search::new(filter))? {
                let of_span = traces.entry(found.span_id).or_default();
                of_span.insert(found.trace_id);
            }
        }
        Ok(traces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NewAssessment, OpenOptions};

    fn given(number: u32) -> (Option<u64>, Assessment) {
        let assessment =
            NewAssessment::feedback("n", format!("\"line {number}\\n\"")).rationale("why\nso");
        let row = assessment
            .into_row(&format!("t{number}"), format!("a{number}"), 7)
            .unwrap();
        (Some(u64::from(number)), row)
    }

    #[test]
    fn what_waits_comes_out_as_it_went_in_from_memory_and_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let on_disk = OpenOptions::new()
            .open(folder.path().join("a.traces"))
            .unwrap();
        let in_memory = Database::in_memory().unwrap();
        for (db, bytes_max) in [(&on_disk, 1_000), (&on_disk, 1 << 30), (&in_memory, 1_000)] {
            let waiting = WaitingAssessments::default();
            waiting
                .add_within(bytes_max, db.store(), "f", (0..10_000).map(given).collect())
                .unwrap();
            let waits = std::mem::take(&mut *waiting.lock());
            let has_file = waits.file.is_some();
            assert_eq!(
                has_file,
                db.store().scratch_space().is_some() && bytes_max == 1_000
            );
            assert!(
                !has_file || waits.lines.len() <= bytes_max,
                "{} bytes",
                waits.lines.len()
            );
            let (mut all, mut pieces) = (Vec::new(), 0);
            waits
                .drain(|lines| {
                    all.extend(lines.into_iter().map(|line| (line.line, line.assessment)));
                    pieces += 1;
                    Ok(())
                })
                .unwrap();
            assert!(all == (0..10_000).map(given).collect::<Vec<_>>());
            assert!(pieces > 1, "all at once");
        }
    }
}
