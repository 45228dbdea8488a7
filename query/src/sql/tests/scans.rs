//! What a scan reads: rows that need no look, filters, limits and orders, in memory and in segments.

use super::*;

const STATEMENTS: [&str; 16] = [
    "SELECT count(*) FROM spans",
    "SELECT count(*), count(*) FILTER (WHERE state = 'OK') FROM traces",
    "SELECT trace_id, span_id FROM spans ORDER BY start_time DESC, span_id LIMIT 7",
    "SELECT * FROM spans WHERE trace_id = '00000000000000000000000000000011' ORDER BY span_id",
    "SELECT * FROM traces WHERE trace_id = 'tr-00000000000000000000000000000011'",
    "SELECT name, count(*), sum(duration_ns) FROM spans GROUP BY name ORDER BY name",
    "SELECT count(*) FROM spans WHERE attributes->>'n' = '17'",
    "SELECT trace_id FROM traces WHERE outputs LIKE '%answer 42%'",
    "SELECT span_id, inputs FROM spans WHERE start_time BETWEEN to_timestamp_nanos(100000) AND to_timestamp_nanos(100002) ORDER BY 1",
    "SELECT session_id, trace_count FROM sessions ORDER BY session_id",
    "SELECT trace_id, key, value FROM tags ORDER BY 1, 2 LIMIT 5",
    "SELECT role, count(*) FROM messages GROUP BY role ORDER BY role",
    "SELECT name, count(*) FROM events GROUP BY name",
    "SELECT count(*) FROM spans WHERE matches(text, '\"question 42\"')",
    "SELECT count(*) FROM spans WHERE matches(outputs, 'answer -42') AND NOT matches(inputs, '77*')",
    "SELECT count(*) FROM spans s JOIN traces t USING (trace_id) WHERE t.session_id = 's1' AND s.status = 'ERROR'",
];

#[test]
fn counting_reads_nothing() {
    let context = context();
    assert_eq!(rows(&context, "SELECT count(*) FROM spans"), ["9"]);
    assert_eq!(rows(&context, "SELECT count(*) FROM traces"), ["3"]);
    assert_eq!(units(&context, "SELECT count(*) FROM spans"), 0);
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM spans WHERE status = 'ERROR'"
        ),
        ["1"]
    );
}

#[test]
fn trace_ids_and_limits_skip_sources() {
    let context = context();
    let one = "SELECT name FROM spans WHERE trace_id = 'tr-00000000000000000000000000000001' ORDER BY span_id DESC";
    assert_eq!(rows(&context, one), ["step 2", "step 1"]);
    assert_eq!(units(&context, one), 1);
    let absent = "SELECT name FROM spans WHERE trace_id IN ('x', 'y', 'z', 'w')";
    assert_eq!(
        (rows(&context, absent), units(&context, absent)),
        (Vec::new(), 0)
    );
    let newest = "SELECT name FROM traces LIMIT 1";
    assert_eq!(
        (rows(&context, newest), units(&context, newest)),
        (vec!["chat".to_string()], 1)
    );
    let judged = "SELECT name FROM assessments WHERE trace_id = '00000000000000000000000000000001'";
    assert_eq!(
        (rows(&context, judged), units(&context, judged)),
        (vec!["ok".to_string()], 1)
    );
}

/// Statements and their rows.
const ANSWERS: &[(&str, &[&str])] = &[
    (
        "SELECT span_id FROM spans ORDER BY start_time DESC LIMIT 2",
        &["0000000000000009", "0000000000000008"],
    ),
    (
        "SELECT name FROM spans WHERE duration_ns BETWEEN 2000 AND 3000 ORDER BY 1",
        &["step 2", "step 3"],
    ),
    (
        "SELECT count(*) FROM spans WHERE session_id <> 's2'",
        &["1"],
    ),
    (
        "SELECT count(*) FROM spans WHERE NOT (session_id = 's1')",
        &["0"],
    ),
    (
        "SELECT count(*) FROM spans WHERE session_id = 's1' OR name = 'step 7'",
        &["2"],
    ),
    (
        "SELECT name FROM spans WHERE attributes->>'n' = '4' AND status = 'OK'",
        &["step 4"],
    ),
    ("SELECT count(*) FROM (SELECT * FROM spans LIMIT 5)", &["5"]),
    (
        "SELECT count(*) FROM (SELECT * FROM spans WHERE duration_ns > 1000 LIMIT 5 OFFSET 2)",
        &["5"],
    ),
    (
        "SELECT trace_id FROM traces WHERE inputs LIKE '%refund%'",
        &["00000000000000000000000000000001"],
    ),
    (
        "SELECT count(*) FROM spans s JOIN traces t ON s.trace_id = t.trace_id WHERE t.state = 'OK'",
        &["6"],
    ),
    (
        "SELECT max(span_id) FROM spans WHERE trace_id IN (SELECT trace_id FROM traces WHERE state = 'ERROR')",
        &["0000000000000008"],
    ),
    (
        "SELECT approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns) FROM spans",
        &["5000.0"],
    ),
    (
        "SELECT count(*) FROM spans WHERE start_time > now() - interval '1 day'",
        &["0"],
    ),
    (
        "SELECT value, source_type FROM assessments",
        &["true|HUMAN"],
    ),
];

#[test]
fn filters_limits_and_orders_agree() {
    let context = context();
    for &(statement, wanted) in ANSWERS {
        assert_eq!(rows(&context, statement), wanted, "{statement}");
    }
}

#[test]
fn scans_show_what_was_pushed() {
    let context = context();
    let plan = rows(
        &context,
        "EXPLAIN SELECT name FROM spans WHERE status = 'ERROR' AND start_time > '2023-11-14' LIMIT 3",
    )
    .join("\n");
    assert!(
        plan.contains("ScanExec: table=spans, columns=[name]"),
        "{plan}"
    );
    assert!(plan.contains("prune=["), "{plan}");
    assert!(!plan.contains("FilterExec"), "{plan}");
    let plan = rows(
        &context,
        "EXPLAIN SELECT * FROM spans ORDER BY start_time DESC LIMIT 3",
    )
    .join("\n");
    assert!(plan.contains("filter=DynamicFilter"), "{plan}");
}

#[test]
fn memtables_and_segments_answer_alike() {
    let store = inline_store();
    let runtime = Arc::new(QueryRuntime::new(SqlSettings::default()).unwrap());
    let stored: Vec<Span> = (0..300)
        .flat_map(|trace| (0..4).map(move |number| stored_span(trace, number)))
        .collect();
    for part in stored.chunks(500) {
        store.append_spans(spans_batch(part).unwrap()).unwrap();
    }
    let answers = |store: &Store| -> Vec<Vec<String>> {
        let context = SqlContext::new(runtime.clone(), store.snapshot().unwrap());
        STATEMENTS
            .iter()
            .map(|statement| rows(&context, statement))
            .collect()
    };
    let fresh = answers(&store);
    assert_eq!(fresh[0], ["1200"]);
    assert!(fresh.iter().all(|answer| !answer.is_empty()), "{fresh:?}");
    store.seal().unwrap();
    assert_eq!(answers(&store), fresh, "sealed");
    // Resent, so that nothing changes but where rows are.
    store.append_spans(spans_batch(&stored).unwrap()).unwrap();
    assert_eq!(answers(&store), fresh, "sealed and resent");
    store.compact().unwrap();
    assert_eq!(answers(&store), fresh, "compacted");
}

#[test]
fn time_bounds_skip_segments() {
    let store = inline_store();
    for trace in [1, 2, 3] {
        store
            .append_spans(spans_batch(&[stored_span(trace, 0), stored_span(trace, 1)]).unwrap())
            .unwrap();
        store.seal().unwrap();
    }
    let runtime = Arc::new(QueryRuntime::new(SqlSettings::default()).unwrap());
    let context = SqlContext::new(runtime, store.snapshot().unwrap());
    let late = "SELECT count(*) FROM spans WHERE start_time >= to_timestamp_nanos(2001)";
    assert_eq!(
        (rows(&context, late), units(&context, late)),
        (vec!["3".to_string()], 2)
    );
    let one = "SELECT count(*) FROM traces WHERE request_time = to_timestamp_nanos(2000)";
    assert_eq!(
        (rows(&context, one), units(&context, one)),
        (vec!["1".to_string()], 1)
    );
    let none = "SELECT count(*) FROM spans WHERE start_time BETWEEN to_timestamp_nanos(5) AND to_timestamp_nanos(9)";
    assert_eq!(
        (rows(&context, none), units(&context, none)),
        (vec!["0".to_string()], 0)
    );
}

/// The answers of a store do not depend on where its rows are (QU-1).
/// The bound of a top-k tightens while later sources are read, and is about `duration_ns` twice.
#[test]
fn a_top_of_an_expression_and_a_part_of_it() {
    let sources = (1..=20).map(|id| {
        let row = trace(id, json!({"span_count": 100 - id, "duration_ns": id % 3}));
        source(u64::from(id), [Vec::new(), vec![row], Vec::new()])
    });
    let context = SqlContext {
        snapshot: Snapshot::new(1, sources.collect(), Vec::new()),
        ..context_with(SqlSettings {
            target_partitions: 1,
            ..SqlSettings::default()
        })
    };
    let statement = "SELECT right(trace_id, 2) AS id FROM traces ORDER BY duration_ns + span_count * 10, duration_ns LIMIT 3";
    assert_eq!(rows(&context, statement), ["14", "13", "12"]);
}

#[test]
fn an_analyzed_statement_says_what_was_read() {
    let analyzed = |context: &SqlContext| {
        rows(
            context,
            "EXPLAIN ANALYZE SELECT name FROM spans WHERE duration_ns > 0",
        )
        .join("\n")
    };
    let plan = analyzed(&context());
    assert!(plan.contains("rows_read=9"), "{plan}");
    let env = Arc::new(MemEnv::default());
    let store = Store::open(env, StoreOptions::default()).unwrap();
    store
        .append_spans(spans_batch(&[stored_span(1, 1), stored_span(1, 2)]).unwrap())
        .unwrap();
    store.seal().unwrap();
    let runtime = Arc::new(QueryRuntime::new(SqlSettings::default()).unwrap());
    let context = SqlContext::new(runtime, store.snapshot().unwrap());
    let (first, again) = (analyzed(&context), analyzed(&context));
    assert!(
        first.contains("rows_read=2") && first.contains("blocks_decoded=2"),
        "{first}"
    );
    assert!(
        again.contains("blocks_cached=2") && again.contains("blocks_decoded=0"),
        "{again}"
    );
}
