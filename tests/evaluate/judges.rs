//! Judges against a server that misbehaves: every item gets a score or an error, the budget holds, and what was
//! answered once is not asked again.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::erased::files_with;
use super::judge_server::{Does, INPUT_TOKENS, JudgeServer, OUTPUT_TOKENS, verdict};
use super::traces::{COUNT, trace_id};
use super::{Bench, asking, assert_close, text};
use crate::command_line::{Ended, report};

/// US dollars a million tokens.
const PRICE_INPUT: f64 = 10.0;
const PRICE_OUTPUT: f64 = 40.0;

fn cost_of_a_call() -> f64 {
    (INPUT_TOKENS as f64 * PRICE_INPUT + OUTPUT_TOKENS as f64 * PRICE_OUTPUT) / 1e6
}

fn judged(bench: &Bench, server: &JudgeServer, arguments: &[&str]) -> Ended {
    let db = bench.db();
    let polite = bench.file("polite.md", "Be polite.");
    let judge = format!("polite=judge:guidelines:{polite}");
    let own = [
        "--json",
        "eval",
        "run",
        &db,
        "--scorer",
        &judge,
        "--judge-model",
        "m",
    ];
    asking(&server.url(), &[&own[..], arguments].concat())
}

fn with_price(bench: &Bench) {
    bench.done(&[
        "prices",
        &bench.db(),
        "set",
        "m",
        "--input",
        "10",
        "--output",
        "40",
    ]);
}

/// How often each question was asked, whatever the form of the request.
#[derive(Default)]
struct Seen(Mutex<HashMap<String, u64>>);

impl Seen {
    fn before(&self, body: &Value) -> u64 {
        let mut seen = self.0.lock().unwrap();
        let count = seen.entry(body["messages"].to_string()).or_default();
        *count += 1;
        *count - 1
    }
}

/// A number of the question that nothing but its text decides, below `bound`.
fn lot(body: &Value, bound: u64) -> u64 {
    let text = body["messages"].to_string();
    text.bytes().fold(7_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    }) % bound
}

/// Says no to answers that parcels cannot be found.
fn fair(body: &Value) -> Does {
    Does::Says(verdict(!body.to_string().contains("cannot be found")))
}

#[test]
fn a_server_that_fails_now_and_then_costs_no_score() {
    let bench = Bench::new();
    with_price(&bench);
    let seen = Seen::default();
    let server = JudgeServer::start(move |_, body| match (seen.before(body), lot(body, 4)) {
        (0 | 1, 0) => Does::Refuses(429),
        (0, 1) => Does::Refuses(503),
        _ => fair(body),
    });
    let ended = judged(&bench, &server, &["--concurrency", "8"]);
    let run = report(&ended);
    let told = (ended.code, &run["row_count"], &run["error_count"]);
    assert_eq!(told, (0, &json!(COUNT), &json!(0)), "{ended:?}");
    assert!(server.calls() > COUNT, "{} calls", server.calls());
    let row = bench.row(
        "SELECT count(*) AS n, sum(CASE WHEN s.passed = (a.value_number = 1) THEN 1 ELSE 0 END) AS fair,
           sum(s.cost_usd) AS cost, count(s.rationale) AS reasons
         FROM scores s JOIN assessments a USING (trace_id) WHERE a.name = 'reward'",
    );
    let all = json!(COUNT);
    assert_eq!(
        (&row["n"], &row["fair"], &row["reasons"]),
        (&all, &all, &all)
    );
    assert_close(
        "cost",
        &row["cost"],
        &json!(COUNT as f64 * cost_of_a_call()),
    );
    let told = bench.row("SELECT cost_usd AS n FROM eval_runs");
    assert_close("the run's cost", &told["n"], &row["cost"]);
    let judged =
        "SELECT count(*) AS n FROM assessments WHERE name = 'polite' AND source_type = 'LLM_JUDGE'";
    assert_eq!(bench.count(judged), COUNT);
}

#[test]
fn calls_are_traces_that_go_with_what_they_judged() {
    const SAID: &str = "said-of-the-last-but-one";
    let bench = Bench::new();
    with_price(&bench);
    let (seen, word) = (Seen::default(), format!("thing{}x3", COUNT - 2));
    let server = JudgeServer::start(move |_, body| match (seen.before(body), lot(body, 4)) {
        (0, 0) => Does::Refuses(503),
        _ => {
            let why = [SAID, "because"][usize::from(!body.to_string().contains(&word))];
            Does::Says(json!({"rationale": why, "value": true}).to_string())
        }
    });
    let ended = judged(&bench, &server, &["--judge-traces", "judges"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let run = text(&report(&ended)["run_id"]);
    let calls = bench.row(
        "SELECT count(*) AS n, sum(CASE WHEN state = 'ERROR' THEN 1 ELSE 0 END) AS errors, sum(cost_usd) AS cost,
           count(DISTINCT metadata['tracehouse.eval.trace_id']) AS judged, max(metadata['tracehouse.eval.run_id']) AS run
         FROM traces WHERE experiment_id = 'judges'",
    );
    assert_eq!(calls["n"], json!(server.calls()));
    assert_eq!(calls["errors"], json!(server.calls() - COUNT));
    assert_eq!(
        (&calls["judged"], &calls["run"]),
        (&json!(COUNT), &json!(run))
    );
    let cost = COUNT as f64 * cost_of_a_call();
    assert_close("cost", &calls["cost"], &json!(cost));
    // A run that goes on does not judge what came of it.
    let db = bench.db();
    let again = ["--json", "eval", "run", &db, "--resume", &run];
    let again = asking(
        &server.url(),
        &[&again[..], &["--judge-model", "m"]].concat(),
    );
    assert_eq!(report(&again)["row_count"], json!(COUNT), "{again:?}");
    assert!(!files_with(&bench, SAID).is_empty(), "it is stored");
    // The last question is the one before it with a word more, so both have to go.
    let ids = [trace_id(COUNT - 1), trace_id(COUNT - 2)];
    bench.done(&["delete", &db, &ids[0], &ids[1], "--erase", "--yes"]);
    let judged = "SELECT count(DISTINCT metadata['tracehouse.eval.trace_id']) AS n FROM traces
                  WHERE experiment_id = 'judges'";
    assert_eq!(bench.count(judged), COUNT - 2);
    let said = format!("SELECT count(*) AS n FROM spans WHERE outputs LIKE '%{SAID}%'");
    assert_eq!(bench.count(&said), 0);
    assert_eq!(files_with(&bench, SAID), Vec::<PathBuf>::new());
}

#[test]
fn what_cannot_be_judged_is_an_error_of_its_kind() {
    let bench = Bench::new();
    let server = JudgeServer::start(|_, body| match lot(body, 3) {
        0 => Does::Refuses(401),
        1 => Does::Says("I would rather not say.".into()),
        _ => fair(body),
    });
    let ended = judged(&bench, &server, &["--scorer", "judge:correctness"]);
    assert_eq!(
        (ended.code, &report(&ended)["state"]),
        (0, &json!("DONE")),
        "{ended:?}"
    );
    let kinds = bench.rows(
        "SELECT DISTINCT split_part(error, ':', 1) AS kind FROM scores WHERE error IS NOT NULL ORDER BY 1",
    );
    let kinds: Vec<String> = kinds.iter().map(|row| text(&row["kind"])).collect();
    assert_eq!(kinds, ["malformed", "missing", "server"]);
    let row = bench.row(
        "SELECT count(*) AS n, count(value) + count(error) AS told, count(CASE WHEN value IS NOT NULL
           AND error IS NOT NULL THEN 1 END) AS both FROM scores",
    );
    assert_eq!(row, json!({"n": COUNT * 2, "told": COUNT * 2, "both": 0}));
    let missing =
        "SELECT count(*) AS n FROM scores WHERE scorer = 'correctness' AND error LIKE 'missing:%'";
    assert_eq!(bench.count(missing), COUNT / 10);
}

#[test]
fn answers_that_break_are_asked_for_again() {
    let bench = Bench::new();
    let seen = Seen::default();
    let server = JudgeServer::start(move |_, body| match (seen.before(body), lot(body, 2)) {
        (0, 0) => Does::Babbles,
        (0, _) => Does::Breaks,
        _ => fair(body),
    });
    let run = report(&judged(&bench, &server, &["--limit", "4"]));
    assert_eq!(
        (&run["row_count"], &run["error_count"]),
        (&json!(4), &json!(0)),
        "{run}"
    );
    assert_eq!(server.calls(), 8);
}

#[test]
fn the_budget_is_never_exceeded() {
    let bench = Bench::new();
    with_price(&bench);
    let server = JudgeServer::start(|_, body| fair(body));
    let budget = 10.5 * cost_of_a_call();
    let ended = judged(
        &bench,
        &server,
        &["--budget", &budget.to_string(), "--concurrency", "4"],
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    let billed = server.calls() as f64 * cost_of_a_call();
    assert!(billed > 0.0 && billed <= budget, "{billed} of {budget}");
    let row = bench
        .row("SELECT count(*) AS n, sum(cost_usd) AS cost, count(error) AS errors FROM scores");
    assert_eq!(
        (&row["n"], &row["errors"]),
        (&json!(COUNT), &json!(COUNT - server.calls()))
    );
    assert_close("cost", &row["cost"], &json!(billed));
    let over = bench.count("SELECT count(*) AS n FROM scores WHERE error LIKE 'budget: %'");
    assert_eq!(over, COUNT - server.calls());
}

#[test]
fn a_question_is_asked_once() {
    let bench = Bench::new();
    let server = JudgeServer::start(|_, body| fair(body));
    let first = report(&judged(&bench, &server, &[]));
    assert_eq!(server.calls(), COUNT);
    let second = report(&judged(&bench, &server, &[]));
    assert_eq!(server.calls(), COUNT, "the second run asks nothing");
    let (first, second) = (text(&first["run_id"]), text(&second["run_id"]));
    let same = bench.count(&format!(
        "SELECT count(*) AS n FROM scores a JOIN scores b USING (trace_id) WHERE a.run_id = '{first}'
           AND b.run_id = '{second}' AND a.value = b.value AND a.rationale = b.rationale"
    ));
    assert_eq!(same, COUNT);
    let other = format!("judge:guidelines:{}", bench.file("other.md", "Be short."));
    let db = bench.db();
    let all = [
        "eval",
        "run",
        &db,
        "--scorer",
        &other,
        "--judge-model",
        "m",
        "--limit",
        "3",
    ];
    assert_eq!(asking(&server.url(), &all).code, 0);
    assert_eq!(
        server.calls(),
        COUNT + 3,
        "another guideline is another question"
    );
}

#[test]
fn the_key_is_stored_nowhere() {
    const KEY: &str = "sk-of-a-test-0123456789abcdef";
    let bench = Bench::new();
    let server = JudgeServer::start(|_, body| match lot(body, 2) {
        0 => Does::Refuses(401),
        _ => fair(body),
    });
    let (db, url) = (bench.db(), server.url());
    let output = Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"))
        .args([
            "eval",
            "run",
            &db,
            "--scorer",
            "judge:safety",
            "--judge-model",
            "m",
            "--judge-url",
            &url,
        ])
        .env("OPENAI_API_KEY", KEY)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.calls(), COUNT);
    let has = |bytes: &[u8]| {
        bytes
            .windows(KEY.len())
            .any(|window| window == KEY.as_bytes())
    };
    assert!(!has(&output.stdout) && !has(&output.stderr));
    let (mut folders, mut files) = (vec![bench.path("app.traces")], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
                assert!(!has(&fs::read(&path).unwrap()), "{}", path.display());
            }
        }
    }
    assert!(files > 3, "{files} files");
}
