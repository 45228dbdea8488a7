//! Strings of JSON text, found without parsing it: what changes is replaced, every other byte stays.
//!
//! Any text has tokens, since texts of traces are often cut short: quotes, brackets and colons are all that is
//! needed. Nothing here recurses; strings that are JSON themselves are walked by `Pass::scan`.

use std::borrow::Cow;
use std::ops::Range;

use tracehouse_storage::json::{Token, TokenKind, Tokens, decoded_literal};

use super::names::Secrecy;
use super::redactor::{HIDDEN, Pass, RedactionField, is_hidden};
use crate::otlp::value::write_string;
use crate::otlp::{decode_base64, encode_base64};

/// The key under which attributes hold bytes.
const BYTES_KEY: &str = "$bytes";
/// The key under which a span's further members hold its trace state.
const TRACE_STATE_KEY: &str = "trace_state";
/// Keys of a pair that is spelled out, `{"name": "password", "value": "..."}`.
const NAME_KEYS: [&str; 3] = ["name", "key", "header"];
const VALUE_KEY: &str = "value";

/// Whether a text may be a JSON object, array or string.
pub(super) fn looks_like_json(text: &str) -> bool {
    matches!(
        text.trim_start().as_bytes().first(),
        Some(b'{' | b'[' | b'"')
    )
}

/// Walks JSON that is itself the text of a value: its strings go through the patterns.
pub(super) fn walk_nested(pass: &mut Pass<'_>, text: &str, depth: usize) -> Option<String> {
    walk(pass, text, &mut |pass, _, string| {
        pass.scan(string, depth + 1)
    })
}

/// Walks a JSON document whose strings are values of their own, through the callback as well.
pub(super) fn walk_document(pass: &mut Pass<'_>, part: &str, json: &str) -> Option<String> {
    walk(pass, json, &mut |pass, key, string| {
        if key == Some(BYTES_KEY) {
            return bytes(pass, part, string);
        }
        if key == Some(TRACE_STATE_KEY) && part == "extra" {
            return pass.trace_state(part, string);
        }
        pass.text(RedactionField { part, key }, string)
    })
}

/// Bytes that are text, looked at as text.
fn bytes(pass: &mut Pass<'_>, part: &str, base64: &str) -> Option<String> {
    let bytes = decode_base64(base64)?;
    let field = RedactionField {
        part,
        key: Some(BYTES_KEY),
    };
    let changed = pass.text(field, &String::from_utf8_lossy(&bytes))?;
    Some(encode_base64(changed.as_bytes()))
}

type Leaf<'f> = dyn FnMut(&mut Pass<'_>, Option<&str>, &str) -> Option<String> + 'f;

fn walk(pass: &mut Pass<'_>, text: &str, leaf: &mut Leaf<'_>) -> Option<String> {
    let mut tokens = Tokens::of(text);
    let mut edits = Edits {
        text,
        out: String::new(),
        copied: 0,
    };
    let mut key: Option<Cow<'_, str>> = None;
    let mut changed_keys = 0;
    let mut named: Option<Secrecy> = None;
    let mut settled = Settled::default();
    while let Some(token) = tokens.next() {
        match token.kind {
            TokenKind::String if tokens.is_before_colon() => {
                let name = string(text, &token.range);
                if let Some(new) = pass.matches(&name) {
                    changed_keys += 1;
                    edits.replace(token.range, &unique(new, changed_keys));
                }
                if pass.is_allowed(&name) {
                    skip_value(&mut tokens);
                } else {
                    let secrecy = match (pass.secrecy(&name), named) {
                        (Secrecy::None, Some(secrecy)) if name.eq_ignore_ascii_case(VALUE_KEY) => {
                            secrecy
                        }
                        (Secrecy::Likely, _) if is_among_logprobs(key.as_deref(), &tokens) => {
                            Secrecy::None
                        }
                        (secrecy, _) => secrecy,
                    };
                    hide(pass, secrecy, &mut tokens, &mut edits, &mut settled);
                }
                key = Some(name);
            }
            TokenKind::String => {
                let string = string(text, &token.range);
                if key.as_deref().is_some_and(|key| NAME_KEYS.contains(&key)) {
                    named = Some(pass.secrecy(&string));
                }
                if let Some(new) = leaf(pass, key.as_deref(), &string) {
                    edits.replace(token.range, &new);
                }
            }
            TokenKind::Scalar if pass.reads_numbers() => {
                let scalar = text.get(token.range.clone()).unwrap_or_default();
                let is_number = scalar.starts_with(|c: char| c == '-' || c.is_ascii_digit());
                let changed = if is_number {
                    pass.matches(scalar)
                } else {
                    None
                };
                if let Some(new) = changed {
                    edits.replace(token.range, &new);
                }
            }
            TokenKind::Scalar | TokenKind::Separator => {}
            TokenKind::Open | TokenKind::Close => named = None,
        }
    }
    edits.finish()
}

/// Keys that become the same text stay different keys.
fn unique(key: String, count: usize) -> String {
    if count == 1 {
        key
    } else {
        format!("{key} {count}")
    }
}

/// Whether the key of a token stands beside its probability, as models' answers list them.
fn is_among_logprobs(key_before: Option<&str>, tokens: &Tokens<'_>) -> bool {
    let mut ahead = tokens.clone();
    let value = next_part(&mut ahead);
    if value.is_none_or(|value| value.kind == TokenKind::Open) {
        return false;
    }
    let next = next_part(&mut ahead).map(|token| string(ahead.text(), &token.range));
    key_before == Some("logprob") || next.is_some_and(|key| key == "logprob")
}

/// Up to where nothing under a name has anything to hide, since a value around it has nothing: no value is
/// gone over for each name inside it.
#[derive(Default)]
struct Settled {
    likely: usize,
    certain: usize,
}

/// Replaces the value that is next, unless it says nothing: then it is read on as any other.
fn hide(
    pass: &mut Pass<'_>,
    secrecy: Secrecy,
    tokens: &mut Tokens<'_>,
    edits: &mut Edits<'_>,
    settled: &mut Settled,
) {
    let settled = match secrecy {
        Secrecy::None => return,
        Secrecy::Likely => &mut settled.likely,
        Secrecy::Certain => &mut settled.certain,
    };
    let start = tokens.at();
    if start < *settled {
        return;
    }
    let Some(range) = skip_value(tokens) else {
        return;
    };
    let value = tokens.text().get(range.clone()).unwrap_or_default();
    let is_hidden = match value.as_bytes().first() {
        Some(b'"') => pass.hide(secrecy, &string(tokens.text(), &range)).is_some(),
        Some(b'{' | b'[') if says_something(value, secrecy) => {
            pass.hide_value();
            true
        }
        Some(b'{' | b'[') => {
            *settled = range.end;
            false
        }
        _ => !is_word(value) && pass.hide(secrecy, value).is_some(),
    };
    if is_hidden {
        edits.replace(range, HIDDEN);
    } else {
        tokens.return_to(start);
    }
}

/// Words of JSON, which say nothing.
fn is_word(scalar: &str) -> bool {
    matches!(scalar, "null" | "true" | "false")
}

/// Whether an object or array holds anything; where the name is only likely to mean secrets, any text.
fn says_something(value: &str, secrecy: Secrecy) -> bool {
    let mut tokens = Tokens::of(value);
    while let Some(token) = tokens.next() {
        let is_something = match token.kind {
            TokenKind::String if tokens.is_before_colon() => false,
            TokenKind::String => {
                let string = string(value, &token.range);
                !string.is_empty() && !is_hidden(&string)
            }
            TokenKind::Scalar => {
                secrecy == Secrecy::Certain && !is_word(value.get(token.range).unwrap_or_default())
            }
            TokenKind::Open | TokenKind::Close | TokenKind::Separator => false,
        };
        if is_something {
            return true;
        }
    }
    false
}

/// The next token that is no separator.
fn next_part(tokens: &mut Tokens<'_>) -> Option<Token> {
    tokens.find(|token| token.kind != TokenKind::Separator)
}

/// What a string says; of one that cannot be decoded, what stands between its quotes.
fn string<'a>(text: &'a str, range: &Range<usize>) -> Cow<'a, str> {
    let quoted = text.get(range.clone()).unwrap_or_default();
    let inner = quoted.strip_prefix('"').unwrap_or(quoted);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    decoded_literal(quoted).unwrap_or(Cow::Borrowed(inner))
}

/// Steps over the value that is next and gives where it is.
fn skip_value(tokens: &mut Tokens<'_>) -> Option<Range<usize>> {
    let first = next_part(tokens)?;
    match first.kind {
        TokenKind::Open => {
            tokens.return_to(first.range.start);
            tokens.value()
        }
        // A bracket closes where a value should be: the text is broken, and there is none.
        TokenKind::Close => {
            tokens.return_to(first.range.start);
            None
        }
        _ => Some(first.range),
    }
}

/// The text with replaced pieces, which come in order.
struct Edits<'a> {
    text: &'a str,
    out: String,
    copied: usize,
}

impl Edits<'_> {
    /// Puts a JSON string of `new` in the place of a token.
    fn replace(&mut self, range: Range<usize>, new: &str) {
        self.out
            .push_str(self.text.get(self.copied..range.start).unwrap_or_default());
        write_string(new, &mut self.out);
        self.copied = range.end;
    }

    fn finish(mut self) -> Option<String> {
        if self.copied == 0 {
            return None;
        }
        self.out
            .push_str(self.text.get(self.copied..).unwrap_or_default());
        Some(self.out)
    }
}
