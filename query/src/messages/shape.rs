//! One JSON object of a payload: its members, each still the text that it is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in the order they were sent.
pub(super) struct Shape<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Shape<'a> {
    /// The object that `json` is; `None` when it is something else.
    pub(super) fn of(json: &'a str) -> Option<Self> {
        if json.starts_with('{') {
            serde_json::from_str(json).ok()
        } else {
            None
        }
    }

    /// The value of the first of these keys that is there and not null.
    pub(super) fn get(&self, keys: &[&str]) -> Option<&'a RawValue> {
        keys.iter().find_map(|wanted| {
            let (_, value) = self.members.iter().rev().find(|(key, _)| key == wanted)?;
            Some(*value).filter(|value| value.get() != "null")
        })
    }

    /// All members in their order.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.members.iter().map(|(key, value)| (&**key, *value))
    }

    /// The text of the first of these keys whose value is a string.
    pub(super) fn text(&self, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| string(self.get(&[key])?))
    }

    /// Whether one of these keys is there with a value.
    pub(super) fn has(&self, keys: &[&str]) -> bool {
        self.get(keys).is_some()
    }

    /// The object inside the object, under the first of these keys.
    pub(super) fn inner(&self, keys: &[&str]) -> Option<Shape<'a>> {
        Shape::of(self.get(keys)?.get())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Shape<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_map(Members)
            .map(|members| Shape { members })
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            members.push((key, value));
        }
        Ok(members)
    }
}

/// The text that a JSON string says; `None` for another value. What is half of a pair of surrogates, as texts that were
/// cut have it, is the replacement character.
pub(super) fn string(raw: &RawValue) -> Option<String> {
    if !raw.get().starts_with('"') {
        return None;
    }
    match serde_json::from_str(raw.get()) {
        Ok(text) => Some(text),
        Err(_) => serde_json::from_str(raw.get()).ok().map(|Lossy(text)| text),
    }
}

/// A text of which nothing but surrogates may be wrong.
struct Lossy(String);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(LossyText).map(Lossy)
    }
}

struct LossyText;

impl Visitor<'_> for LossyText {
    type Value = String;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
        // Half of a pair has three bytes, of which none is UTF-8.
        Ok(String::from_utf8_lossy(bytes).replace("\u{fffd}\u{fffd}\u{fffd}", "\u{fffd}"))
    }
}

/// The items of a JSON array; none for another value.
pub(super) fn items(json: &str) -> Vec<&RawValue> {
    if json.starts_with('[') {
        serde_json::from_str(json).unwrap_or_default()
    } else {
        Vec::new()
    }
}
