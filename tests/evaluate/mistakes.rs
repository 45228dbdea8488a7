//! Wrong use: the exit code says who is at fault, the message names it and what would be right, and nothing is stored.

use serde_json::json;

use super::{Bench, text};

/// Commands, their arguments after the database (parted by `|`), and what the message has to name. Files are beside the
/// database.
const CASES: &[(&str, &str, &[&str])] = &[
    ("eval run", "", &["--scorer"]),
    (
        "eval run",
        "--scorer|exact_mach",
        &["exact_mach", "did you mean `exact_match`"],
    ),
    (
        "eval run",
        "--scorer|judge:corectness",
        &["corectness", "did you mean `correctness`"],
    ),
    ("eval run", "--scorer|max_words:few", &["max_words", "few"]),
    ("eval run", "--scorer|regex:(", &["regex", "("]),
    ("eval run", "--scorer|forbidden:none.txt", &["none.txt"]),
    ("eval run", "--scorer|none.toml", &["none.toml"]),
    (
        "eval run",
        "--scorer|FOLDER/broken.toml",
        &["broken.toml", "maximum"],
    ),
    (
        "eval run",
        "--scorer|json_schema:FOLDER/schema.json",
        &["json_schema"],
    ),
    (
        "eval run",
        "--scorer|max_words:3|--scorer|max_words:4",
        &["max_words", "own name"],
    ),
    (
        "eval run",
        "--scorer|max_words:3|--where|nonsense =",
        &["position 11"],
    ),
    ("eval run", "--scorer|max_words:3|--dataset|none", &["none"]),
    (
        "eval run",
        "--scorer|max_words:3|--dataset|none@x",
        &["none@x", "VERSION"],
    ),
    (
        "eval run",
        "--scorer|max_words:3|--dataset|d|--where|x",
        &["--dataset", "--where"],
    ),
    (
        "eval run",
        "--scorer|sql:nothing_of_the_kind",
        &["nothing_of_the_kind"],
    ),
    (
        "eval run",
        "--scorer|judge:safety|--judge-url|http://127.0.0.1:9/v1",
        &["--judge-model"],
    ),
    (
        "eval run",
        "--scorer|judge:safety|--judge-model|m",
        &["--judge-url", "OPENAI_BASE_URL"],
    ),
    (
        "eval run",
        "--scorer|judge:safety|--judge-url|http://127.0.0.1:9/v1|--judge-model|m|--budget|1",
        &["--budget", "price", "prices"],
    ),
    ("eval run", "--resume|r-none", &["r-none"]),
    (
        "eval run",
        "--resume|r-none|--scorer|max_words:3",
        &["--resume", "--scorer"],
    ),
    ("eval show", "r-none", &["r-none"]),
    ("eval delete", "r-none", &["r-none"]),
    ("eval compare", "r-none|r-none", &["r-none"]),
    ("eval compare", "r-none", &["<B>"]),
    ("eval compare", "--where-a|x", &["--where-b"]),
    ("scorer register", "", &["--scorer"]),
    (
        "scorer register",
        "--scorer|max_words:3|--sample-rate|0",
        &["sample rate 0"],
    ),
    (
        "scorer register",
        "--scorer|max_words:3|--where|nonsense =",
        &["position 11"],
    ),
    ("scorer stop", "none", &["none"]),
    ("scorer start", "none", &["none"]),
    ("scorer delete", "none", &["none"]),
    ("prompt show", "answer", &["answer", "prompts:/"]),
    ("prompt show", "prompts:/answer/1", &["answer"]),
    ("prompt diff", "answer", &["answer"]),
    ("prompt alias", "answer|production|1", &["answer"]),
    (
        "prompt register",
        "answer|--template|none.txt",
        &["none.txt"],
    ),
    ("review next", "none|--reviewer|ana", &["none"]),
    ("review status", "none", &["none"]),
    (
        "dataset split",
        "none|--ratios|80,20|--names|a,b",
        &["none"],
    ),
    (
        "dataset split",
        "none|--ratios|80,20|--names|a",
        &["1 names for 2 ratios"],
    ),
    ("dataset leaks", "none|none", &["none"]),
];

#[test]
fn wrong_use_is_told_and_stores_nothing() {
    let bench = Bench::new();
    bench.file(
        "broken.toml",
        "[[scorer]]\nkind = \"max_words\"\nmaximum = 3\n",
    );
    bench.file("schema.json", "{\"type\": 7}");
    let folder = bench
        .path("")
        .to_str()
        .unwrap()
        .trim_end_matches('/')
        .to_string();
    for (command, arguments, wanted) in CASES {
        let arguments = arguments.replace("FOLDER", &folder);
        let arguments: Vec<&str> = arguments.split('|').filter(|one| !one.is_empty()).collect();
        let ended = bench.fails(2, command, &arguments);
        for word in *wanted {
            let err = &ended.err;
            assert!(
                err.contains(word),
                "{command} {arguments:?}: {word:?} is not in {err:?}"
            );
        }
        assert_eq!(ended.out, "", "{command} {arguments:?}");
    }
    let stored = bench.row(
        "SELECT (SELECT count(*) FROM scores) AS scores, (SELECT count(*) FROM eval_runs) AS runs,
           (SELECT count(*) FROM registered_scorers) AS registered, (SELECT count(*) FROM prompts) AS prompts",
    );
    let none = json!({"scores": 0, "runs": 0, "registered": 0, "prompts": 0});
    assert_eq!(stored, none);
}

#[test]
fn names_that_are_taken_and_beginnings_that_say_too_little_are_told() {
    let bench = Bench::new();
    bench.run(&["--scorer", "max_words:9", "--limit", "2"]);
    bench.run(&["--scorer", "max_words:9", "--limit", "2"]);
    // Ids begin with the time.
    let begin = text(&bench.row("SELECT left(min(run_id), 8) AS begin FROM eval_runs")["begin"]);
    let ended = bench.fails(2, "eval show", &[&begin]);
    assert!(ended.err.contains("several"), "{ended:?}");
    let ended = bench.fails(2, "eval delete", &["r-"]);
    assert!(ended.err.contains("not found"), "{ended:?}");
    let labels = bench.file("labels.json", r#"[{"name": "ok", "kind": "boolean"}]"#);
    let create = [
        "again",
        "--where",
        "",
        "--limit",
        "1",
        "--labels",
        &labels,
        "--reviewer",
        "ana",
    ];
    bench.json("review create", &create);
    assert!(
        bench
            .fails(1, "review create", &create)
            .err
            .contains("again")
    );
    bench.dataset("all", &["--where", ""]);
    let split = ["all", "--ratios", "50,50", "--names", "all,other"];
    assert!(bench.fails(1, "dataset split", &split).err.contains("all"));
    assert_eq!(
        bench.count("SELECT count(*) AS n FROM datasets WHERE name = 'other'"),
        0,
        "all or nothing"
    );
}
