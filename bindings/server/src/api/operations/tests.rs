//! Operations of each family, and who may call what.

use serde_json::{Value, json};

use super::OPERATIONS;
use crate::access::{Caller, Role};
use crate::api::openapi;
use crate::api::tests::{Api, id};
use crate::options::ServeOptions;

async fn call(api: &Api, operation: &str, arguments: Value) -> (u16, Value) {
    let body = json!({"operation": operation, "arguments": arguments});
    api.post("/api/v1/operations", body).await
}

/// The result of an operation that succeeds.
async fn result(api: &Api, operation: &str, arguments: Value) -> Value {
    let (status, answer) = call(api, operation, arguments).await;
    assert_eq!(status, 200, "{operation}: {answer}");
    answer["result"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_asked_by_name() {
    let api = Api::new();
    let search = json!({"filter": "state = 'OK'", "order_by": [], "limit": 5, "page_token": null});
    let explained = result(&api, "explain", json!({"search": search, "analyze": false})).await;
    assert!(explained.as_str().unwrap().contains("access path"));
    let notices = result(&api, "notices", json!({"filter": "tags.none = 'x'"})).await;
    assert!(notices[0].as_str().unwrap().contains("none"), "{notices}");
    assert!(
        result(&api, "sql_notices", json!({"statement": "SELECT 1"}))
            .await
            .is_array()
    );
    let sessions = json!({
        "experiment_id": "b", "last_min_ns": 0, "last_max_ns": i64::MAX, "max_results": null, "filter": "",
    });
    let sessions = result(&api, "completed_sessions", sessions).await;
    assert_eq!(sessions[0]["session_id"], "sb", "{sessions}");
    let correlation =
        json!({"a": "state = 'OK'", "b": "tags.x = 'y'", "base": "", "experiments": null});
    let correlation = result(&api, "filter_correlation", correlation).await;
    assert_eq!(
        (&correlation["npmi"], &correlation["total_count"]),
        (&json!("NaN"), &json!(3))
    );
    assert_eq!(
        result(&api, "redaction", json!({})).await["rules"],
        json!({})
    );
    let prices = result(&api, "prices", Value::Null).await;
    assert!(prices[0]["input"].is_number(), "{prices}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_and_what_is_said_of_traces_are_stored() {
    let api = Api::new();
    let span = json!({"trace_id": "t1", "span_id": "s1", "name": "chat", "start_time_ns": 5, "end_time_ns": 9});
    let stored = result(&api, "append", json!({"spans": [span]})).await;
    assert_eq!(
        (&stored["spans"], &stored["traces"]),
        (&json!(1), &json!(1))
    );
    let again = result(&api, "append", json!({"spans": [span]})).await;
    assert_eq!(again["duplicate_spans"], 1);
    let start = json!({
        "trace_id": "t2", "request_time_ns": 7, "state": "IN_PROGRESS", "finalised": false,
        "tags": {"k": "v"}, "usage": {"total_tokens": 3, "total_cost": 0.1},
    });
    assert_eq!(
        result(&api, "start_traces", json!({"starts": [start]})).await,
        Value::Null
    );
    let both = json!({"trace_ids": ["t1", "t2", "none"], "key": "env", "value": "prod"});
    assert_eq!(result(&api, "set_tag_on", both).await, 2);
    result(
        &api,
        "delete_tags",
        json!({"trace_id": "t2", "keys": ["k"]}),
    )
    .await;
    let assessment = json!({
        "assessment_id": "a-1", "trace_id": "t1", "span_id": null, "name": "correct", "kind": "Feedback",
        "value": "true", "source_type": "HUMAN", "source_id": "ana", "rationale": null, "error_code": null,
        "error_message": null, "metadata": {}, "overrides": null, "valid": true, "created_at_ns": 1, "updated_at_ns": 1,
    });
    result(
        &api,
        "put_assessments",
        json!({"assessments": [assessment]}),
    )
    .await;
    let link = json!({"trace_ids": ["t1"], "run_id": "r1", "link": true});
    result(&api, "link_run", link).await;
    let link = json!({"trace_id": "t1", "prompts": ["p/1"], "link": true});
    result(&api, "link_prompts", link).await;
    let whole = api.found("/api/v1/traces/t1").await;
    assert_eq!(whole["trace"]["root_span_id"], "s1");
    assert_eq!(whole["assessments"][0]["source_id"], "ana");
    let started = api.found("/api/v1/traces/t2").await["trace"].clone();
    assert_eq!(started["tags"], json!({"env": "prod"}));
    assert_eq!(
        (&started["total_tokens"], &started["cost_usd"]),
        (&json!(3), &json!(0.1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_go() {
    let api = Api::new();
    let first = json!({"trace_ids": [id("a1")]});
    assert_eq!(result(&api, "delete_traces", first.clone()).await, 1);
    let failed = json!({"filter": "state = 'ERROR'", "until_ms": null, "max_traces": 5, "experiments": ["0"]});
    assert_eq!(result(&api, "delete_where", failed).await, 1);
    let receipt = result(&api, "erase_traces", first).await;
    assert_eq!(
        (&receipt["trace_ids"], &receipt["complete"]),
        (&json!([id("a1")]), &json!(true))
    );
    assert_eq!(api.found("/api/v1/search?count=true").await["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_is_told_by_its_id() {
    let api = Api::new();
    let made = api
        .post("/api/v1/datasets", json!({"name": "golden"}))
        .await
        .1;
    let dataset = made["dataset_id"].clone();
    let source = json!({"dataset": dataset, "of": "span", "filter": "", "sample": 2, "seed": 1});
    let plan = result(&api, "dataset_plan", source.clone()).await;
    assert_eq!(plan["chosen"], 2, "{plan}");
    assert_eq!(result(&api, "dataset_add", source).await["inserted"], 2);
    let records = api.found("/api/v1/datasets/golden/records").await["records"].clone();
    let record = records[0]["dataset_record_id"].clone();
    let edit = json!({"dataset": dataset, "record_ids": [record], "expectations": "{\"k\":1}"});
    let version = result(&api, "dataset_edit_records", edit).await;
    let versions = json!({"dataset": dataset, "a": version.as_u64().unwrap() - 1, "b": version});
    let diff = result(&api, "dataset_diff", versions).await;
    assert_eq!(diff["changed"], json!([record]));
    assert!(diff["changes"][0]["inputs"].is_string(), "{diff}");
    let tags = json!({"dataset": dataset, "tags": {"owner": "ana", "none": null}});
    result(&api, "dataset_edit_tags", tags).await;
    let experiments = json!({"dataset": dataset, "experiments": ["b"]});
    result(&api, "dataset_set_experiments", experiments).await;
    let now = api.found("/api/v1/datasets/golden").await;
    assert_eq!(
        (&now["tags"], &now["experiment_ids"]),
        (&json!({"owner": "ana"}), &json!(["b"]))
    );
    let trace = json!({"trace_id": records[0]["source_trace_id"]});
    let holding = result(&api, "datasets_holding", trace).await;
    assert_eq!(holding[0]["dataset"], "golden", "{holding}");
    let other = json!({"dataset": "golden", "a": 1, "b": 1});
    assert_eq!(call(&api, "dataset_diff", other).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused() {
    let api = Api::new();
    let (status, answer) = call(&api, "drop", json!({})).await;
    assert_eq!(
        (status, &answer["error"]["kind"]),
        (404, &json!("NotFound"))
    );
    for (operation, arguments, says) in [
        ("notices", json!({"filte": ""}), "filte"),
        ("notices", json!({}), "filter"),
        ("prices", json!({"x": 1}), "x"),
        ("explain", json!({"search": {"limit": -1}}), "-1"),
        (
            "append",
            json!({"spans": [{"spanid": "s"}]}),
            "spans[0]: \"spanid\"",
        ),
        ("append", json!({"spans": [{"span_id": 5}]}), "spans[0]"),
        (
            "start_traces",
            json!({"starts": [{"trace_id": "t"}]}),
            "request_time_ns",
        ),
        (
            "put_assessments",
            json!({"assessments": [{}]}),
            "assessments[0]",
        ),
        ("delete_where", json!({}), "filter"),
    ] {
        let (status, answer) = call(&api, operation, arguments).await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(
            status == 400 && message.contains(says),
            "{operation}: {answer}"
        );
        assert_eq!(answer["error"]["kind"], "InvalidInput");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_needs_its_role_and_all_experiments() {
    let api = Api::of(
        Caller::limited(&[Role::Admin], &["b"]),
        ServeOptions::default(),
    );
    assert_eq!(call(&api, "prices", json!({})).await.0, 403);
    let read_only = ServeOptions {
        read_only: true,
        ..ServeOptions::default()
    };
    let api = Api::of(Caller::named("owner"), read_only);
    assert_eq!(call(&api, "prices", json!({})).await.0, 200);
    assert_eq!(call(&api, "append", json!({"spans": []})).await.0, 403);
    for operation in &OPERATIONS {
        let may = |roles: &[Role]| {
            super::check_roles(&Caller::limited(roles, &[]), operation.roles).is_ok()
        };
        assert!(may(&[Role::Admin]), "{}", operation.name);
        let asks = operation.way == super::Way::Asks;
        assert_eq!(may(&[Role::Read]), asks, "{}", operation.name);
    }
}

#[test]
fn the_description_has_the_operations_that_there_are() {
    let described: Value = serde_json::from_str(openapi::TEXT).unwrap();
    let body = &described["paths"]["/api/v1/operations"]["post"]["requestBody"];
    let names = &body["content"]["application/json"]["schema"]["properties"]["operation"]["enum"];
    let there: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    assert_eq!(*names, json!(there));
}
