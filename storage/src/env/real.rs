//! [`Env`] over a directory of the file system. The only file of the crate that calls `std::fs`
//! for the truth files (AR-4).
//!
//! The folder is opened once and everything is done relative to that handle, part of a path by part: a
//! database that is renamed goes on whole where it is now, and what is made at its old path is another
//! one. No symlink is followed on the way.

// Everything else asks for files, time and ids here (AR-4), so here alone the system is asked.
#![allow(clippy::disallowed_methods)]

use std::ffi::OsString;
use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::folder::Folder;
use super::scratch::ScratchFile;
use super::{Env, EnvLock, EnvReader, EnvWriter, READ_BYTES_MAX, system};

/// How often a lock that is held is tried, and the pause between.
const LOCK_TRIES: usize = 6;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Longest text read from a lock file for the message of a refusal.
const LOCK_TEXT_BYTES_MAX: u64 = 1024;

/// Folders below each other that are removed together; a database has few.
const DEPTH_MAX: usize = 32;

const LOCK_FILE: &str = "LOCK";

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
/// Not to wait for whoever writes a pipe, before it is known to be one.
const TO_READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// The files below one root directory.
#[derive(Debug)]
pub struct RealEnv {
    /// Absolute, so that the process may change its working directory.
    path: PathBuf,
    /// Opened by the first who finds it there, and from then on the database, whatever its path.
    root: OnceLock<Arc<File>>,
    /// What is made is for whomever the process's umask lets have it.
    is_for_others: bool,
}

/// A folder that is open.
enum Open {
    Root(Arc<File>),
    Below(OwnedFd),
}

impl AsFd for Open {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(file) => file.as_fd(),
            Self::Below(fd) => fd.as_fd(),
        }
    }
}

impl RealEnv {
    /// An environment below `root`, which need not exist yet: `create_dir_all` of the empty path
    /// makes it.
    pub fn new(root: PathBuf) -> Self {
        // Where the working directory is gone only an absolute path leads anywhere.
        let path = std::path::absolute(&root).unwrap_or(root);
        Self {
            path,
            root: OnceLock::new(),
            is_for_others: false,
        }
    }

    /// An environment below `root` for files that are no database's: who may read them is up to the umask.
    pub fn for_others(root: PathBuf) -> Self {
        Self {
            is_for_others: true,
            ..Self::new(root)
        }
    }

    /// What is allowed of a mode.
    fn mode(&self, all: Mode) -> Mode {
        if self.is_for_others {
            all
        } else {
            all & Mode::RWXU
        }
    }

    /// The root, which may be reached through a symlink.
    fn root(&self) -> io::Result<&Arc<File>> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let opened = retry_on_intr(|| rustix::fs::open(&self.path, FOLDER, Mode::empty()))?;
        Ok(self.root.get_or_init(|| Arc::new(File::from(opened))))
    }

    /// Opens a folder, part by part.
    fn open_dir(&self, path: &Path) -> io::Result<Open> {
        let relative = super::relative(path)?;
        let mut dir = Open::Root(self.root()?.clone());
        for part in relative.components() {
            let flags = FOLDER | OFlags::NOFOLLOW;
            let name = part.as_os_str();
            let opened = retry_on_intr(|| rustix::fs::openat(&dir, name, flags, Mode::empty()));
            dir = Open::Below(
                opened.map_err(|error| self.explain(&dir, name.as_ref(), path, error))?,
            );
        }
        Ok(dir)
    }

    /// The folder that holds a path's last part, and that part.
    fn open_parent(&self, path: &Path) -> io::Result<(Open, OsString)> {
        let relative = super::relative(path)?;
        let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else {
            return Err(not_a_file(path));
        };
        Ok((self.open_dir(parent)?, name.to_owned()))
    }

    /// Opens a file, never through a symlink.
    fn open_at(&self, path: &Path, flags: OFlags) -> io::Result<File> {
        let (dir, name) = self.open_parent(path)?;
        let mode = self.mode(Mode::from_raw_mode(0o666));
        let opened = retry_on_intr(|| rustix::fs::openat(&dir, &name, flags, mode));
        opened
            .map(File::from)
            .map_err(|error| self.explain(&dir, name.as_ref(), path, error))
    }

    /// Opens a regular file to read it.
    fn open_file(&self, path: &Path) -> io::Result<(File, u64)> {
        let file = self.open_at(path, TO_READ)?;
        let seen = file.metadata()?;
        if seen.is_file() {
            Ok((file, seen.len()))
        } else {
            Err(not_a_file(path))
        }
    }

    /// An error of the system with what it does not say.
    fn explain(&self, dir: &Open, name: &Path, path: &Path, error: Errno) -> io::Error {
        let found = || rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_symlink = |error| matches!(error, Errno::LOOP | Errno::NOTDIR);
        let has_type =
            |kind| found().is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == kind);
        if is_symlink(error) && has_type(FileType::Symlink) {
            let message = format!("{}: symlinks inside a database are refused", path.display());
            return io::Error::new(io::ErrorKind::InvalidInput, message);
        }
        match error {
            Errno::NXIO | Errno::NODEV | Errno::ISDIR => not_a_file(path),
            Errno::NOENT if self.is_removed() => {
                let message = "the folder of the database was removed while it was open";
                io::Error::new(io::ErrorKind::NotFound, message)
            }
            error => error.into(),
        }
    }

    fn is_removed(&self) -> bool {
        self.root()
            .and_then(|root| root.metadata())
            .is_ok_and(|seen| seen.nlink() == 0)
    }

    /// The text of `LOCK`. It is a courtesy: failing to read it must not hide that the lock is held.
    fn lock_text(&self) -> String {
        let mut text = Vec::new();
        if let Ok((file, _)) = self.open_file(Path::new(LOCK_FILE)) {
            let _ = file.take(LOCK_TEXT_BYTES_MAX).read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Whether a path that no library follows by itself may be given to one.
    fn refuse_symlinks(&self, path: &Path) -> io::Result<()> {
        match self.open_dir(path) {
            // It is about to be made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            opened => opened.map(drop),
        }
    }
}

fn not_a_file(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{} is not a regular file", path.display()),
    )
}

/// The names in a folder but `.` and `..`.
fn names(dir: impl AsFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(std::os::unix::ffi::OsStringExt::from_vec(name));
        }
    }
    Ok(names)
}

/// Removes all that is in a folder.
fn remove_content(dir: &impl AsFd, depth: usize) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "too many folders below each other",
        ));
    }
    for name in names(dir)? {
        let found = rustix::fs::statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
            rustix::fs::unlinkat(dir, &name, AtFlags::empty())?;
            continue;
        }
        let inner = rustix::fs::openat(dir, &name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        remove_content(&inner, depth - 1)?;
        rustix::fs::unlinkat(dir, &name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

impl Env for RealEnv {
    fn create_root(&self) -> io::Result<()> {
        let missing = self
            .path
            .ancestors()
            .take_while(|dir| std::fs::symlink_metadata(dir).is_err())
            .count();
        self.create_dir_all(Path::new(""))?;
        // The folder that holds the root also when the root was there: a process that made it may have died.
        for dir in self.path.ancestors().skip(1).take(missing.max(1)) {
            match File::open(dir).and_then(|dir| dir.sync_all()) {
                // In a folder that may not be read nothing can be synced.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced?,
            }
        }
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let relative = super::relative(path)?;
        if self.root.get().is_none() {
            let mode = self.mode(Mode::from_raw_mode(0o777)).as_raw_mode();
            DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(&self.path)?;
        }
        let mut made = PathBuf::new();
        for part in relative.components() {
            let dir = self.open_dir(&made)?;
            match retry_on_intr(|| {
                rustix::fs::mkdirat(
                    &dir,
                    part.as_os_str(),
                    self.mode(Mode::from_raw_mode(0o777)),
                )
            }) {
                Ok(()) | Err(Errno::EXIST) => made.push(part),
                Err(error) => {
                    return Err(self.explain(&dir, part.as_os_str().as_ref(), path, error));
                }
            }
        }
        self.open_dir(&made).map(drop)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn EnvWriter>> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Box::new(RealWriter {
            file: self.open_at(path, flags)?,
            len: 0,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn EnvReader>> {
        let (file, len) = self.open_file(path)?;
        Ok(Arc::new(RealReader { file, len }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let (file, len) = self.open_file(path)?;
        if len > READ_BYTES_MAX {
            return Err(super::too_large(path, len));
        }
        let mut content = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        file.take(READ_BYTES_MAX).read_to_end(&mut content)?;
        Ok(content)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let ((source, old), (target, new)) = (self.open_parent(from)?, self.open_parent(to)?);
        let renamed = retry_on_intr(|| rustix::fs::renameat(&source, &old, &target, &new));
        renamed.map_err(|error| self.explain(&source, old.as_ref(), from, error))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.open_parent(path)?;
        let removed = retry_on_intr(|| rustix::fs::unlinkat(&dir, &name, AtFlags::empty()));
        removed.map_err(|error| self.explain(&dir, name.as_ref(), path, error))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        remove_content(&self.open_dir(path)?, DEPTH_MAX)?;
        let (dir, name) = self.open_parent(path)?;
        let removed = retry_on_intr(|| rustix::fs::unlinkat(&dir, &name, AtFlags::REMOVEDIR));
        removed.map_err(|error| self.explain(&dir, name.as_ref(), path, error))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let dir = self.open_dir(path)?;
        Ok(retry_on_intr(|| rustix::fs::fsync(&dir))?)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = names(self.open_dir(path)?)?;
        let mut names: Vec<String> = names
            .iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> bool {
        let found = match path.as_os_str().is_empty() {
            true => self.root().map(drop),
            false => self.open_parent(path).and_then(|(dir, name)| {
                Ok(rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).map(drop)?)
            }),
        };
        match found.map_err(|error| error.kind()) {
            Ok(()) => true,
            Err(
                io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::InvalidInput,
            ) => false,
            // What cannot be looked at is no free place for something new.
            Err(_) => true,
        }
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn EnvLock>> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = self.open_at(path, flags)?;
        if !file.metadata()?.is_file() {
            return Err(not_a_file(path));
        }
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

    /// The folder is locked besides: a `LOCK` that was removed and made again is another file.
    fn lock_root(&self, holder: &str) -> io::Result<Box<dyn EnvLock>> {
        let root = self.root()?;
        let folder = File::from(retry_on_intr(|| {
            rustix::fs::openat(root, ".", FOLDER, Mode::empty())
        })?);
        let folder = match try_lock(&folder) {
            Ok(()) => Some(folder),
            Err(TryLockError::WouldBlock) => {
                return Err(super::lock_held(Path::new(LOCK_FILE), &self.lock_text()));
            }
            // Some network file systems lock files alone.
            Err(TryLockError::Error(_)) => None,
        };
        let file = self.lock(Path::new(LOCK_FILE), holder)?;
        Ok(Box::new(RootLock {
            _file: file,
            _folder: folder,
        }))
    }

    fn folder(&self, path: &Path) -> Option<Folder> {
        self.refuse_symlinks(path).ok()?;
        Folder::below(self.root().ok()?, &self.path, &super::relative(path).ok()?)
    }

    fn scratch_file(&self, folder: &Path) -> io::Result<ScratchFile> {
        let path = folder.join(format!("spill-{}", ulid::Ulid(self.new_ulid())));
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.open_at(&path, flags)?;
        match self.remove_file(&path) {
            // Whoever empties the folder was quicker.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(ScratchFile::new(file)),
        }
    }

    fn free_bytes(&self) -> Option<(u64, u64)> {
        let found = rustix::fs::fstatvfs(self.root().ok()?).ok()?;
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
        assert!(written <= data.len(), "the system writes what it is given");
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl EnvWriter for RealWriter {
    fn sync_data(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        // Synced, and gone with this handle: nobody would find it again.
        if self.file.metadata()?.nlink() == 0 {
            let message = "the file was removed while it was written";
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        Ok(())
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
        if offset
            .checked_add(len as u64)
            .is_none_or(|end| end > self.len)
        {
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

/// The lock of `LOCK` and, where the file system can, of the folder.
#[derive(Debug)]
struct RootLock {
    _file: Box<dyn EnvLock>,
    _folder: Option<File>,
}

impl EnvLock for RootLock {}
