//! Records made from traces and spans: what a payload is, limits and samples, spans.

use super::*;

/// A span whose attributes say what its payloads are.
fn said(trace: u32, inputs: &str, outputs: &str, attributes: serde_json::Value) -> Span {
    Span {
        attributes: attributes.to_string(),
        ..root(trace, Some(inputs), Some(outputs))
    }
}

fn column(dataset: &crate::Dataset, column: &str) -> Vec<String> {
    let records = dataset.records(None).unwrap();
    (0..records.num_rows())
        .map(|row| cell(&records, column, row).unwrap_or_else(|| "NULL".into()))
        .collect()
}

#[test]
fn text_that_looks_like_json_stays_text_in_memory_and_in_segments() {
    let db = Database::in_memory().unwrap();
    let json = serde_json::json!({"input.value": "7", "input.mime_type": "application/json", "output.value": "x"});
    db.append(&[
        said(
            1,
            "null",
            "42",
            serde_json::json!({"input.value": "null", "output.value": "42"}),
        ),
        said(
            2,
            "",
            "null",
            serde_json::json!({"input.mime_type": "text/plain"}),
        ),
        said(3, "7", "007", json),
        said(
            4,
            "8",
            "8",
            serde_json::json!({"mlflow.spanInputs": "8", "mlflow.spanOutputs": "8"}),
        ),
        said(
            5,
            "{\"n\": 12345678901234567890123}",
            "12345678901234567890123",
            serde_json::json!({}),
        ),
        child(1),
        child(3),
    ])
    .unwrap();
    for sealed in [false, true] {
        let dataset = db.create_dataset(&format!("sealed {sealed}")).unwrap();
        let report = dataset
            .add_traces(&Search::new("").order_by(["timestamp ASC"]))
            .unwrap();
        assert_eq!(
            (report.inserted, report.skipped),
            (5, 0),
            "null and nothing are texts"
        );
        let inputs = [
            r#""null""#,
            r#""""#,
            "7",
            "8",
            r#"{"n":12345678901234567890123}"#,
        ];
        assert_eq!(column(&dataset, "inputs"), inputs);
        let outputs = [
            r#""42""#,
            r#""null""#,
            r#""007""#,
            "8",
            r#""12345678901234567890123""#,
        ];
        assert_eq!(column(&dataset, "outputs"), outputs);
        db.seal().unwrap();
    }
}

#[test]
fn letters_are_readable_in_what_is_kept_and_exported() {
    let db = Database::in_memory().unwrap();
    db.append(&[root(
        1,
        Some(r#"{"q": "\u6771\u4eac"}"#),
        Some(r#"{"a": "gr\u00f6\u00dfer \ud83d\ude00"}"#),
    )])
    .unwrap();
    let dataset = db.create_dataset("d").unwrap();
    dataset.add_traces(&Search::new("")).unwrap();
    assert_eq!(column(&dataset, "inputs"), ["{\"q\":\"東京\"}"]);
    for format in [
        ExportFormat::JsonLines,
        ExportFormat::Csv,
        ExportFormat::RawCsv,
    ] {
        let mut out = Vec::new();
        dataset.export(format, None, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("東京") && text.contains("größer 😀"),
            "{text}"
        );
    }
    let again =
        NewRecord::new(r#"{"q":"\u6771\u4eac"}"#).outputs("{\"a\":\"gr\\u00f6\\u00dfer 😀\"}");
    assert_eq!(
        dataset.merge(&[again]).unwrap().unchanged,
        1,
        "however it is written"
    );
}

/// Traces 1 to `count`: each third asks nothing, and the others are ten of a question.
fn fill_with_gaps(db: &Database, count: u32) {
    for trace in 1..=count {
        let inputs = format!(r#"{{"q": {}}}"#, trace / 10);
        let inputs = (!trace.is_multiple_of(3)).then_some(inputs.as_str());
        db.append(&[root(trace, inputs, Some("a")), child(trace)])
            .unwrap();
    }
}

#[test]
fn limits_and_samples_are_of_records() {
    let db = Database::in_memory().unwrap();
    fill_with_gaps(&db, 605);
    let add = |name: &str, search: Search, sample: Option<Sample>| {
        let dataset = db.create_dataset(name).unwrap();
        let report = match sample {
            None => dataset.add_traces(&search),
            Some(sample) => dataset.add_sample(&search, &sample),
        };
        (report.unwrap().inserted, column(&dataset, "inputs"))
    };
    assert_eq!(add("all", Search::new(""), None).0, 61);
    for limit in [1, 5, 60, 61, 100] {
        let (inserted, inputs) = add(
            &format!("limit {limit}"),
            Search::new("").limit(limit),
            None,
        );
        assert_eq!(inserted, limit.min(61) as u64);
        assert_eq!(inputs[0], r#"{"q":60}"#, "the newest first");
    }
    assert_eq!(add("none", Search::new("").limit(0), None).0, 0);
    let first = add("sample", Search::new(""), Some(Sample::new(60, 3)));
    assert_eq!(first.0, 60);
    let part = add("part", Search::new("").limit(10), Some(Sample::new(60, 3)));
    assert_eq!(part.0, 10, "a sample of the first ten");
    let strata = add(
        "strata",
        Search::new(""),
        Some(Sample::new(10, 3).stratify("state")),
    );
    db.seal().unwrap();
    fill_with_gaps(&db, 300);
    db.seal().unwrap();
    assert_eq!(
        add("again", Search::new(""), Some(Sample::new(60, 3))),
        first,
        "wherever rows are"
    );
    assert_eq!(
        add(
            "strata again",
            Search::new(""),
            Some(Sample::new(10, 3).stratify("state"))
        ),
        strata
    );
}

#[test]
fn a_sample_has_the_expectations_of_all_with_its_inputs() {
    let db = Database::in_memory().unwrap();
    db.append(&[
        root(1, Some("same"), Some("old")),
        root(2, Some("same"), Some("new")),
    ])
    .unwrap();
    db.log_expectation(&trace_id(1), "e", "1").unwrap();
    let dataset = db.create_dataset("d").unwrap();
    let report = dataset
        .add_sample(&Search::new(""), &Sample::new(1, 0))
        .unwrap();
    assert_eq!((report.inserted, report.unchanged), (1, 1));
    assert_eq!(column(&dataset, "outputs"), ["\"new\""]);
    assert_eq!(column(&dataset, "expectations"), [r#"{"e":1}"#]);
}

/// A tool's span in a trace.
fn tool(trace: u32, span: u32, name: &str, status: &str) -> Span {
    Span {
        span_id: format!("{span:016x}"),
        parent_span_id: Some(format!("{trace:016x}")),
        name: name.into(),
        span_type: "TOOL".into(),
        status: status.into(),
        start_time_ns: 1_700_000_000_000_000_000 + i64::from(span),
        ..root(trace, Some(&format!("{{\"call\": {span}}}")), Some("7"))
    }
}

/// Four traces that search and pay; the second pays with an error. Expectations of the fourth and of its search.
fn searched_and_paid() -> Database {
    let db = Database::in_memory().unwrap();
    for trace in 1..=4 {
        db.append(&[
            root(trace, Some(&format!("ask {trace}")), Some("answer")),
            tool(trace, 10 * trace + 1, "search", "OK"),
            tool(
                trace,
                10 * trace + 2,
                "pay",
                if trace == 2 { "ERROR" } else { "OK" },
            ),
        ])
        .unwrap();
        if trace == 2 {
            db.seal().unwrap();
        }
    }
    db.log_expectation(&trace_id(4), "trace", "1").unwrap();
    db.assess(
        &trace_id(4),
        NewAssessment::expectation("span", "2").span_id(format!("{:016x}", 41)),
    )
    .unwrap();
    db
}

/// The calls that become records of a new dataset.
fn calls(db: &Database, name: &str, filter: &str) -> String {
    let dataset = db.create_dataset(name).unwrap();
    let report = dataset.add_spans(&Search::new(filter)).unwrap();
    assert_eq!(report.skipped, 0);
    let calls = column(&dataset, "inputs").into_iter();
    let calls = calls.map(|json| {
        json.trim_start_matches("{\"call\":")
            .trim_end_matches('}')
            .to_string()
    });
    calls.collect::<Vec<_>>().join(" ")
}

#[test]
fn spans_make_records_of_their_own() {
    let db = searched_and_paid();
    for (name, filter, wanted) in [
        ("a", "span.name = 'search'", "41 31 21 11"),
        (
            "b",
            "span.type = 'TOOL' AND NOT span.name = 'search'",
            "42 32 22 12",
        ),
        (
            "c",
            "HAS(span.status = 'ERROR') AND span.type = 'TOOL'",
            "22 21",
        ),
        (
            "d",
            "span.name = 'pay' AND trace_id = '00000000000000000000000000000001'",
            "12",
        ),
        (
            "e",
            "span.status = 'ERROR' OR span.name = 'pay' AND expectation.trace = 1",
            "42 22",
        ),
        (
            "f",
            "span.inputs LIKE '%call%' AND NOT (span.name = 'pay' OR dataset = 'a')",
            "",
        ),
    ] {
        assert_eq!(calls(&db, name, filter), wanted, "{filter}");
    }
    let a = db.dataset("a").unwrap();
    assert_eq!(
        column(&a, "expectations"),
        [r#"{"span":2}"#, "NULL", "NULL", "NULL"]
    );
    assert_eq!(
        (
            column(&a, "outputs")[0].as_str(),
            &column(&a, "source_trace_id")[0]
        ),
        ("\"7\"", &trace_id(4))
    );
    assert_eq!(column(&a, "source_span_id")[0], format!("{:016x}", 41));
    assert_eq!(
        a.info().unwrap().query.unwrap(),
        r#"{"filter":"span.name = 'search'","of":"spans"}"#
    );
}

#[test]
fn spans_are_sampled_by_what_is_said_of_them_or_their_traces() {
    let db = searched_and_paid();
    let some = db.create_dataset("some").unwrap();
    let by_name = Sample::new(4, 1).stratify("span.name");
    assert_eq!(
        some.add_span_sample(&Search::new("span.type = 'TOOL'"), &by_name)
            .unwrap()
            .inserted,
        4
    );
    let by_state = Sample::new(4, 1).stratify("state");
    let some = db.create_dataset("others").unwrap();
    assert_eq!(
        some.add_span_sample(&Search::new(""), &by_state)
            .unwrap()
            .inserted,
        4
    );
    for search in [
        Search::new("span.name = "),
        Search::new("").order_by(["timestamp ASC"]),
    ] {
        assert_eq!(
            some.add_spans(&search).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
}

#[test]
fn a_source_and_its_outputs_are_of_one_trace() {
    let db = Database::in_memory().unwrap();
    let dataset = db.create_dataset("d").unwrap();
    let from = |trace: u32| Search::new(format!("trace_id = '{}'", trace_id(trace)));
    for (trace, outputs) in [(1, "first"), (2, "second"), (3, "second")] {
        db.append(&[root(trace, Some("same"), Some(outputs))])
            .unwrap();
    }
    let sources = |dataset: &crate::Dataset| column(dataset, "source_trace_id").remove(0);
    dataset.add_traces(&from(1)).unwrap();
    let first = db
        .create_dataset("first")
        .unwrap()
        .source_rule(crate::SourceRule::First);
    first.add_traces(&from(1)).unwrap();
    for dataset in [&dataset, &first] {
        assert_eq!(dataset.add_traces(&from(2)).unwrap().updated, 1);
    }
    assert_eq!(sources(&dataset), trace_id(2));
    assert_eq!(
        (sources(&first), column(&first, "outputs")),
        (trace_id(1), vec!["\"second\"".to_string()])
    );
    assert_eq!(dataset.add_traces(&from(3)).unwrap().unchanged, 1);
    assert_eq!(sources(&dataset), trace_id(2), "the same outputs");
    dataset
        .merge(&[NewRecord::new("\"same\"").expectations(r#"{"e":1}"#)])
        .unwrap();
    assert_eq!(sources(&dataset), trace_id(2), "no outputs");
    dataset
        .merge(&[NewRecord::new("\"same\"").outputs("\"third\"")])
        .unwrap();
    assert_eq!(column(&dataset, "source_type"), ["CODE"]);
}

#[test]
fn a_trace_without_outputs_leaves_those_of_another() {
    let db = Database::in_memory().unwrap();
    let dataset = db.create_dataset("d").unwrap();
    db.append(&[root(1, Some("q"), Some("a"))]).unwrap();
    dataset.add_traces(&Search::new("")).unwrap();
    db.append(&[root(2, Some("q"), None)]).unwrap();
    let report = dataset
        .add_traces(&Search::new("").order_by(["timestamp ASC"]))
        .unwrap();
    assert_eq!((report.inserted, report.updated), (0, 0));
    assert_eq!(column(&dataset, "outputs"), [r#""a""#]);
}
