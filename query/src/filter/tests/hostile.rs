//! Hostile input: random, mutated, deep and long texts, and the limits.

use super::GOLDENS;
use crate::filter::*;
use crate::seeded::Seeded;

#[test]
fn limits_are_errors_not_crashes() {
    let deep = format!(
        "{}status = 'OK'{}",
        "(".repeat(100_000),
        ")".repeat(100_000)
    );
    assert!(
        parse(&deep)
            .unwrap_err()
            .message
            .contains("levels of nesting")
    );
    let nots = format!("{}status = 'OK'", "NOT ".repeat(100_000));
    assert!(
        parse(&nots)
            .unwrap_err()
            .message
            .contains("levels of nesting")
    );
    let chain = vec!["status = 'OK'"; 1_001].join(" OR ");
    assert!(
        parse(&chain)
            .unwrap_err()
            .message
            .contains("more than 1000 clauses")
    );
    assert!(parse(&vec!["span.name = 'OK'"; 1_000].join(" AND ")).is_ok());
    let long = format!("name = '{}'", "x".repeat(FILTER_BYTES_MAX));
    assert!(parse(&long).unwrap_err().message.contains("bytes"));
    let values = format!("name IN ({})", vec!["'x'"; FILTER_VALUES_MAX + 1].join(","));
    assert!(parse(&values).unwrap_err().message.contains("values"));
    let pattern = format!("name LIKE '{}'", "_%".repeat(5_000));
    assert!(parse(&pattern).unwrap_err().message.contains("pattern"));
    let regexes = vec!["name RLIKE '.'"; FILTER_REGEXES_MAX + 1].join(" OR ");
    assert!(
        parse(&regexes)
            .unwrap_err()
            .message
            .contains("more than 64 regular expressions")
    );
    let nested = format!(
        "{}name = 'a'{}",
        "(".repeat(FILTER_DEPTH_MAX),
        ")".repeat(FILTER_DEPTH_MAX)
    );
    assert!(parse(&nested).is_ok());
}

const PIECES: &[&str] = &[
    "status",
    "name",
    "span.",
    "span.name",
    "tags.",
    "feedback.x",
    "attributes.",
    "timestamp",
    "=",
    "!=",
    "<",
    ">=",
    "LIKE",
    "RLIKE",
    "IN",
    "NOT",
    "AND",
    "OR",
    "HAS",
    "(",
    ")",
    ",",
    "'",
    "\"",
    "`",
    "'OK'",
    "\"x\"",
    "5",
    "-1e3",
    ".",
    "..",
    "IS",
    "NULL",
    "BETWEEN",
    "MATCHES",
    "true",
    " ",
    "\n",
    "é",
    "\u{1F600}",
    "\0",
    "--",
    "/*",
    ";",
    "%",
    "_",
    "\\",
    "[a-",
    "(?i)",
    "trace.text",
    "resource.a.b",
    "expectation.",
    "1e999",
    "0.00001",
];

/// A random text in one of five ways: pieces in a row, bytes, deep nesting, great length, and mostly a
/// valid filter with a few edits.
fn hostile(random: &mut Seeded) -> String {
    let clause = GOLDENS[random.below(GOLDENS.len())].0;
    match random.below(16) {
        0..=3 => {
            let pieces: Vec<&str> = (0..random.below(20))
                .map(|_| PIECES[random.below(PIECES.len())])
                .collect();
            pieces.join(" ")
        }
        4 | 5 => {
            let bytes: Vec<u8> = (0..random.below(60)).map(|_| random.next() as u8).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        6 => {
            let open = ["(", "NOT ", "HAS(", "((", "NOT ("][random.below(5)];
            let (opened, closed) = (random.below(100), random.below(100));
            format!("{}{clause}{}", open.repeat(opened), ")".repeat(closed))
        }
        7 => {
            let joint = [" AND ", " OR ", " ", " AND NOT ", ","][random.below(5)];
            vec![clause; random.below(40)].join(joint)
        }
        _ => mutated(clause, random),
    }
}

/// A text with a few random edits.
fn mutated(text: &str, random: &mut Seeded) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(4) {
        let at = random.below(text.len() + 1);
        match random.below(3) {
            0 if at < text.len() => {
                text.remove(at);
            }
            1 if at < text.len() => {
                text[at] = char::from_u32(random.below(0x250) as u32).unwrap_or('x')
            }
            _ => {
                let piece: Vec<char> = PIECES[random.below(PIECES.len())].chars().collect();
                text.splice(at..at, piece);
            }
        }
    }
    text.into_iter().collect()
}

#[test]
fn hostile_input_neither_panics_nor_hangs() {
    let mut random = Seeded(42);
    let mut accepted = 0;
    for _ in 0..120_000 {
        let text = hostile(&mut random);
        let start = std::time::Instant::now();
        match parse(&text) {
            Ok(predicate) => {
                accepted += 1;
                let _ = (
                    predicate.to_string(),
                    predicate.time_bounds(),
                    predicate.required_equalities(),
                );
            }
            Err(error) => {
                assert!(
                    error.position <= text.chars().count() + 1,
                    "{text}: {error}"
                );
                assert!(
                    !error.message.is_empty() && error.message.len() < 2_000,
                    "{text}: {error}"
                );
            }
        }
        let _ = parse_order_by(&[&text]);
        assert!(start.elapsed().as_secs() < 10, "{text}");
    }
    assert!(
        accepted > 10_000,
        "the generator should not only make nonsense: {accepted}"
    );
}

#[test]
fn the_longest_filters_are_read_in_seconds() {
    let half = FILTER_BYTES_MAX / 2;
    for text in [
        "name = 'x' ".repeat(half / 11),
        "(".repeat(half),
        "NOT ".repeat(half / 4),
        format!("name = '{}'", "''".repeat(half - 8)),
        format!("name IN ({})", "'x',".repeat(half / 4)),
        format!("tags.{} = 'x'", "a.".repeat(half / 2)),
        format!("{} = 'x'", "statu".repeat(half / 5)),
        format!("feedback.`{}` > 1", "`` ".repeat(half / 3)),
        format!("timestamp > {}", "9".repeat(half)),
        format!("timestamp > 1e{}", "9".repeat(half)),
        format!("name LIKE '{}'", "%_".repeat(half / 2)),
        format!("trace.text MATCHES '{}'", "(a OR ".repeat(half / 6)),
        vec!["name ILIKE '%é_%'"; FILTER_CLAUSES_MAX].join(" OR "),
        vec![r"name RLIKE '\w{20}'"; FILTER_REGEXES_MAX].join(" OR "),
    ] {
        let start = std::time::Instant::now();
        let shown: String = text.chars().take(40).collect();
        if let Err(error) = parse(&text) {
            assert!(error.message.len() < 2_000, "{shown}");
        }
        assert!(start.elapsed().as_secs() < 30, "{shown}");
    }
}
