//! The setting as the database keeps it, and what writing makes of it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use tracehouse_storage::Store;
use tracehouse_storage::manifest::CatalogFile;

use super::redactor::{RedactionCallback, Redactor, Totals};
use super::settings::Redaction;
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::stored_setting;

/// The setting's name.
const NAME: &str = "redaction";

/// The setting in force, and what it has done.
#[derive(Debug)]
pub(crate) struct RedactionState {
    callback: Option<RedactionCallback>,
    totals: Arc<Totals>,
    current: RwLock<Current>,
}

/// Why nothing can be written stands in the place of a redactor.
#[derive(Debug, Clone)]
struct Current {
    setting: Redaction,
    redactor: std::result::Result<Arc<Redactor>, String>,
}

impl RedactionState {
    /// The state that the catalogue of a database describes.
    pub(crate) fn open(store: &Store, callback: Option<RedactionCallback>) -> Self {
        let totals = Arc::new(Totals::default());
        let current = match read(&store.catalog_files()) {
            Ok(setting) => compile(setting.unwrap_or_default(), callback.clone(), &totals),
            Err(why) => Current {
                setting: Redaction::default(),
                redactor: Err(why),
            },
        };
        Self {
            callback,
            totals,
            current: RwLock::new(current),
        }
    }

    fn current(&self) -> Current {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Values replaced, and texts that a callback failed on, since the open.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (
            self.totals.values.load(Ordering::Relaxed),
            self.totals.failures.load(Ordering::Relaxed),
        )
    }
}

fn compile(
    setting: Redaction,
    callback: Option<RedactionCallback>,
    totals: &Arc<Totals>,
) -> Current {
    let given = callback.as_ref().map(|callback| callback.name.clone());
    let redactor = match &setting.callback {
        Some(needed) if given.as_ref() != Some(needed) => Err(format!(
            "nothing can be written: the database's redaction needs the callback {needed:?}, open it with \
             OpenOptions::redact_with"
        )),
        _ => match Redactor::new(setting.clone(), callback, totals.clone()) {
            Ok(redactor) => Ok(Arc::new(redactor)),
            Err(error) => Err(format!("nothing can be written: {error}")),
        },
    };
    Current { setting, redactor }
}

/// The setting in a catalogue; `None` when it was never made.
fn read(files: &[CatalogFile]) -> std::result::Result<Option<Redaction>, String> {
    let Some(value) = stored_setting::read(files, NAME) else {
        return Ok(None);
    };
    let unknown =
        |e| format!("nothing can be written: the database's redaction is not understood: {e}");
    serde_json::from_value(value).map(Some).map_err(unknown)
}

impl Database {
    /// What is redacted before it is written.
    pub fn redaction(&self) -> Redaction {
        self.redaction_state().current().setting
    }

    /// Sets what is redacted from now on, in this and every other process that writes the database;
    /// durable when this returns. Rows that are stored already stay as they are; writes under way finish
    /// with the setting that they began with.
    ///
    /// # Errors
    /// `InvalidInput` naming the rule or name that is not allowed, `Io` or `Closed` from writing.
    pub fn set_redaction(&self, setting: Redaction) -> Result<()> {
        let state = self.redaction_state();
        Redactor::new(setting.clone(), None, state.totals.clone())?;
        let _changes = self.catalog().lock_changes();
        let store = self.store();
        let replacement = stored_setting::write(store, NAME, &setting)?;
        // Writers that begin now wait, so that none begins with the setting before once it is committed.
        let mut current = state
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        replacement.commit(store)?;
        *current = compile(setting, state.callback.clone(), &state.totals);
        Ok(())
    }

    /// What writing applies.
    ///
    /// # Errors
    /// `Closed` when the setting needs a callback that this process did not give, or cannot be understood:
    /// then nothing may be written.
    pub(crate) fn redactor(&self) -> Result<Arc<Redactor>> {
        self.redaction_state()
            .current()
            .redactor
            .map_err(|why| Error::new(ErrorKind::Closed, why))
    }
}
