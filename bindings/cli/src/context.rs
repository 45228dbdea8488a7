//! What every command shares: the global flags, the terminal, and how databases are opened.
//!
//! Commands that only read take no lock and write nothing: no writer waits for them, and work they find for
//! one they leave to it. Commands that write wait a moment for the lock, since another command may hold it
//! for a fraction of a second.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracehouse::{CancelToken, Database, ErrorKind, OpenOptions, Overload, Settings};

use crate::args::GlobalArgs;
use crate::failure::{Result, report};
use crate::output::Style;

/// How long a writing command waits for the database's lock.
const LOCK_WAIT: Duration = Duration::from_secs(3);
/// How long a write of a server waits for a disk that cannot keep up, before its sender is told to try again.
const SERVE_WAIT_MS: u64 = 2_000;
/// Pause between two looks at the lock.
const RETRY_PAUSE: Duration = Duration::from_millis(25);

/// The global flags and the terminal.
#[derive(Debug, Clone)]
pub struct Context {
    /// Machine output.
    pub json: bool,
    /// Results and errors only.
    pub quiet: bool,
    /// How standard output is written to.
    pub style: Style,
    memory_bytes_max: Option<usize>,
    /// Longest time that a question may take.
    pub timeout: Option<Duration>,
    /// What Ctrl-C cancels.
    pub cancel: CancelToken,
    /// Databases that are read, which end with the process: the end of one waits for questions that were given up.
    readers: Arc<Mutex<Vec<Database>>>,
}

impl Context {
    /// The context that the global flags ask for.
    pub fn of(global: &GlobalArgs) -> Self {
        Self {
            json: global.json,
            quiet: global.quiet,
            style: Style::of_stdout(),
            memory_bytes_max: global.memory_limit,
            timeout: global.timeout,
            cancel: CancelToken::new(),
            readers: Arc::default(),
        }
    }

    /// The context with results written in `style`.
    pub fn with_style(&self, style: Style) -> Self {
        Self {
            style,
            ..self.clone()
        }
    }

    /// The context with questions that `cancel` ends.
    pub fn with_cancel(&self, cancel: CancelToken) -> Self {
        Self {
            cancel,
            ..self.clone()
        }
    }

    /// Writes a line of human information, unless it is not wanted.
    pub fn say(&self, out: &mut dyn std::io::Write, line: impl std::fmt::Display) -> Result<()> {
        if !self.quiet && !self.json {
            writeln!(out, "{}", crate::output::escape::lines(&line.to_string()))?;
        }
        Ok(())
    }

    /// Writes notices to standard error, unless results and errors alone are wanted.
    pub fn notice(&self, notices: &[String]) {
        if !self.quiet {
            notices
                .iter()
                .for_each(|notice| report(format_args!("notice: {notice}")));
        }
    }

    fn settings(&self, background: bool) -> Settings {
        let mut settings = Settings::default();
        settings.background = background;
        if let Some(bytes) = self.memory_bytes_max {
            settings = settings.memory(bytes);
        }
        settings
    }

    /// Opens an existing database for a command that only reads.
    pub fn open_to_read(&self, path: &Path) -> Result<Database> {
        let options = OpenOptions::new()
            .create(false)
            .read_only(true)
            .settings(self.settings(false));
        let db = options.open(path)?;
        self.readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(db.clone());
        Ok(self.limited(db))
    }

    /// The database with the limits that questions have.
    fn limited(&self, db: Database) -> Database {
        let db = db.with_cancel(self.cancel.clone());
        match self.timeout {
            Some(timeout) => db.with_timeout(timeout),
            None => db,
        }
    }

    /// Opens an existing database for a small change.
    pub fn open_to_change(&self, path: &Path) -> Result<Database> {
        self.open_to_write(
            path,
            OpenOptions::new()
                .create(false)
                .settings(self.settings(false)),
        )
    }

    /// Opens or creates a database for a small change.
    pub fn open_to_create(&self, path: &Path) -> Result<Database> {
        self.open_to_write(path, OpenOptions::new().settings(self.settings(false)))
    }

    /// Opens or creates a database for an import. Ctrl-C ends its input, not what was read of that.
    pub fn open_to_import(&self, path: &Path) -> Result<Database> {
        self.open_unlimited(path, OpenOptions::new().settings(self.settings(true)))
    }

    /// Opens a database to be served: created when there is none, unless it is only read. Writes that the disk cannot
    /// keep up with are refused after a moment, so that senders are told to try again.
    pub fn open_to_serve(&self, path: &Path, read_only: bool) -> Result<Database> {
        let mut settings = self.settings(!read_only);
        settings.overload = Overload::Refuse {
            after_ms: SERVE_WAIT_MS,
        };
        let options = OpenOptions::new().read_only(read_only).settings(settings);
        self.open_unlimited(path, options)
    }

    fn open_to_write(&self, path: &Path, options: OpenOptions) -> Result<Database> {
        Ok(self.limited(self.open_unlimited(path, options)?))
    }

    fn open_unlimited(&self, path: &Path, options: OpenOptions) -> Result<Database> {
        let started = Instant::now();
        loop {
            match options.clone().open(path) {
                Err(error)
                    if error.kind() == ErrorKind::Conflict && started.elapsed() < LOCK_WAIT =>
                {
                    std::thread::sleep(RETRY_PAUSE);
                }
                opened => return Ok(opened?),
            }
        }
    }
}
