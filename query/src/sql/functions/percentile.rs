//! `percentile_cont`: exact percentiles with linear interpolation between the two nearest values.
//!
//! DataFusion's own cuts the place between the two to six decimals, and keeps a list for each group, which
//! grows value by value. Here batches are kept as they come with the number of each value's group, and lists
//! are put together when groups are asked for. What else a percentile is (its names, arguments and the cases that are
//! a minimum or maximum) is DataFusion's.
//!
//! **Invariants**: NaN is the largest value; absent values do not count; no value gives NULL.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray, RecordBatch};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::types::{NativeType, logical_float64};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Coercion, ColumnarValue, EmitTo,
    GroupsAccumulator, Signature, TypeSignatureClass, Volatility,
};

/// The name that it takes the place of.
pub(super) const NAME: &str = "percentile_cont";

/// The aggregate function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct PercentileCont {
    signature: Signature,
    /// DataFusion's.
    inner: Arc<AggregateUDF>,
}

impl PercentileCont {
    /// In the place of DataFusion's.
    ///
    /// # Errors
    /// None, as the two parameters have two names.
    pub(super) fn new(inner: Arc<AggregateUDF>) -> Result<Self> {
        let number = |class| {
            Coercion::new_implicit(
                class,
                vec![TypeSignatureClass::Numeric],
                NativeType::Float64,
            )
        };
        let float64 = || TypeSignatureClass::Native(logical_float64());
        let arguments = vec![number(float64()), number(float64())];
        let signature = Signature::coercible(arguments, Volatility::Immutable)
            .with_parameter_names(vec!["expr", "percentile"])?;
        Ok(Self { signature, inner })
    }
}

impl AggregateUDFImpl for PercentileCont {
    fn name(&self) -> &str {
        NAME
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, NAME);
        Ok(vec![Arc::new(Field::new(
            name,
            DataType::List(item()),
            true,
        ))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Values {
            place: Place::of(&args)?,
            values: Vec::new(),
        }))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(GroupedValues {
            place: Place::of(&args)?,
            group_count: 0,
            chunks: Vec::new(),
        }))
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        self.inner.simplify()
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Float64, true))
}

/// Which value of the sorted ones is wanted.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// From 0 to 1.
    percentile: f64,
    /// Whether equal values count once.
    is_distinct: bool,
}

impl Place {
    fn of(args: &AccumulatorArgs<'_>) -> Result<Self> {
        let Some(expr) = args.exprs.get(1) else {
            return plan_err!("PERCENTILE_CONT lacks its percentile");
        };
        let literal = expr.evaluate(&RecordBatch::new_empty(Arc::new(args.schema.clone())));
        let percentile = match literal {
            Ok(ColumnarValue::Scalar(ScalarValue::Float64(Some(value)))) => value,
            Ok(ColumnarValue::Scalar(ScalarValue::Float32(Some(value)))) => f64::from(value),
            _ => {
                return plan_err!(
                    "the percentile of PERCENTILE_CONT must be a number, written as such"
                );
            }
        };
        if !(0.0..=1.0).contains(&percentile) {
            return plan_err!(
                "Percentile value must be between 0.0 and 1.0 inclusive, {percentile} is invalid"
            );
        }
        let is_descending = args
            .order_bys
            .first()
            .is_some_and(|order| order.options.descending);
        let percentile = if is_descending {
            1.0 - percentile
        } else {
            percentile
        };
        Ok(Self {
            percentile,
            is_distinct: args.is_distinct,
        })
    }

    /// The value at the place, between two of them if need be. Changes their order.
    fn find(self, values: &mut [f64]) -> Option<f64> {
        if !self.is_distinct {
            return self.interpolate(values);
        }
        let mut distinct = values.to_vec();
        distinct.sort_unstable_by(f64::total_cmp);
        distinct.dedup();
        self.interpolate(&mut distinct)
    }

    fn interpolate(self, values: &mut [f64]) -> Option<f64> {
        let at = self.percentile * values.len().checked_sub(1)? as f64;
        // At least 0 and at most the last place.
        let (place, share) = (at as usize, at.fract());
        let (_, low, above) = values.select_nth_unstable_by(place, f64::total_cmp);
        let low = *low;
        let high = above
            .iter()
            .copied()
            .min_by(f64::total_cmp)
            .filter(|high| share > 0.0 && *high != low);
        Some(match high {
            None => low,
            Some(high) if (high - low).is_finite() => low + (high - low) * share,
            // The difference of two large ones is no number, their means are.
            Some(high) => low * (1.0 - share) + high * share,
        })
    }
}

/// The values of one group.
#[derive(Debug)]
struct Values {
    place: Place,
    values: Vec<f64>,
}

impl Accumulator for Values {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        self.values.extend(floats(arguments)?.iter().flatten());
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.place.find(&mut self.values)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = std::mem::take(&mut self.values);
        Ok(vec![ScalarValue::List(Arc::new(lists(
            &[values.len()],
            values,
        )?))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for values in state(states)?.iter().flatten() {
            self.update_batch(&[values])?;
        }
        Ok(())
    }

    fn retract_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        let mut gone: HashMap<u64, usize> = HashMap::new();
        for value in floats(arguments)?.iter().flatten() {
            *gone.entry(value.to_bits()).or_default() += 1;
        }
        self.values
            .retain(|value| match gone.get_mut(&value.to_bits()) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    false
                }
                _ => true,
            });
        match gone.values().all(|count| *count == 0) {
            true => Ok(()),
            false => internal_err!("a value leaves a window that it was not in"),
        }
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// The values of many groups, in the order they came.
#[derive(Debug)]
struct GroupedValues {
    place: Place,
    group_count: usize,
    chunks: Vec<Chunk>,
}

/// Values, and of each its group.
#[derive(Debug)]
struct Chunk {
    groups: Vec<u32>,
    values: ScalarBuffer<f64>,
}

impl Chunk {
    fn pairs(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.groups
            .iter()
            .zip(self.values.iter())
            .map(|(group, value)| (*group as usize, *value))
    }
}

impl GroupedValues {
    /// Takes the values of the first groups: how many each has, and all of them group by group.
    fn take(&mut self, emit_to: EmitTo) -> (Vec<usize>, Vec<f64>) {
        let count = match emit_to {
            EmitTo::All => self.group_count,
            EmitTo::First(count) => count.min(self.group_count),
        };
        let mut sizes = vec![0; count];
        for (group, _) in self.chunks.iter().flat_map(Chunk::pairs) {
            if let Some(size) = sizes.get_mut(group) {
                *size += 1;
            }
        }
        let mut total = 0;
        let mut next: Vec<usize> = Vec::with_capacity(count);
        for size in &sizes {
            next.push(total);
            total += *size;
        }
        let mut taken = vec![0.0; total];
        let (mut groups, mut values) = (Vec::new(), Vec::new());
        for (group, value) in self.chunks.iter().flat_map(Chunk::pairs) {
            match next.get_mut(group) {
                Some(next) => {
                    if let Some(place) = taken.get_mut(*next) {
                        *place = value;
                    }
                    *next += 1;
                }
                None => {
                    groups.push((group - count) as u32);
                    values.push(value);
                }
            }
        }
        self.chunks.clear();
        if !values.is_empty() {
            self.chunks.push(Chunk {
                groups,
                values: values.into(),
            });
        }
        self.group_count -= count;
        (sizes, taken)
    }
}

impl GroupsAccumulator for GroupedValues {
    fn update_batch(
        &mut self,
        arguments: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let values = floats(arguments)?;
        self.group_count = self.group_count.max(total_num_groups);
        if values.null_count() == 0 && filter.is_none() {
            let groups = group_indices.iter().map(|group| *group as u32).collect();
            self.chunks.push(Chunk {
                groups,
                values: values.values().clone(),
            });
            return Ok(());
        }
        let (mut groups, mut kept) = (Vec::new(), Vec::new());
        for (row, (group, value)) in group_indices.iter().zip(values).enumerate() {
            let is_wanted = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if let Some(value) = value.filter(|_| is_wanted) {
                groups.push(*group as u32);
                kept.push(value);
            }
        }
        self.chunks.push(Chunk {
            groups,
            values: kept.into(),
        });
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (sizes, mut values) = self.take(emit_to);
        let (mut rest, mut found) = (values.as_mut_slice(), Vec::with_capacity(sizes.len()));
        for size in sizes {
            let (group, others) = rest.split_at_mut(size);
            found.push(self.place.find(group));
            rest = others;
        }
        Ok(Arc::new(Float64Array::from(found)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sizes, values) = self.take(emit_to);
        Ok(vec![Arc::new(lists(&sizes, values)?)])
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        let lists = state(states)?;
        let items: &Float64Array = lists.values().as_primitive::<Float64Type>();
        self.group_count = self.group_count.max(total_num_groups);
        let (mut groups, mut values) = (Vec::new(), Vec::new());
        for (row, (group, bounds)) in group_indices
            .iter()
            .zip(lists.offsets().windows(2))
            .enumerate()
        {
            let range = match bounds {
                [start, end] if lists.is_valid(row) => *start as usize..*end as usize,
                _ => continue,
            };
            let Some(list) = items.values().get(range) else {
                return internal_err!("a list ends early");
            };
            values.extend_from_slice(list);
            groups.resize(values.len(), *group as u32);
        }
        self.chunks.push(Chunk {
            groups,
            values: values.into(),
        });
        Ok(())
    }

    fn convert_to_state(
        &self,
        arguments: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let rows = floats(arguments)?.iter().enumerate();
        let is_wanted =
            |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let rows: Vec<Option<f64>> = rows
            .map(|(row, value)| value.filter(|_| is_wanted(row)))
            .collect();
        let sizes: Vec<usize> = rows
            .iter()
            .map(|value| usize::from(value.is_some()))
            .collect();
        Ok(vec![Arc::new(lists(
            &sizes,
            rows.into_iter().flatten().collect(),
        )?)])
    }

    fn size(&self) -> usize {
        let chunks = self.chunks.iter().map(|chunk| {
            size_of::<Chunk>()
                + chunk.values.len() * size_of::<f64>()
                + chunk.groups.capacity() * size_of::<u32>()
        });
        size_of_val(self) + chunks.sum::<usize>()
    }
}

/// The values of the first argument.
fn floats(arguments: &[ArrayRef]) -> Result<&Float64Array> {
    match arguments
        .first()
        .and_then(|array| array.as_primitive_opt::<Float64Type>())
    {
        Some(values) => Ok(values),
        None => internal_err!("PERCENTILE_CONT is of numbers"),
    }
}

fn state(states: &[ArrayRef]) -> Result<&ListArray> {
    match states.first().and_then(|array| array.as_list_opt::<i32>()) {
        Some(lists) if lists.values().data_type() == &DataType::Float64 => Ok(lists),
        _ => internal_err!("the state of PERCENTILE_CONT is a list of numbers"),
    }
}

/// Lists of these sizes.
fn lists(sizes: &[usize], values: Vec<f64>) -> Result<ListArray> {
    if i32::try_from(values.len()).is_err() {
        return exec_err!("PERCENTILE_CONT of more than {} values", i32::MAX);
    }
    let offsets = OffsetBuffer::from_lengths(sizes.iter().copied());
    let values = Float64Array::new(ScalarBuffer::from(values), None);
    Ok(ListArray::try_new(item(), offsets, Arc::new(values), None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(percentile: f64) -> Place {
        Place {
            percentile,
            is_distinct: false,
        }
    }

    #[test]
    fn a_place_between_two_values_is_told_to_the_last_digit() {
        let mut values: Vec<f64> = (0..8).rev().map(|value| f64::from(value) * 1e9).collect();
        assert_eq!(
            place(0.99).find(&mut values),
            Some(6e9 + 1e9 * (0.99_f64 * 7.0).fract())
        );
        assert_eq!(place(0.5).find(&mut [4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(place(1.0).find(&mut [4.0, 1.0]), Some(4.0));
        assert_eq!(place(0.3).find(&mut [7.0]), Some(7.0));
        assert_eq!(place(0.3).find(&mut []), None);
        assert_eq!(place(0.5).find(&mut [f64::MAX, f64::MIN]), Some(0.0));
        assert_eq!(place(0.0).find(&mut [f64::INFINITY, 1.0]), Some(1.0));
        assert!(
            place(1.0)
                .find(&mut [f64::NAN, 1.0])
                .is_some_and(f64::is_nan)
        );
        let distinct = Place {
            percentile: 0.5,
            is_distinct: true,
        };
        assert_eq!(
            distinct.find(&mut [1.0, 1.0, 1.0, 1.0, 5.0, 9.0]),
            Some(5.0)
        );
    }

    #[test]
    fn groups_are_the_same_however_they_are_taken() {
        let array =
            |values: &[Option<f64>]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
        let new = || GroupedValues {
            place: place(0.5),
            group_count: 0,
            chunks: vec![],
        };
        let values = array(&[Some(1.0), Some(5.0), None, Some(3.0), Some(8.0), Some(2.0)]);
        let groups = [0, 2, 1, 0, 2, 3];
        let mut whole = new();
        whole
            .update_batch(std::slice::from_ref(&values), &groups, None, 5)
            .unwrap();
        let mut parts = new();
        let rows = whole
            .convert_to_state(std::slice::from_ref(&values), None)
            .unwrap();
        parts.merge_batch(&rows, &groups, 5).unwrap();
        let first = parts.state(EmitTo::First(2)).unwrap();
        let rest = parts.state(EmitTo::All).unwrap();
        let mut merged = new();
        merged.merge_batch(&rest, &[2, 3, 4], 5).unwrap();
        merged.merge_batch(&first, &[0, 1], 5).unwrap();
        let expected = array(&[Some(2.0), None, Some(6.5), Some(2.0), None]);
        assert_eq!(&merged.evaluate(EmitTo::All).unwrap(), &expected);
        assert_eq!(&whole.evaluate(EmitTo::All).unwrap(), &expected);
    }

    #[test]
    fn what_leaves_a_window_is_gone_once() {
        let array = |values: &[f64]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
        let mut window = Values {
            place: place(0.5),
            values: vec![],
        };
        window
            .update_batch(&[array(&[1.0, 2.0, 2.0, 7.0])])
            .unwrap();
        window.retract_batch(&[array(&[2.0, 1.0])]).unwrap();
        assert_eq!(window.evaluate().unwrap(), ScalarValue::Float64(Some(4.5)));
        assert!(window.retract_batch(&[array(&[3.0])]).is_err());
    }
}
