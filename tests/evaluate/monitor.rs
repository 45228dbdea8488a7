//! Registered scorers: what waits, what was judged, samples, versions.

use serde_json::{Value, json};

use super::traces::{COUNT, line};
use super::{Bench, text};
use crate::command_line::tracehouse;

/// What `scorer list` and the like say of one scorer.
fn of<'v>(reports: &'v Value, name: &str) -> &'v Value {
    let all = reports["reports"].as_array().unwrap();
    let found = all.iter().find(|report| report["name"] == name);
    found.unwrap_or_else(|| panic!("{name}: {reports}"))
}

/// Waiting and judged, as told.
fn told(reports: &Value, name: &str) -> (u64, u64) {
    let report = of(reports, name);
    let count = |key: &str| report[key].as_u64().unwrap();
    (count("waiting"), count("judged"))
}

#[test]
fn history_and_new_traces_are_judged_once() {
    let bench = Bench::new();
    bench.json(
        "scorer register",
        &[
            "--scorer",
            "max_words:9",
            "--where",
            "service_name = 'shop'",
        ],
    );
    bench.json("scorer register", &["--scorer", "slow=latency_ms:400"]);
    let (third, all) = (COUNT / 3, COUNT);
    let plan = bench.json("scorer run", &["--dry-run"]);
    assert_eq!(
        (told(&plan, "max_words"), told(&plan, "slow")),
        ((third, 0), (all, 0))
    );
    assert_eq!(
        bench.count("SELECT count(*) AS n FROM scores"),
        0,
        "a plan judges nothing"
    );
    let done = bench.json("scorer run", &[]);
    assert_eq!(
        (told(&done, "max_words"), told(&done, "slow")),
        ((0, third), (0, all))
    );
    assert_eq!(
        told(&bench.json("scorer run", &[]), "slow"),
        (0, all),
        "again is nothing new"
    );
    let wrong = bench.count(
        "SELECT count(*) AS n FROM scores JOIN traces USING (trace_id) WHERE scorer = 'max_words' AND service_name != 'shop'",
    );
    assert_eq!(wrong, 0);
    let line = line(COUNT);
    bench.done(&["import", &bench.db(), &bench.file("new.jsonl", &line)]);
    assert_eq!(told(&bench.json("scorer list", &[]), "slow"), (1, all));
    bench.done(&["scorer", "stop", &bench.db(), "slow"]);
    assert_eq!(
        told(&bench.json("scorer run", &[]), "slow"),
        (1, all),
        "a stopped one judges nothing"
    );
    bench.done(&["scorer", "start", &bench.db(), "slow"]);
    assert_eq!(told(&bench.json("scorer run", &[]), "slow"), (0, all + 1));
    let row = bench.row("SELECT count(*) AS n, count(DISTINCT trace_id) AS traces, count(DISTINCT run_id) AS runs FROM scores WHERE scorer = 'slow'");
    assert_eq!(
        row,
        json!({"n": all + 1, "traces": all + 1, "runs": 1}),
        "one run goes on"
    );
}

#[test]
fn a_new_version_judges_history_again_and_the_old_scores_stay() {
    let bench = Bench::new();
    bench.json("scorer register", &["--scorer", "max_words:9"]);
    bench.json("scorer run", &[]);
    let first = bench.row("SELECT version, definition FROM registered_scorers");
    bench.json("scorer register", &["--scorer", "max_words:7"]);
    let row =
        bench.row("SELECT name, version, filter, sample_rate, active FROM registered_scorers");
    assert_ne!(row["version"], first["version"]);
    assert_eq!(
        (&row["name"], &row["sample_rate"], &row["active"]),
        (&json!("max_words"), &json!(1.0), &json!(true))
    );
    assert_eq!(
        told(&bench.json("scorer list", &[]), "max_words"),
        (COUNT, 0)
    );
    bench.json("scorer run", &[]);
    let rows = bench.rows("SELECT scorer_version, count(*) AS n FROM scores GROUP BY 1");
    assert!(
        rows.len() == 2 && rows.iter().all(|row| row["n"] == COUNT),
        "{rows:?}"
    );
    bench.done(&["scorer", "delete", &bench.db(), "max_words"]);
    assert_eq!(
        bench.count("SELECT count(*) AS n FROM registered_scorers"),
        0
    );
    assert_eq!(bench.count("SELECT count(*) AS n FROM scores"), COUNT * 2);
}

#[test]
fn a_larger_sample_keeps_the_smaller_one() {
    let sampled = |rate: &str| {
        let bench = Bench::new();
        bench.json(
            "scorer register",
            &["--scorer", "max_words:9", "--sample-rate", rate],
        );
        bench.json("scorer run", &[]);
        let rows = bench.rows("SELECT trace_id FROM scores ORDER BY trace_id");
        rows.iter()
            .map(|row| text(&row["trace_id"]))
            .collect::<Vec<String>>()
    };
    let (small, again, large) = (sampled("0.3"), sampled("0.3"), sampled("0.6"));
    assert_eq!(small, again, "an id is in a sample or not");
    assert!(
        small.iter().all(|id| large.contains(id)),
        "{small:?} {large:?}"
    );
    let near = |ids: &[String], share: f64| (ids.len() as f64 - COUNT as f64 * share).abs() < 15.0;
    assert!(
        near(&small, 0.3) && near(&large, 0.6),
        "{} {}",
        small.len(),
        large.len()
    );
}

#[test]
fn a_scorer_whose_rows_are_errors_says_so() {
    let bench = Bench::new();
    bench.json("scorer register", &["--scorer", "exact_match"]);
    let done = bench.json("scorer run", &[]);
    let errors = bench.count("SELECT count(error) AS n FROM scores");
    assert_eq!(
        (&of(&done, "exact_match")["errors"], errors),
        (&json!(COUNT / 10), COUNT / 10)
    );
    let table = tracehouse(&["scorer", "list", &bench.db()]);
    assert!(
        table.code == 0 && table.out.contains("exact_match"),
        "{table:?}"
    );
}
