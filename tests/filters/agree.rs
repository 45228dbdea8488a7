//! Property: a filter, the same said in SQL, and plain code over plain structs find the same traces in
//! the same order, wherever the rows are.
//!
//! `TRACEHOUSE_TEST_FILTERS` sets how many filters are made (10,000 unless told otherwise).

use std::collections::BTreeMap;
use std::thread;

use arrow::array::{Array, AsArray};
use tracehouse::{Database, Search};

use super::expressions::{Expr, Statement};
use super::world::{METADATA, MS_NS, TAG, Trace, World};
use crate::order::Random;
use crate::support::{DiskDb, in_memory};

const TRACES: usize = 90;
const THREADS: usize = 4;
/// Filters that one SQL statement answers: planning one is far dearer than running it.
const FILTERS_A_STATEMENT: usize = 5;

fn filter_count() -> usize {
    let set = std::env::var("TRACEHOUSE_TEST_FILTERS").ok();
    set.map_or(5_000, |count| {
        count.parse().expect("TRACEHOUSE_TEST_FILTERS is a number")
    })
}

/// A filter and what it should find, by number of the trace.
struct Question {
    expr: Expr,
    filter: String,
    wanted: Vec<bool>,
}

impl Question {
    fn random(random: &mut Random, world: &World) -> Self {
        let depth = random.below(4);
        let expr = Expr::random(random, world, depth);
        let wanted = world
            .traces
            .iter()
            .map(|trace| expr.accepts(world, trace))
            .collect();
        Self {
            filter: expr.filter(random),
            expr,
            wanted,
        }
    }
}

/// A value that traces are ordered by.
#[derive(PartialEq, PartialOrd)]
enum SortValue {
    Number(i64),
    Text(String),
}

/// A key, the same in SQL, and its value.
type Sort = (&'static str, &'static str, fn(&Trace) -> Option<SortValue>);

fn number(value: Option<i64>) -> Option<SortValue> {
    value.map(SortValue::Number)
}

fn text(value: Option<&str>) -> Option<SortValue> {
    value.map(|text| SortValue::Text(text.to_string()))
}

fn end_ms(trace: &Trace) -> i64 {
    (trace.start_ns() + trace.duration_ns().unwrap_or(0)) / MS_NS
}

fn execution_ms(trace: &Trace) -> Option<i64> {
    Some((trace.start_ns() + trace.duration_ns()?) / MS_NS - trace.start_ns() / MS_NS)
}

const END_SQL: &str = "((CAST(t.request_time AS BIGINT) + coalesce(t.duration_ns, 0)) / 1000000)";
const EXECUTION_SQL: &str = "((CAST(t.request_time AS BIGINT) + t.duration_ns) / 1000000 - CAST(t.request_time AS BIGINT) / 1000000)";

/// Every key that traces can be ordered by.
const SORTS: &[Sort] = &[
    ("timestamp", "t.request_time", |t| {
        number(Some(t.start_ns()))
    }),
    ("trace.timestamp_ms", "t.request_time", |t| {
        number(Some(t.start_ns()))
    }),
    ("request_time", "t.request_time", |t| {
        number(Some(t.start_ns()))
    }),
    ("execution_time", EXECUTION_SQL, |t| number(execution_ms(t))),
    ("attribute.execution_time_ms", EXECUTION_SQL, |t| {
        number(execution_ms(t))
    }),
    ("duration_ms", "t.duration_ns", |t| number(t.duration_ns())),
    ("end_time", END_SQL, |t| number(Some(end_ms(t)))),
    ("end_time_ms", END_SQL, |t| number(Some(end_ms(t)))),
    ("status", "t.state", |t| text(Some(t.state()))),
    ("state", "t.state", |t| text(Some(t.state()))),
    ("request_id", "t.trace_id", |t| text(Some(&t.id))),
    ("trace_id", "t.trace_id", |t| text(Some(&t.id))),
    ("experiment_id", "t.experiment_id", |_| text(Some("0"))),
    ("client_request_id", "t.client_request_id", |_| None),
    ("name", "t.name", |t| text(t.name())),
    ("tags.mlflow.traceName", "t.name", |t| text(t.name())),
    ("service_name", "t.service_name", |t| text(t.service())),
    ("session", "t.session_id", |t| text(t.session())),
    ("session_id", "t.session_id", |t| text(t.session())),
    ("user", "t.user_id", |t| text(t.user())),
    ("user_id", "t.user_id", |t| text(t.user())),
    ("request_preview", "t.request_preview", |t| {
        text(t.hint()?.request_preview.as_deref())
    }),
    ("response_preview", "t.response_preview", |t| {
        text(t.hint()?.response_preview.as_deref())
    }),
    ("span_count", "t.span_count", |t| {
        number(Some(t.spans.len() as i64))
    }),
    ("error_span_count", "t.error_span_count", |t| {
        number(Some(
            t.spans.iter().filter(|span| span.status == "ERROR").count() as i64,
        ))
    }),
    ("input_tokens", "t.input_tokens", |t| {
        number(t.sum(|span| span.input_tokens))
    }),
    ("output_tokens", "t.output_tokens", |t| {
        number(t.sum(|span| span.output_tokens))
    }),
    ("total_tokens", "t.total_tokens", |t| {
        number(t.sum(|span| span.total_tokens))
    }),
    ("cost", "t.cost_usd", |t| number(t.cost_quarters())),
    ("run_id", "t.run", |t| {
        text(
            t.hint()?
                .metadata
                .get("mlflow.sourceRun")
                .map(String::as_str),
        )
    }),
    ("tags.env", "t.tag", |t| {
        text(t.tags.get(TAG).map(String::as_str))
    }),
    ("metadata.`team`", "t.team", |t| {
        text(t.hint()?.metadata.get(METADATA).map(String::as_str))
    }),
    ("tags.missing", "t.missing", |_| None),
];

/// An order: its clauses, the same in SQL, and the numbers of all traces in it.
struct Order {
    clauses: Vec<String>,
    sql: Vec<String>,
    numbers: Vec<usize>,
}

/// A random order of at most two keys; the first one is the `first` of the table.
fn random_order(random: &mut Random, world: &World, first: usize) -> Order {
    let mut keys: Vec<(&Sort, bool)> = Vec::new();
    for _ in 0..random.below(3) {
        let at = if keys.is_empty() {
            first % SORTS.len()
        } else {
            random.below(SORTS.len())
        };
        keys.push((&SORTS[at], random.below(2) == 0));
    }
    // Two spellings of one key are refused.
    if let [first, second] = keys[..]
        && world
            .traces
            .iter()
            .all(|trace| first.0.2(trace) == second.0.2(trace))
    {
        keys.truncate(1);
    }
    let clauses = keys.iter().map(|((key, ..), descending)| {
        let ascending = ["", " ASC", " asc"][key.len() % 3];
        format!("{key}{}", if *descending { " DESC" } else { ascending })
    });
    let sql = keys.iter().map(|((_, sql, _), descending)| {
        format!("{sql} {}", if *descending { "DESC" } else { "ASC" })
    });
    let mut numbers: Vec<usize> = (0..world.traces.len()).collect();
    numbers.sort_by(|a, b| {
        let (a, b) = (&world.traces[*a], &world.traces[*b]);
        let by_keys = keys
            .iter()
            .map(|((_, _, get), descending)| match (get(a), get(b)) {
                (None, None) => std::cmp::Ordering::Equal,
                (None, _) => std::cmp::Ordering::Greater,
                (_, None) => std::cmp::Ordering::Less,
                (a, b) if *descending => b.partial_cmp(&a).unwrap(),
                (a, b) => a.partial_cmp(&b).unwrap(),
            });
        let by_keys = by_keys.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then);
        by_keys
            .then(b.start_ns().cmp(&a.start_ns()))
            .then_with(|| a.id.cmp(&b.id))
    });
    Order {
        clauses: clauses.collect(),
        sql: sql.collect(),
        numbers,
    }
}

impl Order {
    /// The ids of the traces that a question finds, in order.
    fn ids<'w>(&self, world: &'w World, question: &Question) -> Vec<&'w str> {
        let wanted = self
            .numbers
            .iter()
            .filter(|number| question.wanted[**number]);
        wanted
            .map(|number| world.traces[*number].id.as_str())
            .collect()
    }
}

/// All ids of a search, page after page.
fn paged(db: &Database, search: &Search) -> Vec<String> {
    let (mut ids, mut search) = (Vec::new(), search.clone());
    loop {
        let page = db.search_traces(&search).unwrap();
        ids.extend(page.traces.into_iter().map(|trace| trace.trace_id));
        match page.next_page_token {
            Some(token) => search = search.page_token(token),
            None => return ids,
        }
        // Only the first page skips.
        search.offset = 0;
    }
}

/// Puts a question in the filter language, in a random order and cut of it.
fn ask_filter(db: &Database, world: &World, question: &Question, at: usize, random: &mut Random) {
    let order = random_order(random, world, at);
    let ids = order.ids(world, question);
    let order = order.clauses;
    let filter = &question.filter;
    let mut search = Search::new(filter.as_str()).order_by(order.clone());
    search.offset = if random.below(3) == 0 {
        random.below(10)
    } else {
        0
    };
    let rest = &ids[search.offset.min(ids.len())..];
    let got = match random.below(4) {
        0 => paged(db, &search.limit(1 + random.below(40))),
        1 => {
            let limit = random.below(20);
            let page = db
                .search_traces(&search.limit(limit))
                .unwrap_or_else(|e| panic!("{filter}\n{e}"));
            assert_eq!(
                page.next_page_token.is_some(),
                rest.len() > limit && limit > 0,
                "{filter} {order:?}"
            );
            let got: Vec<String> = page
                .traces
                .into_iter()
                .map(|trace| trace.trace_id)
                .collect();
            assert_eq!(
                got,
                rest[..limit.min(rest.len())],
                "{filter}\n{order:?} limit {limit}"
            );
            return;
        }
        _ => {
            let page = db
                .search_traces(&search)
                .unwrap_or_else(|e| panic!("{filter}\n{e}"));
            assert_eq!(page.next_page_token, None);
            page.traces
                .into_iter()
                .map(|trace| trace.trace_id)
                .collect()
        }
    };
    assert_eq!(got, rest, "{filter}\n{order:?}");
    assert_eq!(
        db.count_traces(&Search::new(filter.as_str())).unwrap(),
        ids.len() as u64,
        "count of {filter}"
    );
}

/// Puts questions in SQL, all in one statement.
fn ask_sql(db: &Database, world: &World, questions: &[Question]) {
    let mut statement = Statement::default();
    questions
        .iter()
        .for_each(|question| statement.add(&question.expr));
    let sql = statement.sql();
    let batches = db
        .sql(&sql)
        .unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let mut answers: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
    for batch in &batches {
        for (at, column) in batch.columns()[1..].iter().enumerate() {
            let column = column.as_boolean();
            assert_eq!(column.null_count(), 0);
            answers
                .entry(at)
                .or_default()
                .extend(column.values().iter());
        }
    }
    for (at, question) in questions.iter().enumerate() {
        let differ = (0..world.traces.len())
            .find(|number| answers[&at][*number] != question.wanted[*number]);
        assert!(
            differ.is_none(),
            "{}\ntrace {:?} is wanted: {:?}\n{:#?}\n{sql}",
            question.filter,
            differ,
            differ.map(|number| question.wanted[number]),
            differ.map(|number| &world.traces[number].spans)
        );
    }
}

/// Puts a question in SQL and in the filter language with one order, limit and offset.
fn ask_page(db: &Database, world: &World, question: &Question, at: usize, random: &mut Random) {
    let order = random_order(random, world, at);
    let (limit, offset) = (random.below(30), random.below(3) * random.below(20));
    let ids = order.ids(world, question);
    let wanted: Vec<&str> = ids.into_iter().skip(offset).take(limit).collect();
    let mut search = Search::new(question.filter.as_str())
        .order_by(order.clauses.clone())
        .limit(limit);
    search.offset = offset;
    let found = db.search_trace_ids(&search).unwrap();
    assert_eq!(
        found, wanted,
        "{}\n{:?} {limit} {offset}",
        question.filter, order.clauses
    );
    let mut statement = Statement::default();
    statement.add(&question.expr);
    let sql = statement.page(&order.sql, limit, offset);
    let batches = db
        .sql(&sql)
        .unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let ids = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_string_view().iter().flatten());
    assert_eq!(
        ids.collect::<Vec<_>>(),
        wanted,
        "{}\n{sql}",
        question.filter
    );
}

/// All questions of a thread: filters in this state of the database, SQL every fourth time a different
/// quarter, so that each question is put once in SQL in some state, some of them with an order and a limit.
fn ask(db: &Database, world: &World, seed: u64, count: usize, state: usize) -> usize {
    let mut random = Random::new(seed);
    let (mut left, mut found) = (count, 0);
    let mut round = 0;
    while left > 0 {
        let questions: Vec<Question> = (0..left.min(FILTERS_A_STATEMENT))
            .map(|_| Question::random(&mut random, world))
            .collect();
        left -= questions.len();
        for (at, question) in questions.iter().enumerate() {
            // The order differs from state to state.
            let mut random = Random::new(seed ^ (left * 64 + at * 4 + state) as u64);
            ask_filter(db, world, question, left + at + state * 7, &mut random);
            let wanted = question.wanted.iter().filter(|wanted| **wanted).count();
            found += usize::from(wanted > 0 && wanted < world.traces.len());
        }
        if round % 4 == state {
            ask_sql(db, world, &questions);
            if round % 16 == state {
                ask_page(
                    db,
                    world,
                    &questions[0],
                    round,
                    &mut Random::new(seed ^ left as u64),
                );
            }
        }
        round += 1;
    }
    found
}

fn ask_everything(state: usize, name: &str, db: &Database, world: &World) {
    let start = std::time::Instant::now();
    let count = filter_count().div_ceil(THREADS);
    // Plain code is shared by reference counts that stay within a thread, so each makes its own.
    let found: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS as u64)
            .map(|seed| scope.spawn(move || ask(db, world, 1_000 + seed, count, state)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    println!(
        "{name}: {} filters, {found} find some, {:?}",
        count * THREADS,
        start.elapsed()
    );
    assert!(
        found * 3 > count * THREADS,
        "most filters find everything or nothing: {found}"
    );
}

#[test]
fn filter_sql_and_plain_code_agree_in_every_state() {
    let world = World::random(7, TRACES);
    let memory = in_memory();
    world.store(&memory, 0..TRACES);
    world.store_dataset(&memory);
    ask_everything(0, "in memory", &memory, &world);

    let disk = DiskDb::new();
    for piece in 0..3 {
        world.store(&disk.db, piece * TRACES / 3..(piece + 1) * TRACES / 3);
        disk.db.seal().unwrap();
    }
    world.store_dataset(&disk.db);
    assert_eq!(disk.db.stats().unwrap().segments, 3);
    ask_everything(1, "sealed", &disk.db, &world);
    disk.db.compact().unwrap();
    assert_eq!(disk.db.stats().unwrap().segments, 1);
    ask_everything(2, "compacted", &disk.db, &world);

    let disk = DiskDb::new();
    world.store(&disk.db, 0..TRACES / 2);
    disk.db.seal().unwrap();
    world.store(&disk.db, TRACES / 2..TRACES);
    world.store_dataset(&disk.db);
    let disk = disk.reopen(false, |_| {});
    ask_everything(3, "reopened", &disk.db, &world);
}
