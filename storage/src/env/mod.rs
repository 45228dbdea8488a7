//! The one seam to files, clock and ids: every byte of the truth files passes through [`Env`].
//!
//! Above it sit the write-ahead log, the manifest and the segments; below it a directory of the
//! file system ([`RealEnv`]) or a map in memory ([`MemEnv`]), which the crash tests build on.
//!
//! Invariants
//! * AR-4: `std::fs`, the clock and random ids are used in this module only.
//! * All paths are relative, below one root, and never climb out of it. The root is a folder that is held
//!   open, not a path: renamed, it is still the same.
//! * Files are created for their owner only (0600), folders likewise (0700); symlinks are not opened.
//! * Making a name durable (a new file, a rename, a removal) is the caller's [`Env::sync_dir`].

mod folder;
mod mem;
mod real;
mod scratch;
mod system;

#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

pub use folder::Folder;
pub use mem::MemEnv;
pub use real::RealEnv;
pub use scratch::{ScratchFile, ScratchSpace};
pub use system::is_before_1970;

/// The largest file [`Env::read`] takes into memory; larger ones are opened.
pub const READ_BYTES_MAX: u64 = 256 << 20;

/// Files, clock and ids. Paths are relative to the root the environment was made with; the empty
/// path is the root. Errors are those of the operating system; a path that is absolute or has `..`
/// is `InvalidInput`.
pub trait Env: Send + Sync + Debug {
    /// Creates the root folder and the missing ones above it, and makes their names durable.
    ///
    /// # Errors
    /// As [`Env::create_dir_all`].
    fn create_root(&self) -> io::Result<()>;

    /// Creates a folder and the missing ones above it.
    ///
    /// # Errors
    /// `AlreadyExists` or `NotADirectory` when a file is in the way.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Creates a new, empty file for writing.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, `NotFound` when the folder is missing.
    fn create(&self, path: &Path) -> io::Result<Box<dyn EnvWriter>>;

    /// Opens a regular file for reading at positions.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` when it is a folder, a symlink or anything else but a file.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn EnvReader>>;

    /// The whole content of a small file.
    ///
    /// # Errors
    /// As `open`; `InvalidData` above [`READ_BYTES_MAX`].
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Renames a file or a folder with all below it; a file in the place of `to` is replaced.
    ///
    /// # Errors
    /// `NotFound`; `DirectoryNotEmpty` when `to` is a folder with content.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Unlinks a file; those who have it open keep reading it.
    ///
    /// # Errors
    /// `NotFound`.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder and all below it.
    ///
    /// # Errors
    /// `NotFound`.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// `NotFound`.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// `NotFound`.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Whether something has this name (a dangling symlink has it, too), or may have it: where the system
    /// does not let us look, nothing is to be made.
    fn exists(&self, path: &Path) -> bool;

    /// Takes the exclusive lock of the file at `path`, creating it, until the result is dropped.
    /// The file's text then tells pid, boot id, start time and `holder` (the program); it informs
    /// people and decides nothing.
    ///
    /// # Errors
    /// `WouldBlock` when someone holds it, with the text in the message.
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn EnvLock>>;

    /// Takes the lock of the one who writes below this root: that of `LOCK`, which holds also when the file
    /// is removed and made again.
    ///
    /// # Errors
    /// As [`Env::lock`].
    fn lock_root(&self, holder: &str) -> io::Result<Box<dyn EnvLock>> {
        self.lock(Path::new("LOCK"), holder)
    }

    /// The folder `path` for a library that opens it itself; `None` where it is no folder of the file
    /// system, or a symlink is on the way.
    fn folder(&self, path: &Path) -> Option<Folder>;

    /// Whether files are in memory and end with the process.
    fn is_in_memory(&self) -> bool {
        false
    }

    /// Creates a file in a folder that has no name there.
    ///
    /// # Errors
    /// `Unsupported` where files are no files of the system; otherwise as `create`.
    fn scratch_file(&self, _folder: &Path) -> io::Result<ScratchFile> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Bytes free for us on the file system, and its size; `None` where that is not known.
    fn free_bytes(&self) -> Option<(u64, u64)> {
        None
    }

    /// The wall clock in Unix nanoseconds. For display and time columns; never decides order.
    fn now_ns(&self) -> i64;

    /// Identifies this boot of the machine; empty when the system does not tell, which callers must
    /// treat as different from every other.
    fn boot_id(&self) -> String;

    /// A new ULID, larger than all this process made before.
    fn new_ulid(&self) -> u128;
}

/// A file being written, front to back. Not buffered: each `write` is one call to the system.
pub trait EnvWriter: io::Write + Send {
    /// Makes all written bytes durable (`fdatasync`).
    ///
    /// # Errors
    /// Those of the system. After one, what the file holds is unknown; it must not be retried.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Bytes written.
    fn len(&self) -> u64;

    /// Whether nothing was written.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An open file, read at positions, from any thread.
pub trait EnvReader: Send + Sync + Debug {
    /// The file's length in bytes when it was opened.
    fn len(&self) -> u64;

    /// Whether the file was empty when it was opened.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exactly `len` bytes from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before.
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes>;
}

/// A held lock; dropping it releases it.
pub trait EnvLock: Send + Sync + Debug {}

/// A length as one of memory.
///
/// # Errors
/// `OutOfMemory` for more than the address space has.
pub(crate) fn memory_len(len: u64) -> io::Result<usize> {
    let too_long = |_| io::Error::new(io::ErrorKind::OutOfMemory, format!("{len} bytes at once"));
    usize::try_from(len).map_err(too_long)
}

/// Refuses a path that could leave the root; gives it back without `.` parts.
fn relative(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => {
                let message = format!("path leaves the database folder: {}", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        }
    }
    debug_assert!(clean.is_relative(), "AR-4: all paths are below the root");
    Ok(clean)
}

/// The text of a lock file.
fn lock_text(holder: &str) -> String {
    format!(
        "pid {}, boot id {}, since {}, {holder}",
        std::process::id(),
        system::boot_id(),
        system::rfc3339(system::now_ns()),
    )
}

/// The refusal of a lock, naming who holds it.
fn lock_held(path: &Path, text: &str) -> io::Error {
    // Which boot it was tells a program, not a person.
    let parts: Vec<&str> = text
        .trim()
        .split(", ")
        .filter(|part| !part.starts_with("boot id "))
        .collect();
    let holder = match parts.concat().is_empty() {
        true => "an unknown process".to_string(),
        false => parts.join(", "),
    };
    io::Error::new(
        io::ErrorKind::WouldBlock,
        format!("{} is locked by {holder}", path.display()),
    )
}

/// The refusal to read a file whole.
fn too_large(path: &Path, bytes: u64) -> io::Error {
    let message = format!(
        "{} has {bytes} bytes, more than {READ_BYTES_MAX}",
        path.display()
    );
    io::Error::new(io::ErrorKind::InvalidData, message)
}
