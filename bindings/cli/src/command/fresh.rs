//! A database that a command made: taken away again when the command had nothing to put into it.

// The folder is looked at as a whole, from outside.
#![allow(clippy::disallowed_methods)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracehouse::Database;

use crate::context::Context;
use crate::failure::Result;

/// How often a removal is tried, and the pause between.
const REMOVE_TRIES: usize = 40;
const REMOVE_PAUSE: Duration = Duration::from_millis(50);

/// Whether there is anything at the path; what cannot be looked at is.
pub fn is_there(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

/// Removes a database that holds nothing, unless someone else has it by now.
pub fn remove_if_empty(context: &Context, path: &Path) {
    let Some(aside) = put_aside(path) else { return };
    // The writer's lock is held while it is looked at and removed.
    match context
        .open_to_change(&aside)
        .map(|db| (is_empty(&db, &aside).unwrap_or(false), db))
    {
        Ok((true, _db)) => remove(&aside),
        _ if is_there(path) => {}
        _ => drop(fs::rename(&aside, path)),
    }
}

/// Removes an empty database that this process writes.
pub fn remove_open_if_empty(db: &Database, path: &Path) {
    if is_empty(db, path).unwrap_or(false)
        && let Some(aside) = put_aside(path)
    {
        remove(&aside);
    }
}

/// Takes a database away from its place, so that nobody finds it any more.
fn put_aside(path: &Path) -> Option<PathBuf> {
    let mut aside: OsString = path.file_name()?.to_owned();
    aside.push(format!(".empty-{}", std::process::id()));
    let aside = path.with_file_name(aside);
    (!is_there(&aside) && fs::rename(path, &aside).is_ok()).then_some(aside)
}

fn remove(folder: &Path) {
    // The metadata store may still be writing files of its own.
    for _ in 0..REMOVE_TRIES {
        if fs::remove_dir_all(folder).is_ok() || !is_there(folder) {
            break;
        }
        std::thread::sleep(REMOVE_PAUSE);
    }
}

fn is_empty(db: &Database, path: &Path) -> Result<bool> {
    let stats = db.stats()?;
    Ok(stats.traces + stats.spans + stats.assessments + stats.datasets == 0 && !has_settings(path))
}

/// Whether something was set in it, such as what is redacted: that is a file of the catalogue.
fn has_settings(path: &Path) -> bool {
    fs::read_dir(path.join("catalog")).is_ok_and(|mut entries| entries.next().is_some())
}
