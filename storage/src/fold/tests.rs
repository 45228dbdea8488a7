//! The fold: what a row takes from which span, in whatever order spans come.

use super::*;

/// The row of these spans, of which nothing else was said.
fn fold(trace_id: &str, spans: Vec<FoldSpan>) -> TraceRow {
    refold(
        trace_id,
        Some((trace_id.to_string(), spans)),
        TraceEdit::default(),
    )
    .unwrap()
}

fn span(id: &str, parent: Option<&str>, start: i64, tokens: Option<i64>) -> FoldSpan {
    FoldSpan {
        span_id: id.into(),
        parent_span_id: parent.map(Into::into),
        name: id.into(),
        start_time_ns: start,
        end_time_ns: Some(start + 10),
        usage: Usage {
            input_tokens: tokens,
            total_tokens: tokens,
            ..Usage::default()
        },
        ..FoldSpan::default()
    }
}

#[test]
fn a_value_below_a_counted_ancestor_is_not_counted_again() {
    let spans = vec![
        span("root", None, 0, None),
        span("llm", Some("root"), 1, Some(5)),
        span("inner", Some("llm"), 2, Some(5)),
        span("orphan", Some("gone"), 3, Some(2)),
    ];
    let row = fold("t", spans);
    assert_eq!(row.usage.input_tokens, Some(7));
    assert_eq!(
        (row.name.as_deref(), row.state.as_str(), row.span_count),
        (Some("root"), "OK", 4)
    );
    assert_eq!((row.request_time_ns, row.duration_ns), (0, Some(13)));
}

#[test]
fn order_of_arrival_does_not_matter() {
    let spans = vec![
        span("b", Some("a"), 1, Some(1)),
        span("a", None, 1, None),
        span("c", Some("a"), 0, Some(3)),
    ];
    let forward = fold("t", spans.clone());
    let backward = fold("t", spans.into_iter().rev().collect());
    assert_eq!(forward, backward);
}

#[test]
fn session_and_user_are_the_roots_then_those_of_the_first_in_time() {
    let with = |id: &str, parent, start, session: Option<&str>| FoldSpan {
        session_id: session.map(Into::into),
        user_id: session.map(|of| format!("user of {of}")),
        service_name: session.map(|of| format!("service of {of}")),
        ..span(id, parent, start, None)
    };
    let told = |spans: &[FoldSpan]| {
        let row = fold("t", spans.to_vec());
        assert_eq!(
            row,
            fold("t", spans.iter().rev().cloned().collect()),
            "the order of arrival"
        );
        assert_eq!(row.metadata.get(SESSION_METADATA), row.session_id.as_ref());
        assert_eq!(
            row.user_id,
            row.session_id.as_ref().map(|of| format!("user of {of}"))
        );
        assert_eq!(
            row.service_name,
            row.session_id.as_ref().map(|of| format!("service of {of}"))
        );
        row.session_id
    };
    // The child's id is the smaller one, and it starts in the same nanosecond; then earlier.
    for start in [5, 4] {
        let child = with("a", Some("r"), start, Some("child"));
        assert_eq!(
            told(&[with("r", None, 5, Some("root")), child.clone()]).as_deref(),
            Some("root")
        );
        assert_eq!(
            told(&[with("r", None, 5, None), child]).as_deref(),
            Some("child")
        );
    }
    let later = with("a", Some("r"), 7, Some("later"));
    let first = with("z", Some("r"), 6, Some("first"));
    assert_eq!(
        told(&[later, first, with("r", None, 5, None)]).as_deref(),
        Some("first")
    );
}

#[test]
fn cycles_and_missing_roots_end() {
    let row = fold(
        "t",
        vec![
            span("a", Some("b"), 0, Some(1)),
            span("b", Some("a"), 1, Some(2)),
        ],
    );
    assert_eq!(
        (row.state.as_str(), row.name.as_deref()),
        ("IN_PROGRESS", Some("a"))
    );
    assert_eq!(
        row.usage.input_tokens,
        Some(1),
        "one of the two is the other's ancestor"
    );
    let own = fold("t", vec![span("a", Some("a"), 0, Some(1))]);
    assert_eq!(own.usage.input_tokens, Some(1));
}

/// The span, its parent in another process.
fn remote(span: FoldSpan) -> FoldSpan {
    FoldSpan {
        has_remote_parent: true,
        ..span
    }
}

#[test]
fn the_top_span_stands_for_a_root_that_is_not_there() {
    let with = |id: &str, parent, start, error| FoldSpan {
        service_name: Some(format!("service of {id}")),
        session_id: Some(format!("session of {id}")),
        error,
        ..span(id, parent, start, None)
    };
    let told = |spans: &[FoldSpan]| {
        let row = fold("t", spans.to_vec());
        let backwards = spans.iter().rev().cloned().collect();
        assert_eq!(row, fold("t", backwards), "the order of arrival");
        assert_eq!(row.name, row.root_span_id);
        assert_eq!(
            row.service_name,
            row.name.as_ref().map(|id| format!("service of {id}"))
        );
        assert_eq!(
            row.session_id,
            row.name.as_ref().map(|id| format!("session of {id}"))
        );
        (row.name.unwrap(), row.state)
    };
    let is = |name: &str, state: &str| (name.to_string(), state.to_string());
    let (agent, llm) = (
        with("agent", Some("gone"), 5, false),
        with("llm", Some("agent"), 3, true),
    );
    assert_eq!(
        told(&[agent.clone(), llm.clone()]),
        is("agent", "IN_PROGRESS")
    );
    // Of several the earliest, then the one with the smaller id.
    let (later, earlier) = (
        with("a", Some("gone"), 6, false),
        with("z", Some("gone"), 4, false),
    );
    let same = with("b", Some("elsewhere"), 4, false);
    assert_eq!(
        told(&[later, agent.clone(), llm.clone()]),
        is("agent", "IN_PROGRESS")
    );
    assert_eq!(
        told(&[earlier.clone(), agent.clone()]),
        is("z", "IN_PROGRESS")
    );
    assert_eq!(told(&[earlier, same]), is("b", "IN_PROGRESS"));
    // Its parent, and then the root, take over.
    let parent = with("gone", Some("root"), 9, false);
    assert_eq!(
        told(&[agent.clone(), llm.clone(), parent.clone()]),
        is("gone", "IN_PROGRESS")
    );
    assert_eq!(
        told(&[agent.clone(), parent, with("root", None, 10, true)]),
        is("root", "ERROR")
    );
    // A parent in another process is not waited for.
    assert_eq!(
        told(&[remote(agent.clone()), llm.clone()]),
        is("agent", "OK")
    );
    assert_eq!(
        told(&[remote(with("agent", Some("gone"), 5, true))]),
        is("agent", "ERROR")
    );
    assert_eq!(told(&[agent, remote(llm)]), is("agent", "IN_PROGRESS"));
}

#[test]
fn a_settled_trace_has_the_state_of_its_top_span_until_a_root_comes() {
    let settled = |spans: &[FoldSpan]| {
        refold("t", Some(("t".into(), spans.to_vec())), TraceEdit::settle())
            .unwrap()
            .state
    };
    let failed = |span: FoldSpan| FoldSpan {
        error: true,
        ..span
    };
    let top = span("top", Some("root"), 1, None);
    assert_eq!(settled(std::slice::from_ref(&top)), "OK");
    assert_eq!(settled(&[failed(top.clone())]), "ERROR");
    assert_eq!(settled(&[failed(top), span("root", None, 0, None)]), "OK");
}

#[test]
fn a_root_that_has_not_ended_is_in_progress() {
    let open = FoldSpan {
        end_time_ns: None,
        is_open: true,
        ..span("r", None, 0, None)
    };
    let child = span("c", Some("r"), 1, None);
    let state = |spans: &[FoldSpan], edit| {
        refold("t", Some(("t".into(), spans.to_vec())), edit)
            .unwrap()
            .state
    };
    let start = |state: &str| {
        TraceEdit::start(crate::model::StartEdit {
            state: state.into(),
            ..Default::default()
        })
    };
    for edit in [
        TraceEdit::default(),
        TraceEdit::settle(),
        start("IN_PROGRESS"),
    ] {
        assert_eq!(
            state(&[open.clone(), child.clone()], edit.clone()),
            "IN_PROGRESS",
            "{edit:?}"
        );
        assert_eq!(
            state(&[span("r", None, 0, None), child.clone()], edit),
            "OK"
        );
    }
    // So it is when it says that all is well so far, and who started the trace that it goes on.
    let well = FoldSpan {
        end_time_ns: None,
        ..span("r", None, 0, None)
    };
    assert_eq!(
        state(std::slice::from_ref(&well), start("IN_PROGRESS")),
        "IN_PROGRESS"
    );
    assert_eq!(state(&[well], TraceEdit::default()), "OK");
    // Who started the trace may say how it ended.
    assert_eq!(state(&[open.clone(), child], start("ERROR")), "ERROR");
    let row =
        refold_without_open("t", Some(("t".into(), vec![open])), TraceEdit::default()).unwrap();
    assert_eq!(row.state, "OK", "as older versions wrote it");
}

/// What was said of a trace in progress goes on to be said of it: MLflow's client may still be at work.
#[test]
fn a_start_goes_before_the_top_span_and_after_the_root() {
    let start = |state: &str| {
        let start = crate::model::StartEdit {
            state: state.into(),
            ..Default::default()
        };
        TraceEdit {
            settled: true,
            ..TraceEdit::start(start)
        }
    };
    let state = |spans: &[FoldSpan], edit| {
        refold("t", Some(("t".into(), spans.to_vec())), edit)
            .unwrap()
            .state
    };
    let top = FoldSpan {
        has_remote_parent: true,
        ..span("top", Some("root"), 1, None)
    };
    for said in ["IN_PROGRESS", "ERROR", "STATE_UNSPECIFIED"] {
        assert_eq!(state(std::slice::from_ref(&top), start(said)), said);
        assert_eq!(
            state(&[top.clone(), span("root", None, 0, None)], start(said)),
            "OK"
        );
    }
}
