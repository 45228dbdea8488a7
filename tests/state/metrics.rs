//! Trace metrics against a naive computation over the same traces.

use std::collections::BTreeMap;

use tracehouse::model::Span;
use tracehouse::{
    Aggregation, Database, MetricPoint, MetricQuery, MetricView, NewAssessment, TraceStart,
};

use super::{id, in_every_place, span};
use crate::order::Random;
use crate::support::in_memory;

const MS_NS: i64 = 1_000_000;
const TRACES: u32 = 60;
const ALL: [Aggregation; 6] = [
    Aggregation::Sum,
    Aggregation::Avg,
    Aggregation::Min,
    Aggregation::Max,
    Aggregation::Percentile(50.0),
    Aggregation::Percentile(99.5),
];

/// One generated trace.
struct Sample {
    name: Option<&'static str>,
    state: &'static str,
    time_ms: i64,
    duration_ms: Option<i64>,
    tokens: Option<i64>,
    session: Option<&'static str>,
    experiment: &'static str,
    env: &'static str,
}

fn samples() -> Vec<Sample> {
    let mut random = Random::new(7);
    let mut pick = |count: usize| random.below(count);
    (0..TRACES)
        .map(|_| Sample {
            name: [Some("chat"), Some("search"), None][pick(3)],
            state: ["OK", "ERROR"][pick(2)],
            time_ms: pick(10_000) as i64,
            duration_ms: (pick(4) > 0).then(|| pick(500) as i64),
            tokens: (pick(3) > 0).then(|| pick(1_000) as i64),
            session: [Some("a"), Some("b"), None][pick(3)],
            experiment: ["0", "1"][pick(2)],
            env: ["prod", "it's"][pick(2)],
        })
        .collect()
}

fn fill(db: &Database) {
    for (trace, sample) in (0..).zip(samples()) {
        let mut start = TraceStart::new(id(trace), sample.time_ms * MS_NS + 123)
            .state(sample.state)
            .experiment_id(sample.experiment)
            .tag("env", sample.env);
        start.name = sample.name.map(Into::into);
        start.session_id = sample.session.map(Into::into);
        start.duration_ns = sample.duration_ms.map(|ms| ms * MS_NS + 999);
        start.usage.total_tokens = sample.tokens;
        db.start_trace(&start).unwrap();
        if trace == TRACES / 2 {
            db.seal().unwrap();
        }
    }
}

/// The naive points of a metric: group, values.
fn naive(
    samples: &[Sample],
    keep: impl Fn(&Sample) -> bool,
    group: impl Fn(&Sample) -> Option<Vec<String>>,
    value: impl Fn(&Sample) -> Option<f64>,
    how: &[Aggregation],
) -> Vec<(Vec<String>, Vec<f64>)> {
    let mut groups: BTreeMap<Vec<String>, Vec<f64>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| keep(sample)) {
        if let (Some(key), Some(value)) = (group(sample), value(sample)) {
            groups.entry(key).or_default().push(value);
        }
    }
    let aggregated = |values: Vec<f64>| {
        how.iter()
            .map(|how| aggregate(values.clone(), how))
            .collect()
    };
    groups
        .into_iter()
        .map(|(key, values)| (key, aggregated(values)))
        .collect()
}

fn aggregate(mut values: Vec<f64>, how: &Aggregation) -> f64 {
    values.sort_by(f64::total_cmp);
    let sum: f64 = values.iter().sum();
    match how {
        Aggregation::Count => values.len() as f64,
        Aggregation::Sum => sum,
        Aggregation::Avg => sum / values.len() as f64,
        Aggregation::Min => values[0],
        Aggregation::Max => values[values.len() - 1],
        Aggregation::Percentile(percent) => {
            let place = percent / 100.0 * (values.len() - 1) as f64;
            let (low, high) = (
                values[place.floor() as usize],
                values[place.ceil() as usize],
            );
            low + (high - low) * place.fract()
        }
    }
}

fn check(points: &[MetricPoint], want: &[(Vec<String>, Vec<f64>)], what: &str) {
    assert_eq!(points.len(), want.len(), "{what}: {points:?}");
    for (point, (key, values)) in points.iter().zip(want) {
        let names: Vec<&String> = point.dimensions.iter().map(|(_, value)| value).collect();
        assert_eq!(names, key.iter().collect::<Vec<_>>(), "{what}");
        for ((label, got), want) in point.values.iter().zip(values) {
            assert!(
                (got - want).abs() < 1e-9,
                "{what}: {key:?} {label} {got} {want}"
            );
        }
    }
}

/// Sessions, the most groups that are asked for, and filters that no trace passes.
fn few_or_none(db: &Database, place: &str) {
    let run = |query: MetricQuery| db.trace_metrics(&query).unwrap();
    let traces = |metric: &str| MetricQuery::new(MetricView::Traces, metric);
    let got = run(traces("session_count").filter("trace.metadata.mlflow.trace.session = 'a'"));
    assert_eq!(got[0].values, [("COUNT".to_string(), 1.0)], "{place}");
    assert_eq!(run(traces("session_count"))[0].values[0].1, 2.0, "{place}");
    assert_eq!(
        run(traces("trace_count")
            .dimensions(["trace_name"])
            .max_results(1))
        .len(),
        1,
        "{place}"
    );
    assert!(
        run(traces("latency").filter("trace.tag.env = 'no'")).is_empty(),
        "{place}"
    );
    let none = run(traces("trace_count").filter("trace.tag.env = 'no'"));
    assert_eq!(none[0].values, [("COUNT".to_string(), 0.0)], "{place}");
}

#[test]
fn traces_agree_with_a_naive_computation() {
    let samples = samples();
    in_every_place(fill, |db, place| {
        let run = |query: MetricQuery| db.trace_metrics(&query).unwrap();
        let traces = |metric: &str| MetricQuery::new(MetricView::Traces, metric);
        let one = |_: &Sample| Some(1.0);
        let by_name = |sample: &Sample| Some(vec![sample.name?.to_string()]);
        let count = [Aggregation::Count];

        let got = run(traces("trace_count").dimensions(["trace_status", "trace_name"]));
        let by_both = |s: &Sample| Some(vec![s.state.to_string(), s.name?.to_string()]);
        check(
            &got,
            &naive(&samples, |_| true, by_both, one, &count),
            place,
        );

        let got = run(traces("latency")
            .aggregations(ALL[1..].to_vec())
            .dimensions(["trace_name"]));
        let latency = |s: &Sample| s.duration_ms.map(|ms| ms as f64);
        check(
            &got,
            &naive(&samples, |_| true, by_name, latency, &ALL[1..]),
            place,
        );

        let filtered = traces("total_tokens")
            .aggregations(ALL)
            .filter("trace.tag.env = \"it's\"");
        let got = run(filtered.filter("trace.status = 'OK'").experiments(["1"]));
        let keep = |s: &Sample| s.env == "it's" && s.state == "OK" && s.experiment == "1";
        let tokens = |s: &Sample| s.tokens.map(|count| count as f64);
        check(
            &got,
            &naive(&samples, keep, |_| Some(Vec::new()), tokens, &ALL),
            place,
        );

        let got = run(traces("trace_count")
            .between_ms(1_000, 7_999)
            .interval_seconds(3)
            .dimensions(["trace_status"]));
        let keep = |s: &Sample| (1_000..=7_999).contains(&s.time_ms);
        let bucket = |s: &Sample| {
            let second = s.time_ms / 3_000 * 3;
            Some(vec![
                format!("1970-01-01T00:00:{second:02}+00:00"),
                s.state.to_string(),
            ])
        };
        check(&got, &naive(&samples, keep, bucket, one, &count), place);
        assert_eq!(got[0].dimensions[0].0, "time_bucket", "{place}");
        assert_eq!(got[0].values[0].0, "COUNT", "{place}");
        few_or_none(db, place);
    });
}

/// Three traces with costs, and judgements of them.
fn fill_judged(db: &Database) {
    let priced = |trace: u32, number: u32, model: Option<&str>, cost: f64| Span {
        model: model.map(Into::into),
        cost_usd: Some(cost),
        attributes: format!(
            r#"{{"mlflow.llm.cost": {{"input_cost": {}, "output_cost": {cost}}}}}"#,
            cost / 2.0
        ),
        ..span(trace, number)
    };
    db.append(&[
        span(1, 0),
        priced(1, 1, Some("m1"), 0.5),
        priced(1, 2, None, 4.0),
    ])
    .unwrap();
    db.seal().unwrap();
    db.append(&[
        span(2, 0),
        priced(2, 1, Some("m1"), 1.0),
        priced(2, 2, Some("m2"), 2.0),
    ])
    .unwrap();
    db.start_trace(&TraceStart::new(id(3), 3_000 * MS_NS).experiment_id("7"))
        .unwrap();
    let judge = |trace, name: &str, value: &str| {
        db.assess(&id(trace), NewAssessment::feedback(name, value))
            .unwrap()
    };
    judge(1, "ok", "true");
    judge(2, "ok", "\"No\"");
    judge(3, "ok", "0.25");
    judge(1, "text", "\"fine\"");
    let old = judge(1, "old", "1");
    db.assess(
        &id(1),
        NewAssessment::expectation("new", "2").overrides(&old),
    )
    .unwrap();
}

/// The points of a metric, each with the names of its group and its first value.
fn flat_points(db: &Database, query: &MetricQuery) -> Vec<(Vec<String>, f64)> {
    let points = db.trace_metrics(query).unwrap();
    let flat = |point: MetricPoint| {
        (
            point
                .dimensions
                .into_iter()
                .map(|(_, value)| value)
                .collect(),
            point.values[0].1,
        )
    };
    points.into_iter().map(flat).collect()
}

fn named(name: &str, value: f64) -> (Vec<String>, f64) {
    (vec![name.to_string()], value)
}

fn check_spans(db: &Database, place: &str) {
    let run = |query: MetricQuery| flat_points(db, &query);
    let spans = |metric: &str| MetricQuery::new(MetricView::Spans, metric);
    let sum = [Aggregation::Sum];
    assert_eq!(
        run(spans("span_count").filter("span.status = 'ERROR'")),
        [(vec![], 2.0)],
        "{place}"
    );
    let by_name = run(spans("span_count")
        .dimensions(["span_name"])
        .filter("span.type = 'LLM'"));
    assert_eq!(
        by_name,
        ["span 0", "span 1", "span 2"].map(|name| named(name, 2.0)),
        "{place}"
    );
    let models = || {
        spans("total_cost")
            .aggregations(sum)
            .dimensions(["span_model_name"])
    };
    assert_eq!(
        run(models()),
        [named("m1", 1.5), named("m2", 2.0)],
        "{place}: no model, no group"
    );
    assert_eq!(
        run(models().between_ms(1_000, 1_001)),
        [named("m1", 0.5)],
        "{place}: by the span's time"
    );
    assert_eq!(
        run(spans("input_cost").aggregations(sum)),
        [(vec![], 3.75)],
        "{place}"
    );
    assert_eq!(
        run(spans("output_cost").aggregations(sum)),
        [(vec![], 7.5)],
        "{place}"
    );
    let by_trace = run(spans("span_count").between_ms(2_000, 2_000));
    assert_eq!(by_trace, [(vec![], 3.0)], "{place}: by the trace's time");
}

fn check_assessments(db: &Database, place: &str) {
    let run = |query: MetricQuery| flat_points(db, &query);
    let judged = |metric: &str| MetricQuery::new(MetricView::Assessments, metric);
    let values = run(judged("assessment_value").dimensions(["assessment_name"]));
    assert_eq!(
        values,
        [named("new", 2.0), named("ok", 1.25 / 3.0)],
        "{place}"
    );
    let texts = run(judged("assessment_count")
        .dimensions(["assessment_value"])
        .filter("assessment.name = 'ok'"));
    assert_eq!(
        texts,
        [named("\"No\"", 1.0), named("0.25", 1.0), named("true", 1.0)],
        "{place}"
    );
    assert_eq!(
        run(judged("assessment_count").experiments(["7"])),
        [(vec![], 1.0)],
        "{place}"
    );
    let truths = run(judged("assessment_count").filter("assessment.type = 'expectation'"));
    assert_eq!(truths, [(vec![], 1.0)], "{place}");
}

#[test]
fn spans_and_assessments_have_metrics() {
    in_every_place(fill_judged, |db, place| {
        check_spans(db, place);
        check_assessments(db, place);
    });
}

#[test]
fn what_no_metric_has_is_refused() {
    let db = in_memory();
    let traces = |metric: &str| MetricQuery::new(MetricView::Traces, metric);
    for bad in [
        traces("span_count"),
        traces("latency").aggregations([Aggregation::Sum]),
        traces("latency").aggregations([Aggregation::Percentile(101.0)]),
        traces("latency").aggregations([Aggregation::Percentile(f64::NAN)]),
        traces("trace_count").aggregations([Aggregation::Avg]),
        traces("latency").dimensions(["trace_status"]),
        traces("trace_count").dimensions(["trace_name", "trace_name"]),
        traces("trace_count").interval_seconds(60),
        traces("trace_count").between_ms(0, 1).interval_seconds(0),
        traces("trace_count").filter("span.name = 'x'"),
        traces("trace_count").filter("trace.status = 'OK' AND trace.status = 'OK'"),
    ] {
        assert_eq!(
            db.trace_metrics(&bad).unwrap_err().code(),
            "INVALID_PARAMETER_VALUE",
            "{bad:?}"
        );
    }
}
