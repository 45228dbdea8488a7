//! Statements as deep as they may be: planned, run and dropped with half of the stack that there is; a stack
//! that runs out ends the test process. What is deeper is refused.

use super::*;

/// Forms at the limits; each costs the stack that it costs.
fn forms() -> Vec<String> {
    let chain = |part: &str, count: usize| vec![part; count].join("");
    let ctes = (1..40).map(|n| {
        format!(
            ", t{n} AS (SELECT {} FROM t{})",
            ["x + 1 AS x", "abs(x) AS x"][n % 2],
            n - 1
        )
    });
    vec![
        format!("SELECT 1{}", chain(" + 1", 490)),
        format!(
            "SELECT length(name){} FROM spans",
            chain(" + length(name)", 480)
        ),
        format!(
            "SELECT count(*) FROM spans WHERE name = 'x'{}",
            chain(" OR name = 'y' || name", 240)
        ),
        format!(
            "SELECT count(*) FROM spans WHERE name = 'x'{}",
            chain(" AND duration_ns > 1", 400)
        ),
        format!(
            "SELECT name FROM spans ORDER BY name{}",
            chain(" || name", 480)
        ),
        format!("SELECT {}1{}", chain("(1 + ", 60), chain(")", 60)),
        format!(
            "SELECT {}name{} FROM spans",
            chain("coalesce(name, ", 60),
            chain(")", 60)
        ),
        format!(
            "SELECT {}1{}",
            chain("CASE WHEN length('a') = 1 THEN ", 60),
            chain(" END", 60)
        ),
        format!("SELECT {}1{}", chain("(SELECT ", 7), chain(")", 7)),
        format!(
            "SELECT * FROM {}spans{}",
            chain("(SELECT * FROM ", 60),
            chain(")", 60)
        ),
        format!(
            "SELECT count(*) FROM spans a{}",
            chain(" JOIN spans USING (trace_id)", 0)
        ),
        format!("SELECT 1{}", chain(" UNION ALL SELECT 1", 95)),
        format!("SELECT '{{}}'{}", chain(" -> 'a'", 400)),
        format!("SELECT 1{}", chain("::BIGINT", 400)),
        format!("SELECT {}1", chain("- ", 100)),
        format!("SELECT {}true", chain("NOT ", 100)),
        format!(
            "WITH t0 AS (SELECT duration_ns AS x FROM spans){} SELECT * FROM t39 WHERE x > 0",
            ctes.collect::<String>()
        ),
    ]
}

#[test]
fn what_is_allowed_fits_the_stack_twice() {
    let settings = SqlSettings {
        target_partitions: 1,
        ..SqlSettings::default()
    };
    let mut context = context();
    context.runtime =
        Arc::new(QueryRuntime::with_stack(settings, crate::runtime::STACK_BYTES / 2).unwrap());
    for statement in forms() {
        if let Err(error) = run_sql(&context, statement.as_str()) {
            let shown: String = statement.chars().take(60).collect();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{shown}: {error}");
            assert!(!error.message().contains("deeper"), "{shown}: {error}");
        }
    }
}

#[test]
fn what_is_deeper_is_refused() {
    let context = context();
    for (before, after) in [
        ("interval ", ""),
        ("- ", ""),
        ("NOT ", ""),
        ("(", ")"),
        ("CASE WHEN ", " THEN 1 END"),
        ("CASE ", ""),
        ("(SELECT ", ")"),
        ("EXISTS (SELECT ", ")"),
        ("", " -> 'a'"),
        ("", "::BIGINT"),
        ("1 + ", ""),
        ("", " || 'a'"),
        ("true AND ", ""),
        ("[", "]"),
    ] {
        for times in [1_100, 6_000] {
            let statement = format!("SELECT {}'1'{}", before.repeat(times), after.repeat(times));
            let error = failure(&context, &statement);
            assert_eq!(
                error.kind(),
                ErrorKind::InvalidInput,
                "{before}..{after}: {error}"
            );
        }
    }
    let twice: String = (1..30)
        .map(|n| format!(", t{n} AS (SELECT 1 FROM t{0} a, t{0} b)", n - 1))
        .collect();
    let error = failure(
        &context,
        &format!("WITH t0 AS (SELECT 1 FROM spans){twice} SELECT 1 FROM t29"),
    );
    assert!(error.message().contains("more than 400 tables"), "{error}");
    // Each query is within its limit; put into one another they are not.
    let sum = " + 1".repeat(60);
    let ctes: String = (1..40)
        .map(|n| format!(", t{n} AS (SELECT x{sum} AS x FROM t{})", n - 1))
        .collect();
    let error = failure(
        &context,
        &format!("WITH t0 AS (SELECT 1 AS x){ctes} SELECT * FROM t39"),
    );
    assert!(error.message().contains("deeper"), "{error}");
}

#[test]
fn expressions_that_double_from_query_to_query_are_refused_before_they_are_planned() {
    let doubled = |times: usize| {
        let open = "SELECT abs(x) + abs(x) AS x FROM (".repeat(times);
        format!(
            "{open}SELECT span_count AS x FROM traces{} WHERE x > 0",
            ") AS t".repeat(times)
        )
    };
    assert_eq!(
        failure(&context(), &doubled(16)).kind(),
        ErrorKind::InvalidInput
    );
    assert!(!rows(&context(), &doubled(4)).is_empty());
    let chain = "SELECT x + 1 AS x FROM (".repeat(60);
    let once = format!(
        "{chain}SELECT span_count AS x FROM traces{}",
        ") AS t".repeat(60)
    );
    assert!(!rows(&context(), &once).is_empty());
}

#[test]
fn arrays_of_a_fixed_size_are_small() {
    let context = context();
    for statement in [
        "SELECT CAST(NULL AS BIGINT[1000000000])",
        "SELECT TRY_CAST(name AS BIGINT[300][300]) FROM spans",
        "SELECT 1 FROM spans WHERE name::VARCHAR[99][99][99] IS NULL",
        "SELECT (SELECT NULL::BIGINT[9999999])",
        "SELECT arrow_cast(NULL, 'FixedSizeList(1000000000, Int64)')",
        "VALUES (CAST(NULL AS BIGINT[70000]))",
    ] {
        let message = failure(&context, statement).to_string();
        assert!(
            message.contains("an array of a fixed size has at most"),
            "{statement}: {message}"
        );
    }
    assert_eq!(
        rows(&context, "SELECT CAST(NULL AS BIGINT[3]) IS NULL"),
        ["true"]
    );
    assert_eq!(
        rows(&context, "SELECT CAST([1, 2] AS BIGINT[2])"),
        ["[1, 2]"]
    );
}

#[test]
fn long_rows_and_lists_of_rows_stay_flat() {
    let context = context();
    let list = |count: usize| {
        (0..count)
            .map(|n| format!("({n}, 'a')"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let found = format!("SELECT (2000, 'a') IN ({})", list(2_400));
    assert_eq!(rows(&context, &found), ["true"]);
    let row = |count: usize| format!("({})", vec!["1"; count].join(", "));
    assert_eq!(
        rows(&context, &format!("SELECT {} = {}", row(2_000), row(2_000))),
        ["true"]
    );
    assert_eq!(
        rows(&context, &format!("SELECT {} <= {}", row(64), row(64))),
        ["true"]
    );
    for statement in [
        format!("SELECT (1, 'a') IN ({})", list(3_000)),
        format!("SELECT {} < {}", row(65), row(65)),
    ] {
        let message = failure(&context, &statement).to_string();
        assert!(message.contains("rows"), "{message}");
    }
}
