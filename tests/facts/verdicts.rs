//! Assessments: counts, values and their relation to errors.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tracehouse::Database;

use super::counts::{group, top};
use crate::support::{Check, number, rows};

pub fn check(db: &Database, facts: &Value, check: &mut Check) {
    let want = &facts["assessments"];
    let reward = |value: f64| {
        format!(
            "SELECT count(DISTINCT a.trace_id) FROM assessments a JOIN traces t ON t.trace_id = a.trace_id \
             WHERE a.name = 'reward' AND a.value_number = {value} AND t.error_span_count > 0"
        )
    };
    for (key, statement) in [
        ("rows", "SELECT count(*) FROM assessments".to_string()),
        ("traces_with_any", "SELECT count(DISTINCT trace_id) FROM assessments".into()),
        ("with_span_id", "SELECT count(span_id) FROM assessments".into()),
        (
            "traces_reward_0",
            "SELECT count(DISTINCT trace_id) FROM assessments WHERE name = 'reward' AND value_number = 0"
                .into(),
        ),
        ("traces_reward_0_and_error_span", reward(0.0)),
        ("traces_reward_1_and_error_span", reward(1.0)),
    ] {
        check.equal(&format!("assessments.{key}"), Some(number(db, &statement)), want[key].as_i64());
    }
    for (key, column) in [
        ("by_name", "name"),
        ("by_source", "source_type"),
        ("by_type", "type"),
    ] {
        check.equal(
            &format!("assessments.{key}"),
            group(db, column, "assessments", 100),
            want[key].clone(),
        );
    }
    check.equal("assessment values", values(db), want["values"].clone());
    let means = "SELECT t.service_name AS service, count(*) AS n, avg(a.value_number) AS mean FROM assessments a \
                 JOIN traces t ON t.trace_id = a.trace_id WHERE a.name = 'reward' AND a.value_number IS NOT NULL GROUP BY 1";
    let means: Value = rows(db, means)
        .into_iter()
        .map(|row| {
            let service = row["service"].as_str().unwrap().to_string();
            (service, json!({"n": row["n"], "mean": row["mean"]}))
        })
        .collect();
    check.equal(
        "reward by service",
        means,
        want["reward_mean_by_service"].clone(),
    );
}

/// The eight most frequent values of each name, as JSON text cut at 60 characters.
fn values(db: &Database) -> Value {
    let mut names: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for row in rows(db, "SELECT name, value FROM assessments") {
        let raw = row["value"].as_str().unwrap();
        // Strings are written anew: `facts.json` does not escape what is no ASCII.
        let text = match serde_json::from_str(raw).unwrap() {
            Value::String(text) => Value::String(text).to_string(),
            _ => raw.to_string(),
        };
        let cut = text.chars().take(60).collect();
        *names
            .entry(row["name"].as_str().unwrap().to_string())
            .or_default()
            .entry(cut)
            .or_default() += 1;
    }
    names
        .into_iter()
        .map(|(name, counts)| (name, top(counts, 8)))
        .collect()
}
