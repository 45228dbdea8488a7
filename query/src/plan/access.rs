//! How the rows of a table are reached in each source, and why: [`RULES`], tried in order, else a scan.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::scan::Zone;
use tracehouse_storage::schema::Table;
use tracehouse_storage::{IndexKind, Result, Snapshot};

use super::candidates::{Candidates, rows_of_traces};
use super::cost;
use super::required::Required;
use crate::predicate::{Equality, EqualityKey};

/// The way to the rows of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// The traces are known by id, and an index knows their rows.
    TraceIds,
    /// All rows are of other times.
    OtherTimes,
    /// Indexes of keys name the rows.
    Keys,
    /// The text index names the rows.
    Text,
    /// All rows that lie in the zones.
    Zones,
    /// All rows.
    All,
}

/// The way to the rows of a source, with the rows that it leads to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Access {
    /// The rule that was taken.
    pub way: Way,
    /// The rows to look at.
    pub rows: Candidates,
}

/// A way to the rows of a source; `None` where it leads nowhere.
type Rule = fn(&AccessPath, &Snapshot, usize) -> Result<Option<Access>>;

/// The rules, best first.
pub(crate) const RULES: &[Rule] = &[
    AccessPath::by_trace_ids,
    AccessPath::by_time,
    AccessPath::by_keys,
    AccessPath::by_text,
];

/// The requirements of one table, ready to be asked for each source.
#[derive(Debug, Clone)]
pub(crate) struct AccessPath {
    table: Table,
    required: Required,
    /// Rows by source, when the traces are known by id.
    by_id: Option<BTreeMap<usize, RoaringBitmap>>,
}

impl AccessPath {
    /// The path to the rows of `table` that have what is required.
    ///
    /// # Errors
    /// What reading an index gives.
    pub fn of(snapshot: &Snapshot, table: Table, mut required: Required) -> Result<Self> {
        // Of several lists the shortest decides; the others are checked with everything else.
        let lists = required
            .equalities
            .iter()
            .enumerate()
            .filter(|(_, list)| list.key == EqualityKey::TraceId);
        let shortest = lists
            .min_by_key(|(_, list)| list.values.len())
            .map(|(at, _)| at);
        let ids = shortest.map(|at| required.equalities.swap_remove(at).values);
        let ids_max = cost::listed_ids_max(snapshot.visible_rows(table));
        let by_id = match ids.filter(|ids| ids.len() as u64 <= ids_max) {
            Some(ids) => Some(rows_by_id(snapshot, table, &ids)?),
            None => None,
        };
        Ok(Self {
            table,
            required,
            by_id,
        })
    }

    /// Narrows the path to these traces, each with a source where its row may be.
    ///
    /// # Errors
    /// What reading an index gives.
    pub fn confine(
        &mut self,
        snapshot: &Snapshot,
        traces: impl Iterator<Item = (TraceKey, usize)>,
    ) -> Result<()> {
        if self.by_id.is_none() {
            self.by_id = Some(rows_of_traces(snapshot, traces)?);
        }
        Ok(())
    }

    /// Whether the traces are known by id.
    pub fn is_by_id(&self) -> bool {
        self.by_id.is_some()
    }

    /// Zones that every match lies in.
    pub fn zones(&self) -> &[Zone] {
        &self.required.zones
    }

    /// How the rows of a source are reached.
    ///
    /// # Errors
    /// What reading an index gives.
    pub fn access(&self, snapshot: &Snapshot, source: usize) -> Result<Access> {
        for rule in RULES {
            if let Some(access) = rule(self, snapshot, source)? {
                return Ok(access);
            }
        }
        let way = if self.required.zones.is_empty() {
            Way::All
        } else {
            Way::Zones
        };
        Ok(Access {
            way,
            rows: Candidates::All,
        })
    }

    fn by_trace_ids(&self, _: &Snapshot, source: usize) -> Result<Option<Access>> {
        let rows = self
            .by_id
            .as_ref()
            .map(|by_id| by_id.get(&source).cloned().unwrap_or_default());
        Ok(rows.map(|rows| Access {
            way: Way::TraceIds,
            rows: Candidates::of(rows),
        }))
    }

    fn by_time(&self, snapshot: &Snapshot, source: usize) -> Result<Option<Access>> {
        let is_outside = is_outside(snapshot.source(source)?.time_range(), self.required.time);
        Ok(is_outside.then_some(Access {
            way: Way::OtherTimes,
            rows: Candidates::Nothing,
        }))
    }

    /// The rows that the indexes of all keys name together.
    fn by_keys(&self, snapshot: &Snapshot, source: usize) -> Result<Option<Access>> {
        if self.table != Table::Traces {
            return Ok(None);
        }
        let mut found: Option<RoaringBitmap> = None;
        for equality in &self.required.equalities {
            let Some(postings) = postings(snapshot, source, equality)? else {
                continue;
            };
            found = Some(match found {
                Some(found) => found & postings,
                None => postings,
            });
        }
        Ok(found.map(|rows| Access {
            way: Way::Keys,
            rows: Candidates::of(rows),
        }))
    }

    /// The spans whose text has what is needed, where they are few enough to be read by themselves.
    fn by_text(&self, snapshot: &Snapshot, source: usize) -> Result<Option<Access>> {
        let Some(need) = self
            .required
            .text
            .as_ref()
            .filter(|_| self.table == Table::Spans)
        else {
            return Ok(None);
        };
        let source = snapshot.source(source)?;
        let rows_max = cost::named_rows_max(source.rows(self.table));
        let index = source
            .text()
            .filter(|index| !need.is_common(index, rows_max));
        let rows = index.and_then(|index| need.candidates(&index, rows_max));
        Ok(rows.map(|rows| Access {
            way: Way::Text,
            rows: Candidates::of(rows),
        }))
    }

    /// A way in words; of keys, which.
    pub fn name_of(&self, way: Way) -> String {
        match way {
            Way::TraceIds => "trace id index".to_string(),
            Way::OtherTimes => "other times".to_string(),
            Way::Keys => {
                let names = self
                    .required
                    .equalities
                    .iter()
                    .map(|equality| index_name(&equality.key));
                names.collect::<Vec<_>>().join(", ")
            }
            Way::Text => "text index".to_string(),
            Way::Zones => "scan with zones".to_string(),
            Way::All => "full scan".to_string(),
        }
    }
}

fn index_name(key: &EqualityKey) -> String {
    match key {
        EqualityKey::TraceId => "trace id index".to_string(),
        EqualityKey::Session => "session index".to_string(),
        EqualityKey::User => "user index".to_string(),
        EqualityKey::State => "state index".to_string(),
        EqualityKey::Service => "service index".to_string(),
        EqualityKey::Tag(tag) => format!("tag index ({tag})"),
    }
}

/// The rows of these traces by source.
fn rows_by_id(
    snapshot: &Snapshot,
    table: Table,
    ids: &[String],
) -> Result<BTreeMap<usize, RoaringBitmap>> {
    let keys = ids.iter().map(|id| TraceKey::of(id));
    if table == Table::Traces {
        let newest = snapshot.source_count().saturating_sub(1);
        return rows_of_traces(snapshot, keys.map(|key| (key, newest)));
    }
    let mut by_source: BTreeMap<usize, RoaringBitmap> = BTreeMap::new();
    for key in keys {
        for (source, rows) in snapshot.rows_of(table, key)? {
            *by_source.entry(source).or_default() |= rows;
        }
    }
    Ok(by_source)
}

/// The rows with any of the values; `None` where the source has no index.
fn postings(
    snapshot: &Snapshot,
    source: usize,
    equality: &Equality,
) -> Result<Option<RoaringBitmap>> {
    let source = snapshot.source(source)?;
    let mut rows = RoaringBitmap::new();
    for value in &equality.values {
        let found = match &equality.key {
            EqualityKey::TraceId => return Ok(None),
            EqualityKey::Session => source.postings(IndexKind::Session, value)?,
            EqualityKey::User => source.postings(IndexKind::User, value)?,
            EqualityKey::State => source.postings(IndexKind::State, value)?,
            EqualityKey::Service => source.postings(IndexKind::Service, value)?,
            EqualityKey::Tag(tag) => source.postings(IndexKind::Tag, &format!("{tag}\0{value}"))?,
        };
        match found {
            Some(found) => rows |= found.as_ref(),
            None => return Ok(None),
        }
    }
    Ok(Some(rows))
}

/// Whether a source's times lie wholly outside the bounds.
fn is_outside(range: Option<(i64, i64)>, bounds: (Option<i64>, Option<i64>)) -> bool {
    let Some((min, max)) = range else {
        return false;
    };
    bounds.0.is_some_and(|low| max < low) || bounds.1.is_some_and(|high| min > high)
}
