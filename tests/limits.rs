//! Limits of time: every question ends soon after its limit, or after it was cancelled, and says which of the
//! two; patterns take time that grows with the text alone.

use std::time::{Duration, Instant};

use tracehouse::{
    CancelToken, Database, Error, ErrorKind, MetricQuery, MetricView, Search, SessionSearch,
    TextSearch,
};

use crate::data;
use crate::support::{DiskDb, import_lines, in_memory};

/// How much longer than its limit a question may take, on a machine that does other things as well.
const LATE: Duration = Duration::from_millis(1_000);

type Question = fn(&Database) -> Result<(), Error>;

const QUESTIONS: &[(&str, Question)] = &[
    ("search", |db| {
        db.search_traces(&Search::new("trace.text LIKE '%a_b%'"))
            .map(drop)
    }),
    ("shared", |db| db.search_shared(&Search::new("")).map(drop)),
    ("batches", |db| {
        db.search_batches(&Search::new("")).map(drop)
    }),
    ("ids", |db| db.search_trace_ids(&Search::new("")).map(drop)),
    ("count", |db| {
        db.count_traces(&Search::new("name != 'x'")).map(drop)
    }),
    ("text", |db| db.search_text("desk", 3).map(drop)),
    ("text where", |db| {
        db.search_text_where("desk", "state = 'OK'", 3).map(drop)
    }),
    ("sql", |db| {
        db.sql("SELECT count(*) FROM spans WHERE name <> 'x'")
            .map(drop)
    }),
    ("trace", |db| db.get_trace(&data::trace_id(1)).map(drop)),
    ("sessions", |db| {
        db.sessions(&SessionSearch::default()).map(drop)
    }),
    ("session", |db| db.session_traces("s-1", None).map(drop)),
    ("metrics", |db| {
        db.trace_metrics(&MetricQuery::new(MetricView::Traces, "trace_count"))
            .map(drop)
    }),
    ("correlation", |db| {
        db.filter_correlation(None, "state = 'OK'", "name = 'x'", "")
            .map(drop)
    }),
    ("datasets", |db| db.datasets().map(drop)),
    ("export", |db| {
        db.export_parquet(tempfile::tempdir().unwrap().path().join("x"), "")
            .map(drop)
    }),
    ("dataset add", |db| {
        db.dataset("d")?.add_traces(&Search::new("")).map(drop)
    }),
];

#[test]
fn every_question_has_a_limit_and_can_be_cancelled() {
    let disk = DiskDb::new();
    import_lines(&disk.db, &data::lines());
    disk.db.create_dataset("d").unwrap();
    disk.db.seal().unwrap();
    let cancelled = CancelToken::new();
    cancelled.cancel();
    let unhurried = disk
        .db
        .with_timeout(Duration::from_secs(100))
        .with_cancel(CancelToken::new());
    for (name, question) in QUESTIONS {
        let error = question(&disk.db.with_timeout(Duration::ZERO)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error}");
        let error = question(&disk.db.with_cancel(cancelled.clone())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{name}: {error}");
        assert!(error.to_string().contains("cancelled"), "{name}: {error}");
        if let Err(error) = question(&unhurried) {
            assert!(
                !matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Cancelled),
                "{name}: {error}"
            );
        }
    }
    let search = Search::new("").timeout(Duration::ZERO);
    assert_eq!(
        disk.db.search_traces(&search).unwrap_err().kind(),
        ErrorKind::Timeout
    );
    let search = Search::new("").cancel(cancelled.clone());
    assert_eq!(
        disk.db.count_traces(&search).unwrap_err().kind(),
        ErrorKind::Cancelled
    );
    let text = TextSearch {
        query: "a".into(),
        limit: 1,
        cancel: Some(cancelled),
        ..TextSearch::default()
    };
    assert_eq!(
        disk.db.text_search(text).unwrap_err().kind(),
        ErrorKind::Cancelled
    );
}

/// A database with names so long, in which patterns find much that almost matches.
fn slow(bytes: usize) -> Database {
    let db = in_memory();
    let text = "ab".repeat(bytes / 2);
    let lines: Vec<String> = data::lines()
        .into_iter()
        .take(3)
        .map(|line| line.replace("\"name\":\"", &format!("\"name\":\"{text}")))
        .collect();
    import_lines(&db, &lines);
    db
}

type Asked<'q> = (&'q str, &'q dyn Fn(&Database) -> Result<(), Error>);

#[test]
fn a_question_ends_soon_after_its_limit_or_its_cancellation() {
    let db = slow(1 << 20);
    let hard = format!("%a{}z_b%", "_b_a".repeat(1_000));
    let product = "SELECT count(*) FROM spans a, spans b, spans c, spans d, spans e, spans f WHERE a.name <> b.name";
    let search = Search::new(format!(
        "span.name LIKE '{hard}' OR span.name ILIKE '{hard}'"
    ));
    let sql = format!("SELECT count(*) FROM spans WHERE name LIKE '{hard}'");
    let questions: [Asked<'_>; 3] = [
        ("search", &|db| db.search_traces(&search).map(drop)),
        ("sql", &|db| db.sql(&sql).map(drop)),
        ("product", &|db| db.sql(product).map(drop)),
    ];
    for (name, question) in questions {
        let limit = Duration::from_millis(150);
        let started = Instant::now();
        let ended = question(&db.with_timeout(limit));
        let seconds = started.elapsed();
        assert!(
            ended.is_ok()
                || ended
                    .as_ref()
                    .is_err_and(|e| e.kind() == ErrorKind::Timeout),
            "{name}: {ended:?}"
        );
        assert!(seconds < limit + LATE, "{name}: {seconds:?}");

        let token = CancelToken::new();
        let later = token.clone();
        let canceller = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            later.cancel();
        });
        let started = Instant::now();
        let ended = question(&db.with_cancel(token));
        let seconds = started.elapsed();
        assert!(
            ended.is_ok()
                || ended
                    .as_ref()
                    .is_err_and(|e| e.kind() == ErrorKind::Cancelled),
            "{name}: {ended:?}"
        );
        assert!(seconds < limit + LATE, "{name}: {seconds:?}");
        canceller.join().unwrap();
    }
}

#[test]
fn patterns_of_many_wildcards_take_little_time() {
    let db = slow(1 << 18);
    let started = Instant::now();
    for pattern in [
        format!("%{}z%", "_".repeat(4_000)),
        format!("{}b", "%a".repeat(2_000)),
        format!("{}z", "%a".repeat(2_000)),
        format!("%a_{}z", "%b_a".repeat(1_000)),
        format!("%{}%", "a_".repeat(500)),
    ] {
        for operator in ["LIKE", "ILIKE"] {
            let filter = format!("span.name {operator} '{pattern}'");
            let counted = db.count_traces(&Search::new(filter.as_str())).unwrap();
            let sql = format!(
                "SELECT count(DISTINCT trace_id) AS n FROM spans WHERE name {operator} '{pattern}'"
            );
            assert_eq!(
                db.sql(&sql).unwrap()[0]
                    .column(0)
                    .as_any()
                    .downcast_ref::<arrow::array::Int64Array>()
                    .unwrap()
                    .value(0) as u64,
                counted,
                "{filter}"
            );
        }
    }
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
}
