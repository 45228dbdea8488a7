//! `mode(value)` and `quantile_disc(value, share)`: values of any type that has an order, of which one is taken.
//!
//! **Invariants**: NULL does not count; no value gives NULL; the answer does not depend on the order of rows, so that
//! of values that are equally frequent the least is the mode.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, new_empty_array};
use arrow::compute::{cast, concat, filter, is_not_null, partition, sort};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, Volatility,
};

const MODE: &str = "mode";

/// The two functions.
pub(super) fn functions() -> [Arc<AggregateUDF>; 2] {
    let quantile = vec!["quantile".to_string()];
    [(MODE, 1, vec![]), ("quantile_disc", 2, quantile)].map(|(name, arguments, aliases)| {
        let signature = Signature::any(arguments, Volatility::Immutable);
        Arc::new(AggregateUDF::new_from_impl(Collected {
            name,
            aliases,
            signature,
        }))
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Collected {
    name: &'static str,
    aliases: Vec<String>,
    signature: Signature,
}

impl AggregateUDFImpl for Collected {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.first() {
            Some(value) => Ok(value.clone()),
            None => internal_err!("{} takes an argument", self.name),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let Some(value) = args.input_fields.first() else {
            return internal_err!("{} takes an argument", self.name);
        };
        let item = Arc::new(Field::new_list_field(stored(value.data_type()), true));
        Ok(vec![Arc::new(Field::new(
            format_state_name(args.name, "values"),
            DataType::List(item),
            true,
        ))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let Some(value) = args.expr_fields.first() else {
            return internal_err!("{} takes an argument", self.name);
        };
        let share = if self.name == MODE {
            None
        } else {
            Some(share(&args)?)
        };
        let data_type = value.data_type().clone();
        Ok(Box::new(Values {
            share,
            is_distinct: args.is_distinct,
            data_type,
            parts: Vec::new(),
        }))
    }
}

/// The share of values that are at most the one wanted.
fn share(args: &AccumulatorArgs<'_>) -> Result<f64> {
    let Some(expr) = args.exprs.get(1) else {
        return plan_err!("quantile lacks its share");
    };
    let literal = expr.evaluate(&RecordBatch::new_empty(Arc::new(args.schema.clone())));
    let share = match literal {
        Ok(ColumnarValue::Scalar(value)) => value.cast_to(&DataType::Float64).ok(),
        _ => None,
    };
    match share {
        Some(ScalarValue::Float64(Some(share))) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => plan_err!(
            "the second argument of quantile must be a number from 0 to 1, written as such"
        ),
    }
}

/// The type in which values are kept: a view would keep the batch that it looks into.
fn stored(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}

/// The values of one group.
#[derive(Debug)]
struct Values {
    /// `None` for the mode.
    share: Option<f64>,
    is_distinct: bool,
    data_type: DataType,
    parts: Vec<ArrayRef>,
}

impl Values {
    fn all(&self) -> Result<ArrayRef> {
        let parts: Vec<&dyn Array> = self.parts.iter().map(AsRef::as_ref).collect();
        Ok(match parts.is_empty() {
            true => new_empty_array(&stored(&self.data_type)),
            false => concat(&parts)?,
        })
    }

    /// The place of the value wanted, in sorted values.
    fn place(&self, sorted: &ArrayRef) -> Result<Option<usize>> {
        let runs = match self.share {
            Some(_) if !self.is_distinct => Vec::new(),
            _ => partition(std::slice::from_ref(sorted))?.ranges(),
        };
        let Some(share) = self.share else {
            let longest = runs.iter().map(|run| run.len()).max();
            return Ok(runs
                .iter()
                .find(|run| Some(run.len()) == longest)
                .map(|run| run.start));
        };
        let count = if self.is_distinct {
            runs.len()
        } else {
            sorted.len()
        };
        // As DuckDB reckons it.
        let above = (count as f64 - share * count as f64).floor() as usize;
        let place = count.saturating_sub(above).max(1) - 1;
        Ok(match self.is_distinct {
            true => runs.get(place).map(|run| run.start),
            false => (place < count).then_some(place),
        })
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        let Some(values) = arguments.first() else {
            return internal_err!("an argument expected");
        };
        let values = filter(
            &cast(values, &stored(&self.data_type))?,
            &is_not_null(values)?,
        )?;
        if !values.is_empty() {
            self.parts.push(values);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sorted = sort(&self.all()?, None)?;
        match self.place(&sorted)? {
            Some(place) => {
                ScalarValue::try_from_array(&cast(&sorted.slice(place, 1), &self.data_type)?, 0)
            }
            None => ScalarValue::try_from(&self.data_type),
        }
    }

    fn size(&self) -> usize {
        // Parts are pieces of arrays that groups share.
        let bytes = |part: &ArrayRef| part.to_data().get_slice_memory_size().unwrap_or_default();
        let parts = self
            .parts
            .iter()
            .map(|part| size_of::<ArrayRef>() + bytes(part));
        size_of_val(self) + parts.sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = SingleRowListArrayBuilder::new(self.all()?).build_list_array();
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(lists) = states.first().and_then(|state| state.as_list_opt::<i32>()) else {
            return internal_err!("the state is a list of values");
        };
        self.parts
            .extend(lists.iter().flatten().filter(|list| !list.is_empty()));
        Ok(())
    }
}
