//! `search_traces`, `count_traces`, `search_text`: from a filter or words to traces and spans.

use serde_json::{Value, json};
use tracehouse::{Database, Search, SharedPage, TextHit, TextSearch, TraceRow};

use super::Call;
use crate::error::ApiError;
use crate::mcp::answer::{Draft, fit, go_on, untrusted};
use crate::mcp::json::{self as json_text, Fields, preview, put};

/// Tags shown of each trace.
const TAGS_MAX: usize = 8;
/// Models shown of each trace.
const MODELS_MAX: usize = 8;
/// Longest key of a tag that is shown: a cut one would be another key.
const KEY_BYTES_MAX: usize = 120;

/// A page of traces.
pub(super) fn search_traces(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    let arguments = &call.arguments;
    let mut search = call.scope.search(arguments.text("filter"));
    search.order_by = arguments.texts("order_by");
    search.page_token = arguments.given("page_token").map(str::to_string);
    let asked = arguments.count("limit");
    let mut limit = asked;
    loop {
        search.limit = Some(limit);
        let page = db.search_shared(&search)?;
        let notices = notices(db, call, &search, &page)?;
        let fitted = fit(call.budget, |bytes| {
            draft(&page, &notices, limit < asked, bytes)
        })?;
        if fitted.kept == page.traces.len() {
            return Ok(fitted.fields);
        }
        // A token says where a page of the database ends: so the page is as short as the answer.
        limit = fitted.kept;
    }
}

/// Of a search that finds nothing, what may have been meant.
fn notices(
    db: &Database,
    call: &Call,
    search: &Search,
    page: &SharedPage,
) -> Result<Vec<String>, ApiError> {
    // They name what traces of other experiments have.
    if !page.traces.is_empty() || call.scope.is_limited() {
        return Ok(Vec::new());
    }
    Ok(db.notices(search, false)?)
}

fn draft<'a>(page: &'a SharedPage, notices: &[String], is_cut: bool, bytes: usize) -> Draft<'a> {
    let mut fields = untrusted(Fields::new());
    if !notices.is_empty() {
        fields.insert("notices".into(), notices_within(notices, bytes));
    }
    let items = page.traces.iter().map(|row| listed(row, bytes)).collect();
    let rest = move |kept| {
        let mut fields = Fields::new();
        put(&mut fields, "next_page_token", page.next_page_token.clone());
        if is_cut || kept < page.traces.len() {
            let word = "fewer traces than asked for are given, as max_bytes holds them: ask again with page_token = \
                next_page_token";
            fields.insert("cut".into(), word.into());
        }
        fields
    };
    Draft {
        fields,
        list: Some(("traces", items)),
        rest: Box::new(rest),
    }
}

/// Notices as an answer has them.
pub(super) fn notices_within(notices: &[String], bytes: usize) -> Value {
    /// Enough for a filter; each name in it has one at most.
    const NOTICES_MAX: usize = 8;
    let shown = notices.iter().take(NOTICES_MAX);
    shown.map(|notice| preview(notice, bytes)).collect()
}

/// A trace in a list.
fn listed(row: &TraceRow, bytes: usize) -> Value {
    let mut fields = summary(row, bytes);
    pairs(&mut fields, "tags", row.tags.iter(), TAGS_MAX, bytes);
    Value::Object(fields)
}

/// What a trace is, without its tags and metadata.
pub(super) fn summary(row: &TraceRow, bytes: usize) -> Fields {
    let mut fields = Fields::new();
    let shown = |text: &Option<String>| text.as_deref().map(|text| preview(text, bytes));
    fields.insert("trace_id".into(), row.trace_id.as_str().into());
    fields.insert("experiment_id".into(), preview(&row.experiment_id, bytes));
    fields.insert("state".into(), preview(&row.state, bytes));
    fields.insert("request_time".into(), json_text::time(row.request_time_ns));
    let duration = row.duration_ns.map(json_text::milliseconds);
    put(&mut fields, "duration_ms", duration);
    for (name, text) in [
        ("name", &row.name),
        ("service_name", &row.service_name),
        ("session_id", &row.session_id),
        ("user_id", &row.user_id),
        ("request_preview", &row.request_preview),
        ("response_preview", &row.response_preview),
    ] {
        put(&mut fields, name, shown(text));
    }
    fields.insert("span_count".into(), row.span_count.into());
    fields.insert("error_span_count".into(), row.error_span_count.into());
    put(&mut fields, "input_tokens", row.usage.input_tokens);
    put(&mut fields, "output_tokens", row.usage.output_tokens);
    put(&mut fields, "total_tokens", row.usage.total_tokens);
    put(&mut fields, "cost_usd", row.usage.cost_usd);
    if !row.models.is_empty() {
        let models = row.models.iter().take(MODELS_MAX);
        let models: Vec<Value> = models.map(|model| preview(model, bytes)).collect();
        fields.insert("models".into(), models.into());
        left_out(
            &mut fields,
            "models",
            row.models.len().saturating_sub(MODELS_MAX),
        );
    }
    fields
}

/// Adds keys and values, and how many are left out.
pub(super) fn pairs<'a>(
    fields: &mut Fields,
    name: &str,
    all: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
    count_max: usize,
    bytes: usize,
) {
    let count = all.len();
    let short = all.filter(|(key, _)| key.len() <= KEY_BYTES_MAX);
    let shown: Fields = short
        .take(count_max)
        .map(|(key, value)| (key.clone(), preview(value, bytes)))
        .collect();
    left_out(fields, name, count.saturating_sub(shown.len()));
    if !shown.is_empty() {
        fields.insert(name.into(), shown.into());
    }
}

/// Says that so many of something are not in an answer.
pub(super) fn left_out(fields: &mut Fields, name: &str, count: usize) {
    if count > 0 {
        fields.insert(format!("{name}_left_out"), count.into());
    }
}

/// A number of traces.
pub(super) fn count_traces(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    let search = call.scope.search(call.arguments.text("filter"));
    let count = db.count_traces(&search)?;
    let mut fields = Fields::new();
    if count == 0 && !call.scope.is_limited() {
        let notices = db.notices(&search, false)?;
        if !notices.is_empty() {
            fields = untrusted(fields);
            // The least budget holds them so.
            fields.insert("notices".into(), notices_within(&notices, 150));
        }
    }
    fields.insert("count".into(), count.into());
    Ok(fields)
}

/// Spans by their words.
pub(super) fn search_text(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    let arguments = &call.arguments;
    let (offset, limit) = (arguments.count("offset"), arguments.count("limit"));
    let filter = call.scope.filter(arguments.text("where"))?;
    let search = TextSearch {
        query: arguments.text("query").to_string(),
        filter: (!filter.is_empty()).then(|| Search::new(filter)),
        // One more tells whether there are others.
        limit: offset.saturating_add(limit).saturating_add(1),
        by_trace: arguments.is("by_trace"),
        ..TextSearch::default()
    };
    let found = db.text_search(search)?;
    let hits: Vec<TextHit> = found.hits.into_iter().skip(offset).collect();
    let fitted = fit(call.budget, |bytes| {
        let items = hits.iter().take(limit).map(|hit| hit_in(hit, bytes));
        let all = hits.len();
        Draft {
            fields: untrusted(Fields::new()),
            list: Some(("hits", items.collect())),
            rest: Box::new(move |kept| go_on("hits", offset, kept, kept < all)),
        }
    })?;
    Ok(fitted.fields)
}

fn hit_in(hit: &TextHit, bytes: usize) -> Value {
    json!({
        "trace_id": hit.trace_id,
        "span_id": hit.span_id,
        "field": hit.field,
        "score": (hit.score * 1e4).round() / 1e4,
        "start_time": json_text::time(hit.start_time_ns),
        "snippet": preview(&hit.snippet, bytes),
    })
}
