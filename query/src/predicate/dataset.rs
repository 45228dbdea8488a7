//! Conditions on datasets: a snapshot has traces only, so the caller that knows the datasets turns
//! such a condition into one on trace ids before the search.

use std::collections::BTreeMap;

use super::{Condition, Field, Predicate, Test, TextTest};

/// The ids of the traces that a dataset's records come from, by name of the dataset.
pub type DatasetTraces = BTreeMap<String, Vec<String>>;

impl Predicate {
    /// The datasets that the predicate asks about.
    pub fn dataset_names(&self) -> Vec<&str> {
        match self {
            Predicate::And(operands) | Predicate::Or(operands) => {
                operands.iter().flat_map(Predicate::dataset_names).collect()
            }
            Predicate::Not(operand) => operand.dataset_names(),
            Predicate::Dataset(names) => names.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The same with trace ids for datasets; a dataset that is not in `traces` has none.
    pub fn with_datasets(self, traces: &DatasetTraces) -> Self {
        let all =
            |operands: Vec<Predicate>| operands.into_iter().map(|one| one.with_datasets(traces)).collect();
        match self {
            Predicate::And(operands) => Predicate::And(all(operands)),
            Predicate::Or(operands) => Predicate::Or(all(operands)),
            Predicate::Not(operand) => Predicate::Not(Box::new(operand.with_datasets(traces))),
            Predicate::Dataset(names) => {
                let ids: Vec<String> =
                    names.iter().filter_map(|name| traces.get(name)).flatten().cloned().collect();
                match ids.is_empty() {
                    true => Predicate::Const(false),
                    false => {
                        let test = Test::Text(TextTest::one_of(ids, false));
                        Predicate::Trace(Condition { field: Field::TraceId, test })
                    }
                }
            }
            other => other,
        }
    }
}
