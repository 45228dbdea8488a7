//! What the items of runs answered: traces, spans, sessions, records of a version, items of a caller.

use super::*;

/// The outputs of the items of a run over a source, by item.
fn outputs(db: &Database, source: &EvalSource) -> Vec<(String, Option<String>)> {
    let run = db
        .evaluate(source, &rules(&["max_words:9"]), &EvalOptions::new())
        .unwrap();
    let scores = db.eval_scores(&run.run_id).unwrap();
    let mut items: Vec<String> = scores
        .iter()
        .map(super::super::ScoreRow::item_name)
        .collect();
    items.sort();
    let outputs = db.eval_outputs(&run.run_id, &items).unwrap();
    items.into_iter().zip(outputs).collect()
}

fn named(expected: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    let owned =
        |(item, output): &(&str, Option<&str>)| (item.to_string(), output.map(str::to_string));
    expected.iter().map(owned).collect()
}

#[test]
fn outputs_are_those_of_what_was_judged() {
    let db = database();
    assert_eq!(
        outputs(&db, &all_traces()),
        named(&[
            ("t0", Some("Paris")),
            ("t1", Some("Rome")),
            ("t2", Some("Paris is it"))
        ])
    );
    let spans = EvalSource::Spans(Search::new("trace_id = 't1'"));
    assert_eq!(
        outputs(&db, &spans),
        named(&[("t1/1", Some("Rome")), ("t1/2", None)])
    );
    let sessions = EvalSource::Sessions(SessionSearch::new(""));
    assert_eq!(
        outputs(&db, &sessions),
        named(&[("s", Some("Paris is it"))]),
        "the last answer"
    );
    let given = EvalSource::Given(vec![
        GivenItem::default(),
        GivenItem {
            trace_id: Some("t1".into()),
            dataset_record_id: Some("asked".into()),
            ..GivenItem::default()
        },
    ]);
    assert_eq!(
        outputs(&db, &given),
        named(&[("asked", Some("Rome")), ("item-0", None)])
    );
    let all = db
        .evaluate(&all_traces(), &rules(&["max_words:9"]), &EvalOptions::new())
        .unwrap();
    db.delete_traces(&["t0"]).unwrap();
    let left = db
        .eval_outputs(&all.run_id, &["t0", "t1", "nothing"])
        .unwrap();
    assert_eq!(left, [None, Some("Rome".to_string()), None]);
}

#[test]
fn a_record_has_the_outputs_of_the_version_that_was_judged() {
    let db = Database::in_memory().unwrap();
    let dataset = db.create_dataset("asked").unwrap();
    let record = |outputs: &str| [NewRecord::new("\"q\"").outputs(outputs)];
    let source = EvalSource::Dataset {
        name: "asked".into(),
        version: None,
    };
    let judge = || {
        db.evaluate(
            &source,
            &rules(&["exact=contains:old"]),
            &EvalOptions::new(),
        )
        .unwrap()
        .run_id
    };
    dataset.merge(&record("\"old\"")).unwrap();
    let before = judge();
    dataset.merge(&record("\"new\"")).unwrap();
    let after = judge();
    let compared = db.compare_evals(&before, &after).unwrap();
    let worse = &compared.scorers[0].regressions[0].key;
    let of = |run: &str| db.eval_outputs(run, &[worse]).unwrap().remove(0).unwrap();
    assert_eq!((of(&before).as_str(), of(&after).as_str()), ("old", "new"));
    db.delete_dataset("asked").unwrap();
    assert_eq!(db.eval_outputs(&after, &[worse]).unwrap(), [None]);
    assert_eq!(
        db.eval_outputs("r-none", &[worse]).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}
