//! One atomic change of the manifest.

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::{CatalogFile, SegmentId, SegmentMeta};
use crate::schema::Table;

/// What one commit changes, all of it or nothing. Removals come before additions, so that a catalogue
/// file can be replaced under its name, and masks come last, so that they may be of new segments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifestEdit {
    /// Segments that become live; their files are synced already (ST-2).
    pub add_segments: Vec<SegmentMeta>,
    /// Segments that end, with their masks.
    pub remove_segments: Vec<SegmentId>,
    /// Rows of live segments that become superseded or deleted, besides those that are.
    #[serde(with = "super::mask::list")]
    pub add_masks: Vec<(SegmentId, Table, RoaringBitmap)>,
    /// The first log sequence that is not in segments; never smaller than before.
    pub replay_from: Option<u64>,
    /// Catalogue files that become live; synced already (ST-2).
    pub add_catalog: Vec<CatalogFile>,
    /// Names of catalogue files that end.
    pub remove_catalog: Vec<String>,
}
