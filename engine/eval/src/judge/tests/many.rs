//! A thousand rows in eight threads against a server that does a seeded mix of everything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;

use super::super::call::mixed;
use super::server::{Does, Server, verdict};
use super::{KEY, item, judge_of, settings};
use crate::judge::{Client, JudgeCall, JudgeSettings, JudgeUsage};
use crate::{Score, ScoreError, ScoreErrorKind, Scorer};

const ROWS: usize = 1000;
const THREADS: usize = 8;

/// What the server does with connection `number`: two thirds of them well, the rest in all the bad ways.
fn mix(seed: u64, number: u64) -> Does {
    let status = |status, body: &str| Does::Status(status, "", body.to_owned());
    match mixed(seed ^ mixed(number)) % 60 {
        0 => Does::Status(429, "retry-after: 0\r\n", String::new()),
        1 | 2 => status(429, "{\"error\": {\"message\": \"too many\"}}"),
        3 | 4 => status(500, "oops"),
        5 => status(503, ""),
        6 => status(502, "<html>Bad gateway</html>"),
        7 if number.is_multiple_of(5) => Does::Silence,
        8 => Does::Body("{\"choices\": [{\"mess".into()),
        9 => Does::Body("{\"choices\": {}, \"usage\": []}".into()),
        10 => Does::Body("<!doctype html><title>Sign in</title>".into()),
        11 => Does::Body("{\"choices\": [{\"message\": {\"content\": {\"value\": true}}}]}".into()),
        12 | 13 => Does::Cut,
        14 => Does::Close,
        15 => Does::GzipLie,
        16 if number.is_multiple_of(7) => Does::Endless,
        17 => status(
            400,
            "{\"error\": {\"message\": \"response_format is not supported\"}}",
        ),
        18 => Does::Answer("I would say yes.".into()),
        19 => Does::Answer("{\"value\": 12}".into()),
        20 => Does::Answer(format!("```json\n{}\n```", verdict(false))),
        21 => status(404, "no such thing"),
        _ => Does::Answer(verdict(!number.is_multiple_of(3))),
    }
}

struct Outcome {
    results: Vec<Result<Score, ScoreError>>,
    usage: JudgeUsage,
    observed: Vec<JudgeCall>,
    shown: String,
}

fn judge_all(settings: &JudgeSettings) -> Outcome {
    let observed: Arc<Mutex<Vec<JudgeCall>>> = Arc::default();
    let sink = observed.clone();
    let observer = Arc::new(move |call: &JudgeCall| sink.lock().unwrap().push(call.clone()));
    let judge = judge_of(
        settings,
        Client::new(settings).unwrap().with_observer(observer),
    );
    let results = thread::scope(|scope| {
        let judge = &judge;
        let part = |first: usize| {
            let rows = (first..ROWS).step_by(THREADS);
            let scores = rows.map(|row| judge.score(&item(&format!("row {row}"))));
            scores.collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..THREADS)
            .map(|first| scope.spawn(move || part(first)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let observed = observed.lock().unwrap().clone();
    let usage = judge.client().usage();
    let shown = format!("{results:?}{judge:?}{observed:?}");
    Outcome {
        results,
        usage,
        observed,
        shown,
    }
}

fn kinds(outcome: &Outcome) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for result in &outcome.results {
        let word = result
            .as_ref()
            .map_or_else(|error| error.kind.word(), |_| "scored");
        *kinds.entry(word).or_default() += 1;
    }
    kinds
}

fn check(outcome: &Outcome, server: &Server, budget_usd: f64) {
    let (usage, billed) = (outcome.usage, server.billed_usd());
    assert_eq!(outcome.results.len(), ROWS);
    // By the server's own count, and by the client's, which knows no less of it.
    assert!(billed <= budget_usd, "{billed} of {budget_usd}");
    assert!(
        usage.spent_usd + usage.unsure_usd <= budget_usd + 1e-9,
        "{usage:?}"
    );
    assert!(
        usage.spent_usd + usage.unsure_usd >= billed - 1e-9,
        "{usage:?} {billed}"
    );
    // Every call, once.
    assert_eq!(usage.calls, server.connections());
    assert_eq!(outcome.observed.len() as u64, usage.calls);
    let again = outcome
        .observed
        .iter()
        .filter(|call| call.attempt > 0)
        .count();
    assert_eq!(again as u64, usage.retries);
    let firsts = usage.calls - usage.retries - usage.repairs - usage.fallbacks;
    assert!(firsts <= ROWS as u64);
    assert!(!outcome.shown.contains(KEY));
    for result in &outcome.results {
        match result {
            Ok(score) => assert!(score.value.is_boolean() && score.passed.is_some()),
            Err(error) => assert!(!error.message.is_empty()),
        }
    }
}

#[test]
fn every_row_ends_and_the_budget_holds() {
    let server = Server::start(|number, _| mix(21, number));
    let settings = JudgeSettings {
        timeout_ms: 1000,
        budget_usd: Some(100.0),
        ..settings(&server)
    };
    let outcome = judge_all(&settings);
    check(&outcome, &server, 100.0);
    let kinds = kinds(&outcome);
    assert!(kinds["scored"] > ROWS / 2, "{kinds:?}");
    assert!(kinds.contains_key("server"), "{kinds:?}");
    assert!(!kinds.contains_key("budget"), "{kinds:?}");
    let usage = outcome.usage;
    assert!(
        usage.retries > 100 && usage.repairs > 10 && usage.fallbacks > 0,
        "{usage:?}"
    );
}

#[test]
fn a_small_budget_ends_the_run_and_holds() {
    let server = Server::start(|number, _| mix(22, number));
    let settings = JudgeSettings {
        timeout_ms: 1000,
        budget_usd: Some(4.0),
        ..settings(&server)
    };
    let outcome = judge_all(&settings);
    check(&outcome, &server, 4.0);
    let kinds = kinds(&outcome);
    assert!(kinds["scored"] > 50 && kinds["budget"] > 50, "{kinds:?}");
    let budget = |result: &&Result<Score, ScoreError>| matches!(result, Err(error) if error.kind == ScoreErrorKind::Budget);
    let first = outcome
        .results
        .iter()
        .find(budget)
        .unwrap()
        .as_ref()
        .unwrap_err();
    assert!(first.message.contains("budget_usd = 4"), "{first}");
    // Most of it was used: no row was refused because others had put aside too much.
    assert!(
        outcome.usage.spent_usd + outcome.usage.unsure_usd > 3.8,
        "{:?}",
        outcome.usage
    );
}

#[test]
fn no_more_calls_than_allowed_at_once() {
    let server = Server::script([Does::Answer(verdict(true))]);
    let settings = JudgeSettings {
        concurrency: 2,
        ..settings(&server)
    };
    let outcome = judge_all(&settings);
    assert!(outcome.results.iter().all(Result::is_ok));
    assert_eq!(server.most_at_once(), 2);
    assert_eq!(outcome.usage.calls, ROWS as u64);
}
