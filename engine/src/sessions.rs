//! Sessions: the traces that share a session id, put together from the light columns of `traces`.
//!
//! Nothing about a session is stored: it is what its traces say now.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, RecordBatch};
use serde::{Deserialize, Serialize};
use tracehouse_query::search::{self, Search};
use tracehouse_storage::Snapshot;
use tracehouse_storage::columns::{floats, ints, text, text_at, times};
use tracehouse_storage::model::TraceRow;
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;

use crate::database::Database;
use crate::error::{Error, Result};
use crate::filters::{join_filters, quoted};

/// What is read of each trace.
const COLUMNS: [&str; 8] = [
    "trace_id",
    "experiment_id",
    "session_id",
    "user_id",
    "state",
    "request_time",
    "total_tokens",
    "cost_usd",
];

/// A session and figures over all its traces in the experiments looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Session {
    /// The session.
    pub session_id: String,
    /// The experiments its traces belong to, sorted.
    pub experiment_ids: Vec<String>,
    /// The greatest of its user ids.
    pub user_id: Option<String>,
    /// Its traces.
    pub trace_count: u64,
    /// Its traces with state `ERROR`.
    pub error_count: u64,
    /// Request time of its first trace, Unix nanoseconds.
    pub first_request_time_ns: i64,
    /// Request time of its last trace, Unix nanoseconds.
    pub last_request_time_ns: i64,
    /// Total tokens of its traces; `None` when none has any.
    pub total_tokens: Option<i64>,
    /// Cost of its traces in USD; `None` when none has any.
    pub cost_usd: Option<f64>,
}

/// A search for sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionSearch {
    /// Sessions of which some trace matches; empty = all.
    pub filter: String,
    /// In these experiments; `None` = all.
    pub experiments: Option<Vec<String>>,
    /// `KEY [ASC|DESC]`, the last request first unless given. Ties end with the session id.
    pub order_by: Option<String>,
    /// Most sessions given.
    pub limit: Option<usize>,
}

impl SessionSearch {
    /// Sessions of which some trace matches a filter; the empty one matches all.
    pub fn new(filter: impl Into<String>) -> Self {
        Self {
            filter: filter.into(),
            ..Self::default()
        }
    }

    /// Looks at sessions of these experiments only.
    pub fn experiments<S: Into<String>>(
        mut self,
        experiments: impl IntoIterator<Item = S>,
    ) -> Self {
        self.experiments = Some(experiments.into_iter().map(Into::into).collect());
        self
    }

    /// Orders them by `session_id`, `trace_count`, `error_count`, `first_request_time`,
    /// `last_request_time`, `total_tokens` or `cost`, with `ASC` or `DESC` after it.
    pub fn order_by(mut self, clause: impl Into<String>) -> Self {
        self.order_by = Some(clause.into());
        self
    }

    /// Gives at most so many.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// A session whose last trace is in a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedSession {
    /// The session.
    pub session_id: String,
    /// Request time of its first trace, Unix nanoseconds.
    pub first_request_time_ns: i64,
    /// Request time of its last trace, Unix nanoseconds.
    pub last_request_time_ns: i64,
}

impl Database {
    /// The sessions of which some trace matches, with figures over all their traces.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::{SessionSearch, TraceStart};
    /// let turn = |id: &str, time: i64| TraceStart::new(id, time).session_id("s-1");
    /// db.start_traces(&[turn("a", 1).state("ERROR"), turn("b", 2).state("OK")])?;
    /// let failed = db.sessions(&SessionSearch::new("state = 'ERROR'"))?;
    /// assert_eq!((failed[0].trace_count, failed[0].error_count), (2, 1));
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a wrong filter or order.
    pub fn sessions(&self, wanted: &SessionSearch) -> Result<Vec<Session>> {
        let order = Order::parse(
            wanted
                .order_by
                .as_deref()
                .unwrap_or("last_request_time DESC"),
        )?;
        let snapshot = self.reading()?;
        let experiments = wanted.experiments.as_deref();
        let matching = match join_filters(&[&wanted.filter])?.as_str() {
            "" => None,
            filter => Some(self.session_ids(&snapshot, filter, experiments)?),
        };
        let is_wanted = |id: &str| matching.as_ref().is_none_or(|ids| ids.contains(id));
        let all = collect(&snapshot, experiments, is_wanted)?;
        let mut sessions: Vec<Session> = all
            .into_iter()
            .map(|(id, group)| group.into_session(id))
            .collect();
        order.sort(&mut sessions);
        sessions.truncate(wanted.limit.unwrap_or(usize::MAX));
        Ok(sessions)
    }

    /// The traces of one session in order of time, then of id; of some experiments (`None` = all).
    ///
    /// # Errors
    /// Whatever reading gives; an unknown session has no traces.
    pub fn session_traces(
        &self,
        session_id: &str,
        experiments: Option<&[String]>,
    ) -> Result<Vec<TraceRow>> {
        let snapshot = self.reading()?;
        let mut search =
            Search::new(format!("session_id = {}", quoted(session_id))).order_by(["timestamp ASC"]);
        search.experiments = experiments.map(<[String]>::to_vec);
        self.read_traces(&snapshot, &search::search(&snapshot, &search)?.rows)
    }

    /// Sessions of an experiment whose last trace began between two times, both included, in order of
    /// that time, then of id. `filter` is about the session's first trace.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong filter.
    pub fn completed_sessions(
        &self,
        experiment_id: &str,
        last_min_ns: i64,
        last_max_ns: i64,
        max_results: Option<usize>,
        filter: &str,
    ) -> Result<Vec<CompletedSession>> {
        let snapshot = self.reading()?;
        let experiments = [experiment_id.to_string()];
        let matching = match join_filters(&[filter])?.as_str() {
            "" => None,
            filter => Some(self.ids_of(
                &snapshot,
                &Search::new(filter).experiments(experiments.clone()),
            )?),
        };
        let mut completed: Vec<CompletedSession> =
            collect(&snapshot, Some(&experiments), |_| true)?
                .into_iter()
                .filter(|(_, group)| (last_min_ns..=last_max_ns).contains(&group.last_ns))
                .filter(|(_, group)| {
                    matching
                        .as_ref()
                        .is_none_or(|ids| ids.contains(&group.first.1))
                })
                .map(|(session_id, group)| CompletedSession {
                    session_id,
                    first_request_time_ns: group.first.0,
                    last_request_time_ns: group.last_ns,
                })
                .collect();
        completed.sort_by(|a, b| {
            (a.last_request_time_ns, &a.session_id).cmp(&(b.last_request_time_ns, &b.session_id))
        });
        completed.truncate(max_results.unwrap_or(usize::MAX));
        Ok(completed)
    }

    /// The sessions of the traces that match.
    fn session_ids(
        &self,
        snapshot: &Snapshot,
        filter: &str,
        experiments: Option<&[String]>,
    ) -> Result<BTreeSet<String>> {
        let mut search = Search::new(filter);
        search.experiments = experiments.map(<[String]>::to_vec);
        let page = search::search(snapshot, self.with_datasets(&search)?.as_ref())?;
        let batch = snapshot.read_rows(Table::Traces, &page.rows, &["session_id"])?;
        Ok(text(&batch, "session_id")?
            .iter()
            .flatten()
            .map(str::to_string)
            .collect())
    }
}

/// What is known of a session while its traces are read.
#[derive(Debug)]
struct Group {
    /// Time and id of the first trace.
    first: (i64, String),
    last_ns: i64,
    experiments: BTreeSet<String>,
    user_id: Option<String>,
    traces: u64,
    errors: u64,
    total_tokens: Option<i64>,
    costs: Vec<f64>,
}

impl Group {
    fn into_session(self, session_id: String) -> Session {
        Session {
            session_id,
            experiment_ids: self.experiments.into_iter().collect(),
            user_id: self.user_id,
            trace_count: self.traces,
            error_count: self.errors,
            first_request_time_ns: self.first.0,
            last_request_time_ns: self.last_ns,
            total_tokens: self.total_tokens,
            cost_usd: sum(self.costs),
        }
    }
}

/// The sum of some numbers, the same in whatever order they were found.
fn sum(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    if numbers.is_empty() {
        None
    } else {
        Some(numbers.iter().sum())
    }
}

/// The sessions that are wanted, from all traces of some experiments.
fn collect(
    snapshot: &Snapshot,
    experiments: Option<&[String]>,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Group>> {
    let mut groups = BTreeMap::new();
    for source in 0..snapshot.source_count() {
        for batch in snapshot.scan(source, Table::Traces, &ScanRequest::columns(COLUMNS))? {
            add(&mut groups, &batch?, experiments, &is_wanted)?;
        }
    }
    Ok(groups)
}

fn add(
    groups: &mut BTreeMap<String, Group>,
    batch: &RecordBatch,
    experiments: Option<&[String]>,
    is_wanted: &impl Fn(&str) -> bool,
) -> Result<()> {
    let [ids, scopes, sessions, users, states] = [
        "trace_id",
        "experiment_id",
        "session_id",
        "user_id",
        "state",
    ]
    .map(|column| text(batch, column));
    let (ids, scopes, sessions, users, states) = (ids?, scopes?, sessions?, users?, states?);
    let (starts, tokens) = (times(batch, "request_time")?, ints(batch, "total_tokens")?);
    let costs = floats(batch, "cost_usd")?;
    for row in 0..batch.num_rows() {
        let (Some(session), Some(scope)) = (text_at(sessions, row), text_at(scopes, row)) else {
            continue;
        };
        if !is_wanted(session)
            || !experiments.is_none_or(|known| known.iter().any(|id| id == scope))
        {
            continue;
        }
        let this = (starts.value(row), text_at(ids, row).unwrap_or_default());
        let group = groups.entry(session.to_string()).or_insert_with(|| Group {
            first: (this.0, this.1.to_string()),
            last_ns: this.0,
            experiments: BTreeSet::new(),
            user_id: None,
            traces: 0,
            errors: 0,
            total_tokens: None,
            costs: Vec::new(),
        });
        if this < (group.first.0, group.first.1.as_str()) {
            group.first = (this.0, this.1.to_string());
        }
        group.last_ns = group.last_ns.max(this.0);
        if !group.experiments.contains(scope) {
            group.experiments.insert(scope.to_string());
        }
        if text_at(users, row) > group.user_id.as_deref() {
            group.user_id = text_at(users, row).map(str::to_string);
        }
        group.traces += 1;
        group.errors += u64::from(text_at(states, row) == Some("ERROR"));
        if tokens.is_valid(row) {
            group.total_tokens = Some(
                group
                    .total_tokens
                    .unwrap_or(0)
                    .saturating_add(tokens.value(row)),
            );
        }
        group
            .costs
            .extend(costs.is_valid(row).then(|| costs.value(row)));
    }
    Ok(())
}

/// How sessions are ordered.
struct Order {
    compare: fn(&Session, &Session) -> std::cmp::Ordering,
    is_absent: fn(&Session) -> bool,
    descending: bool,
}

impl Order {
    fn parse(clause: &str) -> Result<Self> {
        const KEYS: &str = "session_id, trace_count, error_count, first_request_time, last_request_time, total_tokens, cost";
        let bad = || {
            Error::invalid_input(format!(
                "order {clause:?}: KEY [ASC|DESC] expected, KEY one of {KEYS}"
            ))
        };
        let mut words = clause.split_whitespace();
        let compare: fn(&Session, &Session) -> std::cmp::Ordering = match words
            .next()
            .ok_or_else(bad)?
        {
            "session_id" => |a, b| a.session_id.cmp(&b.session_id),
            "trace_count" => |a, b| a.trace_count.cmp(&b.trace_count),
            "error_count" => |a, b| a.error_count.cmp(&b.error_count),
            "first_request_time" => |a, b| a.first_request_time_ns.cmp(&b.first_request_time_ns),
            "last_request_time" => |a, b| a.last_request_time_ns.cmp(&b.last_request_time_ns),
            "total_tokens" => |a, b| a.total_tokens.cmp(&b.total_tokens),
            "cost" => |a, b| {
                a.cost_usd
                    .unwrap_or(0.0)
                    .total_cmp(&b.cost_usd.unwrap_or(0.0))
            },
            _ => return Err(bad()),
        };
        let is_absent: fn(&Session) -> bool = match clause.split_whitespace().next() {
            Some("total_tokens") => |session| session.total_tokens.is_none(),
            Some("cost") => |session| session.cost_usd.is_none(),
            _ => |_| false,
        };
        let descending = match words.next().map(str::to_ascii_uppercase).as_deref() {
            None | Some("ASC") => false,
            Some("DESC") => true,
            Some(_) => return Err(bad()),
        };
        if words.next().is_some() {
            return Err(bad());
        }
        Ok(Self {
            compare,
            is_absent,
            descending,
        })
    }

    /// Sorts; absent values are last, ties end with the id.
    fn sort(&self, sessions: &mut [Session]) {
        sessions.sort_by(|a, b| {
            let values = (self.compare)(a, b);
            let values = if self.descending {
                values.reverse()
            } else {
                values
            };
            let absent = (self.is_absent)(a).cmp(&(self.is_absent)(b));
            absent
                .then(values)
                .then_with(|| a.session_id.cmp(&b.session_id))
        });
    }
}
