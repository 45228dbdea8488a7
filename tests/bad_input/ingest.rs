//! What whoever sends telemetry may send: each row has one outcome, and neighbours are not harmed.

use serde_json::{Value, json};
use tracehouse::model::Span;
use tracehouse::{Database, ErrorKind, ImportOptions, OpenOptions, Search};

use super::{first_error, gzip, import};
use crate::command_line::tracehouse;
use crate::data;
use crate::support::{in_memory, number, quiet_settings, texts};

/// A span with further members.
fn span(number: u64, members: Value) -> Value {
    let mut span = json!({"traceId": data::trace_id(number), "spanId": format!("{number:016x}"), "name": "s",
        "startTimeUnixNano": "1740787200000000000", "endTimeUnixNano": "1740787201000000000"});
    if let (Value::Object(span), Value::Object(members)) = (&mut span, members) {
        span.extend(members);
    }
    span
}

/// A line with spans.
fn line(spans: &[Value]) -> String {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

fn attributes(pairs: &[(&str, &str)]) -> Value {
    let pair = |(key, value): &(&str, &str)| json!({"key": key, "value": {"stringValue": value}});
    json!({"attributes": pairs.iter().map(pair).collect::<Vec<_>>()})
}

/// An attribute value of lists in lists.
fn nested(depth: usize) -> String {
    let open = "{\"arrayValue\":{\"values\":[".repeat(depth);
    format!("{open}{{\"intValue\":\"1\"}}{}", "]}}".repeat(depth))
}

fn with_attribute(number: u64, value: &str) -> String {
    let marked = span(
        number,
        json!({"attributes": [{"key": "k", "value": "MARK"}]}),
    );
    line(&[marked]).replace("\"MARK\"", value)
}

#[test]
fn a_bomb_is_refused_when_it_passes_the_longest_piece() {
    let plain = line(&[span(1, json!({}))]);
    // A request whose name never ends.
    let start = plain.split("\"name\":\"").next().unwrap().to_string() + "\"name\":\"";
    let mut bomb = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    std::io::Write::write_all(&mut bomb, start.as_bytes()).unwrap();
    let zeros = vec![b'0'; 8 << 20];
    for _ in 0..40 {
        std::io::Write::write_all(&mut bomb, &zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let db = in_memory();
    let report = import(&db, &bomb);
    assert_eq!((report.spans, report.rejected_count), (0, 1), "{report:?}");
    assert!(
        first_error(&report).contains("longer than 256 MiB"),
        "{report:?}"
    );
    let error = db
        .import_otlp(&bomb, &ImportOptions::default())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let stacked = gzip(&gzip(plain.as_bytes()));
    assert!(
        first_error(&import(&db, &stacked)).contains("expected OTLP"),
        "compressed twice"
    );
}

/// What is wrong, a line with it, how many of its spans are kept, and a part of the reason.
type Row = (&'static str, String, u64, &'static str);

fn rows_of_values() -> Vec<Row> {
    let deep_skipped = format!(
        "{{\"x\":{}1{},{}",
        "[".repeat(100_000),
        "]".repeat(100_000),
        &line(&[span(9, json!({}))])[1..]
    );
    let many = |count: usize| {
        let values = vec!["{\"intValue\":\"1\"}"; count].join(",");
        format!("{{\"arrayValue\":{{\"values\":[{values}]}}}}")
    };
    let escaped = line(&[span(1, json!({}))]).replace("\"s\"", "\"\u{1}\"");
    vec![
        (
            "nested within the limit",
            with_attribute(1, &nested(60)),
            1,
            "",
        ),
        (
            "nested deeper",
            with_attribute(1, &nested(70)),
            0,
            "deeper than 64",
        ),
        (
            "nested a hundred thousand deep",
            with_attribute(1, &nested(100_000)),
            0,
            "deeper than 64",
        ),
        ("an unknown member that is deep", deep_skipped, 1, ""),
        (
            "more than 100,000 values",
            with_attribute(1, &many(100_001)),
            0,
            "100000 values",
        ),
        (
            "bytes that are no base64",
            with_attribute(1, "{\"bytesValue\":\"%%%\"}"),
            0,
            "base64",
        ),
        ("control character in a string", escaped, 0, "escaped"),
    ]
}

fn rows_of_members() -> Vec<Row> {
    let with = |members: Value| line(&[span(1, members)]);
    vec![
        (
            "trace id of zeros",
            with(json!({"traceId": "0".repeat(32)})),
            0,
            "trace id",
        ),
        (
            "trace id too short",
            with(json!({"traceId": "ab"})),
            0,
            "trace id",
        ),
        (
            "trace id not hex",
            with(json!({"traceId": "../../etc/passwd"})),
            0,
            "trace id",
        ),
        (
            "span id of zeros",
            with(json!({"spanId": "0".repeat(16)})),
            0,
            "span id",
        ),
        ("no ids", line(&[json!({"name": "x"})]), 0, "trace id"),
        (
            "time of u64::MAX",
            with(json!({"startTimeUnixNano": u64::MAX.to_string()})),
            0,
            "2262",
        ),
        (
            "negative time",
            with(json!({"startTimeUnixNano": "-1"})),
            0,
            "unsigned",
        ),
        (
            "text where a number is due",
            with(json!({"flags": "many"})),
            0,
            "flags",
        ),
        (
            "cut line",
            line(&[span(1, json!({}))])[..80].to_string(),
            0,
            "ends inside",
        ),
    ]
}

#[test]
fn rows_that_cost_a_span_or_a_line_cost_no_more() {
    for (row, text, kept, part) in rows_of_values().into_iter().chain(rows_of_members()) {
        let db = in_memory();
        let text = format!(
            "{}\n{text}\n{}\n",
            line(&[span(50, json!({}))]),
            line(&[span(51, json!({}))])
        );
        let report = import(&db, text.as_bytes());
        assert_eq!(report.spans, 2 + kept, "{row}: {:?}", report.rejected);
        assert_eq!(report.rejected_count, 1 - kept, "{row}");
        assert!(
            first_error(&report).contains(part),
            "{row}: {}",
            first_error(&report)
        );
        assert!(
            first_error(&report).len() < 1_000,
            "{row}: {}",
            first_error(&report)
        );
    }
}

#[test]
fn text_that_is_not_utf8_costs_its_line() {
    let db = in_memory();
    let mut bytes = line(&[span(1, json!({}))])
        .replace("\"s\"", "\"?\"")
        .into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xFF;
    bytes.push(b'\n');
    bytes.extend(line(&[span(2, json!({}))]).into_bytes());
    let report = import(&db, &bytes);
    assert_eq!((report.spans, report.rejected_count), (1, 1), "{report:?}");
    assert!(first_error(&report).contains("UTF-8"), "{report:?}");
}

#[test]
fn damaged_protobuf_writes_nothing() {
    let db = in_memory();
    // A message with one span whose name is not UTF-8; the same cut at each byte.
    let mut span = vec![0x0A, 16];
    span.extend([7; 16]);
    span.extend([0x12, 8]);
    span.extend([7; 8]);
    span.extend([0x2A, 2, b'o', b'k']);
    let wrap = |bytes: &[u8], number: u8| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
    let message = |span: &[u8]| wrap(&wrap(&wrap(span, 2), 2), 1);
    let whole = message(&span);
    // One byte is an empty line.
    for cut in 2..whole.len() {
        assert!(
            db.import_otlp(&whole[..cut], &ImportOptions::default())
                .is_err(),
            "cut at {cut}"
        );
    }
    let mut wrong = span.clone();
    *wrong.last_mut().unwrap() = 0xFF;
    let error = db
        .import_otlp(&message(&wrong), &ImportOptions::default())
        .unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
    assert_eq!(number(&db, "SELECT count(*) FROM spans"), 0);
    assert_eq!(
        db.import_otlp(&whole, &ImportOptions::default())
            .unwrap()
            .spans,
        1
    );
}

#[test]
fn large_spans_are_kept_up_to_the_limit_and_named_beyond() {
    let mut settings = quiet_settings();
    settings.span_bytes_max = 20 << 20;
    let db = OpenOptions::new()
        .settings(settings)
        .open(":memory:")
        .unwrap();
    let (fits, large) = ("x".repeat(10 << 20), "y".repeat(21 << 20));
    let spans = [
        span(1, attributes(&[("input.value", &fits)])),
        span(2, attributes(&[("input.value", &large)])),
    ];
    let report = import(&db, line(&spans).as_bytes());
    assert_eq!(
        (report.spans, report.rejected_count),
        (1, 1),
        "{:?}",
        report.rejected
    );
    assert!(first_error(&report).contains("bytes of text"), "{report:?}");
    assert_eq!(
        number(&db, "SELECT max(octet_length(inputs)) FROM spans"),
        10 << 20
    );
    let row = Span {
        trace_id: "t".into(),
        span_id: "s".into(),
        name: large,
        attributes: "{}".into(),
        resource: "{}".into(),
        ..Span::default()
    };
    let error = db.append(&[row]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().len() < 200, "{error}");
}

#[test]
fn keys_are_cut_and_counted_and_the_last_of_two_values_stays() {
    let db = in_memory();
    let long = |end: &str| format!("{}{end}", "k".repeat(1 << 20));
    let pairs = attributes(&[
        (&long("a"), "first"),
        (&long("b"), "second"),
        ("", "empty"),
        ("twice", "1"),
        ("twice", "2"),
        ("nul\0key", "nul\0value"),
        ("\u{202e}bidi", "\u{1b}[31mred"),
        ("größe", "\u{1F600}"),
    ]);
    let report = import(&db, line(&[span(1, pairs)]).as_bytes());
    assert_eq!(
        (report.spans, report.cut_keys, report.repeated_keys),
        (1, 2, 1),
        "{report:?}"
    );
    let stored: Value =
        serde_json::from_str(&texts(&db, "SELECT attributes FROM spans")[0]).unwrap();
    let stored = stored.as_object().unwrap();
    assert_eq!(stored.len(), 7, "{stored:?}");
    assert!(stored.keys().all(|key| key.len() <= 256));
    for (key, value) in [
        ("", "empty"),
        ("twice", "2"),
        ("nul\0key", "nul\0value"),
        ("größe", "\u{1F600}"),
    ] {
        assert_eq!(stored[key], value, "{key}");
    }
    let surrogate = "{\"stringValue\":\"a\\ud83d\"}";
    assert_eq!(
        import(&db, with_attribute(2, surrogate).as_bytes()).spans,
        1
    );
    assert_eq!(
        texts(
            &db,
            "SELECT attributes->>'k' FROM spans WHERE trace_id LIKE '%2'"
        ),
        ["a\u{fffd}"]
    );
}

#[test]
fn attributes_named_like_columns_or_code_are_data() {
    let db = in_memory();
    let keys = [
        "trace_id",
        "name",
        "'; DROP TABLE spans; --",
        "a' OR '1'='1",
        "<script>alert(1)</script>",
        "=1+1",
        "$(rm -rf /)",
    ];
    let pairs: Vec<(&str, &str)> = keys.iter().map(|key| (*key, *key)).collect();
    import(&db, line(&[span(1, attributes(&pairs))]).as_bytes());
    import(&db, line(&[span(2, json!({}))]).as_bytes());
    for key in keys {
        let filter = format!("span.attributes.`{key}` = '{}'", key.replace('\'', "''"));
        let page = db
            .search_traces(&Search::new(filter.as_str()))
            .unwrap_or_else(|e| panic!("{filter}: {e}"));
        assert_eq!(page.traces.len(), 1, "{filter}");
        assert_eq!(page.traces[0].trace_id, data::trace_id(1));
    }
    assert_eq!(number(&db, "SELECT count(*) FROM spans"), 2);
}

#[test]
fn a_key_of_its_own_for_each_span_makes_no_columns() {
    let db = in_memory();
    let columns = "SELECT count(*) FROM information_schema.columns";
    let before = number(&db, columns);
    let spans: Vec<Value> = (1..=5_000)
        .map(|n| span(n, attributes(&[(format!("key.{n}").as_str(), "v")])))
        .collect();
    assert_eq!(import(&db, line(&spans).as_bytes()).spans, 5_000);
    db.seal().unwrap();
    assert_eq!(number(&db, columns), before);
    assert_eq!(
        db.count_traces(&Search::new("span.attributes.`key.77` = 'v'"))
            .unwrap(),
        1
    );
}

/// A trace of spans given as (id, parent).
fn tree(spans: impl Iterator<Item = (u64, u64)>) -> String {
    let id = |n: u64| format!("{n:016x}");
    let spans: Vec<Value> = spans
        .map(|(own, parent)| {
            let parent = if parent == 0 {
                json!({})
            } else {
                json!({"parentSpanId": id(parent)})
            };
            let mut made = span(own, parent);
            made["traceId"] = json!(data::trace_id(1));
            made
        })
        .collect();
    line(&spans)
}

#[test]
fn cycles_and_long_chains_of_parents_are_shown() {
    let chain: u64 = 20_000;
    for (what, text, count) in [
        ("self parent", tree([(1, 1)].into_iter()), 1),
        ("cycle", tree([(1, 3), (2, 1), (3, 2)].into_iter()), 3),
        ("orphan", tree([(1, 99), (2, 1)].into_iter()), 2),
        ("chain", tree((1..=chain).map(|n| (n, n - 1))), chain as i64),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tree.traces");
        let db = Database::open(&path).unwrap();
        assert_eq!(import(&db, text.as_bytes()).spans, count as u64, "{what}");
        assert_eq!(
            db.get_trace(&data::trace_id(1)).unwrap().spans.len() as i64,
            count,
            "{what}"
        );
        db.close().unwrap();
        let done = tracehouse(&["show", path.to_str().unwrap(), &data::trace_id(1)]);
        assert_eq!(done.code, 0, "{what}: {}", done.err);
        assert!(done.out.lines().count() as i64 >= count, "{what}");
        let listed = tracehouse(&["search", path.to_str().unwrap(), "", "--format", "ids"]);
        assert_eq!(listed.out.trim(), data::trace_id(1), "{what}");
    }
}

#[test]
fn no_control_character_of_a_trace_reaches_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("escape.traces");
    let path = path.to_str().unwrap();
    let evil = "a\u{1b}]0;title\u{7}\u{9b}31m\u{202e}b\rc";
    let db = Database::open(path).unwrap();
    let mut made = span(
        1,
        attributes(&[
            ("input.value", evil),
            (evil, evil),
            ("session.id", evil),
            ("mlflow.traceTag.t", evil),
        ]),
    );
    made["name"] = json!(evil);
    made["status"] = json!({"code": 2, "message": evil});
    made["events"] = json!([{"name": evil, "timeUnixNano": "1"}]);
    assert_eq!(import(&db, line(&[made]).as_bytes()).spans, 1);
    db.log_feedback(&data::trace_id(1), "tone", &json!(evil).to_string())
        .unwrap();
    db.create_dataset("d")
        .unwrap()
        .add_traces(&Search::new(""))
        .unwrap();
    db.close().unwrap();
    let id = data::trace_id(1);
    for arguments in [
        vec!["search", path, ""],
        vec!["text", path, "c"],
        vec!["sql", path, "SELECT * FROM spans"],
        vec!["sql", path, "SELECT * FROM traces"],
        vec!["show", path, &id],
        vec!["show", path, &id, "--full"],
        vec!["sessions", path],
        vec!["dataset", "show", path, "d"],
        vec!["search", path, &format!("name = '{evil}' AND")],
        vec!["sql", path, &format!("SELECT '{evil}' FROM nothing")],
    ] {
        let done = tracehouse(&arguments);
        assert!(
            done.out.len() + done.err.len() > 10,
            "{arguments:?}: {done:?}"
        );
        let shown = format!("{}{}", done.out, done.err);
        let bad = shown
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(bad, None, "{arguments:?}: {shown:?}");
    }
}
