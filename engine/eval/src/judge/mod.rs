//! Judges: scorers that ask a language model behind any OpenAI-compatible chat completions endpoint.
//!
//! ```text
//! Item -> ask (prompt, content in its fence) -> call (limits, retries, HTTP) -> answer (verdict) -> Score or ScoreError
//! ```
//!
//! A [`Judge`] is one question and one model; a [`Client`] is one server with a key, a budget and limits, which
//! the judges of a run share.
//!
//! Invariants:
//! 1. What is judged is data to the model: it stands in a fence that it cannot leave.
//! 2. Every item ends as a score or as a typed error, within the deadline; on a cancellation within 0.2 s.
//! 3. The budget is never exceeded: the most that a call can cost is put aside before it is made.
//! 4. The key goes to the server's host only and is in no definition, `Debug`, error or record.

mod answer;
mod ask;
mod call;
mod definition;
mod forms;
mod limits;
mod scorer;
mod settings;

pub use ask::{JudgeKind, OutputType};
pub use call::{CachedAnswer, Client, JudgeCache, JudgeCall, JudgeUsage, MemoryCache, Observer};
pub use scorer::Judge;
pub use settings::{ApiKey, JudgeSettings, SettingsError};

#[cfg(test)]
mod tests;
