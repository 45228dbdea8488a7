//! Strings as they stand in JSON: what their bytes and escapes mean, and how a text is written as one.

use std::borrow::Cow;

use memchr::memchr;

use super::scanner::{Fault, Grammar, Scanner};

/// What a string literal says with which a text begins; `None` when it is none, or is cut short.
pub fn decoded_literal(json: &str) -> Option<Cow<'_, str>> {
    Scanner::new(json, Grammar::Strict).decoded().ok()
}

/// The bytes of a string before its closing quote; its escapes are checked.
pub(super) fn string_len(text: &str) -> Result<usize, Fault> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        let start = at;
        at += plain_len(bytes.get(at..).unwrap_or_default());
        let fault = |message| Fault { at: start, message };
        match bytes.get(at) {
            Some(b'"') => return Ok(at),
            Some(b'\\') => at += escape_len(bytes, at)?,
            Some(_) => {
                return Err(fault(
                    "a control character inside a string has to be escaped",
                ));
            }
            None => return Err(fault("the document ends inside a string")),
        }
    }
}

/// What a string says, and its bytes before its closing quote.
pub(super) fn decoded_string(text: &str) -> Result<(String, usize), Fault> {
    let len = string_len(text)?;
    // An escape is never shorter than what it stands for.
    let mut out = String::with_capacity(len);
    push_decoded(text.get(..len).unwrap_or_default(), &mut out);
    debug_assert!(out.len() <= len, "no escape stands for more bytes");
    Ok((out, len))
}

/// The bytes of the escape that begins at a byte; of a pair of surrogates, those of the first.
fn escape_len(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => match bytes.get(at + 2..at + 6) {
            Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => Ok(6),
            _ => Err(Fault {
                at: at + 2,
                message: "expected four hex digits after \\u",
            }),
        },
        _ => Err(Fault {
            at: at + 1,
            message: "unknown escape in a string",
        }),
    }
}

/// Appends what the inside of a string says, whose escapes were checked. A surrogate without its partner becomes U+FFFD.
pub fn push_decoded(escaped: &str, out: &mut String) {
    let mut rest = escaped;
    while let Some((plain, escape)) =
        memchr(b'\\', rest.as_bytes()).and_then(|at| rest.split_at_checked(at))
    {
        out.push_str(plain);
        debug_assert!(
            escape_len(escape.as_bytes(), 0).is_ok(),
            "escapes were checked by the scanner"
        );
        let (character, len) = escaped_character(escape);
        out.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = escape.get(len..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// The character of the escape that a text begins with, and its bytes: both of a pair of surrogates, `None` and one for
/// half a pair.
pub fn escaped_character(escape: &str) -> (Option<char>, usize) {
    debug_assert!(
        escape.is_empty() || escape.starts_with('\\'),
        "an escape begins here, or nothing"
    );
    let character = match escape.as_bytes().get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return numbered_character(escape),
        Some(other) => char::from(*other),
        None => return (None, escape.len()),
    };
    (Some(character), 2)
}

fn numbered_character(escape: &str) -> (Option<char>, usize) {
    const UNIT_BYTES: usize = r"\u0000".len();
    debug_assert!(escape.starts_with("\\u"), "the escape has a number");
    let unit = |at: usize| {
        let digits = escape.get(at..at + UNIT_BYTES)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(0) else {
        return (None, 2);
    };
    match (char::from_u32(first), unit(UNIT_BYTES)) {
        (None, Some(second))
            if (0xD800..0xDC00).contains(&first) && (0xDC00..0xE000).contains(&second) =>
        {
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            (char::from_u32(code), 2 * UNIT_BYTES)
        }
        (character, _) => (character, UNIT_BYTES),
    }
}

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * EACH;

/// How many bytes from the first on stand for themselves in a JSON string: up to a quote, a backslash or a
/// control character.
pub(super) fn plain_len(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        // Of a word's bytes the lowest that is told is a right one; those above it may be wrong.
        let word = u64::from_le_bytes(*word);
        let is_zero = |word: u64| word.wrapping_sub(EACH) & !word;
        let is_control = word.wrapping_sub(0x20 * EACH) & !word;
        let (quote, backslash) = (u64::from(b'"') * EACH, u64::from(b'\\') * EACH);
        let special = (is_zero(word ^ quote) | is_zero(word ^ backslash) | is_control) & HIGH;
        if special != 0 {
            return at * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| *byte < 0x20 || matches!(*byte, b'"' | b'\\');
    words.len() * 8 + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// What a byte at which [`plain_len`] ends is written as.
fn escape(byte: u8) -> Escape {
    let short = |letter: u8| Escape {
        bytes: [b'\\', letter, 0, 0, 0, 0],
        len: 2,
    };
    let digit = |half: u8| {
        if half < 10 {
            b'0' + half
        } else {
            b'a' + half - 10
        }
    };
    match byte {
        b'"' | b'\\' => short(byte),
        b'\n' => short(b'n'),
        b'\r' => short(b'r'),
        b'\t' => short(b't'),
        0x08 => short(b'b'),
        0x0c => short(b'f'),
        _ => Escape {
            bytes: [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)],
            len: 6,
        },
    }
}

/// An escape sequence.
#[derive(Debug, Clone, Copy)]
struct Escape {
    bytes: [u8; 6],
    len: usize,
}

impl Escape {
    /// Its text, which is ASCII.
    fn as_str(&self) -> &str {
        debug_assert!(
            self.bytes.is_ascii() && self.len <= self.bytes.len(),
            "an escape is ASCII"
        );
        self.bytes
            .get(..self.len)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

/// Appends the string literal of a text, as `serde_json` writes it.
pub fn write_string(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some((plain, special)) = rest.split_at_checked(plain_len(rest.as_bytes())) {
        out.push_str(plain);
        let Some(&byte) = special.as_bytes().first() else {
            break;
        };
        out.push_str(escape(byte).as_str());
        rest = special.split_at(1).1;
    }
    out.push('"');
}

/// The length of the string literal of `text`, quotes included, when `json` begins with it.
pub(crate) fn literal_len(json: &str, text: &str) -> Option<usize> {
    /// Most others differ here.
    const HEAD_BYTES: usize = 16;
    let (json, mut rest) = (json.as_bytes(), text.as_bytes());
    let mut at = usize::from(json.first() == Some(&b'"'));
    let head = rest.get(..HEAD_BYTES.min(rest.len()))?;
    let plain = head.get(..plain_len(head))?;
    if at == 0 || !json.get(at..)?.starts_with(plain) {
        return None;
    }
    loop {
        let (plain, special) = rest.split_at_checked(plain_len(rest))?;
        if !json.get(at..)?.starts_with(plain) {
            return None;
        }
        at += plain.len();
        let Some((byte, after)) = special.split_first() else {
            break;
        };
        let escape = escape(*byte);
        if !json.get(at..)?.starts_with(escape.as_str().as_bytes()) {
            return None;
        }
        at += escape.len;
        rest = after;
    }
    (json.get(at) == Some(&b'"')).then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_wherever_it_stands() {
        for byte in 0..=255_u8 {
            for (len, rest) in (0..40).flat_map(|len| [b'x', b'"', 0, 0xff].map(|rest| (len, rest)))
            {
                for at in 0..len {
                    let mut text = vec![rest; len];
                    text[..at].fill(0x80);
                    text[at] = byte;
                    let special = text
                        .iter()
                        .position(|b| *b < 0x20 || matches!(b, b'"' | b'\\'));
                    assert_eq!(plain_len(&text), special.unwrap_or(len), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn escapes_mean_what_json_says() {
        let mut out = String::new();
        push_decoded(
            r#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\udcf6\ud83dx\udcf6"#,
            &mut out,
        );
        assert_eq!(out, "a\"\\/\u{8}\u{c}\n\r\té📶\u{fffd}x\u{fffd}");
        assert_eq!(decoded_literal("\"a\\n\" b").unwrap(), "a\n");
        assert_eq!(decoded_literal("\"cut"), None);
    }

    #[test]
    fn literals_are_those_of_serde_json() {
        let all: String = (0..300).filter_map(char::from_u32).collect();
        let long = format!("{}\n{}", "x".repeat(40), all.repeat(3));
        for text in [
            "",
            "a",
            "\"",
            "\\\\\u{1f}\u{7f}",
            "0123456789abcdef",
            all.as_str(),
            long.as_str(),
        ] {
            let literal = serde_json::to_string(text).unwrap();
            let mut written = String::new();
            write_string(text, &mut written);
            assert_eq!(written, literal);
            assert_eq!(
                literal_len(&format!("{literal},"), text),
                Some(literal.len())
            );
            assert_eq!(literal_len(&literal, &format!("{text}x")), None);
            assert_eq!(literal_len(&literal[..literal.len() - 1], text), None);
            assert_eq!(literal_len(&literal[1..], text), None);
        }
        assert_eq!(literal_len("\"abc\"", "ab"), None);
    }
}
