//! Writing results: standard output itself, and one file per form of result.

pub mod arrow_stream;
pub mod columns;
pub mod csv;
pub mod escape;
mod file;
pub mod format;
pub mod json;
mod stdout;
mod style;
pub mod table;
mod table_forms;
pub mod units;
mod writable;

pub use file::to_file;
pub use stdout::Output;
pub use style::Style;
