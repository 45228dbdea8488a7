//! `metrics`: a figure over traces, spans or assessments, by dimension and time.

use std::io::Write;

use serde_json::{Map, Value, json};
use tracehouse::{Aggregation, MetricPoint, MetricQuery, MetricView};

use super::write_json;
use crate::args::{MetricsArgs, MetricsView};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::escape::line;
use crate::output::table::TextTable;
use crate::output::units::{figure, parse_time_ms};

/// Computes and shows the points.
pub fn run(context: &Context, args: &MetricsArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let query = query_of(args)?;
    let mut points = context.open_to_read(&args.db)?.trace_metrics(&query)?;
    // One more than shown was asked for, to know whether there is more.
    let has_more = points.len() > args.limit;
    points.truncate(args.limit);
    if context.json {
        return write_json(
            out,
            &json!({ "points": points.iter().map(as_json).collect::<Vec<_>>(), "has_more": has_more }),
        );
    }
    let Some(first) = points.first() else {
        return context.say(out, "no values");
    };
    let mut table = TextTable::new([]);
    first
        .dimensions
        .iter()
        .for_each(|(name, _)| table.add_column(name, false));
    let unit = unit_of(&args.metric);
    for (name, _) in &first.values {
        let unit = unit.filter(|_| name != "COUNT");
        table.add_column(
            &unit.map_or(name.clone(), |unit| format!("{name} ({unit})")),
            true,
        );
    }
    for point in &points {
        let names = point.dimensions.iter().map(|(_, name)| line(name));
        table.add_row(
            names
                .chain(point.values.iter().map(|(_, value)| figure(*value)))
                .collect(),
        );
    }
    table.write_fitting(out, context.style, "--json")?;
    if has_more {
        context.say(out, "\nthere are more: --limit shows them")
    } else {
        Ok(())
    }
}

/// What the values of a metric are counted in; `None` where the name says it.
fn unit_of(metric: &str) -> Option<&'static str> {
    match metric.to_ascii_lowercase().as_str() {
        "latency" => Some("ms"),
        metric if metric.ends_with("_cost") => Some("USD"),
        metric if metric.ends_with("_tokens") => Some("tokens"),
        _ => None,
    }
}

fn query_of(args: &MetricsArgs) -> Result<MetricQuery> {
    let view = match args.view {
        MetricsView::Traces => MetricView::Traces,
        MetricsView::Spans => MetricView::Spans,
        MetricsView::Assessments => MetricView::Assessments,
    };
    let aggregations = args
        .aggregate
        .iter()
        .map(|word| aggregation(word))
        .collect::<Result<Vec<_>>>()?;
    let mut query = MetricQuery::new(view, args.metric.as_str())
        .aggregations(aggregations)
        .dimensions(args.by.iter().cloned())
        .max_results(args.limit.saturating_add(1));
    query.filters.clone_from(&args.filter);
    (query.start_ms, query.end_ms) = args.period.bounds_ms()?;
    if args.interval.is_some() && query.start_ms.is_some() && query.end_ms.is_none() {
        query.end_ms = Some(parse_time_ms("now")?);
    }
    query.interval_seconds = args.interval;
    if !args.experiment.is_empty() {
        query = query.experiments(args.experiment.iter().cloned());
    }
    Ok(query)
}

/// `count`, `sum`, `avg`, `min`, `max`, or `p` and a percentile.
fn aggregation(word: &str) -> Result<Aggregation> {
    match word.to_ascii_lowercase().as_str() {
        "count" => Ok(Aggregation::Count),
        "sum" => Ok(Aggregation::Sum),
        "avg" => Ok(Aggregation::Avg),
        "min" => Ok(Aggregation::Min),
        "max" => Ok(Aggregation::Max),
        other => match other
            .strip_prefix('p')
            .and_then(|percent| percent.parse().ok())
        {
            Some(percent) => Ok(Aggregation::Percentile(percent)),
            None => Err(Failure::bad_input(format!(
                "aggregation {word:?}: count, sum, avg, min, max or a percentile such as p99 expected"
            ))),
        },
    }
}

fn as_json(point: &MetricPoint) -> Value {
    let dimensions: Map<String, Value> = point
        .dimensions
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let values: Map<String, Value> = point
        .values
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(*value)))
        .collect();
    json!({ "metric": point.metric, "dimensions": dimensions, "values": values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregations_are_words() {
        assert_eq!(aggregation("AVG").unwrap(), Aggregation::Avg);
        assert_eq!(aggregation("p99.5").unwrap(), Aggregation::Percentile(99.5));
        assert_eq!(aggregation("median").unwrap_err().code, 2);
    }
}
