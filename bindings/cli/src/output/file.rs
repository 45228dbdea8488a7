//! A result in a file that the user named.

// The file is the user's, not the database's.
#![allow(clippy::disallowed_methods)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::failure::{Failure, Result};

/// Creates or empties the file and has `write` fill it.
pub fn to_file(path: &Path, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>) -> Result<()> {
    let named = |error: std::io::Error| Failure::file(path.display(), &error);
    let mut file = BufWriter::new(File::create(path).map_err(named)?);
    write(&mut file).map_err(|failure| Failure {
        message: format!("{}: {}", path.display(), failure.message),
        ..failure
    })?;
    file.flush().map_err(named)
}
