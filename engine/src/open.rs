//! Opening a database: what may be said of it before it is open.

use std::path::Path;
use std::sync::Arc;

use tracehouse_storage::env::{Env, MemEnv, RealEnv};

use crate::database::Database;
use crate::error::{Error, Result};
use crate::redact::RedactionCallback;
use crate::settings::Settings;
use crate::shared;

/// How to open a database.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    pub(crate) settings: Settings,
    pub(crate) redact_with: Option<RedactionCallback>,
    pub(crate) read_only: bool,
    no_create: bool,
}

impl OpenOptions {
    /// Read and write, creating the database when there is none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Open without the writer's lock, beside a process that writes: the database follows it, see
    /// [`Database::refresh`].
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Whether a missing database is created; on unless told otherwise.
    pub fn create(mut self, create: bool) -> Self {
        self.no_create = !create;
        self
    }

    /// Other settings than the default ones.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Shows every text to a function before it is stored. It gives what is to be stored instead, or
    /// `None` to keep the text; where it fails or panics, the text is replaced and counted, never stored.
    /// It is called from several threads at a time. That no process writes without it can be made a setting
    /// of the database: [`Redaction::callback`](crate::Redaction::callback).
    pub fn redact_with(mut self, callback: RedactionCallback) -> Self {
        self.redact_with = Some(callback);
        self
    }

    /// Opens the database in the folder `path`. What this process has open there for writing is shared: the second
    /// handle is like a clone of the first, and needs the same settings and redaction.
    ///
    /// # Errors
    /// `NotFound` when there is none and none may be created, `Conflict` when it is open in this process with other
    /// options; otherwise as [`Database::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Database> {
        let path = path.as_ref();
        if path == Path::new(":memory:") {
            return Database::start(Arc::new(MemEnv::default()), self, false);
        }
        let env: Arc<dyn Env> = Arc::new(RealEnv::new(path.to_path_buf()));
        if (self.no_create || self.read_only) && !env.exists(Path::new("FORMAT")) {
            return Err(Error::not_found(format!(
                "no database at {}",
                path.display()
            )));
        }
        if self.read_only {
            return Database::start(env, self, true).map_err(|error| error.at(path));
        }
        shared::open(path, self)
    }
}
