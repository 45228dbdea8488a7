//! The pieces of a JSON text in order, as an iteration.
//!
//! Invariants:
//! 1. A text that comes to its end without [`NotJson`] is JSON as Python's `json.loads` takes it (so with `NaN` and
//!    `Infinity`), to any depth.
//! 2. Keys and texts come out still escaped, but with every escape checked: `push_decoded` cannot fail.
//! 3. After [`NotJson`] nothing more is to be asked; what came out before must be thrown away.

use super::scanner::{Fault, Grammar, Scanner};

/// The text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson;

impl From<Fault> for NotJson {
    fn from(_: Fault) -> Self {
        Self
    }
}

/// One piece of a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonPiece<'a> {
    /// An object begins.
    BeginObject,
    /// An array begins.
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
    Literal(&'a str),
}

/// A mark that may stand in the place of a value, and the text that it stands for.
pub type Mark<'a> = (&'static str, &'a str);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
    Nothing,
}

/// The pieces of a text.
#[derive(Debug)]
pub struct Pieces<'a> {
    scanner: Scanner<'a>,
    /// Open containers, `true` for an object.
    open: Vec<bool>,
    expect: Expect,
    marks: [Option<Mark<'a>>; 2],
}

impl<'a> Pieces<'a> {
    /// The pieces of a text.
    pub fn of(text: &'a str) -> Self {
        Self::with_marks(text, [None; 2])
    }

    /// The pieces of an object whose own values, but not those inside of them, may be marks.
    pub fn with_marks(text: &'a str, marks: [Option<Mark<'a>>; 2]) -> Self {
        Self {
            scanner: Scanner::new(text, Grammar::Strict),
            open: Vec::new(),
            expect: Expect::Value,
            marks,
        }
    }

    /// Open containers.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Where the next piece is looked for: after a beginning or an end, the byte that follows it.
    pub fn at(&self) -> usize {
        self.scanner.at()
    }

    /// Whether the key or text that was given last is written with escapes.
    pub fn has_escapes(&self) -> bool {
        self.scanner.has_escapes()
    }

    /// The next piece; `None` at the end of a complete text.
    ///
    /// # Errors
    /// When the text is not JSON.
    #[expect(
        clippy::should_implement_trait,
        reason = "a fault ends it, unlike an item"
    )]
    pub fn next(&mut self) -> Result<Option<JsonPiece<'a>>, NotJson> {
        loop {
            let byte = self.scanner.peek();
            match (self.expect, byte) {
                (Expect::Nothing, None) => return Ok(None),
                (Expect::CommaOrEnd, Some(b',')) => {
                    self.scanner.pass(b',');
                    self.expect = if self.in_object() {
                        Expect::Key
                    } else {
                        Expect::Value
                    };
                }
                (Expect::CommaOrEnd | Expect::KeyOrEnd, Some(b'}')) if self.in_object() => {
                    return Ok(Some(self.end(b'}')));
                }
                (Expect::CommaOrEnd | Expect::ValueOrEnd, Some(b']')) if !self.in_object() => {
                    return Ok(Some(self.end(b']')));
                }
                (Expect::Key | Expect::KeyOrEnd, Some(b'"')) => return self.key().map(Some),
                (Expect::Value | Expect::ValueOrEnd, Some(byte)) => {
                    return self.value(byte).map(Some);
                }
                _ => return Err(NotJson),
            }
        }
    }

    fn value(&mut self, byte: u8) -> Result<JsonPiece<'a>, NotJson> {
        debug_assert!(
            matches!(self.expect, Expect::Value | Expect::ValueOrEnd),
            "a value may stand here"
        );
        let piece = match byte {
            b'{' | b'[' => return Ok(self.begin(byte)),
            b'"' => JsonPiece::Text(self.scanner.string()?),
            b't' | b'f' | b'n' => JsonPiece::Literal(self.scanner.scalar()?),
            _ => match self.mark() {
                Some(text) => JsonPiece::Marked(text),
                None => JsonPiece::Number(self.scanner.scalar()?),
            },
        };
        self.expect_after_value();
        Ok(piece)
    }

    /// What the mark here stands for, if there is one.
    fn mark(&mut self) -> Option<&'a str> {
        if self.open.len() != 1 {
            return None;
        }
        let found = self
            .marks
            .into_iter()
            .flatten()
            .find(|(mark, _)| self.scanner.pass_text(mark));
        found.map(|(_, text)| text)
    }

    fn begin(&mut self, byte: u8) -> JsonPiece<'a> {
        self.scanner.pass(byte);
        let is_object = byte == b'{';
        self.open.push(is_object);
        let (expect, piece) = if is_object {
            (Expect::KeyOrEnd, JsonPiece::BeginObject)
        } else {
            (Expect::ValueOrEnd, JsonPiece::BeginArray)
        };
        self.expect = expect;
        piece
    }

    fn end(&mut self, byte: u8) -> JsonPiece<'a> {
        self.scanner.pass(byte);
        let was_open = self.open.pop();
        debug_assert!(was_open.is_some(), "what ends has begun");
        self.expect_after_value();
        JsonPiece::End
    }

    fn expect_after_value(&mut self) {
        self.expect = if self.open.is_empty() {
            Expect::Nothing
        } else {
            Expect::CommaOrEnd
        };
    }

    fn key(&mut self) -> Result<JsonPiece<'a>, NotJson> {
        let key = self.scanner.string()?;
        if !self.scanner.pass(b':') {
            return Err(NotJson);
        }
        self.expect = Expect::Value;
        Ok(JsonPiece::Key(key))
    }

    fn in_object(&self) -> bool {
        self.open.last() == Some(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Result<Vec<JsonPiece<'_>>, NotJson> {
        let mut pieces = Pieces::of(text);
        let mut found = Vec::new();
        while let Some(piece) = pieces.next()? {
            found.push(piece);
        }
        Ok(found)
    }

    #[test]
    fn pieces_come_in_order() {
        use JsonPiece::*;
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
}
