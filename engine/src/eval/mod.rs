//! Evaluation runs: stored traces, spans, sessions and records of datasets are judged by scorers, again and again.
//!
//! ```text
//! source (search, sessions, dataset, given) -> items: what a scorer sees, a chunk at a time
//!   -> judging: scorers side by side        -> rows of `scores`
//!   -> parts: a chunk's rows and the run's new totals in one commit -> feedback on its traces
//! parts of one run, of two -> report, comparison
//! ```
//!
//! Invariants:
//! * EV-1 a score is stored once: a run that goes on after a kill judges what has no score in it yet;
//! * EV-2 what a run says of itself (counts, cost, state) is committed with the scores that it counts;
//! * EV-3 an error is a row without a value; nothing that was to be judged is left out silently.

mod answers;
mod chunk;
mod compare;
mod erase;
mod feedback;
mod info;
mod items;
mod judge_traces;
mod judging;
mod make;
mod monitor;
mod options;
mod outputs;
mod part;
mod report;
mod run;
#[cfg(feature = "sql")]
mod sql_scorer;
#[cfg(feature = "sql")]
mod table;
#[cfg(all(test, feature = "sql"))]
mod tests;

pub use compare::{EvalComparison, GroupComparison};
pub use info::{EvalRun, EvalState, ScorerInfo};
pub use judge_traces::judge_observer;
pub use judging::EvalScorer;
pub use make::{definition_of, rule, scorer_of};
pub use monitor::{MonitorReport, RegisteredScorer};
pub use options::{EvalOptions, EvalProgress, EvalSource, GivenItem};
pub use part::ScoreRow;
pub use report::EvalReport;
#[cfg(feature = "sql")]
pub use sql_scorer::SqlScorer;
pub use tracehouse_eval::*;

pub(crate) use compare::Group;
#[cfg(feature = "sql")]
pub(crate) use table::{registered_batch, runs_batch, scores_schema, shown_parts};
