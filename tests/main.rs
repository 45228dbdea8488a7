//! Integration tests of Tracehouse: one binary over the public API.
//!
//! Tests that read the example data in `../shared` say so and pass when it is not there.

mod data;
mod facts;
mod order;
mod support;
