//! Links of traces to runs and to prompt versions. They stand beside the trace's row: the filters
//! `run_id = ..` and `prompt = ..` see them.
//!
//! Linking again changes nothing. Unlike MLflow, which stores links of traces it never heard of, an
//! unknown trace is an error and nothing is linked: such a link would be lost in silence.

use std::collections::BTreeSet;

use tracehouse_storage::model::{TraceEdit, check_id, normalize_trace_id};

use crate::database::{Database, find};
use crate::error::{Error, Result};

impl Database {
    /// Links traces to a run, in one commit.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::{Search, TraceStart};
    /// db.start_trace(&TraceStart::new("t1", 0))?;
    /// db.link_traces_to_run(&["t1"], "run-1")?;
    /// db.link_prompts_to_trace("t1", &["greeting/2"])?;
    /// assert_eq!(db.count_traces(&Search::new("run_id = 'run-1' AND prompt = 'greeting/2'"))?, 1);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `NotFound` when one of the traces does not exist, `InvalidInput` for an illegal run id.
    pub fn link_traces_to_run<S: AsRef<str>>(&self, trace_ids: &[S], run_id: &str) -> Result<()> {
        check_id("run id", run_id)?;
        self.edit_all(
            trace_ids,
            &TraceEdit {
                linked_runs: BTreeSet::from([run_id.to_string()]),
                ..TraceEdit::default()
            },
        )
    }

    /// Takes the links of traces to a run away; a link that is not there is no error. The run that a
    /// trace was created in stays.
    ///
    /// # Errors
    /// As [`Database::link_traces_to_run`].
    pub fn unlink_traces_from_run<S: AsRef<str>>(
        &self,
        trace_ids: &[S],
        run_id: &str,
    ) -> Result<()> {
        check_id("run id", run_id)?;
        self.edit_all(
            trace_ids,
            &TraceEdit {
                unlinked_runs: BTreeSet::from([run_id.to_string()]),
                ..TraceEdit::default()
            },
        )
    }

    /// Links a trace to prompt versions, each as `name/version`.
    ///
    /// # Errors
    /// `NotFound` when there is no such trace, `InvalidInput` for a text that is no prompt version.
    pub fn link_prompts_to_trace<S: AsRef<str>>(
        &self,
        trace_id: &str,
        prompts: &[S],
    ) -> Result<()> {
        self.edit_all(
            &[trace_id],
            &TraceEdit {
                linked_prompts: prompt_versions(prompts)?,
                ..TraceEdit::default()
            },
        )
    }

    /// Takes the links of a trace to prompt versions away; a link that is not there is no error.
    ///
    /// # Errors
    /// As [`Database::link_prompts_to_trace`].
    pub fn unlink_prompts_from_trace<S: AsRef<str>>(
        &self,
        trace_id: &str,
        prompts: &[S],
    ) -> Result<()> {
        self.edit_all(
            &[trace_id],
            &TraceEdit {
                unlinked_prompts: prompt_versions(prompts)?,
                ..TraceEdit::default()
            },
        )
    }

    fn edit_all<S: AsRef<str>>(&self, trace_ids: &[S], edit: &TraceEdit) -> Result<()> {
        let _shared = self.change_shared();
        let snapshot = self.snapshot()?;
        let mut edits = Vec::with_capacity(trace_ids.len());
        for id in trace_ids {
            find(&snapshot, id.as_ref())?;
            edits.push((normalize_trace_id(id.as_ref()), edit.clone()));
        }
        self.store().edit_traces(edits)?;
        Ok(())
    }
}

fn prompt_versions<S: AsRef<str>>(prompts: &[S]) -> Result<BTreeSet<String>> {
    let mut versions = BTreeSet::new();
    for prompt in prompts {
        let prompt = prompt.as_ref();
        match prompt.split_once('/') {
            Some((name, version))
                if !name.is_empty() && !version.is_empty() && !version.contains('/') =>
            {
                check_id("prompt version", prompt)?;
                versions.insert(prompt.to_string());
            }
            _ => {
                return Err(Error::invalid_input(format!(
                    "prompt version {prompt:?}: NAME/VERSION expected"
                )));
            }
        }
    }
    Ok(versions)
}
