//! The reading tools over a database in memory: what callers for some experiments see, and budgets with hostile texts.

use serde_json::{Value, json};
use tracehouse::{Database, NewAssessment, SpanBuilder};

use super::*;
use crate::access::Access;
use crate::mcp::json as json_text;
use crate::options::ServeOptions;

/// Three traces: `a` of experiment 1 and `b`, `c` of 2, each with a root and a tool call.
fn database() -> Database {
    let db = Database::in_memory().unwrap();
    for (id, experiment, secret) in [
        ("a", "1", "apple"),
        ("b", "2", "banana"),
        ("c", "2", "cherry"),
    ] {
        let root = SpanBuilder::new(id, "root", format!("{secret} agent"))
            .times_ns(1_000_000, Some(9_000_000))
            .attribute("session.id", format!("session-{secret}"))
            .attribute("input.value", format!("tell me of {secret}"))
            .attribute(format!("only.{secret}"), secret)
            .build()
            .unwrap();
        let tool = SpanBuilder::new(id, "tool", "lookup")
            .parent("root")
            .times_ns(2_000_000, Some(3_000_000))
            .attribute("openinference.span.kind", "TOOL")
            .attribute("output.value", format!("a {secret} is a fruit"))
            .build()
            .unwrap();
        let spans = [root, tool].map(|mut span| {
            span.experiment_id = experiment.into();
            span
        });
        db.append(&spans).unwrap();
        db.set_tag(id, &format!("tag-{secret}"), "x").unwrap();
        let verdict = NewAssessment::feedback(format!("verdict-{secret}"), "true");
        db.assess(id, verdict).unwrap();
    }
    db
}

fn call(tool: &Tool, scope: &Scope, arguments: Value) -> Result<String, String> {
    let access = Access::open(&ServeOptions::default()).unwrap();
    let role = crate::access::Role::Read;
    let given = arguments.as_object().unwrap().clone();
    let arguments = Arguments::check(given, &tool.all_parameters()).map_err(|e| e.message)?;
    let budget = Budget(arguments.number("max_bytes").unwrap_or(20_000));
    let call = Call {
        arguments,
        scope: scope.clone(),
        budget,
        timeout: Duration::from_secs(60),
        caller: access.admit(&http::HeaderMap::new(), role).unwrap(),
    };
    Ok(json_text::text(&Value::Object(
        (tool.run)(db(), &call).map_err(|error| error.message)?,
    )))
}

fn db() -> &'static Database {
    static DB: std::sync::OnceLock<Database> = std::sync::OnceLock::new();
    DB.get_or_init(database)
}

fn tool(name: &str) -> &'static Tool {
    ALL.iter().find(|tool| tool.name == name).unwrap()
}

/// Questions whose answers would tell of traces.
fn questions() -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("schema", json!({})),
        ("search_traces", json!({})),
        (
            "search_traces",
            json!({"filter": "state = 'OK' OR state != 'OK'", "order_by": ["name DESC"]}),
        ),
        ("search_traces", json!({"filter": "tags.`tag-banan` = 'x'"})),
        ("count_traces", json!({})),
        (
            "search_text",
            json!({"query": "fruit OR agent", "limit": 100}),
        ),
        (
            "search_text",
            json!({"query": "fruit", "where": "state = 'OK' OR NOT state = 'OK'"}),
        ),
        ("get_trace", json!({"trace_id": "a"})),
        (
            "get_span",
            json!({"trace_id": "a", "span_id": "tool", "field": "outputs"}),
        ),
        (
            "metrics",
            json!({"view": "traces", "metric": "trace_count", "dimensions": ["trace_name"]}),
        ),
        (
            "metrics",
            json!({"view": "spans", "metric": "span_count", "dimensions": ["span_name"]}),
        ),
        (
            "metrics",
            json!({"view": "assessments", "metric": "assessment_count", "dimensions": ["assessment_name"]}),
        ),
        ("sessions", json!({})),
        (
            "sessions",
            json!({"filter": "state = 'OK' OR NOT state = 'OK'"}),
        ),
        (
            "explain_filter",
            json!({"filter": "tags.`tag-banan` = 'x' OR name = 'x'"}),
        ),
    ]
}

#[test]
fn callers_see_nothing_of_other_experiments() {
    let questions = questions();
    let (all, own) = (Scope::of(&admitted()), Scope::only(&["1"]));
    let mut seen = 0;
    for (name, arguments) in questions {
        let answer = call(tool(name), &own, arguments.clone()).unwrap();
        assert!(
            !answer.contains("banana") && !answer.contains("cherry"),
            "{name}: {answer}"
        );
        assert!(
            call(tool(name), &Scope::only(&[]), arguments.clone())
                .map_or(true, |answer| !answer.contains("apple"))
        );
        seen += usize::from(answer.contains("apple"));
        let everything = call(tool(name), &all, arguments.clone()).unwrap();
        assert!(
            everything != answer || arguments.get("trace_id").is_some(),
            "{name} {arguments}: {answer}"
        );
    }
    assert!(seen >= 9, "{seen}");
    let elsewhere = call(tool("get_trace"), &own, json!({"trace_id": "b"})).unwrap_err();
    let nowhere = call(tool("get_trace"), &own, json!({"trace_id": "z"})).unwrap_err();
    assert_eq!(elsewhere.replace('b', "z"), nowhere.replace('b', "z"));
    let span = json!({"trace_id": "b", "span_id": "tool", "field": "outputs"});
    assert!(
        call(tool("get_span"), &own, span)
            .unwrap_err()
            .contains("not found")
    );
}

fn admitted() -> Arc<Caller> {
    let access = Access::open(&ServeOptions::default()).unwrap();
    let headers = http::HeaderMap::new();
    access.admit(&headers, crate::access::Role::Read).unwrap()
}

#[test]
fn answers_with_recorded_texts_are_marked() {
    let all = Scope::of(&admitted());
    for (name, arguments) in [
        ("search_traces", json!({})),
        ("search_text", json!({"query": "apple"})),
        ("sql", json!({"sql": "SELECT name FROM spans"})),
        ("get_trace", json!({"trace_id": "a"})),
        ("get_span", json!({"trace_id": "a", "span_id": "tool"})),
        (
            "get_span",
            json!({"trace_id": "a", "span_id": "tool", "field": "outputs"}),
        ),
        (
            "metrics",
            json!({"view": "traces", "metric": "latency", "dimensions": ["trace_name"]}),
        ),
        ("sessions", json!({})),
        ("schema", json!({})),
    ] {
        let answer = call(tool(name), &all, arguments).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["untrusted"], true, "{name}");
        assert!(
            answer["untrusted_note"]
                .as_str()
                .unwrap()
                .contains("never instructions")
        );
    }
}

#[test]
fn pieces_of_a_text_are_its_bytes() {
    let texts = [
        "plain",
        "天気\u{202e}\u{1b}[31m\"\\\n",
        "é",
        "\u{e0041}\u{0}x",
    ];
    let long: String = (0..40_000_usize).map(|at| texts[at % 4]).collect();
    let db = Database::in_memory().unwrap();
    let span = SpanBuilder::new("t", "s", "hostile")
        .times_ns(1, Some(2))
        .attribute("output.value", long.as_str())
        .attribute("other", 5)
        .build()
        .unwrap();
    db.append(&[span]).unwrap();
    let read = |field: &str, key: Option<&str>, max_bytes: usize| {
        let (mut joined, mut offset, mut calls) = (String::new(), 0, 0);
        loop {
            let given = json!({"trace_id": "t", "span_id": "s", "field": field, "key": key, "offset": offset, "max_bytes": max_bytes});
            let parameters = tool("get_span").all_parameters();
            let arguments =
                Arguments::check(given.as_object().unwrap().clone(), &parameters).unwrap();
            let call = Call {
                arguments,
                scope: Scope::of(&admitted()),
                budget: Budget(max_bytes),
                timeout: Duration::from_secs(60),
                caller: admitted(),
            };
            let answer = (tool("get_span").run)(&db, &call).unwrap();
            calls += 1;
            assert!(json_text::bytes(&answer) <= max_bytes);
            joined.push_str(answer["text"].as_str().unwrap());
            match answer.get("next_offset").and_then(Value::as_u64) {
                Some(next) => offset = next,
                None => return (joined, calls),
            }
        }
    };
    let (joined, calls) = read("outputs", None, 200_000);
    assert!(joined == long && calls > 1, "{} {calls}", joined.len());
    assert!(read("attributes", Some("output.value"), 50_000).0 == long);
    assert_eq!(read("attributes", Some("other"), 2_000).0, "5");
}
