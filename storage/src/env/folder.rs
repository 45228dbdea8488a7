//! A folder of the database for a library that takes paths (sled, tantivy).
//!
//! Invariant: as long as it [is held](Folder::is_held), its path leads to the folder that the environment
//! holds open, also when that is renamed; the handle stays open as long as a copy of this lives.

// Part of the place that AR-4 sends everyone to.
#![allow(clippy::disallowed_methods)]

use std::fmt;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder that a library may open by its path.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    /// How messages call it.
    shown: PathBuf,
    held: Option<Arc<File>>,
}

impl Folder {
    /// A folder outside of a database, or of one that nobody renames.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            shown: path.clone(),
            path,
            held: None,
        }
    }

    /// What `relative` is below the open folder `root`, which was found at `path`. Through the descriptors
    /// that Linux shows as files; where these are not to be seen, by `path` if that still leads there.
    pub(super) fn below(root: &Arc<File>, path: &Path, relative: &Path) -> Option<Self> {
        let identity = |seen: std::fs::Metadata| (seen.dev(), seen.ino());
        let own = identity(root.metadata().ok()?);
        let leads_there =
            |path: &Path| std::fs::metadata(path).is_ok_and(|seen| identity(seen) == own);
        let descriptor = PathBuf::from(format!("/proc/self/fd/{}", root.as_raw_fd()));
        let shown = relative.to_path_buf();
        if leads_there(&descriptor) {
            return Some(Self {
                path: descriptor.join(relative),
                shown,
                held: Some(root.clone()),
            });
        }
        leads_there(path).then(|| Self {
            path: path.join(relative),
            shown,
            held: None,
        })
    }

    /// The path to open.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path leads to this folder also after the database was renamed.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// A folder in this one.
    pub fn join(&self, name: &str) -> Self {
        Self {
            path: self.path.join(name),
            shown: self.shown.join(name),
            held: self.held.clone(),
        }
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.display().fmt(f)
    }
}
