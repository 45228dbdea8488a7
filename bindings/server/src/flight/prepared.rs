//! Prepared statements: kept by handle for the caller who made them, with the values that were bound last.
//!
//! A statement is planned when it is executed, over the rows that are there then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;
use tonic::Status;
use tracehouse::{SqlQuery, SqlValue};

use super::handle::Handle;
use super::parameters;
use crate::access::Caller;

/// How long a statement is kept that is not used.
pub(super) const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Statements of one caller, and of all.
const PER_CALLER_MAX: usize = 256;
const ALL_MAX: usize = 4096;
/// Bytes of a statement's text, and of the values that are bound to it.
const TEXT_BYTES_MAX: usize = 256 * 1024;
const VALUE_BYTES_MAX: usize = 1 << 20;

/// The prepared statements of a server.
#[derive(Debug, Default)]
pub(super) struct Statements {
    kept: Mutex<HashMap<Handle, Kept>>,
}

#[derive(Debug)]
struct Kept {
    caller: String,
    text: String,
    names: Vec<String>,
    values: Vec<(String, SqlValue)>,
    used: Instant,
}

impl Statements {
    fn kept(&self) -> MutexGuard<'_, HashMap<Handle, Kept>> {
        // Nothing panics between two changes that belong together.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a statement.
    ///
    /// # Errors
    /// `ResourceExhausted` when the caller, or all of them, have as many as they may; `InvalidArgument` when it is too long.
    pub(super) fn keep(
        &self,
        caller: &Caller,
        text: String,
        names: Vec<String>,
    ) -> Result<Handle, Status> {
        check_bytes(&text)?;
        let handle = Handle::new()?;
        let mut kept = self.kept();
        let now = Instant::now();
        kept.retain(|_, statement| now.saturating_duration_since(statement.used) < LIFETIME);
        let own = kept.values().filter(|kept| kept.caller == caller.name);
        if own.count() >= PER_CALLER_MAX || kept.len() >= ALL_MAX {
            return Err(Status::resource_exhausted(format!(
                "too many prepared statements: at most {PER_CALLER_MAX} of one token and {ALL_MAX} of all; close some first"
            )));
        }
        let statement = Kept {
            caller: caller.name.clone(),
            text,
            names,
            values: Vec::new(),
            used: now,
        };
        kept.insert(handle, statement);
        Ok(handle)
    }

    /// Binds values, in the place of those that were bound before.
    ///
    /// # Errors
    /// `NotFound` without the statement; as [`parameters::values`]; `InvalidArgument` when they are too long.
    pub(super) fn bind(
        &self,
        caller: &Caller,
        handle: Option<Handle>,
        bound: &RecordBatch,
    ) -> Result<(), Status> {
        self.with(caller, handle, |statement| {
            let values = parameters::values(&statement.names, bound)?;
            let bytes = values.iter().map(|(_, value)| match value {
                SqlValue::Text(text) => text.len(),
                _ => size_of::<SqlValue>(),
            });
            let bytes: usize = bytes.sum();
            if bytes > VALUE_BYTES_MAX {
                return Err(Status::invalid_argument(format!(
                    "the values of the parameters have {bytes} bytes; at most {VALUE_BYTES_MAX} are allowed"
                )));
            }
            statement.values = values;
            Ok(())
        })
    }

    /// The statement with its values.
    ///
    /// # Errors
    /// `NotFound` without the statement.
    pub(super) fn query(
        &self,
        caller: &Caller,
        handle: Option<Handle>,
    ) -> Result<SqlQuery, Status> {
        self.with(caller, handle, |statement| {
            let mut query = SqlQuery::from(statement.text.as_str());
            query.parameters.clone_from(&statement.values);
            Ok(query)
        })
    }

    /// Forgets a statement, if it is there and the caller's.
    pub(super) fn close(&self, caller: &Caller, handle: Option<Handle>) {
        let mut kept = self.kept();
        if let Some(handle) = handle
            && kept
                .get(&handle)
                .is_some_and(|statement| statement.caller == caller.name)
        {
            kept.remove(&handle);
        }
    }

    fn with<T>(
        &self,
        caller: &Caller,
        handle: Option<Handle>,
        work: impl FnOnce(&mut Kept) -> Result<T, Status>,
    ) -> Result<T, Status> {
        let mut kept = self.kept();
        let statement = handle
            .and_then(|handle| kept.get_mut(&handle))
            .filter(|statement| {
                statement.caller == caller.name && statement.used.elapsed() < LIFETIME
            })
            .ok_or_else(|| {
                Status::not_found(
                    "there is no such prepared statement: it was closed, was not used for an hour, or is another token's",
                )
            })?;
        statement.used = Instant::now();
        work(statement)
    }
}

/// # Errors
/// `InvalidArgument` for a text longer than any statement may be.
pub(super) fn check_bytes(text: &str) -> Result<(), Status> {
    match text.len() > TEXT_BYTES_MAX {
        true => Err(Status::invalid_argument(format!(
            "the statement has {} bytes; at most {TEXT_BYTES_MAX} are allowed",
            text.len()
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;

    fn caller(name: &str) -> Caller {
        Caller::named(name)
    }

    fn bound(text: &str) -> RecordBatch {
        let column: ArrayRef = Arc::new(StringArray::from(vec![text]));
        RecordBatch::try_from_iter([("0", column)]).unwrap()
    }

    #[test]
    fn a_statement_keeps_its_values_until_it_is_closed() {
        let (statements, caller) = (Statements::default(), self::caller("one"));
        let handle = statements
            .keep(&caller, "SELECT $1".into(), vec!["1".into()])
            .map(Some)
            .unwrap();
        assert!(
            statements
                .query(&caller, handle)
                .unwrap()
                .parameters
                .is_empty()
        );
        statements.bind(&caller, handle, &bound("a")).unwrap();
        statements.bind(&caller, handle, &bound("b")).unwrap();
        let query = statements.query(&caller, handle).unwrap();
        assert_eq!(
            query.parameters,
            [("1".to_string(), SqlValue::Text("b".into()))]
        );
        let long = "x".repeat(VALUE_BYTES_MAX + 1);
        assert!(statements.bind(&caller, handle, &bound(&long)).is_err());
        let other = self::caller("other");
        statements.close(&other, handle);
        let code = |caller, handle| statements.query(caller, handle).unwrap_err().code();
        assert_eq!(code(&other, handle), tonic::Code::NotFound);
        assert_eq!(code(&caller, None), tonic::Code::NotFound);
        statements.close(&caller, handle);
        assert_eq!(code(&caller, handle), tonic::Code::NotFound);
    }

    #[test]
    fn one_caller_keeps_so_many() {
        let (statements, caller) = (Statements::default(), self::caller("one"));
        let keep = |caller: &Caller| statements.keep(caller, "SELECT 1".into(), Vec::new());
        let first = (0..PER_CALLER_MAX)
            .map(|_| keep(&caller).unwrap())
            .last()
            .unwrap();
        assert_eq!(
            keep(&caller).unwrap_err().code(),
            tonic::Code::ResourceExhausted
        );
        let other = self::caller("other");
        keep(&other).unwrap();
        statements.close(&caller, Some(first));
        keep(&caller).unwrap();
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert!(statements.keep(&caller, long, Vec::new()).is_err());
    }
}
