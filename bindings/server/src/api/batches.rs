//! Rows as an Arrow IPC stream.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;

use super::Answer;
use super::pieces::{pieces, schema_without_views, without_views};
use super::stream::{self, Pieces};
use crate::error::ApiError;
use crate::state::Shared;
use tracehouse::Database;

/// The type of an Arrow stream.
pub(super) const MEDIA_TYPE: &str = "application/vnd.apache.arrow.stream";
/// The header with the token of the next page, where JSON has a member.
const NEXT_PAGE_HEADER: &str = "x-next-page-token";

/// Rows to be sent.
pub(super) struct Batches {
    pub(super) schema: SchemaRef,
    pub(super) batches: Box<dyn Iterator<Item = Result<RecordBatch, ApiError>>>,
    pub(super) next_page_token: Option<String>,
}

impl Batches {
    /// The rows of one batch.
    pub(super) fn one(batch: RecordBatch) -> Self {
        Self {
            schema: batch.schema(),
            batches: Box::new(std::iter::once(Ok(batch))),
            next_page_token: None,
        }
    }
}

/// Answers with Arrow what `question` finds. `timeout` is the client's own limit.
///
/// # Errors
/// What the question fails with before its first batch.
pub(super) async fn answer(
    state: &Shared,
    timeout: Option<Duration>,
    question: impl FnOnce(Database) -> Result<Batches, ApiError> + Send + 'static,
) -> Answer {
    stream::stream(state, MEDIA_TYPE, timeout, move |db, answer| {
        send(question(db)?, answer)
    })
    .await
}

fn send(found: Batches, answer: &mut Pieces) -> Result<(), ApiError> {
    let cannot = |error| ApiError::internal(format!("rows cannot be written: {error}"));
    if let Some(token) = found.next_page_token {
        answer.add_header(NEXT_PAGE_HEADER, token);
    }
    let schema = schema_without_views(&found.schema);
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).map_err(cannot)?;
    for batch in found.batches {
        for piece in pieces(&batch?) {
            let piece = without_views(&piece).map_err(cannot)?;
            writer.write(&piece).map_err(cannot)?;
            answer.send(std::mem::take(writer.get_mut()))?;
        }
    }
    writer.finish().map_err(cannot)?;
    answer.send(std::mem::take(writer.get_mut()))
}
