//! `metrics` and `sessions`: figures over many traces.

use serde_json::{Value, json};
use tracehouse::{
    Aggregation, Database, MetricPoint, MetricQuery, MetricView, Session, SessionSearch, parse_time,
};

use super::Call;
use crate::error::ApiError;
use crate::mcp::answer::{Draft, fit, go_on, untrusted};
use crate::mcp::json::{self as json_text, Fields, preview, put};
use crate::mcp::parameters::Arguments;
use crate::mcp::quoted;

/// What can be measured.
pub(super) const VIEWS: [&str; 3] = ["traces", "spans", "assessments"];
/// Experiments shown of each session.
const EXPERIMENTS_MAX: usize = 8;
const NS_PER_MS: i64 = 1_000_000;

/// Points of a metric.
pub(super) fn metrics(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    let arguments = &call.arguments;
    let (offset, limit) = (arguments.count("offset"), arguments.count("limit"));
    let mut query = query(arguments)?;
    query.experiments = call.scope.experiments().map(<[String]>::to_vec);
    // One more tells whether there are others.
    query.max_results = offset.saturating_add(limit).saturating_add(1);
    let points = db.trace_metrics(&query)?;
    let points: Vec<MetricPoint> = points.into_iter().skip(offset).collect();
    let fitted = fit(call.budget, |bytes| {
        let items = points
            .iter()
            .take(limit)
            .map(|point| point_in(point, bytes));
        let all = points.len();
        let mut fields = untrusted(Fields::new());
        fields.insert("metric".into(), query.metric.as_str().into());
        Draft {
            fields,
            list: Some(("points", items.collect())),
            rest: Box::new(move |kept| go_on("points", offset, kept, kept < all)),
        }
    })?;
    Ok(fitted.fields)
}

fn query(arguments: &Arguments) -> Result<MetricQuery, ApiError> {
    let view = match arguments.text("view") {
        "spans" => MetricView::Spans,
        "assessments" => MetricView::Assessments,
        _ => MetricView::Traces,
    };
    let aggregations = arguments.texts("aggregations");
    let aggregations: Result<Vec<Aggregation>, ApiError> =
        aggregations.iter().map(|word| aggregation(word)).collect();
    let mut query = MetricQuery::new(view, arguments.text("metric"))
        .aggregations(aggregations?)
        .dimensions(arguments.texts("dimensions"));
    query.filters = arguments.texts("filters");
    let (from, to) = (time_ms(arguments, "from")?, time_ms(arguments, "to")?);
    query.start_ms = from;
    // Buckets need both bounds, and nobody means the future.
    query.end_ms = to.or_else(|| from.and_then(|_| parse_time("now").map(|ns| ns / NS_PER_MS)));
    let seconds = arguments.number("interval_seconds");
    query.interval_seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
    if query.interval_seconds.is_some() && from.is_none() {
        return Err(ApiError::bad_request(
            "parameter interval_seconds needs from: the time at which the first bucket begins",
        ));
    }
    Ok(query)
}

/// An aggregation as its label says it.
fn aggregation(word: &str) -> Result<Aggregation, ApiError> {
    Ok(match word.to_ascii_uppercase().as_str() {
        "COUNT" => Aggregation::Count,
        "SUM" => Aggregation::Sum,
        "AVG" => Aggregation::Avg,
        "MIN" => Aggregation::Min,
        "MAX" => Aggregation::Max,
        upper => match upper.strip_prefix('P').map(str::parse::<f64>) {
            Some(Ok(percent)) => Aggregation::Percentile(percent),
            _ => {
                return Err(ApiError::bad_request(format!(
                    "parameter aggregations: COUNT, SUM, AVG, MIN, MAX or P and a percentage expected, got {}",
                    quoted(word)
                )));
            }
        },
    })
}

fn time_ms(arguments: &Arguments, name: &str) -> Result<Option<i64>, ApiError> {
    let Some(text) = arguments.given(name) else {
        return Ok(None);
    };
    let ns = parse_time(text).ok_or_else(|| {
        ApiError::bad_request(format!(
            "parameter {name}: a time as 2026-01-31T12:00:00Z, 2026-01-31, Unix milliseconds or 24h expected, got {}",
            quoted(text)
        ))
    })?;
    Ok(Some(ns.div_euclid(NS_PER_MS)))
}

fn point_in(point: &MetricPoint, bytes: usize) -> Value {
    let shown = |(name, value): &(String, String)| (name.clone(), preview(value, bytes));
    let dimensions: Fields = point.dimensions.iter().map(shown).collect();
    let values: Fields = point
        .values
        .iter()
        .map(|(label, value)| (label.clone(), json!(value)))
        .collect();
    match dimensions.is_empty() {
        true => json!({"values": values}),
        false => json!({"dimensions": dimensions, "values": values}),
    }
}

/// Sessions and their figures.
pub(super) fn sessions(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    let arguments = &call.arguments;
    let (offset, limit) = (arguments.count("offset"), arguments.count("limit"));
    let mut search = SessionSearch::new(arguments.text("filter"));
    search.experiments = call.scope.experiments().map(<[String]>::to_vec);
    search.order_by = arguments.given("order_by").map(str::to_string);
    search.limit = Some(offset.saturating_add(limit).saturating_add(1));
    let sessions: Vec<Session> = db.sessions(&search)?.into_iter().skip(offset).collect();
    let fitted = fit(call.budget, |bytes| {
        let items = sessions.iter().take(limit);
        let items = items.map(|session| session_in(session, bytes)).collect();
        let all = sessions.len();
        Draft {
            fields: untrusted(Fields::new()),
            list: Some(("sessions", items)),
            rest: Box::new(move |kept| go_on("sessions", offset, kept, kept < all)),
        }
    })?;
    Ok(fitted.fields)
}

fn session_in(session: &Session, bytes: usize) -> Value {
    let mut fields = Fields::new();
    // A session is asked for by its whole id, unless it alone is longer than answers are.
    let id_bytes = bytes.max(1_000);
    fields.insert("session_id".into(), preview(&session.session_id, id_bytes));
    let experiments = session.experiment_ids.iter().take(EXPERIMENTS_MAX);
    let experiments: Vec<Value> = experiments.map(|id| preview(id, bytes)).collect();
    fields.insert("experiment_ids".into(), experiments.into());
    let user = session.user_id.as_deref().map(|id| preview(id, bytes));
    put(&mut fields, "user_id", user);
    fields.insert("trace_count".into(), session.trace_count.into());
    fields.insert("error_count".into(), session.error_count.into());
    let (first, last) = (session.first_request_time_ns, session.last_request_time_ns);
    fields.insert("first_request_time".into(), json_text::time(first));
    fields.insert("last_request_time".into(), json_text::time(last));
    put(&mut fields, "total_tokens", session.total_tokens);
    put(&mut fields, "cost_usd", session.cost_usd);
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregations_are_read_as_their_labels_say() {
        for word in ["COUNT", "SUM", "AVG", "MIN", "MAX", "P50", "P99.9"] {
            assert_eq!(aggregation(word).unwrap().label(), word);
        }
        assert_eq!(aggregation("p5").unwrap().label(), "P5");
        for word in ["", "P", "PERCENTILE", "MEDIAN", "P5x"] {
            assert!(aggregation(word).is_err(), "{word}");
        }
    }
}
