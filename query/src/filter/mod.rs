//! The filter language of `search_traces`: text to [`Predicate`](crate::predicate::Predicate).
//!
//! ```text
//! text -> lexer (tokens) -> parser (ast) -> check + keys (names, types) -> Predicate
//! ```
//!
//! A superset of MLflow's language; `query/FILTERS.md` is its page. Every stage reports errors as [`FilterError`] with the
//! offending token and its position.

mod ast;
mod check;
mod clause;
mod error;
mod hints;
mod keys;
mod lexer;
mod of_span;
mod order_by;
mod parser;
mod point;
mod time;

pub use check::parse;
pub use error::{FilterError, INVALID_PARAMETER_VALUE};
pub use hints::nearest;
pub use of_span::SpanFilter;
pub use order_by::{OrderKey, parse_order_by};
pub use point::parse_time;

/// Longest filter text, in bytes. A list of ten thousand trace ids takes a third of it.
pub const FILTER_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of parentheses, `HAS` and `NOT`; bounds the recursion of parser and checker.
pub const FILTER_DEPTH_MAX: usize = 64;
/// Most clauses of one filter; each may cost a scan.
pub const FILTER_CLAUSES_MAX: usize = 1_000;
/// Most values in the `IN` lists of one filter together.
pub const FILTER_VALUES_MAX: usize = 50_000;
/// Most `RLIKE` of one filter. Each may be compiled to some megabytes, however short it is.
pub const FILTER_REGEXES_MAX: usize = 64;
/// Longest pattern of a `LIKE`, `ILIKE` or `RLIKE`, in bytes.
pub const FILTER_PATTERN_BYTES_MAX: usize = 8_192;

#[cfg(test)]
mod tests;
