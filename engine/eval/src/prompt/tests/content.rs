//! Files, canonical JSON, hashes, model configurations.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{PromptContent, Template, TemplateKind, canonical_json, check_model_config};
use super::entries;

fn parse(text: &str) -> PromptContent {
    PromptContent::parse(text).unwrap()
}

fn fault(text: &str) -> String {
    PromptContent::parse(text).unwrap_err().message
}

#[test]
fn plain_text_is_kept_to_the_last_character() {
    for text in [
        "Hello {{name}}\n",
        "{{name}} first",
        "[INST] {{q}} [/INST]",
        "[{{a}}]",
        "{a}",
        " x",
        "\"quoted\"",
        "7",
    ] {
        assert_eq!(parse(text).template(), &Template::text(text));
    }
    assert_eq!(parse("\u{feff}x").template(), &Template::text("x"));
    assert!(fault("").contains("is empty"));
}

#[test]
fn lists_and_objects_are_read() {
    let chat =
        parse(r#" [{"role": "system", "content": "a"}, {"content": "{{q}}", "role": "user"}]"#);
    assert_eq!(chat.template().kind(), TemplateKind::Chat);
    let whole = parse(
        r#"{"template": "{{q}}", "response_format": {"type": "object"}, "model_config": {"temperature": 0, "top_k": null}}"#,
    );
    assert_eq!(whole.template(), &Template::text("{{q}}"));
    assert_eq!(
        whole.response_format(),
        Some(&entries(json!({"type": "object"})))
    );
    assert_eq!(
        whole.model_config(),
        Some(&entries(json!({"temperature": 0})))
    );
    let bare = parse(r#"{"template": "x", "response_format": {}, "model_config": null}"#);
    assert_eq!(bare, parse("x"));
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let cases = [
        ("[]", "chat template has no message"),
        ("[1]", "message 0 is a number"),
        (
            r#"[{"role": "user", "content": "a"},]"#,
            "begins as JSON but is not: trailing comma at line 1",
        ),
        (r#"{"template": "a""#, "begins as JSON but is not"),
        (r#"{"answer": "x"}"#, "has no template"),
        (r#"{"template": "a", "tone": 1}"#, "has the key \"tone\""),
        (
            r#"{"template": "a", "template": "b"}"#,
            "the key \"template\" stands twice",
        ),
        (r#"{"template": 3}"#, "template is a number"),
        (
            r#"{"template": "a", "response_format": "json"}"#,
            "response_format is a string",
        ),
        (
            r#"[{"role": "human", "content": "a"}]"#,
            "role \"human\": a role is one of system, user, assistant, tool, developer",
        ),
        (r#"[{"role": "user"}]"#, "message 0 has no content"),
        (r#"[{"content": "a"}]"#, "message 0 has no role"),
        (
            r#"[{"role": "user", "content": []}]"#,
            "message 0 has a list as its content",
        ),
        (
            r#"[{"role": "user", "content": "a", "name": "b"}]"#,
            "message 0 has \"name\"",
        ),
        (
            r#"{"template": "a", "model_config": {"top_p": 2, "max_tokens": 0}}"#,
            "max_tokens is 0: it must be a whole number above 0; top_p is 2: it must be a number from 0 to 1",
        ),
    ];
    for (text, wanted) in cases {
        let message = fault(text);
        assert!(message.contains(wanted), "{text}: {message}");
    }
}

#[test]
fn model_configs_follow_mlflow() {
    let good = json!({
        "provider": "openai", "model_name": "m", "temperature": 2.5, "max_tokens": 1, "top_p": 1, "top_k": 5,
        "frequency_penalty": -3, "presence_penalty": 0.1, "stop_sequences": ["a"], "seed": null, "extra": {"a": 1}
    });
    assert_eq!(
        check_model_config(entries(good.clone())).unwrap(),
        entries(good)
    );
    for bad in [
        json!({"provider": 1}),
        json!({"model_name": []}),
        json!({"temperature": -0.1}),
        json!({"temperature": "1"}),
        json!({"max_tokens": 0}),
        json!({"max_tokens": 1.5}),
        json!({"top_p": 1.01}),
        json!({"top_k": -1}),
        json!({"frequency_penalty": true}),
        json!({"stop_sequences": "a"}),
        json!({"stop_sequences": [1]}),
    ] {
        let field = bad.as_object().unwrap().keys().next().unwrap().clone();
        let error = check_model_config(entries(bad)).unwrap_err();
        assert!(error.message.contains(&field), "{error}");
    }
}

#[test]
fn the_hash_is_of_what_is_said() {
    let one = parse(r#"{"template": "é {{q}}", "model_config": {"top_p": 1, "temperature": 0.5}}"#);
    let two = parse(
        r#"{ "model_config": {"temperature": 0.5, "top_p": 1}, "template": "\u00e9 {{q}}" }"#,
    );
    assert_eq!(one, two);
    assert_eq!(
        one.canonical_json(),
        r#"{"model_config":{"temperature":0.5,"top_p":1},"template":"é {{q}}"}"#
    );
    assert_eq!(one.content_hash(), two.content_hash());
    // Stored hashes must never change: this one is from Python's hashlib over the text above.
    assert_eq!(
        one.content_hash(),
        "d1ac2daa4d2d26175caa1ab481666127ef69ed0917eeaf291f22a17f10114db8"
    );
    let chat = parse(r#"[{"role": "user", "content": "a"}]"#);
    assert_eq!(
        chat.canonical_json(),
        r#"{"template":[{"content":"a","role":"user"}]}"#
    );
    // A text that looks like a chat is another content.
    let text = PromptContent::new(
        Template::text(r#"[{"content":"a","role":"user"}]"#),
        None,
        None,
    )
    .unwrap();
    assert_ne!(text.content_hash(), chat.content_hash());
}

#[test]
fn json_round_trips_and_is_checked() {
    let content = parse(
        r#"{"template": [{"role": "tool", "content": "a"}], "response_format": {"type": "object"}}"#,
    );
    let value = serde_json::to_value(&content).unwrap();
    assert_eq!(
        value,
        json!({"type": "chat", "template": [{"role": "tool", "content": "a"}], "response_format": {"type": "object"}})
    );
    assert_eq!(
        serde_json::from_value::<PromptContent>(value).unwrap(),
        content
    );
    let lie = serde_json::from_value::<PromptContent>(json!({"type": "chat", "template": "a"}))
        .unwrap_err();
    assert!(
        lie.to_string()
            .contains("type is \"chat\" but the template is a text"),
        "{lie}"
    );
    assert!(serde_json::from_value::<Template>(json!([])).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6f64).prop_map(Value::from),
        "[a-z\"\\\\\u{1}é]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-cé\"]{0,3}", inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_json_reads_back(value in any_json(), other in any_json()) {
        let text = canonical_json(&value);
        prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &value);
        prop_assert_eq!(text == canonical_json(&other), value == other);
    }

    #[test]
    fn any_file_is_a_content_or_an_error(text in "[\\[{ \"a:,}\\]]{0,12}") {
        if let Ok(content) = PromptContent::parse(&text) {
            prop_assert!(content.template() == &Template::text(text.as_str()));
        }
    }
}
