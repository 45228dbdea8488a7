//! Large columns that are read behind a top-k: the same values as those that the scan reads.

use super::*;

/// Statements in which `{column}` stands for a large column, which of them are read late, and how many rows there are
/// to compare at least. The second form of a column is computed, so that the scan reads it.
const STATEMENTS: [(&str, &str, usize); 18] = [
    (
        "SELECT span_id, {inputs} AS i FROM spans ORDER BY start_time DESC, span_id LIMIT 7",
        "spans.inputs",
        7,
    ),
    (
        "SELECT {inputs} AS i, {outputs} AS o, {attributes} AS a FROM spans ORDER BY start_time, span_id LIMIT 1000",
        "spans.inputs, spans.outputs, spans.attributes",
        1000,
    ),
    (
        "SELECT {outputs} AS o FROM spans ORDER BY start_time DESC LIMIT 5 OFFSET 40",
        "spans.outputs",
        5,
    ),
    (
        "SELECT trace_id, {request_preview} AS p FROM traces ORDER BY request_time DESC LIMIT 9",
        "traces.request_preview",
        9,
    ),
    (
        "SELECT {request_preview} AS p, {response_preview} AS q FROM traces WHERE session_id = 's1' ORDER BY request_time LIMIT 9 OFFSET 3",
        "traces.request_preview, traces.response_preview",
        9,
    ),
    (
        "SELECT {request_preview} AS p FROM traces WHERE request_preview LIKE '%7%' ORDER BY request_time DESC LIMIT 4",
        "traces.request_preview",
        4,
    ),
    (
        "SELECT {response_preview} AS p FROM traces WHERE trace_id IN (SELECT trace_id FROM spans WHERE status = 'ERROR') ORDER BY request_time DESC LIMIT 20",
        "traces.response_preview",
        20,
    ),
    (
        "SELECT {response_preview} AS p FROM traces WHERE trace_id NOT IN (SELECT trace_id FROM spans WHERE status = 'ERROR') ORDER BY request_time DESC LIMIT 20",
        "traces.response_preview",
        20,
    ),
    (
        "SELECT s.span_id, {s.outputs} AS o, {t.request_preview} AS p FROM spans s JOIN traces t ON t.trace_id = s.trace_id ORDER BY s.start_time DESC, s.span_id LIMIT 11",
        "spans.outputs, traces.request_preview",
        11,
    ),
    (
        "SELECT t.trace_id, {s.outputs} AS o FROM traces t LEFT JOIN spans s ON s.trace_id = t.trace_id AND s.span_id = '0000000000000001' AND s.status = 'ERROR' ORDER BY t.request_time DESC LIMIT 30",
        "spans.outputs",
        30,
    ),
    (
        "SELECT trace_id, {inputs} AS i, {inputs} AS j FROM spans ORDER BY start_time DESC, span_id LIMIT 3",
        "spans.inputs",
        3,
    ),
    (
        "SELECT {inputs} AS i FROM spans ORDER BY inputs, start_time, span_id LIMIT 3",
        "",
        3,
    ),
    (
        "SELECT DISTINCT {outputs} AS o FROM spans ORDER BY o LIMIT 3",
        "",
        3,
    ),
    (
        "SELECT {inputs} AS i FROM spans WHERE start_time < to_timestamp_nanos(5) ORDER BY start_time LIMIT 3",
        "spans.inputs",
        0,
    ),
    (
        "SELECT count(*), max(i) FROM (SELECT {inputs} AS i FROM spans ORDER BY start_time DESC, span_id LIMIT 13)",
        "spans.inputs",
        1,
    ),
    (
        "SELECT o, length(i) FROM (SELECT {outputs} AS o, {inputs} AS i FROM spans ORDER BY start_time DESC, span_id LIMIT 13) ORDER BY o LIMIT 5",
        "spans.outputs, spans.inputs",
        5,
    ),
    (
        "SELECT {inputs} AS i, row_number() OVER (ORDER BY start_time, span_id) AS n FROM spans ORDER BY n DESC LIMIT 3",
        "",
        3,
    ),
    (
        "SELECT {outputs} AS o FROM spans WHERE span_id = '0000000000000002' UNION ALL SELECT {request_preview} AS o FROM traces ORDER BY o LIMIT 5",
        "",
        5,
    ),
];

/// The statement with its columns as they are, and with computed ones: NULL stays NULL, and a text is itself.
fn forms(statement: &str) -> (String, String) {
    (
        statement.replace(['{', '}'], ""),
        statement.replace('{', "(").replace('}', " || '')"),
    )
}

/// What the plan says is read late, and what it should say, in alphabetical order.
fn sorted(names: &str) -> Vec<&str> {
    let mut names: Vec<&str> = names.split(", ").collect();
    names.sort_unstable();
    names
}

fn late_columns(context: &SqlContext, statement: &str) -> String {
    let plan = rows(context, &format!("EXPLAIN {statement}")).join("\n");
    let late = plan.split("LateColumnsExec: columns=[").nth(1);
    let late = late.and_then(|rest| rest.split(']').next());
    late.unwrap_or_default().to_string()
}

fn assert_same(context: &SqlContext, state: &str) {
    for (statement, late, rows_min) in STATEMENTS {
        let (plain, scanned) = forms(statement);
        let found = rows(context, &plain);
        assert_eq!(found, rows(context, &scanned), "{state}: {plain}");
        assert!(found.len() >= rows_min, "{state}: {plain}: {}", found.len());
        let found = late_columns(context, &plain);
        assert_eq!(sorted(&found), sorted(late), "{state}: {plain}");
        assert_eq!(late_columns(context, &scanned), "", "{state}: {scanned}");
    }
}

/// Spans of which some have no outputs.
fn spans() -> Vec<Span> {
    let all = (0..300).flat_map(|trace| (0..4).map(move |number| stored_span(trace, number)));
    all.map(|span| match span.start_time_ns % 5 {
        0 => Span {
            outputs: None,
            ..span
        },
        _ => span,
    })
    .collect()
}

#[test]
fn they_are_those_of_the_rows_that_are_left() {
    let store = inline_store();
    let runtimes = [1, 3].map(|target_partitions| {
        let settings = SqlSettings {
            target_partitions,
            ..SqlSettings::default()
        };
        Arc::new(QueryRuntime::new(settings).unwrap())
    });
    let check = |state: &str| {
        for runtime in &runtimes {
            let context = SqlContext::new(runtime.clone(), store.snapshot().unwrap());
            assert_same(&context, state);
        }
    };
    let stored = spans();
    for (part, spans) in stored.chunks(500).enumerate() {
        store.append_spans(spans_batch(spans).unwrap()).unwrap();
        if part < 2 {
            store.seal().unwrap();
        }
    }
    check("two segments and a memtable");
    // Resent, so that rows in segments are superseded.
    store
        .append_spans(spans_batch(&stored[..700]).unwrap())
        .unwrap();
    check("resent");
    store.seal().unwrap();
    store.compact().unwrap();
    check("compacted");
}

/// Beside a top-k that needs ten values, the scan does not read those of all rows.
#[test]
fn only_theirs_are_read() {
    let store = Store::open(Arc::new(MemEnv::default()), StoreOptions::default()).unwrap();
    store.append_spans(spans_batch(&spans()).unwrap()).unwrap();
    store.seal().unwrap();
    let runtime = Arc::new(QueryRuntime::new(SqlSettings::default()).unwrap());
    let context = SqlContext::new(runtime, store.snapshot().unwrap());
    let plan = rows(
        &context,
        "EXPLAIN ANALYZE SELECT inputs FROM spans ORDER BY start_time DESC LIMIT 10",
    );
    let line = |name: &str| {
        let found = plan.iter().find(|line| line.contains(name));
        found.unwrap_or_else(|| panic!("{plan:?}")).clone()
    };
    assert!(
        line("LateColumnsExec").contains("output_rows=10"),
        "{plan:?}"
    );
    assert!(
        line("ScanExec").contains("columns=[start_time], late=[inputs]"),
        "{plan:?}"
    );
}
