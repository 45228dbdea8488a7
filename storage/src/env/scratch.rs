//! Files without a name: what a question needs for a while and cannot keep in memory.
//!
//! Invariant: nothing is left when the last handle is gone, however the process ends; nobody who empties a
//! folder meets them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::Env;

/// Where such files are made.
#[derive(Debug, Clone)]
pub struct ScratchSpace {
    env: Arc<dyn Env>,
}

impl ScratchSpace {
    pub(crate) fn new(env: Arc<dyn Env>) -> Self {
        Self { env }
    }

    /// A new, empty file.
    ///
    /// # Errors
    /// Those of the system, such as where nothing can be written.
    pub fn create(&self) -> io::Result<ScratchFile> {
        self.env.scratch_file(Path::new("tmp"))
    }
}

/// A file without a name. One writes at its end, any number read.
#[derive(Debug)]
pub struct ScratchFile {
    file: File,
    len: AtomicU64,
}

impl ScratchFile {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            len: AtomicU64::new(0),
        }
    }

    /// Writes at the end.
    ///
    /// # Errors
    /// Those of the system; what was written of it is unknown then.
    pub fn append(&self, data: &[u8]) -> io::Result<()> {
        let end = self.len();
        self.file.write_all_at(data, end)?;
        let before = self.len.fetch_add(data.len() as u64, Ordering::AcqRel);
        assert_eq!(before, end, "one at a time writes at the end");
        Ok(())
    }

    /// Bytes written.
    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Up to `len` bytes from `offset`; fewer only at the end.
    ///
    /// # Errors
    /// Those of the system.
    pub fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut buffer = vec![0; len.min(left)];
        self.file.read_exact_at(&mut buffer, offset)?;
        Ok(buffer.into())
    }
}
