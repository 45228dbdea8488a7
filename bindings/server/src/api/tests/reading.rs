//! Questions and their answers.

use arrow::array::{Array, AsArray};
use http::header;
use serde_json::{Value, json};

use super::{Api, bare, batches, bytes_of, encoded, id};

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_found_page_by_page() {
    let api = Api::new();
    let first = api
        .found("/api/v1/search?limit=2&columns=trace_id,state")
        .await;
    assert_eq!(
        first["traces"],
        json!([{"trace_id": id("a2"), "state": "ERROR"}, {"trace_id": id("a1"), "state": "OK"}])
    );
    let token = first["next_page_token"].as_str().unwrap();
    let path = format!("/api/v1/search?limit=2&page_token={}", encoded(token));
    let second = api.found(&path).await;
    assert_eq!(second["traces"][0]["trace_id"], id("b1"));
    assert_eq!(
        second["traces"][0]["request_time"],
        "2023-11-14T22:13:20.000000049Z"
    );
    assert_eq!(second["next_page_token"], Value::Null);
    let filter = encoded("state = 'ERROR'");
    let counted = api
        .found(&format!("/api/v1/search?filter={filter}&count=true"))
        .await;
    assert_eq!(counted, json!({"count": 1}));
    let asked = json!({"filter": "state = 'ERROR'", "order_by": ["timestamp ASC"], "limit": 5});
    let (status, page) = api.post("/api/v1/search", asked).await;
    assert_eq!((status, page["traces"].as_array().unwrap().len()), (200, 1));
    let nothing = encoded("tags.none = 'x'");
    let notices = api.found(&format!("/api/v1/search?filter={nothing}")).await["notices"].clone();
    assert!(notices[0].as_str().unwrap().contains("none"), "{notices}");
    let explained = api.found("/api/v1/search?explain").await;
    assert!(explained["explain"].is_object());
    let period = api
        .found("/api/v1/search?from=2023-11-14&to=2023-11-15&count")
        .await;
    assert_eq!(period["count"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_as_arrow_too() {
    let api = Api::new();
    let batches = api.arrow("/api/v1/search?columns=trace_id,tags").await;
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        3
    );
    let ids = batches[0].column(0).as_string::<i32>();
    assert_eq!(ids.value(0), id("a2"));
    let mut first = bare("GET", "/api/v1/search?limit=1");
    first
        .headers_mut()
        .insert(header::ACCEPT, batches::MEDIA_TYPE.parse().unwrap());
    assert!(
        api.send(first)
            .await
            .headers()
            .contains_key("x-next-page-token")
    );
    let sql = encoded("SELECT value FROM generate_series(1, 100000) AS t(value)");
    let batches = api.arrow(&format!("/api/v1/sql?sql={sql}")).await;
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        100_000
    );
    let none = encoded("SELECT trace_id FROM traces WHERE false");
    assert!(
        api.arrow(&format!("/api/v1/sql?sql={none}"))
            .await
            .is_empty()
    );
    assert_eq!(
        api.arrow("/api/v1/text?query=refund").await[0].num_rows(),
        6
    );
    let sessions = api.arrow("/api/v1/sessions").await;
    assert_eq!(sessions[0].column_by_name("trace_count").unwrap().len(), 2);
    let spans = api
        .arrow(&format!("/api/v1/traces/{}/spans", id("a1")))
        .await;
    assert_eq!(spans[0].num_rows(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_have_parameters_and_numbers_their_digits() {
    let api = Api::new();
    let asked =
        json!({"sql": "SELECT $1 + 1 AS a, $2 AS b, 9007199254740993 AS big", "params": [1, "x"]});
    let (status, answer) = api.post("/api/v1/sql", asked).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["columns"], json!(["a", "b", "big"]));
    assert_eq!(answer["rows"], json!([[2, "x", 9_007_199_254_740_993_i64]]));
    assert_eq!(answer["types"].as_array().unwrap().len(), 3);
    let asked =
        json!({"sql": "SELECT count(*) FROM traces WHERE state = $s", "params": {"s": "OK"}});
    assert_eq!(api.post("/api/v1/sql", asked).await.1["rows"], json!([[2]]));
    let asked = json!({"sql": "SELECT CAST('NaN' AS DOUBLE), CAST('-inf' AS REAL), NULL, TIMESTAMP '2026-01-31'"});
    let (status, answer) = api.post("/api/v1/sql", asked).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["rows"][0][0], "NaN");
    assert_eq!(answer["rows"][0][1], "-Infinity");
    assert_eq!(answer["rows"][0][2], Value::Null);
    let asked = json!({"sql": "SELECT tags, attributes -> 'session.id' AS s FROM spans JOIN traces USING (trace_id) LIMIT 1"});
    let (status, answer) = api.post("/api/v1/sql", asked).await;
    assert_eq!(
        (status, answer["rows"][0].as_array().unwrap().len()),
        (200, 2),
        "{answer}"
    );
    let params = encoded("[5]");
    let answer = api
        .found(&format!(
            "/api/v1/sql?sql={}&params={params}",
            encoded("SELECT $1")
        ))
        .await;
    assert_eq!(answer["rows"], json!([[5]]));
    for refused in [
        "DROP TABLE spans",
        "SELECT 1; SELECT 2",
        "SELECT nope FROM traces",
        "",
    ] {
        let (status, answer) = api.post("/api/v1/sql", json!({"sql": refused})).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("INVALID_PARAMETER_VALUE")),
            "{refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_has_its_spans_in_order() {
    let api = Api::new();
    let trace = api.found(&format!("/api/v1/traces/tr-{}", id("a1"))).await;
    assert_eq!(trace["trace"]["trace_id"], id("a1"));
    let spans: Vec<&Value> = trace["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|span| &span["span_id"])
        .collect();
    assert_eq!(spans, ["00000000000000a1", "00000000000000b2"]);
    assert_eq!(trace["assessments"], json!([]));
    let ids = json!({"trace_ids": [id("b1"), "none", id("a1")]});
    let (status, many) = api.post("/api/v1/traces:batch", ids).await;
    assert_eq!((status, &many["missing"]), (200, &json!(["none"])));
    assert_eq!(many["traces"][1], trace);
    let (status, answer) = api.get("/api/v1/traces/none").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (404, &json!("RESOURCE_DOES_NOT_EXIST"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_those_of_the_command_line() {
    let api = Api::new();
    let hits = api
        .found("/api/v1/text?query=refund&limit=3&by_trace=true")
        .await;
    assert_eq!(hits["hits"].as_array().unwrap().len(), 3);
    assert!(
        hits["hits"][0]["snippet"]
            .as_str()
            .unwrap()
            .contains("refund")
    );
    let within = encoded("state = 'ERROR'");
    let hits = api
        .found(&format!("/api/v1/text?query=refund&where={within}"))
        .await;
    assert_eq!(hits["hits"].as_array().unwrap().len(), 2);
    let sessions = api.found("/api/v1/sessions?limit=1").await;
    assert_eq!(
        (
            &sessions["sessions"][0]["trace_count"],
            &sessions["has_more"]
        ),
        (&json!(2), &json!(true))
    );
    let metrics = api
        .found("/api/v1/metrics?view=traces&metric=latency&aggregate=avg,p50")
        .await;
    assert_eq!(metrics["points"][0]["values"]["P50"], 1000.0);
    let stats = api.found("/api/v1/stats").await;
    assert_eq!((&stats["traces"], &stats["spans"]), (&json!(3), &json!(6)));
    let experiments = api.found("/api/v1/experiments").await;
    assert_eq!(experiments["experiments"][0]["trace_count"], 2);
    let description = api.found("/api/v1/openapi.json").await;
    assert_eq!(description["openapi"], "3.1.0");
    let head = api.send(bare("HEAD", "/api/v1/stats")).await;
    assert_eq!(head.status(), 200);
    assert!(bytes_of(head).await.unwrap().is_empty());
}
