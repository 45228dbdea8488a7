//! Words, patterns and equalities on attributes against a naive scan over what the database itself gives back:
//! the same traces for rows in memory, sealed, partly indexed, compacted and reopened.

mod generate;
mod naive;
mod words;

use std::fs;

use generate::Generator;
use naive::{Naive, Question};
use tracehouse::{Database, Search};

use crate::support::{DiskDb, data_files, import_file, import_lines, search_ids, texts};

/// Questions asked in each state.
const QUESTIONS: usize = 500;

/// Generated traces, a part of them sealed if wanted.
fn generated(seed: u64, seals: usize) -> DiskDb {
    let disk = DiskDb::new();
    let mut generator = Generator::new(seed);
    for piece in 0..=seals {
        import_lines(&disk.db, &generator.lines(60));
        if piece < seals {
            disk.db.seal().unwrap();
        }
    }
    disk
}

/// Asks generated questions; at least a third of them must have an answer.
fn compare(db: &Database, seed: u64, count: usize) {
    let naive = Naive::read(db);
    let mut generator = Generator::new(seed);
    let mut answered = 0;
    for _ in 0..count {
        let question = generator.question(&naive);
        let expected = naive.traces(&question);
        answered += usize::from(!expected.is_empty());
        let mut got = match &question {
            Question::SqlEqual { .. } | Question::SqlHolds { .. } => texts(
                db,
                &format!(
                    "SELECT DISTINCT trace_id FROM spans WHERE {}",
                    question.condition()
                ),
            ),
            _ => search_ids(db, &question.condition()),
        };
        got.sort();
        let beyond = |these: &[String], those: &[String]| {
            these
                .iter()
                .filter(|id| !those.contains(id))
                .take(3)
                .cloned()
                .collect::<Vec<_>>()
        };
        let differences = (beyond(&got, &expected), beyond(&expected, &got));
        assert!(
            got == expected,
            "{question:?}: wrong and missing {differences:?}"
        );
    }
    assert!(
        answered * 3 > count,
        "{answered} of {count} questions found something"
    );
}

#[test]
fn fresh_rows() {
    compare(&generated(1, 0).db, 101, QUESTIONS);
}

#[test]
fn sealed_rows() {
    let disk = generated(2, 3);
    disk.db.seal().unwrap();
    disk.db.index_text().unwrap();
    let stats = disk.db.stats().unwrap();
    assert_eq!((stats.segments, stats.indexed_spans), (4, stats.spans));
    compare(&disk.db, 102, QUESTIONS);
}

#[test]
fn partly_indexed_rows() {
    let disk = generated(3, 3);
    disk.db.index_text().unwrap();
    let disk = disk.reopen(false, |path| {
        let segment = fs::read_dir(path.join("seg"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        fs::remove_dir_all(segment.join("text")).unwrap();
    });
    let stats = disk.db.stats().unwrap();
    assert!(stats.indexed_spans > 0 && stats.indexed_spans < stats.spans);
    compare(&disk.db, 103, QUESTIONS);
}

#[test]
fn compacted_rows() {
    let disk = generated(4, 3);
    let ids: Vec<String> = texts(&disk.db, "SELECT trace_id FROM traces ORDER BY trace_id")
        .into_iter()
        .take(9)
        .collect();
    for id in &ids {
        disk.db.set_tag(id, "k", "v").unwrap();
    }
    disk.db.delete_traces(&ids[..4]).unwrap();
    disk.db.compact().unwrap();
    disk.db.index_text().unwrap();
    assert_eq!(disk.db.stats().unwrap().segments, 1);
    compare(&disk.db, 104, QUESTIONS);
}

#[test]
fn reopened_rows_and_late_spans() {
    let disk = generated(5, 2);
    disk.db.index_text().unwrap();
    // The spans once more, changed: of each the later one counts, the earlier one is masked.
    import_lines(&disk.db, &Generator::new(5).changed_lines(40));
    let disk = disk.reopen(false, |_| {});
    compare(&disk.db, 105, QUESTIONS);
}

#[test]
fn example_data() {
    let Some(files) = data_files() else { return };
    let disk = DiskDb::new();
    for (at, file) in files.iter().enumerate() {
        import_file(&disk.db, file);
        if at % 3 == 2 {
            disk.db.seal().unwrap();
        }
    }
    disk.db.index_text().unwrap();
    compare(&disk.db, 106, 60);
    disk.db.compact().unwrap();
    disk.db.index_text().unwrap();
    compare(&disk.db, 107, 120);
}

#[test]
fn the_way_taken_is_explained() {
    let disk = generated(6, 1);
    disk.db.index_text().unwrap();
    let explain = |filter: &str| {
        let page = disk
            .db
            .search_traces(&Search::new(filter).limit(10).explain(true))
            .unwrap();
        page.explain.unwrap().conditions.join("\n")
    };
    let spans = disk.db.stats().unwrap();
    let indexed = spans.indexed_spans;
    let scanned = spans.spans - indexed;
    assert!(indexed > 0 && scanned > 0);
    let looked_up = format!("text index of {indexed} spans, {scanned} without");
    assert!(explain("trace.text ILIKE '%imeou%'").contains(&looked_up));
    assert!(explain("span.attributes.flag = true").contains(&looked_up));
    let read = format!("text index of 0 spans, {} without", spans.spans);
    assert!(explain("trace.text ILIKE '%?!%'").contains(&read));
}

/// What MLflow would have written into a span of another convention is looked for in its columns, which no
/// index of attributes knows.
#[test]
fn translated_attributes_are_found_with_an_index() {
    let disk = DiskDb::new();
    let span = serde_json::json!({
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "search",
        "startTimeUnixNano": "1772000000000000000", "endTimeUnixNano": "1772000001000000000",
        "attributes": [
            {"key": "openinference.span.kind", "value": {"stringValue": "RETRIEVER"}},
            {"key": "input.value", "value": {"stringValue": "passages about telescopes"}},
        ],
    });
    import_lines(
        &disk.db,
        &[serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()],
    );
    let found = |filter: &str| search_ids(&disk.db, filter).len();
    let filters = [
        "span.attributes.mlflow.spanInputs LIKE '%passages about%'",
        "span.attributes.mlflow.spanType LIKE '%RETRIEVER%'",
        "span.attributes.input.value LIKE '%telescopes%'",
    ];
    for state in ["in memory", "sealed", "indexed"] {
        for filter in filters {
            assert_eq!(found(filter), 1, "{filter} {state}");
        }
        match state {
            "in memory" => disk.db.seal().unwrap(),
            _ => assert!(disk.db.index_text().is_ok()),
        }
    }
}
