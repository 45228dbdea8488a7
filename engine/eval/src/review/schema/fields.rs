//! Reads the fields of one JSON object and notes what is wrong with them.
//!
//! **Invariant** every field that is not taken by the end is a fault: nothing in a file is ignored.

use serde_json::{Map, Value};

use super::super::error::AnswerFault;
use crate::prompt::kind_of;

/// The fields of an object that are not read yet.
pub(super) struct Fields<'a> {
    at: String,
    entries: Map<String, Value>,
    faults: &'a mut Vec<AnswerFault>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(
        at: impl Into<String>,
        entries: Map<String, Value>,
        faults: &'a mut Vec<AnswerFault>,
    ) -> Self {
        Self {
            at: at.into(),
            entries,
            faults,
        }
    }

    /// Says from now on that faults are at `at`.
    pub(super) fn rename(&mut self, at: String) {
        self.at = at;
    }

    pub(super) fn fault(&mut self, message: impl Into<String>) {
        self.faults
            .push(AnswerFault::new(self.at.as_str(), message));
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.typed(key, "a string", |value| match value {
            Value::String(text) => Ok(text),
            other => Err(other),
        })
    }

    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        self.typed(key, "true or false", |value| value.as_bool().ok_or(value))
    }

    pub(super) fn number(&mut self, key: &str) -> Option<f64> {
        self.typed(key, "a number", |value| value.as_f64().ok_or(value))
    }

    pub(super) fn count(&mut self, key: &str) -> Option<u64> {
        self.typed(key, "a whole number above 0", |value| {
            value.as_u64().filter(|n| *n > 0).ok_or(value)
        })
    }

    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        self.typed(key, "a list of strings", |value| {
            let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
            let texts: Vec<String> = items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect();
            let is_list_of_texts = value.is_array() && texts.len() == items.len();
            if is_list_of_texts {
                Ok(texts)
            } else {
                Err(value)
            }
        })
    }

    /// Notes the fields that nobody read.
    pub(super) fn finish(mut self, allowed: &str) {
        let left: Vec<String> = self.entries.keys().cloned().collect();
        for key in left {
            self.fault(format!("has the key {key:?}: the keys are {allowed}"));
        }
    }

    /// A field of a type; none when it is not there, is `null`, or is of another type, which is noted.
    fn typed<T>(
        &mut self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Option<T> {
        let value = self.entries.remove(key).filter(|value| !value.is_null())?;
        match read(value) {
            Ok(read) => Some(read),
            Err(other) => {
                let found = match &other {
                    Value::Number(number) => number.to_string(),
                    other => kind_of(other).to_owned(),
                };
                self.fault(format!("has {found} as {key}: it must be {wanted}"));
                None
            }
        }
    }
}
