//! What whoever runs the server sees of it: health, metrics, the log, the audit log, and the work between requests.
//!
//! ```text
//! request -> watch (an id, the door, whose it is) -> the routes -> watch (headers, audit, and at the end log and figures)
//! ```
//!
//! **Invariants**
//! 1. OP-1: neither tokens nor payload are in the log, the audit log or the metrics: paths go in without their query.
//! 2. OP-2: whatever was changed or refused has its entry in the audit log before its answer goes out.

mod figures;
mod health;
mod log;
mod metrics;
pub(crate) mod noted;
mod process;
mod upkeep;
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::get;

pub(crate) use figures::Figures;
pub(crate) use log::Log;
pub(crate) use process::open_files_max;
pub(crate) use upkeep::run as upkeep;
pub(crate) use watch::watch;

use crate::error::ServeError;
use crate::options::ServeOptions;
use crate::state::Shared;
use metrics::LastStats;

/// What is seen of a server.
#[derive(Debug)]
pub(crate) struct Operate {
    pub(crate) figures: Figures,
    pub(crate) log: Log,
    /// Connections that may be open: fewer than asked for where the system allows no more.
    pub(crate) connections_max: usize,
    stopping: AtomicBool,
    stats: LastStats,
}

impl Operate {
    /// # Errors
    /// When the audit log cannot be opened.
    pub(crate) fn start(
        options: &ServeOptions,
        connections_max: usize,
    ) -> Result<Self, ServeError> {
        Ok(Self {
            figures: Figures::default(),
            log: Log::start(options.log_level, options.audit_log.as_deref())?,
            connections_max,
            stopping: AtomicBool::new(false),
            stats: LastStats::default(),
        })
    }

    /// From now on the server is not ready.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// The routes of who runs the server.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
}
