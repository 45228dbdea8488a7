//! MCP: tools by which assistants read the database, over HTTP at `/mcp` and on standard input and output.
//!
//! ```text
//! http (token, body within the budget) -+-> service (which tools, who may) -> parameters (checked)
//! stdio ---------------------------------+      -> tools/ (the question, on a thread that may wait)
//!                                               -> answer (within its bytes) -> json (nothing hidden) -> the assistant
//! ```
//!
//! The protocol is rmcp's. Each request stands for itself: over HTTP there are no sessions to keep, bound or lose.
//!
//! **Invariants**
//! 1. MC-1: an answer has at most the bytes of its budget and says what is left out and how to get it (`answer`).
//! 2. MC-2: recorded texts are in answers that are marked as untrusted, and nowhere else: not in descriptions, and in
//!    errors only as short quotes.
//! 3. MC-3: a caller sees the traces of its experiments alone (`scope`), and writes with the role for it alone.

mod answer;
mod http;
mod json;
mod parameters;
mod scope;
mod service;
mod stdio;
mod tools;

pub(crate) use http::routes;
pub use stdio::serve_stdio;

use crate::error::quoted;
