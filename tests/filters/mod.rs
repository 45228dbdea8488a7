//! The filter language end to end, over the public API.
//!
//! `vectors`: what MLflow was seen to find on a small fixture, and what we find. `agree`: random filters
//! against SQL and a naive evaluator. `paging`: pages while rows arrive and move.
//! `examples`: the examples of the page of the language. `values`: lists, paths, numbers in texts, escapes.

mod agree;
mod clauses;
mod comparisons;
mod examples;
mod expressions;
mod fixture;
mod paging;
mod values;
mod vectors;
mod verdicts;
mod world;
