//! What judges outputs, apart from where they are stored: scorers, LLM judges, statistics of runs, near-duplicates and
//! splits, prompt templates.
//!
//! It stands below the engine, which reads traces and records into [`Item`]s and keeps the scores. Nothing here reads a
//! database, a clock that decides a result, or a random number without a seed.
//!
//! ```text
//! trace, span, session, record -> Item -> Scorer (rule, judge, function) -> Score or ScoreError
//! scores of one run, of two runs -> statistics: interval, paired difference, p-value
//! inputs of records -> near: shingles, exact search, groups -> split, leaks
//! ```

mod item;

pub mod judge;
pub mod near;
pub mod prompt;
pub mod review;
pub mod scorer;
pub mod statistics;

pub use item::{Item, Needs, Question, Score, ScoreError, ScoreErrorKind, Scorer, ToolCall, Turn};
