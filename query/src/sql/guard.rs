//! What may run: one read-only statement of bounded size, and no plan node that writes.
//!
//! First step of every SQL query. The text is bounded in bytes, the tokens in number and in how deep
//! a tree they can make, before a parser recurses over them; the statement is checked against an
//! allow-list; the plan made from it is checked again, node by node.
//!
//! Invariants: (1) nothing but a query, EXPLAIN, SHOW or DESCRIBE reaches the planner; (2) no tree
//! handed to the planner is deeper than `TREE_DEPTH_MAX`, nor is one that it can be rewritten to, since the
//! depths of all queries of a statement together are not (see `depth`); (3) every refusal names what is refused.

use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Query,
    Select, SetExpr, Statement, TableFactor, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::dialect::TraceDialect;
use crate::error::{ECHO_CHARS_MAX, QueryError, Result, shorten};
use depth::DepthCheck;
use expansion::ExpansionCheck;
use ignored::IgnoredClauses;

/// Longest statement, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Most tokens in a statement, white space and comments not counted.
const TOKENS_MAX: usize = 20_000;
/// Most operators one after another in an expression; the planner recurses once for each.
const OPERATOR_CHAIN_MAX: usize = 500;
/// Deepest tree that nested chains of operators may add up to.
const TREE_DEPTH_MAX: usize = 1_000;
/// Deepest nesting of parentheses, subqueries and calls.
const NESTING_MAX: usize = 64;
/// Most values in one IN list.
const IN_LIST_MAX: usize = 5_000;
/// Most joins, set operations and pipe steps in a statement; planning time grows with their square.
const RELATIONAL_OPERATORS_MAX: usize = 100;
/// Most tables named in a statement.
const RELATIONS_MAX: usize = 100;
/// Longest regular expression, in bytes.
const REGEX_BYTES_MAX: usize = 1024;
/// Tables of `information_schema` that tell about our tables and nothing else.
const INFORMATION_TABLES: [&str; 6] = [
    "tables",
    "views",
    "columns",
    "schemata",
    "routines",
    "parameters",
];

/// Parses `text` into one statement that may be planned.
///
/// # Errors
/// `InvalidInput`, naming the limit passed, the place of a syntax error, or the refused construct.
pub(crate) fn parse(text: &str) -> Result<Statement> {
    parse_tokens(tokens_of(text)?)
}

/// Parses a statement or `SUMMARIZE`: the query that is summed up, and whether it is.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_or_summary(text: &str) -> Result<(Statement, bool)> {
    let mut tokens = tokens_of(text)?;
    let is_summary = short_forms::take_summarize(&mut tokens)?;
    let statement = parse_tokens(tokens)?;
    match &statement {
        Statement::Query(_) => Ok((statement, is_summary)),
        other if is_summary => Err(refused_statement(other)),
        _ => Ok((statement, false)),
    }
}

/// Refuses a text longer than a statement may be.
///
/// # Errors
/// `InvalidInput` with the limit.
pub(super) fn check_bytes(bytes: usize) -> Result<()> {
    if bytes > TEXT_BYTES_MAX {
        return Err(refused(format!(
            "the statement has {bytes} bytes; at most {TEXT_BYTES_MAX} are allowed"
        )));
    }
    Ok(())
}

/// The tokens of a text, within limits.
///
/// # Errors
/// `InvalidInput`, naming the limit passed.
pub(super) fn tokens_of(text: &str) -> Result<Vec<TokenWithSpan>> {
    check_bytes(text.len())?;
    let tokens = tokenize(text)?;
    check_tokens(&tokens)?;
    Ok(tokens)
}

fn parse_tokens(mut tokens: Vec<TokenWithSpan>) -> Result<Statement> {
    short_forms::write_out_show_functions(&mut tokens);
    short_forms::write_out_tables(&mut tokens);
    let statement = parse_one(tokens)?;
    check_statement(&statement)?;
    Ok(statement)
}

/// Checks that every node of `plan`, subqueries included, only reads.
///
/// # Errors
/// `InvalidInput`, naming the node, or for an expression that becomes too large.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    let mut bad = None;
    plan.apply_with_subqueries(|node| {
        if is_allowed_node(node) {
            return Ok(TreeNodeRecursion::Continue);
        }
        bad = Some(shorten(&node.display().to_string(), ECHO_CHARS_MAX));
        Ok(TreeNodeRecursion::Stop)
    })?;
    match bad {
        Some(name) => Err(refused(format!(
            "SQL is read-only here: '{name}' is not allowed"
        ))),
        None => types::check(plan).and_then(|()| growth::check(plan)),
    }
}

fn is_allowed_node(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => true,
        LogicalPlan::Statement(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_) => false,
    }
}

fn refused(message: impl AsRef<str>) -> QueryError {
    QueryError::invalid_input(message)
}

/// The tokens that matter, with a lone `?` read as the JSON operator.
fn tokenize(text: &str) -> Result<Vec<TokenWithSpan>> {
    let mut tokens = Tokenizer::new(&TraceDialect::new(0), text)
        .tokenize_with_location()
        .map_err(|error| {
            refused(format!(
                "syntax error: {}",
                shorten(&error.to_string(), ECHO_CHARS_MAX)
            ))
        })?;
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    for token in &mut tokens {
        if matches!(&token.token, Token::Placeholder(name) if name == "?") {
            token.token = Token::Question;
        }
    }
    Ok(tokens)
}

/// What one pair of parentheses (or the statement) has held so far.
#[derive(Default)]
struct Group {
    /// AND and OR since the last comma or clause.
    connectives: usize,
    /// Other operators since the last of those.
    operators: usize,
    /// Most of `operators` between two connectives of this clause.
    operators_max: usize,
    /// Deepest group inside this clause.
    child_depth: usize,
    /// Deepest finished clause.
    depth: usize,
}

impl Group {
    fn connect(&mut self) {
        self.connectives += 1;
        self.operators_max = self.operators_max.max(self.operators);
        self.operators = 0;
    }

    fn end_clause(&mut self) {
        self.connect();
        self.depth = self
            .depth
            .max(self.connectives + self.operators_max + self.child_depth);
        *self = Group {
            depth: self.depth,
            ..Group::default()
        };
    }

    fn longest_chain(&self) -> usize {
        self.connectives.max(self.operators)
    }
}

/// Bounds the tree these tokens can become. The parser makes one level per operator of a chain, so
/// counting operators per pair of parentheses gives an upper bound without building anything.
fn check_tokens(tokens: &[TokenWithSpan]) -> Result<()> {
    if tokens.len() > TOKENS_MAX {
        return Err(refused(format!(
            "the statement has {} tokens; at most {TOKENS_MAX} are allowed",
            tokens.len()
        )));
    }
    let mut groups = vec![Group::default()];
    let mut relational_count = 0;
    let mut after_distinct = false;
    for token in tokens {
        let class = classify(&token.token, after_distinct);
        after_distinct =
            matches!(&token.token, Token::Word(word) if word.keyword == Keyword::DISTINCT);
        relational_count += usize::from(class == TokenClass::Relational);
        count_token(class, &mut groups)?;
    }
    check_relational(relational_count)?;
    let mut depth = 0;
    while let Some(mut group) = groups.pop() {
        group.child_depth = group.child_depth.max(depth);
        group.end_clause();
        depth = group.depth;
    }
    check_depth(depth)
}

/// How many joins, set operations and pipe steps a text has.
///
/// # Errors
/// As [`tokens_of`].
pub(super) fn relational(text: &str) -> Result<usize> {
    let is_one = |token: &TokenWithSpan| classify(&token.token, false) == TokenClass::Relational;
    Ok(tokens_of(text)?
        .iter()
        .filter(|token| is_one(token))
        .count())
}

/// Refuses more joins, set operations and pipe steps than a statement may have.
///
/// # Errors
/// `InvalidInput` with the limit.
pub(super) fn check_relational(count: usize) -> Result<()> {
    if count > RELATIONAL_OPERATORS_MAX {
        return Err(refused(format!(
            "the statement has {count} joins and set operations; at most {RELATIONAL_OPERATORS_MAX} are allowed"
        )));
    }
    Ok(())
}

fn count_token(class: TokenClass, groups: &mut Vec<Group>) -> Result<()> {
    let Some(group) = groups.last_mut() else {
        return Ok(());
    };
    match class {
        TokenClass::Connective => group.connect(),
        TokenClass::Operator => group.operators += 1,
        TokenClass::Clause | TokenClass::Relational => group.end_clause(),
        TokenClass::Open => {
            group.operators += 1;
            groups.push(Group::default());
        }
        TokenClass::Close if groups.len() > 1 => {
            let mut closed = groups.pop().unwrap_or_default();
            closed.end_clause();
            check_depth(closed.depth)?;
            if let Some(parent) = groups.last_mut() {
                parent.child_depth = parent.child_depth.max(closed.depth + 1);
            }
        }
        TokenClass::Close | TokenClass::Other => {}
    }
    if groups.len() > NESTING_MAX {
        return Err(refused(format!(
            "the statement nests deeper than {NESTING_MAX} levels of parentheses"
        )));
    }
    match groups.last() {
        Some(group) if group.longest_chain() > OPERATOR_CHAIN_MAX => Err(refused(format!(
            "an expression has more than {OPERATOR_CHAIN_MAX} operators in a row; use IN (...) or a join instead"
        ))),
        _ => Ok(()),
    }
}

fn check_depth(depth: usize) -> Result<()> {
    if depth > TREE_DEPTH_MAX {
        Err(too_deep())
    } else {
        Ok(())
    }
}

fn too_deep() -> QueryError {
    refused(format!(
        "the statement nests deeper than {TREE_DEPTH_MAX} operators"
    ))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenClass {
    Connective,
    Operator,
    Clause,
    Relational,
    Open,
    Close,
    Other,
}

fn classify(token: &Token, after_distinct: bool) -> TokenClass {
    match token {
        Token::Word(word) => classify_keyword(word.keyword, after_distinct),
        Token::LParen | Token::LBracket | Token::LBrace => TokenClass::Open,
        Token::RParen | Token::RBracket | Token::RBrace => TokenClass::Close,
        Token::Comma | Token::SemiColon => TokenClass::Clause,
        Token::VerticalBarRightAngleBracket => TokenClass::Relational,
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::Placeholder(_)
        | Token::EOF => TokenClass::Other,
        // Whatever is left is punctuation that can join two expressions.
        _ => TokenClass::Operator,
    }
}

fn classify_keyword(keyword: Keyword, after_distinct: bool) -> TokenClass {
    match keyword {
        Keyword::AND | Keyword::OR | Keyword::XOR => TokenClass::Connective,
        Keyword::NOT
        | Keyword::IS
        | Keyword::IN
        | Keyword::LIKE
        | Keyword::ILIKE
        | Keyword::RLIKE
        | Keyword::REGEXP
        | Keyword::SIMILAR
        | Keyword::BETWEEN
        | Keyword::COLLATE
        | Keyword::AT
        | Keyword::DIV
        | Keyword::NOTNULL
        | Keyword::OVERLAPS
        | Keyword::MEMBER
        | Keyword::CASE => TokenClass::Operator,
        Keyword::JOIN | Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS => {
            TokenClass::Relational
        }
        Keyword::FROM if !after_distinct => TokenClass::Clause,
        Keyword::SELECT
        | Keyword::WHERE
        | Keyword::GROUP
        | Keyword::HAVING
        | Keyword::ORDER
        | Keyword::QUALIFY
        | Keyword::VALUES => TokenClass::Clause,
        _ => TokenClass::Other,
    }
}

fn parse_one(tokens: Vec<TokenWithSpan>) -> Result<Statement> {
    let dialect = TraceDialect::new(tokens.len());
    // The parser counts its own recursion besides ours.
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(2 * NESTING_MAX)
        .with_tokens_with_locations(tokens);
    while parser.consume_token(&Token::SemiColon) {}
    if parser.peek_token_ref().token == Token::EOF {
        return Err(refused("the statement is empty"));
    }
    let first_word = parser.peek_token_ref().token.to_string();
    check_first_word(&first_word)?;
    let statement = parser.parse_statement().map_err(|error| {
        if dialect.is_too_deep()
            || matches!(error, ParserError::RecursionLimitExceeded) && !dialect.is_exhausted()
        {
            return too_deep();
        }
        if dialect.is_exhausted() {
            return refused(
                "syntax error: there are too many ways to read the statement; are its words in order?",
            );
        }
        let message = error.to_string();
        let message = message.strip_prefix("sql parser error: ").unwrap_or(&message);
        let message = message.replace("found: EOF", "found: the end of the statement");
        refused(format!("syntax error: {}", shorten(&message, ECHO_CHARS_MAX)))
    })?;
    let mut ended = false;
    while parser.consume_token(&Token::SemiColon) {
        ended = true;
    }
    let rest = parser.peek_token_ref();
    if rest.token == Token::EOF {
        return Ok(statement);
    }
    if ended {
        return Err(refused("only one statement can be run at a time"));
    }
    let found = shorten(&rest.token.to_string(), ECHO_CHARS_MAX);
    Err(refused(format!(
        "syntax error: unexpected '{found}' at line {}, column {}",
        rest.span.start.line, rest.span.start.column
    )))
}

/// Refuses by name what the parser might not even know, such as `COPY` or `INSTALL`.
fn check_first_word(word: &str) -> Result<()> {
    const ALLOWED: [&str; 10] = [
        "SELECT", "WITH", "VALUES", "FROM", "TABLE", "EXPLAIN", "SHOW", "DESCRIBE", "DESC", "(",
    ];
    let upper = word.to_uppercase();
    if ALLOWED.contains(&upper.as_str()) {
        return Ok(());
    }
    let word = shorten(&upper, ECHO_CHARS_MAX);
    let instead = instead(&upper)
        .map(|instead| format!("; {instead}"))
        .unwrap_or_default();
    Err(refused(format!(
        "SQL is read-only here: a statement starts with SELECT, WITH, EXPLAIN, SHOW or DESCRIBE, not {word}{instead}"
    )))
}

/// What does the work of a statement that is refused.
fn instead(word: &str) -> Option<&'static str> {
    Some(match word {
        "COPY" | "EXPORT" => {
            "the caller writes the result to a file (tracehouse sql DB 'SELECT ..' --output FILE), tracehouse export all tables"
        }
        "IMPORT" | "LOAD" => {
            "tracehouse import reads traces, --file NAME=PATH a table for one statement"
        }
        "CREATE" | "DROP" | "ALTER" => {
            "a query that others use is a WITH: WITH v AS (SELECT ..) SELECT .. FROM v, or a temporary view of the shell"
        }
        "ATTACH" | "DETACH" | "USE" | "INSTALL" => {
            "a statement reads one database; a file joins it as a table by --file NAME=PATH"
        }
        "SET" | "RESET" | "PRAGMA" => {
            "limits are options of the caller (--timeout, --memory-limit); SELECT * FROM settings() and DESCRIBE show what is there"
        }
        "INSERT" | "UPDATE" | "MERGE" | "UPSERT" | "REPLACE" => {
            "tracehouse import, tag, assess and dataset merge change a database"
        }
        "DELETE" | "TRUNCATE" => "tracehouse delete takes traces out",
        "BEGIN" | "START" | "COMMIT" | "ROLLBACK" => {
            "every statement sees one state of the database"
        }
        "VACUUM" | "CHECKPOINT" | "ANALYZE" => "tracehouse compact merges segments",
        "PREPARE" | "EXECUTE" | "CALL" => {
            "parameters are written $name, and given with the statement"
        }
        _ => return None,
    })
}

/// Checks a parsed statement.
///
/// # Errors
/// As [`parse`].
pub(super) fn check_statement(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Query(_)
        | Statement::ExplainTable { .. }
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. } => {}
        Statement::Explain {
            statement: inner, ..
        } => match inner.as_ref() {
            Statement::Query(_) => {}
            other => return Err(refused_statement(other)),
        },
        Statement::ShowVariable { .. } => {
            return Err(refused(
                "only SHOW TABLES, SHOW COLUMNS and SHOW FUNCTIONS are supported; for settings: SELECT * FROM settings()",
            ));
        }
        other => return Err(refused_statement(other)),
    }
    // Depth first: what follows looks at trees with functions that recurse.
    let mut depth = DepthCheck::default();
    if let ControlFlow::Break(error) = statement.visit(&mut depth) {
        return Err(error);
    }
    if let ControlFlow::Break(error) = statement.visit(&mut ExpansionCheck::default()) {
        return Err(error);
    }
    if let ControlFlow::Break(error) = IgnoredClauses::check(statement) {
        return Err(error);
    }
    match statement.visit(&mut StatementCheck::default()) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn refused_statement(statement: &Statement) -> QueryError {
    let text = statement.to_string();
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    refused(format!(
        "SQL is read-only here: {} is not allowed",
        shorten(&words.join(" "), ECHO_CHARS_MAX)
    ))
}

/// Looks at every part of a statement for what must not be planned.
#[derive(Default)]
struct StatementCheck {
    relations: usize,
}

impl Visitor for StatementCheck {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<QueryError> {
        if writes(&query.body) {
            return ControlFlow::Break(refused(
                "SQL is read-only here: INSERT, UPDATE, DELETE and MERGE are not allowed",
            ));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<QueryError> {
        if select.into.is_some() {
            return ControlFlow::Break(refused(
                "SQL is read-only here: SELECT INTO is not allowed",
            ));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<QueryError> {
        self.relations += 1;
        if self.relations > RELATIONS_MAX {
            return ControlFlow::Break(refused(format!(
                "the statement names more than {RELATIONS_MAX} tables"
            )));
        }
        match check_relation(relation) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<QueryError> {
        let allowed = matches!(
            factor,
            TableFactor::Table { .. }
                | TableFactor::Derived { .. }
                | TableFactor::TableFunction { .. }
                | TableFactor::Function { .. }
                | TableFactor::UNNEST { .. }
                | TableFactor::NestedJoin { .. }
        );
        if allowed {
            return ControlFlow::Continue(());
        }
        let text = shorten(&factor.to_string(), ECHO_CHARS_MAX);
        ControlFlow::Break(refused(format!("'{text}' cannot be read from")))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<QueryError> {
        match check_expr(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn writes(body: &SetExpr) -> bool {
    match body {
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => true,
        SetExpr::SetOperation { left, right, .. } => writes(left) || writes(right),
        // Queries below are visited on their own.
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => false,
    }
}

/// Files and addresses are no tables, and of `information_schema` only our tables are shown.
fn check_relation(relation: &ObjectName) -> Result<()> {
    let mut parts = Vec::with_capacity(relation.0.len());
    for part in &relation.0 {
        let Some(ident) = part.as_ident() else {
            return Err(refused(format!(
                "'{}' is not a table name",
                shorten(&part.to_string(), ECHO_CHARS_MAX)
            )));
        };
        let odd = ident.value.contains(['/', '\\', ':']);
        if ident.quote_style == Some('\'') || odd {
            let name = shorten(&ident.value, ECHO_CHARS_MAX);
            return Err(refused(format!(
                "'{name}' is not a table; files and addresses cannot be queried (the command line reads a file as a table with --file NAME=PATH)"
            )));
        }
        parts.push(ident.value.to_lowercase());
    }
    let hidden = match parts.as_slice() {
        [.., schema, table] => {
            schema == "information_schema" && !INFORMATION_TABLES.contains(&table.as_str())
        }
        _ => false,
    };
    if hidden {
        return Err(refused(format!(
            "{} is not available; for settings: SELECT * FROM settings()",
            parts.join(".")
        )));
    }
    Ok(())
}

fn check_expr(expr: &Expr) -> Result<()> {
    match expr {
        Expr::InList { list, .. } if list.len() > IN_LIST_MAX => Err(refused(format!(
            "an IN list has {} values; at most {IN_LIST_MAX} are allowed",
            list.len()
        ))),
        Expr::RLike { pattern, .. } => check_regex(pattern),
        // The planner takes its pattern for a regular expression that may match anywhere.
        Expr::SimilarTo { .. } => Err(refused(
            "SIMILAR TO is not supported; write LIKE, or regexp_like(text, '^(pattern)$') with a regular expression",
        )),
        Expr::BinaryOp { op, right, .. } if is_regex_operator(op) => check_regex(right),
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            match &function.args {
                FunctionArguments::List(list) if name.starts_with("regexp_") => {
                    match list.args.get(1) {
                        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(pattern))) => {
                            check_regex(pattern)
                        }
                        _ => Ok(()),
                    }
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn is_regex_operator(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Regexp
            | BinaryOperator::PGRegexMatch
            | BinaryOperator::PGRegexIMatch
            | BinaryOperator::PGRegexNotMatch
            | BinaryOperator::PGRegexNotIMatch
    )
}

/// Bounds a constant pattern. Patterns taken from a column are compiled by the same linear engine.
fn check_regex(pattern: &Expr) -> Result<()> {
    let Expr::Value(value) = pattern else {
        return Ok(());
    };
    match &value.value {
        Value::SingleQuotedString(text) if text.len() > REGEX_BYTES_MAX => Err(refused(format!(
            "a regular expression has {} bytes; at most {REGEX_BYTES_MAX} are allowed",
            text.len()
        ))),
        _ => Ok(()),
    }
}

mod depth;
mod expansion;
mod growth;
mod ignored;
mod short_forms;
#[cfg(test)]
mod tests;
mod types;
