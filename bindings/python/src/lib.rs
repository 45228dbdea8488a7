//! The native half of the Python package: what `tracehouse._native` has.
//!
//! ```text
//! Python caller -> tracehouse/*.py (types, texts, times) -> functions here -> call::run (interpreter released)
//!               -> the crate `tracehouse` -> objects / Rows -> dataclasses, tuples, Arrow stream
//! ```
//!
//! | file | what |
//! |---|---|
//! | `call` | runs work while other Python threads run; Ctrl-C |
//! | `handle` | a database as Python holds it: closing, forks |
//! | `errors` | errors of the engine as the exceptions of `tracehouse.errors` |
//! | `value`, `objects` | Rust values as Python's: plain ones by serde, rows as dataclasses |
//! | `search`, `ingest`, `write`, `figures`, `care`, `sql`, `dataset`, `evaluate`, `prompts`, `reviews` | the functions, by what they are about |
//! | `rows`, `cells` | tables: streams of Arrow batches, and their rows as tuples |
//! | `tables`, `reader` | what Python gives: tables, files |
//! | `redactor` | a Python callable that sees every text before it is stored |
//! | `otel` | spans of the OpenTelemetry SDK |
//!
//! **Invariants**
//! 1. No function keeps the interpreter while it works: what it needs of Python objects is copied before, what it gives is
//!    made after.
//! 2. In a process that was forked, what was opened before fails as `Closed`, and is neither waited for nor dropped.

use pyo3::prelude::*;

mod call;
mod care;
mod cells;
mod dataset;
mod errors;
mod evaluate;
mod figures;
mod free;
mod given;
mod handle;
mod ingest;
mod objects;
mod otel;
mod prompts;
mod reader;
mod redactor;
mod reviews;
mod rows;
mod search;
mod settings;
mod sql;
mod tables;
mod value;
mod write;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    call::note_main_thread(module.py())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    for register in [
        handle::register,
        search::register,
        ingest::register,
        write::register,
        figures::register,
        care::register,
        sql::register,
        dataset::register,
        evaluate::register,
        prompts::register,
        reviews::register,
        rows::register,
        redactor::register,
        free::register,
        otel::register,
    ] {
        register(module)?;
    }
    Ok(())
}
