//! What each rule says of items.

use serde_json::{Value, json};

use super::{error, item, kind, passes, said, score};
use crate::Item;

#[test]
fn what_is_the_answer() {
    let mut both = item(json!({"a": "x", "n": null, "list": [1]}), json!("x"));
    let text = |field: Value, item: &Item| {
        let mut definition = json!({"kind": "exact_match"});
        if !field.is_null() {
            definition["field"] = field;
        }
        score(definition, item).map(|score| score.passed == Some(true))
    };
    assert_eq!(text(json!("/a"), &both), Ok(true));
    assert_eq!(text(Value::Null, &both), Ok(false));
    both.output_text = Some("x".to_owned());
    assert_eq!(text(Value::Null, &both), Ok(true));
    assert_eq!(text(json!(""), &both), Ok(false));
    for field in ["/n", "/b", "/list/1"] {
        let message = text(json!(field), &both).unwrap_err().to_string();
        assert_eq!(
            message,
            format!("missing: looked for field `{field}` in the outputs")
        );
    }
    let held = item(json!("{\"a\": \"x\"}"), json!("x"));
    assert_eq!(text(json!("/a"), &held), Ok(true));
    let names = error(json!({"kind": "exact_match", "expectation": "y"}), &both);
    assert_eq!(
        names,
        "missing: looked for expectation `y`: the item has expected_response"
    );
}

#[test]
fn expectations_by_pointer() {
    let mut item = item(json!("b"), Value::Null);
    item.expectations
        .insert("a/x".to_owned(), json!({"y": ["a", "b"]}));
    let at = |name: &str| json!({"kind": "exact_match", "expectation": name});
    assert!(passes(at("/a~1x/y/1"), &item));
    assert!(!passes(at("/a~1x/y/0"), &item));
    assert!(passes(
        json!({"kind": "exact_match", "expectation": "/a~1x/y", "any_of": true}),
        &item
    ));
    assert!(error(at("/a~1x/y/2"), &item).starts_with("missing"));
}

#[test]
fn exact_match() {
    let plain = || kind("exact_match");
    let loose = || json!({"kind": "exact_match", "trim": true, "ignore_case": true});
    for (outputs, expected, exactly, loosely) in [
        (json!("Paris"), json!("Paris"), true, true),
        (json!("paris \n"), json!("Paris"), false, true),
        (json!("ÉCOLE"), json!("école"), false, true),
        (json!("Rome"), json!("Paris"), false, false),
        (
            json!({"a": 1, "b": 2}),
            json!({"b": 2, "a": 1.0}),
            true,
            true,
        ),
        (
            json!("{\"b\": 2, \"a\": 1}"),
            json!("{\"a\":1,\"b\":2}"),
            true,
            true,
        ),
        (json!({"a": "X"}), json!({"a": "x"}), false, true),
        (json!({"a": 1}), json!({"a": 1, "b": null}), false, false),
        (json!([1, 2]), json!([2, 1]), false, false),
        (
            json!(9007199254740993u64),
            json!(9007199254740992u64),
            false,
            false,
        ),
        (json!("1.0"), json!(1), true, true),
        (json!(""), json!(""), true, true),
    ] {
        let item = item(outputs.clone(), expected.clone());
        let found = (passes(plain(), &item), passes(loose(), &item));
        assert_eq!(found, (exactly, loosely), "{outputs} {expected}");
    }
    let (_, _, why) = said(plain(), &item(json!("Rome"), json!("Paris")));
    assert_eq!(why, "expected `Paris`, got `Rome`");
}

#[test]
fn contains() {
    let answer = item(json!("The Capital is Paris."), json!(["paris", "capital"]));
    let with = |texts: Value, any: bool, ignore_case: bool| json!({"kind": "contains", "texts": texts, "any": any, "ignore_case": ignore_case});
    assert!(passes(with(json!(["Paris"]), false, false), &answer));
    assert!(!passes(with(json!(["paris"]), false, false), &answer));
    assert!(!passes(
        with(json!(["Paris", "Rome"]), false, true),
        &answer
    ));
    assert!(passes(with(json!(["Paris", "Rome"]), true, false), &answer));
    assert!(!passes(with(json!(["Oslo", "Rome"]), true, false), &answer));
    assert!(passes(with(json!([]), false, true), &answer));
    let (_, _, why) = said(with(json!([]), false, false), &answer);
    assert_eq!(why, "does not contain `paris`");
    assert!(error(kind("contains"), &item(json!("a"), json!(""))).contains("is empty"));
    assert!(error(kind("contains"), &item(json!("a"), json!([1]))).contains("list of texts"));
}

#[test]
fn regex() {
    let answer = item(json!("id A-17 is set"), Value::Null);
    let with =
        |pattern: &str, full: bool| json!({"kind": "regex", "pattern": pattern, "full": full});
    assert!(passes(with("[A-Z]-\\d+", false), &answer));
    assert!(!passes(with("[A-Z]-\\d+", true), &answer));
    assert!(passes(with("id|id .* set", true), &answer));
    assert!(!passes(with("a-17", false), &answer));
    assert!(passes(
        json!({"kind": "regex", "pattern": "a-17", "ignore_case": true}),
        &answer
    ));
}

#[test]
fn json_valid_and_schema() {
    let valid = |text: &str| passes(kind("json_valid"), &item(json!(text), Value::Null));
    assert!(valid(" {\"a\": [1, null]} ") && valid("\"x\"") && valid("3"));
    assert!(!valid("") && !valid("{'a': 1}") && !valid("NaN") && !valid("{} x"));
    let fenced = item(json!("```json\n{\"a\": 1}\n```"), Value::Null);
    assert!(!passes(kind("json_valid"), &fenced));
    assert!(passes(
        json!({"kind": "json_valid", "fence": true}),
        &fenced
    ));

    let schema = json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"type": "integer"}, "b": {"maxLength": 1}, "c": {"const": 1}}
    });
    let fits = || json!({"kind": "json_schema", "schema": schema});
    assert!(passes(fits(), &item(json!("{\"a\": 1}"), Value::Null)));
    assert!(passes(fits(), &item(json!({"a": 1}), Value::Null)));
    let mut shown = item(json!({"a": 1}), Value::Null);
    shown.output_text = Some("the answer is 1".to_owned());
    assert!(passes(fits(), &shown));
    let (value, passed, why) = said(fits(), &item(json!("prose"), Value::Null));
    assert_eq!((value, passed), (json!(false), Some(false)));
    assert!(why.starts_with("not JSON: "), "{why}");
    let bad = item(json!({"a": "x", "b": "long", "c": 2, "d": 1}), Value::Null);
    let (_, passed, why) = said(fits(), &bad);
    assert_eq!(passed, Some(false));
    assert_eq!(why.matches("; ").count(), 3, "{why}");
    assert!(
        why.contains("/a: want integer") && why.ends_with("; and 1 more"),
        "{why}"
    );
}

#[test]
fn numeric() {
    let near = |tolerance: Value, outputs: Value, expected: Value| {
        let mut definition = tolerance;
        definition["kind"] = json!("numeric");
        score(definition, &item(outputs, expected)).map(|score| score.passed)
    };
    let half = || json!({"absolute": 0.5});
    assert_eq!(
        near(half(), json!("So 3 by 4 is 12.4."), json!(12)),
        Ok(Some(true))
    );
    assert_eq!(
        near(half(), json!("It is 12.6"), json!("12 apples")),
        Ok(Some(false))
    );
    assert_eq!(near(half(), json!(12.5), json!(12)), Ok(Some(true)));
    assert_eq!(near(half(), json!("none"), json!(12)), Ok(Some(false)));
    assert_eq!(
        near(json!({"relative": 0.01}), json!(-99), json!(-100)),
        Ok(Some(true))
    );
    assert_eq!(
        near(json!({"relative": 0.01}), json!(-98), json!(-100)),
        Ok(Some(false))
    );
    assert_eq!(
        near(
            json!({"relative": 0.01, "absolute": 3}),
            json!(-98),
            json!(-100)
        ),
        Ok(Some(true))
    );
    assert_eq!(
        near(json!({"absolute": 0}), json!("1,000"), json!(1000)),
        Ok(Some(true))
    );
    let unreadable = near(half(), json!(1), json!("none")).unwrap_err();
    assert_eq!(unreadable.kind, crate::ScoreErrorKind::Unreadable);
}

#[test]
fn measures_with_and_without_threshold() {
    let answer = item(
        json!("Eiffel tower, Paris"),
        json!(["nothing", "the Eiffel Tower"]),
    );
    for name in ["token_f1", "rouge_l"] {
        let (value, passed, why) = said(kind(name), &answer);
        assert!(value.as_f64().unwrap() > 0.6, "{name} {value}");
        assert_eq!((passed, why.as_str()), (None, ""));
        let at = |threshold: f64| said(json!({"kind": name, "threshold": threshold}), &answer);
        assert_eq!(at(0.6).1, Some(true));
        assert_eq!(at(0.9).1, Some(false));
        assert!(at(0.9).2.ends_with("is under the threshold, 0.9"));
    }
    let (f1, ..) = said(kind("token_f1"), &answer);
    assert!((f1.as_f64().unwrap() - 0.8).abs() < 1e-12);
}

#[test]
fn limits() {
    let item = Item {
        duration_ns: Some(1_500_000),
        total_tokens: Some(10),
        cost_usd: Some(0.25),
        ..Item::default()
    };
    for (name, value, max, over) in [
        ("latency_ms", json!(1.5), json!(1.5), json!(1.4)),
        ("tokens", json!(10), json!(10), json!(9)),
        ("cost_usd", json!(0.25), json!(0.25), json!(0.2)),
    ] {
        let (measure, passed, why) = said(json!({"kind": name, "max": max}), &item);
        assert_eq!(
            (measure, passed, why.as_str()),
            (value.clone(), Some(true), "")
        );
        let (measure, passed, why) = said(json!({"kind": name, "max": over}), &item);
        assert_eq!((measure, passed), (value, Some(false)));
        assert!(why.contains("over the limit"), "{why}");
    }
}

#[test]
fn citation() {
    let documents = [
        "The tower was  built in\n1889 for the “World Fair”. See doc-7.",
        "It is 330 metres high, and was painted brown.",
    ];
    for (text, settings, value, passed) in [
        ("Built in 1889 [1], 330 m [2].", json!({}), 1.0, true),
        ("Built [1, 3] high [2-3] [0]", json!({}), 0.25, false),
        (
            "a link [1](http://x), code [x1], [ ] and [",
            json!({}),
            0.0,
            false,
        ),
        ("no citation", json!({"required": false}), 1.0, true),
        (
            "It \"was built in 1889 for the 'World\" [1]",
            json!({}),
            0.5,
            false,
        ),
        (
            "It “was built in 1889 for,” and «is 330 metres high.»",
            json!({}),
            1.0,
            true,
        ),
        ("It \"IS 330 metres high\"", json!({}), 0.0, false),
        (
            "It \"IS 330 metres high\"",
            json!({"ignore_case": true}),
            1.0,
            true,
        ),
        ("for the \"World Fair\" [1]", json!({}), 1.0, true),
        (
            "for the \"Worlds Fair\" [1]",
            json!({"min_words": 2}),
            0.5,
            false,
        ),
        (
            "for the \"in 1889 for the \"World Fair\"\"",
            json!({"min_words": 3}),
            1.0,
            true,
        ),
        (
            "as doc-7 and doc-8 say",
            json!({"id_pattern": "doc-\\d+"}),
            0.5,
            false,
        ),
        (
            "as <doc-7> says",
            json!({"id_pattern": "<(doc-\\d+)>"}),
            1.0,
            true,
        ),
        ("a 5\" pipe\nand a 6\" pipe, [1]", json!({}), 1.0, true),
    ] {
        let mut item = item(json!(text), Value::Null);
        item.documents = documents.map(str::to_owned).to_vec();
        let mut definition = settings.clone();
        definition["kind"] = json!("citation");
        let (found, ok, why) = said(definition, &item);
        assert_eq!((found, ok), (json!(value), Some(passed)), "{text}: {why}");
    }
}

#[test]
fn forbidden() {
    let words = json!([
        "ass",
        "assassin",
        "new york",
        "new",
        "C++",
        "Straße",
        "/sec+ret\\b/"
    ]);
    for (text, found) in [
        ("a class passes", ""),
        ("An ASS.", "has ass"),
        ("assassin", "has assassin"),
        ("New\n  Yorker", "has new"),
        ("in new\u{a0}york!", "has new, new york"),
        ("renew", ""),
        ("C++11 or c++", "has c++"),
        ("XC++", ""),
        ("STRAßE", "has straße"),
        ("Topseccret and secretly", "has /sec+ret\\b/"),
        ("éass", ""),
    ] {
        let definition = json!({"kind": "forbidden", "words": words});
        let (value, passed, why) = said(definition, &item(json!(text), Value::Null));
        assert_eq!(why, found, "{text}");
        assert_eq!(
            (value, passed),
            (json!(found.is_empty()), Some(found.is_empty()))
        );
    }
}
