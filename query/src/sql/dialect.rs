//! The SQL dialect: sqlparser's generic one, less what we never run, with the precedences of PostgreSQL and
//! DuckDB. But JSON operators bind tighter than comparison and arithmetic, so that `attributes->>'k' = 'v'`
//! means what it says; in DuckDB it compares first.
//!
//! The parser tries some words in two ways, and what follows them again in each, which takes 2^n steps for n of
//! them in a row. A dialect is asked at each step, so it ends a parse that takes too many. It ends one that goes
//! too deep, too: whatever the parser recurses over, it asks for an operand on the way, and here the stack that
//! is in use is measured and not guessed.

use std::any::TypeId;
use std::cell::Cell;

use datafusion::sql::sqlparser::ast::{Expr, UnaryOperator};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

/// `->` and the like: tighter than a sign, looser than `::`.
const JSON_OPERATORS: u8 = 45;
/// `-` and `+` before an operand: `-2 ^ 2` is 4.
const SIGNS: u8 = 44;
/// `^`, which is a power.
const POWERS: u8 = 42;
/// `&`, `|`, `<<`, `>>`, which are one level, and `~` before an operand: looser than `+`.
const BIT_OPERATORS: u8 = 27;
/// `||` and all other operators of symbols: tighter than LIKE.
const OTHER_OPERATORS: u8 = 25;
/// LIKE, IN, BETWEEN and the operators of patterns: tighter than comparison.
const PATTERNS: u8 = 21;

/// Most stack that a parse may take, in bytes.
const STACK_BYTES_MAX: usize = crate::runtime::STACK_BYTES / 4;

/// Operands that may be tried for each token of a statement; ordinary ones take one or two.
const TRIES_PER_TOKEN: usize = 64;

/// The dialect of one statement given to the guard.
#[derive(Debug)]
pub(super) struct TraceDialect {
    /// How many operands may still be tried.
    tries_left: Cell<usize>,
    /// Where the stack was when the parse began.
    stack_start: usize,
    /// Whether it went too deep.
    is_too_deep: Cell<bool>,
}

impl TraceDialect {
    /// The dialect of a statement of so many tokens.
    pub(super) fn new(tokens: usize) -> Self {
        Self {
            tries_left: Cell::new(tokens.saturating_mul(TRIES_PER_TOKEN)),
            stack_start: stack_place(),
            is_too_deep: Cell::new(false),
        }
    }

    /// Whether a parse was ended because it took too many steps.
    pub(super) fn is_exhausted(&self) -> bool {
        self.tries_left.get() == 0
    }

    /// Whether a parse was ended because it went too deep.
    pub(super) fn is_too_deep(&self) -> bool {
        self.is_too_deep.get()
    }
}

/// Where the stack is now. Only differences mean something.
#[inline(never)]
fn stack_place() -> usize {
    let here = 0_u8;
    std::hint::black_box(std::ptr::from_ref(&here)).addr()
}

/// An operator before its operand.
fn parse_unary(
    parser: &mut Parser,
    op: UnaryOperator,
    precedence: u8,
) -> Result<Expr, ParserError> {
    parser.advance_token();
    Ok(Expr::UnaryOp {
        op,
        expr: Box::new(parser.parse_subexpr(precedence)?),
    })
}

/// `NOT` before `EXISTS (..)`, which denies all that follows it with a tighter operator, like any NOT. sqlparser takes
/// the two words for one; the test `not_before_exists_is_an_ordinary_not` of this file says when it no longer does.
fn parse_not_exists(parser: &mut Parser, precedence: u8) -> Result<Expr, ParserError> {
    Ok(match parse_unary(parser, UnaryOperator::Not, precedence)? {
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => match *expr {
            Expr::Exists {
                subquery,
                negated: false,
            } => Expr::Exists {
                subquery,
                negated: true,
            },
            other => Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr: Box::new(other),
            },
        },
        other => other,
    })
}

/// Whether the next tokens are these words.
fn comes(parser: &Parser, words: &[Keyword]) -> bool {
    let is_word = |(at, keyword): (usize, &Keyword)| match &parser.peek_nth_token_ref(at).token {
        Token::Word(word) => word.keyword == *keyword,
        _ => false,
    };
    words.iter().enumerate().all(is_word)
}

impl Dialect for TraceDialect {
    /// The parser asks some questions by dialect type; the answers of the generic one suit us.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    /// Counts and measures; a sign is read here, since the parser lets `^` bind tighter. The error is the only
    /// one that ends all that the parser tries.
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        self.tries_left.set(self.tries_left.get().saturating_sub(1));
        let is_too_deep = self.stack_start.abs_diff(stack_place()) > STACK_BYTES_MAX;
        self.is_too_deep.set(self.is_too_deep.get() || is_too_deep);
        if self.is_exhausted() || self.is_too_deep() {
            return Some(Err(ParserError::RecursionLimitExceeded));
        }
        if comes(parser, &[Keyword::NOT, Keyword::EXISTS]) {
            return Some(parse_not_exists(
                parser,
                self.prec_value(Precedence::UnaryNot),
            ));
        }
        match parser.peek_token_ref().token {
            Token::Minus => Some(parse_unary(parser, UnaryOperator::Minus, SIGNS)),
            Token::Plus => Some(parse_unary(parser, UnaryOperator::Plus, SIGNS)),
            Token::Tilde => Some(parse_unary(
                parser,
                UnaryOperator::BitwiseNot,
                BIT_OPERATORS,
            )),
            _ => None,
        }
    }

    /// `IS [NOT] DISTINCT FROM` takes an operand on its right, and not all that follows. sqlparser reads a whole
    /// expression there; the test `distinct_from_takes_an_operand` of this file says when it no longer does.
    fn parse_infix(
        &self,
        parser: &mut Parser,
        expr: &Expr,
        _precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        use Keyword::{DISTINCT, FROM, IS, NOT};
        let words: &[Keyword] = match () {
            () if comes(parser, &[IS, DISTINCT, FROM]) => &[IS, DISTINCT, FROM],
            () if comes(parser, &[IS, NOT, DISTINCT, FROM]) => &[IS, NOT, DISTINCT, FROM],
            () => return None,
        };
        words.iter().for_each(|_| parser.advance_token());
        let right = parser.parse_subexpr(self.prec_value(Precedence::Is));
        let left = Box::new(expr.clone());
        Some(right.map(|right| match words.len() {
            3 => Expr::IsDistinctFrom(left, Box::new(right)),
            _ => Expr::IsNotDistinctFrom(left, Box::new(right)),
        }))
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"' || ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        let precedence = match &parser.peek_token_ref().token {
            Token::Arrow
            | Token::LongArrow
            | Token::HashArrow
            | Token::HashLongArrow
            | Token::Question
            | Token::QuestionAnd
            | Token::QuestionPipe => JSON_OPERATORS,
            Token::Caret => POWERS,
            Token::ShiftLeft | Token::ShiftRight | Token::Pipe => BIT_OPERATORS,
            Token::StringConcat | Token::Sharp | Token::CaretAt => OTHER_OPERATORS,
            Token::Tilde
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::DoubleTilde
            | Token::DoubleTildeAsterisk
            | Token::ExclamationMarkDoubleTilde
            | Token::ExclamationMarkDoubleTildeAsterisk => PATTERNS,
            // The rest of sqlparser's table is right with the values below.
            _ => return None,
        };
        Some(Ok(precedence))
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Ampersand => BIT_OPERATORS,
            Precedence::Caret | Precedence::Pipe | Precedence::PgOther => OTHER_OPERATORS,
            Precedence::Between | Precedence::Like => PATTERNS,
            Precedence::AtTz => 43,
            other => GenericDialect {}.prec_value(other),
        }
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_group_by_with_modifier(&self) -> bool {
        true
    }

    fn supports_order_by_all(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_select_wildcard_except(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_select_wildcard_replace(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }

    fn supports_from_first_select(&self) -> bool {
        true
    }

    fn supports_projection_trailing_commas(&self) -> bool {
        true
    }

    fn supports_explain_with_utility_options(&self) -> bool {
        true
    }

    fn supports_dictionary_syntax(&self) -> bool {
        true
    }

    fn support_map_literal_syntax(&self) -> bool {
        true
    }

    fn supports_struct_literal(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_extract_comma_syntax(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_interval_options(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
