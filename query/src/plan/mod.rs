//! From a condition to the rows to look at: the one planner of the filter language and of SQL.
//!
//! Words, in the order of the flow:
//!
//! | word | what it is | where |
//! |---|---|---|
//! | condition | a comparison of a row, of the filter language (`predicate`) or of SQL | `predicate`, DataFusion's `Expr` |
//! | requirement | what every row that satisfies the condition has, as plain data | [`Required`] |
//! | access path | the requirements of one table, ready to be asked for each source | [`AccessPath`] |
//! | rule | a way to the rows of a source, tried in a fixed order | [`access::RULES`] |
//! | access | the rule that was taken for a source, and the rows that it names | [`Access`] |
//! | taken | the ways that were taken, for people | [`Taken`] |
//! | candidate rows | the rows of a source that may satisfy the condition | [`Candidates`] |
//! | zone | bounds of a column; a scan skips blocks of rows outside of them | `tracehouse_storage::scan::Zone` |
//!
//! **Invariant** QU-2: requirements, rules and zones may keep too much, never too little; the condition itself is
//! evaluated on every candidate row.
//!
//! Every number that decides what is worth its cost stands in [`cost`].

mod access;
mod candidates;
pub(crate) mod cost;
mod required;
mod taken;

pub(crate) use access::{Access, AccessPath};
pub(crate) use candidates::{Candidates, rows_of_traces};
pub(crate) use required::{Required, span_zones};
pub(crate) use taken::Taken;
