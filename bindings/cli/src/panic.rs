//! A panic is a failure like another: one line, exit code 1. It means an error in this program.
//!
//! The library catches panics of its own threads and of what it reads damaged files with; nothing of them is
//! printed where a user would take it for the answer.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::sync::{Mutex, PoisonError};

use crate::failure::{Failure, Result};

/// What the last panic said, and where.
static LAST: Mutex<String> = Mutex::new(String::new());

/// Runs a command; a panic of it is a failure.
pub fn caught<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    set_hook(Box::new(note));
    // What the command held is not used again: the process ends.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Err(Failure::failed(format!(
            "internal error: {last}; what was acknowledged is safe"
        )))
    })
}

fn note(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let place = panic
        .location()
        .map(|place| format!(" at {}:{}", place.file(), place.line()));
    let line = format!(
        "{}{}",
        message.replace(['\n', '\r'], " "),
        place.unwrap_or_default()
    );
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = line;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_line_and_exit_code_1() {
        let before = std::panic::take_hook();
        let failure = caught::<()>(|| std::panic::panic_any("first\nsecond")).unwrap_err();
        std::panic::set_hook(before);
        assert_eq!(failure.code, 1);
        let start = "internal error: first second at bindings/cli/src/panic.rs:";
        assert!(failure.message.starts_with(start), "{}", failure.message);
        assert_eq!(caught(|| Ok(1)), Ok(1));
    }
}
