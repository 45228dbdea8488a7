//! OTLP/JSON to a raw request.
//!
//! Lenient where senders differ: `snake_case` names, enums as names, 64-bit integers as numbers or
//! strings, `null` for a default, members in any order; unknown members are skipped. Strict where
//! data would be lost: an array on top, another signal, damaged JSON.

use tracehouse_storage::json::{Grammar, Scanner};

use super::error::DecodeError;
use super::raw::{
    Limits, RawEnum, RawEvent, RawLink, RawRecord, RawRequest, RawResource, RawScope, RawSpan,
};
use super::value::Value;

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
    let mut reader = Reader {
        scanner: Scanner::new(text, Grammar::Lenient),
        limits: Limits::of(text.len()),
    };
    match reader.scanner.peek() {
        Some(b'{') => {}
        Some(b'[') => return Err(expected_request("a JSON array")),
        Some(_) => {
            let message = "expected an object with \"resourceSpans\"";
            return Err(reader.scanner.fault(message).into());
        }
        None => return Err(expected_request("nothing")),
    }
    let mut request = reader.request()?;
    reader.scanner.finish()?;
    reader.limits.check_memory()?;
    request.changed_keys = reader.limits.changed_keys();
    Ok(request)
}

fn expected_request(found: &str) -> DecodeError {
    DecodeError::new(format!(
        "expected an OTLP trace request, an object with \"resourceSpans\"; found {found}"
    ))
}

/// Reads messages here, attribute values and scalars in `json_value`.
pub(super) struct Reader<'a> {
    pub(super) scanner: Scanner<'a>,
    pub(super) limits: Limits,
}

impl<'a> Reader<'a> {
    fn request(&mut self) -> Result<RawRequest<'a>> {
        let mut request = RawRequest::default();
        let (mut is_traces, mut other) = (false, None);
        let (mut has_trace, mut has_value) = (false, false);
        self.object(|reader, key| {
            has_trace |= key == "trace_id";
            has_value |= key == "value";
            match key {
                "resourceSpans" | "resource_spans" => {
                    is_traces = true;
                    return reader.list(&mut request.resources, Self::resource_spans);
                }
                "resourceLogs" | "resource_logs" => {
                    request.has_records = true;
                    return reader.list(&mut request.resources, Self::resource_spans);
                }
                "resourceMetrics" | "resource_metrics" => other = Some("an OTLP metrics request"),
                "resourceProfiles" | "resource_profiles" => {
                    other = Some("an OTLP profiles request")
                }
                _ => other = other.or(Some("an object without it")),
            }
            reader.skip()
        })?;
        match other {
            Some(_) if !is_traces && !request.has_records && has_trace && has_value => Err(
                expected_request("an assessment, which is imported as one (--assessments FILE)"),
            ),
            Some(found) if !is_traces && !request.has_records => Err(expected_request(found)),
            _ => Ok(request),
        }
    }

    /// Steps over one value.
    pub(super) fn skip(&mut self) -> Result<()> {
        self.scanner.value()?;
        Ok(())
    }

    /// Reads an object: `member` is called at the value of each member, and reads or skips it. `null`
    /// is an object without members.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<()>,
    ) -> Result<()> {
        if self.scanner.null() {
            return Ok(());
        }
        self.scanner.open_object()?;
        let mut first = true;
        while let Some(key) = self.scanner.next_key(&mut first)? {
            member(self, &key)?;
        }
        Ok(())
    }

    /// Reads an array: `item` is called at each element, and reads or skips it. `null` is an empty one.
    pub(super) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if self.scanner.null() {
            return Ok(());
        }
        self.scanner.open_array()?;
        let mut first = true;
        while self.scanner.next_item(&mut first)? {
            item(self)?;
        }
        Ok(())
    }

    /// Appends the elements of an array.
    fn list<T>(&mut self, out: &mut Vec<T>, read: fn(&mut Self) -> Result<T>) -> Result<()> {
        self.array(|reader| {
            reader.limits.count_part::<T>()?;
            out.push(read(reader)?);
            Ok(())
        })
    }

    /// Appends the elements of an array that count as nodes of a span.
    fn nodes<T>(&mut self, out: &mut Vec<T>, read: fn(&mut Self) -> Result<T>) -> Result<()> {
        self.array(|reader| {
            if !reader.limits.count_item::<T>() {
                return reader.skip();
            }
            out.push(read(reader)?);
            Ok(())
        })
    }

    /// The count that OTLP messages with attributes have of those that were left out.
    fn dropped_attributes(&mut self) -> Result<u64> {
        self.unsigned("droppedAttributesCount")
    }

    fn resource_spans(&mut self) -> Result<RawResource<'a>> {
        let mut resource = RawResource::default();
        self.object(|reader, key| {
            match key {
                "resource" => reader.resource(&mut resource)?,
                "scopeSpans"
                | "scope_spans"
                | "instrumentationLibrarySpans"
                | "scopeLogs"
                | "scope_logs" => reader.list(&mut resource.scopes, Self::scope_spans)?,
                "schemaUrl" | "schema_url" => resource.schema_url = reader.text()?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(resource)
    }

    fn resource(&mut self, resource: &mut RawResource<'a>) -> Result<()> {
        self.limits.begin_part();
        self.object(|reader, key| {
            match key {
                "attributes" => resource.attributes = reader.attributes()?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    resource.dropped_attributes_count = reader.dropped_attributes()?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        // A member sent twice: what one of them lost stays lost.
        resource.fault = self.limits.end_part().or(resource.fault.take());
        Ok(())
    }

    fn scope_spans(&mut self) -> Result<RawScope<'a>> {
        let mut scope = RawScope::default();
        self.object(|reader, key| {
            match key {
                "scope" | "instrumentationLibrary" => reader.scope(&mut scope)?,
                "spans" => reader.list(&mut scope.spans, Self::span)?,
                "logRecords" | "log_records" => reader.list(&mut scope.records, Self::record)?,
                "schemaUrl" | "schema_url" => scope.schema_url = reader.text()?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(scope)
    }

    fn scope(&mut self, scope: &mut RawScope<'a>) -> Result<()> {
        self.limits.begin_part();
        self.object(|reader, key| {
            match key {
                "name" => scope.name = reader.text()?,
                "version" => scope.version = reader.text()?,
                "attributes" => scope.attributes = reader.attributes()?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    scope.dropped_attributes_count = reader.dropped_attributes()?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        scope.fault = self.limits.end_part().or(scope.fault.take());
        Ok(())
    }

    fn span(&mut self) -> Result<RawSpan<'a>> {
        if !self.limits.count_span() {
            return Err(DecodeError::new(Limits::too_many_spans()));
        }
        let mut span = RawSpan::default();
        self.limits.begin_part();
        self.object(|reader, key| reader.span_member(key, &mut span))?;
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
            "endTimeUnixNano" | "end_time_unix_nano" => {
                span.end_time_ns = self.unsigned("end time")?
            }
            "attributes" => span.attributes = self.attributes()?,
            "events" => self.nodes(&mut span.events, Self::event)?,
            "links" => self.nodes(&mut span.links, Self::link)?,
            "status" => self.status(span)?,
            "droppedAttributesCount" | "dropped_attributes_count" => {
                span.dropped_attributes_count = self.dropped_attributes()?;
            }
            "droppedEventsCount" | "dropped_events_count" => {
                span.dropped_events_count = self.unsigned("droppedEventsCount")?;
            }
            "droppedLinksCount" | "dropped_links_count" => {
                span.dropped_links_count = self.unsigned("droppedLinksCount")?;
            }
            _ => self.skip()?,
        }
        Ok(())
    }

    fn record(&mut self) -> Result<RawRecord<'a>> {
        if !self.limits.count_span() {
            return Err(DecodeError::new(Limits::too_many_spans()));
        }
        let (mut record, mut body) = (RawRecord::default(), Value::Unset);
        self.limits.begin_part();
        self.object(|reader, key| {
            match key {
                "traceId" | "trace_id" => record.trace_id = reader.text()?,
                "spanId" | "span_id" => record.span_id = reader.text()?,
                "timeUnixNano" | "time_unix_nano" => record.time_ns = reader.unsigned("time")?,
                "observedTimeUnixNano" | "observed_time_unix_nano" => {
                    record.observed_time_ns = reader.unsigned("observed time")?;
                }
                "eventName" | "event_name" => record.event_name = reader.text()?,
                "severityNumber" | "severity_number" => {
                    record.severity_number = reader.severity()?
                }
                "severityText" | "severity_text" => record.severity_text = reader.text()?,
                "attributes" => record.attributes = reader.attributes()?,
                "body" => body = reader.value(1)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        record.add_body(body);
        record.fault = self.limits.end_part();
        Ok(record)
    }

    /// The number of a severity, which may be written as its name: that is in the text, too.
    fn severity(&mut self) -> Result<u64> {
        match self.enumeration()? {
            RawEnum::Number(number) => Ok(u64::try_from(number).unwrap_or_default()),
            RawEnum::Name(_) => Ok(0),
        }
    }

    fn status(&mut self, span: &mut RawSpan<'a>) -> Result<()> {
        self.object(|reader, key| {
            match key {
                "code" => span.status_code = reader.enumeration()?,
                "message" => span.status_message = reader.text()?,
                _ => reader.skip()?,
            }
            Ok(())
        })
    }

    fn event(&mut self) -> Result<RawEvent<'a>> {
        let mut event = RawEvent::default();
        self.object(|reader, key| {
            match key {
                "timeUnixNano" | "time_unix_nano" => {
                    event.time_ns = reader.unsigned("event time")?
                }
                "name" => event.name = reader.text()?,
                "attributes" => event.attributes = reader.attributes()?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    event.dropped_attributes_count = reader.dropped_attributes()?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(event)
    }

    fn link(&mut self) -> Result<RawLink<'a>> {
        let mut link = RawLink::default();
        self.object(|reader, key| {
            match key {
                "traceId" | "trace_id" => link.trace_id = reader.text()?,
                "spanId" | "span_id" => link.span_id = reader.text()?,
                "traceState" | "trace_state" => link.trace_state = reader.text()?,
                "flags" => link.flags = reader.unsigned("flags")?,
                "attributes" => link.attributes = reader.attributes()?,
                "droppedAttributesCount" | "dropped_attributes_count" => {
                    link.dropped_attributes_count = reader.dropped_attributes()?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(link)
    }
}
