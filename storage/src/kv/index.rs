//! What the metadata store holds of one segment, as plain data; sealing and compaction fill it.

use crate::model::TraceKey;

/// What a posting list is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IndexKind {
    /// Session id.
    Session,
    /// User id.
    User,
    /// Tag; the indexed text is `key`, a zero character, `value`.
    Tag,
    /// State of the trace.
    State,
    /// Service name.
    Service,
}

impl IndexKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Session,
        Self::User,
        Self::Tag,
        Self::State,
        Self::Service,
    ];
}

/// Where the spans of one trace are in a segment: one contiguous run of rows of the spans table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanRun {
    /// The trace.
    pub key: TraceKey,
    /// Its first row.
    pub first_row: u32,
    /// How many rows, at least 1.
    pub row_count: u32,
    /// The row of its root span, when the segment has it.
    pub root_row: Option<u32>,
}

/// The index of one segment, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentIndex {
    /// One run per trace with spans in the segment.
    pub span_runs: Vec<SpanRun>,
    /// At most one row of the traces table per trace.
    pub trace_rows: Vec<(TraceKey, u32)>,
    /// Kind, [`value_hash`] of the value, row of the traces table.
    pub postings: Vec<(IndexKind, u64, u32)>,
}

/// The hash a posting is found by: the low half of XXH3-128 of the text, seeded by the kind. It is
/// part of the stored form, so changing it needs a new `FORMAT` of the store.
pub fn value_hash(kind: IndexKind, value: &str) -> u64 {
    debug_assert!(
        kind != IndexKind::Tag || value.contains('\0'),
        "a tag is hashed as key, zero, value"
    );
    let hash = twox_hash::XxHash3_128::oneshot_with_seed(kind as u64, value.as_bytes());
    (hash & u128::from(u64::MAX)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_stable_and_differ_by_kind_and_text() {
        assert_eq!(
            value_hash(IndexKind::State, "OK"),
            value_hash(IndexKind::State, "OK")
        );
        assert_ne!(
            value_hash(IndexKind::State, "OK"),
            value_hash(IndexKind::Service, "OK")
        );
        assert_ne!(
            value_hash(IndexKind::Tag, "a\0b"),
            value_hash(IndexKind::Tag, "a\0c")
        );
    }
}
