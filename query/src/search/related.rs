//! Conditions on rows that belong to a trace, as a scan of SQL over `traces` evaluates them: what a search does with its
//! conditions on spans and assessments, without a page.

use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;
use tracehouse_storage::scan::{RowFilter, ScanCounters, ScanFigures};
use tracehouse_storage::{Result, Snapshot};

use super::explain::Recorder;
use super::leaves::{Node, resolve};
use super::sets::Scope;
use crate::plan::AccessPath;
use crate::predicate::Predicate;

/// A predicate on the spans and assessments of traces, ready for one snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Related {
    node: Node,
    counters: Arc<ScanCounters>,
    /// By source: its rows that indexes name, once they were asked for.
    named: Arc<[OnceLock<Option<RoaringBitmap>>]>,
}

impl Related {
    /// Makes the predicate ready.
    ///
    /// # Errors
    /// What reading gives.
    pub fn of(snapshot: &Snapshot, predicate: &Predicate) -> Result<Self> {
        let counters = Arc::new(ScanCounters::default());
        let scope = Scope {
            snapshot,
            experiments: None,
            recorder: &Recorder::counting(counters.clone()),
        };
        let node = resolve(&scope, predicate)?;
        let named = (0..snapshot.source_count()).map(|_| OnceLock::new());
        Ok(Self {
            node,
            counters,
            named: named.collect(),
        })
    }

    /// What was read of other tables since this was last asked.
    pub fn figures(&self) -> ScanFigures {
        self.counters.take()
    }

    /// Narrows the way to the rows of `traces` to the traces that the predicate has named, if they are few.
    ///
    /// # Errors
    /// What reading an index gives.
    pub fn confine(&self, snapshot: &Snapshot, path: &mut AccessPath) -> Result<()> {
        self.node.confine(snapshot, path)
    }

    /// Rows of the first piece of a segment that is read newest first for it.
    pub fn first_piece_rows(&self) -> u32 {
        self.node.first_piece_rows()
    }

    /// The only rows of `traces` in a source that can satisfy it, when indexes name them.
    ///
    /// # Errors
    /// What reading an index gives.
    pub fn named_rows(&self, source: usize) -> Result<Option<&RoaringBitmap>> {
        let Some(slot) = self.named.get(source) else {
            return Ok(None);
        };
        if let Some(named) = slot.get() {
            return Ok(named.as_ref());
        }
        let named = self.node.named_rows(source)?;
        Ok(slot.get_or_init(|| named).as_ref())
    }

    /// The filters of `traces` of a source that decide it.
    pub fn filters(&self, source: usize) -> Vec<RowFilter> {
        self.node.filters(source).0
    }
}
