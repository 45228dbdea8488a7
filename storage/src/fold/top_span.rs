//! The top span of a trace, which stands for its root while there is none: which one it is, and what is
//! read of it besides the columns of every fold.
//!
//! A span does not know when it is stored whether it will be a top span. What such a span says of its trace
//! (previews, tags) is therefore made when the trace is folded, of the span's stored texts, and so depends on
//! the set of spans alone. Only traces without a root pay for it.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use serde::Deserialize;

use super::join::UNKNOWN_PARENT;
use super::{FoldInputs, FoldSpan};
use crate::columns::{required_text, text, text_at};
use crate::error::Result;
use crate::model::{TraceHint, TraceKey, cut_preview};
use crate::parallel::{parallel_map, threads_for};
use crate::snapshot::RowRef;

/// What is read of a top span.
const TOP_COLUMNS: [&str; 5] = ["span_type", "inputs", "outputs", "attributes", "extra"];

/// Gives columns of rows of spans, in the order of the rows.
pub(crate) trait ReadSpans: Sync {
    fn rows(&self, rows: &[RowRef], columns: &[&str]) -> Result<RecordBatch>;
}

impl<R: Fn(&[RowRef], &[&str]) -> Result<RecordBatch> + Sync> ReadSpans for R {
    fn rows(&self, rows: &[RowRef], columns: &[&str]) -> Result<RecordBatch> {
        self(rows, columns)
    }
}

/// Top spans whose texts are in memory at a time.
const TOPS_AT_A_TIME: usize = 64;

/// Bits of OTLP's `flags`: whether it is known where the parent is, and whether it is remote.
const REMOTE_PARENT_FLAGS: u64 = 0x300;

/// The texts of a span that stands for the root of its trace.
#[derive(Debug, Clone, Copy)]
pub struct TopTexts<'a> {
    /// Its type.
    pub span_type: &'a str,
    /// Its inputs.
    pub inputs: Option<&'a str>,
    /// Its outputs.
    pub outputs: Option<&'a str>,
    /// JSON object text.
    pub attributes: &'a str,
}

/// What a span says of its trace, if it stands for the root. A function of the texts alone: a trace that is
/// folded again must become the same row.
pub type HintOfTop = fn(&TopTexts<'_>) -> TopHint;

/// What a span says of its trace.
#[derive(Debug, Clone, Default)]
pub struct TopHint {
    /// Its previews, tags and metadata.
    pub hint: TraceHint,
    /// Whether the session that it names is the thread or conversation, and no session by name.
    pub session_is_thread: bool,
}

/// The beginnings of inputs and outputs, for who knows nothing of formats of messages.
pub fn plain_hint(texts: &TopTexts<'_>) -> TopHint {
    let hint = TraceHint {
        request_preview: texts.inputs.map(cut_preview),
        response_preview: texts.outputs.map(cut_preview),
        ..TraceHint::default()
    };
    TopHint {
        hint,
        session_is_thread: false,
    }
}

/// The position of the top span: of those whose parent is not among the spans, the first. Where every parent
/// is there, the parents go round in circles, and the first of all spans is taken. Rows that only hold log records
/// until their span comes are last of all.
pub(crate) fn top_of(spans: &[FoldSpan]) -> Option<usize> {
    let ids: HashSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
    let has_parent = |span: &FoldSpan| {
        span.parent_span_id
            .as_deref()
            .is_some_and(|parent| ids.contains(parent))
    };
    let all = || spans.iter().enumerate();
    let first = |(_, span): &(usize, &FoldSpan)| {
        let is_waiting = span.parent_span_id.as_deref() == Some(UNKNOWN_PARENT);
        (is_waiting, span.start_time_ns, span.span_id.clone())
    };
    let top = all()
        .filter(|(_, span)| !has_parent(span))
        .min_by_key(first);
    let top = top.or_else(|| all().min_by_key(first)).map(|(at, _)| at);
    assert_eq!(
        top.is_some(),
        !spans.is_empty(),
        "of spans there is a first, also where parents go round"
    );
    top
}

/// Reads what the top spans of traces without a root say of them. `read` gives rows of spans in order.
///
/// # Errors
/// Whatever `read` gives.
pub(crate) fn add_top_hints(
    inputs: &mut FoldInputs,
    hint_of_top: HintOfTop,
    read: &impl ReadSpans,
) -> Result<()> {
    let mut tops: Vec<(RowRef, TraceKey, usize)> = Vec::new();
    for (key, (_, spans)) in inputs.iter() {
        if spans.iter().all(|span| span.parent_span_id.is_some())
            && let Some((top, at)) = top_of(spans).and_then(|at| Some((spans.get(at)?, at)))
        {
            tops.push((top.place, *key, at));
        }
    }
    tops.sort_unstable_by_key(|(place, ..)| *place);
    let pieces: Vec<&[(RowRef, TraceKey, usize)]> = tops.chunks(TOPS_AT_A_TIME).collect();
    let said = parallel_map(&pieces, threads_for(pieces.len(), 1), |piece| {
        let places: Vec<RowRef> = piece.iter().map(|(place, ..)| *place).collect();
        said_by(&read.rows(&places, &TOP_COLUMNS)?, hint_of_top)
    })?;
    let said: Vec<(TopHint, bool)> = said.into_iter().flatten().collect();
    assert_eq!(
        said.len(),
        tops.len(),
        "each top span says something of its trace"
    );
    for ((_, key, at), (TopHint { hint, .. }, has_remote_parent)) in tops.iter().zip(said) {
        if let Some(top) = inputs
            .get_mut(key)
            .and_then(|(_, spans)| spans.get_mut(*at))
        {
            // What was given with the span, as with a root, goes before what can be made of it.
            top.hint.get_or_insert(hint);
            top.has_remote_parent = has_remote_parent;
        }
    }
    Ok(())
}

/// What each of the spans at these places says of its trace, in their order.
///
/// # Errors
/// Whatever `read` gives.
pub(crate) fn said_of(
    places: &[RowRef],
    hint_of_top: HintOfTop,
    read: &impl ReadSpans,
) -> Result<Vec<TopHint>> {
    let mut ordered: Vec<(RowRef, usize)> = places
        .iter()
        .enumerate()
        .map(|(at, place)| (*place, at))
        .collect();
    ordered.sort_unstable();
    let rows: Vec<RowRef> = ordered.iter().map(|(place, _)| *place).collect();
    let told = said_by(&read.rows(&rows, &TOP_COLUMNS)?, hint_of_top)?;
    assert_eq!(
        told.len(),
        places.len(),
        "each span says something of its trace"
    );
    let mut told: Vec<(usize, TopHint)> = ordered
        .into_iter()
        .zip(told)
        .map(|((_, at), (told, _))| (at, told))
        .collect();
    told.sort_by_key(|(at, _)| *at);
    Ok(told.into_iter().map(|(_, told)| told).collect())
}

/// Of each row of a batch with [`TOP_COLUMNS`]: what it says of its trace, and whether its parent is remote.
fn said_by(batch: &RecordBatch, hint_of_top: HintOfTop) -> Result<Vec<(TopHint, bool)>> {
    let [span_type, inputs, outputs, attributes, extra] = TOP_COLUMNS;
    let (span_type, attributes) = (
        required_text(batch, span_type)?,
        required_text(batch, attributes)?,
    );
    let (inputs, outputs, extra) = (
        text(batch, inputs)?,
        text(batch, outputs)?,
        text(batch, extra)?,
    );
    let said = |row| {
        let texts = TopTexts {
            span_type: span_type.value(row),
            inputs: text_at(inputs, row),
            outputs: text_at(outputs, row),
            attributes: attributes.value(row),
        };
        (
            hint_of_top(&texts),
            text_at(extra, row).is_some_and(has_remote_parent),
        )
    };
    Ok((0..batch.num_rows()).map(said).collect())
}

/// Whether a span's `extra` has flags that say that its parent is in another process.
fn has_remote_parent(extra: &str) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Extra {
        flags: u64,
    }
    // What is no such text says nothing of where the parent is.
    let extra: Extra = serde_json::from_str(extra).unwrap_or_default();
    extra.flags & REMOTE_PARENT_FLAGS == REMOTE_PARENT_FLAGS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_remote_when_its_place_is_known_and_elsewhere() {
        for (extra, is_remote) in [
            (r#"{"flags":769}"#, true),
            (
                r#"{"trace_state":"a=b","flags":768,"links":[{"index":0,"flags":1}]}"#,
                true,
            ),
            (r#"{"flags":257}"#, false),
            (r#"{"flags":512}"#, false),
            (r#"{"links":[{"index":0,"flags":769}]}"#, false),
            ("{}", false),
            ("no JSON", false),
        ] {
            assert_eq!(has_remote_parent(extra), is_remote, "{extra}");
        }
    }
}
