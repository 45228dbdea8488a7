//! Label schemas and answers.

use serde_json::json;

use super::super::{AnswerFault, LabelKind, LabelSchema, LabelValue, check_answer};
use super::entries;

const ALL: &str = r#"{"labels": [
    {"name": "ok", "kind": "boolean", "instruction": "Is it right?"},
    {"name": "tone", "kind": "category", "options": ["warm", "cold"], "required": false},
    {"name": "faults", "kind": "category", "options": ["a", "b", "c"], "multiple": true, "required": false},
    {"name": "stars", "kind": "number", "min": 1, "max": 5, "integer": true, "required": false},
    {"name": "share", "kind": "number", "min": 0.5, "required": false},
    {"name": "note", "kind": "text", "length_max": 5, "required": false}
]}"#;

#[test]
fn a_schema_is_read_and_round_trips() {
    let schema = LabelSchema::parse(ALL).unwrap();
    assert_eq!(schema.labels().len(), 6);
    assert!(schema.label("ok").unwrap().required);
    assert_eq!(
        schema.label("note").unwrap().kind,
        LabelKind::Text {
            length_max: Some(5)
        }
    );
    assert!(
        schema
            .label("x")
            .unwrap_err()
            .message
            .contains("the labels are ok, tone")
    );
    let text = serde_json::to_string(&schema).unwrap();
    assert_eq!(LabelSchema::parse(&text).unwrap(), schema);
    assert_eq!(serde_json::from_str::<LabelSchema>(&text).unwrap(), schema);
}

#[test]
fn every_fault_of_a_schema_is_said() {
    let cases = [
        ("{", "is not JSON: EOF"),
        ("3", "it is a number"),
        ("{}", "must be a list of labels"),
        (r#"{"labels": {}}"#, "must be a list of labels"),
        (
            r#"{"labels": [], "x": 1}"#,
            "it has the key \"x\": the keys are labels; it has no label",
        ),
        ("[3]", "label 0 is a number"),
        (r#"[{"kind": "boolean"}]"#, "label 0 \"\" has no name"),
        (
            r#"[{"name": " a", "kind": "boolean"}]"#,
            "label 0 \" a\" has spaces",
        ),
        (
            r#"[{"name": "a"}]"#,
            "label 0 \"a\" has no kind: a kind is one of boolean, category, number, text",
        ),
        (r#"[{"name": "a", "kind": "bool"}]"#, "has kind \"bool\""),
        (
            r#"[{"name": "a", "kind": "boolean", "min": 1}]"#,
            "has the key \"min\": the keys are name, kind, required, instruction",
        ),
        (
            r#"[{"name": "a", "kind": "boolean", "required": "yes"}]"#,
            "has a string as required: it must be true or false",
        ),
    ];
    for (text, wanted) in cases {
        let message = LabelSchema::parse(text).unwrap_err().message;
        assert!(message.contains(wanted), "{text}: {message}");
    }
}

#[test]
fn every_fault_of_a_kind_is_said() {
    let cases = [
        (r#"[{"name": "a", "kind": "category"}]"#, "has no options"),
        (
            r#"[{"name": "a", "kind": "category", "options": ["x", 1]}]"#,
            "has a list as options: it must be a list of strings",
        ),
        (
            r#"[{"name": "a", "kind": "category", "options": ["x", "x"]}]"#,
            "has the option \"x\" twice",
        ),
        (
            r#"[{"name": "a", "kind": "category", "options": [" x"]}]"#,
            "has the option \" x\"",
        ),
        (
            r#"[{"name": "a", "kind": "number", "min": 2, "max": 2}]"#,
            "has min 2 and max 2",
        ),
        (
            r#"[{"name": "a", "kind": "number", "min": 0.5, "integer": true}]"#,
            "has min 0.5 for whole numbers",
        ),
        (
            r#"[{"name": "a", "kind": "text", "length_max": 0}]"#,
            "has 0 as length_max: it must be a whole number above 0",
        ),
        (
            r#"[{"name": "a", "kind": "text"}, {"name": "a", "kind": "text"}]"#,
            "label \"a\" stands twice",
        ),
        (
            r#"[{"name": "a", "name": "b", "kind": "text"}]"#,
            "the key \"name\" stands twice",
        ),
        (
            r#"[{"name": "a", "kind": "x"}, {"name": "b"}]"#,
            "label 0 \"a\" has kind \"x\": a kind is one of boolean, category, number, text; label 1 \"b\" has no kind",
        ),
    ];
    for (text, wanted) in cases {
        let message = LabelSchema::parse(text).unwrap_err().message;
        assert!(message.contains(wanted), "{text}: {message}");
    }
    let long = json!([{"name": "a".repeat(251), "kind": "text", "instruction": "b".repeat(1001)}]);
    let message = LabelSchema::parse(&long.to_string()).unwrap_err().message;
    assert!(
        message.contains("a name of 251") && message.contains("an instruction of 1001"),
        "{message}"
    );
}

#[test]
fn a_good_answer_is_typed() {
    let schema = LabelSchema::parse(ALL).unwrap();
    let answer = json!({"ok": false, "tone": "cold", "faults": ["c", "a"], "stars": 5.0, "share": 0.5, "note": "é é é"});
    let values = check_answer(&schema, &entries(answer)).unwrap();
    assert_eq!(values["ok"], LabelValue::Boolean(false));
    assert_eq!(
        values["faults"],
        LabelValue::Categories(vec!["a".into(), "c".into()])
    );
    assert_eq!(values["stars"], LabelValue::Integer(5));
    assert_eq!(values["share"], LabelValue::Number(0.5));
    let plain: Vec<_> = values.values().map(LabelValue::to_json).collect();
    assert_eq!(
        plain,
        [
            json!(["a", "c"]),
            json!("é é é"),
            json!(false),
            json!(0.5),
            json!(5),
            json!("cold")
        ]
    );
    let text = serde_json::to_string(&values).unwrap();
    assert_eq!(
        serde_json::from_str::<std::collections::BTreeMap<String, LabelValue>>(&text).unwrap(),
        values
    );
    let least = check_answer(
        &schema,
        &entries(json!({"ok": true, "tone": null, "faults": []})),
    )
    .unwrap();
    assert_eq!(least.keys().collect::<Vec<_>>(), ["faults", "ok"]);
}

#[test]
fn all_faults_of_an_answer_come_at_once() {
    let schema = LabelSchema::parse(ALL).unwrap();
    let answer = json!({"tone": "hot", "faults": ["a", "a"], "stars": 6, "share": true, "note": "123456", "x": 1});
    let faults = check_answer(&schema, &entries(answer)).unwrap_err();
    let said: Vec<String> = faults.iter().map(AnswerFault::to_string).collect();
    assert_eq!(
        said,
        [
            "label \"ok\" is not answered: it must be true or false",
            "label \"tone\" is \"hot\": it must be one of warm, cold",
            "label \"faults\" is a list: it must be a list of different ones of a, b, c",
            "label \"stars\" is 6: it must be a whole number from 1 up to 5",
            "label \"share\" is true: it must be a number from 0.5",
            "label \"note\" is \"123456\": it must be a text of 1 to 5 characters that is not only spaces",
            "label \"x\" is none of the schema: the labels are ok, tone, faults, stars, share, note",
        ]
    );
    for bad in [
        json!({"stars": 1.5}),
        json!({"stars": "3"}),
        json!({"faults": ["z"]}),
        json!({"faults": "a"}),
        json!({"note": " "}),
        json!({"ok": 1}),
    ] {
        let mut answer = entries(json!({"ok": true}));
        answer.extend(entries(bad.clone()));
        assert_eq!(
            check_answer(&schema, &answer).unwrap_err().len(),
            1,
            "{bad}"
        );
    }
    let free = LabelSchema::parse(r#"[{"name": "a", "kind": "text", "required": false}]"#).unwrap();
    let faults = check_answer(&free, &entries(json!({}))).unwrap_err();
    assert_eq!(
        faults[0].to_string(),
        "answer answers no label: answer at least one, or skip the item"
    );
    let any = LabelSchema::parse(r#"[{"name": "a", "kind": "number", "integer": true}]"#).unwrap();
    assert!(check_answer(&any, &entries(json!({"a": 1e16}))).is_err());
    assert!(check_answer(&any, &entries(json!({"a": 9007199254740992i64}))).is_ok());
}
