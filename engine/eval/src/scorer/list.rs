//! The scorers of one run.
//!
//! Invariant: no two of them share a name, for scores are told apart by it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::SpecError;
use crate::{Needs, Scorer};

/// Scorers whose names differ, in the order given.
#[derive(Clone, Default)]
pub struct ScorerList {
    scorers: Vec<Arc<dyn Scorer>>,
}

impl ScorerList {
    /// A list of scorers.
    ///
    /// # Errors
    /// When two scorers share a name.
    pub fn new(scorers: Vec<Arc<dyn Scorer>>) -> Result<Self, SpecError> {
        let mut seen = BTreeSet::new();
        for scorer in &scorers {
            if !seen.insert(scorer.name()) {
                return Err(SpecError::new(format!(
                    "two scorers are named `{0}`; give one another name, as in `other_{0}=SPEC`",
                    scorer.name()
                )));
            }
        }
        Ok(Self { scorers })
    }

    /// The scorers, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Scorer>> {
        self.scorers.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.scorers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.scorers.is_empty()
    }

    /// What all of them look at.
    pub fn needs(&self) -> Needs {
        let each = self.scorers.iter().map(|scorer| scorer.needs());
        each.fold(Needs::default(), Needs::and)
    }
}
