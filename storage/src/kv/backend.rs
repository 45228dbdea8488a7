//! What the metadata store needs of an ordered key-value store; sled and a map in memory give it.

use std::fmt::Debug;
use std::sync::Arc;

use super::keys::Key;
use crate::error::Result;

/// An ordered map of small values. No call is atomic with another: the store above marks a segment
/// complete only after its last block (KV-2), so it needs no transactions, and sled's process-wide
/// transaction lock is never taken.
pub(super) trait Kv: Send + Sync + Debug {
    /// The entry with the largest key not above `key`.
    fn get_le(&self, key: &Key) -> Result<Option<(Vec<u8>, Vec<u8>)>>;

    /// Up to `limit` keys from `first` to `last`, both included, ascending.
    fn keys(&self, first: &Key, last: &Key, limit: usize) -> Result<Vec<Vec<u8>>>;

    /// Sets one value.
    fn put(&self, key: &Key, value: &[u8]) -> Result<()>;

    /// Removes one key, present or not.
    fn remove(&self, key: &[u8]) -> Result<()>;

    /// Hands everything written to the operating system: it then survives the process.
    fn flush(&self) -> Result<()>;

    /// Bytes of files, 0 without files.
    fn disk_bytes(&self) -> u64;

    /// Number of the generation folder, `None` without files.
    fn generation(&self) -> Option<u64>;

    /// Syncs everything and lets the next open trust it.
    fn close(self: Arc<Self>) -> Result<()>;

    /// Gives it up: the next open must not read it.
    fn abandon(self: Arc<Self>);
}
