//! Plans: how each question reaches its rows in each state, so that a change of plan is a change in review.
//!
//! `golden/plans.txt` has the questions, each with what every state says, states that say the same on one line.
//! `UPDATE_GOLDENFILES=1` writes it anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tracehouse::{Database, Search};

use super::{STATES, finish, prepare};
use crate::data;
use crate::support::rows;

const QUESTIONS: &[&str] = &[
    "sql SELECT name FROM traces WHERE trace_id = 'a0000000000000000000000000000004'",
    "sql SELECT name FROM traces WHERE session_id = 'rag-4'",
    "sql SELECT name FROM traces WHERE session_id IN ('rag-4', 's-1')",
    "sql SELECT name FROM traces WHERE user_id = 'u-1' AND session_id = 's-1'",
    "sql SELECT name FROM traces WHERE tags['env'] = 'prod'",
    "sql SELECT name FROM traces WHERE 'prod' = tags['env'] OR tags['env'] = 'dev'",
    "sql SELECT name FROM traces WHERE state = 'ERROR'",
    "sql SELECT name FROM traces WHERE service_name = 'rag' AND request_time >= '2020-01-01T00:00:00Z'",
    "sql SELECT name FROM traces WHERE request_time < '1990-01-01T00:00:00Z'",
    "sql SELECT name FROM traces WHERE session_id = 's-1' OR user_id = 'u-1'",
    "sql SELECT name FROM traces WHERE session_id <> 's-1'",
    "sql SELECT name FROM spans WHERE matches(text, 'refund')",
    "sql SELECT name FROM spans WHERE inputs LIKE '%refund%'",
    "sql SELECT name FROM spans WHERE attributes->>'gen_ai.request.model' = 'gpt-4o'",
    "sql SELECT name FROM spans WHERE service_name = 'rag'",
    "sql SELECT name FROM spans",
    "sql SELECT t.name, s.name FROM traces t JOIN spans s ON s.trace_id = t.trace_id WHERE t.session_id = 'rag-4' AND s.inputs LIKE '%refund%'",
    "sql SELECT name FROM traces WHERE trace_id IN (SELECT trace_id FROM spans WHERE attributes->>'gen_ai.request.model' = 'gpt-4o')",
    "sql SELECT name FROM traces WHERE state = 'OK' AND trace_id IN (SELECT trace_id FROM assessments WHERE name = 'correctness')",
    "search trace_id = 'a0000000000000000000000000000004'",
    "search session = 'rag-4'",
    "search user = 'u-1' AND tags.env = 'prod'",
    "search state = 'ERROR' AND timestamp > '2020-01-01'",
    "search service_name = 'rag'",
    "search span.inputs LIKE '%refund%'",
    "search",
];

#[test]
fn plans_are_those_that_were_reviewed() {
    // By question, what was said, and by which states.
    let mut said: Vec<Vec<(String, Vec<String>)>> = vec![Vec::new(); QUESTIONS.len()];
    for state in STATES {
        let subject = prepare(state, &data::lines(), &finish);
        for (question, said) in QUESTIONS.iter().zip(&mut said) {
            let plan = plan(subject.db(), question);
            match said.iter_mut().find(|(other, _)| *other == plan) {
                Some((_, states)) => states.push(format!("{state:?}")),
                None => said.push((plan, vec![format!("{state:?}")])),
            }
        }
    }
    let mut found = String::new();
    for (question, said) in QUESTIONS.iter().zip(said) {
        writeln!(found, "{question}").unwrap();
        for (plan, states) in said {
            writeln!(found, "  {}:\n    {plan}", states.join(", ")).unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/plans.txt");
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap();
    let different = found
        .lines()
        .zip(wanted.lines())
        .find(|(found, wanted)| found != wanted);
    assert!(found == wanted, "{different:#?}");
}

/// How the tables of a question are reached.
fn plan(db: &Database, question: &str) -> String {
    let Some(statement) = question.strip_prefix("sql ") else {
        let filter = question.strip_prefix("search").unwrap().trim();
        let page = db
            .search_traces(&Search::new(filter).explain(true))
            .unwrap();
        return page.explain.unwrap().access_path;
    };
    let lines = rows(db, &format!("EXPLAIN {statement}"));
    let lines = lines.iter().filter_map(|row| row["plan"].as_str());
    let scans = lines
        .filter(|line| line.contains("ScanExec: table="))
        .map(|line| {
            let part = |key: &str, end: &str| {
                let after = line.split_once(key).unwrap().1;
                after
                    .split_once(end)
                    .map_or(after, |(part, _)| part)
                    .to_string()
            };
            let (table, access) = (part("table=", ", columns"), part("access=", ", filter="));
            let related = line.split_once(", with=").map(|(_, related)| related);
            let related = related.map_or(String::new(), |related| format!(", with={related}"));
            let access = access.split(", with=").next().unwrap();
            format!(
                "{table}: {}{related}",
                access.split(", prune=").next().unwrap()
            )
        });
    scans.collect::<Vec<_>>().join("\n    ")
}
