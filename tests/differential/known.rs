//! Differences that have a reason, each by name, and the kinds of statements that we refuse.
//!
//! A rule is told by what a statement has and by what it showed. The refusals are the list of `query/SQL.md`: a
//! statement of another kind that DuckDB answers and we do not fails the test.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::Question;
use super::report::Verdict;

/// What we refuse.
const REFUSED: &[Refused] = &[
    Refused {
        name: "rows in a list that a query gives",
        message: r"only identifiers and literals are supported in tuples|too many columns! The subquery should only|projections require unique expression names",
        statement: r", .*\) (NOT )?IN \(SELECT",
    },
    Refused {
        name: "LATERAL without an aggregate",
        message: r"does not support logical expression OuterReferenceColumn",
        statement: "LATERAL",
    },
    Refused {
        name: "LATERAL beside other joins",
        message: r"no (column|table) \S+ here; (did you mean|what has)|no column named",
        statement: r"LATERAL",
    },
    Refused {
        name: "a correlated subquery out of the ordinary",
        message: r"refers to columns of the query around it where that cannot be planned|a subquery in the ON of a",
        statement: r"\(SELECT",
    },
    Refused {
        name: "a correlated subquery over a view's aggregates",
        message: r"no column named ['?]",
        statement: r"\(SELECT .* FROM (sessions|messages|events|tags|metadata)\b",
    },
    Refused {
        name: "SIMILAR TO",
        message: r"SIMILAR TO is not supported",
        statement: "SIMILAR TO",
    },
    Refused {
        name: "a column twice in ROLLUP or CUBE",
        message: r"schema contains duplicate (un)?qualified field name",
        statement: "ROLLUP|CUBE",
    },
    Refused {
        name: "aggregates in different orders",
        message: r"conflicting ordering requirements in aggregate functions",
        statement: r"_agg\(.*ORDER BY.*_agg\(.*ORDER BY",
    },
    Refused {
        name: "a number compared with a condition",
        message: r"cannot infer common argument type for comparison operation .*Boolean",
        statement: "",
    },
    Refused {
        name: "integer overflow",
        message: r"(?i)overflow",
        statement: "",
    },
    Refused {
        name: "a constant outside its type",
        message: r"(?i)can't cast value \S+ to type Int",
        statement: r"CAST\(",
    },
    Refused {
        name: "more memory than its limit",
        message: r"the query needs more memory than its limit",
        statement: r"JOIN|, \w+ AS",
    },
];

/// A kind of statement that we refuse: the name in `query/SQL.md`, the message, and what the statement has.
struct Refused {
    name: &'static str,
    message: &'static str,
    statement: &'static str,
}

/// Differences with a reason: the name, which verdicts it is about, and what our statement has.
const DIFFERENT: &[Rule] = &[
    Rule {
        name: "SQLite: a comparison of text with a number goes by the column's affinity",
        is_about: |verdict| matches!(verdict, Verdict::SqliteAlone),
        statement: r"= '7'\)",
    },
    Rule {
        name: "SQLite: an inner join ON a constant before RIGHT or FULL JOIN loses rows",
        is_about: |verdict| matches!(verdict, Verdict::SqliteAlone),
        statement: r"JOIN .*(RIGHT|FULL) (OUTER )?JOIN",
    },
    Rule {
        name: "DuckDB: more rows than LIMIT",
        is_about: |verdict| matches!(verdict, Verdict::Differs(Some(true))),
        statement: r"ORDER BY .* LIMIT \d+$",
    },
    Rule {
        name: "DuckDB: rows are compared as structures, whose NULLs are equal",
        is_about: |verdict| matches!(verdict, Verdict::Differs(None | Some(true))),
        statement: r"\((\w+\.|CAST|\d|[a-z_]+\().*, .*\) (<|=) \(",
    },
    Rule {
        name: "DuckDB: TRY_CAST of a text with a fraction or an exponent to a whole number",
        is_about: |verdict| matches!(verdict, Verdict::Differs(None)),
        statement: r"TRY_CAST\(.* AS BIGINT\)",
    },
    Rule {
        name: "DuckDB: letters of several characters stay together in reverse()",
        is_about: |verdict| matches!(verdict, Verdict::Differs(_)),
        statement: r"reverse\(",
    },
    Rule {
        name: "DuckDB: upper() of a letter is one letter",
        is_about: |verdict| matches!(verdict, Verdict::Differs(_)),
        statement: r"upper\(",
    },
    Rule {
        name: "sums of doubles beyond their digits",
        is_about: |verdict| matches!(verdict, Verdict::Differs(_)),
        statement: r"(avg|sum|stddev\w*|var_\w+)\(.*(cost_usd|value_number|'num'|9223372036854775807|ln\()",
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
    plain
        .lines()
        .next()
        .unwrap_or("")
        .chars()
        .take(90)
        .collect()
}

/// The name of what explains a verdict.
pub fn explains(question: &Question, verdict: &Verdict) -> Option<&'static str> {
    static KINDS: LazyLock<Vec<[Regex; 2]>> = LazyLock::new(|| {
        REFUSED
            .iter()
            .map(|kind| [kind.message, kind.statement].map(|text| Regex::new(text).unwrap()))
            .collect()
    });
    static RULES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        DIFFERENT
            .iter()
            .map(|rule| Regex::new(rule.statement).unwrap())
            .collect()
    });
    if let Verdict::Refused(refusal) = verdict {
        let is_of = |[message, statement]: &[Regex; 2]| {
            message.is_match(refusal) && statement.is_match(&question.ours)
        };
        return REFUSED
            .iter()
            .zip(KINDS.iter())
            .find(|(_, kind)| is_of(kind))
            .map(|(kind, _)| kind.name);
    }
    let mut rules = DIFFERENT.iter().zip(RULES.iter());
    let applies = |(rule, pattern): &(&Rule, &Regex)| {
        (rule.is_about)(verdict) && pattern.is_match(&question.ours)
    };
    rules.find(applies).map(|(rule, _)| rule.name)
}

#[test]
fn every_kind_that_is_refused_stands_in_the_page() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../query/SQL.md");
    let page = std::fs::read_to_string(path).unwrap();
    for Refused { name, .. } in REFUSED {
        assert!(
            page.contains(&format!("| {name} |")),
            "{name} is missing in query/SQL.md"
        );
    }
}
