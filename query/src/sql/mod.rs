//! SQL over a snapshot: guard, plan, scan.
//!
//! ```text
//! text -> guard (caps, statement allow-list) -> rewrite (matches(text, ..)), spellings, selects -> LogicalPlan
//!      -> guard (node allow-list) -> rules -> optimized plan, kept for the same text -> provider + scan -> results
//! ```

mod absent;
mod asked;
mod budget;
mod casts;
mod dialect;
mod errors;
mod explained;
mod functions;
mod give_way;
mod guard;
mod kept_texts;
mod late;
mod occurrences;
mod order_keys;
mod parameters;
mod partitions;
mod paths;
mod planning;
mod plans;
mod provider;
mod pushed;
mod related;
mod required;
mod results;
mod rewrite;
mod rules;
mod scan;
mod scan_stream;
mod selects;
mod session;
mod session_plans;
mod session_views;
mod source;
mod spellings;
mod streamed;
mod subqueries;
mod summary;
mod type_names;
mod unnests;
mod views;

pub(crate) use asked::asked;
pub use explained::EXPLAINED;
pub use functions::tables::TextSearcher;
pub(crate) use planning::Planning;
pub(crate) use rewrite::REWRITTEN;
pub use session::{CatalogueTable, SqlContext, SqlQuery, SqlTable, SqlTables, SqlValue, run_sql};
pub use session_views::SessionViews;
pub use streamed::SqlStream;

#[cfg(test)]
mod tests;
