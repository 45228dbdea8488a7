//! Calls of judges as traces: what was sent, what a model wrote, its tokens, its cost, what went wrong.
//!
//! ```text
//! judging: an item is judged in a thread, which knows of it    -> client of a judge: a call
//!   -> judge_observer, in the same thread: the call, kept with its item
//! run: a chunk was judged -> a trace for each of its calls, before its scores: what was asked is there, whatever comes
//! ```
//!
//! A trace of a call quotes what was judged, so it goes with it when that is erased; its metadata say what that was.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tracehouse_eval::judge::{JudgeCall, Observer};
use tracehouse_query::search::{self, Search};
use tracehouse_storage::columns::map_at;
use tracehouse_storage::model::{Span, normalize_trace_id};
use tracehouse_storage::schema::Table;

use super::info::EvalRun;
use super::items::Keyed;
use crate::database::Database;
use crate::error::Result;
use crate::span_builder::{SpanBuilder, SpanKind, SpanStatus};
use crate::start::TraceStart;

/// Metadata of the trace of a call: the judge's name.
const JUDGE: &str = "tracehouse.eval.judge";
/// Metadata: the run.
const RUN: &str = "tracehouse.eval.run_id";
/// Metadata: the trace that was judged, of a record the one that it was made of, of a session its first.
const JUDGED_TRACE: &str = "tracehouse.eval.trace_id";
/// Metadata: the span that was judged.
const JUDGED_SPAN: &str = "tracehouse.eval.span_id";
/// Metadata: the record that was judged.
const JUDGED_RECORD: &str = "tracehouse.eval.record";
/// Metadata: the session that was judged.
const JUDGED_SESSION: &str = "tracehouse.eval.session_id";

thread_local! {
    /// What this thread judges, when the calls of judges are kept.
    static JUDGED: RefCell<Option<Judging>> = const { RefCell::new(None) };
}

#[derive(Clone)]
struct Judging {
    calls: Arc<Mutex<Vec<Call>>>,
    about: Vec<(&'static str, String)>,
}

/// A call and what it was about, as metadata.
#[derive(Debug, Clone)]
struct Call {
    call: JudgeCall,
    about: Vec<(&'static str, String)>,
}

/// For [`Client::with_observer`](tracehouse_eval::judge::Client::with_observer): lets runs that are asked to
/// ([`EvalOptions::judge_traces`](super::EvalOptions::judge_traces)) store the calls of the client's judges.
///
/// ```
/// use tracehouse::eval::judge::{Client, JudgeSettings};
///
/// let settings = JudgeSettings::new("qwen3", "http://localhost:8000/v1");
/// let client = Client::new(&settings)?.with_observer(tracehouse::eval::judge_observer());
/// # let _ = client;
/// # Ok::<(), tracehouse::eval::judge::SettingsError>(())
/// ```
pub fn judge_observer() -> Observer {
    Arc::new(|call: &JudgeCall| {
        JUDGED.with_borrow(|judging| {
            if let Some(judging) = judging {
                let mut calls = judging.calls.lock().unwrap_or_else(PoisonError::into_inner);
                calls.push(Call {
                    call: call.clone(),
                    about: judging.about.clone(),
                });
            }
        });
    })
}

/// The calls that judges make for a run.
#[derive(Default)]
pub(super) struct JudgeCalls(Arc<Mutex<Vec<Call>>>);

impl JudgeCalls {
    /// Keeps the calls that this thread makes for an item, until what is given ends.
    pub fn of_item(&self, keyed: &Keyed) -> Kept {
        let key = &keyed.key;
        let about = [
            (JUDGED_TRACE, &keyed.trace_id),
            (JUDGED_SPAN, &key.span_id),
            (JUDGED_RECORD, &key.dataset_record_id),
            (JUDGED_SESSION, &key.session_id),
        ];
        let about = about.into_iter();
        let about = about.filter_map(|(name, value)| Some((name, value.clone()?)));
        let judging = Judging {
            calls: self.0.clone(),
            about: about.collect(),
        };
        Kept(JUDGED.replace(Some(judging)))
    }

    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// While it lives, calls are kept; what this thread judged before comes back.
pub(super) struct Kept(Option<Judging>);

impl Drop for Kept {
    fn drop(&mut self) {
        JUDGED.set(self.0.take());
    }
}

impl Database {
    /// Stores the calls that were made since the last time, each as a trace of an experiment.
    pub(super) fn store_judge_calls(
        &self,
        run: &EvalRun,
        experiment_id: &str,
        calls: &JudgeCalls,
    ) -> Result<()> {
        let calls = calls.take();
        if calls.is_empty() {
            return Ok(());
        }
        let env = self.store().env();
        let now_ns = env.now_ns();
        let (mut starts, mut spans) = (Vec::new(), Vec::new());
        for Call { call, about } in &calls {
            let ago_ns = i64::try_from(call.started.elapsed().as_nanos()).unwrap_or(i64::MAX);
            let id = env.new_ulid();
            let trace_id = format!("{id:032x}");
            let start_ns = now_ns.saturating_sub(ago_ns);
            let start = TraceStart::new(&trace_id, start_ns)
                .experiment_id(experiment_id)
                .finalised(false)
                .metadata(JUDGE, &call.judge)
                .metadata(RUN, &run.run_id);
            let about = about.iter();
            starts.push(about.fold(start, |start, (name, value)| start.metadata(*name, value)));
            // The low half is by chance.
            let span_id = format!("{:016x}", id as u64);
            spans.push(span_of(
                call,
                (&trace_id, span_id),
                experiment_id,
                start_ns,
            )?);
        }
        // With their metadata first: by these they are found when what they are about is erased.
        self.start_traces(&starts)?;
        self.append(&spans)?;
        Ok(())
    }

    /// The traces of the calls that judges made for a run.
    pub(super) fn judge_call_ids(&self, run_id: &str) -> Result<HashSet<String>> {
        let snapshot = self.reading()?;
        let search = Search::new(format!("metadata.{RUN} = '{run_id}'"));
        let found = search::search(&snapshot, &search)?;
        Ok(found.trace_ids.into_iter().collect())
    }

    /// These traces, and those of all calls of judges about them, about their sessions, and about such calls.
    pub(crate) fn with_judge_calls(&self, trace_ids: &[String]) -> Result<Vec<String>> {
        let mut all: Vec<String> = trace_ids.to_vec();
        let snapshot = self.snapshot()?;
        let search = Search::new(format!("metadata.{JUDGE} IS NOT NULL"));
        let found = search::search(&snapshot, &search)?;
        if found.rows.is_empty() {
            return Ok(all);
        }
        let ids: Vec<String> = trace_ids.iter().map(|id| normalize_trace_id(id)).collect();
        let sessions = self.sessions_of(&ids)?;
        let mut gone: HashSet<String> = ids.into_iter().collect();
        let batch = snapshot.read_rows(Table::Traces, &found.rows, &["metadata"])?;
        let mut calls = Vec::with_capacity(found.trace_ids.len());
        for (row, trace_id) in found.trace_ids.into_iter().enumerate() {
            let mut about = map_at(&batch, "metadata", row)?;
            calls.push((
                trace_id,
                about.remove(JUDGED_TRACE),
                about.remove(JUDGED_SESSION),
            ));
        }
        // A call may be judged in turn.
        loop {
            let is_about = |trace: &Option<String>, session: &Option<String>| {
                trace.as_ref().is_some_and(|id| gone.contains(id))
                    || session.as_ref().is_some_and(|id| sessions.contains(id))
            };
            let more: Vec<String> = calls
                .iter()
                .filter(|(id, trace, session)| !gone.contains(id) && is_about(trace, session))
                .map(|(id, ..)| id.clone())
                .collect();
            if more.is_empty() {
                return Ok(all);
            }
            gone.extend(more.iter().cloned());
            all.extend(more);
        }
    }
}

/// The only span of the trace of a call.
fn span_of(
    call: &JudgeCall,
    (trace_id, span_id): (&str, String),
    experiment_id: &str,
    start_ns: i64,
) -> Result<Span> {
    let duration_ns = i64::try_from(call.duration.as_nanos()).unwrap_or(i64::MAX);
    let sent: Vec<_> = (call.messages.iter())
        .map(|turn| json!({"role": turn.role, "content": turn.text}))
        .collect();
    let mut span = SpanBuilder::new(trace_id, span_id, format!("judge {}", call.judge))
        .experiment(experiment_id)
        .times_ns(start_ns, Some(start_ns.saturating_add(duration_ns)))
        .kind(SpanKind::Client)
        .attribute("gen_ai.operation.name", "chat")
        .attribute("gen_ai.request.model", call.model.as_str())
        .attribute("input.value", json!({"messages": sent}).to_string())
        .attribute("input.mime_type", "application/json")
        .attribute("tracehouse.judge.name", call.judge.as_str())
        .attribute("tracehouse.judge.version", call.judge_version.as_str())
        .attribute("tracehouse.judge.attempt", i64::from(call.attempt));
    span = match (&call.answer, &call.error) {
        (Some(answer), _) => span
            .status(SpanStatus::Ok)
            .attribute("output.value", answer.as_str()),
        (None, error) => span
            .status(SpanStatus::Error)
            .status_message(error.as_deref().unwrap_or_default()),
    };
    if let Some(model) = &call.answer_model {
        span = span.attribute("gen_ai.response.model", model.as_str());
    }
    let tokens = [
        ("gen_ai.usage.input_tokens", call.input_tokens),
        ("gen_ai.usage.output_tokens", call.output_tokens),
    ];
    for (name, count) in tokens {
        if let Some(count) = count.and_then(|count| i64::try_from(count).ok()) {
            span = span.attribute(name, count);
        }
    }
    if let Some(cost_usd) = call.cost_usd {
        span = span.attribute("gen_ai.usage.cost", cost_usd);
    }
    span.build()
}
