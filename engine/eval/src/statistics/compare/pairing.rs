//! Brings the items of two runs together by key.
//!
//! **Invariants**
//! 1. Every item of either run is in exactly one of `pairs`, `only_a`, `only_b`.
//! 2. `pairs` and `only_a` are in the order of a, `only_b` in the order of b.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::super::error::StatisticsError;

/// What two runs say of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired<K, V> {
    /// The item: its trace id, record id or position.
    pub key: K,
    /// What run a says.
    pub a: V,
    /// What run b says.
    pub b: V,
}

/// Two runs, paired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing<K, V> {
    /// Items of both runs.
    pub pairs: Vec<Paired<K, V>>,
    /// Items that only run a has.
    pub only_a: Vec<K>,
    /// Items that only run b has.
    pub only_b: Vec<K>,
}

/// Pairs two runs by key.
///
/// # Errors
/// When a run has a key twice.
pub fn pair_by_key<K: Ord + Clone + Display, V>(
    a: impl IntoIterator<Item = (K, V)>,
    b: impl IntoIterator<Item = (K, V)>,
) -> Result<Pairing<K, V>, StatisticsError> {
    let (order_a, mut values_a) = indexed("a", a)?;
    let (order_b, mut values_b) = indexed("b", b)?;
    let only_b = order_b
        .into_iter()
        .filter(|key| !values_a.contains_key(key))
        .collect();
    let mut pairs = Vec::new();
    let mut only_a = Vec::new();
    for key in order_a {
        match (values_a.remove(&key), values_b.remove(&key)) {
            (Some(a), Some(b)) => pairs.push(Paired { key, a, b }),
            _ => only_a.push(key),
        }
    }
    Ok(Pairing {
        pairs,
        only_a,
        only_b,
    })
}

/// The keys of a run in their order, and its values by key.
fn indexed<K: Ord + Clone + Display, V>(
    run: &'static str,
    items: impl IntoIterator<Item = (K, V)>,
) -> Result<(Vec<K>, BTreeMap<K, V>), StatisticsError> {
    let mut order = Vec::new();
    let mut values = BTreeMap::new();
    for (key, value) in items {
        if values.insert(key.clone(), value).is_some() {
            let key = key.to_string();
            return Err(StatisticsError::DuplicateKey { run, key });
        }
        order.push(key);
    }
    Ok((order, values))
}
