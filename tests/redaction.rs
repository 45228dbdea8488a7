//! Redaction: unique secrets through every way in; none is in any file, each is counted. The same without
//! redaction finds every one of them, so that the search for them is known to work.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use regex::Regex;
use serde_json::{Value, json};
use tracehouse::model::{Event, Link, Span, TraceHint};
use tracehouse::{
    AssessmentUpdate, Database, ErrorKind, ImportOptions, NewAssessment, NewDataset, NewRecord,
    OpenOptions, Redaction, RedactionCallback, Sample, Search, TraceStart, check,
};

use crate::care::erase::file_texts;
use crate::command_line::tracehouse;
use crate::support::{DiskDb, import_lines, number, open, quiet_settings, shared, texts};

/// What every secret looks like.
const SECRET: &str = "zqmark-[0-9]+";

/// Makes secrets, each of them once.
#[derive(Default)]
struct Secrets {
    made: usize,
    /// Those that are stored as bytes, and how that looks.
    coded: Vec<(String, String)>,
}

impl Secrets {
    fn next(&mut self) -> String {
        self.made += 1;
        format!("zqmark-{}", self.made)
    }

    /// One inside a sentence.
    fn text(&mut self) -> String {
        format!("the key is {} and so on", self.next())
    }

    /// One inside bytes.
    fn bytes(&mut self) -> Vec<u8> {
        let bytes = self.text().into_bytes();
        self.coded
            .push((format!("zqmark-{}", self.made), base64(&bytes)));
        bytes
    }

    fn json_string(&mut self) -> String {
        json!(self.text()).to_string()
    }

    fn attribute(&mut self, key: &str) -> Value {
        json!({"key": key, "value": {"stringValue": self.text()}})
    }
}

/// The secrets that any file of a database holds.
fn found_in_files(root: &Path, coded: &[(String, String)]) -> BTreeSet<String> {
    let secret = Regex::new(SECRET).unwrap();
    let mut found = BTreeSet::new();
    for (_, texts) in file_texts(root) {
        let as_bytes = coded
            .iter()
            .filter(|(_, base64)| texts.iter().any(|text| text.contains(base64)));
        found.extend(as_bytes.map(|(secret, _)| secret.clone()));
        found.extend(
            texts
                .iter()
                .flat_map(|text| secret.find_iter(text))
                .map(|m| m.as_str().to_string()),
        );
    }
    found
}

fn otlp_json(secrets: &mut Secrets, trace: u64) -> String {
    let nested =
        json!({"messages": [{"role": "user", "content": format!("a\n{}", secrets.text())}]});
    let span = json!({
        "traceId": format!("b{trace:031x}"), "spanId": format!("{trace:016x}"), "name": secrets.text(),
        "startTimeUnixNano": "1740787200000000000", "endTimeUnixNano": "1740787201000000000",
        "status": {"code": 2, "message": secrets.text()}, "traceState": secrets.next(),
        "attributes": [
            {"key": "input.value", "value": {"stringValue": nested.to_string()}},
            secrets.attribute("output.value"), secrets.attribute("gen_ai.request.model"),
            secrets.attribute("session.id"), secrets.attribute("user.id"),
            secrets.attribute("mlflow.traceTag.note"), secrets.attribute("plain"),
            {"key": secrets.next(), "value": {"boolValue": true}},
            {"key": "bytes", "value": {"bytesValue": base64(&secrets.bytes())}},
            {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": secrets.text()}]}}},
            {"key": "tree", "value": {"kvlistValue": {"values": [secrets.attribute("leaf")]}}},
        ],
        "events": [{"name": secrets.text(), "timeUnixNano": "1", "attributes": [secrets.attribute("e")]}],
        "links": [{"traceId": format!("{:032x}", 9), "spanId": format!("{:016x}", 9),
                   "traceState": secrets.next(), "attributes": [secrets.attribute("l")]}],
    });
    json!({"resourceSpans": [{
        "resource": {"attributes": [secrets.attribute("service.name")]}, "schemaUrl": secrets.next(),
        "scopeSpans": [{"scope": {"name": secrets.text(), "version": secrets.text(),
            "attributes": [secrets.attribute("s")]}, "schemaUrl": secrets.next(), "spans": [span]}],
    }]})
    .to_string()
}

pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(*chunk.get(i).unwrap_or(&0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..=chunk.len() {
            text.push(DIGITS[(group >> (18 - 6 * place) & 63) as usize] as char);
        }
    }
    text.extend(std::iter::repeat_n('=', (4 - text.len() % 4) % 4));
    text
}

/// A length-delimited protobuf field.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length > 127 {
        out.push(length as u8 & 127 | 128);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(bytes);
    out
}

fn otlp_protobuf(secrets: &mut Secrets, trace: u8) -> Vec<u8> {
    let text = |text: String| field(1, text.as_bytes());
    let attribute = |key: &str, value: Vec<u8>| {
        field(9, &[field(1, key.as_bytes()), field(2, &value)].concat())
    };
    let span = [
        field(1, &[trace; 16]),
        field(2, &[trace; 8]),
        field(5, secrets.text().as_bytes()),
        attribute("input.value", text(secrets.text())),
        attribute("bytes", field(7, &secrets.bytes())),
        attribute(&secrets.next(), text("plain".into())),
        field(11, &field(2, secrets.text().as_bytes())),
        field(15, &field(2, secrets.text().as_bytes())),
    ];
    field(1, &field(2, &field(2, &span.concat())))
}

fn row(secrets: &mut Secrets) -> Span {
    let some = |secrets: &mut Secrets| Some(secrets.text());
    Span {
        trace_id: "row".into(),
        span_id: "row-1".into(),
        experiment_id: "0".into(),
        name: secrets.text(),
        span_type: secrets.next(),
        kind: "INTERNAL".into(),
        status: "ERROR".into(),
        status_message: some(secrets),
        start_time_ns: 1_740_787_200_000_000_000,
        session_id: some(secrets),
        user_id: some(secrets),
        service_name: some(secrets),
        scope_name: some(secrets),
        scope_version: some(secrets),
        operation: some(secrets),
        model: some(secrets),
        provider: some(secrets),
        tool_name: some(secrets),
        inputs: some(secrets),
        outputs: some(secrets),
        attributes: json!({"a": [secrets.text()], secrets.next(): 1}).to_string(),
        resource: json!({"r": {"deep": secrets.text()}}).to_string(),
        extra: Some(json!({"trace_state": secrets.next()}).to_string()),
        events: vec![Event {
            time_ns: 1,
            name: secrets.text(),
            attributes: json!({"e": secrets.text()}).to_string(),
        }],
        links: vec![Link {
            trace_id: "other".into(),
            span_id: "o".into(),
            attributes: json!({"l": secrets.text()}).to_string(),
        }],
        hint: Some(TraceHint {
            request_preview: some(secrets),
            response_preview: some(secrets),
            tags: BTreeMap::from([("t".to_string(), secrets.text())]),
            metadata: BTreeMap::from([("m".to_string(), secrets.text())]),
        }),
        ..Span::default()
    }
}

fn traces(db: &Database, secrets: &mut Secrets) {
    import_lines(db, &[otlp_json(secrets, 1), otlp_json(secrets, 2)]);
    let message = otlp_protobuf(secrets, 3);
    assert_eq!(
        db.import_otlp(&message, &ImportOptions::default())
            .unwrap()
            .spans,
        1
    );
    assert_eq!(db.append(&[row(secrets)]).unwrap().spans, 1);
    // The preview is cut in the middle of a secret: it has to be found before.
    let long = format!("{}{}", "x".repeat(980), secrets.text());
    let start = TraceStart::new("started", 1_740_787_200_000_000_000)
        .name(secrets.text())
        .client_request_id(secrets.next())
        .previews(Some(long), Some(secrets.text()))
        .session_id(secrets.text())
        .user_id(secrets.text())
        .tag("env", secrets.text())
        .metadata("m", secrets.text())
        .metadata(secrets.next(), "plain");
    db.start_trace(&start).unwrap();
    db.set_tags(
        "started",
        [
            ("a", secrets.text().as_str()),
            (secrets.next().as_str(), "b"),
        ],
    )
    .unwrap();
    assert_eq!(
        db.set_tag_on(&["row", "nobody"], "on", &secrets.text())
            .unwrap(),
        1
    );
}

fn assessments(db: &Database, secrets: &mut Secrets) {
    let verdict =
        NewAssessment::feedback(secrets.next(), json!({"v": [secrets.text()]}).to_string())
            .source("HUMAN", secrets.text())
            .rationale(secrets.text())
            .metadata("m", secrets.text())
            .error("CODE", secrets.text());
    let id = db.assess("row", verdict).unwrap();
    db.log_expectation("row", "answer", &secrets.json_string())
        .unwrap();
    let update = AssessmentUpdate::new()
        .feedback(secrets.json_string())
        .rationale(secrets.text())
        .metadata("n", secrets.text());
    db.update_assessment("row", &id, update).unwrap();
    let line = json!({"trace_id": "row", "name": "file", "value": secrets.text(), "rationale": secrets.text(),
        "source": "HUMAN:ann", "more": secrets.text()});
    let report = db
        .import_assessments(line.to_string().as_bytes(), &ImportOptions::default())
        .unwrap();
    assert_eq!(report.assessments, 1, "{report:?}");
}

fn datasets(db: &Database, secrets: &mut Secrets) {
    let dataset = db
        .create_dataset_with(NewDataset::new("d").tag("t", secrets.text()))
        .unwrap();
    dataset
        .edit_tags([("u", Some(secrets.text().as_str()))])
        .unwrap();
    let record = NewRecord::new(json!({"q": secrets.text()}).to_string())
        .outputs(secrets.json_string())
        .expectations(json!({"e": secrets.text()}).to_string())
        .tags(json!({"t": secrets.text()}).to_string())
        .source("HUMAN", json!({"who": secrets.text()}).to_string());
    assert_eq!(dataset.merge(&[record]).unwrap().inserted, 1);
    let line = json!({"inputs": secrets.text(), "outputs": {"o": secrets.text()}}).to_string();
    assert_eq!(
        dataset
            .merge_json_lines(line.as_bytes(), "lines")
            .unwrap()
            .inserted,
        1
    );
    let found = Search::new(format!("trace_id = 'row' OR name = 'x {}'", secrets.next()));
    assert!(dataset.add_traces(&found).unwrap().is_change());
    dataset
        .sample_into(
            NewDataset::new("copy").tag("t", secrets.text()),
            &Sample::new(2, 1),
        )
        .unwrap();
}

/// Writes secrets in every way there is.
fn write_everything(db: &Database) -> Secrets {
    let mut secrets = Secrets::default();
    traces(db, &mut secrets);
    assessments(db, &mut secrets);
    datasets(db, &mut secrets);
    secrets
}

#[test]
fn no_secret_reaches_a_file_by_any_way_in() {
    let disk = DiskDb::new();
    disk.db
        .set_redaction(Redaction::none().rule("mark", SECRET))
        .unwrap();
    let nothing = BTreeSet::new();
    let secrets = write_everything(&disk.db);
    let found = |path: &Path| found_in_files(path, &secrets.coded);
    assert_eq!(found(&disk.path()), nothing, "in the log");
    assert_eq!(
        disk.db.stats().unwrap().redacted_values,
        secrets.made as u64
    );
    assert_eq!(disk.db.stats().unwrap().redaction_failures, 0);
    disk.db.seal().unwrap();
    disk.db.index_text().unwrap();
    assert_eq!(found(&disk.path()), nothing, "sealed");
    disk.db.compact().unwrap();
    let disk = disk.reopen(true, |path| {
        assert_eq!(found(path), nothing, "merged and closed")
    });
    assert!(disk.db.check(true).unwrap().is_clean());
    let inputs =
        "SELECT count(*) FROM spans WHERE inputs LIKE '%the key is [REDACTED:mark] and so on%'";
    assert_eq!(number(&disk.db, inputs), 4);
    assert!(
        disk.db
            .get_trace_info("started")
            .unwrap()
            .request_preview
            .unwrap()
            .ends_with("the key is [REDAC...")
    );
}

#[test]
fn without_redaction_every_secret_is_found() {
    let disk = DiskDb::new();
    disk.db.set_redaction(Redaction::none()).unwrap();
    let secrets = write_everything(&disk.db);
    let mut found = found_in_files(&disk.path(), &secrets.coded);
    disk.db.seal().unwrap();
    found.extend(found_in_files(&disk.path(), &secrets.coded));
    let all = (1..=secrets.made).map(|n| format!("zqmark-{n}"));
    let missing: Vec<String> = all.filter(|secret| !found.contains(secret)).collect();
    // Only the one that a preview's end cuts in two.
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(disk.db.stats().unwrap().redacted_values, 0);
}

/// A span with an attribute, as a line.
fn line(key: &str, value: &str) -> String {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": format!("c{:031x}", 1), "spanId": format!("{:016x}", 1), "name": "s",
        "attributes": [{"key": key, "value": {"stringValue": value}}]}]}]}]})
    .to_string()
}

#[test]
fn well_known_names_are_hidden_unless_told_otherwise() {
    let disk = DiskDb::new();
    let report = import_lines(
        &disk.db,
        &[line("http.request.header.authorization", "Bearer zqmark-1")],
    );
    assert_eq!(report.redacted, 1);
    disk.db
        .set_tags(
            &format!("c{:031x}", 1),
            [("api_key", "zqmark-2"), ("note", "zqmark-3")],
        )
        .unwrap();
    assert_eq!(
        found_in_files(&disk.path(), &[]),
        BTreeSet::from(["zqmark-3".to_string()])
    );
    let attributes = texts(&disk.db, "SELECT attributes FROM spans").remove(0);
    assert_eq!(
        attributes,
        r#"{"http.request.header.authorization":"[REDACTED]"}"#
    );
    assert_eq!(disk.db.redaction(), Redaction::default());
    assert_eq!(disk.db.stats().unwrap().redacted_values, 2);
}

#[test]
fn the_setting_is_the_databases() {
    let disk = DiskDb::new();
    let setting = Redaction::default()
        .secrets(true)
        .deny("ssn")
        .rule("mark", SECRET);
    disk.db.set_redaction(setting.clone()).unwrap();
    disk.db.set_redaction(setting.clone()).unwrap();
    let reader = OpenOptions::new()
        .read_only(true)
        .settings(quiet_settings())
        .open(disk.path())
        .unwrap();
    assert_eq!(reader.redaction(), setting);
    drop(reader);
    let disk = disk.reopen(false, |_| {});
    assert_eq!(disk.db.redaction(), setting);
    assert_eq!(import_lines(&disk.db, &[line("a", "zqmark-1")]).redacted, 1);
    let listed = texts(
        &disk.db,
        "SELECT value FROM settings() WHERE name = 'redaction'",
    );
    assert_eq!(
        listed,
        [format!("names, secrets, deny ssn, rule mark={SECRET}")]
    );
    assert!(disk.db.datasets().unwrap().is_empty());
    let copy = disk.path().with_file_name("copy.traces");
    tracehouse::backup(disk.path(), &copy).unwrap();
    let copied = open(&copy);
    assert_eq!(copied.redaction(), setting);
    assert_eq!(import_lines(&copied, &[line("b", "zqmark-2")]).redacted, 1);
    let files = std::fs::read_dir(disk.path().join("catalog"))
        .unwrap()
        .count();
    assert_eq!(files, 1, "the setting before is gone");
    assert!(check(disk.path(), true).unwrap().is_clean());
    let error = disk
        .db
        .set_redaction(Redaction::default().rule("broken", "("))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(disk.db.redaction(), setting);
}

/// A callback that hides secrets, fails on some and panics on others.
fn moody() -> RedactionCallback {
    RedactionCallback::new("moody", |_, text| match text {
        text if text.contains("zqmark-1") => Err("cannot tell".into()),
        text if text.contains("zqmark-2") => std::panic::panic_any("out of order"),
        text if text.contains("zqmark-3") => Ok(Some("hidden".into())),
        _ => Ok(None),
    })
}

#[test]
fn a_callback_fails_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("callback.traces");
    let with = || {
        OpenOptions::new()
            .settings(quiet_settings())
            .redact_with(moody())
    };
    let db = with().open(&path).unwrap();
    db.set_redaction(Redaction::default().callback("moody"))
        .unwrap();
    let lines = ["zqmark-1", "zqmark-2", "zqmark-3", "plain"].map(|text| line("a", text));
    let mut report = 0;
    for line in &lines {
        report += import_lines(&db, std::slice::from_ref(line)).redacted;
    }
    let trace = format!("c{:031x}", 1);
    db.set_tags(&trace, [("t", "zqmark-2"), ("u", "zqmark-3")])
        .unwrap();
    let stats = db.stats().unwrap();
    assert_eq!(
        (report, stats.redacted_values, stats.redaction_failures),
        (3, 5, 3)
    );
    assert_eq!(found_in_files(&path, &[]), BTreeSet::new());
    let tags = db.get_trace_info(&trace).unwrap().tags;
    assert_eq!(
        (tags["t"].as_str(), tags["u"].as_str()),
        ("[REDACTED:callback failed]", "hidden")
    );
    db.close().unwrap();
    drop(db);

    // Whoever lacks the callback reads and deletes, but adds nothing.
    let db = open(&path);
    assert_eq!(number(&db, "SELECT count(*) FROM spans"), 1);
    let refused = [
        db.set_tag(&trace, "t", "zqmark-3").unwrap_err(),
        db.import_otlp(lines[3].as_bytes(), &ImportOptions::default())
            .unwrap_err(),
        db.log_feedback(&trace, "f", "1").unwrap_err(),
        db.create_dataset("d").unwrap_err(),
        db.start_trace(&TraceStart::new("x", 0)).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        assert!(error.to_string().contains("moody"), "{error}");
    }
    let receipt = db.erase_traces(&[trace]).unwrap();
    assert!(receipt.complete, "{receipt:?}");
    db.set_redaction(Redaction::default()).unwrap();
    assert_eq!(import_lines(&db, &lines[3..]).spans, 1);
}

#[test]
fn the_command_line_sets_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (db, file) = (path("cli.traces"), path("in.jsonl"));
    let mut text = String::new();
    for n in 1..=3 {
        writeln!(
            text,
            "{}",
            line("a", &format!("zqmark-{n} ann@example.org"))
                .replace("0001\"", &format!("000{n}\""))
        )
        .unwrap();
    }
    std::fs::write(&file, text).unwrap();
    let run = |arguments: &[&str]| {
        let done = tracehouse(arguments);
        assert_eq!(done.code, 0, "{done:?}");
        done.out
    };
    let rule = format!("mark={SECRET}");
    assert_eq!(
        run(&["redaction", &db, "--rule", &rule]),
        format!("names, rule {rule}\n")
    );
    let report: Value = serde_json::from_str(&run(&[
        "--json", "import", &db, &file, "--redact", "emails",
    ]))
    .unwrap();
    assert_eq!(
        (&report["spans"], &report["redacted"]),
        (&json!(3), &json!(6))
    );
    assert_eq!(found_in_files(Path::new(&db), &[]), BTreeSet::new());
    let shown: Value = serde_json::from_str(&run(&["--json", "redaction", &db])).unwrap();
    assert_eq!(
        (&shown["emails"], &shown["rules"][0]["name"]),
        (&json!(true), &json!("mark"))
    );
    assert_eq!(run(&["redaction", &db, "--clear"]), "nothing\n");
    let done = tracehouse(&["redaction", &db, "--rule", "bad=("]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.err.contains("\"bad\""), "{done:?}");
}

#[test]
fn the_example_data_has_nothing_under_a_well_known_name() {
    let Some(files) = crate::support::data_files() else {
        return;
    };
    let db = crate::support::in_memory();
    for file in files {
        assert_eq!(
            crate::support::import_file(&db, &file).redacted,
            0,
            "{}",
            file.display()
        );
    }
    if let Some(file) = shared("data/assessments.jsonl") {
        assert_eq!(crate::support::import_assessments(&db, &file).redacted, 0);
    }
    assert_eq!(db.stats().unwrap().redacted_values, 0);
}
