//! The naive evaluator: conditions over batches of stored rows. It is the reference of every faster
//! path, and the re-check behind them.
//!
//! Results have one boolean per row and no NULLs (invariant 1).

use std::borrow::Cow;

use arrow::array::{Array, BooleanArray, StringViewArray};
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use tracehouse_storage::model::{COST_METADATA, StartUsage, TOKEN_USAGE_METADATA};
use tracehouse_storage::schema::Table;
use tracehouse_storage::text::{FreshText, TEXT_COLUMNS, TextField, TextQuery};
use tracehouse_storage::{Error, Result};

use super::attributes::Translated;
use super::column::{Ints, Map, equal, floats, ints, map, text, text_list};
use super::content::{self, Content, Prefilter};
use super::json::KeyLookup;
use super::test::{Test, TextOp, TextTest};
use super::{Condition, Field};

/// Nanoseconds of a millisecond.
const MS_NS: i64 = 1_000_000;
/// Columns of [`Field::TokenUsage`], in the order of MLflow's canonical JSON text.
const TOKEN_COLUMNS: [&str; 5] = [
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
];

/// Columns of what people and models wrote: patterns see their text and, where it is JSON, what it decodes to.
const PAYLOADS: &[&str] = &["inputs", "outputs"];

/// Rows still of interest; `None` = all.
pub(super) type Wanted<'a> = Option<&'a BooleanBuffer>;

impl Condition {
    /// The columns the condition reads.
    pub fn columns(&self) -> Vec<&'static str> {
        if let Test::Matches(_) = self.test {
            return TEXT_COLUMNS.to_vec();
        }
        match &self.field {
            Field::Text(column) | Field::Int(column) | Field::Float(column) => vec![column],
            Field::Map { column, .. } => vec![column],
            Field::Json { column, key } => [*column]
                .into_iter()
                .chain(Translated::columns(column, key, &self.test))
                .collect(),
            Field::TraceId => vec!["trace_id"],
            Field::EndTimeMs | Field::ExecutionTimeMs => vec!["request_time", "duration_ns"],
            Field::Models => vec!["models"],
            Field::TokenUsage => ["metadata"].into_iter().chain(TOKEN_COLUMNS).collect(),
            Field::CostUsage => vec!["metadata", "cost_usd"],
            Field::RunId => vec!["metadata", "_edit"],
            Field::Prompt => vec!["_edit"],
            Field::Content => content::columns(),
        }
    }

    /// Whether the condition reads a large column.
    pub fn is_heavy(&self, table: Table) -> bool {
        self.columns()
            .into_iter()
            .any(|column| table.is_heavy(column))
    }

    /// One boolean per row of a batch that has [`Condition::columns`].
    ///
    /// # Errors
    /// `Internal` when the batch lacks a column, or field and test do not fit.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        Ok(BooleanArray::new(self.rows(batch, None)?, None))
    }

    /// The text query of a `MATCHES`; `None` for other conditions.
    ///
    /// # Errors
    /// `InvalidInput` when the query does not parse.
    pub fn text_query(&self) -> Result<Option<TextQuery>> {
        let Test::Matches(query) = &self.test else {
            return Ok(None);
        };
        let field = match self.field {
            Field::Text("inputs") => TextField::Inputs,
            Field::Text("outputs") => TextField::Outputs,
            _ => TextField::Any,
        };
        TextQuery::parse_in(query, field).map(Some)
    }

    pub(super) fn rows(&self, batch: &RecordBatch, wanted: Wanted<'_>) -> Result<BooleanBuffer> {
        let rows = Rows {
            count: batch.num_rows(),
            wanted,
            condition: self,
        };
        if let Some(query) = self.text_query()? {
            let mut text = FreshText::default();
            text.add(batch)?;
            let found = text.rows(&query)?;
            return Ok(rows.select(|row| u32::try_from(row).is_ok_and(|row| found.contains(row))));
        }
        match &self.field {
            Field::Text(column) => {
                let array = text(batch, column)?;
                if let Some(equal) = rows.equal_to_one(array)? {
                    return Ok(equal);
                }
                let get = |row: usize| array.is_valid(row).then(|| array.value(row));
                match &self.test {
                    Test::Text(test) if PAYLOADS.contains(column) => Ok(rows.by_payload(test, get)),
                    _ => rows.by_text(get),
                }
            }
            Field::TraceId => {
                let array = text(batch, "trace_id")?;
                rows.by_trace_id(|row| array.value(row))
            }
            Field::Int(column) => {
                let column = ints(batch, column)?;
                rows.by_int(|row| column.get(row))
            }
            Field::EndTimeMs | Field::ExecutionTimeMs => rows.by_whole_ms(batch),
            Field::Float(column) => {
                let array = floats(batch, column)?;
                rows.by_float(|row| array.is_valid(row).then(|| array.value(row)))
            }
            Field::Models => {
                let models = text_list(batch, "models")?;
                rows.by_any_text(|row| models.get(row))
            }
            Field::Map { column, key } => {
                let map = map(batch, column)?;
                match &self.test {
                    // Compared with a number.
                    Test::Json(test) => Ok(rows.select(|row| {
                        map.get(row, key)
                            .is_some_and(|text| test.accepts_text(text))
                    })),
                    _ => rows.by_text(|row| map.get(row, key)),
                }
            }
            Field::TokenUsage => {
                let usage = TokenUsage::of(batch)?;
                rows.by_owned_text(|row| usage.get(row))
            }
            Field::CostUsage => rows.by_cost(batch),
            Field::RunId => rows.by_run(batch),
            Field::Prompt => {
                let edits = text(batch, "_edit")?;
                rows.by_any_text(|row| linked(edits, row, "linked_prompts").into_iter())
            }
            Field::Json { column, key } => rows.by_member(batch, column, key),
            Field::Content => match &self.test {
                Test::Text(test) => Content::of(batch)?.rows(test, |keep| rows.select(keep)),
                _ => Err(rows.mismatch()),
            },
        }
    }
}

/// The rows of a batch and the condition they are put to.
struct Rows<'a> {
    count: usize,
    wanted: Wanted<'a>,
    condition: &'a Condition,
}

impl Rows<'_> {
    fn select(&self, mut keep: impl FnMut(usize) -> bool) -> BooleanBuffer {
        match self.wanted {
            None => BooleanBuffer::collect_bool(self.count, keep),
            Some(wanted) => {
                BooleanBuffer::collect_bool(self.count, |row| wanted.value(row) && keep(row))
            }
        }
    }

    fn mismatch(&self) -> Error {
        Error::internal(format!("no evaluation of condition {}", self.condition))
    }

    fn by_text<'t>(&self, get: impl Fn(usize) -> Option<&'t str>) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::IsNull => Ok(self.select(|row| get(row).is_none())),
            Test::IsNotNull => Ok(self.select(|row| get(row).is_some())),
            Test::Text(test) => {
                Ok(self.select(|row| get(row).is_some_and(|text| test.accepts(text))))
            }
            _ => Err(self.mismatch()),
        }
    }

    /// The rows whose payload, or a string that it decodes to, is wanted, or none of them is when the test is negated.
    fn by_payload<'t>(
        &self,
        test: &TextTest,
        get: impl Fn(usize) -> Option<&'t str>,
    ) -> BooleanBuffer {
        let prefilter = Prefilter::of(test);
        let may_hold = |text: &str| prefilter.as_ref().is_none_or(|held| held.may_hold(text));
        let finds = |text: &str| match &test.op {
            TextOp::Pattern(pattern) => may_hold(text) && pattern.is_match_decoded(text),
            op => op.accepts(text),
        };
        self.select(|row| get(row).is_some_and(|text| finds(text) != test.negated))
    }

    /// The rows of a column that equal the one text that is wanted; `None` for other tests.
    fn equal_to_one(&self, array: &StringViewArray) -> Result<Option<BooleanBuffer>> {
        let Test::Text(test) = &self.condition.test else {
            return Ok(None);
        };
        let Some([value]) = test.equalities() else {
            return Ok(None);
        };
        let equal = equal(array, value)?;
        Ok(Some(match self.wanted {
            Some(wanted) => &equal & wanted,
            None => equal,
        }))
    }

    fn by_owned_text(&self, get: impl Fn(usize) -> Option<String>) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::IsNull => Ok(self.select(|row| get(row).is_none())),
            Test::IsNotNull => Ok(self.select(|row| get(row).is_some())),
            Test::Text(test) => {
                Ok(self.select(|row| get(row).is_some_and(|text| test.accepts(&text))))
            }
            _ => Err(self.mismatch()),
        }
    }

    /// A row satisfies the test when any of its texts does.
    fn by_any_text<T: AsRef<str>, I: Iterator<Item = T>>(
        &self,
        get: impl Fn(usize) -> I,
    ) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::IsNull => Ok(self.select(|row| get(row).next().is_none())),
            Test::IsNotNull => Ok(self.select(|row| get(row).next().is_some())),
            Test::Text(test) => {
                Ok(self.select(|row| get(row).any(|text| test.accepts(text.as_ref()))))
            }
            _ => Err(self.mismatch()),
        }
    }

    fn by_int(&self, get: impl Fn(usize) -> Option<i64>) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::IsNull => Ok(self.select(|row| get(row).is_none())),
            Test::IsNotNull => Ok(self.select(|row| get(row).is_some())),
            Test::Int(test) => {
                Ok(self.select(|row| get(row).is_some_and(|value| test.accepts(value))))
            }
            _ => Err(self.mismatch()),
        }
    }

    fn by_float(&self, get: impl Fn(usize) -> Option<f64>) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::IsNull => Ok(self.select(|row| get(row).is_none())),
            Test::IsNotNull => Ok(self.select(|row| get(row).is_some())),
            Test::Float(test) => {
                Ok(self.select(|row| get(row).is_some_and(|value| test.accepts(value))))
            }
            _ => Err(self.mismatch()),
        }
    }

    fn by_json<'t>(&self, get: impl Fn(usize) -> Option<Cow<'t, str>>) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::IsNull => Ok(self.select(|row| get(row).is_none())),
            Test::IsNotNull => Ok(self.select(|row| get(row).is_some())),
            Test::Json(test) => {
                Ok(self.select(|row| get(row).is_some_and(|raw| test.accepts_attribute(&raw))))
            }
            _ => Err(self.mismatch()),
        }
    }

    /// A member of a JSON object; of attributes also those that MLflow would have translated.
    fn by_member(
        &self,
        batch: &RecordBatch,
        column: &'static str,
        key: &str,
    ) -> Result<BooleanBuffer> {
        let (array, lookup) = (text(batch, column)?, KeyLookup::new(key));
        let translated = Translated::of(batch, column, key, &self.condition.test)?;
        let own = |row: usize| lookup.get(array.is_valid(row).then(|| array.value(row))?);
        match &self.condition.test {
            Test::Json(test) if column == "attributes" && test.reads_on() => {
                let accepts = |raw: &str| test.accepts_attribute(raw);
                Ok(self.select(|row| {
                    let found = array.is_valid(row) && lookup.any_from(array.value(row), &accepts);
                    found || (own(row).is_none() && translated.all(row).any(|raw| accepts(&raw)))
                }))
            }
            _ => self.by_json(|row| own(row).or_else(|| translated.get(row).map(Cow::Owned))),
        }
    }

    /// The cost as text: as the trace's start says it, else the total.
    fn by_cost(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let (metadata, costs) = (map(batch, "metadata")?, floats(batch, "cost_usd")?);
        self.by_owned_text(|row| match metadata.get(row, COST_METADATA) {
            Some(set) => Some(set.to_string()),
            None => {
                let total_cost = costs.is_valid(row).then(|| costs.value(row));
                StartUsage {
                    total_cost,
                    ..StartUsage::default()
                }
                .cost_text()
            }
        })
    }

    fn by_trace_id<'t>(&self, get: impl Fn(usize) -> &'t str) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::Text(TextTest {
                op: TextOp::Pattern(pattern),
                negated,
            }) => Ok(self.select(|row| {
                let id = get(row);
                let found =
                    pattern.is_match(id) || (is_hex32(id) && pattern.is_match(&format!("tr-{id}")));
                found != *negated
            })),
            _ => self.by_text(|row| Some(get(row))),
        }
    }

    fn by_whole_ms(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let (start, duration) = (ints(batch, "request_time")?, ints(batch, "duration_ns")?);
        if self.condition.field == Field::EndTimeMs {
            return self.by_int(|row| Some(end_time_ms(start.get(row)?, duration.get(row))));
        }
        self.by_int(|row| Some(execution_time_ms(start.get(row)?, duration.get(row)?)))
    }

    fn by_run(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        const RUN_KEY: &str = "mlflow.sourceRun";
        let (metadata, edits) = (map(batch, "metadata")?, text(batch, "_edit")?);
        let own = self.by_text(|row| metadata.get(row, RUN_KEY))?;
        match &self.condition.test {
            Test::Text(test) if test.equalities().is_some() => Ok(self.select(|row| {
                own.value(row)
                    || linked(edits, row, "linked_runs")
                        .iter()
                        .any(|run| test.accepts(run))
            })),
            _ => Ok(own),
        }
    }
}

/// MLflow's `end_time`, of a start and a duration in nanoseconds.
pub(crate) fn end_time_ms(start_ns: i64, duration_ns: Option<i64>) -> i64 {
    start_ns
        .saturating_add(duration_ns.unwrap_or(0))
        .div_euclid(MS_NS)
}

/// MLflow's `execution_time`: it cuts start and end to milliseconds before it subtracts one from the
/// other.
pub(crate) fn execution_time_ms(start_ns: i64, duration_ns: i64) -> i64 {
    end_time_ms(start_ns, Some(duration_ns)) - start_ns.div_euclid(MS_NS)
}

/// The texts of a list in the trace's explicit state.
fn linked(edits: &StringViewArray, row: usize, key: &str) -> Vec<String> {
    if edits.is_null(row) {
        return Vec::new();
    }
    let raw = KeyLookup::new(key).get(edits.value(row));
    raw.and_then(|raw| serde_json::from_str(&raw).ok())
        .unwrap_or_default()
}

fn is_hex32(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Columns of [`Field::TokenUsage`].
struct TokenUsage<'a> {
    metadata: Map<'a>,
    counts: Vec<(&'static str, Ints)>,
}

impl<'a> TokenUsage<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self> {
        let counts = TOKEN_COLUMNS
            .into_iter()
            .map(|name| Ok((name, ints(batch, name)?)));
        Ok(Self {
            metadata: map(batch, "metadata")?,
            counts: counts.collect::<Result<_>>()?,
        })
    }

    fn get(&self, row: usize) -> Option<String> {
        if let Some(set) = self.metadata.get(row, TOKEN_USAGE_METADATA) {
            return Some(set.to_string());
        }
        let present = self
            .counts
            .iter()
            .filter_map(|(name, counts)| Some((name, counts.get(row)?)));
        let entries: Vec<String> = present
            .map(|(name, count)| format!("\"{name}\": {count}"))
            .collect();
        (!entries.is_empty()).then(|| format!("{{{}}}", entries.join(", ")))
    }
}
