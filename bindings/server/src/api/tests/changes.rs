//! Tags, assessments, datasets.

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};

use super::{Api, bare, bytes_of, encoded, id};
use crate::access::Caller;
use crate::options::ServeOptions;

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_set_and_removed() {
    let api = Api::new();
    let tags = format!("/api/v1/traces/{}/tags", id("a1"));
    let set = api
        .post(&tags, json!({"tags": {"env": "prod", "my key": "x/y"}}))
        .await;
    assert_eq!(
        set,
        (
            200,
            json!({"trace_id": id("a1"), "tags": {"env": "prod", "my key": "x/y"}})
        )
    );
    assert_eq!(
        api.post(&tags, json!({"key": "k", "value": ""})).await.1["tags"]["k"],
        ""
    );
    assert_eq!(
        api.delete(&format!("{tags}/{}", encoded("my key"))).await.0,
        200
    );
    assert_eq!(api.delete(&format!("{tags}/none")).await.0, 404);
    for wrong in [
        json!({}),
        json!({"tags": {"k": 1}}),
        json!({"key": "k"}),
        json!({"tags": {"a?": "b"}}),
    ] {
        assert_eq!(api.post(&tags, wrong.clone()).await.0, 400, "{wrong}");
    }
    assert_eq!(
        api.post("/api/v1/traces/none/tags", json!({"tags": {"k": "v"}}))
            .await
            .0,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assessment_has_its_life() {
    let api = Api::new();
    let given = json!({
        "trace_id": id("a1"), "span_id": "00000000000000a1", "name": "correct", "value": {"score": 0.5},
        "source": "HUMAN:ana", "rationale": "half", "metadata": {"k": "v"},
    });
    let (status, stored) = api.post("/api/v1/assessments", given).await;
    assert_eq!(status, 200, "{stored}");
    assert_eq!(
        (&stored["value"], &stored["source_id"]),
        (&json!(r#"{"score":0.5}"#), &json!("ana"))
    );
    let path = format!(
        "/api/v1/assessments/{}",
        stored["assessment_id"].as_str().unwrap()
    );
    assert_eq!(api.found(&path).await, stored);
    let (status, changed) = api
        .patch(&path, json!({"value": true, "metadata": {"l": "w"}}))
        .await;
    assert_eq!((status, &changed["value"]), (200, &json!("true")));
    assert_eq!(
        (&changed["rationale"], &changed["metadata"]),
        (&json!("half"), &json!({"k": "v", "l": "w"}))
    );
    let list = api
        .found(&format!("/api/v1/assessments?trace_id={}", id("a1")))
        .await;
    assert_eq!(list["assessments"], json!([changed]));
    assert_eq!(api.delete(&path).await.0, 200);
    assert_eq!(api.delete(&path).await.0, 404);
    for (wrong, status) in [
        (json!({"trace_id": id("a1"), "name": "x"}), 400),
        (
            json!({"trace_id": id("a1"), "name": "x", "value": "y", "type": "issue"}),
            200,
        ),
        (
            json!({"trace_id": id("a1"), "name": "x", "value": 1, "span_id": "none"}),
            200,
        ),
        (
            json!({"trace_id": id("a1"), "name": "x", "value": 1, "source": "ROBOT"}),
            400,
        ),
        (
            json!({"trace_id": id("a1"), "name": "x", "value": 1, "source": {"type": "HUMAN"}}),
            400,
        ),
        (
            json!({"trace_id": id("a1"), "name": "x", "value": null, "type": "expectation"}),
            400,
        ),
        (json!({"trace_id": "none", "name": "x", "value": 1}), 404),
        (
            json!({"trace_id": id("a1"), "name": "x", "value": 1, "overrides": "none"}),
            404,
        ),
    ] {
        assert_eq!(
            api.post("/api/v1/assessments", wrong.clone()).await.0,
            status,
            "{wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_is_made_read_and_written_out() {
    let api = Api::new();
    let new = json!({"name": "my set/1", "tags": {"k": "v"}, "experiment_ids": ["0"]});
    assert_eq!(
        api.post("/api/v1/datasets", new.clone()).await.1["version"],
        0
    );
    assert_eq!(api.post("/api/v1/datasets", new).await.0, 409);
    let path = format!("/api/v1/datasets/{}", encoded("my set/1"));
    assert_eq!(
        api.found(&format!("{path}/records")).await["records"],
        json!([])
    );
    let records: Vec<Value> = (0..5)
        .map(|n| json!({"inputs": {"n": n}, "outputs": n, "tags": {"t": "x"}}))
        .collect();
    let (status, report) = api
        .post(&format!("{path}/records"), json!({ "records": records }))
        .await;
    assert_eq!(
        (status, &report["inserted"], &report["version"]),
        (200, &json!(5), &json!(1)),
        "{report}"
    );
    let wrong = json!({"records": [{"inputs": {"n": 9}}, {"input": 1}]});
    let (status, refused) = api.post(&format!("{path}/records"), wrong).await;
    assert_eq!(status, 400);
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("records[1].inputs"),
        "{refused}"
    );
    let (_, added) = api
        .post(
            &format!("{path}/traces"),
            json!({"filter": "state = 'ERROR'"}),
        )
        .await;
    assert_eq!(
        (&added["inserted"], &added["version"]),
        (&json!(1), &json!(2)),
        "{added}"
    );
    check_pages(&api, &path).await;
    check_export(&api, &path).await;
    for gone in ["/records?version=9", "/export?version=9"] {
        assert_eq!(api.get(&format!("{path}{gone}")).await.0, 404, "{gone}");
    }
    assert_eq!(api.delete(&path).await.1["deleted"], "my set/1");
    assert_eq!(api.get(&path).await.0, 404);
}

/// Records page by page; the first of them goes.
async fn check_pages(api: &Api, path: &str) {
    let page = api.found(&format!("{path}/records?limit=4")).await;
    let token = page["next_page_token"].as_str().unwrap();
    let rest = api
        .found(&format!("{path}/records?limit=4&page_token={token}"))
        .await;
    assert_eq!(
        (
            rest["records"].as_array().unwrap().len(),
            &rest["next_page_token"]
        ),
        (2, &Value::Null)
    );
    let versions = api.found(&format!("{path}/versions")).await;
    assert_eq!(versions["versions"].as_array().unwrap().len(), 2);
    assert_eq!(api.found(path).await["versions"], versions["versions"]);
    let record = page["records"][0]["dataset_record_id"].as_str().unwrap();
    let deleted = api
        .delete(&format!("{path}/records?record_id={record}"))
        .await;
    assert_eq!(deleted, (200, json!({"deleted": 1, "version": 3})));
}

/// What is written out comes back into another dataset.
async fn check_export(api: &Api, path: &str) {
    let lines = bytes_of(
        api.send(bare("GET", &format!("{path}/export?version=1")))
            .await,
    )
    .await
    .unwrap();
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 5);
    api.post("/api/v1/datasets", json!({"name": "copy"})).await;
    let request = Request::post("/api/v1/datasets/copy/records");
    let request = request.header(header::CONTENT_TYPE, "application/x-ndjson");
    let copied = api.send(request.body(Body::from(lines)).unwrap()).await;
    let copied: Value = serde_json::from_slice(&bytes_of(copied).await.unwrap()).unwrap();
    assert_eq!(
        (&copied["inserted"], &copied["rejected_count"]),
        (&json!(5), &json!(0)),
        "{copied}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reads_only_changes_nothing() {
    let options = ServeOptions {
        read_only: true,
        ..ServeOptions::default()
    };
    let api = Api::of(Caller::named("owner"), options);
    let tags = format!("/api/v1/traces/{}/tags", id("a1"));
    assert_eq!(api.post(&tags, json!({"tags": {"k": "v"}})).await.0, 403);
    assert_eq!(
        api.delete(&format!("/api/v1/traces/{}", id("a1"))).await.0,
        403
    );
    let erased = Api::new()
        .delete(&format!("/api/v1/traces/{}?erase=true", id("a1")))
        .await;
    assert_eq!((erased.0, &erased.1["deleted"]), (200, &json!(1)));
}
