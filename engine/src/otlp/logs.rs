//! Log records to what they say of spans: the other half of `span`.
//!
//! A record of an event that is known (`semconv::logs`), by name or by its body, and has the ids of a span becomes an
//! event of that span, its body the attribute `body`. Other records are left out and counted by their event's name. An
//! evaluation may name the response that it judges instead.

use tracehouse_storage::model::{Assessment, Event, Fragment};

use super::Decoded;
use super::id::{SPAN_ID_BYTES, TRACE_ID_BYTES, hex_id};
use super::raw::RawRecord;
use super::span::{Context, present, shown_id, time_ns};
use super::value::{KeyValue, Value, object_text};
use crate::semconv::{evaluation, logs};

/// Names of events that are counted one by one; others are counted together.
const KINDS_MAX: usize = 1_000;
const OTHER_KINDS: &str = "(other events)";

/// The key of a record's body among its attributes.
pub(crate) const BODY: &str = "body";

/// Takes what the records of a scope say.
pub(super) fn scope_records(
    records: Vec<RawRecord<'_>>,
    context: &Context<'_>,
    decoded: &mut Decoded,
) {
    for mut record in records {
        let name = logs::event_name(context.scope_name, &record.event_name, &record.attributes);
        add_unsaid(&mut record);
        if !logs::is_known(&name, &record.attributes) {
            skip(decoded, name);
            continue;
        }
        let has_trace = !is_absent(&record.trace_id);
        let is_evaluation = name == evaluation::EVENT;
        if is_evaluation && !has_trace && evaluation::response_id(&record.attributes).is_some() {
            match of_response(&record, context) {
                Ok(feedback) => decoded.unplaced.push(feedback),
                Err(reason) => decoded.rejected.push(reason),
            }
            decoded.records += 1;
            continue;
        }
        if !has_trace || (is_absent(&record.span_id) && !is_evaluation) {
            skip(decoded, format!("{name} without trace context"));
            continue;
        }
        match fragment(&record, &name, context) {
            Ok(fragment) => take(&record, fragment, is_evaluation, decoded),
            Err(reason) => decoded.rejected.push(format!(
                "log record {} of span {} of trace {}: {reason}",
                shown_id(&name),
                shown_id(&record.span_id),
                shown_id(&record.trace_id)
            )),
        }
    }
}

/// An id that is not there: empty, or nothing but zeros.
fn is_absent(id: &str) -> bool {
    id.bytes().all(|digit| digit == b'0')
}

fn skip(decoded: &mut Decoded, kind: String) {
    let kinds = &mut decoded.skipped_records;
    let is_counted = kinds.contains_key(&kind) || kinds.len() < KINDS_MAX;
    *kinds
        .entry(if is_counted {
            kind
        } else {
            OTHER_KINDS.to_string()
        })
        .or_default() += 1;
}

/// Puts what a record says besides its attributes among them.
fn add_unsaid(record: &mut RawRecord<'_>) {
    let mut add = |key: &'static str, value: Value<'_>| {
        let is_taken = record.attributes.iter().any(|pair| pair.key == key);
        let key = if is_taken {
            format!("log.{key}").into()
        } else {
            key.into()
        };
        record.attributes.push(KeyValue {
            key,
            value: owned(value),
        });
    };
    if record.severity_number != 0 {
        add(
            "severity_number",
            Value::Int(i64::try_from(record.severity_number).unwrap_or(i64::MAX)),
        );
    }
    if !record.severity_text.is_empty() {
        add(
            "severity_text",
            Value::String(record.severity_text.to_string().into()),
        );
    }
}

fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Int(number) => Value::Int(number),
        Value::String(text) => Value::String(text.into_owned().into()),
        _ => Value::Unset,
    }
}

/// An evaluation of a response.
fn of_response(record: &RawRecord<'_>, context: &Context<'_>) -> Result<Assessment, String> {
    let Event { time_ns, .. } = event(record, evaluation::EVENT, context).map_err(|reason| {
        format!(
            "log record {} without trace context: {reason}",
            evaluation::EVENT
        )
    })?;
    evaluation::feedback("", None, time_ns, &record.attributes)
}

/// What a record says, as an event.
fn event(record: &RawRecord<'_>, name: &str, context: &Context<'_>) -> Result<Event, String> {
    if let Some(fault) = record.fault.as_deref().or(context.fault) {
        return Err(fault.to_string());
    }
    let time = if record.time_ns == 0 {
        record.observed_time_ns
    } else {
        record.time_ns
    };
    let event = Event {
        time_ns: time_ns("time", time)?,
        name: name.to_string(),
        attributes: object_text(&record.attributes),
    };
    let bytes = event.name.len() + event.attributes.len();
    if bytes > context.span_bytes_max {
        let bytes_max = context.span_bytes_max;
        return Err(format!(
            "it has {bytes} bytes of text, more than the {bytes_max} that are set"
        ));
    }
    Ok(event)
}

fn fragment(record: &RawRecord<'_>, name: &str, context: &Context<'_>) -> Result<Fragment, String> {
    let event = event(record, name, context)?;
    let span_id = match is_absent(&record.span_id) {
        true => String::new(),
        false => hex_id("span id", &record.span_id, SPAN_ID_BYTES)?,
    };
    Ok(Fragment {
        trace_id: hex_id("trace id", &record.trace_id, TRACE_ID_BYTES)?,
        span_id,
        experiment_id: context.experiment_id.to_string(),
        service_name: context.service_name.map(str::to_string),
        scope_name: context.scope_name.map(str::to_string),
        scope_version: context.scope_version.map(str::to_string),
        resource: context.resource.to_string(),
        events: vec![event],
    })
}

fn take(record: &RawRecord<'_>, fragment: Fragment, is_evaluation: bool, decoded: &mut Decoded) {
    if is_evaluation {
        let event = fragment.events.first();
        let judged = event.map(|event| {
            evaluation::feedback(
                &fragment.trace_id,
                present(&fragment.span_id),
                event.time_ns,
                &record.attributes,
            )
        });
        match judged.transpose() {
            Ok(feedback) => decoded.feedback.extend(feedback),
            Err(reason) => decoded.rejected.push(reason),
        }
    }
    decoded.records += 1;
    if fragment.span_id.is_empty() {
        return;
    }
    match decoded.fragments.last_mut() {
        Some(last) if is_next(last, &fragment) => last.events.extend(fragment.events),
        _ => decoded.fragments.push(fragment),
    }
}

/// Whether records are of one span and from one place.
fn is_next(last: &Fragment, next: &Fragment) -> bool {
    let without_events = |fragment: &Fragment| Fragment {
        events: Vec::new(),
        ..fragment.clone()
    };
    (&last.span_id, &last.trace_id) == (&next.span_id, &next.trace_id)
        && without_events(last) == without_events(next)
}
