//! Wide rows under small budgets: operators spill instead of refusing, and answer as with a large budget.

use tracehouse_storage::env::RealEnv;

use super::*;

/// Bytes of text of one span.
const SPAN_BYTES: usize = 12 << 10;

fn wide_store(folder: &std::path::Path) -> Arc<Store> {
    let options = StoreOptions { inline_maintenance: true, ..StoreOptions::default() };
    let store = Store::open(Arc::new(RealEnv::new(folder.to_path_buf())), options).unwrap();
    for part in 0..4_u32 {
        let spans: Vec<Span> = (0..300)
            .map(|trace| Span {
                attributes: json!({"n": trace, "text": "wide ".repeat(SPAN_BYTES / 5)}).to_string(),
                ..stored_span(part * 300 + trace, 0)
            })
            .collect();
        store.append_spans(spans_batch(&spans).unwrap()).unwrap();
        store.seal().unwrap();
    }
    store
}

#[test]
fn wide_rows_spill_within_a_small_budget() {
    let folder = tempfile::tempdir().unwrap();
    let store = wide_store(folder.path());
    let context = |memory_bytes_max: usize| {
        let settings = SqlSettings {
            memory_bytes_max,
            target_partitions: 2,
            spill: store.scratch_space(),
            timeout: None,
            ..SqlSettings::default()
        };
        SqlContext::new(Arc::new(QueryRuntime::new(settings).unwrap()), store.snapshot().unwrap())
    };
    // 14 MB of attributes.
    let (large, small) = (context(1 << 30), context(8 << 20));
    for statement in [
        "SELECT count(*), sum(n), min(length(a)) FROM (SELECT attributes AS a, row_number() OVER (ORDER BY start_time) AS n FROM spans)",
        "SELECT count(*), sum(length(a)), sum(length(before)) FROM (SELECT attributes AS a, lag(attributes) OVER (ORDER BY span_id, start_time) AS before FROM spans)",
        "SELECT count(*), max(a) = min(a) FROM (SELECT attributes || span_id AS a FROM spans ORDER BY name, start_time DESC)",
        "SELECT count(*) FROM (SELECT attributes, count(*) AS n FROM spans GROUP BY attributes)",
        "SELECT count(*) FROM (SELECT DISTINCT attributes, trace_id FROM spans)",
    ] {
        assert_eq!(rows(&small, statement), rows(&large, statement), "{statement}");
    }
    let joined = "SELECT count(DISTINCT length(a.attributes || b.attributes)) FROM spans a JOIN spans b ON a.attributes = b.attributes";
    let error = failure(&small, joined);
    assert_eq!(error.kind(), QueryErrorKind::ResourceExhausted, "{error}");
    assert!(error.message().contains("raise the memory limit"), "{error}");
}
