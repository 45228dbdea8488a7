//! Names: each dependency is used, each invariant that the code names is in the table, and a public name means one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{assert_none, is_test, production, root, sources};

#[test]
fn every_dependency_is_used() {
    let mut unused = Vec::new();
    for folder in [
        "storage",
        "query",
        "engine",
        "bindings/server",
        "bindings/cli",
    ] {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let listed = manifest
            .split("[dependencies]")
            .nth(1)
            .unwrap()
            .split("\n[")
            .next()
            .unwrap();
        let names = listed
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next());
        let names: Vec<&str> = names
            .filter(|name| !name.is_empty() && !name.starts_with('#'))
            .collect();
        assert!(names.len() > 5, "{folder}: {names:?}");
        let code: String = sources()
            .into_iter()
            .filter(|(name, _)| name.starts_with(folder))
            .map(|(_, text)| text)
            .collect();
        for name in names {
            let module = name.replace('-', "_");
            let is_used =
                code.contains(&format!("{module}::")) || code.contains(&format!("use {module} as"));
            if !is_used {
                unused.push(format!("{folder}: {name}"));
            }
        }
    }
    assert_none("dependencies that nothing names", unused);
}

#[test]
fn invariants_are_in_the_table() {
    let table = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let listed: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next())
        .collect();
    let mut unknown = Vec::new();
    for (name, text) in sources() {
        for id in ids(&text) {
            // The ids of one module are explained in a head of it.
            let room = name.split('/').take(3).collect::<Vec<_>>().join("/");
            let is_explained = || {
                sources().iter().any(|(other, text)| {
                    other.starts_with(&room)
                        && text
                            .lines()
                            .any(|line| line.starts_with("//!") && ids(line).contains(&id))
                })
            };
            if !listed.contains(id.as_str()) && !is_explained() {
                unknown.push(format!("{name}: {id}"));
            }
        }
    }
    assert_none("invariants that are explained nowhere", unknown);
}

/// Words such as `ST-2`.
fn ids(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let is_id = |word: &&str| {
        matches!(word.split_once('-'), Some((room, number))
            if room.len() == 2
                && room.bytes().all(|byte| byte.is_ascii_uppercase())
                && (1..=2).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    words.filter(is_id).map(str::to_string).collect()
}

/// Public names that several crates have, and mean the same by.
const SHARED: [&str; 4] = ["Error", "ErrorKind", "Result", "SqlStream"];

#[test]
fn a_public_name_means_one_thing() {
    let mut homes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, text) in sources().iter().filter(|(name, _)| !is_test(name)) {
        for line in production(text).lines() {
            let named = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
            let Some(rest) = named.iter().find_map(|start| line.strip_prefix(start)) else {
                continue;
            };
            let word = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            homes
                .entry(word.to_string())
                .or_default()
                .insert(name.clone());
        }
    }
    assert!(homes.len() > 100, "only {} public names found", homes.len());
    let several = homes
        .into_iter()
        .filter(|(name, homes)| homes.len() > 1 && !SHARED.contains(&name.as_str()));
    assert_none(
        "public names in several places",
        several
            .map(|(name, homes)| format!("{name}: {homes:?}"))
            .collect(),
    );
}
