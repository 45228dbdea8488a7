//! Tracehouse: an embedded analytical database for LLM and agent traces.
//!
//! A database is a folder you open. OpenTelemetry traces go in; SQL, MLflow's filter language and
//! full-text search read them; evaluation datasets are built from them.
//!
//! ```
//! use tracehouse::{Database, ImportOptions, Search};
//!
//! let db = Database::in_memory()?;
//! let request = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{
//!     "traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"answer",
//!     "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000",
//!     "attributes":[{"key":"input.value","value":{"stringValue":"what is the refund policy?"}}]}]}]}]}"#;
//! db.import_otlp(request, &ImportOptions::default())?;
//!
//! let page = db.search_traces(&Search::new("trace.text ILIKE '%refund%'").limit(10))?;
//! assert_eq!(page.traces[0].trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
//! let hits = db.search_text("\"refund policy\"", 10)?;
//! assert_eq!(hits[0].field, "inputs");
//! let batches = db.sql("SELECT name, duration_ns FROM spans")?;
//! assert_eq!(batches[0].num_rows(), 1);
//! # Ok::<(), tracehouse::Error>(())
//! ```

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

mod assess;
mod assessments;
mod care;
mod catalog;
mod chunks;
mod copies;
mod correlation;
mod csv;
mod database;
mod dataset;
mod delete;
mod erase;
mod error;
mod files;
mod filters;
mod ingest;
mod limits;
mod links;
mod maintain;
mod metrics;
mod open;
pub mod otlp;
mod pages;
mod prices;
mod redact;
mod retention;
mod said;
mod semconv;
mod sessions;
mod settings;
mod settle;
mod shared;
mod span_builder;
mod sql;
mod start;
mod stats;
mod stored_setting;
mod tags;
mod trace;
mod trace_batches;
mod trace_cache;
mod trace_id;

/// The version of Arrow whose types are in these signatures.
pub use arrow;
pub use assess::NewAssessment;
pub use assessments::AssessmentUpdate;
pub use care::{check, repair};
pub use copies::{backup, backup_until};
pub use correlation::FilterCorrelation;
pub use csv::csv_cell;
pub use database::{Database, SharedPage, TracePage, decode_otlp};
pub use dataset::{
    Dataset, DatasetInfo, ExportFormat, MemberUse, MergeReport, NewDataset, NewRecord, PartChange,
    RecordChange, RecordDiff, Sample, SourceRule,
};
pub use delete::TraceDeletion;
pub use erase::EraseReceipt;
pub use error::{Error, ErrorKind, Result};
pub use files::read_table;
pub use filters::check_filter;
pub use ingest::{ImportOptions, ImportReport, Progress, Rejected};
pub use metrics::{Aggregation, MetricPoint, MetricQuery, MetricView};
pub use open::OpenOptions;
pub use pages::TraceIter;
pub use prices::{Price, PriceRow, Prices};
pub use redact::{Redaction, RedactionCallback, RedactionField, RedactionRule};
pub use retention::{Retention, RetentionReport};
pub use semconv::{Convention, conventions};
pub use sessions::{CompletedSession, Session, SessionSearch};
pub use settings::{Overload, Settings};
pub use span_builder::{SpanBuilder, SpanKind, SpanStatus};
pub use start::TraceStart;
pub use stats::Stats;
pub use trace::Trace;
pub use trace_batches::TraceBatches;
pub use tracehouse_query::filter::parse_time;
pub use tracehouse_query::messages;
pub use tracehouse_query::search::{Analysis, Coverage, Explain, Search, Stage, TextCoverage};
pub use tracehouse_query::sql::{EXPLAINED, SqlQuery, SqlTable, SqlValue};
pub use tracehouse_query::text::{TextHit, TextHits, TextSearch};
pub use tracehouse_storage::backup::BackupReport;
pub use tracehouse_storage::check::{CheckReport, Finding, Severity};
pub use tracehouse_storage::interrupt::CancelToken;
pub use tracehouse_storage::model;
pub use tracehouse_storage::model::StartUsage;
pub use tracehouse_storage::repair::{Loss, RepairReport};
pub use tracehouse_storage::schema::Table;
pub use tracehouse_storage::segment::export;
pub use tracehouse_storage::store::{Compacted, Erased};
