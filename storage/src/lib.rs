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
pub mod join;
pub mod json_text;
mod key_set;
pub mod kv;
mod lent;
pub mod manifest;
pub mod memtable;
pub mod model;
mod packing;
pub mod repair;
pub mod scan;
pub mod schema;
pub mod segment;
mod segment_index;
mod side_by_side;
mod snapshot;
mod source;
pub mod store;
pub mod text;
mod text_view;
mod top_span;
mod trace_runs;
mod wal;

pub use error::{Error, ErrorKind, Result};
pub use snapshot::{RowRef, Snapshot};
pub use source::{Rows, Segment, Source};
pub use store::{Store, StoreOptions};
pub use text_view::TextView;
pub use top_span::{HintOfTop, TopHint, TopTexts, plain_hint};
pub use trace_runs::TraceRuns;
