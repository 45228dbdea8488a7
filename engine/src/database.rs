//! The database a user opens: one handle for writing, searching and SQL.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
};
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use serde::Serialize;
use tracehouse_query::runtime::QueryRuntime;
use tracehouse_query::search::{self, Explain, Search};
use tracehouse_query::text::{self, TextHits, TextSearch};
use tracehouse_storage::env::Env;
use tracehouse_storage::model::{TraceKey, TraceRow, normalize_trace_id};
use tracehouse_storage::schema::Table;
use tracehouse_storage::store::Compacted;
use tracehouse_storage::{RowRef, Snapshot, Store};

use crate::catalog::Catalog;
use crate::ending::Ending;
use crate::error::{Error, ErrorKind, Result};
use crate::evaluations::WaitingEvaluations;
use crate::ingest::{self, ImportOptions, ImportReport, Progress};
use crate::limits::Limits;
use crate::maintain::{self, Maintenance};
use crate::open::OpenOptions;
use crate::otlp;
use crate::prices::PriceState;
use crate::redact::RedactionState;
use crate::settings::{Overload, Settings};
use crate::stats::{self, Stats};
use crate::trace::{self, Trace};
use crate::trace_cache::TraceCache;

/// An open database. Clones share it; all calls block and may be made from many threads.
///
/// ```
/// let db = tracehouse::Database::in_memory()?;
/// let page = db.search_traces(&tracehouse::Search::new("state = 'ERROR'").limit(50))?;
/// assert!(page.traces.is_empty());
/// # Ok::<(), tracehouse::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Database {
    inner: Arc<Inner>,
    limits: Limits,
}

#[derive(Debug)]
pub(crate) struct Inner {
    maintenance: Mutex<Option<Maintenance>>,
    store: Arc<Store>,
    settings: Settings,
    catalog: Catalog,
    traces: TraceCache,
    /// Spans dropped since the open, as [`Overload::Drop`] has it.
    dropped_spans: AtomicU64,
    redaction: RedactionState,
    prices: PriceState,
    evaluations: WaitingEvaluations,
    /// Held alone by changes that read what they change; shared by those that only add to a trace.
    changes: Arc<RwLock<()>>,
    /// Made by the first statement: a database that is never asked SQL starts no threads for it.
    runtime: OnceLock<Arc<QueryRuntime>>,
}

impl Drop for Inner {
    /// A query that was given up may hold its threads: nothing runs on after the last handle.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.get() {
            runtime.end();
        }
    }
}

/// One page of a search.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TracePage {
    /// The traces, in order.
    pub traces: Vec<TraceRow>,
    /// Continues after the last of them; `None` when there is no more.
    pub next_page_token: Option<String>,
    /// How the search was carried out, if it asked for that.
    pub explain: Option<Explain>,
}

/// A [`TracePage`] whose rows are shared.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SharedPage {
    /// The traces, in order.
    pub traces: Vec<Arc<TraceRow>>,
    /// Continues after the last of them; `None` when there is no more.
    pub next_page_token: Option<String>,
    /// How the search was carried out, if it asked for that.
    pub explain: Option<Explain>,
}

impl Database {
    /// Opens the database in the folder `path`, creating it when there is none. `:memory:` is a
    /// database that never touches the disk. What this process has open there already is shared.
    ///
    /// # Errors
    /// `Conflict` when another process writes it, or this one has it open with other options, `InvalidInput` for a folder that is something else
    /// or has a newer format, `Corrupt` for damage, `Io` otherwise.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open(path)
    }

    /// A database in memory.
    ///
    /// # Errors
    /// `Internal` when no thread can be started.
    pub fn in_memory() -> Result<Self> {
        OpenOptions::new().open(":memory:")
    }

    /// Opens what `env` holds; `durable` says whether it outlives the process.
    pub(crate) fn start(env: Arc<dyn Env>, options: OpenOptions, durable: bool) -> Result<Self> {
        let OpenOptions {
            settings,
            redact_with,
            read_only,
            ..
        } = options;
        let mut store_options = settings.store_options(durable);
        store_options.read_only = read_only;
        let store = Store::open(env, store_options)?;
        let evaluations = WaitingEvaluations::open(&store)?;
        let background = settings.background && !read_only;
        let changes: Arc<RwLock<()>> = Arc::default();
        let start = || Maintenance::start(store.clone(), &settings, changes.clone());
        let maintenance = background.then(start).transpose()?;
        let redaction = RedactionState::open(&store, redact_with);
        let prices = PriceState::open(&store);
        let catalog = Catalog::new(settings.dataset_bytes_max);
        let inner = Inner {
            maintenance: Mutex::new(maintenance),
            store,
            settings,
            catalog,
            dropped_spans: AtomicU64::new(0),
            traces: TraceCache::default(),
            redaction,
            prices,
            evaluations,
            changes,
            runtime: OnceLock::new(),
        };
        let database = Self {
            inner: Arc::new(inner),
            limits: Limits::default(),
        };
        if !read_only {
            database.complete_erase()?;
            database.retain_by_settings()?;
        }
        Ok(database)
    }

    /// Another handle; `None` for what this process was forked from, an error for what is closed.
    pub(crate) fn sharing(inner: Arc<Inner>) -> Option<Result<Self>> {
        match inner.store.check_usable() {
            Ok(()) => Some(Ok(Self {
                inner,
                limits: Limits::default(),
            })),
            Err(_) if inner.store.is_forked() => None,
            Err(error) => Some(Err(Error::new(
                ErrorKind::Conflict,
                format!("{error}, and handles of this process still hold it: drop them before"),
            ))),
        }
    }

    pub(crate) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.inner)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.inner.store
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    pub(crate) fn redaction_state(&self) -> &RedactionState {
        &self.inner.redaction
    }

    pub(crate) fn waiting_evaluations(&self) -> &WaitingEvaluations {
        &self.inner.evaluations
    }

    pub(crate) fn price_state(&self) -> &PriceState {
        &self.inner.prices
    }

    pub(crate) fn runtime(&self) -> Result<Arc<QueryRuntime>> {
        if let Some(runtime) = self.inner.runtime.get() {
            return Ok(runtime.clone());
        }
        let runtime = Arc::new(self.inner.settings.start_runtime(&self.inner.store)?);
        Ok(self.inner.runtime.get_or_init(|| runtime).clone())
    }

    /// Keeps what a change read from being changed by another before it is written.
    pub(crate) fn change_alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.inner
            .changes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps traces from being deleted while something is added to them.
    pub(crate) fn change_shared(&self) -> RwLockReadGuard<'_, ()> {
        self.inner
            .changes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        Ok(self.inner.store.snapshot()?)
    }

    /// Seals what is in memory and stops writing. Dropping the last handle without it loses nothing;
    /// the next open then reads the write-ahead log.
    ///
    /// # Errors
    /// `Io` when sealing fails; everything acknowledged is in the log then.
    pub fn close(&self) -> Result<()> {
        drop(
            self.inner
                .maintenance
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let sealed = self.inner.store.close();
        if self.inner.settings.index_text && sealed.is_ok() {
            self.index_text()?;
        }
        Ok(sealed?)
    }

    /// Whether a write would be begun now: for a server that tells others whether it is ready.
    ///
    /// # Errors
    /// `Closed` after a failed sync or a close, `Unavailable` when only the reserve of the disk is left or a feed refuses
    /// writes.
    pub fn check_writable(&self) -> Result<()> {
        self.inner.store.check_usable()?;
        Ok(self.inner.store.check_space()?)
    }

    /// Counts spans that could not be written as dropped, when that is the setting and the reason.
    ///
    /// # Errors
    /// `error`, when it is not.
    pub(crate) fn drop_spans(&self, error: Error, spans: u64) -> Result<ImportReport> {
        let drops = matches!(self.inner.settings.overload, Overload::Drop { .. });
        if !drops || error.kind() != ErrorKind::Unavailable {
            return Err(error);
        }
        self.inner.dropped_spans.fetch_add(spans, Ordering::Relaxed);
        Ok(ImportReport {
            dropped_spans: spans,
            ..ImportReport::default()
        })
    }

    /// Imports one OTLP request: JSON or protobuf, plain, gzip or zstd. Further ones may bring the roots of its
    /// traces: until then, or until they are settled (see [`Database::settle`]), these are in progress.
    ///
    /// # Errors
    /// `InvalidInput` when it is no OTLP request at all; rejected spans are in the report.
    pub fn import_otlp(&self, bytes: &[u8], options: &ImportOptions) -> Result<ImportReport> {
        let report = self.import_stream(bytes, options, None, &mut |_| {})?;
        match report.rejected.first() {
            Some(first) if report.incomplete || !report.kept_something() => {
                Err(Error::invalid_input(first.error.clone()))
            }
            _ => Ok(report),
        }
    }

    /// Imports a stream of OTLP/JSON lines, or of any other form that [`Database::import`] knows.
    ///
    /// # Errors
    /// As [`Database::import`].
    pub fn import_otlp_json_lines<R: Read + Send>(
        &self,
        input: R,
        options: &ImportOptions,
    ) -> Result<ImportReport> {
        self.import(input, options, &mut |_| {})
    }

    /// Imports a stream: OTLP/JSON lines, one OTLP/JSON document or one OTLP/protobuf message, plain,
    /// gzip or zstd, told from its first bytes. `progress` is called whenever more is durable. At the end its
    /// traces are settled: nothing waits for roots that were not in it, and assessments of traces that were not in it are
    /// rejected, unless they wait for another import ([`ImportOptions::assessments_wait`]).
    ///
    /// # Errors
    /// `InvalidInput` in strict mode for the first thing that cannot be kept; `Cancelled`; `Io` or `Closed` from
    /// writing. What was acknowledged before stays.
    pub fn import<R: Read + Send>(
        &self,
        input: R,
        options: &ImportOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ImportReport> {
        let maintenance = self
            .inner
            .maintenance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bulk_load = maintenance.as_ref().map(Maintenance::bulk_load);
        drop(maintenance);
        let mut unsettled = HashSet::new();
        let ending = Ending::new(options.until.clone(), &self.limits);
        let report =
            self.import_stream(input, options, Some(&mut unsettled), &mut |acknowledged| {
                progress(acknowledged);
                if let Some(bulk_load) = &bulk_load {
                    bulk_load.wait_for_turn(&|| ending.is_asked());
                }
            });
        drop(bulk_load);
        // What was not read may have the roots that traces wait for.
        if report.is_ok() && !ending.is_asked() {
            self.settle_imported(&unsettled.into_iter().collect::<Vec<_>>())?;
        }
        if !ending.is_asked() {
            self.retain_by_settings()?;
        }
        report
    }

    fn import_stream<R: Read + Send>(
        &self,
        input: R,
        options: &ImportOptions,
        unsettled: Option<&mut HashSet<TraceKey>>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ImportReport> {
        let started = Instant::now();
        let before = self.snapshot()?.visible_rows(Table::Traces);
        let waiting = options.waiting.clone().unwrap_or_default();
        let imported = ingest::import(self, input, options, &waiting, unsettled, progress);
        // Of an import that failed, too, what was read is stored.
        let placed = match &options.waiting {
            Some(_) => Ok(ImportReport::default()),
            None => self.store_waiting(&waiting, options.strict),
        };
        let mut report = imported?;
        report.add(placed?);
        report.traces = self
            .snapshot()?
            .visible_rows(Table::Traces)
            .saturating_sub(before);
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Finds traces by the filter language, newest first unless the search says otherwise.
    ///
    /// # Errors
    /// `InvalidInput` naming the offending token of the filter, order or page token.
    pub fn search_traces(&self, search: &Search) -> Result<TracePage> {
        let SharedPage {
            traces,
            next_page_token,
            explain,
        } = self.search_shared(search)?;
        let traces = traces.into_iter().map(Arc::unwrap_or_clone).collect();
        Ok(TracePage {
            traces,
            next_page_token,
            explain,
        })
    }

    /// A page without copying a row: the rows are those that the database keeps in memory.
    ///
    /// # Errors
    /// As [`Database::search_traces`].
    pub fn search_shared(&self, search: &Search) -> Result<SharedPage> {
        let snapshot = search.limited(&self.reading()?);
        let page = search::search(&snapshot, self.with_datasets(search)?.as_ref())?;
        let (started, mut explain) = (Instant::now(), page.explain);
        let traces = self.inner.traces.read(&snapshot, &page.rows)?;
        if let Some(analysis) = explain
            .as_mut()
            .and_then(|explain| explain.analysis.as_mut())
        {
            analysis.add("read", started.elapsed());
        }
        Ok(SharedPage {
            traces,
            next_page_token: page.next_page_token,
            explain,
        })
    }

    /// What a person should hear about a search: names in its filter that no trace of the database has, values that
    /// their key can never have, and what may have been meant. `has_found` says whether the search found something,
    /// which proves most names to be there. It reads up to every row, and so is asked for, and no part of a page. A page
    /// that goes on from another one has none.
    ///
    /// # Errors
    /// Whatever reading gives; a filter that is refused has no notices.
    pub fn notices(&self, search: &Search, has_found: bool) -> Result<Vec<String>> {
        let is_first = search.page_token.is_none() && search.offset == 0 && search.limit != Some(0);
        Ok(if is_first {
            search::notices(&self.reading()?, search, has_found)?
        } else {
            Vec::new()
        })
    }

    pub(crate) fn read_traces(
        &self,
        snapshot: &Snapshot,
        rows: &[RowRef],
    ) -> Result<Vec<TraceRow>> {
        let shared = self.inner.traces.read(snapshot, rows)?;
        Ok(shared.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    /// Number of traces that a search would find, without its limit.
    ///
    /// # Errors
    /// As [`Database::search_traces`].
    pub fn count_traces(&self, search: &Search) -> Result<u64> {
        Ok(search::count(
            &self.reading()?,
            self.with_datasets(search)?.as_ref(),
        )?)
    }

    /// A trace with all its spans and assessments.
    ///
    /// # Errors
    /// `NotFound` when there is no such trace.
    pub fn get_trace(&self, trace_id: &str) -> Result<Trace> {
        trace::get_trace(&self.reading()?, trace_id)
    }

    /// The rows of one trace in a table, with the columns that SQL shows.
    ///
    /// # Errors
    /// Whatever reading gives; an unknown trace has no rows.
    pub fn trace_rows(&self, table: Table, trace_id: &str) -> Result<RecordBatch> {
        trace::public_rows(&self.reading()?, table, trace_id)
    }

    /// The best spans for a text query, best first.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong query.
    pub fn search_text(&self, query: &str, limit: usize) -> Result<TextHits> {
        self.text_search(TextSearch {
            query: query.to_string(),
            limit,
            ..TextSearch::default()
        })
    }

    /// Searches texts of traces that match a filter.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong query or filter.
    pub fn search_text_where(&self, query: &str, filter: &str, limit: usize) -> Result<TextHits> {
        let filter = Some(Search::new(filter));
        self.text_search(TextSearch {
            query: query.to_string(),
            limit,
            filter,
            ..TextSearch::default()
        })
    }

    /// A text search with all that can be asked of one.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong query or filter.
    pub fn text_search(&self, mut search: TextSearch) -> Result<TextHits> {
        if let Some(filter) = &search.filter {
            search.filter = Some(self.with_datasets(filter)?.into_owned());
        }
        Ok(text::search_text(&self.reading()?, &search)?)
    }

    /// In a database opened for reading only: sees what the writer has acknowledged by now. Without it, a
    /// question sees everything acknowledged up to a tenth of a second before. Returns whether there was
    /// something new.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the files.
    pub fn refresh(&self) -> Result<bool> {
        Ok(self.inner.store.refresh()?)
    }

    /// Seals what is in memory into a segment.
    ///
    /// # Errors
    /// `Io` or `Closed`; nothing is lost then.
    pub fn seal(&self) -> Result<()> {
        Ok(self.inner.store.seal()?)
    }

    /// Seals, then merges small segments into one.
    ///
    /// # Errors
    /// `Io`, `Corrupt` or `Closed`; nothing is lost then.
    pub fn compact(&self) -> Result<Compacted> {
        self.inner.store.seal()?;
        Ok(self.inner.store.compact()?)
    }

    /// Builds text indexes that are missing; returns how many were.
    ///
    /// # Errors
    /// `Io` or `Corrupt`.
    pub fn index_text(&self) -> Result<usize> {
        maintain::index_text(&self.inner.store, self.inner.settings.thread_count())
    }

    /// Counts, sizes and how far the indexes have come.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub fn stats(&self) -> Result<Stats> {
        let maintenance = self
            .inner
            .maintenance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let failure = maintenance.as_ref().and_then(Maintenance::failure);
        drop(maintenance);
        let mut stats = stats::stats(&self.inner.store, failure, self.inner.redaction.totals())?;
        stats.dropped_spans = self.inner.dropped_spans.load(Ordering::Relaxed);
        Ok(stats)
    }
}

pub(crate) fn find(snapshot: &Snapshot, trace_id: &str) -> Result<RowRef> {
    let key = TraceKey::of(&normalize_trace_id(trace_id));
    snapshot.find_trace(key)?.ok_or_else(|| no_trace(trace_id))
}

pub(crate) fn no_trace(trace_id: &str) -> Error {
    Error::not_found(format!("trace {trace_id} not found"))
}

/// Decodes one request without storing it: what an import of it would keep and reject.
///
/// # Errors
/// `InvalidInput` when it is no OTLP request.
pub fn decode_otlp(bytes: &[u8], experiment_id: &str) -> Result<otlp::Decoded> {
    let mut all = otlp::Decoded::default();
    for request in otlp::RequestReader::new(bytes) {
        let bad = |error: String| Error::new(ErrorKind::InvalidInput, error);
        let request = request.map_err(|e| bad(e.to_string()))?;
        let decoded = request
            .decode(experiment_id)
            .map_err(|e| bad(e.to_string()))?;
        all.spans.extend(decoded.spans);
        all.rejected.extend(decoded.rejected);
        all.changed_keys.cut += decoded.changed_keys.cut;
        all.changed_keys.repeated += decoded.changed_keys.repeated;
    }
    Ok(all)
}
