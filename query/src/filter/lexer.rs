//! Filter text to tokens, each with its byte range.
//!
//! A dotted key is one token, so that keywords are free to be part of one (`tags.order`). Inside a
//! quoted text only the doubled quote is special; nothing is unescaped, as in MLflow.

use super::ast::{Comparison, Segment, TextSpan};
use super::error::FilterError;
use super::time::duration;
use crate::predicate::Number;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub at: TextSpan,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A keyword or a dotted key.
    Word(Vec<Segment>),
    /// A text in single or double quotes.
    Text {
        value: String,
        double_quoted: bool,
    },
    Number(Number),
    /// A number with a unit of time, in nanoseconds; with a sign it may follow `now()`.
    Duration {
        ns: i64,
        signed: bool,
    },
    Comparison(Comparison),
    LeftParen,
    RightParen,
    Comma,
}

/// Splits `source` into tokens.
pub(super) fn tokenize(source: &str) -> Result<Vec<Token>, FilterError> {
    let mut lexer = Lexer { source, offset: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    source: &'a str,
    offset: usize,
}

impl Lexer<'_> {
    fn next_token(&mut self) -> Result<Option<Token>, FilterError> {
        self.skip_while(char::is_whitespace);
        let start = self.offset;
        let Some(first) = self.peek() else {
            return Ok(None);
        };
        let kind = match first {
            '(' => self.single(TokenKind::LeftParen),
            ')' => self.single(TokenKind::RightParen),
            ',' => self.single(TokenKind::Comma),
            '\'' | '"' => TokenKind::Text {
                value: self.quoted(first)?,
                double_quoted: first == '"',
            },
            '=' | '!' | '<' | '>' => TokenKind::Comparison(self.comparison()?),
            '-' if self.rest().starts_with("--") => return Err(self.comment()),
            '/' if self.rest().starts_with("/*") => return Err(self.comment()),
            '-' | '+' | '.' => self.number()?,
            c if c.is_ascii_digit() => self.number()?,
            c if c == '`' || starts_word(c) => TokenKind::Word(self.word()?),
            ';' => return Err(self.error(start, "one filter is one expression, without ';'")),
            '&' => return Err(self.error(start, "clauses are joined by AND")),
            '|' => return Err(self.error(start, "alternatives are joined by OR")),
            '~' => return Err(self.error(start, "a regular expression is looked for by RLIKE")),
            _ => return Err(self.error(start, "no token of the filter language begins with it")),
        };
        Ok(Some(Token {
            kind,
            at: TextSpan {
                start,
                end: self.offset,
            },
        }))
    }

    fn rest(&self) -> &str {
        self.source.get(self.offset..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) {
        self.offset += self.peek().map_or(0, char::len_utf8);
    }

    fn single(&mut self, kind: TokenKind) -> TokenKind {
        self.bump();
        kind
    }

    fn skip_while(&mut self, keep: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.offset += rest.find(|c| !keep(c)).unwrap_or(rest.len());
    }

    fn comment(&self) -> FilterError {
        self.error(self.offset, "comments are not part of the filter language")
    }

    /// An error that quotes the text from `start` up to the next space.
    fn error(&self, start: usize, why: &str) -> FilterError {
        let rest = self.source.get(start..).unwrap_or("");
        let token: String = rest
            .chars()
            .take_while(|c| !c.is_whitespace())
            .take(40)
            .collect();
        FilterError::at(self.source, start, |position| {
            format!("Invalid clause(s) in filter string: '{token}' at position {position}: {why}")
        })
    }

    /// A quoted text; a doubled quote is one quote.
    fn quoted(&mut self, quote: char) -> Result<String, FilterError> {
        let start = self.offset;
        self.bump();
        let mut value = String::new();
        loop {
            let rest = self.rest();
            let Some(at) = rest.find(quote) else {
                return Err(self.error(start, "the closing quote is missing"));
            };
            value.push_str(rest.get(..at).unwrap_or(""));
            self.offset += at + quote.len_utf8();
            if self.peek() != Some(quote) {
                return Ok(value);
            }
            value.push(quote);
            self.bump();
        }
    }

    fn comparison(&mut self) -> Result<Comparison, FilterError> {
        const WORDS: [(&str, Comparison); 7] = [
            ("!=", Comparison::NotEqual),
            ("<>", Comparison::NotEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<=", Comparison::LessOrEqual),
            ("=", Comparison::Equal),
            (">", Comparison::Greater),
            ("<", Comparison::Less),
        ];
        let start = self.offset;
        const MISTYPED: [(&str, &str); 4] = [
            ("==", "equality is written '='"),
            ("=>", "greater or equal is written '>='"),
            ("=<", "less or equal is written '<='"),
            ("=~", "a regular expression is looked for by RLIKE"),
        ];
        if let Some((_, why)) = MISTYPED
            .iter()
            .find(|(word, _)| self.rest().starts_with(word))
        {
            return Err(self.error(start, why));
        }
        let rest = self.rest();
        let Some((word, comparison)) = WORDS.into_iter().find(|(word, _)| rest.starts_with(word))
        else {
            return Err(self.error(start, "inequality is written '!='"));
        };
        self.offset += word.len();
        Ok(comparison)
    }

    fn number(&mut self) -> Result<TokenKind, FilterError> {
        let start = self.offset;
        let signed = matches!(self.peek(), Some('-' | '+'));
        if signed {
            self.bump();
            // `now() - 7d`: only a duration may stand apart from its sign.
            self.skip_while(char::is_whitespace);
        }
        let digits_at = self.offset;
        self.skip_while(|c| c.is_ascii_digit() || c == '.');
        if let Some(duration) = self.duration(start, digits_at, signed)? {
            return Ok(duration);
        }
        let digits = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        let rest = self.rest();
        if let Some(power) = rest.strip_prefix(['e', 'E'])
            && digits(power.strip_prefix(['+', '-']).unwrap_or(power))
        {
            self.bump();
            self.bump();
            self.skip_while(|c| c.is_ascii_digit());
        }
        if self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return Err(self.error(start, &self.no_number(start)));
        }
        let text = self.source.get(start..self.offset).unwrap_or("");
        match Number::parse(text) {
            Some(number) => Ok(TokenKind::Number(number)),
            None => Err(self.error(start, "this is not a number")),
        }
    }

    /// What a number with letters behind it may have been meant to be.
    fn no_number(&self, start: usize) -> String {
        let word = self.source.get(start..).unwrap_or("");
        let word = word
            .split(|c: char| !(c.is_alphanumeric() || c == '.'))
            .next()
            .unwrap_or("");
        let zeros = match word.char_indices().next_back() {
            Some((at, 'k' | 'K')) => Some((at, "000")),
            Some((at, 'm' | 'M')) => Some((at, "000000")),
            _ => None,
        };
        match zeros.and_then(|(at, zeros)| Some((word.get(..at)?, zeros))) {
            Some((digits, zeros))
                if !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit()) =>
            {
                format!("this is not a number: all its digits are written, {digits}{zeros}")
            }
            _ => "this is not a number; a text needs quotes".to_string(),
        }
    }

    /// The duration whose first number was just read, when units follow: `5s`, `1h30m`.
    fn duration(
        &mut self,
        start: usize,
        digits_at: usize,
        signed: bool,
    ) -> Result<Option<TokenKind>, FilterError> {
        let text = self.source.get(digits_at..).unwrap_or("");
        let length = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.'))
            .unwrap_or(text.len());
        let (text, rest) = text.split_at_checked(length).unwrap_or((text, ""));
        let Some(size) = duration(text).filter(|_| !rest.starts_with(continues_word)) else {
            return Ok(None);
        };
        self.offset = digits_at + length;
        if !size.exact {
            return Err(self.error(
                start,
                "a duration is a whole number of nanoseconds below 292 years",
            ));
        }
        let is_negative = self
            .source
            .get(start..)
            .is_some_and(|text| text.starts_with('-'));
        Ok(Some(TokenKind::Duration {
            ns: if is_negative { -size.floor } else { size.floor },
            signed,
        }))
    }

    /// A dotted word; parts after a dot may be quoted or empty.
    fn word(&mut self) -> Result<Vec<Segment>, FilterError> {
        let mut segments = vec![self.segment()?];
        while self.peek() == Some('.') {
            self.bump();
            segments.push(self.segment()?);
        }
        Ok(segments)
    }

    fn segment(&mut self) -> Result<Segment, FilterError> {
        match self.peek() {
            Some(quote @ ('`' | '"' | '\'')) => Ok(Segment {
                text: self.quoted(quote)?,
                quoted: true,
            }),
            _ => {
                let start = self.offset;
                while self.peek().is_some_and(continues_word) && !self.at_comment() {
                    self.bump();
                }
                let text = self
                    .source
                    .get(start..self.offset)
                    .unwrap_or("")
                    .to_string();
                Ok(Segment {
                    text,
                    quoted: false,
                })
            }
        }
    }

    fn at_comment(&self) -> bool {
        self.rest().starts_with("--") || self.rest().starts_with("/*")
    }
}

fn starts_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// Characters of an unquoted key part besides its dots.
fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ':' | '@' | '$' | '#')
}
