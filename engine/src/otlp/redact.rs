//! Redaction of a raw request: attributes of every kind, names and messages. Ids stay.

use std::borrow::Cow;

use super::raw::{RawEvent, RawLink, RawRecord, RawRequest, RawResource, RawScope, RawSpan};
use super::value::{KeyValue, Value, unique_keys};
use crate::redact::{Pass, RedactionField, Secrecy};

/// Redacts everything of a request that will be stored.
pub(super) fn request(pass: &mut Pass<'_>, request: &mut RawRequest<'_>) {
    for RawResource {
        attributes,
        scopes,
        schema_url,
        ..
    } in &mut request.resources
    {
        pairs(pass, "resource", attributes);
        text(pass, "resource", schema_url);
        for RawScope {
            name,
            version,
            attributes,
            schema_url,
            spans,
            records,
            ..
        } in scopes
        {
            pairs(pass, "scope", attributes);
            for part in [name, version, schema_url] {
                text(pass, "scope", part);
            }
            spans.iter_mut().for_each(|each| span(pass, each));
            records.iter_mut().for_each(|each| record(pass, each));
        }
    }
}

fn span(pass: &mut Pass<'_>, span: &mut RawSpan<'_>) {
    pairs(pass, "attributes", &mut span.attributes);
    text(pass, "name", &mut span.name);
    text(pass, "status_message", &mut span.status_message);
    trace_state(pass, "trace_state", &mut span.trace_state);
    for RawEvent {
        name, attributes, ..
    } in &mut span.events
    {
        text(pass, "events", name);
        pairs(pass, "events", attributes);
    }
    for RawLink {
        attributes,
        trace_state: state,
        ..
    } in &mut span.links
    {
        trace_state(pass, "links", state);
        pairs(pass, "links", attributes);
    }
}

fn record(pass: &mut Pass<'_>, record: &mut RawRecord<'_>) {
    text(pass, "events", &mut record.event_name);
    text(pass, "events", &mut record.severity_text);
    pairs(pass, "events", &mut record.attributes);
}

fn text(pass: &mut Pass<'_>, part: &str, text: &mut Cow<'_, str>) {
    if let Some(changed) = pass.text(RedactionField { part, key: None }, text) {
        *text = Cow::Owned(changed);
    }
}

fn trace_state(pass: &mut Pass<'_>, part: &str, text: &mut Cow<'_, str>) {
    if text.is_empty() {
        return;
    }
    if let Some(changed) = pass.trace_state(part, text) {
        *text = Cow::Owned(changed);
    }
}

fn pairs(pass: &mut Pass<'_>, part: &str, attributes: &mut Vec<KeyValue<'_>>) {
    let mut changed_key = false;
    let named = named(pass, attributes);
    let has_logprob = attributes.iter().any(|pair| pair.key == "logprob");
    for KeyValue { key, value } in attributes.iter_mut() {
        let secrecy = match (pass.secrecy(key), named) {
            (Secrecy::None, Some(secrecy)) if key.eq_ignore_ascii_case("value") => secrecy,
            // A token with its probability, as models' answers list them.
            (Secrecy::Likely, _) if has_logprob => Secrecy::None,
            (secrecy, _) => secrecy,
        };
        if !hide(pass, secrecy, value) {
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

/// What the name says of a pair that is spelled out, `{"name": "password", "value": "..."}`.
fn named(pass: &Pass<'_>, members: &[KeyValue<'_>]) -> Option<Secrecy> {
    members
        .iter()
        .find(|member| member.key.eq_ignore_ascii_case("value"))?;
    let is_name = |member: &&KeyValue<'_>| matches!(&*member.key, "name" | "key" | "header");
    match &members.iter().find(is_name)?.value {
        Value::String(name) => Some(pass.secrecy(name)),
        _ => None,
    }
}

/// Hides a value, unless it says nothing; whether it did.
fn hide(pass: &mut Pass<'_>, secrecy: Secrecy, value: &mut Value<'_>) -> bool {
    if secrecy == Secrecy::None {
        return false;
    }
    let hidden = match value {
        Value::String(text) => pass.hide(secrecy, text),
        _ => says_something(value, secrecy).then(|| pass.hide_value()),
    };
    let is_hidden = hidden.is_some();
    if let Some(hidden) = hidden {
        *value = Value::String(Cow::Owned(hidden));
    }
    is_hidden
}

/// Whether a value holds anything; where the name is only likely to mean secrets, any text.
fn says_something(value: &Value<'_>, secrecy: Secrecy) -> bool {
    match value {
        Value::Unset | Value::Bool(_) => false,
        Value::String(text) => !text.is_empty(),
        Value::Int(_) | Value::Double(_) => secrecy == Secrecy::Certain,
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::Array(items) => items.iter().any(|item| says_something(item, secrecy)),
        Value::KeyValues(members) => members
            .iter()
            .any(|member| says_something(&member.value, secrecy)),
    }
}

fn redact(pass: &mut Pass<'_>, part: &str, key: &str, value: &mut Value<'_>) {
    let field = RedactionField {
        part,
        key: Some(key),
    };
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
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| redact(pass, part, key, item)),
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
