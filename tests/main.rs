//! Integration tests of Tracehouse: one binary over the public API.
//!
//! Tests that read the example data in `../shared` say so and pass when it is not there.

// Tests read, damage and delete files of databases themselves.
#![allow(clippy::disallowed_methods)]

mod bad_input;
mod bounds;
mod care;
mod comfort;
mod command_line;
mod crash;
mod data;
mod differential;
mod evaluate;
mod examples;
mod exports;
mod facts;
mod filters;
mod full_disk;
mod fuzz;
mod golden;
mod interrupts;
mod kill;
mod limits;
mod log_records;
mod mistakes;
mod order;
mod outside;
mod patterns;
mod place;
mod power;
mod prices;
mod producers;
mod protocol;
mod python;
mod ranking;
mod redaction;
mod server;
mod state;
mod steady;
mod support;
mod terminal;
mod tidy;
mod twice;
mod venv;
mod wrapped_secrets;
mod written_before;
