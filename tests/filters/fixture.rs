//! Four traces that touch most of the language: `a` and `b` with spans, `c` and `d` without.
//!
//! They are those of the observations of MLflow's store that `vectors` reads when they are there.

use tracehouse::model::Span;
use tracehouse::{Database, NewAssessment, TraceStart};

const MS_NS: i64 = 1_000_000;

/// Builds the fixture through the public API.
pub fn build(db: &Database) {
    db.append(&spans()).unwrap();
    db.start_traces(&starts()).unwrap();
    for (trace, assessment) in assessments() {
        db.assess(trace, assessment).unwrap();
    }
    let overridden = db
        .assess("tr-d", NewAssessment::feedback("rel", "\"no\""))
        .unwrap();
    db.assess(
        "tr-d",
        NewAssessment::feedback("rel", "\"yes\"").overrides(&overridden),
    )
    .unwrap();
}

fn starts() -> Vec<TraceStart> {
    let at = |ms: i64, id: &str, state: &str| TraceStart::new(id, ms * MS_NS).state(state);
    vec![
        at(1_000, "tr-a", "OK")
            .duration_ns(10 * MS_NS)
            .name("Alpha")
            .client_request_id("c-1")
            .session_id("s1")
            .tag("env", "prod")
            .tag("my key", "v 1")
            .tag("a.b", "dot")
            .metadata("mlflow.sourceRun", "r1")
            .metadata("k", "v"),
        // Its root span says how it ended.
        at(2_000, "tr-b", "IN_PROGRESS")
            .finalised(false)
            .name("beta")
            .session_id("s1")
            .tag("env", "Prod"),
        at(3_000, "tr-c", "ERROR")
            .duration_ns(50 * MS_NS)
            .tag("env", "it's")
            .metadata(
                "mlflow.trace.tokenUsage",
                r#"{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}"#,
            ),
        at(4_000, "tr-d", "OK")
            .duration_ns(5 * MS_NS)
            .name("100%_x"),
    ]
}

fn spans() -> Vec<Span> {
    let span =
        |trace: &str, id: &str, name: &str, span_type: &str, status: &str, ms: (i64, i64)| Span {
            trace_id: trace.into(),
            span_id: id.into(),
            experiment_id: "0".into(),
            name: name.into(),
            span_type: span_type.into(),
            kind: "INTERNAL".into(),
            status: status.into(),
            start_time_ns: ms.0 * MS_NS,
            end_time_ns: Some(ms.1 * MS_NS),
            resource: "{}".into(),
            ..Span::default()
        };
    vec![
        Span {
            inputs: Some(r#"{"q":"Hello World"}"#.into()),
            outputs: Some("naïve café".into()),
            attributes: r#"{"mlflow.spanInputs":"{\"q\":\"Hello World\"}","mlflow.spanOutputs":"naïve café","model":"gpt-4","temp":0.7,"n":5,"flag":true}"#.into(),
            ..span("tr-a", "a1", "root", "CHAIN", "OK", (1_000, 1_010))
        },
        Span {
            parent_span_id: Some("a1".into()),
            model: Some("gpt-4".into()),
            attributes: r#"{"mlflow.llm.model":"gpt-4"}"#.into(),
            ..span("tr-a", "a2", "llm_call", "LLM", "OK", (1_002, 1_008))
        },
        Span {
            inputs: Some(r#"{"q": "say \"hi\" %x_"}"#.into()),
            attributes: r#"{"model":"claude","mlflow.spanInputs":"{\"q\": \"say \\\"hi\\\" %x_\"}"}"#.into(),
            ..span("tr-b", "b1", "llm_call", "CHAIN", "ERROR", (2_000, 2_001))
        },
    ]
}

fn assessments() -> Vec<(&'static str, NewAssessment)> {
    let feedback = |name: &str, value: &str| NewAssessment::feedback(name, value);
    vec![
        ("tr-a", feedback("score", "0.9")),
        ("tr-a", feedback("score", "0.2")),
        ("tr-b", feedback("score", "\"0.9\"")),
        ("tr-c", feedback("score", "5")),
        ("tr-a", feedback("ok", "true")),
        ("tr-b", feedback("ok", "false")),
        ("tr-c", feedback("ok", "\"yes\"")),
        ("tr-d", feedback("ok", "\"true\"")),
        ("tr-c", feedback("lst", r#"["a", "b"]"#)),
        ("tr-c", feedback("err", "null").error("E", "no verdict")),
        ("tr-a", feedback("sess", "\"good\"").session("s1")),
        ("tr-a", NewAssessment::expectation("exp", r#"{"x": 1}"#)),
        ("tr-b", NewAssessment::expectation("exp", "\"abc\"")),
    ]
}
