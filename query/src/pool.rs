//! The memory that running queries share.
//!
//! Operators that can spill (sorts, groups) divide it evenly and use all they may. DataFusion's fair pool leaves
//! nothing then to those that cannot, such as the merge of what was sorted, and the query fails although it has
//! spilled. Here a part is kept for them.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// One part in so many is out of the reach of operators that spill.
const KEPT_SHARE: usize = 2;

/// A pool of a fixed number of bytes.
#[derive(Debug)]
pub(crate) struct QueryPool {
    bytes_max: usize,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// Consumers that can spill.
    spillers: usize,
    spillable: usize,
    unspillable: usize,
}

impl QueryPool {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            used: Mutex::default(),
        }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a consumer may still take.
    fn available(&self, used: &Used, reservation: &MemoryReservation) -> usize {
        if !reservation.consumer().can_spill() {
            return self
                .bytes_max
                .saturating_sub(used.spillable.saturating_add(used.unspillable));
        }
        let kept = used.unspillable.max(self.bytes_max / KEPT_SHARE);
        let share = self.bytes_max.saturating_sub(kept) / used.spillers.max(1);
        share.saturating_sub(reservation.size())
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.used().spillers += usize::from(consumer.can_spill());
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let mut used = self.used();
        used.spillers = used
            .spillers
            .saturating_sub(usize::from(consumer.can_spill()));
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let mut used = self.used();
        match reservation.consumer().can_spill() {
            true => used.spillable = used.spillable.saturating_add(additional),
            false => used.unspillable = used.unspillable.saturating_add(additional),
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut used = self.used();
        match reservation.consumer().can_spill() {
            true => used.spillable = used.spillable.saturating_sub(shrink),
            false => used.unspillable = used.unspillable.saturating_sub(shrink),
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut used = self.used();
        let available = self.available(&used, reservation);
        if additional > available {
            let name = reservation.consumer().name();
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{name} has {} bytes and needs {additional} more; of {} bytes {available} are left for it",
                reservation.size(),
                self.bytes_max
            )));
        }
        match reservation.consumer().can_spill() {
            true => used.spillable = used.spillable.saturating_add(additional),
            false => used.unspillable = used.unspillable.saturating_add(additional),
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        let used = self.used();
        used.spillable.saturating_add(used.unspillable)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes_max)
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query({} bytes)", self.bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn spillers_share_and_leave_a_part() {
        let pool: Arc<dyn MemoryPool> = Arc::new(QueryPool::new(800));
        let [first, second] = ["a", "b"].map(|name| {
            MemoryConsumer::new(name)
                .with_can_spill(true)
                .register(&pool)
        });
        let merge = MemoryConsumer::new("merge").register(&pool);
        first.try_grow(200).unwrap();
        second.try_grow(200).unwrap();
        assert!(first.try_grow(1).is_err());
        merge.try_grow(400).unwrap();
        assert!(merge.try_grow(1).is_err());
        drop(second);
        merge.try_grow(200).unwrap();
        assert_eq!(pool.reserved(), 800);
        drop((first, merge));
        assert_eq!(pool.reserved(), 0);
    }
}
