//! A pass over texts and JSON, without a database.

use std::sync::Arc;

use super::redactor::{Redactor, Totals};
use super::*;

fn redactor(setting: Redaction) -> Redactor {
    Redactor::new(setting, None, Arc::new(Totals::default())).unwrap()
}

fn text(redactor: &Redactor, text: &str) -> (String, u64) {
    let mut pass = redactor.pass().unwrap();
    let changed = pass.text(
        RedactionField {
            part: "inputs",
            key: None,
        },
        text,
    );
    (changed.unwrap_or_else(|| text.to_string()), pass.finish())
}

fn document(redactor: &Redactor, json: &str) -> (String, u64) {
    let (mut pass, mut json) = (redactor.pass().unwrap(), json.to_string());
    pass.document("attributes", &mut json);
    (json, pass.finish())
}

/// Secrets of well-known shapes, put together here so that none stands in a source file.
fn secrets() -> Vec<(&'static str, String)> {
    let (letters, digits) = ("Ab3".repeat(20), "0123456789".repeat(5));
    let cut = |n: usize| letters.get(..n).unwrap().to_string();
    vec![
        ("anthropic_key", format!("sk-{}-api03-{}", "ant", cut(40))),
        ("openai_key", format!("sk-proj-{}", cut(40))),
        ("stripe_key", format!("sk_{}_{}", "live", cut(24))),
        (
            "aws_access_key",
            format!("AK{}{}", "IA", "ABCDEFGHIJ234567"),
        ),
        ("github_token", format!("gh{}_{}", "p", cut(36))),
        ("github_pat", format!("github_{}_{}", "pat", cut(30))),
        ("gitlab_token", format!("gl{}-{}", "pat", cut(20))),
        (
            "slack_token",
            format!("xo{}-{}", "xb", digits.get(..24).unwrap()),
        ),
        ("google_key", format!("AI{}{}", "za", cut(35))),
        ("huggingface_token", format!("h{}_{}", "f", cut(34))),
        ("groq_key", format!("gs{}_{}", "k", cut(52))),
        ("npm_token", format!("np{}_{}", "m", cut(36))),
        ("sendgrid_key", format!("S{}.{}.{}", "G", cut(22), cut(43))),
        (
            "jwt",
            format!("ey{}.{}.{}", "JhbGciOiJIUzI1NiJ9", cut(30), cut(43)),
        ),
        ("bearer_token", format!("Bearer {}", cut(32))),
        ("replicate_token", format!("r{}_{}", "8", cut(37))),
        (
            "telegram_token",
            format!("{}:AA{}", digits.get(..10).unwrap(), cut(33)),
        ),
        ("vault_token", format!("hv{}.{}", "s", cut(24))),
        (
            "private_key",
            format!(
                "-----BEGIN RSA PRIVATE {}\n{letters}\n-----END RSA PRIVATE {}",
                "KEY-----", "KEY-----"
            ),
        ),
        (
            "private_key",
            format!("-----BEGIN PRIVATE {}\n{letters} cut sh", "KEY-----"),
        ),
    ]
}

#[test]
fn every_shape_is_found_in_prose_and_in_json() {
    let redactor = redactor(Redaction::none().secrets(true));
    for (name, secret) in secrets() {
        let open_ended = secret.ends_with("sh");
        let around = if open_ended {
            ("before ", "")
        } else {
            ("before ", " after")
        };
        let (changed, count) = text(&redactor, &format!("{}{secret}{}", around.0, around.1));
        assert_eq!(
            changed,
            format!("{}[REDACTED:{name}]{}", around.0, around.1)
        );
        assert_eq!(count, 1, "{name}");
        let inner = serde_json::json!({ "say": format!("a\n{secret}"), "n": [1, null, "plain"] })
            .to_string();
        let nested = serde_json::json!({ "messages": inner }).to_string();
        for json in [&inner, &nested] {
            let (changed, count) = text(&redactor, json);
            assert!(
                changed.contains(&format!("[REDACTED:{name}]")),
                "{name}: {changed}"
            );
            assert_eq!(count, 1, "{name}: {changed}");
            let outer: serde_json::Value = serde_json::from_str(&changed).unwrap();
            assert!(outer.is_object());
        }
        // The same again: nothing of what stands for a secret is a secret.
        assert_eq!(text(&redactor, &changed), (changed, 0));
    }
}

#[test]
fn a_secret_is_found_behind_every_escape() {
    let redactor = redactor(Redaction::none().secrets(true).cards(true));
    let card = ("card", "4111111111111111".to_string());
    for (name, secret) in secrets().into_iter().chain([card]) {
        for before in [
            "x_",
            r"x\n",
            r"x\t",
            r"x\r",
            "x%22",
            "x%2522",
            "x%3D",
            "x=3D",
            r"x\u0022",
            r"x\x22",
            r"x\042",
            "x&quot;",
            "x&#34;",
            "\u{1b}[31m",
            "\u{1b}[0;1m",
            r"\x1b[1m",
            r"\u001b[36m",
            "\u{9b}31m",
            "\u{1b}(B",
            "\u{1b}]0;t\u{7}",
            "\u{200b}",
            "\u{4e2d}",
            "\u{1f511}",
            "\u{e9}",
        ] {
            let (changed, count) = text(&redactor, &format!("{before}{secret}"));
            assert_eq!(
                (changed, count),
                (format!("{before}[REDACTED:{name}]"), 1),
                "{name} behind {before:?}"
            );
        }
        // What looks like JSON and is cut short is closed, so more than the secret changes.
        let (changed, count) = text(&redactor, &format!(r#"{{\"k\":\"v\n{secret}"#));
        assert!(
            changed.contains(&format!("[REDACTED:{name}]")) && !changed.contains(&secret),
            "{changed}"
        );
        assert_eq!(count, 1, "{name}");
    }
}

#[test]
fn only_the_secret_part_is_hidden() {
    let redactor = redactor(Redaction::none().secrets(true));
    for (plain, shown) in [
        (
            "postgres://ann:s3cret@host/db",
            "postgres://ann:[REDACTED:url_password]@host/db",
        ),
        (
            r"redis:\/\/:s3cret@host",
            r"redis:\/\/:[REDACTED:url_password]@host",
        ),
        (
            "mysql%3A%2F%2Fann%3As3cret%40host",
            "mysql%3A%2F%2Fann%3A[REDACTED:url_password]%40host",
        ),
        (
            "Basic YW5uOnMzY3JldA==, x",
            "Basic [REDACTED:basic_auth], x",
        ),
        ("Basic information about x", "Basic information about x"),
        (
            "see https://example.org:8080/a@b and ssh://git@host:22",
            "see https://example.org:8080/a@b and ssh://git@host:22",
        ),
    ] {
        assert_eq!(text(&redactor, plain).0, shown);
    }
}

#[test]
fn tokens_of_models_are_no_secrets() {
    let redactor = redactor(Redaction::default().secrets(true));
    let json = r#"{"usage":{"token":{"input":5,"output":7}},"logprobs":{"content":[{"token":"Hello","logprob":-0.1}]},
        "max_tokens":5,"next_page_token":"abc","token":17,"auth":"none","pwd":"/home/ann"}"#;
    assert_eq!(document(&redactor, json), (json.to_string(), 0));
    assert_eq!(text(&redactor, json), (json.to_string(), 0));
    let json = r#"{"token":"abc","auth":{"user":"ann"},"headers":[{"name":"X-Api-Key","value":"abc"}],"a":{"token":5,"pwd":"x"}}"#;
    let hidden = r#"{"token":"[REDACTED]","auth":"[REDACTED]","headers":[{"name":"X-Api-Key","value":"[REDACTED]"}],"a":{"token":5,"pwd":"[REDACTED]"}}"#;
    assert_eq!(document(&redactor, json), (hidden.to_string(), 4));
}

#[test]
fn members_of_a_trace_state_are_told_by_their_names() {
    let redactor = redactor(Redaction::default());
    let mut pass = redactor.pass().unwrap();
    let changed = pass.trace_state("trace_state", "a=1,tenant@api_key=abc,token=7");
    assert_eq!(changed.unwrap(), "a=1,tenant@api_key=[REDACTED],token=7");
    assert_eq!(pass.trace_state("trace_state", "a=1"), None);
}

#[test]
fn names_in_names_are_looked_at_in_linear_time() {
    let redactor = redactor(Redaction::default().secrets(true));
    let deep = format!(
        "{}1{}",
        r#"{"token":{"password":"#.repeat(50_000),
        "}}".repeat(50_000)
    );
    let started = std::time::Instant::now();
    document(&redactor, &deep);
    document(&redactor, &deep.replace('1', "null"));
    text(&redactor, &"task-".repeat(200_000));
    text(&redactor, &"password=".repeat(100_000));
    text(&redactor, &r"\\".repeat(500_000));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn prose_and_identifiers_stay() {
    let redactor = redactor(Redaction::none().secrets(true).emails(true).cards(true));
    for plain in [
        "mask-RCNN-Object_Detection and sk-RCNN-Object_Detection_model",
        "the bearer of internationalization, Bearer necessities",
        "4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7",
        "1700000000000000000 4111111111111112",
        "a@b and @decorator and user@",
        r#"{"a": "sk-", "b": 17, "c": "\ud83d"}"#,
        "",
    ] {
        assert_eq!(text(&redactor, plain), (plain.to_string(), 0));
    }
}

#[test]
fn mail_addresses_and_cards_are_found_when_asked_for() {
    let redactor = redactor(Redaction::none().emails(true).cards(true));
    let (changed, count) = text(
        &redactor,
        "mail ann.b+c@mail.example.org, pay 4111 1111 1111 1111 12/29",
    );
    assert_eq!(
        (changed.as_str(), count),
        ("mail [REDACTED:email], pay [REDACTED:card] 12/29", 2)
    );
    let (changed, count) = document(
        &redactor,
        r#"{"card": 4111111111111111, "id": 4111111111111112}"#,
    );
    assert_eq!(
        (changed.as_str(), count),
        (r#"{"card": "[REDACTED:card]", "id": 4111111111111112}"#, 1)
    );
}

#[test]
fn names_hide_values_and_nothing_else_changes() {
    let redactor = redactor(Redaction::default().deny("ssn").allow("test.api_key"));
    let json = r#"{ "a":1.50, "headers": {"Authorization":"Basic QQ==", "Cookie": ["a","b"]}, "api_key" : 12,
        "x.password":null, "cookie":"", "secret":{}, "user.SSN":"1\"2", "test.api_key": "k" }"#;
    let (changed, count) = document(&redactor, json);
    let expected = r#"{ "a":1.50, "headers": {"Authorization":"[REDACTED]", "Cookie": "[REDACTED]"}, "api_key" : "[REDACTED]",
        "x.password":null, "cookie":"", "secret":{}, "user.SSN":"[REDACTED]", "test.api_key": "k" }"#;
    assert_eq!((changed.as_str(), count), (expected, 4));
    assert_eq!(document(&redactor, expected), (expected.to_string(), 0));
}

#[test]
fn keys_and_bytes_are_texts_too() {
    let redactor = redactor(Redaction::none().rule("mark", "hide-[0-9]+"));
    let (changed, count) = document(
        &redactor,
        r#"{"hide-1":true,"hide-2":1,"b":{"$bytes":"eCBoaWRlLTMgeQ=="}}"#,
    );
    let expected = r#"{"[REDACTED:mark]":true,"[REDACTED:mark] 2":1,"b":{"$bytes":"eCBbUkVEQUNURUQ6bWFya10geQ=="}}"#;
    assert_eq!((changed.as_str(), count), (expected, 3));
}

#[test]
fn json_that_is_cut_short_is_looked_into() {
    let redactor = redactor(Redaction::default().rule("mark", "hide-[0-9]+"));
    for (json, expected) in [
        (r#"{"api_key":"abc"#, r#"{"api_key":"[REDACTED]""#),
        (r#"{"api_key":["abc", {"#, r#"{"api_key":"[REDACTED]""#),
        (r#"[{"a":"hide-1 \"#, r#"[{"a":"[REDACTED:mark] \\""#),
        (r#"{"a":"#, r#"{"a":"#),
        (r#"{"api_key":}"#, r#"{"api_key":}"#),
        (r#"["ü\ü hide-1"]"#, r#"["ü\\ü [REDACTED:mark]"]"#),
    ] {
        assert_eq!(text(&redactor, json).0, expected, "{json}");
    }
}

#[test]
fn deep_nesting_ends() {
    let redactor = redactor(Redaction::none().rule("mark", "hide-[0-9]+"));
    let deep = format!("{}\"hide-1\"{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(text(&redactor, &deep).1, 1);
    let mut strings = "hide-1".to_string();
    for _ in 0..12 {
        strings = serde_json::json!([strings]).to_string();
    }
    let (changed, _) = text(&redactor, &strings);
    assert!(!changed.contains("hide-1"), "{changed}");
}

#[test]
fn a_callback_that_fails_costs_the_text() {
    let callback = RedactionCallback::new("test", |field, text| match (field.key, text) {
        (_, "fail") => Err("no".into()),
        (_, "panic") => std::panic::panic_any("no"),
        (Some("k"), _) => Ok(Some("changed".to_string())),
        _ => Ok(None),
    });
    let totals = Arc::new(Totals::default());
    let redactor = Redactor::new(Redaction::none(), Some(callback), totals.clone()).unwrap();
    assert_eq!(
        text(&redactor, "fail"),
        ("[REDACTED:callback failed]".to_string(), 1)
    );
    assert_eq!(
        text(&redactor, "panic"),
        ("[REDACTED:callback failed]".to_string(), 1)
    );
    assert_eq!(text(&redactor, "kept"), ("kept".to_string(), 0));
    assert_eq!(
        document(&redactor, r#"{"k":"v","l":"v"}"#),
        (r#"{"k":"changed","l":"v"}"#.to_string(), 1)
    );
    let count =
        |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((count(&totals.values), count(&totals.failures)), (3, 2));
}

#[test]
fn settings_out_of_bounds_are_refused_by_name() {
    let refused = |setting: Redaction| {
        Redactor::new(setting, None, Arc::new(Totals::default()))
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let long = "a".repeat(1025);
    for (setting, part) in [
        (Redaction::default().rule("r", "("), "\"r\""),
        (Redaction::default().rule("r", "(a)\\1"), "\"r\""),
        (Redaction::default().rule("r", long), "1025 bytes"),
        (Redaction::default().rule("r", "(?:a{1000}){1000}"), "\"r\""),
        (Redaction::default().rule("r", ""), "0 bytes"),
        (Redaction::default().rule("a b", "a"), "a b"),
        (Redaction::default().deny(""), "0 characters"),
        (
            (0..65).fold(Redaction::default(), |setting, n| {
                setting.rule(format!("r{n}"), "a")
            }),
            "65 rules",
        ),
    ] {
        let message = refused(setting);
        assert!(message.contains(part), "{message}");
    }
    assert!(redactor(Redaction::none()).pass().is_none());
}
