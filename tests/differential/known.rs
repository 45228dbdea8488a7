//! Differences that have a reason, each by name, and the kinds of statements that we refuse.
//!
//! A rule is told by what a statement has and by what it showed. The refusals are the list of `query/SQL.md`: a
//! statement of another kind that DuckDB answers and we do not fails the test.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::Question;
use super::report::Verdict;

/// What we refuse: the name in `query/SQL.md`, and the message.
const REFUSED: &[(&str, &str)] = &[
    (
        "tuples",
        r"only identifiers and literals are supported in tuples|too many columns! The subquery should only",
    ),
    ("LATERAL without an aggregate", r"does not support logical expression OuterReferenceColumn"),
    ("LATERAL beside other joins", r"no column \S+ here; did you mean"),
    (
        "a correlated subquery out of the ordinary",
        r"refers to columns of the query around it where that cannot be planned|a subquery in the ON of a",
    ),
    ("a correlated subquery over a view's aggregates", r"no column named ['?]"),
    ("SIMILAR TO", r"SIMILAR TO is not supported"),
    ("a column twice in ROLLUP or CUBE", r"schema contains duplicate qualified field name"),
    ("integer overflow", r"(?i)overflow"),
];

/// Differences with a reason: the name, which verdicts it is about, and what our statement has.
const DIFFERENT: &[Rule] = &[
    Rule {
        name: "SQLite: a comparison of text with a number goes by the column's affinity",
        is_about: |verdict| matches!(verdict, Verdict::SqliteAlone),
        statement: r"= '7'\)",
    },
    Rule {
        name: "the planner puts a condition without columns below the empty grouping set",
        is_about: |verdict| !matches!(verdict, Verdict::SqliteAlone | Verdict::Refused(_)),
        statement: r"(GROUPING SETS|ROLLUP|CUBE).* WHERE .*(IN|EXISTS|ANY|ALL) ?\(SELECT",
    },
];

struct Rule {
    name: &'static str,
    is_about: fn(&Verdict) -> bool,
    statement: &'static str,
}

/// A message without the names and numbers of one statement.
pub fn without_particulars(message: &str) -> String {
    static QUOTED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"'[^']*'|"[^"]*"|\b[tc]\d+(\.\w+)?\b|\d+|\(.*\)"#).unwrap());
    let plain = QUOTED.replace_all(message, "?");
    plain.lines().next().unwrap_or("").chars().take(90).collect()
}

/// The name of what explains a verdict.
pub fn explains(question: &Question, verdict: &Verdict) -> Option<&'static str> {
    static KINDS: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| compiled(REFUSED));
    static RULES: LazyLock<Vec<Regex>> =
        LazyLock::new(|| DIFFERENT.iter().map(|rule| Regex::new(rule.statement).unwrap()).collect());
    if let Verdict::Refused(message) = verdict {
        return KINDS.iter().find(|(_, kind)| kind.is_match(message)).map(|(name, _)| *name);
    }
    let mut rules = DIFFERENT.iter().zip(RULES.iter());
    let applies =
        |(rule, pattern): &(&Rule, &Regex)| (rule.is_about)(verdict) && pattern.is_match(&question.ours);
    rules.find(applies).map(|(rule, _)| rule.name)
}

fn compiled(list: &[(&'static str, &str)]) -> Vec<(&'static str, Regex)> {
    list.iter().map(|(name, pattern)| (*name, Regex::new(pattern).unwrap())).collect()
}

#[test]
fn every_kind_that_is_refused_stands_in_the_page() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../query/SQL.md");
    let page = std::fs::read_to_string(path).unwrap();
    for (name, _) in REFUSED {
        assert!(page.contains(&format!("| {name} |")), "{name} is missing in query/SQL.md");
    }
}
