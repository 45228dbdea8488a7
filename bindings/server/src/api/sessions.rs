//! `sessions`: sessions of which some trace matches, with figures over all their traces that the caller may see.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampNanosecondArray, UInt64Array,
};
use serde_json::{Value, json};
use tracehouse::{Session, SessionSearch};

use super::answer::Text;
use super::asked::Asked;
use super::batches::{self, Batches};
use super::period::Period;
use super::search::limit;
use super::{Answer, figures, rows};
use crate::ask::ask;
use crate::error::ApiError;

/// Sessions unless told otherwise.
const LIMIT: usize = 20;

/// `GET` and `POST /api/v1/sessions`.
pub(super) async fn search(mut asked: Asked) -> Answer {
    let mut input = asked.input().await?;
    let filter = input.text("filter")?.unwrap_or_default();
    let mut search = SessionSearch::new(Period::of(&mut input)?.within(filter)?);
    search.order_by = input.text("order_by")?;
    let limit = limit(&asked.state, &mut input, LIMIT)?;
    search.experiments = asked.experiments(input.texts("experiment")?)?;
    input.end()?;
    if asked.wants_arrow() {
        search.limit = Some(limit);
        return batches::answer(&asked.state, None, move |db| {
            Ok(Batches::one(batch(&db.sessions(&search)?)?))
        })
        .await;
    }
    // One more than wanted tells whether there are more.
    search.limit = Some(limit.saturating_add(1));
    let mut out = Text::begin(&asked.state);
    let answer = ask(&asked.state, move |db| {
        let sessions = db.sessions(&search)?;
        out.push("{\"sessions\":")?;
        out.push_list(sessions.iter().take(limit).map(shown))?;
        out.push(",\"has_more\":")?;
        out.push_json(&(sessions.len() > limit))?;
        out.push("}")?;
        Ok(out)
    });
    Ok(answer.await?.into_response())
}

fn shown(session: &Session) -> Value {
    json!({
        "session_id": session.session_id,
        "experiment_ids": session.experiment_ids,
        "user_id": session.user_id,
        "trace_count": session.trace_count,
        "error_count": session.error_count,
        "first_request_time": figures::rfc3339(session.first_request_time_ns),
        "last_request_time": figures::rfc3339(session.last_request_time_ns),
        "total_tokens": session.total_tokens,
        "cost_usd": session.cost_usd.map(rows::number),
    })
}

fn batch(sessions: &[Session]) -> Result<RecordBatch, ApiError> {
    let all = || sessions.iter();
    let counts = |count: fn(&Session) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(all().map(count)))
    };
    let times = |time: fn(&Session) -> i64| -> ArrayRef {
        let times = TimestampNanosecondArray::from_iter_values(all().map(time));
        Arc::new(times.with_timezone("UTC"))
    };
    let mut experiments = ListBuilder::new(StringBuilder::new());
    for session in all() {
        experiments.append_value(session.experiment_ids.iter().map(Some));
    }
    let ids = StringArray::from_iter_values(all().map(|session| &session.session_id));
    let users = StringArray::from_iter(all().map(|session| session.user_id.as_deref()));
    let tokens = Int64Array::from_iter(all().map(|session| session.total_tokens));
    let costs = Float64Array::from_iter(all().map(|session| session.cost_usd));
    let columns: [(&str, ArrayRef, bool); 9] = [
        ("session_id", Arc::new(ids), false),
        ("experiment_ids", Arc::new(experiments.finish()), false),
        ("user_id", Arc::new(users), true),
        ("trace_count", counts(|session| session.trace_count), false),
        ("error_count", counts(|session| session.error_count), false),
        (
            "first_request_time",
            times(|session| session.first_request_time_ns),
            false,
        ),
        (
            "last_request_time",
            times(|session| session.last_request_time_ns),
            false,
        ),
        ("total_tokens", Arc::new(tokens), true),
        ("cost_usd", Arc::new(costs), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns)
        .map_err(|error| ApiError::internal(format!("the sessions are no table: {error}")))
}
