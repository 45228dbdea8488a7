//! The question before something is deleted.

use std::io::{BufRead, IsTerminal, Write};

use crate::failure::{Failure, Result};

/// Asks on a terminal; elsewhere the command line is confirmation enough.
///
/// # Errors
/// When the answer is no.
pub fn confirm(what: &str) -> Result<()> {
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return Ok(());
    }
    write!(stderr, "{what}? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(|error| Failure::file("standard input", &error))?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::failed("nothing was deleted: not confirmed"))
}
