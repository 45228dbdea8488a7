//! Expressions that differ in their casts alone are told apart.
//!
//! ```text
//! SELECT CAST(x AS DATE), x FROM t            -> SELECT CAST(x AS DATE) AS "CAST(x AS DATE)", x FROM t
//! SELECT min(CAST(x AS DATE)), min(x) FROM t  -> SELECT min(typed(CAST(x AS DATE), 'DATE')), min(x) FROM t
//! ```
//! The planner calls an expression by its text without its casts, and refuses two of one name. After the guard, before
//! planning; unneeded once `casts_tell_expressions_apart` among the tests passes without it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result as PlanResult, internal_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, OrderByKind, Query,
    Select, SelectItem, SetExpr, Statement, Value, VisitMut, VisitorMut, visit_expressions,
    visit_expressions_mut,
};

use super::rewrite::{argument, call};

/// The function that a cast within a call is put into.
const TYPED: &str = "typed";

/// Changes `statement` in place.
pub(super) fn tell_apart(statement: &mut Statement) {
    if visit_expressions(statement, |expr| found(is_cast(expr))).is_continue() {
        return;
    }
    let visited: ControlFlow<()> = VisitMut::visit(statement, &mut Casts);
    debug_assert!(visited.is_continue(), "nothing ends the visit");
}

struct Casts;

impl VisitorMut for Casts {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let keys = match query.order_by.as_ref().map(|order| &order.kind) {
            Some(OrderByKind::Expressions(keys)) => {
                keys.iter().map(|key| key.expr.clone()).collect()
            }
            _ => Vec::new(),
        };
        if let SetExpr::Select(select) = query.body.as_mut() {
            name_items(select, &keys);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        name_items(select, &[]);
        type_calls(select);
        ControlFlow::Continue(())
    }
}

fn found(found: bool) -> ControlFlow<()> {
    if found {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

fn is_cast(expr: &Expr) -> bool {
    matches!(expr, Expr::Cast { .. })
}

/// The text by which the planner calls an expression.
fn without_casts(expr: &Expr) -> String {
    let mut bare = expr.clone();
    let visited: ControlFlow<()> = visit_expressions_mut(&mut bare, |part| {
        while let Expr::Cast { expr, .. } | Expr::Nested(expr) = part {
            *part = std::mem::replace(expr.as_mut(), Expr::Value(Value::Null.into()));
        }
        ControlFlow::Continue(())
    });
    debug_assert!(visited.is_continue(), "nothing ends the visit");
    bare.to_string()
}

/// Gives items of the list with a cast the title that they are written as, where another has their name.
fn name_items(select: &mut Select, keys: &[Expr]) {
    let mut others: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let items = select.projection.iter().filter_map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    });
    for expr in items.chain(keys) {
        others
            .entry(without_casts(expr))
            .or_default()
            .insert(expr.to_string());
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) = item
            && visit_expressions(expr, |part| found(is_cast(part))).is_break()
            && others
                .get(&without_casts(expr))
                .is_some_and(|texts| texts.len() > 1)
        {
            let alias = Ident::with_quote('"', expr.to_string());
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias,
            };
        }
    }
}

/// Puts casts within calls into a function with another name for each type, where two calls have one name.
fn type_calls(select: &mut Select) {
    let mut calls: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut count = |expr: &Expr| {
        if matches!(expr, Expr::Function(_)) {
            calls
                .entry(without_casts(expr))
                .or_default()
                .insert(expr.to_string());
        }
        ControlFlow::<()>::Continue(())
    };
    let counted = visit_expressions(&select.projection, &mut count).is_continue()
        && visit_expressions(&select.having, count).is_continue();
    debug_assert!(counted, "nothing ends the visit");
    calls.retain(|_, texts| texts.len() > 1);
    if calls.is_empty() {
        return;
    }
    let mut type_call = |expr: &mut Expr| {
        if matches!(expr, Expr::Function(_)) && calls.contains_key(&without_casts(expr)) {
            type_arguments(expr);
        }
        ControlFlow::<()>::Continue(())
    };
    let visited = visit_expressions_mut(&mut select.projection, &mut type_call);
    let visited =
        visited.is_continue() && visit_expressions_mut(&mut select.having, type_call).is_continue();
    debug_assert!(visited, "nothing ends the visit");
}

fn type_arguments(expr: &mut Expr) {
    let Expr::Function(Function {
        args: FunctionArguments::List(list),
        ..
    }) = expr
    else {
        return;
    };
    for arg in &mut list.args {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(cast)) = arg
            && let Expr::Cast { data_type, .. } = &*cast
        {
            let name = Expr::Value(Value::SingleQuotedString(data_type.to_string()).into());
            *arg = argument(call(TYPED, vec![cast.clone(), name]));
        }
    }
}

/// The function [`TYPED`].
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(Typed {
        signature: Signature::any(2, Volatility::Immutable),
    })
}

/// Its first argument; the second, a text, is only there to be seen.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Typed {
    signature: Signature,
}

impl ScalarUDFImpl for Typed {
    fn name(&self) -> &str {
        TYPED
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> PlanResult<DataType> {
        types
            .first()
            .cloned()
            .ok_or_else(|| internal_datafusion_err!("{TYPED} takes two arguments"))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> PlanResult<FieldRef> {
        let field = args.arg_fields.first();
        field
            .map(Arc::clone)
            .ok_or_else(|| internal_datafusion_err!("{TYPED} takes two arguments"))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let value = args.args.into_iter().next();
        value.ok_or_else(|| internal_datafusion_err!("{TYPED} takes two arguments"))
    }
}
