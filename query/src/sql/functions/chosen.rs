//! `arg_max(value, by)`, `arg_min(value, by)`: the value of the row of which `by` is greatest or least.
//!
//! **Invariants**: rows of which either is NULL do not count; no row gives NULL; of rows that are level, any is taken.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::{SortOptions, and, filter, is_not_null, sort_to_indices};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

/// The two functions.
pub(super) fn functions() -> [Arc<AggregateUDF>; 2] {
    [("arg_max", "max_by", true), ("arg_min", "min_by", false)].map(|(name, alias, is_greatest)| {
        let signature = Signature::any(2, Volatility::Immutable);
        let aliases = vec![alias.to_string()];
        Arc::new(AggregateUDF::new_from_impl(Chosen {
            name,
            aliases,
            is_greatest,
            signature,
        }))
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Chosen {
    name: &'static str,
    aliases: Vec<String>,
    is_greatest: bool,
    signature: Signature,
}

impl AggregateUDFImpl for Chosen {
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
            None => internal_err!("{} takes two arguments", self.name),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let parts = ["value", "by"].iter().zip(args.input_fields);
        let field = |(part, field): (&&str, &FieldRef)| {
            Arc::new(Field::new(
                format_state_name(args.name, part),
                field.data_type().clone(),
                true,
            ))
        };
        Ok(parts.map(field).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let [value, by] = args.expr_fields else {
            return internal_err!("{} takes two arguments", self.name);
        };
        let value = ScalarValue::try_from(value.data_type())?;
        let by = ScalarValue::try_from(by.data_type())?;
        Ok(Box::new(Best {
            is_greatest: self.is_greatest,
            value,
            by,
        }))
    }
}

/// The best row so far; both are NULL before there is one.
#[derive(Debug)]
struct Best {
    is_greatest: bool,
    value: ScalarValue,
    by: ScalarValue,
}

impl Accumulator for Best {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        let [values, keys] = arguments else {
            return internal_err!("two arguments expected");
        };
        let counts = and(&is_not_null(values)?, &is_not_null(keys)?)?;
        let (values, keys) = (filter(values, &counts)?, filter(keys, &counts)?);
        let options = SortOptions {
            descending: self.is_greatest,
            nulls_first: false,
        };
        let Some(row) = sort_to_indices(&keys, Some(options), Some(1))?
            .iter()
            .flatten()
            .next()
        else {
            return Ok(());
        };
        let by = ScalarValue::try_from_array(&keys, row as usize)?;
        let is_better = self.by.is_null()
            || match by.partial_cmp(&self.by) {
                Some(order) if self.is_greatest => order.is_gt(),
                Some(order) => order.is_lt(),
                None => false,
            };
        if is_better {
            (self.by, self.value) = (by, ScalarValue::try_from_array(&values, row as usize)?);
            // A list is a piece of its batch, which would be kept whole.
            self.by.compact();
            self.value.compact();
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size() + self.by.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), self.by.clone()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}
