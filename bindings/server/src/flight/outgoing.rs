//! Rows on their way out: in types that every client reads, in messages of bounded size.
//!
//! ```text
//! batch -> pieces (slices, nothing copied) -> types as sent -> Arrow IPC -> FlightData
//! ```
//!
//! **The types as sent**: texts and bytes of the kinds "view" and "dictionary" go out as plain texts and bytes, in lists,
//! structs and maps too. Not every reader of Arrow has those kinds, and the slice of a view array would carry the
//! buffers of the whole one. Everything else goes out as SQL has it.
//!
//! **Invariant**: a message has at most [`PIECE_BYTES`] of rows, or one row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow::record_batch::RecordBatch;
use arrow_flight::{FlightData, IpcMessage, SchemaAsIpc};
use bytes::Bytes;
use tonic::Status;

use super::status::internal;

/// Rows of a message, in bytes: what clients take whose limit is gRPC's usual one of 4 MiB.
const PIECE_BYTES: usize = 2 << 20;
/// Longest row: offsets of plain texts and lengths of messages have 31 bits.
const ROW_BYTES_MAX: usize = 1 << 30;
const OFFSET_BYTES: usize = size_of::<i32>();

/// A schema with the types as sent.
pub(super) fn sent_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(sent_field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn sent_field(field: &FieldRef) -> FieldRef {
    match sent_type(field.data_type()) {
        same if same == *field.data_type() => Arc::clone(field),
        other => Arc::new(Field::clone(field).with_data_type(other)),
    }
}

fn sent_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => sent_type(values),
        DataType::List(item) => DataType::List(sent_field(item)),
        DataType::LargeList(item) => DataType::LargeList(sent_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(sent_field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(sent_field).collect()),
        DataType::Map(entries, is_sorted) => DataType::Map(sent_field(entries), *is_sorted),
        other => other.clone(),
    }
}

/// A schema as it stands in messages that tell of one.
///
/// # Errors
/// `Internal` when it cannot be written.
pub(super) fn schema_bytes(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let message = IpcMessage::try_from(SchemaAsIpc::new(schema, &options)).map_err(internal)?;
    Ok(message.0)
}

/// The message that every result begins with.
pub(super) fn schema_message(sent: &Schema) -> FlightData {
    SchemaAsIpc::new(sent, &IpcWriteOptions::default()).into()
}

/// A batch in slices that each make one message, in order.
pub(super) fn pieces(batch: RecordBatch) -> Vec<RecordBatch> {
    let (mut rest, mut pieces) = (vec![batch], Vec::new());
    while let Some(batch) = rest.pop() {
        let rows = batch.num_rows();
        if rows == 0 {
            continue;
        }
        if rows == 1 || batch_bytes(&batch) <= PIECE_BYTES {
            pieces.push(batch);
            continue;
        }
        let half = rows / 2;
        rest.push(batch.slice(half, rows - half));
        rest.push(batch.slice(0, half));
    }
    pieces
}

/// A piece as a message.
///
/// # Errors
/// `ResourceExhausted` for a row that no message carries, `Internal` for one that cannot be written.
pub(super) fn message(sent: &SchemaRef, piece: &RecordBatch) -> Result<FlightData, Status> {
    let bytes = batch_bytes(piece);
    if bytes > ROW_BYTES_MAX {
        return Err(Status::resource_exhausted(format!(
            "a row of the result has {bytes} bytes, and a message carries at most {ROW_BYTES_MAX}: ask for a part of its texts"
        )));
    }
    let as_sent = piece_as_sent(sent, piece)?;
    let (_, encoded) = IpcDataGenerator::default()
        .encode(
            &as_sent,
            // No dictionary is sent.
            &mut DictionaryTracker::new(false),
            &IpcWriteOptions::default(),
            &mut IpcWriteContext::default(),
        )
        .map_err(internal)?;
    Ok(encoded.into())
}

fn piece_as_sent(sent: &SchemaRef, piece: &RecordBatch) -> Result<RecordBatch, Status> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = piece.columns().iter().zip(sent.fields());
    let columns = columns.map(|(column, field)| match field.data_type() {
        same if same == column.data_type() => Ok(Arc::clone(column)),
        other => cast_with_options(column, other, &options).map_err(internal),
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, Status>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(piece.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(sent), columns, &options).map_err(internal)
}

/// A small answer as messages: all of it.
///
/// # Errors
/// As [`message`].
pub(super) fn messages(batch: RecordBatch) -> Result<Vec<FlightData>, Status> {
    let sent = sent_schema(&batch.schema());
    let mut messages = vec![schema_message(&sent)];
    for piece in pieces(batch) {
        messages.push(message(&sent, &piece)?);
    }
    Ok(messages)
}

fn batch_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns.map(|column| array_bytes(column.as_ref())).sum()
}

/// Bytes of an array as it is sent; a view's buffers are counted by the texts that it shows of them.
fn array_bytes(array: &dyn Array) -> usize {
    let children = match array.data_type() {
        DataType::Utf8View => array
            .as_string_view_opt()
            .map(|views| view_bytes(views.views())),
        DataType::BinaryView => array
            .as_binary_view_opt()
            .map(|views| view_bytes(views.views())),
        DataType::Struct(_) => array.as_struct_opt().map(|parts| {
            let parts = parts.columns().iter();
            parts.map(|part| array_bytes(part.as_ref())).sum()
        }),
        DataType::List(_) => list_bytes::<i32>(array),
        DataType::LargeList(_) => list_bytes::<i64>(array),
        DataType::Map(..) => array
            .as_map_opt()
            .and_then(|map| range_bytes(map.entries(), map.value_offsets())),
        _ => None,
    };
    match children {
        Some(bytes) => bytes + array.len() * OFFSET_BYTES,
        // Arrow knows the bytes of a slice; what it does not know is counted whole.
        None => array
            .to_data()
            .get_slice_memory_size()
            .unwrap_or_else(|_| array.get_array_memory_size()),
    }
}

/// A view is 16 bytes, the lowest four of them the length.
fn view_bytes(views: &[u128]) -> usize {
    let lengths = views
        .iter()
        .map(|view| (view & u128::from(u32::MAX)) as usize);
    lengths.sum()
}

fn list_bytes<O: OffsetSizeTrait>(array: &dyn Array) -> Option<usize> {
    let list = array.as_list_opt::<O>()?;
    range_bytes(list.values().as_ref(), list.value_offsets())
}

/// Bytes of the values between the first offset and the last one.
fn range_bytes<O: OffsetSizeTrait>(values: &dyn Array, offsets: &[O]) -> Option<usize> {
    let (first, last) = (offsets.first()?.as_usize(), offsets.last()?.as_usize());
    let length = last.checked_sub(first)?;
    Some(array_bytes(values.slice(first, length).as_ref()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        DictionaryArray, Int64Array, ListBuilder, MapBuilder, StringArray, StringBuilder,
        StringViewArray, StringViewBuilder,
    };
    use arrow::datatypes::Int32Type;
    use arrow_flight::utils::flight_data_to_batches;

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn round_trip(batch: RecordBatch) -> Vec<RecordBatch> {
        flight_data_to_batches(&messages(batch).unwrap()).unwrap()
    }

    #[test]
    fn views_and_dictionaries_leave_as_plain_texts() {
        let mut list = ListBuilder::new(StringViewBuilder::new());
        list.append_value([Some("a"), None]);
        list.append_null();
        let mut map = MapBuilder::new(None, StringViewBuilder::new(), StringViewBuilder::new());
        map.keys().append_value("k");
        map.values().append_value("a value longer than a view");
        map.append(true).unwrap();
        map.append(false).unwrap();
        let words: DictionaryArray<Int32Type> = vec![Some("x"), None].into_iter().collect();
        let sent = round_trip(batch(vec![
            (
                "text",
                Arc::new(StringViewArray::from(vec![Some("t"), None])),
            ),
            ("list", Arc::new(list.finish())),
            ("map", Arc::new(map.finish())),
            ("word", Arc::new(words)),
            ("number", Arc::new(Int64Array::from(vec![1, 2]))),
        ]));
        assert_eq!(sent.len(), 1);
        let (sent, schema) = (&sent[0], sent[0].schema());
        assert_eq!(
            sent.column(0).as_string::<i32>(),
            &StringArray::from(vec![Some("t"), None])
        );
        assert_eq!(sent.column(3).data_type(), &DataType::Utf8);
        let shown = format!("{schema:?}");
        assert!(
            !shown.contains("View") && !shown.contains("Dictionary"),
            "{shown}"
        );
        assert_eq!(sent.column(2).as_map().value(0).len(), 1);
    }

    #[test]
    fn messages_are_small_and_all_rows_are_in_them() {
        let long = "x".repeat(10_000);
        let texts: Vec<String> = (0..1_000).map(|row| format!("{row}{long}")).collect();
        let whole = batch(vec![(
            "text",
            Arc::new(StringViewArray::from_iter_values(&texts)),
        )]);
        let pieces = pieces(whole.clone());
        assert!(pieces.len() >= 5, "{}", pieces.len());
        let sent = messages(whole).unwrap();
        assert!(
            sent.iter()
                .all(|message| message.data_body.len() < PIECE_BYTES + 64 * 1024)
        );
        let rows = flight_data_to_batches(&sent).unwrap();
        let read = rows
            .iter()
            .flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten());
        assert!(read.eq(texts.iter().map(String::as_str)));
    }

    #[test]
    fn a_text_that_many_rows_share_counts_in_each() {
        let mut views = StringViewBuilder::new();
        let block = views.append_block(vec![b'x'; 1 << 20].into());
        for _ in 0..100 {
            views.try_append_view(block, 0, 1 << 20).unwrap();
        }
        let pieces = pieces(batch(vec![("text", Arc::new(views.finish()))]));
        assert!(pieces.iter().all(|piece| piece.num_rows() <= 2));
        assert_eq!(pieces.iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
    }

    #[test]
    fn a_long_row_is_a_message_of_its_own_and_no_rows_are_none() {
        let mut list = ListBuilder::new(StringBuilder::new());
        list.append_value([Some("y".repeat(3 << 20)), Some("z".into())]);
        list.append_value([Some("short")]);
        let rows = batch(vec![("list", Arc::new(list.finish()))]);
        assert_eq!(pieces(rows.clone()).len(), 2);
        assert!(pieces(rows.slice(0, 0)).is_empty());
        assert_eq!(messages(rows.slice(0, 0)).unwrap().len(), 1);
    }
}
