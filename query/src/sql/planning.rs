//! What the statements of one database share besides its threads: memory pool and spill space, a session without
//! tables, and the plans of statements.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use datafusion::common::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreUrl};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tracehouse_storage::env::is_before_1970;

use super::kept_texts::KeptTexts;
use super::plans::Plans;
use super::session::session_template;
use crate::error::{ErrorKind, QueryError, Result};
use crate::pool::QueryPool;
use crate::runtime::{QueryRuntime, STACK_BYTES, SqlSettings};
use crate::spill::SpillFiles;

/// See the head of this file.
pub(crate) struct Planning {
    template: Arc<SessionState>,
    plans: Plans,
    kept_texts: Arc<KeptTexts>,
    /// Whether a statement was given up since it was last looked whether the threads are free.
    given_up: AtomicBool,
}

/// How long a statement waits for threads that one which was given up may hold, before it gets others.
const NOTICE_WAIT: Duration = Duration::from_millis(100);

impl Planning {
    /// For statements within `settings`.
    pub fn new(settings: &SqlSettings) -> Result<Self> {
        let template = session_template(settings, runtime_env(settings)?)?;
        Ok(Self {
            template: Arc::new(template),
            plans: Plans::default(),
            kept_texts: Arc::default(),
            given_up: AtomicBool::new(false),
        })
    }
}

impl Drop for Planning {
    fn drop(&mut self) {
        drop_deep(std::mem::take(&mut self.plans));
    }
}

impl QueryRuntime {
    /// Where to spawn query tasks. DataFusion asks for the time of each query by a call that panics before
    /// 1970, so there are none then; not needed any more when that call is an error.
    pub(crate) fn handle(&self) -> Result<Handle> {
        if is_before_1970() {
            let message = "SQL needs the time, and the clock of the machine says one before 1970";
            return Err(QueryError::new(ErrorKind::Io, message));
        }
        if self.planning.given_up.swap(false, Ordering::Relaxed) && !self.is_free()? {
            self.replace_threads()?;
        }
        self.threads()
    }

    /// Ends a statement that nobody waits for any more.
    pub(crate) fn give_up(&self, statement: &AbortHandle) {
        if !statement.is_finished() {
            statement.abort();
            self.planning.given_up.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a thread takes work within a moment.
    fn is_free(&self) -> Result<bool> {
        let (sender, receiver) = mpsc::channel();
        // Nobody waits for it when the moment has passed.
        self.threads()?.spawn(async move {
            let _ = sender.send(());
        });
        Ok(receiver.recv_timeout(NOTICE_WAIT).is_ok())
    }

    /// Plans of statements.
    pub(crate) fn plans(&self) -> &Plans {
        &self.planning.plans
    }

    /// Texts that statements read lately.
    pub(crate) fn kept_texts(&self) -> &Arc<KeptTexts> {
        &self.planning.kept_texts
    }

    /// A session without tables: functions, rules, limits. A clone for a query copies the names of all functions.
    pub(crate) fn template(&self) -> &Arc<SessionState> {
        &self.planning.template
    }
}

/// Drops plans on a deep stack; should there be no thread for it, they stay in memory.
fn drop_deep(plans: Plans) {
    let plans = Arc::new(Mutex::new(ManuallyDrop::new(plans)));
    let theirs = plans.clone();
    let work = move || {
        let mut plans = theirs.lock().unwrap_or_else(PoisonError::into_inner);
        drop(std::mem::take::<Plans>(&mut plans));
    };
    if let Ok(thread) = std::thread::Builder::new()
        .name("tracehouse-plans".to_string())
        .stack_size(STACK_BYTES)
        .spawn(work)
    {
        // It only drops; a panic there is nobody's answer.
        let _ = thread.join();
    }
}

/// Memory pool, spill files, and no object store at all: no plan can open a file or an address.
fn runtime_env(settings: &SqlSettings) -> Result<Arc<RuntimeEnv>> {
    let mode = match &settings.spill {
        Some(space) => DiskManagerMode::Custom(Arc::new(SpillFiles::new(
            space.clone(),
            settings.spill_bytes_max,
        ))),
        None => DiskManagerMode::Disabled,
    };
    let disk = DiskManagerBuilder::default().with_mode(mode);
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
        assert!(
            env.object_store(ObjectStoreUrl::local_filesystem())
                .is_err()
        );
    }
}
