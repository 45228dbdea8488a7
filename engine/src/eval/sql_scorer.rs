//! Scorers that are an expression of SQL: over `traces` for traces and sessions, `spans` for spans, `dataset_records`
//! for records. A chunk is one statement.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use serde_json::Value;
use tracehouse_eval::scorer::{Body, Definition, Sql};
use tracehouse_eval::{Score, ScoreError, ScoreErrorKind};
use tracehouse_query::sql::{SqlQuery, SqlTable};

use super::items::{Items, Keyed};
use super::judging::EvalScorer;
use super::options::EvalSource;
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::filters::quoted;

/// An expression whose value is the score: a boolean says whether it is good enough, anything else is a measure.
///
/// ```
/// # let db = tracehouse::Database::in_memory()?;
/// use tracehouse::eval::{EvalOptions, EvalSource, SqlScorer};
/// use tracehouse::{Search, TraceStart};
/// db.start_trace(&TraceStart::new("t", 0).state("ERROR"))?;
/// let scorer = SqlScorer::new("is_ok", "state = 'OK'")?;
/// let source = EvalSource::Traces(Search::new(""));
/// let run = db.evaluate(&source, &[scorer.into()], &EvalOptions::new())?;
/// assert_eq!(db.eval_scores(&run.run_id)?[0].passed, Some(false));
/// # Ok::<(), tracehouse::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SqlScorer {
    definition: Definition,
    version: String,
    expression: String,
    threshold: Option<f64>,
}

impl SqlScorer {
    /// A scorer of this name.
    ///
    /// # Errors
    /// `InvalidInput` for an empty name or expression.
    pub fn new(name: &str, expression: impl Into<String>) -> Result<Self> {
        let sql = Sql {
            expression: expression.into(),
            threshold: None,
        };
        let definition = Definition::new(Body::Sql(sql)).and_then(|new| new.named(name))?;
        Self::of(definition).ok_or_else(|| Error::internal("an expression of SQL"))
    }

    /// The scorer that a definition says, if it is one of SQL.
    pub fn of(definition: Definition) -> Option<Self> {
        let Body::Sql(sql) = definition.body() else {
            return None;
        };
        Some(Self {
            version: definition.version(),
            expression: sql.expression.clone(),
            threshold: sql.threshold,
            definition,
        })
    }

    /// The name of its scores.
    pub fn name(&self) -> &str {
        self.definition.name()
    }

    /// Changes with the expression.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it is, so that it can be made again.
    pub fn definition(&self) -> Value {
        self.definition.to_value()
    }

    fn score(&self, value: &Value) -> Score {
        let over = |threshold: f64| value.as_f64().map(|number| number >= threshold);
        Score {
            value: value.clone(),
            passed: value.as_bool().or(self.threshold.and_then(over)),
            ..Score::default()
        }
    }
}

impl From<SqlScorer> for EvalScorer {
    fn from(scorer: SqlScorer) -> Self {
        Self::Sql(scorer)
    }
}

/// What the expressions of a run say of the items of a chunk.
pub(super) struct Answers {
    /// By the number of the scorer, then by the key of the item.
    by_scorer: HashMap<usize, HashMap<String, Said>>,
    /// The keys of the items, in order.
    keys: Vec<Option<String>>,
}

impl Answers {
    pub fn of(
        &self,
        scorer: &SqlScorer,
        number: usize,
        place: usize,
    ) -> std::result::Result<Score, ScoreError> {
        let key = self.keys.get(place).and_then(Option::as_ref);
        let said = self.by_scorer.get(&number);
        let value = said.and_then(|said| {
            let key = key?;
            // An expression that failed on a span failed on its trace.
            said.get(key).or_else(|| said.get(key.split('/').next()?))
        });
        let missing = |what: &str| Err(ScoreError::new(ScoreErrorKind::Missing, what));
        match value {
            None => missing("there is no row that the expression could be asked of"),
            Some(Ok(Value::Null)) => missing("the expression is NULL"),
            Some(Ok(value)) => Ok(scorer.score(value)),
            Some(Err(why)) => Err(ScoreError::new(ScoreErrorKind::Scorer, why)),
        }
    }
}

/// Whether the expressions can be asked of what a source gives.
///
/// # Errors
/// `InvalidInput` for one that is wrong or refused.
pub(super) fn check(db: &Database, scorers: &[EvalScorer], source: &EvalSource) -> Result<()> {
    let (table, id) = match source {
        EvalSource::Traces(_) | EvalSource::Sessions(_) => ("traces", "trace_id"),
        EvalSource::Spans(_) => ("spans", "trace_id"),
        EvalSource::Dataset { .. } => ("dataset_records", "dataset_record_id"),
        EvalSource::Given(_) => return Ok(()),
    };
    for scorer in scorers {
        if let EvalScorer::Sql(scorer) = scorer {
            let expression = &scorer.expression;
            let asked = format!(
                "SELECT id, said FROM (SELECT {id} AS id, ({expression}\n) AS said FROM {table}) LIMIT 0"
            );
            db.sql(&asked)?;
        }
    }
    Ok(())
}

/// Asks the expressions of all that is in a chunk.
pub(super) fn answers(
    db: &Database,
    scorers: &[EvalScorer],
    chunk: &[Keyed],
    items: &Items,
) -> Result<Answers> {
    let mut by_scorer = HashMap::new();
    let mut keys = vec![None; chunk.len()];
    for (number, scorer) in scorers.iter().enumerate() {
        let EvalScorer::Sql(scorer) = scorer else {
            continue;
        };
        let Some((table, columns)) = chunk.first().map(table_of) else {
            continue;
        };
        keys = chunk.iter().map(|keyed| key_of(keyed, table)).collect();
        let ids: Vec<&str> = chunk
            .iter()
            .filter_map(|keyed| id_of(keyed, table))
            .collect();
        let asked = Asked {
            db,
            expression: &scorer.expression,
            table,
            columns,
            records: items.records.as_ref(),
        };
        let mut said = HashMap::new();
        asked.ask(&ids, &mut said)?;
        by_scorer.insert(number, said);
    }
    Ok(Answers { by_scorer, keys })
}

/// What a row says, or why the expression failed on it.
type Said = std::result::Result<Value, String>;

/// An expression that is asked of rows.
struct Asked<'a> {
    db: &'a Database,
    expression: &'a str,
    table: &'static str,
    columns: &'static [&'static str],
    /// The records of the version that is judged.
    records: Option<&'a RecordBatch>,
}

impl Asked<'_> {
    /// Asks of these ids; where it fails, of each half, so that one row costs its own answer alone.
    fn ask(&self, ids: &[&str], said: &mut HashMap<String, Said>) -> Result<()> {
        match self.rows(ids) {
            Ok(rows) => said.extend(rows.into_iter().map(|(id, value)| (id, Ok(value)))),
            Err(error) if error.kind() != ErrorKind::InvalidInput => return Err(error),
            Err(error) => match ids {
                [] => {}
                [id] => {
                    said.insert((*id).to_string(), Err(error.to_string()));
                }
                _ => {
                    let (first, second) = ids.split_at(ids.len() / 2);
                    self.ask(first, said)?;
                    self.ask(second, said)?;
                }
            },
        }
        Ok(())
    }

    fn rows(&self, ids: &[&str]) -> Result<Vec<(String, Value)>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let list: Vec<String> = ids.iter().map(|id| quoted(id)).collect();
        let (expression, table) = (self.expression, self.table);
        // The line's end keeps a comment from reaching further.
        let select = |from: &str| {
            format!(
                "SELECT {} AS judged_id, ({expression}\n) AS judged_value FROM {from} WHERE {} IN ({})",
                self.columns.join(" || '/' || "),
                self.columns.first().copied().unwrap_or_default(),
                list.join(", ")
            )
        };
        let query = match self.records {
            None => SqlQuery::from(select(table).as_str()),
            Some(rows) => {
                let judged = SqlTable {
                    schema: rows.schema(),
                    batches: vec![rows.clone()],
                };
                let mut query = SqlQuery::from(select(&format!("judged AS {table}")).as_str());
                query.tables.push(("judged".to_string(), judged));
                query
            }
        };
        self.db.sql_rows::<(String, Value)>(query)?.collect()
    }
}

/// The table that has a row for an item, and the columns that name it.
fn table_of(keyed: &Keyed) -> (&'static str, &'static [&'static str]) {
    match (&keyed.key.dataset_record_id, &keyed.key.span_id) {
        (Some(_), _) => ("dataset_records", &["dataset_record_id"]),
        (None, Some(_)) => ("spans", &["trace_id", "span_id"]),
        (None, None) => ("traces", &["trace_id"]),
    }
}

fn id_of<'k>(keyed: &'k Keyed, table: &str) -> Option<&'k str> {
    match table {
        "dataset_records" => keyed.key.dataset_record_id.as_deref(),
        _ => keyed.trace_id.as_deref(),
    }
}

fn key_of(keyed: &Keyed, table: &str) -> Option<String> {
    let id = id_of(keyed, table)?;
    Some(match (&keyed.key.span_id, table) {
        (Some(span_id), "spans") => format!("{id}/{span_id}"),
        _ => id.to_string(),
    })
}
