//! A position in a JSON text: the tokens the OTLP/JSON reader asks for, without a tree.
//!
//! Why not serde_json: its depth limit counts brackets (four per OTLP value level) and cannot be raised
//! per document, a lone surrogate or one too deep value would cost the whole document, and exact
//! doubles need another feature of it. Strings without escapes are borrowed from the text.
//!
//! Invariants: `at` is on a character boundary; no call recurses; every byte is looked at a bounded
//! number of times.

use std::borrow::Cow;

use tracehouse_storage::json_text::plain_len;

use super::error::DecodeError;

type Result<T> = std::result::Result<T, DecodeError>;

/// A reading position in `text`.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn error<T>(&self, message: &str) -> Result<T> {
        Err(DecodeError::json(self.at, message))
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// The first byte of the next token.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.byte()
    }

    fn expect(&mut self, wanted: u8, message: &str) -> Result<()> {
        if self.peek() != Some(wanted) {
            return self.error(message);
        }
        self.at += 1;
        Ok(())
    }

    /// Enters an object; `next_key` follows.
    pub(super) fn open_object(&mut self) -> Result<()> {
        self.expect(b'{', "expected an object")
    }

    /// Enters an array; `next_item` follows.
    pub(super) fn open_array(&mut self) -> Result<()> {
        self.expect(b'[', "expected an array")
    }

    /// Steps to the next member and reads its key, or leaves the object. `first` starts as true.
    pub(super) fn next_key(&mut self, first: &mut bool) -> Result<Option<Cow<'a, str>>> {
        if !self.next_element(first, b'}', "expected `,` or `}`")? {
            return Ok(None);
        }
        let key = self.string()?;
        self.expect(b':', "expected `:`")?;
        Ok(Some(key))
    }

    /// Steps to the next element and says whether there is one. `first` starts as true.
    pub(super) fn next_item(&mut self, first: &mut bool) -> Result<bool> {
        self.next_element(first, b']', "expected `,` or `]`")
    }

    fn next_element(&mut self, first: &mut bool, close: u8, message: &str) -> Result<bool> {
        let next = self.peek();
        if next == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',', message)?;
        }
        match self.peek() {
            Some(_) => Ok(true),
            None => self.error("the document ends inside a value"),
        }
    }

    fn literal(&mut self, word: &str) -> bool {
        self.peek();
        let found = self.rest().starts_with(word.as_bytes());
        if found {
            self.at += word.len();
        }
        found
    }

    /// Reads `null` if it is next.
    pub(super) fn null(&mut self) -> bool {
        self.peek() == Some(b'n') && self.literal("null")
    }

    /// Reads `true` or `false`.
    pub(super) fn boolean(&mut self) -> Result<bool> {
        if self.literal("true") {
            return Ok(true);
        }
        if self.literal("false") {
            Ok(false)
        } else {
            self.error("expected true or false")
        }
    }

    /// Reads a number as its text.
    pub(super) fn number(&mut self) -> Result<&'a str> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return self.error("expected a number");
        }
        let start = self.at;
        while matches!(
            self.byte(),
            Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
        ) {
            self.at += 1;
        }
        Ok(self.slice(start, self.at))
    }

    /// Reads a string. An escaped surrogate without its partner becomes U+FFFD.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>> {
        self.expect(b'"', "expected a string")?;
        let start = self.at;
        let stop = self.string_stop()?;
        if self.text.as_bytes().get(stop) == Some(&b'"') {
            self.at = stop + 1;
            return Ok(Cow::Borrowed(self.slice(start, stop)));
        }
        self.unescape(start, stop).map(Cow::Owned)
    }

    /// The position of the next quote or backslash from here on.
    fn string_stop(&self) -> Result<usize> {
        let at = self.at + plain_len(self.rest());
        match self.text.as_bytes().get(at) {
            Some(b'"' | b'\\') => Ok(at),
            Some(_) => self.error("a control character inside a string has to be escaped"),
            None => self.error("the document ends inside a string"),
        }
    }

    fn unescape(&mut self, start: usize, first_stop: usize) -> Result<String> {
        let mut out = String::with_capacity((first_stop - start).max(32) * 2);
        let (mut run, mut stop) = (start, first_stop);
        loop {
            out.push_str(self.slice(run, stop));
            self.at = stop + 1;
            if self.text.as_bytes().get(stop) == Some(&b'"') {
                return Ok(out);
            }
            let escaped = self.escape()?;
            out.push(escaped);
            run = self.at;
            stop = self.string_stop()?;
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char> {
        let byte = self.byte();
        self.at += 1;
        Ok(match byte {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => self.unicode_escape()?,
            _ => {
                self.at -= 1;
                return self.error("unknown escape in a string");
            }
        })
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let first = self.hex4()?;
        if (0xD800..0xDC00).contains(&first) && self.rest().starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|d| u32::from_str_radix(d, 16).ok()) else {
            return self.error("expected four hex digits after \\u");
        };
        self.at += 4;
        Ok(code)
    }

    /// Steps over one value of any kind and depth. Brackets must match; commas and colons inside are
    /// not checked.
    pub(super) fn skip(&mut self) -> Result<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(b'{') => open.push(b'}'),
                Some(b'[') => open.push(b']'),
                Some(close @ (b'}' | b']')) => {
                    if open.pop() != Some(close) {
                        return self.error("brackets do not match");
                    }
                }
                Some(b',' | b':') if !open.is_empty() => {}
                Some(_) => {
                    self.skip_scalar()?;
                    self.at -= 1;
                }
                None => return self.error("the document ends inside a value"),
            }
            self.at += 1;
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    fn skip_scalar(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            _ if self.null() => Ok(()),
            _ => self
                .boolean()
                .map(drop)
                .or_else(|_| self.error("expected a value")),
        }
    }

    /// Checks that nothing follows.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.peek().is_some() {
            self.error("text after the end of the document")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Result<String> {
        Cursor::new(text).string().map(Cow::into_owned)
    }

    #[test]
    fn strings_read_as_serde_json_reads_them() {
        for text in [
            r#""""#,
            r#""plain ü""#,
            r#""a\"b\\c\/d\b\f\n\r\t""#,
            r#""\u0041\ud83d\ude80 \u0000""#,
        ] {
            assert_eq!(
                string(text).unwrap(),
                serde_json::from_str::<String>(text).unwrap()
            );
        }
        for text in [
            r#""open"#,
            r#""\x""#,
            r#""\u12""#,
            "\"a\nb\"",
            r#""\"#,
            "x",
            "",
        ] {
            assert!(string(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lone_surrogates_become_the_replacement_character() {
        assert_eq!(string(r#""a\ud83d""#).unwrap(), "a\u{fffd}");
        assert_eq!(string(r#""\ude80b""#).unwrap(), "\u{fffd}b");
        assert_eq!(string(r#""\ud83d\u0041""#).unwrap(), "\u{fffd}A");
    }

    #[test]
    fn skip_steps_over_any_depth() {
        let deep = format!("{}1{} ,", "[{\"a\":".repeat(50_000), "}]".repeat(50_000));
        let mut cursor = Cursor::new(&deep);
        cursor.skip().unwrap();
        assert_eq!(cursor.peek(), Some(b','));
        for bad in ["[", "[}", "{\"a\"", "nul", "}", ""] {
            assert!(Cursor::new(bad).skip().is_err(), "{bad}");
        }
    }
}
