//! Durable state of Tracehouse: what must survive a crash, and how it is read back.
//!
//! This crate is synchronous and knows nothing of SQL, OTLP or Python (AR-1). Batches enter through
//! [`Store`], are acknowledged once the write-ahead log is synced (ST-1), live in a memtable and
//! end in immutable segments; readers see a [`Snapshot`].

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

pub mod backup;
pub mod check;
pub mod columns;
pub mod env;
pub mod error;
mod fold;
mod frame;
pub mod interrupt;
pub mod json;
mod kv;
pub mod manifest;
mod memtable;
pub mod model;
mod packed;
mod parallel;
mod readers;
pub mod repair;
pub mod scan;
pub mod schema;
pub mod segment;
mod snapshot;
pub mod store;
pub mod text;
mod wal;

pub use error::{Error, ErrorKind, Result};
pub use fold::{HintOfTop, TopHint, TopTexts, join, plain_hint};
pub use kv::{IndexKind, MetaStats};
pub use memtable::{MemView, SourceId};
pub use snapshot::{RowRef, Rows, Segment, Snapshot, Source, TextView, TraceRuns};
pub use store::{Store, StoreOptions};
