//! tantivy's files in a folder that the database holds open.
//!
//! tantivy's own directory finds out the path of its folder once, when it is opened. When the database is
//! renamed afterwards, that path leads nowhere, or to another database. Here it is found out for each file.
//! Not needed any more when tantivy keeps a path as it was given.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tantivy::directory::error::{
    DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError,
};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr,
};

use crate::env::Folder;

/// See the head of this file.
#[derive(Debug, Clone)]
pub(super) struct HeldDirectory {
    folder: Folder,
}

impl HeldDirectory {
    /// # Errors
    /// When it is no folder.
    pub fn open(folder: &Folder) -> Result<Self, OpenDirectoryError> {
        MmapDirectory::open(folder.path())?;
        Ok(Self {
            folder: folder.clone(),
        })
    }

    /// The folder where it is now.
    fn now(&self) -> io::Result<MmapDirectory> {
        MmapDirectory::open(self.folder.path()).map_err(|error| match error {
            OpenDirectoryError::IoError { io_error, .. } => match io_error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(io_error.kind(), io_error),
            },
            OpenDirectoryError::DoesNotExist(_) => io::Error::new(io::ErrorKind::NotFound, error),
            error => io::Error::other(error),
        })
    }

    fn to_read(&self, path: &Path) -> Result<MmapDirectory, OpenReadError> {
        self.now()
            .map_err(|error| OpenReadError::wrap_io_error(error, path.to_owned()))
    }
}

impl Directory for HeldDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.to_read(path)?.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let failed = |error| DeleteError::IoError {
            io_error: Arc::new(error),
            filepath: path.to_owned(),
        };
        self.now().map_err(failed)?.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.to_read(path)?.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let failed = |error| OpenWriteError::wrap_io_error(error, path.to_owned());
        self.now().map_err(failed)?.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.to_read(path)?.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.now()?.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.now()?.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.now()
            .map_err(LockError::wrap_io_error)?
            .acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.now()?.watch(callback)
    }
}
