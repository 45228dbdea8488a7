//! OTLP/JSON to a raw request.
//!
//! Lenient where senders differ: `snake_case` names, enums as names, 64-bit integers as numbers or
//! strings, `null` for a default, members in any order; unknown members are skipped. Strict where
//! data would be lost: an array on top, another signal, damaged JSON.

use super::cursor::Cursor;
use super::error::DecodeError;
use super::raw::{Limits, RawEvent, RawLink, RawRequest, RawResource, RawScope, RawSpan};

type Result<T> = std::result::Result<T, DecodeError>;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads one document: an object with `resourceSpans`, or an empty object.
///
/// # Errors
/// When it is not JSON, not UTF-8, or not a trace request.
pub(super) fn read(document: &[u8]) -> Result<RawRequest<'_>> {
    let document = document.strip_prefix(BYTE_ORDER_MARK).unwrap_or(document);
    let text = std::str::from_utf8(document)
        .map_err(|error| DecodeError::json(error.valid_up_to(), "the text is not UTF-8"))?;
    let mut reader = Reader { cursor: Cursor::new(text), limits: Limits::default() };
    match reader.cursor.peek() {
        Some(b'{') => {}
        Some(b'[') => return Err(expected_request("a JSON array")),
        Some(_) => return reader.cursor.error("expected an object with \"resourceSpans\""),
        None => return Err(expected_request("nothing")),
    }
    let request = reader.request()?;
    reader.cursor.finish()?;
    Ok(request)
}

fn expected_request(found: &str) -> DecodeError {
    DecodeError::new(format!(
        "expected an OTLP trace request, an object with \"resourceSpans\"; found {found}"
    ))
}

/// Reads messages here, attribute values and scalars in `json_value`.
pub(super) struct Reader<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) limits: Limits,
}

impl<'a> Reader<'a> {
    fn request(&mut self) -> Result<RawRequest<'a>> {
        let mut request = RawRequest::default();
        let (mut is_traces, mut other) = (false, None);
        self.cursor.open_object()?;
        let mut first = true;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            match &*key {
                "resourceSpans" | "resource_spans" => {
                    is_traces = true;
                    self.list(&mut request.resources, Self::resource_spans)?;
                    continue;
                }
                "resourceLogs" | "resource_logs" => other = Some("an OTLP logs request"),
                "resourceMetrics" | "resource_metrics" => other = Some("an OTLP metrics request"),
                "resourceProfiles" | "resource_profiles" => other = Some("an OTLP profiles request"),
                _ => other = other.or(Some("an object without it")),
            }
            self.cursor.skip()?;
        }
        match other {
            Some(found) if !is_traces => Err(expected_request(found)),
            _ => Ok(request),
        }
    }

    /// Appends the elements of an array; `null` is an empty one.
    fn list<T>(&mut self, out: &mut Vec<T>, read: fn(&mut Self) -> Result<T>) -> Result<()> {
        if self.cursor.null() {
            return Ok(());
        }
        self.cursor.open_array()?;
        let mut first = true;
        while self.cursor.next_item(&mut first)? {
            out.push(read(self)?);
        }
        Ok(())
    }

    /// Appends the elements of an array that count as nodes of a span.
    fn nodes<T>(&mut self, out: &mut Vec<T>, read: fn(&mut Self) -> Result<T>) -> Result<()> {
        if self.cursor.null() {
            return Ok(());
        }
        self.cursor.open_array()?;
        let mut first = true;
        while self.cursor.next_item(&mut first)? {
            if self.limits.count_node(0) {
                out.push(read(self)?);
            } else {
                self.cursor.skip()?;
            }
        }
        Ok(())
    }

    fn resource_spans(&mut self) -> Result<RawResource<'a>> {
        let mut resource = RawResource::default();
        if self.cursor.null() {
            return Ok(resource);
        }
        self.cursor.open_object()?;
        let mut first = true;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            match &*key {
                "resource" => self.resource(&mut resource)?,
                "scopeSpans" | "scope_spans" => self.list(&mut resource.scopes, Self::scope_spans)?,
                "schemaUrl" | "schema_url" => resource.schema_url = self.text()?,
                _ => self.cursor.skip()?,
            }
        }
        Ok(resource)
    }

    fn resource(&mut self, resource: &mut RawResource<'a>) -> Result<()> {
        if self.cursor.null() {
            return Ok(());
        }
        self.limits.begin_part();
        self.cursor.open_object()?;
        let mut first = true;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            match &*key {
                "attributes" => resource.attributes = self.attributes()?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    resource.dropped_attributes_count = self.unsigned("droppedAttributesCount")?;
                }
                _ => self.cursor.skip()?,
            }
        }
        resource.fault = self.limits.end_part();
        Ok(())
    }

    fn scope_spans(&mut self) -> Result<RawScope<'a>> {
        let mut scope = RawScope::default();
        if self.cursor.null() {
            return Ok(scope);
        }
        self.cursor.open_object()?;
        let mut first = true;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            match &*key {
                "scope" => self.scope(&mut scope)?,
                "spans" => self.list(&mut scope.spans, Self::span)?,
                "schemaUrl" | "schema_url" => scope.schema_url = self.text()?,
                _ => self.cursor.skip()?,
            }
        }
        Ok(scope)
    }

    fn scope(&mut self, scope: &mut RawScope<'a>) -> Result<()> {
        if self.cursor.null() {
            return Ok(());
        }
        self.limits.begin_part();
        self.cursor.open_object()?;
        let mut first = true;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            match &*key {
                "name" => scope.name = self.text()?,
                "version" => scope.version = self.text()?,
                "attributes" => scope.attributes = self.attributes()?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    scope.dropped_attributes_count = self.unsigned("droppedAttributesCount")?;
                }
                _ => self.cursor.skip()?,
            }
        }
        scope.fault = self.limits.end_part();
        Ok(())
    }

    fn span(&mut self) -> Result<RawSpan<'a>> {
        if !self.limits.count_span() {
            return Err(DecodeError::new(Limits::too_many_spans()));
        }
        let mut span = RawSpan::default();
        if self.cursor.null() {
            return Ok(span);
        }
        self.limits.begin_part();
        self.cursor.open_object()?;
        let mut first = true;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            self.span_member(&key, &mut span)?;
        }
        span.fault = self.limits.end_part();
        Ok(span)
    }

    fn span_member(&mut self, key: &str, span: &mut RawSpan<'a>) -> Result<()> {
        match key {
            "traceId" | "trace_id" => span.trace_id = self.text()?,
            "spanId" | "span_id" => span.span_id = self.text()?,
            "parentSpanId" | "parent_span_id" => span.parent_span_id = self.text()?,
            "traceState" | "trace_state" => span.trace_state = self.text()?,
            "flags" => span.flags = self.unsigned("flags")?,
            "name" => span.name = self.text()?,
            "kind" => span.kind = self.enumeration()?,
            "startTimeUnixNano" | "start_time_unix_nano" => {
                span.start_time_ns = self.unsigned("start time")?
            }
            "endTimeUnixNano" | "end_time_unix_nano" => span.end_time_ns = self.unsigned("end time")?,
            "attributes" => span.attributes = self.attributes()?,
            "events" => self.nodes(&mut span.events, Self::event)?,
            "links" => self.nodes(&mut span.links, Self::link)?,
            "status" => self.status(span)?,
            "droppedAttributesCount" | "dropped_attributes_count" => {
                span.dropped_attributes_count = self.unsigned("droppedAttributesCount")?;
            }
            "droppedEventsCount" | "dropped_events_count" => {
                span.dropped_events_count = self.unsigned("droppedEventsCount")?;
            }
            "droppedLinksCount" | "dropped_links_count" => {
                span.dropped_links_count = self.unsigned("droppedLinksCount")?;
            }
            _ => self.cursor.skip()?,
        }
        Ok(())
    }

    fn status(&mut self, span: &mut RawSpan<'a>) -> Result<()> {
        if self.cursor.null() {
            return Ok(());
        }
        self.cursor.open_object()?;
        let mut first = true;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            match &*key {
                "code" => span.status_code = self.enumeration()?,
                "message" => span.status_message = self.text()?,
                _ => self.cursor.skip()?,
            }
        }
        Ok(())
    }

    fn event(&mut self) -> Result<RawEvent<'a>> {
        let mut event = RawEvent::default();
        if self.cursor.null() {
            return Ok(event);
        }
        self.cursor.open_object()?;
        let mut first = true;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            match &*key {
                "timeUnixNano" | "time_unix_nano" => event.time_ns = self.unsigned("event time")?,
                "name" => event.name = self.text()?,
                "attributes" => event.attributes = self.attributes()?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    event.dropped_attributes_count = self.unsigned("droppedAttributesCount")?;
                }
                _ => self.cursor.skip()?,
            }
        }
        Ok(event)
    }

    fn link(&mut self) -> Result<RawLink<'a>> {
        let mut link = RawLink::default();
        if self.cursor.null() {
            return Ok(link);
        }
        self.cursor.open_object()?;
        let mut first = true;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            match &*key {
                "traceId" | "trace_id" => link.trace_id = self.text()?,
                "spanId" | "span_id" => link.span_id = self.text()?,
                "traceState" | "trace_state" => link.trace_state = self.text()?,
                "flags" => link.flags = self.unsigned("flags")?,
                "attributes" => link.attributes = self.attributes()?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    link.dropped_attributes_count = self.unsigned("droppedAttributesCount")?;
                }
                _ => self.cursor.skip()?,
            }
        }
        Ok(link)
    }
}
