//! Kill -9 in the middle of a run, and going on: every item has each scorer's score once, whatever was cut short.
//!
//! Judges make a run slow enough to be killed in its middle: the server answers after a pause, and says how many calls
//! it had. `TRACEHOUSE_KILLS` sets how many kills there are.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::judge_server::{Does, JudgeServer, verdict};
use super::traces::{COUNT, line};
use super::{Bench, asking, text};
use crate::command_line::report;
use crate::order::Random;
use crate::support::{seed, setting};

const KILLS: u64 = 5;
/// Calls until a kill, at most; a commit comes every eight.
const CALLS: usize = 20;
const LONG_PAUSE: Duration = Duration::from_millis(150);
const PAUSE: Duration = Duration::from_millis(4);

fn slow_server() -> JudgeServer {
    JudgeServer::start(|_, body| {
        let is_even = body.to_string().len() % 2 == 0;
        Does::SaysLate(PAUSE, verdict(is_even))
    })
}

fn spawned(bench: &Bench, server: &JudgeServer, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"))
        .args(["eval", "run", &bench.db()])
        .args(arguments)
        .args(["--judge-model", "m", "--quiet"])
        .env("OPENAI_BASE_URL", server.url())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Starts a command and kills it after some calls of the server, and a while; whether it was still there.
fn killed(bench: &Bench, server: &JudgeServer, random: &mut Random, arguments: &[&str]) -> bool {
    let calls = server.calls() + 1 + random.below(CALLS) as u64;
    let wait = Duration::from_micros(random.below(9_000) as u64);
    let mut child = spawned(bench, server, arguments);
    while server.calls() < calls {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(wait);
    let _ = child.kill();
    !child.wait().unwrap().success()
}

#[test]
fn a_killed_run_goes_on_without_a_double_or_a_gap() {
    let bench = Bench::new();
    let (server, mut random) = (slow_server(), Random::new(seed()));
    let judge = format!(
        "polite=judge:guidelines:{}",
        bench.file("polite.md", "Be polite.")
    );
    let begin = [
        "--scorer",
        "max_words:9",
        "--scorer",
        &judge,
        "--scorer",
        "sql:total_tokens",
        "--concurrency",
        "1",
    ];
    let (mut kills, wanted) = (0, setting("TRACEHOUSE_KILLS", KILLS));
    while kills < wanted {
        kills += u64::from(killed(&bench, &server, &mut random, &begin));
        let run = text(&bench.row("SELECT run_id FROM eval_runs")["run_id"]);
        assert_counted(&bench, &run);
        // Some are killed again while they go on.
        while kills < wanted && random.below(3) > 0 {
            let again = ["--resume", &run, "--concurrency", "1"];
            kills += u64::from(killed(&bench, &server, &mut random, &again));
            assert_counted(&bench, &run);
        }
        let resumed = resumed(&bench, &server, &run);
        assert_eq!(resumed["state"], "DONE");
        assert_whole(&bench, &run);
        // The next round has to ask anew.
        bench.done(&["eval", "delete", &bench.db(), &run]);
    }
}

/// What a run says once it went on to its end.
fn resumed(bench: &Bench, server: &JudgeServer, run: &str) -> Value {
    let all = [
        "--json",
        "eval",
        "run",
        &bench.db(),
        "--resume",
        run,
        "--judge-model",
        "m",
    ];
    let ended = asking(&server.url(), &all);
    assert_eq!(ended.code, 0, "{ended:?}");
    report(&ended)
}

/// What a run says of itself is true of its scores at any time.
fn assert_counted(bench: &Bench, run: &str) {
    let row = bench.row(&format!(
        "SELECT max(row_count) AS told, count(scores.run_id) AS n, count(DISTINCT scores.trace_id || scorer) AS items
         FROM eval_runs LEFT JOIN scores USING (run_id) WHERE eval_runs.run_id = '{run}'"
    ));
    assert!(row["told"] == row["n"] && row["n"] == row["items"], "{row}");
}

fn assert_whole(bench: &Bench, run: &str) {
    let whole = json!({"n": COUNT * 3, "items": COUNT * 3, "traces": COUNT, "errors": 0});
    let scores = bench.row(&format!(
        "SELECT count(*) AS n, count(DISTINCT trace_id || scorer) AS items, count(DISTINCT trace_id) AS traces,
           count(error) AS errors FROM scores WHERE run_id = '{run}'"
    ));
    assert_eq!(scores, whole);
    let feedback = bench.row(&format!(
        "SELECT count(*) AS n, count(DISTINCT trace_id || name) AS items, count(DISTINCT trace_id) AS traces,
           count(error_code) AS errors FROM assessments WHERE metadata['tracehouse.eval.run_id'] = '{run}'"
    ));
    assert_eq!(feedback, whole, "feedback");
}

#[test]
fn a_finished_run_has_nothing_left_to_do() {
    let bench = Bench::new();
    let run = bench.json("eval run", &["--scorer", "max_words:9", "--limit", "10"]);
    let id = text(&run["run_id"]);
    let again = bench.json("eval run", &["--resume", &id]);
    let without_moment = |run: &Value| {
        let mut run = run.clone();
        run.as_object_mut()
            .unwrap()
            .retain(|key, _| key != "updated_at_ns" && key != "snapshot_sequence");
        run
    };
    assert_eq!(without_moment(&again), without_moment(&run));
    assert_eq!(bench.count("SELECT count(*) AS n FROM scores"), 10);
}

#[test]
fn a_run_that_is_given_up_keeps_no_item_half_judged() {
    let bench = Bench::new();
    // All eight calls are on their way when the run is given up.
    let server = JudgeServer::start(|_, _| Does::SaysLate(LONG_PAUSE, verdict(true)));
    let arguments = [
        "--scorer",
        "judge:safety",
        "--scorer",
        "max_words:9",
        "--concurrency",
        "8",
    ];
    let mut child = spawned(&bench, &server, &arguments);
    while server.calls() < 12 {
        thread::sleep(Duration::from_millis(1));
    }
    let told = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(told.success() && !child.wait().unwrap().success());
    let run = bench.row("SELECT run_id, state, error_count, row_count FROM eval_runs");
    assert_eq!(
        (&run["state"], &run["error_count"]),
        (&json!("CANCELLED"), &json!(0)),
        "{run}"
    );
    let left = run["row_count"].as_u64().unwrap();
    assert!(left < COUNT * 2 && left.is_multiple_of(2), "{run}");
    let told = resumed(&bench, &server, &text(&run["run_id"]));
    assert_eq!(
        (&told["state"], &told["row_count"]),
        (&json!("DONE"), &json!(COUNT * 2))
    );
    assert_eq!(told["error_count"], 0);
}

#[test]
fn a_limited_run_goes_on_to_its_limit_and_no_further() {
    let bench = Bench::new();
    let run = bench.run(&["--scorer", "max_words:9", "--limit", "3"]);
    let newer = line(COUNT);
    bench.done(&["import", &bench.db(), &bench.file("new.jsonl", &newer)]);
    assert_eq!(bench.json("eval run", &["--resume", &run])["row_count"], 3);
}
