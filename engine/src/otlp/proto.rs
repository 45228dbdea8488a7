//! OTLP/protobuf to a raw request.
//!
//! Reads the wire format field by field over the received bytes, so that texts are borrowed and the
//! limits hold *before* memory is taken (a generated `prost::Message` makes a whole span of every two
//! bytes `12 00`, and stops at 31 levels of key-value lists). Field numbers are those of
//! `opentelemetry/proto/{trace,logs,common,resource}/v1`; traces and logs have one outline, so that they are told
//! apart by the types of the fields of a span and of a log record. Unknown fields are skipped, the last of a
//! repeated scalar wins, enums are open.

use std::borrow::Cow;
use std::fmt::Write as _;

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::error::DecodeError;
use super::raw::{
    Limits, RawEnum, RawEvent, RawLink, RawRecord, RawRequest, RawResource, RawScope, RawSpan,
};
use super::value::{KeyValue, Value};

type Result<T> = std::result::Result<T, DecodeError>;

/// Reads one message.
///
/// # Errors
/// When it is cut short, has a field of another type than OTLP's, or text that is not UTF-8.
pub(super) fn read(message: &[u8]) -> Result<RawRequest<'_>> {
    let mut limits = Limits::of(message.len());
    let mut request = RawRequest::default();
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        if number == 1 {
            limits.count_part::<RawResource<'_>>()?;
            let message = field.bytes()?;
            let signal = if has_records(message) {
                Signal::Logs
            } else {
                Signal::Traces
            };
            request.has_records |= signal == Signal::Logs;
            request
                .resources
                .push(resource_spans(message, signal, &mut limits)?);
        }
    }
    limits.check_memory()?;
    request.changed_keys = limits.changed_keys();
    Ok(request)
}

/// Whether the message, or the start of one, has the outline of a trace request: `ResourceSpans` in
/// field 1 with known fields, up to where the bytes end.
pub(super) fn looks_like_request(mut start: &[u8], is_whole: bool) -> bool {
    while !start.is_empty() {
        let Ok((number, wire_type)) = decode_key(&mut start) else {
            return !is_whole;
        };
        if number != 1 {
            let context = DecodeContext::default();
            if number < 1000 || skip_field(wire_type, number, &mut start, context).is_err() {
                return false;
            }
            continue;
        }
        if wire_type != WireType::LengthDelimited {
            return false;
        }
        let Ok(length) = decode_varint(&mut start) else {
            return !is_whole;
        };
        let known_first = matches!(start.first(), Some(0x0A | 0x12 | 0x1A) | None);
        let fits = !is_whole || length <= start.len() as u64;
        if length > 0 {
            return known_first && fits;
        }
    }
    true
}

/// One field of a message.
enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            _ => Err(DecodeError::protobuf(
                "a field has another type than OTLP traces give it",
            )),
        }
    }

    fn text(self) -> Result<Cow<'a, str>> {
        match std::str::from_utf8(self.bytes()?) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => Err(DecodeError::protobuf("a text is not UTF-8")),
        }
    }

    fn unsigned(self) -> Result<u64> {
        match self {
            Field::Varint(number) | Field::Fixed64(number) => Ok(number),
            Field::Fixed32(number) => Ok(u64::from(number)),
            Field::Bytes(_) => Err(DecodeError::protobuf(
                "a field has another type than OTLP traces give it",
            )),
        }
    }

    /// An enum, which is a 32-bit number sign-extended to a varint.
    fn enumeration(self) -> Result<RawEnum<'static>> {
        Ok(RawEnum::Number(self.unsigned()?.cast_signed()))
    }
}

/// The fields of a message, in order.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next_field(&mut self) -> Result<Option<(u32, Field<'a>)>> {
        while !self.0.is_empty() {
            let (number, wire_type) = decode_key(&mut self.0).map_err(wire_error)?;
            let field = match wire_type {
                WireType::Varint => Field::Varint(decode_varint(&mut self.0).map_err(wire_error)?),
                WireType::SixtyFourBit => Field::Fixed64(u64::from_le_bytes(self.fixed()?)),
                WireType::ThirtyTwoBit => Field::Fixed32(u32::from_le_bytes(self.fixed()?)),
                WireType::LengthDelimited => Field::Bytes(self.delimited()?),
                WireType::StartGroup | WireType::EndGroup => {
                    let context = DecodeContext::default();
                    skip_field(wire_type, number, &mut self.0, context).map_err(wire_error)?;
                    continue;
                }
            };
            return Ok(Some((number, field)));
        }
        Ok(None)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn delimited(&mut self) -> Result<&'a [u8]> {
        let length = decode_varint(&mut self.0).map_err(wire_error)?;
        let length = usize::try_from(length).map_err(|_| cut_short())?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(bytes)
    }
}

fn wire_error(error: prost::DecodeError) -> DecodeError {
    DecodeError::protobuf(&error.to_string())
}

fn cut_short() -> DecodeError {
    DecodeError::protobuf("it is cut short")
}

/// What a resource has.
#[derive(Clone, Copy, PartialEq)]
enum Signal {
    Traces,
    Logs,
}

/// Whether the first span of a resource is a log record.
fn has_records(resource: &[u8]) -> bool {
    let first = |message, number: u32| {
        let mut fields = Fields(message);
        while let Ok(Some((found, field))) = fields.next_field() {
            if found == number {
                return field.bytes().ok();
            }
        }
        None
    };
    // A scope without spans says nothing, nor does a record without times and flags.
    let mut scopes = Fields(resource);
    while let Ok(Some((number, field))) = scopes.next_field() {
        let Some(record) = field
            .bytes()
            .ok()
            .filter(|_| number == 2)
            .and_then(|scope| first(scope, 2))
        else {
            continue;
        };
        let mut fields = Fields(record);
        while let Ok(Some(field)) = fields.next_field() {
            match field {
                (1, Field::Fixed64(_)) | (8, Field::Fixed32(_)) | (11, Field::Fixed64(_)) => {
                    return true;
                }
                (1, _) => return false,
                _ => {}
            }
        }
    }
    false
}

fn resource_spans<'a>(
    message: &'a [u8],
    signal: Signal,
    limits: &mut Limits,
) -> Result<RawResource<'a>> {
    let mut resource = RawResource::default();
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        match number {
            1 => self::resource(field.bytes()?, &mut resource, limits)?,
            2 => {
                limits.count_part::<RawScope<'_>>()?;
                resource
                    .scopes
                    .push(scope_spans(field.bytes()?, signal, limits)?);
            }
            3 => resource.schema_url = field.text()?,
            _ => {}
        }
    }
    Ok(resource)
}

fn resource<'a>(
    message: &'a [u8],
    resource: &mut RawResource<'a>,
    limits: &mut Limits,
) -> Result<()> {
    limits.begin_part();
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        match number {
            1 => attribute(field.bytes()?, &mut resource.attributes, limits)?,
            2 => resource.dropped_attributes_count = field.unsigned()?,
            _ => {}
        }
    }
    resource.attributes = limits.keys(std::mem::take(&mut resource.attributes));
    // A message sent in two pieces: what one of them lost stays lost.
    resource.fault = limits.end_part().or(resource.fault.take());
    Ok(())
}

fn scope_spans<'a>(message: &'a [u8], signal: Signal, limits: &mut Limits) -> Result<RawScope<'a>> {
    let mut scope = RawScope::default();
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        match number {
            1 => self::scope(field.bytes()?, &mut scope, limits)?,
            2 if signal == Signal::Logs => scope.records.push(record(field.bytes()?, limits)?),
            2 => scope.spans.push(span(field.bytes()?, limits)?),
            3 => scope.schema_url = field.text()?,
            _ => {}
        }
    }
    Ok(scope)
}

fn scope<'a>(message: &'a [u8], scope: &mut RawScope<'a>, limits: &mut Limits) -> Result<()> {
    limits.begin_part();
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        match number {
            1 => scope.name = field.text()?,
            2 => scope.version = field.text()?,
            3 => attribute(field.bytes()?, &mut scope.attributes, limits)?,
            4 => scope.dropped_attributes_count = field.unsigned()?,
            _ => {}
        }
    }
    scope.attributes = limits.keys(std::mem::take(&mut scope.attributes));
    scope.fault = limits.end_part().or(scope.fault.take());
    Ok(())
}

fn span<'a>(message: &'a [u8], limits: &mut Limits) -> Result<RawSpan<'a>> {
    if !limits.count_span() {
        return Err(DecodeError::new(Limits::too_many_spans()));
    }
    limits.count_part::<RawSpan<'_>>()?;
    limits.begin_part();
    let mut span = RawSpan::default();
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        match number {
            1 => span.trace_id = hex(field.bytes()?),
            2 => span.span_id = hex(field.bytes()?),
            3 => span.trace_state = field.text()?,
            4 => span.parent_span_id = hex(field.bytes()?),
            5 => span.name = field.text()?,
            6 => span.kind = field.enumeration()?,
            7 => span.start_time_ns = field.unsigned()?,
            8 => span.end_time_ns = field.unsigned()?,
            9 => attribute(field.bytes()?, &mut span.attributes, limits)?,
            10 => span.dropped_attributes_count = field.unsigned()?,
            11 if limits.count_item::<RawEvent<'_>>() => {
                span.events.push(event(field.bytes()?, limits)?)
            }
            12 => span.dropped_events_count = field.unsigned()?,
            13 if limits.count_item::<RawLink<'_>>() => {
                span.links.push(link(field.bytes()?, limits)?)
            }
            14 => span.dropped_links_count = field.unsigned()?,
            15 => status(field.bytes()?, &mut span)?,
            16 => span.flags = field.unsigned()?,
            _ => {}
        }
    }
    span.attributes = limits.keys(std::mem::take(&mut span.attributes));
    span.fault = limits.end_part();
    Ok(span)
}

fn record<'a>(message: &'a [u8], limits: &mut Limits) -> Result<RawRecord<'a>> {
    if !limits.count_span() {
        return Err(DecodeError::new(Limits::too_many_spans()));
    }
    limits.count_part::<RawRecord<'_>>()?;
    limits.begin_part();
    let (mut record, mut body) = (RawRecord::default(), Value::Unset);
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        match number {
            1 => record.time_ns = field.unsigned()?,
            2 => record.severity_number = field.unsigned()?,
            3 => record.severity_text = field.text()?,
            5 => body = value(field.bytes()?, 1, limits)?,
            6 => attribute(field.bytes()?, &mut record.attributes, limits)?,
            9 => record.trace_id = hex(field.bytes()?),
            10 => record.span_id = hex(field.bytes()?),
            11 => record.observed_time_ns = field.unsigned()?,
            12 => record.event_name = field.text()?,
            _ => {}
        }
    }
    record.attributes = limits.keys(std::mem::take(&mut record.attributes));
    record.add_body(body);
    record.fault = limits.end_part();
    Ok(record)
}

fn status<'a>(message: &'a [u8], span: &mut RawSpan<'a>) -> Result<()> {
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        match number {
            2 => span.status_message = field.text()?,
            3 => span.status_code = field.enumeration()?,
            _ => {}
        }
    }
    Ok(())
}

fn event<'a>(message: &'a [u8], limits: &mut Limits) -> Result<RawEvent<'a>> {
    let mut event = RawEvent::default();
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        match number {
            1 => event.time_ns = field.unsigned()?,
            2 => event.name = field.text()?,
            3 => attribute(field.bytes()?, &mut event.attributes, limits)?,
            4 => event.dropped_attributes_count = field.unsigned()?,
            _ => {}
        }
    }
    event.attributes = limits.keys(event.attributes);
    Ok(event)
}

fn link<'a>(message: &'a [u8], limits: &mut Limits) -> Result<RawLink<'a>> {
    let mut link = RawLink::default();
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        match number {
            1 => link.trace_id = hex(field.bytes()?),
            2 => link.span_id = hex(field.bytes()?),
            3 => link.trace_state = field.text()?,
            4 => attribute(field.bytes()?, &mut link.attributes, limits)?,
            5 => link.dropped_attributes_count = field.unsigned()?,
            6 => link.flags = field.unsigned()?,
            _ => {}
        }
    }
    link.attributes = limits.keys(link.attributes);
    Ok(link)
}

/// Appends one attribute of a span, event, link, scope or resource.
fn attribute<'a>(
    message: &'a [u8],
    out: &mut Vec<KeyValue<'a>>,
    limits: &mut Limits,
) -> Result<()> {
    if !limits.failed() {
        out.push(key_value(message, 1, limits)?);
    }
    Ok(())
}

fn key_value<'a>(message: &'a [u8], depth: usize, limits: &mut Limits) -> Result<KeyValue<'a>> {
    let mut pair = KeyValue::default();
    let mut has_value = false;
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        match number {
            1 => pair.key = field.text()?,
            2 => {
                has_value = true;
                pair.value = value(field.bytes()?, depth, limits)?;
            }
            _ => {}
        }
    }
    if !has_value {
        limits.count_node(depth);
    }
    Ok(pair)
}

fn value<'a>(message: &'a [u8], depth: usize, limits: &mut Limits) -> Result<Value<'a>> {
    let mut value = Value::Unset;
    if !limits.count_node(depth) {
        return Ok(value);
    }
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        match number {
            1 => value = Value::String(field.text()?),
            2 => value = Value::Bool(field.unsigned()? != 0),
            3 => value = Value::Int(field.unsigned()?.cast_signed()),
            4 => value = Value::Double(f64::from_bits(field.unsigned()?)),
            5 => value = Value::Array(array(field.bytes()?, depth + 1, limits)?),
            6 => value = Value::KeyValues(key_value_list(field.bytes()?, depth + 1, limits)?),
            7 => value = Value::Bytes(Cow::Borrowed(field.bytes()?)),
            _ => {}
        }
    }
    Ok(value)
}

fn array<'a>(message: &'a [u8], depth: usize, limits: &mut Limits) -> Result<Vec<Value<'a>>> {
    let mut items = Vec::new();
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        if number == 1 && !limits.failed() {
            items.push(value(field.bytes()?, depth, limits)?);
        }
    }
    Ok(items)
}

fn key_value_list<'a>(
    message: &'a [u8],
    depth: usize,
    limits: &mut Limits,
) -> Result<Vec<KeyValue<'a>>> {
    let mut pairs = Vec::new();
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next_field()? {
        if number == 1 && !limits.failed() {
            pairs.push(key_value(field.bytes()?, depth, limits)?);
        }
    }
    Ok(limits.keys(pairs))
}

/// The lower-case hex text of an id. Only the start of an absurdly long one, which is rejected anyway.
fn hex(bytes: &[u8]) -> Cow<'static, str> {
    const SHOWN_BYTES_MAX: usize = 64;
    let mut text = String::with_capacity(2 * bytes.len().min(SHOWN_BYTES_MAX));
    for byte in bytes.iter().take(SHOWN_BYTES_MAX) {
        let _ = write!(text, "{byte:02x}");
    }
    Cow::Owned(text)
}
