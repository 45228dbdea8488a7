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
        let listed = format!("SELECT array_agg(span_id ORDER BY {key}, span_id DESC)[1] AS a FROM spans");
        assert_eq!(rows(&context, &listed), [format!("{:016x}", 9)], "{key}");
    }
    assert_eq!(
        rows(&context, "SELECT * FROM traces ORDER BY abs(length(name)), trace_id LIMIT 1"),
        rows(&context, "SELECT * FROM traces ORDER BY trace_id LIMIT 1")
    );
}
