//! Datasets of evaluation: samples, near-duplicates, splits, leaks, edits, and runs over their versions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::traces::{COUNT, is_near_duplicate, service, trace_id};
use super::{Bench, text};

/// A dataset of all traces.
fn all(bench: &Bench) {
    bench.dataset("all", &["--where", ""]);
}

fn records(bench: &Bench, dataset: &str) -> Vec<Value> {
    bench.rows(&format!(
        "SELECT dataset_record_id, source_trace_id, expectations, outputs FROM dataset_records
         WHERE dataset = '{dataset}' ORDER BY source_trace_id"
    ))
}

fn traces_of(bench: &Bench, dataset: &str) -> Vec<String> {
    records(bench, dataset)
        .iter()
        .map(|row| text(&row["source_trace_id"]))
        .collect()
}

#[test]
fn a_stratified_sample_has_each_service_and_is_the_same_again() {
    let bench = Bench::new();
    let sample = [
        "--where",
        "feedback.reward = 0",
        "--sample",
        "6",
        "--seed",
        "3",
        "--stratify",
        "service_name",
    ];
    for name in ["one", "two"] {
        bench.dataset(name, &sample);
    }
    let chosen = traces_of(&bench, "one");
    assert_eq!(chosen, traces_of(&bench, "two"));
    let mut by_service = BTreeMap::new();
    for number in (0..COUNT).filter(|number| chosen.contains(&trace_id(*number))) {
        assert_eq!(number % 4, 0, "only wrong answers");
        *by_service.entry(service(number)).or_insert(0) += 1;
    }
    assert_eq!(
        by_service,
        BTreeMap::from([("bank", 2), ("shop", 2), ("travel", 2)])
    );
}

#[test]
fn quotas_are_kept_and_the_others_share_the_rest() {
    let bench = Bench::new();
    let report = bench.dataset(
        "by_service",
        &[
            "--where",
            "",
            "--stratify",
            "service_name",
            "--quota",
            "shop=3",
            "--quota",
            "none=2",
        ],
    );
    assert_eq!(report["inserted"], 3);
    assert_eq!(report["unmet_quotas"], json!([["none", 0, 2]]));
    bench.dataset(
        "rewarded",
        &[
            "--where",
            "",
            "--stratify",
            "feedback.reward",
            "--quota",
            "0=4",
            "--quota-missing",
            "1",
            "--sample",
            "10",
        ],
    );
    let by_reward = bench.rows(
        "SELECT value_number AS reward, count(*) AS n FROM dataset_records JOIN assessments ON trace_id = source_trace_id
         WHERE dataset = 'rewarded' AND name = 'reward' GROUP BY 1 ORDER BY 1",
    );
    let numbers = |row: &Value| (row["reward"].as_f64(), row["n"].as_u64());
    let numbers: Vec<_> = by_reward.iter().map(numbers).collect();
    assert_eq!(numbers, [(Some(0.0), Some(4)), (Some(1.0), Some(6))]);
    let two = ["--stratify", "source_type", "--quota", "TRACE=2"];
    let two = bench.json("dataset sample", &[&["rewarded"], &two[..]].concat());
    assert_eq!(two.as_array().unwrap().len(), 2);
}

#[test]
fn of_each_session_the_newest_is_what_sql_says() {
    let bench = Bench::new();
    bench.done(&["dataset", "create", &bench.db(), "newest"]);
    let newest = ["newest", "--where", "", "--newest-per-session"];
    let hours = ["--stratify", "hour", "--sample", "5", "--dry-run"];
    let plan = bench.json("dataset add", &[&newest[..], &hours].concat());
    assert_eq!(
        (&plan["older"], &plan["chosen"]),
        (&json!(COUNT / 2), &json!(5))
    );
    assert_eq!(
        plan["strata"],
        json!([["2025-03-01T00:00:00Z", COUNT / 2, 5]])
    );
    bench.json("dataset add", &newest);
    let wanted = "SELECT max(trace_id) AS id FROM traces GROUP BY session_id ORDER BY id";
    let wanted: Vec<String> = bench
        .rows(wanted)
        .iter()
        .map(|row| text(&row["id"]))
        .collect();
    assert_eq!(traces_of(&bench, "newest"), wanted);
}

#[test]
fn a_quota_that_is_none_is_named() {
    let bench = Bench::new();
    bench.done(&["dataset", "create", &bench.db(), "d"]);
    let add = ["d", "--where", ""];
    for (options, said) in [
        (&["--stratify", "model", "--quota", "small"][..], "VALUE=N"),
        (
            &["--stratify", "model", "--quota", "small=x"][..],
            "VALUE=N",
        ),
        (&["--quota", "small=1"][..], "--stratify"),
        (&["--stratify", "model"][..], "--sample"),
        (
            &["--stratify", "model", "--quota", "a=2", "--sample", "1"][..],
            "quotas of 2 in a sample of 1",
        ),
        (
            &["--stratify", "modell", "--sample", "1"][..],
            "feedback.NAME",
        ),
    ] {
        let ended = bench.fails(2, "dataset add", &[&add[..], options].concat());
        assert!(ended.err.contains(said), "{options:?}: {ended:?}");
    }
    let ended = bench.done(&[
        "dataset",
        "add",
        &bench.db(),
        "d",
        "--where",
        "",
        "--stratify",
        "model",
        "--quota",
        "small-model=99",
    ]);
    assert!(ended.contains("60 added"), "{ended}");
}

#[test]
fn near_duplicates_go_and_the_oldest_stays() {
    let bench = Bench::new();
    all(&bench);
    let report = bench.json("dataset dedupe", &["all", "--near", "0.8"]);
    let planted = (0..COUNT)
        .filter(|number| is_near_duplicate(*number))
        .count() as u64;
    assert_eq!(
        report["dropped"].as_array().unwrap().len() as u64,
        planted,
        "{report}"
    );
    assert_eq!(
        (&report["record_count"], &report["version"]),
        (&json!(COUNT - planted), &json!(2))
    );
    assert_eq!(records(&bench, "all").len() as u64, COUNT - planted);
    assert_eq!(
        bench.json("dataset dedupe", &["all", "--near", "0.8"])["version"],
        2,
        "no change, no version"
    );
}

#[test]
fn a_split_shares_nothing_and_loses_nothing() {
    let bench = Bench::new();
    all(&bench);
    let split = [
        "all",
        "--ratios",
        "60,20,20",
        "--names",
        "train,dev,test",
        "--seed",
        "5",
        "--by",
        "user",
    ];
    let report = bench.json("dataset split", &split);
    let names = ["train", "dev", "test"];
    let mut together: Vec<String> = names
        .iter()
        .flat_map(|name| traces_of(&bench, name))
        .collect();
    together.sort();
    assert_eq!(together, traces_of(&bench, "all"), "{report}");
    for (name, share) in [("train", 0.6), ("dev", 0.2), ("test", 0.2)] {
        let got = records(&bench, name).len() as f64;
        assert!((got - COUNT as f64 * share).abs() <= 12.0, "{name}: {got}");
    }
    for pair in [["train", "dev"], ["train", "test"], ["dev", "test"]] {
        let report = bench.json("dataset leaks", &pair);
        for shared in ["records", "traces", "sessions", "users"] {
            assert_eq!(report[shared], json!([]), "{pair:?} {shared}");
        }
    }
    let ended = bench.fails(1, "dataset leaks", &["all", "test"]);
    assert!(ended.err.contains("share"), "{ended:?}");
    let users = bench.count(
        "SELECT count(*) AS n FROM (SELECT user_id FROM dataset_records JOIN traces ON trace_id = source_trace_id
         WHERE dataset IN ('train', 'dev', 'test') GROUP BY user_id HAVING count(DISTINCT dataset) > 1)",
    );
    assert_eq!(users, 0);
}

#[test]
fn records_are_edited_removed_and_found() {
    let bench = Bench::new();
    all(&bench);
    let before = records(&bench, "all");
    let (first, second) = (
        text(&before[1]["dataset_record_id"]),
        text(&before[2]["dataset_record_id"]),
    );
    let edit = [
        "all",
        &first,
        "--expectations",
        r#"{"expected_response": "else", "more": [1]}"#,
        "--outputs",
        "null",
    ];
    assert_eq!(bench.json("dataset edit", &edit)["version"], 2);
    let edited = &records(&bench, "all")[1];
    assert_eq!(
        edited["expectations"],
        r#"{"expected_response":"else","more":[1]}"#
    );
    assert!(edited["outputs"].is_null(), "{edited}");
    let holding = bench.json("dataset where", &[&trace_id(1)]);
    assert_eq!(
        (&holding[0]["dataset"], &holding[0]["is_same"]),
        (&json!("all"), &json!(false)),
        "{holding}"
    );
    let holding = bench.json("dataset where", &[&format!("tr-{}", trace_id(2))]);
    assert_eq!(
        (&holding[0]["dataset_record_id"], &holding[0]["is_same"]),
        (&json!(second), &json!(true))
    );
    assert_eq!(
        bench.json("dataset remove", &["all", &second]),
        json!({"version": 3, "removed": 1})
    );
    assert_eq!(bench.json("dataset where", &[&trace_id(2)]), json!([]));
    let ended = bench.fails(2, "dataset edit", &["all", &second, "--tags", "{}"]);
    assert!(ended.err.contains(&second), "{ended:?}");
    assert!(
        bench
            .fails(2, "dataset edit", &["all", &first, "--tags", "[1"])
            .err
            .contains("tags")
    );
}

#[test]
fn a_run_judges_the_version_that_is_named() {
    let bench = Bench::new();
    all(&bench);
    let right = text(&records(&bench, "all")[1]["dataset_record_id"]);
    bench.json(
        "dataset edit",
        &[
            "all",
            &right,
            "--expectations",
            r#"{"expected_response": "else"}"#,
        ],
    );
    let removed = text(&records(&bench, "all")[2]["dataset_record_id"]);
    bench.json("dataset remove", &["all", &removed]);
    let sql = "sql:expectations LIKE '%Parcel 1 %'";
    let scorers = ["--scorer", "exact_match", "--scorer", sql];
    let old = bench.run(&[&["--dataset", "all@1"], &scorers[..]].concat());
    let new = bench.run(&[&["--dataset", "all"], &scorers[..]].concat());
    for (run, passed, count, version) in [(&old, true, COUNT, 1), (&new, false, COUNT - 1, 3)] {
        let rows = bench.rows(&format!(
            "SELECT scorer, passed FROM scores WHERE run_id = '{run}' AND dataset_record_id = '{right}' ORDER BY scorer"
        ));
        let row = |scorer: &str| json!({"scorer": scorer, "passed": passed});
        assert_eq!(rows, [row("exact_match"), row("sql")], "version {version}");
        let told = bench.row(&format!(
            "SELECT dataset_version, row_count FROM eval_runs WHERE run_id = '{run}'"
        ));
        assert_eq!(
            told,
            json!({"dataset_version": version, "row_count": count * 2})
        );
    }
    let compared = bench.json("eval compare", &[&old, &new]);
    assert_eq!(
        compared["scorers"][0]["verdicts"]["only_a"], 1,
        "{compared}"
    );
}
