//! A Python callable that sees every text before it is stored.
//!
//! **Invariant**: it fails closed. Where it raises, gives something else than a text or `None`, or the interpreter is
//! ending, the engine replaces the text; what was raised is written nowhere, since it may have the text in it.

use pyo3::prelude::*;
use pyo3::types::PyString;
use tracehouse::RedactionCallback;

/// A callable and its name; one object for one callable, so that a second open of a folder is known to be with the same.
#[pyclass(frozen, weakref, module = "tracehouse._native")]
pub(crate) struct Redactor {
    callback: RedactionCallback,
}

impl Redactor {
    pub(crate) fn callback(&self) -> RedactionCallback {
        self.callback.clone()
    }
}

#[pymethods]
impl Redactor {
    #[new]
    fn new(call: Py<PyAny>, name: String) -> Self {
        let callback = RedactionCallback::new(name, move |field, text| {
            let called = Python::try_attach(|py| -> PyResult<Option<String>> {
                let given = call.bind(py).call1((text, field.part, field.key))?;
                if given.is_none() {
                    return Ok(None);
                }
                Ok(Some(given.cast_into::<PyString>()?.to_str()?.to_string()))
            });
            match called {
                Some(Ok(answer)) => Ok(answer),
                Some(Err(_)) => Err("the redaction function failed".into()),
                None => Err("the interpreter is ending".into()),
            }
        });
        Self { callback }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Redactor>()
}
