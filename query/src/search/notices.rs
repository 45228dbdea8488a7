//! What a person should hear about a question: a name that no trace of the database has, and a value that its key can
//! never have.
//!
//! Whether a name is there is a search of its own, which ends at the first trace that has it. Names that may have been
//! meant are those of the newest rows. When a search found something, only what that does not prove to be there is
//! looked for: a name on one side of an OR, in a NOT, or asked to be absent.
//!
//! **Invariant** A notice never changes an answer.

use std::collections::BTreeSet;

use tracehouse_storage::model::AssessmentKind;
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;
use tracehouse_storage::{Result, Snapshot};

use super::Search;
use super::explain::Recorder;
use super::plan::Plan;
use super::rank::TopRows;
#[cfg(feature = "sql")]
use crate::error::Result as QueryResult;
use crate::filter::{nearest, parse, parse_order_by};
use crate::predicate::column::{map, text};
use crate::predicate::{
    AssessmentPredicate, AssessmentTest, Condition, Field, Predicate, SpanPredicate, Test, TextOp,
    TextTest,
};
#[cfg(feature = "sql")]
use crate::{runtime::QueryRuntime, sql};

/// Newest rows of a table that are looked at for names that may have been meant.
const NAMED_ROWS_MAX: usize = 2_000;
/// Names of one filter that are looked for.
const NAMES_MAX: usize = 16;

/// Every state of a trace.
const STATES: &[&str] = &["OK", "ERROR", "IN_PROGRESS", "STATE_UNSPECIFIED"];
/// Every status of a span.
const STATUSES: &[&str] = &["OK", "ERROR", "UNSET"];
/// The column of a span's type, which may be any text.
const SPAN_TYPE: &str = "span_type";
/// Every kind of a span.
const KINDS: &[&str] = &[
    "INTERNAL",
    "SERVER",
    "CLIENT",
    "PRODUCER",
    "CONSUMER",
    "UNSPECIFIED",
];

/// The notices of a search that found something, or nothing; none for a filter that is refused.
///
/// # Errors
/// What reading gives.
pub fn notices(snapshot: &Snapshot, search: &Search, has_found: bool) -> Result<Vec<String>> {
    let Ok(predicate) = parse(&search.filter) else {
        return Ok(Vec::new());
    };
    let mut asked = Asked {
        has_found,
        ..Asked::default()
    };
    asked.of_traces(&predicate, true);
    asked.look(&search.limited(snapshot), Form::Filter)
}

/// The notices of a SQL statement; none for one that is refused.
///
/// # Errors
/// What reading gives.
#[cfg(feature = "sql")]
pub fn sql_notices(
    snapshot: &Snapshot,
    runtime: &QueryRuntime,
    statement: &str,
) -> QueryResult<Vec<String>> {
    let of_rows = sql::asked(runtime, statement)?;
    let mut asked = Asked::default();
    let mut names = Vec::new();
    for (column, value) in of_rows.words {
        let possible = match column {
            "state" => STATES,
            "status" => STATUSES,
            SPAN_TYPE => {
                names.push(Name::SpanType { name: value });
                continue;
            }
            _ => KINDS,
        };
        asked.value(column, possible, &value);
    }
    let maps = of_rows
        .maps
        .into_iter()
        .map(|(column, key)| Name::Map { column, key });
    let objects = of_rows
        .objects
        .into_iter()
        .map(|(column, key)| Name::Json { column, key });
    asked.names = maps.chain(objects).chain(names).collect();
    Ok(asked.look(snapshot, Form::Sql)?)
}

/// How names are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Filter,
    Sql,
}

/// A name that users give.
#[derive(Debug, Clone, PartialEq)]
enum Name {
    /// A key of `tags` or `metadata`.
    Map { column: &'static str, key: String },
    /// A key of `attributes` or `resource`.
    Json { column: &'static str, key: String },
    /// A type of spans.
    SpanType { name: String },
    /// An assessment of one of these kinds.
    Assessment {
        kinds: Vec<AssessmentKind>,
        name: String,
    },
}

/// What a question asks for.
#[derive(Debug, Default)]
struct Asked {
    names: Vec<Name>,
    impossible: Vec<String>,
    /// What every answer needs is there, since there was one.
    has_found: bool,
}

impl Asked {
    fn look(self, snapshot: &Snapshot, form: Form) -> Result<Vec<String>> {
        snapshot.interrupt().guarding(|| {
            let mut notices = self.impossible;
            for name in self.names.iter().take(NAMES_MAX) {
                if !exists(snapshot, &name.presence())? {
                    notices.extend(name.missing(snapshot, form)?);
                }
            }
            Ok(notices)
        })
    }

    /// `is_needed`: no trace is found without it.
    fn of_traces(&mut self, predicate: &Predicate, is_needed: bool) {
        match predicate {
            Predicate::And(operands) => operands
                .iter()
                .for_each(|operand| self.of_traces(operand, is_needed)),
            Predicate::Or(operands) => operands
                .iter()
                .for_each(|operand| self.of_traces(operand, false)),
            Predicate::Not(operand) => self.of_traces(operand, false),
            Predicate::Trace(condition) => self.condition(condition, false, is_needed),
            Predicate::Span(condition) => self.of_span(condition, is_needed),
            Predicate::Assessment(AssessmentPredicate { kinds, names, .. }) => {
                // Issues are found by their ids, which nobody types.
                let kinds = Some(kinds).filter(|kinds| !kinds.contains(&AssessmentKind::Issue));
                if let (Some(kinds), Some([name])) = (kinds, names.equalities())
                    && !(self.has_found && is_needed)
                {
                    self.name(Name::Assessment {
                        kinds: kinds.clone(),
                        name: name.clone(),
                    });
                }
            }
            Predicate::Const(_) | Predicate::Dataset(_) => {}
        }
    }

    fn of_span(&mut self, predicate: &SpanPredicate, is_needed: bool) {
        match predicate {
            SpanPredicate::And(operands) => operands
                .iter()
                .for_each(|operand| self.of_span(operand, is_needed)),
            SpanPredicate::Or(operands) => operands
                .iter()
                .for_each(|operand| self.of_span(operand, false)),
            SpanPredicate::Not(operand) => self.of_span(operand, false),
            SpanPredicate::Is(condition) => self.condition(condition, true, is_needed),
            SpanPredicate::Const(_) | SpanPredicate::Row(_) | SpanPredicate::RowIn(_) => {}
        }
    }

    fn condition(&mut self, condition: &Condition, is_of_span: bool, is_needed: bool) {
        if self.has_found && is_needed && condition.test != Test::IsNull {
            return;
        }
        match &condition.field {
            Field::Map { column, key } => self.name(Name::Map {
                column,
                key: key.clone(),
            }),
            Field::Json { column, key } => self.name(Name::Json {
                column,
                key: key.clone(),
            }),
            Field::Text("state") if !is_of_span => self.values("state", STATES, &condition.test),
            Field::Text("status") if is_of_span => {
                self.values("span.status", STATUSES, &condition.test)
            }
            Field::Text("kind") if is_of_span => self.values("span.kind", KINDS, &condition.test),
            Field::Text(SPAN_TYPE) => {
                let Test::Text(TextTest {
                    op: TextOp::In(values),
                    ..
                }) = &condition.test
                else {
                    return;
                };
                values.iter().for_each(|value| {
                    self.name(Name::SpanType {
                        name: value.clone(),
                    })
                });
            }
            _ => {}
        }
    }

    fn name(&mut self, name: Name) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    fn values(&mut self, key: &str, possible: &[&str], test: &Test) {
        let Test::Text(TextTest {
            op: TextOp::In(values),
            ..
        }) = test
        else {
            return;
        };
        values
            .iter()
            .for_each(|value| self.value(key, possible, value));
    }

    fn value(&mut self, key: &str, possible: &[&str], value: &str) {
        if possible.contains(&value) {
            return;
        }
        let hint = match nearest(value, possible.iter().copied()) {
            Some(near) => format!("; did you mean '{near}'?"),
            None => format!(": it is {}", possible.join(", ")),
        };
        self.impossible
            .push(format!("{key} is never '{value}'{hint}"));
    }
}

impl Name {
    /// A trace has it.
    fn presence(&self) -> Predicate {
        let test = Test::IsNotNull;
        match self.clone() {
            Name::Map { column, key } => Predicate::Trace(Condition {
                field: Field::Map { column, key },
                test,
            }),
            Name::Json { column, key } => Predicate::Span(SpanPredicate::Is(Condition {
                field: Field::Json { column, key },
                test,
            })),
            Name::SpanType { name } => Predicate::Span(SpanPredicate::Is(Condition {
                field: Field::Text(SPAN_TYPE),
                test: Test::Text(TextTest::one_of(vec![name], false)),
            })),
            Name::Assessment { kinds, name } => Predicate::Assessment(AssessmentPredicate {
                kinds,
                names: TextTest::one_of(vec![name], false),
                valid_only: false,
                test: AssessmentTest::Present,
            }),
        }
    }

    /// How the name `name` of the same sort is written.
    fn written(&self, name: &str, form: Form) -> String {
        let quoted = name.replace('\'', "''");
        match self {
            Name::Map { column, .. } if form == Form::Sql => {
                return format!("{column}['{quoted}']");
            }
            Name::Json { column, .. } if form == Form::Sql => {
                return format!("{column} ->> '{quoted}'");
            }
            Name::SpanType { .. } if form == Form::Sql => return format!("{SPAN_TYPE} '{quoted}'"),
            Name::SpanType { .. } => return format!("span.type '{quoted}'"),
            _ => {}
        }
        let prefix = match self {
            Name::Map { column, .. } => column,
            Name::Json {
                column: "attributes",
                ..
            } => "span.attributes",
            Name::Json { column, .. } => column,
            Name::SpanType { .. } => SPAN_TYPE,
            Name::Assessment { kinds, .. } => match kinds.as_slice() {
                [AssessmentKind::Feedback] => "feedback",
                [AssessmentKind::Expectation] => "expectation",
                _ => "assessment",
            },
        };
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.chars().all(is_plain) {
            format!("{prefix}.{name}")
        } else {
            format!("{prefix}.`{name}`")
        }
    }

    /// What to say of a name without a value; nothing when it is there after all, and is null wherever it is.
    fn missing(&self, snapshot: &Snapshot, form: Form) -> Result<Option<String>> {
        let (Name::Map { key: name, .. }
        | Name::Json { key: name, .. }
        | Name::SpanType { name }
        | Name::Assessment { name, .. }) = self;
        let names = self.like_it(snapshot)?;
        if names.contains(name) {
            return Ok(None);
        }
        let hint = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("; did you mean {}?", self.written(near, form)),
            None => String::new(),
        };
        Ok(Some(format!(
            "no trace has {}{hint}",
            self.written(name, form)
        )))
    }

    /// Names of the same sort in the newest rows.
    fn like_it(&self, snapshot: &Snapshot) -> Result<BTreeSet<String>> {
        let (table, columns): (_, &[&str]) = match self {
            Name::Map { column, .. } => (Table::Traces, &[column]),
            Name::Json { column, .. } => (Table::Spans, &[column]),
            Name::SpanType { .. } => (Table::Spans, &[SPAN_TYPE]),
            Name::Assessment { .. } => (Table::Assessments, &["name", "type"]),
        };
        let (mut names, mut rows) = (BTreeSet::new(), 0);
        for source in (0..snapshot.source_count()).rev() {
            let mut request = ScanRequest::columns(columns.iter().copied());
            request.batch_rows = NAMED_ROWS_MAX;
            for batch in snapshot.scan(source, table, &request)? {
                let batch = batch?;
                rows += batch.num_rows();
                match self {
                    Name::Map { column, .. } => {
                        names.extend(map(&batch, column)?.keys().map(str::to_string));
                    }
                    Name::Json { column, .. } => {
                        let objects = text(&batch, column)?;
                        objects
                            .iter()
                            .flatten()
                            .for_each(|object| names.extend(keys_of(object)));
                    }
                    Name::SpanType { .. } => {
                        names.extend(
                            text(&batch, SPAN_TYPE)?
                                .iter()
                                .flatten()
                                .map(str::to_string),
                        );
                    }
                    Name::Assessment { kinds, .. } => {
                        let (all, types) = (text(&batch, "name")?, text(&batch, "type")?);
                        let is_wanted = |row: &usize| {
                            kinds.iter().any(|kind| kind.as_str() == types.value(*row))
                        };
                        let wanted = (0..batch.num_rows()).filter(is_wanted);
                        names.extend(wanted.map(|row| all.value(row).to_string()));
                    }
                }
                if rows >= NAMED_ROWS_MAX {
                    return Ok(names);
                }
            }
        }
        Ok(names)
    }
}

fn keys_of(object: &str) -> Vec<String> {
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(object).unwrap_or_default();
    members.into_iter().map(|(key, _)| key).collect()
}

/// Whether some trace satisfies the predicate.
fn exists(snapshot: &Snapshot, predicate: &Predicate) -> Result<bool> {
    let plan = Plan::of(snapshot, predicate, None, &Recorder::default())?;
    // Newest first, in pieces: a name that is in use is met in the first of them.
    let newest_first = parse_order_by::<&str>(&[])?;
    let mut top = TopRows::new(&newest_first, 1, None);
    plan.rank(&newest_first, None, &mut top)?;
    let (found, _) = top.finish(0, 1);
    Ok(!found.is_empty())
}
