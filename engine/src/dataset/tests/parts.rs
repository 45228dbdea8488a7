//! Splits, leaks, duplicates, single records.

use super::*;
use crate::{RecordEdit, SplitOptions};

fn dataset(db: &Database, name: &str, inputs: &[&str]) -> crate::Dataset {
    let dataset = db.create_dataset(name).unwrap();
    let records: Vec<NewRecord> = inputs
        .iter()
        .map(|text| NewRecord::new(serde_json::json!({ "q": text }).to_string()))
        .collect();
    dataset.merge(&records).unwrap();
    dataset
}

#[test]
fn a_split_keeps_near_ones_together_and_leaks_nothing() {
    let db = Database::in_memory().unwrap();
    let mut texts: Vec<String> = (0..40)
        .map(|at| {
            format!(
                "what is the price of product number {at} in the shop of town {}",
                at * 7
            )
        })
        .collect();
    texts.push("how can I get my money back for a broken lamp please".into());
    texts.push("How can I get my money back, for a broken lamp, please?".into());
    let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
    let all = dataset(&db, "all", &refs);
    let mut options = SplitOptions::new([("train", 80.0), ("test", 20.0)]);
    options.near = 0.9;
    let report = all.split(&options).unwrap();
    assert_eq!(report.parts.iter().map(|(_, count)| count).sum::<u64>(), 42);
    assert_eq!(report.largest_group, 2);
    let (train, test) = (db.dataset("train").unwrap(), db.dataset("test").unwrap());
    assert!(train.leaks(&test, 0.9).unwrap().is_clean());
    assert_eq!(
        all.leaks(&test, 0.9).unwrap().records.len() as u64,
        report.parts[1].1
    );
    // A name that is taken makes neither.
    let again = SplitOptions::new([("new", 50.0), ("test", 50.0)]);
    assert_eq!(all.split(&again).unwrap_err().kind(), ErrorKind::Conflict);
    assert!(db.dataset("new").is_err());
    let other = SplitOptions::new([("a", 1.0), ("b", 0.0)]);
    assert_eq!(
        all.split(&other).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}

#[test]
fn of_near_duplicates_the_oldest_stays() {
    let db = Database::in_memory().unwrap();
    let all = dataset(
        &db,
        "all",
        &[
            "how can I get my money back for a broken lamp please",
            "where is the next shop",
            "How can I get my money back, for a broken lamp, please?",
        ],
    );
    let report = all.dedupe(0.8).unwrap();
    assert_eq!(
        (report.version, report.record_count, report.dropped.len()),
        (2, 2, 1)
    );
    assert_eq!(all.dedupe(0.8).unwrap().version, 2);
    assert_eq!(all.rows(Some(1)).unwrap().len(), 3);
    assert!(all.dedupe(2.0).is_err());
}

#[test]
fn records_are_edited_and_found_by_their_trace() {
    let db = Database::in_memory().unwrap();
    db.append(&[root(1, Some("\"q\""), Some("\"a\""))]).unwrap();
    let all = db.create_dataset("all").unwrap();
    all.add_traces(&Search::new("")).unwrap();
    let trace_id = all.rows(None).unwrap()[0].source_trace_id.clone().unwrap();
    let held = |db: &Database| db.datasets_holding(&trace_id).unwrap();
    assert_eq!(held(&db)[0].is_same, Some(true));
    let id = all.rows(None).unwrap()[0].dataset_record_id.clone();
    let edit = RecordEdit::new()
        .outputs("\"b\"")
        .expectations(r#"{"x": 1, "y": 2}"#);
    assert_eq!(all.edit_records(&[&id], &edit).unwrap(), 2);
    let edit = RecordEdit::new().expectations(r#"{"y": null}"#);
    assert_eq!(all.edit_records(&[&id], &edit).unwrap(), 3);
    let row = all.rows(None).unwrap().remove(0);
    assert_eq!(
        (row.outputs.as_deref(), row.expectations.as_deref()),
        (Some("\"b\""), Some(r#"{"x":1}"#))
    );
    assert_eq!(held(&db)[0].is_same, Some(false));
    assert_eq!(
        all.edit_records(&["dr-none"], &edit).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    db.delete_traces(&[&trace_id]).unwrap();
    assert_eq!(held(&db)[0].is_same, None);
}

#[test]
fn a_plan_counts_what_would_be_built() {
    let db = Database::in_memory().unwrap();
    db.append(&[
        root(1, Some("\"q\""), None),
        root(2, Some("\"q\""), None),
        root(3, Some("\"other\""), None),
        root(4, None, None),
    ])
    .unwrap();
    for (trace, kind) in [(1, "a"), (2, "a"), (3, "b")] {
        let id = root(trace, None, None).trace_id;
        db.set_tag(&id, "kind", kind).unwrap();
    }
    let all = db.create_dataset("all").unwrap();
    let plan = all.plan_traces(&Search::new(""), None).unwrap();
    assert_eq!(
        (plan.found, plan.skipped, plan.records, plan.chosen),
        (4, 1, 2, 2)
    );
    let sample = crate::Sample::new(1, 0).stratify("tags.kind");
    let plan = all.plan_traces(&Search::new(""), Some(&sample)).unwrap();
    let records: u64 = plan.strata.iter().map(|(_, there, _)| there).sum();
    assert_eq!((records, plan.chosen), (2, 1));
    assert!(all.rows(None).unwrap().is_empty());
    let report = all.add_sample(&Search::new(""), &sample).unwrap();
    assert_eq!(report.inserted, plan.chosen);
}
