//! `text`: spans ranked by their words, with snippets.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use serde::Serialize;
use tracehouse::{Search, TextHit, TextHits, TextSearch};

use super::answer::Text;
use super::asked::Asked;
use super::batches::{self, Batches};
use super::period::{Period, within_experiments};
use super::search::limit;
use super::{Answer, figures};
use crate::ask::ask;
use crate::error::ApiError;

/// Spans unless told otherwise.
const LIMIT: usize = 10;

/// A hit as JSON has it.
#[derive(Serialize)]
struct Hit<'h> {
    trace_id: &'h str,
    span_id: &'h str,
    field: &'h str,
    score: f64,
    snippet: &'h str,
    /// Byte ranges of the snippet that matched.
    highlights: Vec<[usize; 2]>,
    start_time: Option<String>,
}

/// `GET` and `POST /api/v1/text`.
pub(super) async fn search(mut asked: Asked) -> Answer {
    let mut input = asked.input().await?;
    let query = input.needed_text("query")?;
    let filter = input.text("where")?.unwrap_or_default();
    let filter = Period::of(&mut input)?.within(filter)?;
    let limit = limit(&asked.state, &mut input, LIMIT)?;
    let by_trace = input.flag("by_trace")?;
    let experiments = asked.experiments(input.texts("experiment")?)?;
    input.end()?;
    // Of the filter of a text search only its text counts.
    let filter = match experiments {
        Some(ids) => within_experiments(filter, &ids)?,
        None => filter,
    };
    let search = TextSearch {
        query,
        limit,
        by_trace,
        filter: Some(Search::new(filter)),
        ..TextSearch::default()
    };
    if asked.wants_arrow() {
        return batches::answer(&asked.state, None, move |db| {
            Ok(Batches::one(batch(&db.text_search(search)?)?))
        })
        .await;
    }
    let mut out = Text::begin(&asked.state);
    let answer = ask(&asked.state, move |db| {
        let hits = db.text_search(search)?;
        out.push("{\"hits\":")?;
        out.push_list(hits.iter().map(shown))?;
        out.push("}")?;
        Ok(out)
    });
    Ok(answer.await?.into_response())
}

fn shown(hit: &TextHit) -> Hit<'_> {
    let highlights = hit.highlights.iter();
    Hit {
        trace_id: &hit.trace_id,
        span_id: &hit.span_id,
        field: &hit.field,
        score: hit.score,
        snippet: &hit.snippet,
        highlights: highlights.map(|range| [range.start, range.end]).collect(),
        start_time: figures::rfc3339(hit.start_time_ns),
    }
}

fn batch(hits: &TextHits) -> Result<RecordBatch, ApiError> {
    let texts = |text: fn(&TextHit) -> &String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(hits.iter().map(text)))
    };
    let scores = Float64Array::from_iter_values(hits.iter().map(|hit| hit.score));
    let times =
        TimestampNanosecondArray::from_iter_values(hits.iter().map(|hit| hit.start_time_ns));
    let columns: [(&str, ArrayRef); 6] = [
        ("trace_id", texts(|hit| &hit.trace_id)),
        ("span_id", texts(|hit| &hit.span_id)),
        ("field", texts(|hit| &hit.field)),
        ("score", Arc::new(scores)),
        ("snippet", texts(|hit| &hit.snippet)),
        ("start_time", Arc::new(times.with_timezone("UTC"))),
    ];
    RecordBatch::try_from_iter(columns)
        .map_err(|error| ApiError::internal(format!("the hits are no table: {error}")))
}
