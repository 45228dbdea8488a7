//! Assignment, leases, answers, skips, progress.

use serde_json::json;

use super::super::{Answered, Assignment, ItemKey, ItemState, Next, ReviewErrorKind, ReviewQueue};
use super::{entries, queue, trace, yes};

fn open(reviewers: &[&str], items: usize, answers_per_item: usize) -> ReviewQueue {
    let mut queue = queue(reviewers);
    let keys = (0..items).map(trace).collect();
    queue
        .add_items(keys, &Assignment::Open { answers_per_item })
        .unwrap();
    queue
}

fn held(n: usize, until_ns: i64) -> Next {
    Next::Item {
        key: trace(n),
        until_ns,
    }
}

#[test]
fn two_reviewers_never_hold_one_seat() {
    let mut queue = open(&["ann", "bo"], 2, 1);
    assert_eq!(queue.next("ann", 0, 10).unwrap(), held(0, 10));
    assert_eq!(queue.next("bo", 1, 10).unwrap(), held(1, 11));
    // Asked again, the same item, held longer.
    assert_eq!(queue.next("ann", 5, 10).unwrap(), held(0, 15));
    // Never shorter.
    assert_eq!(queue.next("ann", 6, 1).unwrap(), held(0, 15));
    let error = queue.answer(&trace(0), "bo", &yes(), None, 7).unwrap_err();
    assert_eq!(error.kind, ReviewErrorKind::Conflict);
    queue.answer(&trace(1), "bo", &yes(), None, 8).unwrap();
    assert_eq!(
        queue.next("bo", 9, 10).unwrap(),
        Next::Wait { until_ns: 15 }
    );
    // At its end a lease is over.
    assert_eq!(queue.next("bo", 15, 10).unwrap(), held(0, 25));
    assert_eq!(
        queue.next("ann", 15, 10).unwrap(),
        Next::Wait { until_ns: 25 }
    );
}

#[test]
fn a_late_answer_counts_while_the_seat_is_free() {
    let mut queue = open(&["ann", "bo"], 1, 1);
    queue.next("ann", 0, 10).unwrap();
    let done = queue
        .answer(&trace(0), "ann", &yes(), Some("late".into()), 50)
        .unwrap();
    assert_eq!(
        done,
        Answered {
            supersedes: false,
            complete: true
        }
    );
    let mut queue = open(&["ann", "bo"], 1, 1);
    queue.next("ann", 0, 10).unwrap();
    queue.next("bo", 20, 10).unwrap();
    assert_eq!(
        queue
            .answer(&trace(0), "ann", &yes(), None, 21)
            .unwrap_err()
            .kind,
        ReviewErrorKind::Conflict
    );
    // A clock that is set back does not bring the ended lease to life.
    assert_eq!(
        queue.next("ann", 5, 3).unwrap(),
        Next::Wait { until_ns: 30 }
    );
    // Bo gives it back.
    assert!(queue.release(&trace(0), "bo").unwrap());
    assert!(!queue.release(&trace(0), "bo").unwrap());
    queue.answer(&trace(0), "ann", &yes(), None, 22).unwrap();
}

#[test]
fn an_answer_supersedes_and_nothing_is_forgotten() {
    let mut queue = open(&["ann", "bo"], 1, 2);
    queue.answer(&trace(0), "ann", &yes(), None, 1).unwrap();
    let again = queue
        .answer(&trace(0), "ann", &entries(json!({"ok": false})), None, 2)
        .unwrap();
    assert_eq!(
        again,
        Answered {
            supersedes: true,
            complete: false
        }
    );
    let item = queue.item(&trace(0)).unwrap();
    assert_eq!((item.answers.len(), item.answers_given()), (2, 1));
    assert_eq!(item.current_answers()["ann"].at_ns, 2);
    assert!(
        queue
            .answer(&trace(0), "bo", &yes(), None, 3)
            .unwrap()
            .complete
    );
    assert!(
        queue
            .answer(&trace(0), "ann", &yes(), None, 4)
            .unwrap()
            .supersedes
    );
}

#[test]
fn a_bad_answer_changes_nothing() {
    let mut queue = open(&["ann"], 1, 1);
    queue.next("ann", 0, 10).unwrap();
    let before = queue.clone();
    let wrong = entries(json!({"ok": 3, "x": 1}));
    let error = queue.answer(&trace(0), "ann", &wrong, None, 1).unwrap_err();
    assert_eq!(
        error.message,
        "answer to trace:0: label \"ok\" is 3: it must be true or false; label \"x\" is none of the schema: \
         the labels are ok"
    );
    assert_eq!(
        queue
            .answer(&trace(9), "ann", &yes(), None, 1)
            .unwrap_err()
            .kind,
        ReviewErrorKind::NotFound
    );
    assert_eq!(
        queue.next("cy", 1, 1).unwrap_err().kind,
        ReviewErrorKind::NotFound
    );
    assert_eq!(
        queue.next("ann", 1, 0).unwrap_err().kind,
        ReviewErrorKind::InvalidInput
    );
    assert_eq!(
        queue.next("ann", i64::MAX, 1).unwrap_err().kind,
        ReviewErrorKind::InvalidInput
    );
    assert_eq!(queue, before);
}

#[test]
fn skipped_items_go_to_others_or_are_stuck() {
    let mut queue = open(&["ann", "bo"], 1, 1);
    queue.next("ann", 0, 10).unwrap();
    queue
        .skip(&trace(0), "ann", Some("not my field".into()), 1)
        .unwrap();
    assert_eq!(queue.next("ann", 2, 10).unwrap(), Next::Done);
    assert_eq!(queue.next("bo", 2, 10).unwrap(), held(0, 12));
    queue.skip(&trace(0), "bo", None, 3).unwrap();
    assert_eq!(queue.state(&queue.items()[0]), ItemState::Stuck);
    assert_eq!(queue.progress(4).stuck, 1);
    // Who skipped may answer all the same.
    queue.answer(&trace(0), "ann", &yes(), None, 5).unwrap();
    assert_eq!(queue.state(&queue.items()[0]), ItemState::Complete);
    assert!(!queue.items()[0].skips.contains_key("ann"));
    assert_eq!(
        queue.skip(&trace(0), "ann", None, 6).unwrap_err().kind,
        ReviewErrorKind::Conflict
    );
}

#[test]
fn turns_are_even_and_mix_the_reviewers() {
    let mut queue = queue(&["a", "b", "c", "d"]);
    let turns = Assignment::RoundRobin {
        answers_per_item: 2,
    };
    queue
        .add_items((0..6).map(trace).collect(), &turns)
        .unwrap();
    let pairs: Vec<String> = queue
        .items()
        .iter()
        .map(|item| item.assignees.concat())
        .collect();
    assert_eq!(pairs, ["ab", "cd", "bc", "da", "cd", "ab"]);
    // One who joins later gets the next ones, until all have the same.
    queue.add_reviewer("e").unwrap();
    queue
        .add_items((6..8).map(trace).collect(), &turns)
        .unwrap();
    assert!(
        queue.items()[6..]
            .iter()
            .all(|item| item.assignees.contains(&"e".to_owned()))
    );
}

#[test]
fn items_by_hand_are_for_those_named() {
    let mut queue = queue(&["ann", "bo", "cy"]);
    let by_hand = |names: &[&str]| Assignment::ByHand {
        assignees: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let added = queue
        .add_items(vec![trace(0), trace(0)], &by_hand(&["ann", "bo"]))
        .unwrap();
    assert_eq!((added.added, added.already_there), (1, vec![trace(0)]));
    assert_eq!(queue.next("cy", 0, 10).unwrap(), Next::Done);
    let error = queue.answer(&trace(0), "cy", &yes(), None, 0).unwrap_err();
    assert!(
        error
            .message
            .contains("is not assigned to \"cy\" but to ann, bo"),
        "{error}"
    );
    queue.answer(&trace(0), "ann", &yes(), None, 0).unwrap();
    // Given to another; who answered stays in.
    assert!(queue.assign(&trace(0), &["cy".into()]).is_err());
    queue
        .assign(&trace(0), &["ann".into(), "cy".into()])
        .unwrap();
    assert_eq!(queue.next("bo", 0, 10).unwrap(), Next::Done);
    assert_eq!(queue.next("cy", 0, 10).unwrap(), held(0, 10));
    for names in [&["dan"][..], &["ann", "ann"], &[]] {
        assert!(
            queue.add_items(vec![trace(5)], &by_hand(names)).is_err(),
            "{names:?}"
        );
    }
    for answers_per_item in [0, 4] {
        assert!(
            queue
                .add_items(vec![trace(5)], &Assignment::Open { answers_per_item })
                .is_err()
        );
    }
    assert_eq!(queue.items().len(), 1);
}

#[test]
fn progress_counts_what_there_is() {
    let mut queue = open(&["ann", "bo"], 3, 2);
    queue.answer(&trace(0), "ann", &yes(), None, 0).unwrap();
    queue.answer(&trace(0), "ann", &yes(), None, 0).unwrap();
    queue.answer(&trace(0), "bo", &yes(), None, 0).unwrap();
    queue.next("ann", 0, 10).unwrap();
    queue.skip(&trace(2), "bo", None, 0).unwrap();
    let progress = queue.progress(5);
    let all = (
        progress.items,
        progress.complete,
        progress.stuck,
        progress.answers_wanted,
        progress.answers_given,
    );
    assert_eq!(all, (3, 1, 1, 6, 2));
    let [ann, bo] = progress.by_reviewer.as_slice() else {
        panic!("two reviewers");
    };
    assert_eq!(
        (ann.answered, ann.skipped, ann.leased, ann.waiting),
        (1, 0, 1, 2)
    );
    assert_eq!(
        (bo.answered, bo.skipped, bo.leased, bo.waiting),
        (1, 1, 0, 1)
    );
    assert_eq!((progress.leased, queue.progress(10).leased), (1, 0));
}

#[test]
fn names_of_queues_and_reviewers_are_checked() {
    let schema = queue(&["a"]).schema().clone();
    for (name, reviewers) in [
        ("", &["a"][..]),
        ("q ", &["a"]),
        ("q", &[]),
        ("q", &["a", "A"]),
        ("q", &["a\n"]),
    ] {
        let reviewers = reviewers.iter().map(|name| (*name).to_owned()).collect();
        assert!(
            ReviewQueue::new(name, schema.clone(), reviewers).is_err(),
            "{name:?}"
        );
    }
}

#[test]
fn a_trace_that_is_erased_leaves_the_queue() {
    let mut queue = queue(&["ann"]);
    let keys: Vec<ItemKey> = ["trace:1", "span:1/a", "session:1", "trace:2"]
        .map(|key| key.parse().unwrap())
        .to_vec();
    queue
        .add_items(
            keys,
            &Assignment::Open {
                answers_per_item: 1,
            },
        )
        .unwrap();
    let removed: Vec<String> = queue
        .remove_trace("1")
        .iter()
        .map(|item| item.key.to_string())
        .collect();
    assert_eq!(removed, ["trace:1", "span:1/a"]);
    let left: Vec<String> = queue
        .items()
        .iter()
        .map(|item| item.key.to_string())
        .collect();
    assert_eq!(left, ["session:1", "trace:2"]);
}

#[test]
fn keys_are_read_and_written() {
    for key in ["trace:a:b", "span:a/b/c", "session:a/b"] {
        let parsed: ItemKey = key.parse().unwrap();
        assert_eq!(parsed.to_string(), key);
        let json = serde_json::to_string(&parsed).unwrap();
        assert_eq!(serde_json::from_str::<ItemKey>(&json).unwrap(), parsed);
    }
    for key in ["", "a", "trace:", "span:a", "span:/b", "span:a/", "run:a"] {
        assert!(key.parse::<ItemKey>().is_err(), "{key}");
    }
}

#[test]
fn an_item_given_to_others_is_held_by_nobody() {
    let mut queue = queue(&["ann", "bo"]);
    let assignment = Assignment::ByHand {
        assignees: vec!["ann".into()],
    };
    queue.add_items(vec![trace(0)], &assignment).unwrap();
    assert_eq!(queue.next("ann", 0, 10).unwrap(), held(0, 10));
    queue.assign(&trace(0), &["bo".into()]).unwrap();
    assert_eq!(queue.next("ann", 1, 10).unwrap(), Next::Done);
    assert_eq!(queue.next("bo", 1, 10).unwrap(), held(0, 11));
}
