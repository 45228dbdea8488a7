//! What a judge is asked: its kind, the texts of the built-in kinds, the template of a custom one, and the judged content
//! in its fence.
//!
//! ```text
//! JudgeKind -> Plan (text with variables, typed output) + Item -> system message, user message
//! ```

mod fence;
mod kind;
mod plan;
mod template;
mod texts;
mod variable;

pub use kind::{JudgeKind, OutputType};
pub(crate) use plan::Plan;

#[cfg(test)]
mod tests;
