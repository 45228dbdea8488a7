//! Conditions with subqueries as expressions that know NULL.
//!
//! ```text
//! x IN (S)      true   EXISTS (S where s = x)
//!               NULL   x IS NULL and S is not empty, or S has a NULL
//!               false  else
//! x op ANY (S)  the same with op;  x op ALL (S) = NOT (x inverse-op ANY (S))
//! ```
//!
//! What cannot be NULL is not asked for, nor is NULL where it counts as false: in conditions of WHERE, HAVING, ON,
//! FILTER and CASE. `EXISTS (S)` of an S without references to the query around it is one value for all rows.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef, ExprSchema, ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::functions_aggregate::count::count_all;
use datafusion::logical_expr::expr::{
    AggregateFunction, BinaryExpr, Case, Exists, InSubquery, SetComparison, SetQuantifier,
};
use datafusion::logical_expr::logical_plan::Subquery;
use datafusion::logical_expr::{
    Expr, ExprSchemable, FetchType, Filter, LogicalPlan, LogicalPlanBuilder, Operator, SkipType,
    lit,
};

use super::has_subquery;
use super::lift::Marks;
use crate::error::QueryError;

/// Whether a NULL of a condition is told from false where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Null {
    /// It is.
    Matters,
    /// It counts as false.
    IsFalse,
}

/// The rows that conditions are about.
pub(super) struct Scope<'a> {
    /// Absent for the condition of a join, which has two.
    input: Option<LogicalPlan>,
    schema: DFSchemaRef,
    marks: &'a Marks,
}

/// `value op ANY (subquery)`, or not that.
struct Membership {
    value: Expr,
    op: Operator,
    subquery: Subquery,
    negated: bool,
}

impl<'a> Scope<'a> {
    pub(super) fn over(input: LogicalPlan, marks: &'a Marks) -> Self {
        Self {
            schema: input.schema().clone(),
            input: Some(input),
            marks,
        }
    }

    pub(super) fn without_input(schema: DFSchemaRef, marks: &'a Marks) -> Self {
        Self {
            input: None,
            schema,
            marks,
        }
    }

    /// The rows, perhaps with columns added.
    pub(super) fn into_input(self) -> Result<LogicalPlan> {
        match self.input {
            Some(input) => Ok(input),
            None => plan_err!("a join has no one input"),
        }
    }

    /// `expr` without IN, ANY and ALL of subqueries.
    pub(super) fn truth(&mut self, expr: Expr, null: Null) -> Result<Expr> {
        if !has_subquery(&expr)? {
            return Ok(expr);
        }
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if matches!(op, Operator::And | Operator::Or) =>
            {
                let (left, right) = (self.truth(*left, null)?, self.truth(*right, null)?);
                Ok(Expr::BinaryExpr(BinaryExpr::new(
                    Box::new(left),
                    op,
                    Box::new(right),
                )))
            }
            Expr::Not(inner) => match *inner {
                Expr::InSubquery(mut test) => {
                    test.negated = !test.negated;
                    self.truth(Expr::InSubquery(test), null)
                }
                inner => Ok(!self.truth(inner, Null::Matters)?),
            },
            Expr::IsTrue(inner) => Ok(Expr::IsTrue(Box::new(self.truth(*inner, Null::IsFalse)?))),
            Expr::IsNotTrue(inner) => Ok(Expr::IsNotTrue(Box::new(
                self.truth(*inner, Null::IsFalse)?,
            ))),
            Expr::Case(case) if case.expr.is_none() => self.case(case, null),
            Expr::AggregateFunction(call) => self.aggregate(call),
            Expr::Exists(Exists { subquery, negated }) => {
                let exists = self.exists(&subquery)?;
                Ok(if negated { !exists } else { exists })
            }
            Expr::InSubquery(InSubquery {
                expr,
                subquery,
                negated,
            }) => self.member(
                Membership {
                    value: *expr,
                    op: Operator::Eq,
                    subquery,
                    negated,
                },
                null,
            ),
            Expr::SetComparison(comparison) => self.member(any(comparison)?, null),
            other => other
                .map_children(|child| self.truth(child, Null::Matters).map(Transformed::yes))
                .data(),
        }
    }

    fn case(&mut self, case: Case, null: Null) -> Result<Expr> {
        let mut branches = Vec::with_capacity(case.when_then_expr.len());
        for (when, then) in case.when_then_expr {
            let when = self.truth(*when, Null::IsFalse)?;
            branches.push((Box::new(when), Box::new(self.truth(*then, null)?)));
        }
        let otherwise = case
            .else_expr
            .map(|expr| self.truth(*expr, null))
            .transpose()?;
        Ok(Expr::Case(Case {
            expr: None,
            when_then_expr: branches,
            else_expr: otherwise.map(Box::new),
        }))
    }

    fn aggregate(&mut self, mut call: AggregateFunction) -> Result<Expr> {
        let filter = call
            .params
            .filter
            .take()
            .map(|filter| self.truth(*filter, Null::IsFalse))
            .transpose()?;
        let call = Expr::AggregateFunction(call)
            .map_children(|child| self.truth(child, Null::Matters).map(Transformed::yes))
            .data()?;
        Ok(match call {
            Expr::AggregateFunction(mut call) => {
                call.params.filter = filter.map(Box::new);
                Expr::AggregateFunction(call)
            }
            other => other,
        })
    }

    fn member(&mut self, test: Membership, null: Null) -> Result<Expr> {
        let Membership {
            value,
            op,
            subquery,
            negated,
        } = test;
        let value = self.truth(value, Null::Matters)?;
        let not_if = |expr: Expr| if negated { !expr } else { expr };
        if is_one_value(&subquery) {
            let one = Expr::ScalarSubquery(subquery);
            return Ok(not_if(Expr::BinaryExpr(BinaryExpr::new(
                Box::new(value),
                op,
                Box::new(one),
            ))));
        }
        check_limits(&subquery)?;
        // A name that nothing around has, so that the planner cannot take one for the other.
        let name = self.marks.name("__member");
        let (column, field) = subquery.subquery.schema().qualified_field(0);
        let column = Expr::Column(Column::from((column, field))).alias(&name);
        let has_null = field.is_nullable();
        let members = LogicalPlanBuilder::from(Arc::clone(&subquery.subquery))
            .project([column])?
            .build()?;
        let member = Expr::Column(Column::new_unqualified(name));
        let mut unknown = Vec::new();
        if value.nullable(&self.schema)? {
            unknown.push(Expr::IsNull(Box::new(value.clone())).and(self.exists(&subquery)?));
        }
        if has_null {
            unknown.push(self.exists_where(&members, Expr::IsNull(Box::new(member.clone())))?);
        }
        let outer = self.outer(value, &subquery)?;
        let equal = Expr::BinaryExpr(BinaryExpr::new(Box::new(outer), op, Box::new(member)));
        let met = self.exists_where(&members, equal)?;
        Ok(match (null, negated) {
            (Null::IsFalse, false) => met,
            (Null::IsFalse, true) => unknown
                .into_iter()
                .fold(!met, |all, unknown| all.and(!unknown)),
            (Null::Matters, _) => {
                let mut branches = vec![(Box::new(met), Box::new(lit(!negated)))];
                let no_value = lit(ScalarValue::Boolean(None));
                branches.extend(
                    unknown
                        .into_iter()
                        .map(|unknown| (Box::new(unknown), Box::new(no_value.clone()))),
                );
                let otherwise = Some(Box::new(lit(negated)));
                Expr::Case(Case {
                    expr: None,
                    when_then_expr: branches,
                    else_expr: otherwise,
                })
            }
        })
    }

    fn exists_where(&mut self, rows: &LogicalPlan, condition: Expr) -> Result<Expr> {
        let plan = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(rows.clone()))?);
        self.exists(&subquery_of(plan))
    }

    /// Whether `subquery` has a row; never NULL.
    fn exists(&mut self, subquery: &Subquery) -> Result<Expr> {
        let subquery = without_limit(subquery.clone())?;
        if !is_correlated(&subquery) {
            let count = count_all();
            let some =
                Expr::Column(Column::from_name(count.schema_name().to_string())).gt(lit(0_i64));
            let plan = LogicalPlanBuilder::from(subquery.subquery)
                .limit(0, Some(1))?
                .aggregate(Vec::<Expr>::new(), vec![count])?
                .project([some])?
                .build()?;
            return Ok(Expr::ScalarSubquery(subquery_of(plan)));
        }
        match only_row(&subquery.subquery) {
            Some(OnlyRow::Always) => Ok(lit(true)),
            Some(OnlyRow::If(condition, aggregate)) => {
                let condition = condition.clone().alias(self.marks.name("__having"));
                let plan = LogicalPlanBuilder::from(aggregate.clone())
                    .project([condition])?
                    .build()?;
                Ok(Expr::IsTrue(Box::new(Expr::ScalarSubquery(subquery_of(
                    plan,
                )))))
            }
            None => {
                check_limits(&subquery)?;
                Ok(Expr::Exists(Exists {
                    subquery,
                    negated: false,
                }))
            }
        }
    }

    /// `value` as a subquery refers to it. The planner tells columns of a correlated subquery and of the rows
    /// around it apart by name alone, so that one of the same name gets another.
    fn outer(&mut self, value: Expr, subquery: &Subquery) -> Result<Expr> {
        let is_ambiguous = is_correlated(subquery) && shares_column(&value, &subquery.subquery)?;
        let value = match (is_ambiguous, self.input.take()) {
            (false, input) => {
                self.input = input;
                value
            }
            (true, None) => return Err(ambiguous().into()),
            (true, Some(input)) => {
                let name = self.marks.name("__value");
                let mut columns: Vec<Expr> = input
                    .schema()
                    .columns()
                    .into_iter()
                    .map(Expr::Column)
                    .collect();
                columns.push(value.alias(&name));
                let input = LogicalPlanBuilder::from(input).project(columns)?.build()?;
                self.schema = input.schema().clone();
                self.input = Some(input);
                Expr::Column(Column::new_unqualified(name))
            }
        };
        value
            .transform_up(|expr| match expr {
                Expr::Column(column) => {
                    let field = Arc::clone(self.schema.field_from_column(&column)?);
                    Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
                }
                other => Ok(Transformed::no(other)),
            })
            .data()
    }
}

/// As a test that some value passes.
fn any(comparison: SetComparison) -> Result<Membership> {
    let SetComparison {
        expr,
        subquery,
        op,
        quantifier,
    } = comparison;
    let (op, negated) = match quantifier {
        SetQuantifier::Any => (op, false),
        SetQuantifier::All => match op.negate() {
            Some(op) => (op, true),
            None => return plan_err!("{op} cannot be used with ALL"),
        },
    };
    Ok(Membership {
        value: *expr,
        op,
        subquery,
        negated,
    })
}

fn subquery_of(plan: LogicalPlan) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns,
        spans: Default::default(),
    }
}

fn is_correlated(subquery: &Subquery) -> bool {
    !subquery.outer_ref_columns.is_empty()
}

/// Whether a correlated subquery has exactly one row, which joining by its references would lose where it
/// aggregates nothing.
pub(super) fn is_one_value(subquery: &Subquery) -> bool {
    is_correlated(subquery) && matches!(only_row(&subquery.subquery), Some(OnlyRow::Always))
}

/// The one row of an aggregate without groups.
enum OnlyRow<'a> {
    Always,
    /// HAVING: the condition, and the aggregate.
    If(&'a Expr, &'a LogicalPlan),
}

fn only_row(plan: &LogicalPlan) -> Option<OnlyRow<'_>> {
    let is_total = |plan: &LogicalPlan| matches!(plan, LogicalPlan::Aggregate(total) if total.group_expr.is_empty());
    match plan {
        LogicalPlan::Projection(projection) => only_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => only_row(&alias.input),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => only_row(&sort.input),
        LogicalPlan::Filter(filter) if is_total(&filter.input) => {
            Some(OnlyRow::If(&filter.predicate, &filter.input))
        }
        total if is_total(total) => Some(OnlyRow::Always),
        _ => None,
    }
}

/// A LIMIT that leaves a row where there is one says nothing to EXISTS.
fn without_limit(subquery: Subquery) -> Result<Subquery> {
    let LogicalPlan::Limit(limit) = subquery.subquery.as_ref() else {
        return Ok(subquery);
    };
    let keeps_one = matches!(limit.get_skip_type()?, SkipType::Literal(0))
        && matches!(limit.get_fetch_type()?, FetchType::Literal(fetch) if fetch != Some(0));
    match keeps_one {
        true => Ok(Subquery {
            subquery: Arc::clone(&limit.input),
            ..subquery
        }),
        false => Ok(subquery),
    }
}

/// The planner cannot limit rows for each row of the query around.
fn check_limits(subquery: &Subquery) -> Result<()> {
    if !is_correlated(subquery) {
        return Ok(());
    }
    subquery.subquery.apply(|node| match node {
        LogicalPlan::Limit(_) if !node.all_out_ref_exprs().is_empty() => {
            Err(QueryError::invalid_input(
                "LIMIT and OFFSET cannot be used in a subquery that refers to the query around it; \
             number the rows in a subquery with row_number() OVER (PARTITION BY ..) and join that",
            )
            .into())
        }
        _ => Ok(TreeNodeRecursion::Continue),
    })?;
    Ok(())
}

fn shares_column(value: &Expr, plan: &LogicalPlan) -> Result<bool> {
    let columns = value.column_refs();
    let mut shared = false;
    plan.apply(|node| {
        shared |= node
            .schema()
            .columns()
            .iter()
            .any(|column| columns.contains(column));
        Ok(if shared {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(shared)
}

fn ambiguous() -> QueryError {
    QueryError::invalid_input(
        "a subquery in the ON of an outer join uses a table of the same name as the join; give it an alias",
    )
}
