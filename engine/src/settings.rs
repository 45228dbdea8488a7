//! Settings of a database: plain data, units in the names.

use tracehouse_storage::StoreOptions;

use crate::retention::Retention;

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
    /// Which traces are kept: applied by an open for writing and after each import.
    pub retention: Vec<Retention>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            flush_bytes_max: 224 << 20,
            cache_bytes_max: 512 << 20,
            query_bytes_max: 256 << 20,
            query_timeout_ms: 0,
            span_bytes_max: 64 << 20,
            threads: 0,
            index_text: true,
            background: true,
            retention: Vec::new(),
        }
    }
}

impl Settings {
    /// Threads to use: the setting, or the number of cores.
    pub(crate) fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    /// Threads that build text indexes in the background: half of the cores, since writers and queries
    /// need the others. During a bulk load they wait (see `maintain`).
    pub(crate) fn index_threads(&self) -> usize {
        if self.index_text { self.thread_count().div_ceil(2) } else { 0 }
    }

    pub(crate) fn store_options(&self, durable: bool) -> StoreOptions {
        StoreOptions {
            flush_bytes_max: self.flush_bytes_max,
            index_text: self.index_text,
            durable,
            cache_bytes_max: self.cache_bytes_max,
            inline_maintenance: !self.background,
            ..StoreOptions::default()
        }
    }

    /// Name and value of each setting, as the SQL function `settings()` lists them.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        vec![
            ("flush_bytes_max", self.flush_bytes_max.to_string()),
            ("cache_bytes_max", self.cache_bytes_max.to_string()),
            ("query_bytes_max", self.query_bytes_max.to_string()),
            ("query_timeout_ms", self.query_timeout_ms.to_string()),
            ("span_bytes_max", self.span_bytes_max.to_string()),
            ("threads", self.thread_count().to_string()),
            ("index_text", self.index_text.to_string()),
            ("background", self.background.to_string()),
            ("retention", self.retention.iter().map(Retention::to_string).collect::<Vec<_>>().join("; ")),
        ]
    }
}
