//! Attribute names that say by themselves that the value is a secret.
//!
//! A name is compared by its telling part: the last one (parts end at `.`, `/`, `:`, brackets and the like)
//! that is neither an index nor a word such as `value`. Case, `_`, `-` and spaces do not count, nor does in
//! which alphabet a letter is written: `http.request.header.X-Api-Key`, `openai.apiKey`, `OPENAI_API_KEY[0]`
//! and `api key:` all end in `apikey`.

use super::letters::latin;

/// How much a name says of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// Nothing.
    None,
    /// They are secret, but for numbers, paths and words that `is_harmless` knows: a `token` may also be
    /// the number of one, `auth` the kind of it.
    Likely,
    /// They are secret.
    Certain,
}

/// The telling part is one of these.
const WHOLE: [&str; 10] = [
    "authorization",
    "bearer",
    "cookies",
    "creds",
    "csrf",
    "idtoken",
    "setcookie",
    "secrets",
    "xsrf",
    "xsrftoken",
];

/// The telling part is one of these, which have other meanings, too.
const LIKELY_WHOLE: [&str; 9] = [
    "auth",
    "basicauth",
    "credential",
    "credentials",
    "httpauth",
    "proxyauth",
    "pwd",
    "token",
    "xauth",
];

/// The telling part ends in one of these.
const ENDINGS: [&str; 47] = [
    "accesskey",
    "accesstoken",
    "accountkey",
    "apikey",
    "apikeys",
    "apisecret",
    "apitoken",
    "appsecret",
    "authkey",
    "authtoken",
    "bearertoken",
    "bottoken",
    "clientsecret",
    "connectionstring",
    "csrftoken",
    "dbpass",
    "deploykey",
    "encryptionkey",
    "functionskey",
    "identitytoken",
    "jwttoken",
    "masterkey",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "refreshtoken",
    "secretaccesskey",
    "secretbinary",
    "secretkey",
    "secretstring",
    "secrettoken",
    "securitytoken",
    "sessiontoken",
    "sharedkey",
    "sharedsecret",
    "signingkey",
    "signingsecret",
    "smtppass",
    "sshkey",
    "subscriptionkey",
    "userpass",
    "vaulttoken",
    "webhooksecret",
    "webhooktoken",
];

/// The last word is one of these: `proxy-authorization`, `httpCookie`, `my secret`.
const LAST_WORDS: [&str; 4] = ["authorization", "cookie", "jwt", "secret"];

/// Words before `token` that make it something else than a secret: a place in a listing, a piece of text.
const TOKENS_OF_TEXT: [&str; 52] = [
    "added",
    "audio",
    "begin",
    "best",
    "bos",
    "cached",
    "class",
    "cls",
    "completion",
    "continuation",
    "count",
    "current",
    "cursor",
    "each",
    "end",
    "eos",
    "eot",
    "extra",
    "first",
    "generated",
    "image",
    "input",
    "last",
    "mask",
    "max",
    "min",
    "new",
    "next",
    "output",
    "pad",
    "page",
    "pagination",
    "per",
    "prev",
    "previous",
    "prompt",
    "reasoning",
    "resume",
    "sampled",
    "sep",
    "special",
    "start",
    "stop",
    "sub",
    "sync",
    "text",
    "think",
    "thinking",
    "top",
    "unk",
    "valid",
    "word",
];

/// Last parts that only say that what stands before has a value.
const HOLDERS: [&str; 12] = [
    "value",
    "values",
    "stringvalue",
    "bytesvalue",
    "text",
    "string",
    "str",
    "raw",
    "plain",
    "plaintext",
    "bytes",
    "data",
];

/// Whether a name ends in these two letters: nearly every other key is told apart by its last ones.
fn ends_a_name(letters: [u8; 2]) -> bool {
    matches!(
        &letters,
        b"al"
            | b"de"
            | b"ds"
            | b"en"
            | b"er"
            | b"es"
            | b"et"
            | b"ey"
            | b"ie"
            | b"ls"
            | b"ng"
            | b"on"
            | b"rd"
            | b"rf"
            | b"ry"
            | b"se"
            | b"ss"
            | b"th"
            | b"ts"
            | b"wd"
            | b"wt"
            | b"ys"
    )
}

/// Whether one of `HOLDERS` ends in these two letters.
fn ends_a_holder(letters: [u8; 2]) -> bool {
    matches!(
        &letters,
        b"ue" | b"es" | b"xt" | b"ng" | b"tr" | b"aw" | b"in" | b"ta"
    )
}

/// Whether a key of ASCII may say something, by its last two bytes: this is asked of every key.
fn may_tell(key: &str) -> bool {
    match key.as_bytes().last_chunk::<2>() {
        Some(last) if last.iter().all(u8::is_ascii_alphabetic) => {
            let letters = last.map(|byte| byte.to_ascii_lowercase());
            ends_a_name(letters) || ends_a_holder(letters)
        }
        // Numbers and signs at the end do not count.
        _ => true,
    }
}

/// What a key says of its values, when it is a well-known name.
pub(super) fn secrecy(key: &str) -> Secrecy {
    if !key.is_ascii() {
        of_plain(&latin(key))
    } else if may_tell(key) {
        of_plain(key)
    } else {
        Secrecy::None
    }
}

fn of_plain(key: &str) -> Secrecy {
    let part = telling_part(key);
    let mut last = letters(part.as_bytes());
    let (Some(second), Some(first)) = (last.next(), last.next()) else {
        return Secrecy::None;
    };
    if !ends_a_name([first, second]) {
        return Secrecy::None;
    }
    let is_whole = |names: &[&str]| names.iter().any(|name| compare(part, name) == Some(true));
    let is_named = is_whole(&WHOLE)
        || ENDINGS.iter().any(|name| compare(part, name).is_some())
        || LAST_WORDS
            .iter()
            .any(|word| before_last_word(part, word).is_some());
    let is_likely =
        || is_whole(&LIKELY_WHOLE) || before_last_word(part, "token").is_some_and(is_of_secret);
    match is_named {
        // The name of a rule in what stands for a secret: `[REDACTED:bearer_token]`.
        _ if key.contains("[REDACTED:") => Secrecy::None,
        true => Secrecy::Certain,
        // The words of a model's answer with their probabilities.
        false if is_likely() && !key.contains("logprob") => Secrecy::Likely,
        false => Secrecy::None,
    }
}

/// Whether a token of this kind is a secret; `before` stands before the word `token`.
fn is_of_secret(before: &str) -> bool {
    !TOKENS_OF_TEXT
        .iter()
        .any(|word| before_last_word(before, word).is_some())
}

/// Whether a value under a name that is `Likely` to hold secrets is none: a number, a path, a special token
/// of a model, or a word that says how something is done.
pub(super) fn is_harmless(value: &str) -> bool {
    const WORDS: [&str; 34] = [
        "anonymous",
        "api_key",
        "apikey",
        "basic",
        "bearer",
        "client_credentials",
        "default",
        "denied",
        "digest",
        "disabled",
        "enabled",
        "failed",
        "false",
        "granted",
        "include",
        "invalid",
        "jwt",
        "ldap",
        "mtls",
        "n/a",
        "no",
        "none",
        "null",
        "oauth",
        "oauth2",
        "ok",
        "omit",
        "optional",
        "required",
        "same-origin",
        "sso",
        "success",
        "true",
        "yes",
    ];
    let value = value.trim();
    let bytes = value.as_bytes();
    let is_path = value.starts_with(['/', '~']) || bytes.get(1..3) == Some(b":\\");
    let is_special = (value.starts_with('<') && value.ends_with('>'))
        || (value.starts_with('[') && value.ends_with(']') && !value.contains(' '));
    is_path
        || is_special
        || value.parse::<f64>().is_ok()
        || WORDS.iter().any(|word| word.eq_ignore_ascii_case(value))
}

/// Whether a key, or its telling part, is a name that is `squashed`.
pub(super) fn is_same(key: &str, name: &str) -> bool {
    let is_same = |key: &str| {
        [key, last_part(key), telling_part(key)]
            .into_iter()
            .any(|part| compare(part, name) == Some(true))
    };
    is_same(key) || (!key.is_ascii() && is_same(&latin(key)))
}

/// A name as it is compared.
pub(super) fn squashed(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

const fn ends_part(byte: u8) -> bool {
    !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' ') || byte >= 0x80)
}

fn last_part(key: &str) -> &str {
    let start = key.bytes().rposition(ends_part).map_or(0, |at| at + 1);
    key.get(start..).unwrap_or_default()
}

/// The last part that is neither empty, an index nor a holder, without a number at its end.
fn telling_part(key: &str) -> &str {
    let mut rest = key;
    loop {
        let part = last_part(rest);
        let named =
            part.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '_' | '-' | ' '));
        if !named.is_empty() && !is_holder(named) {
            // `auth0` is the name of a service.
            return if named.eq_ignore_ascii_case("auth") {
                part
            } else {
                without_holder(named)
            };
        }
        let Some(end) = (rest.len() - part.len()).checked_sub(1) else {
            return "";
        };
        rest = rest.get(..end).unwrap_or_default();
    }
}

/// Whether a part is one of `HOLDERS`; most are told apart by their last two letters.
fn is_holder(part: &str) -> bool {
    let Some(last) = part.as_bytes().last_chunk::<2>() else {
        return false;
    };
    ends_a_holder(last.map(|byte| byte.to_ascii_lowercase()))
        && HOLDERS.iter().any(|name| compare(part, name) == Some(true))
}

/// `password_value` is a value of `password`.
fn without_holder(part: &str) -> &str {
    let before = ["value", "plaintext"]
        .into_iter()
        .find_map(|holder| before_last_word(part, holder));
    before.filter(|before| !before.is_empty()).unwrap_or(part)
}

/// What stands before the last word of a part, when that is `word`. Words end at `_`, `-`, spaces, and
/// where a capital follows a small letter.
fn before_last_word<'a>(part: &'a str, word: &str) -> Option<&'a str> {
    let part = part.trim_end_matches(['_', '-', ' ']);
    let start = part.len().checked_sub(word.len())?;
    let (before, last) = part.split_at_checked(start)?;
    if !last.eq_ignore_ascii_case(word) {
        return None;
    }
    let starts_capital = last.starts_with(|c: char| c.is_ascii_uppercase());
    let is_apart = match before.chars().next_back() {
        None | Some('_' | '-' | ' ') => true,
        Some(c) => starts_capital && (c.is_ascii_lowercase() || c.is_ascii_digit()),
    };
    is_apart.then_some(before)
}

/// Letters from the end on, as they are compared.
fn letters(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes
        .iter()
        .rev()
        .filter(|byte| !matches!(byte, b'_' | b'-' | b' '))
        .map(u8::to_ascii_lowercase)
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
    fn no_name_is_left_out_by_its_last_letters() {
        let names = [&WHOLE[..], &LIKELY_WHOLE, &ENDINGS, &LAST_WORDS, &HOLDERS];
        for name in names.into_iter().flatten().chain(&["token", "auth"]) {
            assert!(
                may_tell(name) && may_tell(&name.to_ascii_uppercase()),
                "{name}"
            );
        }
        assert!(!may_tell("model") && !may_tell("gen_ai.request.seed"));
        assert!(may_tell("password1") && may_tell("token_"));
    }

    #[test]
    fn names_are_told_by_their_telling_part() {
        for key in [
            "authorization",
            "Proxy-Authorization",
            "http.request.header.authorization",
            "HTTP_AUTHORIZATION",
            "http.request.header.set-cookie",
            "http_cookie",
            "x-api-key",
            "llm.openai.apiKey",
            "OPENAI_API_KEY",
            "headers/Cookie",
            "headers['x-api-key']",
            "mlflow.traceTag.db_password",
            "aws.sessionToken",
            "client secret",
            "Private Key",
            "password:",
            "password.0",
            "password[0]",
            "password[0].value",
            "password.value",
            "passwordValue",
            "secret_value",
            "password2",
            "$.password",
            "tenant@password",
            "pass\u{200b}word",
            "\u{ff50}\u{ff41}\u{ff53}\u{ff53}\u{ff57}\u{ff4f}\u{ff52}\u{ff44}",
            "p\u{430}ssw\u{43e}rd",
            "app_secret",
            "Ocp-Apim-Subscription-Key",
            "SecretString",
        ] {
            assert_eq!(secrecy(key), Secrecy::Certain, "{key}");
        }
        for key in [
            "token",
            "auth.token",
            "GITHUB_TOKEN",
            "githubToken",
            "user-token",
            "token[0]",
            "auth",
            "http.auth",
            "credentials",
            "aws.credentials",
            "pwd",
            "db.pwd",
        ] {
            assert_eq!(secrecy(key), Secrecy::Likely, "{key}");
        }
    }

    #[test]
    fn other_keys_say_nothing() {
        for key in [
            "",
            "0",
            "value",
            "input.value",
            "input_tokens",
            "max_tokens",
            "token_count",
            "tokens",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.cache_read.input_tokens",
            "llm.token_count.prompt",
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.total",
            "next_page_token",
            "nextPageToken",
            "eos_token",
            "time_per_output_token",
            "gen_ai.server.time_to_first_token",
            "valid_token",
            "logprobs.content.0.token",
            "tokenizer",
            "token.type",
            "author",
            "authors",
            "authenticated",
            "authority",
            "authorization.kind",
            "auth.type",
            "x [REDACTED:bearer_token]",
            "auth0",
            "oauth",
            "cookie_count",
            "secretary",
            "keyboard",
            "key",
            "public_key",
            "primary_key",
            "password_count",
            "größe",
        ] {
            assert_eq!(secrecy(key), Secrecy::None, "{key}");
        }
    }

    #[test]
    fn every_name_is_found() {
        let (likely, whole) = (
            LIKELY_WHOLE.iter(),
            WHOLE.iter().chain(&ENDINGS).chain(&LAST_WORDS),
        );
        let certain = whole.map(|name| (name, Secrecy::Certain));
        for (name, expected) in certain.chain(likely.map(|name| (name, Secrecy::Likely))) {
            assert_eq!(secrecy(name), expected, "{name}");
        }
    }

    #[test]
    fn every_holder_is_passed_over() {
        for holder in HOLDERS {
            assert_eq!(
                secrecy(&format!("password.{holder}")),
                Secrecy::Certain,
                "{holder}"
            );
            assert_eq!(
                secrecy(&format!("input.{holder}")),
                Secrecy::None,
                "{holder}"
            );
        }
    }

    #[test]
    fn words_that_are_no_secrets_stay_under_a_name_that_may_be_one() {
        for value in [
            "17",
            "-1.5",
            "Bearer",
            "none",
            "same-origin",
            "/home/ann",
            "C:\\work",
            "<eos>",
            "[PAD]",
        ] {
            assert!(is_harmless(value), "{value}");
        }
        for value in ["hunter2", "abc", "a b", "Bearer abc"] {
            assert!(!is_harmless(value), "{value}");
        }
    }

    #[test]
    fn own_names_are_compared_likewise() {
        let same = |key, name| is_same(key, &squashed(name));
        assert!(same("user.Social-Security", "social_security"));
        assert!(same("user.Social Security[0]", "social_security"));
        assert!(same("a.b", "a.b"));
        assert!(same("a.größe", "größe"));
        assert!(same("\u{ff53}\u{ff53}\u{ff4e}", "ssn"));
        assert!(!same("a.b", "c.b"));
        assert!(!same("insecurity", "security"));
    }
}
