//! Calls at the same time.
//!
//! Invariant: no more passes are out than there are places.

use std::sync::{Condvar, Mutex};

use super::patience::{Patience, Stop, locked};

#[derive(Debug)]
pub(crate) struct Gate {
    free: Mutex<usize>,
    left: Condvar,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Pass<'a>(&'a Gate);

impl Gate {
    pub fn new(places: usize) -> Self {
        let free = Mutex::new(places);
        let left = Condvar::new();
        Self { free, left }
    }

    pub fn enter(&self, patience: &Patience<'_>) -> Result<Pass<'_>, Stop> {
        let mut free = locked(&self.free);
        loop {
            patience.check()?;
            if let Some(fewer) = free.checked_sub(1) {
                *free = fewer;
                return Ok(Pass(self));
            }
            free = match self.left.wait_timeout(free, patience.slice()) {
                Ok((free, _)) => free,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        *locked(&self.0.free) += 1;
        self.0.left.notify_one();
    }
}
