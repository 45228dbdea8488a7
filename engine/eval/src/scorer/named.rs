//! A rule with its name, version and definition: the [`Scorer`] that the runner sees.
//!
//! Invariant: the rule itself knows nothing of names; all rules are named here.

use serde_json::Value;

use crate::{Item, Needs, Score, ScoreError, Scorer};

/// What one rule does; made of its settings by `build`, which finds what is wrong with them.
pub(super) trait Check: Send + Sync {
    /// The costly parts of items that it looks at.
    fn needs(&self) -> Needs;

    /// Judges one item.
    fn check(&self, item: &Item) -> Result<Score, ScoreError>;
}

/// A rule under a name.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) definition: Value,
    pub(super) check: Box<dyn Check>,
}

impl Scorer for Named {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn definition(&self) -> Value {
        self.definition.clone()
    }

    fn needs(&self) -> Needs {
        self.check.needs()
    }

    fn score(&self, item: &Item) -> Result<Score, ScoreError> {
        self.check.check(item)
    }
}
