//! What strata subjects are in, and which of a session is the newest.
//!
//! A key that begins with `span.` is about a span itself; every other key is about its trace, as in filters.

use std::cmp::Reverse;
use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::temporal_conversions::timestamp_ns_to_datetime;
use tracehouse_storage::columns::{list, map_at, text, text_at, times};
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::schema::Table;
use tracehouse_storage::{RowRef, Snapshot};

use super::expectations::newest_values;
use super::json::plain;
use super::subject::{Kind, SUBJECTS_A_READ, Subject};
use crate::error::{Error, Result};

/// Keys of a trace whose values are a column of text.
const TRACE_TEXTS: [&str; 7] = [
    "state",
    "service_name",
    "name",
    "session_id",
    "user_id",
    "experiment_id",
    "client_request_id",
];
/// Keys of a trace that are made of other columns.
const TRACE_OTHERS: [&str; 3] = ["model", "hour", "day"];
/// Maps of a trace, whose keys follow a dot.
const TRACE_MAPS: [&str; 2] = ["tags", "metadata"];
/// Types of assessments, whose names follow a dot.
const ASSESSED: [&str; 2] = ["feedback", "expectation"];
/// `2026-01-31T14`
const HOUR_CHARS: usize = 13;
/// `2026-01-31`
const DAY_CHARS: usize = 10;
/// Keys of a span, and their columns.
const SPAN_TEXTS: [(&str, &str); 6] = [
    ("span.name", "name"),
    ("span.type", "span_type"),
    ("span.status", "status"),
    ("span.model", "model"),
    ("span.provider", "provider"),
    ("span.tool", "tool_name"),
];

/// The stratum of each subject; one without a value of the key is in the stratum of those.
///
/// # Errors
/// `InvalidInput` for a key that has no strata.
pub(super) fn strata(
    snapshot: &Snapshot,
    subjects: &[Subject],
    kind: Kind,
    key: &str,
) -> Result<Vec<Option<String>>> {
    match StratumKey::parse(key, kind)? {
        StratumKey::Assessed { of, name } => {
            let ids = subjects.iter().map(|subject| subject.trace_id.clone());
            let values = newest_values(snapshot, ids, of, name)?;
            let value =
                |subject: &Subject| values.get(&subject.trace_id).and_then(|json| plain(json));
            Ok(subjects.iter().map(value).collect())
        }
        StratumKey::Span { column } => {
            let values = |batch: &RecordBatch| texts(batch, column);
            let rows =
                |subjects: &[Subject]| Ok(subjects.iter().map(|one| Some(one.row)).collect());
            of_rows(snapshot, subjects, rows, Table::Spans, column, &values)
        }
        StratumKey::Trace { column, part } => {
            let values = |batch: &RecordBatch| part.values(batch, column);
            let rows = |subjects: &[Subject]| trace_rows(snapshot, subjects, kind);
            of_rows(snapshot, subjects, rows, Table::Traces, column, &values)
        }
    }
}

/// Whether each subject is the newest of its session: the one that began last or, of several, the first by id. One
/// without a session is.
pub(super) fn are_newest(
    snapshot: &Snapshot,
    subjects: &[Subject],
    kind: Kind,
) -> Result<Vec<bool>> {
    let rows = |subjects: &[Subject]| trace_rows(snapshot, subjects, kind);
    let column = "session_id";
    let values = |batch: &RecordBatch| texts(batch, column);
    let sessions = of_rows(snapshot, subjects, rows, Table::Traces, column, &values)?;
    let (table, column) = match kind {
        Kind::Trace => (Table::Traces, "request_time"),
        Kind::Span => (Table::Spans, "start_time"),
    };
    let mut begun = Vec::with_capacity(subjects.len());
    for subjects in subjects.chunks(SUBJECTS_A_READ) {
        let rows: Vec<RowRef> = subjects.iter().map(|subject| subject.row).collect();
        let batch = snapshot.read_rows(table, &rows, &[column])?;
        begun.extend_from_slice(times(&batch, column)?.values());
    }
    let mut newest: HashMap<&str, (i64, Reverse<String>, usize)> = HashMap::new();
    let placed = sessions.iter().zip(subjects).zip(begun).enumerate();
    for (at, ((session, subject), begun)) in placed {
        let Some(session) = session else { continue };
        let one = (begun, Reverse(subject.id()), at);
        let known = newest.entry(session).or_insert_with(|| one.clone());
        if *known < one {
            *known = one;
        }
    }
    let is_newest = |(at, session): (usize, &Option<String>)| {
        let session = session.as_deref();
        session.is_none_or(|session| newest.get(session).is_some_and(|(_, _, one)| *one == at))
    };
    Ok(sessions.iter().enumerate().map(is_newest).collect())
}

/// The rows of the traces that subjects are of.
fn trace_rows(
    snapshot: &Snapshot,
    subjects: &[Subject],
    kind: Kind,
) -> Result<Vec<Option<RowRef>>> {
    if kind == Kind::Trace {
        return Ok(subjects.iter().map(|subject| Some(subject.row)).collect());
    }
    let keys: Vec<TraceKey> = subjects
        .iter()
        .map(|subject| TraceKey::of(&subject.trace_id))
        .collect();
    Ok(snapshot.find_traces(&keys)?)
}

/// A value for each subject, read from a column of a row of each; none where there is no row.
fn of_rows(
    snapshot: &Snapshot,
    subjects: &[Subject],
    rows_of: impl Fn(&[Subject]) -> Result<Vec<Option<RowRef>>>,
    table: Table,
    column: &str,
    values_of: &dyn Fn(&RecordBatch) -> Result<Vec<Option<String>>>,
) -> Result<Vec<Option<String>>> {
    let mut all = Vec::with_capacity(subjects.len());
    for subjects in subjects.chunks(SUBJECTS_A_READ) {
        snapshot.interrupt().check()?;
        let rows = rows_of(subjects)?;
        let there: Vec<RowRef> = rows.iter().flatten().copied().collect();
        let batch = snapshot.read_rows(table, &there, &[column])?;
        let mut values = values_of(&batch)?.into_iter();
        all.extend(
            rows.iter()
                .map(|row| row.and_then(|_| values.next().flatten())),
        );
    }
    Ok(all)
}

/// Where the values of a key are.
#[derive(Debug, Clone, Copy)]
enum StratumKey<'a> {
    Span {
        column: &'static str,
    },
    Trace {
        column: &'static str,
        part: Part<'a>,
    },
    Assessed {
        of: &'static str,
        name: &'a str,
    },
}

/// What of a trace's column is the value.
#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Text,
    Member(&'a str),
    /// All of a list of texts, sorted, with commas between.
    All,
    /// So many characters of the time as RFC 3339 has it, and what follows them.
    Time(usize, &'static str),
}

impl<'a> StratumKey<'a> {
    fn parse(key: &'a str, kind: Kind) -> Result<Self> {
        if let Some((prefix, name)) = key.split_once('.') {
            let name = name.trim_matches('`');
            if let Some(column) = TRACE_MAPS.into_iter().find(|map| *map == prefix) {
                let part = Part::Member(name);
                return Ok(Self::Trace { column, part });
            }
            if let Some(of) = ASSESSED.into_iter().find(|of| *of == prefix) {
                return Ok(Self::Assessed { of, name });
            }
        }
        let span_text = SPAN_TEXTS.iter().find(|(known, _)| *known == key);
        if let Some((_, column)) = span_text.filter(|_| kind == Kind::Span) {
            return Ok(Self::Span { column });
        }
        let (column, part) = match key {
            "session" => ("session_id", Part::Text),
            "user" => ("user_id", Part::Text),
            "model" => ("models", Part::All),
            "hour" => ("request_time", Part::Time(HOUR_CHARS, ":00:00Z")),
            "day" => ("request_time", Part::Time(DAY_CHARS, "")),
            key => match TRACE_TEXTS.into_iter().find(|name| *name == key) {
                Some(column) => (column, Part::Text),
                None => return Err(no_strata(key, kind)),
            },
        };
        Ok(Self::Trace { column, part })
    }
}

fn no_strata(key: &str, kind: Kind) -> Error {
    let spans = match kind {
        Kind::Trace => String::new(),
        Kind::Span => SPAN_TEXTS.map(|(key, _)| format!("{key}, ")).concat(),
    };
    let (texts, others) = (TRACE_TEXTS.join(", "), TRACE_OTHERS.join(", "));
    Error::invalid_input(format!(
        "stratify by {key:?}: one of {spans}{texts}, {others}, feedback.NAME, expectation.NAME, tags.K or metadata.K \
         expected"
    ))
}

impl Part<'_> {
    fn values(self, batch: &RecordBatch, column: &str) -> Result<Vec<Option<String>>> {
        match self {
            Part::Text => texts(batch, column),
            Part::Member(key) => (0..batch.num_rows())
                .map(|row| Ok(map_at(batch, column, row)?.remove(key)))
                .collect(),
            Part::All => joined(batch, column),
            Part::Time(chars, rest) => {
                let times = times(batch, column)?.values().iter();
                let begin = |ns: &i64| {
                    let text = timestamp_ns_to_datetime(*ns).map(|time| format!("{time:?}"))?;
                    Some(format!("{}{rest}", text.get(..chars)?))
                };
                Ok(times.map(begin).collect())
            }
        }
    }
}

fn texts(batch: &RecordBatch, column: &str) -> Result<Vec<Option<String>>> {
    let texts = text(batch, column)?;
    let rows = 0..batch.num_rows();
    Ok(rows
        .map(|row| text_at(texts, row).map(str::to_string))
        .collect())
}

/// The texts of lists as one each; none for an empty list.
fn joined(batch: &RecordBatch, column: &str) -> Result<Vec<Option<String>>> {
    let lists = list(batch, column)?;
    let mut all = Vec::with_capacity(lists.len());
    for row in 0..lists.len() {
        if lists.is_null(row) {
            all.push(None);
            continue;
        }
        let items = lists.value(row);
        let items = items.as_string_opt::<i32>();
        let items =
            items.ok_or_else(|| Error::internal(format!("column {column} has no texts")))?;
        let mut items: Vec<&str> = items.iter().flatten().collect();
        items.sort_unstable();
        items.dedup();
        all.push((!items.is_empty()).then(|| items.join(", ")));
    }
    Ok(all)
}
