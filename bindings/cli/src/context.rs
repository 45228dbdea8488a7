//! What every command shares: the global flags, the terminal, and how databases are opened.
//!
//! Commands that only read never wait for a writer and never write back: beside another process
//! that writes, or where nothing can be written, they see the database as of now. Commands that
//! write wait a moment for the lock, since another command may hold it for a fraction of a second.

use std::path::Path;
use std::time::{Duration, Instant};

use tracehouse::{Database, ErrorKind, OpenOptions, Settings};

use crate::args::GlobalArgs;
use crate::failure::{Failure, Result};
use crate::output::Style;

/// How long a writing command waits for the database's lock.
const LOCK_WAIT: Duration = Duration::from_secs(3);
/// Pause between two looks at the lock, or between two tries to read beside a writer.
const RETRY_PAUSE: Duration = Duration::from_millis(25);
/// A reader beside a writer opens files that the writer may just have replaced.
const READ_TRIES: usize = 8;

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
}

impl Context {
    /// The context that the global flags ask for.
    pub fn of(global: &GlobalArgs) -> Self {
        Self {
            json: global.json,
            quiet: global.quiet,
            style: Style::of_stdout(),
            memory_bytes_max: global.memory_limit,
        }
    }

    /// Writes a line of human information, unless it is not wanted.
    pub fn say(&self, out: &mut dyn std::io::Write, line: impl std::fmt::Display) -> Result<()> {
        if !self.quiet && !self.json {
            writeln!(out, "{}", crate::output::escape::lines(&line.to_string()))?;
        }
        Ok(())
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
        let options = || OpenOptions::new().create(false).settings(self.settings(false));
        let refused = match options().open(path) {
            Ok(db) => return Ok(db),
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Io) => error,
            Err(error) => return Err(error.into()),
        };
        for _ in 0..READ_TRIES {
            match options().read_only(true).open(path) {
                Ok(db) => return Ok(db),
                Err(error) if refused.kind() == ErrorKind::Io => {
                    return Err(if error.kind() == ErrorKind::Io { refused.into() } else { error.into() });
                }
                Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => {
                    return Err(error.into());
                }
                Err(_) => std::thread::sleep(RETRY_PAUSE),
            }
        }
        options().read_only(true).open(path).map_err(Failure::from)
    }

    /// Opens an existing database for a small change.
    pub fn open_to_change(&self, path: &Path) -> Result<Database> {
        self.open_to_write(path, OpenOptions::new().create(false).settings(self.settings(false)))
    }

    /// Opens or creates a database for a small change.
    pub fn open_to_create(&self, path: &Path) -> Result<Database> {
        self.open_to_write(path, OpenOptions::new().settings(self.settings(false)))
    }

    /// Opens or creates a database for an import.
    pub fn open_to_import(&self, path: &Path) -> Result<Database> {
        self.open_to_write(path, OpenOptions::new().settings(self.settings(true)))
    }

    fn open_to_write(&self, path: &Path, options: OpenOptions) -> Result<Database> {
        let started = Instant::now();
        loop {
            match options.clone().open(path) {
                Err(error) if error.kind() == ErrorKind::Conflict && started.elapsed() < LOCK_WAIT => {
                    std::thread::sleep(RETRY_PAUSE);
                }
                opened => return Ok(opened?),
            }
        }
    }
}
