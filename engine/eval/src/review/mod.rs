//! Review by people: what they are asked, who is given what, and what they answered.
//!
//! It stands below the engine, which keeps queues and writes answers as assessments of people. No clock is read here:
//! every call that depends on time is given it.
//!
//! ```text
//! text of a file -> LabelSchema; answers as JSON + LabelSchema -> typed LabelValues, or all faults at once
//! keys of traces, spans, sessions -> ReviewQueue: next, answer, skip -> ReviewProgress, disagreements, AnswerMatrix
//! ```
//!
//! **Invariants**
//! 1. An item has never answers of more reviewers than were asked for.
//! 2. Reviewers who answered and those who hold a live lease are together never more than were asked for.
//! 3. When a lease ends its seat is free again, and nothing that was answered is lost.
//! 4. Only answers of the schema are kept; an answer is never changed, a later one of the same reviewer supersedes it.

mod error;
mod queue;
mod schema;

pub use error::{AnswerFault, ReviewError, ReviewErrorKind};
pub use queue::{
    Added, Answer, AnswerMatrix, Answered, Assignment, Disagreement, ItemKey, ItemState, Next,
    Ratings, ReviewItem, ReviewProgress, ReviewQueue, ReviewerProgress, Skip,
};
pub use schema::{Label, LabelKind, LabelSchema, LabelValue, check_answer};

#[cfg(test)]
mod tests;
