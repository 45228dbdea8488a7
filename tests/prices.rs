//! Prices: which costs are computed, and that a change is about what comes later.

use serde_json::{Value, json};
use tracehouse::{Database, ErrorKind, ImportOptions, Price};

use crate::command_line::tracehouse;
use crate::support::{DiskDb, in_memory, number, rows, search_ids, texts};

/// A trace with one call of a model, with further attributes.
fn import(db: &Database, trace: u32, model: &str, attributes: &[(&str, Value)]) {
    let mut all = vec![
        json!({"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}),
        json!({"key": "gen_ai.request.model", "value": {"stringValue": model}}),
        json!({"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1000"}}),
        json!({"key": "gen_ai.usage.output_tokens", "value": {"intValue": "100"}}),
    ];
    all.extend(
        attributes
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value})),
    );
    let span = json!({"traceId": id(trace), "spanId": "00f067aa0ba902b7", "name": "chat", "attributes": all,
        "startTimeUnixNano": "1767225600000000000", "endTimeUnixNano": "1767225601000000000"});
    let request = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string();
    db.import_otlp(request.as_bytes(), &ImportOptions::default())
        .unwrap();
}

fn id(trace: u32) -> String {
    format!("{trace:032x}")
}

/// Cost and its source, of each trace's span.
fn costs(db: &Database) -> Vec<Value> {
    let rows = rows(
        db,
        "SELECT cost_usd, cost_source FROM spans ORDER BY trace_id",
    );
    rows.into_iter()
        .map(|row| json!([row["cost_usd"], row["cost_source"]]))
        .collect()
}

#[test]
fn a_cost_is_computed_where_none_is_sent_and_the_model_has_a_price() {
    let mut disk = DiskDb::new();
    import(&disk.db, 1, "openai/gpt-4o-2024-08-06", &[]);
    import(
        &disk.db,
        2,
        "gpt-4o",
        &[("gen_ai.usage.cost", json!({"doubleValue": 0.5}))],
    );
    import(&disk.db, 3, "nobody-knows-it", &[]);
    import(
        &disk.db,
        4,
        "gpt-4o",
        &[(
            "gen_ai.usage.cache_read_input_tokens",
            json!({"intValue": "400"}),
        )],
    );
    let wanted = [
        json!([0.0035, "computed"]),
        json!([0.5, "reported"]),
        json!([null, null]),
        json!([0.003, "computed"]),
    ];
    assert_eq!(costs(&disk.db), wanted);
    assert_eq!(
        search_ids(&disk.db, "cost > 0.0031 AND span.cost < 0.1"),
        [id(1)]
    );
    let sum = "SELECT CAST(round(sum(cost_usd) * 1e6) AS BIGINT) FROM traces";
    assert_eq!(number(&disk.db, sum), 506_500);
    disk.db.seal().unwrap();
    assert_eq!(costs(&disk.db), wanted, "in a segment");
    disk = disk.reopen(true, |_| {});
    let computed = "SELECT trace_id FROM spans WHERE cost_source = 'computed' ORDER BY trace_id";
    assert_eq!(texts(&disk.db, computed), [id(1), id(4)]);
}

#[test]
fn prices_that_are_set_are_kept_and_are_for_what_comes_later() {
    let mut disk = DiskDb::new();
    import(&disk.db, 1, "ours", &[]);
    disk.db
        .set_prices(
            disk.db
                .prices()
                .set("Ours", Price::new(1.0, 10.0))
                .remove("gpt-4o"),
        )
        .unwrap();
    import(&disk.db, 2, "ours", &[]);
    import(&disk.db, 3, "gpt-4o-2024-08-06", &[]);
    assert_eq!(
        costs(&disk.db),
        [
            json!([null, null]),
            json!([0.002, "computed"]),
            json!([null, null])
        ]
    );
    disk = disk.reopen(true, |_| {});
    import(&disk.db, 4, "ours", &[]);
    assert_eq!(costs(&disk.db)[3], json!([0.002, "computed"]));
    let set = rows(
        &disk.db,
        "SELECT model, input_usd_per_mtok AS i, cache_read_usd_per_mtok AS r FROM prices WHERE source = 'set'",
    );
    assert_eq!(set, [json!({"model": "ours", "i": 1.0, "r": null})]);
    assert_eq!(
        number(
            &disk.db,
            "SELECT count(*) FROM prices WHERE model = 'gpt-4o'"
        ),
        0
    );
    assert!(
        number(
            &disk.db,
            "SELECT count(*) FROM prices WHERE source = 'seed' AND length(as_of) = 10"
        ) > 300
    );
    disk.db
        .set_prices(disk.db.prices().seed().enabled(false))
        .unwrap();
    import(&disk.db, 5, "gpt-4o", &[]);
    assert_eq!(costs(&disk.db)[4], json!([null, null]), "turned off");
    for wrong in [
        Price::new(-1.0, 0.0),
        Price::new(0.0, f64::NAN),
        Price::new(1.0, 1.0).cache(Some(-0.1), None),
    ] {
        let error = disk
            .db
            .set_prices(disk.db.prices().set("m", wrong))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    let gateway = in_memory().prices().set("gateway:/m", Price::new(1.0, 1.0));
    assert!(disk.db.set_prices(gateway).is_err());
}

#[test]
fn the_command_shows_and_sets_them() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("p.traces").to_str().unwrap().to_string();
    let run = |arguments: &[&str]| {
        let arguments: Vec<&str> = [&["prices", db.as_str()], arguments].concat();
        tracehouse(&arguments)
    };
    assert_eq!(run(&["list"]).code, 2, "there is no database");
    let set = run(&[
        "set",
        "ours",
        "--input",
        "2",
        "--output",
        "4",
        "--cache-read",
        "0.5",
    ]);
    assert!(
        set.code == 0
            && set
                .out
                .contains("costs are computed for spans that come from now on"),
        "{set:?}"
    );
    let listed = run(&["list", "--json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed.out).unwrap();
    let ours = listed.iter().find(|row| row["model"] == "ours").unwrap();
    assert_eq!(
        (&ours["output_usd_per_mtok"], &ours["source"]),
        (&json!(4.0), &json!("set"))
    );
    assert_eq!(run(&["remove", "ours"]).code, 0);
    let missing = run(&["remove", "ours"]);
    assert!(
        missing.code == 2 && missing.err.contains("no price of \"ours\""),
        "{missing:?}"
    );
    assert_eq!(run(&["off"]).code, 0);
    assert!(run(&[]).out.contains("costs are not computed"));
    assert_eq!(run(&["seed"]).code + run(&["on"]).code, 0);
    assert_eq!(
        run(&["set", "ours", "--input", "2"]).code,
        2,
        "the price of output is missing"
    );
    assert_eq!(
        run(&["set", "ours", "--input", "-2", "--output", "1"]).code,
        2
    );
}

#[test]
fn what_a_log_record_reports_takes_the_place_of_what_was_computed() {
    let record = json!({"traceId": id(1), "spanId": "00f067aa0ba902b7", "timeUnixNano": "1767225600500000000",
        "eventName": "claude_code.api_request",
        "attributes": [{"key": "cost_usd", "value": {"doubleValue": 0.25}}]});
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).to_string();
    for spans_first in [true, false] {
        let db = in_memory();
        if spans_first {
            import(&db, 1, "gpt-4o", &[]);
            assert_eq!(costs(&db), [json!([0.0035, "computed"])]);
        }
        db.import_otlp(logs.as_bytes(), &ImportOptions::default())
            .unwrap();
        if !spans_first {
            import(&db, 1, "gpt-4o", &[]);
        }
        assert_eq!(
            costs(&db),
            [json!([0.25, "reported"])],
            "spans first: {spans_first}"
        );
    }
}
