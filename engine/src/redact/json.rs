//! Strings of JSON text, found without parsing it: what changes is replaced, every other byte stays.
//!
//! The scanner is tolerant, since texts of traces are often cut short: quotes, brackets and colons are
//! all it needs. It does not recurse; strings that are JSON themselves are walked by `Pass::scan`.

use std::borrow::Cow;
use std::ops::Range;

use super::redactor::{HIDDEN, Pass, RedactionField};
use crate::otlp::value::write_string;
use crate::otlp::{decode_base64, encode_base64, unescape};

/// The key under which attributes hold bytes.
const BYTES_KEY: &str = "$bytes";

/// Whether a text may be a JSON object, array or string.
pub(super) fn looks_like_json(text: &str) -> bool {
    matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'"'))
}

/// Walks JSON that is itself the text of a value: its strings go through the patterns.
pub(super) fn walk_nested(pass: &mut Pass<'_>, text: &str, depth: usize) -> Option<String> {
    walk(pass, text, &mut |pass, _, string| pass.scan(string, depth + 1))
}

/// Walks a JSON document whose strings are values of their own, through the callback as well.
pub(super) fn walk_document(pass: &mut Pass<'_>, part: &str, json: &str) -> Option<String> {
    walk(pass, json, &mut |pass, key, string| {
        if key == Some(BYTES_KEY) {
            return bytes(pass, part, string);
        }
        pass.text(RedactionField { part, key }, string)
    })
}

/// Bytes that are text, looked at as text.
fn bytes(pass: &mut Pass<'_>, part: &str, base64: &str) -> Option<String> {
    let bytes = decode_base64(base64)?;
    let field = RedactionField { part, key: Some(BYTES_KEY) };
    let changed = pass.text(field, &String::from_utf8_lossy(&bytes))?;
    Some(encode_base64(changed.as_bytes()))
}

type Leaf<'f> = dyn FnMut(&mut Pass<'_>, Option<&str>, &str) -> Option<String> + 'f;

fn walk(pass: &mut Pass<'_>, text: &str, leaf: &mut Leaf<'_>) -> Option<String> {
    let mut tokens = Tokens { text, at: 0 };
    let mut edits = Edits { text, out: String::new(), copied: 0 };
    let mut key: Option<Cow<'_, str>> = None;
    let mut changed_keys = 0;
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
                } else if pass.is_secret(&name) {
                    let value = tokens.skip_value();
                    hide(pass, text, value, &mut edits);
                }
                key = Some(name);
            }
            Kind::String => {
                let string = tokens.string(&token.range);
                if let Some(new) = leaf(pass, key.as_deref(), &string) {
                    edits.replace(token.range, &new);
                }
            }
            Kind::Scalar if pass.reads_numbers() => {
                let scalar = text.get(token.range.clone()).unwrap_or_default();
                let is_number = scalar.starts_with(|c: char| c == '-' || c.is_ascii_digit());
                let changed = if is_number { pass.matches(scalar) } else { None };
                if let Some(new) = changed {
                    edits.replace(token.range, &new);
                }
            }
            Kind::Scalar | Kind::Open | Kind::Close => {}
        }
    }
    edits.finish()
}

/// Keys that become the same text stay different keys.
fn unique(key: String, count: usize) -> String {
    if count == 1 { key } else { format!("{key} {count}") }
}

/// Replaces a value under a secret name, unless it says nothing.
fn hide(pass: &mut Pass<'_>, text: &str, value: Option<Range<usize>>, edits: &mut Edits<'_>) {
    let Some(range) = value else { return };
    let value = text.get(range.clone()).unwrap_or_default();
    let compact: String = value.chars().filter(|c| !c.is_whitespace()).take(3).collect();
    if matches!(value, "null" | "true" | "false") || matches!(compact.as_str(), "{}" | "[]") {
        return;
    }
    if pass.hide(value.trim_start_matches('"')).is_some() {
        edits.replace(range, HIDDEN);
    }
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
                    if self.is_key() { Kind::Key } else { Kind::String }
                }
                b'{' | b'[' => Kind::Open,
                b'}' | b']' => Kind::Close,
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => continue,
                _ => {
                    let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                    let ends =
                        |b: &u8| matches!(b, b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']') || *b <= b' ';
                    self.at += rest.iter().position(ends).unwrap_or(rest.len());
                    Kind::Scalar
                }
            };
            return Some(Token { kind, range: start..self.at });
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
        self.out.push_str(self.text.get(self.copied..range.start).unwrap_or_default());
        write_string(new, &mut self.out);
        self.copied = range.end;
    }

    fn finish(mut self) -> Option<String> {
        if self.copied == 0 {
            return None;
        }
        self.out.push_str(self.text.get(self.copied..).unwrap_or_default());
        Some(self.out)
    }
}
