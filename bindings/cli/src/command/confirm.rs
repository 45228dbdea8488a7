//! The question before something is deleted.

use std::io::{BufRead, IsTerminal, Write};

use crate::failure::{Failure, Result};

/// Asks on a terminal; elsewhere nobody can answer, and only `--yes` says so beforehand.
///
/// # Errors
/// When the answer is no, or there is none.
pub fn confirm(what: &str) -> Result<()> {
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return Err(Failure::bad_input(format!(
            "nothing was deleted: to {what} without being asked, add --yes"
        )));
    }
    write!(stderr, "{what}? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Failure::file("standard input", &error))?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::failed("nothing was deleted: not confirmed"))
}
