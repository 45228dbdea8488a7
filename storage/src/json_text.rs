//! Strings as they stand in JSON, as `serde_json` and this crate write them.

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * EACH;

/// How many bytes from the first on stand for themselves in a JSON string: up to a quote, a backslash or a
/// control character.
pub fn plain_len(text: &[u8]) -> usize {
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

/// Appends the string literal of a text.
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
