//! Evaluation datasets: named collections of records, built from traces or merged in.
//!
//! ```text
//! traces, spans -> subject, said -> build --\
//! JSON lines, CSV, Parquet -> incoming, members > merge (into the newest version) -> one Parquet file
//! new records of a caller ---------/                                  -> manifest commit == a version
//! ```
//!
//! Invariants:
//! * DS-1 a version is immutable: a change writes a new file with all records and the next number;
//! * DS-2 records of one version have different inputs, compared as canonical JSON;
//! * DS-3 changes are made one after the other, each on top of the newest version, so none is lost.

mod build;
mod diff;
mod erase;
mod erase_texts;
mod expectations;
mod export;
mod export_forms;
mod handle;
mod holding;
mod incoming;
mod info;
mod json;
mod leaks;
mod likeness;
mod members;
mod merge;
mod record;
mod registry;
mod said;
mod sample;
mod schema;
mod source;
mod split;
mod strata;
mod subject;
#[cfg(all(test, feature = "sql"))]
mod tests;

pub use build::BuildPlan;
pub use diff::{PartChange, RecordChange, RecordDiff};
pub use export::ExportFormat;
pub use export_forms::{ExportForm, ExportReport, LeftOut};
pub use handle::Dataset;
pub use holding::{Holding, RecordEdit};
pub use info::DatasetInfo;
pub use leaks::{Alike, DedupeReport, LeakReport};
pub use members::MemberUse;
pub use merge::{MergeReport, SourceRule};
pub use record::{DatasetRecord, NewRecord};
pub use registry::NewDataset;
pub use sample::Sample;
pub use split::{SplitOptions, SplitReport};

pub(crate) use erase::DatasetsErased;
pub(crate) use erase_texts::ErasedTexts;
pub(crate) use expectations::{Expectations, expectations_of};
pub(crate) use info::{Version, newest, versions};
pub(crate) use json::content_hash;
pub(crate) use record::shown;
#[cfg(feature = "sql")]
pub(crate) use record::view_schema;
pub(crate) use record::{Candidate, Record, readable_texts, record_schema, records_of};
pub(crate) use subject::{Kind, Subject, said_by};
