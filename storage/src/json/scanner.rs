//! A position in a JSON text, and steps from it: all that looks at single bytes of JSON, but for what is inside of a
//! string.
//!
//! Invariants:
//! 1. `at` is on a border of characters.
//! 2. No call recurses, and a text is gone over once, whatever it is.
//! 3. After a [`Fault`] nothing more is to be asked.

use std::borrow::Cow;

use super::string::{decoded_string, plain_len, string_len};

/// What a scanner takes for JSON; the table in the head of this folder says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grammar {
    /// What Python's `json.loads` takes.
    Strict,
    /// JSON whose numbers are not looked at.
    Lenient,
    /// Any text.
    Tolerant,
}

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The byte of the text where it stops being JSON.
    pub at: usize,
    /// What is wrong there.
    pub message: &'static str,
}

impl Fault {
    /// The fault of a text of which this is one of the rest from `start` on.
    fn after(self, start: usize) -> Self {
        Self {
            at: start + self.at,
            ..self
        }
    }
}

type Result<T> = std::result::Result<T, Fault>;

/// A reading position in a text.
#[derive(Debug, Clone)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    grammar: Grammar,
    /// Of the string that [`Scanner::string`] read last.
    has_escapes: bool,
}

impl<'a> Scanner<'a> {
    /// At the start of a text.
    pub fn new(text: &'a str, grammar: Grammar) -> Self {
        Self {
            text,
            at: 0,
            grammar,
            has_escapes: false,
        }
    }

    /// The text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The byte that is looked at next.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes back to where the scanner has been.
    pub fn return_to(&mut self, at: usize) {
        debug_assert!(
            at <= self.at && self.text.is_char_boundary(at),
            "a scanner goes back to a border of characters"
        );
        self.at = at;
    }

    /// A fault at this position.
    pub fn fault(&self, message: &'static str) -> Fault {
        Fault {
            at: self.at,
            message,
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What is still to be read, as bytes.
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn rest_text(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// What was read from `start` on.
    fn since(&self, start: usize) -> &'a str {
        debug_assert!(
            self.text.get(start..self.at).is_some(),
            "what was read lies inside of the text"
        );
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The first byte of what is next; white space before it is passed.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.byte()
    }

    /// Passes an ASCII byte if it is next.
    #[inline]
    pub fn pass(&mut self, wanted: u8) -> bool {
        debug_assert!(wanted.is_ascii(), "a part of a character is not passed");
        // A branch, since it is foreseen; without one, every step would wait for the one before it.
        if self.peek() == Some(wanted) {
            self.at += 1;
            true
        } else {
            false
        }
    }

    #[inline]
    fn expect(&mut self, wanted: u8, message: &'static str) -> Result<()> {
        if self.pass(wanted) {
            Ok(())
        } else {
            Err(self.fault(message))
        }
    }

    /// Passes these characters if the text goes on with them.
    pub fn pass_text(&mut self, wanted: &str) -> bool {
        let is_next = self.rest().starts_with(wanted.as_bytes());
        if is_next {
            self.at += wanted.len();
        }
        is_next
    }

    /// Enters an object; [`Scanner::next_key`] follows.
    ///
    /// # Errors
    /// When none begins here.
    pub fn open_object(&mut self) -> Result<()> {
        self.expect(b'{', "expected an object")
    }

    /// Enters an array; [`Scanner::next_item`] follows.
    ///
    /// # Errors
    /// When none begins here.
    pub fn open_array(&mut self) -> Result<()> {
        self.expect(b'[', "expected an array")
    }

    /// Steps to the next member and reads its key, or leaves the object. `first` starts as true.
    ///
    /// # Errors
    /// When there is neither a member nor the object's end.
    #[inline]
    pub fn next_key(&mut self, first: &mut bool) -> Result<Option<Cow<'a, str>>> {
        if !self.next_element(first, b'}', "expected `,` or `}`")? {
            return Ok(None);
        }
        let key = self.decoded()?;
        self.expect(b':', "expected `:`")?;
        Ok(Some(key))
    }

    /// Steps to the next element and says whether there is one. `first` starts as true.
    ///
    /// # Errors
    /// When there is neither an element nor the array's end.
    #[inline]
    pub fn next_item(&mut self, first: &mut bool) -> Result<bool> {
        self.next_element(first, b']', "expected `,` or `]`")
    }

    #[inline]
    fn next_element(&mut self, first: &mut bool, close: u8, message: &'static str) -> Result<bool> {
        if self.pass(close) {
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',', message)?;
        }
        match self.peek() {
            Some(_) => Ok(true),
            None => Err(self.fault("the document ends inside a value")),
        }
    }

    /// Reads `null` if it is next.
    pub fn null(&mut self) -> bool {
        self.peek() == Some(b'n') && self.pass_text("null")
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// When neither is next.
    pub fn boolean(&mut self) -> Result<bool> {
        self.peek();
        if self.pass_text("true") {
            return Ok(true);
        }
        if self.pass_text("false") {
            Ok(false)
        } else {
            Err(self.fault("expected true or false"))
        }
    }

    /// Reads a number as its text.
    ///
    /// # Errors
    /// When none is next.
    pub fn number(&mut self) -> Result<&'a str> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.fault("expected a number"));
        }
        let start = self.at;
        match self.grammar {
            Grammar::Strict => self.pass_number()?,
            Grammar::Lenient | Grammar::Tolerant => {
                while matches!(
                    self.byte(),
                    Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
                ) {
                    self.at += 1;
                }
            }
        }
        Ok(self.since(start))
    }

    /// Passes a number as the grammar has it, or `-Infinity`.
    fn pass_number(&mut self) -> Result<()> {
        if self.pass_text("-") && self.pass_text("Infinity") {
            return Ok(());
        }
        if !self.pass_text("0") {
            self.pass_digits()?;
        }
        if self.pass_text(".") {
            self.pass_digits()?;
        }
        if self.pass_text("e") || self.pass_text("E") {
            let _has_sign = self.pass_text("+") || self.pass_text("-");
            self.pass_digits()?;
        }
        Ok(())
    }

    fn pass_digits(&mut self) -> Result<()> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.fault("expected a digit"))
        } else {
            Ok(())
        }
    }

    /// Reads a value that is no string, object or array, as its text.
    ///
    /// # Errors
    /// When none is next.
    pub fn scalar(&mut self) -> Result<&'a str> {
        let Some(byte) = self.peek() else {
            return Err(self.fault("expected a value"));
        };
        let start = self.at;
        match (self.grammar, byte) {
            (Grammar::Tolerant, b'"' | b'{' | b'[' | b',' | b':' | b'}' | b']') => {
                return Err(self.fault("expected a value"));
            }
            (Grammar::Tolerant, _) => self.pass_any_scalar(),
            (_, b'-' | b'0'..=b'9') => return self.number(),
            _ => {
                let words: &[&str] = match self.grammar {
                    Grammar::Strict => &["null", "true", "false", "NaN", "Infinity"],
                    Grammar::Lenient | Grammar::Tolerant => &["null", "true", "false"],
                };
                if !words.iter().any(|word| self.pass_text(word)) {
                    return Err(self.fault("expected a value"));
                }
            }
        }
        Ok(self.since(start))
    }

    /// Passes what reaches to the next separator, at least one character.
    #[inline]
    fn pass_any_scalar(&mut self) {
        debug_assert!(self.byte().is_some(), "a scalar begins here");
        self.at += 1;
        while !matches!(
            self.byte(),
            None | Some(..=b' ' | b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']')
        ) {
            self.at += 1;
        }
    }

    /// Reads a string, still escaped. Its escapes are checked, whatever the grammar is.
    ///
    /// # Errors
    /// When none is next, or it is not one.
    pub fn string(&mut self) -> Result<&'a str> {
        self.expect(b'"', "expected a string")?;
        let start = self.at;
        self.at += plain_len(self.rest());
        self.has_escapes = self.byte() != Some(b'"');
        if self.has_escapes {
            self.at = start;
            self.at += string_len(self.rest_text()).map_err(|fault| fault.after(start))?;
        }
        let inside = self.since(start);
        self.at += 1;
        Ok(inside)
    }

    /// Whether the string that was read last says something else than is written.
    pub fn has_escapes(&self) -> bool {
        self.has_escapes
    }

    /// Reads what a string says. An escaped surrogate without its partner becomes U+FFFD.
    ///
    /// # Errors
    /// As [`Scanner::string`].
    #[inline]
    pub fn decoded(&mut self) -> Result<Cow<'a, str>> {
        self.expect(b'"', "expected a string")?;
        let start = self.at;
        self.at += plain_len(self.rest());
        if self.byte() == Some(b'"') {
            let text = self.since(start);
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        self.at = start;
        self.decoded_escapes().map(Cow::Owned)
    }

    #[inline(never)]
    fn decoded_escapes(&mut self) -> Result<String> {
        let start = self.at;
        let (text, len) = decoded_string(self.rest_text()).map_err(|fault| fault.after(start))?;
        self.at += len + 1;
        Ok(text)
    }

    /// Passes the rest of a string whose quote was passed, to the closing one or the end of the text.
    fn pass_any_string(&mut self) {
        while let Some(stop) = memchr::memchr2(b'"', b'\\', self.rest()) {
            self.at += stop;
            if self.byte() == Some(b'"') {
                self.at += 1;
                return;
            }
            self.at = (self.at + 2).min(self.text.len());
        }
        self.at = self.text.len();
    }

    /// Reads one value of any kind and depth, as its text. Commas and colons inside are not checked.
    ///
    /// # Errors
    /// When none is next, or brackets do not match. A scanner of any text finds the end of the text in their place.
    #[inline]
    pub fn value(&mut self) -> Result<&'a str> {
        if self.grammar == Grammar::Tolerant {
            return match self.any_value() {
                Some(value) => Ok(value),
                None => Err(self.fault("expected a value")),
            };
        }
        let Some(first) = self.peek() else {
            return Err(self.fault("the document ends inside a value"));
        };
        let start = self.at;
        self.pass_value(first)?;
        Ok(self.since(start))
    }

    fn pass_value(&mut self, first: u8) -> Result<()> {
        match first {
            b'"' => self.string().map(drop),
            b'{' | b'[' => self.pass_container(),
            b'}' | b']' => Err(self.fault("brackets do not match")),
            _ => self.scalar().map(drop),
        }
    }

    /// Reads the value of a scanner of any text; `None` where a separator or the end is.
    #[inline]
    pub(super) fn any_value(&mut self) -> Option<&'a str> {
        debug_assert_eq!(self.grammar, Grammar::Tolerant, "nothing is checked");
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => {
                self.at += 1;
                self.pass_any_string();
            }
            b'{' | b'[' => self.pass_any_container(),
            b',' | b':' | b'}' | b']' => return None,
            _ => self.pass_any_scalar(),
        }
        Some(self.since(start))
    }

    /// Passes an object or array whose brackets match.
    fn pass_container(&mut self) -> Result<()> {
        debug_assert!(matches!(self.byte(), Some(b'{' | b'[')), "it is open here");
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(b'{') => open.push(b'}'),
                Some(b'[') => open.push(b']'),
                Some(close @ (b'}' | b']')) => {
                    if open.pop() != Some(close) {
                        return Err(self.fault("brackets do not match"));
                    }
                }
                Some(b',' | b':') => {}
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(_) => {
                    self.scalar()?;
                    continue;
                }
                None => return Err(self.fault("the document ends inside a value")),
            }
            self.at += 1;
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    /// Passes an object or array to where its brackets are closed, of whatever kind they are, or the end of the text.
    fn pass_any_container(&mut self) {
        debug_assert!(matches!(self.byte(), Some(b'{' | b'[')), "it is open here");
        let mut depth = 0_usize;
        while let Some(byte) = self.byte() {
            self.at += 1;
            match byte {
                b'"' => self.pass_any_string(),
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Checks that nothing follows.
    ///
    /// # Errors
    /// When something does.
    pub fn finish(&mut self) -> Result<()> {
        if self.peek().is_some() {
            Err(self.fault("text after the end of the document"))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Result<String> {
        Scanner::new(text, Grammar::Lenient)
            .decoded()
            .map(Cow::into_owned)
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
        for (text, at) in [
            (r#""open"#, 1),
            (r#""\x""#, 2),
            (r#""\u12""#, 3),
            (r#""\ud83d\u12""#, 9),
            ("\"a\nb\"", 1),
            ("\"\\n\u{1}\"", 3),
            (r#""\"#, 2),
            ("x", 0),
            ("", 0),
        ] {
            assert_eq!(string(text).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn lone_surrogates_become_the_replacement_character() {
        assert_eq!(string(r#""a\ud83d""#).unwrap(), "a\u{fffd}");
        assert_eq!(string(r#""\ude80b""#).unwrap(), "\u{fffd}b");
        assert_eq!(string(r#""\ud83d\u0041""#).unwrap(), "\u{fffd}A");
    }

    #[test]
    fn a_value_is_passed_at_any_depth() {
        let deep = format!("{}1{} ,", "[{\"a\":".repeat(50_000), "}]".repeat(50_000));
        for grammar in [Grammar::Strict, Grammar::Lenient, Grammar::Tolerant] {
            let mut scanner = Scanner::new(&deep, grammar);
            assert_eq!(scanner.value(), Ok(&deep[..deep.len() - 2]));
            assert_eq!(scanner.peek(), Some(b','));
        }
        for bad in ["[", "[}", "{\"a\"", "nul", "}", "", ",", "[1 x]", "\"a"] {
            for grammar in [Grammar::Strict, Grammar::Lenient] {
                assert!(Scanner::new(bad, grammar).value().is_err(), "{bad}");
            }
        }
    }

    #[test]
    fn modes_differ_in_what_they_take() {
        let value = |grammar, text| Scanner::new(text, grammar).value().ok();
        let cases = [
            ("NaN", [Some("NaN"), None, Some("NaN")]),
            (
                "-Infinity",
                [Some("-Infinity"), Some("-"), Some("-Infinity")],
            ),
            ("1.2.3e", [Some("1.2"), Some("1.2.3e"), Some("1.2.3e")]),
            ("01", [Some("0"), Some("01"), Some("01")]),
            ("[1.]", [None, Some("[1.]"), Some("[1.]")]),
            ("\"a\\x\"", [None, None, Some("\"a\\x\"")]),
            ("\"cut \\", [None, None, Some("\"cut \\")]),
            ("{\"a\":[\"]", [None, None, Some("{\"a\":[\"]")]),
            ("[}x", [None, None, Some("[}")]),
            ("\u{2}i}", [None, None, Some("\u{2}i")]),
            ("é:", [None, None, Some("é")]),
            ("}", [None, None, None]),
        ];
        for (text, expected) in cases {
            let found = [Grammar::Strict, Grammar::Lenient, Grammar::Tolerant]
                .map(|grammar| value(grammar, text));
            assert_eq!(found, expected, "{text}");
        }
    }
}
