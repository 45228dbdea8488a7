//! The life of an assessment: created, overridden, updated, deleted.

use tracehouse::model::Assessment;
use tracehouse::{AssessmentUpdate, Database, NewAssessment};

use super::{id, in_every_place, span};
use crate::support::{DiskDb, in_memory, search_ids};

fn named(db: &Database, trace: u32, name: &str) -> Assessment {
    let trace = db.get_trace(&id(trace)).unwrap();
    let mut found = trace.assessments.into_iter().filter(|row| row.name == name);
    let only = found.next().unwrap();
    assert_eq!(found.next(), None);
    only
}

#[test]
fn changes_are_the_same_everywhere() {
    let act = |db: &Database| {
        db.append(&[span(1, 0), span(2, 0)]).unwrap();
        let of = |trace: u32, assessment| db.assess(&id(trace), assessment).unwrap();
        let old = of(1, NewAssessment::feedback("old", "\"no\""));
        let newer = of(
            1,
            NewAssessment::feedback("newer", "\"yes\"").overrides(&old),
        );
        db.seal().unwrap();
        of(1, NewAssessment::feedback("newest", "1").overrides(&newer));
        let update = AssessmentUpdate::new()
            .name("judged")
            .feedback("5")
            .rationale("why")
            .metadata("b", "2");
        let judged = of(2, NewAssessment::feedback("first", "4").metadata("a", "1"));
        db.seal().unwrap();
        let updated = db.update_assessment(&id(2), &judged, update).unwrap();
        assert_eq!(updated, db.get_assessment(&id(2), &judged).unwrap());
        let gone = of(
            2,
            NewAssessment::feedback("gone", "true").overrides(&judged),
        );
        assert!(db.delete_assessment(&id(2), &gone).unwrap());
        assert!(!db.delete_assessment(&id(2), &gone).unwrap());
        of(2, NewAssessment::issue("iss-1", "Slow answers"));
        of(
            2,
            NewAssessment::feedback("broken", "null").error("TIMEOUT", "too slow"),
        );
    };
    in_every_place(act, |db, place| {
        let valid = ["old", "newer", "newest"].map(|name| named(db, 1, name).valid);
        assert_eq!(valid, [false, false, true], "{place}");
        assert_eq!(
            search_ids(db, "feedback.old IS NULL AND feedback.newest = 1"),
            [id(1)],
            "{place}"
        );
        let judged = named(db, 2, "judged");
        assert!(
            judged.valid && judged.updated_at_ns >= judged.created_at_ns,
            "{place}"
        );
        assert_eq!(
            (judged.value.as_str(), judged.rationale.as_deref()),
            ("5", Some("why")),
            "{place}"
        );
        assert_eq!(judged.metadata.len(), 2, "{place}");
        assert_eq!(
            search_ids(db, "issue.id = 'iss-1' AND feedback.broken IS NOT NULL"),
            [id(2)],
            "{place}"
        );
        let trace = db.get_trace(&id(2)).unwrap();
        assert_eq!(trace.assessments.len(), 3, "{place}");
        assert_eq!(
            named(db, 2, "broken").error_code.as_deref(),
            Some("TIMEOUT"),
            "{place}"
        );
    });
}

#[test]
fn deleting_what_overrides_restores() {
    let mut disk = DiskDb::new();
    disk.db.append(&[span(1, 0)]).unwrap();
    let of = |db: &Database, assessment| db.assess(&id(1), assessment).unwrap();
    let old = of(&disk.db, NewAssessment::feedback("a", "1"));
    let first = of(&disk.db, NewAssessment::feedback("b", "1").overrides(&old));
    let second = of(&disk.db, NewAssessment::feedback("c", "1").overrides(&old));
    disk.db.seal().unwrap();
    disk.db.delete_assessment(&id(1), &first).unwrap();
    assert!(
        !named(&disk.db, 1, "a").valid,
        "the other still overrides it"
    );
    disk = disk.reopen(false, |_| {});
    disk.db.delete_assessment(&id(1), &second).unwrap();
    disk.db.compact().unwrap();
    assert!(named(&disk.db, 1, "a").valid);
    // The last of a chain gone, its middle is valid and its first is not.
    let middle = of(&disk.db, NewAssessment::feedback("m", "1").overrides(&old));
    let last = of(
        &disk.db,
        NewAssessment::feedback("l", "1").overrides(&middle),
    );
    disk.db.delete_assessment(&id(1), &last).unwrap();
    assert_eq!(
        (named(&disk.db, 1, "a").valid, named(&disk.db, 1, "m").valid),
        (false, true)
    );
}

#[test]
fn sessions_share_their_assessments() {
    let act = |db: &Database| {
        let in_session =
            |trace, session: &str| tracehouse::TraceStart::new(id(trace), 5).session_id(session);
        db.start_traces(&[in_session(1, "s"), in_session(2, "s"), in_session(3, "t")])
            .unwrap();
        db.assess(
            &id(1),
            NewAssessment::feedback("mood", "\"good\"").session("s"),
        )
        .unwrap();
    };
    in_every_place(act, |db, place| {
        assert_eq!(
            search_ids(db, "feedback.mood = 'good'"),
            [id(1), id(2)],
            "{place}"
        );
        assert_eq!(search_ids(db, "feedback.mood IS NULL"), [id(3)], "{place}");
    });
}

#[test]
fn an_import_repeated_keeps_what_was_overridden() {
    let db = in_memory();
    db.append(&[span(1, 0)]).unwrap();
    let line = format!(
        r#"{{"trace_id": "{}", "name": "ok", "value": false}}"#,
        id(1)
    );
    db.import_assessments(line.as_bytes(), &Default::default())
        .unwrap();
    let old = named(&db, 1, "ok").assessment_id;
    db.assess(
        &id(1),
        NewAssessment::feedback("better", "true").overrides(&old),
    )
    .unwrap();
    assert_eq!(
        db.import_assessments(line.as_bytes(), &Default::default())
            .unwrap()
            .assessments,
        0
    );
    assert!(!named(&db, 1, "ok").valid);
}

#[test]
fn what_is_put_is_kept_as_it_was() {
    let source = in_memory();
    source.append(&[span(1, 0), span(2, 0)]).unwrap();
    let old = source.log_feedback(&id(1), "old", "4").unwrap();
    let newer = NewAssessment::feedback("newer", "\"yes\"").overrides(&old);
    source.assess(&id(1), newer.source("HUMAN", "ana")).unwrap();
    let broken = NewAssessment::feedback("broken", "null").error("TIMEOUT", "too slow");
    source.assess(&id(2), broken).unwrap();
    let both = [id(2), id(9), id(1)];
    let rows = source.assessments(&both).unwrap();
    assert_eq!(
        rows.iter().map(|row| &row.name[..]).collect::<Vec<_>>(),
        ["broken", "old", "newer"]
    );
    let act = |db: &Database| {
        db.append(&[span(1, 0), span(2, 0)]).unwrap();
        db.put_assessments(rows.clone()).unwrap();
        db.seal().unwrap();
        // What is there already is replaced, or stays when it says the same.
        let changed = Assessment {
            value: "5".into(),
            ..rows[1].clone()
        };
        db.put_assessments([rows[0].clone(), changed]).unwrap();
        let unknown = Assessment {
            trace_id: id(9),
            ..rows[0].clone()
        };
        let nameless = Assessment {
            name: String::new(),
            ..rows[0].clone()
        };
        let without_id = Assessment {
            assessment_id: String::new(),
            ..rows[0].clone()
        };
        for wrong in [unknown, nameless, without_id] {
            let good = Assessment {
                value: "6".into(),
                ..rows[1].clone()
            };
            assert!(db.put_assessments([good, wrong]).is_err());
        }
    };
    in_every_place(act, |db, place| {
        let mut expected = rows.clone();
        expected[1].value = "5".into();
        assert_eq!(db.assessments(&both).unwrap(), expected, "{place}");
    });
}

#[test]
fn wrong_changes_are_refused() {
    let db = in_memory();
    db.append(&[span(1, 0), span(2, 0)]).unwrap();
    let truth = db
        .assess(&id(1), NewAssessment::expectation("truth", "1"))
        .unwrap();
    let code = |error: tracehouse::Error| error.code();
    let update = |update| {
        db.update_assessment(&id(1), &truth, update)
            .map_err(code)
            .unwrap_err()
    };
    let change = AssessmentUpdate::new;
    assert_eq!(update(change().feedback("1")), "INVALID_PARAMETER_VALUE");
    assert_eq!(
        update(change().feedback("1").expectation("1")),
        "INVALID_PARAMETER_VALUE"
    );
    assert_eq!(
        update(change().expectation("null")),
        "INVALID_PARAMETER_VALUE"
    );
    assert_eq!(update(change().expectation("{")), "INVALID_PARAMETER_VALUE");
    assert_eq!(update(change().name("")), "INVALID_PARAMETER_VALUE");
    let missing = "RESOURCE_DOES_NOT_EXIST";
    assert_eq!(
        db.update_assessment(&id(1), "a-x", change())
            .map_err(code)
            .unwrap_err(),
        missing
    );
    assert_eq!(
        db.update_assessment(&id(9), &truth, change())
            .map_err(code)
            .unwrap_err(),
        missing
    );
    assert_eq!(
        db.get_assessment(&id(2), &truth).map_err(code).unwrap_err(),
        missing
    );
    let overriding = NewAssessment::expectation("truth", "2").overrides(&truth);
    assert_eq!(
        db.assess(&id(2), overriding).map_err(code).unwrap_err(),
        missing,
        "another trace's"
    );
    assert_eq!(named(&db, 1, "truth").value, "1");
    assert!(named(&db, 1, "truth").valid);
    assert!(!db.delete_assessment(&id(9), "a-x").unwrap());
}

#[test]
fn changes_at_the_same_time_are_all_kept() {
    const THREADS: usize = 6;
    const CHANGES: usize = 20;
    let db = in_memory();
    db.append(&[span(1, 0)]).unwrap();
    let judged = db
        .assess(&id(1), NewAssessment::feedback("f", "1"))
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (db, judged) = (&db, &judged);
            scope.spawn(move || {
                for change in 0..CHANGES {
                    let update =
                        AssessmentUpdate::new().metadata(format!("{thread}-{change}"), "x");
                    db.update_assessment(&id(1), judged, update).unwrap();
                    let newer = NewAssessment::feedback("g", "2").overrides(judged);
                    let newer = db.assess(&id(1), newer).unwrap();
                    assert!(db.delete_assessment(&id(1), &newer).unwrap());
                }
            });
        }
    });
    let row = named(&db, 1, "f");
    assert_eq!((row.metadata.len(), row.valid), (THREADS * CHANGES, true));
}
