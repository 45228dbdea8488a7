//! Subqueries as conditions in every position, against their meaning with NULL, worked out here.

use super::*;

type Number = Option<i64>;

/// What `{p}` stands for, with `{s}` for a subquery of one column, and its meaning for `x` and the members.
type Condition = (&'static str, fn(Number, &[Number]) -> Option<bool>);

const CONDITIONS: [Condition; 11] = [
    ("x IN ({s})", |x, all| any(x, all, |x, s| x == s)),
    ("x NOT IN ({s})", |x, all| {
        any(x, all, |x, s| x == s).map(|met| !met)
    }),
    ("NOT (x IN ({s}))", |x, all| {
        any(x, all, |x, s| x == s).map(|met| !met)
    }),
    ("1 NOT IN ({s})", |_, all| {
        any(Some(1), all, |x, s| x == s).map(|met| !met)
    }),
    ("x = ANY ({s})", |x, all| any(x, all, |x, s| x == s)),
    ("x <> ALL ({s})", |x, all| {
        any(x, all, |x, s| x == s).map(|met| !met)
    }),
    ("x < ANY ({s})", |x, all| any(x, all, |x, s| x < s)),
    ("x >= ALL ({s})", |x, all| {
        any(x, all, |x, s| x < s).map(|met| !met)
    }),
    ("EXISTS ({s})", |_, all| Some(!all.is_empty())),
    ("NOT EXISTS ({s})", |_, all| Some(all.is_empty())),
    ("x IN ({s}) IS DISTINCT FROM false", |x, all| {
        Some(any(x, all, |x, s| x == s) != Some(false))
    }),
];

/// SQL's `x op ANY (members)`.
fn any(x: Number, members: &[Number], meets: fn(i64, i64) -> bool) -> Option<bool> {
    let met: Vec<Option<bool>> = members.iter().map(|s| Some(meets(x?, (*s)?))).collect();
    match (met.contains(&Some(true)), met.contains(&None)) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => Some(false),
    }
}

const VALUES: [Number; 3] = [None, Some(1), Some(2)];
/// Members by the number of their group.
const GROUPS: [&[Number]; 6] = [
    &[],
    &[Some(1)],
    &[None],
    &[Some(1), None],
    &[Some(3)],
    &[Some(0), Some(2)],
];

/// Tables `t` (each value with each group) and `m` (the members of groups).
fn tables() -> String {
    let text = |number: Number| number.map_or("NULL".to_string(), |number| number.to_string());
    let rows: Vec<String> = outer_rows()
        .iter()
        .enumerate()
        .map(|(id, (group, x))| format!("({id}, {group}, {})", text(*x)))
        .collect();
    let members: Vec<String> = GROUPS
        .iter()
        .enumerate()
        .flat_map(|(group, members)| {
            members
                .iter()
                .map(move |s| format!("({group}, {})", text(*s)))
        })
        .collect();
    let (rows, members) = (rows.join(", "), members.join(", "));
    format!("WITH t(id, g, x) AS (VALUES {rows}), m(k, s) AS (VALUES {members})")
}

fn outer_rows() -> Vec<(usize, Number)> {
    (0..GROUPS.len())
        .flat_map(|group| VALUES.map(|x| (group, x)))
        .collect()
}

/// A place for `{p}`, and the rows of the statement for the truth of each row of `t`.
type Position = (&'static str, fn(&[Option<bool>]) -> Vec<String>);

const POSITIONS: [Position; 16] = [
    ("SELECT id, {p} AS p FROM t ORDER BY id", |all| {
        each(all, text)
    }),
    ("SELECT id FROM t WHERE {p} ORDER BY id", |all| {
        ids(all, |truth| truth == Some(true))
    }),
    ("SELECT id FROM t WHERE NOT ({p}) ORDER BY id", |all| {
        ids(all, |truth| truth == Some(false))
    }),
    ("SELECT id FROM t WHERE {p} OR id < 0 ORDER BY id", |all| {
        ids(all, |truth| truth == Some(true))
    }),
    (
        "SELECT id FROM t WHERE ({p}) IS NOT TRUE ORDER BY id",
        |all| ids(all, |truth| truth != Some(true)),
    ),
    ("SELECT id FROM t WHERE ({p}) IS NULL ORDER BY id", |all| {
        ids(all, |truth| truth.is_none())
    }),
    (
        "SELECT id FROM t WHERE CASE WHEN {p} THEN false ELSE true END ORDER BY id",
        |all| ids(all, |truth| truth != Some(true)),
    ),
    (
        "SELECT count(*) FILTER (WHERE {p}), sum(CASE WHEN {p} THEN 1 ELSE 0 END), count({p}) FROM t",
        |all| {
            let met = met(all);
            vec![format!("{met}|{met}|{}", all.iter().flatten().count())]
        },
    ),
    (
        "SELECT id FROM t GROUP BY id, g, x HAVING {p} ORDER BY id",
        |all| ids(all, |truth| truth == Some(true)),
    ),
    (
        "SELECT id FROM t JOIN (SELECT 7 AS one) o ON {p} ORDER BY id",
        |all| ids(all, |truth| truth == Some(true)),
    ),
    (
        "SELECT id, one FROM t LEFT JOIN (SELECT 7 AS one) o ON {p} AND one > 0 ORDER BY id",
        |all| {
            each(all, |truth| {
                if truth == Some(true) {
                    "7".to_string()
                } else {
                    "NULL".to_string()
                }
            })
        },
    ),
    (
        "SELECT id, one FROM (SELECT 7 AS one) o RIGHT JOIN t ON {p} ORDER BY id",
        |all| {
            each(all, |truth| {
                if truth == Some(true) {
                    "7".to_string()
                } else {
                    "NULL".to_string()
                }
            })
        },
    ),
    ("SELECT id FROM t ORDER BY {p}, id", |all| {
        [Some(false), Some(true), None]
            .into_iter()
            .flat_map(|wanted| ids(all, move |truth| truth == wanted))
            .collect()
    }),
    (
        "SELECT {p} AS p, count(*) FROM t GROUP BY {p} ORDER BY 1",
        |all| {
            let counted = [Some(false), Some(true), None]
                .map(|truth| (truth, all.iter().filter(|found| **found == truth).count()));
            counted
                .iter()
                .filter(|(_, n)| *n > 0)
                .map(|(truth, n)| format!("{}|{n}", text(*truth)))
                .collect()
        },
    ),
    (
        "SELECT id, sum(CASE WHEN {p} THEN 1 ELSE 0 END) OVER () AS n FROM t ORDER BY id",
        |all| {
            let met = met(all);
            each(all, |_| met.to_string())
        },
    ),
    (
        "SELECT id FROM t WHERE (SELECT count(*) FROM m) > 0 AND NOT ({p}) AND id >= 0 ORDER BY id",
        |all| ids(all, |truth| truth == Some(false)),
    ),
];

fn text(truth: Option<bool>) -> String {
    truth.map_or("NULL".to_string(), |truth| truth.to_string())
}

fn met(all: &[Option<bool>]) -> usize {
    all.iter().filter(|truth| **truth == Some(true)).count()
}

fn ids(all: &[Option<bool>], wanted: impl Fn(Option<bool>) -> bool) -> Vec<String> {
    let rows = all.iter().enumerate().filter(|(_, truth)| wanted(**truth));
    rows.map(|(id, _)| id.to_string()).collect()
}

fn each(all: &[Option<bool>], value: impl Fn(Option<bool>) -> String) -> Vec<String> {
    all.iter()
        .enumerate()
        .map(|(id, truth)| format!("{id}|{}", value(*truth)))
        .collect()
}

/// Differences between what statements give and what they mean.
fn compare(
    condition: &Condition,
    position: &Position,
    subquery: &str,
    group: Option<usize>,
) -> Option<String> {
    let all: Vec<Option<bool>> = outer_rows()
        .into_iter()
        .map(|(own, x)| (condition.1)(x, GROUPS[group.unwrap_or(own)]))
        .collect();
    let test = condition.0.replace("{s}", subquery);
    let statement = format!("{} {}", tables(), position.0.replace("{p}", &test));
    let wanted = (position.1)(&all);
    let found = match run_sql(&CONTEXT, statement.as_str()) {
        Ok((_, batches)) => texts(batches),
        Err(error) => vec![error.to_string()],
    };
    (found != wanted).then(|| {
        format!(
            "{}\n  {found:?}\n  {wanted:?}",
            position.0.replace("{p}", &test)
        )
    })
}

static CONTEXT: std::sync::LazyLock<SqlContext> = std::sync::LazyLock::new(context);

#[test]
fn conditions_know_null_in_every_position() {
    let mut wrong = Vec::new();
    for condition in &CONDITIONS {
        for position in &POSITIONS {
            wrong.extend(compare(
                condition,
                position,
                "SELECT s FROM m WHERE m.k = t.g",
                None,
            ));
        }
        // A subquery that is the same for all rows, in the places that tell NULL from false, or do not.
        for position in [&POSITIONS[0], &POSITIONS[1], &POSITIONS[4]] {
            for group in [0, 2, 3] {
                let subquery = format!("SELECT s FROM m WHERE m.k = {group}");
                wrong.extend(compare(condition, position, &subquery, Some(group)));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Statements and their one row; `{failed}` is a condition on `t` with a subquery.
const OF_STORED_TABLES: &[(&str, &str)] = &[
    (
        "SELECT sum(CASE WHEN {failed} THEN 1 ELSE 0 END) FROM traces t",
        "1",
    ),
    (
        "SELECT count(*) FILTER (WHERE NOT {failed}) FROM traces t",
        "2",
    ),
    (
        "SELECT count(*) FILTER (WHERE trace_id IN (SELECT trace_id FROM spans WHERE status = 'ERROR')) FROM traces",
        "1",
    ),
    (
        "SELECT count(*) FROM spans o JOIN traces t ON o.trace_id = t.trace_id AND {failed}",
        "2",
    ),
    (
        "SELECT count(s1.span_id) FROM traces t LEFT JOIN spans s1 ON s1.trace_id = t.trace_id AND {failed}",
        "2",
    ),
    (
        "SELECT count(*) FROM spans o LEFT JOIN spans p ON o.span_id = p.parent_span_id \
          WHERE (p.session_id NOT IN (SELECT session_id FROM traces WHERE session_id IS NOT NULL)) IS NOT TRUE",
        "9",
    ),
    (
        "SELECT count(*) FROM spans WHERE session_id NOT IN (SELECT session_id FROM traces)",
        "0",
    ),
    (
        "SELECT count(*) FROM spans WHERE session_id NOT IN (SELECT session_id FROM traces WHERE state = 'none')",
        "9",
    ),
    (
        "SELECT sum((SELECT count(*) FROM spans s WHERE s.trace_id = t.trace_id)) FROM traces t",
        "9",
    ),
    (
        "SELECT right(trace_id, 1) FROM traces t ORDER BY (SELECT count(*) FROM spans s WHERE s.trace_id = t.trace_id) DESC, 1 LIMIT 1",
        "3",
    ),
    // An aggregate without groups has a row where it finds none.
    (
        "SELECT count(*) FROM traces t WHERE EXISTS (SELECT count(*) FROM spans s WHERE s.session_id = t.trace_id)",
        "3",
    ),
    (
        "SELECT count(*) FROM traces t WHERE 0 IN (SELECT count(*) FROM spans s WHERE s.session_id = t.trace_id)",
        "3",
    ),
    (
        "SELECT count(*) FROM traces t WHERE EXISTS (SELECT count(*) FROM spans s WHERE s.trace_id = t.trace_id HAVING count(*) > 3)",
        "1",
    ),
    (
        "SELECT count(*) FROM traces t WHERE EXISTS (SELECT 1 FROM spans s WHERE s.trace_id = t.trace_id LIMIT 1)",
        "3",
    ),
    // The same column inside and around.
    (
        "SELECT count(*) FROM spans JOIN traces ON spans.trace_id = traces.trace_id WHERE spans.name IN \
          (SELECT spans.name FROM spans WHERE spans.trace_id = traces.trace_id) OR spans.name IS NULL",
        "9",
    ),
    (
        "SELECT count(*) FROM spans JOIN traces ON spans.trace_id = traces.trace_id WHERE spans.trace_id IN \
          (SELECT max(spans.trace_id) FROM spans WHERE spans.trace_id = traces.trace_id GROUP BY spans.name) OR spans.name IS NULL",
        "9",
    ),
];

#[test]
fn subqueries_of_stored_tables_stand_anywhere() {
    let context = context();
    let failed =
        "EXISTS (SELECT 1 FROM spans s WHERE s.trace_id = t.trace_id AND s.status = 'ERROR')";
    let with = |text: &str| text.replace("{failed}", failed);
    for &(statement, wanted) in OF_STORED_TABLES {
        assert_eq!(rows(&context, &with(statement)), [wanted], "{statement}");
    }
}

#[test]
fn subqueries_that_cannot_be_planned_say_what_to_write() {
    let context = context();
    let cases = [
        (
            "SELECT count(*) FROM traces t LEFT JOIN spans o ON EXISTS \
             (SELECT 1 FROM spans s WHERE s.trace_id = t.trace_id AND s.name = o.name)",
            "both sides",
        ),
        (
            "SELECT count(*) FROM traces t WHERE EXISTS \
             (SELECT 1 FROM spans s WHERE s.trace_id = t.trace_id LIMIT 1 OFFSET 2)",
            "row_number()",
        ),
        (
            "SELECT (SELECT name FROM spans s WHERE s.trace_id = t.trace_id ORDER BY start_time LIMIT 1) FROM traces t",
            "join a subquery",
        ),
    ];
    for (statement, part) in cases {
        let error = failure(&context, statement);
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidInput,
            "{statement}: {error}"
        );
        assert!(error.message().contains(part), "{statement}: {error}");
    }
}

#[test]
fn a_membership_of_its_own_stays_a_semi_join() {
    let plan = rows(
        &context(),
        "EXPLAIN SELECT name FROM spans WHERE session_id IN (SELECT session_id FROM traces) AND name <> 'x'",
    );
    let plan = plan.join("\n");
    assert_eq!(plan.matches("HashJoinExec").count(), 1, "{plan}");
    assert!(plan.contains("Semi"), "{plan}");
    assert!(!plan.contains("Mark"), "{plan}");
}
