//! Borrowing reads of JSON text: one key of an object, the leaves of a document, a scalar's type.
//!
//! Nothing here builds a document tree. Malformed text has no keys and is its own only leaf.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem::Finder;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::filter::Number;

/// Longest dotted path that is followed into nested objects.
const PATH_PARTS_MAX: usize = 16;

/// Looks up one key in many object texts.
pub(super) struct KeyLookup<'k> {
    key: &'k str,
    /// `"` and the key up to its first dot; an object text without it lacks the key and the path.
    opening: Option<Finder<'static>>,
    escape: Finder<'static>,
}

impl<'k> KeyLookup<'k> {
    /// A lookup of `key`.
    pub fn new(key: &'k str) -> Self {
        let first = key.split('.').next().unwrap_or(key);
        let plain = first.chars().all(|c| !matches!(c, '"' | '\\') && !c.is_control());
        let opening = plain.then(|| Finder::new(&format!("\"{first}")).into_owned());
        Self { key, opening, escape: Finder::new("\\").into_owned() }
    }

    /// The raw JSON text of the key's value: of the top-level key if there is one, else of the
    /// dotted path into nested objects. JSON null counts as absent.
    pub fn get<'a>(&self, object: &'a str) -> Option<&'a str> {
        if self.is_surely_absent(object) {
            return None;
        }
        get(object, self.key).filter(|raw| *raw != "null")
    }

    /// Whether `accept` takes the key's value or that of any top-level key after it. Values found by a
    /// path into nested objects have none after them.
    pub fn any_from(&self, object: &str, accept: &dyn Fn(&str) -> bool) -> bool {
        if self.is_surely_absent(object) {
            return false;
        }
        let mut from = From { key: self.key, accept, is_reached: false, is_found: false };
        let mut reader = serde_json::Deserializer::from_str(object);
        // The visitor fails on purpose once a value was taken.
        let _ = (&mut reader).deserialize_map(&mut from);
        if from.is_reached { from.is_found } else { self.get(object).is_some_and(accept) }
    }

    /// Whether the text has neither the key nor anything that could spell it in another way.
    pub fn is_surely_absent(&self, object: &str) -> bool {
        self.opening.as_ref().is_some_and(|opening| {
            opening.find(object.as_bytes()).is_none() && self.escape.find(object.as_bytes()).is_none()
        })
    }
}

/// Visits an object's values from a key on.
struct From<'k, 'f> {
    key: &'k str,
    accept: &'f dyn Fn(&str) -> bool,
    is_reached: bool,
    is_found: bool,
}

impl<'a> Visitor<'a> for &mut From<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(found) = map.next_key_seed(KeySeed { key: self.key })? {
            let raw = map.next_value::<&'a RawValue>()?.get();
            self.is_reached |= matches!(found, KeyMatch::Exact) && raw != "null";
            if self.is_reached && raw != "null" && (self.accept)(raw) {
                self.is_found = true;
                return Err(A::Error::custom("found"));
            }
        }
        Ok(())
    }
}

fn get<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let mut found = Found { exact: None, nested: Vec::new() };
    let mut reader = serde_json::Deserializer::from_str(object);
    // The visitor fails on purpose once it has the exact key; what it found so far is in `found`.
    let _ = (&mut reader).deserialize_map(ObjectVisitor { key, found: &mut found });
    if found.exact.is_some() || key.split('.').count() > PATH_PARTS_MAX {
        return found.exact;
    }
    found.nested.into_iter().find_map(|(raw, prefix)| get(raw, key.get(prefix + 1..)?))
}

struct Found<'a> {
    exact: Option<&'a str>,
    /// Values of keys that are a prefix of the path, and the length of that prefix.
    nested: Vec<(&'a str, usize)>,
}

struct ObjectVisitor<'k, 'f, 'a> {
    key: &'k str,
    found: &'f mut Found<'a>,
}

impl<'a> Visitor<'a> for ObjectVisitor<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(found) = map.next_key_seed(KeySeed { key: self.key })? {
            match found {
                KeyMatch::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
                KeyMatch::Prefix(length) => {
                    let raw: &'a RawValue = map.next_value()?;
                    self.found.nested.push((raw.get(), length));
                }
                KeyMatch::Exact => {
                    let raw: &'a RawValue = map.next_value()?;
                    self.found.exact = Some(raw.get());
                    return Err(A::Error::custom("found"));
                }
            }
        }
        Ok(())
    }
}

enum KeyMatch {
    Exact,
    Prefix(usize),
    Other,
}

struct KeySeed<'k> {
    key: &'k str,
}

impl<'a> DeserializeSeed<'a> for KeySeed<'_> {
    type Value = KeyMatch;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<KeyMatch, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = KeyMatch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<KeyMatch, E> {
        Ok(match self.key.strip_prefix(text) {
            Some("") => KeyMatch::Exact,
            Some(rest) if rest.starts_with('.') => KeyMatch::Prefix(text.len()),
            _ => KeyMatch::Other,
        })
    }
}

/// The string a raw JSON string stands for; `None` for other values.
pub(super) fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr2(b'\\', b'"', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
}

/// The number a raw JSON number stands for; `None` for other values.
pub(super) fn number(raw: &str) -> Option<Number> {
    if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) { Number::parse(raw) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup<'a>(object: &'a str, key: &str) -> Option<&'a str> {
        KeyLookup::new(key).get(object)
    }

    #[test]
    fn exact_keys_come_before_paths() {
        let object = r#"{"a":{"b":1,"c.d":{"e":2}},"a.b":"x","n":null,"é":[1, 2]}"#;
        assert_eq!(lookup(object, "a.b"), Some("\"x\""));
        assert_eq!(lookup(object, "a.c.d.e"), Some("2"));
        assert_eq!(lookup(object, "a"), Some(r#"{"b":1,"c.d":{"e":2}}"#));
        assert_eq!(lookup(object, "é"), Some("[1, 2]"));
        assert_eq!(lookup(object, "n"), None);
        assert_eq!(lookup(object, "a.x"), None);
        assert_eq!(lookup(object, "b"), None);
    }

    #[test]
    fn values_from_a_key_on() {
        let found = |object: &str, key: &str, wanted: &str| {
            KeyLookup::new(key).any_from(object, &|raw| raw == wanted)
        };
        let object = r#"{"a":1,"m":{"x":5},"n":2,"z":null,"b.c":3}"#;
        assert!(found(object, "m", "{\"x\":5}") && found(object, "m", "2") && found(object, "m", "3"));
        assert!(!found(object, "m", "1") && !found(object, "m", "null") && !found(object, "y", "3"));
        assert!(!found(object, "z", "3"), "null is absent");
        assert!(found(object, "m.x", "5") && !found(object, "m.x", "2"));
        assert!(!found("[1]", "m", "1") && !found("{\"m\":", "m", "1"));
    }

    #[test]
    fn escaped_keys_are_found_and_malformed_text_has_none() {
        assert_eq!(lookup(r#"{"\u0061b":1}"#, "ab"), Some("1"));
        assert_eq!(lookup(r#"{"say \"hi\"":1}"#, "say \"hi\""), Some("1"));
        assert_eq!(lookup(r#"{"ab""#, "ab"), None);
        assert_eq!(lookup("[1]", "ab"), None);
        assert_eq!(lookup("", "ab"), None);
        assert_eq!(lookup(r#"{"":1}"#, ""), Some("1"));
    }

    #[test]
    fn long_paths_are_keys_alone() {
        let key = "a.".repeat(100_000);
        assert_eq!(lookup(r#"{"a":{"a":{"a":1}}}"#, &key), None);
    }
}
