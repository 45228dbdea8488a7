//! Tracehouse: an embedded analytical database for LLM and agent traces.
//!
//! A database is a folder that a program opens; no server is needed. OpenTelemetry traces go in and are durable when a
//! call returns. SQL, MLflow's filter language and full-text search read them, people and judges say what they think
//! of them, and evaluation datasets are made of them.
//!
//! # Open
//!
//! [`Database::open`] makes the folder when there is none. A [`Database`] is a handle: clone it, send it to other threads;
//! all calls block and may be made at the same time. One process writes; any number read beside it
//! ([`OpenOptions::read_only`]). [`Database::in_memory`] is the same without files.
//!
//! ```
//! use tracehouse::{Database, OpenOptions, Settings};
//!
//! let folder = tempfile::tempdir().unwrap();
//! let db = Database::open(folder.path().join("app.traces"))?;
//! let reader = OpenOptions::new().read_only(true).open(folder.path().join("app.traces"))?;
//! let small = OpenOptions::new().settings(Settings::default().memory(256 << 20)).open(":memory:")?;
//! # Ok::<(), tracehouse::Error>(())
//! ```
//!
//! # Put traces in
//!
//! OTLP as it is sent or exported ([`Database::import`], [`Database::import_otlp`]), or spans that a program makes
//! ([`SpanBuilder`], [`Database::append`]). Attributes are kept as they came; those of known conventions (OTel GenAI,
//! OpenInference, MLflow and many frameworks, see [`conventions`]) also fill columns: model, tokens, cost, inputs, session.
//!
//! ```
//! use tracehouse::{Database, ImportOptions, SpanBuilder};
//!
//! let db = Database::in_memory()?;
//! let request = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{
//!     "traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"answer",
//!     "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000",
//!     "attributes":[{"key":"input.value","value":{"stringValue":"what is the refund policy?"}}]}]}]}]}"#;
//! let report = db.import_otlp(request, &ImportOptions::default())?;
//! assert_eq!((report.spans, report.rejected_count), (1, 0));
//!
//! let call = SpanBuilder::new("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b8", "chat")
//!     .parent("00f067aa0ba902b7")
//!     .times_ns(1_700_000_000_100_000_000, Some(1_700_000_000_900_000_000))
//!     .attribute("gen_ai.request.model", "gpt-4o")
//!     .build()?;
//! db.append(&[call])?;
//! assert_eq!(db.get_trace("4bf92f3577b34da6a3ce929d0e0e4736")?.spans.len(), 2);
//! # Ok::<(), tracehouse::Error>(())
//! ```
//!
//! # Find them
//!
//! | question | call | answer |
//! |---|---|---|
//! | traces by a filter | [`search_traces`](Database::search_traces), [`iter_traces`](Database::iter_traces), [`search_stream`](Database::search_stream) | [`TraceRow`]s, by page or one by one |
//! | words and phrases | [`search_text`](Database::search_text) | ranked [`TextHits`] |
//! | SQL | [`sql`](Database::sql), [`sql_batches`](Database::sql_batches), [`sql_stream`](Database::sql_stream) | Arrow batches, at once or as they come |
//! | SQL, typed | [`sql_rows`](Database::sql_rows) | a struct for each row, by serde |
//! | one trace | [`get_trace`](Database::get_trace) | a [`Trace`] with its spans and assessments |
//! | sessions, metrics | [`sessions`](Database::sessions), [`trace_metrics`](Database::trace_metrics) | figures over many traces |
//!
//! ```
//! use tracehouse::{Database, Search, TraceStart};
//!
//! # let db = Database::in_memory()?;
//! # db.start_trace(&TraceStart::new("t1", 5).state("ERROR").previews(Some("refund policy?".into()), None))?;
//! let page = db.search_traces(&Search::new("state = 'ERROR' AND timestamp < now() - 7d").limit(50))?;
//! assert_eq!(page.traces[0].trace_id, "t1");
//!
//! let hits = db.search_text("\"refund policy\" -test", 10)?;
//! # assert!(hits.is_empty());
//! let batches = db.sql("SELECT model, count(*) FROM spans GROUP BY model")?;
//! let states: Vec<(String, u64)> =
//!     db.sql_rows("SELECT state, count(*) FROM traces GROUP BY state")?.collect::<tracehouse::Result<_>>()?;
//! assert_eq!(states, [("ERROR".to_string(), 1)]);
//! # Ok::<(), tracehouse::Error>(())
//! ```
//!
//! # Judge and collect them
//!
//! Tags, feedback and expectations are put on traces that are there, and datasets are versioned sets of records made
//! of traces ([`Dataset`]).
//!
//! ```
//! use tracehouse::{Database, NewRecord, TraceStart};
//!
//! # let db = Database::in_memory()?;
//! # db.start_trace(&TraceStart::new("t1", 5))?;
//! db.set_tag("t1", "env", "prod")?;
//! db.log_feedback("t1", "helpful", "true")?;
//! let dataset = db.create_dataset("regressions")?;
//! dataset.merge(&[NewRecord::new(r#"{"question": "refund?"}"#).expectations(r#"{"answer": "30 days"}"#)])?;
//! assert_eq!(dataset.rows(None)?[0].inputs, r#"{"question":"refund?"}"#);
//! # Ok::<(), tracehouse::Error>(())
//! ```
//!
//! # Errors and limits
//!
//! Every call that can fail gives an [`Error`]: its [`kind`](Error::kind) says what to do about it, its message names
//! the thing at fault. Questions can have a limit of time ([`Database::with_timeout`]) and be cancelled from another
//! thread ([`Database::with_cancel`]); memory is divided by one number ([`Settings::memory`]).
//!
//! ```
//! use tracehouse::{Database, ErrorKind, Search};
//!
//! let db = Database::in_memory()?;
//! let error = db.search_traces(&Search::new("sate = 'ERROR'")).unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::InvalidInput);
//! assert!(error.to_string().contains("state"), "the message says what may be meant");
//! assert_eq!(db.get_trace("t1").unwrap_err().kind(), ErrorKind::NotFound);
//! # Ok::<(), tracehouse::Error>(())
//! ```
//!
//! # Types of others
//!
//! [`arrow`] is re-exported: batches go on into anything that speaks its version. Rows ([`Trace`], [`Span`], [`TraceRow`],
//! [`DatasetRecord`] and the like) are `Serialize` and `Deserialize`. No executor is needed, and any will do.
//! The feature `sql`, on unless told otherwise, brings SQL and with it DataFusion, a quarter of the crates that are built;
//! filters, search, text and datasets need none of it. Runnable programs are in the folder `examples` of the crate: `embed`,
//! `async_service`, `redaction`, `dataset`, `custom_sql`.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::disallowed_methods
    )
)]

mod append;
mod append_limits;
mod assess;
mod assessments;
mod attribute_value;
mod care;
mod catalog;
mod catalog_entry;
mod chunks;
mod copies;
mod correlation;
mod csv;
mod database;
mod dataset;
mod delete;
mod ending;
mod erase;
mod error;
pub mod eval;
mod evaluations;
mod feed;
#[cfg(feature = "sql")]
mod files;
mod filters;
mod ingest;
pub mod json_values;
mod limits;
mod links;
mod maintain;
mod metrics;
mod open;
pub mod otlp;
mod pages;
mod prices;
mod prompts;
mod redact;
mod retention;
mod reviews;
mod row_values;
mod rows;
mod said;
mod semconv;
mod sessions;
mod settings;
mod settle;
mod shared;
mod span_builder;
#[cfg(feature = "sql")]
mod sql;
#[cfg(feature = "sql")]
mod sql_rows;
#[cfg(feature = "sql")]
mod sql_stream;
#[cfg(feature = "sql")]
mod sql_tables;
mod start;
mod stats;
mod stored_setting;
mod tags;
mod trace;
mod trace_batches;
mod trace_cache;
mod trace_id;
mod trace_stream;
mod waiting_assessments;

/// The version of Arrow whose types are in these signatures.
pub use arrow;
pub use assess::NewAssessment;
pub use assessments::AssessmentUpdate;
pub use attribute_value::AttributeValue;
pub use care::{check, repair};
pub use copies::{backup, backup_until};
pub use correlation::FilterCorrelation;
pub use csv::csv_cell;
pub use database::{Database, SharedPage, TracePage, decode_otlp};
pub use dataset::{
    Alike, BuildPlan, Dataset, DatasetInfo, DatasetRecord, DedupeReport, ExportForm, ExportFormat,
    ExportReport, Holding, LeakReport, LeftOut, MemberUse, MergeReport, NewDataset, NewRecord,
    PartChange, RecordChange, RecordDiff, RecordEdit, Sample, SourceRule, SplitOptions,
    SplitReport,
};
pub use delete::TraceDeletion;
pub use erase::EraseReceipt;
pub use error::{Error, ErrorKind, Result};
pub use feed::{FeedBatch, FeedOptions, FeedStatus, LogFeed, encode_otlp};
#[cfg(feature = "sql")]
pub use files::read_table;
pub use filters::{check_filter, join_filters};
pub use ingest::{
    ImportOptions, ImportReport, OtlpEncoding, Progress, ReceiveOptions, Received, Rejected,
};
pub use metrics::{Aggregation, MetricPoint, MetricQuery, MetricView};
pub use open::OpenOptions;
pub use pages::TraceIter;
pub use prices::{Price, PriceRow, Prices};
pub use prompts::PromptStats;
pub use redact::{Redaction, RedactionCallback, RedactionField, RedactionRule};
pub use retention::{Retention, RetentionReport};
pub use reviews::{ReviewInfo, ReviewStatus};
pub use rows::batch_rows;
pub use semconv::{Convention, conventions};
pub use sessions::{CompletedSession, Session, SessionSearch};
pub use settings::{Overload, Settings};
pub use span_builder::{SpanBuilder, SpanKind, SpanStatus};
#[cfg(feature = "sql")]
pub use sql_rows::SqlRows;
#[cfg(feature = "sql")]
pub use sql_stream::{SqlBatches, SqlStream};
pub use start::TraceStart;
pub use stats::Stats;
pub use trace::Trace;
pub use trace_batches::TraceBatches;
pub use trace_stream::TraceStream;
pub use tracehouse_query::filter::{nearest, parse_time};
pub use tracehouse_query::messages;
pub use tracehouse_query::search::{Analysis, Coverage, Explain, Search, Stage, TextCoverage};
#[cfg(feature = "sql")]
pub use tracehouse_query::sql::{EXPLAINED, SqlQuery, SqlTable, SqlValue};
pub use tracehouse_query::text::{TextHit, TextHits, TextSearch};
pub use tracehouse_storage::backup::BackupReport;
pub use tracehouse_storage::check::{CheckReport, Finding, Severity};
pub use tracehouse_storage::interrupt::CancelToken;
pub use tracehouse_storage::model;
pub use tracehouse_storage::model::{Assessment, Event, Link, Span, StartUsage, TraceRow};
pub use tracehouse_storage::repair::{Loss, RepairReport};
pub use tracehouse_storage::schema::Table;
pub use tracehouse_storage::segment::export;
pub use tracehouse_storage::store::{Compacted, Erased};
pub use waiting_assessments::WaitingAssessments;
