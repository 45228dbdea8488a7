//! The examples of `query/FILTERS.md` run as they stand there.

use std::path::Path;

use serde_json::json;
use tracehouse::{Database, Search};

use super::fixture;
use crate::support::{Check, import_lines, in_memory, number, rows};

/// The lines of all code blocks of a kind, split at the first of two or more spaces and the word.
fn examples<'a>(page: &'a str, kind: &str, word: &str) -> Vec<(&'a str, &'a str)> {
    let mut lines = Vec::new();
    for block in page.split("\n```").skip(1) {
        let Some(body) = block
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix('\n'))
        else {
            continue;
        };
        for line in body.lines() {
            let (example, rest) = line
                .split_once("  ")
                .unwrap_or_else(|| panic!("no two spaces: {line}"));
            let rest = rest.trim_start();
            let rest = rest
                .strip_prefix(word)
                .unwrap_or_else(|| panic!("{word:?} expected: {line}"));
            lines.push((example, rest.trim()));
        }
    }
    lines
}

fn letters(db: &Database, search: &Search) -> String {
    match db.search_traces(search) {
        Ok(page) if page.traces.is_empty() => "-".into(),
        Ok(page) => {
            let ids: Vec<&str> = page
                .traces
                .iter()
                .map(|trace| &trace.trace_id[3..])
                .collect();
            ids.join(", ")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_examples_of_the_page_are_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../query/FILTERS.md");
    let page = std::fs::read_to_string(path).unwrap();
    let db = in_memory();
    fixture::build(&db);
    let mut check = Check::default();
    let filters = examples(&page, "filters", "finds");
    for (filter, want) in &filters {
        check.equal(filter, letters(&db, &Search::new(*filter)).as_str(), want);
    }
    let orders = examples(&page, "orders", "gives");
    for (order, want) in &orders {
        check.equal(
            order,
            letters(&db, &Search::new("").order_by(order.split(", "))).as_str(),
            want,
        );
    }
    let errors = examples(&page, "errors", "");
    for (filter, want) in &errors {
        let got = letters(&db, &Search::new(*filter));
        check.equal(filter, got.contains(want), true);
    }
    check.finish();
    assert!(filters.len() > 50 && orders.len() > 3 && errors.len() > 4);
}

/// Inputs that are put together from attributes match as the column shows them and as that is decoded; the attributes
/// as they were sent.
#[test]
fn inputs_made_of_attributes_match_as_they_are_shown() {
    let db = in_memory();
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let key = "llm.input_messages.0.message.content";
    let span = json!({"traceId": "a".repeat(32), "spanId": "b".repeat(16), "name": "ask", "startTimeUnixNano": "1",
        "attributes": [text("llm.input_messages.0.message.role", "user"), text(key, "say \"hi\" to\nme")]});
    import_lines(
        &db,
        &[json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()],
    );
    let shown = &rows(&db, "SELECT inputs FROM spans")[0]["inputs"];
    assert_eq!(shown, r#"[{"role":"user","content":"say \"hi\" to\nme"}]"#);
    let count = |filter: &str| db.count_traces(&Search::new(filter)).unwrap();
    for (pattern, found) in [
        (r#"%{"role":"user",%"#, 1),
        (r#"%say \"hi\" to\nme%"#, 1),
        (r#"%say "hi" to%"#, 1),
        ("say%", 1),
        ("user%", 1),
        ("hi%", 0),
    ] {
        assert_eq!(
            count(&format!("span.inputs LIKE '{pattern}'")),
            found,
            "{pattern}"
        );
    }
    assert_eq!(
        number(
            &db,
            r#"SELECT count(*) FROM spans WHERE inputs LIKE '[{"role":"user",%'"#
        ),
        1
    );
    assert_eq!(
        count(&format!("span.attributes.{key} LIKE 'say \"hi\"%'")),
        1
    );
    assert_eq!(count(&format!("span.attributes.{key} LIKE 'user%'")), 0);
}
