//! Tokens to [`Expr`], by recursive descent with a depth cap.
//!
//! ```text
//! or  ::= and { OR and }        and ::= not { [AND] not }      not ::= [NOT] primary
//! primary ::= '(' or ')' | HAS '(' or ')' | clause
//! ```
//!
//! A missing, repeated, leading or trailing AND is accepted, as MLflow does. Chains are loops, so
//! that recursion is bounded by the nesting of parentheses and NOT alone.

use super::ast::{Clause, Expr, Key, Literal, Operator, Segment, TextSpan, Value};
use super::error::FilterError;
use super::hints;
use super::lexer::{Token, TokenKind, tokenize};
use super::time::{now_ns, time_ns};
use super::{
    FILTER_BYTES_MAX, FILTER_CLAUSES_MAX, FILTER_DEPTH_MAX, FILTER_REGEXES_MAX, FILTER_VALUES_MAX,
};
use crate::predicate::PatternKind;

/// Parses a filter; `None` when it is empty and so matches every trace.
pub(super) fn parse_expr(source: &str) -> Result<Option<Expr>, FilterError> {
    if source.len() > FILTER_BYTES_MAX {
        return Err(FilterError::at(source, 0, |_| {
            format!(
                "the filter has {} bytes, more than the {FILTER_BYTES_MAX} allowed",
                source.len()
            )
        }));
    }
    let mut parser = Parser::new(source)?;
    parser.skip_ands();
    if parser.peek().is_none() {
        return Ok(None);
    }
    let expr = parser.or(0)?;
    match parser.peek() {
        None => Ok(Some(expr)),
        Some(_) => Err(parser.no_end()),
    }
}

/// Parses a lone key and returns the words after it: an `order_by` clause.
pub(super) fn parse_key_and_rest(source: &str) -> Result<(Key, Vec<Token>), FilterError> {
    let mut parser = Parser::new(source)?;
    let key = parser.key()?;
    let rest = parser.tokens.get(parser.next..).unwrap_or(&[]).to_vec();
    Ok((key, rest))
}

/// The keyword a token spells, in upper case.
pub(super) fn keyword(token: &Token) -> Option<String> {
    match &token.kind {
        TokenKind::Word(segments) => match segments.as_slice() {
            [
                Segment {
                    text,
                    quoted: false,
                },
            ] => Some(text.to_ascii_uppercase()),
            _ => None,
        },
        _ => None,
    }
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    next: usize,
    clauses: usize,
    values: usize,
    regexes: usize,
}

impl<'a> Parser<'a> {
    fn new(source: &'a str) -> Result<Self, FilterError> {
        Ok(Self {
            source,
            tokens: tokenize(source)?,
            next: 0,
            clauses: 0,
            values: 0,
            regexes: 0,
        })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn peek_keyword(&self) -> Option<String> {
        self.peek().and_then(keyword)
    }

    fn at_keyword(&self, word: &str) -> bool {
        self.peek_keyword().is_some_and(|keyword| keyword == word)
    }

    fn take_keyword(&mut self, word: &str) -> bool {
        let taken = self.at_keyword(word);
        self.next += usize::from(taken);
        taken
    }

    fn take_kind(&mut self, kind: &TokenKind) -> bool {
        let taken = self.peek().is_some_and(|token| &token.kind == kind);
        self.next += usize::from(taken);
        taken
    }

    fn expect(&mut self, kind: &TokenKind, what: &str) -> Result<(), FilterError> {
        if self.take_kind(kind) {
            Ok(())
        } else {
            Err(self.unexpected(what))
        }
    }

    /// Passes any ANDs; whether there was one.
    fn skip_ands(&mut self) -> bool {
        let start = self.next;
        while self.take_keyword("AND") {}
        self.next > start
    }

    /// An error at the next token, or at the end of the text.
    fn unexpected(&self, expected: &str) -> FilterError {
        let at = self.peek().map(|token| token.at);
        let offset = at.map_or(self.source.len(), |at| at.start);
        FilterError::at(self.source, offset, |position| match at {
            Some(at) => {
                let token = shorten(self.source.get(at.start..at.end).unwrap_or(""));
                format!(
                    "Invalid clause(s) in filter string: '{token}' at position {position}: expected {expected}"
                )
            }
            None => format!(
                "Invalid clause(s) in filter string: it ends at position {position}, expected {expected}"
            ),
        })
    }

    /// The error of text behind the last clause; it may be the rest of a date without quotes.
    fn no_end(&self) -> FilterError {
        let before = self
            .next
            .checked_sub(1)
            .and_then(|last| self.tokens.get(last));
        let date = before
            .and_then(|token| self.source.get(token.at.start..))
            .map(|rest| {
                let end = rest
                    .find(|c: char| c.is_whitespace() || matches!(c, ')' | ','))
                    .unwrap_or(rest.len());
                rest.get(..end).unwrap_or_default()
            });
        match (before, date) {
            (Some(token), Some(date)) if time_ns(date).is_some() => {
                FilterError::at(self.source, token.at.start, |position| {
                    let date = shorten(date);
                    format!(
                        "Invalid clause(s) in filter string: '{date}' at position {position}: a time is written in \
                         quotes, '{date}'"
                    )
                })
            }
            _ => self.unexpected("the end of the filter or AND"),
        }
    }

    fn too_many(&self, what: &str, limit: usize) -> FilterError {
        let offset = self
            .peek()
            .map_or(self.source.len(), |token| token.at.start);
        FilterError::at(self.source, offset, |position| {
            format!("the filter has more than {limit} {what}, at position {position}")
        })
    }

    fn or(&mut self, depth: usize) -> Result<Expr, FilterError> {
        let first = self.and(depth)?;
        if !self.at_keyword("OR") {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.take_keyword("OR") {
            operands.push(self.and(depth)?);
        }
        Ok(Expr::Or(operands))
    }

    fn and(&mut self, depth: usize) -> Result<Expr, FilterError> {
        self.skip_ands();
        let first = self.not(depth)?;
        let mut operands = Vec::new();
        loop {
            let joined = self.skip_ands();
            if !self.begins_operand() {
                if joined && self.at_keyword("OR") {
                    return Err(self.unexpected("a clause after AND"));
                }
                break;
            }
            operands.push(self.not(depth)?);
        }
        if operands.is_empty() {
            return Ok(first);
        }
        operands.insert(0, first);
        Ok(Expr::And(operands))
    }

    /// Whether the next token can begin an operand, so that AND may be missing before it.
    fn begins_operand(&self) -> bool {
        match self.peek().map(|token| &token.kind) {
            Some(TokenKind::Word(_)) => !self.at_keyword("OR"),
            Some(
                TokenKind::LeftParen
                | TokenKind::Text {
                    double_quoted: true,
                    ..
                },
            ) => true,
            _ => false,
        }
    }

    fn not(&mut self, depth: usize) -> Result<Expr, FilterError> {
        if !self.at_keyword("NOT") {
            return self.primary(depth);
        }
        if depth >= FILTER_DEPTH_MAX {
            return Err(self.too_many("levels of nesting", FILTER_DEPTH_MAX));
        }
        self.next += 1;
        Ok(Expr::Not(Box::new(self.not(depth + 1)?)))
    }

    fn primary(&mut self, depth: usize) -> Result<Expr, FilterError> {
        let has = self.at_keyword("HAS")
            && self
                .tokens
                .get(self.next + 1)
                .is_some_and(|token| token.kind == TokenKind::LeftParen);
        self.next += usize::from(has);
        if self
            .peek()
            .is_none_or(|token| token.kind != TokenKind::LeftParen)
        {
            return Ok(Expr::Clause(self.clause()?));
        }
        if depth >= FILTER_DEPTH_MAX {
            return Err(self.too_many("levels of nesting", FILTER_DEPTH_MAX));
        }
        self.next += 1;
        let open = self
            .tokens
            .get(self.next - 1)
            .map_or(0, |token| token.at.start);
        let inner = self.or(depth + 1)?;
        if self.peek().is_none() {
            return Err(FilterError::at(self.source, open, |position| {
                format!(
                    "Invalid clause(s) in filter string: the '(' at position {position} is not closed"
                )
            }));
        }
        self.expect(&TokenKind::RightParen, "')' or AND")?;
        Ok(if has {
            Expr::Has(Box::new(inner))
        } else {
            inner
        })
    }

    fn clause(&mut self) -> Result<Clause, FilterError> {
        if self.clauses >= FILTER_CLAUSES_MAX {
            return Err(self.too_many("clauses", FILTER_CLAUSES_MAX));
        }
        self.clauses += 1;
        let key = self.key()?;
        let start = self
            .peek()
            .map_or(self.source.len(), |token| token.at.start);
        let (operator, end) = self.operator(&key)?;
        Ok(Clause {
            key,
            operator,
            operator_at: TextSpan { start, end },
        })
    }

    fn key(&mut self) -> Result<Key, FilterError> {
        const KEYWORDS: [&str; 14] = [
            "AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ILIKE", "RLIKE", "BETWEEN", "MATCHES",
            "TRUE", "FALSE", "HAS",
        ];
        if self
            .peek_keyword()
            .is_some_and(|word| KEYWORDS.contains(&word.as_str()))
        {
            return Err(self.unexpected("a key such as status, tags.NAME or span.name"));
        }
        let Some(token) = self.peek().cloned() else {
            return Err(self.unexpected("a key such as status, tags.NAME or span.name"));
        };
        let segments = match token.kind {
            TokenKind::Word(segments) => segments,
            TokenKind::Text {
                value,
                double_quoted: true,
            } => vec![Segment {
                text: value,
                quoted: true,
            }],
            _ => return Err(self.unexpected("a key such as status, tags.NAME or span.name")),
        };
        self.next += 1;
        Ok(Key {
            segments,
            at: token.at,
        })
    }

    /// An operator with its values, and the end of the operator's own text.
    fn operator(&mut self, key: &Key) -> Result<(Operator, usize), FilterError> {
        if let Some(Token {
            kind: TokenKind::Comparison(comparison),
            at,
        }) = self.peek()
        {
            let (comparison, end) = (*comparison, at.end);
            self.next += 1;
            return Ok((Operator::Compare(comparison, self.value()?), end));
        }
        if self.take_keyword("IS") {
            let negated = self.take_keyword("NOT");
            let end = self.peek().map_or(0, |token| token.at.end);
            return match self.take_keyword("NULL") {
                true => Ok((Operator::Null { negated }, end)),
                false => Err(self.unexpected("NULL or NOT NULL after IS")),
            };
        }
        let negated = self.take_keyword("NOT");
        let end = self.peek().map_or(0, |token| token.at.end);
        let operator = match self.peek_keyword().as_deref() {
            Some("LIKE") => self.pattern(PatternKind::Like, negated)?,
            Some("ILIKE") => self.pattern(PatternKind::ILike, negated)?,
            Some("RLIKE") => self.pattern(PatternKind::RLike, negated)?,
            Some("IN") => self.list(negated)?,
            Some("BETWEEN") => self.between(negated)?,
            Some("MATCHES") if !negated => {
                self.next += 1;
                Operator::Matches(self.value()?)
            }
            _ => return Err(self.no_operator(key)),
        };
        Ok((operator, end))
    }

    /// The error of a key without an operator: the key may be a mistyped AND, the word after it a
    /// mistyped operator.
    fn no_operator(&self, key: &Key) -> FilterError {
        let joint = match key.segments.as_slice() {
            [
                Segment {
                    text,
                    quoted: false,
                },
            ] if self.clauses > 1 => hints::joint(text),
            _ => String::new(),
        };
        if !joint.is_empty() {
            return FilterError::at(self.source, key.at.start, |position| {
                let word = shorten(&key.text());
                format!(
                    "Invalid clause(s) in filter string: '{word}' at position {position}: expected AND or OR.{joint}"
                )
            });
        }
        let hint = self
            .peek_keyword()
            .map_or(String::new(), |word| hints::operator(&word));
        let full_stop = if hint.is_empty() { "" } else { "." };
        self.unexpected(&format!(
            "an operator: =, !=, >, >=, <, <=, LIKE, ILIKE, RLIKE, IN, BETWEEN, IS NULL or MATCHES{full_stop}{hint}"
        ))
    }

    fn pattern(&mut self, kind: PatternKind, negated: bool) -> Result<Operator, FilterError> {
        if kind == PatternKind::RLike {
            if self.regexes >= FILTER_REGEXES_MAX {
                return Err(self.too_many("regular expressions", FILTER_REGEXES_MAX));
            }
            self.regexes += 1;
        }
        self.next += 1;
        Ok(Operator::Pattern {
            kind,
            negated,
            value: self.value()?,
        })
    }

    fn between(&mut self, negated: bool) -> Result<Operator, FilterError> {
        self.next += 1;
        let low = self.value()?;
        if !self.take_keyword("AND") {
            return Err(self.unexpected("AND between the two bounds of BETWEEN"));
        }
        Ok(Operator::Between {
            negated,
            low,
            high: self.value()?,
        })
    }

    /// A non-empty list; a trailing comma is accepted, as in MLflow.
    fn list(&mut self, negated: bool) -> Result<Operator, FilterError> {
        self.next += 1;
        self.expect(
            &TokenKind::LeftParen,
            "a list in parentheses, such as ('a', 'b')",
        )?;
        let mut values = vec![self.value()?];
        while self.take_kind(&TokenKind::Comma) {
            if self
                .peek()
                .is_some_and(|token| token.kind == TokenKind::RightParen)
            {
                break;
            }
            values.push(self.value()?);
        }
        self.expect(&TokenKind::RightParen, "',' or ')' in the list")?;
        Ok(Operator::In { negated, values })
    }

    fn value(&mut self) -> Result<Value, FilterError> {
        if self.values >= FILTER_VALUES_MAX {
            return Err(self.too_many("values", FILTER_VALUES_MAX));
        }
        self.values += 1;
        let Some(token) = self.peek() else {
            return Err(self.unexpected("a value: a quoted text or a number"));
        };
        let literal = match (&token.kind, keyword(token).as_deref()) {
            (TokenKind::Text { value, .. }, _) => Literal::Text(value.clone()),
            (TokenKind::Number(number), _) => Literal::Number(number.clone()),
            (TokenKind::Duration { ns, .. }, _) => Literal::Duration(*ns),
            (TokenKind::Word(_), Some("NOW")) if self.at_empty_parens() => return Ok(self.now()),
            (_, Some("TRUE")) => Literal::Bool(true),
            (_, Some("FALSE")) => Literal::Bool(false),
            (_, Some("NULL")) => return Err(self.unexpected("a value; absence is written IS NULL")),
            (TokenKind::Word(_), _) => {
                let word = shorten(self.source.get(token.at.start..token.at.end).unwrap_or(""));
                return Err(
                    self.unexpected(&format!("a value: a text is written in quotes, '{word}'"))
                );
            }
            _ => return Err(self.unexpected("a value: a quoted text or a number")),
        };
        let at = token.at;
        self.next += 1;
        Ok(Value { literal, at })
    }

    /// Whether the token after the next one is `(` and the one after that `)`.
    fn at_empty_parens(&self) -> bool {
        let is = |ahead: usize, kind| {
            self.tokens
                .get(self.next + ahead)
                .is_some_and(|token| token.kind == kind)
        };
        is(1, TokenKind::LeftParen) && is(2, TokenKind::RightParen)
    }

    /// `now()`, and the duration that is added to it or taken from it.
    fn now(&mut self) -> Value {
        let start = self.peek().map_or(0, |token| token.at.start);
        let mut end = self
            .tokens
            .get(self.next + 2)
            .map_or(start, |token| token.at.end);
        self.next += 3;
        let mut ns = now_ns();
        if let Some(Token {
            kind:
                TokenKind::Duration {
                    ns: by_ns,
                    signed: true,
                },
            at,
        }) = self.peek()
        {
            (ns, end) = (ns.saturating_add(*by_ns), at.end);
            self.next += 1;
        }
        Value {
            literal: Literal::Time(ns),
            at: TextSpan { start, end },
        }
    }
}

fn shorten(token: &str) -> String {
    const CHARS_MAX: usize = 60;
    match token.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}...", token.get(..end).unwrap_or("")),
        None => token.to_string(),
    }
}
