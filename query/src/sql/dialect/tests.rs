//! Expressions without parentheses are read as the table of precedences below says, which is DuckDB's but for
//! the JSON operators.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Value, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::tokenizer::Tokenizer;

use super::*;

/// How an item of an expression takes part in it, and how tightly it binds.
#[derive(Debug, Clone, Copy)]
enum Item {
    Operand(&'static str),
    Before(&'static str, u32),
    Between(&'static str, u32),
    After(&'static str, u32),
}

const OPERANDS: [&str; 7] = ["a", "b", "1", "'x'", "c.d", "true", "f(a, b)"];

/// From loose to tight, as PostgreSQL and DuckDB have them.
const OPERATORS: [Item; 44] = [
    Item::Between("OR", 1),
    Item::Between("AND", 2),
    Item::Before("NOT", 3),
    Item::After("IS NULL", 4),
    Item::After("IS NOT NULL", 4),
    Item::After("IS NOT TRUE", 4),
    Item::After("IS UNKNOWN", 4),
    Item::Between("IS DISTINCT FROM", 4),
    Item::Between("IS NOT DISTINCT FROM", 4),
    Item::Between("=", 5),
    Item::Between("<>", 5),
    Item::Between("<", 5),
    Item::Between(">=", 5),
    Item::Between("LIKE", 6),
    Item::Between("NOT LIKE", 6),
    Item::Between("ILIKE", 6),
    Item::Between("RLIKE", 6),
    Item::After("IN (1, 2)", 6),
    Item::After("NOT IN (a, 'x')", 6),
    Item::Between("BETWEEN 1 AND", 6),
    Item::Between("NOT BETWEEN a || b AND", 6),
    Item::Before("~", 8),
    Item::Between("||", 7),
    Item::Between("&", 8),
    Item::Between("|", 8),
    Item::Between("<<", 8),
    Item::Between(">>", 8),
    Item::Between("~", 6),
    Item::Between("~*", 6),
    Item::Between("!~", 6),
    Item::Between("~~", 6),
    Item::Between("!~~*", 6),
    Item::Between("^@", 7),
    Item::Between("+", 9),
    Item::Between("-", 9),
    Item::Between("*", 10),
    Item::Between("/", 10),
    Item::Between("%", 10),
    Item::Between("^", 11),
    Item::Between("AT TIME ZONE", 12),
    Item::Before("-", 13),
    Item::Between("->", 14),
    Item::Between("->>", 14),
    Item::After("::BIGINT", 15),
];

fn parse(text: &str) -> Result<Expr, ParserError> {
    let mut tokens = Tokenizer::new(&TraceDialect::new(0), text)
        .tokenize_with_location()
        .unwrap();
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let dialect = TraceDialect::new(tokens.len());
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let parsed = parser.parse_expr();
    assert_eq!(parser.peek_token_ref().token, Token::EOF, "{text}");
    parsed
}

/// The tree without the parentheses that were written.
fn tree(text: &str) -> Expr {
    struct Unnest;
    impl VisitorMut for Unnest {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Nested(inner) = expr {
                *expr = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()));
            }
            ControlFlow::Continue(())
        }
    }
    let mut expr = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let _ = VisitMut::visit(&mut expr, &mut Unnest);
    expr
}

/// Reads items by the table, and writes what it has read with parentheses around everything.
fn parenthesised(
    items: &mut std::iter::Peekable<std::slice::Iter<'_, Item>>,
    bound: u32,
) -> String {
    let mut left = match *items.next().unwrap() {
        Item::Operand(text) => text.to_string(),
        Item::Before(operator, level) => format!("({operator} {})", parenthesised(items, level)),
        item => panic!("{item:?}"),
    };
    while let Some(item) = items.peek() {
        left = match **item {
            Item::Between(operator, level) if level > bound => {
                items.next();
                format!("({left} {operator} {})", parenthesised(items, level))
            }
            Item::After(operator, level) if level > bound => {
                items.next();
                format!("({left} {operator})")
            }
            _ => break,
        };
    }
    left
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    /// Operands and operators in an order that they can stand in.
    fn items(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        for _ in 0..=self.below(6) {
            let mut operator = || OPERATORS[self.below(OPERATORS.len())];
            items.extend(Some(operator()).filter(|item| matches!(item, Item::Before(..))));
            let after = operator();
            let between = std::iter::repeat_with(&mut operator)
                .find(|item| matches!(item, Item::Between(..)));
            items.push(Item::Operand(OPERANDS[self.below(OPERANDS.len())]));
            if matches!(after, Item::After(..)) {
                items.push(after);
            }
            items.extend(between);
        }
        items.pop();
        items
    }
}

fn text_of(items: &[Item]) -> String {
    let texts = items.iter().map(|item| match item {
        Item::Operand(text)
        | Item::Before(text, _)
        | Item::Between(text, _)
        | Item::After(text, _) => *text,
    });
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn expressions_without_parentheses_are_read_by_the_table() {
    let mut random = Random(7);
    for _ in 0..4_000 {
        let items = random.items();
        let (text, full) = (
            text_of(&items),
            parenthesised(&mut items.iter().peekable(), 0),
        );
        assert_eq!(tree(&text), tree(&full), "{text} is {full}");
    }
}

#[test]
fn known_pitfalls_are_read_as_elsewhere() {
    for (text, full) in [
        (
            "a IS DISTINCT FROM true AND b = 'x'",
            "(a IS DISTINCT FROM true) AND (b = 'x')",
        ),
        (
            "1 IS DISTINCT FROM 1 OR true",
            "(1 IS DISTINCT FROM 1) OR true",
        ),
        ("- 2 ^ 2", "(- 2) ^ 2"),
        ("2 * 3 ^ 2", "2 * (3 ^ 2)"),
        ("1 + 2 || 'a'", "(1 + 2) || 'a'"),
        ("1 | 2 & 4", "(1 | 2) & 4"),
        ("1 || 2 & 4", "1 || (2 & 4)"),
        ("a ~ b || c", "a ~ (b || c)"),
        ("a LIKE b = c", "(a LIKE b) = c"),
        ("c = a LIKE b", "c = (a LIKE b)"),
        ("a || b LIKE c", "(a || b) LIKE c"),
        ("NOT a IS NULL", "NOT (a IS NULL)"),
        ("NOT a LIKE b", "NOT (a LIKE b)"),
        ("a = b IS NULL", "(a = b) IS NULL"),
        ("a BETWEEN 1 AND 2 AND c", "(a BETWEEN 1 AND 2) AND c"),
        ("a -> 'b' = 'c'", "(a -> 'b') = 'c'"),
        ("-a::BIGINT", "-(a::BIGINT)"),
        ("a = b COLLATE c", "a = (b COLLATE c)"),
    ] {
        assert_eq!(tree(text), tree(full), "{text}");
    }
}

/// When this fails, `parse_infix` of the dialect can go.
#[test]
fn distinct_from_takes_an_operand() {
    let parsed = Parser::new(&GenericDialect {})
        .try_with_sql("1 IS DISTINCT FROM 1 OR true")
        .unwrap()
        .parse_expr();
    assert!(
        matches!(parsed, Ok(Expr::IsDistinctFrom(..))),
        "the parser has learned it: {parsed:?}"
    );
}

#[test]
fn not_before_exists_is_an_ordinary_not() {
    for (text, read) in [
        (
            "NOT EXISTS (SELECT 1) IS NULL",
            "NOT EXISTS (SELECT 1) IS NULL",
        ),
        (
            "NOT EXISTS (SELECT 1) >= false",
            "NOT EXISTS (SELECT 1) >= false",
        ),
        ("NOT EXISTS (SELECT 1)", "NOT EXISTS (SELECT 1)"),
    ] {
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.to_string(), read);
        let shown = format!("{parsed:?}");
        let is_denied_at_last = match parsed {
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                ..
            } => true,
            Expr::Exists { negated, .. } => negated,
            _ => false,
        };
        assert!(is_denied_at_last, "{shown}");
    }
}
