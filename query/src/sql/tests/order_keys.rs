//! Orders by functions of functions, over more than one partition.

use super::*;

#[test]
fn keys_made_of_functions_sort() {
    let context = context();
    // The nine names have the same length, so that the span id decides.
    for key in [
        "abs(length(name))",
        "- length(name)",
        "length(name) > 3",
        "NOT (length(name) > 3)",
        "sqrt(length(name))",
        "round(sqrt(length(name)), 2)",
        "floor(length(name) / 2.0)",
        "CASE WHEN length(name) > 3 THEN 1 ELSE 2 END",
        "(attributes->>'n')::bigint * 0 + 1",
        "date_bin(interval '1 hour', to_timestamp(length(name)))",
    ] {
        let top = format!("SELECT name || '!' FROM spans ORDER BY {key}, span_id DESC LIMIT 2");
        assert_eq!(rows(&context, &top), ["step 9!", "step 8!"], "{key}");
        let all = format!("SELECT name FROM spans ORDER BY {key} DESC, span_id");
        assert_eq!(rows(&context, &all).len(), 9, "{key}");
        let ranked = format!(
            "SELECT span_id FROM (SELECT span_id, row_number() OVER (PARTITION BY {key} ORDER BY {key}, span_id) AS n FROM spans) WHERE n = 2"
        );
        assert_eq!(rows(&context, &ranked), [format!("{:016x}", 2)], "{key}");
        let listed =
            format!("SELECT array_agg(span_id ORDER BY {key}, span_id DESC)[1] AS a FROM spans");
        assert_eq!(rows(&context, &listed), [format!("{:016x}", 9)], "{key}");
    }
    assert_eq!(
        rows(
            &context,
            "SELECT * FROM traces ORDER BY abs(length(name)), trace_id LIMIT 1"
        ),
        rows(&context, "SELECT * FROM traces ORDER BY trace_id LIMIT 1")
    );
}

#[test]
fn keys_of_windows_may_be_anything() {
    let context = context();
    let numbers = |over: &str| {
        let ranked = format!("SELECT row_number() OVER ({over}) AS n FROM spans ORDER BY n");
        assert_eq!(rows(&context, &ranked).len(), 9, "{over}");
        rows(&context, &ranked).join(" ")
    };
    // Keys that are the same for all rows, with nothing else to read.
    for constant in [
        "(SELECT 1)",
        "(SELECT max(name) FROM traces)",
        "coalesce(CAST(NULL AS DOUBLE), NULL)",
        "NULL",
        "1 + 1",
    ] {
        assert_eq!(
            numbers(&format!("ORDER BY {constant}")),
            "1 2 3 4 5 6 7 8 9",
            "{constant}"
        );
        assert_eq!(
            numbers(&format!("PARTITION BY {constant} ORDER BY {constant}")),
            "1 2 3 4 5 6 7 8 9",
            "{constant}"
        );
    }
    // Keys that the optimizer makes simpler.
    for part in [
        "(name <> name) <= false",
        "(name = 'x') >= (input_tokens > 100000)",
        "(model = model) IS NULL",
    ] {
        let over =
            format!("PARTITION BY {part} ORDER BY coalesce(ltrim(name), ltrim(name)), span_id");
        assert_eq!(numbers(&over), "1 2 3 4 5 6 7 8 9", "{part}");
    }
}
