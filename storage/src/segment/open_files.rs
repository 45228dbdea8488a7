//! Open files of segments, at most so many at a time besides those that scans are reading: a database may
//! have more files than a process may open.
//!
//! A scan holds the files it reads until it ends, so a file whose name is gone is read to the end. A file
//! closed for want of room is opened again by whoever needs it next.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use lru::LruCache;

use crate::env::EnvReader;
use crate::error::{Error, Result};

/// What the system says when a process, or all of them, have too many files open.
const TOO_MANY: [i32; 2] = [24, 23];

/// Files by the number that the block cache gave them.
#[derive(Debug)]
pub(super) struct OpenFiles {
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    kept: LruCache<u64, Arc<dyn EnvReader>>,
    /// All that are open, kept or in use.
    open: HashMap<u64, Weak<dyn EnvReader>>,
}

impl OpenFiles {
    pub(super) fn new(files_max: usize) -> Self {
        let kept = LruCache::new(NonZeroUsize::new(files_max).unwrap_or(NonZeroUsize::MIN));
        Self {
            held: Mutex::new(Held {
                kept,
                open: HashMap::new(),
            }),
        }
    }

    /// The file of this number, opened by `open` unless it is open already.
    pub(super) fn get(
        &self,
        number: u64,
        open: impl Fn() -> Result<Arc<dyn EnvReader>>,
    ) -> Result<Arc<dyn EnvReader>> {
        if let Some(file) = self.find(number) {
            return Ok(file);
        }
        let file = match open() {
            Err(error) if is_too_many(&error) => {
                self.lock().kept.clear();
                open()?
            }
            opened => opened?,
        };
        self.keep(number, file.clone());
        Ok(file)
    }

    fn find(&self, number: u64) -> Option<Arc<dyn EnvReader>> {
        let mut held = self.lock();
        if let Some(file) = held.kept.get(&number) {
            return Some(file.clone());
        }
        let file = held.open.get(&number)?.upgrade()?;
        held.kept.put(number, file.clone());
        Some(file)
    }

    /// Keeps an open file, and closes the one that was not used for longest when there are too many.
    pub(super) fn keep(&self, number: u64, file: Arc<dyn EnvReader>) {
        let mut held = self.lock();
        held.open.insert(number, Arc::downgrade(&file));
        held.kept.put(number, file);
        assert!(held.kept.len() <= held.open.len(), "what is kept is open");
    }

    /// Closes a file that nobody reads any more.
    pub(super) fn forget(&self, number: u64) {
        let mut held = self.lock();
        held.kept.pop(&number);
        held.open.remove(&number);
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.lock()
            .open
            .values()
            .filter(|file| file.strong_count() > 0)
            .count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_too_many(error: &Error) -> bool {
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    source
        .and_then(io::Error::raw_os_error)
        .is_some_and(|code| TOO_MANY.contains(&code))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;

    use super::*;
    use crate::env::{Env, MemEnv};

    fn file() -> Arc<dyn EnvReader> {
        let env = MemEnv::default();
        env.create(Path::new("f")).unwrap();
        env.open(Path::new("f")).unwrap()
    }

    #[test]
    fn the_file_not_used_for_longest_is_closed_unless_it_is_read() {
        let files = OpenFiles::new(2);
        let opened = Cell::new(0);
        let open = || {
            opened.set(opened.get() + 1);
            Ok(file())
        };
        let read = files.get(1, open).unwrap();
        for number in [2, 3, 4] {
            files.get(number, open).unwrap();
        }
        assert_eq!(
            (opened.get(), files.count()),
            (4, 3),
            "two are kept, one is read"
        );
        files.get(1, open).unwrap();
        assert_eq!(opened.get(), 4, "what is being read is not opened again");
        drop(read);
        files.get(4, open).unwrap();
        files.get(3, open).unwrap();
        assert_eq!((opened.get(), files.count()), (5, 2));
        files.forget(3);
        assert_eq!(files.count(), 1);
    }

    #[test]
    fn too_many_open_files_close_those_that_are_kept() {
        let files = OpenFiles::new(8);
        for number in 0..5 {
            files.get(number, || Ok(file())).unwrap();
        }
        let open = || match files.count() {
            0 => Ok(file()),
            _ => Err(Error::io("f", io::Error::from_raw_os_error(24))),
        };
        files.get(9, open).unwrap();
        assert_eq!(files.count(), 1);
        let refused = files.get(10, || Err(Error::io("f", io::Error::from_raw_os_error(24))));
        assert!(refused.is_err());
        assert_eq!(files.count(), 0);
    }
}
