//! Processes that only read, as the writer sees them, and files that wait for them.
//!
//! A reader *pins* the manifest version it reads: a file in `readers/` that it holds locked, whose text
//! names the version. Files that left the manifest at a later version than some pin stay until that pin is
//! gone. The lock of a dead process is free: its file is removed, so it leaks nothing.
//!
//! A reader first pins version 0, which keeps everything, then reads the manifest, then pins its version and
//! gives up the first pin: a writer that did not see that one had committed before, so the reader sees that
//! commit. A writer may see the first pin in its list and find it given up, while the second was made after
//! the list: it looks again until a list has nothing that it did not try.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::env::{Env, EnvLock};

const READERS_DIR: &str = "readers";
/// Stands before the version in the text of a pin.
const VERSION_WORD: &str = "manifest version ";
/// A pin is taken again when a writer took its file for a dead one's; how often that may happen.
const TRIES: usize = 100;
/// How often a writer looks again before it takes everything for pinned.
const LOOKS: usize = 10;

/// A pin; dropping it gives it up and removes its file.
#[derive(Debug)]
pub(crate) struct ReaderPin {
    env: Arc<dyn Env>,
    path: PathBuf,
    /// The process that took it: a fork of it has a copy, whose drop must leave the file alone.
    pid: u32,
    _lock: Box<dyn EnvLock>,
}

impl Drop for ReaderPin {
    fn drop(&mut self) {
        if self.pid == std::process::id() {
            // The lock is still held: nobody takes the name meanwhile. What stays is removed by a writer.
            let _ = self.env.remove_file(&self.path);
        }
    }
}

/// Pins everything there is, until the result is dropped; `None` where no file can be made, such as on a
/// file system that is only readable.
pub(crate) fn pin_files(env: &Arc<dyn Env>) -> Option<ReaderPin> {
    ReaderPin::take(env, 0)
}

impl ReaderPin {
    /// Pins the files of a manifest version and of later ones.
    pub(crate) fn take(env: &Arc<dyn Env>, version: u64) -> Option<Self> {
        for _ in 0..TRIES {
            let path = Path::new(READERS_DIR).join(ulid::Ulid(env.new_ulid()).to_string());
            match env.lock(&path, &format!("{VERSION_WORD}{version}")) {
                Ok(lock) if env.exists(&path) => {
                    let pid = std::process::id();
                    return Some(Self {
                        env: env.clone(),
                        path,
                        pid,
                        _lock: lock,
                    });
                }
                Ok(_) => {}
                // A writer tries it at this moment.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
        }
        None
    }
}

/// The names of the pins there are. Before the first reader there need be no folder of them.
fn list_pins(env: &dyn Env) -> io::Result<Vec<String>> {
    match env.list(Path::new(READERS_DIR)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}

/// The smallest version below `newest` that a living reader pins, of the pins that `list` names. Files of
/// dead ones met on the way are removed. Pins that cannot be listed may be of any version (ST-2).
fn oldest_pin(
    env: &dyn Env,
    mut list: impl FnMut() -> io::Result<Vec<String>>,
    newest: u64,
) -> Option<u64> {
    let Ok(mut names) = list() else {
        return Some(0);
    };
    for _ in 0..LOOKS {
        let mut oldest = None;
        for name in &names {
            oldest = older_pin(
                env,
                &Path::new(READERS_DIR).join(name),
                oldest.unwrap_or(newest),
            )
            .or(oldest);
        }
        let Ok(again) = list() else { return Some(0) };
        if again.iter().all(|name| names.contains(name)) {
            return oldest;
        }
        names = again;
    }
    Some(0)
}

/// The version that a living reader pins, when it is below `bound`.
fn older_pin(env: &dyn Env, path: &Path, bound: u64) -> Option<u64> {
    // A text that cannot be read, or is not there yet, may be or become that of any version.
    let text = env.read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let version = text
        .rsplit(VERSION_WORD)
        .next()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0);
    // Trying a lock that is held takes a tenth of a second: only for pins that change the answer.
    if version >= bound {
        return None;
    }
    match env.lock(path, "writer") {
        Ok(_held) => {
            // Removed while it is held, so that no reader can have it.
            let _ = env.remove_file(path);
            None
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(version),
        Err(_) => None,
    }
}

/// Files that left the manifest and that a reader in another process may still need.
#[derive(Debug, Default)]
pub struct PendingDeletions {
    waiting: Mutex<Vec<(PathBuf, u64)>>,
}

impl PendingDeletions {
    /// Removes a file or folder that the manifest does not have from `version` on: now when there is no
    /// reader, else when `clear` finds that none needs it. What cannot be removed is left to the next open.
    pub(crate) fn delete(&self, env: &dyn Env, path: &Path, version: u64) {
        if env
            .list(Path::new(READERS_DIR))
            .is_ok_and(|readers| readers.is_empty())
        {
            let _ = remove_any(env, path);
        } else {
            self.waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((path.to_path_buf(), version));
        }
    }

    /// Removes what no reader needs any more; how many things still wait.
    pub(crate) fn clear(&self, env: &dyn Env) -> usize {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(newest) = waiting.iter().map(|(_, version)| *version).max() else {
            return 0;
        };
        let pinned = oldest_pin(env, || list_pins(env), newest);
        assert!(
            pinned.is_none_or(|pinned| pinned <= newest),
            "ST-2: a pin that keeps something is older than it"
        );
        waiting.retain(|(path, version)| {
            let is_needed = pinned.is_some_and(|pinned| pinned < *version);
            if !is_needed {
                let _ = remove_any(env, path);
            }
            is_needed
        });
        waiting.len()
    }
}

/// Removes a folder with all below it, or a file.
pub(crate) fn remove_any(env: &dyn Env, path: &Path) -> io::Result<()> {
    env.remove_dir_all(path).or_else(|_| env.remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::MemEnv;

    fn reader_env() -> Arc<dyn Env> {
        let env: Arc<dyn Env> = Arc::new(MemEnv::default());
        env.create_dir_all(Path::new(READERS_DIR)).unwrap();
        env
    }

    fn names(env: &Arc<dyn Env>) -> Vec<String> {
        env.list(Path::new(READERS_DIR)).unwrap()
    }

    #[test]
    fn a_pin_that_takes_over_while_the_writer_looks_is_seen() {
        let env = reader_env();
        let mut everything = pin_files(&env);
        let mut version = None;
        let list = || {
            let names = names(&env);
            if everything.is_some() {
                version = ReaderPin::take(&env, 3);
                everything = None;
            }
            Ok(names)
        };
        assert_eq!(oldest_pin(env.as_ref(), list, 9), Some(3));
        assert!(version.is_some());
    }

    #[test]
    fn pins_that_cannot_be_listed_keep_everything() {
        let env = reader_env();
        let refused = || Err(io::ErrorKind::PermissionDenied.into());
        assert_eq!(oldest_pin(env.as_ref(), refused, 9), Some(0));
        env.remove_dir_all(Path::new(READERS_DIR)).unwrap();
        assert_eq!(
            oldest_pin(env.as_ref(), || list_pins(env.as_ref()), 9),
            None
        );
    }

    #[test]
    fn a_fork_that_drops_its_copy_of_a_pin_leaves_the_file() {
        let env = reader_env();
        let mut copy = ReaderPin::take(&env, 3).unwrap();
        copy.pid += 1;
        drop(copy);
        assert_eq!(names(&env).len(), 1);
    }
}
