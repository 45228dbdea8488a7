//! Assertions: storage checks what it claims at every step, and a count that does not fit is no count.

use super::{assert_none, is_test, production, sources};

/// Assertions for each function of storage, at least.
const OF_STORAGE_MIN: f64 = 0.2;

/// The same of the rooms where state goes from step to step, each of which claims something.
const OF_STEPS_MIN: f64 = 0.3;
const STEPS: [&str; 6] = ["frame", "manifest", "memtable", "readers", "store", "wal"];

#[test]
fn storage_asserts_what_it_claims() {
    let in_steps = |room: &str| STEPS.contains(&room);
    for (what, min, is_of) in [
        (
            "storage",
            OF_STORAGE_MIN,
            &(|_: &str| true) as &dyn Fn(&str) -> bool,
        ),
        ("its steps", OF_STEPS_MIN, &in_steps),
    ] {
        let (mut assertions, mut functions) = (0, 0);
        for (name, text) in sources() {
            let Some(path) = name
                .strip_prefix("storage/src/")
                .filter(|_| !is_test(&name))
            else {
                continue;
            };
            if is_of(path.split(['/', '.']).next().unwrap()) {
                let code = production(&text);
                assertions += ["assert!(", "assert_eq!(", "assert_ne!("]
                    .map(|word| code.matches(word).count())
                    .iter()
                    .sum::<usize>();
                functions += code
                    .match_indices("fn ")
                    .filter(|(at, _)| is_function(&code, *at))
                    .count();
            }
        }
        assert!(functions > 200, "{what}: only {functions} functions found");
        let found = assertions as f64 / functions as f64;
        assert!(
            found >= min,
            "{what}: {assertions} assertions in {functions} functions are {found:.3}, not {min}"
        );
    }
}

/// Whether a function is defined here, and not a type of one or a word that ends so.
fn is_function(code: &str, at: usize) -> bool {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let (before, after) = (
        code[..at].chars().next_back(),
        code[at + "fn ".len()..].chars().next(),
    );
    !before.is_some_and(is_of_word) && after.is_some_and(is_of_word)
}

/// A number of rows, strings or words that does not fit is a mistake to be told, not the largest that does.
#[test]
fn no_count_of_storage_saturates() {
    let storage = sources()
        .into_iter()
        .filter(|(name, _)| name.starts_with("storage/src/") && !is_test(name));
    let saturating = storage.flat_map(|(name, text)| {
        let code = production(&text);
        let lines = code
            .lines()
            .filter(|line| line.contains("unwrap_or(u32::MAX)"));
        lines
            .map(|line| format!("{name}: {}", line.trim()))
            .collect::<Vec<_>>()
    });
    assert_none("counts that saturate", saturating.collect());
}
