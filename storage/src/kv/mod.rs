//! The metadata store: trace id to rows, and candidate rows by session, user, tag, state, service.
//!
//! It is *derived* from segments (ST-5): whatever happens to it changes speed, never an answer. This
//! is the only module that names sled (AR-2), and it trusts nothing sled returns (KV-1 to KV-4).
//!
//! ```text
//! SegmentIndex -> store (one segment, all or nothing) -> blocks (about 1 KiB a value) -> Kv
//!                                                                            sled_kv | mem_kv
//! ```

mod backend;
mod blocks;
mod index;
mod keys;
mod mem_kv;
mod sled_kv;
mod store;

pub use index::{IndexKind, SegmentIndex, SpanRun, value_hash};
pub use store::{Lookup, MetaStats, MetaStore};
