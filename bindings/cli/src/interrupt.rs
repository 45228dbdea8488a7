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
/// How long what writes may take to end, which has a report to make.
const WRITE_GRACE: Duration = Duration::from_millis(130);
/// How often a reader of standard input looks whether it is to stop.
const LOOK_PAUSE: Duration = Duration::from_millis(25);
/// How often a folder is removed in which something may still write.
const REMOVE_TRIES: usize = 5;
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
    /// An import, a copy or another write, which ends by itself after what it has begun; after a moment, or at a second
    /// signal, where it is: what was acknowledged stays, half of a copy does not.
    Writing,
    /// The last of a write: a change that is there as a whole or not at all, or the report of what was done. It ends by
    /// itself; a second signal ends it at once.
    Finishing,
    /// A statement of the interactive shell, or its prompt: nothing ends the process.
    Statement,
}

#[derive(Debug)]
struct State {
    doing: Doing,
    token: Option<CancelToken>,
    /// The exit code of the signal that came.
    code: Option<i32>,
    /// What is said to be kept when what is being done is ended where it is.
    kept: Option<String>,
    half_written: Vec<Half>,
}

/// What is being written, and how it is taken back when that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Half {
    /// A file of which this many bytes stay; `None` removes it.
    File {
        path: PathBuf,
        kept_bytes: Option<u64>,
    },
    /// A new folder.
    Folder(PathBuf),
    /// A folder that was empty.
    Content(PathBuf),
}

impl Half {
    fn take_back(&self) -> io::Result<()> {
        match self {
            Self::File {
                path,
                kept_bytes: None,
            } => std::fs::remove_file(path),
            Self::File {
                path,
                kept_bytes: Some(bytes),
            } => std::fs::OpenOptions::new()
                .write(true)
                .open(path)?
                .set_len(*bytes),
            Self::Folder(path) => remove(path),
            Self::Content(path) => std::fs::read_dir(path)?.flatten().try_for_each(|entry| {
                let path = entry.path();
                if path.is_dir() {
                    remove(&path)
                } else {
                    std::fs::remove_file(path)
                }
            }),
        }
    }
}

/// Removes a folder, also when what is being ended puts another file into it meanwhile.
fn remove(folder: &Path) -> io::Result<()> {
    (1..REMOVE_TRIES)
        .find_map(|_| std::fs::remove_dir_all(folder).ok())
        .map_or_else(|| std::fs::remove_dir_all(folder), Ok)
}

/// What SIGHUP does instead of ending the process.
type Reload = Box<dyn Fn() + Send>;

static RELOAD: Mutex<Option<Reload>> = Mutex::new(None);

static STATE: Mutex<State> = Mutex::new(State {
    doing: Doing::Unstoppable,
    token: None,
    code: None,
    kept: None,
    half_written: Vec::new(),
});

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the signals from now on. To be called before there are other threads.
pub fn watch() {
    let ignored = ignored_signals();
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
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
    if std::thread::Builder::new()
        .name("signals".to_string())
        .spawn(wait)
        .is_err()
    {
        let _ = signals.thread_unblock();
    }
}

/// A bit for each signal that is ignored, the lowest for number 1.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

fn note(signal: Signal) {
    if signal == Signal::SIGHUP
        && let Some(reload) = &*RELOAD.lock().unwrap_or_else(PoisonError::into_inner)
    {
        return reload();
    }
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
        Doing::Writing if is_first => {
            std::thread::spawn(move || {
                std::thread::sleep(WRITE_GRACE);
                end_writing(code);
            });
        }
        Doing::Finishing if is_first => {}
        Doing::Unstoppable
        | Doing::Question
        | Doing::Writing
        | Doing::Finishing
        | Doing::Statement => {
            drop(state);
            end(code);
        }
    }
    state.code = Some(code);
}

/// Ends the process where it is.
fn end(code: i32) -> ! {
    take_back(&mut state());
    std::process::exit(code)
}

/// Ends the process, unless what was being written is done.
fn end_writing(code: i32) {
    let mut state = state();
    if state.doing == Doing::Writing {
        let kept = state
            .kept
            .take()
            .unwrap_or_else(|| "what was stored before is kept".to_string());
        crate::failure::report(format_args!("error: interrupted: {kept}"));
        take_back(&mut state);
        std::process::exit(code)
    }
}

fn take_back(state: &mut State) {
    for half in std::mem::take(&mut state.half_written) {
        let _ = half.take_back();
    }
}

/// Says that a write is about to be finished: from now on it is not cut short. Whether no signal came before.
pub fn finish() -> bool {
    let mut state = state();
    state.doing = Doing::Finishing;
    state.code.is_none()
}

/// What is kept when a signal ends the process where it is, as its last message says it.
pub fn keeps(what: String) {
    state().kept = Some(what);
}

/// Has SIGHUP do something else than end the process.
pub fn on_hangup(reload: impl Fn() + Send + 'static) {
    *RELOAD.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(reload));
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
pub struct HalfWritten(Half);

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
            Self::noting(Half::File {
                path: path.to_path_buf(),
                kept_bytes,
            })
        })
    }

    /// What is going to be written into the folder at `folder`: all of it where it is new or empty, else those of the
    /// files `names` that are not there.
    pub fn into_folder(folder: &Path, names: &[&str]) -> Vec<Self> {
        if is_new(folder) {
            return vec![Self::noting(Half::Folder(folder.to_path_buf()))];
        }
        if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none()) {
            return vec![Self::noting(Half::Content(folder.to_path_buf()))];
        }
        let paths = names
            .iter()
            .map(|name| folder.join(name))
            .filter(|path| is_new(path));
        paths
            .map(|path| {
                Self::noting(Half::File {
                    path,
                    kept_bytes: None,
                })
            })
            .collect()
    }

    fn noting(half: Half) -> Self {
        state().half_written.push(half.clone());
        Self(half)
    }

    /// Takes back what was written.
    pub fn take_back(self) -> io::Result<()> {
        self.0.take_back()
    }
}

impl Drop for HalfWritten {
    fn drop(&mut self) {
        state().half_written.retain(|half| *half != self.0);
    }
}

/// Whether nothing is at the path.
fn is_new(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
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
        Self {
            inner,
            token: state().token.clone(),
        }
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
    Pieces {
        pieces: Mutex::new(pieces),
        piece: io::Cursor::default(),
        token,
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
            let pieces = self
                .pieces
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner);
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
    fn what_is_half_there_is_taken_back_and_nothing_else() {
        let place = std::env::temp_dir().join(format!("tracehouse-half-{}", std::process::id()));
        let (new, empty, full) = (place.join("new"), place.join("empty"), place.join("full"));
        std::fs::create_dir_all(&empty).unwrap();
        std::fs::create_dir_all(&full).unwrap();
        std::fs::write(full.join("theirs"), "theirs").unwrap();
        let noted = [&new, &empty, &full]
            .map(|folder| HalfWritten::into_folder(folder, &["ours", "theirs"]));
        for folder in [&new, &empty, &full] {
            std::fs::create_dir_all(folder.join("below")).unwrap();
            std::fs::write(folder.join("ours"), "half").unwrap();
        }
        noted
            .iter()
            .flatten()
            .for_each(|half| half.0.take_back().unwrap());
        let left =
            |folder: &Path| std::fs::read_dir(folder).map_or(-1, |entries| entries.count() as i32);
        assert_eq!(
            (left(&new), left(&empty), full.join("ours").exists()),
            (-1, 0, false)
        );
        assert_eq!(
            std::fs::read_to_string(full.join("theirs")).unwrap(),
            "theirs"
        );
        std::fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn input_ends_where_it_ends() {
        let mut all = Vec::new();
        let long = vec![7; 3 * READ_BYTES + 1];
        until_cancelled(io::Cursor::new(long.clone()), CancelToken::new())
            .read_to_end(&mut all)
            .unwrap();
        assert_eq!(all, long);
    }
}
