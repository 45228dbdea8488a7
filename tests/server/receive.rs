//! OTLP/HTTP: whatever comes in by a request is what an import of it makes; what cannot be kept is told.

use std::io::Write;
use std::path::Path;

use serde_json::json;
use tracehouse::{OpenOptions, Search};

use super::client::{Serving, get, post};
use super::spans_request;
use crate::support::{import_lines, in_memory, number, open, shared, sorted_rows, texts};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");

/// Lines that real producers sent.
fn recorded() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("producers/recorded");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .filter(|path| !path.to_string_lossy().contains(".native."))
        .collect();
    paths.sort();
    let texts = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap());
    texts
        .flat_map(|text| text.lines().map(str::to_string).collect::<Vec<_>>())
        .collect()
}

fn compressed(encoding: &str, body: &[u8]) -> Vec<u8> {
    let (level, mut out) = (flate2::Compression::fast(), Vec::new());
    match encoding {
        "gzip" => {
            let mut writer = flate2::write::GzEncoder::new(&mut out, level);
            writer.write_all(body).unwrap();
            writer.finish().unwrap();
        }
        "deflate" => {
            let mut writer = flate2::write::ZlibEncoder::new(&mut out, level);
            writer.write_all(body).unwrap();
            writer.finish().unwrap();
        }
        "zstd" => out = zstd::encode_all(body, 1).unwrap(),
        other => {
            assert_eq!(other, "identity");
            out = body.to_vec();
        }
    }
    out
}

#[test]
fn what_producers_send_is_what_an_import_makes() {
    let lines = recorded();
    assert!(lines.len() > 40, "{} lines", lines.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("served.traces");
    let server = Serving::start(&path, &[]);
    // SDKs of products have paths of their own.
    let paths = [
        "/v1/traces",
        "/api/public/otel/v1/traces",
        "/otel/v1/traces",
    ];
    let encodings = ["identity", "gzip", "deflate", "zstd"];
    let ways = paths.iter().cycle().zip(encodings.iter().cycle());
    for (line, (path, encoding)) in lines.iter().zip(ways) {
        let headers = [JSON, ("Content-Encoding", encoding)];
        let answer = post(
            server.http,
            path,
            &headers,
            &compressed(encoding, line.as_bytes()),
        );
        assert!(answer.status == 200 || answer.status == 400, "{answer:?}");
    }
    server.signal("TERM");
    assert_eq!(server.end(), Some(0));
    let (served, imported) = (open(&path), in_memory());
    import_lines(&imported, &lines);
    // The end of an import settles its traces; a server waits for their roots.
    served.settle().unwrap();
    for statement in [
        "SELECT * FROM spans",
        "SELECT trace_id, name, state, request_time, duration_ns, session_id, user_id, total_tokens, cost_usd FROM traces",
        "SELECT trace_id, name, value, rationale FROM assessments",
    ] {
        let (got, want) = (
            sorted_rows(&served, statement),
            sorted_rows(&imported, statement),
        );
        assert_eq!(got.len(), want.len(), "{statement}");
        for (got, want) in got.iter().zip(&want) {
            assert_eq!(got, want, "{statement}");
        }
    }
}

/// Messages with every odd value there is, in both encodings.
#[test]
fn protobuf_and_json_of_one_request_make_the_same_rows() {
    let Some(folder) = shared("data/protocol") else {
        return;
    };
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let json = entry.unwrap().path();
        let protobuf = json.with_extension("pb");
        if json.extension().is_none_or(|ending| ending != "json") || !protobuf.exists() {
            continue;
        }
        let mut rows = Vec::new();
        for (path, kind) in [(&json, JSON), (&protobuf, PROTOBUF)] {
            let folder = tempfile::tempdir().unwrap();
            let db = folder.path().join("served.traces");
            let server = Serving::start(&db, &[]);
            let answer = post(
                server.http,
                "/v1/traces",
                &[kind],
                &std::fs::read(path).unwrap(),
            );
            server.signal("TERM");
            assert_eq!(server.end(), Some(0));
            rows.push((
                answer.status,
                sorted_rows(&open(&db), "SELECT * FROM spans"),
            ));
        }
        assert_eq!(rows[0], rows[1], "{}", json.display());
        count += 1;
    }
    assert!(count >= 5, "{count} pairs");
}

#[test]
fn what_cannot_be_kept_is_told_and_not_to_be_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Serving::start(
        &folder.path().join("served.traces"),
        &["--max-request-bytes", "100000"],
    );
    let post =
        |headers: &[(&str, &str)], body: &[u8]| post(server.http, "/v1/traces", headers, body);

    let good = spans_request(&[(1, 1)]);
    let answer = post(&[JSON], good.to_string().as_bytes());
    assert_eq!((answer.status, answer.json()), (200, json!({})));

    let mut partly = spans_request(&[(2, 2), (3, 3)]);
    partly["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["traceId"] = json!("00");
    let answer = post(&[JSON], partly.to_string().as_bytes());
    assert_eq!(answer.status, 200);
    let said = answer.json();
    assert_eq!(said["partialSuccess"]["rejectedSpans"], "1");
    assert!(
        said["partialSuccess"]["errorMessage"]
            .as_str()
            .unwrap()
            .contains("00"),
        "{said}"
    );

    let mut nothing = spans_request(&[(4, 4)]);
    nothing["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] = json!("");
    for (headers, body, status) in [
        (vec![JSON], nothing.to_string(), 400),
        (vec![JSON], "{\"resourceSpans\": [".to_string(), 400),
        (vec![JSON], String::new(), 400),
        (vec![PROTOBUF], "\u{1}\u{1}\u{1}".to_string(), 400),
        (vec![], good.to_string(), 415),
        (vec![("Content-Type", "text/plain")], good.to_string(), 415),
        (
            vec![JSON, ("Content-Encoding", "br")],
            good.to_string(),
            415,
        ),
        (
            vec![JSON, ("Content-Encoding", "gzip")],
            good.to_string(),
            400,
        ),
        (vec![JSON], " ".repeat(100_001), 413),
        (
            vec![JSON, ("x-tracehouse-experiment", "a\tb")],
            good.to_string(),
            400,
        ),
    ] {
        let answer = post(&headers, body.as_bytes());
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
    }
    // Nothing to do is no mistake: the OTLP specification wants success.
    assert_eq!(post(&[PROTOBUF], b"").status, 200);
    assert_eq!(post(&[JSON], b"{\"resourceSpans\":[]}").status, 200);
    let bomb = compressed("gzip", " ".repeat(10_000_000).as_bytes());
    assert!(bomb.len() < 100_000);
    assert_eq!(
        post(&[JSON, ("Content-Encoding", "gzip")], &bomb).status,
        413
    );
}

#[test]
fn headers_name_the_experiment_and_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("served.traces");
    let server = Serving::start(&path, &["--experiment", "7"]);
    let send = |id: u64, headers: &[(&str, &str)]| {
        let body = spans_request(&[(u128::from(id), id)]).to_string();
        let headers: Vec<_> = headers.iter().copied().chain([JSON]).collect();
        assert_eq!(
            post(server.http, "/v1/traces", &headers, body.as_bytes()).status,
            200
        );
    };
    send(1, &[]);
    send(2, &[("x-tracehouse-experiment", "8")]);
    send(
        3,
        &[
            ("x-mlflow-experiment-id", "9"),
            ("x-tracehouse-experiment", "8"),
            ("x-mlflow-run-id", "run-1"),
        ],
    );
    server.signal("INT");
    assert_eq!(server.end(), Some(0));
    let db = OpenOptions::new().read_only(true).open(&path).unwrap();
    let experiments = texts(&db, "SELECT experiment_id FROM traces ORDER BY trace_id");
    assert_eq!(experiments, ["7", "8", "9"]);
    assert_eq!(
        db.count_traces(&Search::new("run_id = 'run-1'")).unwrap(),
        1
    );
}

#[test]
fn a_server_beside_a_writer_answers_and_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("served.traces");
    let writer = open(&path);
    import_lines(&writer, &[spans_request(&[(1, 1)]).to_string()]);
    let server = Serving::start(&path, &["--read-only"]);
    let body = spans_request(&[(2, 2)]).to_string();
    assert_eq!(
        post(server.http, "/v1/traces", &[JSON], body.as_bytes()).status,
        403
    );
    let answer = get(server.http, "/api/v1/search?count=true");
    assert_eq!((answer.status, answer.json()), (200, json!({"count": 1})));
    assert_eq!(get(server.http, "/readyz").status, 200);
    let refused = post(server.http, "/v1/metrics", &[JSON], b"{}");
    assert_eq!(
        (refused.status, refused.headers.contains_key("retry-after")),
        (404, false)
    );
    server.signal("TERM");
    assert_eq!(server.end(), Some(0));
    assert_eq!(number(&writer, "SELECT count(*) FROM traces"), 1);
}
