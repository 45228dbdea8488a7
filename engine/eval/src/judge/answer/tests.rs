//! Answers as models write them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::ask::OutputType;
use super::*;

fn boolean(text: &str) -> Result<bool, String> {
    read(text, &OutputType::Boolean).map(|verdict| verdict.value.as_bool().unwrap())
}

#[test]
fn lenient_forms_are_read() {
    let forms = [
        r#"{"rationale": "ok", "value": true}"#,
        "```json\n{\"rationale\": \"ok\", \"value\": true}\n```",
        "Sure! Here is my verdict: {\"rationale\": \"ok\", \"value\": true} Anything else?",
        "{\"rationale\": \"ok\", \"value\": true,\n}",
        "{\"rationale\": \"two\nlines\tand a tab\", \"value\": true}",
        "<think>{\"value\": false} perhaps</think>{\"rationale\": \"ok\", \"value\": true}",
        "First {\"value\": false}, but no: {\"rationale\": \"ok\", \"value\": true}",
        "\u{feff} {\"rationale\": \"braces } { and \\\" in a text\", \"value\": true}",
        "a { brace that never closes {\"value\": true}",
        "{the answer} is good {\"value\": \"Yes\"}",
        r#"{"value": true, "parts": [1, {"a": [],},],}"#,
    ];
    for form in forms {
        assert_eq!(boolean(form), Ok(true), "{form}");
    }
}

#[test]
fn unreadable_forms_say_why() {
    let no_json = "it has no JSON object";
    let cases = [
        ("", no_json),
        ("true", no_json),
        ("[true]", no_json),
        ("{'value': true}", no_json),
        ("{\"value\": tr", no_json),
        ("<think>{\"value\": true}</think>", no_json),
        ("{\"verdict\": true}", "its JSON object has no \"value\""),
        ("{\"value\": 1}", "\"value\" is 1, neither true nor false"),
        (
            "{\"value\": null}",
            "\"value\" is null, neither true nor false",
        ),
    ];
    for (text, why) in cases {
        assert_eq!(boolean(text), Err(why.to_owned()), "{text}");
    }
}

/// A value, and whether it passes.
type Read = (Value, Option<bool>);

#[test]
fn values_are_of_the_type() {
    let number = OutputType::Number {
        min: 1.0,
        max: 5.0,
        pass_from: Some(4.0),
    };
    let measure = OutputType::Number {
        min: 0.0,
        max: 1.0,
        pass_from: None,
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let category = OutputType::Category {
        categories: words(&["Good", "Fair", "Bad"]),
        pass: words(&["Good"]),
    };
    let cases: [(&OutputType, Value, Option<Read>); 12] = [
        (&number, json!(4), Some((json!(4), Some(true)))),
        (&number, json!("3.5"), Some((json!(3.5), Some(false)))),
        (&number, json!(5.1), None),
        (&number, json!(true), None),
        (&number, json!("4/5"), None),
        (&measure, json!(0.25), Some((json!(0.25), None))),
        (&category, json!(" good"), Some((json!("Good"), Some(true)))),
        (&category, json!("BAD"), Some((json!("Bad"), Some(false)))),
        (&category, json!("great"), None),
        (&category, json!(1), None),
        (
            &OutputType::Text,
            json!("a {b}"),
            Some((json!("a {b}"), None)),
        ),
        (&OutputType::Text, json!(["a"]), None),
    ];
    for (output, value, wanted) in cases {
        let text = json!({"rationale": "r", "value": value}).to_string();
        let read = read(&text, output)
            .ok()
            .map(|verdict| (verdict.value, verdict.passed));
        assert_eq!(read, wanted, "{text} as {output:?}");
    }
}

#[test]
fn rationales_of_any_type_are_kept() {
    let rationale = |text: &str| read(text, &OutputType::Boolean).unwrap().rationale;
    assert_eq!(rationale(r#"{"value": true}"#), None);
    assert_eq!(rationale(r#"{"value": true, "rationale": " "}"#), None);
    assert_eq!(
        rationale(r#"{"value": true, "rationale": " why "}"#),
        Some("why".into())
    );
    assert_eq!(
        rationale(r#"{"value": true, "rationale": [1]}"#),
        Some("[1]".into())
    );
}

#[test]
fn hostile_lengths_come_to_an_end() {
    for piece in [
        "{",
        "{\"a\":",
        "{\"a\":[",
        "{}",
        "{\"",
        "[{",
        "{\"a\":1,",
        "\"{",
        "}",
        "{\\",
        "{\\\"",
        "{{x}",
    ] {
        assert!(boolean(&piece.repeat(3_000)).is_err(), "{piece}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[{}\\[\\]\",:a-c\\\\\n \u{e9}<>]{0,200}") {
        let _ = boolean(&text);
    }

    /// A text in an answer comes out as it went in, whatever stands around it.
    #[test]
    fn objects_survive_their_surroundings(
        text in "\\PC{0,60}",
        before in "[a-z \"':,.\n`]{0,30}",
        after in "[a-z \"':,.\n`}]{0,30}",
    ) {
        let answer = format!("{before}{}{after}", json!({"rationale": "r", "value": text}));
        let read = read(&answer, &OutputType::Text).unwrap();
        prop_assert_eq!(read.value, Value::String(text));
    }
}
