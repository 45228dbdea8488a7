//! Spans to a batch of the stored schema.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, ListBuilder, RecordBatch, StringBuilder, StringViewArray, StructBuilder,
    TimestampNanosecondBuilder, UInt64Array,
};
use arrow::datatypes::{DataType, Field, TimestampNanosecondType};
use twox_hash::XxHash3_64;

use super::build::{float, int, optional, repeated, required, time};
use super::read::{Row, list};
use crate::error::{Error, Result};
use crate::model::{Event, Link, Span};
use crate::schema::{COST_SOURCE, REPORTED, Table, event_fields, link_fields};

/// One batch with a row for each span, in order.
///
/// # Errors
/// `Internal` when a hint cannot be encoded.
pub fn spans_batch(spans: &[Span]) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        repeated(spans, |s| Some(&s.trace_id)),
        required(spans, |s| &s.span_id),
        optional(spans, |s| &s.parent_span_id),
        required(spans, |s| &s.experiment_id),
        repeated(spans, |s| s.session_id.as_deref()),
        repeated(spans, |s| s.user_id.as_deref()),
        repeated(spans, |s| Some(&s.name)),
        required(spans, |s| &s.span_type),
        required(spans, |s| &s.kind),
        required(spans, |s| &s.status),
        optional(spans, |s| &s.status_message),
        time(spans, |s| Some(s.start_time_ns)),
        time(spans, |s| s.end_time_ns),
        int(spans, Span::duration_ns),
        repeated(spans, |s| s.service_name.as_deref()),
        repeated(spans, |s| s.scope_name.as_deref()),
        optional(spans, |s| &s.scope_version),
        optional(spans, |s| &s.operation),
        repeated(spans, |s| s.model.as_deref()),
        optional(spans, |s| &s.provider),
        repeated(spans, |s| s.tool_name.as_deref()),
        int(spans, |s| s.input_tokens),
        int(spans, |s| s.output_tokens),
        int(spans, |s| s.total_tokens),
        int(spans, |s| s.cache_read_input_tokens),
        int(spans, |s| s.cache_creation_input_tokens),
        float(spans, |s| s.cost_usd),
        cost_sources(spans),
        optional(spans, |s| &s.inputs),
        optional(spans, |s| &s.outputs),
        required(spans, |s| &s.attributes),
        repeated(spans, |s| Some(&s.resource)),
        events(spans),
        links(spans),
        optional(spans, |s| &s.extra),
        hints(spans)?,
        Arc::new(UInt64Array::from_iter_values(
            spans.iter().map(content_hash),
        )),
    ];
    Ok(RecordBatch::try_new(Table::Spans.schema(), columns)?)
}

/// Where costs are from: what came without a word was reported, and no cost has none.
fn cost_sources(spans: &[Span]) -> ArrayRef {
    repeated(spans, |span| {
        span.cost_usd
            .map(|_| span.cost_source.as_deref().unwrap_or(REPORTED))
    })
}

/// The span at `row` of a batch with all stored columns.
///
/// # Errors
/// `Internal` when a column is missing, `Corrupt` when a hint does not parse.
pub fn span_at(batch: &RecordBatch, row: usize) -> Result<Span> {
    let at = Row::new(batch, row);
    let hint = at
        .text("_hint")?
        .map(|json| serde_json::from_str(&json))
        .transpose();
    Ok(Span {
        trace_id: at.required("trace_id")?,
        span_id: at.required("span_id")?,
        parent_span_id: at.text("parent_span_id")?,
        experiment_id: at.required("experiment_id")?,
        session_id: at.text("session_id")?,
        user_id: at.text("user_id")?,
        name: at.required("name")?,
        span_type: at.required("span_type")?,
        kind: at.required("kind")?,
        status: at.required("status")?,
        status_message: at.text("status_message")?,
        start_time_ns: at.required_time("start_time")?,
        end_time_ns: at.time("end_time")?,
        service_name: at.text("service_name")?,
        scope_name: at.text("scope_name")?,
        scope_version: at.text("scope_version")?,
        operation: at.text("operation")?,
        model: at.text("model")?,
        provider: at.text("provider")?,
        tool_name: at.text("tool_name")?,
        input_tokens: at.int("input_tokens")?,
        output_tokens: at.int("output_tokens")?,
        total_tokens: at.int("total_tokens")?,
        cache_read_input_tokens: at.int("cache_read_input_tokens")?,
        cache_creation_input_tokens: at.int("cache_creation_input_tokens")?,
        cost_usd: at.float("cost_usd")?,
        cost_source: at.text(COST_SOURCE)?,
        inputs: at.text("inputs")?,
        outputs: at.text("outputs")?,
        attributes: at.required("attributes")?,
        resource: at.required("resource")?,
        extra: at.text("extra")?,
        events: events_at(batch, row)?,
        links: links_at(batch, row)?,
        hint: hint.map_err(|e| Error::corrupt(format!("column _hint of a stored span: {e}")))?,
    })
}

/// The `N` text fields of the structs in a list column at `row`, field by field from `first_field` on.
fn struct_texts<const N: usize>(
    batch: &RecordBatch,
    column: &str,
    row: usize,
    first_field: usize,
) -> Result<[Vec<String>; N]> {
    let other_shape = || Error::internal(format!("column {column} holds structs of another shape"));
    let items = list(batch, column)?.value(row);
    let structs = items
        .as_struct_opt()
        .ok_or_else(|| Error::internal(format!("column {column} holds no structs")))?;
    let mut fields = Vec::new();
    for array in structs.columns().iter().skip(first_field) {
        let texts = array.as_string_opt::<i32>();
        let texts =
            texts.ok_or_else(|| Error::internal(format!("column {column} does not hold text")))?;
        let texts = texts
            .iter()
            .map(|text| text.map(str::to_string))
            .collect::<Option<Vec<String>>>();
        fields.push(texts.ok_or_else(other_shape)?);
    }
    fields.try_into().map_err(|_| other_shape())
}

fn events_at(batch: &RecordBatch, row: usize) -> Result<Vec<Event>> {
    let items = list(batch, "events")?.value(row);
    let times = items
        .as_struct_opt()
        .and_then(|s| s.column(0).as_primitive_opt::<TimestampNanosecondType>());
    let times = times
        .ok_or_else(|| Error::internal("column events has no times"))?
        .values()
        .clone();
    let [names, attributes] = struct_texts(batch, "events", row, 1)?;
    assert!(
        times.len() == names.len() && names.len() == attributes.len(),
        "an event has all its parts"
    );
    let rows = times.iter().zip(names).zip(attributes);
    Ok(rows
        .map(|((time_ns, name), attributes)| Event {
            time_ns: *time_ns,
            name,
            attributes,
        })
        .collect())
}

fn links_at(batch: &RecordBatch, row: usize) -> Result<Vec<Link>> {
    let [traces, spans, attributes] = struct_texts(batch, "links", row, 0)?;
    assert!(
        traces.len() == spans.len() && spans.len() == attributes.len(),
        "a link has all its parts"
    );
    let rows = traces.into_iter().zip(spans).zip(attributes);
    Ok(rows
        .map(|((trace_id, span_id), attributes)| Link {
            trace_id,
            span_id,
            attributes,
        })
        .collect())
}

fn hints(spans: &[Span]) -> Result<ArrayRef> {
    let mut texts = Vec::with_capacity(spans.len());
    for span in spans {
        let text = span.hint.as_ref().map(serde_json::to_string).transpose();
        texts.push(
            text.map_err(|e| Error::internal(format!("trace hint of span {}: {e}", span.span_id)))?,
        );
    }
    Ok(Arc::new(StringViewArray::from_iter(texts)))
}

/// A list column of structs; `append_row` adds those of one span.
fn struct_list(
    spans: &[Span],
    fields: arrow::datatypes::Fields,
    append_row: impl Fn(&Span, &mut StructBuilder),
) -> ArrayRef {
    let item = Arc::new(Field::new_list_field(
        DataType::Struct(fields.clone()),
        true,
    ));
    let mut builder =
        ListBuilder::new(StructBuilder::from_fields(fields, spans.len())).with_field(item);
    for span in spans {
        append_row(span, builder.values());
        builder.append(true);
    }
    Arc::new(builder.finish())
}

fn push_text(row: &mut StructBuilder, field: usize, value: &str) {
    if let Some(builder) = row.field_builder::<StringBuilder>(field) {
        builder.append_value(value);
    }
}

fn events(spans: &[Span]) -> ArrayRef {
    struct_list(spans, event_fields(), |span, rows| {
        for event in &span.events {
            if let Some(builder) = rows.field_builder::<TimestampNanosecondBuilder>(0) {
                builder.append_value(event.time_ns);
            }
            push_text(rows, 1, &event.name);
            push_text(rows, 2, &event.attributes);
            rows.append(true);
        }
    })
}

fn links(spans: &[Span]) -> ArrayRef {
    struct_list(spans, link_fields(), |span, rows| {
        for link in &span.links {
            push_text(rows, 0, &link.trace_id);
            push_text(rows, 1, &link.span_id);
            push_text(rows, 2, &link.attributes);
            rows.append(true);
        }
    })
}

/// XXH3-64 of everything received for the span. Each text is preceded by its length, so that no two
/// different spans give the same bytes.
fn content_hash(span: &Span) -> u64 {
    let mut bytes = Vec::with_capacity(256);
    let mut put = |text: &str| {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    };
    for text in [
        &span.name,
        &span.kind,
        &span.status,
        &span.attributes,
        &span.resource,
    ] {
        put(text);
    }
    let options = [
        &span.parent_span_id,
        &span.status_message,
        &span.scope_name,
        &span.scope_version,
        &span.extra,
    ];
    for option in options {
        put(option.as_deref().unwrap_or("\u{0}absent"));
    }
    for event in &span.events {
        put(&event.time_ns.to_string());
        put(&event.name);
        put(&event.attributes);
    }
    for link in &span.links {
        put(&link.trace_id);
        put(&link.span_id);
        put(&link.attributes);
    }
    put(&format!("{} {:?}", span.start_time_ns, span.end_time_ns));
    XxHash3_64::oneshot(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TraceHint;

    #[test]
    fn batch_has_the_stored_schema() {
        let span = Span {
            trace_id: "t".into(),
            span_id: "s".into(),
            events: vec![Event {
                time_ns: 1,
                name: "e".into(),
                attributes: "{}".into(),
            }],
            links: vec![Link::default()],
            hint: Some(TraceHint::default()),
            ..Span::default()
        };
        let batch = spans_batch(&[span.clone(), Span::default()]).unwrap();
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(span_at(&batch, 0).unwrap(), span);
        assert_eq!(span_at(&batch, 1).unwrap(), Span::default());
        assert_eq!(batch.schema(), Table::Spans.schema());
        assert_ne!(content_hash(&span), content_hash(&Span::default()));
    }

    #[test]
    fn zero_is_stored_without_a_sign() {
        let span = Span {
            cost_usd: Some(-0.0),
            ..Span::default()
        };
        let batch = spans_batch(&[span]).unwrap();
        let stored = span_at(&batch, 0).unwrap().cost_usd.unwrap();
        assert_eq!(stored.to_bits(), 0.0_f64.to_bits());
    }
}
