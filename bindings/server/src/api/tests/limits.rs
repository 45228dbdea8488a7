//! What is refused, and what ends early.

use std::time::Duration;

use axum::body::Body;
use http::{Request, header};
use http_body_util::BodyExt;
use serde_json::json;

use super::{Api, bare, batches, bytes_of, encoded, with_json};
use crate::access::Caller;
use crate::options::ServeOptions;

/// Runs for hours.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 10000000) AS a(x), generate_series(1, 10000000) AS b(y) \
                       WHERE x % 7 = y % 11";
/// Gives rows for hours.
const LONG: &str =
    "SELECT x, y FROM generate_series(1, 1000) AS a(x), generate_series(1, 10000000) AS b(y)";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_an_error_of_one_form() {
    let api = Api::new();
    for (path, says) in [
        ("/api/v1/search?filte=x", "did you mean filter?"),
        ("/api/v1/search?limit=many", "limit is \"many\""),
        ("/api/v1/search?limit=1&limit=2", "twice"),
        ("/api/v1/search?filter=sate+%3D+1", "state"),
        ("/api/v1/search?columns=nope", "trace_id"),
        ("/api/v1/search?page_token=nope", "page token"),
        ("/api/v1/search?limit=2000000", "at most 1000000"),
        ("/api/v1/text", "query is missing"),
        ("/api/v1/text?query=%F0%9F%98%80", "LIKE"),
        (
            "/api/v1/sql?sql=SELECT+1&max_rows=9999999",
            "at most 1000000",
        ),
        (
            "/api/v1/sql?sql=SELECT+1&timeout_ms=9999999",
            "at most 60000",
        ),
        (
            "/api/v1/metrics?view=x&metric=y",
            "traces, spans or assessments",
        ),
        ("/api/v1/assessments", "trace_id is missing"),
        ("/api/v1/stats?x=1", "not known"),
        ("/api/v1/traces/%FF", "UTF-8"),
    ] {
        let (status, answer) = api.get(path).await;
        let message = answer["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_string();
        assert_eq!(status, 400, "{path}: {answer}");
        assert!(
            message.to_lowercase().contains(&says.to_lowercase()),
            "{path}: {message}"
        );
    }
    let (status, answer) = api.delete("/api/v1/search").await;
    assert_eq!((status, answer["error"]["code"].is_string()), (405, true));
    let wrong = api.send(bare("PUT", "/api/v1/search")).await;
    assert!(
        wrong.headers()[header::ALLOW]
            .to_str()
            .unwrap()
            .contains("GET")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_json_objects_of_bounded_size() {
    let api = Api::new();
    let send = async |content_type: &str, body: Vec<u8>| {
        let request = Request::post("/api/v1/search").header(header::CONTENT_TYPE, content_type);
        let answer = api.send(request.body(Body::from(body)).unwrap()).await;
        let (status, closes) = (
            answer.status().as_u16(),
            answer.headers().contains_key(header::CONNECTION),
        );
        let body = bytes_of(answer).await.unwrap();
        assert!(
            status == 200 || body.starts_with(b"{\"error\":{"),
            "{body:?}"
        );
        (status, closes)
    };
    for (body, status) in [
        ("{}", 200),
        ("", 200),
        ("{} {}", 400),
        ("[]", 400),
        ("{\"limit\":1", 400),
        ("{\"limit\":1.5}", 400),
        ("{\"filter\":5}", 400),
        ("{\"limit\":1,\"limit\":1}", 400),
        ("{\"lmit\":1}", 400),
    ] {
        assert_eq!(
            send("application/json", body.into()).await.0,
            status,
            "{body}"
        );
    }
    assert_eq!(send("text/plain", b"{}".to_vec()).await.0, 415);
    assert_eq!(
        send("application/json", b"{\"filter\":\"\xff\"}".to_vec())
            .await
            .0,
        400
    );
    assert_eq!(
        send("application/json", vec![b' '; (8 << 20) + 1]).await,
        (413, true)
    );
    let deep = format!(
        "{{\"filter\":{}1{}}}",
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    assert_eq!(send("application/json", deep.into_bytes()).await.0, 400);
    let mut request = with_json("POST", "/api/v1/search", json!({}));
    request
        .headers_mut()
        .insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
    assert_eq!(api.send(request).await.status(), 415);
    let with_body = Request::get("/api/v1/search")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(api.send(with_body).await.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_whole_or_an_error() {
    let options = ServeOptions {
        rows_max: 1_000,
        ..ServeOptions::default()
    };
    let api = Api::of(Caller::named("owner"), options);
    let rows = |count: usize| format!("SELECT x FROM generate_series(1, {count}) AS a(x)");
    let (status, answer) = api.post("/api/v1/sql", json!({"sql": rows(1_000)})).await;
    assert_eq!(
        (status, answer["rows"].as_array().unwrap().len()),
        (200, 1_000)
    );
    for asked in [
        json!({"sql": rows(1_001)}),
        json!({"sql": rows(11), "max_rows": 10}),
    ] {
        let (status, answer) = api.post("/api/v1/sql", asked).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("REQUEST_LIMIT_EXCEEDED"))
        );
    }
    let wide = json!({"sql": "SELECT repeat('x', 1000000) FROM generate_series(1, 100) AS a(x)"});
    let (status, answer) = api.post("/api/v1/sql", wide).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!("REQUEST_LIMIT_EXCEEDED")),
        "{answer}"
    );
    let batches = api
        .arrow(&format!("/api/v1/sql?sql={}", encoded(&rows(5_000))))
        .await;
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        5_000
    );
    wait_for_rest(&api).await;
}

/// The status of an Arrow answer, and whether its body came to an end.
async fn stream(api: &Api, sql: &str, more: &str) -> (u16, bool) {
    let mut request = bare("GET", &format!("/api/v1/sql?sql={}{more}", encoded(sql)));
    request
        .headers_mut()
        .insert(header::ACCEPT, batches::MEDIA_TYPE.parse().unwrap());
    let answer = api.send(request).await;
    (answer.status().as_u16(), bytes_of(answer).await.is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fails_breaks_off() {
    let api = Api::new();
    let fails = "SELECT 1 / (300000 - x) FROM generate_series(1, 400000) AS a(x)";
    assert_eq!(stream(&api, fails, "").await, (200, false));
    assert_eq!(
        stream(
            &api,
            "SELECT 1 / (1 - x) FROM generate_series(1, 2) AS a(x)",
            ""
        )
        .await,
        (400, true)
    );
    assert_eq!(stream(&api, "SELECT nope", "").await, (400, true));
    let rows = "SELECT x FROM generate_series(1, 100000) AS a(x)";
    assert_eq!(stream(&api, rows, "&max_rows=50000").await, (200, false));
    assert_eq!(stream(&api, rows, "&max_rows=100000").await, (200, true));
    assert_eq!(stream(&api, LONG, "&timeout_ms=3000").await, (200, false));
    assert_eq!(stream(&api, ENDLESS, "&timeout_ms=300").await, (503, true));
    let (status, answer) = api
        .post("/api/v1/sql", json!({"sql": ENDLESS, "timeout_ms": 300}))
        .await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (503, &json!("TEMPORARILY_UNAVAILABLE"))
    );
}

/// Waits until no question runs and no memory is taken: forever, if one does not end.
async fn wait_for_rest(api: &Api) {
    let is_busy = || {
        let turns = api.state.turns.free();
        turns < api.state.options.queries_max || api.state.budget.used() > 0
    };
    while is_busy() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_takes_its_question_along() {
    let api = Api::new();
    for accept in ["application/json", batches::MEDIA_TYPE] {
        let mut request = with_json("POST", "/api/v1/sql", json!({"sql": ENDLESS}));
        request
            .headers_mut()
            .insert(header::ACCEPT, accept.parse().unwrap());
        // The client goes while the question runs.
        let gone = tokio::time::timeout(Duration::from_millis(300), api.send(request)).await;
        assert!(gone.is_err(), "{accept}");
        wait_for_rest(&api).await;
    }
    let mut request = with_json("POST", "/api/v1/sql", json!({"sql": LONG}));
    request
        .headers_mut()
        .insert(header::ACCEPT, batches::MEDIA_TYPE.parse().unwrap());
    let mut body = api.send(request).await.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(api.state.turns.free() < api.state.options.queries_max);
    // And while rows come.
    drop(body);
    wait_for_rest(&api).await;
}
