//! The commands of `docs/evaluation.md`, in their order, as a shell runs them.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::Bench;
use super::judge_server::{Does, JudgeServer, verdict};

/// The server that the page names.
const PAGE_URL: &str = "http://127.0.0.1:8000/v1";
/// Commands on the page: so that none is lost to a change of its form.
const COMMANDS_MIN: usize = 45;

#[test]
fn the_commands_of_the_page_run() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/evaluation.md");
    let page = std::fs::read_to_string(page).unwrap();
    let server = JudgeServer::start(|_, _| Does::Says(verdict(true)));
    let bench = Bench::new();
    let bin = bench.path("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink(
        env!("CARGO_BIN_EXE_tracehouse-under-test"),
        bin.join("tracehouse"),
    )
    .unwrap();
    let blocks: Vec<&str> = page
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let script = blocks.concat().replace(PAGE_URL, &server.url());
    let commands = script.matches("tracehouse ").count();
    assert!(commands >= COMMANDS_MIN, "{commands} commands on the page");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-eux", "-c", &script])
        .current_dir(bench.path("."))
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let calls = server.calls();
    let judged = bench.count(
        "SELECT count(DISTINCT run_id) AS n FROM scores WHERE scorer = 'says_where' AND passed",
    );
    assert_eq!(
        judged,
        2 + 1,
        "{calls} calls: the file's scorer and the runs of judges"
    );
}

#[test]
fn the_page_names_every_column() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/evaluation.md");
    let page = std::fs::read_to_string(page).unwrap();
    let bench = Bench::new();
    let tables = [
        "eval_runs",
        "scores",
        "registered_scorers",
        "prompts",
        "prompt_versions",
        "trace_prompts",
    ];
    for table in tables {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{table}` |")))
            .unwrap();
        let statement = format!(
            "SELECT column_name AS c FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
        );
        let columns = bench.rows(&statement);
        assert!(columns.len() >= 3, "{table}: {columns:?}");
        // What stands in parentheses after a column are its values.
        let told = row.split('|').nth(2).unwrap();
        let mut depth = 0;
        let outside: String = told
            .chars()
            .filter(|letter| {
                depth += i32::from(*letter == '(') - i32::from(*letter == ')');
                depth == 0
            })
            .collect();
        let told: Vec<&str> = outside.split('`').skip(1).step_by(2).collect();
        let columns: Vec<&str> = columns
            .iter()
            .map(|row| row["c"].as_str().unwrap())
            .collect();
        assert_eq!(told, columns, "{table}");
    }
}
