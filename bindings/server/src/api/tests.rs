//! The routes over a database in memory: what is answered, to whom, and what is refused.

mod changes;
mod limits;
mod reading;
mod sight;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tracehouse::{Database, ImportOptions};

use super::{ROUTES, Verb, batches, openapi, routes};
use crate::access::{Access, Caller, Role};
use crate::forward::Forward;
use crate::operate::Operate;
use crate::options::ServeOptions;
use crate::state::{Shared, State};

/// Three traces: `a1`, `a2` (an error) in experiment `0`, `b1` in experiment `b`; sessions `s0` and `sb`.
pub(super) fn database() -> Database {
    let db = Database::in_memory().unwrap();
    for (experiment, traces) in [("0", &["a1", "a2"][..]), ("b", &["b1"])] {
        for trace in traces {
            let options = ImportOptions::default().experiment_id(experiment);
            db.import_otlp(&request(trace, experiment), &options)
                .unwrap();
        }
    }
    db
}

fn request(trace: &str, experiment: &str) -> Vec<u8> {
    let id = |suffix: &str| format!("{:0>30}{suffix}", trace.replace('a', "1").replace('b', "2"));
    let status = if trace == "a2" { 2 } else { 1 };
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let span = |span_id: &str, parent: Option<&str>, at: u64| {
        json!({
            "traceId": id("00"), "spanId": span_id, "parentSpanId": parent, "name": format!("answer {trace}"),
            "startTimeUnixNano": (1_700_000_000_000_000_000 + at).to_string(),
            "endTimeUnixNano": (1_700_000_001_000_000_000 + at).to_string(),
            "status": {"code": status},
            "attributes": [
                attribute("session.id", &format!("s{experiment}")),
                attribute("input.value", &format!("what is the refund policy of {trace}?")),
            ],
        })
    };
    let at = u64::from(trace.as_bytes()[1]);
    let spans = [
        span("00000000000000b2", Some("00000000000000a1"), at + 5),
        span("00000000000000a1", None, at),
    ];
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
        .to_string()
        .into_bytes()
}

/// The id of a trace of `database`.
pub(super) fn id(trace: &str) -> String {
    format!("{:0>30}00", trace.replace('a', "1").replace('b', "2"))
}

/// The routes for one caller.
pub(super) struct Api {
    pub(super) state: Shared,
    router: Router,
}

impl Api {
    pub(super) fn new() -> Self {
        Self::of(Caller::named("owner"), ServeOptions::default())
    }

    pub(super) fn of(caller: Caller, options: ServeOptions) -> Self {
        let operate = Operate::start(&options, 0).unwrap();
        let (access, forward) = (Access::of(caller), Forward::default());
        let state: Shared = Arc::new(State::new(database(), options, access, forward, operate));
        Self {
            router: routes().with_state(state.clone()),
            state,
        }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Status and JSON of an answer.
    async fn call(&self, request: Request<Body>) -> (u16, Value) {
        let answer = self.send(request).await;
        let status = answer.status().as_u16();
        let body = bytes_of(answer).await.unwrap();
        let json = serde_json::from_slice(&body);
        (
            status,
            json.unwrap_or_else(|error| panic!("{error}: {body:?}")),
        )
    }

    pub(super) async fn get(&self, path: &str) -> (u16, Value) {
        self.call(bare("GET", path)).await
    }

    pub(super) async fn delete(&self, path: &str) -> (u16, Value) {
        self.call(bare("DELETE", path)).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(with_json("POST", path, body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(with_json("PATCH", path, body)).await
    }

    /// What a GET that succeeds answers.
    pub(super) async fn found(&self, path: &str) -> Value {
        let (status, answer) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// An Arrow stream, read to its end.
    pub(super) async fn arrow(&self, path: &str) -> Vec<arrow::array::RecordBatch> {
        let mut request = bare("GET", path);
        request
            .headers_mut()
            .insert(header::ACCEPT, batches::MEDIA_TYPE.parse().unwrap());
        let answer = self.send(request).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], batches::MEDIA_TYPE);
        let body = bytes_of(answer).await.unwrap();
        let reader = arrow::ipc::reader::StreamReader::try_new(body.as_ref(), None).unwrap();
        reader.map(Result::unwrap).collect()
    }
}

pub(super) fn bare(method: &str, path: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap()
}

pub(super) fn with_json(method: &str, path: &str, body: Value) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    request.body(Body::from(body.to_string())).unwrap()
}

pub(super) async fn bytes_of(answer: Response<Body>) -> Result<Bytes, axum::Error> {
    Ok(answer.into_body().collect().await?.to_bytes())
}

/// A parameter of an address.
pub(super) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[test]
fn the_description_has_the_routes_that_there_are() {
    let described: Value = serde_json::from_str(openapi::TEXT).unwrap();
    let mut paths = BTreeSet::new();
    for (path, operations) in described["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if method != "parameters" {
                let role = operation["description"].as_str().unwrap();
                paths.insert((path.clone(), method.clone(), role.to_string()));
            }
        }
    }
    let there = ROUTES.iter().map(|route| {
        let role = format!("Needs the role {}.", route.role.as_str());
        let method = format!("{:?}", route.verb).to_lowercase();
        (route.path.to_string(), method, role)
    });
    assert_eq!(there.collect::<BTreeSet<_>>(), paths);
    let deletes = ROUTES.iter().filter(|route| route.verb == Verb::Delete);
    for route in deletes {
        let is_tag = route.path.contains("/tags/");
        assert_eq!(route.role == Role::Admin, !is_tag, "{}", route.path);
    }
}
