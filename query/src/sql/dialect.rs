//! The SQL dialect: sqlparser's generic one, less what we never run, with JSON operators that bind
//! tighter than comparison and arithmetic, so that `attributes->>'k' = 'v'` means what it says.
//!
//! The parser tries some words in two ways, and what follows them again in each, which takes 2^n steps for n of
//! them in a row. A dialect is asked at each step, so it ends a parse that takes too many.

use std::any::TypeId;
use std::cell::Cell;

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

/// Binds tighter than `*` (40), looser than `::` (50).
const JSON_OPERATOR_PRECEDENCE: u8 = 45;

/// Operands that may be tried for each token of a statement; ordinary ones take one or two.
const TRIES_PER_TOKEN: usize = 64;

/// The dialect of one statement given to the guard.
#[derive(Debug)]
pub(super) struct TraceDialect {
    /// How many operands may still be tried.
    tries_left: Cell<usize>,
}

impl TraceDialect {
    /// The dialect of a statement of so many tokens.
    pub(super) fn new(tokens: usize) -> Self {
        Self { tries_left: Cell::new(tokens.saturating_mul(TRIES_PER_TOKEN)) }
    }

    /// Whether a parse was ended because it took too many steps.
    pub(super) fn is_exhausted(&self) -> bool {
        self.tries_left.get() == 0
    }
}

impl Dialect for TraceDialect {
    /// The parser asks some questions by dialect type; the answers of the generic one suit us.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    /// Counts, and leaves the operand to the parser. The error is the only one that ends all that it tries.
    fn parse_prefix(&self, _parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        self.tries_left.set(self.tries_left.get().saturating_sub(1));
        self.is_exhausted().then_some(Err(ParserError::RecursionLimitExceeded))
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
        match parser.peek_token_ref().token {
            Token::Arrow
            | Token::LongArrow
            | Token::HashArrow
            | Token::HashLongArrow
            | Token::Question
            | Token::QuestionAnd
            | Token::QuestionPipe => Some(Ok(JSON_OPERATOR_PRECEDENCE)),
            // The rest of sqlparser's table is right as it is.
            _ => None,
        }
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        GenericDialect {}.prec_value(precedence)
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
