//! Acknowledged rows that are not yet in a segment, readable like one.
//!
//! A [`RowLog`] holds the rows of one table as Arrow chunks with stable row numbers; a [`MemView`] is
//! the three tables as one immutable, cheaply cloned value; a [`Memtable`] is the mutable head.

mod row_log;
mod table;
mod view;

pub(crate) use row_log::compact;
pub use row_log::{RowLog, projected_schema};
pub use table::{Memtable, SourceId, TableMasks};
pub use view::MemView;
