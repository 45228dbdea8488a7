//! Generated SQL against DuckDB and SQLite: the same rows, in every state of the database.
//!
//! ```text
//! seed + number -> grammar -> tree -> ours, DuckDB's, SQLite's text -> rows -> the same?
//!                                                     differ, or we refuse: made smaller -> explained by `known`?
//! ```
//! The tables are rows of a generator (NULLs, ties, empty texts, letters of all kinds, integers at their limits) and,
//! when it is there, a sample of the example data; each statement meets one of the seven states of the golden
//! scripts. DuckDB says what is right; SQLite is asked as well wherever it has words for the statement. A
//! difference fails the test unless `known.rs` names its reason, and so does a refusal of a kind that
//! `query/SQL.md` does not list.
//!
//! `TRACEHOUSE_SQL_STATEMENTS` is how many, `TRACEHOUSE_SEED` the seed; `TRACEHOUSE_SQL_FIRST` begins at another number,
//! and `TRACEHOUSE_SQL_NUMBERS=7,1375` asks these alone.

mod compare;
mod grammar;
mod known;
mod made;
mod peers;
mod report;
mod shrink;
mod statement;
mod tree;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use tracehouse::{Database, SqlQuery};

use crate::golden::{STATES, Subject};
use crate::support::{rows, say, seed, setting};
use compare::{Outcome, are_same, rows_of};
use grammar::Generator;
use made::Source;
use peers::Peers;
use report::{Report, Verdict};
use statement::{Question, Statement};

/// Statements in the test command.
const STATEMENTS: u64 = 2_500;
/// Threads that ask; each has a process of the peers for each source.
const THREADS: usize = 2;
/// How long one of our statements may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Statements that the peers may be ahead.
const AHEAD: usize = 8;

/// The rows of a source in every state, and as files for the peers.
struct Subjects {
    source: Source,
    states: Vec<Subject>,
    tables: serde_json::Value,
    _folder: tempfile::TempDir,
}

#[test]
fn generated_statements_say_what_duckdb_and_sqlite_say() {
    let count = setting("TRACEHOUSE_SQL_STATEMENTS", STATEMENTS);
    let seed = seed();
    let first = setting("TRACEHOUSE_SQL_FIRST", 0);
    let numbers: Vec<u64> = match std::env::var("TRACEHOUSE_SQL_NUMBERS") {
        Ok(numbers) => numbers
            .split(',')
            .map(|number| number.trim().parse().unwrap())
            .collect(),
        Err(_) => (first..first + count).collect(),
    };
    let python = peers::python();
    let start = Instant::now();
    let subjects: Vec<Subjects> = std::thread::scope(|scope| {
        let sources =
            [Source::Made, Source::Real].map(|source| scope.spawn(move || subjects(source)));
        sources
            .into_iter()
            .filter_map(|source| source.join().unwrap())
            .collect()
    });
    let prepared = start.elapsed();
    let report = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (subjects, report, python) = (&subjects, &report, &python);
            let numbers: Vec<u64> = numbers
                .iter()
                .copied()
                .skip(thread)
                .step_by(THREADS)
                .collect();
            scope.spawn(move || ask_all(seed, &numbers, subjects, python, report));
        }
    });
    let report = report.into_inner().unwrap();
    say(&format!(
        "differential SQL: seed {seed}, {} statements from {} on, prepared in {:.0} s, asked in {:.0} s\n{}",
        numbers.len(),
        numbers.first().unwrap(),
        prepared.as_secs_f64(),
        (start.elapsed() - prepared).as_secs_f64(),
        report.summary(),
    ));
    report.finish();
}

/// Every state of a source; all of them say the same of every table.
fn subjects(source: Source) -> Option<Subjects> {
    let states: Vec<Subject> = STATES
        .into_iter()
        .map(|state| made::subject(source, state))
        .collect::<Option<_>>()?;
    let folder = tempfile::tempdir().unwrap();
    let tables = made::export(states[0].db(), folder.path());
    for table in grammar::tables::TABLES {
        let columns: Vec<String> = table
            .columns()
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        let statement = format!("SELECT {} FROM {}", columns.join(", "), table.name);
        let rows = table_rows(states[0].db(), &statement);
        for (subject, state) in states.iter().zip(STATES).skip(1) {
            assert_eq!(
                table_rows(subject.db(), &statement),
                rows,
                "{source:?} {state:?} {}",
                table.name
            );
        }
    }
    Some(Subjects {
        source,
        states,
        tables,
        _folder: folder,
    })
}

/// The rows of a table, sorted. Sums of doubles end differently by the order in which they were summed up, so that the last
/// digits of doubles do not count.
fn table_rows(db: &Database, statement: &str) -> Vec<String> {
    let mut rows = rows(db, statement);
    for (_, cell) in rows.iter_mut().filter_map(Value::as_object_mut).flatten() {
        if let Some(double) = cell.as_f64().filter(|_| cell.is_f64()) {
            *cell = format!("{double:.12e}").into();
        }
    }
    let mut texts: Vec<String> = rows.iter().map(Value::to_string).collect();
    texts.sort();
    texts
}

/// A statement that the peers are thinking about.
struct Asked {
    number: u64,
    statement: Statement,
    question: Question,
    at: usize,
    state: usize,
}

fn ask_all(
    seed: u64,
    numbers: &[u64],
    subjects: &[Subjects],
    python: &Path,
    report: &Mutex<Report>,
) {
    let mut peers: Vec<Peers> = subjects
        .iter()
        .map(|subject| Peers::start(python, &subject.tables))
        .collect();
    let mut waiting: VecDeque<Asked> = VecDeque::new();
    for &number in numbers {
        let mixed =
            seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number.wrapping_mul(0xD134_2543_DE82_EF95);
        let statement = Generator::new(mixed).statement();
        let question = statement.question();
        let at = usize::from(subjects.len() > 1 && (number / 7).is_multiple_of(4));
        let state = number as usize % STATES.len();
        peers[at].ask(&question);
        waiting.push_back(Asked {
            number,
            statement,
            question,
            at,
            state,
        });
        if waiting.len() > AHEAD {
            answer(
                waiting.pop_front().unwrap(),
                subjects,
                &mut peers,
                &mut waiting,
                report,
            );
        }
    }
    while let Some(asked) = waiting.pop_front() {
        answer(asked, subjects, &mut peers, &mut waiting, report);
    }
}

fn answer(
    asked: Asked,
    subjects: &[Subjects],
    peers: &mut [Peers],
    waiting: &mut VecDeque<Asked>,
    report: &Mutex<Report>,
) {
    let subject = &subjects[asked.at];
    let db = subject.states[asked.state].db();
    let start = Instant::now();
    let ours = ours(db, &asked.question);
    let took = start.elapsed();
    let (duckdb, sqlite) = peers[asked.at].answers();
    let verdict = Verdict::of(&asked.question, &ours, &duckdb, sqlite.as_ref());
    let place = format!(
        "{} {:?} {:?}",
        asked.number, subject.source, STATES[asked.state]
    );
    let wanted = report
        .lock()
        .unwrap()
        .count(&place, took, &asked.question, &verdict);
    if let Some(wanted) = wanted {
        // The peers answer in order: what they still owe is asked again afterwards.
        let owed: Vec<&Asked> = waiting
            .iter()
            .filter(|other| other.at == asked.at)
            .collect();
        owed.iter().for_each(|_| drop(peers[asked.at].answers()));
        let small = shrink::shrink(asked.statement, &wanted, db, &mut peers[asked.at]);
        report.lock().unwrap().add(&place, small);
        owed.iter()
            .for_each(|other| peers[asked.at].ask(&other.question));
    }
}

/// What we say.
fn ours(db: &Database, question: &Question) -> Outcome {
    let query = SqlQuery::from(question.ours.as_str());
    match db.query(query, Some(TIMEOUT)) {
        Ok((_, batches)) => {
            rows_of(&batches, &question.types).map_or_else(Outcome::Error, Outcome::Rows)
        }
        Err(error) => Outcome::Error(error.to_string()),
    }
}

/// Asks everyone.
fn ask(
    question: &Question,
    db: &Database,
    peers: &mut Peers,
) -> (Outcome, Outcome, Option<Outcome>) {
    peers.ask(question);
    let ours = ours(db, question);
    let (duckdb, sqlite) = peers.answers();
    (ours, duckdb, sqlite)
}
