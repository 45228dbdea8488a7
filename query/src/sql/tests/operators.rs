//! Operators as PostgreSQL and DuckDB have them: precedence, LIKE and its escapes, overflow.

use super::*;

fn one(context: &SqlContext, expression: &str) -> String {
    rows(context, &format!("SELECT {expression}")).remove(0)
}

#[test]
fn precedence_decides_what_is_computed() {
    let context = context();
    for (expression, value) in [
        ("1 IS DISTINCT FROM 1 OR true", "true"),
        ("1 IS NOT DISTINCT FROM 2 OR 1 = 1 AND true", "true"),
        ("- 2 ^ 2", "4.0"),
        ("2 * 3 ^ 2", "18.0"),
        ("1 + 2 || 'a'", "3a"),
        ("'ab' LIKE 'a%' = true", "true"),
        ("true = 'ab' LIKE 'a%'", "true"),
        ("'a' || 'b' LIKE 'ab'", "true"),
        ("1 | 2 & 4", "0"),
        ("NOT 1 IS NULL", "true"),
        ("2 BETWEEN 1 AND 3 AND false", "false"),
        ("false = 1 IN (2, 3)", "true"),
    ] {
        assert_eq!(one(&context, expression), value, "{expression}");
    }
    let both =
        "SELECT count(*) FROM spans WHERE status = 'OK' IS DISTINCT FROM true AND name = 'step 2'";
    let one_by_one = "SELECT count(*) FROM spans WHERE ((status = 'OK') IS DISTINCT FROM true) AND (name = 'step 2')";
    assert_eq!(rows(&context, both), rows(&context, one_by_one));
}

/// When DataFusion's own LIKE passes this, `rewrite::operators` need not rewrite it.
#[test]
fn like_has_no_escape_unless_told() {
    let context = context();
    for (expression, value) in [
        (r"'a\b' LIKE 'a\b'", "true"),
        (r"'a\b' LIKE 'a_b'", "true"),
        (r"'ab' LIKE 'a\b'", "false"),
        (r"'100%' LIKE '100\%'", "false"),
        (r"'100\x' LIKE '100\%'", "true"),
        (r"'A\B' ILIKE 'a\b'", "true"),
        (r"'a\b' NOT LIKE 'a\b'", "false"),
        (r"'100%' LIKE '100!%' ESCAPE '!'", "true"),
        (r"'100x' LIKE '100!%' ESCAPE '!'", "false"),
        (r"'100%' LIKE '100\%' ESCAPE '\'", "true"),
        (r"'100x' NOT LIKE '100\%' ESCAPE '\'", "true"),
        (r"'a_B' ILIKE 'A→_b' ESCAPE '→'", "true"),
        (r"'axB' ILIKE 'A→_b' ESCAPE '→'", "false"),
        (r"'a!b' LIKE 'a!b' ESCAPE ''", "true"),
        (r"'a!b' LIKE 'a!!b' ESCAPE '!'", "true"),
        (r"'%' LIKE '%%' ESCAPE '%'", "true"),
        (r"'a\b' ~~ 'a\b'", "true"),
        (r"'a\b' !~~* 'A\B'", "false"),
        ("NULL LIKE 'a'", "NULL"),
        ("'a' LIKE NULL", "NULL"),
        ("'' LIKE ''", "true"),
        ("'a\nb' LIKE 'a%b'", "true"),
    ] {
        assert_eq!(one(&context, expression), value, "{expression}");
        // The same where nothing can be computed beforehand.
        let (text, rest) = expression.split_once(' ').unwrap();
        let column = format!(
            "x {rest} FROM (SELECT CASE WHEN name <> 'x' THEN {text} END AS x FROM spans LIMIT 1)"
        );
        assert_eq!(one(&context, &column), value, "{expression} of a column");
    }
    // DataFusion makes a LIKE of a regular expression that is a literal, and its backslash an escape.
    let regex = r"SELECT count(*) FROM (VALUES ('a\b'), ('ab')) t(x) WHERE x ~ 'a\\b'";
    assert_eq!(rows(&context, regex), ["1"]);
    let all = "SELECT 'aBc' ~ 'b', 'aBc' ~* 'b', 'aBc' !~ 'b', 'aBc' RLIKE '^aB'";
    assert_eq!(rows(&context, all), ["false|true|true|true"]);
    let patterns = r"SELECT count(*) FROM (VALUES ('a\b', 'a\b'), ('ab', 'a\b'), ('ab', 'a_')) t(x, p) WHERE x LIKE p";
    assert_eq!(rows(&context, patterns), ["2"]);
    for (statement, part) in [
        ("SELECT 'a' LIKE 'a' ESCAPE 'ab'", "one character"),
        ("SELECT 'a' LIKE 'a!' ESCAPE '!'", "ends in its escape"),
        (
            "SELECT count(*) FROM spans WHERE name LIKE 'a!' ESCAPE '!'",
            "ends in its escape",
        ),
        ("SELECT 1 LIKE 'a'", "compares texts"),
    ] {
        let error = failure(&context, statement);
        assert!(error.message().contains(part), "{statement}: {error}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn like_is_pushed_into_scans_and_titled_as_written() {
    let context = context();
    let plan = rows(
        &context,
        "EXPLAIN SELECT name FROM spans WHERE inputs LIKE '%fund%' AND name LIKE 'step 1'",
    );
    let plan = plan.join("\n");
    assert!(plan.contains("filter=like_escape(inputs"), "{plan}");
    assert!(
        plan.contains("prune=[name]") && !plan.contains("FilterExec"),
        "{plan}"
    );
    let (schema, _) = run_sql(&context, "SELECT name LIKE 'a%' FROM spans").unwrap();
    assert!(schema.field(0).name().contains("LIKE"), "{schema}");
}

/// When DataFusion's operators pass this, `functions::checked` can go.
#[test]
fn integer_overflow_is_an_error() {
    let context = context();
    let column = "(SELECT 9223372036854775807 + length(name) - length(name) AS x FROM spans)";
    for statement in [
        "SELECT 9223372036854775807 + 1",
        "SELECT -9223372036854775807 - 2",
        "SELECT 4611686018427387904 * 2",
        "SELECT -(-9223372036854775807 - 1)",
        "SELECT abs(-9223372036854775807 - 1)",
        "SELECT duration_ns * 9223372036854775807 FROM spans",
        "SELECT name FROM spans WHERE duration_ns + 9223372036854775807 > 0",
        "SELECT name FROM spans ORDER BY duration_ns * 9223372036854775807",
        "SELECT count(*) FROM spans GROUP BY duration_ns * 9223372036854775807",
        "SELECT CAST(9223372036854775807 AS INT)",
        "SELECT (SELECT max(duration_ns) * 9223372036854775807 FROM spans)",
        &format!("SELECT x FROM {column}"),
    ] {
        let error = failure(&context, statement);
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidInput,
            "{statement}: {error}"
        );
    }
    for (expression, value) in [
        ("9223372036854775806 + 1", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("2 + 3 * 4 - -1", "15"),
        ("1.5 + 1", "2.5"),
        ("TRY_CAST(9223372036854775807 AS INT)", "NULL"),
    ] {
        assert_eq!(one(&context, expression), value, "{expression}");
    }
    let (schema, _) = run_sql(
        &context,
        "SELECT duration_ns + 1, count(*) FROM spans GROUP BY duration_ns + 1",
    )
    .unwrap();
    assert_eq!(schema.field(0).name(), "spans.duration_ns + Int64(1)");
}

/// When DataFusion's sum passes this and the next, `functions::sum` can go.
#[test]
fn a_sum_that_overflows_is_an_error() {
    let context = context();
    let large = "(SELECT 9223372036854775807 AS x, name, span_id FROM spans)";
    let decimals = "(SELECT CAST('9999999999999999999999999999999999999.9' AS DECIMAL(38, 1)) AS d, name, span_id FROM spans)";
    for statement in [
        format!("SELECT sum(x) FROM {large}"),
        format!("SELECT sum(x) FROM {large} GROUP BY name LIKE 'step%'"),
        format!("SELECT sum(x) FILTER (WHERE name <> 'y') FROM {large}"),
        format!(
            "SELECT sum(DISTINCT x - length(span_id) + length(name)) FROM {large} WHERE name < 'step 3' OR name > 'step'"
        ),
        format!("SELECT sum(x) OVER (ORDER BY span_id) FROM {large}"),
        format!(
            "SELECT sum(x) OVER (ORDER BY span_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM {large}"
        ),
        format!("SELECT sum(s) FROM (SELECT sum(x) AS s FROM {large} GROUP BY span_id)"),
        format!("SELECT sum(d) FROM {decimals}"),
        format!("SELECT sum(d) FROM {decimals} GROUP BY name LIKE 'step%'"),
        format!("SELECT sum(d) FILTER (WHERE span_id < '0000000000000003') FROM {decimals}"),
        format!("SELECT sum(d) OVER (ORDER BY span_id) FROM {decimals}"),
    ] {
        match run_sql(&context, statement.as_str()) {
            // All values are equal, and count once.
            Ok(_) if statement.contains("DISTINCT") => {}
            Ok((_, batches)) => panic!("{statement}: {batches:?}"),
            Err(error) => assert!(error.message().contains("overflow"), "{statement}: {error}"),
        }
    }
}

/// Of the sum only the result has to fit.
#[test]
fn a_sum_that_fits_is_exact_and_of_its_type() {
    let context = context();
    for (statement, sums) in [
        (
            "SELECT sum(x) FROM (VALUES (9223372036854775807), (1), (-1)) t(x)",
            vec!["9223372036854775807"],
        ),
        (
            "SELECT sum(x::decimal(38, 2)) FROM (VALUES ('0.01'), ('99.5'), (NULL), ('-3')) t(x)",
            vec!["96.51"],
        ),
        (
            "SELECT sum(DISTINCT x::decimal(9, 2)) FROM (VALUES ('0.01'), ('99.5'), ('99.50')) t(x)",
            vec!["99.51"],
        ),
        (
            "SELECT sum(DISTINCT x) FROM (VALUES (1), (1), (2), (NULL)) t(x)",
            vec!["3"],
        ),
        (
            "SELECT sum(x) FROM (VALUES (1)) t(x) WHERE x > 1",
            vec!["NULL"],
        ),
        (
            "SELECT sum(x) FILTER (WHERE x > 1) FROM (VALUES (1), (2), (3)) t(x)",
            vec!["5"],
        ),
        (
            "SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (VALUES (1), (2), (4)) t(x)",
            vec!["1", "3", "6"],
        ),
        (
            "SELECT k, sum(x), sum(x + 0.5) FROM (VALUES ('a', 1), ('b', NULL), ('a', 2)) t(k, x) GROUP BY k ORDER BY k",
            vec!["a|3|4.0", "b|NULL|NULL"],
        ),
        (
            "SELECT sum(duration_ns), avg(duration_ns) FROM spans",
            vec!["45000|5000.0"],
        ),
        (
            "SELECT avg(x) FROM (VALUES (9223372036854775807), (9223372036854775807)) t(x)",
            vec!["9.223372036854776e18"],
        ),
    ] {
        assert_eq!(rows(&context, statement), sums, "{statement}");
    }
}
