//! Callers with some roles, for some experiments.

use serde_json::{Value, json};

use super::{Api, encoded, id};
use crate::access::{Caller, Role};
use crate::options::ServeOptions;

fn api(roles: &[Role], experiments: &[&str]) -> Api {
    Api::of(Caller::limited(roles, experiments), ServeOptions::default())
}

fn ids(page: &Value) -> Vec<&str> {
    let traces = page["traces"].as_array().unwrap().iter();
    traces
        .map(|trace| trace["trace_id"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_sees_his_experiments_alone() {
    let api = api(&[Role::Read, Role::Write], &["b"]);
    let or = encoded("state = 'OK' OR state = 'ERROR'");
    for path in [
        "/api/v1/search".to_string(),
        format!("/api/v1/search?filter={or}"),
    ] {
        assert_eq!(ids(&api.found(&path).await), [id("b1")]);
    }
    assert_eq!(api.found("/api/v1/search?count=true").await["count"], 1);
    assert_eq!(api.get("/api/v1/search?experiment=0").await.0, 403);
    assert_eq!(
        api.get("/api/v1/search?experiment=b&experiment=0").await.0,
        403
    );
    let nothing = encoded("experiment_id = '0' AND tags.x = 'y'");
    let none = api.found(&format!("/api/v1/search?filter={nothing}")).await;
    assert_eq!(
        none,
        json!({"traces": [], "next_page_token": null}),
        "no notices"
    );
    for path in [
        "/api/v1/text?query=refund",
        "/api/v1/text?query=refund&where=state+!%3D+%27x%27",
    ] {
        let hits = api.found(path).await;
        let hits = hits["hits"].as_array().unwrap();
        assert_eq!(hits.len(), 2, "{path}: {hits:?}");
        assert!(
            hits.iter().all(|hit| hit["trace_id"] == id("b1")),
            "{path}: {hits:?}"
        );
    }
    let sessions = api.found("/api/v1/sessions").await;
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(sessions["sessions"][0]["session_id"], "sb");
    let metrics = api
        .found("/api/v1/metrics?view=spans&metric=span_count")
        .await;
    assert_eq!(metrics["points"][0]["values"]["COUNT"], 2.0);
    let experiments = api.found("/api/v1/experiments").await;
    assert_eq!(experiments["experiments"].as_array().unwrap().len(), 1);
    assert_eq!(api.arrow("/api/v1/search").await[0].num_rows(), 1);
    for path in [
        "sql?sql=SELECT+1",
        "stats",
        "datasets",
        "datasets/x",
        "datasets/x/records",
        "search?explain=true",
    ] {
        assert_eq!(api.get(&format!("/api/v1/{path}")).await.0, 403, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_of_another_experiment_is_not_there() {
    let api = api(&[Role::Admin], &["b"]);
    let (other, own) = (id("a1"), id("b1"));
    let stored = api.state.db.log_feedback(&other, "ok", "true").unwrap();
    let absent = api
        .get("/api/v1/traces/none")
        .await
        .1
        .to_string()
        .replace("none", &other);
    let (status, refused) = api.get(&format!("/api/v1/traces/{other}")).await;
    assert_eq!(
        (status, refused.to_string()),
        (404, absent),
        "nothing tells them apart"
    );
    for path in [
        format!("traces/{other}/spans"),
        format!("assessments?trace_id={other}"),
        format!("assessments/{stored}"),
        format!("assessments/{stored}?trace_id={other}"),
    ] {
        assert_eq!(api.get(&format!("/api/v1/{path}")).await.0, 404, "{path}");
    }
    for path in [
        format!("traces/{other}"),
        format!("traces/{other}/tags/k"),
        format!("assessments/{stored}"),
        format!("assessments/{stored}?trace_id={other}"),
        // The right trace, and the assessment of another.
        format!("assessments/{stored}?trace_id={own}"),
    ] {
        assert_eq!(
            api.delete(&format!("/api/v1/{path}")).await.0,
            404,
            "{path}"
        );
    }
    let tags = format!("/api/v1/traces/{other}/tags");
    assert_eq!(api.post(&tags, json!({"tags": {"k": "v"}})).await.0, 404);
    let feedback = json!({"trace_id": other, "name": "ok", "value": false});
    assert_eq!(api.post("/api/v1/assessments", feedback).await.0, 404);
    let value = json!({"value": false});
    assert_eq!(
        api.patch(&format!("/api/v1/assessments/{stored}"), value)
            .await
            .0,
        404
    );
    check_batch(&api, &other, &own).await;
    assert_eq!(
        api.state.db.get_assessment(&other, &stored).unwrap().value,
        "true"
    );
    assert_eq!(
        api.delete(&format!("/api/v1/traces/{other}?erase=true"))
            .await
            .0,
        403
    );
    assert_eq!(
        api.delete(&format!("/api/v1/traces/{own}")).await,
        (200, json!({"deleted": 1}))
    );
    assert_eq!(api.get(&format!("/api/v1/traces/{own}")).await.0, 404);
}

/// Of many traces, those of others are missing.
async fn check_batch(api: &Api, other: &str, own: &str) {
    let (_, many) = api
        .post("/api/v1/traces:batch", json!({"trace_ids": [other, own]}))
        .await;
    assert_eq!(
        (&many["missing"], many["traces"].as_array().unwrap().len()),
        (&json!([other]), 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_asks_for_its_role() {
    for role in Role::ALL {
        let api = api(&[role], &["0"]);
        for route in &super::ROUTES {
            let path = route.path.replace(['{', '}'], "");
            let method = format!("{:?}", route.verb).to_uppercase();
            let answer = api.send(super::bare(&method, &path)).await;
            let body = super::bytes_of(answer).await.unwrap();
            let text = String::from_utf8_lossy(&body);
            let is_refused = text.starts_with("{\"error\":") && text.contains("has not the role");
            let may = role == Role::Admin || role == route.role;
            assert_eq!(is_refused, !may, "{role:?} {method} {path}: {body:?}");
        }
    }
}
