//! Tokens on every route: none, wrong ones, those of other roles and experiments, and those in the wrong place.

use tracehouse_server::make_token;

use super::http2::Http2;
use super::support::*;

/// Every route that is not open to all, with a role that is enough.
const ROUTES: [(&str, &str, &str); 5] = [
    ("POST", "/v1/traces", "ingest"),
    ("POST", "/api/public/otel/v1/traces", "ingest"),
    ("POST", "/otel/v1/traces", "ingest"),
    ("POST", "/v1/logs", "ingest"),
    ("GET", "/metrics", "read"),
];
const ROLES: [&str; 3] = ["ingest", "read", "write"];

/// A server with tokens of these names and roles; good requests bring the last one.
pub fn server(tokens: &[(&str, &[&str])]) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let made: Vec<(String, String)> = tokens
        .iter()
        .map(|(name, roles)| make_token(name, roles, &[]).unwrap())
        .collect();
    let lines: Vec<&str> = made.iter().map(|(_, line)| line.as_str()).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let mut running = Running::start(|options| options.token_file = Some(path));
    running.token = made.last().map(|(token, _)| token.clone());
    running
}

fn ask(server: &Running, method: &str, path: &str, headers: &str) -> u16 {
    let answer = server.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}Content-Length: 2\r\n\
         Connection: close\r\n\r\n{{}}"
    ));
    status(&answer)
}

#[test]
fn no_route_is_open_without_its_token() {
    let _beside = beside_others();
    for (method, path, role) in ROUTES {
        let server = server(&[("it", &["admin"])]);
        let token = server.token.clone().unwrap();
        for headers in [
            String::new(),
            "Authorization: Bearer th_wrong\r\n".into(),
            "Authorization: Bearer \r\n".into(),
            format!("Authorization: Basic {token}\r\n"),
            format!("Authorization: {token}\r\n"),
            format!("Authorization: Bearer {token}x\r\n"),
            format!("Authorization: Bearer {}\r\n", &token[..token.len() - 1]),
            format!("Authorization: Bearer {token}\r\nAuthorization: Bearer th_wrong\r\n"),
            format!("X-Api-Key: {token}\r\nCookie: token={token}\r\n"),
        ] {
            assert_eq!(
                ask(&server, method, path, &headers),
                401,
                "{path} {headers}"
            );
        }
        for query in ["access_token", "token", "authorization"] {
            let target = format!("{path}?{query}={token}");
            assert_eq!(ask(&server, method, &target, ""), 401, "{target}");
        }
        assert_eq!(
            ask(&server, method, path, &server.authorization()),
            200,
            "{path}"
        );
        assert_eq!((server.get("/healthz"), server.get("/readyz")), (200, 200));
        server.still_answers();
        for other in ROLES.into_iter().filter(|other| *other != role) {
            let server = self::server(&[("other", &[other])]);
            let headers = server.authorization();
            assert_eq!(
                ask(&server, method, path, &headers),
                403,
                "{path} for {other}"
            );
        }
    }
}

#[test]
fn calls_of_grpc_need_their_token() {
    let _beside = beside_others();
    let empty = || b"\0\0\0\0\0".to_vec();
    let good = server(&[("it", &["ingest", "read"])]);
    let mut client = Http2::to(good.grpc);
    assert_eq!(client.export(empty(), &[]), Some(16));
    client.token = Some("th_wrong".into());
    assert_eq!(client.export(empty(), &[]), Some(16));
    client.token = good.token.clone();
    assert_eq!(client.export(empty(), &[]), Some(0));
    good.still_answers();
    let other = server(&[("it", &["read", "write"])]);
    let mut client = Http2::to(other.grpc);
    client.token = other.token.clone();
    assert_eq!(client.export(empty(), &[]), Some(7));
}

#[test]
fn a_token_stays_within_its_experiments() {
    let _beside = beside_others();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let (token, line) = make_token("seven", &["ingest", "read"], &["7"]).unwrap();
    std::fs::write(&path, line).unwrap();
    let mut server = Running::start(|options| options.token_file = Some(path));
    server.token = Some(token);
    for name in ["X-Mlflow-Experiment-Id", "X-Tracehouse-Experiment"] {
        let headers = format!("{}{name}: 8\r\n", server.authorization());
        assert_eq!(status(&server.send(export(&headers))), 403, "{name}");
        let headers = format!("{}{name}: 7\r\n", server.authorization());
        assert_eq!(status(&server.send(export(&headers))), 200, "{name}");
    }
    server.still_answers();
}

#[test]
fn wrong_tokens_without_end_are_slowed_down_and_good_ones_are_not() {
    let _beside = beside_others();
    let server = server(&[("it", &["admin"])]);
    let wrong = "Authorization: Bearer th_wrong\r\n";
    let statuses: Vec<u16> = (0..40)
        .map(|_| ask(&server, "GET", "/metrics", wrong))
        .collect();
    assert_eq!(statuses.first(), Some(&401));
    assert_eq!(statuses.last(), Some(&429));
    let answer = server.send(format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n{wrong}\r\n"
    ));
    assert!(
        answer.to_ascii_lowercase().contains("retry-after: "),
        "{answer}"
    );
    assert!(server.figure("tracehouse_requests_refused_total{reason=\"token\"}") >= 41.0);
    server.still_answers();
}

#[test]
fn a_token_has_its_share_of_requests() {
    let _beside = beside_others();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let (token, line) = make_token("few", &["read"], &[]).unwrap();
    let (many, other) = make_token("many", &["admin"], &[]).unwrap();
    std::fs::write(&path, format!("{line} rate=3/s\n{other}\n")).unwrap();
    let mut server = Running::start(|options| options.token_file = Some(path));
    let headers = format!("Authorization: Bearer {token}\r\n");
    let statuses: Vec<u16> = (0..20)
        .map(|_| ask(&server, "GET", "/metrics", &headers))
        .collect();
    assert_eq!(statuses[..3], [200; 3]);
    assert!(statuses.contains(&429), "{statuses:?}");
    server.token = Some(many);
    server.still_answers();
}

#[test]
fn changes_and_refusals_are_in_the_audit_log_and_tokens_are_nowhere() {
    let _beside = beside_others();
    let folder = tempfile::tempdir().unwrap();
    let (path, audit) = (folder.path().join("tokens"), folder.path().join("audit"));
    let (token, line) = make_token("reader", &["read"], &[]).unwrap();
    std::fs::write(&path, line).unwrap();
    let mut server = Running::start(|options| {
        options.token_file = Some(path);
        options.audit_log = Some(audit.clone());
    });
    let id = "X-Request-Id: mine-1\r\n";
    assert_eq!(
        ask(&server, "GET", &format!("/metrics?token={token}"), id),
        401
    );
    server.token = Some(token.clone());
    let headers = format!("{}X-Request-Id: mine-2\r\n", server.authorization());
    let answer = server.send(export(&headers));
    assert_eq!(status(&answer), 403);
    assert!(answer.contains("x-request-id: mine-2"), "{answer}");
    assert_eq!(server.get("/metrics"), 200);
    drop(server);
    let text = std::fs::read_to_string(audit).unwrap();
    let entries: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (&entry["request_id"], &entry["caller"], &entry["status"]))
        .collect();
    let json = |text: &str| serde_json::json!(text);
    assert_eq!(
        told,
        [
            (&json("mine-1"), &serde_json::Value::Null, &json("401")),
            (&json("mine-2"), &json("reader"), &json("403")),
        ]
    );
    assert!(!text.contains(&token) && !text.contains("good"), "{text}");
}
