//! Disagreements and matrices.

use serde_json::json;

use super::super::{Assignment, LabelSchema, Ratings, ReviewErrorKind, ReviewQueue};
use super::{entries, trace};

fn answered() -> ReviewQueue {
    let schema = LabelSchema::parse(
        r#"[{"name": "ok", "kind": "boolean"},
            {"name": "tone", "kind": "category", "options": ["warm", "cold"], "required": false},
            {"name": "tags", "kind": "category", "options": ["a", "b"], "multiple": true, "required": false},
            {"name": "stars", "kind": "number", "required": false},
            {"name": "note", "kind": "text", "required": false}]"#,
    )
    .unwrap();
    let mut queue =
        ReviewQueue::new("q", schema, ["ann", "bo", "cy"].map(String::from).to_vec()).unwrap();
    queue
        .add_items(
            (0..3).map(trace).collect(),
            &Assignment::Open {
                answers_per_item: 2,
            },
        )
        .unwrap();
    let answers = [
        (0, "ann", json!({"ok": false})),
        (
            0,
            "ann",
            json!({"ok": true, "tone": "cold", "tags": ["b", "a"], "stars": 4, "note": "x"}),
        ),
        (
            0,
            "cy",
            json!({"ok": true, "tone": "warm", "tags": ["a", "b"], "stars": 3.5, "note": "y"}),
        ),
        (1, "bo", json!({"ok": false})),
    ];
    for (item, reviewer, answer) in answers {
        queue
            .answer(&trace(item), reviewer, &entries(answer), None, 0)
            .unwrap();
    }
    queue
}

#[test]
fn disagreements_are_of_answers_that_count() {
    let found = answered().disagreements();
    let labels: Vec<(String, &str)> = found
        .iter()
        .map(|d| (d.key.to_string(), d.label.as_str()))
        .collect();
    // Not `ok`, where the answer that differed is superseded; not `tags`, chosen in another order; not the text.
    assert_eq!(
        labels,
        [
            ("trace:0".to_owned(), "tone"),
            ("trace:0".to_owned(), "stars")
        ]
    );
    assert_eq!(found[0].values["cy"].to_json(), json!("warm"));
}

#[test]
fn matrices_have_a_row_an_item_and_a_column_a_rater() {
    let queue = answered();
    let ok = queue.matrix("ok").unwrap();
    assert_eq!(ok.items, [trace(0), trace(1)]);
    assert_eq!(ok.raters, ["ann", "bo", "cy"]);
    let Ratings::Category { categories, cells } = &ok.ratings else {
        panic!("a boolean has categories");
    };
    assert_eq!(categories, &["false", "true"]);
    assert_eq!(
        cells,
        &[vec![Some(1), None, Some(1)], vec![None, Some(0), None]]
    );
    assert_eq!(ok.ratings.counts().unwrap(), [[0, 2], [1, 0]]);
    let tone = queue.matrix("tone").unwrap();
    assert_eq!(tone.ratings.counts().unwrap(), [[1, 1]]);
    let stars = queue.matrix("stars").unwrap();
    assert_eq!(
        stars.ratings,
        Ratings::Number {
            cells: vec![vec![Some(4.0), None, Some(3.5)]]
        }
    );
    assert_eq!(stars.ratings.counts(), None);
    let b = queue.matrix_of_option("tags", "b").unwrap();
    assert_eq!(b.ratings.counts().unwrap(), [[0, 2]]);
    let warm = queue.matrix_of_option("tone", "warm").unwrap();
    assert_eq!(warm.ratings.counts().unwrap(), [[1, 1]]);
}

#[test]
fn what_cannot_be_measured_is_said() {
    let queue = answered();
    for (label, kind) in [
        ("note", ReviewErrorKind::InvalidInput),
        ("tags", ReviewErrorKind::InvalidInput),
        ("x", ReviewErrorKind::NotFound),
    ] {
        assert_eq!(queue.matrix(label).unwrap_err().kind, kind, "{label}");
    }
    assert_eq!(
        queue.matrix_of_option("tone", "hot").unwrap_err().kind,
        ReviewErrorKind::NotFound
    );
    assert_eq!(
        queue.matrix_of_option("ok", "true").unwrap_err().kind,
        ReviewErrorKind::InvalidInput
    );
}
