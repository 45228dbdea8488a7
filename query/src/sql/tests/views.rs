//! Temporary views of a session, `SUMMARIZE`, `TABLE t` as a query, and names of types.

use super::*;

/// A context whose statements share views.
fn session() -> SqlContext {
    let mut context = context();
    context.views = Some(SessionViews::default());
    context
}

/// The statement is a mistake, and `part` is in what is said of it.
fn assert_refused(context: &SqlContext, statement: &str, part: &str) {
    let error = failure(context, statement);
    assert!(error.message().contains(part), "{statement}: {error}");
    assert_eq!(
        error.kind(),
        ErrorKind::InvalidInput,
        "{statement}: {error}"
    );
}

#[test]
fn a_table_is_a_query() {
    let context = context();
    assert_eq!(
        rows(&context, "TABLE traces ORDER BY trace_id LIMIT 1").len(),
        1
    );
    assert_eq!(rows(&context, "SELECT count(*) FROM (TABLE spans)"), ["9"]);
    assert_eq!(rows(&context, "WITH x AS (TABLE spans) TABLE x").len(), 9);
    assert_eq!(
        rows(&context, "TABLE \"tags\" UNION ALL TABLE tags").len(),
        6
    );
    assert!(
        failure(&context, "TABLE")
            .message()
            .contains("syntax error")
    );
    assert!(
        failure(&context, "TABLE trace")
            .message()
            .contains("did you mean 'traces'")
    );
}

#[test]
fn views_are_tables_of_their_session_alone() {
    let context = session();
    for statement in [
        "CREATE VIEW failed AS SELECT trace_id, session_id FROM traces WHERE state = 'ERROR'",
        "create or replace temp view Twice as\n  table failed union all table failed;",
        "CREATE VIEW IF NOT EXISTS failed AS SELECT 1",
        "CREATE TEMPORARY VIEW hits AS SELECT * FROM search_text('x', 2)",
    ] {
        let (schema, batches) = run_sql(&context, statement).unwrap();
        assert!(
            schema.fields().is_empty() && batches.is_empty(),
            "{statement}"
        );
    }
    assert_eq!(
        rows(&context, "SELECT count(*), max(session_id) FROM twice"),
        ["2|s1"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM hits JOIN spans USING (span_id)"
        ),
        ["2"]
    );
    // A name that a statement gives comes first, and the view behind it is as it was.
    assert_eq!(
        rows(
            &context,
            "WITH failed AS (SELECT 1 AS a) SELECT a FROM failed, twice"
        ),
        ["1", "1"]
    );
    assert_eq!(rows(&context, "DESCRIBE twice").len(), 2);
    let listed = "SELECT table_name FROM information_schema.tables WHERE table_name IN ('failed', 'twice') ORDER BY 1";
    assert_eq!(rows(&context, listed), ["failed", "twice"]);
    // Another query under the name, which the other view reads as well.
    rows(
        &context,
        "CREATE OR REPLACE VIEW failed AS SELECT 'all' AS trace_id, session_id FROM traces",
    );
    assert_eq!(
        rows(&context, "SELECT count(*), min(trace_id) FROM twice"),
        ["6|all"]
    );
    rows(&context, "DROP VIEW twice");
    rows(&context, "DROP VIEW IF EXISTS twice");
    rows(&context, "DROP VIEW failed;");
    assert!(
        failure(&context, "SELECT * FROM failed")
            .message()
            .contains("no table named 'failed'")
    );
    let refused = failure(&self::context(), "CREATE VIEW v AS SELECT 1");
    assert!(refused.message().contains("read-only"), "{refused}");
}

#[test]
fn a_view_is_refused_what_a_statement_is() {
    let context = session();
    rows(&context, "CREATE VIEW a AS SELECT trace_id FROM traces");
    rows(&context, "CREATE VIEW b AS SELECT * FROM a");
    for (statement, part) in [
        ("CREATE VIEW a AS SELECT 1", "CREATE OR REPLACE VIEW"),
        (
            "CREATE VIEW spans AS SELECT 1",
            "'spans' is a table of the database",
        ),
        (
            "CREATE VIEW sessions AS SELECT 1",
            "'sessions' is a table of the database",
        ),
        ("CREATE VIEW x.y AS SELECT 1", "without a schema"),
        ("CREATE VIEW v (c) AS SELECT 1", "AS and a query expected"),
        ("CREATE VIEW v AS", "empty"),
        ("CREATE VIEW v AS SELECT 1; SELECT 2", "only one statement"),
        ("CREATE VIEW v AS DELETE FROM spans", "not DELETE"),
        ("CREATE VIEW v AS SHOW TABLES", "is no query"),
        (
            "CREATE VIEW v AS SELECT * FROM '/etc/passwd'",
            "files and addresses",
        ),
        ("CREATE VIEW v AS SELECT * INTO x FROM spans", "INTO"),
        ("CREATE VIEW v AS SELECT nope FROM spans", "nope"),
        ("CREATE VIEW v AS SELECT $x", "$x"),
        (
            "CREATE VIEW v AS SELECT * FROM v",
            "the view 'v' reads itself",
        ),
        (
            "CREATE OR REPLACE VIEW a AS SELECT * FROM b",
            "the view 'a' reads itself",
        ),
        (
            "CREATE OR REPLACE VIEW a AS SELECT 1 AS other FROM spans WHERE nope",
            "nope",
        ),
        (
            "CREATE TABLE t AS SELECT 1",
            "views, temporary tables and nothing else, not TABLE",
        ),
        (
            "CREATE TEMP SEQUENCE s",
            "views, temporary tables and nothing else, not SEQUENCE",
        ),
        ("DROP TABLE spans", "no temporary table 'spans'"),
        ("DROP VIEW a", "view 'b'"),
        ("DROP VIEW c", "no view 'c'"),
        ("DROP VIEW spans", "no view 'spans'"),
        ("DROP VIEW b CASCADE", "unexpected 'CASCADE'"),
        ("SELECT * FROM bb", "did you mean 'b'"),
        ("INSERT INTO a VALUES (1)", "read-only"),
    ] {
        assert_refused(&context, statement, part);
    }
    assert_eq!(rows(&context, "SELECT count(*) FROM b"), ["3"]);
}

/// Mistakes while there are the tables `failed` and `copied` and the view `twice`, and what is said of them.
const MISTAKES: &[(&str, &str)] = &[
    (
        "CREATE TEMP TABLE copied AS SELECT 1",
        "CREATE OR REPLACE TEMP TABLE",
    ),
    (
        "CREATE OR REPLACE TEMP TABLE twice AS SELECT 1",
        "'twice' is a view of this session: DROP VIEW",
    ),
    (
        "CREATE OR REPLACE VIEW copied AS SELECT 1",
        "is a temporary table of this session: DROP TABLE",
    ),
    (
        "CREATE TEMP TABLE spans AS SELECT 1",
        "'spans' is a table of the database",
    ),
    ("CREATE TEMP TABLE t (a INT)", "AS and a query expected"),
    ("CREATE TEMP TABLE t AS DELETE FROM spans", "not DELETE"),
    (
        "CREATE TEMP TABLE t AS SHOW TABLES",
        "CREATE TEMP TABLE t: no query",
    ),
    (
        "CREATE TEMP TABLE t AS SELECT nope FROM spans",
        "CREATE TEMP TABLE t: no column named 'nope'",
    ),
    (
        "CREATE TEMP TABLE t AS SELECT * FROM t",
        "no table named 't'",
    ),
    (
        "CREATE OR REPLACE TEMP TABLE failed AS SELECT 1 AS a",
        "view 'twice'",
    ),
    ("DROP TABLE failed", "view 'twice'"),
    (
        "DROP VIEW copied",
        "'copied' is a temporary table of this session: DROP TABLE",
    ),
    (
        "DROP TABLE twice",
        "'twice' is a view of this session: DROP VIEW",
    ),
    ("DROP TABLE nothing", "no temporary table 'nothing'"),
    ("INSERT INTO copied VALUES (1)", "read-only"),
];

#[test]
fn temporary_tables_keep_their_rows() {
    let context = session();
    let query = SqlQuery {
        statement: "CREATE TEMP TABLE Failed AS SELECT trace_id, session_id, now() AS made FROM traces WHERE state = $state".into(),
        parameters: vec![("state".into(), SqlValue::Text("ERROR".into()))],
        ..SqlQuery::default()
    };
    let (schema, batches) = run_sql(&context, query).unwrap();
    assert!(schema.fields().is_empty() && batches.is_empty());
    assert_eq!(
        rows(
            &context,
            "SELECT count(*), count(DISTINCT session_id) FROM failed"
        ),
        ["1|1"]
    );
    assert_eq!(
        rows(&context, "SELECT made FROM failed"),
        rows(&context, "SELECT made FROM failed")
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM failed JOIN spans USING (trace_id)"
        )
        .len(),
        1
    );
    assert_eq!(rows(&context, "DESCRIBE failed").len(), 3);
    let listed = "SELECT table_name FROM information_schema.tables WHERE table_name = 'failed'";
    assert_eq!(rows(&context, listed), ["failed"]);
    rows(
        &context,
        "CREATE TEMPORARY TABLE IF NOT EXISTS failed AS SELECT 1 AS other",
    );
    // Rows outlive what they were made of, and views read them like any table.
    rows(
        &context,
        "CREATE VIEW twice AS SELECT trace_id FROM failed UNION ALL SELECT trace_id FROM failed",
    );
    rows(&context, "CREATE TEMP TABLE copied AS SELECT * FROM twice;");
    rows(
        &context,
        "CREATE OR REPLACE TEMP TABLE failed AS SELECT 'a' AS trace_id WHERE false",
    );
    assert_eq!(
        rows(
            &context,
            "SELECT (SELECT count(*) FROM copied) AS a, (SELECT count(*) FROM twice) AS b"
        ),
        ["2|0"]
    );
    assert_eq!(rows(&context, "SELECT count(*) FROM failed"), ["0"]);
    for &(statement, part) in MISTAKES {
        assert_refused(&context, statement, part);
    }
    rows(&context, "DROP VIEW twice");
    rows(&context, "DROP TABLE failed;");
    rows(&context, "DROP TABLE IF EXISTS failed");
    assert!(
        failure(&context, "SELECT * FROM failed")
            .message()
            .contains("no table named 'failed'")
    );
    let refused = failure(&self::context(), "CREATE TEMP TABLE t AS SELECT 1");
    assert!(refused.message().contains("read-only"), "{refused}");
}

#[test]
fn temporary_tables_take_memory_of_queries_until_they_are_dropped() {
    let mut context = context_with(SqlSettings {
        memory_bytes_max: 4 << 20,
        target_partitions: 2,
        ..SqlSettings::default()
    });
    context.views = Some(SessionViews::default());
    let made = |name: &str, rows: u32| {
        let query =
            format!("SELECT value, CAST(value AS VARCHAR) AS a FROM generate_series(1, {rows})");
        run_sql(
            &context,
            format!("CREATE TEMP TABLE {name} AS {query}").as_str(),
        )
    };
    let error = made("big", 1_000_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert!(
        error.message().starts_with("CREATE TEMP TABLE big: "),
        "{error}"
    );
    // Nothing of it is kept, and what is kept leaves less for others.
    made("small", 40_000).unwrap();
    let more = (0..20)
        .map(|n| made(&format!("t{n}"), 40_000))
        .take_while(Result::is_ok)
        .count();
    assert!(more < 20, "tables without end");
    assert_eq!(rows(&context, "SELECT count(*) FROM small"), ["40000"]);
    rows(&context, "DROP TABLE small");
    made("again", 40_000).unwrap();
    assert_eq!(rows(&context, "SELECT max(value) FROM again"), ["40000"]);
}

#[test]
fn limits_hold_for_a_statement_with_its_views_written_out() {
    let context = session();
    // Each of them is small, and doubles what is before it.
    rows(&context, "CREATE VIEW v0 AS SELECT 1 AS a");
    let mut refused = None;
    for number in 1..40 {
        let before = number - 1;
        let statement = format!(
            "CREATE VIEW v{number} AS SELECT x.a FROM v{before} x JOIN v{before} y ON x.a = y.a"
        );
        if let Err(error) = run_sql(&context, statement.as_str()) {
            refused = Some((number, error));
            break;
        }
    }
    let (number, error) = refused.expect("views of any size");
    assert!(
        number < 9 && error.kind() == ErrorKind::InvalidInput,
        "{number}: {error}"
    );
    assert!(
        error.message().contains("at most") || error.message().contains("deeper"),
        "{error}"
    );
    let context = session();
    let text = format!("CREATE VIEW long AS SELECT '{}' AS a", "x".repeat(200_000));
    rows(&context, &text);
    let error = failure(&context, "SELECT 1 FROM long, long AS other");
    assert!(error.message().contains("bytes"), "{error}");
}

#[test]
fn a_summary_has_a_row_for_each_column() {
    let context = context();
    let table =
        "(VALUES (1, 'b', NULL), (2, 'a', NULL), (3, NULL, NULL), (NULL, 'a', NULL)) AS t(n, s, x)";
    let summary = rows(&context, &format!("SUMMARIZE SELECT n, s, x FROM {table}"));
    let numbers: Vec<&str> = summary[0].split('|').collect();
    assert_eq!(numbers[..7], ["n", "BIGINT", "1", "3", "3", "2.0", "1.0"]);
    let quartiles: Vec<f64> = numbers[7..10]
        .iter()
        .map(|quartile| quartile.parse().unwrap())
        .collect();
    assert!(
        quartiles[1] == 2.0 && quartiles.is_sorted() && quartiles[0] >= 1.0 && quartiles[2] <= 3.0,
        "{quartiles:?}"
    );
    assert_eq!(numbers[10..], ["4", "25.0"]);
    assert_eq!(
        summary[1],
        "s|VARCHAR|a|b|2|NULL|NULL|NULL|NULL|NULL|4|25.0"
    );
    assert_eq!(
        summary[2],
        "x|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|4|100.0"
    );
    let (schema, _) = run_sql(&context, "SUMMARIZE traces").unwrap();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(
        names,
        [
            "column_name",
            "column_type",
            "min",
            "max",
            "approx_unique",
            "avg",
            "std",
            "q25",
            "q50",
            "q75",
            "count",
            "null_percentage"
        ]
    );
}

#[test]
fn every_table_and_query_has_a_summary() {
    let context = context();
    // Every column of every table, whatever its type.
    for table in [
        "traces",
        "spans",
        "assessments",
        "sessions",
        "messages",
        "events",
    ] {
        let described = rows(&context, &format!("DESCRIBE {table}")).len();
        assert_eq!(
            rows(&context, &format!("summarize {table};")).len(),
            described,
            "{table}"
        );
    }
    // Asked again, it is no kept plan of something else.
    assert_eq!(
        rows(&context, "SUMMARIZE spans"),
        rows(&context, "SUMMARIZE spans")
    );
    let none = rows(
        &context,
        "SUMMARIZE SELECT name, duration_ns FROM spans WHERE false",
    );
    assert_eq!(
        none[1],
        "duration_ns|BIGINT|NULL|NULL|0|NULL|NULL|NULL|NULL|NULL|0|NULL"
    );
    let double = rows(
        &context,
        "SUMMARIZE SELECT a.trace_id, b.trace_id FROM traces a, traces b",
    );
    assert_eq!(double.len(), 2, "{double:?}");
    for (wrong, part) in [
        ("SUMMARIZE", "a table or a query expected"),
        ("SUMMARIZE nope", "no table named 'nope'"),
        ("SUMMARIZE SHOW TABLES", "no table named 'show'"),
        ("EXPLAIN SUMMARIZE spans", "syntax error"),
        (
            "SUMMARIZE SELECT * FROM '/etc/passwd'",
            "files and addresses",
        ),
    ] {
        let error = failure(&context, wrong);
        assert!(error.message().contains(part), "{wrong}: {error}");
    }
}

#[test]
fn types_have_the_names_that_sql_gives_them() {
    let context = context();
    let described = |of: &str| -> Vec<String> {
        let rows = rows(&context, &format!("DESCRIBE {of}"));
        rows.iter()
            .map(|row| row.rsplit_once('|').unwrap().0.to_string())
            .collect()
    };
    let spans = described("spans");
    for line in [
        "trace_id|VARCHAR",
        "start_time|TIMESTAMP",
        "duration_ns|BIGINT",
        "cost_usd|DOUBLE",
        "events|STRUCT(time TIMESTAMP, name VARCHAR, attributes VARCHAR)[]",
    ] {
        assert!(
            spans.iter().any(|found| found == line),
            "{line}: {spans:#?}"
        );
    }
    assert_eq!(
        described("SELECT tags, models, attributes -> 'a' AS j FROM traces, spans"),
        ["tags|MAP(VARCHAR, VARCHAR)", "models|VARCHAR[]", "j|JSON"]
    );
    // No other list of columns has others.
    for table in ["spans", "traces", "messages"] {
        let shown = rows(&context, &format!("SHOW COLUMNS FROM {table}"));
        let shown: Vec<String> = shown
            .iter()
            .map(|row| row.split('|').skip(3).take(2).collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(shown, described(table), "{table}");
    }
    let catalogue =
        "SELECT DISTINCT data_type FROM information_schema.columns WHERE table_schema = 'public'";
    for name in rows(&context, catalogue) {
        assert!(!name.contains("Utf8") && !name.contains("Int"), "{name}");
    }
}
