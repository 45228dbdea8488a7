//! Runs: what they store, what `show`, `list` and `compare` say of it, and what SQL says.

use serde_json::{Value, json};

use super::traces::{COUNT, has_expectation, is_right, service, trace_id};
use super::{Bench, assert_close, text};

const SCORERS: [&str; 14] = [
    "--scorer",
    "exact_match",
    "--scorer",
    "token_f1:0.9",
    "--scorer",
    "max_words:9",
    "--scorer",
    "latency_ms:400",
    "--scorer",
    "sql:CASE WHEN state = 'OK' THEN service_name END",
    "--scorer",
    "numeric:0",
    "--scorer",
    "hall=regex:hall [0-9]",
];

/// Everything that `show` says of a scorer, as SQL finds it.
fn assert_summary_is_sql(bench: &Bench, run: &str, summary: &Value) {
    let scorer = text(&summary["scorer"]);
    let of = format!("FROM scores WHERE run_id = '{run}' AND scorer = '{scorer}'");
    let all = bench.row(&format!(
        "SELECT count(value) AS scores, count(error) AS errors, count(passed) AS verdicts,
           sum(CASE WHEN passed THEN 1 ELSE 0 END) AS passed {of}"
    ));
    assert_eq!(
        (&summary["count"], &summary["errors"]),
        (&all["scores"], &all["errors"]),
        "{scorer}"
    );
    let kinds = bench.rows(&format!("SELECT split_part(error, ':', 1) AS kind, count(*) AS n {of} AND error IS NOT NULL GROUP BY 1"));
    let kinds: serde_json::Map<String, Value> = kinds
        .iter()
        .map(|row| (text(&row["kind"]), row["n"].clone()))
        .collect();
    assert_eq!(summary["errors_by_kind"], Value::Object(kinds), "{scorer}");
    if all["verdicts"] == 0 {
        assert!(summary["passes"].is_null(), "{summary}");
    } else {
        let passes = &summary["passes"];
        assert_eq!(
            (&passes["count"], &passes["passed"]),
            (&all["verdicts"], &all["passed"]),
            "{scorer}"
        );
        let rate = all["passed"].as_f64().unwrap() / all["verdicts"].as_f64().unwrap();
        assert_close(&scorer, &passes["rate"], &json!(rate));
        let (low, high) = (&passes["interval"]["low"], &passes["interval"]["high"]);
        assert!(
            low.as_f64().unwrap() <= rate && rate <= high.as_f64().unwrap(),
            "{summary}"
        );
    }
    assert_numbers_are_sql(bench, &of, summary);
    let words = bench.rows(&format!(
        "SELECT count(*) AS n, trim(value, '\"') AS value {of} AND value LIKE '\"%' GROUP BY 2 ORDER BY n DESC, value"
    ));
    let told = summary["categories"]["values"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let told: Vec<Value> = told
        .iter()
        .map(|one| json!({"n": one["count"], "value": one["value"]}))
        .collect();
    assert_eq!(told, words, "{scorer}");
}

fn assert_numbers_are_sql(bench: &Bench, of: &str, summary: &Value) {
    let of = format!("{of} AND value NOT IN ('true', 'false') AND value_number IS NOT NULL");
    let sql = bench.row(&format!(
        "SELECT count(*) AS count, avg(value_number) AS mean, min(value_number) AS min, max(value_number) AS max,
           stddev_samp(value_number) AS standard_deviation, median(value_number) AS p50 {of}"
    ));
    if sql["count"] == 0 {
        assert!(summary["numbers"].is_null(), "{summary}");
        return;
    }
    for figure in ["count", "mean", "min", "max", "standard_deviation", "p50"] {
        assert_close(figure, &summary["numbers"][figure], &sql[figure]);
    }
}

#[test]
fn what_a_run_says_is_what_sql_says() {
    let bench = Bench::new();
    let run = bench.json("eval run", &[&SCORERS[..], &["--name", "all"]].concat());
    let id = text(&run["run_id"]);
    assert_eq!(
        (&run["state"], &run["row_count"]),
        (&json!("DONE"), &json!(COUNT * 7))
    );
    let shown = bench.json("eval show", &["all"]);
    assert_eq!(shown, run, "show says what run said");
    assert_eq!(
        bench.json("eval show", &[&id[..8]]),
        run,
        "the beginning of an id names it"
    );
    let listed = bench.json("eval list", &[]);
    let row = bench.row("SELECT * FROM eval_runs");
    for column in [
        "run_id",
        "name",
        "state",
        "source",
        "row_count",
        "error_count",
    ] {
        assert_eq!(
            (&row[column], &listed[0][column]),
            (&run[column], &run[column]),
            "{column}"
        );
    }
    let summaries = run["summaries"].as_array().unwrap();
    assert_eq!(summaries.len(), 7);
    for summary in summaries {
        assert_summary_is_sql(&bench, &id, summary);
    }
    let sums = bench.row(&format!(
        "SELECT count(*) AS n, count(DISTINCT trace_id || scorer) AS pairs, count(error) AS errors FROM scores WHERE run_id = '{id}'"
    ));
    assert_eq!(
        sums,
        json!({"n": COUNT * 7, "pairs": COUNT * 7, "errors": run["error_count"]})
    );
}

#[test]
fn scores_are_those_that_the_traces_were_made_for() {
    let bench = Bench::new();
    let id = bench.run(&SCORERS);
    let rows = bench.rows(&format!("SELECT * FROM scores WHERE run_id = '{id}'"));
    for number in 0..COUNT {
        let of = |scorer: &str| {
            let found = rows.iter().find(|row| {
                row["trace_id"] == trace_id(number).as_str() && row["scorer"] == scorer
            });
            found
                .unwrap_or_else(|| panic!("{scorer} of {number}"))
                .clone()
        };
        let passed = |scorer: &str| of(scorer)["passed"].as_bool();
        let right = has_expectation(number).then_some(is_right(number));
        assert_eq!(
            (passed("exact_match"), passed("token_f1"), passed("hall")),
            (right, right, Some(is_right(number)))
        );
        assert_eq!(passed("max_words"), Some(is_right(number)), "{number}");
        let words = if is_right(number) { 6.0 } else { 13.0 };
        assert_eq!(of("max_words")["value_number"], words);
        let ms = 100.0 * (1.0 + (number % 7) as f64);
        assert_eq!(
            (
                of("latency_ms")["value_number"].as_f64(),
                passed("latency_ms")
            ),
            (Some(ms), Some(ms <= 400.0))
        );
        let said = of("sql");
        if number % 11 == 5 {
            assert!(text(&said["error"]).starts_with("missing: "), "{said}");
        } else {
            assert_eq!(said["value"], format!("\"{}\"", service(number)), "{said}");
        }
        if !has_expectation(number) {
            assert!(
                text(&of("exact_match")["error"]).starts_with("missing: "),
                "{number}"
            );
        }
    }
}

#[test]
fn feedback_says_what_scores_say() {
    let bench = Bench::new();
    let id = bench.run(&["--scorer", "max_words:9", "--scorer", "exact_match"]);
    let other = bench.run(&["--scorer", "max_words:9", "--no-feedback"]);
    let differ = bench.count(&format!(
        "SELECT count(*) AS n FROM scores s FULL JOIN assessments a ON a.trace_id = s.trace_id AND a.name = s.scorer
           AND a.metadata['tracehouse.eval.run_id'] = s.run_id
         WHERE (s.run_id = '{id}' OR a.metadata['tracehouse.eval.run_id'] IS NOT NULL)
           AND (a.assessment_id IS NULL OR s.run_id IS NULL OR a.source_type != 'CODE'
             OR a.value IS DISTINCT FROM coalesce(s.value, 'null'))"
    ));
    assert_eq!(differ, 0);
    let found = bench.done(&[
        "search",
        &bench.db(),
        "feedback.exact_match = false",
        "--count",
    ]);
    let failed = bench.count(&format!("SELECT count(*) AS n FROM scores WHERE run_id = '{id}' AND scorer = 'exact_match' AND NOT passed"));
    assert_eq!(found.trim(), failed.to_string());
    bench.done(&["eval", "delete", &bench.db(), &id]);
    assert_eq!(
        bench.count(&format!(
            "SELECT count(*) AS n FROM scores WHERE run_id != '{other}'"
        )),
        0
    );
    assert_eq!(
        bench.count("SELECT count(*) AS n FROM assessments WHERE name = 'max_words'"),
        COUNT,
        "feedback stays"
    );
}

#[test]
fn spans_and_sessions_are_judged() {
    let bench = Bench::new();
    let spans = bench.run(&[
        "--spans",
        "span.type = 'TOOL'",
        "--scorer",
        "contains:hall",
        "--scorer",
        "sql:duration_ns = 5000000",
    ]);
    let row = bench.row(&format!(
        "SELECT count(*) AS n, count(DISTINCT s.span_id) AS spans, sum(CASE WHEN s.passed THEN 1 ELSE 0 END) AS passed
         FROM scores s JOIN spans USING (trace_id, span_id) WHERE s.run_id = '{spans}' AND spans.span_type = 'TOOL'"
    ));
    assert_eq!(
        row,
        json!({"n": COUNT * 2, "spans": COUNT, "passed": COUNT * 2})
    );
    let sessions = bench.run(&[
        "--sessions",
        "--scorer",
        "max_words:9",
        "--scorer",
        "sql:session_id",
    ]);
    let row = bench.row(&format!(
        "SELECT count(*) AS n, count(DISTINCT s.value) AS sessions FROM scores s WHERE run_id = '{sessions}' AND scorer = 'sql'"
    ));
    assert_eq!(
        row,
        json!({"n": COUNT / 2, "sessions": COUNT / 2}),
        "a trace is the first of its session"
    );
    let limited = bench.json(
        "eval run",
        &[
            "--sessions",
            "state = 'ERROR'",
            "--limit",
            "3",
            "--scorer",
            "max_words:9",
        ],
    );
    assert_eq!(limited["row_count"], 3);
}

#[test]
fn two_runs_are_compared_item_by_item() {
    let bench = Bench::new();
    let before = bench.run(&[
        "--name",
        "before",
        "--scorer",
        "max_words:20",
        "--scorer",
        "token_f1:0.3",
        "--scorer",
        "json_valid",
    ]);
    let after = bench.run(&[
        "--name",
        "after",
        "--where",
        "service_name != 'bank'",
        "--scorer",
        "max_words:9",
        "--scorer",
        "token_f1:0.9",
        "--scorer",
        "latency_ms:1",
    ]);
    let compared = bench.json("eval compare", &["before", "after"]);
    assert_eq!(compared["unpaired"], json!(["json_valid", "latency_ms"]));
    assert_eq!(compared["scorers"].as_array().unwrap().len(), 2);
    for one in compared["scorers"].as_array().unwrap() {
        let scorer = text(&one["scorer"]);
        let sql = bench.row(&format!(
            "SELECT count(*) AS pairs, sum(CASE WHEN a.passed AND b.passed THEN 1 ELSE 0 END) AS both,
               sum(CASE WHEN a.passed AND NOT b.passed THEN 1 ELSE 0 END) AS only_a,
               sum(CASE WHEN b.passed AND NOT a.passed THEN 1 ELSE 0 END) AS only_b,
               avg(b.value_number - a.value_number) AS difference
             FROM scores a JOIN scores b USING (trace_id, scorer)
             WHERE a.run_id = '{before}' AND b.run_id = '{after}' AND a.scorer = '{scorer}' AND a.error IS NULL AND b.error IS NULL"
        ));
        assert_eq!(one["pairs"], sql["pairs"], "{scorer}");
        for figure in ["both", "only_a", "only_b"] {
            assert_eq!(one["verdicts"][figure], sql[figure], "{scorer} {figure}");
        }
        assert_close(&scorer, &one["numbers"]["difference"], &sql["difference"]);
        let now_fail = one["regressions"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["kind"] == "now_fails");
        assert_eq!(
            now_fail.count() as u64,
            sql["only_a"].as_u64().unwrap(),
            "{scorer}"
        );
    }
    let max_words = &compared["scorers"][0]["verdicts"];
    assert!(
        max_words["only_a"].as_u64().unwrap() > 5 && max_words["p_value"].as_f64().unwrap() < 0.05,
        "{max_words}"
    );
}

#[test]
fn what_got_worse_is_shown_with_both_outputs() {
    let bench = Bench::new();
    bench.dataset("asked", &["--where", "feedback.reward = 1", "--limit", "3"]);
    let judge = |name| {
        bench.run(&[
            "--dataset",
            "asked",
            "--name",
            name,
            "--scorer",
            "exact_match",
        ])
    };
    judge("before");
    let record = "SELECT dataset_record_id AS id FROM dataset_records WHERE dataset = 'asked'
                  ORDER BY source_trace_id DESC LIMIT 1";
    let id = text(&bench.row(record)["id"]);
    let before = bench.row(&format!(
        "SELECT outputs FROM dataset_records WHERE dataset_record_id = '{id}'"
    ));
    bench.json(
        "dataset edit",
        &["asked", &id, "--outputs", "\"It is lost.\""],
    );
    judge("after");
    let compared = bench.json("eval compare", &["before", "after"]);
    assert_eq!(compared["scorers"][0]["regressions"][0]["key"], json!(id));
    let outputs: Value = serde_json::from_str(&text(&before["outputs"])).unwrap();
    assert_eq!(
        compared["outputs"],
        json!({&id: {"a": outputs, "b": "It is lost."}})
    );
    let shown = bench.done(&["eval", "compare", &bench.db(), "before", "after"]);
    assert!(
        shown.contains("It is lost.") && shown.contains("is in hall"),
        "{shown}"
    );
    let none = bench.json("eval compare", &["before", "after", "--limit", "0"]);
    assert_eq!(none["outputs"], json!({}));
}

#[test]
fn two_groups_are_compared() {
    let bench = Bench::new();
    let compared = bench.json(
        "eval compare",
        &[
            "--where-a",
            "tags.version = '1'",
            "--where-b",
            "tags.version = '2'",
        ],
    );
    for (place, side) in ["a", "b"].into_iter().enumerate() {
        let sql = bench.row(&format!(
            "SELECT count(*) AS n, sum(CASE WHEN state = 'ERROR' THEN 1 ELSE 0 END) AS errors, avg(duration_ns) AS duration,
               avg(total_tokens) AS tokens FROM traces WHERE tags['version'] = '{}'",
            place + 1
        ));
        let reward = bench.row(&format!(
            "SELECT avg(value_number) AS mean FROM assessments JOIN tags USING (trace_id)
             WHERE name = 'reward' AND key = 'version' AND tags.value = '{}'",
            place + 1
        ));
        assert_eq!(compared["counts"][place], sql["n"]);
        assert_eq!(compared["errors"][format!("passed_{side}")], sql["errors"]);
        let mean = format!("mean_{side}");
        assert_close(
            "duration",
            &compared["duration_ns"][&mean],
            &sql["duration"],
        );
        assert_close("tokens", &compared["total_tokens"][&mean], &sql["tokens"]);
        assert_close(
            "reward",
            &compared["numbers"]["reward"][&mean],
            &reward["mean"],
        );
    }
}
