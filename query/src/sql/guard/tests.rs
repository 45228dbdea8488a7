//! Every way past the guard that the security table names, and what must still be let through.

use super::*;

fn message(text: &str) -> String {
    match parse(text) {
        Ok(statement) => panic!("let through: {statement}"),
        Err(error) => error.to_string(),
    }
}

/// Deep trees need the deep stack that the guard has in use.
fn on_deep_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(crate::runtime::STACK_BYTES)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn statements_that_write_or_configure_are_refused() {
    let cases = [
        (
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "not CREATE",
        ),
        ("CREATE TABLE t AS SELECT 1", "not CREATE"),
        ("CREATE VIEW v AS SELECT 1", "not CREATE"),
        ("CREATE FUNCTION f AS 'x'", "not CREATE"),
        ("COPY spans TO '/tmp/x.csv'", "not COPY"),
        ("INSERT INTO spans VALUES (1)", "not INSERT"),
        ("UPDATE spans SET name = 'x'", "not UPDATE"),
        ("DELETE FROM spans", "not DELETE"),
        (
            "MERGE INTO spans USING x ON true WHEN MATCHED THEN DELETE",
            "not MERGE",
        ),
        ("DROP TABLE spans", "not DROP"),
        ("TRUNCATE TABLE spans", "not TRUNCATE"),
        ("ALTER TABLE spans ADD COLUMN x INT", "not ALTER"),
        ("SET datafusion.execution.batch_size = 1", "not SET"),
        ("RESET x", "not RESET"),
        ("PREPARE p AS SELECT 1", "not PREPARE"),
        ("EXECUTE p", "not EXECUTE"),
        ("DEALLOCATE p", "not DEALLOCATE"),
        ("BEGIN", "not BEGIN"),
        ("START TRANSACTION", "not START"),
        ("COMMIT", "not COMMIT"),
        ("ROLLBACK", "not ROLLBACK"),
        ("ATTACH 'x.db' AS x", "not ATTACH"),
        ("INSTALL httpfs", "not INSTALL"),
        ("LOAD httpfs", "not LOAD"),
        ("PRAGMA x", "not PRAGMA"),
        ("CALL f()", "not CALL"),
        ("USE x", "not USE"),
        ("KILL 1", "not KILL"),
        ("EXPLAIN INSERT INTO spans VALUES (1)", "INSERT INTO"),
        ("EXPLAIN CREATE TABLE t AS SELECT 1", "CREATE TABLE"),
        (
            "WITH x AS (INSERT INTO spans VALUES (1) RETURNING *) SELECT * FROM x",
            "not allowed",
        ),
        (
            "WITH x AS (DELETE FROM spans RETURNING *) SELECT * FROM x",
            "not allowed",
        ),
        (
            "WITH x AS (SELECT 1) INSERT INTO spans SELECT * FROM x",
            "not allowed",
        ),
        ("SELECT * INTO t FROM spans", "SELECT INTO"),
        ("SHOW ALL", "SHOW TABLES"),
        ("SHOW datafusion.execution.batch_size", "SHOW TABLES"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT 1; DROP TABLE spans", "one statement"),
        ("", "empty"),
        (" ;; ", "empty"),
        ("-- nothing", "empty"),
    ];
    for (text, part) in cases {
        let message = message(text);
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn files_and_addresses_are_no_tables() {
    let cases = [
        "SELECT * FROM 'file:///etc/passwd'",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM `s3://bucket/key`",
        "SELECT * FROM \"http://127.0.0.1/x.parquet\"",
        "SELECT * FROM spans, 'x.parquet'",
        "SELECT (SELECT count(*) FROM 'x.csv')",
        "DESCRIBE 'x.csv'",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM tracehouse.information_schema.df_settings",
    ];
    for text in cases {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn reading_statements_pass() {
    let cases = [
        "SELECT 1",
        "select count(*) from spans;",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "VALUES (1), (2)",
        "FROM spans SELECT name",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "EXPLAIN VERBOSE SELECT 1",
        "SHOW TABLES",
        "SHOW COLUMNS FROM spans",
        "DESCRIBE spans",
        "DESC spans",
        "SELECT * EXCLUDE (inputs) FROM spans",
        "SELECT attributes->>'a' = 'b', attributes ? 'x', tags['env'] FROM spans",
        "SELECT * FROM search_text('x', 3)",
        "SELECT * FROM information_schema.columns",
        "SELECT count(*) FILTER (WHERE status = 'ERROR') FROM spans GROUP BY ALL",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns) FROM spans",
        "SELECT row_number() OVER w FROM spans WINDOW w AS (PARTITION BY name)",
        "/* note */ SELECT 'a;b' -- end",
    ];
    for text in cases {
        if let Err(error) = parse(text) {
            panic!("{text}: {error}");
        }
    }
}

#[test]
fn json_operators_bind_tighter_than_comparison() {
    let text = parse("SELECT a->>'k' = 'v' AND b->'x'->>'y' || 'z' LIKE 'w'")
        .unwrap()
        .to_string();
    let grouped =
        parse("SELECT ((a->>'k') = 'v') AND ((((b->'x')->>'y') || 'z') LIKE 'w')").unwrap();
    let bare: String = grouped
        .to_string()
        .chars()
        .filter(|c| !"()".contains(*c))
        .collect();
    assert_eq!(text, bare);
    let Statement::Query(query) = parse("SELECT a->>'k' = 'v'").unwrap() else {
        panic!()
    };
    let SetExpr::Select(select) = *query.body else {
        panic!()
    };
    let projected = format!("{:?}", select.projection);
    assert!(projected.contains("op: Eq, right: Value"), "{projected}");
}

/// A statement of so many terms.
fn chain(terms: usize, op: &str, term: &str) -> String {
    format!("SELECT {}", vec![term; terms].join(op))
}

/// Statements that are too large, and a word of what is said of each.
fn past_the_limits() -> Vec<(String, &'static str)> {
    vec![
        (format!("SELECT '{}'", "x".repeat(5_000_000)), "bytes"),
        (chain(12_000, ",", "1"), "tokens"),
        (chain(2_000, "+", "1"), "operators in a row"),
        (chain(2_000, " OR ", "a=1"), "operators in a row"),
        (chain(6_000, " OR ", "a=1"), "tokens"),
        (chain(2_000, "->", "a"), "operators in a row"),
        (chain(2_000, "::int", "a"), "operators in a row"),
        (
            chain(2_000, " IS DISTINCT FROM ", "a"),
            "operators in a row",
        ),
        (chain(2_000, "||", "'a'"), "operators in a row"),
        (
            format!("SELECT {}1", "NOT ".repeat(2_000)),
            "operators in a row",
        ),
        (
            format!("SELECT {}1{}", "(".repeat(9_000), ")".repeat(9_000)),
            "nests deeper",
        ),
        (
            format!("SELECT {}1{}", "abs(".repeat(2_000), ")".repeat(2_000)),
            "nests deeper",
        ),
        (chain(2_000, "", "[0]"), "operators in a row"),
        (format!("SELECT 1 IN ({}1)", "1,".repeat(6_000)), "IN list"),
        (
            format!("SELECT 1 IN ({}1)", "1,".repeat(1_000_000)),
            "bytes",
        ),
        (chain(500, " UNION ALL SELECT ", "1"), "set operations"),
        (
            format!("SELECT 1 FROM {}", vec!["spans"; 500].join(" CROSS JOIN ")),
            "set operations",
        ),
        (
            format!("SELECT 1 FROM {}", vec!["spans"; 500].join(",")),
            "tables",
        ),
        (
            format!(
                "SELECT regexp_like(name, '{}') FROM spans",
                "a".repeat(2_000)
            ),
            "regular expression",
        ),
        (
            format!("SELECT name ~ '{}' FROM spans", "a".repeat(2_000)),
            "regular expression",
        ),
    ]
}

#[test]
fn size_limits_hold_before_planning() {
    on_deep_stack(|| {
        for (text, part) in past_the_limits() {
            let message = message(&text);
            let start: String = text.chars().take(40).collect();
            assert!(message.contains(part), "{start}: {message}");
            assert!(message.chars().count() < 520);
        }
        // Chains inside chains: each is short enough, their sum is not.
        let mut nested = "1".to_string();
        for _ in 0..20 {
            nested = format!("({nested}{})", "+1".repeat(400));
        }
        assert!(
            message(&format!("SELECT {nested}")).contains("deeper"),
            "nested chains"
        );
        // Within the limits.
        for text in [
            chain(400, " OR ", "a=1"),
            chain(450, "+", "1"),
            format!("SELECT {}1{}", "(".repeat(50), ")".repeat(50)),
        ] {
            parse(&text).unwrap();
        }
        parse(&format!("SELECT 1 IN ({}1)", "1,".repeat(4_000))).unwrap();
    });
}

#[test]
fn words_that_can_be_read_in_two_ways_are_not_tried_forever() {
    on_deep_stack(|| {
        for row in [
            "INTERVAL ".repeat(60),
            "INTERVAL ".repeat(60) + ")",
            "CAST(".repeat(60) + "1",
        ] {
            let message = message(&format!("SELECT {row}"));
            assert!(message.contains("too many ways"), "{message}");
        }
        let nested =
            |open: &str, close: &str| format!("SELECT {}1{}", open.repeat(50), close.repeat(50));
        for (open, close) in [
            ("CAST(", " AS BIGINT)"),
            ("abs(", ")"),
            ("(", ")"),
            ("CASE WHEN 1 = ", " THEN 1 END"),
        ] {
            parse(&nested(open, close)).unwrap();
        }
    });
    parse("SELECT INTERVAL '1 day', INTERVAL '2 hours'").unwrap();
}

#[test]
fn long_statements_are_not_echoed() {
    let text = format!("SELECT 1 FROM spans WHERE ' {}", "x".repeat(10_000));
    assert!(message(&text).chars().count() <= 300);
    let text = format!("SELECT 1 {}", "x ".repeat(5_000));
    assert!(message(&text).chars().count() <= 300);
}

#[test]
fn what_the_planner_copies_nests_to_a_depth() {
    on_deep_stack(|| {
        for (open, close) in [
            ("coalesce(", ", 1)"),
            ("ROW(", ")"),
            ("MAP {'a': ", "}"),
            ("count(*) FILTER (WHERE 1 = ", ")"),
            ("matches(text, ", ")"),
        ] {
            let nested =
                |times: usize| format!("SELECT {}1{}", open.repeat(times), close.repeat(times));
            parse(&nested(12)).unwrap();
            assert!(
                message(&nested(14)).contains("nests more than 12"),
                "{open}"
            );
        }
        parse(&format!(
            "SELECT {}1{}",
            "coalesce(name, ".repeat(60),
            ")".repeat(60)
        ))
        .unwrap();
    });
}
