//! Pauses, dates, bodies and addresses, without a server.

use std::time::Duration;

use serde_json::{Value, json};

use super::chat::{self, Told};
use super::retry::{Backoff, RetryHeaders, http_date_s};
use super::transport::Transport;
use crate::judge::ApiKey;

#[test]
fn dates_are_those_of_a_calendar() {
    let cases = [
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
        ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
        ("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200)),
        ("Fri, 31 Dec 1999 23:59:59 GMT", Some(946_684_799)),
        ("Sun, 06 Nov 1994 08:49:37 CET", None),
        ("Sun, 06 Foo 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 25:49:37 GMT", None),
        ("soon", None),
        ("", None),
    ];
    for (text, seconds) in cases {
        assert_eq!(http_date_s(text), seconds, "{text}");
    }
}

#[test]
fn wishes_are_seconds_dates_or_none() {
    let wish = |after: &str, date: &str| {
        let headers = RetryHeaders {
            retry_after: Some(after.into()),
            date: Some(date.into()),
            ..RetryHeaders::default()
        };
        headers.wish().map(|wish| wish.as_secs_f64())
    };
    let date = "Sun, 06 Nov 1994 08:49:00 GMT";
    assert_eq!(wish("7", date), Some(7.0));
    assert_eq!(wish(" 0.5 ", date), Some(0.5));
    assert_eq!(wish("Sun, 06 Nov 1994 08:49:37 GMT", date), Some(37.0));
    assert_eq!(wish("Sun, 06 Nov 1994 08:00:00 GMT", date), Some(0.0));
    for odd in ["-1", "NaN", "inf", "1e300", "later"] {
        assert_eq!(wish(odd, date), None, "{odd}");
    }
    assert_eq!(wish("Sun, 06 Nov 1994 08:49:37 GMT", "no date"), None);
    let ms = RetryHeaders {
        retry_after_ms: Some("250".into()),
        retry_after: Some("9".into()),
        date: None,
    };
    assert_eq!(ms.wish(), Some(Duration::from_millis(250)));
}

#[test]
fn pauses_grow_jitter_and_repeat() {
    let backoff = Backoff {
        base_ms: 100,
        max_ms: 1000,
        seed: 7,
    };
    for attempt in 0..70 {
        let most = 100_u64
            .saturating_mul(1_u64.checked_shl(attempt).unwrap_or(u64::MAX))
            .min(1000);
        let pauses: Vec<u64> = (0..200)
            .map(|question| backoff.pause(question, attempt, None).as_millis() as u64)
            .collect();
        assert!(pauses.iter().all(|pause| *pause <= most));
        assert!(pauses.iter().any(|pause| *pause > most / 2));
        assert!(pauses.iter().any(|pause| *pause < most / 2));
        assert_eq!(
            backoff.pause(3, attempt, None),
            backoff.pause(3, attempt, None)
        );
    }
    let other = Backoff { seed: 8, ..backoff };
    assert!((0..20).any(|q| other.pause(q, 3, None) != backoff.pause(q, 3, None)));
    let asked = backoff
        .pause(1, 9, Some(Duration::from_secs(5)))
        .as_millis();
    assert!((5000..=5100).contains(&asked));
    let none = Backoff {
        base_ms: 0,
        max_ms: 0,
        seed: 0,
    };
    assert_eq!(none.pause(1, 5, None), Duration::ZERO);
}

#[test]
fn responses_of_any_shape_are_read_or_refused() {
    let with =
        |content: Value| json!({"model": "m", "choices": [{"message": {"content": content}}]});
    let text = |body: &Value| chat::read(body).0.map(|answer| answer.text);
    assert_eq!(text(&with(json!("yes"))), Ok("yes".into()));
    assert_eq!(
        text(&with(json!([{"type": "text", "text": "a"}, {"text": "b"}]))),
        Ok("ab".into())
    );
    assert_eq!(text(&with(Value::Null)), Ok(String::new()));
    let refusal = json!({"choices": [{"message": {"content": null, "refusal": "no"}}]});
    assert_eq!(text(&refusal), Ok("no".into()));
    for odd in [json!(1), json!({}), json!([1])] {
        assert!(text(&with(odd)).is_err());
    }
    for odd in [
        json!(null),
        json!([]),
        json!({"choices": []}),
        json!({"choices": {"0": 1}}),
        json!({"choices": [1]}),
    ] {
        assert!(text(&odd).is_err(), "{odd}");
    }
}

#[test]
fn usage_of_wrong_types_is_not_told() {
    let told = |usage: Value| chat::read(&json!({"usage": usage})).1;
    let right = json!({"prompt_tokens": 3, "completion_tokens": 4, "cost": 0.5});
    let all = Told {
        input_tokens: Some(3),
        output_tokens: Some(4),
        cost_usd: Some(0.5),
    };
    assert_eq!(told(right), all);
    for odd in [
        json!(null),
        json!("many"),
        json!({"prompt_tokens": "3", "completion_tokens": -4, "cost": -1}),
        json!({"prompt_tokens": 1.5, "completion_tokens": [], "cost": "free"}),
    ] {
        assert_eq!(told(odd), Told::default());
    }
}

#[test]
fn error_messages_are_found() {
    let message = |body: Value| chat::error_message(&body);
    assert_eq!(
        message(json!({"error": {"message": "a"}})),
        Some("a".into())
    );
    assert_eq!(message(json!({"error": "b"})), Some("b".into()));
    assert_eq!(message(json!({"message": "c"})), Some("c".into()));
    assert_eq!(
        message(json!({"detail": [{"loc": 1}]})),
        Some("[{\"loc\":1}]".into())
    );
    assert_eq!(message(json!({"error": null})), None);
    assert_eq!(message(json!([])), None);
}

#[test]
fn addresses_that_cannot_be_are_errors() {
    let key = ApiKey::default();
    let error = |url: &str| Transport::new(url, &key, 1000).unwrap_err().to_string();
    for url in [
        "",
        "localhost:8000/v1",
        "ftp://host/v1",
        "http:///v1",
        "http://a b/v1",
        "/v1",
    ] {
        assert!(error(url).contains("base_url"), "{url}");
    }
    for url in [
        "http://user:pass-word@host/v1",
        "http://host/v1?key=pass-word",
        "http://host/#pass-word",
    ] {
        assert!(!error(url).contains("pass-word"), "{url}");
    }
    assert!(error("http://host/v1/chat/completions").contains("added"));
    for url in [
        "http://host/v1",
        "http://host/v1/",
        " https://host:8443/v1// ",
    ] {
        let shown = format!("{:?}", Transport::new(url, &key, 1000).unwrap());
        assert!(shown.ends_with("/v1/chat/completions)"), "{shown}");
    }
}
