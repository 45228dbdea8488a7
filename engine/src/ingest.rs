//! The import pipeline: from a stream of OTLP requests to acknowledged batches.
//!
//! ```text
//! reader thread (`chunks`): stream -> requests -> chunks        (bounded queue)
//! worker threads: chunk -> redacted spans -> Arrow batch -> log record
//! calling thread: batches in stream order -> commit, with what is said of their traces  == acknowledged == -> progress
//! ```
//!
//! A chunk is acknowledged as a whole and in order, so "n lines are acknowledged" always means the
//! first n. What cannot be decoded is counted and reported with its line; the rest is kept. A request that a sender waits
//! for (`receive`) goes through the same stages on one thread.

mod receive;
mod report;

use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracehouse_storage::Store;
use tracehouse_storage::columns::spans_batch;
use tracehouse_storage::interrupt::CancelToken;
pub(crate) use tracehouse_storage::model::EXPERIMENT_DEFAULT;
use tracehouse_storage::model::{Assessment, Fragment, Span, TraceKey};
use tracehouse_storage::store::{Assess, Prepared};

use crate::assess::content_id;
use crate::chunks::{self, Chunk};
use crate::database::Database;
use crate::ending::{Ending, LeftOut};
use crate::error::{Error, Result};
use crate::evaluations::Response;
use crate::otlp::{Decoded, Decoding, ReadError, Request};
use crate::prices::PriceList;
use crate::redact::{Pass, Redactor};
use crate::said::{Said, Stored};
use crate::waiting_assessments::WaitingAssessments;

pub use receive::{OtlpEncoding, ReceiveOptions, Received};
use report::add_forms;
pub use report::{ImportReport, Rejected};

/// Texts of log records that are joined to spans together.
const RECORDS_BYTES_MAX: usize = 4 << 20;
/// Traces that an import remembers to settle at its end. Where more may need that, those so far are settled
/// earlier: a root that comes later takes over.
const UNSETTLED_MAX: usize = 1 << 18;

/// How to import.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImportOptions {
    /// The scope that new traces belong to; `"0"`, unless told otherwise, leaves it to files that name one.
    pub experiment_id: String,
    /// Lines acknowledged together; 0 chooses by size.
    pub batch_lines: usize,
    /// Stop at the first line or span that cannot be kept.
    pub strict: bool,
    /// How the input is called in reports.
    pub name: String,
    /// Acknowledge what has waited this long though a batch is not full: for input that pauses.
    pub flush_after: Option<Duration>,
    /// Ends the input when it is cancelled; see [`ImportOptions::until`].
    pub until: Option<CancelToken>,
    /// Where assessments of traces that are not there wait; see [`ImportOptions::assessments_wait`].
    pub waiting: Option<WaitingAssessments>,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            experiment_id: EXPERIMENT_DEFAULT.into(),
            batch_lines: 0,
            strict: false,
            name: "-".into(),
            flush_after: None,
            until: None,
            waiting: None,
        }
    }
}

impl ImportOptions {
    /// Puts the traces into another experiment.
    pub fn experiment_id(mut self, id: impl Into<String>) -> Self {
        self.experiment_id = id.into();
        self
    }

    /// Acknowledges so many lines together.
    pub fn batch_lines(mut self, lines: usize) -> Self {
        self.batch_lines = lines;
        self
    }

    /// Stops at the first thing that cannot be kept.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Acknowledges what has waited for `pause`.
    pub fn flush_after(mut self, pause: Duration) -> Self {
        self.flush_after = Some(pause);
        self
    }

    /// Ends as if the input had ended there when `token` is cancelled: what was read is stored or, where that
    /// takes longer than a moment, counted as rejected. Traces that wait for their root go on waiting.
    pub fn until(mut self, token: CancelToken) -> Self {
        self.until = Some(token);
        self
    }

    /// Leaves assessments of traces that are not there in `waiting`, for the import of another input to bring
    /// these; otherwise they wait until the end of this one. See [`Database::store_waiting`].
    pub fn assessments_wait(mut self, waiting: &WaitingAssessments) -> Self {
        self.waiting = Some(waiting.clone());
        self
    }

    /// Names the input.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// What is durable so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Lines (or documents) of the input.
    pub acked_lines: u64,
    /// Spans in them, duplicates included.
    pub acked_spans: u64,
    /// Bytes of them, decompressed.
    pub acked_bytes: u64,
}

/// A chunk ready to be committed.
#[derive(Default)]
struct Ready {
    prepared: Option<Prepared>,
    fragments: Vec<Fragment>,
    feedback: Vec<Assessment>,
    /// Evaluations of responses, and the responses of the spans.
    unplaced: Vec<Assessment>,
    responses: Vec<Response>,
    skipped_records: BTreeMap<String, u64>,
    spans: u64,
    lines: u64,
    bytes: u64,
    rejected: Vec<(Option<u64>, String)>,
    said: Said,
    forms: BTreeMap<&'static str, u64>,
    redacted: u64,
    cut_keys: u64,
    repeated_keys: u64,
    skipped: u64,
    incomplete: bool,
    /// The number of its first line, where lines have numbers.
    first_line: Option<u64>,
    /// Whether it was not decoded because the import is to end.
    is_left_out: bool,
    /// Traces of which the chunk may have no root.
    rootless: Vec<TraceKey>,
}

type Slot = (Chunk, Sender<Result<Ready>>);

/// Imports one stream; see the module for the stages. The traces that may have to wait for their root are
/// put into `unsettled`, if it is there; assessments of traces that are not there, into `waiting`.
pub(crate) fn import<R: Read + Send>(
    database: &Database,
    input: R,
    options: &ImportOptions,
    waiting: &WaitingAssessments,
    mut unsettled: Option<&mut HashSet<TraceKey>>,
    progress: &mut dyn FnMut(Progress),
) -> Result<ImportReport> {
    let threads = database.settings().thread_count();
    tracehouse_storage::model::check_id("experiment id", &options.experiment_id)?;
    let redactor = database.redactor()?;
    let prices = database.price_state().list();
    let ending = Ending::new(options.until.clone(), database.limits());
    let worker = Worker {
        ending: &ending,
        store: database.store(),
        redactor: &redactor,
        prices: &prices,
        now_ns: database.store().env().now_ns(),
        options,
        span_bytes_max: database.settings().span_bytes_max,
    };
    let (work_in, work_out) = mpsc::sync_channel::<Slot>(threads);
    let (order_in, order_out) = mpsc::sync_channel::<Receiver<Result<Ready>>>(threads * 2);
    let work_out = Mutex::new(work_out);
    let mut report = ImportReport::default();
    std::thread::scope(|scope| {
        let ending = &ending;
        scope.spawn(move || {
            chunks::read(
                ending.input(input),
                options,
                || !ending.is_cancelled(),
                |chunk| {
                    let (ready_in, ready_out) = mpsc::channel();
                    order_in.send(ready_out).is_ok() && work_in.send((chunk, ready_in)).is_ok()
                },
            );
        });
        for _ in 0..threads.max(1) {
            scope.spawn(|| worker.work(&work_out));
        }
        // When this ends early, its queue closes, then the reader's, then the workers'.
        commit(
            database,
            (options, waiting),
            ending,
            order_out,
            &mut report,
            &mut |ready, acknowledged| {
                if let Some(unsettled) = &mut unsettled {
                    note_rootless(database, unsettled, &ready.rootless)?;
                }
                progress(acknowledged);
                Ok(())
            },
        )
    })?;
    Ok(report)
}

/// What all workers of an import share.
struct Worker<'w> {
    ending: &'w Ending<'w>,
    store: &'w Store,
    redactor: &'w Redactor,
    prices: &'w PriceList,
    /// The time of what has none.
    now_ns: i64,
    options: &'w ImportOptions,
    span_bytes_max: usize,
}

impl Worker<'_> {
    fn work(&self, queue: &Mutex<Receiver<Slot>>) {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((chunk, ready)) = next else { return };
            // The committing side may be gone after an error; then the result is of no use.
            let _ = ready.send(self.decode(chunk));
        }
    }

    fn decode(&self, chunk: Chunk) -> Result<Ready> {
        let mut spans = Vec::new();
        let (lines, bytes) = (chunk.items.len() as u64, chunk.bytes as u64);
        let first_line = chunk
            .items
            .first()
            .and_then(|item| item.as_ref().map_or_else(ReadError::line, Request::line));
        let mut ready = Ready {
            lines,
            bytes,
            first_line,
            ..Ready::default()
        };
        let mut pass = self.redactor.pass();
        for item in chunk.items {
            if self.ending.is_over() {
                return Ok(Ready {
                    lines,
                    first_line,
                    is_left_out: true,
                    ..Ready::default()
                });
            }
            let (line, decoded) = match &item {
                Ok(request) => (request.line(), self.decode_request(request, pass.as_mut())),
                Err(error) => {
                    ready.incomplete |= error.is_fatal();
                    (error.line(), Err(error.to_string()))
                }
            };
            match decoded {
                Ok(decoded) => self.take(line, decoded, pass.as_mut(), &mut spans, &mut ready),
                Err(error) => ready.rejected.push((line, error)),
            }
            if self.options.strict && !ready.rejected.is_empty() {
                break;
            }
        }
        ready.redacted = pass.map_or(0, Pass::finish);
        self.complete(spans, &mut ready)?;
        Ok(ready)
    }

    /// Takes over what a request holds, its spans into `spans`.
    fn take(
        &self,
        line: Option<u64>,
        mut decoded: Decoded,
        pass: Option<&mut Pass<'_>>,
        spans: &mut Vec<Span>,
        ready: &mut Ready,
    ) {
        self.say(line, &mut decoded, pass, ready);
        spans.extend(decoded.spans);
        ready.fragments.extend(decoded.fragments);
        ready.feedback.extend(decoded.feedback);
        ready.unplaced.extend(decoded.unplaced);
        for (kind, count) in decoded.skipped_records {
            *ready.skipped_records.entry(kind).or_default() += count;
        }
        add_forms(&mut ready.forms, decoded.forms);
        ready.cut_keys += decoded.changed_keys.cut;
        ready.repeated_keys += decoded.changed_keys.repeated;
        ready.skipped += decoded.skipped;
        ready
            .rejected
            .extend(decoded.rejected.into_iter().map(|reason| (line, reason)));
    }

    /// Makes the log record of all spans, and notes what has to be known of them.
    fn complete(&self, mut spans: Vec<Span>, ready: &mut Ready) -> Result<()> {
        spans.iter_mut().for_each(|span| self.prices.fill(span));
        ready.spans = spans.len() as u64;
        ready.rootless = rootless(&spans);
        ready.responses = spans.iter().filter_map(Response::of).collect();
        if !spans.is_empty() {
            ready.prepared = Some(self.store.prepare_spans(spans_batch(&spans)?)?);
        }
        Ok(())
    }

    /// Takes over what is said of traces and about them, checked and redacted.
    fn say(
        &self,
        line: Option<u64>,
        decoded: &mut Decoded,
        mut pass: Option<&mut Pass<'_>>,
        ready: &mut Ready,
    ) {
        for start in decoded.starts.drain(..) {
            match start.prepare(pass.as_deref_mut()) {
                Ok((trace_id, edit)) => ready.said.starts.push((line, trace_id, edit)),
                Err(error) => ready.rejected.push((line, error.to_string())),
            }
        }
        for mut given in decoded.assessments.drain(..) {
            let id = given.assessment_id.take();
            let id = id.unwrap_or_else(|| content_id(&given.trace_id, &given.assessment, 0));
            if let Some(pass) = pass.as_deref_mut() {
                pass.assessment(&mut given.assessment);
            }
            match given.into_row(id, self.now_ns) {
                Ok(row) => ready.said.assessments.push((line, row)),
                Err(error) => ready.rejected.push((line, error.to_string())),
            }
        }
    }

    fn decode_request(
        &self,
        request: &Request,
        pass: Option<&mut Pass<'_>>,
    ) -> std::result::Result<Decoded, String> {
        let (experiment_id, span_bytes_max) =
            (self.options.experiment_id.as_str(), self.span_bytes_max);
        let decoding = Decoding {
            experiment_id,
            any_ids: false,
            now_ns: self.now_ns,
            span_bytes_max,
            pass,
        };
        request.decode_with(decoding).map_err(|e| e.to_string())
    }
}

/// Traces with a run of spans none of which is a root: mostly those that have no root among the spans.
fn rootless(spans: &[Span]) -> Vec<TraceKey> {
    let runs = spans.chunk_by(|span, next| span.trace_id == next.trace_id);
    let rootless = runs.filter(|run| run.iter().all(|span| span.parent_span_id.is_some()));
    rootless
        .filter_map(|run| run.first())
        .map(|span| TraceKey::of(&span.trace_id))
        .collect()
}

fn note_rootless(
    database: &Database,
    unsettled: &mut HashSet<TraceKey>,
    rootless: &[TraceKey],
) -> Result<()> {
    unsettled.extend(rootless);
    if unsettled.len() > UNSETTLED_MAX {
        let traces: Vec<TraceKey> = unsettled.drain().collect();
        database.settle_imported(&traces)?;
    }
    Ok(())
}

fn commit(
    database: &Database,
    (options, waiting): (&ImportOptions, &WaitingAssessments),
    ending: &Ending<'_>,
    order: Receiver<Receiver<Result<Ready>>>,
    report: &mut ImportReport,
    done: &mut dyn FnMut(&Ready, Progress) -> Result<()>,
) -> Result<()> {
    let (mut acked, mut left_out) = (Progress::default(), LeftOut::default());
    for slot in order {
        database.limits().check_cancelled()?;
        let mut ready = slot
            .recv()
            .map_err(|_| Error::internal("an import thread ended without a result"))??;
        if left_out.lines > 0 || ready.is_left_out || ending.is_over() {
            left_out.add(ready.lines, ready.first_line);
            continue;
        }
        let (prepared, said) = (ready.prepared.take(), std::mem::take(&mut ready.said));
        let stored = ending.lending(|| database.store_said(prepared, said, options));
        if stored.as_ref().is_err_and(|error| ending.explains(error)) {
            left_out.add(ready.lines, ready.first_line);
            continue;
        }
        if finish(database, (options, waiting), &mut ready, stored, report)? {
            acked.acked_lines += ready.lines;
            acked.acked_spans += ready.spans;
            acked.acked_bytes += ready.bytes;
        }
        report_rejected(options, &mut ready, report)?;
        done(&ready, acked)?;
    }
    report.leave_out(&left_out, &options.name);
    // The reader stops without a word.
    database.limits().check_cancelled()
}

/// Stores and counts what a chunk has besides what `stored` is of: whether all of it is durable.
fn finish(
    database: &Database,
    (options, waiting): (&ImportOptions, &WaitingAssessments),
    ready: &mut Ready,
    stored: Result<Stored>,
    report: &mut ImportReport,
) -> Result<bool> {
    let mut is_durable = match stored {
        Ok(stored) => {
            report.spans += stored.applied.spans;
            report.duplicate_spans += stored.applied.duplicate_spans;
            report.assessments += stored.applied.assessments;
            report.started_traces += stored.applied.traces;
            report.claim(stored.applied.claimed_records);
            ready.rejected.extend(stored.rejected);
            waiting.add(database.store(), &options.name, stored.early)?;
            true
        }
        Err(error) => {
            report.add(database.drop_spans(error, ready.spans)?);
            false
        }
    };
    let (fragments, feedback) = (
        std::mem::take(&mut ready.fragments),
        std::mem::take(&mut ready.feedback),
    );
    is_durable &= commit_records(database, fragments, feedback, report)?;
    let claimed = database.claim_evaluations(std::mem::take(&mut ready.responses))?;
    report.judge(claimed);
    report.judge_new(database.judge_responses(std::mem::take(&mut ready.unplaced))?);
    report.add_read(ready);
    Ok(is_durable)
}

/// # Errors
/// `InvalidInput` in strict mode for the first thing that was not kept.
fn report_rejected(
    options: &ImportOptions,
    ready: &mut Ready,
    report: &mut ImportReport,
) -> Result<()> {
    for (line, error) in std::mem::take(&mut ready.rejected) {
        if options.strict {
            let place = line.map_or(options.name.clone(), |line| {
                format!("{}:{line}", options.name)
            });
            return Err(Error::invalid_input(format!("{place}: {error}")));
        }
        report.reject(&options.name, line, error);
    }
    Ok(())
}

/// Joins log records and stores feedback; whether that is durable.
fn commit_records(
    database: &Database,
    mut fragments: Vec<Fragment>,
    feedback: Vec<Assessment>,
    report: &mut ImportReport,
) -> Result<bool> {
    let mut is_durable = true;
    while !fragments.is_empty() {
        let mut bytes = 0;
        let mut fits = |fragment: &Fragment| {
            bytes += fragment.text_bytes();
            bytes <= RECORDS_BYTES_MAX
        };
        let count = fragments
            .iter()
            .take_while(|fragment| fits(fragment))
            .count()
            .max(1);
        let rest = fragments.split_off(count.min(fragments.len()));
        let joined = std::mem::replace(&mut fragments, rest);
        let spans = joined.len() as u64;
        match database.store().join_records(joined) {
            Ok(applied) => {
                report.log_records += applied.joined_records + applied.waiting_records;
                report.waiting_log_records += applied.waiting_records;
            }
            Err(error) => {
                report.add(database.drop_spans(error.into(), spans)?);
                is_durable = false;
            }
        }
    }
    let assess = Assess {
        rows: feedback,
        check_existing: true,
    };
    report.assessments += database.store().assess(assess)?.assessments;
    Ok(is_durable)
}
