//! Files of other products (`tests/exports`, made by hand after the definitions that the readers name): what is made of
//! each is in `tests/exports/read.txt`, which `UPDATE_GOLDENFILES=1` writes anew.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tracehouse::{Database, ImportOptions, ImportReport};

use crate::command_line::{Desk, tracehouse};
use crate::support::{DiskDb, file_name, in_memory, number, quoted, rows, search_ids};

const MLFLOW_TRACE: &str = "17c1acadf4bc84b3a140af4d7462320b";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("exports")
}

fn import(db: &Database, text: &str) -> ImportReport {
    db.import_otlp_json_lines(text.as_bytes(), &ImportOptions::default())
        .unwrap()
}

fn import_file(db: &Database, name: &str) -> ImportReport {
    db.import_otlp_json_lines(
        File::open(folder().join(name)).unwrap(),
        &ImportOptions::default(),
    )
    .unwrap()
}

/// What a database holds, but for times of writing.
fn contents(db: &Database) -> String {
    let mut text = String::new();
    for (what, statement) in [
        ("trace", "SELECT * FROM traces ORDER BY trace_id"),
        (
            "span",
            "SELECT * FROM spans ORDER BY trace_id, start_time, span_id",
        ),
        (
            "assessment",
            "SELECT * FROM assessments ORDER BY trace_id, assessment_id",
        ),
    ] {
        for row in rows(db, statement) {
            writeln!(text, "{what} {}", told(&row)).unwrap();
        }
    }
    text
}

/// The columns of a row that say something.
fn told(row: &Value) -> String {
    let of_import = |value: &Value| {
        value
            .as_str()
            .is_some_and(|time| !time.starts_with("2026-01-0"))
    };
    let is_told = |key: &str, value: &Value| {
        let is_time = matches!(key, "created_at" | "updated_at") && of_import(value);
        !value.is_null()
            && *value != json!([])
            && *value != json!({})
            && !is_time
            && key != "resource"
    };
    let row = row
        .as_object()
        .unwrap()
        .iter()
        .filter(|(key, value)| is_told(key, value));
    Value::Object(
        row.map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
    .to_string()
}

#[test]
fn files_of_other_products_are_read_whole() {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| !file_name(path).ends_with(".txt"));
    files.sort();
    assert!(files.len() >= 15, "{} files", files.len());
    let mut read = String::new();
    for path in &files {
        let db = in_memory();
        let report = import_file(&db, &file_name(path));
        assert_eq!(report.rejected, [], "{}", path.display());
        writeln!(
            read,
            "# {}: {:?}\n{}",
            file_name(path),
            report.forms,
            contents(&db)
        )
        .unwrap();
    }
    let wanted = folder().join("read.txt");
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&wanted, &read).unwrap();
    }
    let wanted = fs::read_to_string(&wanted).unwrap();
    let different = read
        .lines()
        .zip(wanted.lines())
        .find(|(found, wanted)| found != wanted);
    assert!(read == wanted, "{different:#?}");
}

#[test]
fn a_second_import_adds_nothing_and_a_changed_assessment_takes_the_place_of_the_first() {
    let mut disk = DiskDb::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = file_name(&entry.unwrap().path());
        if !name.ends_with(".txt") {
            import_file(&disk.db, &name);
            let before = contents(&disk.db);
            let again = import_file(&disk.db, &name);
            assert_eq!(
                (again.traces, again.spans, again.assessments),
                (0, 0, 0),
                "{name}"
            );
            assert_eq!(contents(&disk.db), before, "{name}");
        }
    }
    let before = contents(&disk.db);
    disk = disk.reopen(false, |_| {});
    assert_eq!(contents(&disk.db), before, "read back from the log");
    let count = number(&disk.db, "SELECT count(*) FROM assessments");
    let file = fs::read_to_string(folder().join("mlflow.jsonl")).unwrap();
    let changed = file.replace("\"rationale\": \"since\"", "\"rationale\": \"after all\"");
    assert_eq!(import(&disk.db, &changed).assessments, 1);
    assert_eq!(number(&disk.db, "SELECT count(*) FROM assessments"), count);
    let filter =
        "SELECT count(*) FROM assessments WHERE assessment_id = 'a-1' AND rationale = 'after all'";
    assert_eq!(number(&disk.db, filter), 1);
    disk.db.compact().unwrap();
    let found = search_ids(
        &disk.db,
        "tags.env = 'prod' AND expectation.facts IS NOT NULL AND session = 's-1'",
    );
    assert_eq!(found, [MLFLOW_TRACE]);
}

#[test]
fn a_row_of_a_search_says_what_its_trace_says() {
    let text = fs::read_to_string(folder().join("mlflow.jsonl")).unwrap();
    let document = text.lines().next().unwrap();
    let trace: Value = serde_json::from_str(document).unwrap();
    let mut row = trace["info"].clone();
    row["spans"] = trace["data"]["spans"].clone();
    row["request"] = "a text of megabytes".into();
    let (one, other) = (in_memory(), in_memory());
    import(&one, document);
    import(&other, &row.to_string());
    assert_eq!(contents(&one), contents(&other));
    assert!(contents(&other).contains("ana"), "{}", contents(&other));
}

#[test]
fn the_order_of_records_does_not_matter() {
    for name in [
        "langfuse_observations.jsonl",
        "langsmith_runs.jsonl",
        "openai_agents.jsonl",
    ] {
        let text = fs::read_to_string(folder().join(name)).unwrap();
        let backwards: Vec<&str> = text.lines().rev().collect();
        let (one, other) = (in_memory(), in_memory());
        import(&one, &text);
        import(&other, &backwards.join("\n"));
        assert_eq!(contents(&one), contents(&other), "{name}");
    }
}

#[test]
fn what_is_said_of_traces_is_redacted_too() {
    let db = in_memory();
    db.set_redaction(db.redaction().emails(true)).unwrap();
    let text = fs::read_to_string(folder().join("mlflow.jsonl")).unwrap();
    let text = text
        .replace("\"env\": \"prod\"", "\"api_key\": \"sk-zq\"")
        .replace("since", "mail zq@example.org");
    let report = import(
        &db,
        &text.replace("\"k\": \"v\"", "\"k\": \"from zq@example.org\""),
    );
    assert!(report.redacted >= 3, "{report:?}");
    assert!(!contents(&db).contains("zq"), "{}", contents(&db));
}

#[test]
fn a_trace_stays_in_its_experiment_unless_another_is_asked_for() {
    let db = in_memory();
    let text = fs::read_to_string(folder().join("mlflow.jsonl")).unwrap();
    let to = |id: &str| ImportOptions::default().experiment_id(id);
    let experiments = format!(
        "SELECT experiment_id FROM traces WHERE trace_id = {}",
        quoted(MLFLOW_TRACE)
    );
    db.import_otlp_json_lines(text.as_bytes(), &to("5"))
        .unwrap();
    assert_eq!(number(&db, &experiments), 5);
    assert_eq!(
        import(&db, &text).rejected,
        [],
        "the file's own word does not move it"
    );
    assert_eq!(number(&db, &experiments), 5);
    let moved = db
        .import_otlp_json_lines(text.as_bytes(), &to("6"))
        .unwrap();
    assert_eq!(moved.rejected_count, 3, "{moved:?}");
    assert!(
        moved.rejected[0]
            .error
            .contains("belongs to experiment \"5\", not to \"6\""),
        "{moved:?}"
    );
}

/// Records with something wrong, and a part of what is said of each.
const WRONG_RECORDS: &[(&str, &str)] = &[
    (
        r#"{"info":{"trace_id":"t"},"data":{"spans":[]}}"#,
        "without request_time",
    ),
    (
        r#"{"info":{"request_time":"2026-01-01T00:00:00Z"},"data":{"spans":[]}}"#,
        "without trace_id",
    ),
    (
        r#"{"info":{"trace_id":"t","request_time":"soon"},"data":{"spans":[]}}"#,
        "\"soon\" is no time",
    ),
    (
        r#"{"info":{"trace_id":"t","request_time":1767225600000,"state":"ODD"},"data":{"spans":[]}}"#,
        "trace state \"ODD\"",
    ),
    (
        r#"{"info":{"trace_id":"t","request_time":1767225600000},"data":{"spans":[{"name":"s"}]}}"#,
        "without span_id",
    ),
    (
        r#"{"info":{"trace_id":"t","request_time":1767225600000,"assessments":[{"assessment_name":1}]},"data":{"spans":[]}}"#,
        "name is 1: a string expected",
    ),
    (
        r#"{"info":{"trace_id":"t","request_time":1767225600000,"tags":{"a?b":"c","d":"e"}},"data":{"spans":[]}}"#,
        "tag key \"a?b\"",
    ),
    (
        r#"{"id":"o","traceId":"t","type":"SPAN","startTime":"soon"}"#,
        "o: startTime \"soon\" is no time",
    ),
    (
        r#"{"id":"o","traceId":"t","type":"SPAN","startTime":null,"usageDetails":{}}"#,
        "o: startTime is missing",
    ),
    (
        r#"{"id":"s","name":"n","value":1,"source":"API","dataType":"NUMERIC"}"#,
        "a score without traceId",
    ),
    (
        r#"{"id":"s","name":"n","value":1,"source":"API","dataType":"NUMERIC","traceId":"nowhere"}"#,
        "of trace nowhere, which is not there",
    ),
    (
        r#"{"id":"r","run_type":"llm","start_time":[1]}"#,
        "run r: start_time [1] is no time",
    ),
    (
        r#"{"id":"r","run_type":"llm","start_time":"2026-01-01T00:00:00","parent_run_id":"p"}"#,
        "trace_id and dotted_order are missing",
    ),
    (
        r#"{"object":"trace.span","id":"s","trace_id":"t","span_data":5}"#,
        "started_at is missing",
    ),
    (
        r#"{"object":"trace"}"#,
        "OpenAI Agents trace: id is missing",
    ),
    (
        r#"{"context":{"span_id":"s"},"span_kind":"LLM","start_time":"2026-01-01T00:00:00Z"}"#,
        "context.trace_id",
    ),
    (
        r#"{"name":"n","annotator_kind":"LLM","result":{"score":1}}"#,
        "an annotation without trace_id",
    ),
    (
        r#"{"name":"n","annotator_kind":"LLM","result":{"score":1},"span_id":"nowhere"}"#,
        "of span nowhere, which is in no trace here",
    ),
    (
        r#"{"run_id":"r","run_type":"llm","trace_id":"t"}"#,
        "run r: start_time is missing",
    ),
    (r#"{"answer":42,"note":"x"}"#, "its members: answer, note"),
    (
        r#"{"object":"trace.span","id":"a\u0000","trace_id":"t","started_at":"2026-01-01T00:00:00Z","span_data":{}}"#,
        "control character",
    ),
];

#[test]
fn records_with_something_wrong_are_rejected_with_their_place() {
    for &(record, reason) in WRONG_RECORDS {
        let good = r#"{"object":"trace.span","id":"g","trace_id":"good","started_at":"2026-01-01T00:00:00Z","span_data":{}}"#;
        let db = in_memory();
        let report = import(&db, &format!("{good}\n{record}\n"));
        assert_eq!(
            (report.spans, report.rejected_count),
            (1, 1),
            "{record}: {report:?}"
        );
        assert_eq!(report.rejected[0].line, Some(2), "{record}");
        assert!(
            report.rejected[0].error.contains(reason),
            "{record}: {report:?}"
        );
    }
}

#[test]
fn elements_of_lists_are_read_one_by_one() {
    let span = |id: &str, time: &str| json!({"object": "trace.span", "id": id, "trace_id": "t", "started_at": time, "span_data": {"type": "agent"}});
    let (a, b, wrong) = (
        span("a", "2026-01-01T00:00:00Z"),
        span("b", "2026-01-01T00:00:01Z"),
        span("c", "never"),
    );
    for list in [
        format!("[\n{a},\n{wrong},\n{b}\n]"),
        format!("{{\"data\":[{a},{wrong},{b}]}}"),
        format!("{{\"data\":[{a},{{\"what\":1}},{b}]}}"),
        format!("[{a},7,{b}]"),
    ] {
        let db = in_memory();
        let report = import(&db, &list);
        assert_eq!(
            (report.spans, report.rejected_count),
            (2, 1),
            "{list}: {report:?}"
        );
    }
}

#[test]
fn what_holds_nothing_is_no_mistake() {
    let desk = Desk::new();
    let header = "id,run_type,start_time,inputs\n";
    for (number, nothing) in [
        "",
        "[]",
        " [ ]\n",
        "{}",
        "{\"resourceSpans\":[]}",
        "{\"data\":[]}",
        "[]\n{}\n",
        header,
    ]
    .iter()
    .enumerate()
    {
        let file = desk.file(&format!("{number}.json"), nothing.as_bytes());
        let done = tracehouse(&["import", &desk.db(), &file]);
        assert!(
            done.code == 0 && done.err.contains("no spans, log records or assessments"),
            "{nothing}: {done:?}"
        );
    }
    let something = desk.file("x.json", b"[{\"a\":1}]");
    assert_eq!(tracehouse(&["import", &desk.db(), &something]).code, 2);
}

/// A score as Langfuse exports it.
fn score(id: &str, trace: &str) -> String {
    format!(
        r#"{{"id":"{id}","traceId":"{trace}","name":"n","value":1,"source":"API","dataType":"NUMERIC"}}"#
    )
}

/// A trace as Langfuse exports it, without observations.
fn trace(id: &str) -> String {
    format!(r#"{{"id":"{id}","timestamp":"2026-01-01T00:00:00Z","name":"N","observations":[]}}"#)
}

#[test]
fn a_judgement_may_stand_before_its_trace() {
    let scores = [score("s1", "t1"), score("s2", "t2"), score("s3", "nowhere")].join("\n");
    let desk = Desk::new();
    let first = desk.file("a.jsonl", scores.as_bytes());
    let second = desk.file("b.jsonl", [trace("t2"), trace("t1")].join("\n").as_bytes());
    for (number, order) in [[&first, &second], [&second, &first]]
        .into_iter()
        .enumerate()
    {
        let db = desk
            .path(&format!("{number}.traces"))
            .to_str()
            .unwrap()
            .to_string();
        let done = tracehouse(&["--json", "import", &db, order[0], order[1]]);
        let report: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!(
            (done.code, &report["assessments"], &report["rejected_count"]),
            (0, &2.into(), &1.into())
        );
        let rejected = &report["rejected"][0];
        assert_eq!(
            (rejected["file"].as_str(), &rejected["line"]),
            (Some(first.as_str()), &3.into())
        );
        assert!(
            rejected["error"]
                .as_str()
                .unwrap()
                .contains("trace nowhere, which is not there"),
            "{done:?}"
        );
        let done = tracehouse(&[
            "--json",
            "sql",
            &db,
            "SELECT assessment_id, trace_id FROM assessments ORDER BY 1",
        ]);
        let stored: Value = serde_json::from_str(&done.out).unwrap();
        let wanted = json!([{"assessment_id": "s1", "trace_id": "t1"}, {"assessment_id": "s2", "trace_id": "t2"}]);
        assert_eq!(stored, wanted);
    }
    let db = desk.path("strict.traces").to_str().unwrap().to_string();
    let done = tracehouse(&["import", "--strict", &db, &first, &second]);
    assert!(
        done.code == 2
            && done
                .err
                .contains("a.jsonl:3: assessment \"n\" of trace nowhere"),
        "{done:?}"
    );
    // In one stream, too, however far away.
    let db = in_memory();
    let lines = [scores, "{}\n".repeat(3_000), trace("t1"), trace("t2")].join("\n");
    let report = import(&db, &lines);
    assert_eq!(
        (report.assessments, report.rejected_count),
        (2, 1),
        "{report:?}"
    );
}

#[test]
fn a_row_of_a_bulk_export_says_what_its_run_says() {
    let text = fs::read_to_string(folder().join("langsmith_runs.jsonl")).unwrap();
    let rows = text.lines().map(|line| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        let is_run = row.get("run_type").is_some();
        for (name, value) in row.as_object_mut().unwrap().iter_mut() {
            let is_structure = value.is_object() || value.is_array();
            if is_run && is_structure {
                *value = value.to_string().into();
            }
            assert!(!is_run || value.is_string() || !is_structure, "{name}");
        }
        row.to_string()
    });
    let (one, other) = (in_memory(), in_memory());
    import(&one, &text);
    import(&other, &rows.collect::<Vec<_>>().join("\n"));
    assert_eq!(contents(&one), contents(&other));
    assert!(contents(&other).contains("thumbs up") && contents(&other).contains("correctness"));
}

#[test]
fn the_log_of_a_container_holds_what_the_container_wrote() {
    let text = fs::read_to_string(folder().join("openai_agents.jsonl")).unwrap();
    let cri =
        |tag: &str, part: &str| format!("2026-01-01T00:00:00.000000000Z stdout {tag} {part}\n");
    let in_parts: String = text
        .lines()
        .map(|line| {
            let (first, rest) = line.split_at(line.len() / 2);
            format!(
                "{}2026-01-01T00:00:00Z stderr F ready\n{}",
                cri("P", first),
                cri("F", rest)
            )
        })
        .collect();
    let docker = |line: &str| {
        format!(
            "{}\n",
            json!({"log": format!("{line}\n"), "stream": "stdout", "time": "t"})
        )
    };
    let pretty: String = text
        .lines()
        .map(|line| {
            serde_json::to_string_pretty(&serde_json::from_str::<Value>(line).unwrap()).unwrap()
        })
        .flat_map(|document| {
            document
                .lines()
                .map(|line| cri("F", line))
                .collect::<Vec<_>>()
        })
        .collect();
    let plain = in_memory();
    import(&plain, &text);
    for (log, rejected) in [
        (in_parts, text.lines().count()),
        (text.lines().map(docker).collect(), 0),
        (pretty, 0),
    ] {
        let db = in_memory();
        let report = import(&db, &log);
        assert_eq!(report.rejected_count, rejected as u64, "{report:?}");
        assert_eq!(contents(&db), contents(&plain));
    }
    let report = import(&in_memory(), &cri("P", "{\"resourceSpans\":"));
    assert_eq!((report.spans, report.rejected_count), (0, 1), "{report:?}");
}

#[test]
fn an_import_that_kept_nothing_names_the_form_it_saw() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    fs::write(
        path("f.jsonl"),
        r#"{"id":"o","traceId":"t","type":"SPAN","startTime":"soon"}"#,
    )
    .unwrap();
    let done = tracehouse(&["import", &path("a.traces"), &path("f.jsonl")]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(
        done.err
            .contains("nothing was kept of 1 Langfuse observation: 1 rejected"),
        "{done:?}"
    );
    fs::copy(self::folder().join("mlflow.jsonl"), path("m.jsonl")).unwrap();
    let done = tracehouse(&["import", &path("a.traces"), &path("m.jsonl")]);
    assert!(
        done.code == 0 && done.out.contains("4 assessments from 3 MLflow traces"),
        "{done:?}"
    );
    let done = tracehouse(&["--json", "import", &path("a.traces"), &path("m.jsonl")]);
    let report: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(report["forms"], json!({"MLflow trace": 3}));
}

#[test]
fn tables_of_other_products_are_read_row_by_row() {
    let db = in_memory();
    import_file(&db, "langfuse_traces.csv");
    let scores = "\"id\",\"traceId\",\"timestamp\",\"source\",\"name\",\"dataType\",\"value\",\"stringValue\",\"comment\"\n\
        \"sc-21\",\"lf-trace-5\",\"\"\"2026-01-02T06:10:00.000Z\"\"\",\"ANNOTATION\",\"correct\",\"BOOLEAN\",\"1\",\"True\",\"so it is,\nhe said\"\n\
        \"sc-22\",\"nowhere\",\"\"\"2026-01-02T06:10:00.000Z\"\"\",\"API\",\"correct\",\"BOOLEAN\",\"1\",\"True\",\"\"\n\
        \"sc-23\",\"lf-trace-5\"\n";
    let report = import(&db, scores);
    assert_eq!(
        (report.assessments, report.rejected_count),
        (1, 2),
        "{report:?}"
    );
    let places: Vec<_> = report
        .rejected
        .iter()
        .map(|rejected| rejected.line)
        .collect();
    assert_eq!(
        places,
        [Some(5), Some(4)],
        "what has no trace is known last"
    );
    let found = rows(
        &db,
        "SELECT value, rationale, source_type FROM assessments WHERE name = 'correct'",
    );
    assert_eq!(
        found,
        [json!({"value": "true", "rationale": "so it is,\nhe said", "source_type": "HUMAN"})]
    );
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    fs::write(path("f.csv"), "trace_id,name,value\nlf-trace-5,helpful,1\n").unwrap();
    let done = tracehouse(&["import", &path("a.traces"), &path("f.csv")]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(
        done.err.contains("trace_id, name, value") && done.err.contains("--assessments"),
        "{done:?}"
    );
    let done = tracehouse(&["import", &path("a.traces"), "--assessments", &path("f.csv")]);
    assert!(
        done.code == 2 && done.err.contains("JSON lines"),
        "{done:?}"
    );
}
