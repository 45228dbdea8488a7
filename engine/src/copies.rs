//! Getting everything out: a consistent copy of a database, and its tables as Parquet for other programs.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use tracehouse_query::search::{self, Search};
use tracehouse_storage::Snapshot;
use tracehouse_storage::backup::{self, BackupReport};
use tracehouse_storage::columns::text;
use tracehouse_storage::env::{Env, EnvWriter, RealEnv};
use tracehouse_storage::interrupt::{CancelToken, Interrupt};
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;
use tracehouse_storage::segment::export::ParquetExport;

use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};

/// Rows read at a time.
const BATCH_ROWS: usize = 4096;
/// Rows encoded between two looks whether an export is to go on.
const WRITE_ROWS: usize = 512;

/// Copies the database in the folder `path` to the new folder `copy`, beside whatever process writes it.
/// The copy has every batch acknowledged before, is whole or not there at all, and is opened like any other.
///
/// # Errors
/// `NotFound` when there is no database, `Conflict` when `copy` is not empty, `Corrupt` naming a damaged
/// file, `Io`.
pub fn backup(path: impl AsRef<Path>, copy: impl AsRef<Path>) -> Result<BackupReport> {
    backup_until(path, copy, CancelToken::new())
}

/// Copies until `cancel` is cancelled.
///
/// # Errors
/// As [`backup()`], and `Cancelled`.
pub fn backup_until(
    path: impl AsRef<Path>,
    copy: impl AsRef<Path>,
    cancel: CancelToken,
) -> Result<BackupReport> {
    let path = path.as_ref();
    let env: Arc<dyn Env> = Arc::new(RealEnv::new(path.to_path_buf()));
    if !env.exists(Path::new("FORMAT")) {
        return Err(Error::not_found(format!(
            "no database at {}",
            path.display()
        )));
    }
    copy_to(&env, copy.as_ref(), &Interrupt::default().or(cancel))
}

fn copy_to(env: &Arc<dyn Env>, copy: &Path, interrupt: &Interrupt) -> Result<BackupReport> {
    let target: Arc<dyn Env> = Arc::new(RealEnv::new(copy.to_path_buf()));
    let folder = NewFolder::before(copy);
    let mut report = None;
    let ended = interrupt.guarding(|| {
        report = Some(backup::backup(env, &target)?);
        Ok(())
    });
    let error = match (report, ended) {
        // Given up at its last moment it is whole all the same.
        (Some(report), _) => return Ok(report),
        (None, Err(error)) => Error::from(error),
        (None, Ok(())) => Error::internal("a copy that was neither made nor failed"),
    };
    // What another one filled meanwhile is not ours to remove.
    if error.kind() != ErrorKind::Conflict {
        folder.remove();
    }
    Err(Error::new(
        error.kind(),
        format!("{}: {error}", copy.display()),
    ))
}

/// A folder that was not there, and is not again when filling it fails.
struct NewFolder(Option<(RealEnv, PathBuf)>);

impl NewFolder {
    fn before(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_default();
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Self(None);
        };
        let parent = RealEnv::new(parent.to_path_buf());
        let name = PathBuf::from(name);
        Self((!parent.exists(&name)).then_some((parent, name)))
    }

    fn remove(&self) {
        if let Some((parent, name)) = &self.0 {
            // What failed says more than what could not be removed after it.
            let _ = parent.remove_dir_all(name);
        }
    }
}

impl Database {
    /// Copies this database to the new folder `copy`; see [`backup()`].
    ///
    /// # Errors
    /// `InvalidInput` for a database in memory, which has no files; otherwise as [`backup()`].
    pub fn backup(&self, copy: impl AsRef<Path>) -> Result<BackupReport> {
        let env = self.store().env();
        if env.is_in_memory() {
            return Err(Error::invalid_input(
                "a database in memory has no files to copy: export it instead",
            ));
        }
        copy_to(env, copy.as_ref(), &self.limits().start())
    }

    /// Writes `traces.parquet`, `spans.parquet` and `assessments.parquet` into `folder`, with the columns
    /// that SQL shows, of one moment; with a filter, of the traces that match it. Returns the rows of each
    /// table. After an error none of them is there.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong filter, `Conflict` when one of the files is there, `Corrupt` or `Io`.
    pub fn export_parquet(
        &self,
        folder: impl AsRef<Path>,
        filter: &str,
    ) -> Result<BTreeMap<String, u64>> {
        let env = RealEnv::for_others(folder.as_ref().to_path_buf());
        let at = |e| file_error(folder.as_ref(), e);
        let snapshot = self.reading()?;
        let wanted = match filter.trim() {
            "" => None,
            filter => {
                let search = Search::new(filter);
                let page = search::search(&snapshot, self.with_datasets(&search)?.as_ref())?;
                Some(page.trace_ids.into_iter().collect::<HashSet<String>>())
            }
        };
        let new_folder = NewFolder::before(folder.as_ref());
        env.create_dir_all(Path::new("")).map_err(at)?;
        let names = Table::ALL.map(file_name);
        if let Some(name) = names.iter().find(|name| env.exists(Path::new(name))) {
            let path = folder.as_ref().join(name);
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("{} exists already", path.display()),
            ));
        }
        let mut made = Vec::new();
        let written = export_tables(&snapshot, &env, wanted.as_ref(), &mut made, &at);
        if written.is_err() {
            // What failed says more than what could not be removed after it.
            made.iter()
                .for_each(|name| drop(env.remove_file(Path::new(name))));
            new_folder.remove();
        }
        written
    }
}

fn file_name(table: Table) -> String {
    format!("{}.parquet", table.name())
}

/// Writes a file for each table; `made` has the names of those that were created.
fn export_tables(
    snapshot: &Snapshot,
    env: &RealEnv,
    wanted: Option<&HashSet<String>>,
    made: &mut Vec<String>,
    at: &dyn Fn(std::io::Error) -> Error,
) -> Result<BTreeMap<String, u64>> {
    let mut rows = BTreeMap::new();
    for table in Table::ALL {
        let name = file_name(table);
        let file = env.create(Path::new(&name)).map_err(at)?;
        made.push(name);
        let (mut file, count) = export_table(snapshot, table, wanted, file)?;
        file.flush().and_then(|()| file.sync_data()).map_err(at)?;
        rows.insert(table.name().to_string(), count);
    }
    env.sync_dir(Path::new("")).map_err(at)?;
    Ok(rows)
}

fn export_table(
    snapshot: &Snapshot,
    table: Table,
    wanted: Option<&HashSet<String>>,
    file: Box<dyn EnvWriter>,
) -> Result<(Box<dyn EnvWriter>, u64)> {
    let schema = table.public_schema();
    let columns = schema.fields().iter().map(|field| field.name().as_str());
    let request = ScanRequest {
        batch_rows: BATCH_ROWS,
        ..ScanRequest::columns(columns)
    };
    let mut export = ParquetExport::create(file, schema.clone())?;
    let mut rows = 0;
    for source in 0..snapshot.source_count() {
        for batch in snapshot.scan(source, table, &request)? {
            let mut batch = batch?;
            if let Some(wanted) = wanted {
                let ids = text(&batch, "trace_id")?;
                let keep: BooleanArray = ids
                    .iter()
                    .map(|id| id.map(|id| wanted.contains(id)))
                    .collect();
                batch = filter_record_batch(&batch, &keep)?;
            }
            rows += batch.num_rows() as u64;
            // Encoding takes longer than reading.
            for start in (0..batch.num_rows()).step_by(WRITE_ROWS) {
                snapshot.interrupt().check()?;
                export.write(&batch.slice(start, WRITE_ROWS.min(batch.num_rows() - start)))?;
            }
        }
    }
    Ok((export.finish()?, rows))
}

fn file_error(path: &Path, error: std::io::Error) -> Error {
    Error::from(tracehouse_storage::Error::io(path.display(), error))
}
