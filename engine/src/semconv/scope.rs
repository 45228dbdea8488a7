//! To whom and what a span belongs: session, user, and what a root span says of its trace.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tracehouse_storage::model::TRACE_NAME_TAG;

use crate::otlp::value::{KeyValue, Value};

use super::keys::{Found, object, unquoted, word, word_of};
use super::producers::{Concern, Into, PRODUCERS};

/// The value of a tag that is a label: there or not.
const LABEL: &str = "true";

/// Tags that say where a store keeps a trace: never taken from outside, as in MLflow.
pub(crate) const STORE_TAGS: &[&str] = &[
    "mlflow.artifactLocation",
    "mlflow.trace.spansLocation",
    "mlflow.trace.archiveLocation",
    "mlflow.trace.archivalFailure",
];

/// What Logfire puts in the place of a value whose name or text looks like a secret, and of sessions, too.
const SCRUBBED: &str = "[Scrubbed due to ";

pub(super) fn session_id(found: &Found<'_>) -> Option<String> {
    by_name(found).or_else(|| first_id(found, Concern::ThreadId))
}

fn by_name(found: &Found<'_>) -> Option<String> {
    first_id(found, Concern::SessionId)
}

/// The first candidate that is an id.
fn first_id(found: &Found<'_>, concern: Concern) -> Option<String> {
    let mut ids = found
        .candidates(concern)
        .filter_map(|(key, value)| word_of(key, value));
    ids.find(|id| !id.starts_with(SCRUBBED))
}

/// Whether a span has no session but that of its conversation or thread.
pub(super) fn session_is_thread(found: &Found<'_>) -> bool {
    by_name(found).is_none() && first_id(found, Concern::ThreadId).is_some()
}

pub(super) fn user_id(found: &Found<'_>) -> Option<String> {
    found.first_word(Concern::UserId)
}

/// The tags of a trace: labels first, so that an entry of the same name wins; then its name.
pub(super) fn trace_tags(
    found: &Found<'_>,
    attributes: &[KeyValue<'_>],
) -> BTreeMap<String, String> {
    let labels = found
        .candidates(Concern::TraceLabels)
        .flat_map(|(_, value)| labels(value));
    let mut tags: BTreeMap<String, String> =
        labels.map(|label| (label, LABEL.to_string())).collect();
    if let Some(name) = found.first_word(Concern::TraceName) {
        tags.insert(TRACE_NAME_TAG.to_string(), name);
    }
    tags.extend(
        entries(attributes, Into::Tags).filter(|(tag, _)| !STORE_TAGS.contains(&tag.as_str())),
    );
    tags
}

/// The metadata of a trace.
pub(super) fn trace_metadata(
    found: &Found<'_>,
    attributes: &[KeyValue<'_>],
) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::new();
    for (key, value) in found.candidates(Concern::TraceMetadata) {
        match object(value) {
            Some(Json::Object(members)) => {
                let said = members.into_iter().filter(|(_, member)| !member.is_null());
                metadata.extend(said.map(|(name, member)| (name, text_of(member))));
            }
            _ => metadata.extend(word(value).map(|word| (key.name.to_string(), word.into_owned()))),
        }
    }
    metadata.extend(entries(attributes, Into::Metadata));
    metadata
}

/// A string itself, another value as JSON text.
fn text_of(json: Json) -> String {
    match json {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// The entries that attributes with the producers' prefixes make: a string (one layer of JSON quoting
/// taken off), or the JSON text of another value.
fn entries<'v>(
    attributes: &'v [KeyValue<'v>],
    into: Into,
) -> impl Iterator<Item = (String, String)> + use<'v> {
    attributes.iter().filter_map(move |pair| {
        let mut all = PRODUCERS.iter().flat_map(|producer| producer.entries);
        let name = all.find_map(|entries| {
            if entries.into == into {
                pair.key.strip_prefix(entries.prefix)
            } else {
                None
            }
        })?;
        let value = match pair.value.as_str() {
            Some(text) => unquoted(text).into_owned(),
            None => pair.value.to_text()?,
        };
        (!name.is_empty()).then(|| (name.to_string(), value))
    })
}

/// The labels of a list, of a list as JSON text, or of a text with commas between them.
fn labels(value: &Value<'_>) -> Vec<String> {
    let listed: Vec<String> = match value {
        Value::Array(items) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_string))
            .collect(),
        Value::String(text) => serde_json::from_str(text)
            .unwrap_or_else(|_| text.split(',').map(str::to_string).collect()),
        _ => Vec::new(),
    };
    listed
        .iter()
        .map(|label| label.trim().to_string())
        .filter(|label| !label.is_empty())
        .collect()
}
