//! What reviewers are asked, and whether an answer answers it.
//!
//! ```text
//! label (what a label is) <- fields (reads one JSON object) <- parse (a file) ; label <- answer (checks an answer)
//! ```

mod answer;
mod fields;
mod label;
mod parse;

pub use answer::{LabelValue, check_answer};
pub use label::{Label, LabelKind, LabelSchema};
