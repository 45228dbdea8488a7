//! `SUMMARIZE`: a row for each column of a table or a query, with what its values are like.
//!
//! One aggregate over the query gives all figures in one row, which is then turned into rows.
//!
//! **Invariant** Every column has its row. A figure that its type does not have (the average of a text, the least of
//! maps) is NULL; the number of different values and the quartiles are approximate, as in DuckDB.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Column, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast as cast_expr, lit};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use super::type_names::type_name;

/// The quartiles, and the columns that have them.
const QUARTILES: [(&str, f64); 3] = [("q25", 0.25), ("q50", 0.5), ("q75", 0.75)];
/// Figures that are numbers, in the order of their columns.
const NUMBERS: [&str; 5] = ["avg", "std", "q25", "q50", "q75"];

/// The columns that are summed up.
#[derive(Debug)]
pub(super) struct Summary {
    columns: Vec<(String, DataType)>,
}

impl Summary {
    /// The aggregate that a summary of `plan` needs.
    ///
    /// # Errors
    /// A function that is not there, or what the planner refuses.
    pub(super) fn of(plan: LogicalPlan, state: &SessionState) -> Result<(Self, LogicalPlan)> {
        let fields = plan.schema().iter();
        let of_column = |(qualifier, field): (Option<&_>, &Arc<Field>)| {
            (
                Column::from((qualifier, field)),
                field.name().clone(),
                field.data_type().clone(),
            )
        };
        let fields: Vec<(Column, String, DataType)> = fields.map(of_column).collect();
        let mut figures = vec![call(state, "count", vec![lit(1_i64)])?.alias("rows")];
        for (index, (column, _, data_type)) in fields.iter().enumerate() {
            figures_of(
                state,
                index,
                &Expr::Column(column.clone()),
                data_type,
                &mut figures,
            )?;
        }
        let columns = fields
            .into_iter()
            .map(|(_, name, data_type)| (name, data_type))
            .collect();
        let none: [Expr; 0] = [];
        Ok((
            Self { columns },
            LogicalPlanBuilder::from(plan)
                .aggregate(none, figures)?
                .build()?,
        ))
    }

    /// The row of figures as a row for each column.
    pub(super) fn in_rows(self, figures: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let rows = figures.map(move |batch| match batch? {
            none if none.num_rows() == 0 => Ok(RecordBatch::new_empty(schema())),
            figures => self.rows(&figures),
        });
        Box::pin(RecordBatchStreamAdapter::new(schema(), rows))
    }

    fn rows(&self, figures: &RecordBatch) -> Result<RecordBatch> {
        let Some(rows) = number::<Int64Type>(figures, "rows")? else {
            return internal_err!("no count of rows");
        };
        let (mut names, mut types) = (StringBuilder::new(), StringBuilder::new());
        let (mut least, mut greatest) = (StringBuilder::new(), StringBuilder::new());
        let (mut unique, mut count) = (Int64Builder::new(), Int64Builder::new());
        let mut numbers = NUMBERS.map(|_| Float64Builder::new());
        let mut absent = Float64Builder::new();
        for (index, (name, data_type)) in self.columns.iter().enumerate() {
            names.append_value(name);
            types.append_value(type_name(data_type));
            least.append_option(text(figures, &title(index, "min"))?);
            greatest.append_option(text(figures, &title(index, "max"))?);
            unique.append_option(number::<Int64Type>(figures, &title(index, "unique"))?);
            for (builder, figure) in numbers.iter_mut().zip(NUMBERS) {
                builder.append_option(number::<Float64Type>(figures, &title(index, figure))?);
            }
            count.append_value(rows);
            let present = number::<Int64Type>(figures, &title(index, "count"))?.unwrap_or(rows);
            let percentage = (rows > 0).then(|| (rows - present) as f64 * 100.0 / rows as f64);
            absent.append_option(percentage.map(|percentage| (percentage * 100.0).round() / 100.0));
        }
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(names.finish()),
            Arc::new(types.finish()),
            Arc::new(least.finish()),
            Arc::new(greatest.finish()),
            Arc::new(unique.finish()),
        ];
        columns.extend(
            numbers
                .iter_mut()
                .map(|builder| Arc::new(builder.finish()) as ArrayRef),
        );
        columns.push(Arc::new(count.finish()));
        columns.push(Arc::new(absent.finish()));
        Ok(RecordBatch::try_new(schema(), columns)?)
    }
}

fn schema() -> SchemaRef {
    let texts = ["column_name", "column_type", "min", "max"];
    let mut fields: Vec<Field> = texts
        .map(|name| Field::new(name, DataType::Utf8, true))
        .to_vec();
    fields.push(Field::new("approx_unique", DataType::Int64, true));
    fields.extend(NUMBERS.map(|name| Field::new(name, DataType::Float64, true)));
    fields.push(Field::new("count", DataType::Int64, true));
    fields.push(Field::new("null_percentage", DataType::Float64, true));
    Arc::new(Schema::new(fields))
}

/// What the aggregate calls a figure of a column.
fn title(index: usize, figure: &str) -> String {
    format!("{index} {figure}")
}

/// Adds the figures that a column of this type has.
fn figures_of(
    state: &SessionState,
    index: usize,
    column: &Expr,
    data_type: &DataType,
    figures: &mut Vec<Expr>,
) -> Result<()> {
    let mut add = |figure: &str, expr: Expr| figures.push(expr.alias(title(index, figure)));
    add("count", call(state, "count", vec![column.clone()])?);
    if matches!(data_type, DataType::Null | DataType::Union(..)) {
        return Ok(());
    }
    if !data_type.is_nested() {
        add("min", call(state, "min", vec![column.clone()])?);
        add("max", call(state, "max", vec![column.clone()])?);
    }
    // It does not count numbers with a fraction as they are.
    let counted = if data_type.is_floating() {
        cast_expr(column.clone(), DataType::Utf8)
    } else {
        column.clone()
    };
    add("unique", call(state, "approx_distinct", vec![counted])?);
    if data_type.is_numeric() {
        let number = cast_expr(column.clone(), DataType::Float64);
        add("avg", call(state, "avg", vec![number.clone()])?);
        add("std", call(state, "stddev", vec![number.clone()])?);
        for (figure, share) in QUARTILES {
            add(
                figure,
                call(
                    state,
                    "approx_percentile_cont",
                    vec![number.clone(), lit(share)],
                )?,
            );
        }
    }
    Ok(())
}

fn call(state: &SessionState, name: &str, arguments: Vec<Expr>) -> Result<Expr> {
    let Some(function) = state.aggregate_functions().get(name) else {
        return internal_err!("no aggregate {name}");
    };
    let order = match (name, arguments.first()) {
        ("approx_percentile_cont", Some(by)) => vec![by.clone().sort(true, false)],
        _ => Vec::new(),
    };
    let call =
        AggregateFunction::new_udf(Arc::clone(function), arguments, false, None, order, None);
    Ok(Expr::AggregateFunction(call))
}

/// A figure as its table shows it; `None` where it is NULL or the column has none.
fn text(figures: &RecordBatch, title: &str) -> Result<Option<String>> {
    let Some(column) = figures
        .column_by_name(title)
        .filter(|column| column.is_valid(0))
    else {
        return Ok(None);
    };
    let options = FormatOptions::default();
    Ok(Some(
        ArrayFormatter::try_new(column, &options)?
            .value(0)
            .try_to_string()?,
    ))
}

fn number<T: arrow::datatypes::ArrowPrimitiveType>(
    figures: &RecordBatch,
    title: &str,
) -> Result<Option<T::Native>> {
    let Some(column) = figures.column_by_name(title) else {
        return Ok(None);
    };
    Ok(cast(column, &T::DATA_TYPE)?
        .as_primitive::<T>()
        .iter()
        .next()
        .flatten())
}
