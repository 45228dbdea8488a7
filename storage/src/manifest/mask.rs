//! Masks inside manifest payloads: roaring bitmaps in their portable format, as byte strings.

use std::collections::BTreeMap;
use std::fmt;

use roaring::RoaringBitmap;
use serde::de::Visitor;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SegmentId;
use crate::schema::Table;

struct Written<'a>(&'a RoaringBitmap);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.0.serialized_size());
        self.0
            .serialize_into(&mut bytes)
            .map_err(S::Error::custom)?;
        serializer.serialize_bytes(&bytes)
    }
}

struct Read(RoaringBitmap);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BitmapVisitor)
    }
}

struct BitmapVisitor;

impl Visitor<'_> for BitmapVisitor {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a roaring bitmap")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Read, E> {
        RoaringBitmap::deserialize_from(bytes)
            .map(Read)
            .map_err(E::custom)
    }
}

/// Masks of a state.
pub(super) mod map {
    use super::*;

    type Masks = BTreeMap<(SegmentId, Table), RoaringBitmap>;

    pub fn serialize<S: Serializer>(masks: &Masks, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(masks.iter().map(|(key, mask)| (key, Written(mask))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Masks, D::Error> {
        let entries = BTreeMap::<(SegmentId, Table), Read>::deserialize(deserializer)?;
        Ok(entries
            .into_iter()
            .map(|(key, mask)| (key, mask.0))
            .collect())
    }
}

/// Masks of an edit.
pub(super) mod list {
    use super::*;

    type Masks = Vec<(SegmentId, Table, RoaringBitmap)>;

    pub fn serialize<S: Serializer>(masks: &Masks, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            masks
                .iter()
                .map(|(id, table, mask)| (id, table, Written(mask))),
        )
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Masks, D::Error> {
        let entries = Vec::<(SegmentId, Table, Read)>::deserialize(deserializer)?;
        Ok(entries
            .into_iter()
            .map(|(id, table, mask)| (id, table, mask.0))
            .collect())
    }
}
