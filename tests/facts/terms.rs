//! Text hits: every term as a phrase by `MATCHES` and as a substring by `ILIKE`, as id sets.

use serde_json::{Value, json};
use tracehouse::Database;

use crate::support::{Check, ids_sha256, quoted, search_ids, texts};

pub fn check(db: &Database, facts: &Value, check: &mut Check) {
    for want in facts["terms"].as_array().unwrap() {
        let term = want["term"].as_str().unwrap();
        let phrase = format!("\"{}\"", term.replace('"', ""));
        if !term.chars().any(|c| c.is_alphanumeric() || c == '_') {
            // There is no word to look up, and the message says what to write.
            let refused = db.search_text(&phrase, 1).unwrap_err().to_string();
            check.equal(
                &format!("MATCHES {term}"),
                refused.contains("LIKE '%"),
                true,
            );
            check.equal(
                &format!("tokens of {term}"),
                json!(0),
                want["tokens_any"]["traces"].clone(),
            );
            let ids = search_ids(
                db,
                &format!("trace.text ILIKE {}", quoted(&format!("%{term}%"))),
            );
            check.equal(
                &format!("ILIKE {term}"),
                json!(ids_sha256(&ids)),
                want["any"]["ids_sha256"].clone(),
            );
            continue;
        }
        // Patterns have no escape: `_` in a term stands for any character, which finds the same here.
        let pattern = format!("%{term}%");
        let by_filter = |clause: &str, text: &str| {
            search_ids(db, &format!("trace.text {clause} {}", quoted(text)))
        };
        let by_sql = |condition: &str| {
            texts(
                db,
                &format!("SELECT DISTINCT trace_id FROM spans WHERE {condition}"),
            )
        };
        let answers = [
            ("tokens_any", "MATCHES", by_filter("MATCHES", &phrase)),
            (
                "tokens_any",
                "matches()",
                by_sql(&format!("matches(text, {})", quoted(&phrase))),
            ),
            (any_rule(term, want), "ILIKE", by_filter("ILIKE", &pattern)),
        ];
        for (rule, how, ids) in answers {
            check.equal(
                &format!("{how} {term}: traces"),
                json!(ids.len()),
                want[rule]["traces"].clone(),
            );
            let what = format!("{how} {term}: ids");
            check.equal(
                &what,
                json!(ids_sha256(&ids)),
                want[rule]["ids_sha256"].clone(),
            );
        }
        let every_hit = db.search_text(&phrase, usize::MAX).unwrap();
        let ids = super::counts::distinct(every_hit.into_iter().map(|hit| hit.trace_id));
        check.equal(
            &format!("ranked {term}"),
            json!(ids_sha256(&ids)),
            want["tokens_any"]["ids_sha256"].clone(),
        );
    }
}

/// Patterns see what JSON escapes, and the facts about substrings do not: of a term that may be escaped the words
/// are the truth where they find more.
fn any_rule(term: &str, want: &Value) -> &'static str {
    let traces = |rule: &str| want[rule]["traces"].as_u64();
    if !term.is_ascii() && traces("tokens_any") > traces("any") {
        "tokens_any"
    } else {
        "any"
    }
}
