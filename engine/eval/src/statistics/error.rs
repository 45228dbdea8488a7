//! What is wrong with the input of a statistic. Every message names the thing at fault and what would be right.

use std::fmt;

/// Why a statistic cannot be calculated from what was given. An undefined result (a mean of nothing) is no error but
/// `None` in the result.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StatisticsError {
    /// A value is NaN or infinite.
    NotFinite {
        /// Which list it is in: `values`, `a`, `b`.
        list: &'static str,
        /// Its position, from 0.
        index: usize,
    },
    /// Two finite values differ by more than an `f64` can hold.
    DifferenceOverflow {
        /// The position of the pair, from 0.
        index: usize,
    },
    /// Two lists that are paired by position have differing lengths.
    LengthsDiffer {
        /// Length of the first.
        a: usize,
        /// Length of the second.
        b: usize,
    },
    /// More items passed than there are.
    PassedOverCount {
        /// How many passed.
        passed: u64,
        /// How many there are.
        count: u64,
    },
    /// A setting is out of its range.
    Setting {
        /// Its name.
        name: &'static str,
        /// What was given.
        given: f64,
        /// What would be right.
        expected: &'static str,
    },
    /// One run has the same item twice.
    DuplicateKey {
        /// Which run: `a` or `b`.
        run: &'static str,
        /// The key.
        key: String,
    },
    /// A label is not among the ordered labels, or is there twice.
    Label {
        /// The label.
        label: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl fmt::Display for StatisticsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite { list, index } => write!(
                f,
                "{list}: the value at position {index} is NaN or infinite; give finite numbers and leave missing ones out"
            ),
            Self::DifferenceOverflow { index } => write!(
                f,
                "the two values at position {index} differ by more than a 64-bit float can hold; scale them down"
            ),
            Self::LengthsDiffer { a, b } => write!(
                f,
                "a has {a} values and b has {b}: pairs by position need the same number; pair by key first"
            ),
            Self::PassedOverCount { passed, count } => {
                write!(
                    f,
                    "{passed} passed of {count}: passed can be {count} at most"
                )
            }
            Self::Setting {
                name,
                given,
                expected,
            } => {
                write!(f, "{name} is {given}; it must be {expected}")
            }
            Self::DuplicateKey { run, key } => write!(
                f,
                "run {run} has the item {key} twice; give one score of the scorer for each item"
            ),
            Self::Label { label, problem } => write!(f, "label {label}: {problem}"),
        }
    }
}

impl std::error::Error for StatisticsError {}
