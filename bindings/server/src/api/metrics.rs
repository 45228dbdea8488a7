//! `metrics`: a figure over traces, spans or assessments, by dimension and time.

use serde_json::{Map, Value, json};
use tracehouse::{Aggregation, MetricPoint, MetricQuery, MetricView};

use super::answer::Text;
use super::asked::Asked;
use super::input::Input;
use super::period::Period;
use super::search::limit;
use super::{Answer, rows};
use crate::ask::ask;
use crate::error::{ApiError, quoted};

/// Points unless told otherwise.
const LIMIT: usize = 1_000;

/// `GET` and `POST /api/v1/metrics`.
pub(super) async fn compute(mut asked: Asked) -> Answer {
    let mut input = asked.input().await?;
    let mut query = MetricQuery::new(view(&mut input)?, input.needed_text("metric")?)
        .dimensions(input.words("by")?);
    let words = input.words("aggregate")?;
    query.aggregations = words
        .iter()
        .map(|word| aggregation(word))
        .collect::<Result<_, _>>()?;
    query.filters = input.texts("filter")?;
    let period = Period::of(&mut input)?;
    query.interval_seconds = input.whole("interval")?;
    let limit = limit(&asked.state, &mut input, LIMIT)?;
    query.experiments = asked.experiments(input.texts("experiment")?)?;
    input.end()?;
    (query.start_ms, query.end_ms) = (period.first_ms, period.last_ms);
    if query.interval_seconds.is_some() && query.start_ms.is_some() && query.end_ms.is_none() {
        let now_ns = tracehouse::parse_time("now");
        query.end_ms = now_ns.map(|now_ns| now_ns.div_euclid(1_000_000));
    }
    // One more than wanted tells whether there are more.
    query.max_results = limit.saturating_add(1);
    let mut out = Text::begin(&asked.state);
    let answer = ask(&asked.state, move |db| {
        let points = db.trace_metrics(&query)?;
        out.push("{\"points\":")?;
        out.push_list(points.iter().take(limit).map(shown))?;
        out.push(",\"has_more\":")?;
        out.push_json(&(points.len() > limit))?;
        out.push("}")?;
        Ok(out)
    });
    Ok(answer.await?.into_response())
}

fn view(input: &mut Input) -> Result<MetricView, ApiError> {
    match input.needed_text("view")?.as_str() {
        "traces" => Ok(MetricView::Traces),
        "spans" => Ok(MetricView::Spans),
        "assessments" => Ok(MetricView::Assessments),
        other => Err(ApiError::bad_request(format!(
            "view is {}: traces, spans or assessments expected",
            quoted(other)
        ))),
    }
}

/// `count`, `sum`, `avg`, `min`, `max`, or `p` and a percentile.
fn aggregation(word: &str) -> Result<Aggregation, ApiError> {
    let lower = word.to_ascii_lowercase();
    let percent = || {
        lower
            .strip_prefix('p')
            .and_then(|percent| percent.parse().ok())
    };
    match lower.as_str() {
        "count" => Ok(Aggregation::Count),
        "sum" => Ok(Aggregation::Sum),
        "avg" => Ok(Aggregation::Avg),
        "min" => Ok(Aggregation::Min),
        "max" => Ok(Aggregation::Max),
        _ => percent().map(Aggregation::Percentile).ok_or_else(|| {
            ApiError::bad_request(format!(
                "aggregate is {}: count, sum, avg, min, max or a percentile such as p99 expected",
                quoted(word)
            ))
        }),
    }
}

fn shown(point: &MetricPoint) -> Value {
    let dimensions = point.dimensions.iter();
    let dimensions: Map<String, Value> = dimensions
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let values = point.values.iter();
    let values: Map<String, Value> = values
        .map(|(name, value)| (name.clone(), rows::number(*value)))
        .collect();
    json!({ "metric": point.metric, "dimensions": dimensions, "values": values })
}
