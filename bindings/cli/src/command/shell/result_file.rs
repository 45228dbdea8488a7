//! The file of `.output`: one answer after the other.
//!
//! **Invariant** It has whole answers: one that fails or is interrupted leaves it as it was before. What is no file of its
//! own (a device, a pipe) is written as it is.

// The file is the user's, not the database's.
#![allow(clippy::disallowed_methods)]

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::failure::{Failure, Result};
use crate::interrupt::{HalfWritten, UntilCancelled};

#[derive(Debug)]
pub struct ResultFile {
    path: PathBuf,
    file: File,
}

impl ResultFile {
    /// Creates or empties the file.
    pub fn create(path: &str) -> Result<Self> {
        let file = File::create(path).map_err(|error| Failure::file(path, &error))?;
        Ok(Self {
            path: PathBuf::from(path),
            file,
        })
    }

    /// Adds what `write` writes.
    pub fn add(&mut self, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>) -> Result<()> {
        let is_file = self.file.metadata()?.is_file();
        let before = if is_file {
            Some(self.file.stream_position()?)
        } else {
            None
        };
        // A signal takes it back, too.
        let half_written = before.and_then(|before| HalfWritten::beyond(&self.path, before));
        let mut buffered = BufWriter::new(UntilCancelled::new(&self.file));
        let mut written = write(&mut buffered);
        if written.is_ok() {
            written = buffered
                .flush()
                .map_err(|error| Failure::file(self.path.display(), &error));
        }
        // What is left in the buffer belongs to an answer that failed.
        drop(buffered.into_parts());
        if let (Err(_), Some(before)) = (&written, before) {
            self.file.set_len(before)?;
            self.file.seek(SeekFrom::Start(before))?;
        }
        drop(half_written);
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_fails_leaves_what_was_there() {
        let path = std::env::temp_dir().join(format!("tracehouse-result-{}", std::process::id()));
        let mut file = ResultFile::create(path.to_str().unwrap()).unwrap();
        let long = vec![b'x'; 100_000];
        file.add(|out| Ok(out.write_all(b"one\n")?)).unwrap();
        let failing = |out: &mut (dyn Write + Send)| {
            out.write_all(&long)?;
            Err(Failure::failed("no"))
        };
        assert!(file.add(failing).is_err());
        file.add(|out| Ok(out.write_all(b"two\n")?)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
        std::fs::remove_file(path).unwrap();
    }
}
