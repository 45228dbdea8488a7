//! The three tables of a memtable as one immutable value: what a snapshot holds of it.

use roaring::RoaringBitmap;

use super::RowLog;
use crate::model::TraceKey;
use crate::schema::Table;

/// The rows of a memtable at one moment.
#[derive(Debug, Clone)]
pub struct MemView {
    generation: u64,
    spans: RowLog,
    traces: RowLog,
    assessments: RowLog,
}

impl MemView {
    /// An empty memtable of the given generation.
    pub fn new(generation: u64) -> Self {
        Self {
            generation,
            spans: RowLog::new(Table::Spans),
            traces: RowLog::new(Table::Traces),
            assessments: RowLog::new(Table::Assessments),
        }
    }

    /// Counts memtables from 1 within one run of the store.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The rows of one table.
    pub fn log(&self, table: Table) -> &RowLog {
        match table {
            Table::Spans => &self.spans,
            Table::Traces => &self.traces,
            Table::Assessments => &self.assessments,
        }
    }

    /// The rows of one table, to append to.
    pub fn log_mut(&mut self, table: Table) -> &mut RowLog {
        match table {
            Table::Spans => &mut self.spans,
            Table::Traces => &mut self.traces,
            Table::Assessments => &mut self.assessments,
        }
    }

    /// Unmasked rows of a trace in one table.
    pub fn rows_of(&self, table: Table, key: TraceKey) -> RoaringBitmap {
        self.log(table).rows_of(key)
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        Table::ALL
            .iter()
            .map(|table| self.log(*table).bytes())
            .sum()
    }

    /// Whether no row was ever appended.
    pub fn is_empty(&self) -> bool {
        Table::ALL.iter().all(|table| self.log(*table).rows() == 0)
    }
}
