//! Checking and repairing a database as a whole: what `storage::check` knows of the files, and besides what
//! only this crate knows of datasets.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use tracehouse_storage::check::{self, CheckReport, Finding, Opened, Severity};
use tracehouse_storage::columns::text;
use tracehouse_storage::env::{Env, RealEnv};
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::repair::{self, RepairReport};

use crate::database::Database;
use crate::dataset;
use crate::error::{Error, ErrorKind, Result};
use crate::open::OpenOptions;
use crate::semconv;
use crate::settings::Settings;

/// Checks the database in the folder `path`, whether or not it opens, and beside a process that writes it.
/// Quick, it looks at the manifest, the log and the ends of all files; `deep`, at every byte and row, and
/// at the text indexes. Nothing is written and no lock is taken, so the metadata store, which cannot be read
/// without, is left to [`Database::check`] and [`repair()`].
///
/// # Errors
/// `NotFound` when there is no such folder; `Io` when nothing damaged was found, and the system refused to
/// look at everything. Damage is no error: it is in the report.
pub fn check(path: impl AsRef<Path>, deep: bool) -> Result<CheckReport> {
    let env = existing(path.as_ref())?;
    let opened = Opened {
        hint_of_top: semconv::hint_of_top,
        ..Opened::default()
    };
    let mut report = check::check(&env, deep, &opened);
    if report.is_clean() {
        let options = OpenOptions::new().read_only(true).settings(quiet());
        match options.open(path) {
            Ok(db) => db.check_datasets(&mut report),
            Err(error) => report.add(finding("I6", "database", &error)),
        }
    }
    all_was_seen(report)
}

/// The report, unless all that there is to say is that something could not be looked at.
fn all_was_seen(report: CheckReport) -> Result<CheckReport> {
    match report.unchecked() {
        Some(unchecked) if !report.is_damaged() => {
            let Finding { at, message, .. } = unchecked;
            Err(Error::new(
                ErrorKind::Io,
                format!("the database could not be checked: {at}: {message}"),
            ))
        }
        _ => Ok(report),
    }
}

/// Says what a repair of the database in the folder `path` would do and, with `apply`, does it: damaged
/// files are copied to `quarantine/`, what cannot be read is left out and reported, indexes are rebuilt.
///
/// # Errors
/// `NotFound` when there is no such folder, `Conflict` when a process writes the database, `InvalidInput`
/// for a newer format, `Io` when it cannot be written; a repair that failed is run again.
pub fn repair(path: impl AsRef<Path>, apply: bool) -> Result<RepairReport> {
    let env = existing(path.as_ref())?;
    Ok(repair::repair(&env, quiet().store_options(true), apply)?)
}

/// Settings without background threads.
pub(crate) fn quiet() -> Settings {
    Settings {
        background: false,
        ..Settings::default()
    }
}

fn existing(path: &Path) -> Result<Arc<dyn Env>> {
    let env = RealEnv::new(path.to_path_buf());
    let is_database = ["FORMAT", "manifest"]
        .iter()
        .any(|name| env.exists(Path::new(name)));
    if !is_database {
        return Err(Error::not_found(format!(
            "no database at {}",
            path.display()
        )));
    }
    Ok(Arc::new(env))
}

/// Damage, unless the system refused to look.
fn finding(invariant: &'static str, at: &str, error: &Error) -> Finding {
    let severity = if error.is_refusal() {
        Severity::Unchecked
    } else {
        Severity::Damage
    };
    Finding::new(invariant, severity, at.to_string(), error.to_string())
}

impl Database {
    /// Checks the files of this database; see [`check()`].
    ///
    /// ```
    /// let db = tracehouse::Database::in_memory()?;
    /// assert!(db.check(true)?.is_clean());
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever reading the rows in memory gives; otherwise as [`check()`].
    pub fn check(&self, deep: bool) -> Result<CheckReport> {
        let mut report = self.store().check(deep)?;
        if report.is_clean() {
            self.check_datasets(&mut report);
        }
        all_was_seen(report)
    }

    /// I14: every version has its records, and where they come from.
    fn check_datasets(&self, report: &mut CheckReport) {
        let checked = self.snapshot().and_then(|snapshot| {
            for version in dataset::versions(&snapshot)? {
                let at = format!(
                    "dataset {} version {}",
                    version.info.name, version.info.version
                );
                let records = match self.catalog().read(self.store(), &version) {
                    Ok(records) => records,
                    Err(error) => {
                        report.add(finding("I14", &at, &error));
                        continue;
                    }
                };
                let mut gone = HashSet::new();
                for id in text(&records, "source_trace_id")?.iter().flatten() {
                    if snapshot.find_trace(TraceKey::of(id))?.is_none() {
                        gone.insert(id);
                    }
                }
                if !gone.is_empty() {
                    let message = format!(
                        "{} of the traces it was made from are no longer there",
                        gone.len()
                    );
                    report.add(Finding::new("I14", Severity::Note, at, message));
                }
            }
            Ok(())
        });
        if let Err(error) = checked {
            report.add(finding("I14", "datasets", &error));
        }
    }
}
