//! `stats`: counts, sizes and how far the indexes have come. And times as all answers write them.

use arrow::temporal_conversions::timestamp_ns_to_datetime;
use serde_json::Value;

use super::asked::Asked;
use super::{Answer, answer};
use crate::ask::ask;
use crate::error::ApiError;

/// `GET /api/v1/stats`.
pub(super) async fn stats(mut asked: Asked) -> Answer {
    asked.caller.check_all_experiments("stats")?;
    asked.input().await?.end()?;
    let stats = ask(&asked.state, |db| Ok(db.stats()?)).await?;
    let mut shown = serde_json::to_value(&stats)
        .map_err(|error| ApiError::internal(format!("the figures cannot be written: {error}")))?;
    if let Some(figures) = shown.as_object_mut() {
        for (name, time_ns) in [
            ("min_time", stats.min_time_ns),
            ("max_time", stats.max_time_ns),
        ] {
            figures.remove(&format!("{name}_ns"));
            figures.insert(name.into(), Value::from(time_ns.and_then(rfc3339)));
        }
    }
    answer::json(&asked.state, &shown)
}

/// Unix nanoseconds as RFC 3339 in UTC, with as many digits as it takes.
pub(super) fn rfc3339(time_ns: i64) -> Option<String> {
    // The debug form of such a time is ISO 8601 with a `T`.
    timestamp_ns_to_datetime(time_ns).map(|time| format!("{time:?}Z"))
}
