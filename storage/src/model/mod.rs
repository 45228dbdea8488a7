//! Plain data: spans, traces, assessments and their ids, without IO.

mod assessment;
mod edit;
mod fragment;
mod id;
mod preview;
mod rows;
mod span;
mod start;
mod trace;

pub use assessment::{Assessment, AssessmentKind};
pub use edit::TraceEdit;
pub use fragment::Fragment;
pub use id::{TraceKey, check_id, normalize_trace_id};
pub use preview::{PREVIEW_CHARS_MAX, cut_preview};
pub(crate) use rows::row_number;
pub use span::{Event, Link, Span, TraceHint};
pub use start::{COST_METADATA, FINALIZED_METADATA, StartEdit, StartUsage, TOKEN_USAGE_METADATA};
pub use trace::{TraceRow, Usage};

/// The experiment of traces about which nobody says another.
pub const EXPERIMENT_DEFAULT: &str = "0";
/// The state of a trace of which nothing says that it has ended.
pub const IN_PROGRESS: &str = "IN_PROGRESS";
/// The tag that holds a trace's name, as in MLflow.
pub const TRACE_NAME_TAG: &str = "mlflow.traceName";
/// The metadata key that repeats the session id, as in MLflow.
pub const SESSION_METADATA: &str = "mlflow.trace.session";
/// The metadata key that repeats the user id, as in MLflow.
pub const USER_METADATA: &str = "mlflow.trace.user";
