//! What can be written: the operations, their form in the write-ahead log, and what applying one
//! reports.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, guarded};
use crate::frame::PAYLOAD_BYTES_MAX;
use crate::model::{Assessment, Fragment, TraceEdit};
use crate::schema::{COST_SOURCE, Table, cost_sources_before, is_without_cost_source};

/// WAL record kind of spans: an Arrow IPC stream with one batch of the stored schema, its buffers LZ4.
pub const KIND_SPANS: u8 = 1;
/// WAL record kind of a [`Mutation`]: JSON.
pub const KIND_MUTATION: u8 = 2;
/// WAL record kind of few spans: the stream's length in four bytes, then the stream, whose buffers are as they
/// are, as one zstd frame. Arrow compresses each buffer of each column by itself, and its reader zeroes some
/// hundred kilobytes for each: more than everything else that reading a small record takes.
pub const KIND_FEW_SPANS: u8 = 3;

/// Spans of less memory than this are few.
const FEW_SPANS_BYTES_MAX: usize = 1 << 20;
/// The least work for zstd.
const FEW_SPANS_ZSTD_LEVEL: i32 = 1;

/// New assessments, and whether their ids may exist already (then an equal one is left alone and a
/// different one replaced; `valid` is kept).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assess {
    /// The assessments.
    pub rows: Vec<Assessment>,
    /// False when the ids are known to be new.
    pub check_existing: bool,
}

/// Assessments that go and assessments that come in one step; a changed one does both.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Reassess {
    /// Trace id and assessment id of the assessments that are deleted; ids of none are ignored.
    pub removed: Vec<(String, String)>,
    /// The assessments that are stored in their place, as they are.
    pub rows: Vec<Assessment>,
}

/// A change other than new spans.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Mutation {
    /// Explicit changes to traces, by trace id.
    Edit(Vec<(String, TraceEdit)>),
    /// New or replaced assessments.
    Assess(Assess),
    /// Changed, deleted and overriding assessments.
    Reassess(Reassess),
    /// Traces deleted with everything below them.
    Delete(Vec<String>),
    /// Log records of spans that are there or may come.
    Join(Vec<Fragment>),
}

/// One write.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Spans, as a batch of the stored schema.
    Spans(RecordBatch),
    /// Anything else.
    Mutation(Mutation),
}

impl Operation {
    /// Checks what replay relies on, before it is in the log: a record that does not decode ends every
    /// later open.
    ///
    /// # Errors
    /// `Internal` when spans have another schema than the stored one.
    pub fn check(&self) -> Result<()> {
        match self {
            Operation::Spans(batch)
                if batch.schema_ref().fields() != Table::Spans.schema().fields() =>
            {
                Err(Error::internal("a batch of spans has another schema"))
            }
            _ => Ok(()),
        }
    }

    /// The WAL record of the operation.
    ///
    /// # Errors
    /// `Internal` when it cannot be encoded.
    pub fn encode(&self) -> Result<(u8, Vec<u8>)> {
        match self {
            Operation::Spans(batch) => {
                // Small batches too: uncompressed they have sectors of zeros, and a record with such a
                // sector cannot be told from one that a power cut left unwritten.
                if batch.get_array_memory_size() < FEW_SPANS_BYTES_MAX {
                    return Ok((KIND_FEW_SPANS, encode_few(&stream_of(batch, None)?)?));
                }
                Ok((
                    KIND_SPANS,
                    stream_of(batch, Some(arrow::ipc::CompressionType::LZ4_FRAME))?,
                ))
            }
            Operation::Mutation(mutation) => {
                let bytes = serde_json::to_vec(mutation);
                Ok((
                    KIND_MUTATION,
                    bytes.map_err(|e| Error::internal(format!("mutation record: {e}")))?,
                ))
            }
        }
    }

    /// The operation of a WAL record.
    ///
    /// # Errors
    /// `Corrupt` when the record does not decode; its checksum was right, so this is not damage of the
    /// medium but a record of a version this one does not know.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self> {
        // Arrow's reader panics on some bytes that no writer wrote.
        guarded("write-ahead log record", || Self::decode_any(kind, payload))
    }

    fn decode_any(kind: u8, payload: &[u8]) -> Result<Self> {
        let bad = |what: String| Error::corrupt(format!("write-ahead log record: {what}"));
        match kind {
            KIND_SPANS => Ok(Operation::Spans(read_stream(payload).map_err(bad)?)),
            KIND_FEW_SPANS => {
                let stream = decode_few(payload).map_err(bad)?;
                Ok(Operation::Spans(read_stream(&stream).map_err(bad)?))
            }
            KIND_MUTATION => Ok(Operation::Mutation(
                serde_json::from_slice(payload).map_err(|e| bad(e.to_string()))?,
            )),
            other => Err(bad(format!("unknown kind {other}"))),
        }
    }
}

/// A batch as an Arrow IPC stream.
fn stream_of(
    batch: &RecordBatch,
    compression: Option<arrow::ipc::CompressionType>,
) -> Result<Vec<u8>> {
    let options = IpcWriteOptions::default().try_with_compression(compression)?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options)?;
    writer.write(batch)?;
    writer.finish()?;
    Ok(writer.into_inner()?)
}

/// The one batch of a stream, of the stored schema; or what is wrong with it.
fn read_stream(stream: &[u8]) -> std::result::Result<RecordBatch, String> {
    let mut reader = StreamReader::try_new(stream, None).map_err(|e| e.to_string())?;
    let batch = reader
        .next()
        .ok_or("no batch")?
        .map_err(|e| e.to_string())?;
    if reader.next().is_some() {
        return Err("more than one batch".into());
    }
    let schema = Table::Spans.schema();
    let mut columns = batch.columns().to_vec();
    if is_without_cost_source(batch.schema().fields()) {
        let at = schema.index_of(COST_SOURCE).map_err(|e| e.to_string())?;
        let costs = batch
            .column_by_name("cost_usd")
            .ok_or("spans without costs")?;
        columns.insert(at, Arc::new(cost_sources_before(costs)));
    } else if batch.schema().fields() != schema.fields() {
        return Err("spans of another schema".into());
    }
    RecordBatch::try_new(schema, columns).map_err(|e| e.to_string())
}

fn encode_few(stream: &[u8]) -> Result<Vec<u8>> {
    let length =
        u32::try_from(stream.len()).map_err(|_| Error::internal("length of a log record"))?;
    let compressed = zstd::bulk::compress(stream, FEW_SPANS_ZSTD_LEVEL);
    let compressed = compressed.map_err(|e| Error::internal(format!("log record: {e}")))?;
    Ok([length.to_le_bytes().as_slice(), &compressed].concat())
}

fn decode_few(payload: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let (length, compressed) = payload.split_first_chunk::<4>().ok_or("no length")?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > PAYLOAD_BYTES_MAX {
        return Err(format!("a length of {length} bytes"));
    }
    let stream = zstd::bulk::decompress(compressed, length).map_err(|e| e.to_string())?;
    if stream.len() != length {
        return Err(format!("{} bytes instead of {length}", stream.len()));
    }
    Ok(stream)
}

/// What applying one operation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// New spans.
    pub spans: u64,
    /// Spans that were there already (equal or replaced by the later one).
    pub duplicate_spans: u64,
    /// How many of the duplicate spans differed from the stored one.
    pub conflicting_spans: u64,
    /// Traces changed by edits or deleted.
    pub traces: u64,
    /// New or replaced assessments.
    pub assessments: u64,
    /// Log records that were not there before and are now with their span.
    pub joined_records: u64,
    /// Log records that were not there before and whose span is not there yet.
    pub waiting_records: u64,
    /// Log records that waited for a span which came.
    pub claimed_records: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::spans_batch;
    use crate::model::Span;

    #[test]
    fn few_and_many_spans_survive_the_log_and_damage_is_an_error() {
        for (spans, kind) in [
            (1, KIND_FEW_SPANS),
            (200, KIND_FEW_SPANS),
            (20_000, KIND_SPANS),
        ] {
            let span = |i| Span {
                trace_id: format!("t{i}"),
                span_id: format!("s{i}"),
                ..Span::default()
            };
            let batch = spans_batch(&(0..spans).map(span).collect::<Vec<_>>()).unwrap();
            let (found, payload) = Operation::Spans(batch.clone()).encode().unwrap();
            assert_eq!(found, kind, "{spans} spans");
            let Ok(Operation::Spans(read)) = Operation::decode(kind, &payload) else {
                panic!("no spans")
            };
            assert_eq!(read, batch);
            for cut in [0, 3, 4, 5, payload.len() / 2, payload.len() - 1] {
                assert!(Operation::decode(kind, &payload[..cut]).is_err() || kind == KIND_SPANS);
            }
            let longer = [u32::MAX.to_le_bytes().as_slice(), &payload[4..]].concat();
            assert!(Operation::decode(kind, &longer).is_err() || kind == KIND_SPANS);
        }
    }

    #[test]
    fn spans_logged_before_costs_had_a_source_read_with_one() {
        let span = |id: &str, cost_usd| Span {
            span_id: id.into(),
            cost_usd,
            ..Span::default()
        };
        let wanted = spans_batch(&[span("a", Some(0.5)), span("b", None)]).unwrap();
        let at = wanted.schema().index_of(COST_SOURCE).unwrap();
        let others: Vec<usize> = (0..wanted.num_columns())
            .filter(|column| *column != at)
            .collect();
        let stream = stream_of(&wanted.project(&others).unwrap(), None).unwrap();
        assert_eq!(read_stream(&stream).unwrap(), wanted);
        let mut twice = StreamWriter::try_new(Vec::new(), &wanted.schema()).unwrap();
        twice
            .write(&wanted)
            .and_then(|()| twice.write(&wanted))
            .and_then(|()| twice.finish())
            .unwrap();
        assert!(
            read_stream(twice.get_ref()).is_err(),
            "no span of a record is left out"
        );
        let fewer = stream_of(&wanted.project(&others[1..]).unwrap(), None).unwrap();
        assert!(read_stream(&fewer).is_err());
    }

    fn mutation(json: &str) -> Mutation {
        match Operation::decode(KIND_MUTATION, json.as_bytes()) {
            Ok(Operation::Mutation(mutation)) => mutation,
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn records_written_before_starts_and_links_still_read() {
        let Mutation::Edit(edits) =
            mutation(r#"{"Edit":[["t",{"tags":{"a":"1","b":null}}],["u",{}]]}"#)
        else {
            panic!("no edit")
        };
        assert_eq!(edits[0].1.tags.len(), 2);
        assert!(edits[1].1.is_empty() && edits[0].1.start.is_none());
        assert!(matches!(mutation(r#"{"Delete":["t"]}"#), Mutation::Delete(ids) if ids == ["t"]));
    }

    #[test]
    fn what_a_start_says_survives_the_log() {
        let usage = crate::model::StartUsage {
            input_cost: Some(0.1),
            ..Default::default()
        };
        let start = crate::model::StartEdit {
            state: "OK".into(),
            usage,
            ..Default::default()
        };
        let edits = vec![("t".to_string(), TraceEdit::start(start))];
        let (kind, bytes) = Operation::Mutation(Mutation::Edit(edits.clone()))
            .encode()
            .unwrap();
        assert_eq!(kind, KIND_MUTATION);
        let Mutation::Edit(read) = mutation(std::str::from_utf8(&bytes).unwrap()) else {
            panic!("no edit")
        };
        assert_eq!(read, edits);
    }
}
