//! Links to runs and prompts, and deletions of the oldest that match.

use tracehouse::model::Span;
use tracehouse::{Database, Search, TraceDeletion, TraceStart};

use super::{id, in_every_place, span};
use crate::support::{in_memory, search_ids};

#[test]
fn links_are_seen_by_filters_and_outlive_everything() {
    let act = |db: &Database| {
        db.append(&[span(1, 0), span(2, 0)]).unwrap();
        db.start_trace(&TraceStart::new(id(3), 0).metadata("mlflow.sourceRun", "run-1"))
            .unwrap();
        let all: Vec<String> = (1..3).map(|trace| format!("tr-{}", id(trace))).collect();
        db.link_traces_to_run(&all, "run-1").unwrap();
        db.link_traces_to_run(&all, "run-1").unwrap();
        db.link_traces_to_run(&all[..1], "run-2").unwrap();
        db.seal().unwrap();
        db.link_prompts_to_trace(&id(1), &["greet/1", "ask/2"])
            .unwrap();
        db.link_prompts_to_trace(&id(1), &["greet/1", "greet/3"])
            .unwrap();
        db.append(&[span(1, 1)]).unwrap();
        db.unlink_traces_from_run(&all[1..], "run-1").unwrap();
        db.unlink_prompts_from_trace(&id(1), &["greet/3", "never/1"])
            .unwrap();
        db.link_traces_to_run::<&str>(&[], "run-9").unwrap();
    };
    in_every_place(act, |db, place| {
        assert_eq!(
            search_ids(db, "run_id = 'run-1'"),
            [id(1), id(3)],
            "{place}"
        );
        assert_eq!(search_ids(db, "run_id IN ('run-2')"), [id(1)], "{place}");
        assert_eq!(
            search_ids(db, "prompt = 'greet/1' AND prompt = 'ask/2'"),
            [id(1)],
            "{place}"
        );
        assert!(search_ids(db, "prompt = 'greet/3'").is_empty(), "{place}");
        assert_eq!(db.get_trace(&id(1)).unwrap().info.span_count, 2, "{place}");
    });
}

#[test]
fn what_cannot_be_linked_is_refused() {
    let db = in_memory();
    db.append(&[span(1, 0)]).unwrap();
    let code = |result: tracehouse::Result<()>| result.unwrap_err().code();
    assert_eq!(
        code(db.link_traces_to_run(&[id(1), id(9)], "r")),
        "RESOURCE_DOES_NOT_EXIST"
    );
    assert!(
        search_ids(&db, "run_id = 'r'").is_empty(),
        "nothing is linked"
    );
    assert_eq!(
        code(db.link_traces_to_run(&[id(1)], "")),
        "INVALID_PARAMETER_VALUE"
    );
    assert_eq!(
        code(db.link_prompts_to_trace(&id(9), &["p/1"])),
        "RESOURCE_DOES_NOT_EXIST"
    );
    for bad in ["p", "p/", "/1", "p/1/2", ""] {
        assert_eq!(
            code(db.link_prompts_to_trace(&id(1), &[bad])),
            "INVALID_PARAMETER_VALUE",
            "{bad}"
        );
    }
    assert_eq!(
        code(db.set_tag(&id(9), "k", "v")),
        "RESOURCE_DOES_NOT_EXIST"
    );
    assert_eq!(code(db.delete_tag(&id(1), "k")), "RESOURCE_DOES_NOT_EXIST");
    db.set_tags(&id(1), [("a", "1"), ("b", "2")]).unwrap();
    assert_eq!(
        code(db.delete_tags(&id(1), ["a", "x"])),
        "RESOURCE_DOES_NOT_EXIST"
    );
    assert_eq!(search_ids(&db, "tags.a = '1'"), [id(1)], "none is deleted");
    db.delete_tags(&id(1), ["a", "b"]).unwrap();
    assert_eq!(
        search_ids(&db, "tags.a IS NULL AND tags.b IS NULL"),
        [id(1)]
    );
}

#[test]
fn the_oldest_go_first() {
    let act = |db: &Database| {
        let started = |trace: u32, ms: i64, experiment: &str| {
            TraceStart::new(id(trace), ms * 1_000_000 + 999_999)
                .experiment_id(experiment)
                .state("OK")
        };
        let starts = [
            (6, 1, "0"),
            (5, 1, "0"),
            (4, 2, "1"),
            (3, 3, "0"),
            (2, 3, "1"),
            (1, 4, "0"),
        ];
        db.start_traces(&starts.map(|(trace, ms, experiment)| started(trace, ms, experiment)))
            .unwrap();
        db.append(&[Span {
            start_time_ns: 4_500_000,
            end_time_ns: None,
            ..span(1, 0)
        }])
        .unwrap();
        db.seal().unwrap();
        db.assess(&id(5), tracehouse::NewAssessment::feedback("ok", "true"))
            .unwrap();
        let deleted = |deletion: TraceDeletion| db.delete_traces_where(&deletion).unwrap();
        assert_eq!(deleted(TraceDeletion::until_ms(3).max_traces(1)), 1);
        assert_eq!(
            db.stats().unwrap().assessments,
            0,
            "{} was the first",
            id(5)
        );
        assert_eq!(
            deleted(TraceDeletion::until_ms(3).experiments(["1"]).max_traces(1)),
            1
        );
        assert_eq!(
            deleted(TraceDeletion::matching("state = 'ERROR' OR state = 'OK'").max_traces(1)),
            1
        );
        assert_eq!(deleted(TraceDeletion::until_ms(2)), 0);
        assert_eq!(
            deleted(TraceDeletion::matching("experiment_id = '1' OR name = 'x'")),
            1
        );
    };
    in_every_place(act, |db, place| {
        assert_eq!(search_ids(db, ""), [id(1), id(3)], "{place}");
        assert_eq!(db.count_traces(&Search::new("")).unwrap(), 2, "{place}");
    });
    let db = in_memory();
    for bad in [
        TraceDeletion::matching(" "),
        TraceDeletion::until_ms(1).max_traces(0),
        TraceDeletion::matching("("),
    ] {
        assert_eq!(
            db.delete_traces_where(&bad).unwrap_err().code(),
            "INVALID_PARAMETER_VALUE"
        );
    }
}
