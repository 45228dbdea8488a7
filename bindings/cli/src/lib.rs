//! The `tracehouse` command line: arguments in, one command run, an exit code out.
//!
//! ```text
//! args -> command (opens the database through context) -> output (table, JSON, CSV, Parquet, Arrow)
//! ```
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 failed (a panic
//! is a failure of one line, too), 2 bad usage or bad input, 130 and 143 ended by Ctrl-C or
//! SIGTERM. A closed standard output ends the command quietly with 0.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::disallowed_methods
    )
)]

mod args;
mod command;
mod context;
mod failure;
mod interrupt;
mod output;
mod panic;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::context::Context;
use crate::output::Output;

/// Gives memory back to the system: an import's threads free what others allocated.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output; nothing can be done when it is closed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    interrupt::watch();
    let context = Context::of(&cli.global);
    let mut out = Output::stdout();
    let mut result = panic::caught(|| command::run(&context, &cli.command, &mut out));
    if result.is_ok() {
        result = out.flush().map_err(Into::into);
    }
    match result {
        Err(_) if out.is_closed() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let code = interrupt::code().and_then(|code| u8::try_from(code).ok());
            // What was written before the failure belongs before its message.
            let _ = out.flush();
            failure.report();
            let code = code.unwrap_or(failure.code);
            if failure.given_up {
                // Whoever set a limit of time does not wait for threads that have not noticed.
                std::process::exit(code.into());
            }
            ExitCode::from(code)
        }
    }
}
