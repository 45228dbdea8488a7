//! Sessions, and how filters go together.

use tracehouse::{Database, SessionSearch, TraceStart};

use super::{id, in_every_place};
use crate::support::in_memory;

const SECOND_NS: i64 = 1_000_000_000;

fn turn(trace: u32, second: i64, session: &str, experiment: &str) -> TraceStart {
    let state = if trace.is_multiple_of(3) {
        "ERROR"
    } else {
        "OK"
    };
    let start = TraceStart::new(id(trace), second * SECOND_NS)
        .experiment_id(experiment)
        .state(state);
    let start = start
        .user_id(format!("u{trace}"))
        .tag("turn", trace.to_string());
    if session.is_empty() {
        start
    } else {
        start.session_id(session)
    }
}

fn fill(db: &Database) {
    let turns = [
        turn(1, 10, "a", "0"),
        turn(2, 30, "a", "0"),
        turn(3, 20, "b", "0"),
        turn(4, 20, "b", "1"),
        turn(5, 5, "", "0"),
        turn(6, 40, "it's", "0"),
    ];
    db.start_traces(&turns[..3]).unwrap();
    db.seal().unwrap();
    db.start_traces(&turns[3..]).unwrap();
}

fn ids(db: &Database, search: SessionSearch) -> Vec<String> {
    db.sessions(&search)
        .unwrap()
        .into_iter()
        .map(|session| session.session_id)
        .collect()
}

#[test]
fn sessions_are_what_their_traces_say() {
    in_every_place(fill, |db, place| {
        let all = || SessionSearch::new("");
        assert_eq!(ids(db, all()), ["it's", "a", "b"], "{place}");
        assert_eq!(ids(db, all().limit(1)), ["it's"], "{place}");
        assert_eq!(
            ids(db, all().order_by("trace_count DESC")),
            ["a", "b", "it's"],
            "{place}"
        );
        assert_eq!(
            ids(db, all().order_by("first_request_time")),
            ["a", "b", "it's"],
            "{place}"
        );
        assert_eq!(
            ids(db, all().order_by("total_tokens desc")),
            ["a", "b", "it's"],
            "{place}"
        );
        assert_eq!(ids(db, all().experiments(["1"])), ["b"], "{place}");
        assert_eq!(
            ids(db, SessionSearch::new("tags.turn = '1' OR tags.turn = '4'")),
            ["a", "b"],
            "{place}"
        );
        let failed = db
            .sessions(&SessionSearch::new("state = 'ERROR'").order_by("session_id"))
            .unwrap();
        let figures: Vec<_> = failed
            .iter()
            .map(|s| (s.trace_count, s.error_count))
            .collect();
        assert_eq!(
            figures,
            [(2, 1), (1, 1)],
            "{place}: all traces of a session count"
        );
        assert_eq!(failed[0].experiment_ids, ["0", "1"], "{place}");
        assert_eq!(failed[0].user_id.as_deref(), Some("u4"), "{place}");
        let traces = |session, experiments: Option<&[String]>| {
            let traces = db.session_traces(session, experiments).unwrap();
            traces
                .into_iter()
                .map(|trace| trace.trace_id)
                .collect::<Vec<_>>()
        };
        assert_eq!(traces("a", None), [id(1), id(2)], "{place}");
        assert_eq!(traces("b", None), [id(3), id(4)], "{place}");
        assert_eq!(traces("b", Some(&["1".to_string()])), [id(4)], "{place}");
        assert_eq!(traces("it's", None), [id(6)], "{place}");
        assert!(traces("nope", None).is_empty(), "{place}");
    });
    let db = in_memory();
    for order in ["", "nope", "cost up", "cost DESC DESC"] {
        assert!(
            db.sessions(&SessionSearch::new("").order_by(order))
                .is_err(),
            "{order}"
        );
    }
}

#[test]
fn completed_sessions_have_their_last_trace_in_time() {
    in_every_place(fill, |db, place| {
        let completed = |min: i64, max: i64, count: Option<usize>, filter: &str| {
            let found = db
                .completed_sessions("0", min * SECOND_NS, max * SECOND_NS, count, filter)
                .unwrap();
            found
                .into_iter()
                .map(|s| (s.session_id, s.first_request_time_ns / SECOND_NS))
                .collect::<Vec<_>>()
        };
        let named = |id: &str, first: i64| (id.to_string(), first);
        assert_eq!(
            completed(0, 40, None, ""),
            [named("b", 20), named("a", 10), named("it's", 40)],
            "{place}"
        );
        assert_eq!(completed(0, 40, Some(1), ""), [named("b", 20)], "{place}");
        assert_eq!(completed(30, 30, None, ""), [named("a", 10)], "{place}");
        assert!(
            completed(0, 15, None, "").is_empty(),
            "{place}: a goes on after it"
        );
        assert_eq!(
            completed(0, 99, None, "tags.turn = '1'"),
            [named("a", 10)],
            "{place}"
        );
        assert!(
            completed(0, 99, None, "tags.turn = '2'").is_empty(),
            "{place}: the first trace is meant"
        );
    });
}

#[test]
fn filters_are_compared_within_a_base() {
    in_every_place(fill, |db, place| {
        let of = |first: &str, second: &str, base: &str| {
            let found = db.filter_correlation(None, first, second, base).unwrap();
            (
                found.joint_count,
                found.filter1_count,
                found.filter2_count,
                found.total_count,
                found.npmi,
            )
        };
        let (joint, first, second, total, npmi) =
            of("state = 'ERROR'", "session = 'b' OR session = 'it''s'", "");
        assert_eq!((joint, first, second, total), (2, 2, 3, 6), "{place}");
        let naive = (2.0_f64 * 6.0 / 6.0).ln() / -(2.0_f64 / 6.0).ln();
        assert!((npmi - naive).abs() < 1e-12, "{place}");
        let (joint, _, _, total, npmi) = of(
            "state = 'OK'",
            "session = 'a'",
            "session = 'a' OR session = 'b'",
        );
        assert_eq!((joint, total), (2, 4), "{place}");
        assert!(npmi > 0.0, "{place}");
        assert!(of("state = 'OK'", "name = 'x'", "").4.is_nan(), "{place}");
        let scoped = db
            .filter_correlation(Some(&["1".to_string()]), "", "state = 'OK'", "")
            .unwrap();
        assert_eq!(
            (scoped.joint_count, scoped.total_count, scoped.npmi),
            (1, 1, 1.0),
            "{place}"
        );
    });
    assert!(in_memory().filter_correlation(None, "a'", "", "").is_err());
}
