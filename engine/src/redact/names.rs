//! Attribute names that say by themselves that the value is a secret.
//!
//! A name is compared by its last part (after the last `.`, `/` or `:`), without regard to case, `_` and
//! `-`: `http.request.header.X-Api-Key`, `openai.apiKey` and `OPENAI_API_KEY` all end in `apikey`.

/// The last part is one of these.
const WHOLE: [&str; 10] = [
    "authorization",
    "proxyauthorization",
    "cookie",
    "cookies",
    "setcookie",
    "idtoken",
    "passwd",
    "passphrase",
    "secret",
    "xsrftoken",
];

/// The last part ends in one of these.
const ENDINGS: [&str; 11] = [
    "apikey",
    "accesstoken",
    "authtoken",
    "bearertoken",
    "clientsecret",
    "csrftoken",
    "password",
    "privatekey",
    "refreshtoken",
    "secretaccesskey",
    "secretkey",
];

/// As `ENDINGS`: tokens of sessions and of cloud providers.
const TOKEN_ENDINGS: [&str; 2] = ["securitytoken", "sessiontoken"];

/// What the names end in: nearly every other key is told apart by its last two letters.
const LAST_LETTERS: [[u8; 2]; 9] = [*b"on", *b"ie", *b"es", *b"en", *b"wd", *b"se", *b"et", *b"ey", *b"rd"];

/// Whether a key is one of the well-known names.
pub(super) fn is_well_known(key: &str) -> bool {
    let part = last_part(key);
    let mut last = letters(part.as_bytes());
    let (Some(second), Some(first)) = (last.next(), last.next()) else { return false };
    if !LAST_LETTERS.contains(&[first, second]) {
        return false;
    }
    WHOLE.iter().any(|name| compare(part, name) == Some(true))
        || ENDINGS.iter().chain(&TOKEN_ENDINGS).any(|name| compare(part, name).is_some())
}

/// Whether a key, or its last part, is a name that is `squashed`.
pub(super) fn is_same(key: &str, name: &str) -> bool {
    compare(key, name) == Some(true) || compare(last_part(key), name) == Some(true)
}

/// A name as it is compared.
pub(super) fn squashed(name: &str) -> String {
    letters(name.as_bytes()).rev().map(char::from).collect()
}

fn last_part(key: &str) -> &str {
    key.rsplit(['.', '/', ':']).next().unwrap_or_default()
}

/// Letters from the end on, as they are compared.
fn letters(bytes: &[u8]) -> impl DoubleEndedIterator<Item = u8> {
    bytes.iter().rev().filter(|byte| !matches!(byte, b'_' | b'-')).map(u8::to_ascii_lowercase)
}

/// Whether `part` ends in `name`: `Some(true)` when that is all of it.
fn compare(part: &str, name: &str) -> Option<bool> {
    let mut rest = letters(part.as_bytes());
    for wanted in name.bytes().rev() {
        if rest.next() != Some(wanted) {
            return None;
        }
    }
    Some(rest.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_by_their_last_part() {
        for key in [
            "authorization",
            "Proxy-Authorization",
            "http.request.header.authorization",
            "http.request.header.set-cookie",
            "x-api-key",
            "llm.openai.apiKey",
            "OPENAI_API_KEY",
            "headers/Cookie",
            "mlflow.traceTag.db_password",
            "aws.sessionToken",
        ] {
            assert!(is_well_known(key), "{key}");
        }
        for key in [
            "",
            "gen_ai.usage.input_tokens",
            "llm.token_count.total",
            "token",
            "valid_token",
            "authorization.kind",
            "cookie_count",
            "secretary",
            "keyboard",
            "input.value",
            "größe",
        ] {
            assert!(!is_well_known(key), "{key}");
        }
    }

    #[test]
    fn every_name_is_found() {
        for name in WHOLE.iter().chain(&ENDINGS).chain(&TOKEN_ENDINGS) {
            assert!(is_well_known(name), "{name}");
        }
    }

    #[test]
    fn own_names_are_compared_likewise() {
        let same = |key, name| is_same(key, &squashed(name));
        assert!(same("user.Social-Security", "social_security"));
        assert!(same("a.b", "a.b"));
        assert!(!same("a.b", "c.b"));
        assert!(!same("insecurity", "security"));
    }
}
