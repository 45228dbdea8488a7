//! The names and values of a statement that only rows know: keys of maps and of JSON, words of a state.
//!
//! **Invariant** Nothing is said of a column that may be another table's: a statement that reads more than traces, spans
//! and the views over them has none.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::mpsc;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName,
    Query, Statement, Subscript, Value, Visit, Visitor,
};

use super::guard;
use super::paths::{Step, steps};
use crate::error::{QueryError, Result};
use crate::runtime::QueryRuntime;

/// Tables whose columns of these names are those of traces and spans.
const KNOWN: [&str; 4] = ["traces", "spans", "sessions", "messages"];
/// Columns of maps, and of JSON objects.
const MAPS: [&str; 2] = ["tags", "metadata"];
const OBJECTS: [&str; 2] = ["attributes", "resource"];
/// Columns of few words.
const WORDS: [&str; 4] = ["state", "status", "kind", "span_type"];
/// Columns of lists, whose elements have attributes of their own.
const LISTS: [&str; 2] = ["events", "links"];

/// What a statement asks for, each with its column.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AskedOfRows {
    pub maps: BTreeSet<(&'static str, String)>,
    pub objects: BTreeSet<(&'static str, String)>,
    pub words: BTreeSet<(&'static str, String)>,
}

/// What `statement` asks for; nothing for one that is refused.
///
/// # Errors
/// When the runtime has no threads.
pub(crate) fn asked(runtime: &QueryRuntime, statement: &str) -> Result<AskedOfRows> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let text = statement.to_string();
    // Where the stack is deep enough for every statement.
    runtime.handle()?.spawn(async move {
        let _ = sender.send(guard::parse(&text).map(|statement| of_statement(&statement)));
    });
    let asked = receiver
        .recv()
        .map_err(|_| QueryError::internal("the query task failed"))?;
    Ok(asked.unwrap_or_default())
}

fn of_statement(statement: &Statement) -> AskedOfRows {
    let mut look = Look::default();
    let _: ControlFlow<()> = statement.visit(&mut look);
    let is_known = |name: &String| KNOWN.contains(&name.as_str()) || look.queries.contains(name);
    if !look.relations.iter().all(is_known) {
        return AskedOfRows::default();
    }
    let mut asked = look.asked;
    if look.has_lists {
        asked.objects.clear();
    }
    asked
}

#[derive(Default)]
struct Look {
    asked: AskedOfRows,
    relations: BTreeSet<String>,
    /// Names that a WITH gives.
    queries: BTreeSet<String>,
    has_lists: bool,
}

impl Look {
    fn key(&mut self, column: Option<String>, key: &Expr) {
        let (Some(column), Some(key)) = (column, text(key)) else {
            return;
        };
        if let Some(column) = MAPS.into_iter().find(|name| *name == column) {
            self.asked.maps.insert((column, key));
        } else if let Some(column) = OBJECTS.into_iter().find(|name| *name == column) {
            let key = match steps(&key) {
                Ok(None) => key,
                Ok(Some(steps)) => match steps.into_iter().next() {
                    Some(Step::Key(key)) => key,
                    _ => return,
                },
                Err(_) => return,
            };
            self.asked.objects.insert((column, key));
        }
    }

    /// `tags['k']`, `t.tags['k']`.
    fn first_key(&mut self, root: &Expr, chain: &[AccessExpr]) {
        let mut of = column(root);
        for access in chain {
            match access {
                AccessExpr::Dot(member) => of = column(member),
                AccessExpr::Subscript(Subscript::Index { index }) => return self.key(of, index),
                AccessExpr::Subscript(_) => return,
            }
        }
    }

    fn value(&mut self, of: &Expr, value: &Expr) {
        if let (Some(column), Some(value)) = (column(of), text(value))
            && let Some(column) = WORDS.into_iter().find(|name| *name == column)
        {
            self.asked.words.insert((column, value));
        }
    }
}

impl Visitor for Look {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let named = query.with.iter().flat_map(|with| &with.cte_tables);
        self.queries
            .extend(named.map(|named| named.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let last = relation.0.last().and_then(|part| part.as_ident());
        self.relations.insert(
            last.map(|ident| ident.value.to_lowercase())
                .unwrap_or_default(),
        );
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.has_lists |= column(expr).is_some_and(|name| LISTS.contains(&name.as_str()));
        match expr {
            Expr::CompoundFieldAccess { root, access_chain } => self.first_key(root, access_chain),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Arrow | BinaryOperator::LongArrow | BinaryOperator::Question,
                right,
            } => self.key(column(left), right),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => {
                self.value(left, right);
                self.value(right, left);
            }
            Expr::InList { expr, list, .. } => {
                list.iter().for_each(|value| self.value(expr, value))
            }
            Expr::Function(function)
                if function
                    .name
                    .to_string()
                    .to_lowercase()
                    .starts_with("json_") =>
            {
                if let FunctionArguments::List(list) = &function.args
                    && let [
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(of)),
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(key)),
                        ..,
                    ] = list.args.as_slice()
                {
                    self.key(column(of), key);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The name of a column, without its table.
fn column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(ident.value.to_lowercase()),
        Expr::CompoundIdentifier(path) => path.last().map(|ident| ident.value.to_lowercase()),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}
