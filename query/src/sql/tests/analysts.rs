//! What analysts type as they do in DuckDB: JSON paths, its functions, lists as tables, parameters, tables of their own,
//! plans to read, and errors that say what would be right. Expected values are DuckDB's.

use super::*;
use crate::sql::SqlTable;

/// The one row of a statement without a table.
fn value(expressions: &str) -> String {
    rows(&context(), &format!("SELECT {expressions}")).join("\n")
}

#[test]
fn json_paths_are_followed() {
    let json = r#"'{"a":[1,{"b":2}],"k.d":7,"$x":5,"s":"t"}'"#;
    let at = |path: &str| value(&format!("{json} ->> '{path}'"));
    assert_eq!(at("$.a[1].b"), "2");
    assert_eq!(at("$.a[-2]"), "1");
    assert_eq!(at("$.\"k.d\""), "7");
    assert_eq!(at("$.\"$x\""), "5");
    assert_eq!(at("k.d"), "7");
    for absent in ["$.b", "$.a[9]", "$.a.b", "$[0]", "$.s.t"] {
        assert_eq!(at(absent), "NULL", "{absent}");
    }
    assert_eq!(
        value("'[1,2,3]' -> '$[#-1]', '{\"a\":1}' ->> '$', CAST(NULL AS VARCHAR) ->> '$.a'"),
        "3|{\"a\":1}|NULL"
    );
    assert_eq!(
        value("json_extract('{\"a\":{\"b\":[1,\"x\"]}}', '$.a.b') -> 1"),
        "\"x\""
    );
    assert_eq!(
        value("json_extract_string('{\"a\":\"x\"}', 'a') || 'y'"),
        "xy"
    );
    let found = "SELECT count(*) FROM spans WHERE attributes ->> '$.n' = '1' OR attributes ->> '$.n' <> '1'";
    let plain = "SELECT count(*) FROM spans WHERE attributes ->> 'n' IS NOT NULL";
    assert_eq!(rows(&context(), found), rows(&context(), plain));
    for (path, part) in [("$x", "'x'"), ("$.*", "'.*'"), ("$.a[*]", "'[*]'")] {
        let error = failure(
            &context(),
            &format!("SELECT attributes -> '{path}' FROM spans"),
        );
        assert!(error.message().contains(part), "{error}");
    }
}

#[test]
fn functions_of_duckdb_say_what_it_says() {
    let table = "FROM (VALUES (1, NULL), (NULL, 5), (2, 3), (2, 9)) AS t(x, y)";
    let of = |expressions: &str| value(&format!("{expressions} {table}"));
    assert_eq!(
        of("arg_max(x, y), arg_min(x, y), max_by(x, y), min_by(y, x)"),
        "2|2|2|3"
    );
    assert_eq!(
        of("mode(x), count_if(x > 1), count_if(y IS NULL) FILTER (WHERE x = 1)"),
        "2|2|1"
    );
    assert_eq!(
        of("quantile(x, 0.26), quantile_disc(x, 1), quantile(DISTINCT x, 0.5)"),
        "1|2|1"
    );
    let none = "SELECT arg_max(x, y), mode(x), quantile(x, 0.5), count_if(true) FROM (VALUES (1, 2)) AS t(x, y) WHERE false";
    assert_eq!(rows(&context(), none), ["NULL|NULL|NULL|NULL"]);
    let texts =
        "SELECT mode(x), quantile(x, 0.5), arg_min(x, x) FROM (VALUES ('b'), ('a'), ('b')) AS t(x)";
    assert_eq!(rows(&context(), texts), ["b|b|a"]);
    for wrong in ["quantile(x, 1.5)", "quantile(x, y)"] {
        assert!(
            failure(&context(), &format!("SELECT {wrong} {table}"))
                .message()
                .contains("from 0 to 1")
        );
    }
    let extracted = "regexp_extract('abc', 'x'), regexp_extract('abc', '(b)(c)', 2), regexp_extract('abc', '(b)', 3), \
                     regexp_extract(NULL, 'b'), regexp_extract('abc', NULL), regexp_extract('aBc', 'b', 0, 'i'), \
                     regexp_extract('abc', 'b', NULL)";
    assert_eq!(value(extracted), "|c||NULL|NULL|B|");
    assert_eq!(
        value("regexp_matches('abc', 'b'), list_contains([1, NULL], 3), list_contains(NULL, 3)"),
        "true|false|NULL"
    );
}

#[test]
fn times_are_cut_and_written_as_duckdb_does() {
    let bucket = |rest: &str| value(&format!("time_bucket({rest})"));
    let time = "TIMESTAMP '2024-05-15 12:00:00'";
    assert_eq!(
        bucket(&format!("INTERVAL '7 days', {time}")),
        "2024-05-13T00:00:00"
    );
    assert_eq!(
        bucket(&format!("INTERVAL '1 month', {time}")),
        "2024-05-01T00:00:00"
    );
    assert_eq!(
        bucket(&format!("INTERVAL '1 day', {time}, INTERVAL '6 hours'")),
        "2024-05-15T06:00:00"
    );
    assert_eq!(
        bucket(&format!(
            "INTERVAL '7 days', {time}, TIMESTAMP '2024-01-02'"
        )),
        "2024-05-14T00:00:00"
    );
    assert_eq!(
        bucket("INTERVAL '5 hours', TIMESTAMP '1969-05-15 12:00:00'"),
        "1969-05-15T10:00:00"
    );
    assert_eq!(bucket("INTERVAL '1 hour', NULL::TIMESTAMP"), "NULL");
    let time = "TIMESTAMP '2024-05-05 03:04:05.678901'";
    assert_eq!(
        value(&format!(
            "strftime({time}, '%a %c %-d %f %g %n %j %p %z %%')"
        )),
        "Sun 2024-05-05 03:04:05 5 678901 678 678901000 126 AM +00 %"
    );
    assert_eq!(
        value(&format!(
            "strftime('%x', {time}), strftime(NULL::TIMESTAMP, '%Y')"
        )),
        "2024-05-05|NULL"
    );
    assert!(
        failure(&context(), &format!("SELECT strftime({time}, '%q')"))
            .message()
            .contains("%q")
    );
}

#[test]
fn aggregates_of_groups_are_those_of_their_parts() {
    let statement = |values: &str| {
        format!(
            "SELECT x % 7, mode(x % 3), quantile(x, 0.3), arg_max(y, x), arg_min(y, x) FROM \
             (SELECT value AS x, 'v' || value AS y FROM {values}) GROUP BY 1 ORDER BY 1"
        )
    };
    let many = rows(&context(), &statement("generate_series(0, 20000)"));
    assert_eq!(many.len(), 7);
    assert_eq!(many[0], "0|0|5999|v19999|v0");
    let one = context_with(SqlSettings {
        target_partitions: 1,
        ..SqlSettings::default()
    });
    assert_eq!(rows(&one, &statement("range(20001)")), many);
}

#[test]
fn a_list_of_a_row_is_a_table_beside_it() {
    let context = context();
    let below = "SELECT trace_id, e['name'] FROM (SELECT trace_id, unnest(events) AS e FROM spans) ORDER BY 1, 2";
    for from in [
        "spans s CROSS JOIN unnest(s.events) AS t(e)",
        "spans s, unnest(s.events) AS t(e)",
        "spans AS s JOIN unnest(events) AS t(e) ON true",
    ] {
        let statement = format!("SELECT s.trace_id, e.name FROM {from} ORDER BY 1, t.e.name");
        assert_eq!(rows(&context, &statement), rows(&context, below), "{from}");
    }
    let listed = "SELECT count(*) FROM traces t JOIN spans s ON s.trace_id = t.trace_id CROSS JOIN unnest(map_keys(t.tags)) AS k";
    let counted = "SELECT sum(cardinality(map_keys(t.tags))) FROM traces t JOIN spans s ON s.trace_id = t.trace_id";
    assert_eq!(rows(&context, listed), rows(&context, counted));
    let (schema, _) = run_sql(
        &context,
        "SELECT t.*, s.* FROM (SELECT 1 AS a, [2] AS b) AS s, unnest(s.b) AS t(e)",
    )
    .unwrap();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["e", "a", "b"]);
    assert_eq!(
        rows(&context, "SELECT * FROM unnest([1, 2]) AS t(e)"),
        ["1", "2"]
    );
    let mut table = rows(&context, "TABLE traces");
    table.sort();
    let mut selected = rows(&context, "SELECT * FROM traces");
    selected.sort();
    assert_eq!(table, selected);
}

#[test]
fn parameters_that_are_missing_or_unknown_are_named() {
    let context = context();
    let run = |statement: &str, names: &[(&str, SqlValue)]| {
        let parameters = names
            .iter()
            .map(|(name, value)| ((*name).to_string(), value.clone()))
            .collect();
        run_sql(
            &context,
            SqlQuery {
                parameters,
                ..SqlQuery::from(statement)
            },
        )
    };
    let message = |statement: &str, names: &[(&str, SqlValue)]| {
        run(statement, names).unwrap_err().message().to_string()
    };
    let one = SqlValue::Int(1);
    assert_eq!(
        message("SELECT $a, $b", &[("a", one.clone())]),
        "no value for parameter $b"
    );
    assert_eq!(
        message("SELECT $a", &[("a", one.clone()), ("z", one.clone())]),
        "the statement has no parameter $z"
    );
    assert!(message("SELECT $a", &[("a", one.clone()), ("a", one.clone())]).contains("two values"));
    let long = SqlValue::Text("x".repeat(5000));
    assert!(message("SELECT name ~ $p FROM spans", &[("p", long)]).contains("regular expression"));
    let (_, batches) = run(
        "SELECT attributes ->> $p FROM spans LIMIT $n",
        &[("p", SqlValue::Text("$.n".into())), ("n", one)],
    )
    .unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    for value in [
        SqlValue::Float(f64::INFINITY),
        SqlValue::Float(-1e300),
        SqlValue::Null,
        SqlValue::Boolean(true),
    ] {
        run("SELECT $v AS v", &[("v", value)]).unwrap();
    }
}

#[test]
fn a_statement_has_tables_of_its_own() {
    let context = context();
    let (schema, batches) = run_sql(
        &context,
        "SELECT trace_id, 'good' AS label FROM traces LIMIT 1",
    )
    .unwrap();
    let with = |name: &str, statement: &str| {
        let table = SqlTable {
            schema: schema.clone(),
            batches: batches.clone(),
        };
        run_sql(
            &context,
            SqlQuery {
                tables: vec![(name.to_string(), table)],
                ..SqlQuery::from(statement)
            },
        )
    };
    let (_, joined) = with(
        "Labels",
        "SELECT t.trace_id, label FROM traces t JOIN labels USING (trace_id)",
    )
    .unwrap();
    assert_eq!(joined.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    for name in ["spans", "SESSIONS", "information_schema"] {
        assert!(
            with(name, "SELECT 1")
                .unwrap_err()
                .message()
                .contains("table of the database"),
            "{name}"
        );
    }
    assert!(
        with("a/b", "SELECT 1")
            .unwrap_err()
            .message()
            .contains("no name")
    );
    // Neither the table nor the plan stays.
    assert!(
        failure(&context, "SELECT * FROM labels")
            .message()
            .contains("no table named 'labels'")
    );
}

#[test]
fn a_plan_is_a_tree_of_lines() {
    let context = context();
    let (schema, batches) = run_sql(
        &context,
        "EXPLAIN SELECT name FROM spans WHERE trace_id = 'x' LIMIT 1",
    )
    .unwrap();
    assert!(schema.metadata().contains_key(crate::sql::EXPLAINED));
    let plans = batches[0].column(1).as_string::<i32>();
    assert!(plans.iter().flatten().all(|line| !line.contains('\n')));
    assert!(
        plans.value(0).starts_with("ScanExec") || plans.value(1).starts_with("  "),
        "{plans:?}"
    );
    let plan = |statement: &str| rows(&context, statement).join("\n");
    assert!(
        plan("EXPLAIN SELECT name FROM spans WHERE trace_id = 'x'")
            .contains("access=trace id index, rows=0 of 9")
    );
    assert!(plan("EXPLAIN SELECT name FROM spans").contains("access=full scan, rows=9 of 9"));
    assert!(
        plan("EXPLAIN SELECT name FROM spans WHERE start_time > '2020-01-01'")
            .contains("access=scan with zones")
    );
    let analyzed = plan("EXPLAIN ANALYZE SELECT name FROM spans");
    assert!(
        analyzed.contains("output_rows=9") && analyzed.contains("elapsed_compute="),
        "{analyzed}"
    );
    assert!(
        !analyzed.contains('\n')
            || analyzed
                .lines()
                .all(|line| line.starts_with("Plan with Metrics|")),
        "{analyzed}"
    );
}

#[test]
fn every_function_is_listed() {
    let context = context();
    let kinds = "SELECT function_name, function_type FROM functions() WHERE function_name IN \
                 ('lower', 'sum', 'rank', 'strftime', 'count_if', 'json_get') ORDER BY 1";
    let expected = [
        "count_if|AGGREGATE",
        "json_get|SCALAR",
        "lower|SCALAR",
        "rank|WINDOW",
    ];
    assert_eq!(rows(&context, kinds).get(..4).unwrap(), expected);
    assert_eq!(
        rows(&context, kinds).get(4..).unwrap(),
        ["strftime|SCALAR", "sum|AGGREGATE"]
    );
    let listed = rows(&context, "SHOW FUNCTIONS LIKE 'json_extract%'");
    assert_eq!(listed.len(), 4, "{listed:?}");
    assert_eq!(
        listed.first().unwrap(),
        "json_extract|SCALAR|json_extract(json, '$.path')|NULL"
    );
    assert!(rows(&context, "SHOW FUNCTIONS;").len() > 200);
    // What is listed can be planned: a wrong number of arguments is another error than an unknown name.
    for name in rows(
        &context,
        "SELECT function_name FROM functions() WHERE function_type = 'SCALAR'",
    ) {
        if let Err(error) = run_sql(&context, format!("SELECT {name}()").as_str()) {
            assert!(
                !error.message().contains("invalid function"),
                "{name}: {error}"
            );
        }
    }
}

#[test]
fn errors_say_what_would_be_right() {
    let context = context();
    let cases = [
        ("SELECT spans.name FROM spans s", "is called 's' here"),
        ("SELECT * FROM span", "did you mean 'spans'?"),
        ("SELECT * FROM nothing", "SHOW TABLES"),
        ("SELECT lowr(name) FROM spans", "did you mean 'lower'?"),
        ("SELECT frobnicate(name) FROM spans", "SHOW FUNCTIONS"),
        (
            "SELECT strftme(start_time, '%Y') FROM spans",
            "did you mean 'strftime'?",
        ),
        (
            "SELECT json_extrct(attributes, '$.a') FROM spans",
            "did you mean 'json_extract'?",
        ),
        ("SELECT attributes['a'] FROM spans", "attributes ->> 'key'"),
        ("SELECT avg(cost) FROM traces", "did you mean 'cost_usd'?"),
        ("SELECT * FROM 'labels.csv'", "--file NAME=PATH"),
        ("SELECT count(* FROM spans", "found: FROM"),
        ("SELECT (name FROM spans WHERE (name = 'x'", "found"),
        ("SELECT lower(name", "found: the end of the statement"),
        ("COPY spans TO 'x'", "--output"),
        ("CREATE VIEW v AS SELECT 1", "WITH v AS"),
        ("SET x = 1", "settings()"),
        ("PRAGMA x", "settings()"),
        ("ATTACH 'x'", "--file"),
        ("INSERT INTO spans VALUES (1)", "tracehouse import"),
    ];
    for (statement, part) in cases {
        let error = failure(&context, statement);
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidInput,
            "{statement}: {error}"
        );
        assert!(error.message().contains(part), "{statement}: {error}");
    }
    let far = failure(&context, "SELECT quux FROM spans");
    assert_eq!(far.message(), "no column named 'quux'");
}
