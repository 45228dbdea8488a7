//! Erase: unique words of a trace are in the files before, and in none after, whatever state they were in.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use arrow::ipc::reader::StreamReader;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use tracehouse::{Database, NewAssessment, NewDataset, NewRecord, OpenOptions, Search, check};

use super::files;
use crate::data;
use crate::order::Random;
use crate::support::{DiskDb, import_lines, json_rows, number, quiet_settings, texts};

/// Every word that only the erased trace has begins so.
const MARK: &str = "zqx";
const VICTIM: u64 = 900;
const STATES: u64 = 50;

/// A line of the trace to be erased; each part of a span has a word of its own.
fn marked_line(span: u64) -> String {
    let text = |part: &str| json!({"stringValue": format!("{MARK}{part}{span} and more")});
    let start = 1_740_787_200_000_000_000_u64 + span * 1_000_000;
    let mut body = json!({
        "traceId": data::trace_id(VICTIM), "spanId": format!("{span:016x}"), "name": format!("{MARK}name{span}"),
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 1_000).to_string(),
        "status": {"code": 2, "message": format!("{MARK}status{span}")},
        "attributes": [
            {"key": "input.value", "value": text("input")}, {"key": "output.value", "value": text("output")},
            {"key": format!("{MARK}key{span}"), "value": text("value")},
            {"key": "mlflow.traceTag.origin", "value": text("tag")},
            {"key": "session.id", "value": {"stringValue": format!("{MARK}session")}},
        ],
        "events": [{"name": format!("{MARK}event{span}"), "timeUnixNano": start.to_string()}],
    });
    if span > 1 {
        body["parentSpanId"] = json!(format!("{:016x}", 1));
    }
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [body]}]}]}).to_string()
}

/// The files that hold a marked word, compressed parts decoded.
fn marked_files(root: &Path) -> BTreeSet<String> {
    let texts = file_texts(root).into_iter();
    texts
        .filter(|(_, texts)| texts.iter().any(|text| text.contains(MARK)))
        .map(|(name, _)| name)
        .collect()
}

/// What each file of a database says: its bytes, and what is compressed in them.
pub fn file_texts(root: &Path) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for file in files(root) {
        let (name, bytes) = (
            file.to_string_lossy().into_owned(),
            fs::read(root.join(&file)).unwrap(),
        );
        let mut texts = vec![String::from_utf8_lossy(&bytes).into_owned()];
        if name.ends_with(".parquet") {
            texts.push(parquet_text(bytes));
        } else if name.ends_with(".wal") {
            texts.extend(frames(&bytes));
        }
        found.push((name, texts));
    }
    found
}

/// All values of a Parquet file.
fn parquet_text(bytes: Vec<u8>) -> String {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))
        .unwrap()
        .build()
        .unwrap();
    let batches: Vec<_> = reader.map(|batch| batch.unwrap()).collect();
    format!("{:?}", json_rows(&batches))
}

/// All values of the records of a log file: 36 bytes of header, then the payload: an Arrow stream, one that is
/// compressed behind its length, or JSON.
fn frames(bytes: &[u8]) -> Vec<String> {
    let (mut texts, mut at) = (Vec::new(), 0);
    let spans = |stream: &[u8]| {
        let batches: Vec<_> = StreamReader::try_new(stream, None)
            .unwrap()
            .map(|b| b.unwrap())
            .collect();
        format!("{:?}", json_rows(&batches))
    };
    while at + 36 <= bytes.len() {
        let kind = bytes[at + 5];
        let len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        let payload = &bytes[at + 36..at + 36 + len];
        match kind {
            1 => texts.push(spans(payload)),
            3 => texts.push(spans(&zstd::stream::decode_all(&payload[4..]).unwrap())),
            _ => texts.push(String::from_utf8_lossy(payload).into_owned()),
        }
        at += 36 + len;
    }
    texts
}

/// Adds something of the victim, or moves rows about.
fn step(disk: DiskDb, random: &mut Random, late_span: &mut u64) -> DiskDb {
    let db = &disk.db;
    let victim = data::trace_id(VICTIM);
    match random.below(9) {
        0 => db.seal().unwrap(),
        1 => drop(db.compact().unwrap()),
        2 => drop(db.index_text().unwrap()),
        3 => return disk.reopen(true, |_| {}),
        4 => return disk.reopen(false, |_| {}),
        5 => {
            *late_span += 1;
            import_lines(db, &[marked_line(*late_span)]);
        }
        6 => db
            .set_tags(
                &victim,
                [("note", format!("{MARK}note{late_span}").as_str())],
            )
            .unwrap(),
        7 => {
            let feedback =
                NewAssessment::feedback("tone", "\"bad\"").rationale(format!("{MARK}rationale"));
            db.assess(&victim, feedback).unwrap();
        }
        _ => drop(
            db.dataset("marked")
                .unwrap()
                .add_traces(&Search::new(""))
                .unwrap(),
        ),
    }
    disk
}

#[test]
fn no_byte_of_an_erased_trace_is_left_in_fifty_states() {
    let others = data::lines();
    let mut marked_before = BTreeSet::new();
    for seed in 0..STATES {
        let mut random = Random::new(seed);
        let mut disk = DiskDb::new();
        let few = &others[..4 + random.below(6)];
        import_lines(&disk.db, few);
        disk.db.create_dataset("marked").unwrap();
        import_lines(&disk.db, &[marked_line(1), marked_line(2)]);
        let mut late_span = 2;
        for _ in 0..random.below(7) {
            disk = step(disk, &mut random, &mut late_span);
        }
        let spans = "SELECT count(*) FROM spans";
        let own = number(
            &disk.db,
            &format!("{spans} WHERE trace_id = '{}'", data::trace_id(VICTIM)),
        );
        let all = number(&disk.db, spans);
        let before = marked_files(&disk.path());
        assert!(!before.is_empty(), "state {seed}");
        marked_before.extend(before.iter().map(|name| kind_of(name)));
        if seed % 4 == 0 {
            // What was deleted before can be erased, too.
            disk.db.delete_traces(&[data::trace_id(VICTIM)]).unwrap();
        }
        let receipt = disk.db.erase_traces(&[data::trace_id(VICTIM)]).unwrap();
        assert!(receipt.complete, "state {seed}: {receipt:?}");
        let left = marked_files(&disk.path());
        assert!(left.is_empty(), "state {seed}: {left:?} after {receipt:?}");
        assert_eq!(
            number(&disk.db, spans),
            all - own,
            "state {seed}: others are untouched"
        );
        let report = disk.db.check(true).unwrap();
        assert!(report.is_clean(), "state {seed}: {report:?}");
        assert!(
            disk.db
                .search_text(&format!("{MARK}*"), 5)
                .unwrap()
                .is_empty(),
            "state {seed}"
        );
        let disk = disk.reopen(true, |path| {
            let left = marked_files(path);
            assert!(left.is_empty(), "state {seed}, closed: {left:?}");
        });
        assert_eq!(number(&disk.db, spans), all - own, "state {seed}: reopened");
    }
    // The search for marks finds them in each kind of file.
    for kind in [
        "catalog",
        "seg/spans.parquet",
        "seg/traces.parquet",
        "seg/assessments.parquet",
        "wal",
    ] {
        assert!(
            marked_before.contains(kind),
            "{kind} was never marked: {marked_before:?}"
        );
    }
}

/// The kind of a file: its folder, and in segments its name.
fn kind_of(name: &str) -> String {
    let (first, last) = (
        name.split('/').next().unwrap(),
        name.rsplit('/').next().unwrap(),
    );
    if first == "seg" {
        format!("seg/{last}")
    } else {
        first.to_string()
    }
}

#[test]
fn an_interrupted_erase_is_completed_by_the_next_open() {
    let disk = DiskDb::new();
    import_lines(&disk.db, &[marked_line(1), data::lines()[0].clone()]);
    disk.db.seal().unwrap();
    let ids = format!("{{\"trace_ids\":[\"{}\"]}}", data::trace_id(VICTIM));
    let disk = disk.reopen(true, |path| {
        // All that is left of an erase that was interrupted right after it began.
        fs::write(path.join("ERASE"), ids).unwrap();
        let notes = check(path, false).unwrap();
        assert!(
            notes.is_clean() && notes.findings.iter().any(|f| f.invariant == "I12"),
            "{notes:?}"
        );
    });
    assert!(disk.db.get_trace(&data::trace_id(VICTIM)).is_err());
    assert!(marked_files(&disk.path()).is_empty());
    assert!(!disk.path().join("ERASE").exists());
}

#[test]
fn what_a_reader_holds_is_pending_until_it_is_gone() {
    let disk = DiskDb::new();
    import_lines(&disk.db, &[marked_line(1), data::lines()[0].clone()]);
    disk.db.seal().unwrap();
    let reader = OpenOptions::new()
        .read_only(true)
        .settings(quiet_settings())
        .open(disk.path())
        .unwrap();
    let ids = |db: &Database| number(db, "SELECT count(*) FROM traces");
    let seen = ids(&reader);
    let rows = reader.search_batches(&Search::new("")).unwrap();
    let receipt = disk.db.erase_traces(&[data::trace_id(VICTIM)]).unwrap();
    assert!(
        !receipt.complete && !receipt.files.pending.is_empty(),
        "{receipt:?}"
    );
    assert!(disk.path().join("ERASE").exists());
    drop((rows, reader));
    let disk = disk.reopen(true, |_| {});
    assert_eq!(ids(&disk.db), seen - 1);
    assert!(marked_files(&disk.path()).is_empty());
    assert!(!disk.path().join("ERASE").exists());
}

#[test]
fn a_merged_record_loses_what_the_erased_trace_gave_it() {
    let db = crate::support::in_memory();
    import_lines(&db, &[marked_line(1)]);
    let made = db.create_dataset("made").unwrap();
    let inputs = format!("\"{MARK}input1 and more\"");
    made.merge(&[NewRecord::new(inputs).source("HUMAN", "")])
        .unwrap();
    made.add_traces(&Search::new("")).unwrap();
    made.merge(&[NewRecord::new("\"other\"")]).unwrap();
    let outputs = "SELECT count(*) FROM dataset_records WHERE outputs IS NOT NULL";
    assert_eq!(number(&db, outputs), 1);
    let receipt = db.erase_traces(&[data::trace_id(VICTIM)]).unwrap();
    assert!(receipt.dataset_versions > 0, "{receipt:?}");
    assert_eq!(number(&db, outputs), 0);
    assert_eq!(
        made.records(None).unwrap().num_rows(),
        2,
        "a person's record stays"
    );
    assert_eq!(made.versions().unwrap().len(), 3);
}

#[test]
fn records_of_spans_go_with_their_trace() {
    let db = crate::support::in_memory();
    import_lines(
        &db,
        &[
            marked_line(1),
            marked_line(2),
            marked_line(3),
            data::lines()[0].clone(),
        ],
    );
    let spans = db.create_dataset("spans").unwrap();
    let people = db.create_dataset("people").unwrap();
    for span in [2, 3] {
        people
            .merge(&[NewRecord::new(format!("\"{MARK}input{span} and more\"")).source("HUMAN", "")])
            .unwrap();
    }
    let others = spans
        .add_spans(&Search::new(format!("NOT span.name LIKE '{MARK}%'")))
        .unwrap()
        .inserted;
    for dataset in [&spans, &people] {
        dataset
            .add_spans(&Search::new(format!(
                "span.name LIKE '{MARK}%' AND span.parent_id IS NOT NULL"
            )))
            .unwrap();
    }
    assert_eq!(
        number(
            &db,
            "SELECT count(*) FROM dataset_records WHERE outputs LIKE '%output%'"
        ),
        4
    );
    let receipt = db.erase_traces(&[data::trace_id(VICTIM)]).unwrap();
    assert!(receipt.dataset_records >= 2, "{receipt:?}");
    assert_eq!(
        number(
            &db,
            "SELECT count(*) FROM dataset_records WHERE outputs LIKE '%output%'"
        ),
        0
    );
    assert_eq!(spans.records(None).unwrap().num_rows() as u64, others);
    assert_eq!(
        people.records(None).unwrap().num_rows(),
        2,
        "a person's records stay, without outputs"
    );
}

/// A trace of a person, with what is said of her in other places than its spans.
fn persons_trace(trace: u64, user: &str) -> String {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let body = json!({
        "traceId": data::trace_id(trace), "spanId": format!("{trace:016x}"), "name": "chat",
        "startTimeUnixNano": "1740787200000000000", "endTimeUnixNano": "1740787200000001000",
        "attributes": [
            text("user.id", user), text("session.id", &format!("session-of-{user}")),
            text("input.value", &format!("my card is {trace}-4417-1234")), text("output.value", "ok"),
            text("mlflow.traceTag.origin", "load test"),
        ],
    });
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [body]}]}]}).to_string()
}

/// Datasets whose queries, names and tags tell of the victim. One has no record of it any more.
fn make_datasets_about(db: &Database, victim: &str) {
    let queries = [
        "user = 'jane@example.com'".to_string(),
        "metadata.`mlflow.trace.user` ILIKE '%Jane@Example%' AND tags.origin = 'load test'"
            .to_string(),
        format!("trace_id IN ('{victim}')"),
        format!("trace.text LIKE '%{VICTIM}-4417%' AND status = 'OK'"),
        "session = \"session-of-jane@example.com\" OR user = 'joe@example.org'".to_string(),
    ];
    for (at, query) in queries.iter().enumerate() {
        let made = db.create_dataset(&format!("of query {at}")).unwrap();
        assert_eq!(
            made.add_traces(&Search::new(query)).unwrap().inserted,
            1 + u64::from(at == 4),
            "{query}"
        );
    }
    let new = NewDataset::new("all of jane@example.com")
        .tag("owner", "Jane@example.com")
        .tag("kind", "kept");
    db.create_dataset_with(new)
        .unwrap()
        .add_traces(&Search::new("user = 'joe@example.org'"))
        .unwrap();
    // Deleted before, and no longer in the dataset: its rows still tell what to look for.
    let first = db.dataset("of query 0").unwrap();
    let ids = texts(
        db,
        "SELECT dataset_record_id FROM dataset_records WHERE dataset = 'of query 0'",
    );
    first.delete_records(&ids).unwrap();
}

#[test]
fn what_is_said_of_datasets_loses_what_identifies_erased_traces() {
    let disk = DiskDb::new();
    import_lines(
        &disk.db,
        &[
            persons_trace(VICTIM, "jane@example.com"),
            persons_trace(901, "joe@example.org"),
        ],
    );
    let victim = data::trace_id(VICTIM);
    make_datasets_about(&disk.db, &victim);
    disk.db.delete_traces(&[&victim]).unwrap();
    let disk = disk.reopen(false, |_| {});
    let receipt = disk.db.erase_traces(&[&victim]).unwrap();
    assert!(
        receipt.complete && receipt.dataset_texts == 6,
        "{receipt:?}"
    );
    let needles = ["jane", &format!("{VICTIM}-4417"), &victim];
    let holds = |text: &str| {
        needles
            .iter()
            .any(|needle| text.to_lowercase().contains(needle))
    };
    let left = |path: &Path| -> Vec<String> {
        let all = file_texts(path).into_iter();
        all.filter(|(_, texts)| texts.iter().any(|text| holds(text)))
            .map(|(name, _)| name)
            .collect()
    };
    assert_eq!(left(&disk.path()), Vec::<String>::new());
    let disk = disk.reopen(true, |path| assert_eq!(left(path), Vec::<String>::new()));
    let infos = disk.db.datasets().unwrap();
    let named: Vec<&str> = infos.iter().map(|info| info.name.as_str()).collect();
    let renamed = infos
        .iter()
        .find(|info| info.name == format!("erased-{}", info.dataset_id))
        .unwrap();
    assert_eq!(named.len(), 6, "{named:?}");
    assert_eq!(renamed.tags["owner"], "[erased]");
    assert_eq!(renamed.tags["kind"], "kept");
    assert!(
        renamed
            .query
            .as_ref()
            .unwrap()
            .contains("user = 'joe@example.org'"),
        "{renamed:?}"
    );
    let last = disk.db.dataset("of query 4").unwrap();
    let query = last.info().unwrap().query.unwrap();
    let query: serde_json::Value = serde_json::from_str(&query).unwrap();
    assert_eq!(
        query["filter"],
        "session = \"[erased]\" OR user = 'joe@example.org'"
    );
    assert_eq!(
        last.records(None).unwrap().num_rows(),
        1,
        "the other person's record stays"
    );
}

#[test]
fn an_erase_names_the_damaged_file_that_is_in_its_way() {
    let disk = DiskDb::new();
    import_lines(&disk.db, &[marked_line(1)]);
    disk.db.seal().unwrap();
    let file = super::files_with(&disk.path(), "spans.parquet").remove(0);
    fs::remove_file(disk.path().join(&file)).unwrap();
    let error = disk.db.erase_traces(&[data::trace_id(VICTIM)]).unwrap_err();
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
    // The note stays: an open for writing goes on with the erase, and fails in the same way.
    assert!(disk.path().join("ERASE").exists());
    let path = disk.path();
    drop(disk.db);
    assert!(
        Database::open(&path)
            .unwrap_err()
            .to_string()
            .contains(file.to_str().unwrap())
    );
}
