//! `start_trace`: the row depends on what was said, never on when; a trace needs no span.

use tracehouse::model::{Span, StartUsage, TraceRow};
use tracehouse::{Database, Search, TraceStart};

use super::{id, in_every_place, span};
use crate::order::Random;
use crate::support::{DiskDb, number, search_ids};

/// Random lives of a trace, for each kind of start.
const ROUNDS: u64 = 12;

fn start(trace: u32) -> TraceStart {
    let usage = StartUsage {
        total_tokens: Some(7),
        total_cost: Some(0.1 + 0.2),
        ..StartUsage::default()
    };
    TraceStart::new(
        format!("tr-{}", id(trace)),
        i64::from(trace) * 1_000_000_000 + 1_000_000,
    )
    .state("OK")
    .duration_ns(9_000_000)
    .name("started")
    .client_request_id("c-1")
    .previews(Some("why".into()), None)
    .session_id("s-1")
    .user_id("ana")
    .tag("env", "prod")
    .tag("team", "a")
    .metadata("mlflow.sourceRun", "r1")
    .usage(usage)
}

/// What is done to a trace; tag edits keep their order, the rest may come in any.
#[derive(Clone)]
enum Step {
    Spans(Vec<Span>),
    Start(Box<TraceStart>),
    Tag(&'static str, Option<&'static str>),
    Link(&'static str),
}

fn play(db: &Database, trace: u32, step: &Step) {
    match step {
        Step::Spans(spans) => drop(db.append(spans).unwrap()),
        Step::Start(start) => db.start_trace(start).unwrap(),
        Step::Tag(key, Some(value)) => db.set_tag(&id(trace), key, value).unwrap(),
        Step::Tag(key, None) => db.delete_tag(&id(trace), key).unwrap(),
        Step::Link(run) => db.link_traces_to_run(&[id(trace)], run).unwrap(),
    }
}

fn row(db: &Database, trace: u32) -> TraceRow {
    let page = db
        .search_traces(&Search::new(format!("trace_id = '{}'", id(trace))))
        .unwrap();
    assert_eq!(page.traces.len(), 1);
    assert_eq!(page.traces[0], db.get_trace_info(&id(trace)).unwrap());
    page.traces.into_iter().next().unwrap()
}

#[test]
fn the_row_is_the_same_in_any_order() {
    for settled in [true, false] {
        let start =
            start(1)
                .finalised(settled)
                .state(if settled { "ERROR" } else { "IN_PROGRESS" });
        let mut want: Option<TraceRow> = None;
        for seed in 0..ROUNDS {
            let got = interleaved(&start, seed);
            let want = want.get_or_insert_with(|| got.clone());
            assert_eq!(&got, want, "settled {settled}, seed {seed}");
        }
        let want = want.unwrap();
        assert_eq!(
            (want.span_count, want.state.as_str()),
            (4, if settled { "ERROR" } else { "OK" })
        );
        assert_eq!(want.name.as_deref(), Some("renamed"));
        assert_eq!(want.tags["env"], "dev");
        assert!(!want.tags.contains_key("mine"));
        assert_eq!(
            (want.session_id.as_deref(), want.user_id.as_deref()),
            (Some("s-1"), Some("ana"))
        );
        assert_eq!(
            (want.usage.total_tokens, want.usage.input_tokens),
            (Some(7), Some(1))
        );
        assert_eq!(
            want.metadata["mlflow.trace.tokenUsage"],
            r#"{"total_tokens": 7}"#
        );
    }
}

/// One random life of trace 1, with seals, merges and openings between the steps.
fn interleaved(start: &TraceStart, seed: u64) -> TraceRow {
    let mut random = Random::new(seed);
    let mut any: Vec<Step> = vec![
        Step::Start(Box::new(start.clone())),
        Step::Spans(vec![span(1, 1), span(1, 2)]),
        Step::Spans(vec![span(1, 0)]),
        Step::Spans(vec![span(1, 1), span(1, 3)]),
        Step::Spans(vec![span(2, 0)]),
    ];
    let first = random.below(4);
    any.swap(0, first);
    let mut tags = vec![
        Step::Tag("mine", Some("1")),
        Step::Tag("env", Some("test")),
        Step::Link("run-2"),
        Step::Tag("mlflow.traceName", Some("renamed")),
        Step::Tag("env", Some("dev")),
        Step::Tag("mine", None),
    ]
    .into_iter();
    let mut disk = DiskDb::new();
    // The trace exists before its first tag.
    play(&disk.db, 1, &any.remove(0));
    loop {
        match random.below(12) {
            0 => disk.db.seal().unwrap(),
            1 => drop(disk.db.compact().unwrap()),
            2 => disk = disk.reopen(random.below(2) == 0, |_| {}),
            3 => {
                disk = disk.reopen(true, |path| {
                    std::fs::remove_dir_all(path.join("kv")).unwrap()
                })
            }
            4 => drop(row(&disk.db, 1)),
            5..8 => match tags.next() {
                Some(step) => play(&disk.db, 1, &step),
                None if any.is_empty() => return row(&disk.db, 1),
                None => {}
            },
            _ if any.is_empty() => {}
            _ => play(&disk.db, 1, &any.remove(random.below(any.len()))),
        }
    }
}

#[test]
fn a_trace_needs_no_span() {
    let act = |db: &Database| {
        db.append(&[span(1, 0)]).unwrap();
        db.start_trace(&start(2)).unwrap();
        db.start_trace(&start(3).experiment_id("7").state("ERROR").session_id("s-2"))
            .unwrap();
        db.start_trace(&start(4)).unwrap();
        assert_eq!(db.delete_traces(&[id(4)]).unwrap(), 1);
    };
    in_every_place(act, |db, place| {
        assert_eq!(search_ids(db, ""), [id(3), id(2), id(1)], "{place}");
        assert_eq!(
            search_ids(db, "session = 's-1' AND run_id = 'r1'"),
            [id(2)],
            "{place}"
        );
        assert_eq!(
            search_ids(db, "tags.env = 'prod' AND status = 'ERROR'"),
            [id(3)],
            "{place}"
        );
        assert_eq!(
            search_ids(
                db,
                "metadata.mlflow.trace.tokenUsage = '{\"total_tokens\": 7}'"
            )
            .len(),
            2
        );
        assert_eq!(
            search_ids(db, "user = 'ana' AND cost > 0.3 AND execution_time = 9").len(),
            2,
            "{place}"
        );
        assert_eq!(search_ids(db, "span.name = 'span 0'"), [id(1)], "{place}");
        assert_eq!(
            number(
                db,
                "SELECT count(*) FROM traces WHERE session_id = 's-2' AND inputs IS NULL"
            ),
            1
        );
        let trace = db.get_trace(&id(2)).unwrap();
        assert_eq!(
            (trace.spans.len(), trace.root(), trace.info.span_count),
            (0, None, 0),
            "{place}"
        );
        assert_eq!(
            trace.info.request_preview.as_deref(),
            Some("why"),
            "{place}"
        );
        assert_eq!(db.stats().unwrap().traces, 3, "{place}");
        assert_eq!(
            db.count_traces(&Search::new("").experiments(["7"]))
                .unwrap(),
            1,
            "{place}"
        );
        assert_eq!(
            db.get_trace(&id(4)).unwrap_err().code(),
            "RESOURCE_DOES_NOT_EXIST",
            "{place}"
        );
    });
}

#[test]
fn a_deleted_trace_starts_anew() {
    let act = |db: &Database| {
        db.start_trace(&start(1)).unwrap();
        db.set_tag(&id(1), "mine", "1").unwrap();
        db.delete_traces(&[id(1)]).unwrap();
        db.append(&[span(1, 0)]).unwrap();
    };
    in_every_place(act, |db, place| {
        let row = row(db, 1);
        assert_eq!(
            (row.name.as_deref(), row.tags.len(), row.session_id),
            (Some("span 0"), 0, None),
            "{place}"
        );
    });
}

#[test]
fn what_cannot_be_started_is_refused() {
    let db = crate::support::in_memory();
    db.start_trace(&start(1)).unwrap();
    let long = "k".repeat(251);
    for bad in [
        start(1).experiment_id("9"),
        start(2).state("ok"),
        start(2).duration_ns(-1),
        start(2).tag(&long, "v"),
        start(2).tag("a?b", "v"),
        start(2).metadata("", "v"),
        start(2).metadata("mlflow.trace.session", "other"),
        start(2).session_id(&long),
        start(2).name("n".repeat(4_097)),
        TraceStart::new("", 0),
        TraceStart::new("x".repeat(129), 0),
    ] {
        assert_eq!(
            db.start_trace(&bad).unwrap_err().code(),
            "INVALID_PARAMETER_VALUE",
            "{bad:?}"
        );
    }
    assert_eq!(db.stats().unwrap().traces, 1);
    // Usage and scope may be said in the words of the metadata.
    let by_key = TraceStart::new(id(3), 5)
        .metadata("mlflow.trace.session", "s-9")
        .metadata(
            "mlflow.trace.tokenUsage",
            r#"{"output_tokens":4,"input_tokens":3,"x":1,"total_tokens":7.0}"#,
        )
        .metadata(
            "mlflow.trace.cost",
            r#"{"input_cost":0.25,"output_cost":0.5}"#,
        )
        .tag("mlflow.traceName", "by tag")
        .previews(Some("p".repeat(1001)), None);
    db.start_trace(&by_key).unwrap();
    let row = row(&db, 3);
    assert_eq!(
        (row.session_id.as_deref(), row.name.as_deref()),
        (Some("s-9"), Some("by tag"))
    );
    assert_eq!(
        (
            row.usage.input_tokens,
            row.usage.total_tokens,
            row.usage.cost_usd
        ),
        (Some(3), Some(7), Some(0.75))
    );
    let usage = r#"{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}"#;
    assert_eq!(row.metadata["mlflow.trace.tokenUsage"], usage);
    assert_eq!(
        row.metadata["mlflow.trace.cost"],
        r#"{"input_cost": 0.25, "output_cost": 0.5}"#
    );
    assert_eq!(row.request_preview.unwrap().chars().count(), 1_000);
}

#[test]
fn a_trace_is_given_to_one_experiment() {
    const THREADS: u32 = 4;
    const TRACES: u32 = 60;
    let db = crate::support::in_memory();
    let both = [start(1), start(1).experiment_id("9")];
    assert_eq!(
        db.start_traces(&both).unwrap_err().code(),
        "INVALID_PARAMETER_VALUE"
    );
    assert_eq!(db.stats().unwrap().traces, 0, "all or none");
    // Of starts at the same time, each for another experiment, one succeeds.
    let together = std::sync::Barrier::new(THREADS as usize);
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (db, together) = (&db, &together);
                scope.spawn(move || -> Vec<bool> {
                    let start = |trace| start(trace).experiment_id(thread.to_string());
                    let race = |trace| {
                        together.wait();
                        db.start_trace(&start(trace)).is_ok()
                    };
                    (0..TRACES).map(race).collect()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    for trace in 0..TRACES {
        let started: Vec<usize> = (0..THREADS as usize)
            .filter(|thread| results[*thread][trace as usize])
            .collect();
        assert_eq!(started.len(), 1, "trace {trace} was started by {started:?}");
        assert_eq!(
            row(&db, trace).experiment_id,
            started[0].to_string(),
            "trace {trace}"
        );
    }
}

#[test]
fn the_command_line_shows_a_trace_without_spans() {
    let disk = DiskDb::new();
    disk.db.start_trace(&start(2)).unwrap();
    disk.db.close().unwrap();
    let path = disk.path();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"));
        let ended = command
            .arg(arguments[0])
            .arg(&path)
            .args(&arguments[1..])
            .output()
            .unwrap();
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
        String::from_utf8(ended.stdout).unwrap()
    };
    assert!(run(&["show", &id(2)]).contains("started"));
    let shown: serde_json::Value = serde_json::from_str(&run(&["show", &id(2), "--json"])).unwrap();
    assert_eq!(
        (&shown["trace"]["session_id"], &shown["spans"]),
        (&"s-1".into(), &serde_json::json!([]))
    );
    assert_eq!(
        run(&["search", "session = 's-1'", "--format", "ids"]).trim(),
        id(2)
    );
    let sessions: serde_json::Value = serde_json::from_str(&run(&["sessions", "--json"])).unwrap();
    assert_eq!(sessions["sessions"][0]["trace_count"], 1);
    let latency = run(&[
        "metrics",
        "traces",
        "latency",
        "--aggregate",
        "max",
        "--json",
    ]);
    let latency: serde_json::Value = serde_json::from_str(&latency).unwrap();
    assert_eq!(
        (&latency["points"][0]["values"]["MAX"], &latency["has_more"]),
        (&9.0.into(), &false.into())
    );
}
