//! Between plain rows and Arrow batches of the stored schema: one file per table, and typed access
//! to the columns of a batch.

mod assessments;
mod build;
pub(crate) mod packing;
mod read;
mod spans;
mod traces;

pub use assessments::{assessment_at, assessments_batch};
pub(crate) use read::{RequiredText, required_text, value_at};
pub use read::{floats, ints, list, map_at, text, text_at, times, uints};
pub use spans::{span_at, spans_batch};
pub(crate) use traces::waits_for_root;
pub use traces::{trace_at, traces_batch, with_span_runs};
