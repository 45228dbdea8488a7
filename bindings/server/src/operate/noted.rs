//! What became known of a request while it was carried out: whose it is, and whether it wanted to change something.
//!
//! It goes with the task of the request, so that nobody has to hand it on: `watch` opens it around the handler, `access`
//! fills it in, and `watch` reads it for the log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::access::{Caller, Role};

tokio::task_local! {
    static NOTED: Arc<Noted>;
}

/// What is known of a request.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    caller: OnceLock<String>,
    changes: AtomicBool,
    too_many: AtomicBool,
}

impl Noted {
    /// The name of the token.
    pub(super) fn caller(&self) -> Option<&str> {
        self.caller.get().map(String::as_str)
    }

    /// Whether it asked for a role that changes what is stored, or had to.
    pub(super) fn changes(&self) -> bool {
        self.changes.load(Ordering::Relaxed)
    }

    /// Whether it was one more than its token may make.
    pub(super) fn is_too_many(&self) -> bool {
        self.too_many.load(Ordering::Relaxed)
    }
}

/// Carries out a request, noting in `noted`.
pub(super) async fn noting<T>(noted: Arc<Noted>, request: impl Future<Output = T>) -> T {
    NOTED.scope(noted, request).await
}

/// The request is of `caller`, who needs `role` for it. Outside of a request nothing is noted.
pub(crate) fn caller(caller: &Caller, needed: Role) {
    let _ = NOTED.try_with(|noted| noted.caller.set(caller.name.clone()).is_ok());
    role(needed);
}

/// The request needs `role`.
pub(crate) fn role(role: Role) {
    if matches!(role, Role::Write | Role::Admin) {
        let _ = NOTED.try_with(|noted| noted.changes.store(true, Ordering::Relaxed));
    }
}

/// The request is one more than its token may make.
pub(crate) fn too_many() {
    let _ = NOTED.try_with(|noted| noted.too_many.store(true, Ordering::Relaxed));
}
