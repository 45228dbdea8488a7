//! A database as Python holds it: open, closed, or of the process that this one was forked from.
//!
//! ```text
//! tracehouse.Database -> handle::Database (Python) -> Handle -> tracehouse::Database (a clone for each call)
//!                        Dataset, Rows ----------------^
//! ```
//!
//! **Invariants**
//! 1. Closing a handle closes what was made through it: datasets, results that are not read to their end. Other handles
//!    on the same folder go on; the last of them seals.
//! 2. In a forked process nothing of the handle is used, waited for or dropped: threads that it needs are not there. It
//!    is left where it is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use tracehouse::{CancelToken, ErrorKind, OpenOptions};

use crate::rows::Stream;
use crate::{call, errors, redactor, settings};

/// How long an open waits for another thread that closes the last handle on the same folder.
const CLOSING_WAIT: Duration = Duration::from_secs(30);

/// Handles that are being closed now.
static CLOSING: AtomicUsize = AtomicUsize::new(0);

/// A database, shared by all that was made through one Python object.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Shared>);

struct Shared {
    path: String,
    read_only: bool,
    process: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` once it is closed.
    database: Option<tracehouse::Database>,
    /// Results that may not be read to their end.
    streams: Vec<Weak<Stream>>,
}

impl Handle {
    fn new(database: tracehouse::Database, path: String, read_only: bool) -> Self {
        let state = State {
            database: Some(database),
            streams: Vec::new(),
        };
        Self(Arc::new(Shared {
            path,
            read_only,
            process: std::process::id(),
            state: Mutex::new(state),
        }))
    }

    fn is_forked(&self) -> bool {
        self.0.process != std::process::id()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database, for one call.
    ///
    /// # Errors
    /// `ClosedError` when it is closed, and in a forked process.
    pub(crate) fn database(&self) -> PyResult<tracehouse::Database> {
        self.open_database().map_err(|message| {
            Python::attach(|py| errors::of_kind(py, ErrorKind::Closed, &message))
        })
    }

    /// The database; what is wrong otherwise.
    fn open_database(&self) -> Result<tracehouse::Database, String> {
        let path = &self.0.path;
        if self.is_forked() {
            return Err(format!(
                "the database {path} was opened before this process was forked: open it again in the child"
            ));
        }
        self.state()
            .database
            .clone()
            .ok_or_else(|| format!("the database {path} is closed"))
    }

    /// Lets closing the handle end a result.
    pub(crate) fn note_stream(&self, stream: &Arc<Stream>) {
        let mut state = self.state();
        state.streams.retain(|stream| stream.strong_count() > 0);
        state.streams.push(Arc::downgrade(stream));
    }

    fn is_closed(&self) -> bool {
        !self.is_forked() && self.state().database.is_none()
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_forked() {
            return Ok(());
        }
        let State { database, streams } = std::mem::take(&mut *self.state());
        let Some(database) = database else {
            return Ok(());
        };
        let path = self.0.path.clone();
        let work = move || {
            streams
                .iter()
                .filter_map(Weak::upgrade)
                .for_each(|stream| stream.close());
            CLOSING.fetch_add(1, Ordering::AcqRel);
            let closed = database.close_if_last(&path).map(drop);
            drop(database);
            CLOSING.fetch_sub(1, Ordering::AcqRel);
            closed
        };
        call::run_until(py, &CancelToken::new(), work)?.map_err(|error| errors::raised(py, &error))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // The key-value store would wait for threads that the fork did not take along.
            let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(std::mem::take(state));
        }
    }
}

/// An open database.
#[pyclass(frozen, module = "tracehouse._native")]
pub(crate) struct Database {
    handle: Option<Handle>,
}

impl Database {
    /// What functions of this module work with; `handle.database()?` is the engine's database for one call.
    pub(crate) fn handle(&self) -> PyResult<&Handle> {
        // It is there until the object is dropped.
        self.handle
            .as_ref()
            .ok_or_else(|| errors::lazily("the database is gone".to_string()))
    }
}

impl Drop for Database {
    /// Waits for the database's threads without keeping other Python threads from running.
    fn drop(&mut self) {
        let handle = self.handle.take();
        if handle.as_ref().is_some_and(Handle::is_forked) {
            return drop(handle);
        }
        Python::attach(|py| py.detach(move || drop(handle)));
    }
}

#[pymethods]
impl Database {
    #[getter]
    fn path(&self) -> PyResult<&str> {
        Ok(&self.handle()?.0.path)
    }

    #[getter]
    fn read_only(&self) -> PyResult<bool> {
        Ok(self.handle()?.0.read_only)
    }

    #[getter]
    fn closed(&self) -> PyResult<bool> {
        Ok(self.handle()?.is_closed())
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.handle()?.close(py)
    }

    fn with_views(&self) -> PyResult<Self> {
        let own = self.handle()?;
        let database = own.database()?.with_views();
        Ok(Self {
            handle: Some(Handle::new(database, own.0.path.clone(), own.0.read_only)),
        })
    }
}

/// Opens the database in a folder.
#[pyfunction]
#[pyo3(signature = (path, read_only, create, options, redact))]
fn open(
    py: Python<'_>,
    path: String,
    read_only: bool,
    create: bool,
    options: &Bound<'_, PyDict>,
    redact: Option<Bound<'_, redactor::Redactor>>,
) -> PyResult<Database> {
    let mut open = OpenOptions::new()
        .read_only(read_only)
        .create(create)
        .settings(settings::of(options)?);
    if let Some(redactor) = &redact {
        open = open.redact_with(redactor.get().callback());
    }
    let folder = path.clone();
    let work = move || {
        call::retry(CLOSING_WAIT, || match open.clone().open(&folder) {
            Err(error)
                if error.kind() == ErrorKind::Conflict && CLOSING.load(Ordering::Acquire) > 0 =>
            {
                None
            }
            opened => Some(opened),
        })
        .unwrap_or_else(|| open.open(&folder))
    };
    let database = call::run_until(py, &CancelToken::new(), work)?
        .map_err(|error| errors::raised(py, &error))?;
    Ok(Database {
        handle: Some(Handle::new(database, path, read_only)),
    })
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Database>()?;
    module.add_function(wrap_pyfunction!(open, module)?)
}
