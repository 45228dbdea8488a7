//! A raw request to the spans of the model: ids and times checked, texts made, typed columns filled
//! by the semantic conventions. One span that cannot be kept never costs its neighbours.

use tracehouse_storage::model::{Event, Link, Span};

use super::Decoded;
use super::extra::SharedExtra;
use super::id::{SPAN_ID_BYTES, TRACE_ID_BYTES, any_id, hex_id, link_id, parent_id};
use super::logs;
use super::raw::{RawEnum, RawEvent, RawLink, RawRequest, RawResource, RawScope, RawSpan};
use super::value::{KeyValue, object_text};
use crate::semconv::{self, evaluation};

/// Room is made for so many spans in advance: who sent more may have sent none that can be kept.
const RESERVED_SPANS_MAX: usize = 1_024;

/// What the spans of one scope share, made once.
pub(super) struct Context<'c> {
    pub(super) experiment_id: &'c str,
    pub(super) span_bytes_max: usize,
    pub(super) any_ids: bool,
    pub(super) resource: &'c str,
    pub(super) service_name: Option<&'c str>,
    pub(super) scope_name: Option<&'c str>,
    pub(super) scope_version: Option<&'c str>,
    extra: SharedExtra,
    pub(super) fault: Option<&'c str>,
}

/// Makes the spans of a request, in order, and the reasons for those left out.
pub(super) fn assemble(
    mut request: RawRequest<'_>,
    experiment_id: &str,
    span_bytes_max: usize,
    any_ids: bool,
) -> Decoded {
    let mut decoded = Decoded {
        changed_keys: request.changed_keys,
        ..Decoded::default()
    };
    for resource in &mut request.resources {
        let scopes = std::mem::take(&mut resource.scopes);
        let resource_text = object_text(&resource.attributes);
        let service_name = service_name(&resource.attributes);
        for mut scope in scopes {
            let spans = std::mem::take(&mut scope.spans);
            let records = std::mem::take(&mut scope.records);
            let context = Context {
                experiment_id,
                span_bytes_max,
                any_ids,
                resource: &resource_text,
                service_name: service_name.as_deref(),
                scope_name: present(&scope.name),
                scope_version: present(&scope.version),
                extra: SharedExtra::new(resource, &scope),
                fault: fault(resource, &scope),
            };
            scope_spans(spans, &context, &mut decoded);
            logs::scope_records(records, &context, &mut decoded);
        }
    }
    let says_nothing =
        decoded.records == 0 && decoded.spans.is_empty() && decoded.rejected.is_empty();
    decoded.skipped = u64::from(request.has_records && says_nothing);
    decoded
}

/// Each span is let go when it is done: a request is not in memory twice.
fn scope_spans(spans: Vec<RawSpan<'_>>, context: &Context<'_>, decoded: &mut Decoded) {
    decoded.spans.reserve(spans.len().min(RESERVED_SPANS_MAX));
    for raw in spans {
        match span(&raw, context).and_then(|span| bounded(span, context.span_bytes_max)) {
            Ok(span) => {
                judge(&raw, &span, decoded);
                decoded.spans.push(span);
            }
            Err(reason) => decoded.rejected.push(format!(
                "span {} of trace {}: {reason}",
                shown_id(&raw.span_id),
                shown_id(&raw.trace_id)
            )),
        }
    }
}

/// What the events of a span say of its quality.
fn judge(raw: &RawSpan<'_>, span: &Span, decoded: &mut Decoded) {
    for (event, stored) in raw
        .events
        .iter()
        .zip(&span.events)
        .filter(|(event, _)| event.name == evaluation::EVENT)
    {
        match evaluation::feedback(
            &span.trace_id,
            Some(&span.span_id),
            stored.time_ns,
            &event.attributes,
        ) {
            Ok(feedback) => decoded.feedback.push(feedback),
            Err(reason) => decoded.rejected.push(reason),
        }
    }
}

fn fault<'c>(resource: &'c RawResource<'_>, scope: &'c RawScope<'_>) -> Option<&'c str> {
    resource.fault.as_deref().or(scope.fault.as_deref())
}

pub(super) fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn service_name(attributes: &[KeyValue<'_>]) -> Option<String> {
    attributes
        .iter()
        .find(|pair| pair.key == "service.name")?
        .value
        .to_text()
}

/// An id as received, cut and escaped for a message.
pub(super) fn shown_id(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 64;
    if text.is_empty() {
        return "(no id)".to_string();
    }
    text.chars()
        .take(SHOWN_CHARS_MAX)
        .flat_map(char::escape_default)
        .collect()
}

fn span(raw: &RawSpan<'_>, context: &Context<'_>) -> Result<Span, String> {
    if let Some(fault) = raw.fault.as_deref().or(context.fault) {
        return Err(fault.to_string());
    }
    let (kind, kind_known) = kind(&raw.kind);
    let (status, status_known) = status(&raw.status_code);
    let end_time_ns = time_ns("end time", raw.end_time_ns)?;
    let [trace_id, span_id] = match context.any_ids {
        true => [
            any_id("trace id", &raw.trace_id)?,
            any_id("span id", &raw.span_id)?,
        ],
        false => [
            hex_id("trace id", &raw.trace_id, TRACE_ID_BYTES)?,
            hex_id("span id", &raw.span_id, SPAN_ID_BYTES)?,
        ],
    };
    let parent_span_id = match context.any_ids {
        true => present(&raw.parent_span_id)
            .map(|id| any_id("parent span id", id))
            .transpose()?,
        false => parent_id(&raw.parent_span_id)?,
    };
    let mut span = Span {
        trace_id,
        span_id,
        parent_span_id,
        experiment_id: context.experiment_id.to_string(),
        name: raw.name.to_string(),
        kind: kind.to_string(),
        status: status.to_string(),
        status_message: present(&raw.status_message).map(str::to_string),
        start_time_ns: time_ns("start time", raw.start_time_ns)?,
        end_time_ns: (end_time_ns != 0).then_some(end_time_ns),
        service_name: context.service_name.map(str::to_string),
        scope_name: context.scope_name.map(str::to_string),
        scope_version: context.scope_version.map(str::to_string),
        attributes: object_text(&raw.attributes),
        resource: context.resource.to_string(),
        extra: context.extra.of_span(raw, kind_known, status_known),
        events: raw.events.iter().map(event).collect::<Result<_, _>>()?,
        links: raw.links.iter().map(link).collect(),
        ..Span::default()
    };
    let events: Vec<_> = raw
        .events
        .iter()
        .map(|event| (&*event.name, event.attributes.as_slice()))
        .collect();
    semconv::fill(&mut span, &raw.attributes, &events);
    Ok(span)
}

fn bounded(span: Span, bytes_max: usize) -> Result<Span, String> {
    match span.text_bytes() {
        bytes if bytes > bytes_max => Err(format!(
            "it has {bytes} bytes of text, more than the {bytes_max} that are set"
        )),
        _ => Ok(span),
    }
}

pub(super) fn time_ns(what: &str, time: u64) -> Result<i64, String> {
    i64::try_from(time).map_err(|_| format!("the {what} {time} is after the year 2262"))
}

fn event(raw: &RawEvent<'_>) -> Result<Event, String> {
    Ok(Event {
        time_ns: time_ns("event time", raw.time_ns)?,
        name: raw.name.to_string(),
        attributes: object_text(&raw.attributes),
    })
}

fn link(raw: &RawLink<'_>) -> Link {
    Link {
        trace_id: link_id(&raw.trace_id, TRACE_ID_BYTES),
        span_id: link_id(&raw.span_id, SPAN_ID_BYTES),
        attributes: object_text(&raw.attributes),
    }
}

pub(super) const KINDS: [&str; 6] = [
    "UNSPECIFIED",
    "INTERNAL",
    "SERVER",
    "CLIENT",
    "PRODUCER",
    "CONSUMER",
];
pub(super) const STATUSES: [&str; 3] = ["UNSET", "OK", "ERROR"];

fn kind(raw: &RawEnum<'_>) -> (&'static str, bool) {
    word(raw, &KINDS, "SPAN_KIND_")
}

fn status(raw: &RawEnum<'_>) -> (&'static str, bool) {
    word(raw, &STATUSES, "STATUS_CODE_")
}

/// The word of an enum value, and whether it is a known one; the first word stands for unknown ones.
fn word(raw: &RawEnum<'_>, words: &[&'static str], prefix: &str) -> (&'static str, bool) {
    let found = match raw {
        RawEnum::Number(number) => usize::try_from(*number).ok().and_then(|i| words.get(i)),
        RawEnum::Name(name) => {
            let upper = name.to_ascii_uppercase();
            let bare = upper.strip_prefix(prefix).unwrap_or(&upper);
            words.iter().find(|word| **word == bare)
        }
    };
    match (found, words.first()) {
        (Some(word), _) => (word, true),
        (None, first) => (first.copied().unwrap_or_default(), false),
    }
}
