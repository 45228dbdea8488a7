//! Explicit changes to a trace: what a user set, kept apart from what its spans say.
//!
//! A trace row is a fold of its spans with these edits on top, so that a late span never undoes a
//! user's tag and the result does not depend on the order of arrival.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The explicit state of one trace. A value of `None` in `tags` deletes the key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TraceEdit {
    /// Tags set (`Some`) or deleted (`None`) by a user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Option<String>>,
}

impl TraceEdit {
    /// Whether nothing was edited.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Lays `later` over this edit: the later word on a key wins.
    pub fn merge(&mut self, later: TraceEdit) {
        self.tags.extend(later.tags);
    }
}
