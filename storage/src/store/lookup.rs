//! Finding rows that older sources hold of a trace, while a new operation is applied.

use roaring::RoaringBitmap;

use super::State;
use crate::error::Result;
use crate::memtable::SourceId;
use crate::model::TraceKey;
use crate::schema::Table;
use crate::snapshot::{Rows, Source};

/// Rows of one trace in one older source.
pub(super) struct OlderRows {
    pub source: Source,
    pub rows: RoaringBitmap,
}

impl State {
    /// Sources older than the active memtable, newest first, without the rows that newer ones mask.
    /// To be called whenever segments or the frozen memtable change.
    pub(super) fn rebuild_older(&mut self) {
        let unmasked = |rows| Source::new(rows, [None, None, None]);
        let frozen = self
            .frozen
            .iter()
            .map(|frozen| unmasked(Rows::Memtable(frozen.view.clone())));
        let segments = self
            .segments
            .iter()
            .rev()
            .map(|segment| unmasked(Rows::Segment(segment.clone())));
        self.older = frozen.chain(segments).collect();
        self.snapshot = None;
        if cfg!(debug_assertions) {
            self.assert_whole();
        }
    }

    /// Whether something newer masks a row of `source`.
    fn is_masked(&self, source: SourceId, table: Table, row: u32) -> bool {
        let own = match source {
            SourceId::Segment(id) => self
                .manifest
                .masks
                .get(&(id, table))
                .is_some_and(|rows| rows.contains(row)),
            SourceId::Memtable(generation) => self
                .view(generation)
                .is_some_and(|view| view.log(table).mask().contains(row)),
        };
        let mut newer = self.frozen.as_deref().into_iter().chain([&self.active]);
        own || newer.any(|memtable| memtable.masks(source, table, row))
    }

    /// Visible rows of a trace in sources older than the active memtable, newest first.
    pub(super) fn older_rows(&self, table: Table, key: TraceKey) -> Result<Vec<OlderRows>> {
        let mut found = Vec::new();
        for source in &self.older {
            let rows = source.rows_of(table, key)?;
            let id = source.id();
            let rows: RoaringBitmap = rows
                .iter()
                .filter(|row| !self.is_masked(id, table, *row))
                .collect();
            if !rows.is_empty() {
                found.push(OlderRows {
                    source: source.clone(),
                    rows,
                });
            }
        }
        Ok(found)
    }

    /// The visible row of a trace in an older source: position in `older`, and row.
    pub(super) fn older_trace_row(&self, key: TraceKey) -> Result<Option<(usize, u32)>> {
        for (index, source) in self.older.iter().enumerate() {
            let rows = source.rows_of(Table::Traces, key)?;
            if let Some(row) = rows
                .iter()
                .find(|row| !self.is_masked(source.id(), Table::Traces, *row))
            {
                return Ok(Some((index, row)));
            }
        }
        Ok(None)
    }

    /// Visible rows of a table in older sources for which `wanted` holds of the text in `column`.
    pub(super) fn older_rows_where(
        &self,
        table: Table,
        column: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<OlderRows>> {
        let mut found = Vec::new();
        for source in &self.older {
            if source.rows(table) == 0 {
                continue;
            }
            let request = crate::scan::ScanRequest::columns([column]);
            let mut rows = RoaringBitmap::new();
            let mut row = 0u32;
            for batch in source.scan(table, &request)? {
                for value in crate::columns::text(&batch?, column)?.iter() {
                    if value.is_some_and(&wanted) && !self.is_masked(source.id(), table, row) {
                        rows.insert(row);
                    }
                    row += 1;
                }
            }
            assert_eq!(
                row,
                source.rows(table),
                "all rows of a source are looked at, or their numbers are wrong"
            );
            if !rows.is_empty() {
                found.push(OlderRows {
                    source: source.clone(),
                    rows,
                });
            }
        }
        Ok(found)
    }
}
