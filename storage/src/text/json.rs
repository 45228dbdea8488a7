//! A JSON scanner that hands out the pieces of a text without building a tree. It accepts what
//! Python's `json.loads` accepts (so `NaN` and `Infinity` too), to any depth, without recursion.
//!
//! Invariants:
//! 1. Keys and texts come out still escaped, but with every escape checked: [`unescape`] cannot fail.
//! 2. After [`NotJson`] nothing more is to be asked; what came out before must be thrown away.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::cut::{cut, items};
use crate::segment::MARKS;

/// The text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotJson;

/// One piece of a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    BeginObject,
    BeginArray,
    /// End of an object or array.
    End,
    /// Key of an object, still escaped.
    Key(&'a str),
    /// A string value, still escaped.
    Text(&'a str),
    /// A string value that a mark stands for, as it is.
    Marked(&'a str),
    /// A number as written, or `NaN`, `Infinity`, `-Infinity`.
    Number(&'a str),
    /// `true`, `false` or `null`.
    Literal(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
    Nothing,
}

/// The scanner.
pub(super) struct Scanner<'a> {
    text: &'a str,
    position: usize,
    /// Open containers, `true` for an object.
    open: Vec<bool>,
    expect: Expect,
    /// What marks stand for.
    marked: [Option<&'a str>; 2],
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self::with_marks(text, [None; 2])
    }

    /// A scanner of an object among whose values, but not deeper, [`MARKS`] may stand for these strings.
    pub(super) fn with_marks(text: &'a str, marked: [Option<&'a str>; 2]) -> Self {
        Self {
            text,
            position: 0,
            open: Vec::new(),
            expect: Expect::Value,
            marked,
        }
    }

    /// Open containers.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Where the next piece is looked for: after a beginning or an end, the byte that follows it.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The next piece; `None` at the end of a complete text.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'a>>, NotJson> {
        loop {
            self.skip_space();
            debug_assert!(
                self.text.is_char_boundary(self.position),
                "pieces are on borders of characters"
            );
            let byte = self.byte();
            match (self.expect, byte) {
                (Expect::Nothing, None) => return Ok(None),
                (Expect::CommaOrEnd, Some(b',')) => {
                    self.position += 1;
                    self.expect = if self.in_object() {
                        Expect::Key
                    } else {
                        Expect::Value
                    };
                }
                (Expect::CommaOrEnd | Expect::KeyOrEnd, Some(b'}')) if self.in_object() => {
                    return self.end();
                }
                (Expect::CommaOrEnd | Expect::ValueOrEnd, Some(b']')) if !self.in_object() => {
                    return self.end();
                }
                (Expect::Key | Expect::KeyOrEnd, Some(b'"')) => return self.key(),
                (Expect::Value | Expect::ValueOrEnd, Some(byte)) => return self.value(byte),
                _ => return Err(NotJson),
            }
        }
    }

    fn value(&mut self, byte: u8) -> Result<Option<Piece<'a>>, NotJson> {
        match byte {
            b'{' => return Ok(Some(self.begin(true))),
            b'[' => return Ok(Some(self.begin(false))),
            _ => {}
        }
        let piece = match byte {
            b'"' => Piece::Text(self.string()?),
            b't' => self.word("true", Piece::Literal("true"))?,
            b'f' => self.word("false", Piece::Literal("false"))?,
            b'n' => self.word("null", Piece::Literal("null"))?,
            b'N' => self.word("NaN", Piece::Number("NaN"))?,
            b'I' => self.word("Infinity", Piece::Number("Infinity"))?,
            _ => match self.mark() {
                Some(text) => Piece::Marked(text),
                None => self.number()?,
            },
        };
        self.expect_after_value();
        Ok(Some(piece))
    }

    /// What the mark here stands for, if there is one.
    fn mark(&mut self) -> Option<&'a str> {
        let rest = self
            .text
            .get(self.position..)
            .filter(|_| self.open.len() == 1)?;
        let (mark, text) = MARKS
            .into_iter()
            .zip(self.marked)
            .find(|(mark, _)| rest.starts_with(mark))?;
        self.position += mark.len();
        text
    }

    fn begin(&mut self, object: bool) -> Piece<'a> {
        self.position += 1;
        self.open.push(object);
        self.expect = if object {
            Expect::KeyOrEnd
        } else {
            Expect::ValueOrEnd
        };
        if object {
            Piece::BeginObject
        } else {
            Piece::BeginArray
        }
    }

    fn end(&mut self) -> Result<Option<Piece<'a>>, NotJson> {
        self.position += 1;
        let was_open = self.open.pop();
        debug_assert!(was_open.is_some(), "what ends has begun");
        self.expect_after_value();
        Ok(Some(Piece::End))
    }

    fn expect_after_value(&mut self) {
        self.expect = if self.open.is_empty() {
            Expect::Nothing
        } else {
            Expect::CommaOrEnd
        };
    }

    fn key(&mut self) -> Result<Option<Piece<'a>>, NotJson> {
        let key = self.string()?;
        self.skip_space();
        if self.byte() != Some(b':') {
            return Err(NotJson);
        }
        self.position += 1;
        self.expect = Expect::Value;
        Ok(Some(Piece::Key(key)))
    }

    /// The inside of the string that starts here, with its escapes checked.
    fn string(&mut self) -> Result<&'a str, NotJson> {
        let start = self.position + 1;
        let mut at = start;
        loop {
            let rest = self.text.as_bytes().get(at..).ok_or(NotJson)?;
            let stop = memchr2(b'"', b'\\', rest).ok_or(NotJson)?;
            // Without a way out of the loop this is done many bytes at a time.
            let passed = items(rest, ..stop);
            if passed
                .iter()
                .fold(false, |found, byte| found | (*byte < 0x20))
            {
                return Err(NotJson);
            }
            at += stop;
            match rest.get(stop) {
                Some(b'"') => break,
                Some(b'\\') => at += escape_len(items(rest, stop + 1..))?,
                _ => return Err(NotJson),
            }
        }
        self.position = at + 1;
        self.text.get(start..at).ok_or(NotJson)
    }

    fn word(&mut self, word: &str, piece: Piece<'a>) -> Result<Piece<'a>, NotJson> {
        if !self
            .text
            .get(self.position..)
            .is_some_and(|rest| rest.starts_with(word))
        {
            return Err(NotJson);
        }
        self.position += word.len();
        Ok(piece)
    }

    fn number(&mut self) -> Result<Piece<'a>, NotJson> {
        let start = self.position;
        if self.byte() == Some(b'-') {
            self.position += 1;
            if self.byte() == Some(b'I') {
                return self.word("Infinity", Piece::Number("-Infinity"));
            }
        }
        match self.byte() {
            Some(b'0') => self.position += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.position += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits()?;
        }
        self.text
            .get(start..self.position)
            .map(Piece::Number)
            .ok_or(NotJson)
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.position;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
        if self.position == start {
            Err(NotJson)
        } else {
            Ok(())
        }
    }

    fn in_object(&self) -> bool {
        self.open.last() == Some(&true)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }
}

/// Bytes of the escape whose backslash is followed by `rest`.
fn escape_len(rest: &[u8]) -> Result<usize, NotJson> {
    match rest.first() {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u')
            if rest
                .get(1..5)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
        {
            Ok(6)
        }
        _ => Err(NotJson),
    }
}

/// Appends the meaning of the inside of a string to `out`. A lone surrogate becomes U+FFFD.
pub(super) fn unescape(escaped: &str, out: &mut String) {
    let mut rest = escaped;
    while let Some(found) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(cut(rest, ..found));
        let after = cut(rest, found + 1..);
        debug_assert!(
            escape_len(after.as_bytes()).is_ok(),
            "escapes were checked by the scanner"
        );
        let Some(kind) = after.chars().next() else {
            return;
        };
        rest = cut(after, kind.len_utf8()..);
        match kind {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => rest = push_code(rest, out),
            other => out.push(other),
        }
    }
    out.push_str(rest);
}

/// Appends the character of the code at the beginning of `rest`; what is left after it.
fn push_code<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let Some((unit, after)) = hex4(rest) else {
        return rest;
    };
    if let Some((low, after_low)) = after.strip_prefix("\\u").and_then(hex4)
        && (0xD800..0xDC00).contains(&unit)
        && (0xDC00..0xE000).contains(&low)
    {
        let code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        out.push(character(code));
        return after_low;
    }
    out.push(character(unit));
    after
}

/// The character of a code; U+FFFD of one that is none.
fn character(code: u32) -> char {
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn hex4(text: &str) -> Option<(u32, &str)> {
    Some((
        u32::from_str_radix(text.get(..4)?, 16).ok()?,
        text.get(4..)?,
    ))
}

/// A number as Python's `json.dumps(json.loads(number))` writes it.
pub(super) fn python_number(number: &str) -> Cow<'_, str> {
    if number == "-0" {
        return Cow::Borrowed("0");
    }
    if !number.contains(['.', 'e', 'E']) {
        return Cow::Borrowed(number);
    }
    number.parse().map_or(Cow::Borrowed(number), |value| {
        Cow::Owned(python_float(value))
    })
}

fn python_float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 {
            "Infinity".to_owned()
        } else {
            "-Infinity".to_owned()
        };
    }
    let scientific = format!("{value:e}");
    let parts = scientific
        .split_once('e')
        .map(|(mantissa, exponent)| (mantissa, exponent.parse::<i32>()));
    let Some((mantissa, Ok(exponent))) = parts else {
        return scientific;
    };
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        return if plain.contains('.') {
            plain
        } else {
            plain + ".0"
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Result<Vec<Piece<'_>>, NotJson> {
        let mut scanner = Scanner::new(text);
        let mut found = Vec::new();
        while let Some(piece) = scanner.next()? {
            found.push(piece);
        }
        Ok(found)
    }

    #[test]
    fn pieces_come_in_order() {
        use Piece::*;
        let expected = [
            BeginObject,
            Key("a"),
            BeginArray,
            Number("1"),
            Text("x\\n"),
            Literal("null"),
            End,
            Key("b"),
            Number("-2.50"),
            End,
        ];
        assert_eq!(
            pieces(r#" {"a": [1, "x\n", null], "b":-2.50} "#).unwrap(),
            expected
        );
        assert_eq!(
            pieces("[NaN,-Infinity]").unwrap(),
            [BeginArray, Number("NaN"), Number("-Infinity"), End]
        );
        assert_eq!(pieces("{}").unwrap(), [BeginObject, End]);
    }

    #[test]
    fn what_python_refuses_is_refused() {
        let bad = [
            "",
            "{",
            "[1,]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "[01]",
            "[1.]",
            "[.5]",
            "[-]",
            "[1e]",
            "[tru]",
            "[\"\u{1}\"]",
            "[\"\\x\"]",
            "[\"\\u12g4\"]",
            "[\"a]",
            "[1]]",
            "[1}",
            "{1:2}",
            "{'a':1}",
            "[\"a\nb\"]",
            "[1] x",
            "{\"a\":1,}",
        ];
        for text in bad {
            assert_eq!(pieces(text), Err(NotJson), "{text}");
        }
        for text in [&"[".repeat(100_000), &"{\"a\":".repeat(100_000)] {
            assert_eq!(pieces(text), Err(NotJson));
        }
        assert!(pieces(&("[".repeat(100_000) + &"]".repeat(100_000))).is_ok());
    }

    #[test]
    fn escapes_mean_what_json_says() {
        let mut out = String::new();
        unescape(
            r#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\udcf6\ud83dx\udcf6"#,
            &mut out,
        );
        assert_eq!(out, "a\"\\/\u{8}\u{c}\n\r\té📶\u{fffd}x\u{fffd}");
    }

    #[test]
    fn numbers_are_written_as_python_does() {
        let cases = [
            ("-0", "0"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("1.0", "1.0"),
            ("1.10", "1.1"),
            ("1e5", "100000.0"),
            ("1e16", "1e+16"),
            ("1.5e-7", "1.5e-07"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1e400", "Infinity"),
            ("-1e400", "-Infinity"),
            ("123456789012345680.0", "1.2345678901234568e+17"),
            ("NaN", "NaN"),
            ("-0.0", "-0.0"),
            ("-7", "-7"),
            ("1e22", "1e+22"),
            ("1e-300", "1e-300"),
        ];
        for (written, expected) in cases {
            assert_eq!(python_number(written), expected, "{written}");
        }
    }
}
