//! Faults of the planner that would change an answer, and forms of statements that it refuses.

use super::*;

#[test]
fn conditions_without_columns_are_asked_of_groups() {
    let context = context();
    for statement in [
        "SELECT n FROM (SELECT max(name) AS m, 1 AS n FROM spans) WHERE n = 2",
        "SELECT n FROM (SELECT max(name) AS m, 1 AS n FROM spans) WHERE m > '' AND n = 2",
        "SELECT n FROM (SELECT count(*) AS c, NULL AS n FROM spans) WHERE n LIKE '%a%'",
        "SELECT n FROM (SELECT name, 1 AS n FROM spans GROUP BY ROLLUP (name)) WHERE n = 2",
        "SELECT n FROM (SELECT name, 1 AS n FROM spans GROUP BY CUBE (name, model)) WHERE n = 2",
        "SELECT n FROM (SELECT name, 1 AS n FROM spans GROUP BY GROUPING SETS ((name), ())) WHERE n = 2",
        "SELECT name FROM spans GROUP BY ROLLUP (name) HAVING NOT EXISTS (SELECT 1 FROM traces)",
        "SELECT count(*) FROM spans HAVING (SELECT false)",
        "SELECT n FROM (SELECT 'a' AS n, CAST(NULL AS VARCHAR) AS m FROM spans HAVING NULL) WHERE m <= m",
        "SELECT 1 FROM (SELECT 1 AS n FROM spans HAVING true) WHERE n <> n",
        "SELECT 1 FROM (SELECT 1 AS n FROM spans GROUP BY ROLLUP (name) HAVING (SELECT 'a') LIKE '_ b') WHERE n <> n",
        "SELECT 1 FROM (SELECT count(*) AS c, 5 AS n FROM spans) CROSS JOIN traces t WHERE t.name > n::varchar AND n > 7",
    ] {
        assert_eq!(
            rows(&context, statement),
            Vec::<String>::new(),
            "{statement}"
        );
    }
    let kept = "SELECT c FROM (SELECT count(*) AS c, 1 AS n FROM spans) WHERE n = 1 AND c > 8";
    assert_eq!(rows(&context, kept), ["9"]);
}

#[test]
fn keys_that_are_constant_in_parts_of_a_union_count() {
    let context = context();
    let union = "SELECT cost_usd AS a, 0 AS b, NULL AS c FROM traces \
                 UNION ALL SELECT NULL, 1, -0.25 FROM spans";
    let first = format!("SELECT b FROM ({union}) ORDER BY a DESC NULLS FIRST, c, b LIMIT 2");
    assert_eq!(rows(&context, &first), ["1", "1"]);
    let all = "SELECT min(name) AS a, 'a' AS b, count(*) AS n FROM spans GROUP BY model \
               UNION ALL SELECT 'zz', inputs, 1 FROM spans ORDER BY 3 DESC, 2 DESC NULLS FIRST, 1 DESC LIMIT 1";
    assert_eq!(rows(&context, all), ["step 1|a|9"]);
}

#[test]
fn grouping_sets_forget_what_was_known_of_the_rows() {
    let context = context();
    let ones = "(SELECT 1 AS n, name FROM spans)";
    let ordered = format!(
        "SELECT n, name, count(*) AS c FROM {ones} GROUP BY CUBE (n, name) ORDER BY n NULLS FIRST, 2 LIMIT 1"
    );
    assert!(
        rows(&context, &ordered)[0].starts_with("NULL|"),
        "{:?}",
        rows(&context, &ordered)
    );
    let joined = "SELECT a.name AS x, b.name AS y FROM spans a JOIN spans b ON a.name = b.name \
                  GROUP BY CUBE (a.name, b.name) ORDER BY x NULLS FIRST, y NULLS FIRST";
    let found = rows(&context, joined);
    assert_eq!(found[0], "NULL|NULL");
    assert!(
        found
            .windows(2)
            .all(|pair| key_of(&pair[0]) <= key_of(&pair[1])),
        "{found:?}"
    );
    // Each group once, although rows of a set come among those of others: several batches, several partitions.
    for rows_below in [
        "(SELECT 1 AS n, value % 5000 AS name FROM generate_series(1, 60000) AS g(value))",
        "(SELECT a.value AS n, a.value % 500 AS name FROM generate_series(1, 30000) AS a(value) \
          JOIN generate_series(1, 30000) AS b(value) ON a.value = b.value)",
        "(SELECT value / 1000 AS n, value % 5000 AS name FROM generate_series(1, 60000) AS g(value) ORDER BY 1 LIMIT 50000)",
    ] {
        let groups = format!(
            "SELECT n, name, grouping(n) AS g, count(*) AS c FROM {rows_below} GROUP BY CUBE (n, name)"
        );
        let twice = format!(
            "SELECT count(*) FROM (SELECT n, name, g FROM ({groups}) GROUP BY 1, 2, 3 HAVING count(*) > 1)"
        );
        assert_eq!(rows(&context, &twice), ["0"], "{groups}");
    }
}

#[test]
fn parts_of_grouping_sets_may_be_computed() {
    let context = context();
    for (part, groups) in [
        ("round(cost_usd)", "2"),
        ("start_time IS NULL", "2"),
        ("length(name) + 1", "2"),
        ("- length(name)", "2"),
    ] {
        for form in [
            format!("ROLLUP ({part})"),
            format!("CUBE ({part})"),
            format!("GROUPING SETS (({part}), ())"),
        ] {
            let statement = format!(
                "SELECT count(*) FROM (SELECT {part} AS p, count(*) FROM spans GROUP BY {form})"
            );
            assert_eq!(rows(&context, &statement), [groups], "{form}");
        }
    }
}

/// The fields of a row, NULL first.
fn key_of(row: &str) -> Vec<Option<&str>> {
    row.split('|')
        .map(|field| Some(field).filter(|field| *field != "NULL"))
        .collect()
}

#[test]
fn bounds_of_several_aggregates_keep_every_row() {
    let context = context();
    // The only row that has a session comes before most others, the only input in another batch.
    let statement = "SELECT max(session_id), max(start_time) > TIMESTAMP '2000-01-01', min(inputs) IS NULL FROM spans";
    assert_eq!(rows(&context, statement), ["s1|true|false"]);
    let late = "SELECT max(c), max(b) FROM (SELECT NULL AS c, 9 AS b FROM spans UNION ALL SELECT 7, 1 FROM spans)";
    assert_eq!(rows(&context, late), ["7|9"]);
    assert!(!session_template_option(
        &context,
        "datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown"
    ));
}

/// A switch of the planner.
fn session_template_option(context: &SqlContext, key: &str) -> bool {
    let options = context.runtime.template().config_options().entries();
    let entry = options.into_iter().find(|entry| entry.key == key).unwrap();
    entry.value.unwrap() == "true"
}

#[test]
fn years_that_no_time_has_can_be_asked_for() {
    let context = context();
    for (condition, count) in [
        ("date_part('year', start_time) >= 0", "9"),
        ("date_part('year', start_time) > 1000", "9"),
        ("date_part('year', start_time) < 5000", "9"),
        ("date_part('year', start_time) <= 0", "0"),
        ("date_part('year', start_time) = 2023", "9"),
        ("date_part('year', start_time) <> 2023", "0"),
        ("date_part('year', start_time) = 0", "0"),
        ("EXTRACT(YEAR FROM start_time) BETWEEN 0 AND 9999", "9"),
    ] {
        let statement = format!("SELECT count(*) FROM spans WHERE {condition}");
        assert_eq!(rows(&context, &statement), [count], "{condition}");
    }
}

#[test]
fn what_is_absent_contains_nothing_known() {
    let context = context();
    let joined = "SELECT count(*) FROM traces t LEFT JOIN spans s ON s.name = 'none' WHERE";
    for (condition, count) in [
        ("s.attributes ? 'n'", "0"),
        ("NOT (s.attributes ? 'n')", "0"),
        ("(s.attributes ? 'n') IS NULL", "3"),
        ("json_contains(s.attributes, 'n') IS NULL", "3"),
    ] {
        assert_eq!(
            rows(&context, &format!("{joined} {condition}")),
            [count],
            "{condition}"
        );
    }
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM spans WHERE attributes ? 'n' AND NOT (attributes ? 'm')"
        ),
        ["9"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM spans WHERE attributes -> 'nested' ? 'a'"
        ),
        ["9"]
    );
}

#[test]
fn having_alone_makes_one_group() {
    let context = context();
    assert_eq!(rows(&context, "SELECT 'x' FROM spans HAVING true"), ["x"]);
    assert_eq!(
        rows(
            &context,
            "SELECT 'x' FROM spans HAVING count(*) > 8 OR false"
        ),
        ["x"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT 'x' FROM spans WHERE false HAVING (SELECT true)"
        ),
        ["x"]
    );
    for condition in [
        "false",
        "CAST(NULL AS BOOLEAN)",
        "(SELECT false)",
        "1 IN (SELECT 2)",
    ] {
        let statement = format!("SELECT 'x' FROM spans HAVING {condition}");
        assert_eq!(
            rows(&context, &statement),
            Vec::<String>::new(),
            "{condition}"
        );
    }
}

#[test]
fn a_title_does_not_hide_a_column_from_the_order() {
    let context = context();
    let by_name =
        "SELECT 'x' || s.span_id AS name, 1 AS one FROM spans s ORDER BY s.name DESC LIMIT 2";
    assert_eq!(
        rows(&context, by_name),
        ["x0000000000000009|1", "x0000000000000008|1"]
    );
    let mixed = "WITH w AS (SELECT * FROM spans) SELECT upper(w.name) AS name, w.span_id, 2 AS two FROM w \
                 ORDER BY length(w.name), two, 2 DESC, name LIMIT 1";
    assert_eq!(rows(&context, mixed), ["STEP 9|0000000000000009|2"]);
    let grouped = "SELECT count(*) AS model FROM spans s GROUP BY s.model ORDER BY s.model";
    assert_eq!(rows(&context, grouped), ["9"]);
}

#[test]
fn clauses_that_would_be_passed_over_are_refused() {
    let context = context();
    for (statement, named) in [
        (
            "SELECT count(*) FROM spans TABLESAMPLE BERNOULLI (0)",
            "TABLESAMPLE",
        ),
        (
            "SELECT count(*) FROM (SELECT 1) AS t TABLESAMPLE (10 ROWS)",
            "TABLESAMPLE",
        ),
        ("SELECT 1 FROM spans WITH (NOLOCK)", "hints"),
        ("SELECT 1 FROM spans PARTITION (p)", "PARTITION"),
        (
            "SELECT 1 FROM spans START WITH name = 'a' CONNECT BY name = 'b'",
            "CONNECT BY",
        ),
        ("SELECT name FROM spans GROUP BY name WITH ROLLUP", "ROLLUP"),
        ("SELECT name FROM spans GROUP BY name WITH TOTALS", "TOTALS"),
        ("SELECT name FROM spans FOR UPDATE", "FOR UPDATE"),
    ] {
        let error = run_sql(&context, statement).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{statement}");
        assert!(error.to_string().contains(named), "{statement}: {error}");
    }
}

#[test]
fn json_values_leave_as_json_text() {
    let context = context();
    for (value, text) in [
        ("attributes -> 'n'", "9"),
        ("attributes -> 'gen_ai.request.model'", "\"gpt-4o\""),
        ("attributes -> 'nested'", "{\"a\":[1,2]}"),
        ("json_get(attributes, 'none')", ""),
        ("[attributes -> 'n', attributes -> 'none']", "[9, ]"),
        ("array_agg(attributes -> 'n')", "[9]"),
        ("named_struct('k', attributes -> 'n')", "{k: 9}"),
        ("lag(attributes -> 'n') OVER ()", ""),
    ] {
        let statement =
            format!("SELECT {value} AS v FROM spans WHERE span_id = '0000000000000009'");
        let (schema, batches) = run_sql(&context, statement.as_str()).unwrap();
        assert!(
            !schema.field(0).data_type().to_string().contains("Union"),
            "{value}"
        );
        let shown = |batch: &RecordBatch| {
            let options = FormatOptions::default();
            ArrayFormatter::try_new(batch.column(0), &options)
                .unwrap()
                .value(0)
                .to_string()
        };
        assert_eq!(
            batches
                .iter()
                .map(shown)
                .collect::<String>()
                .replace(": ", ":"),
            text.replace(": ", ":"),
            "{value}"
        );
    }
    let groups = "SELECT attributes -> 'gen_ai.request.model' AS v, count(*) FROM spans GROUP BY 1";
    assert_eq!(rows(&context, groups), ["\"gpt-4o\"|9"]);
    assert_eq!(
        rows(
            &context,
            "SELECT DISTINCT attributes -> 'nested' -> 'a' FROM spans ORDER BY 1"
        ),
        ["[1,2]"]
    );
}

#[test]
fn columns_of_one_name_are_told_apart() {
    let context = context();
    let statement = "SELECT s.trace_id, t.trace_id, 1 AS trace_id_1, t.name, u.trace_id FROM spans s \
                     JOIN traces t ON t.trace_id = s.trace_id JOIN traces u ON u.trace_id = s.trace_id";
    let (schema, _) = run_sql(&context, statement).unwrap();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(
        names,
        ["trace_id", "trace_id_2", "trace_id_1", "name", "trace_id_3"]
    );
}

#[test]
fn null_equals_null_for_the_keys_that_say_so() {
    let context = context();
    // Eight spans have no session and no input; two others have one of each.
    for (statement, count) in [
        (
            "a.session_id IS NOT DISTINCT FROM b.session_id AND a.inputs = b.inputs",
            "1",
        ),
        (
            "a.session_id IS NOT DISTINCT FROM b.session_id WHERE a.inputs = b.inputs",
            "1",
        ),
        (
            "a.session_id IS NOT DISTINCT FROM b.session_id WHERE a.inputs BETWEEN b.inputs AND b.inputs",
            "1",
        ),
        (
            "a.session_id IS NOT DISTINCT FROM b.session_id, traces t WHERE a.inputs = t.inputs",
            "8",
        ),
        ("a.session_id IS NOT DISTINCT FROM b.session_id", "65"),
    ] {
        let statement = format!("SELECT count(*) FROM spans a JOIN spans b ON {statement}");
        assert_eq!(rows(&context, &statement), [count], "{statement}");
    }
}

#[test]
fn set_operations_count_how_often_a_row_is_there() {
    let context = context();
    let (three, two) = (
        "SELECT 1 AS a, model FROM spans LIMIT 3",
        "SELECT 1, 'x' UNION ALL SELECT 2, NULL",
    );
    let three = format!("({three})");
    for (statement, expected) in [
        (
            "VALUES (1), (1), (1), (2), (NULL), (NULL) INTERSECT ALL VALUES (1), (1), (3), (NULL)",
            "1 1 NULL",
        ),
        (
            "VALUES (1), (1), (1), (2), (NULL), (NULL) EXCEPT ALL VALUES (1), (1), (3), (NULL)",
            "1 2 NULL",
        ),
        (
            "VALUES (1), (1), (2) EXCEPT ALL VALUES (1) EXCEPT ALL VALUES (1)",
            "2",
        ),
        (
            "VALUES (1), (1) EXCEPT ALL (VALUES (1), (2) INTERSECT ALL VALUES (1))",
            "1",
        ),
        ("VALUES (1), (1), (2) INTERSECT VALUES (1), (2)", "1 2"),
    ] {
        let mut found = rows(&context, statement);
        found.sort();
        assert_eq!(found.join(" "), expected, "{statement}");
    }
    assert_eq!(
        rows(&context, &format!("{three} EXCEPT ALL ({two})")).len(),
        3
    );
    let titled =
        "SELECT a FROM (SELECT name AS a FROM spans EXCEPT ALL SELECT 'step 1') ORDER BY a LIMIT 1";
    assert_eq!(rows(&context, titled), ["step 2"]);
}

#[test]
fn joined_texts_go_into_functions_of_texts() {
    let context = context();
    let statement = "SELECT levenshtein('step 1', string_agg(name, ',' ORDER BY name)) FROM spans WHERE span_id < '0000000000000002'";
    assert_eq!(rows(&context, statement), ["0"]);
}

#[test]
fn a_constant_null_is_no_distinct_value() {
    let context = context();
    for (statement, count) in [
        (
            "SELECT count(DISTINCT (SELECT t.name FROM traces t WHERE t.user_id = s.user_id AND false LIMIT 1)) FROM spans s",
            "0",
        ),
        (
            "SELECT count(DISTINCT n) FROM (SELECT nullif(name, name) AS n FROM spans)",
            "0",
        ),
        (
            "SELECT count(DISTINCT n) FROM (SELECT 1 AS n FROM spans)",
            "1",
        ),
    ] {
        assert_eq!(rows(&context, statement), [count], "{statement}");
    }
}

#[test]
fn a_subquery_without_rows_is_null_whatever_it_would_give() {
    let context = context();
    for value in [
        "to_hex(abs(0 % 1000))",
        "coalesce(name, 'x')",
        "1",
        "upper(nullif('a', 'b'))",
        "name",
    ] {
        let none = format!(
            "(SELECT {value} FROM spans WHERE nullif(name <> '', name <> '') ORDER BY span_id LIMIT 1)"
        );
        let statement = format!("SELECT count(*) FROM spans WHERE {none} IS NULL");
        assert_eq!(rows(&context, &statement), ["9"], "{value}");
    }
}

#[test]
fn zero_has_no_sign() {
    let context = context();
    for zero in [
        "round(-0.25e0)",
        "-0.0e0",
        "-(0.0e0 * cost_usd)",
        "0.0e0 * (-1.5e0 - cost_usd)",
        "CAST('-0.0' AS DOUBLE)",
        "TRY_CAST(concat('-', '0') AS DOUBLE)",
        "(-2.0e0 - cost_usd) % 2.0e0 * 0.0e0",
        "sqrt(round(-0.25e0))",
    ] {
        let from = format!(
            "FROM (SELECT {zero} AS z FROM (SELECT coalesce(cost_usd, 1.0e0) AS cost_usd FROM spans))"
        );
        let statement = format!(
            "SELECT count(*), count(nullif(z, 0.0e0)), count(DISTINCT z), max(CAST(z AS VARCHAR)) {from} WHERE z = 0 AND z IN (0.0e0, 7)"
        );
        assert_eq!(rows(&context, &statement), ["9|0|1|0.0"], "{zero}");
    }
    let order = "SELECT n FROM (VALUES (1, round(-0.25e0)), (2, 0.0e0), (3, -1.0e0)) t(n, z) ORDER BY z DESC, n";
    assert_eq!(rows(&context, order), ["1", "2", "3"]);
}

#[test]
fn rows_are_compared_part_by_part() {
    let context = context();
    for (condition, answer) in [
        ("(1, 2) = (1, 2)", "true"),
        ("(1, NULL) = (1, 2)", "NULL"),
        ("(1, NULL) = (2, 2)", "false"),
        ("(1, NULL) <> (2, 2)", "true"),
        ("(1, NULL) < (2, 1)", "true"),
        ("(1, NULL) < (1, 2)", "NULL"),
        ("(NULL, 1) < (1, 2)", "NULL"),
        ("(1, 2, 3) <= (1, 2, 3)", "true"),
        ("(1, 2, 3) < (1, 2, 3)", "false"),
        ("(1, 3) > (1, 2)", "true"),
        ("(1, 2) >= (1, 3)", "false"),
        ("(1, 'a') IN ((2, 'a'), (1, 'a'))", "true"),
        ("(1, 'a') NOT IN ((2, 'a'), (1, NULL))", "NULL"),
        ("(1, NULL) IS NOT DISTINCT FROM (1, NULL)", "true"),
        ("(1, 2) IS DISTINCT FROM (1, NULL)", "true"),
        ("NOT (1, 2) = (1, 3) OR false", "true"),
    ] {
        assert_eq!(
            rows(&context, &format!("SELECT {condition}")),
            [answer],
            "{condition}"
        );
    }
    let joined = "SELECT count(*) FROM spans a JOIN spans b ON (a.trace_id, a.span_id) = (b.trace_id, b.span_id)";
    assert_eq!(rows(&context, joined), ["9"]);
    let error = failure(&context, "SELECT (1, 2) < (1, 2, 3)");
    assert!(
        error.to_string().contains("rows of 2 and 3 values"),
        "{error}"
    );
}

#[test]
fn casts_tell_expressions_apart() {
    let context = context();
    for (statement, first) in [
        (
            "SELECT CAST(name AS VARCHAR) = name FROM spans WHERE false OR span_id IS NULL",
            "",
        ),
        (
            "SELECT min(CAST(start_time AS DATE)) <= min(start_time) FROM spans",
            "true",
        ),
        (
            "SELECT max(CAST(NULL AS TIMESTAMP)), max(CAST(NULL AS VARCHAR)) FROM spans",
            "NULL|NULL",
        ),
        (
            "SELECT sum(1) + sum(CAST(1 AS DOUBLE)) FROM spans HAVING sum(CAST(1 AS INT)) > 0",
            "18.0",
        ),
        (
            "SELECT (SELECT CAST(m.\"index\" AS DOUBLE) FROM messages m ORDER BY m.\"index\" DESC LIMIT 1) IS NULL OR true",
            "true",
        ),
    ] {
        assert_eq!(rows(&context, statement).join(""), first, "{statement}");
    }
    let titles = "SELECT CAST(name AS VARCHAR), name FROM spans LIMIT 1";
    let (schema, _) = run_sql(&context, titles).unwrap();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["CAST(name AS VARCHAR)", "name"]);
}
