//! What is different between two versions of a dataset.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::json::{is_same, members};
use super::record::Record;

/// What is different between two versions: record ids, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordDiff {
    /// Only in the second.
    pub added: Vec<String>,
    /// Only in the first.
    pub removed: Vec<String>,
    /// In both, with different content.
    pub changed: Vec<String>,
    /// Each of these records, by id.
    pub changes: Vec<RecordChange>,
}

/// A record that is not the same in two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordChange {
    /// Its id.
    pub record_id: String,
    /// What is asked, as JSON text.
    pub inputs: String,
    /// What changed; nothing for a record that is only in one of the versions.
    pub parts: Vec<PartChange>,
}

/// A part of a record that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartChange {
    /// `outputs`, `expectations.K`, `tags.K`, `source_type` or `source_data`.
    pub name: String,
    /// JSON text, or the word of a source; `None` where there was nothing.
    pub before: Option<String>,
    /// The value afterwards.
    pub after: Option<String>,
}

impl RecordDiff {
    pub(super) fn of(before: Vec<Record>, after: Vec<Record>) -> Self {
        let mut before: HashMap<String, Record> = before
            .into_iter()
            .map(|record| (record.id.clone(), record))
            .collect();
        let mut diff = Self::default();
        for record in after {
            match before.remove(&record.id) {
                None => diff.note(record, |diff| &mut diff.added, Vec::new()),
                Some(old) => {
                    let parts = parts(&old, &record);
                    if !parts.is_empty() {
                        diff.note(record, |diff| &mut diff.changed, parts);
                    }
                }
            }
        }
        before
            .into_values()
            .for_each(|record| diff.note(record, |diff| &mut diff.removed, Vec::new()));
        for ids in [&mut diff.added, &mut diff.removed, &mut diff.changed] {
            ids.sort_unstable();
        }
        diff.changes
            .sort_unstable_by(|a, b| a.record_id.cmp(&b.record_id));
        diff
    }

    fn note(
        &mut self,
        record: Record,
        list: fn(&mut Self) -> &mut Vec<String>,
        parts: Vec<PartChange>,
    ) {
        list(self).push(record.id.clone());
        self.changes.push(RecordChange {
            record_id: record.id,
            inputs: record.inputs,
            parts,
        });
    }
}

/// What two versions of a record say differently; times aside.
fn parts(old: &Record, new: &Record) -> Vec<PartChange> {
    let mut parts = Vec::new();
    let mut note = |name: String, before: Option<&str>, after: Option<&str>| {
        let is_equal = match (before, after) {
            (Some(before), Some(after)) => is_same(before, after),
            (before, after) => before == after,
        };
        if !is_equal {
            let owned = |text: Option<&str>| text.map(str::to_string);
            parts.push(PartChange {
                name,
                before: owned(before),
                after: owned(after),
            });
        }
    };
    note(
        "outputs".into(),
        old.outputs.as_deref(),
        new.outputs.as_deref(),
    );
    let objects = [
        (
            "expectations",
            old.expectations.as_deref(),
            new.expectations.as_deref(),
        ),
        ("tags", Some(old.tags.as_str()), Some(new.tags.as_str())),
    ];
    for (part, before, after) in objects {
        let before = before.and_then(members).unwrap_or_default();
        let after = after.and_then(members).unwrap_or_default();
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let value =
                |all: &super::json::Members<'_>| all.get(key).map(|value| value.get().to_string());
            note(
                format!("{part}.{key}"),
                value(&before).as_deref(),
                value(&after).as_deref(),
            );
        }
    }
    note(
        "source_type".into(),
        old.source.kind.as_deref(),
        new.source.kind.as_deref(),
    );
    note(
        "source_data".into(),
        old.source.data.as_deref(),
        new.source.data.as_deref(),
    );
    parts
}
