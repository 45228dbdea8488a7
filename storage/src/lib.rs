//! Durable state of Tracehouse: what must survive a crash, and how it is read back.
//!
//! This crate is synchronous and knows nothing of SQL, OTLP or Python (AR-1). Batches enter through
//! [`Store`], are acknowledged once the write-ahead log is synced (ST-1), live in a memtable and
//! end in immutable segments; readers see a [`Snapshot`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod columns;
pub mod error;
pub mod model;
pub mod scan;
pub mod schema;

pub use error::{Error, Result};
