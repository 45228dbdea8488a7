//! Tables as Python reads them: rows as tuples from a cursor, or all of them as an Arrow C stream.
//!
//! ```text
//! SqlBatches (or batches that are there) -> Stream (kept while small) -> Rows (cursor) -> cells -> tuples
//!                                                   +-> Export -> capsule -> pyarrow, polars, DuckDB, pandas
//! ```
//!
//! Batches are numbered from 0. Those that were read are kept, so that the cursor and any number of exports see the same
//! rows; when they take more than `KEPT_BYTES_MAX`, the older ones go, and who comes for them afterwards gets an error.
//!
//! **Invariants**
//! 1. Memory does not grow with the result: `KEPT_BYTES_MAX`, and a batch.
//! 2. A consumer in any thread, with or without the interpreter, gets batches; only the main thread looks for signals.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyList};
use pyo3_arrow::PyRecordBatchReader;
use tracehouse::{CancelToken, ErrorKind};

use crate::handle::Handle;
use crate::{call, cells, errors};

/// Batches of a result are kept up to this size.
const KEPT_BYTES_MAX: usize = 32 << 20;

pub(crate) type Batches = Box<dyn Iterator<Item = tracehouse::Result<RecordBatch>> + Send>;

/// What is wrong with a stream.
#[derive(Debug, Clone)]
struct Fault(ErrorKind, String);

/// The batches of a result.
pub(crate) struct Stream {
    schema: SchemaRef,
    token: CancelToken,
    process: u32,
    state: Mutex<State>,
    /// What went wrong while another library read. It has a lock of its own, which is never held while rows are read.
    raised: Mutex<Option<Raised>>,
}

enum Raised {
    /// By Python, such as `KeyboardInterrupt`.
    Python(PyErr),
    Fault(Fault),
}

struct State {
    /// What is not read yet; `None` at the end.
    source: Option<Batches>,
    kept: VecDeque<RecordBatch>,
    kept_bytes: usize,
    /// The number of the first batch that is kept.
    first: usize,
    /// Why there is no more.
    fault: Option<Fault>,
}

impl Stream {
    /// The rows of `batches`, which `token` cancels.
    pub(crate) fn new(schema: SchemaRef, batches: Batches, token: CancelToken) -> Self {
        let state = State {
            source: Some(batches),
            kept: VecDeque::new(),
            kept_bytes: 0,
            first: 0,
            fault: None,
        };
        Self {
            schema,
            token,
            process: std::process::id(),
            state: Mutex::new(state),
            raised: Mutex::new(None),
        }
    }

    fn raised(&self) -> MutexGuard<'_, Option<Raised>> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up what is not read yet; not in a forked process, where that is left as it is.
    fn end(&self) {
        if self.process == std::process::id() {
            self.token.cancel();
            drop(self.state().source.take());
        }
    }

    /// Ends the stream with its database.
    pub(crate) fn close(&self) {
        self.token.cancel();
        let mut state = self.state();
        if state.source.take().is_some() {
            let closed = "the database was closed before its result was read";
            state.fault = Some(Fault(ErrorKind::Closed, closed.to_string()));
        }
    }

    /// The batch with this number; `None` after the last one.
    fn batch(&self, number: usize) -> Result<Option<RecordBatch>, Fault> {
        self.state().batch(number)
    }

    /// The batch with this number, if that is known without reading.
    fn ready_batch(&self, number: usize) -> Option<RecordBatch> {
        let state = self.state.try_lock().ok()?;
        state.kept.get(number.checked_sub(state.first)?).cloned()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // Threads that the statement runs on did not come along when the process was forked.
            let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(state.source.take());
        }
    }
}

impl State {
    fn batch(&mut self, number: usize) -> Result<Option<RecordBatch>, Fault> {
        let Some(mut at) = number.checked_sub(self.first) else {
            let gone = "the result has been read to its end and is too large to be kept: run the statement again";
            return Err(Fault(ErrorKind::InvalidInput, gone.to_string()));
        };
        while at >= self.kept.len() {
            if !self.read()? {
                return Ok(None);
            }
            at = number.saturating_sub(self.first);
        }
        Ok(self.kept.get(at).cloned())
    }

    /// Reads another batch; false at the end.
    fn read(&mut self) -> Result<bool, Fault> {
        let next = self.source.as_mut().and_then(Iterator::next);
        let batch = match next {
            Some(Ok(batch)) => batch,
            Some(Err(error)) => {
                self.fault = Some(Fault(error.kind(), error.to_string()));
                self.source = None;
                return self.end();
            }
            None => {
                self.source = None;
                return self.end();
            }
        };
        self.kept_bytes += batch.get_array_memory_size();
        while self.kept_bytes > KEPT_BYTES_MAX
            && let Some(oldest) = self.kept.pop_front()
        {
            self.kept_bytes -= oldest.get_array_memory_size();
            self.first += 1;
        }
        self.kept.push_back(batch);
        Ok(true)
    }

    fn end(&self) -> Result<bool, Fault> {
        self.fault.clone().map_or(Ok(false), Err)
    }
}

/// Rows of a table.
#[pyclass(frozen, module = "tracehouse._native")]
pub(crate) struct Rows {
    stream: Arc<Stream>,
    cursor: Mutex<Cursor>,
}

impl Drop for Rows {
    /// A statement that is given up may take a moment to end: other Python threads go on meanwhile.
    fn drop(&mut self) {
        if Arc::strong_count(&self.stream) == 1 {
            let stream = &self.stream;
            Python::attach(|py| py.detach(|| stream.end()));
        }
    }
}

/// The next row: the number of its batch, and where it is in it.
#[derive(Clone, Copy, Default)]
struct Cursor {
    batch: usize,
    row: usize,
}

impl Rows {
    /// The rows of a stream, which ends with its database.
    pub(crate) fn new(stream: Stream, handle: &Handle) -> Self {
        let stream = Arc::new(stream);
        handle.note_stream(&stream);
        Self {
            stream,
            cursor: Mutex::default(),
        }
    }

    /// The rows of batches that are there.
    pub(crate) fn of_batches(
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
        handle: &Handle,
    ) -> Self {
        let batches = batches.into_iter().map(Ok);
        Self::new(
            Stream::new(schema, Box::new(batches), CancelToken::new()),
            handle,
        )
    }

    /// The batch with this number, read while other Python threads run.
    fn batch(&self, py: Python<'_>, number: usize) -> PyResult<Option<RecordBatch>> {
        if let Some(batch) = self.stream.ready_batch(number) {
            py.check_signals()?;
            return Ok(Some(batch));
        }
        let stream = Arc::clone(&self.stream);
        let read = call::run_until(py, &self.stream.token, move || stream.batch(number))?;
        read.map_err(|Fault(kind, message)| errors::of_kind(py, kind, &message))
    }

    /// Appends rows from `cursor` on to a list until it has `n`, or there are no more.
    fn collect(&self, cursor: &mut Cursor, n: usize, list: &Bound<'_, PyList>) -> PyResult<()> {
        while list.len() < n {
            let Some(batch) = self.batch(list.py(), cursor.batch)? else {
                break;
            };
            let count = (n - list.len()).min(batch.num_rows().saturating_sub(cursor.row));
            cells::extend(list, &batch.slice(cursor.row, count))?;
            cursor.row += count;
            if cursor.row >= batch.num_rows() {
                *cursor = Cursor {
                    batch: cursor.batch + 1,
                    row: 0,
                };
            }
        }
        Ok(())
    }

    /// A copy of the cursor: it is not held while rows are read, which another thread may do, too.
    fn cursor(&self) -> Cursor {
        *self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Rows {
    fn columns(&self) -> Vec<String> {
        self.stream
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    }

    fn types(&self) -> Vec<String> {
        self.stream
            .schema
            .fields()
            .iter()
            .map(|field| field.data_type().to_string())
            .collect()
    }

    fn fetch<'py>(&self, py: Python<'py>, n: Option<usize>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        let mut cursor = self.cursor();
        self.collect(&mut cursor, n.unwrap_or(usize::MAX), &list)?;
        *self.cursor.lock().unwrap_or_else(PoisonError::into_inner) = cursor;
        Ok(list)
    }

    fn peek<'py>(&self, py: Python<'py>, n: usize) -> PyResult<(Bound<'py, PyList>, bool)> {
        let list = PyList::empty(py);
        self.collect(&mut Cursor::default(), n.saturating_add(1), &list)?;
        let is_all = list.len() <= n;
        if !is_all {
            list.del_item(n)?;
        }
        Ok((list, is_all))
    }

    /// What was raised while another library read, Ctrl-C for instance.
    fn take_error(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let raised = match self.stream.raised().take()? {
            Raised::Python(raised) => raised,
            Raised::Fault(Fault(kind, message)) => errors::of_kind(py, kind, &message),
        };
        Some(raised.into_value(py).into_any())
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        // What cannot be read again is refused here, where the error can still be ours.
        self.batch(py, 0)?;
        let export = Export {
            stream: Arc::clone(&self.stream),
            next: 0,
        };
        let reader = Bound::new(py, PyRecordBatchReader::new(Box::new(export)))?;
        reader.call_method1("__arrow_c_stream__", (requested_schema,))
    }
}

/// All rows for another library, a batch at a time.
struct Export {
    stream: Arc<Stream>,
    next: usize,
}

impl Export {
    /// The next batch, in whatever thread. In the main thread signals are looked for; what they raise is kept for who can
    /// raise it.
    fn read(&self) -> Result<Option<RecordBatch>, Fault> {
        let (stream, number) = (Arc::clone(&self.stream), self.next);
        if !call::is_main_thread() {
            return stream.batch(number);
        }
        let read = Python::attach(|py| {
            let token = self.stream.token.clone();
            let own = Arc::clone(&stream);
            call::run_until(py, &token, move || own.batch(number))
        });
        read.unwrap_or_else(|raised| {
            let text = raised.to_string();
            *self.stream.raised() = Some(Raised::Python(raised));
            Err(Fault(ErrorKind::Cancelled, text))
        })
    }
}

impl Iterator for Export {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        self.next += 1;
        match read {
            Ok(batch) => batch.map(Ok),
            Err(fault) => {
                // The text goes through C.
                let text = fault.1.replace('\0', " ");
                self.stream.raised().get_or_insert(Raised::Fault(fault));
                Some(Err(ArrowError::ComputeError(text)))
            }
        }
    }
}

impl RecordBatchReader for Export {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.stream.schema)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Rows>()
}
