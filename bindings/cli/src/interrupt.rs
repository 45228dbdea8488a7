//! Ctrl-C and SIGTERM: what runs is given up, what was half written is removed, and the process ends as others
//! do that a signal ended (130, 143). In the interactive shell Ctrl-C ends the statement alone.
//!
//! The signals are blocked in every thread and taken by one of their own, so that there is no handler in which
//! next to nothing is allowed. Whoever started this process with a signal ignored keeps it so.

// The list of ignored signals and half-written results are no files of a database.
#![allow(clippy::disallowed_methods)]

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use tracehouse::CancelToken;

/// How long a question that was given up may take to notice, before the process ends without it. A join over large
/// batches takes seconds to, and a person has asked for the prompt.
const GRACE: Duration = Duration::from_millis(100);
/// How often a reader of standard input looks whether it is to stop.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
const READ_BYTES: usize = 128 << 10;
/// Exit codes of processes that a signal ended are above this.
const SIGNALLED: i32 = 128;

/// What the process is doing, as far as a signal is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Something that no token stops; wherever it is cut, the database is whole.
    Unstoppable,
    /// A question: it has a moment to end by itself.
    Question,
    /// An import or another write, which ends by itself after what it has begun; a second signal ends it at once.
    Writing,
    /// A statement of the interactive shell, or its prompt: nothing ends the process.
    Statement,
}

#[derive(Debug)]
struct State {
    doing: Doing,
    token: Option<CancelToken>,
    /// The exit code of the signal that came.
    code: Option<i32>,
    half_written: Vec<HalfFile>,
}

/// A file that is being written, and the bytes that it keeps when that is not done; `None` removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HalfFile {
    path: PathBuf,
    kept_bytes: Option<u64>,
}

impl HalfFile {
    fn take_back(&self) -> io::Result<()> {
        match self.kept_bytes {
            None => std::fs::remove_file(&self.path),
            Some(bytes) => std::fs::OpenOptions::new().write(true).open(&self.path)?.set_len(bytes),
        }
    }
}

static STATE: Mutex<State> =
    Mutex::new(State { doing: Doing::Unstoppable, token: None, code: None, half_written: Vec::new() });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the signals from now on. To be called before there are other threads.
pub fn watch() {
    let ignored = ignored_signals();
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        if ignored & (1 << (signal as i32 - 1)) == 0 {
            signals.add(signal);
        }
    }
    // Where that fails, signals do what they do by default.
    if signals.iter().next().is_none() || signals.thread_block().is_err() {
        return;
    }
    let wait = move || {
        while let Ok(signal) = signals.wait() {
            note(signal);
        }
    };
    if std::thread::Builder::new().name("signals".to_string()).spawn(wait).is_err() {
        let _ = signals.thread_unblock();
    }
}

/// A bit for each signal that is ignored, the lowest for number 1.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn note(signal: Signal) {
    let code = SIGNALLED + signal as i32;
    let mut state = state();
    if let Some(token) = &state.token {
        token.cancel();
    }
    let is_first = state.code.is_none();
    match state.doing {
        Doing::Statement if signal == Signal::SIGINT => return,
        Doing::Question if is_first => {
            std::thread::spawn(move || {
                std::thread::sleep(GRACE);
                crate::failure::report("error: the call was cancelled");
                end(code);
            });
        }
        Doing::Writing if is_first => {}
        Doing::Unstoppable | Doing::Question | Doing::Writing | Doing::Statement => {
            drop(state);
            end(code);
        }
    }
    state.code = Some(code);
}

/// Ends the process where it is.
fn end(code: i32) -> ! {
    for file in std::mem::take(&mut state().half_written) {
        let _ = file.take_back();
    }
    std::process::exit(code)
}

/// The exit code of the signal that came, if one did.
pub fn code() -> Option<i32> {
    state().code
}

/// Says what is being done, and gives the token that a signal cancels.
pub fn begin(doing: Doing) -> CancelToken {
    let token = CancelToken::new();
    let mut state = state();
    (state.doing, state.token) = (doing, Some(token.clone()));
    if state.code.is_some() {
        token.cancel();
    }
    token
}

/// Remembers a file that is as it was when a signal ends the process, until the guard is dropped.
#[derive(Debug)]
pub struct HalfWritten(HalfFile);

impl HalfWritten {
    /// The new file at `path`, if it is one: nothing else is removed.
    pub fn new(path: &Path) -> Option<Self> {
        Self::keeping(path, None)
    }

    /// The file at `path`, of which this many bytes stay.
    pub fn beyond(path: &Path, kept_bytes: u64) -> Option<Self> {
        Self::keeping(path, Some(kept_bytes))
    }

    fn keeping(path: &Path, kept_bytes: Option<u64>) -> Option<Self> {
        let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        is_file.then(|| {
            let file = HalfFile { path: path.to_path_buf(), kept_bytes };
            state().half_written.push(file.clone());
            Self(file)
        })
    }

    /// Takes back what was written.
    pub fn take_back(self) -> io::Result<()> {
        self.0.take_back()
    }
}

impl Drop for HalfWritten {
    fn drop(&mut self) {
        state().half_written.retain(|file| *file != self.0);
    }
}

/// Writes until what is being done is cancelled.
#[derive(Debug)]
pub struct UntilCancelled<W> {
    inner: W,
    token: Option<CancelToken>,
}

impl<W: Write> UntilCancelled<W> {
    /// Writes to `inner` until a signal ends what is being done now.
    pub fn new(inner: W) -> Self {
        Self { inner, token: state().token.clone() }
    }
}

impl<W: Write> Write for UntilCancelled<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.token.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(io::Error::other("interrupted"));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Input that ends when `token` is cancelled, also while nothing comes.
pub fn until_cancelled(input: impl Read + Send + 'static, token: CancelToken) -> impl Read + Send {
    let (sender, pieces) = mpsc::sync_channel(1);
    std::thread::spawn(move || pump(input, &sender));
    Pieces { pieces: Mutex::new(pieces), piece: io::Cursor::default(), token }
}

/// Input that never waits long, such as a file: it ends once `token` is cancelled.
#[derive(Debug)]
pub struct Ending<R> {
    inner: R,
    token: CancelToken,
}

impl<R: Read> Ending<R> {
    /// `inner`, until `token` is cancelled.
    pub fn new(inner: R, token: CancelToken) -> Self {
        Self { inner, token }
    }
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.token.is_cancelled() { Ok(0) } else { self.inner.read(buffer) }
    }
}

fn pump(mut input: impl Read, pieces: &mpsc::SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; READ_BYTES];
        let read = input.read(&mut piece);
        if matches!(&read, Err(error) if error.kind() == io::ErrorKind::Interrupted) {
            continue;
        }
        let is_last = !matches!(read, Ok(1..));
        let sent = pieces.send(read.map(|count| {
            piece.truncate(count);
            piece
        }));
        if is_last || sent.is_err() {
            return;
        }
    }
}

struct Pieces {
    pieces: Mutex<Receiver<io::Result<Vec<u8>>>>,
    piece: io::Cursor<Vec<u8>>,
    token: CancelToken,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if self.token.is_cancelled() {
                return Ok(0);
            }
            let pieces = self.pieces.get_mut().unwrap_or_else(PoisonError::into_inner);
            match pieces.recv_timeout(LOOK_PAUSE) {
                Ok(piece) => {
                    let piece = piece?;
                    if piece.is_empty() {
                        return Ok(0);
                    }
                    self.piece = io::Cursor::new(piece);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_ends_with_its_token_though_nothing_comes() {
        let (reader, mut writer) = io::pipe().unwrap();
        let token = CancelToken::new();
        let mut input = until_cancelled(reader, token.clone());
        writer.write_all(b"abc").unwrap();
        let mut buffer = [0; 2];
        assert_eq!((input.read(&mut buffer).unwrap(), &buffer), (2, b"ab"));
        token.cancel();
        let mut rest = String::new();
        input.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "c", "what was read already is lost");
    }

    #[test]
    fn input_ends_where_it_ends() {
        let mut all = Vec::new();
        let long = vec![7; 3 * READ_BYTES + 1];
        until_cancelled(io::Cursor::new(long.clone()), CancelToken::new()).read_to_end(&mut all).unwrap();
        assert_eq!(all, long);
    }
}
