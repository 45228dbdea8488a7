//! How an import is ended from outside before its input ends: told to stop it keeps what it can in a moment and counts
//! the rest; cancelled it fails.
//!
//! Reading, decoding and committing look at one [`Ending`]. **Invariant**: what is stored is the beginning of the input;
//! once lines were left out, no later ones are stored.

use std::io::Read;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tracehouse_storage::interrupt::{CancelToken, Interrupt, lending};

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;

/// How long an import that was told to stop goes on with what it has read.
const MOMENT: Duration = Duration::from_millis(30);

/// When an import ends.
#[derive(Debug)]
pub(crate) struct Ending<'l> {
    until: Option<CancelToken>,
    limits: &'l Limits,
    /// When it was first seen that it is told to stop.
    noticed: OnceLock<Instant>,
}

impl<'l> Ending<'l> {
    /// When `until` is cancelled, or a token of the handle is.
    pub fn new(until: Option<CancelToken>, limits: &'l Limits) -> Self {
        Self {
            until,
            limits,
            noticed: OnceLock::new(),
        }
    }

    /// Whether the handle's calls are cancelled: the import fails.
    pub fn is_cancelled(&self) -> bool {
        self.limits.check_cancelled().is_err()
    }

    /// Whether there is to be no more input.
    pub fn is_asked(&self) -> bool {
        let is_asked = self.until.as_ref().is_some_and(CancelToken::is_cancelled);
        if is_asked {
            self.noticed.get_or_init(Instant::now);
        }
        is_asked || self.is_cancelled()
    }

    /// Whether nothing more is to be stored.
    pub fn is_over(&self) -> bool {
        let is_late = || {
            self.noticed
                .get()
                .is_none_or(|noticed| noticed.elapsed() >= MOMENT)
        };
        self.is_asked() && is_late()
    }

    /// Does `write`, which does not wait for room any more once it is to stop.
    pub fn lending<T>(&self, write: impl FnOnce() -> T) -> T {
        lending(
            self.until
                .iter()
                .cloned()
                .fold(self.limits.tokens(), Interrupt::or),
            write,
        )
    }

    /// Whether a write failed because it was told to stop.
    pub fn explains(&self, error: &Error) -> bool {
        error.kind() == ErrorKind::Cancelled && self.is_asked() && !self.is_cancelled()
    }

    /// `input`, which ends when it is told to stop.
    pub fn input<R>(&self, input: R) -> EndingInput<'_, R> {
        EndingInput {
            ending: self,
            input,
        }
    }
}

/// See [`Ending::input`].
pub(crate) struct EndingInput<'e, R> {
    ending: &'e Ending<'e>,
    input: R,
}

impl<R: Read> Read for EndingInput<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.ending.is_asked() {
            Ok(0)
        } else {
            self.input.read(buffer)
        }
    }
}

/// Lines that were read and not stored.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    pub lines: u64,
    /// The first of them, where lines have numbers.
    pub first: Option<u64>,
}

impl LeftOut {
    /// Adds lines that follow those.
    pub fn add(&mut self, lines: u64, first: Option<u64>) {
        if self.lines == 0 {
            self.first = first;
        }
        self.lines += lines;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Database, ImportOptions, Search};

    #[test]
    fn what_was_read_is_stored_or_counted() {
        let line = |n: u64| {
            format!(
                r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{n:032x}","spanId":"{n:016x}","name":"x"}}]}}]}}]}}"#
            )
        };
        let all: Vec<String> = (1..101).map(line).collect();
        let db = Database::in_memory().unwrap();
        let token = CancelToken::new();
        let options = ImportOptions::default().batch_lines(1).until(token.clone());
        let mut acknowledged = 0;
        let report = db.import(all.join("\n").as_bytes(), &options, &mut |progress| {
            acknowledged = progress.acked_lines;
            token.cancel();
            std::thread::sleep(2 * MOMENT);
        });
        let report = report.unwrap();
        assert_eq!(
            db.search_traces(&Search::new("")).unwrap().traces.len() as u64,
            acknowledged
        );
        assert_eq!(report.spans, acknowledged);
        // The input is in memory: what was read is all of it. Who looks first after the stop may store one more.
        let left = 100 - acknowledged;
        assert!(
            left > 90,
            "{acknowledged} lines were stored after the import was told to stop"
        );
        let [left_out] = report.rejected.as_slice() else {
            panic!("{:?}", report.rejected)
        };
        assert_eq!(
            (left_out.line, report.rejected_count),
            (Some(acknowledged + 1), left)
        );
        assert_eq!(
            left_out.error,
            format!("ended here: {left} lines that were read from here on are not stored")
        );
    }
}
