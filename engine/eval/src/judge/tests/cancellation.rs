//! Cancelling, wherever a judge waits. Broken, these would take the 20 to 60 seconds of the waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::server::{Does, Server, verdict};
use super::{item, judge_of, settings};
use crate::judge::{Client, JudgeSettings, MemoryCache};
use crate::{ScoreErrorKind, Scorer};

/// Judges in `threads` threads, cancels when the server saw `connections`, and expects the end soon.
fn cancelled(does: Does, settings: impl Fn(JudgeSettings) -> JudgeSettings, connections: u64) {
    let server = Server::script([does]);
    let settings = settings(super::settings(&server));
    let flag = Arc::new(AtomicBool::new(false));
    let client = Client::new(&settings).unwrap().with_cancel(flag.clone());
    let judge = judge_of(&settings, client);
    let kinds = thread::scope(|scope| {
        let score = |n: usize| {
            judge
                .score(&item(&n.to_string()))
                .map_err(|error| error.kind)
        };
        let threads: Vec<_> = (0..4).map(|n| scope.spawn(move || score(n))).collect();
        while server.connections() < connections {
            thread::yield_now();
        }
        flag.store(true, Ordering::Relaxed);
        let start = Instant::now();
        let kinds: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert!(start.elapsed() < Duration::from_secs(5));
        kinds
    });
    assert!(kinds.contains(&Err(ScoreErrorKind::Cancelled)), "{kinds:?}");
    let ended = |kind: &Result<_, _>| kind.is_ok() || *kind == Err(ScoreErrorKind::Cancelled);
    assert!(kinds.iter().all(ended), "{kinds:?}");

    // For good, and without a call.
    let calls = judge.client().usage().calls;
    flag.store(false, Ordering::Relaxed);
    let error = judge.score(&item("later")).unwrap_err();
    assert_eq!(error.kind, ScoreErrorKind::Cancelled);
    assert_eq!(judge.client().usage().calls, calls);
}

#[test]
fn while_the_server_is_silent() {
    cancelled(Does::Silence, |settings| settings, 4);
}

#[test]
fn while_others_have_the_place() {
    cancelled(
        Does::Silence,
        |settings| JudgeSettings {
            concurrency: 1,
            ..settings
        },
        1,
    );
}

#[test]
fn while_the_rate_is_used_up() {
    let rate = |settings| JudgeSettings {
        requests_per_minute: Some(2),
        ..settings
    };
    cancelled(Does::Answer(verdict(true)), rate, 1);
}

#[test]
fn while_the_server_wants_a_pause() {
    let does = Does::Status(429, "retry-after: 30\r\n", String::new());
    cancelled(does, |settings| settings, 4);
}

#[test]
fn while_others_hold_the_budget() {
    let budget = |settings| JudgeSettings {
        budget_usd: Some(0.05),
        ..settings
    };
    cancelled(Does::Silence, budget, 1);
}

#[test]
fn a_cancelled_client_reads_no_cache() {
    let server = Server::script([Does::Answer(verdict(true))]);
    let settings = settings(&server);
    let flag = Arc::new(AtomicBool::new(false));
    let client = Client::new(&settings).unwrap();
    let client = client
        .with_cancel(flag.clone())
        .with_cache(Arc::new(MemoryCache::new()));
    let judge = judge_of(&settings, client);
    assert!(judge.score(&item("a")).is_ok());
    flag.store(true, Ordering::Relaxed);
    assert_eq!(
        judge.score(&item("a")).unwrap_err().kind,
        ScoreErrorKind::Cancelled
    );
}
