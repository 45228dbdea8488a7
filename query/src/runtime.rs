//! The threads, memory and spill space that queries of one database share.
//!
//! One [`QueryRuntime`] belongs to one open database and ends with it. Planning and execution both
//! run on its threads, which have deep stacks: planner and expressions recurse once per operator of
//! a chain (the guard bounds how often).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreUrl};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{QueryError, QueryErrorKind, Result};
use crate::pool::QueryPool;
use crate::sql::{Plans, session_template};

/// Stack of each thread, in bytes. Address space, not memory: pages are taken as they are touched.
const STACK_BYTES: usize = 32 * 1024 * 1024;
/// Threads for blocking calls; queries make few.
const BLOCKING_THREADS_MAX: usize = 16;
/// Seconds a query may take unless told otherwise.
const TIMEOUT_SECONDS: u64 = 30;
/// Memory of all running queries unless told otherwise, in bytes.
const MEMORY_BYTES: usize = 1024 * 1024 * 1024;
/// Spill space unless told otherwise, in bytes.
const SPILL_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Size of a collected result unless told otherwise, in bytes.
const RESULT_BYTES: usize = 2 * 1024 * 1024 * 1024;

/// Limits of queries.
#[derive(Debug, Clone)]
pub struct SqlSettings {
    /// Most memory that the queries running at one time may use for sorting, grouping and joining.
    pub memory_bytes_max: usize,
    /// Longest time a query may take; `None` means no limit.
    pub timeout: Option<Duration>,
    /// Threads, and partitions of a scan.
    pub target_partitions: usize,
    /// Folder for spill files, which must exist; without one a query that outgrows memory fails.
    pub spill_dir: Option<PathBuf>,
    /// Most bytes of spill files at one time.
    pub spill_bytes_max: u64,
    /// Largest result that is collected in memory; streams have no such limit.
    pub result_bytes_max: usize,
}

impl Default for SqlSettings {
    fn default() -> Self {
        Self {
            memory_bytes_max: MEMORY_BYTES,
            timeout: Some(Duration::from_secs(TIMEOUT_SECONDS)),
            target_partitions: std::thread::available_parallelism().map_or(1, usize::from),
            spill_dir: None,
            spill_bytes_max: SPILL_BYTES,
            result_bytes_max: RESULT_BYTES,
        }
    }
}

/// Threads, memory pool and spill space for queries; see the head of this file.
pub struct QueryRuntime {
    /// `None` only while it is being dropped.
    threads: Option<Runtime>,
    template: SessionState,
    plans: Plans,
    settings: SqlSettings,
}

impl fmt::Debug for QueryRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryRuntime").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl QueryRuntime {
    /// Starts the threads.
    ///
    /// # Errors
    /// `Io` when threads or the spill folder cannot be had.
    pub fn new(settings: SqlSettings) -> Result<Self> {
        let threads = Builder::new_multi_thread()
            .worker_threads(settings.target_partitions.max(1))
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_stack_size(STACK_BYTES)
            .thread_name("tracehouse-query")
            .enable_time()
            .build()
            .map_err(|error| {
                QueryError::new(
                    QueryErrorKind::Io,
                    format!("query threads cannot be started: {}", error.kind()),
                )
            })?;
        let template = session_template(&settings, runtime_env(&settings)?)?;
        Ok(Self { threads: Some(threads), template, plans: Plans::default(), settings })
    }

    /// The limits it was made with.
    pub fn settings(&self) -> &SqlSettings {
        &self.settings
    }

    /// Where to spawn query tasks.
    pub(crate) fn handle(&self) -> Result<Handle> {
        match &self.threads {
            Some(threads) => Ok(threads.handle().clone()),
            None => Err(QueryError::internal("the query threads have ended")),
        }
    }

    /// Plans of statements.
    pub(crate) fn plans(&self) -> &Plans {
        &self.plans
    }

    /// A session without tables: functions, rules, limits. Cheap to clone for one query.
    pub(crate) fn template(&self) -> &SessionState {
        &self.template
    }
}

impl Drop for QueryRuntime {
    fn drop(&mut self) {
        // Waiting for tasks would panic when the last owner is itself a task.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// Memory pool, spill files, and no object store at all: no plan can open a file or an address.
fn runtime_env(settings: &SqlSettings) -> Result<Arc<RuntimeEnv>> {
    let mode = match &settings.spill_dir {
        Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
        None => DiskManagerMode::Disabled,
    };
    let disk =
        DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(settings.spill_bytes_max);
    let env = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(QueryPool::new(settings.memory_bytes_max)))
        .with_disk_manager_builder(disk)
        .with_object_store_registry(Arc::new(DefaultObjectStoreRegistry::new()))
        .build()?;
    remove_local_files(&env)?;
    Ok(Arc::new(env))
}

/// The default registry knows the local file system; ours knows nothing.
fn remove_local_files(env: &RuntimeEnv) -> std::result::Result<(), DataFusionError> {
    let local = ObjectStoreUrl::local_filesystem();
    env.deregister_object_store(local.as_ref())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_object_store_is_registered() {
        let runtime = QueryRuntime::new(SqlSettings::default()).unwrap();
        let env = runtime.template().runtime_env();
        assert!(env.object_store(ObjectStoreUrl::local_filesystem()).is_err());
    }
}
