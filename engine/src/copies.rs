//! Getting everything out: a consistent copy of a database, and its tables as Parquet for other programs.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use tracehouse_query::search::{self, Search};
use tracehouse_storage::Snapshot;
use tracehouse_storage::backup::{self, BackupReport};
use tracehouse_storage::columns::text;
use tracehouse_storage::env::{Env, EnvWriter, RealEnv};
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;
use tracehouse_storage::segment::export::ParquetExport;

use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};

/// Rows read at a time.
const BATCH_ROWS: usize = 4096;

/// Copies the database in the folder `path` to the new folder `copy`, beside whatever process writes it.
/// The copy has every batch acknowledged before, is whole or no database at all, and is opened like any
/// other.
///
/// # Errors
/// `NotFound` when there is no database, `Conflict` when `copy` is not empty, `Corrupt` naming a damaged
/// file, `Io`.
pub fn backup(path: impl AsRef<Path>, copy: impl AsRef<Path>) -> Result<BackupReport> {
    let path = path.as_ref();
    let env: Arc<dyn Env> = Arc::new(RealEnv::new(path.to_path_buf()));
    if !env.exists(Path::new("FORMAT")) {
        return Err(Error::not_found(format!("no database at {}", path.display())));
    }
    copy_to(&env, copy.as_ref())
}

fn copy_to(env: &Arc<dyn Env>, copy: &Path) -> Result<BackupReport> {
    let target: Arc<dyn Env> = Arc::new(RealEnv::new(copy.to_path_buf()));
    backup::backup(env, &target).map_err(|error| {
        let error = Error::from(error);
        Error::new(error.kind(), format!("{}: {error}", copy.display()))
    })
}

impl Database {
    /// Copies this database to the new folder `copy`; see [`backup()`].
    ///
    /// # Errors
    /// `InvalidInput` for a database in memory, which has no files; otherwise as [`backup()`].
    pub fn backup(&self, copy: impl AsRef<Path>) -> Result<BackupReport> {
        let env = self.store().env();
        if env.is_in_memory() {
            return Err(Error::invalid_input("a database in memory has no files to copy: export it instead"));
        }
        copy_to(env, copy.as_ref())
    }

    /// Writes `traces.parquet`, `spans.parquet` and `assessments.parquet` into `folder`, with the columns
    /// that SQL shows, of one moment; with a filter, of the traces that match it. Returns the rows of each
    /// table.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong filter, `Conflict` when one of the files is there, `Corrupt` or `Io`.
    pub fn export_parquet(&self, folder: impl AsRef<Path>, filter: &str) -> Result<BTreeMap<String, u64>> {
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
        env.create_dir_all(Path::new("")).map_err(at)?;
        let names = Table::ALL.map(|table| format!("{}.parquet", table.name()));
        if let Some(name) = names.iter().find(|name| env.exists(Path::new(name))) {
            let path = folder.as_ref().join(name);
            return Err(Error::new(ErrorKind::Conflict, format!("{} exists already", path.display())));
        }
        let mut rows = BTreeMap::new();
        for (table, name) in Table::ALL.into_iter().zip(names) {
            let file = env.create(Path::new(&name)).map_err(at)?;
            let (mut file, count) = export_table(&snapshot, table, wanted.as_ref(), file)?;
            file.flush().and_then(|()| file.sync_data()).map_err(at)?;
            rows.insert(table.name().to_string(), count);
        }
        env.sync_dir(Path::new("")).map_err(at)?;
        Ok(rows)
    }
}

fn export_table(
    snapshot: &Snapshot,
    table: Table,
    wanted: Option<&HashSet<String>>,
    file: Box<dyn EnvWriter>,
) -> Result<(Box<dyn EnvWriter>, u64)> {
    let schema = table.public_schema();
    let columns = schema.fields().iter().map(|field| field.name().as_str());
    let request = ScanRequest { batch_rows: BATCH_ROWS, ..ScanRequest::columns(columns) };
    let mut export = ParquetExport::create(file, schema.clone())?;
    let mut rows = 0;
    for source in 0..snapshot.source_count() {
        for batch in snapshot.scan(source, table, &request)? {
            let mut batch = batch?;
            if let Some(wanted) = wanted {
                let ids = text(&batch, "trace_id")?;
                let keep: BooleanArray = ids.iter().map(|id| id.map(|id| wanted.contains(id))).collect();
                batch = filter_record_batch(&batch, &keep)?;
            }
            rows += batch.num_rows() as u64;
            export.write(&batch)?;
        }
    }
    Ok((export.finish()?, rows))
}

fn file_error(path: &Path, error: std::io::Error) -> Error {
    Error::from(tracehouse_storage::Error::io(path.display(), error))
}
