//! Files in memory that count the bytes read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::env::{Env, EnvLock, EnvReader, EnvWriter, Folder};

type Files = Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>;

#[derive(Debug, Default)]
pub(super) struct TestEnv {
    files: Files,
    pub(super) synced: Arc<Mutex<Vec<PathBuf>>>,
    pub(super) bytes_read: Arc<AtomicU64>,
    pub(super) fail_reads: Arc<std::sync::atomic::AtomicBool>,
}

impl TestEnv {
    pub(super) fn take_bytes_read(&self) -> u64 {
        self.bytes_read.swap(0, Ordering::Relaxed)
    }

    pub(super) fn change(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.files.lock().unwrap().get_mut(path).unwrap());
    }
}

struct Writer {
    files: Files,
    synced: Arc<Mutex<Vec<PathBuf>>>,
    path: PathBuf,
    len: u64,
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Short writes, as files may have.
        let part = &bytes[..bytes.len().min(70_000)];
        self.files
            .lock()
            .unwrap()
            .get_mut(&self.path)
            .unwrap()
            .extend_from_slice(part);
        self.len += part.len() as u64;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl EnvWriter for Writer {
    fn sync_data(&mut self) -> io::Result<()> {
        self.synced.lock().unwrap().push(self.path.clone());
        Ok(())
    }

    fn len(&self) -> u64 {
        self.len
    }
}

#[derive(Debug)]
struct Reader {
    bytes: Bytes,
    bytes_read: Arc<AtomicU64>,
    fail_reads: Arc<std::sync::atomic::AtomicBool>,
}

impl EnvReader for Reader {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        if self.fail_reads.load(Ordering::Relaxed) {
            return Err(io::Error::other("disk on fire"));
        }
        let start = offset as usize;
        if start + len > self.bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.bytes_read.fetch_add(len as u64, Ordering::Relaxed);
        Ok(self.bytes.slice(start..start + len))
    }
}

impl Env for TestEnv {
    fn create_root(&self) -> io::Result<()> {
        Ok(())
    }

    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn EnvWriter>> {
        if self
            .files
            .lock()
            .unwrap()
            .insert(path.to_path_buf(), Vec::new())
            .is_some()
        {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (files, synced) = (self.files.clone(), self.synced.clone());
        Ok(Box::new(Writer {
            files,
            synced,
            path: path.to_path_buf(),
            len: 0,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn EnvReader>> {
        let bytes = Bytes::from(self.read(path)?);
        let (bytes_read, fail_reads) = (self.bytes_read.clone(), self.fail_reads.clone());
        Ok(Arc::new(Reader {
            bytes,
            bytes_read,
            fail_reads,
        }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files
            .lock()
            .unwrap()
            .get(path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files
            .lock()
            .unwrap()
            .remove(path)
            .map(|_| ())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove_dir_all(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.synced.lock().unwrap().push(path.to_path_buf());
        Ok(())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(self
            .files
            .lock()
            .unwrap()
            .keys()
            .map(|path| path.display().to_string())
            .collect())
    }

    fn exists(&self, path: &Path) -> bool {
        self.files.lock().unwrap().contains_key(path)
    }

    fn lock(&self, _: &Path, _: &str) -> io::Result<Box<dyn EnvLock>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn folder(&self, _: &Path) -> Option<Folder> {
        None
    }

    fn now_ns(&self) -> i64 {
        0
    }

    fn boot_id(&self) -> String {
        String::new()
    }

    fn new_ulid(&self) -> u128 {
        1
    }
}
