//! The cache, the observer, and that the key stays hidden.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::server::{Does, Server, verdict};
use super::{KEY, item, judge, judge_of, settings};
use crate::judge::{CachedAnswer, Client, Judge, JudgeCache, JudgeCall, JudgeKind, MemoryCache};
use crate::{Item, ScoreErrorKind, Scorer};

#[test]
fn a_second_run_asks_nothing() {
    let server = Server::script([Does::Answer("nonsense".into()), Does::Answer(verdict(true))]);
    let settings = settings(&server);
    let cache = Arc::new(MemoryCache::new());
    let run = |kind: JudgeKind| {
        let client = Client::new(&settings).unwrap().with_cache(cache.clone());
        let judge = Judge::with_client("a", kind, &settings, Arc::new(client)).unwrap();
        let scores: Vec<_> = (0..20)
            .map(|n| judge.score(&item(&format!("answer {n}"))).unwrap())
            .collect();
        (scores, judge.client().usage())
    };
    let (first, usage) = run(JudgeKind::guideline("Be polite."));
    assert_eq!(
        (usage.calls, usage.repairs, usage.cache_hits, cache.len()),
        (21, 1, 0, 20)
    );
    let (second, usage) = run(JudgeKind::guideline("Be polite."));
    assert_eq!(
        (usage.calls, usage.cache_hits, usage.spent_usd),
        (0, 20, 0.0)
    );
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(
            (&first.value, &first.rationale),
            (&second.value, &second.rationale)
        );
        assert_eq!(second.cost_usd, Some(0.0));
    }
    assert_eq!(run(JudgeKind::guideline("Be brief.")).1.cache_hits, 0);
}

#[test]
fn a_cache_that_holds_nonsense_is_asked_around() {
    struct Nonsense;
    impl JudgeCache for Nonsense {
        fn get(&self, _: &str) -> Option<CachedAnswer> {
            let text = "nonsense".to_owned();
            Some(CachedAnswer {
                text,
                model: None,
                input_tokens: None,
                output_tokens: None,
            })
        }
        fn put(&self, _: &str, answer: CachedAnswer) {
            assert_eq!(answer.text, verdict(true));
        }
    }
    let server = Server::script([Does::Answer(verdict(true))]);
    let settings = settings(&server);
    let judge = judge_of(
        &settings,
        Client::new(&settings)
            .unwrap()
            .with_cache(Arc::new(Nonsense)),
    );
    assert_eq!(judge.score(&item("a")).unwrap().passed, Some(true));
    let usage = judge.client().usage();
    assert_eq!((usage.calls, usage.cache_hits), (1, 0));
}

#[test]
fn the_observer_sees_every_call() {
    let server = Server::script([
        Does::Status(503, "", String::new()),
        Does::Answer("nonsense".into()),
        Does::Answer(verdict(true)),
    ]);
    let settings = settings(&server);
    let seen: Arc<Mutex<Vec<JudgeCall>>> = Arc::default();
    let sink = seen.clone();
    let observer = Arc::new(move |call: &JudgeCall| sink.lock().unwrap().push(call.clone()));
    let judge = judge_of(
        &settings,
        Client::new(&settings).unwrap().with_observer(observer),
    );
    let score = judge.score(&item("a")).unwrap();
    let seen = seen.lock().unwrap();
    let shape: Vec<_> = seen
        .iter()
        .map(|call| (call.attempt, call.messages.len(), call.answer.as_deref()))
        .collect();
    assert_eq!(
        shape,
        [
            (0, 2, None),
            (1, 2, Some("nonsense")),
            (0, 4, Some(&*verdict(true)))
        ]
    );
    assert!(seen[0].error.as_ref().unwrap().contains("503"));
    assert_eq!(seen[2].answer_model.as_deref(), Some("judge-model-2026"));
    let cost: f64 = seen.iter().filter_map(|call| call.cost_usd).sum();
    assert!((cost - score.cost_usd.unwrap()).abs() < 1e-12);
}

#[test]
fn the_key_is_shown_nowhere() {
    let long = format!("{}{KEY}", "x".repeat(190));
    let told = format!(
        "{{\"rationale\": \"{KEY} \\u0073{}\", \"value\": true}}",
        &KEY[1..]
    );
    let echoes = [
        Does::Answer(told),
        Does::Answer(format!("no verdict, but {KEY}")),
        Does::Status(401, "", format!("wrong key {KEY}")),
        Does::Status(401, "", long),
        Does::Status(
            401,
            "",
            json!({"error": {"message": format!("Bearer {KEY}")}}).to_string(),
        ),
        Does::Status(
            307,
            "location: http://sk-test-0123456789-never-shown.org\r\n",
            String::new(),
        ),
        Does::Body(format!("<p>{KEY}</p>")),
        Does::Body(json!({"error": {"message": KEY}}).to_string()),
    ];
    let seen: Arc<Mutex<String>> = Arc::default();
    for does in echoes {
        let server = Server::script([does]);
        let settings = settings(&server);
        let sink = seen.clone();
        let observer =
            Arc::new(move |call: &JudgeCall| *sink.lock().unwrap() += &format!("{call:?}"));
        let client = Client::new(&settings).unwrap().with_observer(observer);
        let judge = judge_of(&settings, client.with_cache(Arc::new(MemoryCache::new())));
        let result = judge.score(&item("a"));
        let texts = [
            format!("{result:?} {judge:?} {:?} {settings:?}", judge.client()),
            result.map_or_else(|error| error.to_string(), |score| json!(score).to_string()),
            judge.definition().to_string(),
            seen.lock().unwrap().clone(),
        ];
        for text in texts {
            // Not even a part of it, at the place where a text was cut.
            assert!(!text.contains(&KEY[..8]), "{text}");
        }
        assert_eq!(
            server.calls()[0].header("authorization"),
            Some(&*format!("Bearer {KEY}"))
        );
    }
}

#[test]
fn a_word_for_a_key_does_not_change_answers() {
    let server = Server::script([Does::Answer(
        "{\"rationale\": \"none\", \"value\": true}".into(),
    )]);
    let judge = judge(&settings(&server).api_key("none"));
    assert_eq!(
        judge.score(&item("a")).unwrap().rationale.as_deref(),
        Some("none")
    );
}

#[test]
fn an_item_without_an_answer_asks_nothing() {
    let server = Server::script([Does::Answer(verdict(true))]);
    let judge = judge(&settings(&server));
    assert_eq!(
        judge.score(&Item::default()).unwrap_err().kind,
        ScoreErrorKind::Missing
    );
    assert_eq!(server.connections(), 0);
}
