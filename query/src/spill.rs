//! What operators cannot keep in memory: in files without a name, so that nothing is left of a query however
//! it ends, and nobody who empties the database's `tmp/` takes them away.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;
use tracehouse_storage::env::{ScratchFile, ScratchSpace};

use crate::error::QueryError;

/// Bytes read at a time.
const READ_BYTES: usize = 128 * 1024;

/// Makes such files, for all queries of one database.
#[derive(Debug)]
pub(crate) struct SpillFiles {
    space: ScratchSpace,
    /// Bytes of all files that there are.
    used: Arc<AtomicU64>,
    bytes_max: u64,
}

impl SpillFiles {
    pub fn new(space: ScratchSpace, bytes_max: u64) -> Self {
        Self {
            space,
            used: Arc::default(),
            bytes_max,
        }
    }
}

impl TempFileFactory for SpillFiles {
    fn create_temp_file(&self, _description: &str) -> Result<Arc<dyn SpillFile>> {
        let file = self
            .space
            .create()
            .map_err(|error| DataFusionError::from(refused(&error)))?;
        Ok(Arc::new(Spilled(Arc::new(Inner {
            file,
            used: self.used.clone(),
            bytes_max: self.bytes_max,
        }))))
    }
}

/// Where nothing can be written, a query has its memory and no more.
fn refused(error: &io::Error) -> QueryError {
    QueryError::resource_exhausted(format!(
        "the query needs more memory, and cannot spill: {error}"
    ))
}

struct Spilled(Arc<Inner>);

struct Inner {
    file: ScratchFile,
    used: Arc<AtomicU64>,
    bytes_max: u64,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.used.fetch_sub(self.file.len(), Ordering::Relaxed);
    }
}

impl SpillFile for Spilled {
    fn size(&self) -> Option<u64> {
        Some(self.0.file.len())
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let pieces = futures::stream::unfold((self.0.clone(), 0), |(inner, offset)| async move {
            let piece = inner
                .file
                .read_at(offset, READ_BYTES)
                .map_err(DataFusionError::IoError);
            let end = offset + piece.as_ref().map_or(0, Bytes::len) as u64;
            let is_end = piece.as_ref().is_ok_and(Bytes::is_empty);
            (!is_end).then_some((piece, (inner, end)))
        });
        Ok(Box::pin(pieces))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(Writer(self.0.clone())))
    }
}

struct Writer(Arc<Inner>);

impl Write for Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let Inner {
            file,
            used,
            bytes_max,
        } = self.0.as_ref();
        let bytes = data.len() as u64;
        if used
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes)
            > *bytes_max
        {
            used.fetch_sub(bytes, Ordering::Relaxed);
            let message = format!("the query needs more than {bytes_max} bytes of space to spill");
            return Err(io::Error::other(QueryError::resource_exhausted(message)));
        }
        file.append(data).inspect_err(|_| {
            used.fetch_sub(bytes, Ordering::Relaxed);
        })?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
