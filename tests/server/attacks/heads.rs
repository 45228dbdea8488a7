//! Heads: too much of everything, paths that are none, targets of others, and requests within requests.

use super::support::*;

fn guarded() -> Running {
    super::tokens::server(&[("admin", &["admin"])])
}

#[test]
fn heads_without_end_are_refused() {
    let _beside = beside_others();
    let server = Running::start(|_| {});
    let headers = |count: usize, bytes: usize| {
        let value = "a".repeat(bytes);
        let lines: String = (0..count)
            .map(|number| format!("X-{number}: {value}\r\n"))
            .collect();
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
    };
    for (count, bytes) in [
        (200, 1),
        (20_000, 1),
        (1, 100_000),
        (90, 1000),
        (50, 100_000),
    ] {
        let answer = server.send(headers(count, bytes));
        assert!(
            matches!(status(&answer), 0 | 431),
            "{count} {bytes}: {answer}"
        );
    }
    assert_eq!(status(&server.send(headers(50, 100))), 200);
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a".repeat(100_000)
    );
    assert!(matches!(status(&server.send(long)), 0 | 414 | 431));
    // A line without an end.
    let mut client = Client::to(server.http);
    let mut sent = 0;
    while sent < 64 << 20 && client.write(&[b'a'; 1 << 16]) {
        sent += 1 << 16;
    }
    assert!(sent < 64 << 20, "the server reads on");
    server.still_answers();
}

#[test]
fn paths_that_are_none_lead_nowhere() {
    let _beside = beside_others();
    let server = guarded();
    let without = |target: &str| {
        status(&server.send(format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )))
    };
    for target in [
        "/healthz/../metrics",
        "/healthz/%2e%2e/metrics",
        "/healthz/..%2fmetrics",
        "/./metrics",
        "//metrics",
        "/metrics/",
        "/metrics%00",
        "/metrics;a=b",
        "/%6detrics",
        "/METRICS",
        "/healthz/..;/metrics",
        "/..%c0%af..%c0%afetc/passwd",
        "/../../etc/passwd",
        "http://localhost/../metrics",
    ] {
        assert!(
            matches!(without(target), 400 | 404),
            "{target}: {}",
            without(target)
        );
    }
    for target in ["/metrics\0", "metrics", "\\metrics", "/a b", "*", "/é"] {
        assert!(
            matches!(without(target), 400 | 404),
            "{target:?}: {}",
            without(target)
        );
    }
    for target in [
        "/metrics",
        "http://localhost/metrics",
        "/metrics?a=/healthz",
        "/metrics#/healthz",
    ] {
        assert!(
            matches!(without(target), 401),
            "{target}: {}",
            without(target)
        );
    }
    for method in [
        "CONNECT localhost:80",
        "OPTIONS *",
        "TRACE /metrics",
        "PRI *",
        "G\u{e9}T /",
    ] {
        let answer = server.send(format!(
            "{method} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ));
        assert!(
            matches!(status(&answer), 0 | 400 | 404 | 405),
            "{method}: {answer}"
        );
    }
    server.still_answers();
}

#[test]
fn a_server_without_tokens_is_no_server_of_web_pages() {
    let _beside = beside_others();
    let server = Running::start(|_| {});
    let with = |headers: &str| {
        let answer = server.send(export("").replace("Host: localhost\r\n", headers));
        assert!(
            !answer.to_ascii_lowercase().contains("access-control"),
            "{answer}"
        );
        status(&answer)
    };
    assert_eq!(with("Host: evil.example\r\n"), 403);
    assert_eq!(
        with("Host: localhost\r\nOrigin: http://evil.example\r\n"),
        403
    );
    assert_eq!(with("Host: localhost\r\nOrigin: null\r\n"), 403);
    assert_eq!(
        with("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n"),
        403
    );
    assert_eq!(with("Host: localhost\r\nHost: localhost\r\n"), 400);
    assert_eq!(with(""), 400);
    let preflight = "OPTIONS /v1/traces HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\
                     Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n";
    let answer = server.send(preflight);
    assert_eq!(status(&answer), 403, "{answer}");
    assert!(
        !answer.to_ascii_lowercase().contains("access-control"),
        "{answer}"
    );
    assert_eq!(with("Host: localhost\r\nOrigin: http://localhost\r\n"), 200);
    server.still_answers();
}

#[test]
fn requests_within_requests_are_not_carried_out() {
    let _beside = beside_others();
    let server = Running::start(|_| {});
    let inner = export("");
    let body = format!("0\r\n\r\n{inner}");
    let length = body.len();
    let post = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let stored = server.figure("tracehouse_received_spans_total{outcome=\"stored\"}");
    for framing in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
        format!(
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: {length}\r\n"
        ),
        format!("Transfer-Encoding: identity, chunked\r\nContent-Length: {length}\r\n"),
        format!("Transfer-Encoding: chunked, identity\r\nContent-Length: {length}\r\n"),
        format!("Transfer-Encoding: xchunked\r\nContent-Length: {length}\r\n"),
        format!("Transfer-Encoding : chunked\r\nContent-Length: {length}\r\n"),
        format!("Content-Length: 5\r\nContent-Length: {length}\r\n"),
        "Content-Length: 5\r\n , 6\r\n".to_string(),
        format!("Content-Length: 0\r\nX: a\n\nContent-Length: {length}\r\n"),
        "Transfer-Encoding: chunked\r\n".to_string(),
    ] {
        let mut client = Client::to(server.http);
        client.write(format!("{post}{framing}\r\n{body}").as_bytes());
        client.0.shutdown(std::net::Shutdown::Write).unwrap();
        let answers = client.rest();
        // What is left over may be answered as the nonsense that it is.
        let is_carried_out = answers.contains("HTTP/1.1 200") || answer_count(&answers) > 2;
        assert!(!is_carried_out, "{framing:?}: {answers}");
    }
    let after = server.figure("tracehouse_received_spans_total{outcome=\"stored\"}");
    assert_eq!(stored, after, "an inner request was carried out");
    server.still_answers();
}
