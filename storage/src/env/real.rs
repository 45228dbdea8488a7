//! [`Env`] over a directory of the file system. The only file of the crate that calls `std::fs`
//! for the truth files (AR-4).

// This is the place that AR-4 sends everyone to.
#![allow(clippy::disallowed_methods)]

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Env, EnvLock, EnvReader, EnvWriter, READ_BYTES_MAX, system};

/// How often a lock that is held is tried, and the pause between.
const LOCK_TRIES: usize = 6;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Longest text read from a lock file for the message of a refusal.
const LOCK_TEXT_BYTES_MAX: u64 = 1024;

/// The files below one root directory.
#[derive(Debug)]
pub struct RealEnv {
    root: PathBuf,
}

impl RealEnv {
    /// An environment below `root`, which need not exist yet: `create_dir_all` of the empty path
    /// makes it.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where a path is. No folder on the way to it may be a symlink: it would lead out of the database.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let relative = super::relative(path)?;
        let mut full = self.root.clone();
        let mut parts = relative.components();
        let last = parts.next_back();
        for part in parts {
            full.push(part);
            refuse_symlink(&full, path)?;
        }
        // Joining an empty path would add a trailing slash, which names something else for a file.
        if let Some(last) = last {
            full.push(last);
        }
        Ok(full)
    }

    /// The same for a folder, which must not be a symlink itself; the root may be.
    fn resolve_folder(&self, path: &Path) -> io::Result<PathBuf> {
        let full = self.resolve(path)?;
        if full != self.root {
            refuse_symlink(&full, path)?;
        }
        Ok(full)
    }

    /// Opens a regular file, never through a symlink: what was looked at is what was opened.
    fn open_file(&self, path: &Path) -> io::Result<File> {
        let full = self.resolve(path)?;
        let seen = std::fs::symlink_metadata(&full)?;
        if !seen.is_file() {
            return Err(not_a_file(path));
        }
        let file = File::open(&full)?;
        let opened = file.metadata()?;
        if (opened.dev(), opened.ino()) != (seen.dev(), seen.ino()) {
            return Err(not_a_file(path));
        }
        Ok(file)
    }
}

fn refuse_symlink(full: &Path, path: &Path) -> io::Result<()> {
    if !std::fs::symlink_metadata(full).is_ok_and(|seen| seen.is_symlink()) {
        return Ok(());
    }
    let message = format!("{}: symlinks inside a database are refused", path.display());
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

fn not_a_file(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{} is not a regular file", path.display()))
}

impl Env for RealEnv {
    fn create_root(&self) -> io::Result<()> {
        let root = std::path::absolute(&self.root)?;
        let missing = root.ancestors().take_while(|dir| std::fs::symlink_metadata(dir).is_err()).count();
        self.create_dir_all(Path::new(""))?;
        // The folder that holds the root also when the root was there: a process that made it may have died.
        for dir in root.ancestors().skip(1).take(missing.max(1)) {
            match File::open(dir).and_then(|dir| dir.sync_all()) {
                // In a folder that may not be read nothing can be synced.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced?,
            }
        }
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.resolve_folder(path)?)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn EnvWriter>> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.resolve(path)?)?;
        Ok(Box::new(RealWriter { file, len: 0 }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn EnvReader>> {
        let file = self.open_file(path)?;
        let len = file.metadata()?.len();
        Ok(Arc::new(RealReader { file, len }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open_file(path)?;
        let len = file.metadata()?.len();
        if len > READ_BYTES_MAX {
            return Err(super::too_large(path, len));
        }
        let mut content = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        file.take(READ_BYTES_MAX).read_to_end(&mut content)?;
        Ok(content)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(self.resolve(from)?, self.resolve(to)?)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(self.resolve(path)?)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(self.resolve_folder(path)?)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(self.resolve_folder(path)?)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.resolve_folder(path)?)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> bool {
        self.resolve(path).is_ok_and(|full| std::fs::symlink_metadata(full).is_ok())
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn EnvLock>> {
        let full = self.resolve(path)?;
        if std::fs::symlink_metadata(&full).is_ok_and(|seen| !seen.is_file()) {
            return Err(not_a_file(path));
        }
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&full)?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = Vec::new();
                // The text is a courtesy: failing to read it must not hide that the lock is held.
                let _ = file.take(LOCK_TEXT_BYTES_MAX).read_to_end(&mut text);
                return Err(super::lock_held(path, &String::from_utf8_lossy(&text)));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.write_all(super::lock_text(holder).as_bytes())?;
        Ok(Box::new(RealLock { _file: file }))
    }

    fn real_path(&self, path: &Path) -> Option<PathBuf> {
        self.resolve_folder(path).ok()
    }

    fn free_bytes(&self) -> Option<(u64, u64)> {
        let found = rustix::fs::statvfs(&self.root).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Some((bytes(found.f_bavail), bytes(found.f_blocks)))
    }

    fn now_ns(&self) -> i64 {
        system::now_ns()
    }

    fn boot_id(&self) -> String {
        system::boot_id()
    }

    fn new_ulid(&self) -> u128 {
        system::new_ulid()
    }
}

struct RealWriter {
    file: File,
    len: u64,
}

impl Write for RealWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.file.write(data)?;
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl EnvWriter for RealWriter {
    fn sync_data(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn len(&self) -> u64 {
        self.len
    }
}

#[derive(Debug)]
struct RealReader {
    file: File,
    len: u64,
}

impl EnvReader for RealReader {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        // Checked before the buffer is made, so that a damaged length cannot ask for memory.
        if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut buffer = vec![0; len];
        self.file.read_exact_at(&mut buffer, offset)?;
        Ok(buffer.into())
    }
}

/// A process that is being started shares the descriptors of the one that starts it until it runs its own
/// program, so a lock given up a moment ago may still be held: it is tried a few times.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 1..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            decided => return decided,
        }
    }
    file.try_lock()
}

/// The lock is the open file's: closing it releases it. The file itself stays, since unlinking it
/// would let two processes hold locks of different files under one name.
#[derive(Debug)]
struct RealLock {
    _file: File,
}

impl EnvLock for RealLock {}
