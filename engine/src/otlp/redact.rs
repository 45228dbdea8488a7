//! Redaction of a raw request: attributes of every kind, names and messages. Ids stay.

use std::borrow::Cow;

use super::raw::{RawEvent, RawLink, RawRequest, RawResource, RawScope, RawSpan};
use super::value::{KeyValue, Value, unique_keys};
use crate::redact::{Pass, RedactionField};

/// Redacts everything of a request that will be stored.
pub(super) fn request(pass: &mut Pass<'_>, request: &mut RawRequest<'_>) {
    for RawResource { attributes, scopes, schema_url, .. } in &mut request.resources {
        pairs(pass, "resource", attributes);
        text(pass, "resource", schema_url);
        for RawScope { name, version, attributes, schema_url, spans, .. } in scopes {
            pairs(pass, "scope", attributes);
            for part in [name, version, schema_url] {
                text(pass, "scope", part);
            }
            spans.iter_mut().for_each(|each| span(pass, each));
        }
    }
}

fn span(pass: &mut Pass<'_>, span: &mut RawSpan<'_>) {
    pairs(pass, "attributes", &mut span.attributes);
    text(pass, "name", &mut span.name);
    text(pass, "status_message", &mut span.status_message);
    text(pass, "trace_state", &mut span.trace_state);
    for RawEvent { name, attributes, .. } in &mut span.events {
        text(pass, "events", name);
        pairs(pass, "events", attributes);
    }
    for RawLink { attributes, trace_state, .. } in &mut span.links {
        text(pass, "links", trace_state);
        pairs(pass, "links", attributes);
    }
}

fn text(pass: &mut Pass<'_>, part: &str, text: &mut Cow<'_, str>) {
    if let Some(changed) = pass.text(RedactionField { part, key: None }, text) {
        *text = Cow::Owned(changed);
    }
}

fn pairs(pass: &mut Pass<'_>, part: &str, attributes: &mut Vec<KeyValue<'_>>) {
    let mut changed_key = false;
    for KeyValue { key, value } in attributes.iter_mut() {
        if pass.is_secret(key) {
            hide(pass, value);
        } else {
            redact(pass, part, key, value);
        }
        if pass.reads_texts()
            && let Some(changed) = pass.matches(key)
        {
            *key = Cow::Owned(changed);
            changed_key = true;
        }
    }
    if changed_key {
        *attributes = unique_keys(std::mem::take(attributes));
    }
}

/// Hides a value under a secret name, unless it says nothing.
fn hide(pass: &mut Pass<'_>, value: &mut Value<'_>) {
    let hidden = match value {
        Value::Unset | Value::Bool(_) => None,
        Value::String(text) => pass.hide(text),
        Value::Array(items) if items.is_empty() => None,
        Value::KeyValues(members) if members.is_empty() => None,
        _ => Some(pass.hide_value()),
    };
    if let Some(hidden) = hidden {
        *value = Value::String(Cow::Owned(hidden));
    }
}

fn redact(pass: &mut Pass<'_>, part: &str, key: &str, value: &mut Value<'_>) {
    let field = RedactionField { part, key: Some(key) };
    match value {
        Value::Unset | Value::Bool(_) => {}
        Value::String(text) => {
            if let Some(changed) = pass.text(field, text) {
                *text = Cow::Owned(changed);
            }
        }
        Value::Int(_) | Value::Double(_) => number(pass, field, value),
        Value::Bytes(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            if let Some(changed) = pass.text(field, &text) {
                *bytes = Cow::Owned(changed.into_bytes());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact(pass, part, key, item)),
        Value::KeyValues(members) => pairs(pass, part, members),
    }
}

fn number(pass: &mut Pass<'_>, field: RedactionField<'_>, value: &mut Value<'_>) {
    if !pass.reads_numbers() || field.key.is_some_and(|key| pass.is_allowed(key)) {
        return;
    }
    let digits = match value {
        Value::Int(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        _ => return,
    };
    if let Some(changed) = pass.matches(&digits) {
        *value = Value::String(Cow::Owned(changed));
    }
}
