//! An erased trace is gone from scores, feedback, datasets, queues and what judges answered; what is left stays whole.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::judge_server::{Does, JudgeServer};
use super::traces::{COUNT, trace_id};
use super::{Bench, asking, text};

/// The trace that goes; its session is that of trace 16 and 17.
const ERASED: u64 = 16;
/// A word of its question, and one that a judge said of it.
const WORD: &str = "thing16x3";
const SAID: &str = "secretly-said-of-sixteen";

/// The files of the database that have a text in them.
pub(super) fn files_with(bench: &Bench, text: &str) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![bench.path("app.traces")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            if bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
            {
                found.push(path);
            }
        }
    }
    found
}

/// A run of a judge, in which only one answer has the word.
fn judge(bench: &Bench, server: &JudgeServer) {
    let db = bench.db();
    let scorers = [
        "--scorer",
        "judge:safety",
        "--scorer",
        "max_words:9",
        "--judge-model",
        "m",
    ];
    let ended = asking(
        &server.url(),
        &[&["eval", "run", &db], &scorers[..]].concat(),
    );
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn an_erase_takes_a_trace_out_of_everything() {
    let bench = Bench::new();
    let server = JudgeServer::start(|_, body| {
        let why = if body.to_string().contains(WORD) {
            SAID
        } else {
            "because"
        };
        Does::Says(json!({"rationale": why, "value": true}).to_string())
    });
    judge(&bench, &server);
    assert_ne!(
        files_with(&bench, SAID),
        Vec::<PathBuf>::new(),
        "it is stored as it stands"
    );
    let sessions = bench.run(&["--sessions", "--scorer", "max_words:9"]);
    bench.dataset("all", &["--where", ""]);
    let of_records = bench.run(&["--dataset", "all", "--scorer", "max_words:9"]);
    let labels = bench.file("labels.json", r#"[{"name": "ok", "kind": "boolean"}]"#);
    let create = [
        "queue",
        "--where",
        "",
        "--labels",
        &labels,
        "--reviewer",
        "ana",
    ];
    assert_eq!(bench.json("review create", &create)["items"], COUNT);
    let item = format!("trace:{}", trace_id(ERASED));
    bench.json(
        "review answer",
        &["queue", &item, "--reviewer", "ana", "--label", "ok=true"],
    );
    bench.done(&["delete", &bench.db(), &trace_id(ERASED), "--erase", "--yes"]);
    assert_gone(&bench);
    let counts = bench.rows(
        "SELECT r.run_id, max(r.row_count) AS told, count(*) AS n FROM eval_runs r JOIN scores USING (run_id) GROUP BY 1",
    );
    assert_eq!(counts.len(), 3);
    for row in &counts {
        assert_eq!(row["told"], row["n"], "{row}");
        let wanted = match text(&row["run_id"]) {
            run if run == sessions => COUNT / 2 - 1,
            run if run == of_records => COUNT - 1,
            _ => (COUNT - 1) * 2,
        };
        assert_eq!(row["n"], wanted);
    }
    let asked = server.calls();
    judge(&bench, &server);
    assert_eq!(server.calls(), asked, "the others' answers are kept");
}

/// Nothing says anything of the erased trace, neither in SQL nor in files.
fn assert_gone(bench: &Bench) {
    let id = trace_id(ERASED);
    for table in ["scores", "assessments", "traces", "spans"] {
        let of = format!("SELECT count(*) AS n FROM {table} WHERE trace_id = '{id}'");
        assert_eq!(bench.count(&of), 0, "{table}");
    }
    let records =
        format!("SELECT count(*) AS n FROM dataset_records WHERE source_trace_id = '{id}'");
    assert_eq!(bench.count(&records), 0);
    let queue = bench.json("review list", &[]);
    assert_eq!(queue[0]["item_count"], COUNT - 1, "{queue}");
    assert_eq!(files_with(bench, SAID), Vec::<PathBuf>::new());
    bench.done(&["check", &bench.db(), "--deep"]);
}
