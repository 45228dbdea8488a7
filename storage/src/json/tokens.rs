//! The tokens of any text, as if it were JSON: nothing is refused, and what no token covers is white space.

use std::ops::Range;

use super::scanner::{Grammar, Scanner};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A string with its quotes; of a text that is cut short, without the second.
    String,
    /// A number, a word, or whatever else reaches to the next separator.
    Scalar,
    /// `{` or `[`.
    Open,
    /// `}` or `]`.
    Close,
    /// `,` or `:`.
    Separator,
}

/// A token and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What the token is.
    pub kind: TokenKind,
    /// The bytes of the text that it covers.
    pub range: Range<usize>,
}

/// The tokens from a position on.
#[derive(Debug, Clone)]
pub struct Tokens<'a>(Scanner<'a>);

impl<'a> Tokens<'a> {
    /// The tokens of a text.
    pub fn of(text: &'a str) -> Self {
        Self(Scanner::new(text, Grammar::Tolerant))
    }

    /// The text.
    pub fn text(&self) -> &'a str {
        self.0.text()
    }

    /// Where the next token is looked for.
    pub fn at(&self) -> usize {
        self.0.at()
    }

    /// Goes back to the start of a token, or to where [`Tokens::at`] has been.
    pub fn return_to(&mut self, at: usize) {
        self.0.return_to(at);
    }

    /// Whether a colon comes next, so that the token before it is a key.
    pub fn is_before_colon(&mut self) -> bool {
        self.0.peek() == Some(b':')
    }

    /// Where the value is that comes next, passed. An object or array without its end reaches to the end of the text.
    pub fn value(&mut self) -> Option<Range<usize>> {
        self.0.peek()?;
        let start = self.0.at();
        self.0.any_value()?;
        Some(start..self.0.at())
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let byte = self.0.peek()?;
        let start = self.0.at();
        let kind = match byte {
            b'"' => TokenKind::String,
            b'{' | b'[' => TokenKind::Open,
            b'}' | b']' => TokenKind::Close,
            b',' | b':' => TokenKind::Separator,
            _ => TokenKind::Scalar,
        };
        match kind {
            TokenKind::String | TokenKind::Scalar => drop(self.0.any_value()?),
            _ => drop(self.0.pass(byte)),
        }
        debug_assert!(self.0.at() > start, "a token has bytes");
        Some(Token {
            kind,
            range: start..self.0.at(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<(TokenKind, &str)> {
        Tokens::of(text)
            .map(|token| (token.kind, &text[token.range]))
            .collect()
    }

    #[test]
    fn any_text_has_tokens() {
        use TokenKind::*;
        assert_eq!(
            tokens(" {\"a\" :[1,nul\u{1}é] , \"b\\\"c"),
            [
                (Open, "{"),
                (String, "\"a\""),
                (Separator, ":"),
                (Open, "["),
                (Scalar, "1"),
                (Separator, ","),
                (Scalar, "nul"),
                (Scalar, "\u{1}é"),
                (Close, "]"),
                (Separator, ","),
                (String, "\"b\\\"c"),
            ]
        );
        assert_eq!(tokens("\"\\"), [(String, "\"\\")]);
        assert_eq!(tokens(""), []);
    }

    #[test]
    fn keys_and_values_are_found_in_text_that_is_cut_short() {
        let text = "{\"a\" : {\"b\": [1, \"x}";
        let mut tokens = Tokens::of(text);
        tokens.next();
        tokens.next();
        assert!(tokens.is_before_colon());
        tokens.next();
        let start = tokens.at();
        assert_eq!(tokens.value(), Some(7..text.len()));
        assert_eq!(tokens.next(), None);
        tokens.return_to(start);
        assert_eq!(tokens.next().unwrap().range, 7..8);
    }
}
