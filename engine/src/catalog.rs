//! Datasets as SQL tables.
use tracehouse_query::sql::SqlTables;
use tracehouse_storage::Snapshot;
use tracehouse_storage::env::Env;

use crate::error::Result;

pub(crate) fn sql_tables(_env: &dyn Env, _snapshot: &Snapshot) -> Result<SqlTables> {
    Ok(SqlTables::default())
}

pub(crate) fn dataset_count(_snapshot: &Snapshot) -> Result<u64> {
    Ok(0)
}
