//! Who may do what: tokens, their roles, experiments and rates.
//!
//! A request is told apart by its bearer token alone, in the header `Authorization`; one in the URL is never looked at,
//! since URLs are logged on their way. Without a token file everybody is the *owner* of the server, which then listens on
//! loopback only and answers only as such (`door.rs`).
//!
//! **Invariants**
//! 1. AC-1: a port that other machines reach has tokens, and TLS unless it was told to do without.
//! 2. AC-2: how long it takes to find a token, or none, does not depend on which line has it (`token.rs`).
//! 3. AC-3: a token file that is wrong is not used, neither in part: the one before stays.

mod caller;
mod door;
mod file;
mod rate;
mod token;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use http::{HeaderMap, header};

pub(crate) use caller::{Caller, Role};
pub(crate) use door::check as check_door;
pub(crate) use rate::Failures;
pub use token::make_token;

use crate::error::{ApiError, ServeError};
use crate::operate::noted;
use crate::options::ServeOptions;
use token::Entry;

/// Longest token: what is longer is none, and is not summed.
const TOKEN_BYTES_MAX: usize = 4096;

/// The tokens of a server.
#[derive(Debug)]
pub(crate) struct Access {
    /// Who everybody is without tokens.
    owner: Option<Arc<Caller>>,
    file: Option<PathBuf>,
    /// Requests a second of a token whose line says nothing of it.
    rate: Option<u32>,
    entries: RwLock<Arc<Vec<Entry>>>,
    /// Failed authentications by address.
    pub(crate) failures: Failures,
}

impl Access {
    /// Reads the token file, if there is one.
    ///
    /// # Errors
    /// When it cannot be read or is wrong, and when the server would be open to other machines without it (AC-1).
    pub(crate) fn open(options: &ServeOptions) -> Result<Self, ServeError> {
        for address in [options.http, options.grpc] {
            check_reach(options, address)?;
        }
        let rate = options.requests_per_second_max;
        let (owner, entries) = match &options.token_file {
            Some(path) => (None, file::read(path, rate)?),
            None => (Some(Arc::new(Caller::owner(rate))), Vec::new()),
        };
        Ok(Self {
            owner,
            file: options.token_file.clone(),
            rate,
            entries: RwLock::new(Arc::new(entries)),
            failures: Failures::default(),
        })
    }

    /// Everybody is this caller.
    #[cfg(test)]
    pub(crate) fn of(caller: Caller) -> Self {
        Self {
            owner: Some(Arc::new(caller)),
            file: None,
            rate: None,
            entries: RwLock::default(),
            failures: Failures::default(),
        }
    }

    /// Whether everybody who reaches the server may use it.
    pub(crate) fn is_open(&self) -> bool {
        self.owner.is_some()
    }

    /// Reads the token file again; returns how many tokens it has.
    ///
    /// # Errors
    /// When it is wrong; the tokens stay as they were (AC-3).
    pub(crate) fn reload(&self) -> Result<usize, ServeError> {
        let Some(path) = &self.file else {
            return Ok(0);
        };
        let entries = file::read(path, self.rate)?;
        let count = entries.len();
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(entries);
        Ok(count)
    }

    /// Who sent a request, if he has `role`.
    ///
    /// # Errors
    /// 401 without a token that is known, 403 without the role, 429 when it has used up its share.
    pub(crate) fn admit(&self, headers: &HeaderMap, role: Role) -> Result<Arc<Caller>, ApiError> {
        let caller = match &self.owner {
            Some(owner) => owner.clone(),
            None => self.caller(headers)?,
        };
        noted::caller(&caller, role);
        caller.check_rate(Instant::now())?;
        caller.check_role(role)?;
        Ok(caller)
    }

    /// Whose token a request brings.
    fn caller(&self, headers: &HeaderMap) -> Result<Arc<Caller>, ApiError> {
        let token = bearer(headers)?;
        let entries = self
            .entries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        token::find(&entries, token)
            .ok_or_else(|| ApiError::unauthenticated("the token is not known"))
    }
}

/// The token in the head of a request.
fn bearer(headers: &HeaderMap) -> Result<&[u8], ApiError> {
    let mut told = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(first), None) = (told.next(), told.next()) else {
        return Err(ApiError::unauthenticated(
            "a token is needed: one header Authorization: Bearer TOKEN",
        ));
    };
    let (scheme, token) = first.as_bytes().split_at_checked(7).unwrap_or_default();
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"bearer ") || token.is_empty() || token.len() > TOKEN_BYTES_MAX
    {
        return Err(ApiError::unauthenticated(
            "the header Authorization has no token: Bearer TOKEN expected",
        ));
    }
    Ok(token)
}

/// AC-1.
fn check_reach(options: &ServeOptions, address: SocketAddr) -> Result<(), ServeError> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    if options.token_file.is_none() {
        return Err(ServeError::new(format!(
            "{address} can be reached by other machines, and there are no tokens: give --token-file FILE (a line is made \
             by `tracehouse token NAME ROLE`), or listen on 127.0.0.1"
        )));
    }
    if options.tls.is_none() && !options.insecure {
        return Err(ServeError::new(format!(
            "{address} can be reached by other machines, and tokens and traces would go there in the clear: give \
             --tls-cert FILE and --tls-key FILE, or --insecure where something in front of the server does TLS"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_token_comes_as_one_bearer_header() {
        assert_eq!(bearer(&headers(&["Bearer abc"])).unwrap(), b"abc");
        assert_eq!(bearer(&headers(&["bearer  abc "])).unwrap(), b"abc");
        for wrong in [
            &[] as &[&str],
            &["Bearer"],
            &["Bearer "],
            &["Basic abc"],
            &["abc"],
            &["Bearer abc", "Bearer abc"],
        ] {
            let error = bearer(&headers(wrong)).unwrap_err();
            assert_eq!(error.status.as_u16(), 401, "{wrong:?}");
        }
        assert!(bearer(&headers(&[&format!("Bearer {}", "a".repeat(5000))])).is_err());
    }

    #[test]
    fn other_machines_need_tokens_and_tls() {
        let mut options = ServeOptions::default();
        assert!(Access::open(&options).is_ok());
        options.grpc = "0.0.0.0:4317".parse().unwrap();
        let told = Access::open(&options).err().unwrap().to_string();
        assert!(
            told.contains("0.0.0.0:4317") && told.contains("--token-file"),
            "{told}"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let (token, line) = make_token("app", &["ingest"], &[]).unwrap();
        std::fs::write(&path, line).unwrap();
        options.token_file = Some(path.clone());
        let told = Access::open(&options).err().unwrap().to_string();
        assert!(
            told.contains("--tls-cert") && told.contains("--insecure"),
            "{told}"
        );
        options.insecure = true;
        let access = Access::open(&options).unwrap();
        let own = headers(&[&format!("Bearer {token}")]);
        assert_eq!(access.admit(&own, Role::Ingest).unwrap().name, "app");
        assert_eq!(
            access.admit(&own, Role::Read).unwrap_err().status.as_u16(),
            403
        );
        std::fs::write(&path, "app nothing").unwrap();
        assert!(access.reload().is_err());
        assert!(
            access.admit(&own, Role::Ingest).is_ok(),
            "the tokens before stay"
        );
        std::fs::write(&path, make_token("app", &["admin"], &[]).unwrap().1).unwrap();
        assert_eq!(access.reload().unwrap(), 1);
        assert_eq!(
            access
                .admit(&own, Role::Ingest)
                .unwrap_err()
                .status
                .as_u16(),
            401
        );
    }
}
