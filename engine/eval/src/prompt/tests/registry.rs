//! Versions, aliases and tags against a simple model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::super::{
    NewVersion, PromptBook, PromptContent, PromptErrorKind, PromptVersion, Reference,
};

fn new(text: &str) -> NewVersion {
    NewVersion::new(PromptContent::parse(text).unwrap())
}

#[test]
fn registering_gives_the_next_number_also_for_the_same_content() {
    let mut book = PromptBook::default();
    let mut tagged = new("a");
    tagged.tags.insert("team".into(), "x".into());
    tagged.commit_message = Some("first".into());
    let first = book.register("p", tagged, 5).unwrap();
    let second = book.register("p", new("a"), 9).unwrap();
    assert_eq!((first.version, second.version), (1, 2));
    assert_eq!(first.content, second.content);
    assert_eq!(first.uri().unwrap().to_string(), "prompts:/p/1");
    let prompt = book.prompt("p").unwrap();
    // Tags of a version are written to the prompt as well.
    assert_eq!(prompt.tags["team"], "x");
    assert_eq!(
        (prompt.created_at_ns, prompt.latest_version()),
        (5, Some(2))
    );
    assert!(second.tags.is_empty());
}

#[test]
fn a_wrong_version_changes_nothing() {
    let mut book = PromptBook::default();
    book.register("p", new("a"), 1).unwrap();
    let before = book.clone();
    let mut reserved = new("b");
    reserved
        .tags
        .insert("mlflow.prompt.text".into(), "x".into());
    let mut long = new("b");
    long.commit_message = Some("x".repeat(5001));
    for (name, wrong) in [("p", reserved), ("p", long), ("a b", new("b"))] {
        let error = book.register(name, wrong, 2).unwrap_err();
        assert_eq!(error.kind, PromptErrorKind::InvalidInput);
    }
    assert_eq!(book, before);
}

#[test]
fn a_number_is_given_once_and_latest_is_what_exists() {
    let mut book = PromptBook::default();
    for _ in 0..3 {
        book.register("p", new("a"), 1).unwrap();
    }
    let prompt = book.prompt_mut("p").unwrap();
    prompt.set_alias("prod", 3).unwrap();
    prompt.set_alias("old", 1).unwrap();
    assert_eq!(prompt.set_alias("old", 2).unwrap(), Some(1));
    assert_eq!(prompt.delete_version(3).unwrap(), ["prod"]);
    let latest = "prompts:/p".parse().unwrap();
    assert_eq!(book.resolve(&latest).unwrap(), 2);
    let gone = book.resolve(&"prompts:/p/3".parse().unwrap()).unwrap_err();
    assert_eq!(
        gone.message,
        "prompt \"p\" has no version 3 any more: its newest is 2"
    );
    let alias = book
        .resolve(&"prompts:/p@prod".parse().unwrap())
        .unwrap_err();
    assert_eq!(
        alias.message,
        "prompt \"p\" has no alias \"prod\": its aliases are old"
    );
    assert_eq!(book.register("p", new("a"), 1).unwrap().version, 4);
    book.delete_prompt("p").unwrap();
    assert_eq!(
        book.resolve(&latest).unwrap_err().kind,
        PromptErrorKind::NotFound
    );
    assert_eq!(book.register("p", new("a"), 1).unwrap().version, 1);
}

#[test]
fn a_version_as_json_has_the_names_of_the_table() {
    let mut version = PromptBook::default()
        .register("p", new("{{q}}"), 7)
        .unwrap();
    version.set_tag("a", "b").unwrap();
    let value = serde_json::to_value(&version).unwrap();
    assert_eq!(
        value,
        json!({"name": "p", "version": 1, "type": "text", "template": "{{q}}", "tags": {"a": "b"}, "aliases": [], "created_at_ns": 7})
    );
    assert_eq!(
        serde_json::from_value::<PromptVersion>(value).unwrap(),
        version
    );
    assert_eq!(version.delete_tag("a").unwrap(), Some("b".into()));
    assert_eq!(version.delete_tag("a").unwrap(), None);
    assert!(version.set_tag("mlflow.prompt.text", "x").is_err());
}

#[derive(Debug, Clone)]
enum Command {
    Register,
    SetAlias(usize, u32),
    DeleteAlias(usize),
    DeleteVersion(u32),
    SetTag(usize, usize),
    DeleteTag(usize),
    DeletePrompt,
}

const NAMES: [&str; 4] = ["a", "b", "latest", "v2"];

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => Just(Command::Register),
        3 => (0..4usize, 0..7u32).prop_map(|(alias, version)| Command::SetAlias(alias, version)),
        1 => (0..4usize).prop_map(Command::DeleteAlias),
        2 => (0..7u32).prop_map(Command::DeleteVersion),
        1 => (0..4usize, 0..3usize).prop_map(|(key, value)| Command::SetTag(key, value)),
        1 => (0..4usize).prop_map(Command::DeleteTag),
        1 => Just(Command::DeletePrompt),
    ]
}

/// A prompt as a list: each version with its aliases, none when it was deleted.
#[derive(Default)]
struct Model {
    versions: Vec<Option<Vec<&'static str>>>,
    tags: BTreeMap<String, String>,
}

impl Model {
    fn exists(&self, version: u32) -> bool {
        version > 0 && matches!(self.versions.get(version as usize - 1), Some(Some(_)))
    }

    fn drop_alias(&mut self, alias: &str) {
        for aliases in self.versions.iter_mut().flatten() {
            aliases.retain(|known| *known != alias);
        }
    }

    /// Whether the command is allowed.
    fn apply(&mut self, command: &Command) -> bool {
        let registered = !self.versions.is_empty();
        match *command {
            Command::Register => self.versions.push(Some(Vec::new())),
            Command::SetAlias(alias, version) => {
                if alias > 1 || !self.exists(version) {
                    return false;
                }
                self.drop_alias(NAMES[alias]);
                self.versions[version as usize - 1]
                    .as_mut()
                    .unwrap()
                    .push(NAMES[alias]);
            }
            Command::DeleteAlias(alias) if alias < 2 => self.drop_alias(NAMES[alias]),
            Command::DeleteAlias(_) => return false,
            Command::DeleteVersion(version) => {
                if !self.exists(version) {
                    return false;
                }
                self.versions[version as usize - 1] = None;
            }
            Command::SetTag(key, value) if registered => {
                self.tags.insert(NAMES[key].into(), NAMES[value].into());
            }
            Command::DeleteTag(key) if registered => {
                self.tags.remove(NAMES[key]);
            }
            Command::SetTag(..) | Command::DeleteTag(_) => {}
            Command::DeletePrompt => *self = Self::default(),
        }
        registered || matches!(command, Command::Register)
    }
}

fn apply(book: &mut PromptBook, command: &Command) -> bool {
    if let Command::Register = command {
        return book.register("p", new("x"), 1).is_ok();
    }
    if let Command::DeletePrompt = command {
        return book.delete_prompt("p").is_ok();
    }
    let Ok(prompt) = book.prompt_mut("p") else {
        return false;
    };
    match *command {
        Command::SetAlias(alias, version) => prompt.set_alias(NAMES[alias], version).is_ok(),
        Command::DeleteAlias(alias) => prompt.delete_alias(NAMES[alias]).is_ok(),
        Command::DeleteVersion(version) => prompt.delete_version(version).is_ok(),
        Command::SetTag(key, value) => prompt.set_tag(NAMES[key], NAMES[value]).is_ok(),
        Command::DeleteTag(key) => prompt.delete_tag(NAMES[key]).is_ok(),
        Command::Register | Command::DeletePrompt => unreachable!(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_book_is_the_model(commands in prop::collection::vec(command(), 0..40)) {
        let mut book = PromptBook::default();
        let mut model = Model::default();
        for command in &commands {
            let before = book.clone();
            let allowed = apply(&mut book, command);
            prop_assert_eq!(allowed, model.apply(command), "{:?}", command);
            if !allowed {
                prop_assert_eq!(&book, &before);
            }
            let Ok(prompt) = book.prompt("p") else {
                prop_assert!(model.versions.is_empty());
                continue;
            };
            prop_assert_eq!(prompt.last_version as usize, model.versions.len());
            prop_assert_eq!(&prompt.tags, &model.tags);
            let newest = (1..=prompt.last_version).rev().find(|version| model.exists(*version));
            prop_assert_eq!(prompt.resolve(&Reference::Latest).ok(), newest);
            for version in 0..9 {
                let found = prompt.resolve(&Reference::Version(version)).is_ok();
                prop_assert_eq!(found, model.exists(version));
                let mut aliases: Vec<&str> = if found {
                    model.versions[version as usize - 1].clone().unwrap()
                } else {
                    Vec::new()
                };
                aliases.sort_unstable();
                prop_assert_eq!(prompt.aliases_of(version), aliases);
            }
            let text = serde_json::to_string(&book).unwrap();
            prop_assert_eq!(&serde_json::from_str::<PromptBook>(&text).unwrap(), &book);
        }
    }
}
