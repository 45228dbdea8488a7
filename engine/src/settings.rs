//! Settings of a database: plain data, units in the names.

use std::time::Duration;

use tracehouse_query::runtime::{QueryRuntime, SqlSettings};
use tracehouse_storage::{Store, StoreOptions};

use crate::error::Result;
use crate::retention::Retention;
use crate::semconv;

/// A budget of memory is divided into so many parts.
const MEMORY_PARTS: usize = 96;

/// What becomes of a write while the disk is slower than the writers: memory is full and not yet sealed, or
/// more segments wait to be merged than there may be. Also when only the reserve of the disk is left, which
/// is not waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overload {
    /// It waits as long as there is progress.
    #[default]
    Wait,
    /// After so many milliseconds it fails as `Unavailable`; nothing of it is stored.
    Refuse {
        /// How long it waits.
        after_ms: u64,
    },
    /// After so many milliseconds its spans are dropped and counted. Other writes are refused.
    Drop {
        /// How long it waits.
        after_ms: u64,
    },
}

impl Overload {
    fn write_wait(self) -> Option<Duration> {
        match self {
            Self::Wait => None,
            Self::Refuse { after_ms } | Self::Drop { after_ms } => {
                Some(Duration::from_millis(after_ms))
            }
        }
    }
}

/// How a database works. Start from `Settings::default()`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Fresh rows are sealed into a segment when they take this much memory.
    pub flush_bytes_max: usize,
    /// Decoded columns of segments are kept in memory up to this size.
    pub cache_bytes_max: usize,
    /// Memory for running queries.
    pub query_bytes_max: usize,
    /// Decoded records of datasets are kept in memory up to this size.
    pub dataset_bytes_max: usize,
    /// Files of segments that are kept open, besides those being read.
    pub open_files_max: usize,
    /// The write-ahead log is sealed away when it would become longer than this, in bytes.
    pub wal_bytes_max: u64,
    /// With this many segments that can still be merged, writers wait until they are.
    pub segments_max: usize,
    /// Bytes that writes leave free on the disk, at most a twentieth of it, so that traces can be deleted,
    /// erased and merged away when it is full.
    pub disk_reserve_bytes: u64,
    /// What becomes of writes that the disk cannot keep up with.
    pub overload: Overload,
    /// Longest time a SQL statement may run, in milliseconds; 0 means no limit.
    pub query_timeout_ms: u64,
    /// Spans with more text than this are rejected, in bytes.
    pub span_bytes_max: usize,
    /// Threads that decode an import and run a query; 0 means as many as there are cores.
    pub threads: usize,
    /// Build a text index for every segment.
    pub index_text: bool,
    /// Seal, compact and index on background threads. Off, full memtables are sealed by the writing
    /// call and the rest only when asked for.
    pub background: bool,
    /// A trace whose root has not come is settled when its last span ended longer ago: its top span's status
    /// decides the state then. Background threads do that, and the end of an import; see
    /// [`Database::settle`](crate::Database::settle).
    pub settle_after: Duration,
    /// Which traces are kept: applied by an open for writing and after each import.
    pub retention: Vec<Retention>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            flush_bytes_max: 112 << 20,
            cache_bytes_max: 512 << 20,
            query_bytes_max: 256 << 20,
            dataset_bytes_max: 64 << 20,
            open_files_max: 128,
            wal_bytes_max: 1 << 30,
            segments_max: 512,
            disk_reserve_bytes: 64 << 20,
            overload: Overload::Wait,
            query_timeout_ms: 0,
            span_bytes_max: 64 << 20,
            threads: 0,
            index_text: true,
            background: true,
            settle_after: Duration::from_secs(60 * 60),
            retention: Vec::new(),
        }
    }
}

impl Settings {
    /// Keeps within one budget of memory, divided as the default settings divide 1.5 GiB: 14/96 for fresh
    /// rows (half of it for those being sealed), 32/96 for decoded columns, 16/96 for queries, 4/96 for records
    /// of datasets. The rest is for what has no size of its own: imports under way, posting lists, rows
    /// returned lately, footers and text indexes of segments.
    pub fn memory(mut self, bytes: usize) -> Self {
        let part = |parts: usize| bytes / MEMORY_PARTS * parts;
        self.flush_bytes_max = part(7);
        self.cache_bytes_max = part(32);
        self.query_bytes_max = part(16);
        self.dataset_bytes_max = part(4);
        self
    }

    /// Threads to use: the setting, or the number of cores.
    pub(crate) fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    /// Threads that build text indexes in the background; `maintain` says when they do.
    pub(crate) fn index_threads(&self) -> usize {
        if self.index_text {
            self.thread_count()
        } else {
            0
        }
    }

    pub(crate) fn store_options(&self, durable: bool) -> StoreOptions {
        StoreOptions {
            flush_bytes_max: self.flush_bytes_max,
            index_text: self.index_text,
            durable,
            cache_bytes_max: self.cache_bytes_max,
            open_files_max: self.open_files_max,
            wal_bytes_max: self.wal_bytes_max,
            segments_max: self.segments_max,
            disk_reserve_bytes: self.disk_reserve_bytes,
            write_wait: self.overload.write_wait(),
            inline_maintenance: !self.background,
            refill: semconv::refill,
            hint_of_top: semconv::hint_of_top,
            ..StoreOptions::default()
        }
    }

    /// The threads and limits that statements and searches in the background run with.
    pub(crate) fn start_runtime(&self, store: &Store) -> Result<QueryRuntime> {
        let timeout =
            (self.query_timeout_ms > 0).then(|| Duration::from_millis(self.query_timeout_ms));
        let limits = SqlSettings {
            memory_bytes_max: self.query_bytes_max,
            timeout,
            target_partitions: self.thread_count(),
            spill: store.scratch_space(),
            ..SqlSettings::default()
        };
        Ok(QueryRuntime::new(limits)?)
    }

    /// Name and value of each setting, as the SQL function `settings()` lists them.
    #[cfg(feature = "sql")]
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        vec![
            ("flush_bytes_max", self.flush_bytes_max.to_string()),
            ("cache_bytes_max", self.cache_bytes_max.to_string()),
            ("query_bytes_max", self.query_bytes_max.to_string()),
            ("dataset_bytes_max", self.dataset_bytes_max.to_string()),
            ("open_files_max", self.open_files_max.to_string()),
            ("wal_bytes_max", self.wal_bytes_max.to_string()),
            ("segments_max", self.segments_max.to_string()),
            ("disk_reserve_bytes", self.disk_reserve_bytes.to_string()),
            ("overload", format!("{:?}", self.overload).to_lowercase()),
            ("query_timeout_ms", self.query_timeout_ms.to_string()),
            ("span_bytes_max", self.span_bytes_max.to_string()),
            ("threads", self.thread_count().to_string()),
            ("index_text", self.index_text.to_string()),
            ("background", self.background.to_string()),
            ("settle_after", format!("{:?}", self.settle_after)),
            (
                "retention",
                self.retention
                    .iter()
                    .map(Retention::to_string)
                    .collect::<Vec<_>>()
                    .join("; "),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_divided_as_the_default_is() {
        assert_eq!(Settings::default().memory(1536 << 20), Settings::default());
        for bytes in [0, 1 << 20, 100_000_007, usize::MAX] {
            let settings = Settings::default().memory(bytes);
            let parts = [
                settings.flush_bytes_max,
                settings.flush_bytes_max,
                settings.cache_bytes_max,
                settings.query_bytes_max,
                settings.dataset_bytes_max,
            ];
            let sum = parts
                .iter()
                .try_fold(0_usize, |sum, part| sum.checked_add(*part))
                .unwrap();
            assert!(sum <= bytes / 96 * 66, "{bytes}: {parts:?}");
        }
    }
}
