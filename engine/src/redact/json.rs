//! Strings of JSON text, found without parsing it: what changes is replaced, every other byte stays.
//!
//! The scanner is tolerant, since texts of traces are often cut short: quotes, brackets and colons are
//! all it needs. It does not recurse; strings that are JSON themselves are walked by `Pass::scan`.

use std::borrow::Cow;
use std::ops::Range;

use super::names::Secrecy;
use super::redactor::{HIDDEN, Pass, RedactionField, is_hidden};
use crate::otlp::value::write_string;
use crate::otlp::{decode_base64, encode_base64, unescape};

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
    let mut tokens = Tokens { text, at: 0 };
    let mut edits = Edits {
        text,
        out: String::new(),
        copied: 0,
    };
    let mut key: Option<Cow<'_, str>> = None;
    let mut changed_keys = 0;
    let mut named: Option<Secrecy> = None;
    let mut settled = Settled::default();
    while let Some(token) = tokens.next_token() {
        match token.kind {
            Kind::Key => {
                let name = tokens.string(&token.range);
                if let Some(new) = pass.matches(&name) {
                    changed_keys += 1;
                    edits.replace(token.range, &unique(new, changed_keys));
                }
                if pass.is_allowed(&name) {
                    tokens.skip_value();
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
            Kind::String => {
                let string = tokens.string(&token.range);
                if key.as_deref().is_some_and(|key| NAME_KEYS.contains(&key)) {
                    named = Some(pass.secrecy(&string));
                }
                if let Some(new) = leaf(pass, key.as_deref(), &string) {
                    edits.replace(token.range, &new);
                }
            }
            Kind::Scalar if pass.reads_numbers() => {
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
            Kind::Scalar => {}
            Kind::Open | Kind::Close => named = None,
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
    let mut ahead = Tokens {
        text: tokens.text,
        at: tokens.at,
    };
    let value = ahead.next_token();
    if value.is_none_or(|value| value.kind == Kind::Open) {
        return false;
    }
    let next = ahead.next_token().map(|token| ahead.string(&token.range));
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
    let start = tokens.at;
    if start < *settled {
        return;
    }
    let Some(range) = tokens.skip_value() else {
        return;
    };
    let value = tokens.text.get(range.clone()).unwrap_or_default();
    let is_hidden = match value.as_bytes().first() {
        Some(b'"') => pass.hide(secrecy, &tokens.string(&range)).is_some(),
        Some(b'{' | b'[') if says_something(tokens.text, &range, secrecy) => {
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
        tokens.at = start;
    }
}

/// Words of JSON, which say nothing.
fn is_word(scalar: &str) -> bool {
    matches!(scalar, "null" | "true" | "false")
}

/// Whether an object or array holds anything; where the name is only likely to mean secrets, any text.
fn says_something(text: &str, range: &Range<usize>, secrecy: Secrecy) -> bool {
    let mut tokens = Tokens {
        text: text.get(..range.end).unwrap_or_default(),
        at: range.start,
    };
    while let Some(token) = tokens.next_token() {
        let is_something = match token.kind {
            Kind::Open | Kind::Close => false,
            Kind::String => {
                !tokens.string(&token.range).is_empty() && !is_hidden(&tokens.string(&token.range))
            }
            Kind::Scalar => {
                secrecy == Secrecy::Certain && !is_word(text.get(token.range).unwrap_or_default())
            }
            Kind::Key => false,
        };
        if is_something {
            return true;
        }
    }
    false
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Key,
    String,
    Scalar,
    Open,
    Close,
}

/// Strings with their quotes.
struct Token {
    kind: Kind,
    range: Range<usize>,
}

struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn next_token(&mut self) -> Option<Token> {
        loop {
            let (start, byte) = (self.at, self.byte(self.at)?);
            self.at += 1;
            let kind = match byte {
                b'"' => {
                    self.at = self.string_end();
                    if self.is_key() {
                        Kind::Key
                    } else {
                        Kind::String
                    }
                }
                b'{' | b'[' => Kind::Open,
                b'}' | b']' => Kind::Close,
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => continue,
                _ => {
                    let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                    let ends = |b: &u8| {
                        matches!(b, b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']') || *b <= b' '
                    };
                    self.at += rest.iter().position(ends).unwrap_or(rest.len());
                    Kind::Scalar
                }
            };
            return Some(Token {
                kind,
                range: start..self.at,
            });
        }
    }

    /// Past the closing quote, or the end of a text that is cut short.
    fn string_end(&self) -> usize {
        let mut at = self.at;
        loop {
            let rest = self.text.as_bytes().get(at..).unwrap_or_default();
            match memchr::memchr2(b'"', b'\\', rest) {
                None => return self.text.len(),
                Some(found) if rest.get(found) == Some(&b'"') => return at + found + 1,
                Some(found) => at = (at + found + 2).min(self.text.len()),
            }
        }
    }

    fn is_key(&self) -> bool {
        let mut at = self.at;
        while matches!(self.byte(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            at += 1;
        }
        self.byte(at) == Some(b':')
    }

    /// What a string says; of one that cannot be decoded, what stands between its quotes.
    fn string(&self, range: &Range<usize>) -> Cow<'a, str> {
        let quoted = self.text.get(range.clone()).unwrap_or_default();
        let inner = quoted.strip_prefix('"').unwrap_or(quoted);
        let inner = inner.strip_suffix('"').unwrap_or(inner);
        if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
            return Cow::Borrowed(inner);
        }
        unescape(quoted).unwrap_or(Cow::Borrowed(inner))
    }

    /// Steps over the value that is next and gives where it is.
    fn skip_value(&mut self) -> Option<Range<usize>> {
        let first = self.next_token()?;
        let mut depth = match first.kind {
            Kind::Open => 1,
            // A bracket closes where a value should be: the text is broken, and there is none.
            Kind::Close => {
                self.at = first.range.start;
                return None;
            }
            _ => return Some(first.range),
        };
        let start = first.range.start;
        while depth > 0 {
            match self.next_token() {
                Some(token) if token.kind == Kind::Open => depth += 1,
                Some(token) if token.kind == Kind::Close => depth -= 1,
                Some(_) => {}
                None => break,
            }
        }
        Some(start..self.at)
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
