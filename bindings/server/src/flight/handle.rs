//! Names of results and prepared statements that nobody can guess.

use std::fmt;

use tonic::Status;

use super::status::internal;

const HANDLE_BYTES: usize = 16;

/// The name of a result or a prepared statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Handle([u8; HANDLE_BYTES]);

impl Handle {
    /// A new one, of random bytes.
    ///
    /// # Errors
    /// `Internal` when the system has no random bytes.
    pub(super) fn new() -> Result<Self, Status> {
        let mut bytes = [0; HANDLE_BYTES];
        rustls::crypto::ring::default_provider()
            .secure_random
            .fill(&mut bytes)
            .map_err(|_| internal("the system has no random bytes"))?;
        Ok(Self(bytes))
    }

    /// The one that a client sent back, if it can be one.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// As it is sent.
    pub(super) fn to_bytes(self) -> bytes::Bytes {
        bytes::Bytes::copy_from_slice(&self.0)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_comes_back_as_it_was_and_no_two_are_alike() {
        let (one, other) = (Handle::new().unwrap(), Handle::new().unwrap());
        assert_ne!(one, other);
        assert_eq!(Handle::of(&one.to_bytes()), Some(one));
        assert_eq!(Handle::of(b"short"), None);
        assert_eq!(one.to_string().len(), 32);
    }
}
