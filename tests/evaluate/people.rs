//! Prompts, and the review of traces by people.

use serde_json::{Value, json};

use super::traces::{COUNT, trace_id};
use super::{Bench, assert_close, text};

#[test]
fn a_prompt_has_versions_aliases_and_differences() {
    let bench = Bench::new();
    let first = bench.file("first.txt", "Answer {{question}}.\nBe polite.\n");
    let second = bench.file("second.txt", "Answer {{question}}.\nBe brief.\n");
    let chat = bench.file(
        "chat.json",
        r#"[{"role": "system", "content": "Help."}, {"role": "user", "content": "{{question}}"}]"#,
    );
    let one = [
        "answer",
        "--template",
        &first,
        "-m",
        "the first",
        "--tag",
        "team=support",
        "--alias",
        "production",
    ];
    bench.json("prompt register", &one);
    bench.json("prompt register", &["answer", "--template", &second]);
    bench.json("prompt register", &["talk", "--template", &chat]);
    let shown = bench.json("prompt show", &["prompts:/answer@production"]);
    assert_eq!(
        (&shown["version"], &shown["commit_message"]),
        (&json!(1), &json!("the first")),
        "{shown}"
    );
    let diff = bench.done(&["prompt", "diff", &bench.db(), "answer"]);
    assert!(
        diff.contains("-Be polite.") && diff.contains("+Be brief.") && !diff.contains("-Answer"),
        "{diff}"
    );
    bench.done(&["prompt", "alias", &bench.db(), "answer", "production", "2"]);
    let shown = bench.json("prompt show", &["prompts:/answer@production"]);
    assert_eq!(shown["version"], 2);
    assert_eq!(
        bench.json("prompt show", &["prompts:/answer@latest"])["version"],
        2
    );
    let rows = bench.rows("SELECT name, version, type, commit_message, aliases FROM prompt_versions ORDER BY name, version");
    let row = |name: &str, version: u32, kind: &str, message: Option<&str>, aliases: &str| json!({"name": name, "version": version, "type": kind, "commit_message": message, "aliases": aliases});
    let wanted = [
        row("answer", 1, "text", Some("the first"), "[]"),
        row("answer", 2, "text", None, r#"["production"]"#),
        row("talk", 1, "chat", None, "[]"),
    ];
    assert_eq!(without_nulls(rows), without_nulls(wanted.to_vec()));
    let template =
        bench.row("SELECT template FROM prompt_versions WHERE name = 'answer' AND version = 1");
    assert_eq!(
        template["template"],
        json!("Answer {{question}}.\nBe polite.\n").to_string()
    );
    bench.done(&["prompt", "alias", &bench.db(), "answer", "production"]);
    assert!(
        bench
            .fails(2, "prompt show", &["prompts:/answer@production"])
            .err
            .contains("production")
    );
    bench.done(&["prompt", "delete", &bench.db(), "answer", "--yes"]);
    let left = bench.rows("SELECT name, latest_version FROM prompts");
    assert_eq!(left, [json!({"name": "talk", "latest_version": 1})]);
}

/// Writers of JSON leave a NULL out, or write it.
fn without_nulls(mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        row.as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
    }
    rows
}

#[test]
fn figures_of_prompt_versions_are_those_of_their_traces() {
    let bench = Bench::new();
    // One more, linked by its tag to both versions.
    let both = r#"mlflow.linkedPrompts=[{"name": "answer", "version": "1"}, {"name": "answer", "version": 2}]"#;
    bench.done(&["tag", &bench.db(), &trace_id(3), both]);
    let stats = bench.json("prompt stats", &["answer"]);
    let stats = stats.as_array().unwrap();
    assert_eq!(stats.len(), 2, "{stats:?}");
    for one in stats {
        let version = text(&one["version"]);
        let of = format!(
            "FROM trace_prompts JOIN traces USING (trace_id) WHERE prompt_name = 'answer' AND prompt_version = '{version}'"
        );
        let sql = bench.row(&format!(
            "SELECT count(*) AS trace_count, sum(CASE WHEN state = 'ERROR' THEN 1 ELSE 0 END) AS error_count,
               avg(total_tokens) AS tokens_mean, median(CAST(duration_ns AS DOUBLE)) AS duration_p50_ns {of}"
        ));
        for figure in [
            "trace_count",
            "error_count",
            "tokens_mean",
            "duration_p50_ns",
        ] {
            assert_close(figure, &one[figure], &sql[figure]);
        }
        let reward = bench.row(&format!(
            "SELECT avg(value_number) AS mean FROM assessments JOIN trace_prompts USING (trace_id)
             WHERE name = 'reward' AND prompt_name = 'answer' AND prompt_version = '{version}'"
        ));
        assert_close("reward", &one["feedback"]["reward"], &reward["mean"]);
    }
    let linked = bench.count("SELECT count(*) AS n FROM trace_prompts");
    assert_eq!(linked, COUNT + 1);
}

const LABELS: &str = r#"[
    {"name": "helpful", "kind": "boolean", "instruction": "Does it help?"},
    {"name": "tone", "kind": "category", "options": ["warm", "cold"], "required": false},
    {"name": "stars", "kind": "number", "min": 1, "max": 5, "integer": true, "required": false}
]"#;

/// A queue of four traces that two reviewers answer.
fn queue(bench: &Bench) {
    let labels = bench.file("labels.json", LABELS);
    let all = [
        "doubtful",
        "--labels",
        &labels,
        "--reviewer",
        "ana",
        "--reviewer",
        "ben",
        "--where",
        "feedback.reward = 0",
        "--limit",
        "4",
        "--answers",
        "2",
    ];
    assert_eq!(bench.json("review create", &all)["items"], 4);
}

fn next(bench: &Bench, reviewer: &str) -> String {
    bench
        .done(&[
            "review",
            "next",
            &bench.db(),
            "doubtful",
            "--reviewer",
            reviewer,
            "--quiet",
        ])
        .trim()
        .to_string()
}

fn answer(bench: &Bench, item: &str, reviewer: &str, labels: &[&str]) {
    let mut all = vec!["doubtful", item, "--reviewer", reviewer];
    for label in labels {
        all.extend(["--label", label]);
    }
    bench.json("review answer", &all);
}

#[test]
fn two_reviewers_answer_a_queue() {
    let bench = Bench::new();
    queue(&bench);
    // Ana says yes to all; Ben says no to the second, and skips the last.
    for number in 0..4 {
        let item = next(&bench, "ana");
        answer(
            &bench,
            &item,
            "ana",
            &["helpful=true", "tone=warm", "stars=5"],
        );
        let item = next(&bench, "ben");
        match number {
            1 => answer(&bench, &item, "ben", &["helpful=false", "tone=cold"]),
            3 => {
                let skip = [
                    "review",
                    "skip",
                    &bench.db(),
                    "doubtful",
                    &item,
                    "--reviewer",
                    "ben",
                ];
                bench.done(&skip);
            }
            _ => answer(&bench, &item, "ben", &["helpful=true", "tone=warm"]),
        }
    }
    assert_eq!(next(&bench, "ana"), "", "nothing is left");
    let status = bench.json("review status", &["doubtful"]);
    let progress = &status["progress"];
    assert_eq!(
        (&progress["items"], &progress["answers_given"]),
        (&json!(4), &json!(7)),
        "{status}"
    );
    // Ana and Ben agree on two of three items; of each item's answers, on average over all four, 7/8 say yes.
    let kappa = &status["agreement"]["helpful"];
    let (agreed, chance) = (2.0 / 3.0, (49.0 + 1.0) / 64.0);
    assert_close(
        "kappa",
        &kappa["kappa"],
        &json!((agreed - chance) / (1.0 - chance)),
    );
    let given = bench.rows(
        "SELECT source_id, name, count(*) AS n FROM assessments WHERE source_type = 'HUMAN' AND type = 'feedback'
           AND metadata['tracehouse.review.queue'] = 'doubtful' GROUP BY 1, 2 ORDER BY 1, 2",
    );
    let row = |who: &str, label: &str, n: u32| json!({"source_id": who, "name": label, "n": n});
    let wanted = [
        row("ana", "helpful", 4),
        row("ana", "stars", 4),
        row("ana", "tone", 4),
        row("ben", "helpful", 3),
        row("ben", "tone", 3),
    ];
    assert_eq!(given, wanted);
}

#[test]
fn wrong_answers_are_refused_and_second_ones_replace() {
    let bench = Bench::new();
    queue(&bench);
    let item = next(&bench, "ana");
    assert_eq!(
        next(&bench, "ana"),
        item,
        "an item that is held is given again"
    );
    for (label, wanted) in [
        ("helpful=maybe", "helpful"),
        ("tone=warm", "helpful"),
        ("stars=6", "stars"),
        ("mood=good", "mood"),
    ] {
        let all = ["doubtful", &item, "--reviewer", "ana", "--label", label];
        let ended = bench.fails(2, "review answer", &all);
        assert!(ended.err.contains(wanted), "{label}: {ended:?}");
    }
    let stranger = [
        "doubtful",
        &item,
        "--reviewer",
        "eve",
        "--label",
        "helpful=true",
    ];
    assert!(
        bench
            .fails(2, "review answer", &stranger)
            .err
            .contains("eve")
    );
    let stored = "SELECT count(*) AS n FROM assessments WHERE name = 'helpful'";
    assert_eq!(bench.count(stored), 0, "nothing of it is stored");
    answer(&bench, &item, "ana", &["helpful=true"]);
    answer(&bench, &item, "ana", &["helpful=false"]);
    assert_eq!(
        bench.row("SELECT value FROM assessments WHERE name = 'helpful'"),
        json!({"value": "false"})
    );
    bench.done(&["review", "delete", &bench.db(), "doubtful"]);
    assert_eq!(bench.json("review list", &[]), json!([]));
    assert_eq!(bench.count(stored), 1, "answers stay");
}
