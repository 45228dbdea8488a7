//! Placeholders and rendering.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{ChatMessage, PromptErrorKind, Rendered, Role, Template};
use super::entries;

fn variables(text: &str) -> Vec<String> {
    Template::text(text).variables()
}

#[test]
fn names_are_mlflows() {
    assert_eq!(variables("{{a}} {{ b }} {{\n\tc\u{a0}}}"), ["a", "b", "c"]);
    assert_eq!(variables("{{a.b_1.C}} {{_x}}"), ["a.b_1.C", "_x"]);
    assert_eq!(variables("{{b}}{{a}}{{ b }}"), ["b", "a"]);
    // One brace more on each side is text around the placeholder.
    assert_eq!(variables("{{{a}}}"), ["a"]);
    assert_eq!(variables("{{ {{a}} }}"), ["a"]);
    for text in [
        "{{}}",
        "{{ }}",
        "{{1a}}",
        "{{a b}}",
        "{{a.}}",
        "{{.a}}",
        "{{a..b}}",
        "{{a-b}}",
        "{{é}}",
        "{a}",
        "{{a}",
        "{ {a}}",
        "{{a} }",
        "{{a.1}}",
        "{{ a | upper }}",
        "{{",
        "",
    ] {
        assert_eq!(variables(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn values_go_in_once() {
    let template = Template::text("{{a}}-{{ b }}-{{a}}");
    let values = entries(json!({"a": "{{b}}", "b": "{{a}}"}));
    let rendered = template.format(&values).unwrap();
    assert_eq!(rendered, Rendered::Text("{{b}}-{{a}}-{{b}}".into()));
}

#[test]
fn values_that_are_no_text_are_compact_json() {
    let template = Template::text("{{t}} {{n}} {{f}} {{z}} {{l}} {{o}}");
    let values = entries(
        json!({"t": true, "n": 3, "f": 0.5, "z": null, "l": [1, "é"], "o": {"b": 1, "a": "\""}}),
    );
    let rendered = template.format(&values).unwrap();
    let text = r#"true 3 0.5 null [1,"é"] {"a":"\"","b":1}"#;
    assert_eq!(rendered, Rendered::Text(text.into()));
}

#[test]
fn chat_renders_each_message() {
    let template = Template::chat(vec![
        ChatMessage::new(Role::Developer, "Be {{style}}"),
        ChatMessage::new(Role::User, "{{question}}"),
    ])
    .unwrap();
    assert_eq!(template.variables(), ["style", "question"]);
    let values = entries(json!({"style": "kind", "question": "why?"}));
    let wanted = vec![
        ChatMessage::new(Role::Developer, "Be kind"),
        ChatMessage::new(Role::User, "why?"),
    ];
    assert_eq!(template.format(&values).unwrap(), Rendered::Chat(wanted));
}

#[test]
fn missing_and_unknown_names_are_listed_together() {
    let template = Template::text("{{a}} {{b}} {{c}}");
    let error = template
        .format(&entries(json!({"b": 1, "y": 1, "x y": 1})))
        .unwrap_err();
    assert_eq!(error.kind, PromptErrorKind::InvalidInput);
    assert_eq!(
        error.message,
        "template cannot be filled: no value for a, c; no variable x y, y; \"x y\" cannot name a variable: a name has \
         ASCII letters, digits, '_' and dots between steps; its variables are a, b, c"
    );
}

#[test]
fn partial_values_stay_values() {
    let template = Template::text("{{a}} {{b}}");
    let partial = template
        .format_partial(&entries(json!({"a": "{{b}}"})))
        .unwrap();
    assert_eq!(partial.missing(), ["b"]);
    assert_eq!(partial.preview(), Rendered::Text("{{b}} {{b}}".into()));
    let again = partial.clone().with(&entries(json!({"a": 1}))).unwrap_err();
    assert!(
        again.message.contains("a value was given before for a"),
        "{again}"
    );
    let unknown = partial.clone().with(&entries(json!({"z": 1}))).unwrap_err();
    assert!(unknown.message.contains("no variable z"), "{unknown}");
    assert!(partial.clone().format(&Map::new()).is_err());
    let rendered = partial.format(&entries(json!({"b": "x"}))).unwrap();
    assert_eq!(rendered, Rendered::Text("{{b}} x".into()));
}

#[test]
fn jinja2_is_kept_and_not_rendered() {
    let template = Template::text("{% if a %}{{a}}{% endif %}");
    assert!(template.is_jinja2());
    assert_eq!(template.variables(), ["a"]);
    for error in [
        template.format(&entries(json!({"a": 1}))).unwrap_err(),
        template.format_partial(&Map::new()).unwrap_err(),
    ] {
        assert_eq!(error.kind, PromptErrorKind::NotRenderable);
    }
    // The two signs must stand in one message.
    let parts = ["{% a", "b %}"].map(|text| ChatMessage::new(Role::User, text));
    assert!(!Template::chat(parts.to_vec()).unwrap().is_jinja2());
}

#[test]
fn a_template_has_the_length_that_mlflow_stores() {
    assert!(Template::text("é".repeat(100_000)).check().is_ok());
    assert!(Template::text("é".repeat(100_001)).check().is_err());
    // `[{"role": "user", "content": "..."}]` has 33 characters around the content.
    let chat =
        |content: String| Template::chat(vec![ChatMessage::new(Role::User, content)]).unwrap();
    assert!(chat("a".repeat(99_967)).check().is_ok());
    assert!(chat("a".repeat(99_968)).check().is_err());
    // Six characters each as ASCII JSON, twelve above the first plane, two for a quote.
    assert!(chat(format!("{}a", "é".repeat(16_661))).check().is_ok());
    assert!(chat("é".repeat(16_662)).check().is_err());
    assert!(chat("😀".repeat(8_331)).check().is_err());
    assert!(chat("\"".repeat(49_984)).check().is_err());
}

fn small_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{{a}}"),
        Just("{{ b }}"),
        Just("{"),
        Just("}"),
        Just("{{"),
        Just("}}"),
        Just("a"),
        Just(" "),
        Just("."),
        Just("1"),
        Just("é"),
        Just("{{a.b}}"),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// The same by the slowest way: at each place, try every end.
fn slow_fill(text: &str, fill: &dyn Fn(&str) -> String) -> String {
    let is_name = |name: &str| {
        name.split('.').all(|step| {
            step.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && step.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let ends = rest.match_indices("}}").map(|(at, _)| at);
        let found = ends
            .filter(|at| *at >= 2 && rest.starts_with("{{"))
            .find_map(|at| {
                let name = rest[2..at].trim();
                is_name(name).then(|| (fill(name), at + 2))
            });
        let (text, len) = found.unwrap_or_else(|| (first.to_string(), first.len_utf8()));
        out.push_str(&text);
        rest = &rest[len..];
    }
    out
}

proptest! {
    #[test]
    fn rendering_is_that_of_the_slow_way(text in small_text(), value in small_text()) {
        let template = Template::text(text.as_str());
        let names = template.variables();
        let values: Map<String, Value> =
            names.iter().map(|name| (name.clone(), Value::from(value.as_str()))).collect();
        let rendered = template.format(&values).unwrap();
        let wanted = slow_fill(&text, &|_| value.clone());
        prop_assert_eq!(rendered, Rendered::Text(wanted));
    }

    #[test]
    fn values_in_two_steps_are_values_at_once(text in small_text(), values in prop::collection::vec(small_text(), 3), cut in 0usize..4) {
        let template = Template::text(text.as_str());
        let all: Vec<(String, Value)> =
            template.variables().into_iter().zip(values.into_iter().map(Value::from)).collect();
        let cut = cut.min(all.len());
        let first: Map<String, Value> = all[..cut].iter().cloned().collect();
        let second: Map<String, Value> = all[cut..].iter().cloned().collect();
        let whole: Map<String, Value> = all.iter().cloned().collect();
        let partial = template.format_partial(&first).unwrap();
        prop_assert_eq!(partial.missing().len(), all.len() - cut);
        prop_assert_eq!(partial.format(&second).unwrap(), template.format(&whole).unwrap());
    }
}
