//! One walk over the attributes of a span that finds all that the producers' tables name.
//!
//! Each entry of a table has a slot; the walk puts a reference to each known attribute into its
//! slots, so that a concern reads its candidates in order of preference without searching.

use std::borrow::Cow;
use std::sync::LazyLock;

use hashbrown::HashMap;
use serde_json::Value as Json;

use crate::otlp::python_literal;
use crate::otlp::value::{KeyValue, Value};

use super::producers::{Concern, Key, PRODUCERS};

/// The number of entries of all tables.
const SLOTS: usize = count_slots();

const fn count_slots() -> usize {
    let mut rest = PRODUCERS;
    let mut count = 0;
    while let [producer, others @ ..] = rest {
        count += producer.keys.len();
        rest = others;
    }
    count
}

struct Index {
    /// The entries in the order of their slots: by concern, then by producer.
    keys: Vec<&'static Key>,
    /// The slots of each key.
    slots: HashMap<&'static str, Vec<usize>>,
    /// Where the slots of each concern start; one more entry says where the last ones end.
    starts: Vec<usize>,
    /// For each slot the keys of which one must be there, too; empty where none need be.
    marks: Vec<&'static [&'static str]>,
    /// Longest known key, to leave longer ones alone.
    key_bytes_max: usize,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let all = PRODUCERS
        .iter()
        .flat_map(|producer| producer.keys.iter().map(|key| (key, producer.marks)));
    let mut ordered: Vec<(&Key, &'static [&'static str])> = all.collect();
    ordered.sort_by_key(|(key, _)| key.concern);
    let mut index = Index {
        keys: Vec::with_capacity(ordered.len()),
        slots: HashMap::new(),
        starts: vec![0; Concern::COUNT + 1],
        marks: Vec::with_capacity(ordered.len()),
        key_bytes_max: 0,
    };
    for (slot, (key, marks)) in ordered.into_iter().enumerate() {
        index.keys.push(key);
        index.marks.push(marks);
        index.slots.entry(key.name).or_default().push(slot);
        index.key_bytes_max = index.key_bytes_max.max(key.name.len());
        for start in index.starts.iter_mut().skip(key.concern as usize + 1) {
            *start = slot + 1;
        }
    }
    index
});

/// The known attributes of one span.
pub(super) struct Found<'v> {
    attributes: &'v [KeyValue<'v>],
    /// Which attribute is in a slot, counted from 1; 0 is none. Small, since each span has its own.
    slots: [u32; SLOTS],
}

impl<'v> Found<'v> {
    /// Walks the attributes once.
    pub(super) fn new(attributes: &'v [KeyValue<'v>]) -> Self {
        let mut slots = [0; SLOTS];
        let index = &*INDEX;
        let has_mark = |marks: &[&str]| {
            marks.is_empty() || attributes.iter().any(|pair| marks.contains(&&*pair.key))
        };
        for (pair, number) in attributes
            .iter()
            .zip(1..)
            .filter(|(pair, _)| pair.key.len() <= index.key_bytes_max)
        {
            for &slot in index
                .slots
                .get(&*pair.key)
                .map(Vec::as_slice)
                .unwrap_or_default()
            {
                let marks = index.marks.get(slot).copied().unwrap_or_default();
                if let Some(place) = slots.get_mut(slot)
                    && has_mark(marks)
                {
                    *place = number;
                }
            }
        }
        Self { attributes, slots }
    }

    /// The attributes of a concern that are there, best first.
    pub(super) fn candidates(
        &self,
        concern: Concern,
    ) -> impl Iterator<Item = (&'static Key, &'v Value<'v>)> {
        let start = INDEX
            .starts
            .get(concern as usize)
            .copied()
            .unwrap_or_default();
        let end = INDEX
            .starts
            .get(concern as usize + 1)
            .copied()
            .unwrap_or_default();
        let keys = INDEX.keys.get(start..end).unwrap_or_default();
        let slots = self.slots.get(start..end).unwrap_or_default();
        keys.iter().zip(slots).filter_map(|(key, slot)| {
            let attribute = usize::try_from(*slot).ok()?.checked_sub(1)?;
            Some((*key, &self.attributes.get(attribute)?.value))
        })
    }

    /// The first candidate that is a word: a non-empty string (see `word`) or a number.
    pub(super) fn first_word(&self, concern: Concern) -> Option<String> {
        self.candidates(concern)
            .find_map(|(key, value)| word_of(key, value))
    }
}

/// The word that the value of a key is, or its member that says it.
pub(super) fn word_of(key: &Key, value: &Value<'_>) -> Option<String> {
    if key.members.is_empty() {
        return word(value).map(Cow::into_owned);
    }
    let object = object(value)?;
    key.members
        .iter()
        .find_map(|path| json_word(member(&object, path)?))
}

/// A short text such as a model name. MLflow sends every attribute as JSON text, so one layer of JSON
/// string quoting is taken off. Numbers become their text, those of a table that are whole too (`42.0` is `42`);
/// other values are no words.
pub(super) fn word<'v>(value: &'v Value<'v>) -> Option<Cow<'v, str>> {
    match value {
        Value::String(text) => Some(unquoted(text.trim())).filter(|text| !text.is_empty()),
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        Value::Double(number) => whole(*number).map(|whole| Cow::Owned(whole.to_string())),
        _ => None,
    }
}

fn json_word(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.trim().to_string()).filter(|text| !text.is_empty()),
        Json::Number(number) => Some(match number.as_f64().filter(|_| number.is_f64()) {
            Some(double) => whole(double).map_or(number.to_string(), |whole| whole.to_string()),
            None => number.to_string(),
        }),
        _ => None,
    }
}

/// The whole number that a double is.
pub(super) fn whole(number: f64) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&number)).then_some(number as i64)
}

/// The text inside a JSON string literal, or the text itself when it is none.
pub(super) fn unquoted(text: &str) -> Cow<'_, str> {
    let is_quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
    if is_quoted && let Ok(inner) = serde_json::from_str::<String>(text) {
        return Cow::Owned(inner);
    }
    Cow::Borrowed(text)
}

/// The JSON object of a value: one sent as text (perhaps quoted once more, perhaps as Python prints it), or sent as
/// structure.
pub(super) fn object(value: &Value<'_>) -> Option<Json> {
    let text = value.to_text()?;
    let text = unquoted(text.trim());
    let of_python = || python_literal::read(&text).filter(|_| text.starts_with("{'"));
    serde_json::from_str(&text)
        .ok()
        .or_else(of_python)
        .filter(Json::is_object)
}

/// The member of a JSON object at a path with dots; a number is a place in a list.
pub(super) fn member<'j>(object: &'j Json, path: &str) -> Option<&'j Json> {
    path.split('.').try_fold(object, |json, name| match json {
        Json::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => json.get(name),
    })
}
