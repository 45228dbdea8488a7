//! URIs, names, aliases, tags.

use proptest::prelude::*;

use super::super::{PromptUri, Reference, check_alias, check_name, check_tag, check_tag_key};

fn parse(text: &str) -> PromptUri {
    text.parse().unwrap()
}

#[test]
fn the_forms_are_read() {
    assert_eq!(
        parse("prompts:/a.b-c_1/3").reference(),
        &Reference::Version(3)
    );
    assert_eq!(parse("prompts:/a/003").to_string(), "prompts:/a/3");
    assert_eq!(
        parse("prompts:/a@prod").reference(),
        &Reference::Alias("prod".into())
    );
    for latest in ["prompts:/a", "prompts:/a@latest", "prompts:/a@LATEST"] {
        assert_eq!(parse(latest).reference(), &Reference::Latest);
        assert_eq!(parse(latest).to_string(), "prompts:/a@latest");
    }
    let json = serde_json::to_string(&parse("prompts:/a@prod")).unwrap();
    assert_eq!(json, "\"prompts:/a@prod\"");
    assert_eq!(
        serde_json::from_str::<PromptUri>(&json).unwrap(),
        parse("prompts:/a@prod")
    );
    assert!(serde_json::from_str::<PromptUri>("\"a@prod\"").is_err());
}

#[test]
fn wrong_uris_say_what_would_be_right() {
    let cases = [
        ("a/1", "does not start with prompts:/"),
        ("models:/a/1", "does not start with prompts:/"),
        ("prompts:/", "prompt name is empty"),
        ("prompts://a/1", "more than one '/'"),
        ("prompts:/a/", "has \"\" for a version"),
        ("prompts:/a/latest", "has \"latest\" for a version"),
        ("prompts:/a/-1", "has \"-1\" for a version"),
        ("prompts:/a/0", "versions are counted from 1"),
        ("prompts:/a/1/2", "has \"1/2\" for a version"),
        ("prompts:/a/4294967296", "has a version above 4294967295"),
        ("prompts:/a@", "has no alias after '@'"),
        ("prompts:/a/1@prod", "has both a version and an alias"),
        ("prompts:/a@v3", "name version 3 by its number"),
        ("prompts:/a@b@c", "alias \"b@c\" has '@'"),
        ("prompts:/a b/1", "prompt name \"a b\" has ' '"),
    ];
    for (text, wanted) in cases {
        let message = text.parse::<PromptUri>().unwrap_err().message;
        assert!(message.contains(wanted), "{text}: {message}");
    }
}

#[test]
fn names_follow_mlflow() {
    let long = "a".repeat(256);
    for name in ["a", "A.b-c_9", ".a", "a..b", "-", "_", long.as_str()] {
        assert!(check_name(name).is_ok(), "{name}");
    }
    let longer = "a".repeat(257);
    for name in [
        "",
        ".",
        "..",
        "..a",
        "a/b",
        "a:b",
        "a b",
        "é",
        "a\n",
        longer.as_str(),
    ] {
        assert!(check_name(name).is_err(), "{name}");
    }
}

#[test]
fn aliases_follow_mlflow() {
    let long = "a".repeat(256);
    for alias in [
        "a",
        "prod-1_x",
        "é",
        "v",
        "va",
        "v1a",
        "latest1",
        &long[..255],
    ] {
        assert!(check_alias(alias).is_ok(), "{alias}");
    }
    for alias in [
        "",
        "latest",
        "Latest",
        "v1",
        "V22",
        "a b",
        "a.b",
        "a@b",
        long.as_str(),
    ] {
        assert!(check_alias(alias).is_err(), "{alias}");
    }
}

#[test]
fn tags_follow_mlflow() {
    let long = "a".repeat(251);
    for key in [
        "a",
        "a/b",
        "a b",
        "a:b.c-d_e",
        "é",
        "a..b",
        "...a/b".trim_start_matches('.'),
    ] {
        assert!(check_tag_key(key).is_ok(), "{key}");
    }
    for key in [
        "",
        ".",
        "..",
        "..a",
        "/a",
        "a/",
        "a//b",
        "a/./b",
        "a/../b",
        "a,b",
        "a=b",
        long.as_str(),
        "mlflow.prompt.text",
    ] {
        assert!(check_tag_key(key).is_err(), "{key}");
    }
    assert!(check_tag("a", &"x".repeat(100_000)).is_ok());
    assert!(check_tag("a", &"x".repeat(100_001)).is_err());
}

proptest! {
    #[test]
    fn what_parses_is_written_and_parses_to_the_same(text in "prompts:/[a.-]{0,3}[/@]?[a0-9vlatest]{0,6}") {
        if let Ok(uri) = text.parse::<PromptUri>() {
            prop_assert_eq!(uri.to_string().parse::<PromptUri>().unwrap(), uri);
        }
    }

    #[test]
    fn what_is_built_is_read_back(name in "[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,8}", version in 1u32.., alias in "[a-z_-]{1,5}x") {
        for reference in [Reference::Version(version), Reference::Alias(alias.clone()), Reference::Latest] {
            let uri = PromptUri::new(name.as_str(), reference).unwrap();
            prop_assert_eq!(uri.to_string().parse::<PromptUri>().unwrap(), uri);
        }
    }
}
