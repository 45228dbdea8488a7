//! Runs over traces, spans, sessions, records and given items.

mod outputs;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tracehouse_eval::{Item, Needs, Score, ScoreError, ScoreErrorKind, Scorer};
use tracehouse_query::search::Search;
use tracehouse_storage::interrupt::CancelToken;

use super::{EvalOptions, EvalScorer, EvalSource, EvalState, GivenItem, rule};
use crate::{Database, ErrorKind, NewAssessment, NewRecord, SessionSearch, SpanBuilder};

/// A trace with a root that answers, a tool and a retriever.
fn trace(db: &Database, id: &str, answer: &str, session: Option<&str>) {
    let mut root = SpanBuilder::new(id, "1", "agent")
        .times_ns(1_000_000, Some(5_000_000))
        .attribute("input.value", "what is the capital?")
        .attribute("output.value", answer);
    if let Some(session) = session {
        root = root.attribute("session.id", session);
    }
    let tool = SpanBuilder::new(id, "2", "search")
        .parent("1")
        .times_ns(2_000_000, Some(3_000_000))
        .attribute("openinference.span.kind", "TOOL")
        .attribute("tool.name", "search")
        .attribute("input.value", r#"{"q":"capital"}"#)
        .attribute("input.mime_type", "application/json");
    db.append(&[root.build().unwrap(), tool.build().unwrap()])
        .unwrap();
}

fn database() -> Database {
    let db = Database::in_memory().unwrap();
    for (at, answer) in ["Paris", "Rome", "Paris is it"].iter().enumerate() {
        trace(&db, &format!("t{at}"), answer, Some("s"));
        db.assess(
            &format!("t{at}"),
            NewAssessment::expectation("expected_response", "\"Paris\""),
        )
        .unwrap();
    }
    db
}

fn all_traces() -> EvalSource {
    EvalSource::Traces(Search::new(""))
}

fn rules(specs: &[&str]) -> Vec<EvalScorer> {
    specs.iter().map(|spec| rule(spec).unwrap()).collect()
}

#[test]
fn traces_are_judged_and_told() {
    let db = database();
    let scorers = rules(&[
        "exact_match",
        "contains:Paris",
        "tool_calls",
        "sql:span_count",
    ]);
    let run = db
        .evaluate(&all_traces(), &scorers, &EvalOptions::new().name("first"))
        .unwrap();
    assert_eq!((run.state, run.row_count), (EvalState::Done, 12));
    // Nothing says which tools were expected.
    assert_eq!(run.error_count, 3);
    let counts: Vec<(String, i64, i64)> = db
        .sql_rows(
            "SELECT scorer, count(*) FILTER (WHERE passed), count(*) FILTER (WHERE error LIKE 'missing: %') \
             FROM scores GROUP BY scorer ORDER BY scorer",
        )
        .unwrap()
        .collect::<crate::Result<_>>()
        .unwrap();
    let expected = [
        ("contains", 2, 0),
        ("exact_match", 1, 0),
        ("sql", 0, 0),
        ("tool_calls", 0, 3),
    ];
    assert_eq!(
        counts,
        expected.map(|(name, a, b)| (name.to_string(), a, b))
    );
    let (name, state): (String, String) = one(&db, "SELECT name, state FROM eval_runs");
    assert_eq!((name.as_str(), state.as_str()), ("first", "DONE"));
    let sql: (f64, String) = one(
        &db,
        "SELECT max(value_number), max(value) FROM scores WHERE scorer = 'sql'",
    );
    assert_eq!(sql, (2.0, "2".to_string()));
}

fn one<T: serde::de::DeserializeOwned>(db: &Database, statement: &str) -> T {
    db.sql_rows(statement).unwrap().next().unwrap().unwrap()
}

#[test]
fn scores_are_feedback_and_a_second_run_adds_its_own() {
    let db = database();
    let first = db
        .evaluate(&all_traces(), &rules(&["exact_match"]), &EvalOptions::new())
        .unwrap();
    let second = db
        .evaluate(&all_traces(), &rules(&["exact_match"]), &EvalOptions::new())
        .unwrap();
    let found = |filter: &str| db.count_traces(&Search::new(filter)).unwrap();
    assert_eq!(found("feedback.exact_match = true"), 1);
    assert_eq!(found("feedback.exact_match = false"), 2);
    let given = db.assessments(&["t0"]).unwrap();
    let runs: BTreeSet<&String> = given
        .iter()
        .filter(|one| one.name == "exact_match")
        .inspect(|one| assert!(one.valid && one.source_type == "CODE"))
        .map(|one| &one.metadata["tracehouse.eval.run_id"])
        .collect();
    assert_eq!(runs, BTreeSet::from([&first.run_id, &second.run_id]));
    let without = EvalOptions::new().feedback(false);
    db.evaluate(&all_traces(), &rules(&["contains:Paris"]), &without)
        .unwrap();
    assert_eq!(found("feedback.contains = true"), 0);
}

/// Judges so many items and then cancels.
struct Stopping {
    left: AtomicUsize,
    token: CancelToken,
}

impl Scorer for Stopping {
    fn name(&self) -> &str {
        "stopping"
    }
    fn version(&self) -> &str {
        "1"
    }
    fn definition(&self) -> Value {
        json!({"kind": "function"})
    }
    fn needs(&self) -> Needs {
        Needs::default()
    }
    fn score(&self, _: &Item) -> Result<Score, ScoreError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.token.cancel();
        }
        Ok(Score::measure(1.0))
    }
}

#[test]
fn a_run_that_was_given_up_goes_on_without_a_double() {
    let db = Database::in_memory().unwrap();
    for at in 0..20 {
        trace(&db, &format!("t{at}"), "x", None);
    }
    for stops_after in [1, 7, 19] {
        let token = CancelToken::new();
        let stopping: Arc<dyn Scorer> = Arc::new(Stopping {
            left: AtomicUsize::new(stops_after),
            token: token.clone(),
        });
        let options = EvalOptions::new().concurrency(1).chunk_items(4);
        let error = db
            .with_cancel(token)
            .evaluate(&all_traces(), &[stopping.into()], &options)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        let run = db.eval_runs().unwrap().remove(0);
        assert_eq!(
            (run.state, run.row_count),
            (EvalState::Cancelled, stops_after as u64)
        );
        let going_on: Arc<dyn Scorer> = Arc::new(Stopping {
            left: AtomicUsize::new(usize::MAX),
            token: CancelToken::new(),
        });
        let run = db
            .resume_eval(&run.run_id, &all_traces(), &[going_on.into()], &options)
            .unwrap();
        assert_eq!((run.state, run.row_count), (EvalState::Done, 20));
        let scores = db.eval_scores(&run.run_id).unwrap();
        let judged: BTreeSet<String> = scores.iter().map(super::ScoreRow::item_name).collect();
        assert_eq!((scores.len(), judged.len()), (20, 20));
        let feedback = db.assessments(&["t0", "t19"]).unwrap();
        let of_run = |one: &&crate::Assessment| one.metadata.values().any(|id| *id == run.run_id);
        assert_eq!(feedback.iter().filter(of_run).count(), 2);
    }
}

#[test]
fn scorers_of_a_run_are_told_apart_and_stay_the_same() {
    let db = database();
    let refused = |scorers: &[EvalScorer]| {
        db.evaluate(&all_traces(), scorers, &EvalOptions::new())
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&[]).contains("needs a scorer"));
    assert!(refused(&rules(&["contains:a", "contains:b"])).contains("two scorers are named"));
    let run = db
        .evaluate(&all_traces(), &rules(&["contains:a"]), &EvalOptions::new())
        .unwrap();
    let other = rules(&["contains:b"]);
    let error = db
        .resume_eval(&run.run_id, &all_traces(), &other, &EvalOptions::new())
        .unwrap_err();
    assert!(error.to_string().contains("start a new run"), "{error}");
}

#[test]
fn records_spans_sessions_and_given_items_are_judged() {
    let db = database();
    let dataset = db.create_dataset("d").unwrap();
    dataset
        .merge(&[
            NewRecord::new("\"q1\"")
                .outputs("\"Paris\"")
                .expectations(r#"{"expected_response":"Paris"}"#),
            NewRecord::new("\"q2\"").outputs("\"Rome\""),
        ])
        .unwrap();
    let source = EvalSource::Dataset {
        name: "d".into(),
        version: None,
    };
    let run = db
        .evaluate(&source, &rules(&["exact_match"]), &EvalOptions::new())
        .unwrap();
    assert_eq!((run.row_count, run.error_count), (2, 1));
    assert_eq!(run.dataset_version, Some(1));
    let spans = EvalSource::Spans(Search::new("span.type = 'TOOL'"));
    let run = db
        .evaluate(&spans, &rules(&["latency_ms:2"]), &EvalOptions::new())
        .unwrap();
    assert_eq!(run.row_count, 3);
    assert!(
        db.eval_scores(&run.run_id)
            .unwrap()
            .iter()
            .all(|row| { row.span_id.as_deref() == Some("2") && row.passed == Some(true) })
    );
    let sessions = EvalSource::Sessions(SessionSearch::new(""));
    let run = db
        .evaluate(&sessions, &rules(&["contains:Paris"]), &EvalOptions::new())
        .unwrap();
    let scores = db.eval_scores(&run.run_id).unwrap();
    assert_eq!(scores.len(), 1);
    assert_eq!(scores[0].session_id.as_deref(), Some("s"));
    let given = EvalSource::Given(vec![
        GivenItem::default(),
        GivenItem {
            item: Item {
                output_text: Some("Paris".into()),
                ..Item::default()
            },
            ..GivenItem::default()
        },
    ]);
    let run = db
        .evaluate(&given, &rules(&["contains:Paris"]), &EvalOptions::new())
        .unwrap();
    assert_eq!((run.row_count, run.error_count), (2, 1));
}

/// Fails in one of three ways.
struct Failing;

impl Scorer for Failing {
    fn name(&self) -> &str {
        "failing"
    }
    fn version(&self) -> &str {
        "1"
    }
    fn definition(&self) -> Value {
        json!({"kind": "function"})
    }
    fn needs(&self) -> Needs {
        Needs::default()
    }
    fn score(&self, item: &Item) -> Result<Score, ScoreError> {
        match item.trace_id.as_deref() {
            Some("t0") => panic!("a scorer's own mistake"),
            Some("t1") => Err(ScoreError::new(ScoreErrorKind::Timeout, "too slow")),
            _ => Ok(Score::measure(f64::NAN)),
        }
    }
}

#[test]
fn what_a_scorer_cannot_do_is_a_row() {
    let db = database();
    let failing: Arc<dyn Scorer> = Arc::new(Failing);
    let run = db
        .evaluate(&all_traces(), &[failing.into()], &EvalOptions::new())
        .unwrap();
    assert_eq!((run.row_count, run.error_count), (3, 3));
    let mut errors: Vec<String> = db
        .eval_scores(&run.run_id)
        .unwrap()
        .into_iter()
        .filter_map(|row| row.error)
        .collect();
    errors.sort();
    let begins = [
        "scorer: the scorer failing gave no value",
        "scorer: the scorer failing panicked",
        "timeout: too slow",
    ];
    for (error, begin) in errors.iter().zip(begins) {
        assert!(error.starts_with(begin), "{error}");
    }
    let report = db.eval_report(&run.run_id).unwrap();
    assert_eq!(report.summaries[0].errors, 3);
}

#[test]
fn an_erased_trace_leaves_runs_too() {
    let db = database();
    let source = EvalSource::Traces(Search::new("trace_id = 't0' OR trace_id = 't1'"));
    db.evaluate(&source, &rules(&["exact_match"]), &EvalOptions::new())
        .unwrap();
    let receipt = db.erase_traces(&["t0"]).unwrap();
    assert_eq!((receipt.scores, receipt.eval_texts), (1, 1));
    let run = db.eval_runs().unwrap().remove(0);
    assert_eq!(run.row_count, 1);
    assert!(!run.filter.unwrap().contains("t0"));
    let left = db.eval_scores(&run.run_id).unwrap();
    assert_eq!(left[0].trace_id.as_deref(), Some("t1"));
    db.delete_eval(&run.run_id).unwrap();
    assert!(db.eval_runs().unwrap().is_empty());
}

#[test]
fn two_runs_and_two_groups_are_compared() {
    let db = database();
    let judge = |spec: &str| {
        db.evaluate(&all_traces(), &rules(&[spec]), &EvalOptions::new())
            .unwrap()
            .run_id
    };
    let (a, b) = (judge("ok=contains:Paris"), judge("ok=exact_match"));
    let compared = db.compare_evals(&a, &b).unwrap();
    let verdicts = compared.scorers[0].verdicts.clone().unwrap();
    assert_eq!((verdicts.both, verdicts.only_a, verdicts.only_b), (1, 1, 0));
    assert_eq!(compared.scorers[0].regressions[0].key, "t2");
    let groups = db
        .compare_groups(
            &Search::new("feedback.ok = false"),
            &Search::new("trace_id = 't0'"),
        )
        .unwrap();
    assert_eq!(groups.counts, (2, 1));
    assert_eq!(groups.verdicts["ok"].passed_b, 2);
}

#[test]
fn registered_scorers_judge_what_comes_and_what_was() {
    let db = database();
    let scorer = rule("contains:Paris").unwrap();
    let make = |_: &super::RegisteredScorer| rule("contains:Paris");
    db.register_scorer(&scorer, "", 1.0).unwrap();
    assert_eq!(db.registered_reports().unwrap()[0].waiting, 3);
    let options = EvalOptions::new();
    let report = &db.run_registered(&options, make).unwrap()[0];
    assert_eq!((report.judged, report.waiting), (3, 0));
    trace(&db, "later", "Paris", None);
    let report = &db.run_registered(&options, make).unwrap()[0];
    assert_eq!((report.judged, report.waiting), (4, 0));
    assert_eq!(db.eval_runs().unwrap().len(), 1);
    db.set_scorer_active("contains", false).unwrap();
    trace(&db, "last", "Paris", None);
    assert_eq!(db.run_registered(&options, make).unwrap()[0].waiting, 1);
    let (name, active): (String, bool) = one(&db, "SELECT name, active FROM registered_scorers");
    assert_eq!((name.as_str(), active), ("contains", false));
    assert!(db.register_scorer(&scorer, "", 0.0).is_err());
    assert!(db.register_scorer(&scorer, "nonsense ===", 0.5).is_err());
    db.delete_registered_scorer("contains").unwrap();
    assert!(db.delete_registered_scorer("contains").is_err());
}

#[test]
fn a_larger_sample_has_the_smaller_one() {
    let chosen = |rate: f64| -> BTreeSet<String> {
        let selection = super::items::Selection::sampled("name", rate);
        let ids = (0..2_000).map(|at| format!("{at:032x}"));
        ids.filter(|id| selection.has(id)).collect()
    };
    let (small, large) = (chosen(0.1), chosen(0.3));
    assert!(small.is_subset(&large));
    assert!((150..250).contains(&small.len()), "{}", small.len());
    assert_eq!(chosen(1.0).len(), 2_000);
}

#[test]
fn odd_payloads_are_texts_and_keep_no_other_from_being_judged() {
    let db = database();
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (id, answer) in [("big", format!("1{}", "0".repeat(400))), ("deep", deep)] {
        trace(&db, id, &answer, None);
    }
    let run = db
        .evaluate(&all_traces(), &rules(&["max_words:9"]), &EvalOptions::new())
        .unwrap();
    assert_eq!((run.row_count, run.error_count), (5, 0));
}

#[test]
fn an_erased_trace_of_a_session_takes_the_sessions_feedback_along() {
    let db = database();
    let sessions = EvalSource::Sessions(SessionSearch::new(""));
    db.evaluate(&sessions, &rules(&["json_valid"]), &EvalOptions::new())
        .unwrap();
    let feedback = |db: &Database| {
        let given = db.assessments(&["t0", "t1", "t2"]).unwrap();
        given.iter().filter(|one| one.name == "json_valid").count()
    };
    assert_eq!(feedback(&db), 1);
    db.erase_traces(&["t2"]).unwrap();
    assert_eq!(feedback(&db), 0);
}

#[test]
fn a_run_is_told_by_enough_of_its_id() {
    let db = database();
    let run = db
        .evaluate(
            &all_traces(),
            &rules(&["sql:trace_id"]),
            &EvalOptions::new(),
        )
        .unwrap();
    assert_eq!(run.error_count, 0);
    assert_eq!(db.eval_run(&run.run_id[..20]).unwrap().run_id, run.run_id);
    for short in ["", "r-", "r-01"] {
        assert_eq!(db.eval_run(short).unwrap_err().kind(), ErrorKind::NotFound);
    }
    let unnamed = EvalOptions::new().name(" ");
    assert!(
        db.evaluate(&all_traces(), &rules(&["sql:1"]), &unnamed)
            .is_err()
    );
}

/// Says how many tools were called, and what is expected.
struct Counting;

impl Scorer for Counting {
    fn name(&self) -> &str {
        "counting"
    }
    fn version(&self) -> &str {
        "1"
    }
    fn definition(&self) -> Value {
        json!({"kind": "function"})
    }
    fn needs(&self) -> Needs {
        Needs {
            spans: true,
            ..Needs::default()
        }
    }
    fn score(&self, item: &Item) -> Result<Score, ScoreError> {
        let expected = item.expectations.len();
        Ok(Score {
            value: json!(format!("{} {expected}", item.tool_calls.len())),
            ..Score::default()
        })
    }
}

#[test]
fn each_span_and_record_of_a_trace_sees_its_calls_once() {
    let db = database();
    let counting = || {
        let counting: Arc<dyn Scorer> = Arc::new(Counting);
        [EvalScorer::from(counting)]
    };
    let said = |source: &EvalSource| -> Vec<String> {
        let run = db
            .evaluate(source, &counting(), &EvalOptions::new())
            .unwrap();
        let scores = db.eval_scores(&run.run_id).unwrap().into_iter();
        let mut said: Vec<String> = scores.filter_map(|row| row.value).collect();
        said.sort();
        said
    };
    // What is expected of the trace is expected of its root, and not of the tool.
    let spans = EvalSource::Spans(Search::new("trace_id = 't0'"));
    assert_eq!(said(&spans), ["\"1 0\"", "\"1 1\""]);
    let dataset = db.create_dataset("d").unwrap();
    dataset.add_spans(&Search::new("trace_id = 't0'")).unwrap();
    let source = EvalSource::Dataset {
        name: "d".into(),
        version: None,
    };
    assert_eq!(said(&source), ["\"1 0\"", "\"1 1\""]);
}
