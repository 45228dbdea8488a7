//! The way of one export request after its body was read: decompressed and decoded when a decoder is free, then stored.
//!
//! Decoding takes a core: as many requests decode at a time as there are cores. Storing waits for the log's sync, which
//! all that store at the same time share: so it does not hold a decoder.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use tracehouse::{ImportReport, OtlpEncoding, ReceiveOptions};

use super::Reserved;
use super::compression::Compression;
use crate::access::Caller;
use crate::error::ApiError;
use crate::state::Shared;

/// Headers that name the experiment, the first that is there.
const EXPERIMENT_HEADERS: [&str; 2] = ["x-mlflow-experiment-id", "x-tracehouse-experiment"];
const RUN_HEADER: &str = "x-mlflow-run-id";
/// Rows and log record of a request take about so many times the bytes of its body.
const DECODED_PARTS: usize = 2;

/// An export request, as far as its head tells.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) compression: Compression,
    pub(crate) options: ReceiveOptions,
}

impl Export {
    /// # Errors
    /// 400 for a header that is no text, 403 for an experiment that the caller may not send to.
    pub(crate) fn of(
        state: &Shared,
        caller: &Caller,
        headers: &HeaderMap,
        encoding: OtlpEncoding,
        compression: Compression,
    ) -> Result<Self, ApiError> {
        let mut told = None;
        for name in EXPERIMENT_HEADERS {
            told = told.or(text(headers, name)?);
        }
        let experiment_id = match (told, caller.experiments()) {
            (Some(told), _) => told,
            // Who may send to one experiment alone means that one.
            (None, Some([only])) => only.as_str(),
            (None, _) => state.options.experiment_id.as_str(),
        };
        caller.check_experiment(experiment_id)?;
        let mut options = ReceiveOptions::new(encoding).experiment_id(experiment_id);
        if let Some(run_id) = text(headers, RUN_HEADER)? {
            options = options.run_id(run_id);
        }
        Ok(Self {
            compression,
            options,
        })
    }

    /// Decodes and stores `body`: durable when this returns.
    ///
    /// # Errors
    /// 400 for what is no OTLP request, 403 on a read-only server, 413 and 503 by the limits of memory.
    pub(crate) async fn store(
        self,
        state: &Shared,
        body: Bytes,
        mut reserved: Reserved,
    ) -> Result<ImportReport, ApiError> {
        if state.options.read_only {
            return Err(ApiError::forbidden(
                "this server is read-only and takes no traces",
            ));
        }
        let decoder = Arc::clone(&state.decoders).acquire_owned().await;
        let decoder = decoder.map_err(|_| ApiError::busy("the server is stopping"))?;
        let (db, bytes_max) = (state.db.clone(), state.options.request_bytes_max);
        let counted = state.clone();
        let stored = tokio::task::spawn_blocking(move || {
            let body = self.compression.undo(body, bytes_max, &mut reserved)?;
            reserved.add(body.len().saturating_mul(DECODED_PARTS))?;
            let received = db.decode_received(body, &self.options)?;
            drop(decoder);
            let stored = db.store_received(received);
            counted.operate.figures.stored(&stored);
            drop(reserved);
            Ok(stored?)
        });
        stored
            .await
            .map_err(|_| ApiError::internal("the request ended without an answer"))?
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, ApiError> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .map_err(|_| ApiError::bad_request(format!("the header {name} is no text")))?
        .trim();
    Ok(Some(text).filter(|text| !text.is_empty()))
}
