//! What is imported from Python: a path, bytes, or a file object that is read as bytes are needed.
//!
//! A file object is read by a thread of the import, which takes the interpreter for each read. What it raises fails the
//! read; the caller gets the exception itself.

use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyString};
use tracehouse::ErrorKind;

use crate::errors;

/// Bytes asked of a file object at a time.
const READ_BYTES: usize = 256 << 10;

/// An exception that a file object raised while a thread of the engine used it.
#[derive(Clone, Default)]
pub(crate) struct RaisedInside(Arc<Mutex<Option<PyErr>>>);

impl RaisedInside {
    /// What the call gave, unless the file object raised.
    ///
    /// # Errors
    /// What the file object raised, else what the call failed with.
    pub(crate) fn before<T>(&self, given: PyResult<T>) -> PyResult<T> {
        let raised = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        raised.map_or(given, Err)
    }

    /// Keeps an exception for who can raise it.
    pub(crate) fn note(&self, error: PyErr) -> io::Error {
        let text = error.to_string();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        io::Error::other(text)
    }
}

/// An input: what it is called, and its bytes.
pub(crate) struct Source {
    pub(crate) name: String,
    /// The path, where it is one.
    pub(crate) path: Option<PathBuf>,
    /// All of its bytes, where that is known.
    pub(crate) total: Option<u64>,
    /// Bytes read so far.
    pub(crate) read: Arc<AtomicU64>,
    pub(crate) raised: RaisedInside,
    input: Box<dyn Read + Send>,
}

impl Source {
    /// What Python gives.
    ///
    /// # Errors
    /// `NotFoundError` or `StorageError` for a path that cannot be opened, `TypeError` for what is none of these.
    pub(crate) fn of(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Some(bytes) = bytes_of(given)? {
            let total = bytes.len() as u64;
            return Ok(Self::new(
                "<bytes>",
                None,
                Some(total),
                Box::new(Cursor::new(bytes)),
            ));
        }
        if given.hasattr("read")? {
            let name = given
                .getattr("name")
                .and_then(|name| name.extract::<String>());
            let raised = RaisedInside::default();
            let file = FileObject {
                file: given.clone().unbind(),
                raised: raised.clone(),
                left: Cursor::default(),
            };
            let name = name.unwrap_or_else(|_| "<file>".to_string());
            return Ok(Self {
                raised,
                ..Self::new(&name, None, None, Box::new(file))
            });
        }
        if !given.is_instance_of::<PyString>() && !given.hasattr("__fspath__")? {
            let kind = given.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "a {kind} cannot be read: a path, bytes or a file opened for reading expected"
            )));
        }
        let path: PathBuf = given.extract()?;
        let unreadable = |error: io::Error| unreadable(given.py(), &path, &error);
        let file = File::open(&path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            let message = format!("{} is a folder: a file expected", path.display());
            return Err(errors::invalid(given.py(), &message));
        }
        let total = metadata.is_file().then_some(metadata.len());
        let name = path.display().to_string();
        Ok(Self::new(&name, Some(path), total, Box::new(file)))
    }

    fn new(
        name: &str,
        path: Option<PathBuf>,
        total: Option<u64>,
        input: Box<dyn Read + Send>,
    ) -> Self {
        let (read, raised) = (Arc::default(), RaisedInside::default());
        Self {
            name: name.to_string(),
            path,
            total,
            read,
            raised,
            input,
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

fn unreadable(py: Python<'_>, path: &std::path::Path, error: &io::Error) -> PyErr {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Io,
    };
    errors::of_kind(py, kind, &format!("{}: {error}", path.display()))
}

/// A copy of the bytes of `bytes`, `bytearray`, `memoryview` and the like.
fn bytes_of(given: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    if let Ok(bytes) = given.cast::<PyBytes>() {
        return Ok(Some(bytes.as_bytes().to_vec()));
    }
    if let Ok(bytes) = given.cast::<PyByteArray>() {
        return Ok(Some(bytes.to_vec()));
    }
    let view = given.py().import("builtins")?.getattr("memoryview")?;
    if !given.is_instance(&view)? {
        return Ok(None);
    }
    Ok(Some(
        given
            .call_method0("tobytes")?
            .cast_into::<PyBytes>()?
            .as_bytes()
            .to_vec(),
    ))
}

/// A Python object with `read`.
struct FileObject {
    file: Py<PyAny>,
    raised: RaisedInside,
    /// What it gave beyond what was asked for.
    left: Cursor<Vec<u8>>,
}

impl Read for FileObject {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.left.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        let asked = Python::try_attach(|py| more(self.file.bind(py)));
        let bytes = asked
            .ok_or_else(|| io::Error::other("the interpreter is ending"))?
            .map_err(|error| self.raised.note(error))?;
        self.left = Cursor::new(bytes);
        self.left.read(buffer)
    }
}

/// The next bytes of a file object; texts in UTF-8.
fn more(file: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let given = file.call_method1("read", (READ_BYTES,))?;
    if let Ok(text) = given.cast::<PyString>() {
        return Ok(text.to_str()?.as_bytes().to_vec());
    }
    bytes_of(&given)?.ok_or_else(|| {
        PyValueError::new_err("read() gave neither bytes nor text: a file that blocks is expected")
    })
}

/// A Python object with `write`.
pub(crate) struct FileSink {
    pub(crate) file: Py<PyAny>,
    pub(crate) raised: RaisedInside,
}

impl Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = Python::try_attach(|py| -> PyResult<()> {
            self.file
                .bind(py)
                .call_method1("write", (PyBytes::new(py, bytes),))
                .map(drop)
        });
        written
            .ok_or_else(|| io::Error::other("the interpreter is ending"))?
            .map_err(|error| self.raised.note(error))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
