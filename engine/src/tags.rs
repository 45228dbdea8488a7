//! Tags: the mutable labels of a trace, and what keys and values they may have.

use tracehouse_storage::model::{TraceEdit, normalize_trace_id};

use crate::database::{Database, find};
use crate::error::{Error, Result};
use crate::trace_cache::trace_rows;

/// Longest key of a tag or of metadata, as in MLflow.
const KEY_CHARS_MAX: usize = 250;
/// Longest value. MLflow cuts tag values at 8,000 characters; here they are kept whole, and this only
/// keeps one value from filling the memory for rows.
const VALUE_BYTES_MAX: usize = 1 << 20;

impl Database {
    /// Sets a tag of a trace.
    ///
    /// # Errors
    /// `NotFound` when there is no such trace, `InvalidInput` for a key that is not allowed.
    pub fn set_tag(&self, trace_id: &str, key: &str, value: &str) -> Result<()> {
        self.set_tags(trace_id, [(key, value)])
    }

    /// Sets several tags of a trace in one commit.
    ///
    /// # Errors
    /// `NotFound` when there is no such trace, `InvalidInput` for a key that is not allowed.
    pub fn set_tags<'a>(
        &self,
        trace_id: &str,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<()> {
        let tags: Vec<(&str, &str)> = tags.into_iter().collect();
        tags.iter()
            .try_for_each(|(key, value)| check_tag(key, value))?;
        self.edit(trace_id, self.redacted(TraceEdit::set_tags(tags))?)
    }

    /// Sets one tag on many traces in one commit; unknown traces are skipped. Returns how many got it.
    ///
    /// # Errors
    /// `InvalidInput` for a key that is not allowed.
    pub fn set_tag_on<S: AsRef<str>>(
        &self,
        trace_ids: &[S],
        key: &str,
        value: &str,
    ) -> Result<u64> {
        check_tag(key, value)?;
        let edit = self.redacted(TraceEdit::set_tags([(key, value)]))?;
        let edits = trace_ids
            .iter()
            .map(|id| (normalize_trace_id(id.as_ref()), edit.clone()))
            .collect();
        Ok(self.store().edit_traces(edits)?.traces)
    }

    /// Deletes a tag of a trace.
    ///
    /// # Errors
    /// `NotFound` when there is no such trace or tag.
    pub fn delete_tag(&self, trace_id: &str, key: &str) -> Result<()> {
        self.delete_tags(trace_id, [key])
    }

    /// Deletes several tags of a trace in one commit.
    ///
    /// # Errors
    /// `NotFound` when there is no such trace, or when it lacks one of the tags; then none is deleted.
    pub fn delete_tags<'a>(
        &self,
        trace_id: &str,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<()> {
        let edit = self.redacted(TraceEdit::delete_tags(keys))?;
        let snapshot = self.snapshot()?;
        let row = find(&snapshot, trace_id)?;
        let tags = trace_rows(&snapshot, &[row])?
            .pop()
            .map(|row| row.tags)
            .unwrap_or_default();
        if let Some(key) = edit.tags.keys().find(|key| !tags.contains_key(*key)) {
            return Err(Error::not_found(format!(
                "no trace tag with key {key:?} on trace {trace_id}"
            )));
        }
        self.edit(trace_id, edit)
    }

    /// The change as it may be stored.
    fn redacted(&self, mut edit: TraceEdit) -> Result<TraceEdit> {
        let redactor = self.redactor()?;
        if let Some(mut pass) = redactor.pass() {
            pass.edit(&mut edit);
            pass.finish();
        }
        Ok(edit)
    }

    /// Applies an explicit change to one trace.
    fn edit(&self, trace_id: &str, edit: TraceEdit) -> Result<()> {
        let applied = self
            .store()
            .edit_traces(vec![(normalize_trace_id(trace_id), edit)])?;
        if applied.traces == 0 {
            return Err(Error::not_found(format!("trace {trace_id} not found")));
        }
        Ok(())
    }
}

/// Checks key and value of a tag.
pub(crate) fn check_tag(key: &str, value: &str) -> Result<()> {
    check_pair("tag", key, value)?;
    // As MLflow: letters, digits and `_` of any script, and a few separators.
    let is_allowed =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | ' ' | ':');
    match key.chars().find(|c| !is_allowed(*c)) {
        None => Ok(()),
        Some(c) => Err(Error::invalid_input(format!(
            "tag key {key:?} has the character {c:?}: letters, digits, '_', '/', '.', '-', ' ' and ':' are allowed"
        ))),
    }
}

/// Checks the lengths of a key and a value of `what`.
pub(crate) fn check_pair(what: &str, key: &str, value: &str) -> Result<()> {
    let chars = key.chars().count();
    if chars == 0 || chars > KEY_CHARS_MAX {
        let shown: String = key.chars().take(60).collect();
        return Err(Error::invalid_input(format!(
            "{what} key {shown:?} has {chars} characters: 1 to {KEY_CHARS_MAX} are allowed"
        )));
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(Error::invalid_input(format!(
            "the value of {what} {key:?} has {} bytes: at most {VALUE_BYTES_MAX} are allowed",
            value.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded_as_in_mlflow() {
        for key in ["env", "my key", "a.b/c-d:e_1", "größe", &"k".repeat(250)] {
            assert!(check_tag(key, "").is_ok(), "{key}");
        }
        for key in ["", "a\nb", "a?b", "a=b", &"k".repeat(251)] {
            assert_eq!(
                check_tag(key, "").unwrap_err().code(),
                "INVALID_PARAMETER_VALUE",
                "{key}"
            );
        }
        assert!(check_tag("k", &"v".repeat(100_000)).is_ok());
        assert!(check_tag("k", &"v".repeat(VALUE_BYTES_MAX + 1)).is_err());
    }
}
