//! A directory of tantivy's whose files are compared with their sums as they are read (see `sums`).
//!
//! tantivy reads dictionaries as a whole when an index is opened, posting lists and positions piece by piece.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, OpenReadError, OpenWriteError};
use tantivy::directory::{Directory, FileHandle, OwnedBytes, WatchCallback, WatchHandle, WritePtr};

use super::cut::items;
use super::held_directory::HeldDirectory;
use super::index::TantivyResult;
use super::sums::{FileSums, TextSums};
use crate::env::Folder;

/// The directory of an index that is opened for reading.
#[derive(Debug, Clone)]
pub(super) struct CheckedDirectory {
    files: HeldDirectory,
    sums: Arc<TextSums>,
    damage: Arc<AtomicBool>,
}

impl CheckedDirectory {
    /// The directory `folder`. `damage` is set as soon as a byte of it is not what was written.
    pub(super) fn open(
        folder: &Folder,
        damage: Arc<AtomicBool>,
    ) -> TantivyResult<CheckedDirectory> {
        let sums = Arc::new(TextSums::read(folder.path())?);
        Ok(CheckedDirectory {
            files: HeldDirectory::open(folder)?,
            sums,
            damage,
        })
    }

    fn sums_of(&self, path: &Path) -> Result<&FileSums, OpenReadError> {
        self.sums
            .of(path)
            .ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))
    }

    /// Notes damage.
    fn noted<T>(&self, path: &Path, checked: io::Result<T>) -> Result<T, OpenReadError> {
        checked.map_err(|error| {
            self.damage.store(true, Ordering::Relaxed);
            OpenReadError::IoError {
                io_error: Arc::new(error),
                filepath: path.to_owned(),
            }
        })
    }
}

impl Directory for CheckedDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let file = self.files.get_file_handle(path)?;
        self.noted(path, self.sums_of(path)?.check_len(file.len()))?;
        let (path, sums, damage) = (path.to_owned(), self.sums.clone(), self.damage.clone());
        Ok(Arc::new(CheckedFile {
            path,
            file,
            sums,
            damage,
        }))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        // An index has a list of its files only when it was made by a version that keeps one.
        let bytes = self.files.atomic_read(path)?;
        let sums = self.sums_of(path)?;
        let read = |range: Range<usize>| Ok(items(&bytes, range));
        self.noted(
            path,
            sums.check_len(bytes.len())
                .and_then(|()| sums.check(0..bytes.len(), read)),
        )?;
        Ok(bytes)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.files.delete(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.files.open_write(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.files.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.files.sync_directory()
    }

    fn watch(&self, callback: WatchCallback) -> TantivyResult<WatchHandle> {
        self.files.watch(callback)
    }
}

/// A file of it.
#[derive(Debug)]
struct CheckedFile {
    path: std::path::PathBuf,
    file: Arc<dyn FileHandle>,
    sums: Arc<TextSums>,
    damage: Arc<AtomicBool>,
}

impl HasLen for CheckedFile {
    fn len(&self) -> usize {
        self.file.len()
    }
}

impl FileHandle for CheckedFile {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let sums = self.sums.of(&self.path).ok_or(io::ErrorKind::NotFound)?;
        let checked = sums.check(range.clone(), |block| self.file.read_bytes(block));
        if let Err(error) = checked {
            self.damage.store(true, Ordering::Relaxed);
            return Err(io::Error::new(
                error.kind(),
                format!("{}: {error}", self.path.display()),
            ));
        }
        self.file.read_bytes(range)
    }
}
