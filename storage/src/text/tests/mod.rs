//! Index, fresh rows and a naive reference must agree: on rows, and index and fresh on scores.

mod agreement;
mod index_files;
mod naive;
mod parse;
mod same_files;
mod values;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ListArray, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampNanosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Schema};

use crate::schema::event_fields;

/// Text of one span, as the columns have it.
#[derive(Debug, Clone, Default)]
struct TestSpan {
    name: String,
    span_type: String,
    status_message: Option<String>,
    inputs: Option<String>,
    outputs: Option<String>,
    attributes: String,
    /// Name and attributes.
    events: Vec<(String, String)>,
}

fn batch(spans: &[TestSpan]) -> RecordBatch {
    let text = |get: &dyn Fn(&TestSpan) -> Option<String>| -> ArrayRef {
        Arc::new(spans.iter().map(get).collect::<StringViewArray>())
    };
    let events: Vec<&(String, String)> = spans.iter().flat_map(|span| &span.events).collect();
    let times = TimestampNanosecondArray::from(vec![0; events.len()]).with_timezone("UTC");
    let names: StringArray = events.iter().map(|event| Some(event.0.as_str())).collect();
    let attributes: StringArray = events.iter().map(|event| Some(event.1.as_str())).collect();
    let values = StructArray::new(
        event_fields(),
        vec![Arc::new(times), Arc::new(names), Arc::new(attributes)],
        None,
    );
    let offsets = OffsetBuffer::from_lengths(spans.iter().map(|span| span.events.len()));
    let item = Arc::new(Field::new_list_field(
        DataType::Struct(event_fields()),
        true,
    ));
    let events: ArrayRef = Arc::new(ListArray::new(item, offsets, Arc::new(values), None));
    let columns = [
        ("name", text(&|span| Some(span.name.clone()))),
        ("status_message", text(&|span| span.status_message.clone())),
        ("inputs", text(&|span| span.inputs.clone())),
        ("outputs", text(&|span| span.outputs.clone())),
        ("attributes", text(&|span| Some(span.attributes.clone()))),
        ("events", events),
        ("span_type", text(&|span| Some(span.span_type.clone()))),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns.map(|(_, column)| column).to_vec(),
    )
    .unwrap()
}

/// A seeded generator.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
