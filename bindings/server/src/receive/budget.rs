//! Memory that requests may take at a time (SV-2): reserved before it is taken, given back when the request ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::ApiError;

/// The budget of a server.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: usize,
    used: Arc<AtomicUsize>,
}

/// What a request has reserved; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    bytes: usize,
    bytes_max: usize,
    used: Arc<AtomicUsize>,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            used: Arc::default(),
        }
    }

    /// Bytes reserved now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// A request that has reserved nothing so far.
    pub(crate) fn begin(&self) -> Reserved {
        Reserved {
            bytes: 0,
            bytes_max: self.bytes_max,
            used: self.used.clone(),
        }
    }
}

impl Reserved {
    /// Reserves `bytes` more.
    ///
    /// # Errors
    /// 503 when they do not fit now.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), ApiError> {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.bytes_max);
        self.used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits)
            .map_err(|_| ApiError::busy("the server has no memory for the request now"))?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives all but `bytes` back.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let over = self.bytes.saturating_sub(bytes);
        self.used.fetch_sub(over, Ordering::AcqRel);
        self.bytes -= over;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_all_is_given_back() {
        let budget = Budget::new(100);
        let (mut one, mut other) = (budget.begin(), budget.begin());
        one.add(60).unwrap();
        assert_eq!(other.add(41).unwrap_err().status.as_u16(), 503);
        other.add(40).unwrap();
        other.shrink_to(10);
        assert_eq!(budget.used(), 70);
        drop((one, other));
        assert_eq!(budget.used(), 0);
        assert!(budget.begin().add(usize::MAX).is_err());
    }
}
