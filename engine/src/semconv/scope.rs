//! To whom and what a span belongs: session, user, and the tags a root span gives its trace.

use std::collections::BTreeMap;

use crate::otlp::value::KeyValue;

use super::keys::{Concern, Found, unquoted};

pub(super) const SESSION_KEYS: &[&str] = &[
    "session.id",
    "gen_ai.conversation.id",
    "traceloop.association.properties.session_id",
    "ai.telemetry.metadata.sessionId",
    "lmnr.association.properties.session_id",
    "langfuse.session.id",
];

pub(super) const USER_KEYS: &[&str] = &[
    "user.id",
    "enduser.id",
    "traceloop.association.properties.user_id",
    "ai.telemetry.metadata.userId",
    "lmnr.association.properties.user_id",
    "langfuse.user.id",
];

const TRACE_TAG_PREFIX: &str = "mlflow.traceTag.";

/// Tags that say where a store keeps a trace: never taken from outside, as in MLflow.
const STORE_TAGS: &[&str] = &[
    "mlflow.artifactLocation",
    "mlflow.trace.spansLocation",
    "mlflow.trace.archiveLocation",
    "mlflow.trace.archivalFailure",
];

pub(super) fn session_id(found: &Found<'_>) -> Option<String> {
    found.first_word(Concern::SessionId)
}

pub(super) fn user_id(found: &Found<'_>) -> Option<String> {
    found.first_word(Concern::UserId)
}

/// Tag `K` of each `mlflow.traceTag.K` attribute: a string (one layer of JSON quoting taken off), or
/// the JSON text of another value.
pub(super) fn trace_tags(attributes: &[KeyValue<'_>]) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for pair in attributes {
        let Some(tag) = pair.key.strip_prefix(TRACE_TAG_PREFIX) else { continue };
        if tag.is_empty() || STORE_TAGS.contains(&tag) {
            continue;
        }
        let value = match pair.value.as_str() {
            Some(text) => unquoted(text).into_owned(),
            None => pair.value.to_text().unwrap_or_default(),
        };
        tags.insert(tag.to_string(), value);
    }
    tags
}
