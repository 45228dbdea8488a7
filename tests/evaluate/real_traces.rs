//! The whole loop on recorded traces: failed ones with expectations become a dataset, which is judged twice, compared,
//! and watched from then on.

use serde_json::{Value, json};

use super::{Bench, assert_close, text};
use crate::command_line::{report, tracehouse};
use crate::support::shared;

const FAILED: &str = "feedback.reward = 0";
const FILES: [&str; 2] = [
    "tau1_airline_gpt4o.jsonl.gz",
    "tau2_airline_telecom_grok.jsonl.gz",
];

/// A database of the recorded conversations with airlines and a telephone company.
fn recorded() -> Option<Bench> {
    let folder = shared("data")?;
    let bench = Bench {
        folder: tempfile::tempdir().unwrap(),
    };
    let db = bench.db();
    for file in FILES {
        let done = tracehouse(&["--json", "import", &db, folder.join(file).to_str().unwrap()]);
        assert_eq!(done.code, 0, "{done:?}");
    }
    let said = folder.join("assessments.jsonl");
    let of_others = std::fs::read_to_string(said).unwrap();
    let ids = bench.rows("SELECT trace_id FROM traces");
    let ids: std::collections::HashSet<String> =
        ids.iter().map(|row| text(&row["trace_id"])).collect();
    let ours: Vec<String> = of_others
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|said: &Value| ids.contains(said["trace_id"].as_str().unwrap()))
        .map(|said| as_tool_calls(said).to_string())
        .collect();
    let ours = bench.file("ours.jsonl", &ours.join("\n"));
    bench.done(&["import", &db, "--assessments", &ours]);
    Some(bench)
}

/// The actions that were expected, a text of the benchmark's own form, as tool calls.
fn as_tool_calls(mut said: Value) -> Value {
    if said["name"] == "expected_actions" {
        let actions: Vec<Value> = serde_json::from_str(said["value"].as_str().unwrap()).unwrap();
        let calls = actions
            .iter()
            .map(|action| json!({"name": action["name"], "arguments": action["kwargs"]}));
        said["value"] = calls.collect();
        said["name"] = json!("expected_tool_calls");
    }
    said
}

fn records(bench: &Bench, dataset: &str) -> u64 {
    bench.count(&format!(
        "SELECT count(*) AS n FROM dataset_records WHERE dataset = '{dataset}'"
    ))
}

/// The dataset by service, without near-duplicates, in two parts without a leak.
fn build(bench: &Bench) {
    let sample = [
        "--sample",
        "200",
        "--seed",
        "1",
        "--stratify",
        "service_name",
    ];
    let added = bench.dataset("failed", &[&["--where", FAILED], &sample[..]].concat());
    let made = records(bench, "failed");
    assert!(made > 50, "{added}");
    let by_service = bench.rows(
        "SELECT service_name, count(*) AS n FROM dataset_records JOIN traces ON trace_id = source_trace_id
         WHERE dataset = 'failed' GROUP BY 1",
    );
    let services = bench.rows(
        "SELECT DISTINCT service_name FROM traces JOIN assessments USING (trace_id)
         WHERE assessments.name = 'reward' AND value_number = 0",
    );
    assert_eq!(
        by_service.len(),
        services.len(),
        "every service has a record: {by_service:?}"
    );
    assert!(services.len() > 4, "{services:?}");
    let dropped = bench.json("dataset dedupe", &["failed", "--near", "0.8"]);
    let gone = dropped["dropped"].as_array().unwrap().len() as u64;
    assert_eq!(records(bench, "failed"), made - gone, "{dropped}");
    bench.json(
        "dataset split",
        &[
            "failed",
            "--ratios",
            "80,20",
            "--names",
            "train,test",
            "--seed",
            "1",
            "--by",
            "user",
        ],
    );
    assert_eq!(
        records(bench, "train") + records(bench, "test"),
        made - gone
    );
    assert_eq!(
        bench.json("dataset leaks", &["train", "test"])["records"],
        json!([])
    );
}

#[test]
fn the_loop_runs_on_recorded_traces() {
    let Some(bench) = recorded() else { return };
    build(&bench);
    let tools = bench.file(
        "tools.toml",
        "[[scorer]]\nname = \"tools\"\nkind = \"tool_calls\"\narguments = false\n",
    );
    let strict = bench.file(
        "strict.toml",
        "[[scorer]]\nname = \"tools\"\nkind = \"tool_calls\"\norder = true\n",
    );
    let others = ["--scorer", "max_words:60", "--scorer", "tokens:50000"];
    let run = |name: &str, tools: &str| {
        bench.run(
            &[
                &["--dataset", "train", "--name", name, "--scorer", tools],
                &others[..],
            ]
            .concat(),
        )
    };
    let (before, after) = (run("before", &tools), run("after", &strict));
    let train = records(&bench, "train");
    for id in [&before, &after] {
        let row = bench.row(&format!("SELECT count(*) AS n, count(DISTINCT dataset_record_id) AS records FROM scores WHERE run_id = '{id}'"));
        assert_eq!(row, json!({"n": train * 3, "records": train}));
        for summary in bench.json("eval show", &[id])["summaries"]
            .as_array()
            .unwrap()
        {
            assert_summary(&bench, id, summary);
        }
    }
    assert_compared(&bench, &before, &after);
    assert_watched(&bench, &strict);
}

fn assert_summary(bench: &Bench, run: &str, summary: &Value) {
    let sql = bench.row(&format!(
        "SELECT count(value) AS n, count(error) AS errors, avg(value_number) AS mean,
           sum(CASE WHEN passed THEN 1 ELSE 0 END) AS passed FROM scores WHERE run_id = '{run}' AND scorer = '{}'",
        text(&summary["scorer"])
    ));
    assert_eq!(
        (&summary["count"], &summary["errors"]),
        (&sql["n"], &sql["errors"]),
        "{summary}"
    );
    assert!(sql["n"].as_u64().unwrap() > 20, "{sql}");
    assert_eq!(summary["passes"]["passed"], sql["passed"]);
    assert_close("mean", &summary["numbers"]["mean"], &sql["mean"]);
}

fn assert_compared(bench: &Bench, before: &str, after: &str) {
    let compared = bench.json("eval compare", &["before", "after"]);
    for one in compared["scorers"].as_array().unwrap() {
        let sql = bench.row(&format!(
            "SELECT count(*) AS n, sum(CASE WHEN a.passed AND NOT b.passed THEN 1 ELSE 0 END) AS only_a,
               avg(b.value_number - a.value_number) AS difference
             FROM scores a JOIN scores b USING (dataset_record_id, scorer) WHERE a.run_id = '{before}'
               AND b.run_id = '{after}' AND a.scorer = '{}' AND a.error IS NULL AND b.error IS NULL",
            text(&one["scorer"])
        ));
        assert_eq!(
            (&one["pairs"], &one["verdicts"]["only_a"]),
            (&sql["n"], &sql["only_a"]),
            "{one}"
        );
        assert_close(
            "difference",
            &one["numbers"]["difference"],
            &sql["difference"],
        );
        let same = one["scorer"] != "tools";
        assert_eq!(
            one["numbers"]["difference"] == 0.0,
            same,
            "only the changed scorer differs: {one}"
        );
    }
}

/// The changed scorer watches production, and judges history.
fn assert_watched(bench: &Bench, spec: &str) {
    let of_bench = "service_name = 'tau-bench-airline'";
    bench.json("scorer register", &["--scorer", spec, "--where", of_bench]);
    let waits = bench.json("scorer run", &["--dry-run"])["reports"][0]["waiting"]
        .as_u64()
        .unwrap();
    let found = tracehouse(&["--json", "search", &bench.db(), of_bench, "--count"]);
    assert_eq!(
        report(&found).to_string().trim(),
        waits.to_string(),
        "{found:?}"
    );
    let done = bench.json("scorer run", &[]);
    let run = text(&done["reports"][0]["run_id"]);
    assert_eq!(
        bench.count(&format!(
            "SELECT count(*) AS n FROM scores WHERE run_id = '{run}'"
        )),
        waits
    );
    let passed = bench.count(&format!(
        "SELECT count(*) AS n FROM scores WHERE run_id = '{run}' AND passed"
    ));
    assert!(passed > 0, "some call just what was expected");
}
