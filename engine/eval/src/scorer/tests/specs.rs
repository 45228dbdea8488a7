//! SPECs and TOML files.

use serde_json::{Value, json};

use super::super::{Body, Definition, SpecError, parse_spec};

const FILES: [(&str, &str); 7] = [
    ("schema.json", r#"{"type": "object"}"#),
    ("broken.json", "{"),
    ("bad.txt", "# names\nfoo bar\n\n/sec+ret/\n"),
    ("polite.md", "Be polite.\nBe short.\n"),
    ("ask.txt", "Is {{ outputs }} right?"),
    ("set/words.txt", "damn\n"),
    (
        "set/all.toml",
        r#"
            [[scorer]]
            name = "city"
            kind = "exact_match"
            expectation = "/answer/city"
            field = "/city"
            ignore_case = true
            [[scorer]]
            kind = "forbidden"
            file = "words.txt"
            [[scorer]]
            kind = "judge"
            judge = "custom"
            template = "{{ inputs }}?"
            model = "small"
        "#,
    ),
];

fn read(name: &str) -> Result<String, String> {
    let found = FILES.iter().find(|(file, _)| *file == name);
    found
        .map(|(_, text)| (*text).to_owned())
        .ok_or_else(|| "no such file".to_owned())
}

fn parse(spec: &str) -> Result<Vec<Definition>, SpecError> {
    parse_spec(spec, &read)
}

fn one(spec: &str) -> Value {
    let definitions = parse(spec).unwrap();
    assert_eq!(definitions.len(), 1, "{spec}");
    definitions[0].to_value()
}

fn wrong(spec: &str) -> String {
    parse(spec).unwrap_err().to_string()
}

#[test]
fn each_form() {
    for (spec, key, value) in [
        ("exact_match", "trim", json!(false)),
        ("contains", "texts", json!([])),
        ("contains:a: b=c.toml", "texts", json!(["a: b=c.toml"])),
        ("regex:^a=\\d:$", "pattern", json!("^a=\\d:$")),
        ("json_valid", "fence", json!(false)),
        (
            "json_schema:schema.json",
            "schema",
            json!({"type": "object"}),
        ),
        ("max_words:50", "max", json!(50)),
        ("numeric:0.01", "absolute", json!(0.01)),
        ("numeric:1%", "relative", json!(0.01)),
        ("token_f1", "expectation", json!("expected_response")),
        ("rouge_l:0.4", "threshold", json!(0.4)),
        ("tool_calls", "expectation", json!("expected_tool_calls")),
        ("latency_ms:1500", "max", json!(1500.0)),
        ("tokens:900", "max", json!(900)),
        ("cost_usd:0.02", "max", json!(0.02)),
        ("citation", "min_words", json!(4)),
        (
            "forbidden:bad.txt",
            "words",
            json!(["foo bar", "/sec+ret/"]),
        ),
        (
            "sql:total_tokens = 5 AND a:b",
            "expression",
            json!("total_tokens = 5 AND a:b"),
        ),
    ] {
        let definition = one(spec);
        let kind = spec.split(':').next().unwrap();
        assert_eq!(definition["kind"], kind);
        assert_eq!(definition["name"], kind);
        assert_eq!(definition[key], value, "{spec}");
        assert_eq!(
            one(&format!("my_{kind}={spec}"))["name"],
            format!("my_{kind}")
        );
    }
}

#[test]
fn judges_are_data() {
    let definition = one("judge:guidelines:polite.md");
    assert_eq!(definition["name"], "guidelines");
    assert_eq!(definition["guidelines"], json!(["Be polite.\nBe short."]));
    assert_eq!(
        one("judge:custom:ask.txt")["template"],
        "Is {{ outputs }} right?"
    );
    for word in ["correctness", "groundedness", "safety", "relevance"] {
        let definitions = parse(&format!("judge:{word}")).unwrap();
        assert_eq!(definitions[0].name(), word);
        assert!(matches!(definitions[0].body(), Body::Judge(judge) if judge.judge.word() == word));
        assert!(definitions[0].scorer().is_err());
    }
}

#[test]
fn a_file_has_many() {
    let definitions = parse("set/all.toml").unwrap();
    let names: Vec<&str> = definitions.iter().map(Definition::name).collect();
    assert_eq!(names, ["city", "forbidden", "custom"]);
    let values: Vec<Value> = definitions.iter().map(Definition::to_value).collect();
    assert_eq!(values[0]["field"], "/city");
    assert_eq!(values[1]["words"], json!(["damn"]));
    assert_eq!(values[2]["model"], "small");
    assert!(wrong("x=set/all.toml").contains("has 3"));
}

#[test]
fn wrong_specs_say_what_is_right() {
    for (spec, part) in [
        ("", "a scorer is empty"),
        ("rogue_l", "did you mean `rouge_l`?"),
        ("rogue_l", "json_schema:FILE"),
        ("corectness", "did you mean `judge:correctness`?"),
        ("zzz:1", "unknown scorer `zzz`; known are exact_match"),
        ("exact_match:yes", "takes no argument"),
        ("contains:", "needs an argument, `:TEXT`"),
        ("max_words:-1", "`-1` is not a whole number of words"),
        ("latency_ms:fast", "`fast` is not a number of milliseconds"),
        ("cost_usd:inf", "not a number of US dollars"),
        ("numeric", "`:1%`"),
        ("rouge_l:1.5", "threshold 1.5 is not from 0 to 1"),
        ("regex:(", "no regular expression"),
        (
            "json_schema:none.json",
            "cannot read `none.json`: no such file",
        ),
        ("json_schema:broken.json", "is not JSON"),
        ("judge:corectness", "did you mean `correctness`?"),
        ("judge:safety:x", "takes no argument"),
        ("judge", "needs an argument"),
        ("sql: ", "needs an argument"),
        ("none.toml", "cannot read `none.toml`"),
    ] {
        let message = wrong(spec);
        assert!(message.contains(part), "{spec}: {message}");
    }
}

#[test]
fn wrong_files_say_where() {
    for (text, part) in [
        ("", "has no scorer"),
        ("a = [", "x.toml: TOML parse error"),
        ("[[scorers]]\nkind = 'sql'", "unknown key `scorers`"),
        ("scorer = [1]", "a scorer is a table"),
        (
            "[[scorer]]\nname = 'a'",
            "x.toml: scorer 1: a scorer's definition needs `kind`",
        ),
        (
            "[[scorer]]\nkind = 'max_words'\nmax = 1\nmaxx = 1",
            "unknown field `maxx`",
        ),
        ("[[scorer]]\nkind = 'max_words'", "missing field `max`"),
        ("[[scorer]]\nkind = 'regex'\nfile = 'a'", "`file` is for"),
        (
            "[[scorer]]\nkind = 'json_schema'\nfile = 'a'\nschema = {}",
            "both `file` and `schema`",
        ),
        (
            "[[scorer]]\nkind = 'forbidden'\nfile = 'a'",
            "cannot read `a`",
        ),
        (
            "[[scorer]]\nkind = 'exact_match'\nfield = 'a'",
            "`/a` would be",
        ),
    ] {
        let read = |name: &str| match name {
            "x.toml" => Ok(text.to_owned()),
            _ => Err("no such file".to_owned()),
        };
        let message = parse_spec("x.toml", &read).unwrap_err().to_string();
        assert!(message.contains(part), "{text}: {message}");
    }
}
