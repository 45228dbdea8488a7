//! The metadata store's map in memory: for databases without a folder, and when sled fails.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::backend::Kv;
use super::keys::Key;
use crate::error::Result;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Default)]
pub(super) struct MemKv {
    map: RwLock<Map>,
}

impl MemKv {
    fn read<T>(&self, read: impl FnOnce(&Map) -> T) -> T {
        read(&self.map.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, write: impl FnOnce(&mut Map) -> T) -> T {
        write(&mut self.map.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kv for MemKv {
    fn get_le(&self, key: &Key) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let key = key.to_vec();
        Ok(self.read(|map| {
            map.range(..=key)
                .next_back()
                .map(|(k, v)| (k.clone(), v.clone()))
        }))
    }

    fn keys(&self, first: &Key, last: &Key, limit: usize) -> Result<Vec<Vec<u8>>> {
        assert!(first <= last, "an empty range is a mistake of the caller");
        let range = first.to_vec()..=last.to_vec();
        Ok(self.read(|map| {
            map.range(range)
                .take(limit)
                .map(|(key, _)| key.clone())
                .collect()
        }))
    }

    fn put(&self, key: &Key, value: &[u8]) -> Result<()> {
        self.write(|map| map.insert(key.to_vec(), value.to_vec()));
        Ok(())
    }

    fn remove(&self, key: &[u8]) -> Result<()> {
        self.write(|map| map.remove(key));
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn disk_bytes(&self) -> u64 {
        0
    }

    fn generation(&self) -> Option<u64> {
        None
    }

    fn close(self: Arc<Self>) -> Result<()> {
        Ok(())
    }

    fn abandon(self: Arc<Self>) {}
}
