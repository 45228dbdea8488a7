//! Errors of DataFusion as errors of a query, and ours through DataFusion unchanged.

use std::error::Error as StdError;

use datafusion::common::{Column, SchemaError, TableReference};
use datafusion::error::DataFusionError;

use super::REWRITTEN;
use crate::error::{ECHO_CHARS_MAX, ErrorKind, QueryError, from_storage, shorten};
use crate::filter::nearest;

/// Causes followed below an error before its own text is used; chains are short.
const CAUSES_MAX: usize = 16;

/// Lets an error of ours travel through DataFusion unchanged.
impl From<QueryError> for DataFusionError {
    fn from(error: QueryError) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        find_own(&error).unwrap_or_else(|| from_datafusion(error.find_root()))
    }
}

/// Our own or storage's error below `error`, when that is what failed.
fn find_own(error: &(dyn StdError + 'static)) -> Option<QueryError> {
    let mut next = Some(error);
    for _ in 0..CAUSES_MAX {
        let cause = next?;
        if let Some(own) = cause.downcast_ref::<QueryError>() {
            return Some(own.clone());
        }
        if let Some(storage) = cause.downcast_ref::<tracehouse_storage::Error>() {
            return Some(from_storage(storage));
        }
        next = match cause.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Context(_, inner)) => Some(inner.as_ref()),
            _ => match cause
                .downcast_ref::<std::io::Error>()
                .and_then(std::io::Error::get_ref)
            {
                // What failed a writer of ours is in the error of the system, and not its cause.
                Some(inner) => Some(inner),
                None => cause.source(),
            },
        };
    }
    None
}

/// A subquery that cannot be planned where it stands.
pub(crate) const UNPLANNED: &str = "a subquery refers to columns of the query around it where that cannot be \
     planned; join a subquery that is grouped by these columns instead: \
     LEFT JOIN (SELECT key, count(*) AS n FROM .. GROUP BY key) AS s ON s.key = ..";

/// What the planner says of a subquery that it lost on the way.
const LOST: [&str; 3] = [
    "Correlated scalar subquery can only be used",
    "__correlated_sq",
    "single expression required",
];

/// What the planner says of a part of a text, such as `attributes['key']`.
const NO_FIELDS: &str = "access field at argument";

/// What a union of JSON's types is called in messages.
const JSON_UNION: [&str; 2] = ["Union(Sparse", "Union(0:"];

impl QueryError {
    /// What the optimizer says. A column that it misses was there when the statement was planned: a subquery that
    /// refers to it was lost.
    pub(crate) fn of_optimizer(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::SchemaError(missing, _)
                if matches!(**missing, SchemaError::FieldNotFound { .. }) =>
            {
                Self::invalid_input(UNPLANNED)
            }
            _ => error.into(),
        }
    }
}

fn from_datafusion(error: &DataFusionError) -> QueryError {
    let text = error.strip_backtrace();
    if JSON_UNION.iter().any(|union| text.contains(union)) {
        return QueryError::invalid_input(
            "a JSON value (of -> or json_get) has no type that this can be computed with: take its text with ->>, \
             or cast it, as in (attributes -> 'n')::BIGINT",
        );
    }
    if LOST.iter().any(|lost| text.contains(lost)) {
        return QueryError::invalid_input(UNPLANNED);
    }
    if text.contains(NO_FIELDS) {
        return QueryError::invalid_input(
            "only lists, maps and structs have parts in brackets: a key of JSON text is read by attributes ->> 'key'",
        );
    }
    if let Some(message) = no_signature(&text) {
        return QueryError::invalid_input(message);
    }
    match error {
        DataFusionError::SchemaError(schema_error, _) => {
            QueryError::invalid_input(schema_message(schema_error))
        }
        DataFusionError::SQL(parser_error, _) => {
            QueryError::invalid_input(lower_first(&parser_error.to_string()))
        }
        DataFusionError::Plan(message) => {
            QueryError::invalid_input(without_far_name(clean(message)))
        }
        DataFusionError::NotImplemented(message)
        | DataFusionError::Configuration(message)
        | DataFusionError::Execution(message) => QueryError::invalid_input(clean(message)),
        DataFusionError::ArrowError(arrow, _) => {
            QueryError::invalid_input(clean(&arrow.to_string()))
        }
        DataFusionError::ResourcesExhausted(message) => {
            QueryError::resource_exhausted(exhausted_message(message))
        }
        DataFusionError::IoError(io) => {
            QueryError::new(ErrorKind::Io, format!("a spill file failed: {}", io.kind()))
        }
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => find_own(first).unwrap_or_else(|| from_datafusion(first.find_root())),
            None => QueryError::internal("the query failed"),
        },
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => {
            from_datafusion(inner)
        }
        // What a function fails with on its arguments, such as a regular expression's syntax.
        DataFusionError::External(inner) if !inner.is::<std::io::Error>() => {
            QueryError::invalid_input(clean(&inner.to_string()))
        }
        DataFusionError::ExecutionJoin(_) => QueryError::internal("a query task failed"),
        other => QueryError::internal(clean(&other.strip_backtrace())),
    }
}

/// What is said where no form of a function takes its arguments. DataFusion gives that as an internal error with
/// one line for each form; this can go when it says it as a planning error in a line.
fn no_signature(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("Function '")?;
    let (name, rest) = rest.split_once("' failed to match any signature")?;
    let (_, found) = rest.split_once("but received ")?;
    let found = found.split([' ', ',', '.']).next().unwrap_or_default();
    let article = if found.starts_with(['A', 'E', 'I', 'O', 'U']) {
        "an"
    } else {
        "a"
    };
    let hint = if found == "String" {
        "; a text that is a number can be cast: x::BIGINT"
    } else {
        ""
    };
    Some(format!(
        "{name}() cannot be computed of {article} {found}{hint}"
    ))
}

fn schema_message(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            // Names that only the planner gives: it took the subquery out of its place.
            if valid_fields
                .iter()
                .any(|valid| valid.flat_name().starts_with("__"))
            {
                return UNPLANNED.to_string();
            }
            // The right column of a table that is not there.
            if let Some(other) = valid_fields.iter().find(|valid| valid.name == field.name) {
                let (wanted, valid) = (clean(&field.flat_name()), clean(&other.flat_name()));
                return match (&field.relation, &other.relation) {
                    (Some(wrong), Some(table)) if !has_table(valid_fields, wrong) => {
                        let (wrong, table) = (clean(&wrong.to_string()), clean(&table.to_string()));
                        format!(
                            "no table '{wrong}' here; what has a column '{}' is called '{table}' here: '{valid}'",
                            field.name
                        )
                    }
                    _ => format!("no column '{wanted}' here; did you mean '{valid}'?"),
                };
            }
            match nearest(
                &field.name,
                valid_fields.iter().map(|valid| valid.name.as_str()),
            ) {
                Some(name) => format!("no column named '{}'; did you mean '{name}'?", field.name),
                // The filter language says `cost` where the column says its unit, too.
                None if let Some(name) = with_unit(&field.name, valid_fields) => {
                    format!("no column named '{}'; did you mean '{name}'?", field.name)
                }
                // No column is written like a constant, and standard SQL reads double quotes as a name.
                None if field
                    .name
                    .chars()
                    .any(|c| c.is_uppercase() || c.is_whitespace()) =>
                {
                    format!(
                        "no column named '{0}'; a text is written in single quotes: '{0}'",
                        field.name.replace('\'', "''")
                    )
                }
                None => format!("no column named '{}'", field.name),
            }
        }
        other => clean(&other.to_string()),
    }
}

/// A message without the name that the planner suggests, where that is another word and no typing error.
fn without_far_name(message: String) -> String {
    let named = message.split_once(". Did you mean '");
    let Some((wrong, name)) =
        named.and_then(|(wrong, name)| Some((wrong, name.strip_suffix("'?")?)))
    else {
        return message;
    };
    let wanted = wrong.split('\'').nth(1).unwrap_or_default();
    match nearest(wanted, [name]) {
        Some(name) => format!("{wrong}; did you mean '{name}'?"),
        None => match nearest(wanted, REWRITTEN.iter().map(|(name, _)| *name)) {
            Some(name) => format!("{wrong}; did you mean '{name}'?"),
            None => format!("{wrong}; SHOW FUNCTIONS lists them"),
        },
    }
}

/// The column of this name with its unit: `cost_usd`, `duration_ns`.
fn with_unit<'a>(name: &str, fields: &'a [Column]) -> Option<&'a str> {
    let named = fields.iter().map(|field| field.name.as_str());
    named.into_iter().find(|field| {
        field
            .strip_prefix(name)
            .is_some_and(|unit| ["_usd", "_ns", "_ms"].contains(&unit))
    })
}

fn has_table(fields: &[Column], table: &TableReference) -> bool {
    fields.iter().any(|field| {
        field
            .relation
            .as_ref()
            .is_some_and(|relation| relation.resolved_eq(table))
    })
}

/// DataFusion names the pool and its consumers; the first sentence is what a user can act on.
fn exhausted_message(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    format!(
        "the query needs more memory than its limit ({}); narrow it, add a LIMIT, or raise the memory limit",
        shorten(&clean(first), ECHO_CHARS_MAX)
    )
}

/// A message without DataFusion's internal names and advice, in our letter case.
fn clean(message: &str) -> String {
    let text = message.split("\n\nbacktrace:").next().unwrap_or_default();
    let text = text.replace("tracehouse.public.", "");
    lower_first(
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .trim_end_matches('.'),
    )
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        // An upper-case word stays as it is.
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            let rest: String = text.chars().skip(1).collect();
            format!("{}{rest}", first.to_lowercase())
        }
        _ => text.to_string(),
    }
}
