//! The fold: from all spans of one trace to its row in `traces`.
//!
//! The result depends only on the set of spans, never on the order in which they arrived: spans are
//! ordered by (start time, span id) before anything is taken from them.
//!
//! 1. The **root** is the first span without a parent. While there is none, the **top span** stands for
//!    it (`top_span`). Service, session and user are that span's, else those of the first span that has one.
//!    Previews and a session that it does not say come from spans below it (`lent`).
//! 2. A root's status decides the state, and so does that of a top span whose parent is remote or whose
//!    trace is settled; any other trace is `IN_PROGRESS`. So is one whose root has neither an end nor a status.
//! 3. Time runs from the earliest start to the latest end.
//! 4. Tokens and cost: depth-first from the tops of the tree (a span whose parent is not in the set
//!    is a top); a span's value counts only if no ancestor has one (MLflow's no-double-count rule).
//!    Cycles are cut: each span is visited once.
//! 5. What the root says of the trace (previews, tags) is taken over; explicit edits are laid on top.

pub mod join;
mod lent;
#[cfg(test)]
mod tests;
mod top_span;

use std::collections::{BTreeSet, HashMap};

use arrow::array::RecordBatch;

use crate::columns::{floats, ints, required_text, text, text_at, times, value_at};
use crate::error::{Error, Result};
use crate::model::{
    IN_PROGRESS, SESSION_METADATA, TRACE_NAME_TAG, TraceEdit, TraceHint, TraceKey, TraceRow,
    USER_METADATA, Usage,
};
use crate::snapshot::RowRef;
use lent::Lent;
use top_span::top_of;

pub(crate) use lent::add_lent;
pub(crate) use top_span::add_top_hints;
pub use top_span::{HintOfTop, TopHint, TopTexts, plain_hint};

/// The span columns a fold reads of all spans: all light but the hint of the root.
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

/// The spans of traces, with their ids.
pub type FoldInputs = HashMap<TraceKey, (String, Vec<FoldSpan>)>;

/// What a fold needs of one span.
#[derive(Debug, Clone, Default)]
pub struct FoldSpan {
    pub(crate) span_id: String,
    pub(crate) parent_span_id: Option<String>,
    experiment_id: String,
    pub(crate) session_id: Option<String>,
    user_id: Option<String>,
    name: String,
    error: bool,
    /// Whether it has neither ended nor said how it goes.
    is_open: bool,
    pub(crate) start_time_ns: i64,
    pub(crate) end_time_ns: Option<i64>,
    service_name: Option<String>,
    model: Option<String>,
    usage: Usage,
    /// What it says of its trace; of a top span, filled in by `top_span`.
    pub(crate) hint: Option<TraceHint>,
    /// Whether its parent is in another process; of a top span, filled in by `top_span`.
    pub(crate) has_remote_parent: bool,
    /// What the spans below a span that stands for its trace lend it; filled in by `lent`.
    pub(crate) lent: Lent,
    /// Where it is, for whoever reads more of it.
    pub(crate) place: RowRef,
}

impl FoldSpan {
    /// The span's id.
    pub fn span_id(&self) -> &str {
        &self.span_id
    }

    /// By which the spans of a trace are ordered before anything is taken from them.
    pub(crate) fn order(&self) -> (i64, &str) {
        (self.start_time_ns, &self.span_id)
    }

    /// The state of a trace that this span decides. A status that says nothing is a good one, as in MLflow.
    fn state(&self) -> &'static str {
        if self.error { "ERROR" } else { "OK" }
    }
}

/// Reads the rows of `batch` (with [`FOLD_COLUMNS`]), which are at these places.
///
/// # Errors
/// `Internal` when a column is missing or a hint does not parse.
fn fold_spans(batch: &RecordBatch, places: impl Iterator<Item = RowRef>) -> Result<Vec<FoldSpan>> {
    let texts = |column: &str| text(batch, column);
    let required = |column: &str| required_text(batch, column);
    let (span_id, parent, experiment) = (
        required("span_id")?,
        texts("parent_span_id")?,
        required("experiment_id")?,
    );
    let (session, user, name) = (texts("session_id")?, texts("user_id")?, required("name")?);
    let (status, service, model, hint) = (
        texts("status")?,
        texts("service_name")?,
        texts("model")?,
        texts("_hint")?,
    );
    let (start, end) = (times(batch, "start_time")?, times(batch, "end_time")?);
    let cost = floats(batch, "cost_usd")?;
    let own = |array, row| text_at(array, row).map(str::to_string);
    let mut spans = Vec::with_capacity(batch.num_rows());
    for (row, place) in (0..batch.num_rows()).zip(places) {
        let end_time_ns = value_at(end, row);
        let says = |word: &str| text_at(status, row) == Some(word);
        let count =
            |column: &str| -> Result<Option<i64>> { Ok(value_at(ints(batch, column)?, row)) };
        let hint = match text_at(hint, row) {
            Some(json) => Some(
                serde_json::from_str(json)
                    .map_err(|e| Error::internal(format!("column _hint: {e}")))?,
            ),
            None => None,
        };
        spans.push(FoldSpan {
            span_id: span_id.value(row).to_string(),
            parent_span_id: own(parent, row),
            experiment_id: experiment.value(row).to_string(),
            session_id: own(session, row),
            user_id: own(user, row),
            name: name.value(row).to_string(),
            error: says("ERROR"),
            is_open: end_time_ns.is_none() && !says("ERROR") && !says("OK"),
            start_time_ns: start.value(row),
            end_time_ns,
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
            has_remote_parent: false,
            lent: Lent::default(),
            place,
        });
    }
    assert_eq!(spans.len(), batch.num_rows(), "each span has its place");
    Ok(spans)
}

/// Adds the spans of a batch (with [`FOLD_COLUMNS`]), which are at these places, to those of their traces.
///
/// # Errors
/// `Internal` when a column is missing or a hint does not parse.
pub fn add_fold_inputs(
    inputs: &mut FoldInputs,
    batch: &RecordBatch,
    places: impl Iterator<Item = RowRef>,
) -> Result<()> {
    let ids = required_text(batch, "trace_id")?;
    let spans = fold_spans(batch, places)?;
    for (id, span) in ids.iter().zip(spans) {
        let (known, spans) = inputs
            .entry(TraceKey::of(id))
            .or_insert_with(|| (id.to_string(), Vec::new()));
        debug_assert_eq!(known, id, "a key is that of one trace");
        spans.push(span);
    }
    Ok(())
}

/// The row of a trace from its spans and all that was said of it; `None` when it has no spans and was
/// never started.
pub fn refold(
    trace_id: &str,
    spans: Option<(String, Vec<FoldSpan>)>,
    edit: TraceEdit,
) -> Option<TraceRow> {
    if spans.is_none() && edit.start.is_none() {
        return None;
    }
    let spans = spans.map(|(_, spans)| spans).unwrap_or_default();
    let lead = Lead::of(&spans);
    let mut row = fold(trace_id, &spans, lead, edit.settled);
    row.apply_all(
        edit,
        matches!(lead, Lead::Root(root) if root.end_time_ns.is_some() || root.error),
    );
    row.edit.has_open_root = matches!(lead, Lead::Root(root) if root.is_open);
    Some(row)
}

/// The row that versions made for which every root had ended.
pub fn refold_without_open(
    trace_id: &str,
    spans: Option<(String, Vec<FoldSpan>)>,
    edit: TraceEdit,
) -> Option<TraceRow> {
    let ended = |span: FoldSpan| FoldSpan {
        is_open: false,
        ..span
    };
    let spans = spans.map(|(id, spans)| (id, spans.into_iter().map(ended).collect()));
    refold(trace_id, spans, edit)
}

/// The row that versions made in which no span lent the root anything (`lent`), which were before those.
pub fn refold_without_lent(
    trace_id: &str,
    spans: Option<(String, Vec<FoldSpan>)>,
    edit: TraceEdit,
) -> Option<TraceRow> {
    let without = |span: FoldSpan| FoldSpan {
        lent: Lent::default(),
        ..span
    };
    let spans = spans.map(|(id, spans)| (id, spans.into_iter().map(without).collect()));
    refold_without_open(trace_id, spans, edit)
}

/// The row that versions without top spans made of a trace without a root.
pub fn refold_without_top(
    trace_id: &str,
    spans: Option<(String, Vec<FoldSpan>)>,
    edit: TraceEdit,
) -> Option<TraceRow> {
    let (_, spans) = spans?;
    let mut row = fold(trace_id, &spans, Lead::Nobody, false);
    row.apply_all(edit, false);
    Some(row)
}

/// The span that stands for its trace.
#[derive(Clone, Copy)]
enum Lead<'s> {
    Root(&'s FoldSpan),
    Top(&'s FoldSpan),
    Nobody,
}

impl<'s> Lead<'s> {
    fn of(spans: &'s [FoldSpan]) -> Self {
        let roots = spans.iter().filter(|span| span.parent_span_id.is_none());
        match roots.min_by_key(|span| span.order()) {
            Some(root) => Self::Root(root),
            None => top_of(spans)
                .and_then(|top| spans.get(top))
                .map_or(Self::Nobody, Self::Top),
        }
    }

    fn span(self) -> Option<&'s FoldSpan> {
        match self {
            Self::Root(span) | Self::Top(span) => Some(span),
            Self::Nobody => None,
        }
    }

    /// The state of its trace.
    fn state(self, is_settled: bool) -> &'static str {
        match self {
            Self::Root(span) if span.is_open => IN_PROGRESS,
            Self::Root(span) => span.state(),
            Self::Top(span) if is_settled || span.has_remote_parent => span.state(),
            Self::Top(_) | Self::Nobody => IN_PROGRESS,
        }
    }
}

/// The position of the span that stands for its trace.
pub(crate) fn lead_of(spans: &[FoldSpan]) -> Option<usize> {
    let lead = Lead::of(spans).span()?;
    spans.iter().position(|span| std::ptr::eq(span, lead))
}

/// Folds all spans of one trace, which `lead` stands for, into its row.
fn fold(trace_id: &str, spans: &[FoldSpan], lead: Lead<'_>, is_settled: bool) -> TraceRow {
    let mut ordered: Vec<&FoldSpan> = spans.iter().collect();
    ordered.sort_by_key(|span| span.order());
    let first = ordered.first().copied();
    let request_time_ns = first.map(|span| span.start_time_ns).unwrap_or_default();
    let end_time_ns = spans.iter().filter_map(|span| span.end_time_ns).max();
    let of_lead = |get: fn(&FoldSpan) -> &Option<String>| {
        lead.span()
            .into_iter()
            .chain(ordered.iter().copied())
            .find_map(|span| get(span).clone())
    };
    let experiment = lead.span().or(first).map(|span| span.experiment_id.clone());
    let hint = lead
        .span()
        .and_then(|span| span.hint.clone())
        .unwrap_or_default();
    let lent = lead
        .span()
        .map(|span| span.lent.clone())
        .unwrap_or_default();
    let models: BTreeSet<&str> = spans
        .iter()
        .filter_map(|span| span.model.as_deref())
        .collect();
    let name = || lead.span().map(|span| span.name.clone());
    let mut row = TraceRow {
        trace_id: trace_id.to_string(),
        experiment_id: experiment.unwrap_or_default(),
        name: hint.tags.get(TRACE_NAME_TAG).cloned().or_else(name),
        state: lead.state(is_settled).to_string(),
        request_time_ns,
        end_time_ns,
        duration_ns: end_time_ns.map(|end| end.saturating_sub(request_time_ns).max(0)),
        service_name: of_lead(|span| &span.service_name),
        session_id: lent.session_id.or_else(|| of_lead(|span| &span.session_id)),
        user_id: of_lead(|span| &span.user_id),
        client_request_id: None,
        request_preview: hint.request_preview.or(lent.request_preview),
        response_preview: hint.response_preview.or(lent.response_preview),
        span_count: spans.len() as i64,
        error_span_count: spans.iter().filter(|span| span.error).count() as i64,
        usage: usage(&ordered),
        models: models.into_iter().map(str::to_string).collect(),
        tags: hint.tags,
        metadata: hint.metadata,
        root_span_id: lead.span().map(|span| span.span_id.clone()),
        edit: Default::default(),
    };
    assert!(
        row.error_span_count <= row.span_count,
        "spans with errors are spans"
    );
    for (key, value) in [
        (SESSION_METADATA, &row.session_id),
        (USER_METADATA, &row.user_id),
    ] {
        if let Some(value) = value {
            row.metadata.insert(key.to_string(), value.clone());
        }
    }
    row
}

/// Which usage values some ancestor already had.
#[derive(Clone, Copy, Default)]
struct Counted {
    tokens: bool,
    cost: bool,
}

fn usage(spans: &[&FoldSpan]) -> Usage {
    let ids: HashMap<&str, usize> = spans
        .iter()
        .enumerate()
        .map(|(index, span)| (span.span_id.as_str(), index))
        .collect();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut tops = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        match span
            .parent_span_id
            .as_deref()
            .and_then(|parent| ids.get(parent))
        {
            Some(parent) => children.entry(*parent).or_default().push(index),
            None => tops.push(index),
        }
    }
    let mut total = Usage::default();
    let mut visited = vec![false; spans.len()];
    let mut stack: Vec<(usize, Counted)> = tops
        .into_iter()
        .map(|top| (top, Counted::default()))
        .collect();
    // Spans on a parent cycle hang below no top: each cycle is entered at its first span.
    let mut cycle_starts = 0..spans.len();
    let mut next_start = || cycle_starts.next().map(|start| (start, Counted::default()));
    while let Some((index, above)) = stack.pop().or_else(&mut next_start) {
        let (Some(span), Some(seen)) = (spans.get(index), visited.get_mut(index)) else {
            continue;
        };
        if std::mem::replace(seen, true) {
            continue;
        }
        let below = count(&mut total, &span.usage, above);
        for child in children.get(&index).into_iter().flatten() {
            stack.push((*child, below));
        }
    }
    debug_assert!(
        visited.iter().all(|visited| *visited),
        "each span counts, those of a cycle, too"
    );
    total
}

/// Adds what no ancestor has counted, and says what is counted for the spans below.
fn count(total: &mut Usage, own: &Usage, above: Counted) -> Counted {
    let add = |sum: &mut Option<i64>, value: Option<i64>| {
        if let Some(value) = value {
            *sum = Some(sum.unwrap_or(0).saturating_add(value));
        }
    };
    let has_tokens =
        own.input_tokens.is_some() || own.output_tokens.is_some() || own.total_tokens.is_some();
    if has_tokens && !above.tokens {
        add(&mut total.input_tokens, own.input_tokens);
        add(&mut total.output_tokens, own.output_tokens);
        add(&mut total.total_tokens, own.total_tokens);
        add(
            &mut total.cache_read_input_tokens,
            own.cache_read_input_tokens,
        );
        add(
            &mut total.cache_creation_input_tokens,
            own.cache_creation_input_tokens,
        );
    }
    if let (Some(cost), false) = (own.cost_usd, above.cost) {
        total.cost_usd = Some(total.cost_usd.unwrap_or(0.0) + cost);
    }
    Counted {
        tokens: above.tokens || has_tokens,
        cost: above.cost || own.cost_usd.is_some(),
    }
}
