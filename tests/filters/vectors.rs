//! What MLflow 3.18 was seen to find on the fixture, and what we find: the same, or a listed difference.
//!
//! The observations are read from `reference/mlflow.md` of the example data when it is there; our own
//! always run.

use std::fs;

use tracehouse::{Database, Search};

use super::fixture;
use crate::support::{Check, DiskDb, in_memory, shared};

/// Why we may find something else than MLflow.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reason {
    /// `span.attributes.K` compares by `=`, `!=` and `IN`; in MLflow these find nothing, or everything.
    AttributeEquality,
    /// A prefixed key is the key that was written.
    LiteralKey,
    /// A doubled quote is one quote.
    DoubledQuote,
    /// A pattern sees strings as they were sent, not as MLflow escapes them.
    JsonPunctuation,
    /// A text that is no number is an error beside one, not above all of them.
    TextBesideNumber,
}

/// Observed filters that find something else here: what we find, and why.
const DIFFERENCES: &[(&str, &str, Reason)] = &[
    (
        "span.attributes.model = 'gpt-4'",
        "a",
        Reason::AttributeEquality,
    ),
    (
        "span.attributes.temp = '0.7'",
        "a",
        Reason::AttributeEquality,
    ),
    ("metadata.name = 'Alpha'", "-", Reason::LiteralKey),
    ("tags.name = 'Alpha'", "-", Reason::LiteralKey),
    ("tags.text LIKE '%Hello%'", "-", Reason::LiteralKey),
    ("tags.env = 'it''s'", "c", Reason::DoubledQuote),
    (
        r#"trace.text LIKE '%\"hi\"%'"#,
        "b",
        Reason::JsonPunctuation,
    ),
    (
        "execution_time > 'abc'",
        "INVALID_PARAMETER_VALUE",
        Reason::TextBesideNumber,
    ),
];

/// The traces a filter finds, newest first, as their last letters; `-` for none.
fn found(db: &Database, filter: &str) -> Result<String, tracehouse::Error> {
    let page = db.search_traces(&Search::new(filter))?;
    let letters: Vec<&str> = page
        .traces
        .iter()
        .map(|trace| &trace.trace_id[3..])
        .collect();
    assert_eq!(
        db.count_traces(&Search::new(filter)).unwrap(),
        letters.len() as u64,
        "{filter}"
    );
    Ok(if letters.is_empty() {
        "-".into()
    } else {
        letters.join(",")
    })
}

/// The fixture in memory, in a log that was read again, in segments, and merged.
fn in_every_state(check: impl Fn(&str, &Database)) {
    let db = in_memory();
    fixture::build(&db);
    check("in memory", &db);
    let disk = DiskDb::new();
    fixture::build(&disk.db);
    let disk = disk.reopen(false, |_| {});
    check("reopened", &disk.db);
    disk.db.seal().unwrap();
    check("sealed", &disk.db);
    disk.db.compact().unwrap();
    check("compacted", &disk.reopen(true, |_| {}).db);
}

/// Filter and observation of each line of the last code block.
fn observations(page: &str) -> Vec<(&str, &str)> {
    let (_, appendix) = page.split_once("## Appendix A").expect("an appendix A");
    let block = appendix.split("```").nth(1).expect("a code block");
    block
        .lines()
        .filter_map(|line| line.rsplit_once("  =>  "))
        .collect()
}

#[test]
fn mlflows_observed_filters_find_the_same_traces() {
    let Some(path) = shared("reference/mlflow.md") else {
        return;
    };
    let page = fs::read_to_string(path).unwrap();
    let observations = observations(&page);
    assert!(
        observations.len() >= 186,
        "{} observations",
        observations.len()
    );
    in_every_state(|state, db| {
        let mut check = Check::default();
        let (mut rejected_by_both, mut accepted_here, mut differences) = (0, 0, 0);
        for (filter, observed) in &observations {
            let ours = found(db, filter);
            if observed.starts_with("ERR") {
                match ours {
                    Ok(_) => accepted_here += 1,
                    Err(error) => {
                        rejected_by_both += 1;
                        let text = error.to_string();
                        assert!(text.contains("INVALID_PARAMETER_VALUE"), "{filter}: {text}");
                    }
                }
                continue;
            }
            let code = |text: String| match text.starts_with("INVALID_PARAMETER_VALUE") {
                true => "INVALID_PARAMETER_VALUE".to_string(),
                false => text,
            };
            let ours = ours.unwrap_or_else(|error| code(error.to_string()));
            let listed = DIFFERENCES.iter().find(|(listed, ..)| listed == filter);
            differences += usize::from(listed.is_some());
            let want = listed.map_or(*observed, |(_, want, _)| *want);
            check.equal(
                &format!("{state}: {filter} {:?}", listed.map(|listed| listed.2)),
                ours.as_str(),
                want,
            );
        }
        assert_eq!(
            differences,
            DIFFERENCES.len(),
            "a listed filter was not observed"
        );
        let same = check.finish() - differences;
        println!(
            "{state}: {same} the same, {differences} listed, {rejected_by_both} rejected by both, \
             {accepted_here} accepted here alone"
        );
    });
}

/// Our own filters and what they find.
const OURS: &[(&str, &str)] = &[
    ("", "d,c,b,a"),
    ("state = 'OK'", "d,a"),
    ("state = 'OK' OR tags.env ILIKE 'PR%'", "d,b,a"),
    ("NOT state = 'OK'", "c,b"),
    (
        "NOT (state = 'OK' OR tags.env IS NULL) AND timestamp < 3000",
        "b",
    ),
    ("session = 's1' AND name NOT LIKE 'A%'", "b"),
    ("metadata.mlflow.trace.session IN ('s1', 's2')", "b,a"),
    ("trace_id IN ('tr-a', 'tr-c')", "c,a"),
    ("duration_ms BETWEEN 5 AND 10", "d,a"),
    ("duration_ms = 1", "b"),
    ("total_tokens = 7 AND input_tokens < 4", "c"),
    ("total_tokens IS NULL", "d,b,a"),
    ("span_count = 2", "a"),
    ("error_span_count > 0", "b"),
    ("model = 'gpt-4'", "a"),
    ("client_request_id NOT IN ('c-2')", "a"),
    ("run_id IN ('r1', 'r2')", "a"),
    ("prompt IS NULL", "d,c,b,a"),
    ("tags.env = 'it''s' OR tags.\"my key\" LIKE 'v%'", "c,a"),
    ("span.name = 'llm_call' AND span.status = 'OK'", "a"),
    ("HAS(span.name = 'root') AND HAS(span.type = 'LLM')", "a"),
    ("span.name = 'root' AND HAS(span.type = 'LLM')", "a"),
    ("HAS(NOT span.name = 'llm_call')", "a"),
    ("NOT HAS(span.name = 'llm_call')", "d,c"),
    ("span.parent_id IS NOT NULL", "a"),
    ("span.duration_ms >= 6 AND span.start_time_ms > 1000", "a"),
    ("span.attributes.model = 'claude'", "b"),
    ("span.attributes.model != 'claude'", "a"),
    ("span.attributes.model LIKE 'gpt%'", "a"),
    (
        "span.attributes.temp > 0.5 AND span.attributes.flag = true",
        "a",
    ),
    ("span.attributes.n BETWEEN 1 AND 5", "a"),
    ("span.attributes.n IN (5, 'x')", "a"),
    // A contained text may be in the attributes after the one that is named, as in MLflow.
    ("span.attributes.model LIKE '%true%'", "a"),
    ("span.attributes.flag LIKE '%gpt%'", "-"),
    ("span.attributes.model RLIKE 'true'", "-"),
    ("span.inputs LIKE '%World%'", "a"),
    ("trace.text ILIKE '%CAFÉ%'", "a"),
    ("trace.text MATCHES 'say hi'", "b"),
    ("trace.text MATCHES '\"hello world\"'", "a"),
    ("trace.text LIKE '%CHAIN%'", "b,a"),
    ("trace.text LIKE '%mlflow.llm.model%'", "a"),
    ("trace.text LIKE '%mlflow.llm%'", "-"),
    ("feedback.score = 0.9", "a"),
    ("feedback.score BETWEEN 0.1 AND 0.3", "a"),
    ("feedback.score > 0.5 OR feedback.ok = false", "c,b,a"),
    ("NOT feedback.score IS NOT NULL", "d"),
    ("feedback.ok = true", "a"),
    ("feedback.ok IN ('yes', false)", "c,b"),
    ("feedback.rel = 'yes'", "d"),
    ("feedback.rel != 'yes'", "-"),
    ("feedback.lst = '[\"a\",\"b\"]'", "c"),
    ("feedback.sess = 'good'", "b,a"),
    ("expectation.exp = '{\"x\":1}'", "a"),
    ("assessment.exp IS NOT NULL AND assessment.ok = true", "a"),
    ("feedback.score.source = 'CODE'", "c,b,a"),
    ("expectation.exp.source = 'HUMAN'", "b,a"),
];

#[test]
fn our_own_filters_find_what_they_should() {
    in_every_state(|state, db| {
        let mut check = Check::default();
        for (filter, want) in OURS {
            let ours = found(db, filter).unwrap_or_else(|error| error.to_string());
            check.equal(&format!("{state}: {filter}"), ours.as_str(), want);
        }
        check.finish();
    });
}

#[test]
fn links_are_found_and_gone_when_unlinked() {
    in_every_state(|_, db| {
        db.link_traces_to_run(&["tr-b", "tr-d"], "r9").unwrap();
        db.link_prompts_to_trace("tr-c", &["p/1"]).unwrap();
        db.assess("tr-d", tracehouse::NewAssessment::issue("iss-1", "slow"))
            .unwrap();
        assert_eq!(found(db, "run_id = 'r9'").unwrap(), "d,b");
        assert_eq!(found(db, "run_id IN ('r9', 'r1')").unwrap(), "d,b,a");
        assert_eq!(
            found(db, "run_id LIKE 'r9'").unwrap(),
            "-",
            "patterns see the run a trace came from"
        );
        assert_eq!(found(db, "prompt = 'p/1'").unwrap(), "c");
        assert_eq!(found(db, "prompt IS NULL").unwrap(), "d,b,a");
        db.assess("tr-b", tracehouse::NewAssessment::issue("iss-2", "wrong"))
            .unwrap();
        db.assess("tr-d", tracehouse::NewAssessment::issue("other", "late"))
            .unwrap();
        for (filter, want) in [
            ("prompt != 'p/1'", "-"),
            ("prompt NOT IN ('p/2', 'q/1')", "c"),
            ("prompt LIKE 'p/%'", "c"),
            ("issue.id = 'iss-1'", "d"),
            ("issue.id != 'iss-1'", "d,b"),
            ("issue.id NOT IN ('iss-1', 'other')", "b"),
            ("issue.id LIKE 'iss-_'", "d,b"),
            ("issue.id NOT LIKE 'iss-_'", "d"),
            ("issue.id IS NULL", "c,a"),
            ("NOT issue.id = 'iss-1'", "c,b,a"),
        ] {
            assert_eq!(found(db, filter).unwrap(), want, "{filter}");
        }
        db.unlink_traces_from_run(&["tr-d"], "r9").unwrap();
        db.unlink_prompts_from_trace("tr-c", &["p/1"]).unwrap();
        assert_eq!(found(db, "run_id = 'r9' OR prompt = 'p/1'").unwrap(), "b");
    });
}
