//! `chat_messages(inputs, outputs, span_type, attributes)`: the messages of a span, behind view `messages`. The formats
//! are read by [`crate::messages`], which also tells where attributes say more than inputs and outputs do.
//!
//! What a tool made (`span_type` is `TOOL`) is the tool's word where it names no speaker, and what was retrieved are
//! documents;
//! instructions that stand in an attribute of their own come first.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Builder, ListArray, StringBuilder, StringViewArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::messages::{Content, Message, given, made};

/// The function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::sql) struct ChatMessages {
    signature: Signature,
}

impl Default for ChatMessages {
    fn default() -> Self {
        Self {
            signature: Signature::exact(vec![DataType::Utf8View; 4], Volatility::Immutable),
        }
    }
}

fn message_fields() -> Fields {
    Fields::from(vec![
        Field::new("direction", DataType::Utf8, false),
        Field::new("index", DataType::Int64, false),
        Field::new("role", DataType::Utf8, true),
        Field::new("content", DataType::Utf8, true),
    ])
}

impl ScalarUDFImpl for ChatMessages {
    fn name(&self) -> &str {
        "chat_messages"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(
            DataType::Struct(message_fields()),
            true,
        ))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays: Vec<ArrayRef> = args
            .args
            .into_iter()
            .map(|value| value.into_array(rows))
            .collect::<Result<_>>()?;
        let [inputs, outputs, span_types, attributes] = arrays.as_slice() else {
            return datafusion::common::internal_err!("chat_messages takes four arguments");
        };
        let payloads = Payloads {
            inputs: inputs.as_string_view(),
            outputs: outputs.as_string_view(),
            span_types: span_types.as_string_view(),
            attributes: attributes.as_string_view(),
        };
        Ok(ColumnarValue::Array(Arc::new(message_list(&payloads)?)))
    }
}

/// The columns that messages are read from, all of one length.
struct Payloads<'a> {
    inputs: &'a StringViewArray,
    outputs: &'a StringViewArray,
    span_types: &'a StringViewArray,
    attributes: &'a StringViewArray,
}

/// Columns of the messages of a batch, growing.
#[derive(Default)]
struct MessageColumns {
    direction: StringBuilder,
    index: Int64Builder,
    role: StringBuilder,
    content: StringBuilder,
    count: usize,
}

fn message_list(payloads: &Payloads<'_>) -> Result<ListArray> {
    let mut columns = MessageColumns::default();
    let mut lengths = Vec::with_capacity(payloads.inputs.len());
    let spans = payloads
        .inputs
        .iter()
        .zip(payloads.outputs)
        .zip(payloads.span_types)
        .zip(payloads.attributes);
    for (((input, output), span_type), attributes) in spans {
        let before = columns.count;
        let attributes = attributes.unwrap_or_default();
        columns.push("input", &given(input, attributes));
        let span_type = span_type.unwrap_or_default();
        columns.push("output", &made(output, attributes, span_type));
        lengths.push(columns.count - before);
    }
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(columns.direction.finish()),
        Arc::new(columns.index.finish()),
        Arc::new(columns.role.finish()),
        Arc::new(columns.content.finish()),
    ];
    let messages = StructArray::try_new(message_fields(), arrays, None)?;
    let item = Field::new_list_field(DataType::Struct(message_fields()), true);
    Ok(ListArray::try_new(
        Arc::new(item),
        OffsetBuffer::from_lengths(lengths),
        Arc::new(messages),
        None,
    )?)
}

impl MessageColumns {
    fn push(&mut self, direction: &str, messages: &[Message]) {
        for (index, message) in (0..).zip(messages) {
            self.direction.append_value(direction);
            self.index.append_value(index);
            self.role.append_value(&message.role);
            self.content
                .append_option(message.content.as_ref().map(Content::as_sent));
            self.count += 1;
        }
    }
}
