//! The databases that this process has open for writing: a second open of one gets the same instance.
//!
//! The lock of a database is the process's, so a second instance could only be refused. A folder is known by device and
//! inode, whatever path leads to it; where the system has none, by its path without links.
//!
//! **Invariants**
//! 1. One folder has one writing instance in a process. Opens of one folder wait for each other; opens of different
//!    ones do not, but where a folder is made.
//! 2. What is closed, or of the process that this one is a fork of, is not shared.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tracehouse_storage::env::{Env, RealEnv};

use crate::database::{Database, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::open::OpenOptions;
use crate::redact::RedactionCallback;
use crate::settings::Settings;

/// Which folder.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    #[cfg(unix)]
    Inode(u64, u64),
    #[cfg(not(unix))]
    Path(std::path::PathBuf),
}

/// An open database, and how it was opened.
#[derive(Debug)]
struct Opened {
    inner: Weak<Inner>,
    settings: Settings,
    redact_with: Option<RedactionCallback>,
}

/// What is open at a place.
type Slot = Arc<Mutex<Option<Opened>>>;

static OPEN: Mutex<Vec<(Place, Slot)>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the database in the folder `path` for writing, or gives what this process has open there.
///
/// # Errors
/// `Conflict` when it is open here with other options; otherwise as [`Database::open`].
pub(crate) fn open(path: &Path, options: OpenOptions) -> Result<Database> {
    let mut all = lock(&OPEN);
    all.retain(|(_, slot)| {
        Arc::strong_count(slot) > 1 || lock(slot).as_ref().is_some_and(Opened::is_alive)
    });
    let Some(place) = place_of(path) else {
        // There is no folder yet: nobody else can open it before it is known by its inode.
        let (database, opened) = open_new(path, options)?;
        if let Some(place) = place_of(path) {
            all.push((place, Arc::new(Mutex::new(Some(opened)))));
        }
        return Ok(database);
    };
    let slot = match all.iter().find(|(known, _)| *known == place) {
        Some((_, slot)) => slot.clone(),
        None => {
            let slot = Slot::default();
            all.push((place, slot.clone()));
            slot
        }
    };
    drop(all);
    let mut slot = lock(&slot);
    let open = slot
        .as_ref()
        .and_then(|opened| Some((opened.inner.upgrade()?, opened)));
    if let Some((inner, opened)) = open
        && let Some(database) = Database::sharing(inner)
    {
        return match opened.is_like(&options) {
            true => database.map_err(|error| error.at(path)),
            false => Err(other_options().at(path)),
        };
    }
    let (database, opened) = open_new(path, options)?;
    *slot = Some(opened);
    Ok(database)
}

impl Database {
    /// Whether no other handle is on this database: no clone, no second open in this process, no dataset, no stream of
    /// rows. Who closes the last one seals (see [`Database::close`]) without closing it for others.
    pub fn is_last_handle(&self) -> bool {
        self.downgrade().strong_count() == 1
    }
}

impl Database {
    /// Closes the database in the folder `path` if this is the last handle on it, and tells whether it was. Opens of the
    /// folder wait meanwhile, so that none is given what is being closed.
    ///
    /// # Errors
    /// As [`Database::close`].
    pub fn close_if_last(&self, path: impl AsRef<Path>) -> Result<bool> {
        let slot = place_of(path.as_ref()).and_then(|place| {
            let all = lock(&OPEN);
            let mut slots = all.iter();
            slots
                .find(|(known, _)| *known == place)
                .map(|(_, slot)| slot.clone())
        });
        let _opens_wait = slot.as_deref().map(lock);
        match self.is_last_handle() {
            true => self.close().map(|()| true),
            false => Ok(false),
        }
    }
}

fn open_new(path: &Path, options: OpenOptions) -> Result<(Database, Opened)> {
    let env: Arc<dyn Env> = Arc::new(RealEnv::new(path.to_path_buf()));
    let (settings, redact_with) = (options.settings.clone(), options.redact_with.clone());
    let database = Database::start(env, options, true).map_err(|error| error.at(path))?;
    let inner = database.downgrade();
    Ok((
        database,
        Opened {
            inner,
            settings,
            redact_with,
        },
    ))
}

impl Opened {
    fn is_alive(&self) -> bool {
        self.inner.strong_count() > 0
    }

    fn is_like(&self, options: &OpenOptions) -> bool {
        self.settings == options.settings && self.redact_with == options.redact_with
    }
}

fn other_options() -> Error {
    let message = format!(
        "this process (pid {}) has the database open with other settings: open it with the same ones, use a clone of \
         that handle, or drop all of them before",
        std::process::id()
    );
    Error::new(ErrorKind::Conflict, message)
}

fn place_of(path: &Path) -> Option<Place> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let found = path.metadata().ok()?;
        Some(Place::Inode(found.dev(), found.ino()))
    }
    #[cfg(not(unix))]
    path.canonicalize().ok().map(Place::Path)
}

#[cfg(test)]
mod tests {
    use crate::{Database, ErrorKind, OpenOptions, Search, Settings, TraceStart};

    #[test]
    fn a_second_open_shares_the_instance() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.traces");
        let count = |db: &Database| db.count_traces(&Search::new("")).unwrap();
        let first = Database::open(&path).unwrap();
        let other_path = folder.path().join(".").join("app.traces");
        let second = Database::open(other_path).unwrap();
        first.start_trace(&TraceStart::new("a", 1)).unwrap();
        second.start_trace(&TraceStart::new("b", 1)).unwrap();
        assert_eq!((count(&first), count(&second)), (2, 2));
        let settings = Settings {
            background: false,
            ..Settings::default()
        };
        let refused = OpenOptions::new()
            .settings(settings.clone())
            .open(&path)
            .unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        let text = refused.to_string();
        assert!(
            text.contains("this process") && !text.contains("another process"),
            "{text}"
        );
        drop(first);
        assert_eq!(count(&second), 2);
        drop(second);
        let again = OpenOptions::new()
            .settings(settings.clone())
            .open(&path)
            .unwrap();
        assert_eq!(count(&again), 2);
        again.close().unwrap();
        let closed = OpenOptions::new()
            .settings(settings.clone())
            .open(&path)
            .unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::Conflict);
        assert!(
            closed.to_string().contains("closed") && closed.to_string().contains("this process"),
            "{closed}"
        );
        drop(again);
        assert_eq!(
            count(&OpenOptions::new().settings(settings).open(&path).unwrap()),
            2
        );
    }

    #[cfg(feature = "sql")]
    #[test]
    fn the_last_handle_knows_that_it_is() {
        let db = Database::in_memory().unwrap();
        let other = db.clone();
        assert!(!db.is_last_handle());
        drop(other);
        let rows = db.sql_batches("SELECT 1").unwrap();
        assert!(!db.is_last_handle());
        drop(rows);
        assert!(db.is_last_handle());
    }

    #[test]
    fn opens_at_the_same_time_share_one_instance() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.traces");
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let path = path.clone();
                std::thread::spawn(move || {
                    let db = Database::open(path).unwrap();
                    db.start_trace(&TraceStart::new(format!("t{n}"), 1))
                        .unwrap();
                    db
                })
            })
            .collect();
        let all: Vec<Database> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(all[0].count_traces(&Search::new("")).unwrap(), 8);
    }
}
