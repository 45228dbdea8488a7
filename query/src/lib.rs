//! From text to rows: the filter language, SQL and text search over one storage snapshot.
//!
//! Filter text and SQL become conditions on the same columns and share one scan (QU-3). This crate
//! never writes (AR-3) and is the only one that knows DataFusion and sqlparser (AR-2), which its feature `sql` brings.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::disallowed_methods
    )
)]
// What only SQL asks for stands unused without it.
#![cfg_attr(not(feature = "sql"), allow(dead_code, unused_imports))]

pub mod error;
pub mod filter;
pub mod messages;
mod plan;
#[cfg(feature = "sql")]
mod pool;
pub mod predicate;
pub mod runtime;
pub mod search;
#[cfg(test)]
mod seeded;
#[cfg(feature = "sql")]
mod spill;
#[cfg(feature = "sql")]
pub mod sql;
pub mod text;
mod text_need;
