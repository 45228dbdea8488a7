//! Servers that take no schema, and models that do not write what is asked.

use serde_json::{Value, json};

use super::server::{Does, Server, verdict};
use super::{item, judge, score_once, settings};
use crate::judge::{Judge, JudgeKind, OutputType};
use crate::{ScoreErrorKind, Scorer};

fn refuse(message: &str) -> Does {
    Does::Status(400, "", json!({"error": {"message": message}}).to_string())
}

fn format(body: &Value) -> &str {
    body["response_format"]["type"].as_str().unwrap_or("plain")
}

fn formats(server: &Server) -> Vec<String> {
    server
        .calls()
        .iter()
        .map(|call| format(&call.body).to_owned())
        .collect()
}

#[test]
fn refused_forms_are_left_and_remembered() {
    for (taken, message) in [
        ("json_object", "response_format: json_schema?"),
        ("plain", "bad request"),
    ] {
        let server = Server::start(move |_, body| match format(body) == taken {
            true => Does::Answer(verdict(true)),
            false => refuse(message),
        });
        let judge = judge(&settings(&server));
        for answer in ["one", "two"] {
            assert_eq!(judge.score(&item(answer)).unwrap().passed, Some(true));
        }
        let mut wanted = vec!["json_schema", "json_object", "plain"];
        wanted.truncate(if taken == "plain" { 3 } else { 2 });
        wanted.push(taken);
        assert_eq!(formats(&server), wanted);
        let usage = judge.client().usage();
        assert_eq!(usage.calls, server.connections());
        assert_eq!(usage.fallbacks as usize, wanted.len() - 2);
        assert_eq!(usage.unsure_usd, 0.0, "what was refused cost nothing");
    }
}

#[test]
fn a_form_that_was_taken_is_not_blamed_again() {
    let server = Server::script([Does::Answer(verdict(true)), refuse("prompt is too long")]);
    let judge = judge(&settings(&server));
    assert!(judge.score(&item("short")).is_ok());
    let error = judge.score(&item("long")).unwrap_err();
    assert_eq!(error.kind, ScoreErrorKind::Server);
    assert!(error.message.contains("too long"), "{error}");
    assert_eq!(formats(&server), ["json_schema", "json_schema"]);
}

#[test]
fn one_bad_request_does_not_lower_the_form() {
    let server = Server::start(|_, body| match body.to_string().contains("bad item") {
        true => refuse("no"),
        false => Does::Answer(verdict(true)),
    });
    let judge = judge(&settings(&server));
    assert!(judge.score(&item("bad item")).is_err());
    assert!(judge.score(&item("good item")).is_ok());
    assert_eq!(
        formats(&server),
        ["json_schema", "json_object", "plain", "json_schema"]
    );
}

#[test]
fn the_newer_name_of_the_limit_is_found() {
    let server = Server::start(|_, body| match body["max_completion_tokens"].is_u64() {
        true => Does::Answer(verdict(true)),
        false => {
            refuse("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        }
    });
    let judge = judge(&settings(&server));
    assert!(judge.score(&item("one")).is_ok());
    assert!(judge.score(&item("two")).is_ok());
    assert_eq!(formats(&server), ["json_schema"; 3]);
    assert!(
        server
            .calls()
            .iter()
            .skip(1)
            .all(|call| call.body.get("max_tokens").is_none())
    );
}

#[test]
fn an_unreadable_answer_is_asked_for_again_once() {
    let server = Server::script([Does::Answer("Good!".into()), Does::Answer(verdict(true))]);
    let (result, usage) = score_once(&settings(&server));
    let score = result.unwrap();
    assert_eq!(score.passed, Some(true));
    assert!(
        (score.cost_usd.unwrap() - server.billed_usd()).abs() < 1e-12,
        "both calls are paid"
    );
    assert_eq!((usage.calls, usage.repairs, usage.retries), (2, 1, 0));
    let messages = server.calls()[1].body["messages"].clone();
    assert_eq!(
        messages[2],
        json!({"role": "assistant", "content": "Good!"})
    );
    assert!(
        messages[3]["content"]
            .as_str()
            .unwrap()
            .contains("it has no JSON object")
    );

    let server = Server::script([Does::Answer("I cannot say.".into())]);
    let (result, usage) = score_once(&settings(&server));
    let error = result.unwrap_err();
    assert_eq!(error.kind, ScoreErrorKind::Malformed);
    assert!(
        error.message.contains("it begins \"I cannot say.\""),
        "{error}"
    );
    assert_eq!((usage.calls, usage.repairs), (2, 1));
}

#[test]
fn a_cut_answer_is_no_verdict() {
    let body =
        json!({"choices": [{"message": {"content": verdict(true)}, "finish_reason": "length"}]});
    let server = Server::script([Does::Body(body.to_string())]);
    let error = score_once(&settings(&server)).0.unwrap_err();
    assert_eq!(error.kind, ScoreErrorKind::Malformed);
    assert!(error.message.contains("max_tokens = 100"), "{error}");
}

#[test]
fn custom_outputs_are_asked_for_by_schema() {
    let server = Server::script([Does::Answer("{\"value\": 4, \"rationale\": \"r\"}".into())]);
    let kind = JudgeKind::Custom {
        template: "How good is {{outputs}}?".into(),
        output: OutputType::Number {
            min: 1.0,
            max: 5.0,
            pass_from: Some(3.0),
        },
    };
    let judge = Judge::new("stars", kind, &settings(&server)).unwrap();
    let score = judge.score(&item("tea")).unwrap();
    assert_eq!((score.value, score.passed), (json!(4), Some(true)));
    let body = &server.calls()[0].body;
    let schema = &body["response_format"]["json_schema"]["schema"]["properties"]["value"];
    assert_eq!(
        *schema,
        json!({"type": "number", "minimum": 1.0, "maximum": 5.0})
    );
    assert!(
        body["messages"][0]["content"]
            .as_str()
            .unwrap()
            .contains("from 1 to 5")
    );
}
