//! Progress of an import on standard error: a bar on a terminal, JSON lines for machines, else none.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use tracehouse::Progress;

use crate::args::ProgressFormat;
use crate::context::Context;

/// Shows what is durable, as running totals over all files of the command.
#[derive(Debug)]
pub struct ProgressDisplay {
    bar: Option<ProgressBar>,
    json: bool,
    /// Acknowledged in the files before this one.
    done: Progress,
    /// Bytes taken from the files, as they are on disk.
    read: Arc<AtomicU64>,
}

/// Counts what is read through it.
#[derive(Debug)]
pub struct CountedReader<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for CountedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

impl ProgressDisplay {
    /// A display for inputs of `total_bytes` together.
    pub fn new(
        context: &Context,
        format: Option<ProgressFormat>,
        total_bytes: Option<u64>,
    ) -> Self {
        let json = format == Some(ProgressFormat::Json);
        let wanted = !json && !context.quiet && io::stderr().is_terminal();
        Self {
            bar: wanted.then(|| bar(total_bytes)),
            json,
            done: Progress::default(),
            read: Arc::new(AtomicU64::new(0)),
        }
    }

    /// `reader`, counted for the bar.
    pub fn counted<R: Read>(&self, reader: R) -> CountedReader<R> {
        CountedReader {
            inner: reader,
            read: self.read.clone(),
        }
    }

    /// More of the current file is durable.
    pub fn acknowledged(&self, progress: Progress) {
        let lines = self.done.acked_lines + progress.acked_lines;
        let spans = self.done.acked_spans + progress.acked_spans;
        if self.json {
            let mut stderr = io::stderr().lock();
            // A closed standard error is nobody's loss.
            let _ = writeln!(
                stderr,
                "{{\"acked_lines\":{lines},\"acked_spans\":{spans}}}"
            );
            let _ = stderr.flush();
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.read.load(Ordering::Relaxed));
            bar.set_message(format!("{spans} spans"));
        }
    }

    /// The current file is done; `last` is what it acknowledged in all.
    pub fn file_done(&mut self, last: Progress) {
        self.done.acked_lines += last.acked_lines;
        self.done.acked_spans += last.acked_spans;
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total_bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match total_bytes {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:30} {bytes}/{total_bytes} {msg} {eta}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {bytes} {msg} {elapsed}",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_run_over_files() {
        let mut display = ProgressDisplay {
            bar: None,
            json: false,
            done: Progress::default(),
            read: Arc::default(),
        };
        let file = Progress {
            acked_lines: 2,
            acked_spans: 5,
            acked_bytes: 9,
        };
        display.file_done(file);
        display.file_done(file);
        assert_eq!(
            (display.done.acked_lines, display.done.acked_spans),
            (4, 10)
        );
        let mut text = String::new();
        display
            .counted("abc".as_bytes())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(display.read.load(Ordering::Relaxed), 3);
    }
}
