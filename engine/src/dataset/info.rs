//! What a dataset version is: kept as JSON text beside its file's name in the manifest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracehouse_storage::Snapshot;
use tracehouse_storage::manifest::CatalogFile;

use crate::error::{Error, ErrorKind, Result};

/// The word that tells dataset versions from other catalogue files.
const KIND: &str = "dataset";

/// A dataset as one version describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DatasetInfo {
    /// `d-` + 32 hex.
    pub dataset_id: String,
    /// Unique in the database.
    pub name: String,
    /// 0 for a new, empty dataset; the first change makes version 1.
    pub version: u32,
    /// Records of this version.
    pub record_count: u64,
    /// When the dataset was created, Unix nanoseconds.
    pub created_at_ns: i64,
    /// When this version was made, Unix nanoseconds.
    pub updated_at_ns: i64,
    /// The experiments it belongs to.
    #[serde(default)]
    pub experiment_ids: Vec<String>,
    /// Mutable labels.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The search that gave this version its new records, as JSON object text; `None` when they came
    /// otherwise.
    #[serde(default)]
    pub query: Option<String>,
    /// Sequence number of the snapshot the version was made at.
    pub snapshot_sequence: u64,
    /// JSON object text: fields of inputs, outputs and expectations with their types.
    pub schema: String,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

#[derive(Serialize)]
struct Tagged<'a> {
    kind: &'static str,
    #[serde(flatten)]
    info: &'a DatasetInfo,
}

impl DatasetInfo {
    pub(crate) fn to_json(&self) -> Result<String> {
        let tagged = Tagged {
            kind: KIND,
            info: self,
        };
        serde_json::to_string(&tagged)
            .map_err(|e| Error::internal(format!("dataset {:?}: {e}", self.name)))
    }

    /// The description of a catalogue file; `None` when it is something else than a dataset version.
    fn parse(file: &CatalogFile) -> Result<Option<Self>> {
        let bad = |e: serde_json::Error| {
            Error::new(
                ErrorKind::Corrupt,
                format!("description of catalogue file {}: {e}", file.name),
            )
        };
        let kind: Kind = serde_json::from_str(&file.meta_json).map_err(bad)?;
        if kind.kind != KIND {
            return Ok(None);
        }
        serde_json::from_str(&file.meta_json).map(Some).map_err(bad)
    }
}

/// A live version: what it is and where its records are.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub info: DatasetInfo,
    pub file: CatalogFile,
}

/// All versions of all datasets, by name, then number.
pub(crate) fn versions(snapshot: &Snapshot) -> Result<Vec<Version>> {
    let mut versions = Vec::new();
    for file in snapshot.catalog() {
        if let Some(info) = DatasetInfo::parse(file)? {
            versions.push(Version {
                info,
                file: file.clone(),
            });
        }
    }
    versions.sort_by(|a, b| (&a.info.name, a.info.version).cmp(&(&b.info.name, b.info.version)));
    Ok(versions)
}

/// The newest version of each dataset, by name.
pub(crate) fn newest(snapshot: &Snapshot) -> Result<Vec<Version>> {
    let mut newest: Vec<Version> = Vec::new();
    for version in versions(snapshot)? {
        match newest.last_mut() {
            Some(last) if last.info.dataset_id == version.info.dataset_id => *last = version,
            _ => newest.push(version),
        }
    }
    Ok(newest)
}
