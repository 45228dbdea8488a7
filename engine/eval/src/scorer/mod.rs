//! Scorers that need no judge: how they are written, kept, and what they say.
//!
//! It stands between the command line, the Python package and stored runs on one side, which say what to score by, and
//! the runner on the other, which calls [`Scorer::score`](crate::Scorer::score) for each item.
//!
//! ```text
//! SPEC or TOML file --parse_spec--> Definition <--JSON--> a stored run, a registered scorer
//! Definition::Rule --scorer()--> Box<dyn Scorer>        Sql, Judge: data, built by those who have a database, a server
//! scorers of one run --ScorerList--> names that differ
//! ```
//!
//! **What is read as the answer** is said once, in [`answer`]; **what is read as expected** there too.
//!
//! Invariants
//! 1. A [`Definition`] holds everything: contents of files are in it, defaults are spelled out. The scorer made of the
//!    JSON of a definition gives the same scores.
//! 2. The version of a definition changes with each of its settings, and not with its name.
//! 3. A score depends on the item and the definition only.
//! 4. Wrong settings are an error when the definition is made, never when an item is judged.

pub mod answer;
mod definition;
mod error;
mod list;
mod named;
pub mod rules;
mod spec;

pub use definition::{Body, Definition, JudgeForm, JudgeWord, Sql, from_definition};
pub use error::SpecError;
pub use list::ScorerList;
pub use rules::Rule;
pub use spec::{SPEC_FORMS, parse_spec};

#[cfg(test)]
mod tests;
