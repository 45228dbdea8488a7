//! JSON of attributes: operators, functions, texts that are no valid Unicode.

use super::*;

#[test]
fn json_is_read_by_operators_and_functions() {
    let context = context();
    let one = |expression: &str| {
        let statement =
            format!("SELECT {expression} FROM spans WHERE span_id = '0000000000000004'");
        rows(&context, &statement).join(",")
    };
    assert_eq!(one("attributes->>'gen_ai.request.model'"), "gpt-4o");
    assert_eq!(one("attributes->>'missing'"), "NULL");
    assert_eq!(one("attributes->'nested'->'a'->>1"), "2");
    assert_eq!(one("attributes ? 'n'"), "true");
    assert_eq!(one("attributes ? 'missing'"), "false");
    assert_eq!(one("json_get_int(attributes, 'n') + 1"), "5");
    assert_eq!(
        one("json_get_str(attributes, 'gen_ai.request.model')"),
        "gpt-4o"
    );
    assert_eq!(one("(attributes->'n')::bigint * 2"), "8");
    assert_eq!(one("json_length(attributes)"), "3");
    assert_eq!(one("resource->>'service.name' IS NULL"), "true");
    assert_eq!(one("inputs->>'x'"), "NULL");
    assert_eq!(
        rows(
            &context,
            "SELECT tags['env'], models[1] FROM traces ORDER BY trace_id"
        ),
        ["prod|NULL", "NULL|m1", "dev|NULL"]
    );
    assert_eq!(
        rows(
            &context,
            "SELECT trace_id FROM traces WHERE tags['env'] = 'dev'"
        )
        .len(),
        1
    );
    assert_eq!(
        rows(
            &context,
            "SELECT count(*) FROM traces WHERE array_has(models, 'm2')"
        ),
        ["1"]
    );
}

#[test]
fn half_of_a_surrogate_pair_costs_only_itself() {
    let context = context();
    let text = r#"'{"cut":"a\ud83d","whole":"\ud83d\ude00","n":7,"list":["\udc00",1]}'"#;
    for (expression, wanted) in [
        ("json_get_int({}, 'n')", "7"),
        ("{}->>'n'", "7"),
        ("{}->>'cut'", "a\u{fffd}"),
        ("{}->>'whole'", "\u{1f600}"),
        ("json_get_str({}, 'cut')", "a\u{fffd}"),
        ("json_get_str({}, 'list', 0)", "\u{fffd}"),
        ("json_get_int({}, 'list', 1)", "1"),
        ("json_length({}, 'list')", "2"),
        ("({}->'n')::bigint + 1", "8"),
        ("{} ? 'n'", "true"),
        ("json_object_keys({})[3]", "n"),
    ] {
        let of_literal = expression.replace("{}", text);
        assert_eq!(
            rows(&context, &format!("SELECT {of_literal}")),
            [wanted],
            "{of_literal}"
        );
        let of_column = expression.replace("{}", "t");
        let statement =
            format!("SELECT {of_column} FROM (VALUES ({text}), ('{{}}')) AS v(t) LIMIT 1");
        assert_eq!(rows(&context, &statement), [wanted], "{statement}");
    }
}
