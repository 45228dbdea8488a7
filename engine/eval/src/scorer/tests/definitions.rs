//! Definitions: there and back, versions, names, lists.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::{Definition, Rule, ScorerList, from_definition};
use super::item;

fn all() -> Vec<Value> {
    vec![
        json!({"kind": "exact_match", "trim": true}),
        json!({"kind": "contains", "texts": ["a"]}),
        json!({"kind": "regex", "pattern": "a+"}),
        json!({"kind": "json_valid"}),
        json!({"kind": "json_schema", "schema": {"type": "string", "minLength": 1}}),
        json!({"kind": "max_words", "max": 3}),
        json!({"kind": "numeric", "absolute": 1}),
        json!({"kind": "token_f1", "threshold": 0.5}),
        json!({"kind": "rouge_l"}),
        json!({"kind": "tool_calls", "order": true, "arguments": false}),
        json!({"kind": "latency_ms", "max": 5}),
        json!({"kind": "tokens", "max": 5}),
        json!({"kind": "cost_usd", "max": 0.5}),
        json!({"kind": "citation", "id_pattern": "doc-\\d+"}),
        json!({"kind": "forbidden", "words": ["a"]}),
        json!({"kind": "sql", "expression": "1 = 1", "threshold": 2}),
        json!({"kind": "judge", "judge": "guidelines", "guidelines": "Be kind.", "model": "m"}),
        json!({"kind": "judge", "judge": "safety"}),
    ]
}

#[test]
fn there_and_back() {
    let mut kinds = Vec::new();
    for value in all() {
        let definition = Definition::from_value(&value).unwrap();
        let spelled = definition.to_value();
        for (key, setting) in value.as_object().unwrap() {
            if key != "guidelines" && !setting.is_number() {
                assert_eq!(&spelled[key], setting, "{value}");
            }
        }
        let again = Definition::from_value(&spelled).unwrap();
        assert_eq!(
            (&again, again.version()),
            (&definition, definition.version())
        );
        let by_serde: Definition = serde_json::from_str(&spelled.to_string()).unwrap();
        assert_eq!(by_serde, definition);
        if let Ok(scorer) = definition.scorer() {
            assert_eq!(scorer.definition(), spelled);
            assert_eq!(scorer.version(), definition.version());
            kinds.push(scorer.name().to_owned());
        }
    }
    assert_eq!(kinds, Rule::KINDS);
}

#[test]
fn versions_follow_settings_and_not_names() {
    let version = |value: Value| Definition::from_value(&value).unwrap().version();
    let plain = version(json!({"kind": "max_words", "max": 3}));
    assert_eq!(plain.len(), 12);
    assert!(plain.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(
        plain,
        version(json!({"kind": "max_words", "max": 3, "name": "short"}))
    );
    assert_ne!(plain, version(json!({"kind": "max_words", "max": 4})));
    assert_ne!(plain, version(json!({"kind": "tokens", "max": 3})));
    assert_eq!(
        "v2",
        version(json!({"kind": "max_words", "max": 3, "version": "v2"}))
    );
    let schema = |schema: &str| {
        let schema: Value = serde_json::from_str(schema).unwrap();
        version(json!({"kind": "json_schema", "schema": schema}))
    };
    assert_eq!(
        schema(r#"{"type": "object", "required": ["a"]}"#),
        schema(r#"{"required": ["a"], "type": "object"}"#)
    );
    // Defaults spelled out are the same settings.
    assert_eq!(
        version(json!({"kind": "exact_match"})),
        version(json!({"kind": "exact_match", "trim": false}))
    );
    // A change of this hash parts the scores of stored runs from new ones.
    assert_eq!(plain, "0f0fa6393c7a");
}

fn wrong(value: &Value) -> String {
    Definition::from_value(value).unwrap_err().to_string()
}

#[test]
fn wrong_forms() {
    for (value, part) in [
        (json!([]), "is an object with `kind`"),
        (json!({}), "needs `kind`"),
        (
            json!({"kind": "max_word", "max": 1}),
            "did you mean `max_words`?",
        ),
        (
            json!({"kind": "max_words", "max": 1, "name": 5}),
            "`name` of a scorer is a text",
        ),
        (
            json!({"kind": "max_words", "max": 1, "name": " a"}),
            "cannot be named",
        ),
        (
            json!({"kind": "max_words", "max": 1, "name": "a\nb"}),
            "cannot be named",
        ),
        (
            json!({"kind": "max_words", "max": 1.5}),
            "max_words: invalid type",
        ),
    ] {
        let message = wrong(&value);
        assert!(message.contains(part), "{value}: {message}");
    }
}

#[test]
fn wrong_settings_of_rules() {
    for (value, part) in [
        (json!({"kind": "numeric"}), "needs a tolerance"),
        (
            json!({"kind": "contains", "texts": [""]}),
            "every answer contains it",
        ),
        (
            json!({"kind": "contains", "texts": ["a"], "expectation": "b"}),
            "both",
        ),
        (
            json!({"kind": "forbidden", "words": []}),
            "nothing is forbidden",
        ),
        (
            json!({"kind": "forbidden", "words": ["/(/"]}),
            "no regular expression",
        ),
        (
            json!({"kind": "json_schema", "schema": {"type": "sting"}}),
            "the schema is not right: /type: ",
        ),
        (
            json!({"kind": "json_schema", "schema": {"$ref": "https://example.com/a"}}),
            "the schema",
        ),
        (
            json!({"kind": "json_schema", "schema": {"$ref": "file:///etc/hosts"}}),
            "the schema",
        ),
        (
            json!({"kind": "citation", "min_words": 0}),
            "min_words is 0",
        ),
    ] {
        let message = wrong(&value);
        assert!(message.contains(part), "{value}: {message}");
    }
}

#[test]
fn wrong_settings_of_others() {
    for (value, part) in [
        (
            json!({"kind": "sql", "expression": " "}),
            "expression is empty",
        ),
        (
            json!({"kind": "sql", "expression": "1", "other": 1}),
            "unknown field `other`",
        ),
        (
            json!({"kind": "judge", "judge": "guidelines"}),
            "needs guidelines",
        ),
        (
            json!({"kind": "judge", "judge": "custom"}),
            "needs a template",
        ),
        (
            json!({"kind": "judge", "judge": "safety", "guidelines": ["a"]}),
            "takes no guidelines",
        ),
        (
            json!({"kind": "judge", "judge": "safety", "template": "a"}),
            "takes no template",
        ),
        (
            json!({"kind": "judge", "judge": "taste"}),
            "unknown variant `taste`",
        ),
    ] {
        let message = wrong(&value);
        assert!(message.contains(part), "{value}: {message}");
    }
    let sql = from_definition(&json!({"kind": "sql", "expression": "1"}));
    assert!(sql.err().unwrap().to_string().contains("is not a rule"));
}

#[test]
fn names_of_a_list_differ() {
    let scorer = |value: Value| Arc::from(from_definition(&value).unwrap());
    let list = ScorerList::new(vec![
        scorer(json!({"kind": "tokens", "max": 1})),
        scorer(json!({"kind": "citation"})),
    ])
    .unwrap();
    assert_eq!(
        list.iter().map(|one| one.name()).collect::<Vec<_>>(),
        ["tokens", "citation"]
    );
    assert_eq!((list.len(), list.is_empty()), (2, false));
    assert!(list.needs().texts && list.needs().spans && !list.needs().messages);
    let twice = vec![
        scorer(json!({"kind": "tokens", "max": 1})),
        scorer(json!({"kind": "max_words", "max": 1, "name": "tokens"})),
    ];
    let message = ScorerList::new(twice).err().unwrap().to_string();
    assert!(message.contains("two scorers are named `tokens`"));
}

#[test]
fn an_item_that_lacks_something_is_an_error() {
    for value in all() {
        if let Ok(scorer) = from_definition(&value) {
            let error = scorer.score(&item(Value::Null, Value::Null)).unwrap_err();
            assert_eq!(error.kind, crate::ScoreErrorKind::Missing, "{value}");
            assert!(error.message.starts_with("looked for "), "{error}");
        }
    }
}
