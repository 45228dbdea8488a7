//! Redaction: what must not be stored is taken out before the write-ahead log sees it.
//!
//! ```text
//! OTLP -> raw request -> otlp::redact --+
//! append, start_trace, tags, assessments, datasets -> rows --+-> Pass (names, patterns, rules, callback) -> store
//! ```
//!
//! What to take out is a setting of the database (`settings`), kept in the catalogue (`stored`), so that
//! every process that writes applies it. `redactor` is the compiled form; a `Pass` goes over the texts of
//! one batch and counts. Texts that are JSON are looked into (`json`); what names (`names`, `letters`) and
//! shapes (`shapes`, `patterns`) cannot tell from a text that is not, `assigned` tries.
//!
//! Invariants
//! * **RD-1** every text that enters the store went through a `Pass`; ids and names of experiments,
//!   datasets, runs and prompts are identities and stay as they are.
//! * **RD-2** it fails closed: a callback that fails or panics costs the text, a setting that cannot be
//!   carried out costs the write.
//! * **RD-3** what is replaced is counted; nothing else of a text changes.

mod assigned;
mod json;
mod letters;
mod names;
mod patterns;
mod redactor;
mod rows;
mod settings;
mod shapes;
mod stored;
#[cfg(test)]
mod tests;

pub(crate) use names::Secrecy;
pub(crate) use redactor::{Pass, Redactor};
pub use redactor::{RedactionCallback, RedactionField};
pub use settings::{Redaction, RedactionRule};
pub(crate) use stored::RedactionState;
