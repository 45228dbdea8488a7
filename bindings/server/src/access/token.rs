//! Tokens: how they are made, and how the one that a request brings is found among those of the file.
//!
//! The file has SHA-256 sums alone. A token that is made here has 256 random bits, so that a plain sum is enough: there
//! is nothing to guess. Finding takes the same time whichever line it is, and when it is none.

use std::hint::black_box;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::caller::Caller;
use super::file;
use crate::error::ServeError;

/// What tokens begin with, so that one that was published by mistake can be told and found.
const PREFIX: &str = "th_";
const RANDOM_BYTES: usize = 32;

/// SHA-256 of a token.
pub(super) type Sum = [u8; 32];

/// A line of the token file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sum: Sum,
    pub(super) caller: Arc<Caller>,
}

/// Makes a token: the text that a client sends, and the line of the token file for it. `roles` and `experiments` are
/// written as in the file; without experiments the token is for all of them.
///
/// ```
/// let (token, line) = tracehouse_server::make_token("app", &["ingest"], &[])?;
/// assert!(token.starts_with("th_") && line.starts_with("app ingest sha256:"));
/// # Ok::<(), tracehouse_server::ServeError>(())
/// ```
///
/// # Errors
/// When the name, a role or an experiment is none that a line can have, and when the system gives no random bits.
pub fn make_token(
    name: &str,
    roles: &[&str],
    experiments: &[&str],
) -> Result<(String, String), ServeError> {
    let mut random = [0; RANDOM_BYTES];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut random)
        .map_err(|_| ServeError::new("the system gives no random bits for a token"))?;
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let mut line = format!(
        "{name} {} {}",
        roles.join(","),
        told(&sum(token.as_bytes()))
    );
    if !experiments.is_empty() {
        line.push(' ');
        line.push_str(&experiments.join(","));
    }
    // What the file would refuse is refused here: a name with a space, a role that is none.
    let read = file::parse(&line, None)
        .map_err(|why| ServeError::new(format!("a token {name:?} cannot be made: {why}")))?;
    let is_meant = read.iter().all(|entry| {
        let own = entry.caller.experiments().unwrap_or_default();
        entry.caller.name == name
            && own
                .iter()
                .map(String::as_str)
                .eq(experiments.iter().copied())
    });
    match read.len() == 1 && is_meant {
        true => Ok((token, line)),
        false => Err(ServeError::new(format!(
            "a token {name:?} cannot be made: names and experiments have no spaces and commas, and begin with no #"
        ))),
    }
}

/// The sum of a token.
pub(super) fn sum(token: &[u8]) -> Sum {
    Sha256::digest(token).into()
}

/// A sum as the file has it.
fn told(sum: &Sum) -> String {
    let digits: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}{digits}", file::SUM_PREFIX)
}

/// Whose token it is. All lines are looked at, each to its end.
pub(super) fn find(entries: &[Entry], token: &[u8]) -> Option<Arc<Caller>> {
    let sum = sum(token);
    let mut found = None;
    for entry in entries {
        if is_same(&entry.sum, &sum) {
            found = Some(&entry.caller);
        }
    }
    found.cloned()
}

fn is_same(one: &Sum, other: &Sum) -> bool {
    let differing = one
        .iter()
        .zip(other)
        .fold(0, |differing, (a, b)| black_box(differing | (a ^ b)));
    differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_made_is_found_by_its_line_and_no_other_is() {
        let (token, line) = make_token("app", &["ingest", "read"], &["7", "8"]).unwrap();
        let (other, _) = make_token("app", &["ingest"], &[]).unwrap();
        assert_ne!(token, other);
        assert_eq!(token.len(), PREFIX.len() + 43);
        let entries = file::parse(&line, None).unwrap();
        let caller = find(&entries, token.as_bytes()).unwrap();
        assert_eq!(caller.name, "app");
        assert_eq!(caller.experiments().unwrap(), ["7", "8"]);
        assert!(find(&entries, other.as_bytes()).is_none());
        assert!(find(&entries, b"").is_none());
        assert!(!line.contains(&token));
    }

    #[test]
    fn what_no_line_can_have_makes_no_token() {
        assert!(make_token("two words", &["read"], &[]).is_err());
        assert!(make_token("#", &["read"], &[]).is_err());
        assert!(make_token("a\nb", &["read"], &[]).is_err());
        assert!(make_token("a", &["reader"], &[]).is_err());
        assert!(make_token("a", &[], &[]).is_err());
        assert!(make_token("a", &["read"], &["1,2"]).is_err());
        assert!(make_token("a", &["read"], &["rate=1/s"]).is_err());
        assert!(make_token("a", &["read"], &["1", ""]).is_err());
    }
}
