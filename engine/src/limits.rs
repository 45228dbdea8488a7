//! Limits of the questions asked through a handle: how long each may take, and who may give them up.

use std::time::Duration;

#[cfg(feature = "sql")]
use tracehouse_query::sql::SessionViews;
use tracehouse_storage::Snapshot;
use tracehouse_storage::interrupt::{CancelToken, Interrupt};

use crate::database::Database;
use crate::error::Result;

/// What a handle says of each question. The default is no limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    timeout: Option<Duration>,
    tokens: Vec<CancelToken>,
    /// Temporary views of SQL, which this handle and its clones share.
    #[cfg(feature = "sql")]
    pub(crate) views: Option<SessionViews>,
}

impl Limits {
    /// # Errors
    /// `Cancelled`, once a token is.
    pub(crate) fn check_cancelled(&self) -> Result<()> {
        Ok(self.tokens().check()?)
    }

    /// The tokens, without a limit of time.
    pub(crate) fn tokens(&self) -> Interrupt {
        self.tokens
            .iter()
            .cloned()
            .fold(Interrupt::default(), Interrupt::or)
    }

    /// The interrupt of a question that begins now.
    pub(crate) fn start(&self) -> Interrupt {
        match self.timeout {
            Some(timeout) => self.tokens().within(timeout),
            None => self.tokens(),
        }
    }
}

impl Database {
    /// A handle on the same database through which each question (a search, a statement, a text search, a trace,
    /// sessions, metrics, datasets, an export) fails as `Timeout` when it takes longer. Writes are not limited,
    /// but what they have to find first is.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use std::time::Duration;
    /// use tracehouse::{ErrorKind, Search};
    /// let hurried = db.with_timeout(Duration::ZERO);
    /// assert_eq!(hurried.search_traces(&Search::new("")).unwrap_err().kind(), ErrorKind::Timeout);
    /// assert!(db.search_traces(&Search::new("").timeout(Duration::from_secs(1))).is_ok());
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        let mut handle = self.clone();
        let limits = handle.limits_mut();
        limits.timeout = Some(
            limits
                .timeout
                .map_or(timeout, |shorter| shorter.min(timeout)),
        );
        handle
    }

    /// A handle on the same database whose questions and imports fail as `Cancelled` once the token is cancelled,
    /// from whichever thread. What an import had acknowledged stays.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::{CancelToken, ErrorKind};
    /// let token = CancelToken::new();
    /// let db = db.with_cancel(token.clone());
    /// assert!(db.sql("SELECT 1").is_ok());
    /// std::thread::spawn(move || token.cancel()).join().unwrap();
    /// assert_eq!(db.sql("SELECT 1").unwrap_err().kind(), ErrorKind::Cancelled);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    pub fn with_cancel(&self, token: CancelToken) -> Self {
        let mut handle = self.clone();
        handle.limits_mut().tokens.push(token);
        handle
    }

    /// What a question sees, until the limits of this handle.
    pub(crate) fn reading(&self) -> Result<Snapshot> {
        let interrupt = self.limits().start();
        interrupt.check()?;
        Ok(self.snapshot()?.until(interrupt))
    }
}
