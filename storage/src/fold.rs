//! The fold: from all spans of one trace to its row in `traces`.
//!
//! The result depends only on the set of spans, never on the order in which they arrived: spans are
//! ordered by (start time, span id) before anything is taken from them.
//!
//! 1. The **root** is the first span without a parent. A trace without one is `IN_PROGRESS`.
//!    Service, session and user are the root's, else those of the first span that has one.
//! 2. Time runs from the earliest start to the latest end.
//! 3. Tokens and cost: depth-first from the tops of the tree (a span whose parent is not in the set
//!    is a top); a span's value counts only if no ancestor has one (MLflow's no-double-count rule).
//!    Cycles are cut: each span is visited once.
//! 4. What the root says of the trace (previews, tags) is taken over; explicit edits are laid on top
//!    by the caller.

use std::collections::{BTreeSet, HashMap};

use arrow::array::RecordBatch;

use crate::columns::{floats, ints, text, text_at, times, value_at};
use crate::error::{Error, Result};
use crate::model::{
    SESSION_METADATA, TRACE_NAME_TAG, TraceEdit, TraceHint, TraceKey, TraceRow, USER_METADATA, Usage,
};

/// The span columns a fold reads: all light but the hint of the root.
pub const FOLD_COLUMNS: &[&str] = &[
    "trace_id",
    "span_id",
    "parent_span_id",
    "experiment_id",
    "session_id",
    "user_id",
    "name",
    "status",
    "start_time",
    "end_time",
    "service_name",
    "model",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cost_usd",
    "_hint",
];

/// What a fold needs of one span.
#[derive(Debug, Clone, Default)]
pub struct FoldSpan {
    span_id: String,
    parent_span_id: Option<String>,
    experiment_id: String,
    session_id: Option<String>,
    user_id: Option<String>,
    name: String,
    error: bool,
    start_time_ns: i64,
    end_time_ns: Option<i64>,
    service_name: Option<String>,
    model: Option<String>,
    usage: Usage,
    hint: Option<TraceHint>,
}

impl FoldSpan {
    /// The span's id.
    pub fn span_id(&self) -> &str {
        &self.span_id
    }
}

/// Reads the rows of `batch` (with [`FOLD_COLUMNS`]) that `rows` names.
///
/// # Errors
/// `Internal` when a column is missing or a hint does not parse.
pub fn fold_spans(batch: &RecordBatch, rows: impl Iterator<Item = usize>) -> Result<Vec<FoldSpan>> {
    let texts = |column: &str| text(batch, column);
    let (span_id, parent, experiment) =
        (texts("span_id")?, texts("parent_span_id")?, texts("experiment_id")?);
    let (session, user, name) = (texts("session_id")?, texts("user_id")?, texts("name")?);
    let (status, service, model, hint) =
        (texts("status")?, texts("service_name")?, texts("model")?, texts("_hint")?);
    let (start, end) = (times(batch, "start_time")?, times(batch, "end_time")?);
    let cost = floats(batch, "cost_usd")?;
    let own = |array, row| text_at(array, row).map(str::to_string);
    let mut spans = Vec::new();
    for row in rows {
        let count = |column: &str| -> Result<Option<i64>> { Ok(value_at(ints(batch, column)?, row)) };
        let hint = match text_at(hint, row) {
            Some(json) => {
                Some(serde_json::from_str(json).map_err(|e| Error::internal(format!("column _hint: {e}")))?)
            }
            None => None,
        };
        spans.push(FoldSpan {
            span_id: own(span_id, row).unwrap_or_default(),
            parent_span_id: own(parent, row),
            experiment_id: own(experiment, row).unwrap_or_default(),
            session_id: own(session, row),
            user_id: own(user, row),
            name: own(name, row).unwrap_or_default(),
            error: text_at(status, row) == Some("ERROR"),
            start_time_ns: start.value(row),
            end_time_ns: value_at(end, row),
            service_name: own(service, row),
            model: own(model, row),
            usage: Usage {
                input_tokens: count("input_tokens")?,
                output_tokens: count("output_tokens")?,
                total_tokens: count("total_tokens")?,
                cache_read_input_tokens: count("cache_read_input_tokens")?,
                cache_creation_input_tokens: count("cache_creation_input_tokens")?,
                cost_usd: value_at(cost, row),
            },
            hint,
        });
    }
    Ok(spans)
}

/// Adds the spans of a batch (with [`FOLD_COLUMNS`]) to those of their traces.
///
/// # Errors
/// As [`fold_spans`].
pub fn add_fold_inputs(
    inputs: &mut HashMap<TraceKey, (String, Vec<FoldSpan>)>,
    batch: &RecordBatch,
) -> Result<()> {
    let ids = text(batch, "trace_id")?;
    let spans = fold_spans(batch, 0..batch.num_rows())?;
    for (id, span) in ids.iter().zip(spans) {
        let id = id.unwrap_or_default();
        inputs.entry(TraceKey::of(id)).or_insert_with(|| (id.to_string(), Vec::new())).1.push(span);
    }
    Ok(())
}

/// The row of a trace from its spans and all that was said of it; `None` when it has no spans and was
/// never started.
pub fn refold(trace_id: &str, spans: Option<(String, Vec<FoldSpan>)>, edit: TraceEdit) -> Option<TraceRow> {
    if spans.is_none() && edit.start.is_none() {
        return None;
    }
    let mut row = fold(trace_id, spans.map(|(_, spans)| spans).unwrap_or_default());
    row.apply(edit);
    Some(row)
}

/// Folds all spans of one trace into its row.
pub fn fold(trace_id: &str, mut spans: Vec<FoldSpan>) -> TraceRow {
    spans.sort_by(|a, b| (a.start_time_ns, &a.span_id).cmp(&(b.start_time_ns, &b.span_id)));
    let root = spans.iter().find(|span| span.parent_span_id.is_none());
    let request_time_ns = spans.iter().map(|span| span.start_time_ns).min().unwrap_or_default();
    let end_time_ns = spans.iter().filter_map(|span| span.end_time_ns).max();
    let of_root = |get: fn(&FoldSpan) -> &Option<String>| {
        root.into_iter().chain(&spans).find_map(|span| get(span).clone())
    };
    let experiment = root.or(spans.first()).map(|span| span.experiment_id.clone());
    let hint = root.and_then(|span| span.hint.clone()).unwrap_or_default();
    let models: BTreeSet<&str> = spans.iter().filter_map(|span| span.model.as_deref()).collect();
    let mut row = TraceRow {
        trace_id: trace_id.to_string(),
        experiment_id: experiment.unwrap_or_default(),
        name: hint.tags.get(TRACE_NAME_TAG).cloned().or_else(|| root.map(|span| span.name.clone())),
        state: state(root).to_string(),
        request_time_ns,
        end_time_ns,
        duration_ns: end_time_ns.map(|end| end.saturating_sub(request_time_ns).max(0)),
        service_name: of_root(|span| &span.service_name),
        session_id: of_root(|span| &span.session_id),
        user_id: of_root(|span| &span.user_id),
        client_request_id: None,
        request_preview: hint.request_preview,
        response_preview: hint.response_preview,
        span_count: spans.len() as i64,
        error_span_count: spans.iter().filter(|span| span.error).count() as i64,
        usage: usage(&spans),
        models: models.into_iter().map(str::to_string).collect(),
        tags: hint.tags,
        metadata: hint.metadata,
        root_span_id: root.map(|span| span.span_id.clone()),
        edit: Default::default(),
    };
    for (key, value) in [(SESSION_METADATA, &row.session_id), (USER_METADATA, &row.user_id)] {
        if let Some(value) = value {
            row.metadata.insert(key.to_string(), value.clone());
        }
    }
    row
}

fn state(root: Option<&FoldSpan>) -> &'static str {
    match root {
        None => "IN_PROGRESS",
        Some(root) if root.error => "ERROR",
        Some(_) => "OK",
    }
}

/// Which usage values some ancestor already had.
#[derive(Clone, Copy, Default)]
struct Counted {
    tokens: bool,
    cost: bool,
}

fn usage(spans: &[FoldSpan]) -> Usage {
    let ids: HashMap<&str, usize> =
        spans.iter().enumerate().map(|(index, span)| (span.span_id.as_str(), index)).collect();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut tops = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        match span.parent_span_id.as_deref().and_then(|parent| ids.get(parent)) {
            Some(parent) => children.entry(*parent).or_default().push(index),
            None => tops.push(index),
        }
    }
    let mut total = Usage::default();
    let mut visited = vec![false; spans.len()];
    let mut stack: Vec<(usize, Counted)> = tops.into_iter().map(|top| (top, Counted::default())).collect();
    // Spans on a parent cycle hang below no top: each cycle is entered at its first span.
    let mut cycle_starts = 0..spans.len();
    loop {
        let (index, above) =
            match stack.pop().or_else(|| cycle_starts.next().map(|i| (i, Counted::default()))) {
                Some(entry) => entry,
                None => return total,
            };
        let (Some(span), Some(seen)) = (spans.get(index), visited.get_mut(index)) else { continue };
        if std::mem::replace(seen, true) {
            continue;
        }
        let below = count(&mut total, &span.usage, above);
        for child in children.get(&index).into_iter().flatten() {
            stack.push((*child, below));
        }
    }
}

/// Adds what no ancestor has counted, and says what is counted for the spans below.
fn count(total: &mut Usage, own: &Usage, above: Counted) -> Counted {
    let add = |sum: &mut Option<i64>, value: Option<i64>| {
        if let Some(value) = value {
            *sum = Some(sum.unwrap_or(0).saturating_add(value));
        }
    };
    let has_tokens = own.input_tokens.is_some() || own.output_tokens.is_some() || own.total_tokens.is_some();
    if has_tokens && !above.tokens {
        add(&mut total.input_tokens, own.input_tokens);
        add(&mut total.output_tokens, own.output_tokens);
        add(&mut total.total_tokens, own.total_tokens);
        add(&mut total.cache_read_input_tokens, own.cache_read_input_tokens);
        add(&mut total.cache_creation_input_tokens, own.cache_creation_input_tokens);
    }
    if let (Some(cost), false) = (own.cost_usd, above.cost) {
        total.cost_usd = Some(total.cost_usd.unwrap_or(0.0) + cost);
    }
    Counted { tokens: above.tokens || has_tokens, cost: above.cost || own.cost_usd.is_some() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: Option<&str>, start: i64, tokens: Option<i64>) -> FoldSpan {
        FoldSpan {
            span_id: id.into(),
            parent_span_id: parent.map(Into::into),
            name: id.into(),
            start_time_ns: start,
            end_time_ns: Some(start + 10),
            usage: Usage { input_tokens: tokens, total_tokens: tokens, ..Usage::default() },
            ..FoldSpan::default()
        }
    }

    #[test]
    fn a_value_below_a_counted_ancestor_is_not_counted_again() {
        let spans = vec![
            span("root", None, 0, None),
            span("llm", Some("root"), 1, Some(5)),
            span("inner", Some("llm"), 2, Some(5)),
            span("orphan", Some("gone"), 3, Some(2)),
        ];
        let row = fold("t", spans);
        assert_eq!(row.usage.input_tokens, Some(7));
        assert_eq!((row.name.as_deref(), row.state.as_str(), row.span_count), (Some("root"), "OK", 4));
        assert_eq!((row.request_time_ns, row.duration_ns), (0, Some(13)));
    }

    #[test]
    fn order_of_arrival_does_not_matter() {
        let spans = vec![
            span("b", Some("a"), 1, Some(1)),
            span("a", None, 1, None),
            span("c", Some("a"), 0, Some(3)),
        ];
        let forward = fold("t", spans.clone());
        let backward = fold("t", spans.into_iter().rev().collect());
        assert_eq!(forward, backward);
    }

    #[test]
    fn session_and_user_are_the_roots_then_those_of_the_first_in_time() {
        let with = |id: &str, parent, start, session: Option<&str>| FoldSpan {
            session_id: session.map(Into::into),
            user_id: session.map(|of| format!("user of {of}")),
            service_name: session.map(|of| format!("service of {of}")),
            ..span(id, parent, start, None)
        };
        let told = |spans: &[FoldSpan]| {
            let row = fold("t", spans.to_vec());
            assert_eq!(row, fold("t", spans.iter().rev().cloned().collect()), "the order of arrival");
            assert_eq!(row.metadata.get(SESSION_METADATA), row.session_id.as_ref());
            assert_eq!(row.user_id, row.session_id.as_ref().map(|of| format!("user of {of}")));
            assert_eq!(row.service_name, row.session_id.as_ref().map(|of| format!("service of {of}")));
            row.session_id
        };
        // The child's id is the smaller one, and it starts in the same nanosecond; then earlier.
        for start in [5, 4] {
            let child = with("a", Some("r"), start, Some("child"));
            assert_eq!(told(&[with("r", None, 5, Some("root")), child.clone()]).as_deref(), Some("root"));
            assert_eq!(told(&[with("r", None, 5, None), child]).as_deref(), Some("child"));
        }
        let later = with("a", Some("r"), 7, Some("later"));
        let first = with("z", Some("r"), 6, Some("first"));
        assert_eq!(told(&[later, first, with("r", None, 5, None)]).as_deref(), Some("first"));
    }

    #[test]
    fn cycles_and_missing_roots_end() {
        let row = fold("t", vec![span("a", Some("b"), 0, Some(1)), span("b", Some("a"), 1, Some(2))]);
        assert_eq!(row.state, "IN_PROGRESS");
        assert_eq!(row.usage.input_tokens, Some(1), "one of the two is the other's ancestor");
        let own = fold("t", vec![span("a", Some("a"), 0, Some(1))]);
        assert_eq!(own.usage.input_tokens, Some(1));
    }
}
