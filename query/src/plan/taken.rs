//! The ways that were taken to the rows of a table, for people: what EXPLAIN of SQL and of a search say.

use std::collections::BTreeMap;
use std::fmt;

use super::access::{AccessPath, Way};

/// The ways to the rows of one table, best first, each with the sources in which it was taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    sources: BTreeMap<Way, Sources>,
    /// Rows of the table that are visible.
    rows_max: u64,
}

#[derive(Debug, Clone, Default)]
struct Sources {
    /// The way in words.
    name: String,
    count: usize,
    /// The visible rows that it led to.
    rows: u64,
}

impl Taken {
    /// None yet, of a table with so many visible rows.
    pub fn of(rows_max: u64) -> Self {
        Self {
            sources: BTreeMap::new(),
            rows_max,
        }
    }

    /// One more source, in which a way led to so many visible rows.
    pub fn add(&mut self, path: &AccessPath, way: Way, rows: u64) {
        if rows == 0 && way == Way::OtherTimes {
            return;
        }
        let sources = self.sources.entry(way).or_default();
        sources.name = path.name_of(way);
        sources.count += 1;
        sources.rows += rows;
    }

    /// The visible rows that all ways led to, before zones skip some.
    pub fn rows(&self) -> u64 {
        self.sources.values().map(|sources| sources.rows).sum()
    }
}

/// `session index, rows=1 of 31`; of several ways, how many sources and rows each leads to.
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ways: Vec<&Sources> = self.sources.values().collect();
        if ways.iter().any(|way| way.rows > 0) {
            ways.retain(|way| way.rows > 0);
        }
        match ways.as_slice() {
            [] => write!(f, "nothing")?,
            [only] => write!(f, "{}", only.name)?,
            [first, others @ ..] => {
                write!(f, "{first}")?;
                others.iter().try_for_each(|way| write!(f, " + {way}"))?;
            }
        }
        write!(f, ", rows={} of {}", self.rows(), self.rows_max)
    }
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, count, rows } = self;
        write!(
            f,
            "{name} ({rows} rows of {count} source{})",
            if *count == 1 { "" } else { "s" }
        )
    }
}
