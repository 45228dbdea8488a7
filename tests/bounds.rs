//! Bounds of a database under load: log, segments, open files, memory, and the room that a full disk keeps.

use std::fs;
use std::path::Path;

use tracehouse::{Database, ErrorKind, ImportOptions, OpenOptions, Overload, Search, Settings};

use crate::bad_input::{SmallDisk, notice};
use crate::care::files_with;
use crate::support::{number, quiet_settings, texts};

/// A line with one span of its own trace, whose name does not compress.
fn line(n: u64) -> String {
    let noise: String = (0..400_u64)
        .map(|k| format!("{:x}", (n * 400 + k).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        .collect();
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{n:032x}","spanId":"{n:016x}","name":"{noise}"}}]}}]}}]}}"#
    )
}

fn lines(count: u64) -> String {
    (1..=count).map(|n| line(n) + "\n").collect()
}

fn open_with(path: &Path, settings: Settings) -> Database {
    OpenOptions::new().settings(settings).open(path).unwrap()
}

fn spans(db: &Database) -> i64 {
    number(db, "SELECT count(DISTINCT span_id) FROM spans")
}

fn bytes_in(folder: &Path, part: &str) -> u64 {
    // A file may go between the list and the look.
    let files = files_with(folder, part).into_iter();
    files
        .filter_map(|file| fs::metadata(folder.join(file)).ok())
        .map(|found| found.len())
        .sum()
}

#[test]
fn the_log_stays_below_its_cap() {
    const CAP: u64 = 512 << 10;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.traces");
    let mut settings = quiet_settings();
    settings.wal_bytes_max = CAP;
    let db = open_with(&path, settings);
    let mut longest = 0;
    let options = ImportOptions::default().batch_lines(5);
    db.import(lines(300).as_bytes(), &options, &mut |_| {
        longest = longest.max(bytes_in(&path, ".wal"))
    })
    .unwrap();
    // One batch may come on top.
    assert!(
        longest > CAP / 4 && longest <= CAP + (64 << 10),
        "{longest}"
    );
    assert!(db.stats().unwrap().segments > 1);
    assert_eq!(spans(&db), 300);
}

#[test]
fn segments_stay_below_their_cap() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = quiet_settings();
    settings.segments_max = 4;
    let db = open_with(&folder.path().join("inline.traces"), settings);
    for n in 1..=12 {
        db.import_otlp(line(n).as_bytes(), &ImportOptions::default())
            .unwrap();
        db.seal().unwrap();
        assert!(db.stats().unwrap().segments <= 4, "after {n}");
    }
    assert_eq!(spans(&db), 12);

    let mut settings = Settings::default();
    settings.segments_max = 4;
    settings.flush_bytes_max = 64 << 10;
    let db = open_with(&folder.path().join("background.traces"), settings);
    let mut most = 0;
    let options = ImportOptions::default().batch_lines(4);
    db.import(lines(400).as_bytes(), &options, &mut |_| {
        let segments = fs::read_dir(folder.path().join("background.traces/seg"))
            .unwrap()
            .count();
        most = most.max(segments);
    })
    .unwrap();
    // Besides those that count: one being sealed, and while they are merged the old ones and the new one.
    assert!((2..=8).contains(&most), "{most}");
    assert_eq!(spans(&db), 400);
    db.close().unwrap();
}

/// Segment files of a database that this process has open.
fn open_segment_files(path: &Path) -> usize {
    let links = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links
        .filter(|link| {
            link.starts_with(path.join("seg")) && link.extension().is_some_and(|e| e == "parquet")
        })
        .count()
}

#[test]
fn open_files_stay_below_their_cap_and_answers_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("files.traces");
    let mut settings = quiet_settings();
    settings.open_files_max = 5;
    settings.cache_bytes_max = 0;
    let db = open_with(&path, settings);
    for n in 1..=12 {
        db.import_otlp(line(n).as_bytes(), &ImportOptions::default())
            .unwrap();
        db.log_feedback(&format!("{n:032x}"), "ok", "true").unwrap();
        db.seal().unwrap();
    }
    assert_eq!(db.stats().unwrap().segments, 12);
    for round in 0..3 {
        let names = texts(&db, "SELECT left(name, 20) FROM spans ORDER BY span_id");
        let expected: Vec<String> = (1..=12)
            .map(|n| line(n).split("\"name\":\"").nth(1).unwrap()[..20].to_string())
            .collect();
        assert_eq!(names, expected, "{round}");
        assert_eq!(
            db.search_traces(&Search::new("feedback.ok = true"))
                .unwrap()
                .traces
                .len(),
            12
        );
        for n in 1..=12 {
            assert_eq!(db.get_trace(&format!("{n:032x}")).unwrap().spans.len(), 1);
        }
        let (open, counted) = (open_segment_files(&path), db.stats().unwrap().open_files);
        assert!(
            open > 0 && open <= 5 && counted <= 5,
            "{open} open, {counted} counted"
        );
    }
    // A scan under way reads to the end, also what was merged away meanwhile.
    let batches = db.search_batches(&Search::new("")).unwrap();
    db.compact().unwrap();
    let rows: usize = batches.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 12);
    drop(db);
    assert_eq!(open_segment_files(&path), 0);
}

#[test]
fn memory_stays_within_its_budget() {
    const BUDGET: usize = 12 << 20;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::default().memory(BUDGET);
    settings.threads = 2;
    let db = open_with(&folder.path().join("memory.traces"), settings.clone());
    let (mut rows, mut columns) = (0, 0);
    let options = ImportOptions::default().batch_lines(20);
    db.import(lines(2_000).as_bytes(), &options, &mut |_| {
        let stats = db.stats().unwrap();
        rows = rows.max(stats.memtable_bytes);
        columns = columns.max(stats.cache_bytes);
    })
    .unwrap();
    assert_eq!(spans(&db), 2_000);
    // What does not fit is refused, and others go on.
    let large = "SELECT max(name), max(attributes), count(DISTINCT trace_id) FROM spans GROUP BY length(name)";
    assert_eq!(
        db.sql(large).unwrap_err().kind(),
        ErrorKind::ResourceExhausted
    );
    texts(
        &db,
        "SELECT count(*), min(start_time) FROM spans WHERE status = 'UNSET' AND kind <> 'x'",
    );
    let stats = db.stats().unwrap();
    columns = columns.max(stats.cache_bytes);
    // A batch of rows may come on top.
    let most = 2 * (settings.flush_bytes_max as u64 + (1 << 20));
    assert!(rows > 0 && rows <= most, "{rows} of {most}");
    assert!(
        columns > 0 && columns <= settings.cache_bytes_max as u64,
        "{columns}"
    );
    assert!(stats.segments > 1);
    db.close().unwrap();
}

#[test]
fn a_full_disk_keeps_room_to_make_more() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else {
        return notice("skipped: a small file system cannot be mounted here");
    };
    let path = folder.path().join("reserve.traces");
    let db = open_with(&path, quiet_settings());
    let mut acknowledged = 0;
    let options = ImportOptions::default().batch_lines(5);
    let text = lines(4_000);
    let error = db
        .import(text.as_bytes(), &options, &mut |p| {
            acknowledged = p.acked_spans
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(
        error.to_string().contains("space") && error.to_string().contains("deletes"),
        "{error}"
    );
    assert!(acknowledged > 20);
    assert_eq!(spans(&db) as u64, acknowledged);
    let refused = [
        db.set_tag(&format!("{:032x}", 1), "k", "v").unwrap_err(),
        db.create_dataset("d").unwrap_err(),
        db.log_feedback(&format!("{:032x}", 1), "f", "1")
            .unwrap_err(),
    ];
    assert!(
        refused
            .iter()
            .all(|error| error.kind() == ErrorKind::Unavailable),
        "{refused:?}"
    );

    // Traces are deleted, which makes room, and writing goes on in the same process.
    let ids: Vec<String> = (10..=acknowledged).map(|n| format!("{n:032x}")).collect();
    assert_eq!(db.delete_traces(&ids).unwrap(), acknowledged - 9);
    assert_eq!(spans(&db), 9);
    db.compact().unwrap();
    let report = db
        .import(lines(50).as_bytes(), &options, &mut |_| {})
        .unwrap();
    assert_eq!((report.spans, report.duplicate_spans), (41, 9));
    db.close().unwrap();
    drop(db);

    // What does not fit may be dropped and counted instead.
    let mut settings = quiet_settings();
    settings.overload = Overload::Drop { after_ms: 0 };
    let db = open_with(&path, settings);
    let before = spans(&db) as u64;
    let mut durable = 0;
    let report = db
        .import(text.as_bytes(), &options, &mut |p| durable = p.acked_spans)
        .unwrap();
    assert!(report.dropped_spans > 0, "{report:?}");
    assert_eq!(
        report.spans + report.duplicate_spans + report.dropped_spans,
        4_000
    );
    assert_eq!(
        durable,
        report.spans + report.duplicate_spans,
        "what is dropped is not acknowledged"
    );
    assert_eq!(db.stats().unwrap().dropped_spans, report.dropped_spans);
    assert_eq!(spans(&db) as u64, before + report.spans);
}
