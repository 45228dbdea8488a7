//! What a trace takes from spans below the one that stands for it, because that one does not say it itself:
//! the previews of a trace whose root has neither inputs nor outputs (an application's own root, a workflow),
//! and the session of a trace whose root has only a thread, where a span below names a session.
//!
//! 1. The request is that of the outermost spans that converse (`CONVERSING`), the earliest first; where those
//!    have none, of those one level below, and so on. The response is that of the one that ended last, by the
//!    same levels.
//! 2. A session that a span names as one goes before the threads of others, the root's included; of several
//!    such spans the root, then the first in time.
//!
//! Invariants:
//! * the result depends on the set of spans alone, as the fold does;
//! * only traces that need it pay: what is read of their spans is read in that order until it is found, for
//!   previews of at most `ASKED_MAX` spans from each end.

use std::collections::{HashMap, HashSet};

use super::top_span::{HintOfTop, ReadSpans, TopHint, said_of};
use super::{FoldInputs, FoldSpan, lead_of};
use crate::columns::{text, text_at};
use crate::error::{Error, Result};
use crate::model::TraceKey;
use crate::parallel::{parallel_map, threads_for};
use crate::snapshot::RowRef;

/// Types of spans that ask and answer.
const CONVERSING: [&str; 6] = ["AGENT", "CHAIN", "CHAT_MODEL", "LLM", "TASK", "WORKFLOW"];

/// Spans that are asked for a preview, from each end: a trace of which no texts were recorded is not read whole.
const ASKED_MAX: usize = 64;

/// Spans whose texts are in memory at a time. Most often the first one has what is sought.
const READ_AT_A_TIME: usize = 4;

/// What spans below lend to the one that stands for their trace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lent {
    pub(crate) request_preview: Option<String>,
    pub(crate) response_preview: Option<String>,
    pub(crate) session_id: Option<String>,
}

/// Finds what the spans that stand for these traces take from those below them. Expects hints of top spans to
/// be there.
///
/// # Errors
/// Whatever `read` gives.
pub(crate) fn add_lent(
    inputs: &mut FoldInputs,
    hint_of_top: HintOfTop,
    read: impl ReadSpans,
) -> Result<()> {
    let mut needing: Vec<(TraceKey, usize)> = Vec::new();
    for (key, (_, spans)) in inputs.iter() {
        if let Some((lead, at)) = lead_of(spans).and_then(|at| Some((spans.get(at)?, at)))
            && spans.len() > 1
            && (is_mute(lead) || has_several_sessions(spans))
        {
            needing.push((*key, at));
        }
    }
    needing.sort_unstable();
    let found = parallel_map(&needing, threads_for(needing.len(), 1), |(key, at)| {
        let (_, spans) = inputs
            .get(key)
            .ok_or_else(|| Error::internal("a trace without its spans"))?;
        lent(spans, *at, hint_of_top, &read)
    })?;
    for ((key, at), lent) in needing.into_iter().zip(found) {
        if let Some(lead) = inputs
            .get_mut(&key)
            .and_then(|(_, spans)| spans.get_mut(at))
        {
            lead.lent = lent;
        }
    }
    Ok(())
}

/// Whether a span says neither what was asked nor what was answered.
fn is_mute(lead: &FoldSpan) -> bool {
    let hint = lead.hint.as_ref();
    hint.is_none_or(|hint| hint.request_preview.is_none() && hint.response_preview.is_none())
}

fn has_several_sessions(spans: &[FoldSpan]) -> bool {
    let mut sessions = spans.iter().filter_map(|span| span.session_id.as_deref());
    let first = sessions.next();
    sessions.any(|session| Some(session) != first)
}

fn lent(
    spans: &[FoldSpan],
    lead: usize,
    hint_of_top: HintOfTop,
    read: &impl ReadSpans,
) -> Result<Lent> {
    assert!(lead < spans.len(), "the lead is one of the spans");
    let mut lent = Lent::default();
    let said = |places: &[RowRef]| said_of(places, hint_of_top, read);
    if has_several_sessions(spans) {
        let mut of_session: Vec<&FoldSpan> = spans
            .iter()
            .filter(|span| span.session_id.is_some())
            .collect();
        let lead_id = spans.get(lead).map(|span| span.span_id.as_str());
        of_session.sort_by_key(|span| (Some(span.span_id.as_str()) != lead_id, span.order()));
        let is_named = |told: TopHint| (!told.session_is_thread).then_some(());
        lent.session_id =
            first_that(&of_session, said, is_named)?.and_then(|(span, ())| span.session_id.clone());
    }
    if spans.get(lead).is_some_and(is_mute) {
        let mut conversing = conversing(spans, lead, read)?;
        conversing.sort_by_key(|(level, span)| (*level, span.order()));
        let asked: Vec<&FoldSpan> = conversing
            .iter()
            .map(|(_, span)| *span)
            .take(ASKED_MAX)
            .collect();
        let request = first_that(&asked, said, |told| told.hint.request_preview)?;
        lent.request_preview = request.map(|(_, preview)| preview);
        let ended = |span: &FoldSpan| std::cmp::Reverse((span.end_time_ns, span.start_time_ns));
        conversing.sort_by(|(a_level, a), (b_level, b)| {
            (a_level, ended(a), &a.span_id).cmp(&(b_level, ended(b), &b.span_id))
        });
        let answered: Vec<&FoldSpan> = conversing
            .iter()
            .map(|(_, span)| *span)
            .take(ASKED_MAX)
            .collect();
        let response = first_that(&answered, said, |told| told.hint.response_preview)?;
        lent.response_preview = response.map(|(_, preview)| preview);
    }
    Ok(lent)
}

/// The first of the spans of which something is found, and what it is.
fn first_that<'s, T>(
    spans: &[&'s FoldSpan],
    said: impl Fn(&[RowRef]) -> Result<Vec<TopHint>>,
    found_in: impl Fn(TopHint) -> Option<T>,
) -> Result<Option<(&'s FoldSpan, T)>> {
    for piece in spans.chunks(READ_AT_A_TIME) {
        let places: Vec<RowRef> = piece.iter().map(|span| span.place).collect();
        for (span, told) in piece.iter().zip(said(&places)?) {
            if let Some(found) = found_in(told) {
                return Ok(Some((span, found)));
            }
        }
    }
    Ok(None)
}

/// The spans that converse but for the lead, each with how many such spans are above it.
fn conversing<'s>(
    spans: &'s [FoldSpan],
    lead: usize,
    read: &impl ReadSpans,
) -> Result<Vec<(usize, &'s FoldSpan)>> {
    let mut places: Vec<(RowRef, usize)> = spans
        .iter()
        .enumerate()
        .map(|(at, span)| (span.place, at))
        .collect();
    places.sort_unstable();
    let rows: Vec<RowRef> = places.iter().map(|(place, _)| *place).collect();
    let batch = read.rows(&rows, &["span_type"])?;
    assert_eq!(batch.num_rows(), spans.len(), "each span has a type");
    let types = text(&batch, "span_type")?;
    let mut converses = vec![false; spans.len()];
    for (row, (_, at)) in places.iter().enumerate() {
        if let Some(converses) = converses.get_mut(*at) {
            *converses =
                *at != lead && text_at(types, row).is_some_and(|kind| CONVERSING.contains(&kind));
        }
    }
    let ids: HashMap<&str, usize> = spans
        .iter()
        .enumerate()
        .map(|(at, span)| (span.span_id.as_str(), at))
        .collect();
    let speaks = |at: usize| converses.get(at) == Some(&true);
    let level = |at: usize| {
        let mut above = 0;
        let mut seen = HashSet::from([at]);
        let mut next = spans.get(at);
        while let Some(parent) = next.and_then(|span| ids.get(span.parent_span_id.as_deref()?))
            && seen.insert(*parent)
        {
            above += usize::from(speaks(*parent));
            next = spans.get(*parent);
        }
        above
    };
    let speakers = spans.iter().enumerate().filter(|(at, _)| speaks(*at));
    Ok(speakers.map(|(at, span)| (level(at), span)).collect())
}
