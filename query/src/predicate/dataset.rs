//! Conditions on datasets: a snapshot has traces only, so the caller that knows the datasets turns
//! such a condition into one on trace ids before the search.

use std::collections::BTreeMap;

use super::{Condition, Field, Predicate, Test, TextTest};

/// The ids of the traces that a dataset's records come from, by name of the dataset.
pub type DatasetTraces = BTreeMap<String, Vec<String>>;

impl Predicate {
    /// Whether it asks about any dataset.
    pub fn has_datasets(&self) -> bool {
        self.any_dataset(&|_| true)
    }

    /// Whether the traces of the dataset of this name decide anything.
    pub fn asks_about_dataset(&self, name: &str) -> bool {
        self.any_dataset(&|names| names.accepts(name))
    }

    fn any_dataset(&self, wanted: &dyn Fn(&TextTest) -> bool) -> bool {
        match self {
            Predicate::And(operands) | Predicate::Or(operands) => {
                operands.iter().any(|operand| operand.any_dataset(wanted))
            }
            Predicate::Not(operand) => operand.any_dataset(wanted),
            Predicate::Dataset(names) => wanted(names),
            _ => false,
        }
    }

    /// Puts trace ids in the place of datasets; a dataset that is not in `traces` has none.
    pub fn with_datasets(self, traces: &DatasetTraces) -> Self {
        let all = |operands: Vec<Predicate>| {
            operands
                .into_iter()
                .map(|one| one.with_datasets(traces))
                .collect()
        };
        match self {
            Predicate::And(operands) => Predicate::And(all(operands)),
            Predicate::Or(operands) => Predicate::Or(all(operands)),
            Predicate::Not(operand) => Predicate::Not(Box::new(operand.with_datasets(traces))),
            Predicate::Dataset(names) => {
                let named = traces.iter().filter(|(name, _)| names.accepts(name));
                let ids: Vec<String> = named.flat_map(|(_, ids)| ids).cloned().collect();
                match ids.is_empty() {
                    true => Predicate::Const(false),
                    false => {
                        let test = Test::Text(TextTest::one_of(ids, false));
                        Predicate::Trace(Condition {
                            field: Field::TraceId,
                            test,
                        })
                    }
                }
            }
            other => other,
        }
    }
}
