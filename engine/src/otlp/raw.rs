//! A trace request as it came off the wire, before ids and times are checked. Both encodings are
//! read into this form, so that everything after it exists once.
//!
//! What is wrong with one span only (a bad number, too deep values) is kept as its `fault`; the rest
//! of the request is not affected.

use std::borrow::Cow;

use super::error::DecodeError;
use super::logs::BODY;
use super::value::{KeyValue, Value, unique_keys};

/// Deepest nesting of an attribute value; deeper ones cost their span.
pub(crate) const VALUE_DEPTH_MAX: usize = 64;
/// Longest key of an attribute.
pub(super) const KEY_BYTES_MAX: usize = 256;
/// Most values, events and links of one span; a span with more is rejected.
pub(crate) const SPAN_NODES_MAX: usize = 100_000;
/// Most values, events and links of one request: bounds memory at a few hundred megabytes.
const REQUEST_NODES_MAX: usize = 16_000_000;
/// Most spans of one request.
const REQUEST_SPANS_MAX: usize = 1_000_000;
/// Memory that what is read of any request may take ...
const REQUEST_MEMORY_BYTES_MIN: usize = 16 << 20;
/// ... and of one that is longer than that, for each of its bytes: more than spans with ids, times and a name need,
/// and less than a span, event or attribute that is nearly empty.
const REQUEST_MEMORY_FACTOR: usize = 6;

/// One `ExportTraceServiceRequest`, which is also `TracesData`; or the same of logs.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawRequest<'a> {
    pub(super) resources: Vec<RawResource<'a>>,
    /// Whether it has log records, and perhaps no spans.
    pub(super) has_records: bool,
    pub(super) changed_keys: ChangedKeys,
}

/// `ResourceSpans` or `ResourceLogs`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawResource<'a> {
    pub(super) attributes: Vec<KeyValue<'a>>,
    pub(super) dropped_attributes_count: u64,
    pub(super) schema_url: Cow<'a, str>,
    pub(super) scopes: Vec<RawScope<'a>>,
    pub(super) fault: Option<String>,
}

/// `ScopeSpans` or `ScopeLogs`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawScope<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) version: Cow<'a, str>,
    pub(super) attributes: Vec<KeyValue<'a>>,
    pub(super) dropped_attributes_count: u64,
    pub(super) schema_url: Cow<'a, str>,
    pub(super) spans: Vec<RawSpan<'a>>,
    pub(super) records: Vec<RawRecord<'a>>,
    pub(super) fault: Option<String>,
}

/// An enum that may be a number or, against the standard, a name.
#[derive(Debug, PartialEq)]
pub(super) enum RawEnum<'a> {
    Number(i64),
    Name(Cow<'a, str>),
}

impl Default for RawEnum<'_> {
    fn default() -> Self {
        RawEnum::Number(0)
    }
}

/// `Span`. Ids are texts: what JSON sent, or the hex of what protobuf sent.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawSpan<'a> {
    pub(super) trace_id: Cow<'a, str>,
    pub(super) span_id: Cow<'a, str>,
    pub(super) parent_span_id: Cow<'a, str>,
    pub(super) trace_state: Cow<'a, str>,
    pub(super) flags: u64,
    pub(super) name: Cow<'a, str>,
    pub(super) kind: RawEnum<'a>,
    pub(super) start_time_ns: u64,
    pub(super) end_time_ns: u64,
    pub(super) attributes: Vec<KeyValue<'a>>,
    pub(super) dropped_attributes_count: u64,
    pub(super) events: Vec<RawEvent<'a>>,
    pub(super) dropped_events_count: u64,
    pub(super) links: Vec<RawLink<'a>>,
    pub(super) dropped_links_count: u64,
    pub(super) status_code: RawEnum<'a>,
    pub(super) status_message: Cow<'a, str>,
    pub(super) fault: Option<String>,
}

/// `Span.Event`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawEvent<'a> {
    pub(super) time_ns: u64,
    pub(super) name: Cow<'a, str>,
    pub(super) attributes: Vec<KeyValue<'a>>,
    pub(super) dropped_attributes_count: u64,
}

/// `LogRecord`. Its body is among the attributes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawRecord<'a> {
    pub(super) trace_id: Cow<'a, str>,
    pub(super) span_id: Cow<'a, str>,
    pub(super) time_ns: u64,
    pub(super) observed_time_ns: u64,
    pub(super) event_name: Cow<'a, str>,
    pub(super) severity_number: u64,
    pub(super) severity_text: Cow<'a, str>,
    pub(super) attributes: Vec<KeyValue<'a>>,
    pub(super) fault: Option<String>,
}

impl<'a> RawRecord<'a> {
    /// Puts a body among the attributes, beside one of that name.
    pub(super) fn add_body(&mut self, body: Value<'a>) {
        if body == Value::Unset {
            return;
        }
        let is_taken = self.attributes.iter().any(|pair| pair.key == BODY);
        let key = if is_taken { "log.body" } else { BODY };
        self.attributes.push(KeyValue {
            key: key.into(),
            value: body,
        });
    }
}

/// `Span.Link`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawLink<'a> {
    pub(super) trace_id: Cow<'a, str>,
    pub(super) span_id: Cow<'a, str>,
    pub(super) trace_state: Cow<'a, str>,
    pub(super) flags: u64,
    pub(super) attributes: Vec<KeyValue<'a>>,
    pub(super) dropped_attributes_count: u64,
}

/// Keys of attributes that are not stored as they were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangedKeys {
    /// Keys that were cut for their length.
    pub cut: u64,
    /// Keys sent twice in one list of attributes, beyond the first time; the last value is kept.
    pub repeated: u64,
}

/// What is stored of a key that is too long. What is cut off is told by a hash at its end, so that different keys stay
/// different.
pub(crate) fn cut_key(key: &str) -> Option<String> {
    if key.len() <= KEY_BYTES_MAX {
        return None;
    }
    let hash = twox_hash::XxHash3_64::oneshot(key.as_bytes());
    let start = key.floor_char_boundary(KEY_BYTES_MAX - 17);
    Some(format!(
        "{}~{hash:016x}",
        key.get(..start).unwrap_or_default()
    ))
}

/// Counts what a request holds, and keeps the first fault of the part being read.
#[derive(Debug)]
pub(super) struct Limits {
    request_bytes: usize,
    /// Bytes that what is read may still take; 0 from when it would have taken more.
    memory_left: usize,
    span_nodes: usize,
    request_nodes: usize,
    spans: usize,
    fault: Option<String>,
    changed_keys: ChangedKeys,
}

impl Limits {
    /// Of a request of so many bytes.
    pub(super) fn of(request_bytes: usize) -> Self {
        let memory_left = request_bytes
            .saturating_mul(REQUEST_MEMORY_FACTOR)
            .saturating_add(REQUEST_MEMORY_BYTES_MIN);
        Self {
            request_bytes,
            memory_left,
            span_nodes: 0,
            request_nodes: 0,
            spans: 0,
            fault: None,
            changed_keys: ChangedKeys::default(),
        }
    }

    /// Counts the memory of a `T` before it is made; false when there is none left.
    fn take_memory<T>(&mut self) -> bool {
        self.memory_left = self.memory_left.saturating_sub(size_of::<T>());
        self.memory_left > 0
    }

    /// Counts a resource, scope or span before it is made.
    ///
    /// # Errors
    /// When what was read so far takes more memory than a request of this length may: nothing of it is kept then.
    pub(super) fn count_part<T>(&mut self) -> Result<(), DecodeError> {
        self.take_memory::<T>();
        self.check_memory()
    }

    /// Whether all that was read had room.
    ///
    /// # Errors
    /// As [`Limits::count_part`].
    pub(super) fn check_memory(&self) -> Result<(), DecodeError> {
        if self.memory_left > 0 {
            return Ok(());
        }
        let bytes = self.request_bytes;
        Err(DecodeError::new(format!(
            "a request of {bytes} bytes with so many spans, attributes, events or links that most are nearly \
             empty: send it in several"
        )))
    }

    /// Counts an event or link of type `T`; false when it must not be kept.
    pub(super) fn count_item<T>(&mut self) -> bool {
        self.count_node(0) && self.take_memory::<T>()
    }

    /// A list of attributes with keys that are unique and not too long.
    pub(super) fn keys<'a>(&mut self, mut pairs: Vec<KeyValue<'a>>) -> Vec<KeyValue<'a>> {
        for pair in &mut pairs {
            if let Some(cut) = cut_key(&pair.key) {
                pair.key = Cow::Owned(cut);
                self.changed_keys.cut += 1;
            }
        }
        let count = pairs.len();
        let pairs = unique_keys(pairs);
        self.changed_keys.repeated += (count - pairs.len()) as u64;
        pairs
    }

    /// What happened to keys.
    pub(super) fn changed_keys(&self) -> ChangedKeys {
        self.changed_keys
    }

    /// Starts a part that can be rejected by itself: a span, a resource or a scope.
    pub(super) fn begin_part(&mut self) {
        self.span_nodes = 0;
        self.fault = None;
    }

    /// Ends it and hands out its fault.
    pub(super) fn end_part(&mut self) -> Option<String> {
        self.fault.take()
    }

    /// Counts a span; false when the request has too many.
    pub(super) fn count_span(&mut self) -> bool {
        self.spans += 1;
        self.spans <= REQUEST_SPANS_MAX
    }

    /// Counts a value at a nesting depth; false when it must not be kept.
    pub(super) fn count_node(&mut self, depth: usize) -> bool {
        self.span_nodes += 1;
        self.request_nodes += 1;
        if depth > VALUE_DEPTH_MAX {
            self.fail(format_args!(
                "attributes nest deeper than {VALUE_DEPTH_MAX} levels"
            ));
        } else if self.span_nodes > SPAN_NODES_MAX {
            self.fail(format_args!(
                "more than {SPAN_NODES_MAX} values, events and links"
            ));
        } else if self.request_nodes > REQUEST_NODES_MAX {
            self.fail(format_args!(
                "the request has more than {REQUEST_NODES_MAX} values, events and links"
            ));
        } else if !self.take_memory::<KeyValue<'_>>() {
            // The whole request is refused, at the latest when all of it is read.
            self.fail("the request is nearly empty");
        }
        self.fault.is_none()
    }

    /// Notes what is wrong with this part; the first reason stays.
    pub(super) fn fail(&mut self, reason: impl std::fmt::Display) {
        if self.fault.is_none() {
            self.fault = Some(reason.to_string());
        }
    }

    /// Whether this part is rejected already, so that nothing more of it needs keeping.
    pub(super) fn failed(&self) -> bool {
        self.fault.is_some()
    }

    /// The message for a request with too many spans.
    pub(super) fn too_many_spans() -> String {
        format!("more than {REQUEST_SPANS_MAX} spans in one request: send several")
    }
}
