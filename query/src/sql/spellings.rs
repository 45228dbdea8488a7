//! Calls put into words that mean the same and have the type that other databases give them.
//!
//! After the guard, before planning. Counts are `BIGINT` in DuckDB, PostgreSQL and SQLite; DataFusion gives some of them
//! as `UInt64`, which cannot be negated, and which becomes a decimal beside a negative number. `nvl` and `ifnull` of
//! anything but text give text; `coalesce` keeps the type. Unneeded once DataFusion types them so.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, Ident, ObjectName, Statement, VisitMut, VisitorMut,
};

/// Functions that give a `UInt64`.
const COUNTS: &[&str] = &[
    "row_number",
    "rank",
    "dense_rank",
    "ntile",
    "approx_distinct",
    "array_length",
    "list_length",
    "cardinality",
    "array_position",
    "list_position",
    "array_indexof",
    "list_indexof",
    "array_ndims",
    "list_ndims",
];

/// Changes `statement` in place.
pub(super) fn respell(statement: &mut Statement) {
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut Respell);
}

struct Respell;

impl VisitorMut for Respell {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Function(function) = expr else {
            return ControlFlow::Continue(());
        };
        let name = function.name.to_string().to_lowercase();
        if matches!(name.as_str(), "nvl" | "ifnull") {
            function.name = ObjectName::from(vec![Ident::new("coalesce")]);
        } else if COUNTS.contains(&name.as_str()) {
            *expr = as_bigint(function.clone());
        }
        ControlFlow::Continue(())
    }
}

fn as_bigint(function: Function) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Function(function)),
        data_type: DataType::BigInt(None),
        array: false,
        format: None,
    }
}
