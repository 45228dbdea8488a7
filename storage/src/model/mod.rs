//! Plain data: spans, traces, assessments and their ids, without IO.

mod assessment;
mod edit;
mod id;
mod span;

pub use assessment::{Assessment, AssessmentKind};
pub use edit::TraceEdit;
pub use id::{TraceKey, check_id, normalize_trace_id};
pub use span::{Event, Link, Span, TraceHint};
