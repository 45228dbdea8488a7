//! Making judges: versions, definitions, settings, shared clients.

use std::sync::Arc;

use serde_json::json;

use super::KEY;
use crate::Scorer;
use crate::judge::{Client, Judge, JudgeKind, JudgeSettings};

#[test]
fn versions_change_with_what_changes_answers() {
    let settings = JudgeSettings::new("m", "http://localhost/v1");
    let version = |kind: JudgeKind, settings: &JudgeSettings| {
        Judge::new("name", kind, settings)
            .unwrap()
            .version()
            .to_owned()
    };
    let kind = || JudgeKind::guideline("Be polite.");
    let first = version(kind(), &settings);
    let other = [
        version(JudgeKind::guideline("Be brief."), &settings),
        version(JudgeKind::Safety, &settings),
        version(
            kind(),
            &JudgeSettings {
                model: "n".into(),
                ..settings.clone()
            },
        ),
        version(
            kind(),
            &JudgeSettings {
                temperature: Some(0.5),
                ..settings.clone()
            },
        ),
        version(
            kind(),
            &JudgeSettings {
                max_tokens: 7,
                ..settings.clone()
            },
        ),
        version(
            kind(),
            &JudgeSettings {
                seed: Some(3),
                ..settings.clone()
            },
        ),
    ];
    assert!(other.iter().all(|version| *version != first));
    let same = JudgeSettings {
        base_url: "https://elsewhere/v1".into(),
        api_key: KEY.into(),
        timeout_ms: 5,
        concurrency: 1,
        ..settings
    };
    assert_eq!(version(kind(), &same.budget(1.0, 1.0, 1.0)), first);
}

#[test]
fn definitions_make_the_judge_again() {
    let settings = JudgeSettings::new("m", "http://localhost/v1").api_key(KEY);
    let judge = Judge::new("polite", JudgeKind::guideline("Be polite."), &settings).unwrap();
    let definition = judge.definition();
    let others = JudgeSettings {
        model: "other".into(),
        temperature: None,
        ..settings
    };
    let client = judge.client().clone();
    let again = Judge::from_definition(&definition, &others, client.clone()).unwrap();
    assert_eq!(
        (again.name(), again.version()),
        (judge.name(), judge.version())
    );
    assert_eq!(again.definition(), definition);

    assert_eq!(definition["judge"], "guidelines");

    let told = |definition: serde_json::Value| {
        Judge::from_definition(&definition, &others, client.clone())
            .map_err(|error| error.to_string())
    };
    let short = told(json!({"kind": "judge", "judge": "safety", "version": "7"})).unwrap();
    assert_eq!((short.name(), short.version()), ("safety", "7"));
    let definition = short.definition();
    assert_eq!(
        (&definition["model"], &definition["temperature"]),
        (&json!("other"), &json!(null))
    );
    assert_eq!(told(definition).unwrap().version(), "7");
    let custom =
        told(json!({"kind": "judge", "judge": "custom", "template": "{{outputs}}"})).unwrap();
    assert_eq!(custom.definition()["output"], json!({"type": "boolean"}));
    let wrong = [
        (json!({"kind": "rouge_l"}), "\"kind\""),
        (json!({"kind": "judge"}), "\"judge\""),
        (json!({"kind": "judge", "judge": "taste"}), "taste"),
        (json!({"kind": "judge", "judge": "custom"}), "template"),
        (
            json!({"kind": "judge", "judge": "safety", "max_tokens": "few"}),
            "\"max_tokens\"",
        ),
        (
            json!({"kind": "judge", "judge": "safety", "guidelines": ["a"]}),
            "\"guidelines\"",
        ),
        (
            json!({"kind": "judge", "judge": "guidelines", "output": {"type": "text"}}),
            "`output`",
        ),
        (
            json!({"kind": "judge", "judge": "safety", "temprature": 1}),
            "\"temprature\"",
        ),
    ];
    for (definition, part) in wrong {
        let error = told(definition).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn settings_that_cannot_hold_are_errors() {
    let good = || JudgeSettings::new("m", "http://localhost/v1");
    let with = |change: fn(&mut JudgeSettings)| {
        let mut settings = good();
        change(&mut settings);
        settings
    };
    let cases = [
        (with(|one| one.model = " ".into()), "model"),
        (with(|one| one.base_url = "localhost".into()), "base_url"),
        (with(|one| one.api_key = "a b".into()), "api_key"),
        (with(|one| one.temperature = Some(-1.0)), "temperature"),
        (with(|one| one.max_tokens = 0), "max_tokens"),
        (with(|one| one.timeout_ms = 0), "timeout_ms"),
        (with(|one| one.deadline_ms = u64::MAX), "deadline_ms"),
        (with(|one| one.concurrency = 0), "concurrency"),
        (
            with(|one| one.requests_per_minute = Some(0)),
            "requests_per_minute",
        ),
        (
            with(|one| one.budget_usd = Some(1.0)),
            "price_input_usd_per_million",
        ),
        (
            with(|one| one.price_input_usd_per_million = Some(1.0)),
            "give both",
        ),
        (good().budget(f64::NAN, 1.0, 1.0), "budget_usd"),
        (good().budget(1.0, -1.0, 1.0), "price_input"),
    ];
    for (settings, part) in cases {
        let error = Judge::new("a", JudgeKind::Safety, &settings)
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("a b"), "{error}");
    }
    assert!(Judge::new("", JudgeKind::Safety, &good()).is_err());
}

#[test]
fn shared_clients_fit_their_judges() {
    let settings = JudgeSettings::new("m", "http://localhost/v1").budget(1.0, 1.0, 1.0);
    let client = Arc::new(Client::new(&settings).unwrap());
    let with = |settings: &JudgeSettings| {
        Judge::with_client("a", JudgeKind::Safety, settings, client.clone())
            .map_err(|error| error.to_string())
    };
    assert!(
        with(&JudgeSettings {
            base_url: "http://localhost/v1/".into(),
            ..settings.clone()
        })
        .is_ok()
    );
    let elsewhere = JudgeSettings {
        base_url: "http://localhost/v2".into(),
        ..settings
    };
    assert!(with(&elsewhere).unwrap_err().contains("base_url"));
    let without_prices = JudgeSettings::new("m", "http://localhost/v1");
    assert!(with(&without_prices).unwrap_err().contains("prices"));
}
