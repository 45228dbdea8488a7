//! From messages to the text a model wrote: the call, its retries, its money, its record.
//!
//! ```text
//! Ask -> chat (JSON of the request) -> client (limits, retries) -> transport (HTTP) -> outcome (answer, failure) -> Reply
//! ```

pub(crate) mod cache;
mod chat;
mod client;
mod outcome;
mod record;
mod retry;
mod transport;
mod usage;

pub use cache::{CachedAnswer, JudgeCache, MemoryCache};
pub(crate) use chat::{AnswerForm, Ask, Purpose};
pub(crate) use client::AskError;
pub use client::Client;
pub(crate) use outcome::Reply;
pub use record::{JudgeCall, Observer};
#[cfg(test)]
pub(crate) use retry::mixed;
pub use usage::JudgeUsage;

#[cfg(test)]
mod tests;
