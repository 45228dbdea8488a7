//! Explicit changes to a trace: what was said of it apart from its spans.
//!
//! A trace row is a fold of its spans with these edits on top, so that a late span never undoes a
//! user's tag and the result does not depend on the order of arrival. From the bottom: the spans, the
//! start of the trace, the tags set by a user. Links stand beside the row. That a trace is settled is part
//! of how its spans are folded.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::StartEdit;

/// The explicit state of one trace, or a change of it. A value of `None` in `tags` deletes the key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceEdit {
    /// Tags set (`Some`) or deleted (`None`) by a user.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Option<String>>,
    /// Runs the trace was linked to.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub linked_runs: BTreeSet<String>,
    /// Prompt versions the trace was linked to, as `name/version`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub linked_prompts: BTreeSet<String>,
    /// In a change: runs the trace is no longer linked to. Empty in the state of a trace.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unlinked_runs: BTreeSet<String>,
    /// In a change: prompt versions the trace is no longer linked to. Empty in the state of a trace.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unlinked_prompts: BTreeSet<String>,
    /// What the producer said of the trace as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Box<StartEdit>>,
    /// The root is no longer waited for: while there is none, the top span's status decides the state.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// Not said but found by the fold, for who settles: the root is there and has not ended. Empty in a change.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_open_root: bool,
}

impl TraceEdit {
    /// The change that sets these tags.
    pub fn set_tags<K: Into<String>, V: Into<String>>(
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let tags = tags
            .into_iter()
            .map(|(key, value)| (key.into(), Some(value.into())))
            .collect();
        Self {
            tags,
            ..Self::default()
        }
    }

    /// The change that deletes these tags.
    pub fn delete_tags<K: Into<String>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self {
            tags: keys.into_iter().map(|key| (key.into(), None)).collect(),
            ..Self::default()
        }
    }

    /// The change that a `start_trace` is.
    pub fn start(start: StartEdit) -> Self {
        Self {
            start: Some(Box::new(start)),
            ..Self::default()
        }
    }

    /// The change after which the root of the trace is no longer waited for.
    pub fn settle() -> Self {
        Self {
            settled: true,
            ..Self::default()
        }
    }

    /// Whether nothing was edited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Lays a later change over this one: the later word on a key or link wins.
    pub fn merge(&mut self, later: TraceEdit) {
        self.tags.extend(later.tags);
        merge_links(
            (&mut self.linked_runs, &mut self.unlinked_runs),
            (later.linked_runs, later.unlinked_runs),
        );
        merge_links(
            (&mut self.linked_prompts, &mut self.unlinked_prompts),
            (later.linked_prompts, later.unlinked_prompts),
        );
        match (&mut self.start, later.start) {
            (Some(earlier), Some(later)) => earlier.merge(*later),
            (earlier, later) => *earlier = earlier.take().or(later),
        }
        self.settled |= later.settled;
    }

    /// Drops the removals of links: they undo earlier edits, and in a trace's state there is nothing before it.
    pub(super) fn forget_unlinked(&mut self) {
        self.unlinked_runs.clear();
        self.unlinked_prompts.clear();
    }
}

type Links = BTreeSet<String>;

fn merge_links((linked, unlinked): (&mut Links, &mut Links), (added, removed): (Links, Links)) {
    linked.retain(|link| !removed.contains(link));
    unlinked.retain(|link| !added.contains(link));
    linked.extend(added);
    unlinked.extend(removed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(names: &[&str]) -> Links {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn the_state_before_links_and_starts_still_reads() {
        let old: TraceEdit = serde_json::from_str(r#"{"tags":{"a":"1","b":null}}"#).unwrap();
        assert_eq!(old.tags.len(), 2);
        assert!(serde_json::from_str::<TraceEdit>("{}").unwrap().is_empty());
        let linked: TraceEdit =
            serde_json::from_str(r#"{"linked_runs":["r"],"linked_prompts":["p/1"]}"#).unwrap();
        assert_eq!(
            (linked.linked_runs, linked.linked_prompts),
            (links(&["r"]), links(&["p/1"]))
        );
    }

    #[test]
    fn a_settled_trace_stays_settled() {
        let mut edit = TraceEdit::settle();
        edit.merge(TraceEdit::set_tags([("a", "1")]));
        let text = serde_json::to_string(&edit).unwrap();
        assert_eq!(text, r#"{"tags":{"a":"1"},"settled":true}"#);
        assert_eq!(serde_json::from_str::<TraceEdit>(&text).unwrap(), edit);
        assert_eq!(serde_json::to_string(&TraceEdit::default()).unwrap(), "{}");
    }

    #[test]
    fn the_later_word_on_a_link_wins() {
        let mut edit = TraceEdit {
            linked_runs: links(&["a", "b"]),
            ..TraceEdit::default()
        };
        edit.merge(TraceEdit {
            unlinked_runs: links(&["a", "c"]),
            ..TraceEdit::default()
        });
        assert_eq!(
            (&edit.linked_runs, &edit.unlinked_runs),
            (&links(&["b"]), &links(&["a", "c"]))
        );
        edit.merge(TraceEdit {
            linked_runs: links(&["c"]),
            ..TraceEdit::default()
        });
        assert_eq!(
            (&edit.linked_runs, &edit.unlinked_runs),
            (&links(&["b", "c"]), &links(&["a"]))
        );
        edit.forget_unlinked();
        assert!(edit.unlinked_runs.is_empty());
    }
}
