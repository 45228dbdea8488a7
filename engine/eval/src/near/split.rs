//! A split that does not leak: records that belong together go to one part.
//!
//! 1. Records that share a group key are joined: near-duplicates, one session, one user; over several keys too.
//! 2. Groups are dealt whole, the largest first, each to the part that lacks most records of its share. Among groups of
//!    one size the order is by a seeded hash of their smallest record id.
//!
//! Invariants: every record is in one part; no group key is in two; the same records, parts and seed give the same split,
//! in whatever order the records stand. Sizes are near the ratios, not equal to them: a large group cannot be cut, which is
//! why the sizes and the largest group are told.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use twox_hash::XxHash3_64;

use super::error::NearError;
use super::union::UnionFind;

/// A record to deal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SplitRecord {
    /// What it is called; no two records the same.
    pub id: String,
    /// What it may not be parted from, by kind: the first of all records are compared with each other (sessions, say), the
    /// second with each other (users), and so on. `None` or no such place: it has none of this kind.
    pub keys: Vec<Option<String>>,
}

/// Names of the parts and the share of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    names: Vec<String>,
    shares: Vec<f64>,
}

impl Parts {
    /// Parts by their names and their ratios, which are relative: `80, 20` is `0.8, 0.2` is `4, 1`.
    ///
    /// # Errors
    /// When there is no ratio, one is not a finite number above 0, their sum is too large for a number, or there is not
    /// one distinct, non-empty name for each.
    pub fn new<S: AsRef<str>>(names: &[S], ratios: &[f64]) -> Result<Self, NearError> {
        let wrong = |message: String| Err(NearError::Parts(message));
        if ratios.is_empty() {
            return wrong("no ratios: give one for each part, such as 80,20".to_owned());
        }
        if let Some(ratio) = ratios.iter().find(|r| !r.is_finite() || **r <= 0.0) {
            return wrong(format!(
                "ratio {ratio}: use finite numbers above 0, such as 80,20"
            ));
        }
        if names.len() != ratios.len() {
            let (names, ratios) = (names.len(), ratios.len());
            return wrong(format!(
                "{names} names for {ratios} ratios: give one for each"
            ));
        }
        let mut seen = HashSet::new();
        for name in names.iter().map(AsRef::as_ref) {
            if name.is_empty() || !seen.insert(name) {
                return wrong(format!(
                    "part '{name}': names must be distinct and not empty"
                ));
            }
        }
        let total: f64 = ratios.iter().sum();
        if !total.is_finite() {
            return wrong("the sum of the ratios is not finite: use smaller ones".to_owned());
        }
        Ok(Self {
            names: names.iter().map(|name| name.as_ref().to_owned()).collect(),
            shares: ratios.iter().map(|ratio| ratio / total).collect(),
        })
    }

    /// The names, in the order they were given.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// Where every record went.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// For each record, by position, the place of its part in [`Split::parts`].
    pub part_of: Vec<usize>,
    /// What the parts got, in the order they were given.
    pub parts: Vec<PartSize>,
    /// Groups that were dealt, those of one record among them.
    pub groups: usize,
    /// The largest group; `None` when there are no records.
    pub largest_group: Option<LargestGroup>,
}

/// What one part got.
#[derive(Debug, Clone, PartialEq)]
pub struct PartSize {
    /// Its name.
    pub name: String,
    /// The share of the records that it should have, 0 to 1.
    pub share: f64,
    /// Records that it got.
    pub records: usize,
    /// Groups that it got.
    pub groups: usize,
}

/// The group that can make a split uneven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargestGroup {
    /// Its smallest record id.
    pub record_id: String,
    /// Its records.
    pub records: usize,
    /// The place of its part in [`Split::parts`].
    pub part: usize,
}

/// Deals records to parts, those that share a group key to the same one.
///
/// ```
/// use tracehouse_eval::near::{Parts, SplitRecord, split};
///
/// let record = |id: &str, session: &str| SplitRecord {
///     id: id.to_owned(),
///     keys: vec![Some(session.to_owned())],
/// };
/// let records = [record("a", "s1"), record("b", "s2"), record("c", "s1"), record("d", "s3")];
/// let split = split(&records, &Parts::new(&["train", "test"], &[50.0, 50.0])?, 0)?;
/// assert_eq!(split.part_of.first(), split.part_of.get(2));
/// assert_eq!(split.parts.iter().map(|part| part.records).collect::<Vec<_>>(), [2, 2]);
/// # Ok::<(), tracehouse_eval::near::NearError>(())
/// ```
///
/// # Errors
/// When two records have one id, or there are more than 4,294,967,295.
pub fn split(records: &[SplitRecord], parts: &Parts, seed: u64) -> Result<Split, NearError> {
    let groups = dealt_order(records, joined(records)?, seed);
    let mut split = Split {
        part_of: vec![0; records.len()],
        parts: Vec::new(),
        groups: groups.len(),
        largest_group: None,
    };
    for (name, share) in parts.names.iter().zip(&parts.shares) {
        split.parts.push(PartSize {
            name: name.clone(),
            share: *share,
            records: 0,
            groups: 0,
        });
    }
    for group in groups {
        let at = neediest(&split.parts, records.len());
        if let Some(part) = split.parts.get_mut(at) {
            part.records += group.members.len();
            part.groups += 1;
        }
        for member in &group.members {
            if let Some(slot) = split.part_of.get_mut(*member as usize) {
                *slot = at;
            }
        }
        split.largest_group.get_or_insert_with(|| LargestGroup {
            record_id: group.id.to_owned(),
            records: group.members.len(),
            part: at,
        });
    }
    Ok(split)
}

struct Group<'a> {
    id: &'a str,
    members: Vec<u32>,
}

/// Positions of the records that belong together.
fn joined(records: &[SplitRecord]) -> Result<Vec<Vec<u32>>, NearError> {
    let count = u32::try_from(records.len()).map_err(|_| NearError::TooManyTexts)?;
    let mut joined = UnionFind::new(count);
    let mut ids = HashSet::new();
    let mut first_of: HashMap<(usize, &str), u32> = HashMap::new();
    for (record, at) in records.iter().zip(0..) {
        if !ids.insert(record.id.as_str()) {
            return Err(NearError::RepeatedRecord(record.id.clone()));
        }
        for (kind, key) in record.keys.iter().enumerate() {
            if let Some(key) = key {
                joined.join(*first_of.entry((kind, key)).or_insert(at), at);
            }
        }
    }
    Ok(joined.groups())
}

/// The groups, the largest first, then by the hash of their smallest record id.
fn dealt_order(records: &[SplitRecord], groups: Vec<Vec<u32>>, seed: u64) -> Vec<Group<'_>> {
    let id_of = |at: &u32| {
        records
            .get(*at as usize)
            .map_or("", |record| record.id.as_str())
    };
    let named = groups.into_iter().map(|members| Group {
        id: members.iter().map(id_of).min().unwrap_or_default(),
        members,
    });
    let mut groups: Vec<Group<'_>> = named.collect();
    groups.sort_by_cached_key(|group| {
        let hash = XxHash3_64::oneshot_with_seed(seed, group.id.as_bytes());
        (Reverse(group.members.len()), hash, group.id)
    });
    groups
}

/// The part that lacks most records of its share; the first, when several do.
fn neediest(parts: &[PartSize], records: usize) -> usize {
    let mut neediest = (0, f64::NEG_INFINITY);
    for (at, part) in parts.iter().enumerate() {
        let lack = part.share * records as f64 - part.records as f64;
        if lack > neediest.1 {
            neediest = (at, lack);
        }
    }
    neediest.0
}
