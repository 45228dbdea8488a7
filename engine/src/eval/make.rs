//! From what a scorer is said to be to the scorer.

use std::sync::Arc;

use serde_json::Value;
use tracehouse_eval::Scorer;
use tracehouse_eval::scorer::{Body, Definition, SpecError, parse_spec};

use super::judging::EvalScorer;
#[cfg(feature = "sql")]
use super::sql_scorer::SqlScorer;
use crate::error::{Error, Result};

impl From<SpecError> for Error {
    fn from(error: SpecError) -> Self {
        Self::invalid_input(error.to_string())
    }
}

/// A scorer that needs no file and no judge, by its SPEC: `exact_match`, `contains:Paris`, `sql:state = 'OK'`, ...
///
/// # Errors
/// `InvalidInput` for another text, and for a SPEC that names a file or a judge.
pub fn rule(spec: &str) -> Result<EvalScorer> {
    let read = |name: &str| Err(format!("{name}: rule() reads no files"));
    let parsed = parse_spec(spec, &read)?;
    let definition = match <[Definition; 1]>::try_from(parsed) {
        Ok([definition]) => definition,
        Err(_) => return Err(Error::invalid_input(format!("{spec:?} is not one scorer"))),
    };
    scorer_of(definition, |judge| {
        Err(Error::invalid_input(format!(
            "{} is a judge: it needs a model and a server",
            judge.name()
        )))
    })
}

/// The scorer of a definition; `judge` makes those that ask a model.
///
/// # Errors
/// `InvalidInput` for a definition of SQL in a program without it; what `judge` says.
pub fn scorer_of(
    definition: Definition,
    judge: impl FnOnce(Definition) -> Result<Arc<dyn Scorer>>,
) -> Result<EvalScorer> {
    match definition.body() {
        Body::Rule(_) => {
            let scorer: Arc<dyn Scorer> = Arc::from(definition.scorer()?);
            Ok(EvalScorer::Each(scorer))
        }
        #[cfg(feature = "sql")]
        Body::Sql(_) => SqlScorer::of(definition)
            .map(EvalScorer::Sql)
            .ok_or_else(|| Error::internal("a definition of SQL is one")),
        #[cfg(not(feature = "sql"))]
        Body::Sql(_) => Err(Error::invalid_input(
            "a scorer of SQL needs the feature `sql`",
        )),
        Body::Judge(_) => Ok(EvalScorer::Each(judge(definition)?)),
    }
}

/// The definition that a run keeps of a scorer.
///
/// # Errors
/// `InvalidInput` when it is of a function of a program, or of a later version.
pub fn definition_of(stored: &Value) -> Result<Definition> {
    Ok(Definition::from_value(stored)?)
}
