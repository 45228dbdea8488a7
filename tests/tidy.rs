//! Rules of the code that no compiler checks: who may depend on whom, who may name what, sizes.

mod assertions;
mod names;
mod rooms;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, in lines.
const FILE_LINES_MAX: usize = 800;
/// Longest function, in lines. Tests have no longer ones: a long table of cases is a constant.
const FUNCTION_LINES_MAX: usize = 70;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// All Rust sources by path relative to the root, with `/` between the parts.
fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for folder in ["storage", "query", "engine", "bindings", "tests", "benches"] {
        collect(&root().join(folder), &mut found);
    }
    assert!(found.len() > 80, "only {} sources found", found.len());
    found
}

fn collect(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(root())
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The source without its inline test modules, and without comments.
fn production(text: &str) -> String {
    let body = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    let code = |line: &&str| !line.trim_start().starts_with("//");
    body.lines()
        .filter(code)
        .map(|line| format!("{line}\n"))
        .collect()
}

fn is_test(name: &str) -> bool {
    name.starts_with("tests/")
        || name.starts_with("benches/")
        || name.contains("/examples/")
        || name.ends_with("tests.rs")
        || name.contains("/tests/")
}

fn assert_none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// AR-1: imports run only leftwards in storage <- query <- engine <- bindings.
#[test]
fn crates_depend_leftwards() {
    let ours = [
        "tracehouse-storage",
        "tracehouse-query",
        "tracehouse",
        "tracehouse-cli",
    ];
    for (folder, allowed) in [
        ("storage", &ours[..0]),
        ("query", &ours[..1]),
        ("engine", &ours[..2]),
        ("bindings/server", &ours[2..3]),
        ("bindings/cli", &ours[2..3]),
        ("bindings/python", &ours[2..3]),
    ] {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let dependencies = manifest
            .split("[dependencies]")
            .nth(1)
            .unwrap_or("")
            .split("\n[")
            .next()
            .unwrap();
        for name in dependencies
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next())
        {
            let is_allowed = !ours.contains(&name) || allowed.contains(&name);
            assert!(is_allowed, "AR-1: {folder} may not depend on {name}");
        }
    }
}

/// AR-2: each heavy dependency is named by one module.
#[test]
fn heavy_dependencies_are_named_in_one_place() {
    let homes: [(&str, &[&str]); 16] = [
        ("sled", &["storage/src/kv/"]),
        ("tantivy", &["storage/src/text/"]),
        ("parquet", &["storage/src/segment/", "bindings/cli/"]),
        ("datafusion", &["query/src/"]),
        ("datafusion_functions_json", &["query/src/"]),
        ("sqlparser", &["query/src/sql/"]),
        ("prost", &["engine/src/otlp/", "bindings/server/src/"]),
        (
            "ureq",
            &[
                "engine/eval/src/judge/call/transport.rs",
                "bindings/server/src/forward/",
            ],
        ),
        ("boon", &["engine/eval/src/scorer/rules/json.rs"]),
        (
            "flate2",
            &[
                "engine/src/otlp/",
                "bindings/server/src/receive/compression.rs",
                "bindings/server/src/forward/",
            ],
        ),
        (
            "tokio",
            &[
                "query/src/runtime.rs",
                "query/src/sql/",
                "bindings/server/src/",
            ],
        ),
        ("axum", &["bindings/server/src/"]),
        ("tonic", &["bindings/server/src/"]),
        ("arrow_flight", &["bindings/server/src/flight/"]),
        ("rmcp", &["bindings/server/src/mcp/"]),
        ("tokio_rustls", &["bindings/server/src/listen/"]),
    ];
    let mut found = Vec::new();
    for (name, text) in sources() {
        let code = production(&text);
        for (dependency, homes) in &homes {
            let is_home = homes.iter().any(|home| name.starts_with(home)) || is_test(&name);
            if !is_home && names_crate(&code, dependency) {
                found.push(format!(
                    "{name} names {dependency}, which only {homes:?} may"
                ));
            }
        }
    }
    assert_none("AR-2", found);
}

/// Whether the code has `name::` where `name` is no part of a longer path or word.
fn names_crate(code: &str, name: &str) -> bool {
    is_word(code, &format!("{name}::"))
}

fn is_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '.'))
    })
}

/// One Arrow in the tree, and one of everything that shares its types.
#[test]
fn one_version_of_what_meets_in_types() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in [
        "arrow-array",
        "arrow-schema",
        "parquet",
        "datafusion",
        "tantivy",
        "sled",
        "sqlparser",
    ] {
        let count = lock.matches(&format!("\nname = \"{name}\"\n")).count();
        assert_eq!(count, 1, "{name} is {count} times in Cargo.lock");
    }
}

#[test]
fn every_file_says_what_it_is() {
    let is_silent = |text: &str| !text.starts_with("//!") && text.trim() != "fn main() {}";
    let silent = sources().into_iter().filter(|(_, text)| is_silent(text));
    assert_none(
        "files that do not open with //!",
        silent.map(|(name, _)| name).collect(),
    );
}

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for (name, text) in sources() {
        let lines = production(&text).lines().count();
        if lines > FILE_LINES_MAX && !is_test(&name) {
            long.push(format!("{name}: {lines} lines"));
        }
        let functions = functions(&text).into_iter();
        long.extend(
            functions
                .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX)
                .map(|(function, lines)| format!("{name}: {function} has {lines} lines")),
        );
    }
    assert_none("too long", long);
}

/// Name and length of each function, told by the indentation that the formatter gives.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let words = ["pub ", "pub(crate) ", "pub(super) ", "const ", "async "];
        let rest = words
            .iter()
            .fold(code, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
        if !rest.starts_with("fn ") || line.ends_with('}') || line.ends_with(';') {
            continue;
        }
        let end = lines[at..]
            .iter()
            .position(|line| *line == format!("{indent}}}"));
        let name = rest[3..].split(['(', '<']).next().unwrap_or("").to_string();
        found.push((name, end.map_or(0, |end| end + 1)));
    }
    found
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    // Written apart, so that this file does not contain them.
    let words = [
        ["todo", "!("],
        ["unimplemented", "!("],
        ["#[ign", "ore"],
        ["dbg", "!("],
    ]
    .map(|parts| parts.concat());
    let mut found = Vec::new();
    for (name, text) in sources() {
        found.extend(
            words
                .iter()
                .filter(|word| text.contains(*word))
                .map(|word| format!("{name}: {word}")),
        );
    }
    assert_none("left undone", found);
}

/// AR-4: the truth files are read and written through `storage::env` alone.
#[test]
fn files_are_reached_through_env() {
    let homes = [
        "storage/src/env/",
        "storage/src/kv/",
        "storage/src/text/",
        "bindings/",
    ];
    let mut found = Vec::new();
    for (name, text) in sources() {
        if homes.iter().any(|home| name.starts_with(home)) || is_test(&name) {
            continue;
        }
        let code = production(&text);
        // A stopwatch (`Instant`) is no clock.
        for word in ["std::fs", "fs::", "File::", "SystemTime::"] {
            if is_word(&code, word) {
                found.push(format!("{name}: {word}"));
            }
        }
    }
    assert_none("AR-4", found);
}

#[test]
fn documents_do_not_point_at_what_is_not_there() {
    let pages = ["docs", "docs/python"].into_iter().flat_map(|folder| {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path())
    });
    let pages = pages.filter(|path| path.is_file());
    let mut missing = Vec::new();
    for page in pages.chain([root().join("ARCHITECTURE.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        let words = text.split('`').skip(1).step_by(2);
        for path in words.filter(|word| word.ends_with(".rs") && word.contains('/')) {
            let crates = [
                "",
                "storage/src/",
                "query/src/",
                "engine/src/",
                "bindings/cli/src/",
                "bindings/python/src/",
            ];
            if !crates
                .iter()
                .any(|folder| root().join(folder).join(path).exists())
            {
                missing.push(format!("{}: {path}", page.display()));
            }
        }
    }
    assert_none("documents name", missing);
}

#[test]
fn nothing_that_backtracks_or_speaks_openssl_is_in_the_tree() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in [
        "fancy-regex",
        "pcre2",
        "onig",
        "openssl",
        "openssl-sys",
        "native-tls",
    ] {
        assert!(!lock.contains(&format!("name = \"{name}\"\n")), "{name}");
    }
}
