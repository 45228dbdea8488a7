//! The work between requests: retention, and registered scorers. Settling and merging are the engine's own.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tracehouse::eval::{EvalOptions, EvalScorer, RegisteredScorer, definition_of, scorer_of};
use tracehouse::{CancelToken, Database, Error, ErrorKind, Result};

use crate::options::LogLevel;
use crate::state::Shared;

/// How often old traces are looked for.
const RETENTION_PAUSE: Duration = Duration::from_secs(3600);

/// Works until `stop` says so. Work that runs then is cancelled.
pub(crate) async fn run(state: Shared, stop: watch::Receiver<bool>) {
    if state.options.read_only {
        return;
    }
    let retention = every(&state, RETENTION_PAUSE, stop.clone(), retain);
    let scorers = every(&state, state.options.scorers_pause, stop, judge);
    tokio::join!(retention, scorers);
}

/// What is to be told of work that was done, or not be done; `None` when there was nothing to do.
type Told = Option<(LogLevel, &'static str, serde_json::Value)>;

/// Does `work`, then waits `pause`, until `stop`. The same is not told twice in a row.
async fn every(
    state: &Shared,
    pause: Duration,
    mut stop: watch::Receiver<bool>,
    work: fn(&Database, &Shared) -> Told,
) {
    let mut before = None;
    loop {
        let cancel = CancelToken::new();
        let (db, own) = (state.db.with_cancel(cancel.clone()), Arc::clone(state));
        let mut working = tokio::task::spawn_blocking(move || work(&db, &own));
        let told = tokio::select! {
            told = &mut working => Some(told.unwrap_or_default()),
            _ = stop.wait_for(|stop| *stop) => None,
        };
        let Some(told) = told else {
            cancel.cancel();
            // It ends before the database is closed.
            let _ = working.await;
            return;
        };
        if told != before {
            if let Some((level, event, fields)) = &told {
                state.operate.log.tell(*level, event, fields);
            }
            before = told;
        }
        let stopped = stop.wait_for(|stop| *stop);
        if tokio::time::timeout(pause, stopped).await.is_ok() {
            return;
        }
    }
}

/// Deletes what the rules do not keep.
fn retain(db: &Database, state: &Shared) -> Told {
    let rules = state.options.retention.as_slice();
    if rules.is_empty() {
        return None;
    }
    match db.retain(rules, false) {
        Ok(report) if report.trace_ids.is_empty() => None,
        Ok(report) => {
            let fields = json!({"deleted": report.deleted, "kept": report.kept});
            Some((LogLevel::Info, "retention", fields))
        }
        Err(error) => failed("retention_failed", &error),
    }
}

/// Lets registered scorers judge what waits for them. Judges ask models, which costs money: they are run by hand.
fn judge(db: &Database, _state: &Shared) -> Told {
    match judged(db) {
        Ok(()) => None,
        Err(error) => failed("scorers_failed", &error),
    }
}

fn judged(db: &Database) -> Result<()> {
    if !db.registered_scorers()?.iter().any(|one| one.active) {
        return Ok(());
    }
    db.run_registered(&EvalOptions::new(), rule_of).map(drop)
}

fn rule_of(one: &RegisteredScorer) -> Result<EvalScorer> {
    scorer_of(definition_of(&one.definition)?, |judge| {
        Err(Error::invalid_input(format!(
            "the registered scorer {} is a judge, which the server does not run: `tracehouse scorer run` does",
            judge.name()
        )))
    })
}

fn failed(event: &'static str, error: &Error) -> Told {
    // Stopping cancels it.
    if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Closed) {
        return None;
    }
    Some((LogLevel::Warn, event, json!({"error": error.to_string()})))
}
