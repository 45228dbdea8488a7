//! How a search was answered: the way to the rows, and what was read and what was not.
//!
//! Counting is part of a search only when it is asked for: then every scan begins with a filter that keeps
//! all rows and notes them. A row looked at twice is one row.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::BooleanArray;
use arrow::buffer::BooleanBuffer;
use roaring::RoaringBitmap;
use serde::Serialize;
use tracehouse_storage::scan::{RowFilter, ScanCounters, ScanFigures};
use tracehouse_storage::schema::Table;
use tracehouse_storage::{Result, Snapshot, Source};

use crate::predicate::column::row_numbers;

/// How a search was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explain {
    /// What the rows of `traces` were reached by.
    pub access_path: String,
    /// Conditions that are not about the trace's own row, and how each was answered.
    pub conditions: Vec<String>,
    /// Segments, and what is still in memory: those of which some row was read.
    pub sources: Coverage,
    /// Rows of `traces`.
    pub traces: Coverage,
    /// Rows of `spans`.
    pub spans: Coverage,
    /// Rows of `assessments`.
    pub assessments: Coverage,
    /// Spans that a text index answers for, and those whose text is scanned when words are searched.
    pub text_index: TextCoverage,
    /// What it took, when the search was asked to analyze itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
}

/// What a search took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Analysis {
    /// Its stages in the order they began. `spans` is a part of `scan`.
    pub stages: Vec<Stage>,
    /// What its scans did: rows that several conditions looked at count several times.
    pub scans: ScanFigures,
}

/// The time of one stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// `parse`, `plan`, `scan`, `spans`, `sort` or `read`.
    pub name: &'static str,
    /// How long it took.
    pub nanoseconds: u64,
}

impl Analysis {
    /// Adds to the time of a stage.
    pub fn add(&mut self, name: &'static str, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        match self.stages.iter_mut().find(|stage| stage.name == name) {
            Some(stage) => stage.nanoseconds = stage.nanoseconds.saturating_add(nanoseconds),
            None => self.stages.push(Stage { name, nanoseconds }),
        }
    }
}

impl fmt::Display for Analysis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Stage { name, nanoseconds } in &self.stages {
            writeln!(f, "{name}: {:.3} ms", *nanoseconds as f64 / 1e6)?;
        }
        let ScanFigures {
            rows,
            cached_blocks,
            decoded_blocks,
            decoded_bytes,
            ..
        } = self.scans;
        write!(
            f,
            "scans: {rows} rows; blocks of columns: {cached_blocks} cached, {decoded_blocks} decoded"
        )?;
        write!(f, " ({decoded_bytes} bytes)")
    }
}

/// What was read of something, and what was known not to matter; together they are all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Coverage {
    /// Looked at.
    pub read: u64,
    /// Left out unread.
    pub pruned: u64,
}

/// How far the text indexes have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TextCoverage {
    /// Spans with an index.
    pub indexed_spans: u64,
    /// Spans without one.
    pub scanned_spans: u64,
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "access path: {}", self.access_path)?;
        self.conditions
            .iter()
            .try_for_each(|condition| writeln!(f, "{condition}"))?;
        writeln!(f, "segments and memtables: {}", self.sources)?;
        writeln!(f, "rows of traces: {}", self.traces)?;
        writeln!(f, "rows of spans: {}", self.spans)?;
        writeln!(f, "rows of assessments: {}", self.assessments)?;
        let TextCoverage {
            indexed_spans,
            scanned_spans,
        } = self.text_index;
        write!(
            f,
            "text index: answers for {indexed_spans} spans, {scanned_spans} are scanned"
        )?;
        match &self.analysis {
            Some(analysis) => write!(f, "\n{analysis}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} read, {} pruned", self.read, self.pruned)
    }
}

impl Coverage {
    fn of(read: u64, all: u64) -> Self {
        Self {
            read,
            pruned: all.saturating_sub(read),
        }
    }
}

/// Takes down what a search does; one that is off takes down nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder {
    record: Option<Arc<Mutex<Record>>>,
    /// Where scans are counted.
    counters: Option<Arc<ScanCounters>>,
}

#[derive(Debug, Default)]
struct Record {
    conditions: Vec<String>,
    /// By source and name of the table.
    rows: BTreeMap<(usize, &'static str), RoaringBitmap>,
    /// What it took, when that is wanted.
    analysis: Option<Analysis>,
}

impl Recorder {
    /// A recorder that is on or off; one that analyzes is on.
    pub fn new(is_on: bool, analyzes: bool) -> Self {
        let analysis = analyzes.then(Default::default);
        let record = Record {
            analysis,
            ..Record::default()
        };
        Self {
            record: (is_on || analyzes).then(|| Arc::new(Mutex::new(record))),
            counters: analyzes.then(Default::default),
        }
    }

    /// A recorder that only counts what scans do.
    #[cfg(feature = "sql")]
    pub fn counting(counters: Arc<ScanCounters>) -> Self {
        Self {
            record: None,
            counters: Some(counters),
        }
    }

    /// Does `work` and notes how long that took.
    pub fn time<T>(&self, stage: &'static str, work: impl FnOnce() -> T) -> T {
        if self.counters.is_none() {
            return work();
        }
        let started = Instant::now();
        let done = work();
        if let Some(analysis) = self
            .record()
            .as_mut()
            .and_then(|record| record.analysis.as_mut())
        {
            analysis.add(stage, started.elapsed());
        }
        done
    }

    /// Where scans are to be counted.
    pub fn counters(&self) -> Option<Arc<ScanCounters>> {
        self.counters.clone()
    }

    /// Whether anything is taken down.
    pub fn is_on(&self) -> bool {
        self.record.is_some()
    }

    fn record(&self) -> Option<MutexGuard<'_, Record>> {
        Some(
            self.record
                .as_ref()?
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Notes how a condition was answered.
    pub fn note(&self, condition: impl FnOnce() -> String) {
        if let Some(mut record) = self.record() {
            record.conditions.push(condition());
        }
    }

    /// Notes rows that are read.
    pub fn add_rows(&self, source: usize, table: Table, rows: impl IntoIterator<Item = u32>) {
        if let Some(mut record) = self.record() {
            record
                .rows
                .entry((source, table.name()))
                .or_default()
                .extend(rows);
        }
    }

    /// Notes that all visible rows of a table are read.
    ///
    /// # Errors
    /// `Internal` when there is no such source.
    pub fn add_all_rows(&self, snapshot: &Snapshot, source: usize, table: Table) -> Result<()> {
        if self.is_on() {
            let rows = snapshot.source(source)?;
            let masked = rows.mask(table);
            let is_visible = |row: &u32| masked.is_none_or(|masked| !masked.contains(*row));
            self.add_rows(source, table, (0..rows.rows(table)).filter(is_visible));
        }
        Ok(())
    }

    /// The first filter of a scan: it keeps every row and notes it. None when the recorder is off.
    pub fn filter(&self, source: usize, table: Table) -> Option<RowFilter> {
        self.record.as_ref()?;
        let recorder = self.clone();
        let keep = move |batch: &arrow::record_batch::RecordBatch| {
            recorder.add_rows(source, table, row_numbers(batch)?.iter().copied());
            Ok(BooleanArray::new(
                BooleanBuffer::new_set(batch.num_rows()),
                None,
            ))
        };
        Some(RowFilter {
            columns: vec!["_row".to_string()],
            keep: Arc::new(keep),
        })
    }

    /// What was taken down; `None` when the recorder is off.
    ///
    /// # Errors
    /// What `access_path` gives.
    pub fn finish(
        &self,
        snapshot: &Snapshot,
        access_path: impl FnOnce() -> Result<String>,
    ) -> Result<Option<Explain>> {
        let Some(record) = self.record() else {
            return Ok(None);
        };
        let coverage = |table: Table| {
            let read = record
                .rows
                .iter()
                .filter(|((_, name), _)| *name == table.name());
            Coverage::of(
                read.map(|(_, rows)| rows.len()).sum(),
                snapshot.visible_rows(table),
            )
        };
        let read: BTreeSet<usize> = record
            .rows
            .iter()
            .filter(|(_, rows)| !rows.is_empty())
            .map(|((source, _), _)| *source)
            .collect();
        // There is always a memtable, also when nothing is in it.
        let holds = |source: &&Source| {
            source.segment().is_some() || Table::ALL.iter().any(|table| source.rows(*table) > 0)
        };
        let sources = snapshot.sources().iter().filter(holds).count();
        let indexed = snapshot
            .sources()
            .iter()
            .filter(|source| source.text().is_some());
        let indexed_spans = indexed
            .map(|source| source.visible_rows(Table::Spans))
            .sum();
        Ok(Some(Explain {
            access_path: access_path()?,
            conditions: record.conditions.clone(),
            sources: Coverage::of(read.len() as u64, sources as u64),
            traces: coverage(Table::Traces),
            spans: coverage(Table::Spans),
            assessments: coverage(Table::Assessments),
            analysis: record.analysis.clone().map(|mut analysis| {
                analysis.scans = (self.counters.as_ref())
                    .map(|counters| counters.take())
                    .unwrap_or_default();
                analysis
            }),
            text_index: TextCoverage {
                indexed_spans,
                scanned_spans: snapshot
                    .visible_rows(Table::Spans)
                    .saturating_sub(indexed_spans),
            },
        }))
    }
}
