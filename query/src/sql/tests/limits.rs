//! What a statement may take: size, depth, time, memory; and what is refused by name.

use super::*;

#[test]
fn refused_functions_and_tables_are_named() {
    let context = context();
    let cases = [
        ("SELECT * FROM read_parquet('/etc/passwd')", "read_parquet"),
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv"),
        ("SELECT * FROM parquet_metadata('x')", "parquet_metadata"),
        ("SELECT * FROM glob('*')", "glob"),
        ("SELECT * FROM nothing", "nothing"),
        ("SELECT input_file_name()", "input_file_name"),
        ("SELECT version()", "version"),
        ("SELECT load_extension('x')", "load_extension"),
        ("SELECT nam FROM spans", "did you mean 'name'"),
        ("SELECT max(attributes -> 'n') FROM spans", "->>"),
        ("SELECT upper(attributes -> 'n') FROM spans", "->>"),
        (
            "SELECT coalesce(attributes -> 'n', 'none') FROM spans",
            "->>",
        ),
        (
            "SELECT CASE WHEN true THEN attributes -> 'n' ELSE 'b' END FROM spans",
            "->>",
        ),
        ("SELECT _hint FROM spans", "_hint"),
    ];
    for (statement, part) in cases {
        let error = failure(&context, statement);
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidInput,
            "{statement}: {error}"
        );
        assert!(error.message().contains(part), "{statement}: {error}");
        assert!(
            !error.message().contains("datafusion"),
            "{statement}: {error}"
        );
    }
}

#[test]
fn functions_that_multiply_their_input_are_bounded() {
    let context = context();
    let refused = [
        "SELECT repeat('x', 1000000000)",
        "SELECT lpad('x', 1000000000)",
        "SELECT rpad(name, 1000000000, 'y') FROM spans",
        "SELECT array_repeat(1, 1000000000)",
        "SELECT array_resize([1], 1000000000, 0)",
        "SELECT generate_series(1, 10000000000)",
        "SELECT range(0, 10000000000, 2)",
        "SELECT unnest(generate_series(1, 10000000000))",
        "SELECT * FROM generate_series(1, 10000000000)",
        "SELECT repeat(repeat('x', 10000), 100000)",
        "SELECT replace(name, 's', repeat('x', 100000)) FROM spans",
        "SELECT repeat(name, 1000000000) FROM spans",
    ];
    for statement in refused {
        let error = failure(&context, statement);
        assert_eq!(
            error.kind(),
            ErrorKind::ResourceExhausted,
            "{statement}: {error}"
        );
    }
    assert_eq!(
        rows(
            &context,
            "SELECT repeat('ab', 3), lpad('x', 3, '-'), replace('aXb', 'X', '--')"
        ),
        ["ababab|--x|a--b"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT array_length(range(0, 1000)), array_sum(generate_series(1, 4))"
        ),
        ["1000|10.0"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT regexp_replace('abc', 'b', 'x'), array_repeat(7, 2)"
        ),
        ["axc|[7, 7]"]
    );
}

#[test]
fn long_chains_within_the_limit_run() {
    let context = context();
    let terms: Vec<String> = (0..400)
        .map(|n| format!("duration_ns + {n} = 5000"))
        .collect();
    assert_eq!(
        rows(
            &context,
            &format!("SELECT count(*) FROM spans WHERE {}", terms.join(" OR "))
        ),
        ["1"]
    );
    let sum = format!("SELECT max(duration_ns{}) FROM spans", "+1".repeat(450));
    assert_eq!(rows(&context, &sum), ["9450"]);
    let list: Vec<String> = (0..4000).map(|n| format!("'step {n}'")).collect();
    assert_eq!(
        rows(
            &context,
            &format!(
                "SELECT count(*) FROM spans WHERE name IN ({})",
                list.join(",")
            )
        ),
        ["9"]
    );
}

#[test]
fn long_chains_of_json_operators_are_planned() {
    let chain = format!("attributes{} ->> 'b'", " -> 'a'".repeat(40));
    let count = |condition: &str| format!("SELECT count(*) FROM spans WHERE {condition}");
    let context = context();
    assert_eq!(
        rows(&context, &count(&format!("{chain} IS NULL"))),
        rows(&context, &count("true"))
    );
}

#[test]
fn time_memory_and_result_limits_end_a_query() {
    let many =
        "spans a, spans b, spans c, spans d, spans e, spans f, spans g, spans h, spans i, spans j";
    let mut slow = context();
    slow.timeout = Some(Duration::from_millis(100));
    let started = std::time::Instant::now();
    let error = failure(
        &slow,
        &format!("SELECT count(a.name || b.name || j.name) FROM {many}"),
    );
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(started.elapsed() < Duration::from_secs(2));

    let small = context_with(SqlSettings {
        memory_bytes_max: 1 << 20,
        result_bytes_max: 1 << 20,
        target_partitions: 2,
        ..SqlSettings::default()
    });
    let grouped = "SELECT count(*) FROM (SELECT DISTINCT a.name, b.name, c.name, d.name, e.name, f.name, g.name FROM spans a, spans b, spans c, spans d, spans e, spans f, spans g)";
    let error = failure(&small, grouped);
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    let large = "SELECT a.name, b.name, c.name, d.name, e.name, f.name FROM spans a, spans b, spans c, spans d, spans e, spans f";
    let error = failure(&small, large);
    assert!(error.message().contains("result is larger"), "{error}");
}

#[test]
fn errors_of_rows_are_the_callers() {
    let context = context();
    for statement in [
        "SELECT 1 / (duration_ns - 1000) FROM spans",
        "SELECT * FROM spans WHERE 1 / (duration_ns - 1000) = 1",
        "SELECT CAST(name AS BIGINT) FROM spans",
        "SELECT regexp_like(name, '(') FROM spans",
    ] {
        let error = failure(&context, statement);
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidInput,
            "{statement}: {error}"
        );
        assert!(!error.message().is_empty());
    }
}
