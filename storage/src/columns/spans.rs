//! Spans to a batch of the stored schema.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListBuilder, RecordBatch, StringBuilder, StringViewArray,
    StructBuilder, TimestampNanosecondArray, TimestampNanosecondBuilder, UInt64Array,
};
use arrow::datatypes::{DataType, Field};
use twox_hash::XxHash3_64;

use crate::error::{Error, Result};
use crate::model::Span;
use crate::schema::{Table, event_fields, link_fields};

/// One batch with a row for each span, in order.
///
/// # Errors
/// `Internal` when a hint cannot be encoded.
pub fn spans_batch(spans: &[Span]) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        required(spans, |s| &s.trace_id),
        required(spans, |s| &s.span_id),
        optional(spans, |s| s.parent_span_id.as_deref()),
        required(spans, |s| &s.experiment_id),
        optional(spans, |s| s.session_id.as_deref()),
        optional(spans, |s| s.user_id.as_deref()),
        required(spans, |s| &s.name),
        required(spans, |s| &s.span_type),
        required(spans, |s| &s.kind),
        required(spans, |s| &s.status),
        optional(spans, |s| s.status_message.as_deref()),
        time(spans, |s| Some(s.start_time_ns)),
        time(spans, |s| s.end_time_ns),
        int(spans, Span::duration_ns),
        optional(spans, |s| s.service_name.as_deref()),
        optional(spans, |s| s.scope_name.as_deref()),
        optional(spans, |s| s.scope_version.as_deref()),
        optional(spans, |s| s.operation.as_deref()),
        optional(spans, |s| s.model.as_deref()),
        optional(spans, |s| s.provider.as_deref()),
        optional(spans, |s| s.tool_name.as_deref()),
        int(spans, |s| s.input_tokens),
        int(spans, |s| s.output_tokens),
        int(spans, |s| s.total_tokens),
        int(spans, |s| s.cache_read_input_tokens),
        int(spans, |s| s.cache_creation_input_tokens),
        Arc::new(Float64Array::from_iter(spans.iter().map(|s| s.cost_usd))),
        optional(spans, |s| s.inputs.as_deref()),
        optional(spans, |s| s.outputs.as_deref()),
        required(spans, |s| &s.attributes),
        required(spans, |s| &s.resource),
        events(spans),
        links(spans),
        optional(spans, |s| s.extra.as_deref()),
        hints(spans)?,
        Arc::new(UInt64Array::from_iter_values(spans.iter().map(content_hash))),
    ];
    Ok(RecordBatch::try_new(Table::Spans.schema(), columns)?)
}

fn required(spans: &[Span], get: impl Fn(&Span) -> &String) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(spans.iter().map(get)))
}

fn optional(spans: &[Span], get: impl Fn(&Span) -> Option<&str>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter(spans.iter().map(get)))
}

fn int(spans: &[Span], get: impl Fn(&Span) -> Option<i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter(spans.iter().map(get)))
}

fn time(spans: &[Span], get: impl Fn(&Span) -> Option<i64>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from_iter(spans.iter().map(get)).with_timezone("UTC"))
}

fn hints(spans: &[Span]) -> Result<ArrayRef> {
    let mut texts = Vec::with_capacity(spans.len());
    for span in spans {
        let text = span.hint.as_ref().map(serde_json::to_string).transpose();
        texts.push(text.map_err(|e| Error::internal(format!("trace hint of span {}: {e}", span.span_id)))?);
    }
    Ok(Arc::new(StringViewArray::from_iter(texts)))
}

/// A list column of structs whose first field is a time when `with_time`, the rest text.
fn struct_list(
    spans: &[Span],
    fields: arrow::datatypes::Fields,
    append_row: impl Fn(&Span, &mut StructBuilder),
) -> ArrayRef {
    let item = Arc::new(Field::new_list_field(DataType::Struct(fields.clone()), true));
    let mut builder = ListBuilder::new(StructBuilder::from_fields(fields, spans.len())).with_field(item);
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
    for text in [&span.name, &span.kind, &span.status, &span.attributes, &span.resource] {
        put(text);
    }
    let options =
        [&span.parent_span_id, &span.status_message, &span.scope_name, &span.scope_version, &span.extra];
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
    use crate::model::{Event, Link, TraceHint};

    #[test]
    fn batch_has_the_stored_schema() {
        let span = Span {
            trace_id: "t".into(),
            span_id: "s".into(),
            events: vec![Event { time_ns: 1, name: "e".into(), attributes: "{}".into() }],
            links: vec![Link::default()],
            hint: Some(TraceHint::default()),
            ..Span::default()
        };
        let batch = spans_batch(&[span.clone(), Span::default()]).unwrap();
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(batch.schema(), Table::Spans.schema());
        assert_ne!(content_hash(&span), content_hash(&Span::default()));
    }
}
