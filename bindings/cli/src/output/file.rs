//! A result in a file that the user named.

// The file is the user's, not the database's.
#![allow(clippy::disallowed_methods)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::failure::{Failure, Result};
use crate::interrupt::{HalfWritten, UntilCancelled};

/// Creates or empties the file and has `write` fill it. Where that fails, or a signal ends it, no file is left.
pub fn to_file(path: &Path, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>) -> Result<()> {
    let named = |error: std::io::Error| Failure::file(path.display(), &error);
    let mut file = BufWriter::new(UntilCancelled::new(File::create(path).map_err(named)?));
    let half_written = HalfWritten::new(path);
    let written = write(&mut file).map_err(|failure| Failure {
        message: format!("{}: {}", path.display(), failure.message),
        ..failure
    });
    let written = written.and_then(|()| file.flush().map_err(named));
    if let (Err(_), Some(half_written)) = (&written, half_written) {
        half_written.remove();
    }
    written
}
