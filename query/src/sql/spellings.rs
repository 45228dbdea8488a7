//! Calls put into words that mean the same and have the type that other databases give them.
//!
//! After the guard, before planning. Counts are `BIGINT` in DuckDB, PostgreSQL and SQLite; DataFusion gives some of them
//! as `UInt64`, which cannot be negated, and which becomes a decimal beside a negative number. `nvl` and `ifnull` of
//! anything but text give text; `coalesce` keeps the type. `string_agg` gives a `LargeUtf8`, which functions of two texts
//! do not take beside another type. Unneeded once DataFusion types them so.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, Ident, ObjectName, Statement, VisitMut, VisitorMut,
};

/// Functions that give a `UInt64` or an `Int32`.
const COUNTS: &[&str] = &[
    "ascii",
    "levenshtein",
    "length",
    "char_length",
    "character_length",
    "octet_length",
    "strpos",
    "instr",
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
            *expr = cast(function.clone(), DataType::BigInt(None));
        } else if name == "string_agg" {
            *expr = cast(function.clone(), DataType::Varchar(None));
        }
        ControlFlow::Continue(())
    }
}

fn cast(function: Function, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Function(function)),
        data_type,
        array: false,
        format: None,
    }
}
