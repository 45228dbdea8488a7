//! `export`: the records of a dataset version as JSON lines, which `records` reads back.

use std::io::{BufWriter, Write};

use tracehouse::ExportFormat;

use super::asked::Asked;
use super::datasets::{WHAT, find};
use super::pieces::PIECE_BYTES;
use super::records::version;
use super::{Answer, stream};
use crate::error::ApiError;

const MEDIA_TYPE: &str = "application/x-ndjson";

/// `GET /api/v1/datasets/{name}/export`.
pub(super) async fn export(mut asked: Asked) -> Answer {
    asked.caller.check_all_experiments(WHAT)?;
    let name = asked.path("name")?;
    let mut input = asked.input().await?;
    let version = version(&mut input)?;
    input.end()?;
    stream::stream(&asked.state, MEDIA_TYPE, None, move |db, pieces| {
        let dataset = find(&db, &name)?;
        let mut lines = BufWriter::with_capacity(PIECE_BYTES, pieces);
        dataset.export(ExportFormat::JsonLines, version, &mut lines)?;
        lines
            .flush()
            .map_err(|error| ApiError::internal(format!("the export cannot be written: {error}")))
    })
    .await
}
