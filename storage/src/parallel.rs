//! Parallel map: one piece of work for each of many items, by a few threads: for reads that cost more than to start a thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::Error;

/// One of the threads has panicked.
pub(crate) struct Panicked;

impl From<Panicked> for Error {
    fn from(_: Panicked) -> Self {
        Error::internal("a thread that read panicked")
    }
}

/// Traces to look up in the index that are worth a thread.
pub(crate) const LOOKUPS_OF_THREAD: usize = 128;

/// The threads that `work` is worth, when one should have at least `of_thread` of it.
pub(crate) fn threads_for(work: usize, of_thread: usize) -> usize {
    let worth = work / of_thread.max(1);
    if worth <= 1 {
        // The number of cores is read from files: not for a small statement.
        return 1;
    }
    worth.min(thread::available_parallelism().map_or(1, |count| count.get()))
}

/// What `work` makes of each item, in their order; the caller is one of the `threads`.
///
/// # Errors
/// One of the errors that `work` gives, or that of a panic.
pub(crate) fn parallel_map<T: Sync, R: Send, E: Send + From<Panicked>>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let share = || -> Result<Vec<(usize, R)>, E> {
        let mut made = Vec::with_capacity(items.len() / threads + 1);
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else {
                return Ok(made);
            };
            made.push((at, work(item)?));
        }
    };
    let mut made = thread::scope(|scope| -> Result<Vec<(usize, R)>, E> {
        // A thread that cannot be started leaves its share to the others.
        let others: Vec<_> = (1..threads)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, share).ok())
            .collect();
        let mut made = share();
        for other in others {
            let theirs = other.join().unwrap_or_else(|_| Err(Panicked.into()));
            made = made.and_then(|mut made| {
                made.extend(theirs?);
                Ok(made)
            });
        }
        made
    })?;
    assert_eq!(made.len(), items.len(), "each item is worked on once");
    made.sort_unstable_by_key(|(at, _)| *at);
    Ok(made.into_iter().map(|(_, made)| made).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl From<Panicked> for u32 {
        fn from(_: Panicked) -> Self {
            u32::MAX
        }
    }

    #[test]
    fn a_panic_of_a_thread_is_an_error() {
        let caller = thread::current().id();
        let work = |_: &u32| -> Result<(), u32> {
            assert_eq!(thread::current().id(), caller, "the others panic");
            thread::sleep(std::time::Duration::from_millis(1));
            Ok(())
        };
        assert_eq!(parallel_map(&[0; 400], 2, work), Err(u32::MAX));
    }

    #[test]
    fn any_number_of_threads_makes_the_same() {
        let items: Vec<u32> = (0..1_000).collect();
        let twice = |item: &u32| {
            if *item == 1_000 {
                Err(*item)
            } else {
                Ok(item * 2)
            }
        };
        let expected: Vec<u32> = items.iter().map(|item| item * 2).collect();
        for threads in [0, 1, 2, 7, 2_000] {
            assert_eq!(parallel_map(&items, threads, twice), Ok(expected.clone()));
            assert_eq!(parallel_map(&[1, 1_000, 2], threads, twice), Err(1_000));
            assert_eq!(parallel_map(&[], threads, twice), Ok(Vec::new()));
        }
        assert_eq!((threads_for(0, 8), threads_for(15, 8)), (1, 1));
    }
}
