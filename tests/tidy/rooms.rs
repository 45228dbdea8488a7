//! Rooms of a crate: its files and folders at the top. Arrows between them, told by what they import, run one way.

use std::collections::{BTreeMap, BTreeSet};

use super::{assert_none, is_test, production, sources};

/// Arrows that close a circle, and why they may.
const ALLOWED: [(&str, &str, &str); 1] =
    // The threads of a database keep what its SQL statements share, so that both end together.
    [("query/src/", "runtime", "sql")];

#[test]
fn rooms_have_no_circles() {
    let mut circles = Vec::new();
    for folder in ["storage/src/", "query/src/"] {
        let mut arrows = arrows(folder);
        for (_, from, to) in ALLOWED.iter().filter(|(of, _, _)| *of == folder) {
            let is_there = arrows.get_mut(*from).is_some_and(|rooms| rooms.remove(*to));
            assert!(
                is_there,
                "{folder}: nothing leads from {from} to {to} any more"
            );
        }
        let rooms: Vec<String> = arrows.keys().cloned().collect();
        for room in rooms
            .iter()
            .filter(|room| reachable(&arrows, room).contains(*room))
        {
            circles.push(format!("{folder}{room}"));
        }
    }
    assert_none("rooms that import, by others, themselves", circles);
}

/// The text index could be a crate: it imports these rooms alone, and they import only each other.
#[test]
fn text_stands_on_few_rooms() {
    let below = ["env", "error", "json", "packed"].map(str::to_string);
    let below = BTreeSet::from(below);
    let arrows = arrows("storage/src/");
    assert!(arrows["text"].is_subset(&below), "{:?}", arrows["text"]);
    let upward = below.iter().filter(|room| !arrows[*room].is_subset(&below));
    assert_none(
        "rooms below text that import others",
        upward.cloned().collect(),
    );
}

/// The rooms of a crate, each with those it imports.
fn arrows(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, text) in sources() {
        let Some(path) = name.strip_prefix(folder).filter(|path| *path != "lib.rs") else {
            continue;
        };
        if is_test(&name) {
            continue;
        }
        let room = path
            .split('/')
            .next()
            .unwrap()
            .trim_end_matches(".rs")
            .to_string();
        let code = production(&text);
        let paths = code.split("crate::").skip(1);
        let imported = paths.map(|path| {
            path.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap()
        });
        let others = imported.filter(|other| *other != room).map(str::to_string);
        arrows.entry(room.clone()).or_default().extend(others);
    }
    let rooms: BTreeSet<String> = arrows.keys().cloned().collect();
    assert!(rooms.len() > 8, "{folder} has only {rooms:?}");
    arrows
        .values_mut()
        .for_each(|others| others.retain(|other| rooms.contains(other)));
    arrows
}

/// The rooms that one leads to, by any number of steps.
fn reachable(arrows: &BTreeMap<String, BTreeSet<String>>, room: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next = vec![room.to_string()];
    while let Some(room) = next.pop() {
        for other in arrows.get(&room).into_iter().flatten() {
            if found.insert(other.clone()) {
                next.push(other.clone());
            }
        }
    }
    found
}
