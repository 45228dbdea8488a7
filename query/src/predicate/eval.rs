//! The naive evaluator: conditions over batches of stored rows. It is the reference of every faster
//! path, and the re-check behind them.
//!
//! Results have one boolean per row and no NULLs (invariant 1). Conjunctions evaluate light columns
//! first and look at the rest only for rows that are still wanted.

use std::collections::BTreeSet;

use arrow::array::{Array, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use tracehouse_storage::schema::Table;
use tracehouse_storage::text::{FreshText, TEXT_COLUMNS, TextField, TextQuery};
use tracehouse_storage::{Error, Result};

use super::column::{Map, bools, floats, ints, map, row_numbers, text, text_list};
use super::content::{self, Content};
use super::json::{self, KeyLookup};
use super::test::{JsonOp, JsonTest, Scalar, Test, TextOp, TextTest};
use super::{AssessmentPredicate, AssessmentTest, Condition, Field, SpanPredicate};

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

/// Rows still of interest; `None` = all.
type Wanted<'a> = Option<&'a BooleanBuffer>;

impl Condition {
    /// The columns the condition reads.
    pub fn columns(&self) -> Vec<&'static str> {
        if let Test::Matches(_) = self.test {
            return TEXT_COLUMNS.to_vec();
        }
        match &self.field {
            Field::Text(column) | Field::Int(column) | Field::Float(column) => vec![column],
            Field::Map { column, .. } | Field::Json { column, .. } => vec![column],
            Field::TraceId => vec!["trace_id"],
            Field::EndTimeMs => vec!["request_time", "duration_ns"],
            Field::Models => vec!["models"],
            Field::TokenUsage => ["metadata"].into_iter().chain(TOKEN_COLUMNS).collect(),
            Field::RunId => vec!["metadata", "_edit"],
            Field::Prompt => vec!["_edit"],
            Field::Content => content::COLUMNS.to_vec(),
        }
    }

    /// Whether the condition reads a large column.
    pub fn is_heavy(&self, table: Table) -> bool {
        self.columns().into_iter().any(|column| table.is_heavy(column))
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
        let Test::Matches(query) = &self.test else { return Ok(None) };
        let field = match self.field {
            Field::Text("inputs") => TextField::Inputs,
            Field::Text("outputs") => TextField::Outputs,
            _ => TextField::Any,
        };
        TextQuery::parse_in(query, field).map(Some)
    }

    fn rows(&self, batch: &RecordBatch, wanted: Wanted<'_>) -> Result<BooleanBuffer> {
        let rows = Rows { count: batch.num_rows(), wanted, condition: self };
        if let Some(query) = self.text_query()? {
            let mut text = FreshText::default();
            text.add(batch)?;
            let found = text.rows(&query)?;
            return Ok(rows.select(|row| u32::try_from(row).is_ok_and(|row| found.contains(row))));
        }
        match &self.field {
            Field::Text(column) => {
                let array = text(batch, column)?;
                rows.by_text(|row| array.is_valid(row).then(|| array.value(row)))
            }
            Field::TraceId => {
                let array = text(batch, "trace_id")?;
                rows.by_trace_id(|row| array.value(row))
            }
            Field::Int(column) => {
                let column = ints(batch, column)?;
                rows.by_int(|row| column.get(row))
            }
            Field::EndTimeMs => {
                let (start, duration) = (ints(batch, "request_time")?, ints(batch, "duration_ns")?);
                let whole_ms = |ns: i64| ns.div_euclid(MS_NS);
                rows.by_int(|row| Some(whole_ms(start.get(row)?) + whole_ms(duration.get(row).unwrap_or(0))))
            }
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
                rows.by_text(|row| map.get(row, key))
            }
            Field::TokenUsage => {
                let usage = TokenUsage::of(batch)?;
                rows.by_owned_text(|row| usage.get(row))
            }
            Field::RunId => rows.by_run(batch),
            Field::Prompt => {
                let edits = text(batch, "_edit")?;
                rows.by_any_text(|row| linked(edits, row, "linked_prompts").into_iter())
            }
            Field::Json { column, key } => {
                let (array, lookup) = (text(batch, column)?, KeyLookup::new(key));
                rows.by_json(|row| array.is_valid(row).then(|| lookup.get(array.value(row)))?)
            }
            Field::Content => match &self.test {
                Test::Text(test) => Ok(Content::of(batch)?.rows(test, |keep| rows.select(keep))),
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
            Some(wanted) => BooleanBuffer::collect_bool(self.count, |row| wanted.value(row) && keep(row)),
        }
    }

    fn mismatch(&self) -> Error {
        Error::internal(format!("no evaluation of condition {}", self.condition))
    }

    fn by_text<'t>(&self, get: impl Fn(usize) -> Option<&'t str>) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::IsNull => Ok(self.select(|row| get(row).is_none())),
            Test::IsNotNull => Ok(self.select(|row| get(row).is_some())),
            Test::Text(test) => Ok(self.select(|row| get(row).is_some_and(|text| test.accepts(text)))),
            _ => Err(self.mismatch()),
        }
    }

    fn by_owned_text(&self, get: impl Fn(usize) -> Option<String>) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::IsNull => Ok(self.select(|row| get(row).is_none())),
            Test::IsNotNull => Ok(self.select(|row| get(row).is_some())),
            Test::Text(test) => Ok(self.select(|row| get(row).is_some_and(|text| test.accepts(&text)))),
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
            Test::Text(test) => Ok(self.select(|row| get(row).any(|text| test.accepts(text.as_ref())))),
            _ => Err(self.mismatch()),
        }
    }

    fn by_int(&self, get: impl Fn(usize) -> Option<i64>) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::IsNull => Ok(self.select(|row| get(row).is_none())),
            Test::IsNotNull => Ok(self.select(|row| get(row).is_some())),
            Test::Int(test) => Ok(self.select(|row| get(row).is_some_and(|value| test.accepts(value)))),
            _ => Err(self.mismatch()),
        }
    }

    fn by_float(&self, get: impl Fn(usize) -> Option<f64>) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::IsNull => Ok(self.select(|row| get(row).is_none())),
            Test::IsNotNull => Ok(self.select(|row| get(row).is_some())),
            Test::Float(test) => Ok(self.select(|row| get(row).is_some_and(|value| test.accepts(value)))),
            _ => Err(self.mismatch()),
        }
    }

    fn by_json<'t>(&self, get: impl Fn(usize) -> Option<&'t str>) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::IsNull => Ok(self.select(|row| get(row).is_none())),
            Test::IsNotNull => Ok(self.select(|row| get(row).is_some())),
            Test::Json(test) => {
                Ok(self.select(|row| get(row).is_some_and(|raw| test.accepts_attribute(raw))))
            }
            _ => Err(self.mismatch()),
        }
    }

    fn by_trace_id<'t>(&self, get: impl Fn(usize) -> &'t str) -> Result<BooleanBuffer> {
        match &self.condition.test {
            Test::Text(TextTest { op: TextOp::Pattern(pattern), negated }) => Ok(self.select(|row| {
                let id = get(row);
                let found = pattern.is_match(id) || (is_hex32(id) && pattern.is_match(&format!("tr-{id}")));
                found != *negated
            })),
            _ => self.by_text(|row| Some(get(row))),
        }
    }

    fn by_run(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        const RUN_KEY: &str = "mlflow.sourceRun";
        let (metadata, edits) = (map(batch, "metadata")?, text(batch, "_edit")?);
        let own = self.by_text(|row| metadata.get(row, RUN_KEY))?;
        match &self.condition.test {
            Test::Text(test) if test.equalities().is_some() => Ok(self.select(|row| {
                own.value(row) || linked(edits, row, "linked_runs").iter().any(|run| test.accepts(run))
            })),
            _ => Ok(own),
        }
    }
}

/// The texts of a list in the trace's explicit state.
fn linked(edits: &arrow::array::StringViewArray, row: usize, key: &str) -> Vec<String> {
    if edits.is_null(row) {
        return Vec::new();
    }
    let raw = KeyLookup::new(key).get(edits.value(row));
    raw.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default()
}

fn is_hex32(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Columns of [`Field::TokenUsage`].
struct TokenUsage<'a> {
    metadata: Map<'a>,
    counts: Vec<(&'static str, super::column::Ints)>,
}

impl<'a> TokenUsage<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self> {
        let counts = TOKEN_COLUMNS.into_iter().map(|name| Ok((name, ints(batch, name)?)));
        Ok(Self { metadata: map(batch, "metadata")?, counts: counts.collect::<Result<_>>()? })
    }

    fn get(&self, row: usize) -> Option<String> {
        if let Some(set) = self.metadata.get(row, "mlflow.trace.tokenUsage") {
            return Some(set.to_string());
        }
        let present = self.counts.iter().filter_map(|(name, counts)| Some((name, counts.get(row)?)));
        let entries: Vec<String> = present.map(|(name, count)| format!("\"{name}\": {count}")).collect();
        (!entries.is_empty()).then(|| format!("{{{}}}", entries.join(", ")))
    }
}

impl JsonTest {
    /// Whether an attribute's raw JSON value satisfies the test. A string that is itself the JSON
    /// text of a scalar (as MLflow writes attributes) counts as that scalar as well.
    pub fn accepts_attribute(&self, raw: &str) -> bool {
        let string = json::string(raw);
        // The value's text, and what that text stands for when it is a quoted string again.
        let text = string.as_deref().unwrap_or(raw);
        let inner = if string.is_some() { json::string(text) } else { None };
        let accepts_text =
            |accept: &dyn Fn(&str) -> bool| accept(text) || inner.as_deref().is_some_and(accept);
        let found = match &self.op {
            JsonOp::Pattern(pattern) => accepts_text(&|text| pattern.is_match(text)),
            JsonOp::Range(min, max) => is_in_range(text, min, max),
            JsonOp::In(values) => values.iter().any(|value| match value {
                Scalar::Text(wanted) => accepts_text(&|text| text == wanted),
                scalar => scalar.equals_json(text),
            }),
        };
        found != self.negated
    }

    /// Whether an assessment's value, a JSON text, satisfies the test. Strings are compared with
    /// the JSON text and with what it stands for; patterns see the JSON text, as in MLflow.
    pub fn accepts_assessment(&self, raw: &str) -> bool {
        let raw = raw.trim();
        let found = match &self.op {
            JsonOp::Pattern(pattern) => pattern.is_match(raw),
            JsonOp::Range(min, max) => is_in_range(raw, min, max),
            JsonOp::In(values) => values.iter().any(|value| match value {
                Scalar::Text(wanted) => {
                    raw == wanted
                        || json::string(raw).is_some_and(|text| text == *wanted)
                        || same_container(raw, wanted)
                }
                scalar => scalar.equals_json(raw),
            }),
        };
        found != self.negated
    }
}

impl Scalar {
    /// Whether a number or boolean equals a JSON text.
    fn equals_json(&self, raw: &str) -> bool {
        match self {
            Scalar::Text(_) => false,
            Scalar::Bool(value) => raw == if *value { "true" } else { "false" },
            Scalar::Number(wanted) => {
                json::number(raw).is_some_and(|number| match (number.integer(), wanted.integer()) {
                    (Some(number), Some(wanted)) => number == wanted,
                    _ => number.value() == wanted.value(),
                })
            }
        }
    }
}

fn is_in_range(raw: &str, min: &std::ops::Bound<f64>, max: &std::ops::Bound<f64>) -> bool {
    use std::ops::RangeBounds;
    json::number(raw).is_some_and(|number| (*min, *max).contains(&number.value()))
}

/// Whether two JSON texts are equal objects or arrays, whatever their spacing and order of keys.
fn same_container(a: &str, b: &str) -> bool {
    if !a.starts_with(['{', '[']) || a.get(..1) != b.get(..1) {
        return false;
    }
    let parse = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    parse(a).is_some_and(|a| Some(a) == parse(b))
}

impl SpanPredicate {
    /// The columns the condition reads, sorted and distinct.
    pub fn columns(&self) -> Vec<&'static str> {
        let mut columns = BTreeSet::new();
        self.collect_columns(&mut columns);
        columns.into_iter().collect()
    }

    fn collect_columns(&self, columns: &mut BTreeSet<&'static str>) {
        match self {
            SpanPredicate::Const(_) => {}
            SpanPredicate::And(operands) | SpanPredicate::Or(operands) => {
                operands.iter().for_each(|operand| operand.collect_columns(columns));
            }
            SpanPredicate::Not(operand) => operand.collect_columns(columns),
            SpanPredicate::Is(condition) => columns.extend(condition.columns()),
            SpanPredicate::RowIn(_) => {
                columns.insert("_row");
            }
        }
    }

    /// Whether the condition reads a large column of spans.
    pub fn is_heavy(&self) -> bool {
        self.columns().into_iter().any(|column| Table::Spans.is_heavy(column))
    }

    /// One boolean per row of a batch of spans that has [`SpanPredicate::columns`].
    ///
    /// # Errors
    /// As [`Condition::evaluate`].
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        Ok(BooleanArray::new(self.rows(batch, None)?, None))
    }

    fn rows(&self, batch: &RecordBatch, wanted: Wanted<'_>) -> Result<BooleanBuffer> {
        let count = batch.num_rows();
        let all = || wanted.cloned().unwrap_or_else(|| BooleanBuffer::new_set(count));
        match self {
            SpanPredicate::Const(true) => Ok(all()),
            SpanPredicate::Const(false) => Ok(BooleanBuffer::new_unset(count)),
            SpanPredicate::Is(condition) => condition.rows(batch, wanted),
            SpanPredicate::RowIn(rows) => {
                let numbers = row_numbers(batch)?;
                let is_in = |row: usize| numbers.get(row).is_some_and(|number| rows.contains(*number));
                Ok(&all() & &BooleanBuffer::collect_bool(count, is_in))
            }
            SpanPredicate::Not(operand) => {
                let found = operand.rows(batch, wanted)?;
                Ok(&all() & &!&found)
            }
            SpanPredicate::And(operands) => {
                let mut left = all();
                for operand in light_first(operands) {
                    left = operand.rows(batch, Some(&left))?;
                }
                Ok(left)
            }
            SpanPredicate::Or(operands) => {
                let mut found = BooleanBuffer::new_unset(count);
                for operand in light_first(operands) {
                    let missing = &all() & &!&found;
                    found = &found | &operand.rows(batch, Some(&missing))?;
                }
                Ok(found)
            }
        }
    }
}

/// Operands that read light columns alone, then the others.
fn light_first(operands: &[SpanPredicate]) -> impl Iterator<Item = &SpanPredicate> {
    let light = operands.iter().filter(|operand| !operand.is_heavy());
    light.chain(operands.iter().filter(|operand| operand.is_heavy()))
}

impl AssessmentPredicate {
    /// Whether an assessment may count for all traces of a session.
    pub fn is_session_wide(&self) -> bool {
        !self.kinds.contains(&tracehouse_storage::model::AssessmentKind::Issue)
    }

    /// The columns the condition reads.
    pub fn columns(&self) -> Vec<&'static str> {
        let mut columns = vec!["name", "type", "valid"];
        match self.test {
            AssessmentTest::Present => {}
            AssessmentTest::Value(_) => columns.push("value"),
            AssessmentTest::Source(_) => columns.extend(["source_type", "source_id"]),
        }
        columns
    }

    /// One boolean per row of a batch of assessments that has [`AssessmentPredicate::columns`].
    ///
    /// # Errors
    /// `Internal` when the batch lacks a column.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let (names, types, valid) = (text(batch, "name")?, text(batch, "type")?, bools(batch, "valid")?);
        let named = BooleanBuffer::collect_bool(batch.num_rows(), |row| {
            (valid.value(row) || !self.valid_only)
                && self.names.iter().any(|name| name == names.value(row))
                && self.kinds.iter().any(|kind| kind.as_str() == types.value(row))
        });
        let found = match &self.test {
            AssessmentTest::Present => named,
            AssessmentTest::Value(test) => {
                let values = text(batch, "value")?;
                let accepts = |row: usize| named.value(row) && test.accepts_assessment(values.value(row));
                BooleanBuffer::collect_bool(batch.num_rows(), accepts)
            }
            AssessmentTest::Source(test) => {
                let (types, ids) = (text(batch, "source_type")?, text(batch, "source_id")?);
                BooleanBuffer::collect_bool(batch.num_rows(), |row| {
                    let id = ids.is_valid(row).then(|| ids.value(row));
                    let found = test.op.accepts(types.value(row)) || id.is_some_and(|id| test.op.accepts(id));
                    named.value(row) && found != test.negated
                })
            }
        };
        Ok(BooleanArray::new(found, None))
    }
}
