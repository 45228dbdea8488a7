//! Datasets through the public API: building, merging, versions, reopening, export, SQL.

mod chosen;
mod incoming;
mod made;
mod parts;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::util::pretty::pretty_format_batches;

use crate::model::Span;
use crate::{
    Database, Dataset, ErrorKind, ExportFormat, NewAssessment, NewDataset, NewRecord, Sample,
    Search,
};

fn trace_id(trace: u32) -> String {
    format!("{trace:032x}")
}

fn root(trace: u32, inputs: Option<&str>, outputs: Option<&str>) -> Span {
    Span {
        trace_id: trace_id(trace),
        span_id: format!("{trace:016x}"),
        experiment_id: "0".into(),
        session_id: Some(format!("session-{}", trace % 2)),
        name: "answer".into(),
        span_type: "AGENT".into(),
        kind: "INTERNAL".into(),
        status: if trace.is_multiple_of(5) {
            "ERROR"
        } else {
            "OK"
        }
        .into(),
        start_time_ns: 1_700_000_000_000_000_000 + i64::from(trace),
        end_time_ns: Some(1_700_000_001_000_000_000),
        inputs: inputs.map(str::to_string),
        outputs: outputs.map(str::to_string),
        attributes: "{}".into(),
        resource: "{}".into(),
        ..Span::default()
    }
}

fn child(trace: u32) -> Span {
    Span {
        span_id: "c0000000000000ff".into(),
        parent_span_id: Some(format!("{trace:016x}")),
        start_time_ns: 1_700_000_000_500_000_000,
        ..root(trace, Some("child"), Some("child"))
    }
}

/// Traces 1 to `count`, each with its own question.
fn fill(db: &Database, count: u32) {
    for trace in 1..=count {
        let inputs = format!(r#"{{"q": "question {trace}", "n": {trace}}}"#);
        db.append(&[
            root(trace, Some(&inputs), Some("plain \"answer\"")),
            child(trace),
        ])
        .unwrap();
    }
}

fn cell(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let array = batch.column_by_name(column).unwrap().as_string_view();
    (!array.is_null(row)).then(|| array.value(row).to_string())
}

fn table(batches: &[RecordBatch]) -> String {
    pretty_format_batches(batches).unwrap().to_string()
}

/// What a record is and where it comes from, in the columns of `of_record`.
const OF_RECORD: [&str; 7] = [
    "inputs",
    "outputs",
    "expectations",
    "source_type",
    "source_trace_id",
    "source_span_id",
    "tags",
];

fn of_record(records: &RecordBatch, row: usize) -> [String; 7] {
    OF_RECORD.map(|column| cell(records, column, row).unwrap_or_else(|| "NULL".into()))
}

/// Five traces, the fourth with a text and the fifth without inputs; the first is expected to answer, and was judged.
fn expected_and_judged() -> Database {
    let db = Database::in_memory().unwrap();
    fill(&db, 3);
    db.append(&[root(4, Some("not JSON"), None)]).unwrap();
    db.append(&[root(5, None, None)]).unwrap();
    db.log_expectation(&trace_id(1), "answer", r#""old""#)
        .unwrap();
    db.seal().unwrap();
    db.log_expectation(&trace_id(1), "answer", r#"{"text": "42"}"#)
        .unwrap();
    db.assess(&trace_id(1), NewAssessment::feedback("good", "true"))
        .unwrap();
    db
}

#[test]
fn traces_become_records_with_provenance() {
    let db = expected_and_judged();
    let dataset = db.create_dataset("d").unwrap();
    let report = dataset
        .add_traces(&Search::new("").order_by(["timestamp ASC"]))
        .unwrap();
    assert_eq!(
        (
            report.inserted,
            report.updated,
            report.version,
            report.record_count
        ),
        (4, 0, 1, 4)
    );
    assert_eq!(report.skipped, 1, "trace 5 asks nothing");

    let records = dataset.records(None).unwrap();
    let first = trace_id(1);
    assert_eq!(
        of_record(&records, 0),
        [
            r#"{"q":"question 1","n":1}"#,
            r#""plain \"answer\"""#,
            r#"{"answer":{"text":"42"}}"#,
            "TRACE",
            &first,
            "0000000000000001",
            "{}"
        ]
    );
    assert_eq!(
        of_record(&records, 3)[..3],
        [r#""not JSON""#, "NULL", "NULL"]
    );
    assert!(
        cell(&records, "source_data", 0)
            .unwrap()
            .contains(r#""session_id":"session-1""#)
    );
    assert!(
        cell(&records, "dataset_record_id", 0)
            .unwrap()
            .starts_with("dr-")
    );
    assert_eq!(
        dataset.info().unwrap().query.unwrap(),
        r#"{"filter":"","order_by":["timestamp ASC"]}"#
    );

    let again = dataset
        .add_traces(&Search::new("state = 'OK'").limit(2))
        .unwrap();
    assert_eq!(
        (
            again.inserted,
            again.updated,
            again.unchanged,
            again.version
        ),
        (0, 0, 2, 1)
    );
    assert!(dataset.add_traces(&Search::new("nonsense = 1")).is_err());
}

#[test]
fn traces_that_ask_nothing_are_counted_and_make_no_record() {
    let db = Database::in_memory().unwrap();
    let span = child(3);
    let null = Span {
        attributes: r#"{"mlflow.spanInputs":"null"}"#.into(),
        ..root(2, Some("null"), None)
    };
    db.append(&[
        root(1, None, Some("out")),
        null,
        span,
        root(4, Some("{}"), None),
    ])
    .unwrap();
    let dataset = db.create_dataset("d").unwrap();
    let report = dataset.add_traces(&Search::new("")).unwrap();
    let counts = (report.inserted, report.unchanged, report.skipped);
    assert_eq!(
        counts,
        (2, 0, 2),
        "the top span's input and {{}} are inputs"
    );
    let none = dataset
        .add_traces(&Search::new(format!("trace_id = '{}'", trace_id(1))))
        .unwrap();
    assert_eq!(
        (none.inserted, none.skipped, none.version),
        (0, 1, 1),
        "no version for nothing"
    );
}

#[test]
fn of_traces_with_equal_inputs_the_first_makes_the_record() {
    let db = Database::in_memory().unwrap();
    for (trace, outputs) in [(1, "oldest"), (2, "older"), (3, "newest")] {
        db.append(&[root(trace, Some("same"), Some(outputs))])
            .unwrap();
    }
    db.log_expectation(&trace_id(1), "a", "1").unwrap();
    db.log_expectation(&trace_id(2), "a", "2").unwrap();
    db.log_expectation(&trace_id(2), "b", "2").unwrap();
    db.log_expectation(&trace_id(3), "b", "3").unwrap();
    let dataset = db.create_dataset("d").unwrap();
    let report = dataset.add_traces(&Search::new("")).unwrap();
    assert_eq!(
        (report.inserted, report.updated, report.unchanged),
        (1, 0, 2)
    );
    let records = dataset.records(None).unwrap();
    let get = |column| cell(&records, column, 0).unwrap();
    assert_eq!(
        (get("outputs").as_str(), get("source_trace_id")),
        ("\"newest\"", trace_id(3))
    );
    assert_eq!(get("expectations"), r#"{"a":2,"b":3}"#);
}

#[test]
fn equal_inputs_are_one_record_and_follow_the_merge_rules() {
    let db = Database::in_memory().unwrap();
    let dataset = db.create_dataset("d").unwrap();
    let first = NewRecord::new(r#"{"a": 1, "b": [1.50]}"#)
        .outputs(r#"{"text": "x"}"#)
        .expectations(r#"{"e": 1, "f": 2}"#)
        .tags(r#"{"t": "1"}"#);
    let report = dataset.merge(&[first.clone(), first.clone()]).unwrap();
    assert_eq!(
        (
            report.inserted,
            report.updated,
            report.unchanged,
            report.version
        ),
        (1, 0, 1, 1)
    );

    let second = NewRecord::new(r#"{"b":[1.5],"a":1}"#)
        .expectations(r#"{"f": 3, "g": null}"#)
        .tags(r#"{"u": "2"}"#)
        .source("CODE", "");
    let report = dataset.merge(&[second]).unwrap();
    assert_eq!((report.inserted, report.updated, report.version), (0, 1, 2));
    let records = dataset.records(None).unwrap();
    assert_eq!(records.num_rows(), 1);
    let get = |column| cell(&records, column, 0);
    assert_eq!(get("inputs").unwrap(), r#"{"a":1,"b":[1.50]}"#);
    assert_eq!(
        get("outputs").unwrap(),
        r#"{"text":"x"}"#,
        "no outputs given: kept"
    );
    assert_eq!(get("expectations").unwrap(), r#"{"e":1,"f":3,"g":null}"#);
    assert_eq!(get("tags").unwrap(), r#"{"t":"1","u":"2"}"#);
    assert_eq!(get("source_type").unwrap(), "HUMAN", "the source stays");

    dataset
        .merge(&[NewRecord::new(r#"{"a":1,"b":[1.5]}"#).outputs("null")])
        .unwrap();
    assert_eq!(
        cell(&dataset.records(None).unwrap(), "outputs", 0),
        None,
        "null clears"
    );
    assert_eq!(
        dataset.info().unwrap().schema,
        concat!(
            r#"{"inputs":{"a":"integer","b":"array"},"outputs":{"text":"string"},"#,
            r#""expectations":{"e":"integer","f":"integer","g":"null"},"version":"1.0"}"#
        )
    );

    let bad = dataset
        .merge(&[NewRecord::new("{}"), NewRecord::new("oops")])
        .unwrap_err();
    assert_eq!(
        (bad.kind(), bad.to_string().as_str()),
        (ErrorKind::InvalidInput, "record 2: inputs are not JSON")
    );
    let bad = dataset
        .merge(&[NewRecord::new("{}").source("ROBOT", "")])
        .unwrap_err();
    assert_eq!(bad.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        dataset.info().unwrap().version,
        3,
        "nothing of a wrong merge is kept"
    );
}

/// Records 1 and 2, then 2 with outputs and 3, then without 1: three versions, and the id of the record that is gone.
fn make_three_versions(dataset: &Dataset) -> String {
    dataset
        .merge(&[NewRecord::new("1"), NewRecord::new("2")])
        .unwrap();
    let first = dataset.records(Some(1)).unwrap();
    dataset
        .merge(&[NewRecord::new("2").outputs("2"), NewRecord::new("3")])
        .unwrap();
    let gone = cell(&first, "dataset_record_id", 0).unwrap();
    assert_eq!(
        dataset.delete_records(&[gone.as_str(), "dr-none"]).unwrap(),
        1
    );
    assert_eq!(dataset.delete_records(&["dr-none"]).unwrap(), 0);
    assert_eq!(dataset.records(Some(1)).unwrap(), first);
    gone
}

#[test]
fn versions_stay_as_they_were() {
    let db = Database::in_memory().unwrap();
    let dataset = db.create_dataset("d").unwrap();
    assert_eq!(
        (
            dataset.info().unwrap().version,
            dataset.versions().unwrap().len()
        ),
        (0, 0)
    );
    assert_eq!(dataset.records(None).unwrap().num_rows(), 0);
    let gone = make_three_versions(&dataset);
    let counts: Vec<(u32, u64)> = dataset
        .versions()
        .unwrap()
        .iter()
        .map(|info| (info.version, info.record_count))
        .collect();
    assert_eq!(counts, [(1, 2), (2, 3), (3, 2)]);

    let diff = dataset.diff(1, 3).unwrap();
    let ids = |version, row| {
        cell(
            &dataset.records(Some(version)).unwrap(),
            "dataset_record_id",
            row,
        )
        .unwrap()
    };
    assert_eq!(
        (diff.added, diff.removed, diff.changed),
        (vec![ids(2, 2)], vec![gone], vec![ids(1, 1)])
    );
    let changed = diff
        .changes
        .iter()
        .find(|change| change.record_id == ids(1, 1))
        .unwrap();
    let [part] = changed.parts.as_slice() else {
        panic!("{changed:?}")
    };
    let part = (
        part.name.as_str(),
        part.before.as_deref(),
        part.after.as_deref(),
    );
    assert_eq!(
        (changed.inputs.as_str(), part),
        ("2", ("outputs", None, Some("2")))
    );
    assert_eq!(diff.changes.len(), 3);
    assert_eq!(
        dataset.records(Some(9)).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    dataset
        .edit_tags([("owner", Some("ana")), ("none", None)])
        .unwrap();
    let info = dataset.info().unwrap();
    assert_eq!((info.version, info.tags["owner"].as_str()), (3, "ana"));
}

#[test]
fn datasets_are_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.traces");
    let db = Database::open(&path).unwrap();
    fill(&db, 4);
    let kept = db
        .create_dataset_with(NewDataset::new("kept").experiment_id("7").tag("k", "v"))
        .unwrap();
    kept.add_traces(&Search::new("").limit(2)).unwrap();
    kept.add_traces(&Search::new("")).unwrap();
    let versions = [
        kept.records(Some(1)).unwrap(),
        kept.records(Some(2)).unwrap(),
    ];
    let gone = db.create_dataset("gone").unwrap();
    gone.merge(&[NewRecord::new("1")]).unwrap();
    db.delete_dataset("gone").unwrap();
    assert_eq!(gone.info().unwrap_err().kind(), ErrorKind::NotFound);
    let info = kept.info().unwrap();
    drop((db, kept, gone));

    let stray = path.join("catalog/stray.parquet");
    std::fs::write(&stray, "x").unwrap();
    let db = Database::open(&path).unwrap();
    assert!(!stray.exists());
    assert_eq!(std::fs::read_dir(path.join("catalog")).unwrap().count(), 2);
    let kept = db.dataset("kept").unwrap();
    assert_eq!(kept.info().unwrap(), info);
    assert_eq!(
        (info.experiment_ids, info.tags["k"].as_str()),
        (vec!["7".to_string()], "v")
    );
    assert_eq!(
        [kept.records(Some(1)).unwrap(), kept.records(None).unwrap()],
        versions
    );
    assert_eq!(db.datasets().unwrap().len(), 1);
    assert_eq!(db.stats().unwrap().datasets, 1);
    assert_eq!(db.dataset_by_id(kept.id()).unwrap().name(), "kept");
}

#[test]
fn names_are_unique_and_checked() {
    let db = Database::in_memory().unwrap();
    db.create_dataset("d").unwrap();
    assert_eq!(
        db.create_dataset("d").unwrap_err().kind(),
        ErrorKind::Conflict
    );
    for name in ["", "  ", "a\nb", &"x".repeat(256)] {
        assert_eq!(
            db.create_dataset(name).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
    assert_eq!(db.dataset("none").unwrap_err().kind(), ErrorKind::NotFound);
    db.delete_dataset("d").unwrap();
    assert_eq!(
        db.delete_dataset("d").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    db.create_dataset("d").unwrap();
}

fn export(db: &Database, format: ExportFormat, name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    db.dataset(name)
        .unwrap()
        .export(format, None, &mut out)
        .unwrap();
    out
}

#[test]
fn exports_come_back_through_json_lines() {
    let db = Database::in_memory().unwrap();
    fill(&db, 3);
    db.log_expectation(&trace_id(2), "e", "[1, 2]").unwrap();
    let dataset = db.create_dataset("d").unwrap();
    dataset.add_traces(&Search::new("")).unwrap();
    let human =
        NewRecord::new("{\n \"q\": \"a, \\\"b\\\"\"\n}").source("HUMAN", r#"{"user_name": "ana"}"#);
    dataset.merge(&[human.tags(r#"{"t": 1}"#)]).unwrap();
    let lines = String::from_utf8(export(&db, ExportFormat::JsonLines, "d")).unwrap();
    assert_eq!(lines.lines().count(), 4);
    for line in lines.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            value["inputs"].is_object() && value["source"]["source_data"].is_object(),
            "{line}"
        );
    }

    let copy = db.create_dataset("copy").unwrap();
    let mut input = lines.clone();
    input.push_str("\n{\"outputs\": 1}\nnot JSON\n[]\n");
    let report = copy.merge_json_lines(input.as_bytes(), "d.jsonl").unwrap();
    assert_eq!((report.inserted, report.rejected_count), (4, 3));
    let places: Vec<Option<u64>> = report
        .rejected
        .iter()
        .map(|rejected| rejected.line)
        .collect();
    assert_eq!(places, [Some(6), Some(7), Some(8)]);
    assert_eq!(
        report.rejected[0].error,
        "a record needs inputs (or input); this one has outputs"
    );
    let without_ids = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line[line.find("\"inputs\"").unwrap()..].to_string())
            .collect()
    };
    let again = String::from_utf8(export(&db, ExportFormat::JsonLines, "copy")).unwrap();
    assert_eq!(without_ids(&again), without_ids(&lines));

    let csv = String::from_utf8(export(&db, ExportFormat::Csv, "d")).unwrap();
    assert!(
        csv.starts_with("dataset_record_id,dataset_id,dataset,version,inputs,outputs,"),
        "{csv}"
    );
    assert_eq!(csv.matches("\r\n").count(), 5);
    assert!(csv.contains(r#","{""q"":""a, \""b\""""}",,,"#), "{csv}");
    let formula = db.create_dataset("=1+1").unwrap();
    formula
        .merge_json_lines("{\"inputs\":{\"q\":\"\u{9b}\"}}".as_bytes(), "formula")
        .unwrap();
    for (format, name, text) in [
        (ExportFormat::Csv, ",'=1+1,", "\\u009b"),
        (ExportFormat::RawCsv, ",=1+1,", "\u{9b}"),
    ] {
        let csv = String::from_utf8(export(&db, format, "=1+1")).unwrap();
        assert!(csv.contains(name) && csv.contains(text), "{csv}");
    }
    let parquet = export(&db, ExportFormat::Parquet, "d");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

#[test]
fn samples_are_seeded_and_stratified() {
    let db = Database::in_memory().unwrap();
    fill(&db, 50);
    let chosen = |name: &str, sample: &Sample| {
        let dataset = db.create_dataset(name).unwrap();
        let report = dataset.add_sample(&Search::new(""), sample).unwrap();
        assert_eq!(report.inserted, sample.count.unwrap() as u64);
        let records = dataset.records(None).unwrap();
        (0..records.num_rows())
            .map(|row| cell(&records, "inputs", row).unwrap())
            .collect::<Vec<_>>()
    };
    let sample = Sample::new(10, 1);
    let first = chosen("a", &sample);
    db.seal().unwrap();
    assert_eq!(first, chosen("b", &sample), "the same in memory and sealed");
    assert_ne!(first, chosen("c", &Sample::new(10, 2)));

    chosen("strata", &Sample::new(10, 1).stratify("state"));
    let counts = db
        .sql(
            "SELECT state, count(*) AS n FROM dataset_records JOIN traces ON source_trace_id = trace_id \
             WHERE dataset = 'strata' GROUP BY state ORDER BY state",
        )
        .unwrap();
    assert_eq!(
        table(&counts).lines().skip(3).take(2).collect::<Vec<_>>(),
        ["| ERROR | 2 |", "| OK    | 8 |"]
    );
    let dataset = db.dataset("a").unwrap();
    assert!(
        dataset
            .add_sample(&Search::new(""), &Sample::new(1, 1).stratify("inputs"))
            .is_err()
    );

    let part = dataset.sample(&Sample::new(4, 9)).unwrap();
    assert_eq!(part.num_rows(), 4);
    let copy = dataset
        .sample_into(NewDataset::new("part"), &Sample::new(4, 9))
        .unwrap();
    let copied = copy.records(Some(1)).unwrap();
    assert_eq!(
        copied.column_by_name("inputs"),
        part.column_by_name("inputs")
    );
    assert_ne!(
        copied.column_by_name("dataset_record_id"),
        part.column_by_name("dataset_record_id")
    );
    assert_eq!(
        dataset
            .sample(&Sample::new(4, 9).stratify("inputs.n"))
            .unwrap()
            .num_rows(),
        4
    );
    assert!(
        dataset
            .sample(&Sample::new(4, 9).stratify("inputs"))
            .is_err()
    );
}

#[test]
fn sql_sees_the_newest_versions() {
    let db = Database::in_memory().unwrap();
    assert_eq!(
        db.sql("SELECT * FROM datasets")
            .unwrap()
            .iter()
            .map(RecordBatch::num_rows)
            .sum::<usize>(),
        0
    );
    fill(&db, 3);
    let dataset = db
        .create_dataset_with(NewDataset::new("d").tag("owner", "ana"))
        .unwrap();
    dataset.add_traces(&Search::new("").limit(1)).unwrap();
    dataset.add_traces(&Search::new("")).unwrap();
    db.create_dataset("empty").unwrap();
    let datasets = db
        .sql("SELECT name, version, record_count, tags['owner'] AS owner, query FROM Datasets ORDER BY name")
        .unwrap();
    assert_eq!(
        table(&datasets).lines().skip(3).take(2).collect::<Vec<_>>(),
        [
            r#"| d     | 2       | 3            | ana   | {"filter":""} |"#,
            "| empty | 0       | 0            |       |               |"
        ]
    );
    let records = db
        .sql(
            "SELECT dataset, version, json_get_int(inputs, 'n') AS n, source_type FROM DATASET_RECORDS \
             ORDER BY n DESC LIMIT 1",
        )
        .unwrap();
    assert_eq!(
        table(&records).lines().nth(3).unwrap(),
        "| d       | 2       | 3 | TRACE       |"
    );
    let columns = db
        .sql("SELECT count(*) FROM information_schema.columns WHERE table_name LIKE 'dataset%'")
        .unwrap();
    assert_eq!(table(&columns).lines().nth(3).unwrap(), "| 25       |");
}

#[test]
fn concurrent_merges_lose_nothing() {
    let db = Database::in_memory().unwrap();
    db.create_dataset("d").unwrap();
    let (threads, merges) = (2, 20);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let db = db.clone();
            scope.spawn(move || {
                let dataset = db.dataset("d").unwrap();
                for merge in 0..merges {
                    let own = NewRecord::new(format!("[{thread},{merge}]"));
                    let shared = NewRecord::new("{}").tags(format!(r#"{{"{thread}-{merge}":1}}"#));
                    assert_eq!(dataset.merge(&[own, shared]).unwrap().rejected_count, 0);
                }
            });
        }
    });
    let dataset = db.dataset("d").unwrap();
    let info = dataset.info().unwrap();
    assert_eq!(
        (info.version, info.record_count),
        (threads * merges, u64::from(threads * merges) + 1)
    );
    let tags = db
        .sql("SELECT tags FROM dataset_records WHERE inputs = '{}'")
        .unwrap();
    let tags: serde_json::Value =
        serde_json::from_str(&cell(&tags[0], "tags", 0).unwrap()).unwrap();
    assert_eq!(tags.as_object().unwrap().len(), (threads * merges) as usize);
}

#[test]
fn the_dataset_key_finds_the_traces_of_its_records() {
    let db = Database::in_memory().unwrap();
    fill(&db, 6);
    let some = Search::new(format!(
        "trace_id IN ('{}', '{}')",
        trace_id(1),
        trace_id(3)
    ));
    db.create_dataset("picked")
        .unwrap()
        .add_traces(&some)
        .unwrap();
    let count = |filter: &str| db.count_traces(&Search::new(filter)).unwrap();
    assert_eq!(count("dataset = 'picked'"), 2);
    assert_eq!(count("NOT dataset = 'picked'"), 4);
    assert_eq!(count("dataset IN ('picked', 'absent')"), 2);
    assert_eq!(count("dataset = 'absent'"), 0);
}
