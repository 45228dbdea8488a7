//! A result in a file that the user named.
//!
//! **Invariant**: the file has all of the result or what it had before: it is written beside, and takes its name at the
//! end. What is no file of its own (a device, a pipe) is written as it is.

// The file is the user's, not the database's.
#![allow(clippy::disallowed_methods)]

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::interrupt::{HalfWritten, UntilCancelled};

/// Creates or replaces the file by what `write` writes.
pub fn to_file(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
) -> Result<()> {
    let named = |error: std::io::Error| Failure::file(path.display(), &error);
    // The file behind a link is replaced, and not the link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let there = fs::metadata(&target).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        return fill(
            path,
            OpenOptions::new().write(true).open(path).map_err(named)?,
            write,
        );
    }
    if there.is_some() {
        // Replacing needs no right to the file, only to its folder.
        OpenOptions::new()
            .write(true)
            .open(&target)
            .map_err(named)?;
    }
    let (beside, file) = beside(&target).map_err(named)?;
    // A signal removes it, too.
    let half_written = HalfWritten::new(&beside);
    let written = fill(path, file, write).and_then(|()| {
        if let Some(there) = &there {
            fs::set_permissions(&beside, there.permissions()).map_err(named)?;
        }
        fs::rename(&beside, &target).map_err(named)
    });
    if let (Err(_), Some(half_written)) = (&written, half_written) {
        // What failed says more than what could not be removed after it.
        let _ = half_written.take_back();
    }
    written
}

fn fill(
    path: &Path,
    file: File,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
) -> Result<()> {
    let mut file = BufWriter::new(UntilCancelled::new(file));
    write(&mut file).map_err(|failure| Failure {
        message: format!("{}: {}", path.display(), failure.message),
        ..failure
    })?;
    file.flush()
        .map_err(|error| Failure::file(path.display(), &error))
}

/// A new file in the same folder.
fn beside(path: &Path) -> std::io::Result<(PathBuf, File)> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let process = std::process::id();
    for number in 0..u16::MAX {
        let beside = path.with_file_name(format!(".{name}.{process}.{number}.tmp"));
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)
        {
            Ok(file) => return Ok((beside, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let folder = std::env::temp_dir().join(format!("tracehouse-output-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("result.csv");
        let failing = |out: &mut (dyn Write + Send)| {
            out.write_all(b"half")?;
            Err(Failure::failed("no"))
        };
        let files = || fs::read_dir(&folder).unwrap().count();
        assert!(
            to_file(&path, failing)
                .unwrap_err()
                .message
                .ends_with("result.csv: no")
        );
        assert_eq!(files(), 0);
        to_file(&path, |out| Ok(out.write_all(b"whole")?)).unwrap();
        assert!(to_file(&path, failing).is_err());
        assert_eq!((fs::read(&path).unwrap(), files()), (b"whole".to_vec(), 1));
        to_file(&path, |out| Ok(out.write_all(b"new")?)).unwrap();
        assert_eq!((fs::read(&path).unwrap(), files()), (b"new".to_vec(), 1));
        fs::remove_dir_all(&folder).unwrap();
    }
}
