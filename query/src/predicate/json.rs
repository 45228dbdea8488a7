//! Borrowing reads of JSON text: one key of an object, the elements of a list, a scalar's type.
//!
//! A dotted path leads into objects, into lists (by an element's number, else into all elements that are
//! objects: what they have is a list), and into strings that are JSON text themselves.
//!
//! Nothing here builds a document tree. Malformed text has the keys before what is malformed.

use std::borrow::Cow;

use memchr::memmem::Finder;
use tracehouse_storage::json::{Elements, Members};
use tracehouse_storage::text::{is_json, special_double};

use super::number::Number;

/// Longest dotted path that is followed into nested objects.
const PATH_PARTS_MAX: usize = 16;

/// Keys of more parts are looked for in the object straight away.
const SPELLINGS_MAX: usize = 4;

/// Looks up one key in many object texts.
pub(super) struct KeyLookup<'k> {
    key: &'k str,
    /// The key and, of a path, all that it may begin with, each in quotes: an object text without any of
    /// them lacks the key. Empty when the key cannot be looked for in this way.
    spellings: Vec<Finder<'static>>,
    /// What may spell a key in yet another way.
    escape: Finder<'static>,
}

impl<'k> KeyLookup<'k> {
    /// A lookup of `key`.
    pub fn new(key: &'k str) -> Self {
        let is_plain = key
            .chars()
            .all(|c| !matches!(c, '"' | '\\') && !c.is_control());
        let can_be_looked_for = is_plain && key.split('.').count() <= SPELLINGS_MAX;
        let ends = key.match_indices('.').map(|(at, _)| at).chain([key.len()]);
        let parts = ends
            .filter_map(|end| key.get(..end))
            .take_while(|_| can_be_looked_for);
        let mut spellings: Vec<_> = parts
            .map(|part| Finder::new(&format!("\"{part}\"")).into_owned())
            .collect();
        // The whole key is the likeliest.
        spellings.reverse();
        // Of plain characters, only a slash has another spelling than by its number.
        let escape = if key.contains('/') { "\\" } else { "\\u" };
        Self {
            key,
            spellings,
            escape: Finder::new(escape).into_owned(),
        }
    }

    /// The raw JSON text of the key's value: of the top-level key if there is one, else of the dotted path.
    /// JSON null counts as absent.
    pub fn get<'a>(&self, object: &'a str) -> Option<Cow<'a, str>> {
        if self.is_surely_absent(object) {
            return None;
        }
        member(object, self.key).filter(|raw| raw != "null")
    }

    /// The raw values of top-level keys that a dotted path may lead into.
    pub fn on_the_way<'a>(&self, object: &'a str) -> impl Iterator<Item = &'a str> + use<'a, 'k> {
        let key = self.key;
        let is_prefix = move |raw: &str| matches!(key_match(raw, key), KeyMatch::Prefix(_));
        Members::of(object)
            .filter(move |(raw, _)| is_prefix(raw))
            .map(|(_, raw)| raw)
    }

    /// Whether `accept` takes the key's value or that of any top-level key after it. Values found by a
    /// path have none after them.
    pub fn any_from(&self, object: &str, accept: &dyn Fn(&str) -> bool) -> bool {
        if self.is_surely_absent(object) {
            return false;
        }
        let mut members = Members::of(object);
        let is_reached = |(key, raw): &(&str, &str)| {
            matches!(key_match(key, self.key), KeyMatch::Exact) && *raw != "null"
        };
        match members.find(is_reached) {
            Some((_, raw)) => accept(raw) || members.any(|(_, raw)| raw != "null" && accept(raw)),
            None => self.get(object).is_some_and(|raw| accept(&raw)),
        }
    }

    /// Whether the text has neither the key nor anything that could spell it in another way.
    pub fn is_surely_absent(&self, object: &str) -> bool {
        let has = |finder: &Finder<'_>| finder.find(object.as_bytes()).is_some();
        !self.spellings.is_empty() && !self.spellings.iter().any(has) && !has(&self.escape)
    }
}

/// The value of a key of an object, else of a path.
fn member<'a>(object: &'a str, key: &str) -> Option<Cow<'a, str>> {
    // Values of keys that are a prefix of the path, and the length of that prefix.
    let mut nested = Vec::new();
    for (found, raw) in Members::of(object) {
        match key_match(found, key) {
            KeyMatch::Exact => return Some(Cow::Borrowed(raw)),
            KeyMatch::Prefix(length) => nested.push((raw, length)),
            KeyMatch::Other => {}
        }
    }
    if nested.is_empty() || key.split('.').count() > PATH_PARTS_MAX {
        return None;
    }
    nested
        .into_iter()
        .find_map(|(raw, prefix)| inside(raw, key.get(prefix + 1..)?))
}

/// What a path leads to inside a value.
fn inside<'a>(raw: &'a str, path: &str) -> Option<Cow<'a, str>> {
    match raw.as_bytes().first()? {
        b'{' => member(raw, path),
        b'[' => in_list(raw, path),
        b'"' => {
            let text = string(raw).filter(|text| is_json(text))?;
            match text {
                Cow::Borrowed(text) => inside(text, path),
                Cow::Owned(text) => inside(&text, path).map(|raw| Cow::Owned(raw.into_owned())),
            }
        }
        _ => None,
    }
}

fn in_list<'a>(list: &'a str, path: &str) -> Option<Cow<'a, str>> {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    if let Ok(number) = first.parse() {
        let element = Elements::of(list).nth(number)?;
        return rest.map_or(Some(Cow::Borrowed(element)), |rest| inside(element, rest));
    }
    let objects = Elements::of(list).filter(|element| !element.starts_with('['));
    let found = objects
        .filter_map(|element| inside(element, path))
        .filter(|raw| raw != "null");
    let found: Vec<Cow<'_, str>> = found.collect();
    (!found.is_empty()).then(|| Cow::Owned(format!("[{}]", found.join(","))))
}

/// The elements of a list, or of a text that is the JSON text of one, as a value's text.
pub(super) fn elements(text: &str) -> Option<Elements<'_>> {
    (text.starts_with('[') && is_json(text)).then(|| Elements::of(text))
}

enum KeyMatch {
    Exact,
    Prefix(usize),
    Other,
}

/// How a raw key of an object stands to a key that is looked for.
fn key_match(raw: &str, key: &str) -> KeyMatch {
    let Some(found) = string(raw) else {
        return KeyMatch::Other;
    };
    match key.strip_prefix(found.as_ref()) {
        Some("") => KeyMatch::Exact,
        Some(rest) if rest.starts_with('.') => KeyMatch::Prefix(found.len()),
        _ => KeyMatch::Other,
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

/// What a value is as a text: what a string stands for, the JSON text of anything else. A double that JSON cannot
/// write is what it is called.
pub(super) fn text(raw: &str) -> Cow<'_, str> {
    string(raw).unwrap_or_else(|| Cow::Borrowed(special_double(raw).unwrap_or(raw)))
}

/// The double that the text of a value is, infinite ones by their names; `None` for other values.
pub(super) fn double(text: &str) -> Option<f64> {
    match text {
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => number(text).map(|number| number.value()),
    }
}

/// The number a raw JSON number stands for; `None` for other values.
pub(super) fn number(raw: &str) -> Option<Number> {
    if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        Number::parse(raw)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(object: &str, key: &str) -> Option<&'static str> {
        // Leaked for brevity.
        KeyLookup::new(key)
            .get(object)
            .map(|raw| &*raw.into_owned().leak())
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
    fn paths_lead_into_lists_and_json_text() {
        let object = r#"{"meta":"{\"tenant\":\"caf\\u00e9\",\"in\":\"[{\\\"n\\\":1},2,{\\\"n\\\":null},{\\\"n\\\":3}]\"}",
            "docs":[{"score":1,"tags":["a"]},[{"score":9}],{"score":2}],"t":"{no json}","m.x":{"y":[[7],8]}}"#;
        assert_eq!(lookup(object, "meta.tenant"), Some("\"caf\\u00e9\""));
        assert_eq!(lookup(object, "meta.in.n"), Some("[1,3]"));
        assert_eq!(lookup(object, "meta.in.1"), Some("2"));
        assert_eq!(lookup(object, "meta.in.0.n"), Some("1"));
        assert_eq!(lookup(object, "docs.score"), Some("[1,2]"));
        assert_eq!(lookup(object, "docs.1.0.score"), Some("9"));
        assert_eq!(lookup(object, "docs.2.score"), Some("2"));
        assert_eq!(lookup(object, "m.x.y.0.0"), Some("7"));
        for absent in [
            "docs.9",
            "docs.none",
            "t.no",
            "meta.in.x",
            "docs.0.tags.x",
            "meta.tenant.x",
        ] {
            assert_eq!(lookup(object, absent), None, "{absent}");
        }
    }

    #[test]
    fn values_from_a_key_on() {
        let found = |object: &str, key: &str, wanted: &str| {
            KeyLookup::new(key).any_from(object, &|raw| raw == wanted)
        };
        let object = r#"{"a":1,"m":{"x":5},"n":2,"z":null,"b.c":3}"#;
        assert!(
            found(object, "m", "{\"x\":5}") && found(object, "m", "2") && found(object, "m", "3")
        );
        assert!(
            !found(object, "m", "1") && !found(object, "m", "null") && !found(object, "y", "3")
        );
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
