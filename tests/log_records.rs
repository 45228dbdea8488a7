//! Texts that come as log records: joined to their span, whatever comes first and however often.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tracehouse::{Database, ImportOptions, ImportReport};

use crate::support::{DiskDb, import_lines, in_memory, rows};

const TRACE: &str = "b2f5ff47436671b6e533d8dc3614845d";
const SPAN: &str = "99d5e7b41b2a0f90";

/// The lines of each recording that has log records.
fn recordings() -> Vec<(PathBuf, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("producers/recorded");
    let mut all = Vec::new();
    for path in fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if path.extension().is_none_or(|ending| ending != "jsonl") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        if text.contains("\"resourceLogs\"") {
            all.push((path, text.lines().map(str::to_string).collect()));
        }
    }
    assert!(all.len() > 12, "{} recordings with log records", all.len());
    all
}

fn import(db: &Database, lines: &[String]) -> ImportReport {
    let options = ImportOptions::default().batch_lines(1);
    let report = db
        .import_otlp_json_lines(lines.join("\n").as_bytes(), &options)
        .unwrap();
    assert_eq!(report.rejected_count, 0, "{:?}", report.rejected.first());
    report
}

/// Everything that a reader sees.
fn state(db: &Database) -> Vec<Vec<Value>> {
    [
        "SELECT * FROM spans ORDER BY trace_id, span_id",
        "SELECT * FROM traces ORDER BY trace_id",
        "SELECT * FROM messages ORDER BY trace_id, span_id, direction, \"index\"",
    ]
    .map(|statement| rows(db, statement))
    .to_vec()
}

fn of_signal(lines: &[String], logs: bool) -> Vec<String> {
    lines
        .iter()
        .filter(|line| line.contains("\"resourceLogs\"") == logs)
        .cloned()
        .collect()
}

#[test]
fn the_order_of_arrival_and_repeats_change_nothing() {
    for (path, lines) in recordings() {
        let db = in_memory();
        let report = import(&db, &lines);
        let wanted = state(&db);
        let (logs, spans) = (of_signal(&lines, true), of_signal(&lines, false));
        let reversed: Vec<String> = lines.iter().rev().cloned().collect();
        let orders = [
            reversed,
            [logs.clone(), spans.clone()].concat(),
            [spans.clone(), logs.clone()].concat(),
            [spans.clone(), logs.clone(), spans.clone(), logs.clone()].concat(),
        ];
        for order in orders {
            let db = in_memory();
            let other = import(&db, &order);
            assert!(state(&db) == wanted, "{}", path.display());
            let figures = |report: &ImportReport| {
                (report.log_records, report.waiting_log_records, report.spans)
            };
            assert_eq!(figures(&other), figures(&report), "{}", path.display());
        }
    }
}

#[test]
fn records_that_wait_outlive_their_process() {
    let (_, lines) = recordings()
        .into_iter()
        .find(|(path, _)| path.ends_with("otel-openai-v2.jsonl"))
        .unwrap();
    let (logs, spans) = (of_signal(&lines, true), of_signal(&lines, false));
    let db = in_memory();
    import(&db, &lines);
    let wanted = state(&db);
    for is_closed in [false, true] {
        let disk = DiskDb::new();
        let report = import(&disk.db, &logs);
        assert_eq!((report.log_records, report.waiting_log_records), (13, 13));
        assert_eq!(disk.db.stats().unwrap().awaited_spans, 5);
        let disk = disk.reopen(is_closed, |_| {});
        let report = import(&disk.db, &spans);
        assert_eq!(
            (
                report.log_records,
                report.claimed_log_records,
                report.duplicate_spans
            ),
            (0, 13, 0)
        );
        assert_eq!(disk.db.stats().unwrap().awaited_spans, 0);
        let disk = disk.reopen(is_closed, |_| {});
        assert!(state(&disk.db) == wanted, "closed: {is_closed}");
        // Sent again, spans do not lose what was joined to them.
        import(&disk.db, &spans);
        assert!(state(&disk.db) == wanted, "closed: {is_closed}");
    }
}

fn text(key: &str, text: &str) -> Value {
    json!({"key": key, "value": {"stringValue": text}})
}

fn record(name: &str, time: u64, attributes: Value, body: Value) -> String {
    json!({"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {"name": "s"}, "logRecords": [{
        "timeUnixNano": time.to_string(), "eventName": name, "traceId": TRACE, "spanId": SPAN,
        "attributes": attributes, "body": body}]}]}]})
    .to_string()
}

fn said(name: &str, time: u64, content: &str) -> String {
    let body = json!({"kvlistValue": {"values": [text("content", content)]}});
    record(name, time, json!([]), body)
}

fn span(events: Value) -> String {
    json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "s"}, "spans": [{
        "traceId": TRACE, "spanId": SPAN, "name": "chat", "startTimeUnixNano": "1000", "endTimeUnixNano": "2000",
        "attributes": [text("gen_ai.operation.name", "chat")], "events": events}]}]}]})
    .to_string()
}

/// Whether a file below a folder has a text.
fn mentions(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .any(|path| match path.is_dir() {
            true => mentions(&path, text),
            false => fs::read(&path)
                .unwrap()
                .windows(text.len())
                .any(|bytes| bytes == text.as_bytes()),
        })
}

#[test]
fn what_waits_is_seen_and_erased_with_its_trace() {
    let disk = DiskDb::new();
    let db = &disk.db;
    import_lines(
        db,
        &[said(
            "gen_ai.user.message",
            1500,
            "Write a haiku about patience",
        )],
    );
    let waiting = rows(
        db,
        "SELECT parent_span_id, name, span_type, inputs FROM spans",
    );
    let inputs = r#"[{"role":"user","content":"Write a haiku about patience"}]"#;
    assert_eq!(waiting[0]["parent_span_id"], "0000000000000000");
    assert_eq!(
        (&waiting[0]["name"], &waiting[0]["inputs"]),
        (&json!("gen_ai.user.message"), &json!(inputs))
    );
    assert!(
        mentions(&disk.path(), "patience"),
        "the log has it as it is"
    );
    // Settled by the import, since what waits is old; the span that comes decides again.
    assert_eq!(rows(db, "SELECT state FROM traces")[0]["state"], "OK");
    assert_eq!(db.search_text("patience", 10).unwrap().len(), 1);
    db.erase_traces(&[TRACE]).unwrap();
    assert!(!mentions(&disk.path(), "patience"));
    import_lines(db, &[span(json!([]))]);
    let left = rows(db, "SELECT inputs, span_type FROM spans");
    assert_eq!(
        (&left[0]["inputs"], &left[0]["span_type"]),
        (&Value::Null, &json!("CHAT_MODEL"))
    );
}

#[test]
fn secrets_of_records_are_never_stored() {
    let db = in_memory();
    let body = json!({"kvlistValue": {"values": [text("content", "hi"), text("password", "hunter2hunter2")]}});
    let report = import_lines(
        &db,
        &[record(
            "gen_ai.user.message",
            1500,
            json!([text("api_key", "hunter3hunter3")]),
            body,
        )],
    );
    assert_eq!(report.redacted, 2);
    import_lines(&db, &[span(json!([]))]);
    let stored = format!("{:?}", rows(&db, "SELECT * FROM spans"));
    assert!(
        stored.contains("hi") && !stored.contains("hunter"),
        "{stored}"
    );
}

#[test]
fn other_records_are_counted_by_their_event() {
    let db = in_memory();
    let lines = [
        said("app.started", 1, "x"),
        said("gen_ai.user.message", 1, "x").replace(TRACE, ""),
        said("gen_ai.user.message", 1, "x").replace(SPAN, "0000000000000000"),
        r#"{"resourceMetrics":[]}"#.to_string(),
    ];
    let report = import_lines(&db, &lines);
    let kinds: Vec<(&str, u64)> = report
        .skipped_log_records
        .iter()
        .map(|(kind, count)| (kind.as_str(), *count))
        .collect();
    assert_eq!(
        kinds,
        [
            ("app.started", 1),
            ("gen_ai.user.message without trace context", 2)
        ]
    );
    assert_eq!(
        (report.skipped, report.log_records, report.spans),
        (4, 0, 0)
    );
}

#[test]
fn results_of_evaluations_become_feedback_once() {
    let attributes = |score: Value| {
        json!([
            text("gen_ai.evaluation.name", "relevance"),
            {"key": "gen_ai.evaluation.score.value", "value": score},
            text("gen_ai.evaluation.score.label", "pass"),
            text("gen_ai.evaluation.explanation", "says what was asked"),
            text("gen_ai.response.id", "r-1"),
        ])
    };
    let event = json!([{"timeUnixNano": "1600", "name": "gen_ai.evaluation.result",
        "attributes": attributes(json!({"doubleValue": 0.75}))}]);
    let log = record(
        "gen_ai.evaluation.result",
        1700,
        json!([
            text("gen_ai.evaluation.name", "toxic"),
            text("gen_ai.evaluation.score.label", "no")
        ]),
        json!({}),
    );
    let db = in_memory();
    let lines = [log.clone(), span(event), log];
    assert_eq!(import_lines(&db, &lines).assessments, 2);
    assert_eq!(import_lines(&db, &lines).assessments, 0);
    let found = rows(
        &db,
        "SELECT name, type, value, value_number, source_type, rationale, span_id, \
         metadata['gen_ai.response.id'] AS response, metadata['gen_ai.evaluation.score.label'] AS label \
         FROM assessments ORDER BY name",
    );
    assert_eq!(
        found[0],
        json!({"name": "relevance", "type": "feedback", "value": "0.75", "value_number": 0.75,
        "source_type": "LLM_JUDGE", "rationale": "says what was asked", "span_id": SPAN, "response": "r-1",
        "label": "pass"})
    );
    assert_eq!(
        (&found[1]["value"], &found[1]["source_type"]),
        (&json!("\"no\""), &json!("CODE"))
    );
    let nameless = span(json!([{"timeUnixNano": "1", "name": "gen_ai.evaluation.result"}]));
    let report = in_memory()
        .import_otlp_json_lines(nameless.as_bytes(), &ImportOptions::default())
        .unwrap();
    assert_eq!((report.spans, report.rejected_count), (1, 1));
    assert!(
        report.rejected[0].error.contains("gen_ai.evaluation.name"),
        "{:?}",
        report.rejected
    );
}

#[test]
fn protobuf_says_the_same_as_json() {
    for (path, lines) in recordings() {
        let (json, protobuf) = (in_memory(), in_memory());
        for line in of_signal(&lines, false) {
            import_lines(&json, &[&line]);
            import_lines(&protobuf, &[&line]);
        }
        for line in of_signal(&lines, true) {
            let read = import_lines(&json, &[&line]);
            let message = wire::logs(&serde_json::from_str(&line).unwrap());
            let other = protobuf
                .import_otlp(&message, &ImportOptions::default())
                .unwrap();
            assert_eq!(
                other.skipped_log_records,
                read.skipped_log_records,
                "{}",
                path.display()
            );
        }
        assert!(state(&json) == state(&protobuf), "{}", path.display());
    }
}

/// Writes OTLP/JSON of logs as protobuf.
mod wire {
    use serde_json::Value;

    fn varint(mut number: u64, out: &mut Vec<u8>) {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }

    fn bytes(field: u64, bytes: &[u8], out: &mut Vec<u8>) {
        varint(field << 3 | 2, out);
        varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }

    fn number(field: u64, number: u64, out: &mut Vec<u8>) {
        varint(field << 3, out);
        varint(number, out);
    }

    fn fixed(field: u64, number: u64, out: &mut Vec<u8>) {
        varint(field << 3 | 1, out);
        out.extend_from_slice(&number.to_le_bytes());
    }

    fn integer(value: &Value) -> i64 {
        value
            .as_i64()
            .or_else(|| value.as_str()?.parse().ok())
            .unwrap_or_default()
    }

    fn list(value: &Value) -> impl Iterator<Item = &Value> {
        value.as_array().into_iter().flatten()
    }

    fn hex(value: &Value) -> Vec<u8> {
        let text = value.as_str().unwrap_or_default();
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    }

    fn any(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
            return out;
        };
        match kind.as_str() {
            "stringValue" => bytes(1, inner.as_str().unwrap().as_bytes(), &mut out),
            "boolValue" => number(2, u64::from(inner.as_bool().unwrap()), &mut out),
            "intValue" => number(3, integer(inner).cast_unsigned(), &mut out),
            "doubleValue" => fixed(4, inner.as_f64().unwrap().to_bits(), &mut out),
            "arrayValue" => {
                let mut items = Vec::new();
                list(&inner["values"]).for_each(|item| bytes(1, &any(item), &mut items));
                bytes(5, &items, &mut out);
            }
            "kvlistValue" => {
                let mut pairs = Vec::new();
                list(&inner["values"]).for_each(|item| bytes(1, &pair(item), &mut pairs));
                bytes(6, &pairs, &mut out);
            }
            other => panic!("a value of type {other}"),
        }
        out
    }

    fn pair(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        bytes(1, value["key"].as_str().unwrap().as_bytes(), &mut out);
        bytes(2, &any(&value["value"]), &mut out);
        out
    }

    fn record(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        let text = |key: &str| value[key].as_str().unwrap_or_default().as_bytes();
        if integer(&value["timeUnixNano"]) != 0 {
            fixed(1, integer(&value["timeUnixNano"]).cast_unsigned(), &mut out);
        }
        number(
            2,
            integer(&value["severityNumber"]).cast_unsigned(),
            &mut out,
        );
        bytes(3, text("severityText"), &mut out);
        bytes(5, &any(&value["body"]), &mut out);
        list(&value["attributes"]).for_each(|item| bytes(6, &pair(item), &mut out));
        bytes(9, &hex(&value["traceId"]), &mut out);
        bytes(10, &hex(&value["spanId"]), &mut out);
        fixed(
            11,
            integer(&value["observedTimeUnixNano"]).cast_unsigned(),
            &mut out,
        );
        bytes(12, text("eventName"), &mut out);
        out
    }

    pub fn logs(request: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        for resource in list(&request["resourceLogs"]) {
            let (mut attributes, mut message) = (Vec::new(), Vec::new());
            list(&resource["resource"]["attributes"])
                .for_each(|item| bytes(1, &pair(item), &mut attributes));
            bytes(1, &attributes, &mut message);
            for scope in list(&resource["scopeLogs"]) {
                let (mut named, mut inner) = (Vec::new(), Vec::new());
                let text = |key: &str| scope["scope"][key].as_str().unwrap_or_default().as_bytes();
                bytes(1, text("name"), &mut named);
                bytes(2, text("version"), &mut named);
                bytes(1, &named, &mut inner);
                list(&scope["logRecords"]).for_each(|item| bytes(2, &record(item), &mut inner));
                bytes(2, &inner, &mut message);
            }
            bytes(1, &message, &mut out);
        }
        out
    }
}

/// An evaluation that names the response that it judges and no span.
fn evaluation_of(response: &str, score: f64) -> String {
    let score = json!({"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": score}});
    let attributes = [
        text("gen_ai.evaluation.name", "helpful"),
        text("gen_ai.response.id", response),
        score,
    ];
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "timeUnixNano": "3000", "eventName": "gen_ai.evaluation.result", "attributes": attributes}]}]}]})
    .to_string()
}

/// A span with a response.
fn answer(trace_id: &str, span_id: &str, operation: &str, response: &str) -> String {
    let attributes = [
        text("gen_ai.operation.name", operation),
        text("gen_ai.response.id", response),
    ];
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": trace_id, "spanId": span_id, "name": "chat",
        "startTimeUnixNano": "1000", "endTimeUnixNano": "2000", "attributes": attributes}]}]}]})
    .to_string()
}

fn judged(db: &Database) -> Vec<Value> {
    rows(
        db,
        "SELECT trace_id, span_id, name, value, metadata FROM assessments ORDER BY assessment_id",
    )
}

#[test]
fn an_evaluation_finds_the_span_of_its_response_in_any_order() {
    let lines = [
        evaluation_of("resp-1", 0.5),
        answer(TRACE, "00f067aa0ba902b7", "invoke_agent", "resp-1"),
        answer(TRACE, SPAN, "chat", "resp-1"),
        answer(
            "0af7651916cd43dd8448eb211c80319c",
            "00f067aa0ba902b8",
            "chat",
            "resp-2",
        ),
    ];
    let orders = [
        vec![1, 2, 3, 0],
        vec![3, 0, 2, 1],
        vec![2, 0, 0, 3],
        vec![0, 3, 2, 2],
    ];
    for order in orders {
        let db = in_memory();
        let lines: Vec<String> = order.iter().map(|at| lines[*at].clone()).collect();
        let report = import(&db, &lines);
        let found = judged(&db);
        assert_eq!(found.len(), 1, "{order:?}");
        assert_eq!(
            (&found[0]["trace_id"], &found[0]["span_id"]),
            (&json!(TRACE), &json!(SPAN)),
            "{order:?}"
        );
        assert_eq!(
            (
                &found[0]["value"],
                &found[0]["metadata"]["gen_ai.response.id"]
            ),
            (&json!("0.5"), &json!("resp-1"))
        );
        assert_eq!(
            (report.assessments, report.waiting_log_records),
            (1, 0),
            "{order:?}"
        );
        assert_eq!(import(&db, &lines).assessments, 0);
    }
}

#[test]
fn an_evaluation_whose_response_is_not_there_outlives_its_process() {
    for is_closed in [false, true] {
        let disk = DiskDb::new();
        let report = import(
            &disk.db,
            &[evaluation_of("it's one", 1.0), evaluation_of("never", 0.0)],
        );
        assert_eq!(
            (
                report.log_records,
                report.waiting_log_records,
                report.assessments
            ),
            (2, 2, 0)
        );
        assert!(report.kept_something());
        let disk = disk.reopen(is_closed, |_| {});
        let report = import(&disk.db, &[answer(TRACE, SPAN, "chat", "it's one")]);
        assert_eq!(
            (report.claimed_log_records, report.assessments),
            (1, 1),
            "closed: {is_closed}"
        );
        let disk = disk.reopen(is_closed, |_| {});
        assert_eq!(judged(&disk.db)[0]["span_id"], SPAN);
        // In text indexes and out of them.
        disk.db.compact().unwrap();
        let report = import(&disk.db, &[evaluation_of("it's one", 0.0)]);
        assert_eq!((report.assessments, judged(&disk.db).len()), (1, 2));
    }
}

#[test]
fn evaluations_that_have_no_room_to_wait_are_counted() {
    let db = in_memory();
    let lines: Vec<String> = (0..2_003)
        .map(|n| evaluation_of(&format!("r{n}"), 0.0))
        .collect();
    let report = db
        .import_otlp_json_lines(lines.join("\n").as_bytes(), &ImportOptions::default())
        .unwrap();
    assert_eq!(
        (report.waiting_log_records, report.rejected_count),
        (2_000, 0)
    );
    let (kind, count) = report.skipped_log_records.first_key_value().unwrap();
    assert!(kind.contains("not there") && *count == 3, "{kind}: {count}");
}

/// A record of the AWS distribution: its event is the scope's, its body both lists of messages.
#[test]
fn a_body_with_input_and_output_is_told_by_its_members() {
    let messages = |role: &str, content: &str| {
        json!({"kvlistValue": {"values": [{"key": "messages", "value": {"arrayValue": {"values": [
            {"kvlistValue": {"values": [text("role", role), text("content", content)]}}]}}}]}})
    };
    let body = json!({"kvlistValue": {"values": [
        {"key": "input", "value": messages("user", "2 + 2?")}, {"key": "output", "value": messages("assistant", "4")}]}});
    let record = record(
        "openinference.instrumentation.langchain",
        5,
        json!([]),
        body,
    );
    for lines in [[record.clone(), span(json!([]))], [span(json!([])), record]] {
        let db = in_memory();
        let report = import(&db, &lines);
        assert_eq!(
            (report.log_records, report.skipped_log_records.len()),
            (1, 0)
        );
        let said = rows(&db, "SELECT role, content FROM messages ORDER BY direction");
        assert_eq!(
            said,
            [
                json!({"role": "user", "content": "2 + 2?"}),
                json!({"role": "assistant", "content": "4"})
            ]
        );
    }
}

#[test]
fn choices_of_one_time_are_in_the_order_of_their_index() {
    let choice = |index: u64| {
        let message = json!({"kvlistValue": {"values": [text("content", &format!("c{index}"))]}});
        let body = json!({"kvlistValue": {"values": [
            {"key": "index", "value": {"intValue": index.to_string()}}, {"key": "message", "value": message}]}});
        record("gen_ai.choice", 5, json!([]), body)
    };
    let said = |lines: &[String]| {
        let db = in_memory();
        import(&db, lines);
        rows(&db, "SELECT content FROM messages ORDER BY \"index\"")
    };
    let wanted = [json!({"content": "c0"}), json!({"content": "c1"})];
    assert_eq!(said(&[span(json!([])), choice(0), choice(1)]), wanted);
    assert_eq!(said(&[choice(1), choice(0), span(json!([]))]), wanted);
}
