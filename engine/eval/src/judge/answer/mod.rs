//! From the text that a model wrote to a verdict of the type asked for.
//!
//! ```text
//! text -> object: find and repair the JSON object -> verdict: value of the output's type, rationale
//! ```

mod object;
mod verdict;

pub(crate) use verdict::{Verdict, read};

#[cfg(test)]
mod tests;
