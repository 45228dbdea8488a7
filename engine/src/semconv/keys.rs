//! The attribute keys that mean something, and one walk that finds them all.
//!
//! Every (concern, key) pair has a slot; the walk puts a reference to each known attribute into its
//! slots, so that a concern reads its candidates in order of preference without searching.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use crate::otlp::value::{KeyValue, Value};

use super::{io, model, scope, span_type, usage};

/// What a list of keys is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Concern {
    SpanType,
    Operation,
    Model,
    Provider,
    ToolName,
    InputTokens,
    OutputTokens,
    TotalTokens,
    CacheReadTokens,
    CacheCreationTokens,
    Cost,
    Inputs,
    Outputs,
    SessionId,
    UserId,
}

/// The keys of each concern, in the order of the enum, best key first.
const KEYS: [&[&str]; 15] = [
    span_type::KEYS,
    model::OPERATION_KEYS,
    model::MODEL_KEYS,
    model::PROVIDER_KEYS,
    model::TOOL_NAME_KEYS,
    usage::INPUT_KEYS,
    usage::OUTPUT_KEYS,
    usage::TOTAL_KEYS,
    usage::CACHE_READ_KEYS,
    usage::CACHE_CREATION_KEYS,
    usage::COST_KEYS,
    io::INPUT_KEYS,
    io::OUTPUT_KEYS,
    scope::SESSION_KEYS,
    scope::USER_KEYS,
];

const SLOTS: usize = count_slots();

const fn count_slots() -> usize {
    let mut rest: &[&[&str]] = &KEYS;
    let mut count = 0;
    while let [keys, others @ ..] = rest {
        count += keys.len();
        rest = others;
    }
    count
}

struct Index {
    /// The slots of each key.
    slots: HashMap<&'static str, Vec<usize>>,
    /// Where the slots of each concern start.
    starts: Vec<usize>,
    /// Longest known key, to leave longer ones alone.
    key_bytes_max: usize,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { slots: HashMap::new(), starts: Vec::new(), key_bytes_max: 0 };
    let mut slot = 0;
    for keys in KEYS {
        index.starts.push(slot);
        for key in keys {
            index.slots.entry(key).or_default().push(slot);
            index.key_bytes_max = index.key_bytes_max.max(key.len());
            slot += 1;
        }
    }
    index
});

/// The known attributes of one span.
pub(super) struct Found<'v> {
    slots: [Option<&'v Value<'v>>; SLOTS],
}

impl<'v> Found<'v> {
    /// Walks the attributes once.
    pub(super) fn new(attributes: &'v [KeyValue<'v>]) -> Self {
        let mut slots = [None; SLOTS];
        let index = &*INDEX;
        for pair in attributes {
            if pair.key.len() > index.key_bytes_max {
                continue;
            }
            for &slot in index.slots.get(&*pair.key).map(Vec::as_slice).unwrap_or_default() {
                if let Some(place) = slots.get_mut(slot) {
                    *place = Some(&pair.value);
                }
            }
        }
        Self { slots }
    }

    /// The attributes of a concern that are there, best first.
    pub(super) fn candidates(&self, concern: Concern) -> impl Iterator<Item = (&'static str, &'v Value<'v>)> {
        let concern = concern as usize;
        let keys = KEYS.get(concern).copied().unwrap_or_default();
        let start = INDEX.starts.get(concern).copied().unwrap_or_default();
        let slots = self.slots.get(start..).unwrap_or_default();
        keys.iter().zip(slots).filter_map(|(key, slot)| slot.map(|value| (*key, value)))
    }

    /// The first candidate that is a word: a non-empty string (see `word`) or a number.
    pub(super) fn first_word(&self, concern: Concern) -> Option<String> {
        self.candidates(concern).find_map(|(_, value)| word(value)).map(Cow::into_owned)
    }
}

/// A short text such as a model name. MLflow sends every attribute as JSON text, so one layer of JSON
/// string quoting is taken off. Numbers become their text; other values are no words.
pub(super) fn word<'v>(value: &'v Value<'v>) -> Option<Cow<'v, str>> {
    match value {
        Value::String(text) => Some(unquoted(text.trim())).filter(|text| !text.is_empty()),
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// The text inside a JSON string literal, or the text itself when it is none.
pub(super) fn unquoted(text: &str) -> Cow<'_, str> {
    let is_quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
    if is_quoted && let Ok(inner) = serde_json::from_str::<String>(text) {
        return Cow::Owned(inner);
    }
    Cow::Borrowed(text)
}
