//! `sum` of integers and decimals, in which an overflow of the result is an error.
//!
//! DataFusion's wraps. Here integers and durations are added in 128 bits, which no number of rows fills, and
//! the result is checked when it is asked for; so it does not depend on the order of rows, nor on which of them
//! are added where. Decimals of 38 digits can fill them, which is an error at once. All other types are DataFusion's. This could go when its own is checked; see
//! `a_sum_that_overflows_is_an_error` among the tests.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Int64Array,
    ListArray, PrimitiveArray, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature,
};

/// The name that it takes the place of.
pub(super) const NAME: &str = "sum";

/// Digits of a 128-bit integer that Arrow's decimals hold: those of 10^19 rows of the largest integer.
const STATE_TYPE: DataType = DataType::Decimal128(38, 0);

/// The aggregate function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Sum {
    /// DataFusion's.
    inner: Arc<AggregateUDF>,
}

impl Sum {
    /// In the place of DataFusion's.
    pub(super) fn new(inner: Arc<AggregateUDF>) -> Self {
        Self { inner }
    }
}

fn is_checked(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Int64 | DataType::UInt64 | DataType::Duration(_) | DataType::Decimal128(..)
    )
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !is_checked(args.return_type()) {
            return self.inner.state_fields(args);
        }
        let name = format_state_name(args.name, NAME);
        let kind = if args.is_distinct {
            DataType::List(item())
        } else {
            STATE_TYPE
        };
        Ok(vec![Arc::new(Field::new(name, kind, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let kind = args.return_type().clone();
        Ok(match (is_checked(&kind), args.is_distinct) {
            (false, _) => self.inner.accumulator(args)?,
            (true, false) => Box::new(Total {
                kind,
                sum: 0,
                count: 0,
            }),
            (true, true) => Box::new(Distinct {
                kind,
                counts: HashMap::new(),
            }),
        })
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match is_checked(args.return_type()) {
            true => self.accumulator(args),
            false => self.inner.create_sliding_accumulator(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let kind = args.return_type().clone();
        match is_checked(&kind) {
            true => Ok(Box::new(Totals {
                kind,
                sums: Vec::new(),
            })),
            false => self.inner.create_groups_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> datafusion::logical_expr::utils::AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn set_monotonicity(&self, kind: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(kind)
    }
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(STATE_TYPE, true))
}

/// Calls `take` with each row that has a value, and the value: an integer, a duration, or a decimal without its
/// point. One loop a type, not one iterator for all, which is a call a row.
fn each_number(array: &ArrayRef, mut take: impl FnMut(usize, i128) -> Result<()>) -> Result<()> {
    fn each<T: ArrowPrimitiveType<Native: Into<i128>>>(
        values: &PrimitiveArray<T>,
        take: &mut impl FnMut(usize, i128) -> Result<()>,
    ) -> Result<()> {
        match values.nulls().filter(|nulls| nulls.null_count() > 0) {
            Some(nulls) => {
                let mut valid = nulls.valid_indices();
                valid.try_for_each(|row| take(row, values.value(row).into()))
            }
            None => {
                let mut rows = values.values().iter().enumerate();
                rows.try_for_each(|(row, value)| take(row, (*value).into()))
            }
        }
    }
    if let Some(values) = array.as_primitive_opt::<Int64Type>() {
        return each(values, &mut take);
    }
    if let Some(values) = array.as_primitive_opt::<UInt64Type>() {
        return each(values, &mut take);
    }
    if let Some(values) = array.as_primitive_opt::<Decimal128Type>() {
        return each(values, &mut take);
    }
    let values = cast(array, &DataType::Int64)?;
    each(values.as_primitive::<Int64Type>(), &mut take)
}

fn first(arrays: &[ArrayRef]) -> Result<&ArrayRef> {
    match arrays.first() {
        Some(array) => Ok(array),
        None => internal_err!("SUM has an argument"),
    }
}

fn state_values(states: &[ArrayRef]) -> Result<&Decimal128Array> {
    match first(states)?.as_primitive_opt::<Decimal128Type>() {
        Some(sums) => Ok(sums),
        None => internal_err!("the state of SUM is a decimal"),
    }
}

/// `sum` and `value` together.
fn added(sum: i128, value: i128) -> Result<i128> {
    match sum.checked_add(value) {
        Some(sum) => Ok(sum),
        None => exec_err!("decimal overflow: the sum has more than 38 digits"),
    }
}

/// Sums in the type of the result.
fn results(sums: &[Option<i128>], kind: &DataType) -> Result<ArrayRef> {
    fn fitting<T: TryFrom<i128>>(sums: &[Option<i128>]) -> Result<Vec<Option<T>>> {
        let fits = |sum: i128| match T::try_from(sum) {
            Ok(sum) => Ok(sum),
            Err(_) => {
                exec_err!(
                    "integer overflow: the sum is {sum}; sum(CAST(.. AS DECIMAL)) has more digits"
                )
            }
        };
        sums.iter().map(|sum| sum.map(fits).transpose()).collect()
    }
    Ok(match kind {
        DataType::UInt64 => Arc::new(UInt64Array::from(fitting::<u64>(sums)?)),
        DataType::Int64 => Arc::new(Int64Array::from(fitting::<i64>(sums)?)),
        DataType::Decimal128(precision, scale) => {
            let limit = 10_u128.pow(u32::from(*precision));
            if sums.iter().flatten().any(|sum| sum.unsigned_abs() >= limit) {
                return exec_err!("decimal overflow: the sum has more than {precision} digits");
            }
            let sums = sums.iter().copied().collect::<Decimal128Array>();
            Arc::new(sums.with_precision_and_scale(*precision, *scale)?)
        }
        kind => cast(&Int64Array::from(fitting::<i64>(sums)?), kind)?,
    })
}

fn result(sum: Option<i128>, kind: &DataType) -> Result<ScalarValue> {
    ScalarValue::try_from_array(&results(&[sum], kind)?, 0)
}

fn decimals(sums: impl IntoIterator<Item = Option<i128>>) -> Result<Decimal128Array> {
    Ok(sums
        .into_iter()
        .collect::<Decimal128Array>()
        .with_precision_and_scale(38, 0)?)
}

/// The sum of some rows.
#[derive(Debug)]
struct Total {
    kind: DataType,
    sum: i128,
    /// Values in it; without any there is no sum.
    count: u64,
}

impl Total {
    fn sum(&self) -> Option<i128> {
        (self.count > 0).then_some(self.sum)
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        each_number(first(arguments)?, |_, value| {
            self.sum = added(self.sum, value)?;
            self.count += 1;
            Ok(())
        })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        result(self.sum(), &self.kind)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Decimal128(self.sum(), 38, 0)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for sum in state_values(states)?.iter().flatten() {
            self.sum = added(self.sum, sum)?;
            self.count += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        each_number(first(arguments)?, |_, value| {
            self.sum = added(self.sum, -value)?;
            self.count -= 1;
            Ok(())
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// The sum of the different values of some rows.
#[derive(Debug)]
struct Distinct {
    kind: DataType,
    /// How many rows have a value.
    counts: HashMap<i128, u64>,
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        each_number(first(arguments)?, |_, value| {
            *self.counts.entry(value).or_default() += 1;
            Ok(())
        })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.counts.is_empty() {
            return result(None, &self.kind);
        }
        let sum = self
            .counts
            .keys()
            .try_fold(0, |sum, value| added(sum, *value))?;
        result(Some(sum), &self.kind)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.capacity() * size_of::<(i128, u64)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = decimals(self.counts.keys().copied().map(Some))?;
        let offsets = OffsetBuffer::from_lengths([values.len()]);
        let list = ListArray::try_new(item(), offsets, Arc::new(values), None)?;
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(lists) = first(states)?.as_list_opt::<i32>() else {
            return internal_err!("the state of SUM(DISTINCT) is a list");
        };
        for values in lists.iter().flatten() {
            for value in state_values(&[values])?.iter().flatten() {
                *self.counts.entry(value).or_default() += 1;
            }
        }
        Ok(())
    }

    fn retract_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        each_number(first(arguments)?, |_, value| {
            match self.counts.get_mut(&value) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.counts.remove(&value)),
            }
            Ok(())
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// The sums of many groups.
#[derive(Debug)]
struct Totals {
    kind: DataType,
    sums: Vec<Option<i128>>,
}

impl Totals {
    fn take(&mut self, emit_to: EmitTo) -> Vec<Option<i128>> {
        emit_to.take_needed(&mut self.sums)
    }

    fn add(&mut self, group: usize, value: i128) -> Result<()> {
        if let Some(sum) = self.sums.get_mut(group) {
            *sum = Some(added(sum.unwrap_or_default(), value)?);
        }
        Ok(())
    }
}

impl GroupsAccumulator for Totals {
    fn update_batch(
        &mut self,
        arguments: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_num_groups, None);
        each_number(first(arguments)?, |row, value| {
            match group_indices.get(row) {
                Some(group) if is_wanted(filter, row) => self.add(*group, value),
                _ => Ok(()),
            }
        })
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.take(emit_to);
        results(&sums, &self.kind)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(decimals(self.take(emit_to))?)])
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_num_groups, None);
        for (group, sum) in group_indices.iter().zip(state_values(states)?.iter()) {
            if let Some(sum) = sum {
                self.add(*group, sum)?;
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        arguments: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let argument = first(arguments)?;
        let mut values = vec![None; argument.len()];
        each_number(argument, |row, value| {
            if let Some(kept) = values.get_mut(row).filter(|_| is_wanted(filter, row)) {
                *kept = Some(value);
            }
            Ok(())
        })?;
        Ok(vec![Arc::new(decimals(values)?)])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sums.capacity() * size_of::<Option<i128>>()
    }
}

fn is_wanted(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}
