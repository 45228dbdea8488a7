//! The first stage of an import: requests of a stream, gathered into chunks that are acknowledged together.
//!
//! A chunk is closed when it has enough lines or bytes, and, where [`ImportOptions::flush_after`] says so, when
//! its first line has waited that long: a second thread looks at the time, since the one that reads may be
//! waiting for its input.
//!
//! **Invariant**: chunks are handed over in the order of the stream; the lock is held while one is.

use std::io::Read;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::ingest::ImportOptions;
use crate::otlp::{ReadError, Request, RequestReader};

/// Lines of one acknowledged batch unless told otherwise.
const BATCH_LINES: usize = 1024;
/// A batch is closed at this size even when it has fewer lines.
const BATCH_BYTES_MAX: usize = 2 << 20;

/// Requests that are acknowledged together.
#[derive(Default)]
pub(crate) struct Chunk {
    pub(crate) items: Vec<std::result::Result<Request, ReadError>>,
    pub(crate) bytes: usize,
}

/// What the reader and the clock share.
#[derive(Default)]
struct Gathering {
    chunk: Chunk,
    /// When the first of the chunk came.
    since: Option<Instant>,
    is_done: bool,
}

/// Reads `input` to its end and gives its chunks to `send`, until that wants no more or `is_wanted` says so.
pub(crate) fn read<R: Read>(
    input: R,
    options: &ImportOptions,
    is_wanted: impl Fn() -> bool,
    send: impl Fn(Chunk) -> bool + Sync,
) {
    let shared = (Mutex::new(Gathering::default()), Condvar::new());
    std::thread::scope(|scope| {
        if let Some(pause) = options.flush_after {
            let (shared, send) = (&shared, &send);
            scope.spawn(move || flush_by_time(shared, pause, send));
        }
        gather(input, options, &is_wanted, &shared, &send);
        lock(&shared.0).is_done = true;
        shared.1.notify_all();
    });
}

fn gather<R: Read>(
    input: R,
    options: &ImportOptions,
    is_wanted: &impl Fn() -> bool,
    (gathering, changed): &(Mutex<Gathering>, Condvar),
    send: &impl Fn(Chunk) -> bool,
) {
    let lines_max = if options.batch_lines == 0 {
        BATCH_LINES
    } else {
        options.batch_lines
    };
    for item in RequestReader::new(input) {
        let mut gathering = lock(gathering);
        if gathering.is_done || !is_wanted() {
            return;
        }
        let chunk = &mut gathering.chunk;
        chunk.bytes += item.as_ref().map_or(0, |request| request.bytes().len());
        chunk.items.push(item);
        let full = chunk.items.len() >= lines_max
            || (options.batch_lines == 0 && chunk.bytes >= BATCH_BYTES_MAX);
        if full {
            gathering.since = None;
            if !send(std::mem::take(&mut gathering.chunk)) {
                return;
            }
        } else if gathering.since.is_none() {
            gathering.since = Some(Instant::now());
            changed.notify_all();
        }
    }
    let rest = std::mem::take(&mut lock(gathering).chunk);
    if !rest.items.is_empty() {
        send(rest);
    }
}

/// Hands over what has waited for `pause`, until the reader is done.
fn flush_by_time(
    (gathering, changed): &(Mutex<Gathering>, Condvar),
    pause: Duration,
    send: &impl Fn(Chunk) -> bool,
) {
    let mut held = lock(gathering);
    while !held.is_done {
        let left = held
            .since
            .map(|since| pause.saturating_sub(since.elapsed()));
        match left {
            Some(Duration::ZERO) => {
                held.since = None;
                // Nobody takes it any more: the reader learns of it with its next line.
                held.is_done |= !send(std::mem::take(&mut held.chunk));
            }
            Some(left) => {
                held = changed
                    .wait_timeout(held, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            None => held = changed.wait(held).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

fn lock(gathering: &Mutex<Gathering>) -> std::sync::MutexGuard<'_, Gathering> {
    gathering.lock().unwrap_or_else(PoisonError::into_inner)
}
