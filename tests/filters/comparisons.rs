//! Random comparisons of a text, a number or a JSON value: as the filter language says them, as SQL
//! says them, and as plain code does.

use std::rc::Rc;

use super::world::{Json, pick};
use crate::order::Random;
use crate::support::quoted;

/// Stands for the compared column in a comparison's SQL.
const COLUMN: &str = "§";

/// Whether a value, which may be absent, satisfies a comparison.
pub type Accepts<T> = Rc<dyn Fn(Option<&T>) -> bool>;
/// A pattern and its plain code.
type Regex = (String, Box<dyn Fn(&str) -> bool>);
/// How a JSON value equals a text: in SQL, and in plain code.
pub type TextEquality = (fn(&JsonColumns, &str) -> String, fn(&Json, &str) -> bool);

/// A comparison of values of one type.
pub struct Comparison<T: ?Sized> {
    /// What follows the key in a filter.
    pub filter: String,
    sql: String,
    pub accepts: Accepts<T>,
}

impl<T: ?Sized> Comparison<T> {
    /// The condition on a column.
    pub fn sql(&self, column: &str) -> String {
        self.sql.replace(COLUMN, column)
    }
}

/// A comparison of a text; `values` are texts that may be there.
pub fn text(random: &mut Random, values: &[&str]) -> Comparison<str> {
    match random.below(9) {
        0 => null(random),
        1..=3 => {
            let value = pick(random, values).to_string();
            let (word, want) = [("=", true), ("!=", false), ("<>", false)][random.below(3)];
            let sql = if want { "=" } else { "<>" };
            Comparison {
                filter: format!("{word} {}", literal(random, &value)),
                sql: format!("{COLUMN} {sql} {}", quoted(&value)),
                accepts: Rc::new(move |text| text.is_some_and(|text| (text == value) == want)),
            }
        }
        4 | 5 => {
            let listed: Vec<String> = (0..1 + random.below(3))
                .map(|_| pick(random, values).to_string())
                .collect();
            let (word, want) = [("IN", true), ("NOT IN", false), ("in", true)][random.below(3)];
            let list: Vec<String> = listed.iter().map(|value| quoted(value)).collect();
            Comparison {
                filter: format!("{word} ({})", list.join(", ")),
                sql: format!("{COLUMN} {word} ({})", list.join(", ")),
                accepts: Rc::new(move |text| {
                    text.is_some_and(|text| listed.iter().any(|value| value == text) == want)
                }),
            }
        }
        _ => pattern(random, values),
    }
}

/// `IS NULL` or `IS NOT NULL`.
fn null<T: ?Sized>(random: &mut Random) -> Comparison<T> {
    let wants_null = random.below(2) == 0;
    let word = if wants_null { "IS NULL" } else { "IS NOT NULL" };
    Comparison {
        filter: word.to_string(),
        sql: format!("{COLUMN} {word}"),
        accepts: Rc::new(move |value| value.is_none() == wants_null),
    }
}

/// `LIKE`, `ILIKE` or `RLIKE`, or one of them with NOT.
pub fn pattern(random: &mut Random, values: &[&str]) -> Comparison<str> {
    let want = random.below(4) > 0;
    let not = if want { "" } else { "NOT " };
    if random.below(3) == 0 {
        let (pattern, accepts) = regex(random, values);
        let operator = if want { "~" } else { "!~" };
        return Comparison {
            filter: format!("{not}RLIKE {}", quoted(&pattern)),
            sql: format!("{COLUMN} {operator} {}", quoted(&pattern)),
            accepts: Rc::new(move |text| text.is_some_and(|text| accepts(text) == want)),
        };
    }
    let ignores_case = random.below(2) == 0;
    let pattern = like_pattern(random, values);
    let word = if ignores_case { "ILIKE" } else { "LIKE" };
    Comparison {
        filter: format!("{not}{word} {}", quoted(&pattern)),
        sql: format!("{COLUMN} {not}{word} {}", quoted(&pattern)),
        accepts: Rc::new(move |text| {
            text.is_some_and(|text| like(text, &pattern, ignores_case) == want)
        }),
    }
}

/// A piece of a value, or all of it, with wildcards around and perhaps inside.
pub fn like_pattern(random: &mut Random, values: &[&str]) -> String {
    let mut piece = piece(random, values);
    if random.below(4) == 0 && !piece.is_empty() {
        let at = random.below(piece.chars().count());
        let wildcard = if random.below(2) == 0 { '%' } else { '_' };
        piece = piece
            .chars()
            .enumerate()
            .map(|(i, c)| if i == at { wildcard } else { c })
            .collect();
    }
    if random.below(4) == 0 {
        piece = if random.below(2) == 0 {
            piece.to_uppercase()
        } else {
            piece.to_lowercase()
        };
    }
    let percent = |random: &mut Random| if random.below(3) > 0 { "%" } else { "" };
    format!("{}{piece}{}", percent(random), percent(random))
}

fn piece(random: &mut Random, values: &[&str]) -> String {
    let chars: Vec<char> = pick(random, values).chars().collect();
    let start = random.below(chars.len());
    let end = start + 1 + random.below(chars.len() - start);
    match random.below(3) {
        0 => chars.into_iter().collect(),
        _ => chars[start..end].iter().collect(),
    }
}

/// A regular expression that plain code can do as well.
fn regex(random: &mut Random, values: &[&str]) -> Regex {
    let word: String = piece(random, values)
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect();
    let own = word.clone();
    match random.below(4) {
        0 => (
            format!("^{word}"),
            Box::new(move |text| text.starts_with(&own)),
        ),
        1 => (
            format!("{word}$"),
            Box::new(move |text| text.ends_with(&own)),
        ),
        2 => (format!("^{word}$"), Box::new(move |text| text == own)),
        _ => (word, Box::new(move |text| text.contains(&own))),
    }
}

/// Whether the whole text is like the pattern.
pub fn like(text: &str, pattern: &str, ignores_case: bool) -> bool {
    let fold = |text: &str| -> Vec<char> {
        if ignores_case {
            text.to_lowercase().chars().collect()
        } else {
            text.chars().collect()
        }
    };
    like_chars(&fold(text), &fold(pattern))
}

fn like_chars(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|skipped| like_chars(&text[skipped..], rest)),
        Some(('_', rest)) => !text.is_empty() && like_chars(&text[1..], rest),
        Some((c, rest)) => text.first() == Some(c) && like_chars(&text[1..], rest),
    }
}

/// A text in one of the two kinds of quotes.
fn literal(random: &mut Random, text: &str) -> String {
    match random.below(3) {
        0 => format!("\"{}\"", text.replace('"', "\"\"")),
        _ => quoted(text),
    }
}

/// A comparison of an integer that the filter language shows in another unit: `unit` of it are one
/// there. Literals are among `0..=most`, in steps.
pub fn integer(
    random: &mut Random,
    unit: i64,
    first: i64,
    step: i64,
    most: usize,
) -> Comparison<i64> {
    if random.below(9) == 0 {
        return null(random);
    }
    let number = |random: &mut Random| first + random.below(most + 1) as i64 * step;
    match random.below(4) {
        0 => {
            let listed: Vec<i64> = (0..1 + random.below(3)).map(|_| number(random)).collect();
            let want = random.below(3) > 0;
            let word = if want { "IN" } else { "NOT IN" };
            let shown: Vec<String> = listed.iter().map(|value| decimal(*value, unit)).collect();
            let raw: Vec<String> = listed.iter().map(i64::to_string).collect();
            Comparison {
                filter: format!("{word} ({})", shown.join(", ")),
                sql: format!("{COLUMN} {word} ({})", raw.join(", ")),
                accepts: Rc::new(move |value| {
                    value.is_some_and(|value| listed.contains(value) == want)
                }),
            }
        }
        1 => {
            let (low, high) = (number(random), number(random));
            let want = random.below(3) > 0;
            let word = if want { "BETWEEN" } else { "NOT BETWEEN" };
            Comparison {
                filter: format!("{word} {} AND {}", decimal(low, unit), decimal(high, unit)),
                sql: format!("({COLUMN} {word} {low} AND {high})"),
                accepts: Rc::new(move |value| {
                    value.is_some_and(|value| (low..=high).contains(value) == want)
                }),
            }
        }
        _ => {
            let value = number(random);
            let (word, compare) = comparison(random);
            let shown = match random.below(8) {
                0 => format!("'{}'", decimal(value, unit)),
                _ => decimal(value, unit),
            };
            Comparison {
                filter: format!("{word} {shown}"),
                sql: format!("{COLUMN} {} {value}", word.replace("!=", "<>")),
                accepts: Rc::new(move |stored| {
                    stored.is_some_and(|stored| compare(stored.cmp(&value)))
                }),
            }
        }
    }
}

type Accept = fn(std::cmp::Ordering) -> bool;

fn comparison(random: &mut Random) -> (&'static str, Accept) {
    let all: [(&str, Accept); 6] = [
        ("=", |order| order.is_eq()),
        ("!=", |order| order.is_ne()),
        (">", |order| order.is_gt()),
        (">=", |order| order.is_ge()),
        ("<", |order| order.is_lt()),
        ("<=", |order| order.is_le()),
    ];
    all[random.below(6)]
}

/// `value / unit` as a decimal; the unit is a power of ten or four.
fn decimal(value: i64, unit: i64) -> String {
    let (whole, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
    match (rest, unit) {
        (0, _) => whole.to_string(),
        (rest, 4) => format!("{whole}.{}", rest * 25),
        (rest, unit) => {
            let digits = unit.ilog10() as usize;
            format!(
                "{whole}.{}",
                format!("{rest:0digits$}").trim_end_matches('0')
            )
        }
    }
}

/// The SQL expressions for a JSON value: its text, its number, its boolean.
pub struct JsonColumns {
    pub text: String,
    pub number: String,
    pub boolean: String,
}

/// A comparison of a JSON value by type, without patterns. `texts` says how a text compares in SQL,
/// and in plain code.
pub fn json(
    random: &mut Random,
    values: &[&str],
    columns: &JsonColumns,
    equals: TextEquality,
) -> Comparison<Json> {
    let (sql_equals, plain_equals) = equals;
    let present = format!("{} IS NOT NULL", columns.text);
    if random.below(3) == 0 {
        let value = random.below(6) as f64 / 4.0;
        let (word, compare) = comparison(random);
        let sql = match word {
            "!=" => format!(
                "({present} AND NOT coalesce({} = {value}, false))",
                columns.number
            ),
            word => format!("{} {word} {value}", columns.number),
        };
        let accepts = move |json: &Json| match (json.as_f64(), word) {
            (Some(number), _) => compare(number.total_cmp(&value)),
            (None, word) => word == "!=",
        };
        return Comparison {
            filter: format!("{word} {value}"),
            sql,
            accepts: Rc::new(move |json| json.is_some_and(&accepts)),
        };
    }
    let count = 1 + random.below(3);
    let wanted: Vec<Json> = (0..count).map(|_| scalar(random, values)).collect();
    let want = random.below(3) > 0;
    let literals: Vec<String> = wanted.iter().map(filter_literal).collect();
    let any: Vec<String> = wanted
        .iter()
        .map(|value| match value {
            Json::String(text) => sql_equals(columns, text),
            Json::Bool(value) => format!("{} = {value}", columns.boolean),
            number => format!("{} = {number}", columns.number),
        })
        .map(|condition| format!("coalesce({condition}, false)"))
        .collect();
    let not = if want { "" } else { "NOT " };
    let filter = match (count, want) {
        (1, true) => format!("= {}", literals[0]),
        (1, false) => format!("!= {}", literals[0]),
        _ => format!("{not}IN ({})", literals.join(", ")),
    };
    let accepts = move |json: &Json| {
        let found = wanted.iter().any(|value| match value {
            Json::String(text) => plain_equals(json, text),
            Json::Bool(_) => json == value,
            number => json.as_f64().is_some() && json.as_f64() == number.as_f64(),
        });
        found == want
    };
    Comparison {
        filter,
        sql: format!("({present} AND {not}({}))", any.join(" OR ")),
        accepts: Rc::new(move |json| json.is_some_and(&accepts)),
    }
}

fn scalar(random: &mut Random, values: &[&str]) -> Json {
    match random.below(4) {
        0 => Json::from(random.below(2) == 0),
        1 => Json::from(random.below(5) as f64 / 4.0),
        _ => Json::from(pick(random, values)),
    }
}

fn filter_literal(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        other => other.to_string(),
    }
}
