//! One OTLP request of a sender that waits for the answer: decoded and stored in the calling thread, for servers.
//!
//! The two steps are two calls: decoding takes a core, and storing waits for the log's sync, which all that store at the
//! same time share. So a server lets few decode and many store.

use tracehouse_storage::model::{TraceEdit, check_id};

use super::{ImportOptions, Ready, Worker, finish, report_rejected};
use crate::database::Database;
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::ingest::ImportReport;
use crate::otlp::Request;
use crate::redact::Pass;
use crate::waiting_assessments::WaitingAssessments;

/// How the body of an OTLP request is written, not compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpEncoding {
    /// `application/x-protobuf`, and gRPC.
    Protobuf,
    /// `application/json`.
    Json,
}

/// What a sender says beside the body of its request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReceiveOptions {
    /// How the body is written.
    pub encoding: OtlpEncoding,
    /// The scope that new traces belong to.
    pub experiment_id: String,
    /// The run that traces are linked to whose root is in the request.
    pub run_id: Option<String>,
}

impl ReceiveOptions {
    /// A request in `encoding`, for the experiment `"0"`.
    pub fn new(encoding: OtlpEncoding) -> Self {
        Self {
            encoding,
            experiment_id: super::EXPERIMENT_DEFAULT.into(),
            run_id: None,
        }
    }

    /// Puts the traces into another experiment.
    pub fn experiment_id(mut self, id: impl Into<String>) -> Self {
        self.experiment_id = id.into();
        self
    }

    /// Links traces to a run whose root is in the request.
    pub fn run_id(mut self, id: impl Into<String>) -> Self {
        self.run_id = Some(id.into());
        self
    }
}

/// A request that is decoded and not stored.
pub struct Received {
    ready: Ready,
    import: ImportOptions,
    run: Option<(String, Vec<String>)>,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Received")
            .field("spans", &self.ready.spans)
            .field("rejected", &self.ready.rejected.len())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Decodes the body of an OTLP request for traces or logs, as [`Database::store_received`] takes it.
    ///
    /// ```
    /// use tracehouse::{Database, OtlpEncoding, ReceiveOptions};
    ///
    /// let db = Database::in_memory()?;
    /// let body = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
    ///     {"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"answer"}]}]}]}"#;
    /// let options = ReceiveOptions::new(OtlpEncoding::Json).experiment_id("7");
    /// let report = db.store_received(db.decode_received(body.to_vec(), &options)?)?;
    /// assert_eq!((report.spans, report.rejected_count), (1, 0));
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for what is no OTLP request, and for ids that cannot be; single spans that cannot be kept are in
    /// the report of storing.
    pub fn decode_received(&self, body: Vec<u8>, options: &ReceiveOptions) -> Result<Received> {
        check_id("experiment id", &options.experiment_id)?;
        if let Some(run_id) = &options.run_id {
            check_id("run id", run_id)?;
        }
        let import = ImportOptions::default()
            .experiment_id(&options.experiment_id)
            .name("request");
        let ending = Ending::new(None, self.limits());
        let (redactor, prices) = (self.redactor()?, self.price_state().list());
        let worker = Worker {
            ending: &ending,
            store: self.store(),
            redactor: &redactor,
            prices: &prices,
            now_ns: self.store().env().now_ns(),
            options: &import,
            span_bytes_max: self.settings().span_bytes_max,
        };
        let bytes = body.len();
        let request = match options.encoding {
            OtlpEncoding::Protobuf => Request::Protobuf { bytes: body },
            OtlpEncoding::Json => Request::Json {
                line: 1,
                bytes: body,
            },
        };
        let mut pass = redactor.pass();
        let decoded = worker
            .decode_request(&request, pass.as_mut())
            .map_err(Error::invalid_input)?;
        let (mut spans, mut ready) = (Vec::new(), Ready::default());
        worker.take(None, decoded, pass.as_mut(), &mut spans, &mut ready);
        ready.bytes = bytes as u64;
        ready.redacted = pass.map_or(0, Pass::finish);
        let run = options.run_id.clone().map(|run_id| {
            let roots = spans.iter().filter(|span| span.parent_span_id.is_none());
            (run_id, roots.map(|span| span.trace_id.clone()).collect())
        });
        worker.complete(spans, &mut ready)?;
        Ok(Received { ready, import, run })
    }

    /// Stores a decoded request: durable and visible when this returns. Calls that store at the same time share one
    /// sync.
    ///
    /// # Errors
    /// `Unavailable` when the disk cannot keep up, see [`Overload`](crate::Overload); `Io` or `Closed` from writing.
    pub fn store_received(&self, received: Received) -> Result<ImportReport> {
        let Received {
            mut ready,
            import,
            run,
        } = received;
        let (mut report, waiting) = (ImportReport::default(), WaitingAssessments::default());
        let (prepared, said) = (ready.prepared.take(), std::mem::take(&mut ready.said));
        let stored = self.store_said(prepared, said, &import);
        finish(self, (&import, &waiting), &mut ready, stored, &mut report)?;
        report_rejected(&import, &mut ready, &mut report)?;
        report.add(self.store_waiting(&waiting, false)?);
        if let Some((run_id, roots)) = run.filter(|(_, roots)| !roots.is_empty()) {
            let edit = TraceEdit {
                linked_runs: [run_id].into(),
                ..TraceEdit::default()
            };
            let edits = roots.into_iter().map(|trace_id| (trace_id, edit.clone()));
            self.store().edit_traces(edits.collect())?;
        }
        Ok(report)
    }
}
