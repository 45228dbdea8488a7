//! Settling: when the root of a trace is no longer waited for.
//!
//! While a trace has no root span, its top span stands for it, and its state is `IN_PROGRESS`. Once the trace
//! is settled the top span's status decides the state; a root that comes later takes over all the same. Three
//! settle: an import at its end, the traces it touched; then, and from time to time on a thread of its own
//! (`maintain`), a writer all those whose last span ended longer ago than [`Settings::settle_after`]. One
//! request of many that an exporter sends ([`Database::import_otlp`], [`Database::append`]) settles nothing.
//!
//! [`Settings::settle_after`]: crate::Settings::settle_after

use std::time::Duration;

use tracehouse_storage::Store;
use tracehouse_storage::model::TraceKey;

use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};

impl Database {
    /// Settles the traces whose root has not come and whose last span ended longer ago than
    /// [`Settings::settle_after`](crate::Settings::settle_after); returns how many. Background threads do it by
    /// themselves.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// let request = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
    ///     "spanId":"00f067aa0ba902b7","parentSpanId":"53995c3f42cd8ad8","name":"step","endTimeUnixNano":"5"}]}]}]}"#;
    /// db.import_otlp(request, &Default::default())?;
    /// assert_eq!(db.get_trace("4bf92f3577b34da6a3ce929d0e0e4736")?.info.state, "IN_PROGRESS");
    /// assert_eq!(db.settle()?, 1);
    /// assert_eq!(db.get_trace("4bf92f3577b34da6a3ce929d0e0e4736")?.info.state, "OK");
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Io` or `Closed` from writing, whatever reading gives.
    pub fn settle(&self) -> Result<u64> {
        let _shared = self.change_shared();
        settle_due(self.store(), self.settings().settle_after)
    }

    /// Settles those of these traces that wait for their root.
    fn settle_touched(&self, traces: &[TraceKey]) -> Result<()> {
        let _shared = self.change_shared();
        let waiting = self.snapshot()?.waiting_among(traces)?;
        self.store()
            .settle_traces(&waiting)
            .map(drop)
            .map_err(Error::from)
    }

    /// What an import settles: the traces that it touched, and those that are due. Where the disk cannot keep
    /// up it is left for later: what was imported is stored.
    pub(crate) fn settle_imported(&self, traces: &[TraceKey]) -> Result<()> {
        match self.settle_touched(traces).and_then(|()| self.settle()) {
            Err(error) if error.kind() == ErrorKind::Unavailable => Ok(()),
            settled => settled.map(drop),
        }
    }
}

/// Settles the traces that are due. The caller keeps others from deleting traces meanwhile.
pub(crate) fn settle_due(store: &Store, settle_after: Duration) -> Result<u64> {
    let settle_after_ns = i64::try_from(settle_after.as_nanos()).unwrap_or(i64::MAX);
    let due = store
        .snapshot()?
        .waiting_since(store.env().now_ns().saturating_sub(settle_after_ns))?;
    Ok(store.settle_traces(&due)?.traces)
}
