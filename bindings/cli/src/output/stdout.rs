//! Buffered standard output that remembers when its reader went away.

use std::io::{self, BufWriter, ErrorKind, Stdout, Write};

/// Bytes gathered before they are written: results are written in many small pieces.
const BUFFER_BYTES: usize = 64 << 10;

/// Standard output.
#[derive(Debug)]
pub struct Output {
    inner: BufWriter<Stdout>,
    closed: bool,
}

impl Output {
    /// The process's standard output.
    pub fn stdout() -> Self {
        Self {
            inner: BufWriter::with_capacity(BUFFER_BYTES, io::stdout()),
            closed: false,
        }
    }

    /// Whether a write failed because nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.closed |= error.kind() == ErrorKind::BrokenPipe;
        }
        result
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.noted(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.noted(flushed)
    }
}
