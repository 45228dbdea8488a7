//! Short forms of queries, written out while a statement is still tokens: `TABLE t` is `SELECT * FROM t`, `SUMMARIZE t`
//! and `SUMMARIZE SELECT ..` leave the query that is summed up, `SHOW FUNCTIONS LIKE 'x'` is
//! `SELECT * FROM functions() WHERE function_name LIKE 'x'`.
//!
//! sqlparser takes three tokens behind TABLE, whatever they are, and knows no SUMMARIZE. The first is unneeded once
//! `TABLE t ORDER BY c LIMIT 1` parses without it; the test `a_table_is_a_query` of the SQL tests asks that.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::refused;
use crate::error::Result;

/// Takes SUMMARIZE off the front; says whether it was there.
///
/// # Errors
/// `InvalidInput` when no table or query follows.
pub(super) fn take_summarize(tokens: &mut Vec<TokenWithSpan>) -> Result<bool> {
    let first = tokens
        .iter()
        .position(|token| token.token != Token::SemiColon)
        .unwrap_or_default();
    let is_summary = tokens.get(first).is_some_and(|token| match &token.token {
        Token::Word(word) => {
            word.quote_style.is_none() && word.value.eq_ignore_ascii_case("summarize")
        }
        _ => false,
    });
    if !is_summary {
        return Ok(false);
    }
    let taken = tokens.remove(first);
    match tokens.get(first).map(|token| &token.token) {
        Some(Token::LParen) => {}
        Some(Token::Word(word)) if begins_query(word.keyword) && word.quote_style.is_none() => {}
        Some(Token::Word(_)) => all_of(tokens, first, &taken),
        _ => {
            return Err(refused(
                "syntax error: a table or a query expected after SUMMARIZE",
            ));
        }
    }
    Ok(true)
}

fn begins_query(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::FROM | Keyword::TABLE
    )
}

/// Writes out each `TABLE t` that is a query.
pub(super) fn write_out_tables(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let is_named = matches!(
            tokens.get(at + 1).map(|next| &next.token),
            Some(Token::Word(_))
        );
        if is_keyword(token, Keyword::TABLE)
            && is_named
            && query_may_begin(tokens.get(..at).unwrap_or_default())
        {
            let table = tokens.remove(at);
            all_of(tokens, at, &table);
        }
        at += 1;
    }
}

/// Writes out `SHOW FUNCTIONS`, which DataFusion answers from signatures: it leaves out what takes any argument.
pub(super) fn write_out_show_functions(tokens: &mut Vec<TokenWithSpan>) {
    let first = tokens
        .iter()
        .position(|token| token.token != Token::SemiColon)
        .unwrap_or_default();
    let is_show = tokens
        .get(first)
        .is_some_and(|token| is_keyword(token, Keyword::SHOW))
        && tokens
            .get(first + 1)
            .is_some_and(|token| is_keyword(token, Keyword::FUNCTIONS));
    if !is_show {
        return;
    }
    let show = tokens.remove(first);
    let place = |token| TokenWithSpan {
        token,
        span: show.span,
    };
    let mut query = vec![
        Token::make_keyword("SELECT"),
        Token::Mul,
        Token::make_keyword("FROM"),
        Token::make_word("functions", None),
        Token::LParen,
        Token::RParen,
    ];
    let is_chosen = |keyword| {
        tokens
            .get(first + 1)
            .is_some_and(|token| is_keyword(token, keyword))
    };
    if is_chosen(Keyword::LIKE) || is_chosen(Keyword::ILIKE) {
        query.extend([
            Token::make_keyword("WHERE"),
            Token::make_word("function_name", None),
        ]);
    }
    tokens.splice(first..=first, query.into_iter().map(place));
}

/// Puts `SELECT * FROM` before the token at `at`, in the place of another.
fn all_of(tokens: &mut Vec<TokenWithSpan>, at: usize, place: &TokenWithSpan) {
    let words = [
        Token::make_keyword("SELECT"),
        Token::Mul,
        Token::make_keyword("FROM"),
    ];
    tokens.splice(
        at..at,
        words.map(|token| TokenWithSpan {
            token,
            span: place.span,
        }),
    );
}

fn is_keyword(token: &TokenWithSpan, keyword: Keyword) -> bool {
    matches!(&token.token, Token::Word(word) if word.keyword == keyword && word.quote_style.is_none())
}

/// Whether a query may begin behind these tokens.
fn query_may_begin(before: &[TokenWithSpan]) -> bool {
    use Keyword::{ALL, ANALYZE, DISTINCT, EXCEPT, EXPLAIN, INTERSECT, MINUS, UNION, VERBOSE};
    let is_one = |token: &TokenWithSpan, keywords: &[Keyword]| {
        keywords.iter().any(|keyword| is_keyword(token, *keyword))
    };
    match before {
        [] => true,
        // `UNION ALL`, but not `SELECT ALL`.
        [.., operator, last] if is_one(last, &[ALL, DISTINCT]) => {
            is_one(operator, &[UNION, EXCEPT, INTERSECT, MINUS])
        }
        [.., last] => {
            matches!(last.token, Token::SemiColon | Token::LParen | Token::RParen)
                || is_one(
                    last,
                    &[UNION, EXCEPT, INTERSECT, MINUS, EXPLAIN, ANALYZE, VERBOSE],
                )
        }
    }
}
