//! A database that a command made: taken away again when the command had nothing to put into it.

// The folder is looked at as a whole, from outside.
#![allow(clippy::disallowed_methods)]

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::context::Context;

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

/// Removes a database that holds nothing, unless someone else has it by now. It is put aside first, so that nobody
/// finds it any more; what is not empty or not free goes back to its place.
pub fn remove_if_empty(context: &Context, path: &Path) {
    let Some(name) = path.file_name() else { return };
    let mut aside: OsString = name.to_owned();
    aside.push(format!(".empty-{}", std::process::id()));
    let aside = path.with_file_name(aside);
    if is_there(&aside) || fs::rename(path, &aside).is_err() {
        return;
    }
    // The writer's lock is held while it is looked at and removed.
    let held = context.open_to_change(&aside).and_then(|db| {
        let stats = db.stats()?;
        let is_empty = stats.traces + stats.spans + stats.assessments + stats.datasets == 0;
        Ok((db, is_empty && !has_settings(&aside)))
    });
    if matches!(&held, Ok((_, true))) {
        // The metadata store may still be writing files of its own.
        for _ in 0..REMOVE_TRIES {
            if fs::remove_dir_all(&aside).is_ok() || !is_there(&aside) {
                break;
            }
            std::thread::sleep(REMOVE_PAUSE);
        }
    } else if !is_there(path) {
        let _ = fs::rename(&aside, path);
    }
}

/// Whether something was set in it, such as what is redacted: that is a file of the catalogue.
fn has_settings(path: &Path) -> bool {
    fs::read_dir(path.join("catalog")).is_ok_and(|mut entries| entries.next().is_some())
}
