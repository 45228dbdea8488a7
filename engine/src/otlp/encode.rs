//! Spans of the model to an `ExportTraceServiceRequest` in protobuf: the other direction of `proto` and `span`.
//!
//! ```text
//! spans -> by resource -> by scope -> messages (prost) -> bytes
//! ```
//!
//! Invariants
//! * **EN-1** what was received as OTLP is sent as it was received, as far as it is stored: decoding gives equal spans. Columns
//!   that the conventions fill (model, tokens, cost) are made of attributes, and are not sent besides.
//! * **EN-2** ids that are none of OTLP's, which other products have, become a hash of 16 or 8 bytes, the same one each time,
//!   so that parents and links still fit. The id itself goes along as an attribute `tracehouse.trace_id` or
//!   `tracehouse.span_id`.
//!
//! Words for a kind or a status that OTLP does not have, which it cannot send, go along as attributes in the same way.

mod messages;

use std::borrow::Cow;
use std::collections::HashMap;

use prost::Message;
use serde::Deserialize;
use serde_json::value::RawValue;
use tracehouse_storage::model::{Event, Link, Span};
use twox_hash::XxHash3_128;

use super::id::{SPAN_ID_BYTES, TRACE_ID_BYTES};
use super::span::{KINDS, STATUSES};
use super::stored::read_object;
use super::value::{KeyValue, Value};
use messages as message;

const TRACE_ID: &str = "tracehouse.trace_id";
const SPAN_ID: &str = "tracehouse.span_id";
const KIND: &str = "tracehouse.kind";
const STATUS: &str = "tracehouse.status_code";
const SERVICE_NAME: &str = "service.name";

/// The `extra` column, see `extra.rs`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Extra<'a> {
    trace_state: Cow<'a, str>,
    flags: u64,
    dropped_attributes_count: u64,
    dropped_events_count: u64,
    dropped_links_count: u64,
    kind: Option<Unknown>,
    status_code: Option<Unknown>,
    #[serde(borrow)]
    scope_attributes: Option<&'a RawValue>,
    scope_dropped_attributes_count: u64,
    scope_schema_url: Cow<'a, str>,
    resource_dropped_attributes_count: u64,
    resource_schema_url: Cow<'a, str>,
    events: Vec<ExtraPart>,
    links: Vec<ExtraPart>,
}

/// What an event or a link has besides.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ExtraPart {
    index: usize,
    trace_state: String,
    flags: u64,
    dropped_attributes_count: u64,
}

/// A kind or a status that no word is known for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Unknown {
    Number(i64),
    Name(String),
}

/// What spans of one `ResourceSpans` share.
#[derive(PartialEq, Eq, Hash)]
struct ResourceKey {
    resource: String,
    service_name: Option<String>,
    dropped_attributes_count: u64,
    schema_url: String,
}

/// What spans of one `ScopeSpans` share.
#[derive(PartialEq, Eq, Hash)]
struct ScopeKey {
    resource: usize,
    name: Option<String>,
    version: Option<String>,
    attributes: Option<String>,
    dropped_attributes_count: u64,
    schema_url: String,
}

/// The request that has these spans. Resources, scopes and the spans of each are in the order in which they come first.
pub(crate) fn request(spans: &[Span]) -> Vec<u8> {
    let mut request = message::Request::default();
    let (mut resources, mut scopes) = (HashMap::new(), HashMap::new());
    for span in spans {
        let extra = span.extra.as_deref().map(serde_json::from_str::<Extra<'_>>);
        let extra = extra.and_then(Result::ok).unwrap_or_default();
        let key = resource_key(span, &extra);
        let next = request.resources.len();
        let at = *resources.entry(key).or_insert(next);
        if at == next {
            request.resources.push(resource(span, &extra));
        }
        let Some(resource) = request.resources.get_mut(at) else {
            continue;
        };
        let next = resource.scopes.len();
        let scope_at = *scopes.entry(scope_key(at, span, &extra)).or_insert(next);
        if scope_at == next {
            resource.scopes.push(scope(span, &extra));
        }
        if let Some(scope) = resource.scopes.get_mut(scope_at) {
            scope.spans.push(encoded(span, extra));
        }
    }
    request.encode_to_vec()
}

fn resource_key(span: &Span, extra: &Extra<'_>) -> ResourceKey {
    ResourceKey {
        resource: span.resource.clone(),
        service_name: span.service_name.clone(),
        dropped_attributes_count: extra.resource_dropped_attributes_count,
        schema_url: extra.resource_schema_url.to_string(),
    }
}

fn scope_key(resource: usize, span: &Span, extra: &Extra<'_>) -> ScopeKey {
    ScopeKey {
        resource,
        name: span.scope_name.clone(),
        version: span.scope_version.clone(),
        attributes: extra.scope_attributes.map(|text| text.get().to_string()),
        dropped_attributes_count: extra.scope_dropped_attributes_count,
        schema_url: extra.scope_schema_url.to_string(),
    }
}

fn resource(span: &Span, extra: &Extra<'_>) -> message::ResourceSpans {
    let mut attributes = attributes(&span.resource);
    // Products that are no OTLP name the service alone.
    let names_service = attributes.iter().any(|pair| pair.key == SERVICE_NAME);
    if let Some(name) = span.service_name.as_deref().filter(|_| !names_service) {
        attributes.push(text_attribute(SERVICE_NAME, name));
    }
    message::ResourceSpans {
        resource: Some(message::Resource {
            attributes,
            dropped_attributes_count: count(extra.resource_dropped_attributes_count),
        }),
        scopes: Vec::new(),
        schema_url: extra.resource_schema_url.to_string(),
    }
}

fn scope(span: &Span, extra: &Extra<'_>) -> message::ScopeSpans {
    let named = extra.scope_attributes.map(RawValue::get);
    message::ScopeSpans {
        scope: Some(message::Scope {
            name: span.scope_name.clone().unwrap_or_default(),
            version: span.scope_version.clone().unwrap_or_default(),
            attributes: named.map(attributes).unwrap_or_default(),
            dropped_attributes_count: count(extra.scope_dropped_attributes_count),
        }),
        spans: Vec::new(),
        schema_url: extra.scope_schema_url.to_string(),
    }
}

fn encoded(span: &Span, extra: Extra<'_>) -> message::Span {
    let mut attributes = attributes(&span.attributes);
    let kind = number(KIND, &span.kind, &KINDS, extra.kind, &mut attributes);
    let code = number(
        STATUS,
        &span.status,
        &STATUSES,
        extra.status_code,
        &mut attributes,
    );
    let events = span.events.iter().map(event).collect();
    let links = span.links.iter().map(link).collect();
    let message = span.status_message.clone().unwrap_or_default();
    let parent = span.parent_span_id.as_deref();
    let mut encoded = message::Span {
        trace_id: named_id(TRACE_ID, &span.trace_id, TRACE_ID_BYTES, &mut attributes),
        span_id: named_id(SPAN_ID, &span.span_id, SPAN_ID_BYTES, &mut attributes),
        trace_state: extra.trace_state.into_owned(),
        parent_span_id: parent.map_or(Vec::new(), |id| id_bytes(id, SPAN_ID_BYTES).0),
        name: span.name.clone(),
        kind,
        start_time_ns: time(span.start_time_ns),
        end_time_ns: span.end_time_ns.map_or(0, time),
        attributes,
        dropped_attributes_count: count(extra.dropped_attributes_count),
        events,
        dropped_events_count: count(extra.dropped_events_count),
        links,
        dropped_links_count: count(extra.dropped_links_count),
        status: (code != 0 || !message.is_empty()).then_some(message::Status { message, code }),
        flags: count(extra.flags),
    };
    for part in extra.events {
        if let Some(event) = encoded.events.get_mut(part.index) {
            event.dropped_attributes_count = count(part.dropped_attributes_count);
        }
    }
    for part in extra.links {
        if let Some(link) = encoded.links.get_mut(part.index) {
            link.dropped_attributes_count = count(part.dropped_attributes_count);
            link.flags = count(part.flags);
            link.trace_state = part.trace_state;
        }
    }
    encoded
}

fn event(event: &Event) -> message::Event {
    message::Event {
        time_ns: time(event.time_ns),
        name: event.name.clone(),
        attributes: attributes(&event.attributes),
        dropped_attributes_count: 0,
    }
}

fn link(link: &Link) -> message::Link {
    let mut attributes = attributes(&link.attributes);
    message::Link {
        trace_id: named_id(TRACE_ID, &link.trace_id, TRACE_ID_BYTES, &mut attributes),
        span_id: named_id(SPAN_ID, &link.span_id, SPAN_ID_BYTES, &mut attributes),
        attributes,
        ..message::Link::default()
    }
}

/// The number of an enum: that of its word, or what was received when no word is known for it.
fn number(
    key: &str,
    word: &str,
    words: &[&str],
    unknown: Option<Unknown>,
    attributes: &mut Vec<message::KeyValue>,
) -> i64 {
    let known = words.iter().position(|known| *known == word);
    let named = match (unknown, known) {
        (Some(Unknown::Number(number)), _) => return number,
        (Some(Unknown::Name(name)), _) => name,
        (None, Some(number)) => return i64::try_from(number).unwrap_or(0),
        (None, None) => word.to_string(),
    };
    if !named.is_empty() {
        attributes.push(text_attribute(key, &named));
    }
    0
}

/// An id as it is sent. One that is none of OTLP's goes along as an attribute.
fn named_id(key: &str, id: &str, bytes: usize, attributes: &mut Vec<message::KeyValue>) -> Vec<u8> {
    let (sent, is_hash) = id_bytes(id, bytes);
    if is_hash {
        attributes.push(text_attribute(key, id));
    }
    sent
}

/// The bytes of an id of `bytes` bytes, and whether they are a hash of it. No id has no bytes.
fn id_bytes(id: &str, bytes: usize) -> (Vec<u8>, bool) {
    if id.is_empty() {
        return (Vec::new(), false);
    }
    let is_whole = id.len() == 2 * bytes && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u128::from_str_radix(id, 16)
        .ok()
        .filter(|number| is_whole && *number != 0);
    let (number, is_hash) = match number {
        Some(number) => (number, false),
        None => (hash(id, bytes), true),
    };
    let all = number.to_be_bytes();
    let unused = all.len().saturating_sub(bytes);
    (all.iter().skip(unused).copied().collect(), is_hash)
}

/// A number of `bytes` bytes for a text, never 0, which OTLP takes for none.
fn hash(text: &str, bytes: usize) -> u128 {
    let hash = XxHash3_128::oneshot(text.as_bytes());
    let unused = (size_of::<u128>().saturating_sub(bytes) * 8) as u32;
    hash.checked_shr(unused).unwrap_or(0).max(1)
}

fn time(time_ns: i64) -> u64 {
    u64::try_from(time_ns).unwrap_or(0)
}

/// Counts and flags have 32 bits; more was never legal.
fn count(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn attributes(text: &str) -> Vec<message::KeyValue> {
    read_object(text).into_iter().map(pair).collect()
}

fn text_attribute(key: &str, text: &str) -> message::KeyValue {
    message::KeyValue {
        key: key.to_string(),
        value: Some(value(Value::String(text.into()))),
    }
}

fn pair(pair: KeyValue<'_>) -> message::KeyValue {
    message::KeyValue {
        key: pair.key.into_owned(),
        value: Some(value(pair.value)),
    }
}

fn value(value: Value<'_>) -> message::AnyValue {
    use message::any_value::Value as Sent;
    let sent = match value {
        Value::Unset => None,
        Value::String(text) => Some(Sent::String(text.into_owned())),
        Value::Bool(truth) => Some(Sent::Bool(truth)),
        Value::Int(number) => Some(Sent::Int(number)),
        Value::Double(number) => Some(Sent::Double(number)),
        Value::Bytes(bytes) => Some(Sent::Bytes(bytes.into_owned())),
        Value::Array(items) => Some(Sent::Array(message::ArrayValue {
            values: items.into_iter().map(self::value).collect(),
        })),
        Value::KeyValues(pairs) => Some(Sent::KeyValues(message::KeyValueList {
            values: pairs.into_iter().map(pair).collect(),
        })),
    };
    message::AnyValue { value: sent }
}

#[cfg(test)]
mod tests;
