//! The tags of a trace.

use serde_json::json;
use tracehouse::TraceRow;

use super::asked::Asked;
use super::sight::Sight;
use super::{Answer, answer};
use crate::ask::change;

/// `POST /api/v1/traces/{trace_id}/tags`: `{"tags":{"KEY":"VALUE"}}`, or `key` and `value` of one; all in one commit.
pub(super) async fn set(mut asked: Asked) -> Answer {
    let (trace_id, sight) = (asked.path("trace_id")?, Sight::of(&asked.caller));
    let mut input = asked.input().await?;
    let mut tags = input.pairs("tags")?;
    match (input.text("key")?, input.text("value")?) {
        (Some(key), Some(value)) => tags.push((key, value)),
        (None, None) => {}
        (Some(_), None) => return Err(input.missing("value")),
        (None, Some(_)) => return Err(input.missing("key")),
    }
    if tags.is_empty() {
        return Err(input.missing("tags"));
    }
    input.end()?;
    let trace = change(&asked.state, move |db| {
        sight.trace(&db, &trace_id)?;
        let pairs = tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        db.set_tags(&trace_id, pairs)?;
        Ok(db.get_trace_info(&trace_id)?)
    });
    shown(&asked, &trace.await?)
}

/// `DELETE /api/v1/traces/{trace_id}/tags/{key}`.
pub(super) async fn remove(mut asked: Asked) -> Answer {
    let (trace_id, sight) = (asked.path("trace_id")?, Sight::of(&asked.caller));
    let key = asked.path("key")?;
    asked.input().await?.end()?;
    let trace = change(&asked.state, move |db| {
        sight.trace(&db, &trace_id)?;
        db.delete_tag(&trace_id, &key)?;
        Ok(db.get_trace_info(&trace_id)?)
    });
    shown(&asked, &trace.await?)
}

/// The tags as they are now.
fn shown(asked: &Asked, trace: &TraceRow) -> Answer {
    answer::json(
        &asked.state,
        &json!({ "trace_id": trace.trace_id, "tags": trace.tags }),
    )
}
