//! Judges against a server that misbehaves.

mod behaviour;
mod cancellation;
mod forms;
mod judging;
mod making;
mod many;
mod server;

use std::sync::Arc;

use serde_json::json;

use super::{Client, Judge, JudgeKind, JudgeSettings, JudgeUsage};
use crate::{Item, Score, ScoreError, Scorer};
use server::Server;

/// A key that must appear nowhere but in the header.
const KEY: &str = "sk-test-0123456789-never-shown";

/// Settings with short pauses, for tests without patience.
fn settings(server: &Server) -> JudgeSettings {
    JudgeSettings {
        retries_max: 2,
        backoff_base_ms: 1,
        backoff_max_ms: 4,
        timeout_ms: 20_000,
        deadline_ms: 60_000,
        max_tokens: 100,
        seed: Some(1),
        price_input_usd_per_million: Some(server::PRICE_INPUT),
        price_output_usd_per_million: Some(server::PRICE_OUTPUT),
        ..JudgeSettings::new("judge-model", server.url()).api_key(KEY)
    }
}

fn judge(settings: &JudgeSettings) -> Judge {
    Judge::new("polite", JudgeKind::guideline("Be polite."), settings).unwrap()
}

fn judge_of(settings: &JudgeSettings, client: Client) -> Judge {
    let kind = JudgeKind::guideline("Be polite.");
    Judge::with_client("polite", kind, settings, Arc::new(client)).unwrap()
}

fn item(answer: &str) -> Item {
    Item {
        outputs: Some(json!(answer)),
        ..Item::default()
    }
}

/// One item judged, and what it took.
fn score_once(settings: &JudgeSettings) -> (Result<Score, ScoreError>, JudgeUsage) {
    let judge = judge(settings);
    let result = judge.score(&item("Thank you."));
    (result, judge.client().usage())
}
