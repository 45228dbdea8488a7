//! [`Env`] in memory: for databases without a folder and for tests.
//!
//! Behaves like a file system: folders must exist before files in them, names are separate from
//! content (an unlinked file stays readable through an open reader), a rename moves all below it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Env, EnvLock, EnvReader, EnvWriter, Folder, READ_BYTES_MAX, system};

/// Files in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemEnv {
    state: Arc<Mutex<State>>,
}

type Content = Arc<Mutex<Vec<u8>>>;

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Content>,
    /// Folders; the root (the empty path) always exists and is not in here.
    dirs: BTreeSet<PathBuf>,
    /// Held locks and their texts.
    locks: HashMap<PathBuf, String>,
    /// What every write and sync fails with, when set.
    fault: Option<ErrorKind>,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(
        ErrorKind::NotFound,
        format!("{} does not exist", path.display()),
    )
}

impl State {
    fn is_dir(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.dirs.contains(path)
    }

    fn require_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(parent) if self.is_dir(parent) => Ok(()),
            Some(parent) => Err(not_found(parent)),
            None => Err(io::Error::new(
                ErrorKind::InvalidInput,
                "the root is not a file",
            )),
        }
    }

    fn has_children(&self, dir: &Path) -> bool {
        let below = |path: &PathBuf| path != dir && path.starts_with(dir);
        self.files.keys().any(below) || self.dirs.iter().any(below)
    }

    fn rename_dir(&mut self, from: &Path, to: &Path) {
        let moved = |path: &Path| {
            path.strip_prefix(from).ok().map(|rest| {
                // Joining an empty rest would add a trailing slash.
                if rest.as_os_str().is_empty() {
                    to.to_path_buf()
                } else {
                    to.join(rest)
                }
            })
        };
        let files = std::mem::take(&mut self.files);
        let count = files.len();
        self.files = files
            .into_iter()
            .map(|(path, file)| (moved(&path).unwrap_or(path), file))
            .collect();
        assert_eq!(
            self.files.len(),
            count,
            "a folder that is moved covers no file"
        );
        let dirs = std::mem::take(&mut self.dirs);
        self.dirs = dirs
            .into_iter()
            .map(|path| moved(&path).unwrap_or(path))
            .collect();
    }

    fn check_fault(&self) -> io::Result<()> {
        match self.fault {
            Some(kind) => Err(io::Error::new(kind, "injected fault")),
            None => Ok(()),
        }
    }
}

impl MemEnv {
    /// Makes every creation, write, rename and sync from now on fail with `kind`; `None` ends it.
    /// For tests of failing disks.
    pub fn set_fault(&self, kind: Option<ErrorKind>) {
        guard(&self.state).fault = kind;
    }

    fn file(&self, path: &Path) -> io::Result<Content> {
        let clean = super::relative(path)?;
        let state = guard(&self.state);
        if state.is_dir(&clean) {
            let message = format!("{} is not a regular file", path.display());
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        state
            .files
            .get(&clean)
            .cloned()
            .ok_or_else(|| not_found(path))
    }
}

impl Env for MemEnv {
    fn create_root(&self) -> io::Result<()> {
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let clean = super::relative(path)?;
        let mut state = guard(&self.state);
        state.check_fault()?;
        let chain: Vec<&Path> = clean
            .ancestors()
            .filter(|dir| !dir.as_os_str().is_empty())
            .collect();
        if chain.iter().any(|dir| state.files.contains_key(*dir)) {
            return Err(io::Error::new(
                ErrorKind::AlreadyExists,
                format!("{} is a file", path.display()),
            ));
        }
        state.dirs.extend(chain.into_iter().map(Path::to_path_buf));
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn EnvWriter>> {
        let clean = super::relative(path)?;
        let mut state = guard(&self.state);
        state.check_fault()?;
        state.require_parent(&clean)?;
        if state.is_dir(&clean) || state.files.contains_key(&clean) {
            return Err(io::Error::new(
                ErrorKind::AlreadyExists,
                format!("{} exists", path.display()),
            ));
        }
        let content = Content::default();
        state.files.insert(clean, content.clone());
        Ok(Box::new(MemWriter {
            content,
            state: self.state.clone(),
            len: 0,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn EnvReader>> {
        let content = self.file(path)?;
        let len = guard(&content).len() as u64;
        Ok(Arc::new(MemReader { content, len }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let content = self.file(path)?;
        let content = guard(&content);
        if content.len() as u64 > READ_BYTES_MAX {
            return Err(super::too_large(path, content.len() as u64));
        }
        Ok(content.clone())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (source, target) = (super::relative(from)?, super::relative(to)?);
        let mut state = guard(&self.state);
        state.check_fault()?;
        state.require_parent(&target)?;
        if let Some(content) = state.files.get(&source).cloned() {
            if state.is_dir(&target) {
                return Err(io::Error::new(
                    ErrorKind::IsADirectory,
                    format!("{} is a folder", to.display()),
                ));
            }
            state.files.remove(&source);
            state.files.insert(target, content);
            return Ok(());
        }
        if source.as_os_str().is_empty() || !state.is_dir(&source) {
            return Err(not_found(from));
        }
        if state.files.contains_key(&target) {
            return Err(io::Error::new(
                ErrorKind::NotADirectory,
                format!("{} is a file", to.display()),
            ));
        }
        if target == source {
            return Ok(());
        }
        if target.starts_with(&source) {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "a folder cannot move below itself",
            ));
        }
        if state.has_children(&target) {
            return Err(io::Error::new(
                ErrorKind::DirectoryNotEmpty,
                format!("{} has content", to.display()),
            ));
        }
        state.rename_dir(&source, &target);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let clean = super::relative(path)?;
        guard(&self.state)
            .files
            .remove(&clean)
            .map(drop)
            .ok_or_else(|| not_found(path))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let clean = super::relative(path)?;
        let mut state = guard(&self.state);
        if !state.is_dir(&clean) {
            return Err(not_found(path));
        }
        state.files.retain(|file, _| !file.starts_with(&clean));
        state.dirs.retain(|dir| !dir.starts_with(&clean));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let clean = super::relative(path)?;
        let state = guard(&self.state);
        state.check_fault()?;
        if state.is_dir(&clean) {
            Ok(())
        } else {
            Err(not_found(path))
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let clean = super::relative(path)?;
        let state = guard(&self.state);
        if !state.is_dir(&clean) {
            return Err(not_found(path));
        }
        let inside = |entry: &&PathBuf| entry.parent() == Some(&clean);
        let entries = state
            .files
            .keys()
            .filter(inside)
            .chain(state.dirs.iter().filter(inside));
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.file_name())
            .map(|name| name.to_string_lossy().into())
            .collect();
        names.sort();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> bool {
        let state = guard(&self.state);
        super::relative(path)
            .is_ok_and(|clean| state.is_dir(&clean) || state.files.contains_key(&clean))
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn EnvLock>> {
        let clean = super::relative(path)?;
        let mut state = guard(&self.state);
        state.require_parent(&clean)?;
        if let Some(text) = state.locks.get(&clean) {
            return Err(super::lock_held(path, text));
        }
        let text = super::lock_text(holder);
        state.files.insert(
            clean.clone(),
            Arc::new(Mutex::new(text.clone().into_bytes())),
        );
        state.locks.insert(clean.clone(), text);
        Ok(Box::new(MemLock {
            state: self.state.clone(),
            path: clean,
        }))
    }

    fn folder(&self, _path: &Path) -> Option<Folder> {
        None
    }

    fn is_in_memory(&self) -> bool {
        true
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

struct MemWriter {
    content: Content,
    state: Arc<Mutex<State>>,
    len: u64,
}

impl Write for MemWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        guard(&self.state).check_fault()?;
        let mut content = guard(&self.content);
        assert_eq!(
            content.len() as u64,
            self.len,
            "ST-4: a file has one writer, and only grows"
        );
        content.extend_from_slice(data);
        self.len += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl EnvWriter for MemWriter {
    fn sync_data(&mut self) -> io::Result<()> {
        guard(&self.state).check_fault()
    }

    fn len(&self) -> u64 {
        self.len
    }
}

#[derive(Debug)]
struct MemReader {
    content: Content,
    len: u64,
}

impl EnvReader for MemReader {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let end = offset
            .checked_add(len as u64)
            .filter(|end| *end <= self.len);
        let (Ok(from), Some(Ok(to))) = (usize::try_from(offset), end.map(usize::try_from)) else {
            return Err(ErrorKind::UnexpectedEof.into());
        };
        let content = guard(&self.content);
        assert!(
            content.len() as u64 >= self.len,
            "ST-4: a file that is open never shrinks"
        );
        let slice = content.get(from..to).ok_or(ErrorKind::UnexpectedEof)?;
        Ok(Bytes::copy_from_slice(slice))
    }
}

#[derive(Debug)]
struct MemLock {
    state: Arc<Mutex<State>>,
    path: PathBuf,
}

impl EnvLock for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        guard(&self.state).locks.remove(&self.path);
    }
}
