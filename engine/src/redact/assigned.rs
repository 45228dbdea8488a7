//! Secrets that are known by the name before them, in texts that are no JSON by themselves: a log line, an
//! env file, a query, headers, code, JSON that is cut short.
//!
//! A value that stands in quotes after a name in quotes is hidden as in JSON. Elsewhere it has to look like
//! a password, since prose and code speak of passwords, too.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::names::{self, Secrecy};
use super::patterns::{compile, replace_ranges, replacement};
use super::shapes::written_out;

/// The end of a name, a sign that assigns, and the quote before a value; `names` decides about the whole of
/// the name.
const ASSIGNED: &str = concat!(
    r"(?P<name>(?i-u:keys?|tokens?|secrets?|string|binary|passwords?|passwd|passphrase|passcode|pwd|pass|creds",
    r"|credentials?|auth|authorization|cookies?|jwt|bearer|[cx]srf))(?P<name_end>\[?[0-9]{0,3}\]?QUOTE)?",
    r"SPACE{0,8}EQUALSSPACE{0,8}(?P<quote>QUOTE)?",
);
/// Shortest secret without quotes, and longest secret that is looked at.
const PLAIN_BYTES_MIN: usize = 6;
const VALUE_BYTES_MAX: usize = 512;
/// Shortest secret in quotes whose name may stand for something else.
const LIKELY_BYTES_MIN: usize = 8;
/// Longest name that is looked at.
const NAME_BYTES_MAX: usize = 64;

static COMPILED: LazyLock<Option<Regex>> = LazyLock::new(|| compile(&written_out(ASSIGNED)).ok());

/// The text without values that stand after names of secrets; `None` when there is none.
pub(super) fn replace(
    text: &str,
    secrecy: &dyn Fn(&str) -> Secrecy,
    count: &mut u64,
) -> Option<String> {
    let Some(regex) = &*COMPILED else {
        // A test compiles it: this is for the case that it was not run.
        *count += 1;
        return Some(replacement("named_value"));
    };
    // Values are short and names are found one after the other, so time stays linear.
    let found = regex
        .captures_iter(text)
        .filter_map(|captures| judge(text, &captures, secrecy));
    replace_ranges(text, found, &replacement("named_value"), count)
}

fn judge(
    text: &str,
    captures: &Captures<'_>,
    secrecy: &dyn Fn(&str) -> Secrecy,
) -> Option<Range<usize>> {
    let secrecy = secrecy(name_before(text, captures.name("name")?.end()));
    if secrecy == Secrecy::None {
        return None;
    }
    let start = captures.get(0)?.end();
    let end = (start + VALUE_BYTES_MAX).min(text.len());
    let rest = text
        .get(start..text.floor_char_boundary(end))
        .unwrap_or_default();
    let is_quoted = captures.name("quote").is_some();
    let value = if is_quoted { quoted(rest) } else { plain(rest) };
    let is_member = captures.name("name_end").is_some();
    let is_secret = match (is_quoted, secrecy) {
        (true, Secrecy::Certain) if is_member => true,
        (true, Secrecy::Certain) => !is_placeholder(value) && !value.contains(' '),
        (true, _) => {
            value.len() >= LIKELY_BYTES_MIN && has_digit(value) && !names::is_harmless(value)
        }
        (false, _) => {
            let is_call = rest
                .get(value.len()..)
                .is_some_and(|next| next.starts_with(['(', '[']));
            looks_secret(value) && !is_call
        }
    };
    let says_something = !value.is_empty() && !value.starts_with("[REDACTED");
    (is_secret && says_something).then(|| start..start + value.len())
}

/// What stands up to the end of a line or whatever may be the closing quote.
fn quoted(rest: &str) -> &str {
    let ends = |c: char| matches!(c, '"' | '\'' | '`' | '\\' | '\r' | '\n' | '&' | '%');
    rest.split(ends).next().unwrap_or_default()
}

/// What stands up to anything that separates values; `%2B` and the like are part of one.
fn plain(rest: &str) -> &str {
    let separates =
        |c: char| c.is_whitespace() || c.is_control() || "\"'`\\&,;<>(){}[]|".contains(c);
    let mut end = 0;
    loop {
        let next = rest.get(end..).unwrap_or_default();
        end += next
            .find(|c| separates(c) || c == '%')
            .unwrap_or(next.len());
        let escape = rest.get(end..).unwrap_or_default();
        match encoded_length(escape) {
            Some(length) => end += length,
            None => return rest.get(..end).unwrap_or_default(),
        }
    }
}

/// The length of a percent-encoded character that may be part of a value.
fn encoded_length(text: &str) -> Option<usize> {
    const PARTS: [&str; 14] = [
        "21", "23", "24", "2A", "2B", "2D", "2E", "2F", "3A", "3D", "3F", "40", "5E", "7E",
    ];
    let mut rest = text.strip_prefix('%')?;
    while let Some(more) = rest.strip_prefix("25") {
        rest = more;
    }
    let digits = rest.get(..2)?;
    let is_part = PARTS.iter().any(|part| part.eq_ignore_ascii_case(digits));
    is_part.then_some(text.len() - rest.len() + 2)
}

fn looks_secret(value: &str) -> bool {
    value.len() >= PLAIN_BYTES_MIN
        && has_digit(value)
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !is_placeholder(value)
        && !names::is_harmless(value)
}

/// The name that ends at `end`, as far as it goes back.
fn name_before(text: &str, end: usize) -> &str {
    let start = text.floor_char_boundary(end.saturating_sub(NAME_BYTES_MAX));
    let before = text.get(start..end).unwrap_or_default();
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name = before.trim_end_matches(is_part).len();
    // A letter after a backslash is part of an escape.
    let name = name + usize::from(before.get(..name).is_some_and(|rest| rest.ends_with('\\')));
    before.get(name..).unwrap_or_default()
}

fn has_digit(value: &str) -> bool {
    value.bytes().any(|byte| byte.is_ascii_digit())
}

/// What only says where a secret would be.
fn is_placeholder(value: &str) -> bool {
    value.starts_with(['$', '<', '{', '*', '%']) || value.contains("${") || value.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> String {
        replace(text, &names::secrecy, &mut 0).unwrap_or_else(|| text.to_string())
    }

    #[test]
    fn values_after_names_of_secrets_are_hidden() {
        for (before, secret, after) in [
            (
                "POST {\"user\": \"ann\", \"password\": \"",
                "hunter2",
                "\", \"x\": 1",
            ),
            ("data: {\\\"api_key\\\": \\\"", "0a1b2c3d", "\\\"}"),
            ("{'auth': {'client_secret': '", "abc", "'}"),
            ("OPENAI_API_KEY=", "0a1b2c3d4e5f", "\nOTHER=1"),
            ("export DB_PASSWORD='", "hunter", "'"),
            ("?api_key=", "0a1b2c3d", "&page=2"),
            ("%22password%22%3A%20%22", "hunter2", "%22"),
            ("X-Api-Key: ", "0a1b2c3d", "\r\n"),
            ("Server=x;Password=", "Passw0rd!", ";"),
            ("token: ", "0a1b2c3d", ""),
            ("X-Key: A_TOKEN=", "0a1b2c3d", ""),
            ("\\npassword=", "hunter2", "\\n"),
        ] {
            let expected = format!("{before}[REDACTED:named_value]{after}");
            assert_eq!(replaced(&format!("{before}{secret}{after}")), expected);
            assert_eq!(replaced(&expected), expected);
        }
    }

    #[test]
    fn prose_counts_and_code_stay() {
        for plain in [
            "the password: please choose one, api_key = os.environ['X1']",
            "input_tokens=1234567 max_tokens: 1000000 token_count=12abcdef9",
            "next_page_token=abc123456789 author=ann1980 authenticated=true1",
            "password = get_password2(x) token=$TOKEN12345 secret: ${SECRET1}",
            "{\"token\": \"Hello\", \"logprob\": -0.1}",
            "primary key: abc12345",
            "PWD=/home/ann2/work",
        ] {
            assert_eq!(replaced(plain), plain);
        }
    }
}
