//! Each misbehaviour by itself: what it comes to, how often it is tried, and what it costs.

use serde_json::json;

use super::server::{Does, Server, verdict};
use super::{KEY, score_once, settings};
use crate::ScoreErrorKind::{self, Malformed, RateLimited, Server as ServerError, Timeout};
use crate::judge::{JudgeSettings, JudgeUsage};

fn status(status: u16, body: &str) -> Does {
    Does::Status(status, "", body.into())
}

/// The server does this for ever; the error's kind, its message, and the counters.
fn error_of(does: Does) -> (ScoreErrorKind, String, JudgeUsage) {
    let server = Server::script([does]);
    let (result, usage) = score_once(&settings(&server));
    let error = result.unwrap_err();
    assert_eq!(usage.calls, server.connections(), "{error}");
    assert!(
        usage.spent_usd + usage.unsure_usd >= server.billed_usd() - 1e-12,
        "{error}"
    );
    (error.kind, error.message, usage)
}

#[test]
fn good_answers_are_scores_with_their_cost() {
    let server = Server::script([Does::Answer(verdict(false))]);
    let (result, usage) = score_once(&settings(&server));
    let score = result.unwrap();
    assert_eq!((score.value, score.passed), (json!(false), Some(false)));
    assert_eq!(score.rationale.as_deref(), Some("because"));
    assert!((score.cost_usd.unwrap() - server.billed_usd()).abs() < 1e-12);
    assert!((usage.spent_usd - server.billed_usd()).abs() < 1e-9);
    assert_eq!((usage.calls, usage.retries, usage.unsure_usd), (1, 0, 0.0));
    assert!(usage.input_tokens > 0 && usage.output_tokens > 0);

    let call = &server.calls()[0];
    assert_eq!(call.path, "/v1/chat/completions");
    assert_eq!(
        call.header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert_eq!(call.header("accept-encoding"), None);
    assert_eq!(call.body["model"], "judge-model");
    assert_eq!(call.body["stream"], false);
    assert_eq!(call.body["max_tokens"], 100);
    assert_eq!(call.body["seed"], 1);
    assert_eq!(call.body["response_format"]["type"], "json_schema");
    assert!(!call.body.to_string().contains(KEY));
}

#[test]
fn what_may_pass_is_tried_again() {
    let retried = [
        (status(429, "slow down"), RateLimited, "429: slow down"),
        (
            Does::Status(429, "retry-after: 0\r\n", String::new()),
            RateLimited,
            "nothing more",
        ),
        (
            status(500, "{\"error\": {\"message\": \"oops\"}}"),
            ServerError,
            "500: oops",
        ),
        (status(503, ""), ServerError, "503"),
        (
            status(502, "<html><h1>Bad gateway</h1></html>"),
            ServerError,
            "<html>",
        ),
        (Does::Cut, ServerError, "connection broke"),
        (Does::Close, ServerError, "connection"),
        (Does::Body("{\"choices\": [{".into()), Malformed, "no JSON"),
        (
            Does::Body("<html>maintenance</html>".into()),
            Malformed,
            "<html>maint",
        ),
        (
            Does::Body("{\"object\": \"list\"}".into()),
            Malformed,
            "no choices",
        ),
        (
            Does::Body("{\"choices\": \"none\", \"usage\": 3}".into()),
            Malformed,
            "no choices",
        ),
        (
            Does::Body("{\"choices\": [{\"message\": {\"content\": 7}}]}".into()),
            Malformed,
            "is no text",
        ),
        (
            Does::Body("{\"error\": {\"message\": \"upstream\"}}".into()),
            ServerError,
            "upstream",
        ),
        (
            Does::Body("\u{1f}\u{8b} no text".into()),
            Malformed,
            "no JSON",
        ),
    ];
    for (does, kind, part) in retried {
        let (found, message, usage) = error_of(does.clone());
        assert_eq!(found, kind, "{does:?}: {message}");
        assert!(message.contains(part), "{does:?}: {message}");
        assert_eq!((usage.calls, usage.retries), (3, 2), "{does:?}: {message}");
    }
}

#[test]
fn what_would_fail_again_is_not_tried_again() {
    let final_ones = [
        (status(401, "no"), ServerError, "401"),
        (
            status(404, "{\"detail\": \"no such model\"}"),
            ServerError,
            "no such model",
        ),
        (
            status(429, "{\"error\": {\"code\": \"insufficient_quota\"}}"),
            RateLimited,
            "quota",
        ),
        (Does::Endless, Malformed, "larger than"),
    ];
    for (does, kind, part) in final_ones {
        let (found, message, usage) = error_of(does.clone());
        assert_eq!((found, usage.calls), (kind, 1), "{does:?}: {message}");
        assert!(message.contains(part), "{does:?}: {message}");
    }
}

#[test]
fn silence_is_a_timeout() {
    let server = Server::script([Does::Silence]);
    let (result, usage) = score_once(&JudgeSettings {
        timeout_ms: 100,
        ..settings(&server)
    });
    assert_eq!(result.unwrap_err().kind, Timeout);
    assert_eq!(usage.calls, 3);
    assert!(
        usage.unsure_usd >= server.billed_usd(),
        "the work may have been done"
    );

    let short = JudgeSettings {
        deadline_ms: 100,
        ..settings(&server)
    };
    assert_eq!(score_once(&short).0.unwrap_err().kind, Timeout);
}

#[test]
fn a_failure_that_passes_leaves_a_score() {
    let server = Server::script([
        status(503, ""),
        Does::Status(429, "retry-after: 0\r\n", String::new()),
        Does::Answer(verdict(true)),
    ]);
    let (result, usage) = score_once(&settings(&server));
    assert_eq!(result.unwrap().passed, Some(true));
    assert_eq!((usage.calls, usage.retries, usage.unsure_usd), (3, 2, 0.0));
}

#[test]
fn a_wish_to_wait_is_not_cut_short() {
    let wishes = [
        "retry-after: 3600\r\n",
        "retry-after-ms: 3600000\r\n",
        "date: Sun, 06 Nov 1994 08:00:00 GMT\r\nretry-after: Sun, 06 Nov 1994 09:00:00 GMT\r\n",
    ];
    for wish in wishes {
        let (kind, message, usage) = error_of(Does::Status(429, wish, String::new()));
        assert_eq!((kind, usage.calls), (RateLimited, 1), "{wish}: {message}");
        assert!(message.contains("3600.0 s"), "{wish}: {message}");
    }
}

#[test]
fn a_false_gzip_header_harms_nothing() {
    let server = Server::script([Does::GzipLie]);
    assert_eq!(score_once(&settings(&server)).0.unwrap().passed, Some(true));
}

#[test]
fn usage_that_is_not_told_is_unsure() {
    let body = json!({
        "choices": [{"message": {"content": verdict(true)}}],
        "usage": {"prompt_tokens": "many", "completion_tokens": -1},
    });
    let server = Server::script([Does::Body(body.to_string())]);
    let (result, usage) = score_once(&settings(&server));
    assert_eq!(result.unwrap().cost_usd, None);
    assert_eq!((usage.spent_usd, usage.input_tokens), (0.0, 0));
    assert!(usage.unsure_usd >= server.billed_usd());
}

#[test]
fn without_prices_the_servers_cost_counts() {
    let answer = |cost: serde_json::Value| {
        let body =
            json!({"choices": [{"message": {"content": verdict(true)}}], "usage": {"cost": cost}});
        let server = Server::script([Does::Body(body.to_string())]);
        let (result, usage) = score_once(&JudgeSettings {
            price_input_usd_per_million: None,
            price_output_usd_per_million: None,
            ..settings(&server)
        });
        (result.unwrap().cost_usd, usage.spent_usd)
    };
    assert_eq!(answer(json!(0.25)), (Some(0.25), 0.25));
    assert_eq!(answer(json!("dear")), (None, 0.0));
}

#[test]
fn redirects_are_not_followed() {
    let other = Server::script([Does::Answer(verdict(true))]);
    for code in [301, 302, 303, 307, 308] {
        let to: &'static str = format!("location: {}\r\n", other.url()).leak();
        let (kind, message, usage) = error_of(Does::Status(code, to, String::new()));
        assert_eq!((kind, usage.calls), (ServerError, 1), "{message}");
        assert!(message.contains(&other.url()), "{message}");
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn without_a_server_nothing_is_spent() {
    let server = Server::script([Does::Close]);
    let settings = settings(&server);
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (result, usage) = score_once(&JudgeSettings {
        base_url: format!("http://{gone}/v1"),
        ..settings
    });
    let error = result.unwrap_err();
    assert_eq!(error.kind, ServerError);
    assert!(error.message.contains("no connection"), "{error}");
    assert_eq!(
        (usage.calls, usage.spent_usd, usage.unsure_usd),
        (3, 0.0, 0.0)
    );
}

#[test]
fn https_is_spoken_and_checked() {
    let server = Server::script([Does::Close]);
    let settings = settings(&server);
    let https = settings.base_url.replace("http:", "https:");
    let (result, usage) = score_once(&JudgeSettings {
        base_url: https,
        ..settings
    });
    assert_eq!(result.unwrap_err().kind, ServerError);
    assert_eq!(usage.calls, 3);
    assert_eq!(
        server.calls().len(),
        0,
        "no request goes to a server that speaks no TLS"
    );
}
